
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: a request, before or after rewrites and internal redirects.  Out: the
 * route that its original method and path belong to, and an Accept-Encoding
 * for upstream that we can read the answer to.  Next room: observe.c.
 */


#include "ngx_http_webhook_observe.h"


#if (NGX_HTTP_GZIP)
static ngx_int_t ngx_http_webhook_observe_encodings_edit(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static size_t ngx_http_webhook_observe_encodings_kept(ngx_str_t *value,
    u_char *kept);
static ngx_uint_t ngx_http_webhook_observe_coding(ngx_str_t *coding);
#endif


ngx_http_webhook_route_t *
ngx_http_webhook_observe_match(ngx_http_request_t *r, ngx_array_t *list,
    ngx_http_webhook_observe_t **observe)
{
    uint32_t                     bit;
    ngx_str_t                    method, uri;
    ngx_uint_t                   i;
    ngx_http_webhook_route_t    *route;
    ngx_http_webhook_observe_t  *ob;

    ngx_http_webhook_observe_method(r, &method);

    if (ngx_http_webhook_observe_uri(r, &uri) != NGX_OK) {
        return NULL;
    }

    bit = ngx_http_webhook_api_method(&method);
    ob = list->elts;

    for (i = 0; i < list->nelts; i++) {

        route = ngx_http_webhook_api_route(r, ob[i].api, bit, &uri);

        if (route) {
            *observe = &ob[i];
            return route;
        }
    }

    return NULL;
}


void
ngx_http_webhook_observe_method(ngx_http_request_t *r, ngx_str_t *method)
{
    u_char  *p;

    if (r->method_name.data == r->request_line.data) {
        *method = r->method_name;
        return;
    }

    /* an internal redirect has made it GET everywhere else */

    p = ngx_strlchr(r->request_line.data,
                    r->request_line.data + r->request_line.len, ' ');

    if (p == NULL) {
        *method = r->method_name;
        return;
    }

    method->data = r->request_line.data;
    method->len = p - r->request_line.data;
}


ngx_int_t
ngx_http_webhook_observe_uri(ngx_http_request_t *r, ngx_str_t *uri)
{
    u_char                    *p;
    size_t                     len;
    ngx_http_request_t         scratch;
    ngx_http_core_srv_conf_t  *cscf;

    p = memchr(r->unparsed_uri.data, '?', r->unparsed_uri.len);

    len = p ? (size_t) (p - r->unparsed_uri.data) : r->unparsed_uri.len;

    if (r->uri.data == r->unparsed_uri.data && r->uri.len == len) {
        *uri = r->uri;
        return NGX_OK;
    }

    /* the path was not plain, or is no longer what the client sent */

    len = r->unparsed_uri.len;

    p = ngx_pnalloc(r->pool, 2 * (len + 2));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&scratch, sizeof(ngx_http_request_t));

    scratch.connection = r->connection;
    scratch.empty_path_in_uri = r->empty_path_in_uri;

    scratch.uri_start = p;
    scratch.uri_end = ngx_cpymem(p, r->unparsed_uri.data, len);
    *scratch.uri_end = LF;

    /* its length is read for Windows alone */

    scratch.uri.data = scratch.uri_end + 1;
    scratch.uri.len = len + 1;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (ngx_http_parse_complex_uri(&scratch, cscf->merge_slashes) != NGX_OK) {
        return NGX_DECLINED;
    }

    *uri = scratch.uri;

    return NGX_OK;
}


void
ngx_http_webhook_observe_keep(ngx_http_request_t *r,
    ngx_http_webhook_observe_captures_t *kept)
{
#if (NGX_PCRE)

    kept->captures = r->captures;
    kept->ncaptures = r->ncaptures;
    kept->data = r->captures_data;
    kept->realloc = r->realloc_captures;

    r->realloc_captures = 1;

#endif
}


void
ngx_http_webhook_observe_restore(ngx_http_request_t *r,
    ngx_http_webhook_observe_captures_t *kept)
{
#if (NGX_PCRE)

    r->captures = kept->captures;
    r->ncaptures = kept->ncaptures;
    r->captures_data = kept->data;
    r->realloc_captures = kept->realloc;

#endif
}


#if (NGX_HTTP_GZIP)

