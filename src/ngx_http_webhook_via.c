
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * via: in: a detached request and hook->via; out: d->result; next: back to
 * dispatch.  A delivery is known by its connection, for named locations and
 * redirects zero r->ctx.
 */


#include "ngx_http_webhook_via.h"
#include "ngx_http_webhook_own.h"


#define NGX_HTTP_WEBHOOK_VIA_HEADERS   8192    /* kept of the answer, bytes */
#define NGX_HTTP_WEBHOOK_VIA_SURPLUS   65536   /* read beyond body_max, bytes */


typedef struct {
    ngx_http_core_loc_conf_t  *loc;
    ngx_msec_t                 started;
    unsigned                   header:1;       /* the filter saw an answer */
    unsigned                   body:1;
    unsigned                   last:1;
    unsigned                   enough:1;
} ngx_http_webhook_via_ctx_t;


static ngx_uint_t ngx_http_webhook_via_answered(ngx_http_upstream_t *u);
static void ngx_http_webhook_via_headers(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr);
static void ngx_http_webhook_via_phases(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr);
static ngx_int_t ngx_http_webhook_via_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_webhook_via_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_webhook_via_guard(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_webhook_via_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr)
{
    ngx_http_webhook_hook_t     *hook;
    ngx_http_webhook_via_ctx_t  *ctx;

    hook = *(ngx_http_webhook_hook_t **) d->data;

    ctx = ngx_pcalloc(d->pool, sizeof(ngx_http_webhook_via_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->loc = hook->via_loc;
    ctx->started = ngx_current_msec;

    d->transport = ctx;

    (void) ngx_http_named_location(sr, &hook->via);

    ngx_http_finalize_request(sr, NGX_DONE);

    return NGX_OK;
}


void
ngx_http_webhook_via_collect(ngx_http_webhook_detached_t *d)
{
    ngx_http_request_t          *sr;
    ngx_http_upstream_t         *u;
    ngx_http_webhook_result_t   *result;
    ngx_http_webhook_via_ctx_t  *ctx;

    ctx = d->transport;
    sr = d->sr;
    result = &d->result;

    if (ctx == NULL) {
        return;
    }

    u = sr->upstream;

    ngx_http_webhook_via_phases(d, sr);

    if (ctx->header) {

        result->truncated = result->body_size > result->body.len;

        if (result->status == 0) {
            result->error = NGX_HTTP_WEBHOOK_ERR_PROTOCOL;
            ngx_str_set(&result->message, "the answer is not HTTP");
            return;
        }

        /* with NGX_ERROR nginx says nothing of the end to filters */

        if (!ctx->last && !ctx->enough && (ctx->body || d->rc == NGX_ERROR)) {
            result->error = NGX_HTTP_WEBHOOK_ERR_BROKEN;
            ngx_str_set(&result->message,
                        "the connection broke within the answer's body");
        }

        return;
    }

    if (u && u->headers_in.status_n && ngx_http_webhook_via_answered(u)) {

        /* it answered, but the location does not let us see the answer */

        result->status = u->headers_in.status_n;
        return;
    }

    if (u == NULL || u->state == NULL || u->state->peer == NULL) {

        if (d->rc >= NGX_HTTP_OK && d->rc != NGX_HTTP_CLOSE) {
            result->status = d->rc;
            ngx_str_set(&result->message, "answered by the location itself");
            return;
        }

        result->error = NGX_HTTP_WEBHOOK_ERR_PROTOCOL;
        ngx_str_set(&result->message, "the location gave no answer");
        return;
    }

    if (d->rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        result->error = NGX_HTTP_WEBHOOK_ERR_TIMEOUT;
        ngx_str_set(&result->message, "timed out in the location");
        return;
    }

    /* that of no server: none was found */

    if (u->upstream
        && u->state->peer->len == u->upstream->host.len
        && ngx_memcmp(u->state->peer->data, u->upstream->host.data,
                      u->upstream->host.len)
           == 0)
    {
        result->error = NGX_HTTP_WEBHOOK_ERR_CONNECT;
        ngx_str_set(&result->message, "no server of the upstream can be used: "
                    "each is down, has failed, or has max_conns connections");
        return;
    }

    /* Angie notes the time before it looks whether it is connected */

    if (u->state->connect_time == (ngx_msec_t) -1
        || (!u->request_sent && !u->peer.cached))
    {
        result->error = NGX_HTTP_WEBHOOK_ERR_CONNECT;
        ngx_str_set(&result->message, "could not connect");

#if (NGX_HTTP_SSL)

        if (u->ssl) {
            ngx_str_set(&result->message, "could not connect, or the TLS "
                        "handshake failed: the error log says which");
        }

#endif

        return;
    }

    if (u->headers_in.status_n && u->buffer.pos != u->buffer.last) {
        result->error = NGX_HTTP_WEBHOOK_ERR_PROTOCOL;
        ngx_str_set(&result->message, "the answer is not HTTP");
        return;
    }

    result->error = NGX_HTTP_WEBHOOK_ERR_RESET;

    if (u->state->bytes_received) {
        ngx_str_set(&result->message,
                    "the answer broke off within its headers");
        return;
    }

    ngx_str_set(&result->message, "the connection broke before an answer");

    result->stale = u->peer.cached;
}


/*
 * A status line is none before all headers are there, unless these are more
 * than the location's buffer holds: that will not be otherwise next time.
 */

static ngx_uint_t
ngx_http_webhook_via_answered(ngx_http_upstream_t *u)
{
    return u->state == NULL
           || u->state->header_time != (ngx_msec_t) -1
           || (u->buffer.start && u->buffer.last == u->buffer.end);
}


static void
ngx_http_webhook_via_phases(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr)
{
    ngx_str_t                   *peer;
    ngx_http_upstream_state_t   *state;
    ngx_http_webhook_result_t   *result;
    ngx_http_webhook_via_ctx_t  *ctx;

    ctx = d->transport;
    result = &d->result;

    result->total = ngx_current_msec - ctx->started;

    if (sr->upstream == NULL || sr->upstream->state == NULL) {
        return;
    }

    state = sr->upstream->state;
    result->reused = sr->upstream->peer.cached;

    if (state->connect_time != (ngx_msec_t) -1 && !result->reused) {
        result->connect = state->connect_time;
    }

    if (state->header_time != (ngx_msec_t) -1) {
        result->first_byte = state->header_time;
    }

    if (state->peer == NULL) {
        return;
    }

    /* the configuration's memory may be gone before the log is written */

    peer = state->peer;

    result->peer.data = ngx_pstrdup(d->pool, peer);
    if (result->peer.data) {
        result->peer.len = peer->len;
    }
}


static ngx_int_t
ngx_http_webhook_via_header_filter(ngx_http_request_t *r)
{
    ngx_http_webhook_via_ctx_t   *ctx;
    ngx_http_webhook_detached_t  *d;

    d = ngx_http_webhook_detached_get(r);

    if (d == NULL) {
        return ngx_http_next_header_filter(r);
    }

    ngx_http_webhook_fake_handlers(r->connection);

    if (ngx_http_webhook_own_part(d, r)) {
        return ngx_http_next_header_filter(r);
    }

    r->header_sent = 1;

    if (d->header) {
        return d->header(d, r);
    }

    ctx = d->transport;

    if (r != d->sr || ctx == NULL) {
        return NGX_OK;
    }

    r->filter_need_in_memory = 1;

    ctx->header = 1;
    d->result.status = r->headers_out.status;

    ngx_http_webhook_via_headers(d, r);

    return NGX_OK;
}


static void
ngx_http_webhook_via_headers(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr)
{
    u_char                     *p;
    size_t                      len;
    ngx_uint_t                  i;
    ngx_list_part_t            *part;
    ngx_table_elt_t            *h;
    ngx_http_webhook_result_t  *result;

    result = &d->result;

    len = sr->headers_out.content_type.len
          + sizeof("Content-Type: " CRLF) - 1;

    for (part = &sr->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash) {
                len += h[i].key.len + sizeof(": " CRLF) - 1 + h[i].value.len;
            }
        }
    }

    len = ngx_min(len, NGX_HTTP_WEBHOOK_VIA_HEADERS);

    p = ngx_pnalloc(d->pool, len);
    if (p == NULL) {
        return;
    }

    result->headers.data = p;

    if (sr->headers_out.content_type.len) {
        p = ngx_slprintf(p, result->headers.data + len,
                         "Content-Type: %V" CRLF,
                         &sr->headers_out.content_type);
    }

    for (part = &sr->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0) {
                continue;
            }

            p = ngx_slprintf(p, result->headers.data + len, "%V: %V" CRLF,
                             &h[i].key, &h[i].value);

            if (h[i].key.len == sizeof("Retry-After") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Retry-After",
                                   h[i].key.len)
                   == 0)
            {
                result->retry_after = h[i].value;
            }
        }
    }

    result->headers.len = p - result->headers.data;
}


