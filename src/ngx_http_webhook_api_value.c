
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_value: the arguments of directives in webhook_api { } -> compiled
 * pointers, VALUEs and rules; what a route takes from the outer block.
 * Next room: api_conf, which puts them into routes.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_regex.h"


static u_char *ngx_http_webhook_api_equal(ngx_str_t *text);
static ngx_int_t ngx_http_webhook_api_event(ngx_conf_t *cf, ngx_uint_t first,
    ngx_uint_t *rank);
static ngx_int_t ngx_http_webhook_api_conf_text(ngx_conf_t *cf,
    ngx_str_t *text);
static ngx_int_t ngx_http_webhook_api_state_match(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_webhook_api_state_t *state);
static void ngx_http_webhook_api_state_twice(ngx_conf_t *cf,
    ngx_http_webhook_api_scope_t *scope, ngx_str_t *value, ngx_uint_t rank);
static ngx_array_t *ngx_http_webhook_api_matches(ngx_conf_t *cf,
    ngx_str_t *value, ngx_uint_t n);
static ngx_int_t ngx_http_webhook_api_inherit_members(ngx_conf_t *cf,
    ngx_http_webhook_api_scope_t *scope, ngx_array_t *outer);
static ngx_int_t ngx_http_webhook_api_append_array(ngx_conf_t *cf,
    ngx_array_t **array, ngx_array_t *outer);
static ngx_int_t ngx_http_webhook_api_texts(
    ngx_http_webhook_api_route_t *route, ngx_array_t *values);


static ngx_str_t  ngx_http_webhook_api_events[] = {
    ngx_null_string,
    ngx_string("LAUNCHED"),
    ngx_string("STARTED"),
    ngx_string("FINISHED")
};


ngx_int_t
ngx_http_webhook_api_conf_pointer(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t wildcards, ngx_http_webhook_api_pointer_t *pointer)
{
    char                        *err;
    ngx_uint_t                   i;
    ngx_http_webhook_pointer_t  *head, *tail, *whole;

    ngx_memzero(pointer, sizeof(ngx_http_webhook_api_pointer_t));

    whole = &pointer->pointer;

    err = ngx_http_webhook_pointer_compile(cf->pool, text, wildcards, whole);

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON Pointer \"%V\": %s", text, err);
        return NGX_ERROR;
    }

    ngx_http_webhook_api_warn_pointer(cf, text);

    if (whole->wildcards == 0) {
        return NGX_OK;
    }

    for (i = whole->nsegments; i > 0; i--) {
        if (whole->segments[i - 1].len == 1
            && whole->segments[i - 1].data[0] == '*')
        {
            break;
        }
    }

    head = &pointer->head;
    tail = &pointer->tail;

    *head = *whole;
    head->nsegments = i;

    tail->text = whole->text;
    tail->segments = &whole->segments[i];
    tail->nsegments = whole->nsegments - i;

    return NGX_OK;
}


ngx_array_t *
ngx_http_webhook_api_conf_pointers(ngx_conf_t *cf, ngx_array_t *pointers,
    ngx_uint_t n)
{
    ngx_str_t                       *value;
    ngx_uint_t                       other;
    ngx_http_webhook_api_pointer_t  *pointer;

    if (pointers == NULL) {
        pointers = ngx_array_create(cf->pool, 2,
                                    sizeof(ngx_http_webhook_api_pointer_t));
        if (pointers == NULL) {
            return NULL;
        }
    }

    value = cf->args->elts;
    other = 0;

    for ( /* void */ ; n < cf->args->nelts; n++) {

        pointer = ngx_array_push(pointers);
        if (pointer == NULL) {
            return NULL;
        }

        if (ngx_http_webhook_api_conf_pointer(cf, &value[n],
                                              NGX_HTTP_WEBHOOK_WILDCARDS,
                                              pointer)
            != NGX_OK)
        {
            return NULL;
        }

        pointer->other = other;
        other = 1;
    }

    return pointers;
}