ngx_int_t
ngx_http_webhook_observe_encodings(ngx_http_request_t *r)
{
    size_t                                size;
    ngx_uint_t                            i;
    ngx_list_part_t                      *part;
    ngx_table_elt_t                      *h;
    ngx_http_webhook_route_t             *route;
    ngx_http_variable_value_t            *variables;
    ngx_http_webhook_observe_t           *observe;
    ngx_http_core_main_conf_t            *cmcf;
    ngx_http_webhook_loc_conf_t          *wlcf;
    ngx_http_webhook_observe_captures_t   kept;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);

    if (wlcf->observe == NULL
        || r != r->main
        || r->headers_in.accept_encoding == NULL
        || ngx_http_webhook_observe_encodings_kept(
                                 &r->headers_in.accept_encoding->value, NULL)
           == (size_t) NGX_ERROR)
    {
        return NGX_DECLINED;
    }

    /*
     * The route is matched for good when the response is there.  Variables
     * that are evaluated now, $request_body above all, would stay as they
     * are.
     */

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    size = cmcf->variables.nelts * sizeof(ngx_http_variable_value_t);

    variables = ngx_palloc(r->pool, size);
    if (variables == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(variables, r->variables, size);

    ngx_http_webhook_observe_keep(r, &kept);

    route = ngx_http_webhook_observe_match(r, wlcf->observe, &observe);

    ngx_http_webhook_observe_restore(r, &kept);

    ngx_memcpy(r->variables, variables, size);

    ngx_pfree(r->pool, variables);

    if (route == NULL || route->ignore || route->blind) {
        return NGX_DECLINED;
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash != 0
            && h[i].key.len == sizeof("Accept-Encoding") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Accept-Encoding",
                               sizeof("Accept-Encoding") - 1)
               == 0
            && ngx_http_webhook_observe_encodings_edit(r, &h[i]) != NGX_OK)
        {
            break;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_webhook_observe_encodings_edit(ngx_http_request_t *r,
    ngx_table_elt_t *h)
{
    u_char           *p;
    size_t            len;
    ngx_table_elt_t  *copy;

    len = ngx_http_webhook_observe_encodings_kept(&h->value, NULL);

    if (len == (size_t) NGX_ERROR) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_http_webhook_observe_encodings_kept(&h->value, p);

    p[len] = '\0';

    if (r->headers_in.accept_encoding == h) {

        /* what the client itself gets goes by the value it sent */

        copy = ngx_palloc(r->pool, sizeof(ngx_table_elt_t));
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *h;
        r->headers_in.accept_encoding = copy;
    }

    h->value.data = p;
    h->value.len = len;

    return NGX_OK;
}


/*
 * Writes the codings that we can read, and returns their length; NGX_ERROR:
 * there is nothing to take out.
 */

static size_t
ngx_http_webhook_observe_encodings_kept(ngx_str_t *value, u_char *kept)
{
    u_char      *p, *last, *next;
    size_t       len;
    ngx_str_t    coding;
    ngx_uint_t   out;

    len = 0;
    out = 0;

    last = value->data + value->len;

    for (p = value->data; p < last; p = next + 1) {

        next = ngx_strlchr(p, last, ',');
        if (next == NULL) {
            next = last;
        }

        coding.data = p;
        coding.len = next - p;

        while (coding.len && (*coding.data == ' ' || *coding.data == '\t')) {
            coding.data++;
            coding.len--;
        }

        while (coding.len
               && (coding.data[coding.len - 1] == ' '
                   || coding.data[coding.len - 1] == '\t'))
        {
            coding.len--;
        }

        if (coding.len == 0) {
            continue;
        }

        if (!ngx_http_webhook_observe_coding(&coding)) {
            out = 1;
            continue;
        }

        if (kept) {
            if (len) {
                kept[len] = ',';
                kept[len + 1] = ' ';
            }

            ngx_memcpy(kept + (len ? len + 2 : 0), coding.data, coding.len);
        }

        len += (len ? 2 : 0) + coding.len;
    }

    if (!out) {
        return (size_t) NGX_ERROR;
    }

    if (len == 0) {
        len = sizeof("identity") - 1;

        if (kept) {
            ngx_memcpy(kept, "identity", len);
        }
    }

    return len;
}


/* whether we can read it, or it offers nothing ("*;q=0") */

static ngx_uint_t
ngx_http_webhook_observe_coding(ngx_str_t *coding)
{
    u_char     *p, *last;
    ngx_str_t   name;

    last = coding->data + coding->len;

    name.data = coding->data;

    for (p = coding->data; p < last; p++) {
        if (*p == ';' || *p == ' ' || *p == '\t') {
            break;
        }
    }

    name.len = p - coding->data;

    switch (name.len) {

    case 1:
        if (*name.data != '*') {
            return 0;
        }

        while (p < last && (*p == ';' || *p == ' ' || *p == '\t')) {
            p++;
        }

        if (last - p < 3 || (*p != 'q' && *p != 'Q') || p[1] != '=') {
            return 0;
        }

        for (p += 2; p < last; p++) {
            if (*p != '0' && *p != '.') {
                return 0;
            }
        }

        return 1;

    case 4:
        return ngx_strncasecmp(name.data, (u_char *) "gzip", 4) == 0;

    case 6:
        return ngx_strncasecmp(name.data, (u_char *) "x-gzip", 6) == 0;

    case 8:
        return ngx_strncasecmp(name.data, (u_char *) "identity", 8) == 0;

    default:
        return 0;
    }
}

#else

ngx_int_t
ngx_http_webhook_observe_encodings(ngx_http_request_t *r)
{
    return NGX_DECLINED;
}

#endif
