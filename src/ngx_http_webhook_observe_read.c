
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: the copy of a response.  Out: observations, unless the same was read
 * before; each goes on to emit.c, which makes events of it.
 */


#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_emit.h"
#include "ngx_http_webhook_inflate.h"
#include "ngx_http_webhook_json.h"
#include "ngx_http_webhook_seen.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_OBSERVE_STEP  100     /* ms; what is less, NTP slews */


/* what came of an answer, in numbers */

typedef struct {
    ngx_uint_t  changed;
    ngx_uint_t  failed;
    ngx_uint_t  refused;
    ngx_uint_t  unknown;
} ngx_http_webhook_observed_t;


static ngx_int_t ngx_http_webhook_observe_realm(
    ngx_http_webhook_observe_ctx_t *ctx);
static ngx_uint_t ngx_http_webhook_observe_document(
    ngx_http_webhook_observe_ctx_t *ctx, ngx_uint_t whole, json_t **doc);
static ngx_uint_t ngx_http_webhook_observe_inflate(
    ngx_http_webhook_observe_ctx_t *ctx, ngx_uint_t whole);
static ngx_uint_t ngx_http_webhook_observe_events_of(
    ngx_http_webhook_observe_ctx_t *ctx, json_t *doc, ngx_uint_t *still);
static ngx_uint_t ngx_http_webhook_observe_route(
    ngx_http_webhook_observe_ctx_t *ctx, ngx_http_webhook_route_t *route,
    json_t *doc, ngx_http_webhook_observed_t *observed);
static void ngx_http_webhook_observe_ids(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_array_t *list);
static uint64_t ngx_http_webhook_observe_began(ngx_http_request_t *r);
static void ngx_http_webhook_observe_compare(void);


/*
 * How much the wall clock is ahead of the monotonic one; how much it was before
 * it was set, and when that was seen; ms.
 */

static int64_t  ngx_http_webhook_observe_ahead;
static int64_t  ngx_http_webhook_observe_was;
static int64_t  ngx_http_webhook_observe_set = -1;


ngx_int_t
ngx_http_webhook_observe_known(ngx_http_webhook_observe_ctx_t *ctx)
{
    ngx_str_t            method;
    ngx_http_request_t  *r;

    if (ctx->known != NGX_AGAIN) {
        return ctx->known;
    }

    if (ngx_http_webhook_observe_realm(ctx) != NGX_OK) {
        ctx->known = NGX_ERROR;
        return NGX_ERROR;
    }

    r = ctx->request;

    ngx_http_webhook_observe_method(r, &method);

    ctx->known = ngx_http_webhook_digest_end(r, ctx->observe->api, ctx->route,
                                             ctx->realm, &method,
                                             &ctx->digest);
    return ctx->known;
}


static ngx_int_t
ngx_http_webhook_observe_realm(ngx_http_webhook_observe_ctx_t *ctx)
{
    static ngx_str_t  none = ngx_null_string;

    if (ctx->realm) {
        return NGX_OK;
    }

    if (ctx->observe->realm == NULL) {
        ctx->realm = &none;
        return NGX_OK;
    }

    if (ctx->observe->realm->lengths == NULL) {
        ctx->realm = &ctx->observe->realm->value;
        return NGX_OK;
    }

    ctx->realm = &ctx->own_realm;

    return ngx_http_complex_value(ctx->request, ctx->observe->realm,
                                  ctx->realm);
}


void
ngx_http_webhook_observe_read(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t whole)
{
    json_t                        *doc;
    ngx_int_t                      rc;
    ngx_uint_t                     counter, still;
    ngx_http_request_t            *r;
    ngx_http_webhook_main_conf_t  *mcf;

    ctx->reading = 0;
    ctx->done = 1;

    r = ctx->request;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    if (whole) {
        rc = ngx_http_webhook_observe_known(ctx);

    } else {
        rc = ngx_http_webhook_observe_realm(ctx);
    }

    if (rc == NGX_ERROR) {
        ngx_http_webhook_observe_give_up(ctx, NGX_HTTP_WEBHOOK_CNT_TOTAL);
        return;
    }

    if (whole && rc == NGX_OK) {
        ngx_http_webhook_observe_give_up(ctx, NGX_HTTP_WEBHOOK_CNT_UNCHANGED);
        return;
    }

    counter = ngx_http_webhook_observe_document(ctx, whole, &doc);

    if (counter != NGX_HTTP_WEBHOOK_OBSERVE_NO) {
        ngx_http_webhook_observe_give_up(ctx, counter);
        return;
    }

    /* the tree has it all; it may be many times as large */

    ngx_http_webhook_observe_release(ctx);

    counter = ngx_http_webhook_observe_events_of(ctx, doc, &still);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "webhook observe read: events:%ui still:%ui reason:%i",
                   ctx->events, still, (ngx_int_t) counter);

    ngx_http_webhook_zone_count(mcf->zone, NGX_HTTP_WEBHOOK_CNT_READ, 1);

    ngx_http_webhook_observe_note(r, ctx->observe->api, counter, ctx);

    if (rc == NGX_DECLINED && still) {
        ngx_http_webhook_zone_digest_store(mcf->zone, ctx->digest.key,
                                           ctx->digest.value);
    }
}


