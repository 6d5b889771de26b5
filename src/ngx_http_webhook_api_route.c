
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_route: a request -> the route of a description that it takes, and the
 * variables that the route reads.  Next room: api, which reads the response.
 */


#include "ngx_http_webhook_api_priv.h"


#define NGX_HTTP_WEBHOOK_CAPTURES  96      /* int, kept on the stack */


static ngx_uint_t ngx_http_webhook_api_uri(ngx_http_request_t *r,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *uri);
#if (NGX_PCRE)
static ngx_uint_t ngx_http_webhook_api_uri_regex(ngx_http_request_t *r,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *uri);
static ngx_uint_t ngx_http_webhook_api_uri_end(ngx_str_t *end, ngx_str_t *uri);
#endif


static ngx_str_t  ngx_http_webhook_api_methods[] = {
    ngx_string("GET"),
    ngx_string("POST"),
    ngx_string("PUT"),
    ngx_string("DELETE"),
    ngx_string("PATCH"),
    ngx_string("HEAD"),
    ngx_string("OPTIONS"),
    ngx_string("MKCOL"),
    ngx_string("COPY"),
    ngx_string("MOVE"),
    ngx_string("PROPFIND"),
    ngx_string("PROPPATCH"),
    ngx_string("LOCK"),
    ngx_string("UNLOCK"),
    ngx_string("TRACE"),
    ngx_null_string
};


uint32_t
ngx_http_webhook_api_method(ngx_str_t *name)
{
    uint32_t    bit;
    ngx_str_t  *method;

    bit = 1;

    for (method = ngx_http_webhook_api_methods; method->len; method++) {

        if (method->len == name->len
            && ngx_memcmp(method->data, name->data, name->len) == 0)
        {
            return bit;
        }

        bit <<= 1;
    }

    return NGX_HTTP_WEBHOOK_METHOD_OTHER;
}


ngx_http_webhook_route_t *
ngx_http_webhook_api_route(ngx_http_request_t *r, ngx_http_webhook_api_t *api,
    uint32_t method, ngx_str_t *uri)
{
    ngx_uint_t                 i;
    ngx_http_webhook_route_t  *route;

    route = api->routes.elts;

    for (i = 0; i < api->routes.nelts; i++) {

        if (route[i].second) {
            continue;
        }

        switch (ngx_http_webhook_api_takes(r, &route[i], method, uri)) {

        case NGX_HTTP_WEBHOOK_TAKES_OK:
            return &route[i];

        case NGX_HTTP_WEBHOOK_TAKES_ERROR:
            return NULL;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_webhook_api_takes(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, uint32_t method, ngx_str_t *uri)
{
    ngx_str_t                      when;
    ngx_http_webhook_api_route_t  *rp;

    rp = route->priv;

    if (!(rp->methods & method)) {
        return NGX_HTTP_WEBHOOK_TAKES_METHOD;
    }

    if (!ngx_http_webhook_api_uri(r, rp, uri)) {
        return NGX_HTTP_WEBHOOK_TAKES_URI;
    }

    if (rp->when) {

        if (ngx_http_complex_value(r, rp->when, &when) != NGX_OK) {
            return NGX_HTTP_WEBHOOK_TAKES_ERROR;
        }

        if (when.len == 0 || (when.len == 1 && when.data[0] == '0')) {
            return NGX_HTTP_WEBHOOK_TAKES_WHEN;
        }
    }

    return NGX_HTTP_WEBHOOK_TAKES_OK;
}


static ngx_uint_t
ngx_http_webhook_api_uri(ngx_http_request_t *r,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *uri)
{
    switch (rp->type) {

    case NGX_HTTP_WEBHOOK_URI_EXACT:

        return uri->len == rp->uri.len
               && ngx_memcmp(uri->data, rp->uri.data, rp->uri.len) == 0;

    case NGX_HTTP_WEBHOOK_URI_PREFIX:

        return uri->len >= rp->uri.len
               && ngx_memcmp(uri->data, rp->uri.data, rp->uri.len) == 0;

    default: /* NGX_HTTP_WEBHOOK_URI_REGEX */

#if (NGX_PCRE)
        return ngx_http_webhook_api_uri_regex(r, rp, uri);
#else
        return 0;
#endif
    }
}


#if (NGX_PCRE)

static ngx_uint_t
ngx_http_webhook_api_uri_regex(ngx_http_request_t *r,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *uri)
{
    int                        *captures, local[NGX_HTTP_WEBHOOK_CAPTURES];
    u_char                     *data;
    ngx_int_t                   rc;
    ngx_uint_t                  ncaptures, realloc;
    ngx_http_core_main_conf_t  *cmcf;

    if (rp->end.len) {
        return ngx_http_webhook_api_uri_end(&rp->end, uri);
    }

    if (rp->regex->nvariables == 0) {

        rc = ngx_regex_exec(rp->regex->regex, uri, NULL, 0);

        /* what is neither is to be logged below */

        if (rc >= 0 || rc == NGX_REGEX_NO_MATCHED) {
            return rc >= 0;
        }
    }

    /* $1, $2 ... of the request stay what they were */

    captures = r->captures;
    ncaptures = r->ncaptures;
    data = r->captures_data;
    realloc = r->realloc_captures;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    r->captures = (cmcf->ncaptures <= NGX_HTTP_WEBHOOK_CAPTURES) ? local
                                                                 : NULL;
    r->realloc_captures = 0;

    rc = ngx_http_regex_exec(r, rp->regex, uri);

    r->captures = captures;
    r->ncaptures = ncaptures;
    r->captures_data = data;
    r->realloc_captures = realloc;

    return rc == NGX_OK;
}


/* "$" is also before a line's end that is the last character */

static ngx_uint_t
ngx_http_webhook_api_uri_end(ngx_str_t *end, ngx_str_t *uri)
{
    u_char  *last;

    last = uri->data + uri->len;

    if (uri->len > end->len && last[-1] == LF) {
        last--;
    }

    return (size_t) (last - uri->data) >= end->len
           && ngx_memcmp(last - end->len, end->data, end->len) == 0;
}

#endif


ngx_uint_t
ngx_http_webhook_api_status(ngx_http_webhook_route_t *route, ngx_uint_t status)
{
    ngx_http_webhook_api_route_t  *rp;

    rp = route->priv;

    if (status < 200 || status > 499) {
        return 0;
    }

    status -= 200;

    return (rp->status[status / 8] >> (status % 8)) & 1;
}


ngx_uint_t
ngx_http_webhook_api_status_errors(ngx_http_webhook_route_t *route)
{
    ngx_uint_t  status;

    for (status = NGX_HTTP_BAD_REQUEST; status < 500; status++) {
        if (ngx_http_webhook_api_status(route, status)) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_webhook_api_variables(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, ngx_http_webhook_hash_t *hash)
{
    uint64_t                        n;
    ngx_str_t                       value;
    ngx_uint_t                      i;
    ngx_http_webhook_api_value_t  **vp;
    ngx_http_webhook_api_route_t   *rp;

    rp = route->priv;

    vp = rp->texts.elts;

    for (i = 0; i < rp->texts.nelts; i++) {

        if (vp[i]->text->lengths == NULL) {
            continue;
        }

        if (ngx_http_complex_value(r, vp[i]->text, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        n = value.len;

        ngx_http_webhook_hash_add(hash, value.data, value.len);
        ngx_http_webhook_hash_add(hash, &n, sizeof(uint64_t));
    }

    return route->also ? ngx_http_webhook_api_variables(r, route->also, hash)
                       : NGX_OK;
}
