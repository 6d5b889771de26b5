
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich_fetch: in: URIs, and who asks for them; out: their answers, each
 * asked for once at a time for all that may see the same, and kept for them.
 * Next room: enrich_ask.
 */


#include "ngx_http_webhook_enrich_priv.h"
#include "ngx_http_webhook_inflate.h"
#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_spare.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>


#define NGX_HTTP_WEBHOOK_ENRICH_BUSY      16        /* requests, of a worker */
#define NGX_HTTP_WEBHOOK_ENRICH_ANSWERS   1000      /* kept */
#define NGX_HTTP_WEBHOOK_ENRICH_SIZE      4194304   /* bytes of them */
#define NGX_HTTP_WEBHOOK_ENRICH_PRESSED   50        /* ms, until there may be a
                                                       connection */
#define NGX_HTTP_WEBHOOK_ENRICH_COMPLAIN  60        /* s, between log lines */


typedef struct {
    ngx_http_webhook_cache_t          cache;
    ngx_queue_t                       asks;
    ngx_event_t                       start;
    ngx_event_t                       pressed; /* there is no connection */
    ngx_uint_t                        nbusy;
    time_t                            failed;  /* complained of an answer */
    time_t                            astray;  /* the same, of no location */
    time_t                            barred;  /* the same, of what is never
                                                  asked for */
    time_t                            lost;    /* the same, of no room */
    ngx_uint_t                        seeded;  /* boolean: a secret was made */
    u_char                            secret[NGX_HTTP_WEBHOOK_CACHE_KEY];
} ngx_http_webhook_enrich_worker_t;


static void ngx_http_webhook_enrich_piece(ngx_http_webhook_text_t *text,
    ngx_str_t *piece);
static ngx_int_t ngx_http_webhook_enrich_hash(ngx_http_webhook_text_t *text,
    u_char *key);
static ngx_http_webhook_enrich_ask_t *ngx_http_webhook_enrich_ask(
    ngx_http_webhook_enriching_t *e, ngx_http_webhook_enrich_line_t *line,
    ngx_str_t *uri, u_char *key);
static void ngx_http_webhook_enrich_start(ngx_event_t *ev);
static void ngx_http_webhook_enrich_done(ngx_http_webhook_detached_t *d);
static json_t *ngx_http_webhook_enrich_document(
    ngx_http_webhook_enrich_ask_t *ask);
static void ngx_http_webhook_enrich_answer(ngx_http_webhook_enrich_ask_t *ask,
    json_t *doc);
static void ngx_http_webhook_enrich_keep(ngx_http_webhook_enrich_ask_t *ask,
    json_t *doc);
static void ngx_http_webhook_enrich_failed(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_enrich_ask_t *ask);
static void ngx_http_webhook_enrich_unasked(
    ngx_http_webhook_enrich_ask_t *ask);
static ngx_uint_t ngx_http_webhook_enrich_often(time_t *said);


static ngx_http_webhook_enrich_worker_t  ngx_http_webhook_enrich_worker;


void
ngx_http_webhook_enrich_init_process(ngx_cycle_t *cycle)
{
    ngx_http_webhook_enrich_worker_t  *worker;

    worker = &ngx_http_webhook_enrich_worker;

    ngx_http_webhook_cache_init(&worker->cache,
                                NGX_HTTP_WEBHOOK_ENRICH_ANSWERS,
                                NGX_HTTP_WEBHOOK_ENRICH_SIZE);

    ngx_queue_init(&worker->asks);

    worker->start.handler = ngx_http_webhook_enrich_start;
    worker->start.log = cycle->log;
    worker->start.data = worker;

    /* events that wait have timers of their own */

    worker->pressed = worker->start;
    worker->pressed.cancelable = 1;

    worker->seeded = 0;
}


ngx_int_t
ngx_http_webhook_enrich_who(ngx_http_webhook_enrich_caller_t *caller)
{
    ngx_str_t                 server;
    ngx_uint_t                i;
    ngx_keyval_t             *kv;
    ngx_http_webhook_text_t   text;

    ngx_memzero(&text, sizeof(ngx_http_webhook_text_t));

    server.data = (u_char *) &caller->server;
    server.len = sizeof(void *);

    ngx_http_webhook_enrich_piece(&text, &server);
    ngx_http_webhook_enrich_piece(&text, &caller->host);
    ngx_http_webhook_enrich_piece(&text, &caller->addr_text);

    kv = caller->headers.elts;

    for (i = 0; i < caller->headers.nelts; i++) {
        ngx_http_webhook_enrich_piece(&text, &kv[i].key);
        ngx_http_webhook_enrich_piece(&text, &kv[i].value);
    }

    return ngx_http_webhook_enrich_hash(&text, caller->who);
}


