
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_try: in: a posted document, and the method, URI and status it is said
 * to have been answered with; out: JSON, what each rule of a description makes
 * of it; nothing is changed.  Next: status_try_read, which reads it.
 */


#include "ngx_http_webhook_status_try.h"
#include "ngx_http_webhook_observe.h"


/* what of a request is another while the rules see it */

typedef struct {
    ngx_str_t                   uri;
    ngx_str_t                   args;
    ngx_str_t                   unparsed_uri;
    ngx_str_t                   request_line;
    ngx_str_t                   method_name;
    ngx_uint_t                  method;
    ngx_http_request_body_t    *body;
    ngx_uint_t                  status;
    ngx_http_variable_value_t  *variables;
} ngx_http_webhook_try_saved_t;


static ngx_int_t ngx_http_webhook_try_params(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry);
static ngx_int_t ngx_http_webhook_try_body(ngx_http_webhook_status_t *s,
    ngx_str_t *body);
static ngx_int_t ngx_http_webhook_try_enter(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_try_saved_t *saved);
static ngx_int_t ngx_http_webhook_try_request_body(ngx_http_request_t *r,
    ngx_str_t *text, ngx_http_request_body_t **body);
static void ngx_http_webhook_try_leave(ngx_http_webhook_status_t *s,
    ngx_http_webhook_try_saved_t *saved);
static ngx_int_t ngx_http_webhook_try_routes(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry);


/* in the order of NGX_HTTP_WEBHOOK_TAKES_OK, ... */

static const char  *ngx_http_webhook_takes[] = {
    "matches", "another method", "another URI", "\"when\" does not hold",
    "no memory"
};


ngx_int_t
ngx_http_webhook_status_try(ngx_http_webhook_status_t *s)
{
    ngx_int_t                      rc;
    ngx_http_webhook_dry_t         dry;
    ngx_http_webhook_text_t       *text;
    ngx_http_webhook_reason_t     *reason;
    ngx_http_webhook_try_saved_t   saved;

    ngx_memzero(&dry, sizeof(ngx_http_webhook_dry_t));

    rc = ngx_http_webhook_try_params(s, &dry);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_webhook_try_body(s, &dry.body);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_webhook_try_enter(s, &dry, &saved);

    if (rc != NGX_OK) {
        return rc;
    }

    text = &s->text;

    ngx_http_webhook_status_literal(text, "{");
    ngx_http_webhook_status_string(text, "api", dry.api->name.data,
                                   dry.api->name.len);
    ngx_http_webhook_status_string(text, "method", dry.method.data,
                                   dry.method.len);
    ngx_http_webhook_status_string(text, "path", dry.path.data, dry.path.len);
    ngx_http_webhook_status_number(text, "status", dry.status);

    rc = ngx_http_webhook_try_routes(s, &dry);

    if (rc == NGX_OK) {
        rc = ngx_http_webhook_try_read(s, &dry);
    }

    ngx_http_webhook_try_leave(s, &saved);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    reason = ngx_http_webhook_status_reason(dry.counter);

    if (reason) {
        ngx_http_webhook_status_string(text, "reason", reason->name,
                                       ngx_strlen(reason->name));

    } else {

        /* "ignore" stands in the route */

        ngx_http_webhook_status_string(text, "reason", "ignore",
                                       sizeof("ignore") - 1);
    }

    ngx_http_webhook_status_number(text, "events", dry.events);
    ngx_http_webhook_status_literal(text, "}");

    return NGX_HTTP_OK;
}


