
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich: in: an observation whose events are to be queued; out: the same with
 * what the cache has; then what was asked for, and the events may go.  An event
 * and its lines, each in its place at one of the URIs that are asked for:
 *
 *   event ---> place ---> ask <--- place <--- event
 *         ---> place ---> ask
 *
 * A line whose URI needs another's answer follows it.  Next rooms:
 * enrich_fetch, emit.
 */


#include "ngx_http_webhook_enrich_priv.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_ENRICH_EVENTS    1000      /* of a worker, that wait */


static ngx_uint_t ngx_http_webhook_enrich_wanted(
    ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *list, ngx_uint_t n);
static ngx_int_t ngx_http_webhook_enrich_places(
    ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation);
static ngx_uint_t ngx_http_webhook_enrich_place_lacks(
    ngx_http_webhook_enrich_place_t *place,
    ngx_http_webhook_observation_t *observation);
static ngx_uint_t ngx_http_webhook_enrich_known(
    ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation, ngx_uint_t ask);
static void ngx_http_webhook_enrich_timeout(ngx_event_t *ev);
static void ngx_http_webhook_enrich_end(ngx_http_webhook_enriching_t *e);


static ngx_uint_t  ngx_http_webhook_enrich_events;


ngx_http_webhook_enriching_t *
ngx_http_webhook_enrich(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *list, ngx_uint_t n)
{
    ngx_pool_t                    *pool;
    ngx_http_webhook_enriching_t  *e;

    if (source->route->enrich == NULL
        || !ngx_http_webhook_enrich_wanted(source, observation, list, n))
    {
        return NULL;
    }

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    e = ngx_pcalloc(pool, sizeof(ngx_http_webhook_enriching_t));
    if (e == NULL) {
        goto failed;
    }

    e->pool = pool;
    e->source = *source;
    e->observation.id = observation->id;

    if (ngx_http_webhook_enrich_caller(source, pool, &e->caller) != NGX_OK
        || ngx_http_webhook_enrich_places(e, observation) != NGX_OK)
    {
        goto failed;
    }

    if (!ngx_http_webhook_enrich_known(e, observation, 0)
        || ngx_http_webhook_enrich_events == NGX_HTTP_WEBHOOK_ENRICH_EVENTS)
    {
        goto failed;
    }

    return e;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* whether something is lacking, and some webhook takes these events */

static ngx_uint_t
ngx_http_webhook_enrich_wanted(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *list, ngx_uint_t n)
{
    ngx_uint_t                        i, events;
    ngx_http_webhook_hook_t         **hook;
    ngx_http_webhook_enrich_line_t  **lp;

    if (source->hooks == NULL) {
        return 0;
    }

    lp = source->route->enrich->elts;

    for (i = 0; i < source->route->enrich->nelts; i++) {
        if (ngx_http_webhook_enrich_lacks(observation, lp[i])) {
            break;
        }
    }

    if (i == source->route->enrich->nelts) {
        return 0;
    }

    events = 0;

    for (i = 0; i < n; i++) {
        events |= ngx_http_webhook_event_bit(list[i].event);
    }

    hook = source->hooks->elts;

    for (i = 0; i < source->hooks->nelts; i++) {
        if (hook[i]->active && (hook[i]->events & events)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_webhook_enrich_places(ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation)
{
    ngx_uint_t                        i;
    ngx_http_webhook_enrich_line_t  **lp;

    lp = e->source.route->enrich->elts;
    e->nplaces = e->source.route->enrich->nelts;

    e->places = ngx_pcalloc(e->pool, e->nplaces
                                  * sizeof(ngx_http_webhook_enrich_place_t));
    if (e->places == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < e->nplaces; i++) {
        e->places[i].event = e;
        e->places[i].line = lp[i];
        e->places[i].whole = lp[i]->part.len == 0
                             && ngx_http_webhook_enrich_lacks(observation,
                                                              lp[i]);

        e->places[i].values = ngx_http_webhook_watch_values(e->source.request,
                                                  lp[i]->uri,
                                                  &e->observation.id, e->pool);
        if (e->places[i].values == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a member that the response lacked does so still, whatever parts it got */

static ngx_uint_t
ngx_http_webhook_enrich_place_lacks(ngx_http_webhook_enrich_place_t *place,
    ngx_http_webhook_observation_t *observation)
{
    return place->whole
           || ngx_http_webhook_enrich_lacks(observation, place->line);
}


/*
 * Adds what the cache has, and again, for one may need another.  Returns how
 * many are left that might be asked for; "ask": they are.
 */

static ngx_uint_t
ngx_http_webhook_enrich_known(ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation, ngx_uint_t ask)
{
    u_char                            key[NGX_HTTP_WEBHOOK_CACHE_KEY];
    json_t                           *value;
    ngx_str_t                         uri;
    ngx_uint_t                        i, left, more;
    ngx_http_webhook_enrich_place_t  *place;
    ngx_http_webhook_cache_entry_t   *entry;

    do {
        left = 0;
        more = 0;

        for (i = 0; i < e->nplaces; i++) {
            place = &e->places[i];

            if (place->done || place->ask) {
                continue;
            }

            if (!ngx_http_webhook_enrich_place_lacks(place, observation)) {
                place->done = 1;
                continue;
            }

            if (ngx_http_webhook_enrich_uri(e->pool, observation, place->line,
                                            place->values, &uri)
                != NGX_OK)
            {
                continue;
            }

            if (ngx_http_webhook_enrich_key(e, &uri, key) != NGX_OK) {
                place->done = 1;
                continue;
            }

            entry = ngx_http_webhook_enrich_kept(key);

            if (entry && place->line->index < entry->n
                && entry->born + place->line->ttl > ngx_current_msec)
            {
                place->done = 1;
                value = entry->values[place->line->index];

                ngx_http_webhook_zone_count(e->source.main->zone,
                                            NGX_HTTP_WEBHOOK_CNT_CACHED, 1);

                if (value
                    && ngx_http_webhook_enrich_add(observation, place->line,
                                                   value)
                       == NGX_OK)
                {
                    e->changed = 1;
                    more = 1;
                }

                continue;
            }

            left++;

            if (!ask) {
                continue;
            }

            if (ngx_http_webhook_enrich_join(place, &uri, key) == NGX_OK) {
                e->waits++;

            } else {
                place->done = 1;
            }
        }

    } while (more);

    return left;
}


void
ngx_http_webhook_enrich_begin(ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation, u_char key[16],
    ngx_http_webhook_event_t *list, ngx_uint_t n)
{
    ngx_uint_t  i;

    e->observation = *observation;

    for (i = 0; i < NGX_HTTP_WEBHOOK_MEMBERS; i++) {
        json_incref(e->observation.members[i]);
    }

    e->realm.len = e->source.realm->len;
    e->realm.data = ngx_pstrdup(e->pool, e->source.realm);
    e->observation.id.data = ngx_pstrdup(e->pool, &observation->id);

    ngx_str_null(&e->observation.status);

    e->source.request = NULL;
    e->source.realm = &e->realm;

    ngx_memcpy(e->key, key, 16);
    ngx_memcpy(e->list, list, n * sizeof(ngx_http_webhook_event_t));
    e->n = n;

    ngx_http_webhook_enrich_events++;

    e->timer.handler = ngx_http_webhook_enrich_timeout;
    e->timer.log = ngx_cycle->log;
    e->timer.data = e;

    ngx_add_timer(&e->timer, NGX_HTTP_WEBHOOK_ENRICH_TIMEOUT);

    if (e->realm.data == NULL || e->observation.id.data == NULL) {

        /* they go as they are when their time is over */

        e->n = 0;

    } else {
        e->changed = 0;
        (void) ngx_http_webhook_enrich_known(e, &e->observation, 1);
    }

    if (e->waits == 0) {
        ngx_http_webhook_enrich_end(e);
    }
}


void
ngx_http_webhook_enrich_discard(ngx_http_webhook_enriching_t *e)
{
    ngx_destroy_pool(e->pool);
}


void
ngx_http_webhook_enrich_answered(ngx_http_webhook_enrich_place_t *place,
    json_t *doc)
{
    json_t                        *value;
    ngx_http_webhook_enriching_t  *e;

    e = place->event;

    place->done = 1;
    e->waits--;

    value = doc ? ngx_http_webhook_enrich_pick(place->line, doc) : NULL;

    if (value
        && ngx_http_webhook_enrich_place_lacks(place, &e->observation)
        && ngx_http_webhook_enrich_add(&e->observation, place->line, value)
           == NGX_OK)
    {
        e->changed = 1;

        /* another line may have been waiting for that */

        (void) ngx_http_webhook_enrich_known(e, &e->observation, 1);
    }

    if (e->waits == 0) {
        ngx_http_webhook_enrich_end(e);
    }
}


static void
ngx_http_webhook_enrich_timeout(ngx_event_t *ev)
{
    ngx_http_webhook_enrich_end(ev->data);
}


static void
ngx_http_webhook_enrich_end(ngx_http_webhook_enriching_t *e)
{
    ngx_uint_t  i;

    for (i = 0; i < e->nplaces; i++) {
        if (e->places[i].ask) {
            ngx_http_webhook_enrich_leave(&e->places[i]);
        }
    }

    if (e->timer.timer_set) {
        ngx_del_timer(&e->timer);
    }

    ngx_http_webhook_enrich_events--;

    if (e->n) {
        ngx_http_webhook_emit_enriched(&e->source, &e->observation, e->key,
                                       e->list, e->n, e->changed);
    }

    for (i = 0; i < NGX_HTTP_WEBHOOK_MEMBERS; i++) {
        json_decref(e->observation.members[i]);
    }

    ngx_destroy_pool(e->pool);
}