ngx_int_t
ngx_http_webhook_enrich_key(ngx_http_webhook_enriching_t *e, ngx_str_t *uri,
    u_char *key)
{
    ngx_str_t                who;
    ngx_http_webhook_text_t  text;

    ngx_memzero(&text, sizeof(ngx_http_webhook_text_t));

    who.data = e->caller->who;
    who.len = NGX_HTTP_WEBHOOK_CACHE_KEY;

    ngx_http_webhook_enrich_piece(&text, &who);
    ngx_http_webhook_enrich_piece(&text, &e->source.api->name);
    ngx_http_webhook_enrich_piece(&text, e->source.realm);
    ngx_http_webhook_enrich_piece(&text, uri);

    return ngx_http_webhook_enrich_hash(&text, key);
}


/* its length tells where it ends */

static void
ngx_http_webhook_enrich_piece(ngx_http_webhook_text_t *text, ngx_str_t *piece)
{
    ngx_http_webhook_text_append(text, &piece->len, sizeof(size_t));
    ngx_http_webhook_text_append(text, piece->data, piece->len);
}


/* the text, in which there may be credentials, is wiped */

static ngx_int_t
ngx_http_webhook_enrich_hash(ngx_http_webhook_text_t *text, u_char *key)
{
    u_char                            *p;
    unsigned                           len;
    ngx_http_webhook_enrich_worker_t  *worker;

    worker = &ngx_http_webhook_enrich_worker;

    p = NULL;

    if (!worker->seeded) {

        if (RAND_bytes(worker->secret, NGX_HTTP_WEBHOOK_CACHE_KEY) == 1) {
            worker->seeded = 1;

        } else {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "RAND_bytes() failed");
        }
    }

    if (worker->seeded && !text->failed) {
        p = HMAC(EVP_sha256(), worker->secret, NGX_HTTP_WEBHOOK_CACHE_KEY,
                 text->data, text->len, key, &len);
    }

    if (text->data) {
        ngx_memzero(text->data, text->len);
    }

    ngx_http_webhook_text_free(text);

    return p ? NGX_OK : NGX_ERROR;
}


ngx_http_webhook_cache_entry_t *
ngx_http_webhook_enrich_kept(u_char *key)
{
    return ngx_http_webhook_cache_find(&ngx_http_webhook_enrich_worker.cache,
                                       key, ngx_current_msec);
}


ngx_int_t
ngx_http_webhook_enrich_join(ngx_http_webhook_enrich_place_t *place,
    ngx_str_t *uri, u_char *key)
{
    ngx_queue_t                       *q;
    ngx_http_webhook_enrich_ask_t     *ask;
    ngx_http_webhook_enrich_worker_t  *worker;

    worker = &ngx_http_webhook_enrich_worker;
    ask = NULL;

    for (q = ngx_queue_head(&worker->asks);
         q != ngx_queue_sentinel(&worker->asks);
         q = ngx_queue_next(q))
    {
        ask = ngx_queue_data(q, ngx_http_webhook_enrich_ask_t, queue);

        if (ngx_memcmp(ask->key, key, NGX_HTTP_WEBHOOK_CACHE_KEY) == 0) {
            break;
        }

        ask = NULL;
    }

    if (ask == NULL) {
        ask = ngx_http_webhook_enrich_ask(place->event, place->line, uri, key);

        if (ask == NULL) {
            return NGX_ERROR;
        }
    }

    place->ask = ask;

    ngx_queue_insert_tail(&ask->places, &place->queue);

    ngx_post_event(&worker->start, &ngx_posted_events);

    return NGX_OK;
}


void
ngx_http_webhook_enrich_leave(ngx_http_webhook_enrich_place_t *place)
{
    ngx_http_webhook_enrich_ask_t  *ask;

    ask = place->ask;
    place->ask = NULL;

    ngx_queue_remove(&place->queue);

    /* what has begun goes on, for the next one who asks */

    if (ask->detached == NULL && ngx_queue_empty(&ask->places)) {
        ngx_http_webhook_enrich_unasked(ask);
        ngx_queue_remove(&ask->queue);
        ngx_http_webhook_enrich_free(ask);
    }
}


