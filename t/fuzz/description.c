
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * A description and a document, both the fuzzer's: the first line has pointers
 * for "each", "id", "state", "require" and "omit", between spaces, and its
 * length decides what of the rest of the rules there is.  What is read of each
 * execution holds, and its payload can be written.
 *
 * rooms: api api_complete api_run api_state api_text api_updated payload regex format json_read json_escape json_pointer json_text
 */


#include "unit.h"
#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_payload.h"


static ngx_pool_t  *pool;


/* texts with variables: here as they stand */

ngx_int_t
ngx_http_complex_value(ngx_http_request_t *r, ngx_http_complex_value_t *val,
    ngx_str_t *value)
{
    *value = val->value;
    return NGX_OK;
}


/* nginx's own */

time_t
ngx_parse_http_time(u_char *value, size_t len)
{
    return len == 29 ? 1 : NGX_ERROR;
}


u_char *
ngx_pstrdup(ngx_pool_t *p, ngx_str_t *src)
{
    return memcpy(ngx_palloc(p, src->len), src->data, src->len);
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    char  *last, text[3] = { 0 };

    memcpy(text, line, n);
    n = strtol(text, &last, 16);

    return (last == text + 2 && *text != '+' && *text != '-') ? (ngx_int_t) n
                                                              : NGX_ERROR;
}


static ngx_uint_t
compile(ngx_http_webhook_api_pointer_t *p, ngx_str_t *text,
    ngx_uint_t wildcards)
{
    ngx_uint_t                   i;
    ngx_http_webhook_pointer_t  *whole;

    memset(p, 0, sizeof(ngx_http_webhook_api_pointer_t));
    whole = &p->pointer;

    if (ngx_http_webhook_pointer_compile(pool, text, wildcards, whole)) {
        return 0;
    }

    if (whole->wildcards == 0) {
        return 1;
    }

    for (i = whole->nsegments; i > 0; i--) {
        if (whole->segments[i - 1].len == 1
            && whole->segments[i - 1].data[0] == '*')
        {
            break;
        }
    }

    p->head = *whole;
    p->head.nsegments = i;

    p->tail.text = whole->text;
    p->tail.segments = &whole->segments[i];
    p->tail.nsegments = whole->nsegments - i;

    return 1;
}


static ngx_array_t *
array(size_t size)
{
    ngx_array_t  *a;

    a = ngx_palloc(pool, sizeof(ngx_array_t));
    array_init(a, pool, size);

    return a;
}


static void
pointers(ngx_array_t **a, ngx_str_t *text, ngx_uint_t wildcards)
{
    ngx_http_webhook_api_pointer_t  p;

    if (*a == NULL) {
        *a = array(sizeof(ngx_http_webhook_api_pointer_t));
    }

    if (compile(&p, text, wildcards)) {
        p.other = ((*a)->nelts > 0);
        *(ngx_http_webhook_api_pointer_t *) ngx_array_push(*a) = p;
    }
}


/* each pointer is a line of its own */

static void
lines(ngx_array_t *a)
{
    ngx_uint_t                       i;
    ngx_http_webhook_api_pointer_t  *p;

    p = a->elts;

    for (i = 0; i < a->nelts; i++) {
        p[i].other = 0;
    }
}


static void
values(ngx_array_t **a, ngx_str_t *s, ngx_uint_t wildcards)
{
    ngx_http_webhook_api_value_t    *value;
    ngx_http_webhook_api_pointer_t   p;

    if (*a == NULL) {
        *a = array(sizeof(ngx_http_webhook_api_value_t));
    }

    if (!compile(&p, s, wildcards)) {
        return;
    }

    value = ngx_array_push(*a);
    memset(value, 0, sizeof(ngx_http_webhook_api_value_t));
    value->pointer = p;
}


/* "${/one}${/two}" */

