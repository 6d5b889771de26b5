
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


static ngx_http_webhook_enrich_line_t *ngx_http_webhook_enrich_wanted(
    ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *list, ngx_uint_t n);
static ngx_http_webhook_enriching_t *ngx_http_webhook_enrich_create(
    ngx_pool_t *pool, ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation);
static ngx_int_t ngx_http_webhook_enrich_places(
    ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation);
static ngx_uint_t ngx_http_webhook_enrich_place_lacks(
    ngx_http_webhook_enrich_place_t *place,
    ngx_http_webhook_observation_t *observation);
static ngx_uint_t ngx_http_webhook_enrich_known(
    ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation, ngx_uint_t ask);
static void ngx_http_webhook_enrich_place_lost(
    ngx_http_webhook_enrich_place_t *place);
static void ngx_http_webhook_enrich_timeout(ngx_event_t *ev);
static void ngx_http_webhook_enrich_end(ngx_http_webhook_enriching_t *e);


static ngx_uint_t  ngx_http_webhook_enrich_events;

/* to write payloads with one answer, ns, and when that was */

static uint64_t    ngx_http_webhook_enrich_wrote;
static ngx_msec_t  ngx_http_webhook_enrich_turn;


ngx_http_webhook_enriching_t *
ngx_http_webhook_enrich(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *list, ngx_uint_t n)
{
    ngx_pool_t                      *pool;
    ngx_http_webhook_enriching_t    *e;
    ngx_http_webhook_enrich_line_t  *line;

    if (source->route->enrich == NULL) {
        return NULL;
    }

    line = ngx_http_webhook_enrich_wanted(source, observation, list, n);
    if (line == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        ngx_http_webhook_enrich_lost(source, line, "no memory");
        return NULL;
    }

    e = ngx_http_webhook_enrich_create(pool, source, observation);

    if (e == NULL) {
        ngx_http_webhook_enrich_lost(source, line, "no memory");
        goto discard;
    }

    if (!ngx_http_webhook_enrich_known(e, observation, 0)) {
        goto discard;
    }

    if (ngx_http_webhook_enrich_events == NGX_HTTP_WEBHOOK_ENRICH_EVENTS) {
        ngx_http_webhook_enrich_lost(source, line, "too many events wait");
        goto discard;
    }

    return e;

discard:

    ngx_destroy_pool(pool);

    return NULL;
}


/* what is lacking first, if some webhook takes these events; or NULL */

static ngx_http_webhook_enrich_line_t *
ngx_http_webhook_enrich_wanted(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *list, ngx_uint_t n)
{
    ngx_uint_t                        i, events;
    ngx_http_webhook_hook_t         **hook;
    ngx_http_webhook_enrich_line_t  **lp, *line;

    if (source->hooks == NULL) {
        return NULL;
    }

    lp = source->route->enrich->elts;

    line = NULL;

    for (i = 0; i < source->route->enrich->nelts; i++) {
        if (ngx_http_webhook_enrich_lacks(observation, lp[i])) {
            line = lp[i];
            break;
        }
    }

    if (line == NULL) {
        return NULL;
    }

    events = 0;

    for (i = 0; i < n; i++) {
        events |= ngx_http_webhook_event_bit(list[i].event);
    }

    hook = source->hooks->elts;

    for (i = 0; i < source->hooks->nelts; i++) {
        if (hook[i]->active && (hook[i]->events & events)) {
            return line;
        }
    }

    return NULL;
}


