
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_try_read: in: a document and the route it took; out: JSON, what it
 * says of executions, and what would be sent.  Next: status_try.
 */


#include "ngx_http_webhook_status_try.h"
#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_event.h"
#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_TRY_SHOWN  20        /* observations, or elements that
                                                 do not count */


typedef struct {
    ngx_http_webhook_status_t       *status;
    ngx_http_webhook_api_scope_t    *scope;
    ngx_uint_t                       n;       /* elements */
    ngx_uint_t                       shown;
} ngx_http_webhook_try_require_t;


typedef struct {
    ngx_uint_t                       n;       /* observations */
    ngx_uint_t                       executions;
    ngx_uint_t                       unread;
    ngx_uint_t                       unknown;
    ngx_uint_t                       reason;  /* of the route, not of "also" */
    ngx_uint_t                       ok;
    ngx_uint_t                       lost;    /* boolean: for want of memory */
} ngx_http_webhook_try_read_t;


static ngx_int_t ngx_http_webhook_try_observations(
    ngx_http_webhook_status_t *s, ngx_http_webhook_dry_t *dry, json_t *doc);
static ngx_int_t ngx_http_webhook_try_route(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, json_t *doc,
    ngx_http_webhook_try_read_t *read);
static ngx_int_t ngx_http_webhook_try_observation(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation,
    ngx_uint_t shown);
static ngx_uint_t ngx_http_webhook_try_events(ngx_http_webhook_dry_t *dry,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *events);
static ngx_int_t ngx_http_webhook_try_payloads(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *events, ngx_uint_t n);
static ngx_int_t ngx_http_webhook_try_require(void *data, json_t *element,
    const ngx_http_webhook_place_t *place);
static ngx_int_t ngx_http_webhook_try_shown(ngx_pool_t *pool, ngx_str_t *uri);
static ngx_int_t ngx_http_webhook_try_enrich(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation);
static void ngx_http_webhook_try_updated(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation);


/* in the order of NGX_HTTP_WEBHOOK_EXECUTION, ... */

static const char  *ngx_http_webhook_try_members[NGX_HTTP_WEBHOOK_MEMBERS] = {
    "execution", "goal", "sender", "project", "snapshot", "organization"
};


ngx_uint_t
ngx_http_webhook_try_accepts(ngx_http_webhook_dry_t *dry)
{
    return dry->status >= NGX_HTTP_OK
           && dry->status != NGX_HTTP_PARTIAL_CONTENT
           && dry->status != NGX_HTTP_NOT_MODIFIED
           && (dry->status != NGX_HTTP_NO_CONTENT || dry->route->bodyless)
           && ngx_http_webhook_api_status(dry->route, dry->status);
}


ngx_int_t
ngx_http_webhook_try_read(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry)
{
    json_t      *doc;
    const char  *reason;

    dry->counter = NGX_HTTP_WEBHOOK_CNT_NO_ROUTE;

    if (dry->route == NULL) {
        return NGX_OK;
    }

    dry->counter = NGX_HTTP_WEBHOOK_CNT_MAX;

    if (dry->route->ignore) {
        return NGX_OK;
    }

    dry->counter = NGX_HTTP_WEBHOOK_CNT_STATUS;

    if (!ngx_http_webhook_try_accepts(dry)) {
        return NGX_OK;
    }

    doc = ngx_http_webhook_try_document(dry, &reason);

    ngx_http_webhook_status_string(&s->text, "document", reason,
                                   ngx_strlen(reason));

    if (doc == NULL && ngx_strcmp(reason, "not needed") != 0) {
        dry->counter = ngx_http_webhook_observe_parse_reason(reason);
        return NGX_OK;
    }

    return ngx_http_webhook_try_observations(s, dry, doc);
}


/* takes the document */