static void
parts(ngx_array_t **a, ngx_str_t *one, ngx_str_t *two)
{
    ngx_array_t                   *pair;
    ngx_http_webhook_api_value_t  *value;

    if (*a == NULL) {
        *a = array(sizeof(ngx_http_webhook_api_value_t));
    }

    pair = NULL;

    values(&pair, one, 0);
    values(&pair, two, 0);

    if (pair->nelts == 0) {
        return;
    }

    value = ngx_array_push(*a);
    memset(value, 0, sizeof(ngx_http_webhook_api_value_t));
    value->parts = pair;
}


static void
member(ngx_http_webhook_api_scope_t *scope, ngx_uint_t n, const char *name,
    const char *pointer, ngx_uint_t wildcards)
{
    ngx_str_t                       s;
    ngx_http_webhook_api_member_t  *m;

    if (scope->members == NULL) {
        scope->members = array(sizeof(ngx_http_webhook_api_member_t));
    }

    m = ngx_array_push(scope->members);

    m->member = n;
    m->name = text(name);
    m->values = NULL;

    s = text(pointer);
    values(&m->values, &s, wildcards);
}


static void
rules(ngx_http_webhook_api_scope_t *scope, ngx_str_t line)
{
    u_char                          *p, *last;
    ngx_str_t                        s, part[5];
    ngx_uint_t                       i;
    ngx_http_webhook_api_state_t    *state;
    ngx_http_webhook_api_value_t    *value;
    ngx_http_webhook_api_require_t  *require;
    ngx_http_webhook_api_present_t  *present;

    p = line.data;
    last = line.data + line.len;

    for (i = 0; i < 5; i++) {
        part[i].data = p;

        while (p < last && *p != ' ') {
            p++;
        }

        part[i].len = p - part[i].data;
        p = (p < last) ? p + 1 : p;
    }

    if (line.len & 1) {
        pointers(&scope->each, &part[0], 2);
    }

    if (line.len & 32) {
        pointers(&scope->each, &part[4], 2);
        lines(scope->each);
    }

    if (line.len & 16) {
        parts(&scope->id, &part[1], &part[3]);
        parts(&scope->state, &part[3], &part[2]);
    }

    values(&scope->id, &part[1], 0);
    values(&scope->state, &part[2], 2);

    s = text("/id");
    values(&scope->id, &s, 0);
    values(&scope->run, &part[1], 0);
    values(&scope->updated, &part[2], 2);
    values(&scope->updated, &part[3], 2);
    pointers(&scope->omit, &part[4], 2);

    scope->states = array(sizeof(ngx_http_webhook_api_state_t));

    for (i = NGX_HTTP_WEBHOOK_LAUNCHED; i <= NGX_HTTP_WEBHOOK_FINISHED; i++) {
        state = ngx_array_push(scope->states);
        memset(state, 0, sizeof(ngx_http_webhook_api_state_t));
        state->rank = i;
        state->text = text(i == 1 ? "queued" : i == 2 ? "1" : "FINISHED");
    }

    if (line.len & 2) {
        scope->require = array(sizeof(ngx_http_webhook_api_require_t));
        require = ngx_array_push(scope->require);
        memset(require, 0, sizeof(ngx_http_webhook_api_require_t));

        if (!compile(&require->value.pointer, &part[3], 2)) {
            scope->require = NULL;
        }
    }

    if (line.len & 4) {
        scope->present = array(sizeof(ngx_http_webhook_api_present_t));
        present = ngx_array_push(scope->present);
        memset(present, 0, sizeof(ngx_http_webhook_api_present_t));
        present->rank = NGX_HTTP_WEBHOOK_FINISHED;

        present->pointer = array(sizeof(ngx_http_webhook_api_value_t));
        value = ngx_array_push(present->pointer);
        memset(value, 0, sizeof(ngx_http_webhook_api_value_t));

        if (!compile(&value->pointer, &part[3], 2)) {
            scope->present = NULL;
        }
    }

    member(scope, NGX_HTTP_WEBHOOK_EXECUTION, "", "", 0);
    member(scope, NGX_HTTP_WEBHOOK_EXECUTION, "url", "/url", 0);
    member(scope, NGX_HTTP_WEBHOOK_GOAL, "", "/goal", 0);
    member(scope, NGX_HTTP_WEBHOOK_GOAL, "list", "/jobs/*", 2);
    member(scope, NGX_HTTP_WEBHOOK_SENDER, "name", "/goal", 0);
    member(scope, NGX_HTTP_WEBHOOK_PROJECT, "", "", 0);
}


