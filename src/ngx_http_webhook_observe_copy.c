
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: buffers of a response.  Out: one copy of their bytes, as long as it may
 * become a document, within the limits of the response and of the worker; none
 * of what comes in one piece and is known.
 * Next room: observe_read.c.
 */


#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_inflate.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_OBSERVE_CHUNK  4096   /* bytes, the first allocation */
#define NGX_HTTP_WEBHOOK_OBSERVE_PEEK   512    /* bytes */
#define NGX_HTTP_WEBHOOK_OBSERVE_SPARES 16
#define NGX_HTTP_WEBHOOK_OBSERVE_SPARE  131072 /* bytes of one, at most */


typedef struct {
    u_char                       *data;
    size_t                        size;
} ngx_http_webhook_observe_spare_t;


static ngx_uint_t ngx_http_webhook_observe_append(
    ngx_http_webhook_observe_ctx_t *ctx, u_char *p, size_t n);
static ngx_uint_t ngx_http_webhook_observe_peek(
    ngx_http_webhook_observe_ctx_t *ctx);
static ngx_uint_t ngx_http_webhook_observe_grow(
    ngx_http_webhook_observe_ctx_t *ctx, size_t n);
static u_char *ngx_http_webhook_observe_alloc(size_t size, size_t *room,
    ngx_log_t *log);
static void ngx_http_webhook_observe_too_large(
    ngx_http_webhook_observe_ctx_t *ctx);


size_t  ngx_http_webhook_observe_total;

static ngx_uint_t  ngx_http_webhook_observe_warned;

static ngx_http_webhook_observe_spare_t
    ngx_http_webhook_observe_spares[NGX_HTTP_WEBHOOK_OBSERVE_SPARES];
static ngx_uint_t  ngx_http_webhook_observe_nspares;


/* whether it was the end, and there is something to read */

ngx_uint_t
ngx_http_webhook_observe_copy(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_chain_t *in)
{
    off_t                          before;
    ngx_buf_t                     *b;
    ngx_uint_t                     counter, last;
    ngx_chain_t                   *cl;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_webhook_module);

    before = ctx->received;
    last = 0;

    for (cl = in; cl; cl = cl->next) {

        b = cl->buf;

        if (b->last_buf
            || (b->last_in_chain && ctx->request != ctx->request->main))
        {
            last = 1;
        }

        if (ctx->complete) {
            continue;
        }

        if (!ngx_buf_in_memory(b)) {

            if (!b->in_file) {
                continue;
            }

            /* somebody did not heed filter_need_in_memory */

            ngx_http_webhook_observe_give_up(ctx,
                                             NGX_HTTP_WEBHOOK_CNT_TRUNCATED);
            return 0;
        }

        ctx->received += b->last - b->pos;

        if (ctx->received > (off_t) mcf->buffer_size) {
            ngx_http_webhook_observe_give_up(ctx,
                                             NGX_HTTP_WEBHOOK_CNT_TOO_LARGE);
            return 0;
        }

        ngx_http_webhook_digest_add(&ctx->digest, b->pos, b->last - b->pos);
    }

    if (ctx->complete) {
        return last;
    }

    /*
     * The last buffer may come by itself, and what came before it may wait for
     * it: it is read then.
     */

    if (last || (ctx->expected != -1 && ctx->received >= ctx->expected)) {
        ctx->complete = 1;
    }

    /* once it is sent, nothing of it may be left */

    if (ctx->complete && before == 0
        && ngx_http_webhook_observe_known(ctx) == NGX_OK)
    {
        return last;
    }

    for (cl = in; cl; cl = cl->next) {

        b = cl->buf;

        if (!ngx_buf_in_memory(b) || b->last == b->pos) {
            continue;
        }

        counter = ngx_http_webhook_observe_append(ctx, b->pos,
                                                  b->last - b->pos);

        if (counter == NGX_HTTP_WEBHOOK_CNT_NOT_JSON
            && ngx_http_webhook_observe_bare(ctx))
        {
            ctx->len = 0;
            ctx->complete = 1;
            return last;
        }

        if (counter != NGX_HTTP_WEBHOOK_OBSERVE_NO) {
            ngx_http_webhook_observe_give_up(ctx, counter);
            return 0;
        }
    }

    return last;
}