static ngx_int_t
ngx_http_webhook_via_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    size_t                        size, n;
    ngx_buf_t                    *b;
    ngx_chain_t                  *cl;
    ngx_http_webhook_result_t    *result;
    ngx_http_webhook_via_ctx_t   *ctx;
    ngx_http_webhook_detached_t  *d;

    d = ngx_http_webhook_detached_get(r);

    if (d == NULL || ngx_http_webhook_own_part(d, r)) {
        return ngx_http_next_body_filter(r, in);
    }

    if (d->body) {
        return d->body(d, r, in);
    }

    ctx = d->transport;
    result = &d->result;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (r == d->sr && ctx) {
            ctx->body = 1;

            if (b->last_buf || b->last_in_chain) {
                ctx->last = 1;
            }

            size = ngx_buf_size(b);
            n = ngx_min(size, d->body_max - result->body.len);

            if (n && ngx_buf_in_memory(b)) {

                if (result->body.data == NULL) {
                    result->body.data = ngx_pnalloc(d->pool, d->body_max);
                }

                if (result->body.data) {
                    ngx_memcpy(result->body.data + result->body.len, b->pos,
                               n);
                    result->body.len += n;
                }
            }

            result->body_size += size;
        }

        /* what is not taken stalls the pipe */

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    if (ctx && !ctx->enough
        && result->body_size > d->body_max + NGX_HTTP_WEBHOOK_VIA_SURPLUS)
    {
        ctx->enough = 1;
        ngx_http_webhook_detached_enough(d);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_via_guard(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_webhook_via_ctx_t   *ctx;
    ngx_http_webhook_detached_t  *d;

    d = ngx_http_webhook_detached_get(r);

    if (d == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_webhook_fake_handlers(r->connection);

    if (d->guard) {
        return d->guard(d, r);
    }

    ctx = d->transport;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ctx && clcf == ctx->loc) {
        return NGX_DECLINED;
    }

    return NGX_HTTP_FORBIDDEN;
}


ngx_int_t
ngx_http_webhook_via_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_webhook_via_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_webhook_via_body_filter;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_webhook_via_guard;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_webhook_via_guard;

    return NGX_OK;
}
