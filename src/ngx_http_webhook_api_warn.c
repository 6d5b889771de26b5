
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_warn: a whole description, or a part of it -> warnings of what in it has
 * no effect.  Next rooms: api_hidden, of routes; api_conf, which calls it.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_conf.h"


static void ngx_http_webhook_api_warn_bodyless(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route);
static void ngx_http_webhook_api_warn_state(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp);
static void ngx_http_webhook_api_warn_status(ngx_conf_t *cf,
    ngx_http_webhook_api_t *api, ngx_uint_t n);
static ngx_uint_t ngx_http_webhook_api_by_status(
    ngx_http_webhook_api_route_t *rp, ngx_str_t *text);
static void ngx_http_webhook_api_warn_values(ngx_conf_t *cf,
    ngx_http_webhook_api_t *api, ngx_uint_t n);
#if (NGX_PCRE)
static void ngx_http_webhook_api_warn_captures(ngx_conf_t *cf,
    ngx_http_webhook_api_t *api, ngx_uint_t n);
#endif
static void ngx_http_webhook_api_warn_require(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp);
static void ngx_http_webhook_api_warn_nothing(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_http_webhook_api_value_t *value);
static ngx_uint_t ngx_http_webhook_api_ends(
    ngx_http_webhook_api_scope_t *scope);
static ngx_uint_t ngx_http_webhook_api_lines(
    ngx_http_webhook_api_scope_t *scope);
static ngx_array_t *ngx_http_webhook_api_line(
    ngx_http_webhook_api_scope_t *scope, ngx_uint_t n);
static ngx_uint_t ngx_http_webhook_api_told(ngx_http_webhook_api_t *api,
    ngx_uint_t n, ngx_array_t *values, ngx_http_webhook_api_value_t *value);
static ngx_uint_t ngx_http_webhook_api_has_line(
    ngx_http_webhook_api_scope_t *scope, ngx_array_t *values);
static ngx_uint_t ngx_http_webhook_api_above(
    ngx_http_webhook_api_scope_t *scope, ngx_http_webhook_api_value_t *value);


void
ngx_http_webhook_api_warn(ngx_conf_t *cf, ngx_http_webhook_api_t *api)
{
    ngx_uint_t                     i, state, states, present, ends;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_route_t  *rp;

    state = 0;
    states = 0;
    present = 0;
    ends = 0;
    route = api->routes.elts;

    for (i = 0; i < api->routes.nelts; i++) {

        rp = route[i].priv;

        if (!route[i].ignore) {
            ngx_http_webhook_api_warn_bodyless(cf, &route[i]);
            ngx_http_webhook_api_warn_state(cf, rp);
            ngx_http_webhook_api_warn_status(cf, api, i);
            ngx_http_webhook_api_warn_values(cf, api, i);
            ngx_http_webhook_api_warn_require(cf, rp);
#if (NGX_PCRE)
            ngx_http_webhook_api_warn_captures(cf, api, i);
#endif
        }

        state |= (rp->scope.state != NULL);
        states |= (rp->scope.states != NULL);
        present |= (rp->scope.present != NULL);
        ends |= ngx_http_webhook_api_ends(&rp->scope);

        if (!route[i].second) {
            ngx_http_webhook_api_warn_hidden(cf, route, i);
        }
    }

    if (states && !state) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"states\" has no effect without \"state\" in "
                      "webhook_api \"%V\" in %s:%ui",
                      &api->name, api->file, api->line);

    } else if ((state || present) && !ends) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "no \"states\" and no \"present\" means FINISHED in "
                      "webhook_api \"%V\" in %s:%ui",
                      &api->name, api->file, api->line);
    }
}


static ngx_uint_t
ngx_http_webhook_api_ends(ngx_http_webhook_api_scope_t *scope)
{
    ngx_uint_t                       i;
    ngx_http_webhook_api_state_t    *state;
    ngx_http_webhook_api_present_t  *present;

    if (scope->states) {
        state = scope->states->elts;

        for (i = 0; i < scope->states->nelts; i++) {
            if (state[i].rank == NGX_HTTP_WEBHOOK_FINISHED) {
                return 1;
            }
        }
    }

    if (scope->present) {
        present = scope->present->elts;

        for (i = 0; i < scope->present->nelts; i++) {
            if (present[i].rank == NGX_HTTP_WEBHOOK_FINISHED) {
                return 1;
            }
        }
    }

    return 0;
}