static ngx_uint_t
ngx_http_webhook_observe_append(ngx_http_webhook_observe_ctx_t *ctx,
    u_char *p, size_t n)
{
    ngx_uint_t  counter;

    if (!ctx->json && !ctx->gzip) {

        while (n && (*p == ' ' || *p == CR || *p == LF || *p == '\t')) {
            p++;
            n--;
        }

        if (n == 0) {
            return NGX_HTTP_WEBHOOK_OBSERVE_NO;
        }

        if (!ngx_http_webhook_observe_json(ctx->route, *p)) {
            return NGX_HTTP_WEBHOOK_CNT_NOT_JSON;
        }

        ctx->json = 1;
    }

    counter = ngx_http_webhook_observe_grow(ctx, n);

    if (counter != NGX_HTTP_WEBHOOK_OBSERVE_NO) {
        return counter;
    }

    ngx_memcpy(ctx->data + ctx->len, p, n);
    ctx->len += n;

    if (ctx->json || ctx->len < ctx->peek) {
        return NGX_HTTP_WEBHOOK_OBSERVE_NO;
    }

    return ngx_http_webhook_observe_peek(ctx);
}


/* which may be with a byte order mark */

ngx_uint_t
ngx_http_webhook_observe_json(ngx_http_webhook_route_t *route, u_char ch)
{
    if (ch == '{' || ch == '[' || ch == 0xef || route->text) {
        return 1;
    }

    return route->scalar
           && (ch == '"' || ch == '-' || (ch >= '0' && ch <= '9')
               || ch == 't' || ch == 'f');
}


/* looks at the first inflated bytes, each time twice as many have come */

static ngx_uint_t
ngx_http_webhook_observe_peek(ngx_http_webhook_observe_ctx_t *ctx)
{
    size_t     i, n;
    u_char     out[NGX_HTTP_WEBHOOK_OBSERVE_PEEK];
    ngx_int_t  rc;

    ctx->peek = 2 * ctx->len;

    rc = ngx_http_webhook_inflate(ctx->data, ctx->len, out, sizeof(out), &n);

    if (rc == NGX_ABORT) {
        return NGX_HTTP_WEBHOOK_CNT_TOTAL;
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_WEBHOOK_CNT_ENCODING;
    }

    for (i = 0; i < n; i++) {

        switch (out[i]) {

        case ' ':
        case CR:
        case LF:
        case '\t':
            break;

        default:

            if (!ngx_http_webhook_observe_json(ctx->route, out[i])) {
                return NGX_HTTP_WEBHOOK_CNT_NOT_JSON;
            }

            ctx->json = 1;
            return NGX_HTTP_WEBHOOK_OBSERVE_NO;
        }
    }

    return NGX_HTTP_WEBHOOK_OBSERVE_NO;
}


static ngx_uint_t
ngx_http_webhook_observe_grow(ngx_http_webhook_observe_ctx_t *ctx, size_t n)
{
    u_char                        *data;
    size_t                         size, room;
    ngx_http_webhook_main_conf_t  *mcf;

    if (ctx->size - ctx->len >= n) {
        return NGX_HTTP_WEBHOOK_OBSERVE_NO;
    }

    mcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_webhook_module);

    size = (ctx->expected > 0) ? NGX_HTTP_WEBHOOK_OBSERVE_SPARE
                               : NGX_HTTP_WEBHOOK_OBSERVE_CHUNK;

    size = ngx_max(2 * ctx->size, size);
    size = ngx_min(size, mcf->buffer_size);

    if (ctx->expected > 0 && size > (size_t) ctx->expected) {
        size = ctx->expected;
    }

    size = ngx_max(size, ctx->len + n);

    if (ngx_http_webhook_observe_total + size - ctx->size > mcf->buffer_total) {
        return NGX_HTTP_WEBHOOK_CNT_TOTAL;
    }

    data = ngx_http_webhook_observe_alloc(size, &room,
                                          ctx->request->connection->log);
    if (data == NULL) {
        return NGX_HTTP_WEBHOOK_CNT_TOTAL;
    }

    if (ctx->data) {
        ngx_memcpy(data, ctx->data, ctx->len);
        ngx_free(ctx->data);
    }

    ngx_http_webhook_observe_total += size - ctx->size;

    ctx->data = data;
    ctx->size = size;
    ctx->room = room;

    return NGX_HTTP_WEBHOOK_OBSERVE_NO;
}