char *
ngx_http_webhook_api_conf_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                       *value;
    ngx_http_webhook_api_ctx_t      *ctx;
    ngx_http_webhook_api_scope_t    *scope;
    ngx_http_webhook_api_require_t  *require;

    ctx = (ngx_http_webhook_api_ctx_t *) cf->handler_conf;
    scope = ctx->scope;
    value = cf->args->elts;

    if (scope->require == NULL) {
        scope->require = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_webhook_api_require_t));
        if (scope->require == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    require = ngx_array_push(scope->require);
    if (require == NULL) {
        return NGX_CONF_ERROR;
    }

    require->values = NULL;

    if (ngx_http_webhook_api_conf_text(cf, &require->text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_webhook_api_conf_placed(cf, &value[1], &ctx->ntexts,
                                         &require->value)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {

        if (ngx_http_webhook_api_equal(&value[1])) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "all of \"%V\" is a JSON Pointer, a value in "
                               "\"require\" stands behind a space", &value[1]);
        }

        return NGX_CONF_OK;
    }

    require->values = ngx_http_webhook_api_matches(cf, &value[2],
                                                   cf->args->nelts - 2);

    return require->values ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* a directive's arguments as one text */

static ngx_int_t
ngx_http_webhook_api_conf_text(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    len = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        len += value[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = len - 1;

    for (i = 1; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = ' ';
    }

    return NGX_OK;
}


char *
ngx_http_webhook_api_conf_states(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                     *value;
    ngx_uint_t                     i, rank;
    ngx_http_webhook_api_state_t  *state;
    ngx_http_webhook_api_scope_t  *scope;

    scope = ((ngx_http_webhook_api_ctx_t *) cf->handler_conf)->scope;

    if (ngx_http_webhook_api_event(cf, NGX_HTTP_WEBHOOK_LAUNCHED, &rank)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (scope->states == NULL) {
        scope->states = ngx_array_create(cf->pool, 4,
                                         sizeof(ngx_http_webhook_api_state_t));
        if (scope->states == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        ngx_http_webhook_api_state_twice(cf, scope, &value[i], rank);

        state = ngx_array_push(scope->states);
        if (state == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(state, sizeof(ngx_http_webhook_api_state_t));

        state->rank = rank;

        if (ngx_http_webhook_api_state_match(cf, &value[i], state) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_webhook_api_state_match(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_webhook_api_state_t *state)
{
    state->text = *value;

    if (value->len == 0 || value->data[0] != '~') {
        ngx_http_webhook_api_warn_text(cf, value);
        return NGX_OK;
    }

    state->text.data++;
    state->text.len--;

    if (state->text.len && state->text.data[0] == '*') {
        state->text.data++;
        state->text.len--;
    }

    if (state->text.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty regex in \"%V\", no space stands behind it",
                           value);
        return NGX_ERROR;
    }

#if (NGX_PCRE)

    state->regex = ngx_http_webhook_regex_compile(cf, &state->text,
                                                  NGX_REGEX_CASELESS);

    return state->regex ? NGX_OK : NGX_ERROR;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "using regex \"%V\" requires PCRE library", value);
    return NGX_ERROR;

#endif
}


/* of several that fit the first counts */

static void
ngx_http_webhook_api_state_twice(ngx_conf_t *cf,
    ngx_http_webhook_api_scope_t *scope, ngx_str_t *value, ngx_uint_t rank)
{
    ngx_uint_t  known;

    if (value->len && value->data[0] == '~') {
        return;
    }

    known = ngx_http_webhook_api_states(scope, value);

    if (known != NGX_HTTP_WEBHOOK_NONE && known != rank) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" in \"states\" has no effect, it means %V by "
                           "what stands before it", value,
                           &ngx_http_webhook_api_events[known]);
    }
}


char *
ngx_http_webhook_api_conf_present(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    u_char                          *p;
    ngx_str_t                       *value, text, equal;
    ngx_uint_t                       i, rank;
    ngx_http_webhook_api_ctx_t      *ctx;
    ngx_http_webhook_api_value_t    *pointer;
    ngx_http_webhook_api_scope_t    *scope;
    ngx_http_webhook_api_present_t  *present;

    ctx = (ngx_http_webhook_api_ctx_t *) cf->handler_conf;
    scope = ctx->scope;

    if (ngx_http_webhook_api_event(cf, NGX_HTTP_WEBHOOK_STARTED, &rank)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (scope->present == NULL) {
        scope->present = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_webhook_api_present_t));
        if (scope->present == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (i > 2 && value[i].len
            && !ngx_http_webhook_api_is_pointer(&value[i])
            && ngx_http_webhook_api_is_pointer(&value[i - 1]))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is no JSON Pointer, and a value has no "
                               "space before it, as \"/done=true\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        present = ngx_array_push(scope->present);
        if (present == NULL) {
            return NGX_CONF_ERROR;
        }

        present->rank = rank;
        present->values = NULL;

        present->pointer = ngx_array_create(cf->pool, 1,
                                        sizeof(ngx_http_webhook_api_value_t));
        if (present->pointer == NULL) {
            return NGX_CONF_ERROR;
        }

        text = value[i];

        p = ngx_http_webhook_api_equal(&text);

        if (p) {
            ngx_http_webhook_api_warn_equal(cf, &text, p);

            equal.data = p + 1;
            equal.len = text.data + text.len - equal.data;
            text.len = p - text.data;

            present->values = ngx_http_webhook_api_matches(cf, &equal, 1);
            if (present->values == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        pointer = ngx_array_push(present->pointer);

        if (ngx_http_webhook_api_conf_placed(cf, &text, &ctx->ntexts, pointer)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* the "=" behind a pointer, not that of a segment "[name=value]" */

static u_char *
ngx_http_webhook_api_equal(ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_uint_t   within;

    last = text->data + text->len;
    within = 0;

    for (p = text->data; p < last; p++) {

        if (*p == '/') {
            within = (p + 1 < last && p[1] == '[');

        } else if (*p == ']') {
            within = 0;

        } else if (*p == '=' && !within) {
            return p;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_webhook_api_event(ngx_conf_t *cf, ngx_uint_t first, ngx_uint_t *rank)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = first; i <= NGX_HTTP_WEBHOOK_FINISHED; i++) {

        if (value[1].len == ngx_http_webhook_api_events[i].len
            && ngx_strncmp(value[1].data, ngx_http_webhook_api_events[i].data,
                           value[1].len)
               == 0)
        {
            *rank = i;
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown event \"%V\" in \"%V\" directive, it must be "
                       "%sSTARTED or FINISHED", &value[1], &value[0],
                       first == NGX_HTTP_WEBHOOK_LAUNCHED ? "LAUNCHED, " : "");

    return NGX_ERROR;
}


static ngx_array_t *
ngx_http_webhook_api_matches(ngx_conf_t *cf, ngx_str_t *value, ngx_uint_t n)
{
    ngx_uint_t                       i;
    ngx_array_t                     *matches;
    ngx_http_webhook_value_match_t  *match;

    matches = ngx_array_create(cf->pool, n,
                               sizeof(ngx_http_webhook_value_match_t));
    if (matches == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {

        match = ngx_array_push(matches);
        if (match == NULL) {
            return NULL;
        }

        if (ngx_http_webhook_match_value(cf, &value[i], match) != NGX_OK) {
            return NULL;
        }
    }

    return matches;
}


ngx_int_t
ngx_http_webhook_api_conf_inherit(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *route, ngx_http_webhook_api_scope_t *outer)
{
    ngx_uint_t                       i;
    ngx_http_webhook_api_scope_t    *scope;
    ngx_http_webhook_api_member_t   *member;
    ngx_http_webhook_api_present_t  *present;

    scope = &route->scope;

#define ngx_http_webhook_api_inherit(name)                                    \
    if (scope->name == NULL) {                                                \
        scope->name = outer->name;                                            \
    }

    ngx_http_webhook_api_inherit(each);
    ngx_http_webhook_api_inherit(id);
    ngx_http_webhook_api_inherit(state);
    ngx_http_webhook_api_inherit(updated);
    ngx_http_webhook_api_inherit(run);
    ngx_http_webhook_api_inherit(states);
    ngx_http_webhook_api_inherit(present);

    if (ngx_http_webhook_api_append_array(cf, &scope->require, outer->require)
        != NGX_OK
        || ngx_http_webhook_api_append_array(cf, &scope->omit, outer->omit)
           != NGX_OK
        || ngx_http_webhook_api_inherit_members(cf, scope, outer->members)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (scope->present) {
        present = scope->present->elts;

        for (i = 0; i < scope->present->nelts; i++) {
            if (present[i].rank == NGX_HTTP_WEBHOOK_STARTED) {
                route->present_started = 1;
            }
        }
    }

    if (ngx_array_init(&route->texts, cf->pool, 4,
                       sizeof(ngx_http_webhook_api_value_t *))
        != NGX_OK
        || ngx_http_webhook_api_texts(route, scope->id) != NGX_OK
        || ngx_http_webhook_api_texts(route, scope->state) != NGX_OK
        || ngx_http_webhook_api_texts(route, scope->updated) != NGX_OK
        || ngx_http_webhook_api_texts(route, scope->run) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (scope->members) {
        member = scope->members->elts;

        for (i = 0; i < scope->members->nelts; i++) {
            if (ngx_http_webhook_api_texts(route, member[i].values)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_api_inherit_members(ngx_conf_t *cf,
    ngx_http_webhook_api_scope_t *scope, ngx_array_t *outer)
{
    ngx_uint_t                      i, n, own;
    ngx_http_webhook_api_member_t  *from, *member;

    if (scope->members == NULL) {
        scope->members = outer;
        return NGX_OK;
    }

    if (outer == NULL) {
        return NGX_OK;
    }

    own = scope->members->nelts;
    from = outer->elts;

    for (i = 0; i < outer->nelts; i++) {

        member = scope->members->elts;

        for (n = 0; n < own; n++) {
            if (member[n].member == from[i].member
                && member[n].name.len == from[i].name.len
                && ngx_strncmp(member[n].name.data, from[i].name.data,
                               from[i].name.len)
                   == 0)
            {
                break;
            }
        }

        if (n < own) {
            continue;
        }

        member = ngx_array_push(scope->members);
        if (member == NULL) {
            return NGX_ERROR;
        }

        *member = from[i];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_api_append_array(ngx_conf_t *cf, ngx_array_t **array,
    ngx_array_t *outer)
{
    void  *elts;

    if (*array == NULL) {
        *array = outer;
        return NGX_OK;
    }

    if (outer == NULL) {
        return NGX_OK;
    }

    elts = ngx_array_push_n(*array, outer->nelts);
    if (elts == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(elts, outer->elts, outer->nelts * outer->size);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_api_texts(ngx_http_webhook_api_route_t *route,
    ngx_array_t *values)
{
    ngx_uint_t                      i;
    ngx_http_webhook_api_value_t   *value, **vp;

    if (values == NULL) {
        return NGX_OK;
    }

    value = values->elts;

    for (i = 0; i < values->nelts; i++) {

        if (ngx_http_webhook_api_texts(route, value[i].parts) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value[i].text == NULL) {
            continue;
        }

        vp = ngx_array_push(&route->texts);
        if (vp == NULL) {
            return NGX_ERROR;
        }

        *vp = &value[i];
    }

    return NGX_OK;
}
