
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: a header to be sent.  Out: it is one of the detached request, with what
 * nginx wants beside a name, lower case and hash: for the few names that a
 * configuration has, these are made once.  No module of nginx looks for those
 * of a transport that needs no phases.  Next room: detached.
 */


#include "ngx_http_webhook_detached.h"


#define NGX_HTTP_WEBHOOK_NAMES       64
#define NGX_HTTP_WEBHOOK_NAME_TRIES  4
#define NGX_HTTP_WEBHOOK_NAME_MAX    32    /* bytes */


typedef struct {
    size_t      len;                       /* 0: free */
    ngx_uint_t  hash;
    u_char      name[NGX_HTTP_WEBHOOK_NAME_MAX];
    u_char      lowcase[NGX_HTTP_WEBHOOK_NAME_MAX];
} ngx_http_webhook_name_t;


static ngx_int_t ngx_http_webhook_detached_server(ngx_http_request_t *r,
    ngx_str_t *host);
static ngx_int_t ngx_http_webhook_detached_name(ngx_pool_t *pool,
    ngx_table_elt_t *h);


static ngx_http_webhook_name_t  ngx_http_webhook_names[NGX_HTTP_WEBHOOK_NAMES];


ngx_int_t
ngx_http_webhook_detached_header(ngx_http_webhook_detached_t *d,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = d->request;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = *name;
    h->value = *value;

    if (d->direct) {
        return NGX_OK;
    }

    if (ngx_http_webhook_detached_name(d->pool, h) != NGX_OK) {
        return NGX_ERROR;
    }

    if (name->len == sizeof("Host") - 1
        && ngx_strncmp(h->lowcase_key, "host", name->len) == 0)
    {
        r->headers_in.host = h;

        return ngx_http_webhook_detached_server(r, value);
    }

    if (name->len == sizeof("Content-Type") - 1
        && ngx_strncmp(h->lowcase_key, "content-type", name->len) == 0)
    {
        r->headers_in.content_type = h;

    } else if (name->len == sizeof("Content-Length") - 1
               && ngx_strncmp(h->lowcase_key, "content-length", name->len)
                  == 0)
    {
        r->headers_in.content_length = h;

    } else if (name->len == sizeof("User-Agent") - 1
               && ngx_strncmp(h->lowcase_key, "user-agent", name->len) == 0)
    {
        r->headers_in.user_agent = h;
    }

    return NGX_OK;
}


void
ngx_http_webhook_detached_headers(ngx_http_request_t *sr)
{
    ngx_list_t  *headers;

    headers = &sr->headers_in.headers;

    if (headers->last == &sr->parent->headers_in.headers.part) {
        headers->last = &headers->part;
    }
}


/*
 * $host, as nginx has it: in lower case, without the port and the dot at the
 * end of a name, brackets of an IPv6 address kept
 */

static ngx_int_t
ngx_http_webhook_detached_server(ngx_http_request_t *r, ngx_str_t *host)
{
    size_t      n, len;
    ngx_str_t  *server;

    server = &r->headers_in.server;
    len = host->len;

    for (n = len; n && host->data[n - 1] != ']'; n--) {

        if (host->data[n - 1] == ':') {
            len = n - 1;
            break;
        }
    }

    if (len && host->data[len - 1] == '.') {
        len--;
    }

    server->data = ngx_pnalloc(r->pool, len);
    if (server->data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(server->data, host->data, len);
    server->len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_detached_name(ngx_pool_t *pool, ngx_table_elt_t *h)
{
    size_t                    len;
    u_char                   *key;
    ngx_uint_t                i, n;
    ngx_http_webhook_name_t  *name;

    key = h->key.data;
    len = h->key.len;

    if (len == 0 || len > NGX_HTTP_WEBHOOK_NAME_MAX) {
        goto once;
    }

    n = len * 5 + key[0] + key[len / 2] * 3 + key[len - 1] * 7;

    for (i = 0; i < NGX_HTTP_WEBHOOK_NAME_TRIES; i++, n++) {

        name = &ngx_http_webhook_names[n % NGX_HTTP_WEBHOOK_NAMES];

        if (name->len == 0) {
            name->len = len;
            ngx_memcpy(name->name, key, len);
            name->hash = ngx_hash_strlow(name->lowcase, key, len);

        } else if (name->len != len || ngx_memcmp(name->name, key, len) != 0) {
            continue;
        }

        h->lowcase_key = name->lowcase;
        h->hash = name->hash;

        return NGX_OK;
    }

once:

    h->lowcase_key = ngx_pnalloc(pool, len);
    if (h->lowcase_key == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, key, len);

    return NGX_OK;
}
