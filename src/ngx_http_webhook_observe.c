
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: the response to a client's request, buffer by buffer.  Out: the same to
 * the next filter, at once; and, after its last byte, a copy of it, if it is
 * not known.  Next room: observe_read.c, by way of observe_copy.c.
 */


#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_zone.h"


static ngx_int_t ngx_http_webhook_observe_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_webhook_observe_refuse(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, ngx_http_webhook_observe_ctx_t *ctx);
static ngx_http_webhook_observe_ctx_t *ngx_http_webhook_observe_ctx(
    ngx_http_request_t *r);
static ngx_http_webhook_observe_ctx_t *ngx_http_webhook_observe_create(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_webhook_observe_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_webhook_observe_end(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t whole);
static void ngx_http_webhook_observe_finish(void *data);
static void ngx_http_webhook_observe_cleanup(void *data);
static ngx_int_t ngx_http_webhook_observe_log(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_webhook_observe_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt           *h;
    ngx_http_core_main_conf_t     *cmcf;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);

    if (!mcf->observed) {
        return NGX_OK;
    }

    if (ngx_http_webhook_observe_check(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_webhook_digest_init();
    ngx_http_webhook_observe_clock();

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_webhook_observe_encodings;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_webhook_observe_log;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_webhook_observe_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_webhook_observe_body_filter;

    return NGX_OK;
}


ngx_uint_t
ngx_http_webhook_observe_events(ngx_http_request_t *r)
{
    ngx_http_webhook_observe_ctx_t  *ctx;

    ctx = ngx_http_webhook_observe_ctx(r->main);

    return ctx ? ctx->events : 0;
}


static ngx_int_t
ngx_http_webhook_observe_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                             rc;
    ngx_http_webhook_route_t             *route;
    ngx_http_webhook_observe_t           *observe;
    ngx_http_webhook_observe_ctx_t       *ctx;
    ngx_http_webhook_observe_captures_t   kept;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ngx_http_webhook_observe_keep(r, &kept);

    route = ngx_http_webhook_observe_choose(r, &observe);
    ctx = route ? ngx_http_webhook_observe_start(r, route, observe) : NULL;

    ngx_http_webhook_observe_restore(r, &kept);

    rc = ngx_http_next_header_filter(r);

    if (ctx && r->headers_out.status == NGX_HTTP_NO_CONTENT) {
        ngx_http_webhook_observe_end(ctx, 1);
    }

    return rc;
}


ngx_http_webhook_route_t *
ngx_http_webhook_observe_choose(ngx_http_request_t *r,
    ngx_http_webhook_observe_t **observe)
{
    ngx_http_webhook_route_t        *route;
    ngx_http_webhook_loc_conf_t     *wlcf;
    ngx_http_webhook_main_conf_t    *mcf;
    ngx_http_webhook_observe_ctx_t  *ctx;

    ctx = ngx_http_webhook_observe_ctx(r);

    if (ctx && ctx->done) {
        return NULL;
    }

    if (ctx) {

        /* a later filter had the response replaced */

        ngx_http_webhook_observe_give_up(ctx, NGX_HTTP_WEBHOOK_OBSERVE_NO);
        return NULL;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    if (wlcf->observe == NULL
        || mcf->zone == NULL
        || r->method == NGX_HTTP_HEAD
        || r->post_action)
    {
        return NULL;
    }

    route = ngx_http_webhook_observe_match(r, wlcf->observe, observe);

    if (route == NULL) {
        ngx_http_webhook_observe_note(r, NULL, NGX_HTTP_WEBHOOK_CNT_NO_ROUTE,
                                      NULL);
        return NULL;
    }

    return route->ignore ? NULL : route;
}


ngx_http_webhook_observe_ctx_t *
ngx_http_webhook_observe_start(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, ngx_http_webhook_observe_t *observe)
{
    ngx_uint_t                       counter;
    ngx_http_webhook_observe_ctx_t  *ctx;

    ctx = ngx_http_webhook_observe_create(r);
    if (ctx == NULL) {
        ngx_http_webhook_observe_note(r, observe->api,
                                      NGX_HTTP_WEBHOOK_CNT_TOTAL, NULL);
        return NULL;
    }

    ctx->observe = observe;
    ctx->route = route;

    counter = ngx_http_webhook_observe_refuse(r, route, ctx);

    if (counter != NGX_HTTP_WEBHOOK_OBSERVE_NO) {
        ngx_http_webhook_observe_give_up(ctx, counter);
        return NULL;
    }

    ngx_http_webhook_digest_begin(r, route, &ctx->digest);

    ctx->reading = 1;

    if (route->blind) {
        ctx->complete = 1;

    } else {
        r->filter_need_in_memory = 1;
    }

    return ctx;
}


static ngx_uint_t
ngx_http_webhook_observe_refuse(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, ngx_http_webhook_observe_ctx_t *ctx)
{
    ngx_str_t                     *type;
    ngx_uint_t                     status;
    ngx_table_elt_t               *h;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    status = r->headers_out.status;

    if (status < NGX_HTTP_OK
        || status == NGX_HTTP_PARTIAL_CONTENT
        || status == NGX_HTTP_NOT_MODIFIED
        || (status == NGX_HTTP_NO_CONTENT && !route->bodyless)
        || !ngx_http_webhook_api_status(route, status))
    {
        return NGX_HTTP_WEBHOOK_CNT_STATUS;
    }

    if (status == NGX_HTTP_NO_CONTENT || route->blind) {
        return NGX_HTTP_WEBHOOK_OBSERVE_NO;
    }

    type = &r->headers_out.content_type;

    if (type->len >= sizeof("text/event-stream") - 1
        && ngx_strncasecmp(type->data, (u_char *) "text/event-stream",
                           sizeof("text/event-stream") - 1)
           == 0)
    {
        return NGX_HTTP_WEBHOOK_CNT_NOT_JSON;
    }

    h = r->headers_out.content_encoding;

    if (h && h->hash && h->value.len) {

        if ((h->value.len == sizeof("gzip") - 1
             && ngx_strncasecmp(h->value.data, (u_char *) "gzip",
                                sizeof("gzip") - 1)
                == 0)
            || (h->value.len == sizeof("x-gzip") - 1
                && ngx_strncasecmp(h->value.data, (u_char *) "x-gzip",
                                   sizeof("x-gzip") - 1)
                   == 0))
        {
            ctx->gzip = 1;

        } else if (h->value.len != sizeof("identity") - 1
                   || ngx_strncasecmp(h->value.data, (u_char *) "identity",
                                      sizeof("identity") - 1)
                      != 0)
        {
            return NGX_HTTP_WEBHOOK_CNT_ENCODING;
        }
    }

    ctx->expected = r->headers_out.content_length_n;

    if (ctx->expected > (off_t) mcf->buffer_size) {
        return NGX_HTTP_WEBHOOK_CNT_TOO_LARGE;
    }

    return NGX_HTTP_WEBHOOK_OBSERVE_NO;
}


static ngx_http_webhook_observe_ctx_t *
ngx_http_webhook_observe_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    /* an internal redirect would wipe it from r->ctx */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_webhook_observe_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static ngx_http_webhook_observe_ctx_t *
ngx_http_webhook_observe_create(ngx_http_request_t *r)
{
    ngx_http_cleanup_t              *end;
    ngx_pool_cleanup_t              *cln;
    ngx_http_webhook_observe_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_webhook_observe_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_webhook_observe_ctx_t));

    ctx->request = r;
    ctx->expected = -1;
    ctx->known = NGX_AGAIN;
    ctx->peek = 64;

    cln->handler = ngx_http_webhook_observe_cleanup;

    /* before the request is logged */

    end = ngx_http_cleanup_add(r, 0);
    if (end == NULL) {
        return NULL;
    }

    end->handler = ngx_http_webhook_observe_finish;
    end->data = ctx;

    return ctx;
}