static ngx_int_t
ngx_http_webhook_try_observations(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, json_t *doc)
{
    json_t                          *rest;
    ngx_int_t                        rc;
    ngx_http_webhook_route_t        *route;
    ngx_http_webhook_try_read_t      read;
    ngx_http_webhook_try_require_t   require;

    /* before "omit" takes from the document what a rule may ask for */

    require.status = s;
    require.shown = 0;

    ngx_http_webhook_status_name(&s->text, "refused");
    ngx_http_webhook_status_literal(&s->text, "[");

    for (route = dry->route; route; route = route->also) {
        require.scope = &((ngx_http_webhook_api_route_t *) route->priv)->scope;
        require.n = 0;

        (void) ngx_http_webhook_api_elements(require.scope, doc,
                                             ngx_http_webhook_try_require,
                                             &require);
    }

    ngx_http_webhook_status_literal(&s->text, "]");
    ngx_http_webhook_status_name(&s->text, "observations");
    ngx_http_webhook_status_literal(&s->text, "[");

    ngx_memzero(&read, sizeof(ngx_http_webhook_try_read_t));

    route = dry->route;
    rc = NGX_OK;

    while (rc == NGX_OK && dry->route) {

        rest = (dry->route->also && doc) ? json_deep_copy(doc) : NULL;
        read.lost |= (dry->route->also && doc && rest == NULL);

        rc = ngx_http_webhook_try_route(s, dry, doc, &read);

        json_decref(doc);
        doc = rest;

        dry->route = dry->route->also;
    }

    json_decref(doc);

    dry->route = route;

    ngx_http_webhook_status_literal(&s->text, "]");
    ngx_http_webhook_status_number(&s->text, "executions", read.executions);
    ngx_http_webhook_status_number(&s->text, "unread", read.unread);

    if (read.lost) {
        dry->counter = NGX_HTTP_WEBHOOK_CNT_TOTAL;

    } else if (dry->events) {
        dry->counter = NGX_HTTP_WEBHOOK_CNT_MADE;

    } else if (!read.ok) {
        dry->counter = ngx_http_webhook_observe_reason(read.reason);

    } else {
        dry->counter = read.unknown ? NGX_HTTP_WEBHOOK_CNT_UNKNOWN
                                    : NGX_HTTP_WEBHOOK_CNT_STILL;
    }

    return rc;
}