static void
write_payload(ngx_http_webhook_observation_t *observation)
{
    json_t                   *payload, *again;
    const char               *reason;
    ngx_http_webhook_hook_t   hook;
    ngx_http_webhook_text_t   out;

    memset(&hook, 0, sizeof(hook));

    payload = ngx_http_webhook_payload_execution(NGX_HTTP_WEBHOOK_STARTED,
                                                 observation, &hook);
    if (payload == NULL) {
        abort();
    }

    memset(&out, 0, sizeof(out));
    ngx_http_webhook_json_write(&out, payload, NULL);

    again = ngx_http_webhook_json_parse(out.data, out.len, &reason);

    /* one level deeper than the document, and a few values more */

    if (out.failed
        || (again == NULL && strcmp(reason, "too deep") != 0
            && strcmp(reason, "too many values") != 0))
    {
        abort();
    }

    json_decref(again);
    json_decref(payload);
    ngx_http_webhook_text_free(&out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t                          *doc;
    u_char                          *eol;
    ngx_str_t                        line;
    ngx_uint_t                       i, rc, unread;
    ngx_array_t                      list;
    const char                      *reason;
    ngx_http_request_t               r;
    ngx_http_webhook_api_t           api;
    ngx_http_webhook_route_t         route;
    ngx_http_webhook_api_route_t     rp;
    ngx_http_webhook_observation_t  *ob;

    eol = memchr(data, '\n', size);

    if (eol == NULL) {
        return 0;
    }

    doc = ngx_http_webhook_json_parse(eol + 1, data + size - eol - 1, &reason);

    if (doc == NULL) {
        return 0;
    }

    pool = pool_create();

    memset(&r, 0, sizeof(r));
    memset(&api, 0, sizeof(api));
    memset(&route, 0, sizeof(route));
    memset(&rp, 0, sizeof(rp));

    line.data = (u_char *) data;
    line.len = eol - data;

    r.pool = pool;
    route.priv = &rp;
    route.launch = (line.len & 8) ? 1 : 0;

    array_init(&rp.texts, pool, sizeof(void *));
    array_init(&list, pool, sizeof(ngx_http_webhook_observation_t));

    rules(&rp.scope, line);

    rc = ngx_http_webhook_api_read(&r, &api, &route, doc, &list, &unread);

    if (rc == NGX_HTTP_WEBHOOK_READ_NO_MEMORY
        || (list.nelts == 0) != (rc == NGX_HTTP_WEBHOOK_READ_NO_ID
                                 || rc == NGX_HTTP_WEBHOOK_READ_REQUIRE)
        || list.nelts > NGX_HTTP_WEBHOOK_ELEMENTS_MAX)
    {
        abort();
    }

    ob = list.elts;

    for (i = 0; i < list.nelts; i++) {

        if (ob[i].id.len == 0
            || ob[i].rank > NGX_HTTP_WEBHOOK_FINISHED
            || (route.launch && ob[i].rank == NGX_HTTP_WEBHOOK_NONE)
            || !json_is_object(ob[i].members[NGX_HTTP_WEBHOOK_EXECUTION])
            || json_object_get(ob[i].members[NGX_HTTP_WEBHOOK_EXECUTION], "id")
               == NULL)
        {
            abort();
        }

        if (i < 10) {
            write_payload(&ob[i]);
        }
    }

    ngx_http_webhook_api_free(&list);

    json_decref(doc);
    pool_destroy(pool);

    return 0;
}