/* "/a,/b", "'/a /b'", "/a[0]", a segment "**", "/a/" */

void
ngx_http_webhook_api_warn_pointer(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char     *p, *last, *open;
    ngx_str_t   index;

    last = text->data + text->len;
    open = NULL;

    for (p = text->data; p < last; p++) {

        if ((*p == ',' || *p == '|')
            && (p + 1 < last ? p[1] == '/' : *p == ','))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "all of \"%V\" is one JSON Pointer, spaces "
                               "alone separate several", text);
            return;
        }

        if (*p == ' ' && p + 1 < last && p[1] == '/') {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "all of \"%V\" is one JSON Pointer, as the "
                               "quotes make it", text);
            return;
        }

        if (last - p > 2 && ngx_strncmp(p, "/**", 3) == 0
            && (last - p == 3 || p[3] == '/'))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"**\" in \"%V\" is a name, all elements are "
                               "\"/*\", of one level each", text);
            return;
        }

        if (*p == '[') {
            open = (p[-1] == '/') ? NULL : p;

        } else if (*p == ']' && open && (p + 1 == last || p[1] == '/')) {
            index.data = open;
            index.len = p + 1 - open;

            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"%V\" in \"%V\" is part of a name, an element "
                               "is written \"/0\", all are \"/*\"",
                               &index, text);
            return;

        } else if (*p != '*' && (*p < '0' || *p > '9')) {

            /* "/", too */

            open = NULL;
        }
    }

    if (text->len && last[-1] == '/') {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" ends with a name that is empty, the whole "
                           "document is \"\"", text);
    }
}


/* "/a>=1", "/a!=b", "/a==b", "/a = b" */

void
ngx_http_webhook_api_warn_equal(ngx_conf_t *cf, ngx_str_t *text, u_char *p)
{
    if ((p > text->data && p[-1] == ' ')
        || (p + 1 < text->data + text->len && p[1] == ' '))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the space beside \"=\" in \"%V\" is part of the "
                           "name or the value, as it is not in "
                           "\"/done=true\"", text);
    }

    if (p > text->data
        && (p[-1] == '<' || p[-1] == '>' || p[-1] == '!'
            || (p + 1 < text->data + text->len && p[1] == '=')))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" is compared by its \"=\" alone: a value is "
                           "text, \"~regex\" or \"*\", with \"!\" before it "
                           "the contrary", text);
    }
}


/* others take more, and so it may be thought of this */

void
ngx_http_webhook_api_warn_text(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_http_webhook_match_comma(cf, value);

    if (value->len
        && (value->data[0] == '!' || value->data[0] == '*'
            || value->data[0] == '/'
            || value->data[value->len - 1] == '*'))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" in \"states\" is text as it stands, only "
                           "\"~regex\" is more", value);
    }
}


/* "status=204" and a line outside that needs a document */

static void
ngx_http_webhook_api_warn_bodyless(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route)
{
    ngx_uint_t                     status;
    ngx_http_webhook_api_route_t  *rp;

    if (route->bodyless) {
        return;
    }

    for (status = NGX_HTTP_OK; status < 500; status++) {

        if (status != NGX_HTTP_NO_CONTENT
            && ngx_http_webhook_api_status(route, status))
        {
            return;
        }
    }

    rp = route->priv;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "204 has no body, of which nothing is read without an "
                  "\"id\" with a variable, with a \"require\", or with an "
                  "\"each\" that is not \"\", in route \"%V\" in %s:%ui",
                  &rp->name, rp->file, rp->line);
}


/* a status that is always the same, and means nothing, is a pointer's name */

static void
ngx_http_webhook_api_warn_state(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    if (rp->scope.state == NULL) {
        return;
    }

    value = rp->scope.state->elts;

    for (i = 0; i < rp->scope.state->nelts; i++) {

        if (value[i].text
            && value[i].text->lengths == NULL
            && ngx_http_webhook_api_states(&rp->scope, &value[i].name)
               == NGX_HTTP_WEBHOOK_NONE)
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"state\" is \"%V\" for all executions, which no "
                          "\"states\" names, in route \"%V\" in %s:%ui",
                          &value[i].name, &rp->name, rp->file, rp->line);
        }
    }
}


/* "state $status; states FINISHED 404;" without "status=200,404" */