static ngx_http_webhook_enrich_ask_t *
ngx_http_webhook_enrich_ask(ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_enrich_line_t *line, ngx_str_t *uri, u_char *key)
{
    ngx_pool_t                     *pool;
    ngx_http_webhook_enrich_ask_t  *ask;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    ask = ngx_pcalloc(pool, sizeof(ngx_http_webhook_enrich_ask_t));
    if (ask == NULL) {
        goto failed;
    }

    ask->pool = pool;
    ask->api = e->source.api;
    ask->main = e->source.main;
    ask->line = line;
    ask->deadline = ngx_current_msec + NGX_HTTP_WEBHOOK_ENRICH_TIMEOUT;

    ngx_memcpy(ask->key, key, NGX_HTTP_WEBHOOK_CACHE_KEY);

    /* the event may be gone before its answer */

    ask->uri.len = uri->len;
    ask->uri.data = ngx_pstrdup(pool, uri);

    ask->caller = e->caller;

    if (ask->uri.data == NULL
        || ngx_http_webhook_enrich_hold(ask->caller, pool) != NGX_OK)
    {
        goto failed;
    }

    ngx_queue_init(&ask->places);
    ngx_queue_insert_tail(&ngx_http_webhook_enrich_worker.asks, &ask->queue);

    return ask;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* begins what may begin; the rest waits until another one has ended */

static void
ngx_http_webhook_enrich_start(ngx_event_t *ev)
{
    ngx_queue_t                       *q;
    ngx_msec_int_t                     left;
    ngx_http_webhook_enrich_ask_t     *ask;
    ngx_http_webhook_enrich_worker_t  *worker;

    worker = ev->data;

    for ( ;; ) {

        ask = NULL;

        for (q = ngx_queue_head(&worker->asks);
             q != ngx_queue_sentinel(&worker->asks);
             q = ngx_queue_next(q))
        {
            ask = ngx_queue_data(q, ngx_http_webhook_enrich_ask_t, queue);

            if (ask->detached == NULL) {
                break;
            }

            ask = NULL;
        }

        if (ask == NULL || worker->nbusy == NGX_HTTP_WEBHOOK_ENRICH_BUSY) {
            return;
        }

        if (ngx_http_webhook_spare() == 0) {

            if (!worker->pressed.timer_set) {
                ngx_add_timer(&worker->pressed,
                              NGX_HTTP_WEBHOOK_ENRICH_PRESSED);
            }

            return;
        }

        left = (ngx_msec_int_t) (ask->deadline - ngx_current_msec);

        if (left > 0
            && ngx_http_webhook_enrich_send(ask, ngx_http_webhook_enrich_done,
                                            left)
               == NGX_OK)
        {
            worker->nbusy++;
            continue;
        }

        ngx_http_webhook_enrich_unasked(ask);
        ngx_http_webhook_enrich_answer(ask, NULL);
        ngx_http_webhook_enrich_free(ask);
    }
}


static void
ngx_http_webhook_enrich_done(ngx_http_webhook_detached_t *d)
{
    json_t                            *doc;
    ngx_http_webhook_enrich_ask_t     *ask;
    ngx_http_webhook_enrich_worker_t  *worker;

    worker = &ngx_http_webhook_enrich_worker;

    ask = d->data;
    doc = NULL;

    if (d->result.error == NGX_HTTP_WEBHOOK_ERR_NONE && !ask->refused) {
        doc = ngx_http_webhook_enrich_document(ask);
    }

    if (doc) {
        ngx_http_webhook_zone_count(ask->main->zone,
                                    NGX_HTTP_WEBHOOK_CNT_FETCHED, 1);

    } else {
        ngx_http_webhook_enrich_failed(d, ask);
    }

    worker->nbusy--;

    ngx_http_webhook_enrich_answer(ask, doc);

    json_decref(doc);

    if (!ngx_queue_empty(&worker->asks)) {
        ngx_post_event(&worker->start, &ngx_posted_events);
    }
}


static json_t *
ngx_http_webhook_enrich_document(ngx_http_webhook_enrich_ask_t *ask)
{
    size_t       len;
    u_char      *data, *inflated;
    json_t      *doc;
    const char  *reason;

    data = ask->data;
    len = ask->len;
    inflated = NULL;

    if (ask->gzip) {
        inflated = ngx_alloc(ask->max, ngx_cycle->log);
        if (inflated == NULL) {
            return NULL;
        }

        if (ngx_http_webhook_inflate(data, len, inflated, ask->max, &len)
            != NGX_OK)
        {
            ngx_free(inflated);
            return NULL;
        }

        data = inflated;
    }

    doc = ngx_http_webhook_json_parse(data, len, &reason);

    if (inflated) {
        ngx_free(inflated);
    }

    /* some filters keep the end to themselves; a number may be a half */

    if (doc && !ask->last && json_is_number(doc)) {
        json_decref(doc);
        return NULL;
    }

    return doc;
}


/* doc NULL: there is none; it is in no list when this returns */

static void
ngx_http_webhook_enrich_answer(ngx_http_webhook_enrich_ask_t *ask, json_t *doc)
{
    ngx_queue_t                      *q;
    ngx_http_webhook_enrich_place_t  *place;

    ngx_queue_remove(&ask->queue);

    if (doc) {
        ngx_http_webhook_enrich_keep(ask, doc);
    }

    while (!ngx_queue_empty(&ask->places)) {

        q = ngx_queue_head(&ask->places);
        ngx_queue_remove(q);

        place = ngx_queue_data(q, ngx_http_webhook_enrich_place_t, queue);
        place->ask = NULL;

        ngx_http_webhook_enrich_answered(place, doc);
    }
}


/* what any line of the description may want of it, for the longest "ttl" */

static void
ngx_http_webhook_enrich_keep(ngx_http_webhook_enrich_ask_t *ask, json_t *doc)
{
    json_t                          **values;
    ngx_msec_t                        ttl;
    ngx_uint_t                        i, n;
    ngx_http_webhook_enrich_line_t  **lp;

    lp = ask->api->enrich->elts;
    n = ask->api->enrich->nelts;

    values = ngx_pcalloc(ask->pool, n * sizeof(json_t *));
    if (values == NULL) {
        return;
    }

    ttl = 0;

    for (i = 0; i < n; i++) {
        values[i] = ngx_http_webhook_enrich_pick(lp[i], doc);
        ttl = ngx_max(ttl, lp[i]->ttl);
    }

    ngx_http_webhook_cache_put(&ngx_http_webhook_enrich_worker.cache, ask->key,
                               values, n, ngx_current_msec, ttl);
}


static void
ngx_http_webhook_enrich_failed(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_enrich_ask_t *ask)
{
    time_t                            *said;
    ngx_uint_t                         astray;
    ngx_http_webhook_enrich_worker_t  *worker;

    worker = &ngx_http_webhook_enrich_worker;

    ngx_http_webhook_observe_note(d->sr ? d->sr : d->request, ask->api,
                                  NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED, NULL);

    /* what the guard refuses ends without a status */

    astray = (!ask->own.found
              && (d->result.status
                  || d->result.error == NGX_HTTP_WEBHOOK_ERR_INTERNAL));

    said = astray ? &worker->astray
                  : ask->own.barred ? &worker->barred : &worker->failed;

    if (ngx_http_webhook_enrich_often(said)) {
        return;
    }

    if (astray) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "webhook enrich: the URI in %s:%ui comes to no location "
                      "with \"webhook_observe %V\"",
                      ask->line->file, ask->line->line, &ask->api->name);
        return;
    }

    if (ask->own.barred) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "webhook enrich: no usable answer to the URI in %s:%ui: "
                      "%s",
                      ask->line->file, ask->line->line, ask->own.barred);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "webhook enrich: no usable answer to the URI in %s:%ui, "
                  "status %ui",
                  ask->line->file, ask->line->line, d->result.status);
}