/* *doc: NULL when there is no body and none is needed */

static ngx_uint_t
ngx_http_webhook_observe_document(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t whole, json_t **doc)
{
    ngx_uint_t   counter;
    const char  *reason;

    *doc = NULL;

    if (ctx->len == 0) {

        if (!whole) {
            return NGX_HTTP_WEBHOOK_CNT_TRUNCATED;
        }

        return ctx->route->bodyless ? NGX_HTTP_WEBHOOK_OBSERVE_NO
                                    : NGX_HTTP_WEBHOOK_CNT_NOT_JSON;
    }

    if (ctx->gzip) {
        counter = ngx_http_webhook_observe_inflate(ctx, whole);

        if (counter != NGX_HTTP_WEBHOOK_OBSERVE_NO) {
            return counter;
        }
    }

    reason = NULL;

    *doc = ctx->route->text
           ? ngx_http_webhook_json_line(ctx->data, ctx->len, &reason)
           : ngx_http_webhook_json_parse(ctx->data, ctx->len, &reason);

    /* a line of text and a number do not say where they end */

    if (*doc && !whole && (ctx->route->text || json_is_number(*doc))) {
        json_decref(*doc);
        *doc = NULL;
    }

    if (*doc) {
        return NGX_HTTP_WEBHOOK_OBSERVE_NO;
    }

    if (!whole) {
        return NGX_HTTP_WEBHOOK_CNT_TRUNCATED;
    }

    return ngx_http_webhook_observe_bare(ctx)
           ? NGX_HTTP_WEBHOOK_OBSERVE_NO
           : ngx_http_webhook_observe_parse_reason(reason);
}


ngx_uint_t
ngx_http_webhook_observe_bare(ngx_http_webhook_observe_ctx_t *ctx)
{
    return ctx->route->bodyless
           && ctx->request->headers_out.status >= NGX_HTTP_SPECIAL_RESPONSE;
}


ngx_uint_t
ngx_http_webhook_observe_parse_reason(const char *reason)
{
    if (ngx_strcmp(reason, "inexact") == 0
        || ngx_strcmp(reason, "too deep") == 0
        || ngx_strcmp(reason, "too many values") == 0)
    {
        return NGX_HTTP_WEBHOOK_CNT_INEXACT;
    }

    if (ngx_strcmp(reason, "no memory") == 0) {
        return NGX_HTTP_WEBHOOK_CNT_TOTAL;
    }

    return NGX_HTTP_WEBHOOK_CNT_NOT_JSON;
}


static ngx_uint_t
ngx_http_webhook_observe_inflate(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t whole)
{
    u_char                        *data;
    size_t                         len, max, size;
    ngx_int_t                      rc;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_webhook_module);

    max = mcf->buffer_size;
    size = ngx_min(8 * ctx->len, max);

    for ( ;; ) {

        if (ngx_http_webhook_observe_total + size > mcf->buffer_total) {
            return NGX_HTTP_WEBHOOK_CNT_TOTAL;
        }

        data = ngx_alloc(size, ctx->request->connection->log);
        if (data == NULL) {
            return NGX_HTTP_WEBHOOK_CNT_TOTAL;
        }

        rc = ngx_http_webhook_inflate(ctx->data, ctx->len, data, size, &len);

        if (rc == NGX_OK || (rc == NGX_AGAIN && !whole)) {
            break;
        }

        ngx_free(data);

        if (rc == NGX_ABORT) {
            return NGX_HTTP_WEBHOOK_CNT_TOTAL;
        }

        if (rc != NGX_DECLINED) {
            return NGX_HTTP_WEBHOOK_CNT_ENCODING;
        }

        if (size == max) {
            return NGX_HTTP_WEBHOOK_CNT_TOO_LARGE;
        }

        size = max;
    }

    ngx_http_webhook_observe_release(ctx);

    ctx->data = data;
    ctx->len = len;
    ctx->size = size;
    ctx->room = size;

    ngx_http_webhook_observe_total += size;

    return NGX_HTTP_WEBHOOK_OBSERVE_NO;
}


/*
 * Takes the document, and returns the counter that says what came of it.
 * *still: all was applied, and nothing has changed.
 */