static void
ngx_http_webhook_api_warn_status(ngx_conf_t *cf, ngx_http_webhook_api_t *api,
    ngx_uint_t n)
{
    ngx_int_t                      status;
    ngx_uint_t                     i, k;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_state_t  *state;
    ngx_http_webhook_api_route_t  *rp;

    route = api->routes.elts;
    rp = route[n].priv;

    if (rp->scope.states == NULL) {
        return;
    }

    state = rp->scope.states->elts;

    for (i = 0; i < rp->scope.states->nelts; i++) {

        status = (state[i].text.len == 3)
                 ? ngx_atoi(state[i].text.data, state[i].text.len) : NGX_ERROR;

        if (status < NGX_HTTP_OK
            || !ngx_http_webhook_api_by_status(rp, &state[i].text))
        {
            continue;
        }

        /* a line outside may be meant for another one */

        for (k = 0; k < api->routes.nelts; k++) {

            if (!route[k].ignore
                && ngx_http_webhook_api_by_status(route[k].priv,
                                                  &state[i].text)
                && (k < n || ngx_http_webhook_api_status(&route[k], status)))
            {
                break;
            }
        }

        if (k == api->routes.nelts) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"%V\" in \"states\" is a status that route \"%V\" "
                          "does not take, \"status=\" names those it does, in "
                          "%s:%ui",
                          &state[i].text, &rp->name, rp->file, rp->line);
        }
    }
}


/* whether the response's status is the execution's, and "states" names it */

static ngx_uint_t
ngx_http_webhook_api_by_status(ngx_http_webhook_api_route_t *rp,
    ngx_str_t *text)
{
    ngx_http_webhook_api_value_t  *value;

    if (rp->scope.state == NULL || rp->scope.state->nelts != 1) {
        return 0;
    }

    value = rp->scope.state->elts;

    return (ngx_strcmp(value->name.data, "$status") == 0
            || ngx_strcmp(value->name.data, "${status}") == 0)
           && ngx_http_webhook_api_states(&rp->scope, text)
              != NGX_HTTP_WEBHOOK_NONE;
}


/* of the n-th route: a line outside may be meant for others */

static void
ngx_http_webhook_api_warn_values(ngx_conf_t *cf, ngx_http_webhook_api_t *api,
    ngx_uint_t n)
{
    ngx_uint_t                     i, k;
    ngx_array_t                   *values;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_route_t  *rp;
    ngx_http_webhook_api_value_t  *value;

    route = api->routes.elts;
    rp = route[n].priv;

    for (i = 0; i < ngx_http_webhook_api_lines(&rp->scope); i++) {

        values = ngx_http_webhook_api_line(&rp->scope, i);
        if (values == NULL) {
            continue;
        }

        value = values->elts;

        for (k = 0; k < values->nelts; k++) {

            if (!ngx_http_webhook_api_above(&rp->scope, &value[k])
                || ngx_http_webhook_api_told(api, n, values, &value[k]))
            {
                continue;
            }

            ngx_http_webhook_api_warn_nothing(cf, rp, &value[k]);
        }
    }
}


/* these add up, so each is meant for all routes */

static void
ngx_http_webhook_api_warn_require(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp)
{
    ngx_uint_t                       i;
    ngx_http_webhook_api_require_t  *require;

    if (rp->scope.require == NULL) {
        return;
    }

    require = rp->scope.require->elts;

    for (i = 0; i < rp->scope.require->nelts; i++) {
        if (ngx_http_webhook_api_above(&rp->scope, &require[i].value)) {
            ngx_http_webhook_api_warn_nothing(cf, rp, &require[i].value);
        }
    }
}


static void
ngx_http_webhook_api_warn_nothing(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_http_webhook_api_value_t *value)
{
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"%V\" can name nothing, as the document has no name and "
                  "nothing above it, in route \"%V\" in %s:%ui",
                  &value->name, &rp->name, rp->file, rp->line);
}


#if (NGX_PCRE)

/* an id that is nothing but what the regexes of other routes capture */

