
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: an observation of one execution, or a webhook to be pinged.  Out: the
 * new state with its events and their deliveries, given to the queue at once.
 * Next rooms: queue keeps them, dispatch is woken to send them.
 */


#include "ngx_http_webhook_emit.h"
#include "ngx_http_webhook_event.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_queue.h"
#include "ngx_http_webhook_store.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"
#include "ngx_http_webhook_dispatch.h"


#define NGX_HTTP_WEBHOOK_EMIT_TRIES  10


/* webhooks with equal members share one payload of an event */

typedef struct {
    ngx_uint_t                       member_set;
    json_t                          *payload;
    ngx_int_t                        index;    /* in events; -1: none yet */
} ngx_http_webhook_emit_set_t;


typedef struct {
    ngx_http_webhook_source_t       *source;
    ngx_http_webhook_observation_t  *observation;

    ngx_str_t                       *headers;  /* of each webhook, evaluated */

    ngx_pool_t                      *pool;     /* gone when all is queued */
    ngx_array_t                      events;   /* ..._new_event_t */
    ngx_array_t                      texts;    /* ..._text_t, theirs */
} ngx_http_webhook_emit_t;


static void ngx_http_webhook_emit_sighting(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_sighting_t *sighting);
static ngx_uint_t ngx_http_webhook_emit_watch(
    ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation, u_char key[16],
    ngx_http_webhook_state_t *state, ngx_http_webhook_watch_job_t *watch);
static void ngx_http_webhook_emit_unwatch(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *watch);
static ngx_int_t ngx_http_webhook_emit_begin(ngx_http_webhook_emit_t *em);
static void ngx_http_webhook_emit_end(ngx_http_webhook_emit_t *em);
static ngx_int_t ngx_http_webhook_emit_event(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event, uint64_t wall);
static ngx_int_t ngx_http_webhook_emit_event_sets(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event, uint64_t wall, ngx_array_t *sets);
static ngx_http_webhook_emit_set_t *ngx_http_webhook_emit_set(
    ngx_http_webhook_emit_t *em, ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_event_t *event, ngx_array_t *sets);
static ngx_http_webhook_new_event_t *ngx_http_webhook_emit_new_event(
    ngx_http_webhook_emit_t *em, ngx_http_webhook_event_t *event,
    uint64_t wall, json_t *payload);
static ngx_int_t ngx_http_webhook_emit_headers(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_hook_t *hook, ngx_str_t *headers);
static void ngx_http_webhook_emit_wake(ngx_http_webhook_emit_t *em);


void
ngx_http_webhook_emit_source(ngx_http_webhook_source_t *source,
    ngx_http_request_t *r)
{
    ngx_time_t                   *tp;
    ngx_http_webhook_loc_conf_t  *wlcf;

    ngx_memzero(source, sizeof(ngx_http_webhook_source_t));

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);
    tp = ngx_timeofday();

    source->request = r;
    source->main = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);
    source->hooks = wlcf->hooks;
    source->now = ngx_current_msec;
    source->wall = (uint64_t) tp->sec * 1000 + tp->msec;
}


