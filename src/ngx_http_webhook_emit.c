
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: an observation of one execution, or a webhook to be pinged.  Out: the
 * new state with its events and their deliveries, given to the queue at once.
 * Next rooms: queue keeps them, dispatch is woken to send them.
 */


#include "ngx_http_webhook_emit_priv.h"
#include "ngx_http_webhook_dispatch.h"
#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_regex.h"
#include "ngx_http_webhook_store.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_EMIT_TRIES  10


static void ngx_http_webhook_emit_sighting(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_sighting_t *sighting);
static ngx_uint_t ngx_http_webhook_emit_late(ngx_http_webhook_state_t *state,
    ngx_http_webhook_sighting_t *sighting);
static ngx_uint_t ngx_http_webhook_emit_watch(
    ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation, u_char key[16],
    ngx_http_webhook_state_t *state, ngx_http_webhook_watch_job_t *watch);
static void ngx_http_webhook_emit_unwatch(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *watch);
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
    u_char                         key[16];
    ngx_int_t                      rc;
    ngx_uint_t                     i, n, tries, apply, looked;
    ngx_http_webhook_zone_t       *zone;
    ngx_http_webhook_emit_t        em;
    ngx_http_webhook_state_t       old, new;
    ngx_http_webhook_event_t       list[NGX_HTTP_WEBHOOK_EVENTS_MAX];
    ngx_http_webhook_sighting_t    sighting;
    ngx_http_webhook_watch_job_t   watch;
    ngx_http_webhook_enriching_t  *enriching;

    ngx_memzero(&em, sizeof(ngx_http_webhook_emit_t));

    em.source = source;
    em.observation = observation;

    zone = source->main->zone;

    ngx_http_webhook_emit_sighting(source, observation, &sighting);

    ngx_http_webhook_event_key(key, &source->api->name, source->realm,
                               &observation->id);

    rc = NGX_AGAIN;
    n = 0;
    apply = 0;
    looked = 0;
    enriching = NULL;

    for (tries = 0; tries < NGX_HTTP_WEBHOOK_EMIT_TRIES; tries++) {

        ngx_http_webhook_queue_state(zone, key, &old);

        apply = 0;
        n = ngx_http_webhook_event_transition(&old, &sighting, &new, list,
                                              &apply);

        if (!ngx_http_webhook_emit_watch(source, observation, key, &new,
                                         &watch)
            && !apply)
        {
            if (ngx_http_webhook_emit_late(&old, &sighting)) {
                *changed = 1;
            }

            rc = NGX_OK;
            break;
        }

        new.version = old.version + 1;

        rc = NGX_OK;

        if (n && !looked) {
            looked = 1;
            enriching = ngx_http_webhook_enrich(source, observation, list, n);

            if (enriching) {
                em.pending = ngx_current_msec + NGX_HTTP_WEBHOOK_ENRICH_PENDING;
                em.enriched = 1;
            }
        }

        if (n) {
            rc = ngx_http_webhook_emit_begin(&em);
        }

        for (i = 0; rc == NGX_OK && i < n; i++) {
            rc = ngx_http_webhook_emit_event(&em, &list[i]);
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

            if (watch.index) {
                ngx_http_webhook_watch_begun(source->route->watch, &watch);
            }

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

    if (enriching && rc == NGX_OK && apply && n) {
        ngx_http_webhook_enrich_begin(enriching, observation, key, list, n);

    } else if (enriching) {
        ngx_http_webhook_enrich_discard(enriching);
    }

    return (rc == NGX_AGAIN) ? NGX_DECLINED : rc;
}


ngx_int_t
ngx_http_webhook_emit_enriched(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation, u_char key[16],
    ngx_http_webhook_event_t *list, ngx_uint_t n, ngx_uint_t changed)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_webhook_emit_t        em;
    ngx_http_webhook_new_event_t  *event;

    ngx_memzero(&em, sizeof(ngx_http_webhook_emit_t));

    em.source = source;
    em.observation = observation;
    em.enriched = 1;

#if (NGX_PCRE)

    /* "match" is judged anew, whatever another document took */

    ngx_http_webhook_regex_begin();

#endif

    rc = ngx_http_webhook_emit_begin(&em);

    for (i = 0; rc == NGX_OK && i < n; i++) {
        rc = ngx_http_webhook_emit_event(&em, &list[i]);
    }

    if (rc == NGX_OK) {
        event = em.events.elts;

        for (i = 0; !changed && i < em.events.nelts; i++) {
            event[i].payload.len = 0;
        }

        rc = ngx_http_webhook_queue_enrich(source->main->zone, key, event,
                                           em.events.nelts);
        ngx_http_webhook_emit_wake(&em);
        ngx_http_webhook_store_wake(source->main->zone);
    }

    ngx_http_webhook_emit_end(&em);

    return rc;
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


/* whether the same answer would tell something if it had been asked for now */

static ngx_uint_t
ngx_http_webhook_emit_late(ngx_http_webhook_state_t *state,
    ngx_http_webhook_sighting_t *sighting)
{
    ngx_uint_t                   changed;
    ngx_http_webhook_state_t     new;
    ngx_http_webhook_event_t     list[NGX_HTTP_WEBHOOK_EVENTS_MAX];
    ngx_http_webhook_sighting_t  now;

    if (sighting->start >= state->began && sighting->start >= state->applied) {
        return 0;
    }

    now = *sighting;
    now.start = now.now;

    (void) ngx_http_webhook_event_transition(state, &now, &new, list,
                                             &changed);

    return changed;
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
                                 observation, source->realm, watch);

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

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_webhook_dispatch_wake(hook);

    return delivery->kept ? NGX_OK : NGX_BUSY;
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