static ngx_uint_t
ngx_http_webhook_observe_events_of(ngx_http_webhook_observe_ctx_t *ctx,
    json_t *doc, ngx_uint_t *still)
{
    json_t                       *rest;
    ngx_uint_t                    reason, other, read, again;
    ngx_http_webhook_route_t     *route;
    ngx_http_webhook_observed_t   observed;

    ngx_memzero(&observed, sizeof(ngx_http_webhook_observed_t));

    *still = 0;
    again = 1;
    read = 0;
    reason = NGX_HTTP_WEBHOOK_READ_OK;

    for (route = ctx->route; route; route = route->also) {

        /* "omit" takes nothing from those that read it later */

        rest = (route->also && doc) ? json_deep_copy(doc) : NULL;

        if (route->also && doc && rest == NULL) {
            json_decref(doc);
            return NGX_HTTP_WEBHOOK_CNT_TOTAL;
        }

        other = ngx_http_webhook_observe_route(ctx, route, doc, &observed);

        json_decref(doc);
        doc = rest;

        switch (other) {

        case NGX_HTTP_WEBHOOK_READ_OK:
            read = 1;
            break;

        case NGX_HTTP_WEBHOOK_READ_NO_ID:
        case NGX_HTTP_WEBHOOK_READ_REQUIRE:
            break;

        default:
            again = 0;
        }

        if (route == ctx->route || other == NGX_HTTP_WEBHOOK_READ_NO_MEMORY) {
            reason = other;
        }
    }

    *still = read && again && !observed.changed && !observed.failed
             && !observed.refused;

    /* what could not be stored took its time from what was left then */

    if (observed.refused) {
        return NGX_HTTP_WEBHOOK_CNT_REFUSED;
    }

    if (observed.failed || reason == NGX_HTTP_WEBHOOK_READ_NO_MEMORY) {
        return NGX_HTTP_WEBHOOK_CNT_TOTAL;
    }

    if (ctx->events) {
        return NGX_HTTP_WEBHOOK_CNT_MADE;
    }

    if (!read) {
        return ngx_http_webhook_observe_reason(reason);
    }

    return observed.unknown ? NGX_HTTP_WEBHOOK_CNT_UNKNOWN
                            : NGX_HTTP_WEBHOOK_CNT_STILL;
}


static ngx_uint_t
ngx_http_webhook_observe_route(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_http_webhook_route_t *route, json_t *doc,
    ngx_http_webhook_observed_t *observed)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, before, events, reason, unread;
    ngx_array_t                      list;
    ngx_http_request_t              *r;
    ngx_http_webhook_source_t        source;
    ngx_http_webhook_main_conf_t    *mcf;
    ngx_http_webhook_observation_t  *observation;

    r = ctx->request;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    if (ngx_array_init(&list, r->pool, 4,
                       sizeof(ngx_http_webhook_observation_t))
        != NGX_OK)
    {
        return NGX_HTTP_WEBHOOK_READ_NO_MEMORY;
    }

    unread = 0;

    reason = ngx_http_webhook_api_read(r, ctx->observe->api, route, doc, &list,
                                       &unread);

    if (unread) {
        ngx_http_webhook_zone_count(mcf->zone, NGX_HTTP_WEBHOOK_CNT_UNREAD,
                                    unread);
    }

    ngx_http_webhook_emit_source(&source, r);

    source.api = ctx->observe->api;
    source.route = route;
    source.realm = ctx->realm;
    source.headers = ctx->headers;
    source.start = ngx_http_webhook_observe_began(r);

    before = ctx->events;
    observation = list.elts;

    for (i = 0; i < list.nelts; i++) {

        /* it may be written a thousand times; the next answer goes on */

        if (source.wrote > NGX_HTTP_WEBHOOK_EMIT_SHARED) {
            observed->failed++;
            continue;
        }

        events = ctx->events;

        rc = ngx_http_webhook_emit(&source, &observation[i], &ctx->events,
                                   &observed->changed);

        if (rc == NGX_ERROR) {
            observed->failed++;

        } else if (rc != NGX_OK) {
            observed->refused++;
        }

        observed->unknown += observation[i].unknown;
        observation[i].told = (ctx->events != events);
    }

    if (before == 0 && ctx->events) {
        ctx->ids.len = 0;
    }

    ngx_http_webhook_observe_ids(ctx, &list);

    ctx->executions += list.nelts + unread;

    ngx_http_webhook_api_free(&list);

    return reason;
}


/* for people: those of which there was an event first, as many as are kept */