ngx_int_t
ngx_http_webhook_emit(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation, ngx_uint_t *events,
    ngx_uint_t *changed)
{
    u_char                        key[16];
    ngx_int_t                     rc;
    ngx_uint_t                    i, n, tries, apply;
    ngx_http_webhook_zone_t      *zone;
    ngx_http_webhook_emit_t       em;
    ngx_http_webhook_state_t      old, new;
    ngx_http_webhook_event_t      list[NGX_HTTP_WEBHOOK_EVENTS_MAX];
    ngx_http_webhook_sighting_t   sighting;
    ngx_http_webhook_watch_job_t  watch;

    ngx_memzero(&em, sizeof(ngx_http_webhook_emit_t));

    em.source = source;
    em.observation = observation;

    zone = source->main->zone;

    ngx_http_webhook_emit_sighting(source, observation, &sighting);

    ngx_http_webhook_event_key(key, &source->api->name, source->realm,
                               &observation->id);

    rc = NGX_AGAIN;

    for (tries = 0; tries < NGX_HTTP_WEBHOOK_EMIT_TRIES; tries++) {

        ngx_http_webhook_queue_state(zone, key, &old);

        apply = 0;
        n = ngx_http_webhook_event_transition(&old, &sighting, &new, list,
                                              &apply);

        if (!ngx_http_webhook_emit_watch(source, observation, key, &new,
                                         &watch)
            && !apply)
        {
            rc = NGX_OK;
            break;
        }

        new.version = old.version + 1;

        rc = NGX_OK;

        if (n) {
            rc = ngx_http_webhook_emit_begin(&em);
        }

        for (i = 0; rc == NGX_OK && i < n; i++) {
            rc = ngx_http_webhook_emit_event(&em, &list[i], source->wall);
        }

        if (rc != NGX_OK) {
            ngx_http_webhook_emit_unwatch(zone, &watch);
            break;
        }

        /*
         * A digest is computed under an epoch read before the states were.
         * The one after makes void what was computed under the old state,
         * the one before covers a worker killed in between.
         */

        ngx_http_webhook_zone_epoch_next(zone, source->api);

        rc = ngx_http_webhook_queue_add(zone, key, &new, em.events.elts,
                                        em.events.nelts);

        if (rc != NGX_OK) {
            ngx_http_webhook_emit_unwatch(zone, &watch);
        }

        if (rc == NGX_OK) {
            ngx_http_webhook_zone_epoch_next(zone, source->api);

            *changed = 1;
            *events += n;

            ngx_http_webhook_emit_wake(&em);
            ngx_http_webhook_store_wake(zone);
            break;
        }

        if (rc != NGX_AGAIN) {
            break;
        }

        ngx_http_webhook_emit_end(&em);
    }

    ngx_http_webhook_emit_end(&em);

    return (rc == NGX_AGAIN) ? NGX_DECLINED : rc;
}


static void
ngx_http_webhook_emit_sighting(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_sighting_t *sighting)
{
    ngx_memzero(sighting, sizeof(ngx_http_webhook_sighting_t));

    sighting->start = source->start;
    sighting->now = source->now;
    sighting->wall = source->wall;
    sighting->rank = observation->rank;
    sighting->run = observation->run;
    sighting->has_run = observation->has_run;
    sighting->launch = source->route->launch;
    sighting->rerun = source->route->rerun;
    sighting->updated_set = observation->updated_set;
    ngx_memcpy(sighting->updated, observation->updated,
               sizeof(sighting->updated));
}


/*
 * Begins to watch what is not final and was not watched in this run, however
 * it became known; 1: the state has changed.
 */

static ngx_uint_t
ngx_http_webhook_emit_watch(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation, u_char key[16],
    ngx_http_webhook_state_t *state, ngx_http_webhook_watch_job_t *watch)
{
    watch->index = 0;

    if (source->route->watch == NULL
        || state->watch
        || state->rank == NGX_HTTP_WEBHOOK_NONE
        || state->rank == NGX_HTTP_WEBHOOK_FINISHED)
    {
        return 0;
    }

    ngx_memcpy(watch->key, key, 16);

    ngx_http_webhook_watch_begin(source->request, source->route->watch,
                                 &observation->id, source->realm, watch);

    state->watch = watch->token;

    return (watch->token != 0);
}


/* the state, without which it is nothing, was not stored */

static void
ngx_http_webhook_emit_unwatch(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *watch)
{
    if (watch->index) {
        ngx_http_webhook_watch_drop(zone, watch);
    }
}