static ngx_http_webhook_enriching_t *
ngx_http_webhook_enrich_create(ngx_pool_t *pool,
    ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation)
{
    ngx_http_webhook_enriching_t  *e;

    e = ngx_pcalloc(pool, sizeof(ngx_http_webhook_enriching_t));
    if (e == NULL) {
        return NULL;
    }

    if (ngx_http_webhook_enrich_caller(source) != NGX_OK
        || ngx_http_webhook_enrich_hold(source->caller, pool) != NGX_OK)
    {
        return NULL;
    }

    e->caller = source->caller;
    e->pool = pool;
    e->source = *source;
    e->source.wrote = 0;

    e->realm.len = source->realm->len;
    e->realm.data = ngx_pstrdup(pool, source->realm);
    e->source.realm = &e->realm;

    e->id.len = observation->id.len;
    e->id.data = ngx_pstrdup(pool, &observation->id);

    if (e->realm.data == NULL
        || e->id.data == NULL
        || ngx_http_webhook_enrich_places(e, observation) != NGX_OK)
    {
        return NULL;
    }

    return e;
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
                                                  lp[i]->uri, &e->id,
                                                  e->pool);
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
    ngx_int_t                         rc;
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

            rc = ngx_http_webhook_enrich_uri(e->pool, observation, place->line,
                                             place->values, &uri);

            if (rc == NGX_DECLINED) {
                continue;
            }

            if (rc != NGX_OK
                || ngx_http_webhook_enrich_key(e, &uri, key) != NGX_OK)
            {
                ngx_http_webhook_enrich_place_lost(place);
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

                if (value == NULL) {
                    continue;
                }

                if (ngx_http_webhook_enrich_add(observation, place->line,
                                                value)
                    != NGX_OK)
                {
                    ngx_http_webhook_enrich_place_lost(place);
                    continue;
                }

                e->changed = 1;
                more = 1;

                continue;
            }

            left++;

            if (!ask) {
                continue;
            }

            if (ngx_http_webhook_enrich_join(place, &uri, key) == NGX_OK) {
                e->waits++;

            } else {
                ngx_http_webhook_enrich_place_lost(place);
            }
        }

    } while (more);

    return left;
}


static void
ngx_http_webhook_enrich_place_lost(ngx_http_webhook_enrich_place_t *place)
{
    place->done = 1;

    ngx_http_webhook_enrich_lost(&place->event->source, place->line,
                                 "no memory");
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

    e->observation.id = e->id;

    ngx_str_null(&e->observation.status);

    e->source.request = NULL;

    ngx_memcpy(e->key, key, 16);
    ngx_memcpy(e->list, list, n * sizeof(ngx_http_webhook_event_t));
    e->n = n;

    ngx_http_webhook_enrich_events++;

    e->timer.handler = ngx_http_webhook_enrich_timeout;
    e->timer.log = ngx_cycle->log;
    e->timer.data = e;

    ngx_add_timer(&e->timer, NGX_HTTP_WEBHOOK_ENRICH_TIMEOUT);

    e->changed = 0;

    (void) ngx_http_webhook_enrich_known(e, &e->observation, 1);

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
        && ngx_http_webhook_enrich_turn == ngx_current_msec
        && ngx_http_webhook_enrich_wrote > NGX_HTTP_WEBHOOK_EMIT_SHARED)
    {
        ngx_http_webhook_enrich_lost(&e->source, place->line,
                                     "too large for so many events");
        value = NULL;
    }

    if (value && ngx_http_webhook_enrich_place_lacks(place, &e->observation)) {

        if (ngx_http_webhook_enrich_add(&e->observation, place->line, value)
            == NGX_OK)
        {
            e->changed = 1;

            /* another line may have been waiting for that */

            (void) ngx_http_webhook_enrich_known(e, &e->observation, 1);

        } else {
            ngx_http_webhook_enrich_place_lost(place);
        }
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
    char       *why;
    ngx_int_t   rc;
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

    rc = ngx_http_webhook_emit_enriched(&e->source, &e->observation, e->key,
                                        e->list, e->n, e->changed);

    if (ngx_http_webhook_enrich_turn != ngx_current_msec) {
        ngx_http_webhook_enrich_turn = ngx_current_msec;
        ngx_http_webhook_enrich_wrote = 0;
    }

    ngx_http_webhook_enrich_wrote += e->source.wrote;

    if (rc != NGX_OK && e->changed) {
        why = (rc == NGX_DECLINED) ? "webhook_zone is full" : "no memory";

        ngx_http_webhook_enrich_lost(&e->source, e->places[0].line, why);
    }

    for (i = 0; i < NGX_HTTP_WEBHOOK_MEMBERS; i++) {
        json_decref(e->observation.members[i]);
    }

    ngx_destroy_pool(e->pool);
}
