
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich_ask: in: a URI and who asks; out: a detached request in the server
 * that the event was seen in, from the caller's address and with his
 * credentials, and the bytes of its answer.  It is not observed.  Next room:
 * own.
 */


#include "ngx_http_webhook_enrich.h"


static void ngx_http_webhook_enrich_release(void *data);
static ngx_int_t ngx_http_webhook_enrich_caller_copy(
    ngx_http_webhook_source_t *source,
    ngx_http_webhook_enrich_caller_t *caller);
static ngx_int_t ngx_http_webhook_enrich_caller_header(
    ngx_http_webhook_enrich_caller_t *caller, ngx_str_t *key,
    ngx_str_t *value);
static ngx_uint_t ngx_http_webhook_enrich_passes(
    ngx_http_webhook_route_t *route, ngx_str_t *name);
static ngx_int_t ngx_http_webhook_enrich_header(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r);
static ngx_int_t ngx_http_webhook_enrich_body(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_chain_t *in);
static ngx_int_t ngx_http_webhook_enrich_room(
    ngx_http_webhook_enrich_ask_t *ask, size_t len);


ngx_int_t
ngx_http_webhook_enrich_caller(ngx_http_webhook_source_t *source)
{
    ngx_pool_t                        *pool;
    ngx_http_webhook_enrich_caller_t  *caller;

    if (source->caller) {
        return NGX_OK;
    }

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    caller = ngx_pcalloc(pool, sizeof(ngx_http_webhook_enrich_caller_t));

    if (caller) {
        caller->pool = pool;

        if (ngx_http_webhook_enrich_caller_copy(source, caller) == NGX_OK
            && ngx_http_webhook_enrich_who(caller) == NGX_OK
            && ngx_http_webhook_enrich_hold(caller, source->request->pool)
               == NGX_OK)
        {
            source->caller = caller;
            return NGX_OK;
        }
    }

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_webhook_enrich_hold(ngx_http_webhook_enrich_caller_t *caller,
    ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_webhook_enrich_release;
    cln->data = caller;

    caller->holds++;

    return NGX_OK;
}


static void
ngx_http_webhook_enrich_release(void *data)
{
    ngx_http_webhook_enrich_caller_t *caller = data;

    if (--caller->holds == 0) {
        ngx_destroy_pool(caller->pool);
    }
}


static ngx_int_t
ngx_http_webhook_enrich_caller_copy(ngx_http_webhook_source_t *source,
    ngx_http_webhook_enrich_caller_t *caller)
{
    ngx_uint_t                 i;
    ngx_str_t                  host;
    ngx_pool_t                *pool;
    ngx_keyval_t              *kv;
    ngx_list_part_t           *part;
    ngx_table_elt_t           *h;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_srv_conf_t  *cscf;

    pool = caller->pool;
    r = source->request;
    c = r->connection;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    caller->server = cscf->ctx;
    caller->socklen = c->socklen;
    caller->sockaddr = ngx_palloc(pool, c->socklen);
    caller->addr_text.len = c->addr_text.len;
    caller->addr_text.data = ngx_pstrdup(pool, &c->addr_text);

    if (caller->sockaddr == NULL
        || caller->addr_text.data == NULL
        || ngx_array_init(&caller->headers, pool, 4, sizeof(ngx_keyval_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(caller->sockaddr, c->sockaddr, c->socklen);

    host = r->headers_in.server;

    if (r->headers_in.host && r->headers_in.host->value.len) {
        host = r->headers_in.host->value;
    }

    if (host.len == 0) {
        ngx_str_set(&host, "127.0.0.1");
    }

    if (source->headers) {
        kv = source->headers->elts;

        for (i = 0; i < source->headers->nelts; i++) {

            if (ngx_http_webhook_own_is(&kv[i].key, "Host")) {
                host = kv[i].value;

            } else if (ngx_http_webhook_enrich_caller_header(caller, &kv[i].key,
                                                             &kv[i].value)
                       != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

    } else {

        for (part = &r->headers_in.headers.part; part; part = part->next) {
            h = part->elts;

            for (i = 0; i < part->nelts; i++) {

                if (h[i].hash
                    && ngx_http_webhook_enrich_passes(source->route, &h[i].key)
                    && ngx_http_webhook_enrich_caller_header(caller, &h[i].key,
                                                             &h[i].value)
                       != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }
        }
    }

    caller->host.len = host.len;
    caller->host.data = ngx_pstrdup(pool, &host);

    return caller->host.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_webhook_enrich_caller_header(
    ngx_http_webhook_enrich_caller_t *caller, ngx_str_t *key, ngx_str_t *value)
{
    ngx_pool_t    *pool;
    ngx_keyval_t  *kv;

    pool = caller->pool;

    kv = ngx_array_push(&caller->headers);
    if (kv == NULL) {
        return NGX_ERROR;
    }

    kv->key.len = key->len;
    kv->key.data = ngx_pstrdup(pool, key);
    kv->value.len = value->len;
    kv->value.data = ngx_pstrdup(pool, value);

    return (kv->key.data && kv->value.data) ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_http_webhook_enrich_passes(ngx_http_webhook_route_t *route,
    ngx_str_t *name)
{
    ngx_str_t   *passes;
    ngx_uint_t   i;

    if (ngx_http_webhook_own_is(name, "Authorization")
        || ngx_http_webhook_own_is(name, "Cookie"))
    {
        return 1;
    }

    if (route->enrich_headers == NULL) {
        return 0;
    }

    passes = route->enrich_headers->elts;

    for (i = 0; i < route->enrich_headers->nelts; i++) {
        if (passes[i].len == name->len
            && ngx_strncasecmp(passes[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_webhook_enrich_send(ngx_http_webhook_enrich_ask_t *ask,
    ngx_http_webhook_detached_done_pt done, ngx_msec_t timeout)
{
    ngx_str_t                      none;
    ngx_connection_t              *c;
    ngx_pool_cleanup_t            *cln;
    ngx_http_webhook_detached_t   *d;
    ngx_http_webhook_main_conf_t  *mcf;

    d = ngx_http_webhook_detached_create(ask->caller->server);
    if (d == NULL) {
        return NGX_ERROR;
    }

    d->done = done;
    d->header = ngx_http_webhook_enrich_header;
    d->body = ngx_http_webhook_enrich_body;
    d->data = ask;
    d->label = ask->api->name;
    d->method = NGX_HTTP_GET;
    ngx_str_set(&d->method_name, "GET");

    mcf = ngx_http_get_module_main_conf(d->request, ngx_http_webhook_module);

    ask->own.api = ask->api;
    ask->max = mcf->buffer_size;

    /* else an API that trusts us would take a user for an insider */

    c = d->request->connection;

    c->sockaddr = ask->caller->sockaddr;
    c->socklen = ask->caller->socklen;
    c->addr_text = ask->caller->addr_text;

    /* limits are for clients */

    d->request->limit_conn_status = 1;
    d->request->limit_req_status = 1;

    cln = ngx_pool_cleanup_add(d->pool, 0);

    if (cln == NULL
        || ngx_http_webhook_own_headers(d, &ask->caller->headers, 0) != NGX_OK)
    {
        ngx_http_webhook_detached_discard(d);
        return NGX_ERROR;
    }

    ngx_str_null(&none);

    if (ngx_http_webhook_own_run(d, &ask->caller->host, &ask->uri, &none,
                                 timeout)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ask->detached = d;

    /* the request's last moments still need what is in ask->pool */

    cln->handler = ngx_http_webhook_enrich_free;
    cln->data = ask;

    return NGX_OK;
}


void
ngx_http_webhook_enrich_free(void *data)
{
    ngx_http_webhook_enrich_ask_t *ask = data;

    if (ask->data) {
        ngx_free(ask->data);
    }

    ngx_destroy_pool(ask->pool);
}


static ngx_int_t
ngx_http_webhook_enrich_header(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r)
{
    ngx_uint_t                      status;
    ngx_table_elt_t                *h;
    ngx_http_webhook_enrich_ask_t  *ask;

    ask = d->data;

    if (r != d->sr) {
        return NGX_OK;
    }

    status = r->headers_out.status;
    h = r->headers_out.content_encoding;

    d->result.status = status;

    if (status < NGX_HTTP_OK
        || status >= NGX_HTTP_SPECIAL_RESPONSE
        || status == NGX_HTTP_NO_CONTENT
        || status == NGX_HTTP_PARTIAL_CONTENT
        || r->headers_out.content_length_n > (off_t) ask->max)
    {
        ask->refused = 1;
    }

    /* it was not asked for, but some have it so */

    if (h && h->hash && h->value.len
        && !ngx_http_webhook_own_is(&h->value, "identity"))
    {
        if (ngx_http_webhook_own_is(&h->value, "gzip")
            || ngx_http_webhook_own_is(&h->value, "x-gzip"))
        {
            ask->gzip = 1;

        } else {
            ask->refused = 1;
        }
    }

    r->filter_need_in_memory = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_enrich_body(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_chain_t *in)
{
    size_t                          len;
    ngx_buf_t                      *b;
    ngx_chain_t                    *cl;
    ngx_http_webhook_enrich_ask_t  *ask;

    ask = d->data;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (r == d->sr && !ask->refused) {

            len = ngx_buf_in_memory(b) ? b->last - b->pos : 0;

            if (ngx_buf_in_memory(b)
                ? ngx_http_webhook_enrich_room(ask, len) != NGX_OK
                : ngx_buf_size(b) != 0)
            {
                ask->refused = 1;

            } else if (len) {
                ngx_memcpy(ask->data + ask->len, b->pos, len);
                ask->len += len;
            }

            if (b->last_buf || b->last_in_chain) {
                ask->last = 1;
            }
        }

        /* what is not taken stalls the pipe */

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    if (ask->refused) {
        ngx_http_webhook_detached_enough(d);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_enrich_room(ngx_http_webhook_enrich_ask_t *ask, size_t len)
{
    size_t   size;
    u_char  *data;

    if (len > ask->max - ask->len) {
        return NGX_ERROR;
    }

    if (ask->len + len <= ask->size) {
        return NGX_OK;
    }

    size = ngx_min(ngx_max(2 * ask->size, ngx_max(ask->len + len, 4096)),
                   ask->max);

    data = ngx_alloc(size, ngx_cycle->log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    if (ask->data) {
        ngx_memcpy(data, ask->data, ask->len);
        ngx_free(ask->data);
    }

    ask->data = data;
    ask->size = size;

    return NGX_OK;
}