/*
 * A spare one, or a new one.  malloc() would give memory of this size back to
 * the system each time, and every page of it would be a page fault again.
 */

static u_char *
ngx_http_webhook_observe_alloc(size_t size, size_t *room, ngx_log_t *log)
{
    ngx_uint_t                         i;
    ngx_http_webhook_observe_spare_t  *spare, found;

    spare = ngx_http_webhook_observe_spares;

    /* the latest, which is warm, first */

    for (i = ngx_http_webhook_observe_nspares; i; i--) {

        if (spare[i - 1].size < size || spare[i - 1].size / 2 > size) {
            continue;
        }

        found = spare[i - 1];

        ngx_http_webhook_observe_nspares--;

        ngx_memmove(&spare[i - 1], &spare[i],
                    (ngx_http_webhook_observe_nspares - (i - 1))
                    * sizeof(ngx_http_webhook_observe_spare_t));

        *room = found.size;

        return found.data;
    }

    *room = size;

    return ngx_alloc(size, log);
}


void
ngx_http_webhook_observe_give_up(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t counter)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "webhook observe gave up: %i", (ngx_int_t) counter);

    ctx->reading = 0;
    ctx->done = 1;

    ngx_http_webhook_observe_release(ctx);

    if (counter == NGX_HTTP_WEBHOOK_OBSERVE_NO) {
        return;
    }

    ngx_http_webhook_observe_note(ctx->request, ctx->observe->api, counter,
                                  NULL);

    if (counter == NGX_HTTP_WEBHOOK_CNT_TOO_LARGE) {
        ngx_http_webhook_observe_too_large(ctx);
    }
}


void
ngx_http_webhook_observe_release(ngx_http_webhook_observe_ctx_t *ctx)
{
    ngx_http_webhook_observe_spare_t  *spare;

    if (ctx->data == NULL) {
        return;
    }

    spare = ngx_http_webhook_observe_spares;

    if (ctx->room > NGX_HTTP_WEBHOOK_OBSERVE_SPARE
        || ctx->room < NGX_HTTP_WEBHOOK_OBSERVE_CHUNK)
    {
        ngx_free(ctx->data);

    } else {

        if (ngx_http_webhook_observe_nspares == NGX_HTTP_WEBHOOK_OBSERVE_SPARES)
        {
            /* the oldest may be of a size that is asked for no more */

            ngx_http_webhook_observe_nspares--;

            ngx_free(spare[0].data);
            ngx_memmove(&spare[0], &spare[1],
                        ngx_http_webhook_observe_nspares
                        * sizeof(ngx_http_webhook_observe_spare_t));
        }

        spare += ngx_http_webhook_observe_nspares++;

        spare->data = ctx->data;
        spare->size = ctx->room;
    }

    ngx_http_webhook_observe_total -= ctx->size;

    ctx->data = NULL;
    ctx->size = 0;
    ctx->len = 0;
}


static void
ngx_http_webhook_observe_too_large(ngx_http_webhook_observe_ctx_t *ctx)
{
    ngx_http_webhook_main_conf_t  *mcf;

    if (ngx_http_webhook_observe_warned) {
        return;
    }

    ngx_http_webhook_observe_warned = 1;

    mcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_webhook_module);

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "a response observed as \"%V\" is larger than "
                  "webhook_buffer_size (%uz bytes) and was not read; "
                  "more of them will only be counted",
                  &ctx->observe->api->name, mcf->buffer_size);
}