static void
ngx_http_webhook_observe_ids(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_array_t *list)
{
    u_char                          *p, *first, *last;
    ngx_uint_t                       i;
    ngx_http_webhook_observation_t  *observation, *ob;

    observation = list->elts;

    if (ctx->ids.len >= NGX_HTTP_WEBHOOK_SEEN_IDS - 1) {
        return;
    }

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_WEBHOOK_SEEN_IDS);
    if (p == NULL) {
        return;
    }

    first = p;
    last = p + NGX_HTTP_WEBHOOK_SEEN_IDS;

    if (ctx->ids.len) {
        p = ngx_cpymem(p, ctx->ids.data, ctx->ids.len);
        *p++ = '\0';
    }

    ctx->ids.data = first;

    for (i = 0; i < 2 * list->nelts; i++) {

        ob = &observation[i % list->nelts];

        if (ob->told != (i < list->nelts)) {
            continue;
        }

        if (ob->id.len >= (size_t) (last - p)) {

            if (p == ctx->ids.data) {
                ctx->ids = ob->id;
                return;
            }

            break;
        }

        p = ngx_cpymem(p, ob->id.data, ob->id.len);
        *p++ = '\0';
    }

    if (p != ctx->ids.data) {
        ctx->ids.len = p - 1 - ctx->ids.data;
    }
}


ngx_uint_t
ngx_http_webhook_observe_reason(ngx_uint_t reason)
{
    switch (reason) {

    case NGX_HTTP_WEBHOOK_READ_INEXACT:
        return NGX_HTTP_WEBHOOK_CNT_INEXACT;

    case NGX_HTTP_WEBHOOK_READ_NO_ID:
        return NGX_HTTP_WEBHOOK_CNT_NO_ID;

    case NGX_HTTP_WEBHOOK_READ_REQUIRE:
        return NGX_HTTP_WEBHOOK_CNT_REQUIRE;

    case NGX_HTTP_WEBHOOK_READ_NO_STATUS:
        return NGX_HTTP_WEBHOOK_CNT_NO_STATUS;

    case NGX_HTTP_WEBHOOK_READ_NO_MEMORY:
        return NGX_HTTP_WEBHOOK_CNT_TOTAL;

    default: /* NGX_HTTP_WEBHOOK_READ_NOT_JSON */
        return NGX_HTTP_WEBHOOK_CNT_NOT_JSON;
    }
}


/*
 * When the request began, ms of the monotonic clock, or the second in which a
 * cache got the answer.
 */

static uint64_t
ngx_http_webhook_observe_began(ngx_http_request_t *r)
{
    int64_t  wall, began, before;

    ngx_http_webhook_observe_compare();

    wall = (int64_t) r->start_sec * 1000 + (int64_t) r->start_msec;
    began = wall - ngx_http_webhook_observe_ahead;

    /* by the wall clock as it was before it was set */

    before = wall - ngx_http_webhook_observe_was;

    if (before <= ngx_http_webhook_observe_set
        && (before > began
            || began > (int64_t) ngx_current_msec
                       + NGX_HTTP_WEBHOOK_OBSERVE_STEP))
    {
        began = before;
    }

#if (NGX_HTTP_CACHE)

    if (r->cached
        && r->cache
        && r->upstream
        && r->upstream->cache_status != NGX_HTTP_CACHE_REVALIDATED)
    {
        /* from before the clock was set back, nobody knows how long */

        if (r->cache->date > ngx_time()) {
            return 0;
        }

        began = ngx_min(began, (int64_t) r->cache->date * 1000
                               - ngx_http_webhook_observe_ahead);
    }

#endif

    if (began < 0) {
        return 0;
    }

    return ngx_min((uint64_t) began, (uint64_t) ngx_current_msec);
}


/*
 * The two clocks do not tick together: their difference, in whole ms, varies by
 * one.  It is measured once for all workers, lest of two requests the later one
 * seem the earlier, and again when the wall clock was set.
 */

static void
ngx_http_webhook_observe_compare(void)
{
    int64_t      ahead, apart;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ahead = (int64_t) tp->sec * 1000 + (int64_t) tp->msec
            - (int64_t) ngx_current_msec;

    apart = ahead - ngx_http_webhook_observe_ahead;

    if (apart >= -1 && apart <= 1) {
        return;
    }

    /* less is a pause between two looks at clocks, and soon undone */

    if (apart < -NGX_HTTP_WEBHOOK_OBSERVE_STEP
        || apart > NGX_HTTP_WEBHOOK_OBSERVE_STEP)
    {
        ngx_http_webhook_observe_was = ngx_http_webhook_observe_ahead;
        ngx_http_webhook_observe_set = ngx_current_msec;
    }

    ngx_http_webhook_observe_ahead = ahead;
}


void
ngx_http_webhook_observe_clock(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ngx_http_webhook_observe_ahead = (int64_t) tp->sec * 1000
                                     + (int64_t) tp->msec
                                     - (int64_t) ngx_current_msec;
}