ngx_int_t
ngx_http_webhook_emit_ping(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_hook_t *hook, ngx_str_t *user, ngx_pool_t *pool,
    u_char uuid[16])
{
    json_t                           *payload;
    ngx_int_t                         rc;
    ngx_time_t                       *tp;
    ngx_http_webhook_text_t           text;
    ngx_http_webhook_new_event_t      event;
    ngx_http_webhook_new_delivery_t  *delivery;

    if (ngx_http_webhook_event_random_uuid(uuid) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&event, sizeof(ngx_http_webhook_new_event_t));

    if (ngx_array_init(&event.deliveries, pool, 1,
                       sizeof(ngx_http_webhook_new_delivery_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    delivery = ngx_array_push(&event.deliveries);
    if (delivery == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(delivery, sizeof(ngx_http_webhook_new_delivery_t));
    ngx_memcpy(delivery->uuid, uuid, 16);
    delivery->hook = hook;

    payload = ngx_http_webhook_payload_ping(hook, user);
    if (payload == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&text, sizeof(ngx_http_webhook_text_t));

    ngx_http_webhook_json_write(&text, payload, &mcf->redact);

    json_decref(payload);

    if (text.failed) {
        ngx_http_webhook_text_free(&text);
        return NGX_ERROR;
    }

    tp = ngx_timeofday();

    event.event = NGX_HTTP_WEBHOOK_PING;
    event.time = (uint64_t) tp->sec * 1000 + tp->msec;
    event.payload.data = text.data;
    event.payload.len = text.len;

    rc = ngx_http_webhook_queue_add(mcf->zone, NULL, NULL, &event, 1);

    ngx_http_webhook_text_free(&text);

    if (rc == NGX_OK) {
        ngx_http_webhook_dispatch_wake(hook);
    }

    return rc;
}


static ngx_int_t
ngx_http_webhook_emit_begin(ngx_http_webhook_emit_t *em)
{
    em->pool = ngx_create_pool(4096, em->source->request->connection->log);
    if (em->pool == NULL) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&em->events, em->pool, NGX_HTTP_WEBHOOK_EVENTS_MAX,
                       sizeof(ngx_http_webhook_new_event_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_array_init(&em->texts, em->pool, NGX_HTTP_WEBHOOK_EVENTS_MAX,
                       sizeof(ngx_http_webhook_text_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (em->source->hooks == NULL) {
        return NGX_OK;
    }

    em->headers = ngx_pcalloc(em->pool,
                              em->source->hooks->nelts * sizeof(ngx_str_t));
    if (em->headers == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_webhook_emit_end(ngx_http_webhook_emit_t *em)
{
    ngx_uint_t                i;
    ngx_http_webhook_text_t  *text;

    if (em->pool == NULL) {
        return;
    }

    text = em->texts.elts;

    for (i = 0; i < em->texts.nelts; i++) {
        ngx_http_webhook_text_free(&text[i]);
    }

    ngx_destroy_pool(em->pool);

    em->pool = NULL;
    em->headers = NULL;
    ngx_memzero(&em->events, sizeof(ngx_array_t));
    ngx_memzero(&em->texts, sizeof(ngx_array_t));
}


static ngx_int_t
ngx_http_webhook_emit_event(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event, uint64_t wall)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_array_t                   sets;
    ngx_http_webhook_emit_set_t  *set;

    if (ngx_array_init(&sets, em->pool, 2,
                       sizeof(ngx_http_webhook_emit_set_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_webhook_emit_event_sets(em, event, wall, &sets);

    set = sets.elts;

    for (i = 0; i < sets.nelts; i++) {
        json_decref(set[i].payload);
    }

    return rc;
}


static ngx_int_t
ngx_http_webhook_emit_event_sets(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event, uint64_t wall, ngx_array_t *sets)
{
    ngx_uint_t                        i, first;
    ngx_http_webhook_hook_t         **hook;
    ngx_http_webhook_emit_set_t      *set;
    ngx_http_webhook_new_event_t     *new;
    ngx_http_webhook_new_delivery_t  *delivery;

    first = em->events.nelts;

    hook = em->source->hooks ? em->source->hooks->elts : NULL;

    for (i = 0; hook && i < em->source->hooks->nelts; i++) {

        if (!hook[i]->active
            || !(hook[i]->events & ngx_http_webhook_event_bit(event->event)))
        {
            continue;
        }

        set = ngx_http_webhook_emit_set(em, hook[i], event, sets);
        if (set == NULL) {
            return NGX_ERROR;
        }

        if (!ngx_http_webhook_payload_wanted(hook[i], event->event,
                                             set->payload))
        {
            continue;
        }

        if (set->index == -1) {
            new = ngx_http_webhook_emit_new_event(em, event, wall,
                                                  set->payload);
            if (new == NULL) {
                return NGX_ERROR;
            }

            set->index = em->events.nelts - 1;
        }

        new = em->events.elts;
        new += set->index;

        delivery = ngx_array_push(&new->deliveries);
        if (delivery == NULL) {
            return NGX_ERROR;
        }

        delivery->hook = hook[i];

        ngx_http_webhook_event_uuid(delivery->uuid, &hook[i]->name,
                                    &em->source->api->name, em->source->realm,
                                    &em->observation->id, event);

        if (hook[i]->nvariables && em->headers[i].data == NULL) {
            if (ngx_http_webhook_emit_headers(em, hook[i], &em->headers[i])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        delivery->headers = em->headers[i];
    }

    if (em->events.nelts == first) {

        /* nobody wants it: the state alone is stored, the event counted */

        if (ngx_http_webhook_emit_new_event(em, event, wall, NULL) == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_webhook_emit_set_t *
ngx_http_webhook_emit_set(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_event_t *event,
    ngx_array_t *sets)
{
    json_t                       *payload;
    ngx_uint_t                    i;
    ngx_http_webhook_emit_set_t  *set;

    set = sets->elts;

    for (i = 0; i < sets->nelts; i++) {
        if (set[i].member_set == hook->member_set) {
            return &set[i];
        }
    }

    payload = ngx_http_webhook_payload_execution(event->event,
                                                 em->observation, hook);
    if (payload == NULL) {
        return NULL;
    }

    set = ngx_array_push(sets);
    if (set == NULL) {
        json_decref(payload);
        return NULL;
    }

    set->member_set = hook->member_set;
    set->payload = payload;
    set->index = -1;

    return set;
}


static ngx_http_webhook_new_event_t *
ngx_http_webhook_emit_new_event(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event, uint64_t wall, json_t *payload)
{
    ngx_http_webhook_text_t       *text;
    ngx_http_webhook_new_event_t  *new;

    new = ngx_array_push(&em->events);
    if (new == NULL) {
        return NULL;
    }

    ngx_memzero(new, sizeof(ngx_http_webhook_new_event_t));

    new->event = event->event;
    new->sequence = event->sequence;
    new->time = wall;
    new->execution = em->observation->id;

    if (ngx_array_init(&new->deliveries, em->pool, payload ? 4 : 1,
                       sizeof(ngx_http_webhook_new_delivery_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (payload == NULL) {
        return new;
    }

    text = ngx_array_push(&em->texts);
    if (text == NULL) {
        return NULL;
    }

    ngx_memzero(text, sizeof(ngx_http_webhook_text_t));

    ngx_http_webhook_json_write(text, payload, &em->source->main->redact);

    if (text->failed) {
        return NULL;
    }

    new->payload.data = text->data;
    new->payload.len = text->len;

    return new;
}


/* "headers" gets data even when nothing is left in it */

static ngx_int_t
ngx_http_webhook_emit_headers(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_hook_t *hook, ngx_str_t *headers)
{
    u_char                     *p;
    size_t                      len;
    ngx_str_t                  *value;
    ngx_uint_t                  i, k;
    ngx_http_webhook_header_t  *header;

    header = hook->headers.elts;

    value = ngx_pcalloc(em->pool, hook->headers.nelts * sizeof(ngx_str_t));
    if (value == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < hook->headers.nelts; i++) {

        if (header[i].value.lengths == NULL) {
            continue;
        }

        if (ngx_http_complex_value(em->source->request, &header[i].value,
                                   &value[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        for (k = 0; k < value[i].len; k++) {
            if (value[i].data[k] < 0x20 || value[i].data[k] == 0x7f) {
                break;
            }
        }

        if (k < value[i].len) {
            ngx_http_webhook_zone_count(em->source->main->zone,
                                        NGX_HTTP_WEBHOOK_CNT_HEADER, 1);
            value[i].len = 0;
        }

        if (value[i].len) {
            len += header[i].name.len + sizeof(": ") - 1
                   + value[i].len + sizeof(CRLF) - 1;
        }
    }

    p = ngx_pnalloc(em->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    headers->data = p;
    headers->len = len;

    for (i = 0; i < hook->headers.nelts; i++) {

        if (value[i].len == 0) {
            continue;
        }

        p = ngx_cpymem(p, header[i].name.data, header[i].name.len);
        *p++ = ':'; *p++ = ' ';
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = CR; *p++ = LF;
    }

    return NGX_OK;
}


static void
ngx_http_webhook_emit_wake(ngx_http_webhook_emit_t *em)
{
    ngx_uint_t                        i, k, n, seen;
    ngx_http_webhook_hook_t         **hook;
    ngx_http_webhook_new_event_t     *event;
    ngx_http_webhook_new_delivery_t  *delivery;

    hook = em->source->hooks ? em->source->hooks->elts : NULL;
    event = em->events.elts;

    for (i = 0; hook && i < em->source->hooks->nelts; i++) {

        seen = 0;

        for (k = 0; !seen && k < em->events.nelts; k++) {
            delivery = event[k].deliveries.elts;

            for (n = 0; n < event[k].deliveries.nelts; n++) {
                if (delivery[n].hook == hook[i]) {
                    seen = 1;
                    break;
                }
            }
        }

        if (seen) {
            ngx_http_webhook_dispatch_wake(hook[i]);
        }
    }
}