static ngx_int_t
ngx_http_webhook_observe_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                             rc;
    ngx_uint_t                            last;
    ngx_http_webhook_loc_conf_t          *wlcf;
    ngx_http_webhook_observe_ctx_t       *ctx;
    ngx_http_webhook_observe_captures_t   kept;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);

    if (in == NULL || wlcf->observe == NULL || r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    ctx = ngx_http_webhook_observe_ctx(r);

    if (ctx == NULL || !ctx->reading) {
        return ngx_http_next_body_filter(r, in);
    }

    if (!ctx->body) {
        ctx->body = 1;

        /* the range filter has its say after our header filter */

        if (r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT) {
            ngx_http_webhook_observe_give_up(ctx, NGX_HTTP_WEBHOOK_CNT_STATUS);
            return ngx_http_next_body_filter(r, in);
        }
    }

    ngx_http_webhook_observe_keep(r, &kept);

    last = ngx_http_webhook_observe_copy(ctx, in);

    ngx_http_webhook_observe_restore(r, &kept);

    rc = ngx_http_next_body_filter(r, in);

    if (last) {
        ngx_http_webhook_observe_end(ctx, 1);
    }

    return rc;
}


static void
ngx_http_webhook_observe_end(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t whole)
{
    ngx_http_webhook_observe_captures_t  kept;

    ngx_http_webhook_observe_keep(ctx->request, &kept);

    ngx_http_webhook_observe_read(ctx, whole);

    ngx_http_webhook_observe_restore(ctx->request, &kept);
}


/* the request ends: what came without a last buffer may be whole still */

static void
ngx_http_webhook_observe_finish(void *data)
{
    ngx_http_webhook_observe_ctx_t  *ctx = data;

    if (ctx->reading) {
        ngx_http_webhook_observe_end(ctx, ctx->complete
                                          || ctx->received == ctx->expected);
    }
}


static void
ngx_http_webhook_observe_cleanup(void *data)
{
    ngx_http_webhook_observe_ctx_t  *ctx = data;

    ngx_http_webhook_observe_release(ctx);
}


static ngx_int_t
ngx_http_webhook_observe_log(ngx_http_request_t *r)
{
    ngx_uint_t                     status;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_observe_t    *observe;
    ngx_http_webhook_loc_conf_t   *wlcf;
    ngx_http_webhook_main_conf_t  *mcf;

    status = r->headers_out.status;

    /* without one a connection was closed under the request: as QUIC does */

    if ((status != NGX_HTTP_CLIENT_CLOSED_REQUEST && status != 0)
        || r != r->main)
    {
        return NGX_OK;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    if (wlcf->observe == NULL
        || mcf->zone == NULL
        || ngx_http_webhook_observe_ctx(r))
    {
        return NGX_OK;
    }

    route = ngx_http_webhook_observe_match(r, wlcf->observe, &observe);

    if (route && !route->ignore) {
        ngx_http_webhook_observe_note(r, observe->api,
                                      NGX_HTTP_WEBHOOK_CNT_ABORTED, NULL);
    }

    return NGX_OK;
}