static void
ngx_http_webhook_api_warn_captures(ngx_conf_t *cf,
    ngx_http_webhook_api_t *api, ngx_uint_t n)
{
    ngx_uint_t                     i, k, own;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_route_t  *rp;
    ngx_http_webhook_api_value_t  *value;

    route = api->routes.elts;
    rp = route[n].priv;

    /* "also" has the captures of the route before it */

    for (own = n; own && route[own].second; own--) { /* void */ }

    value = rp->scope.id->elts;

    for (i = 0; i < rp->scope.id->nelts; i++) {

        if (value[i].text == NULL
            || ngx_http_webhook_api_captures(cf, route[own].priv,
                                             &value[i].name))
        {
            return;
        }

        for (k = 0; k < api->routes.nelts; k++) {
            if (ngx_http_webhook_api_captures(cf, route[k].priv,
                                              &value[i].name))
            {
                break;
            }
        }

        if (k == api->routes.nelts) {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"%V\" is captured by the regex of another route alone, "
                  "so there is no \"id\", in route \"%V\" in %s:%ui",
                  &value[0].name, &rp->name, rp->file, rp->line);
}


ngx_uint_t
ngx_http_webhook_api_captures(ngx_conf_t *cf, ngx_http_webhook_api_route_t *rp,
    ngx_str_t *text)
{
    ngx_str_t                   name, *captured;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    if (rp->regex == NULL || text->len < 2 || text->data[0] != '$') {
        return 0;
    }

    name.data = text->data + 1;
    name.len = text->len - 1;

    if (name.data[0] == '{' && name.data[name.len - 1] == '}') {
        name.data++;
        name.len -= 2;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < rp->regex->nvariables; i++) {

        captured = &v[rp->regex->variables[i].index].name;

        if (captured->len == name.len
            && ngx_strncasecmp(captured->data, name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}

#endif


static ngx_uint_t
ngx_http_webhook_api_lines(ngx_http_webhook_api_scope_t *scope)
{
    return 4 + (scope->members ? scope->members->nelts : 0)
           + (scope->present ? scope->present->nelts : 0);
}


static ngx_array_t *
ngx_http_webhook_api_line(ngx_http_webhook_api_scope_t *scope, ngx_uint_t n)
{
    ngx_uint_t                       members;
    ngx_http_webhook_api_member_t   *member;
    ngx_http_webhook_api_present_t  *present;

    members = scope->members ? scope->members->nelts : 0;

    switch (n) {

    case 0:
        return scope->id;

    case 1:
        return scope->state;

    case 2:
        return scope->updated;

    case 3:
        return scope->run;

    default:

        if (n - 4 < members) {
            member = scope->members->elts;
            return member[n - 4].values;
        }

        present = scope->present->elts;
        return present[n - 4 - members].pointer;
    }
}


/* whether an earlier route says it, or the value is there for another one */

static ngx_uint_t
ngx_http_webhook_api_told(ngx_http_webhook_api_t *api, ngx_uint_t n,
    ngx_array_t *values, ngx_http_webhook_api_value_t *value)
{
    ngx_uint_t                     i;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_route_t  *rp;

    route = api->routes.elts;

    for (i = 0; i < api->routes.nelts; i++) {

        rp = route[i].priv;

        if (route[i].ignore
            || !ngx_http_webhook_api_has_line(&rp->scope, values))
        {
            continue;
        }

        if (i < n || !ngx_http_webhook_api_above(&rp->scope, value)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_webhook_api_has_line(ngx_http_webhook_api_scope_t *scope,
    ngx_array_t *values)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_webhook_api_lines(scope); i++) {
        if (ngx_http_webhook_api_line(scope, i) == values) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_webhook_api_nowhere(ngx_http_webhook_api_scope_t *scope,
    ngx_array_t *values)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    value = values->elts;

    for (i = 0; i < values->nelts; i++) {
        if (!ngx_http_webhook_api_above(scope, &value[i])) {
            return 0;
        }
    }

    return 1;
}


/* whether it leads above the document, or to its name, of whatever "each" */

static ngx_uint_t
ngx_http_webhook_api_above(ngx_http_webhook_api_scope_t *scope,
    ngx_http_webhook_api_value_t *value)
{
    ngx_uint_t                       i, depth;
    ngx_http_webhook_api_value_t    *part;
    ngx_http_webhook_api_pointer_t  *pointer;

    if (value->parts) {
        part = value->parts->elts;

        for (i = 0; i < value->parts->nelts; i++) {
            if (ngx_http_webhook_api_above(scope, &part[i])) {
                return 1;
            }
        }

        return 0;
    }

    if (!value->placed) {
        return 0;
    }

    depth = 0;

    if (scope->each) {
        pointer = scope->each->elts;

        for (i = 0; i < scope->each->nelts; i++) {
            depth = ngx_max(depth, pointer[i].pointer.nsegments);
        }
    }

    return value->named ? value->up >= depth : value->up > depth;
}