/* it has waited too long for others, for a connection or for memory */

static void
ngx_http_webhook_enrich_unasked(ngx_http_webhook_enrich_ask_t *ask)
{
    ngx_http_webhook_observe_unasked(ask->main, ask->api, &ask->uri);

    if (ngx_http_webhook_enrich_often(&ngx_http_webhook_enrich_worker.failed)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "webhook enrich: the URI in %s:%ui was not asked for in time",
                  ask->line->file, ask->line->line);
}


/* of the URI no more is known than how it begins */

void
ngx_http_webhook_enrich_lost(ngx_http_webhook_source_t *source,
    ngx_http_webhook_enrich_line_t *line, char *why)
{
    ngx_http_webhook_watch_part_t  *part;

    part = line->uri->elts;

    ngx_http_webhook_observe_unasked(source->main, source->api,
                                     &part[0].literal);

    if (ngx_http_webhook_enrich_often(&ngx_http_webhook_enrich_worker.lost)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "webhook enrich: \"%V\" in %s:%ui is left out: %s",
                  &line->name, line->file, line->line, why);
}


/* whether it was said a short time ago; if not, it is now */

static ngx_uint_t
ngx_http_webhook_enrich_often(time_t *said)
{
    if (*said && (uint64_t) (ngx_time() - *said)
                 < NGX_HTTP_WEBHOOK_ENRICH_COMPLAIN)
    {
        return 1;
    }

    *said = ngx_time();

    return 0;
}