static ngx_int_t
ngx_http_webhook_try_route(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, json_t *doc,
    ngx_http_webhook_try_read_t *read)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, reason, unread;
    ngx_array_t                      list;
    ngx_http_webhook_observation_t  *observation;

    if (ngx_array_init(&list, s->request->pool, 4,
                       sizeof(ngx_http_webhook_observation_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    unread = 0;
    rc = NGX_OK;

    reason = ngx_http_webhook_api_read(s->request, dry->api, dry->route, doc,
                                       &list, &unread);

    if (!dry->route->second) {
        read->reason = reason;
    }

    read->ok |= (reason == NGX_HTTP_WEBHOOK_READ_OK);
    read->lost |= (reason == NGX_HTTP_WEBHOOK_READ_NO_MEMORY);
    read->executions += list.nelts + unread;
    read->unread += unread;

    observation = list.elts;

    for (i = 0; rc == NGX_OK && i < list.nelts; i++) {

        if (read->n && read->n < NGX_HTTP_WEBHOOK_TRY_SHOWN) {
            ngx_http_webhook_status_literal(&s->text, ",");
        }

        rc = ngx_http_webhook_try_observation(s, dry, &observation[i],
                                        read->n < NGX_HTTP_WEBHOOK_TRY_SHOWN);
        read->n++;
        read->unknown += observation[i].unknown;
    }

    ngx_http_webhook_api_free(&list);

    return rc;
}


/* an element that does not count, and the line of "require" that says so */

static ngx_int_t
ngx_http_webhook_try_require(void *data, json_t *element,
    const ngx_http_webhook_place_t *place)
{
    ngx_http_webhook_try_require_t *require = data;

    ngx_http_webhook_text_t         *text;
    ngx_http_webhook_api_reading_t   reading;
    ngx_http_webhook_api_require_t  *line;

    text = &require->status->text;

    if (require->n++ == NGX_HTTP_WEBHOOK_ELEMENTS_MAX) {
        return NGX_DONE;
    }

    ngx_memzero(&reading, sizeof(ngx_http_webhook_api_reading_t));

    reading.scope = require->scope;
    reading.place = place;

    line = ngx_http_webhook_api_refused(&reading, element);

    if (line == NULL || require->shown == NGX_HTTP_WEBHOOK_TRY_SHOWN) {
        return NGX_OK;
    }

    if (require->shown++) {
        ngx_http_webhook_status_literal(text, ",");
    }

    ngx_http_webhook_status_literal(text, "{");
    ngx_http_webhook_status_number(text, "element", require->n - 1);
    ngx_http_webhook_status_string(text, "require", line->text.data,
                                   line->text.len);
    ngx_http_webhook_status_literal(text, "}");

    return NGX_OK;
}


/* as if nothing were known of the execution */

static ngx_int_t
ngx_http_webhook_try_observation(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation,
    ngx_uint_t shown)
{
    u_char                     buf[NGX_INT64_LEN], *p;
    ngx_str_t                 *name;
    ngx_uint_t                 i, n;
    ngx_http_webhook_text_t   *text;
    ngx_http_webhook_event_t   events[NGX_HTTP_WEBHOOK_EVENTS_MAX];

    n = ngx_http_webhook_try_events(dry, observation, events);

    dry->events += n;

    if (!shown) {
        return NGX_OK;
    }

    text = &s->text;

    ngx_http_webhook_status_literal(text, "{");
    ngx_http_webhook_status_string(text, "id", observation->id.data,
                                   observation->id.len);
    ngx_http_webhook_status_string(text, "status_text",
                                   observation->status.data,
                                   observation->status.len);
    ngx_http_webhook_status_boolean(text, "unknown_status_text",
                                    observation->unknown);

    ngx_http_webhook_status_name(text, "rank");

    if (observation->rank == NGX_HTTP_WEBHOOK_NONE) {
        ngx_http_webhook_status_literal(text, "null");

    } else {
        name = ngx_http_webhook_event_name(observation->rank);
        ngx_http_webhook_text_string(text, name->data, name->len);
    }

    ngx_http_webhook_status_name(text, "run");

    if (observation->has_run) {
        p = ngx_sprintf(buf, "%L", observation->run);
        ngx_http_webhook_text_append(text, buf, p - buf);

    } else {
        ngx_http_webhook_status_literal(text, "null");
    }

    ngx_http_webhook_status_name(text, "events");
    ngx_http_webhook_status_literal(text, "[");

    for (i = 0; i < n; i++) {

        if (i) {
            ngx_http_webhook_status_literal(text, ",");
        }

        name = ngx_http_webhook_event_name(events[i].event);
        ngx_http_webhook_text_string(text, name->data, name->len);
    }

    ngx_http_webhook_status_literal(text, "]");

    ngx_http_webhook_try_updated(s, dry, observation);

    if (ngx_http_webhook_try_enrich(s, dry, observation) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_webhook_status_name(text, "members");
    ngx_http_webhook_status_literal(text, "[");

    for (i = 0; i < NGX_HTTP_WEBHOOK_MEMBERS; i++) {

        if (observation->members[i] == NULL) {
            continue;
        }

        if (text->len && text->data[text->len - 1] != '[') {
            ngx_http_webhook_status_literal(text, ",");
        }

        ngx_http_webhook_text_string(text, ngx_http_webhook_try_members[i],
                             ngx_strlen(ngx_http_webhook_try_members[i]));
    }

    ngx_http_webhook_status_literal(text, "]");

    if (n == 0 && observation->rank != NGX_HTTP_WEBHOOK_NONE) {

        /* what its rank would mean */

        events[0].event = observation->rank;
        n = 1;
    }

    return ngx_http_webhook_try_payloads(s, dry, observation, events, n);
}


static ngx_uint_t
ngx_http_webhook_try_events(ngx_http_webhook_dry_t *dry,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *events)
{
    ngx_uint_t                    changed;
    ngx_time_t                   *tp;
    ngx_http_webhook_state_t      old, new;
    ngx_http_webhook_sighting_t   sighting;

    tp = ngx_timeofday();

    ngx_memzero(&old, sizeof(ngx_http_webhook_state_t));
    ngx_memzero(&sighting, sizeof(ngx_http_webhook_sighting_t));

    sighting.start = ngx_current_msec;
    sighting.now = ngx_current_msec;
    sighting.wall = (uint64_t) tp->sec * 1000 + tp->msec;
    sighting.rank = observation->rank;
    sighting.run = observation->run;
    sighting.has_run = observation->has_run;
    sighting.launch = dry->route->launch;
    sighting.rerun = dry->route->rerun;
    sighting.updated_set = observation->updated_set;
    ngx_memcpy(sighting.updated, observation->updated,
               sizeof(sighting.updated));

    changed = 0;

    return ngx_http_webhook_event_transition(&old, &sighting, &new, events,
                                             &changed);
}


/*
 * "payloads" of events, and "wanted": of which of them the webhook would be
 * told, null without one
 */

static ngx_int_t
ngx_http_webhook_try_payloads(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *events, ngx_uint_t n)
{
    json_t                   *payload;
    ngx_str_t                *name;
    ngx_uint_t                i, wanted[NGX_HTTP_WEBHOOK_EVENTS_MAX], comma;
    ngx_http_webhook_text_t  *text;
    ngx_http_webhook_hook_t   bare, *hook;

    text = &s->text;

    ngx_memzero(&bare, sizeof(ngx_http_webhook_hook_t));

    hook = dry->hook ? dry->hook : &bare;

    ngx_http_webhook_status_name(text, "payloads");
    ngx_http_webhook_status_literal(text, "[");

    for (i = 0; i < n; i++) {

        if (i) {
            ngx_http_webhook_status_literal(text, ",");
        }

        payload = ngx_http_webhook_payload_execution(events[i].event,
                                                     observation, hook);
        if (payload == NULL) {
            return NGX_ERROR;
        }

        wanted[i] = ngx_http_webhook_payload_wanted(hook, events[i].event,
                                                    payload);

        ngx_http_webhook_json_write(text, payload, &s->mcf->redact);

        json_decref(payload);
    }

    ngx_http_webhook_status_literal(text, "]");
    ngx_http_webhook_status_name(text, "wanted");

    if (dry->hook == NULL) {
        ngx_http_webhook_status_literal(text, "null}");
        return NGX_OK;
    }

    ngx_http_webhook_status_literal(text, "[");

    comma = 0;

    for (i = 0; i < n; i++) {

        if (!wanted[i]) {
            continue;
        }

        if (comma++) {
            ngx_http_webhook_status_literal(text, ",");
        }

        name = ngx_http_webhook_event_name(events[i].event);
        ngx_http_webhook_text_string(text, name->data, name->len);
    }

    ngx_http_webhook_status_literal(text, "]}");

    return NGX_OK;
}


/* each VALUE, and a digest that changes when it does */

static void
ngx_http_webhook_try_updated(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation)
{
    u_char                         buf[16], *p;
    ngx_str_t                     *rule;
    ngx_uint_t                     i;
    ngx_http_webhook_text_t       *text;
    ngx_http_webhook_api_route_t  *rp;
    ngx_http_webhook_api_value_t  *value;

    text = &s->text;
    rp = dry->route->priv;

    ngx_http_webhook_status_name(text, "updated");
    ngx_http_webhook_status_literal(text, "[");

    value = rp->scope.updated ? rp->scope.updated->elts : NULL;

    for (i = 0; value && i < rp->scope.updated->nelts; i++) {

        if (i) {
            ngx_http_webhook_status_literal(text, ",");
        }

        rule = value[i].text ? &value[i].text->value
                             : &value[i].pointer.pointer.text;

        ngx_http_webhook_status_literal(text, "{");
        ngx_http_webhook_status_string(text, "value", rule->data, rule->len);

        if (observation->updated_set & (1 << i)) {
            p = ngx_sprintf(buf, "%016xL", observation->updated[i]);
            ngx_http_webhook_status_string(text, "digest", buf, p - buf);

        } else {
            ngx_http_webhook_status_string(text, "digest", NULL, 0);
        }

        ngx_http_webhook_status_literal(text, "}");
    }

    ngx_http_webhook_status_literal(text, "]");
}


/*
 * What is lacking, and the URI that would be asked; null: the answer to another
 * one comes first, or a value cannot stand there.
 */

static ngx_int_t
ngx_http_webhook_try_enrich(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry, ngx_http_webhook_observation_t *observation)
{
    ngx_int_t                         rc;
    ngx_str_t                        *values, uri;
    ngx_uint_t                        i, n;
    ngx_http_request_t               *r;
    ngx_http_webhook_text_t          *text;
    ngx_http_webhook_enrich_line_t  **lp;

    r = s->request;
    text = &s->text;

    ngx_http_webhook_status_name(text, "enrich");
    ngx_http_webhook_status_literal(text, "[");

    lp = dry->route->enrich ? dry->route->enrich->elts : NULL;
    n = 0;

    for (i = 0; lp && i < dry->route->enrich->nelts; i++) {

        if (!ngx_http_webhook_enrich_lacks(observation, lp[i])) {
            continue;
        }

        values = ngx_http_webhook_watch_values(r, lp[i]->uri, &observation->id,
                                               r->pool);
        if (values == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_http_webhook_enrich_uri(r->pool, observation, lp[i], values,
                                         &uri);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_str_null(&uri);

        } else if (ngx_http_webhook_try_shown(r->pool, &uri) != NGX_OK) {
            return NGX_ERROR;
        }

        if (n++) {
            ngx_http_webhook_status_literal(text, ",");
        }

        ngx_http_webhook_status_literal(text, "{");
        ngx_http_webhook_status_string(text, "member", lp[i]->name.data,
                                       lp[i]->name.len);
        ngx_http_webhook_status_number(text, "line", lp[i]->line);
        ngx_http_webhook_status_string(text, "uri", uri.data, uri.len);
        ngx_http_webhook_status_literal(text, "}");
    }

    ngx_http_webhook_status_literal(text, "]");

    return NGX_OK;
}


/* values of its query may be keys */

static ngx_int_t
ngx_http_webhook_try_shown(ngx_pool_t *pool, ngx_str_t *uri)
{
    u_char      *p, *q, *last, *shown;
    size_t       n;
    ngx_uint_t   skip;

    p = uri->data;
    last = p + uri->len;

    q = ngx_strlchr(p, last, '?');

    if (q == NULL) {
        return NGX_OK;
    }

    n = 0;

    for (p = q; p < last; p++) {
        n += (*p == '=');
    }

    shown = ngx_pnalloc(pool, uri->len + n * (sizeof("***") - 1));
    if (shown == NULL) {
        return NGX_ERROR;
    }

    p = uri->data;
    uri->data = shown;

    shown = ngx_cpymem(shown, p, q - p);
    skip = 0;

    for (p = q; p < last; p++) {

        if (*p == '&') {
            skip = 0;
        }

        if (skip) {
            continue;
        }

        *shown++ = *p;

        if (*p == '=') {
            shown = ngx_cpymem(shown, "***", sizeof("***") - 1);
            skip = 1;
        }
    }

    uri->len = shown - uri->data;

    return NGX_OK;
}