static ngx_int_t
ngx_http_webhook_try_params(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry)
{
    int64_t                    status;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_webhook_api_t   **api;
    ngx_http_webhook_param_t   params[] = {
        { ngx_string("api"), ngx_null_string },
        { ngx_string("method"), ngx_null_string },
        { ngx_string("uri"), ngx_null_string },
        { ngx_string("status"), ngx_null_string },
        { ngx_string("hook"), ngx_null_string },
        { ngx_string("body"), ngx_null_string }
    };

    rc = ngx_http_webhook_status_params(s, params, 6);

    if (rc != NGX_OK) {
        return rc;
    }

    api = s->mcf->apis.elts;

    for (i = 0; i < s->mcf->apis.nelts; i++) {
        if (api[i]->name.len == params[0].value.len
            && ngx_memcmp(api[i]->name.data, params[0].value.data,
                          params[0].value.len)
               == 0)
        {
            dry->api = api[i];
        }
    }

    if (dry->api == NULL) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "the name of a \"webhook_api\" is expected",
                            &params[0].name);
    }

    ngx_str_set(&dry->method, "GET");

    if (params[1].value.len) {
        dry->method = params[1].value;
    }

    dry->uri = params[2].value;

    if (dry->uri.len == 0 || dry->uri.data[0] != '/') {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "a path, with or without a query, is expected",
                            &params[2].name);
    }

    status = NGX_HTTP_OK;

    if (params[3].value.len) {
        status = ngx_http_webhook_status_integer(&params[3].value);
    }

    if (status < 100 || status > 599) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "a status from 100 to 599 is expected",
                            &params[3].name);
    }

    dry->status = status;
    dry->request = params[5].value;

    if (params[4].value.len == 0) {
        return NGX_OK;
    }

    dry->hook = ngx_http_webhook_status_hook(s, &params[4].value);

    if (dry->hook == NULL) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "the name of a \"webhook\" is expected",
                            &params[4].name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_try_body(ngx_http_webhook_status_t *s, ngx_str_t *body)
{
    off_t                size;
    u_char              *p;
    size_t               n;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = s->request;
    size = 0;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > (off_t) s->mcf->buffer_size) {
        return ngx_http_webhook_status_problem(s,
                                 NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 "the document is larger than "
                                 "\"webhook_buffer_size\"", NULL);
    }

    p = ngx_pnalloc(r->pool, (size_t) size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = (size_t) size;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        n = (size_t) ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            ngx_memcpy(p, b->pos, n);

        } else if (n && ngx_read_file(b->file, p, n, b->file_pos)
                        != (ssize_t) n)
        {
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


/* variables in the rules are to be those of the request that is meant */

static ngx_int_t
ngx_http_webhook_try_enter(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_try_saved_t *saved)
{
    u_char                     *p;
    size_t                      size;
    ngx_str_t                   name;
    ngx_http_request_t         *r;
    ngx_http_request_body_t    *body;
    ngx_http_core_main_conf_t  *cmcf;

    r = s->request;

    if (ngx_http_webhook_try_request_body(r, &dry->request, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    saved->uri = r->uri;
    saved->args = r->args;
    saved->unparsed_uri = r->unparsed_uri;
    saved->request_line = r->request_line;
    saved->method_name = r->method_name;
    saved->method = r->method;
    saved->body = r->request_body;
    saved->status = r->headers_out.status;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    size = cmcf->variables.nelts * sizeof(ngx_http_variable_value_t);

    saved->variables = ngx_palloc(r->pool, size + 1);
    if (saved->variables == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(saved->variables, r->variables, size);

    r->unparsed_uri = dry->uri;
    r->method_name = dry->method;
    r->method = NGX_HTTP_UNKNOWN;
    r->request_body = body;
    r->headers_out.status = dry->status;

    ngx_str_null(&r->uri);
    ngx_str_null(&r->args);

    p = ngx_strlchr(dry->uri.data, dry->uri.data + dry->uri.len, '?');

    if (p) {
        r->args.data = p + 1;
        r->args.len = dry->uri.data + dry->uri.len - (p + 1);
    }

    if (ngx_http_webhook_observe_uri(r, &dry->path) != NGX_OK) {
        ngx_http_webhook_try_leave(s, saved);

        ngx_str_set(&name, "uri");

        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "nginx itself would refuse this path", &name);
    }

    r->uri = dry->path;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_try_request_body(ngx_http_request_t *r, ngx_str_t *text,
    ngx_http_request_body_t **body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    *body = NULL;

    if (text->len == 0) {
        return NGX_OK;
    }

    *body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (*body == NULL) {
        return NGX_ERROR;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    (*body)->bufs = cl;

    return NGX_OK;
}


static void
ngx_http_webhook_try_leave(ngx_http_webhook_status_t *s,
    ngx_http_webhook_try_saved_t *saved)
{
    ngx_http_request_t         *r;
    ngx_http_core_main_conf_t  *cmcf;

    r = s->request;

    r->uri = saved->uri;
    r->args = saved->args;
    r->unparsed_uri = saved->unparsed_uri;
    r->request_line = saved->request_line;
    r->method_name = saved->method_name;
    r->method = saved->method;
    r->request_body = saved->body;
    r->headers_out.status = saved->status;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    ngx_memcpy(r->variables, saved->variables,
               cmcf->variables.nelts * sizeof(ngx_http_variable_value_t));
}


/* "routes", up to the one that matches, and "route", that one or null */

static ngx_int_t
ngx_http_webhook_try_routes(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry)
{
    uint32_t                       bit;
    ngx_uint_t                     i, takes;
    ngx_http_webhook_text_t       *text;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_route_t  *rp;

    text = &s->text;
    bit = ngx_http_webhook_api_method(&dry->method);
    route = dry->api->routes.elts;

    ngx_http_webhook_status_name(text, "routes");
    ngx_http_webhook_status_literal(text, "[");

    for (i = 0; i < dry->api->routes.nelts && dry->route == NULL; i++) {
        if (route[i].second) {
            continue;
        }

        rp = route[i].priv;

        takes = ngx_http_webhook_api_takes(s->request, &route[i], bit,
                                           &dry->path);

        if (takes == NGX_HTTP_WEBHOOK_TAKES_ERROR) {
            return NGX_ERROR;
        }

        if (takes == NGX_HTTP_WEBHOOK_TAKES_OK) {
            dry->route = &route[i];
        }

        if (i) {
            ngx_http_webhook_status_literal(text, ",");
        }

        ngx_http_webhook_status_literal(text, "{");
        ngx_http_webhook_status_number(text, "index", i);
        ngx_http_webhook_status_string(text, "route", rp->name.data,
                                       rp->name.len);
        ngx_http_webhook_status_number(text, "line", rp->line);
        ngx_http_webhook_status_string(text, "result",
                                    ngx_http_webhook_takes[takes],
                                    ngx_strlen(ngx_http_webhook_takes[takes]));
        ngx_http_webhook_status_literal(text, "}");
    }

    ngx_http_webhook_status_literal(text, "]");
    ngx_http_webhook_status_name(text, "route");

    if (dry->route == NULL) {
        ngx_http_webhook_status_literal(text, "null");
        return NGX_OK;
    }

    rp = dry->route->priv;

    ngx_http_webhook_status_literal(text, "{");
    ngx_http_webhook_status_number(text, "index", i - 1);
    ngx_http_webhook_status_string(text, "route", rp->name.data, rp->name.len);
    ngx_http_webhook_status_number(text, "line", rp->line);
    ngx_http_webhook_status_boolean(text, "launch", dry->route->launch);
    ngx_http_webhook_status_boolean(text, "rerun", dry->route->rerun);
    ngx_http_webhook_status_boolean(text, "ignore", dry->route->ignore);
    ngx_http_webhook_status_boolean(text, "accepts_status",
                                    ngx_http_webhook_try_accepts(dry));
    ngx_http_webhook_status_literal(text, "}");

    return NGX_OK;
}


json_t *
ngx_http_webhook_try_document(ngx_http_webhook_dry_t *dry, const char **reason)
{
    json_t     *doc;
    ngx_str_t   body;

    body = dry->body;

    while (body.len
           && (*body.data == ' ' || *body.data == CR || *body.data == LF
               || *body.data == '\t'))
    {
        body.data++;
        body.len--;
    }

    doc = NULL;

    if (dry->status == NGX_HTTP_NO_CONTENT
        || dry->route->blind
        || (body.len == 0 && dry->route->bodyless))
    {
        *reason = "not needed";
        return NULL;
    }

    *reason = "not JSON";

    if (body.len && ngx_http_webhook_observe_json(dry->route, *body.data)) {
        doc = dry->route->text
              ? ngx_http_webhook_json_line(body.data, body.len, reason)
              : ngx_http_webhook_json_parse(body.data, body.len, reason);
    }

    if (doc) {
        *reason = "ok";

    } else if (dry->route->bodyless
               && dry->status >= NGX_HTTP_SPECIAL_RESPONSE)
    {
        *reason = "not needed";
    }

    return doc;
}
