
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_state: a document and the rules of a route -> where the execution stands
 * (rank).  Next rooms: api_run, api_updated; api, which adds the members.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_regex.h"


#define NGX_HTTP_WEBHOOK_STATUS_MAX  64        /* bytes kept of a text */


/* what the elements of a "*" come to, or the one value without it */

typedef struct {
    ngx_http_webhook_api_scope_t    *scope;
    ngx_http_webhook_pointer_t      *tail;
    ngx_array_t                     *values;     /* ..._value_match_t */
    ngx_uint_t                       n;
    ngx_uint_t                       hold;
    ngx_uint_t                       ranks[NGX_HTTP_WEBHOOK_FINISHED + 1];
    ngx_uint_t                       unknown;
    ngx_pool_t                      *pool;
    ngx_str_t                        text;       /* the first one's */
} ngx_http_webhook_api_tally_t;


/* of two "*": what is done below each element of the first one */

typedef struct {
    ngx_http_webhook_pointer_t       inner;
    ngx_http_webhook_pointer_pt      handler;
    ngx_http_webhook_api_tally_t    *tally;
} ngx_http_webhook_api_below_t;


static ngx_uint_t ngx_http_webhook_api_require_one(
    ngx_http_webhook_api_reading_t *reading, json_t *element,
    ngx_http_webhook_api_require_t *require);
static ngx_uint_t ngx_http_webhook_api_hold(
    ngx_http_webhook_api_reading_t *reading, json_t *element,
    ngx_http_webhook_api_value_t *value, ngx_array_t *values);
static ngx_uint_t ngx_http_webhook_api_holds(json_t *json,
    ngx_array_t *values);
static void ngx_http_webhook_api_tally(json_t *element,
    ngx_http_webhook_api_pointer_t *pointer,
    ngx_http_webhook_pointer_pt handler, ngx_http_webhook_api_tally_t *tally);
static ngx_int_t ngx_http_webhook_api_tally_below(void *data, json_t *element,
    const ngx_http_webhook_place_t *place);
static ngx_int_t ngx_http_webhook_api_tally_hold(void *data, json_t *element,
    const ngx_http_webhook_place_t *place);
static ngx_int_t ngx_http_webhook_api_tally_state(void *data, json_t *element,
    const ngx_http_webhook_place_t *place);
static void ngx_http_webhook_api_state_text(
    ngx_http_webhook_api_tally_t *tally, ngx_str_t *text);
static ngx_uint_t ngx_http_webhook_api_present(
    ngx_http_webhook_api_reading_t *reading, json_t *element);
static ngx_uint_t ngx_http_webhook_api_rank(
    ngx_http_webhook_api_tally_t *tally, ngx_uint_t unknown);


ngx_http_webhook_api_require_t *
ngx_http_webhook_api_refused(ngx_http_webhook_api_reading_t *reading,
    json_t *element)
{
    ngx_uint_t                       i;
    ngx_array_t                     *lines;
    ngx_http_webhook_api_require_t  *require;

    lines = reading->scope->require;

    if (lines == NULL) {
        return NULL;
    }

    require = lines->elts;

    for (i = 0; i < lines->nelts; i++) {
        if (!ngx_http_webhook_api_require_one(reading, element, &require[i])) {
            return &require[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_webhook_api_require_one(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_api_require_t *require)
{
    ngx_uint_t                       i, negative;
    ngx_http_webhook_api_tally_t     tally;
    ngx_http_webhook_api_value_t    *value;
    ngx_http_webhook_value_match_t  *match;

    if (element == NULL) {
        return 0;
    }

    value = &require->value;

    if (value->pointer.pointer.wildcards == 0) {
        return ngx_http_webhook_api_hold(reading, element, value,
                                         require->values);
    }

    ngx_memzero(&tally, sizeof(ngx_http_webhook_api_tally_t));

    tally.values = require->values;

    ngx_http_webhook_api_tally(element, &value->pointer,
                               ngx_http_webhook_api_tally_hold, &tally);

    /* "is it none of these" must be so everywhere, "is it this" somewhere */

    negative = (require->values != NULL);

    if (require->values) {
        match = require->values->elts;

        for (i = 0; i < require->values->nelts; i++) {
            negative = negative && match[i].negative;
        }
    }

    return negative ? tally.hold == tally.n : tally.hold != 0;
}


/* without a "*" */

static ngx_uint_t
ngx_http_webhook_api_hold(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_api_value_t *value, ngx_array_t *values)
{
    json_t     *json;
    ngx_str_t   text;

    if (ngx_http_webhook_api_value(reading, element, value, &text, &json)
        == NGX_OK
        && value->named)
    {
        return values == NULL || ngx_http_webhook_payload_match(values, &text);
    }

    return ngx_http_webhook_api_holds(json, values);
}


static ngx_uint_t
ngx_http_webhook_api_holds(json_t *json, ngx_array_t *values)
{
    u_char     buf[32];
    ngx_str_t  text;

    if (json_is_null(json)) {
        json = NULL;
    }

    if (values == NULL) {
        return json != NULL;
    }

    if (json == NULL) {
        return ngx_http_webhook_payload_match(values, NULL);
    }

    if (ngx_http_webhook_json_scalar(json, &text, buf) != NGX_OK) {
        ngx_str_null(&text);
    }

    return ngx_http_webhook_payload_match(values, &text);
}


static void
ngx_http_webhook_api_tally(json_t *element,
    ngx_http_webhook_api_pointer_t *pointer,
    ngx_http_webhook_pointer_pt handler, ngx_http_webhook_api_tally_t *tally)
{
    ngx_str_t                     *segment;
    ngx_uint_t                     n;
    ngx_http_webhook_pointer_t     outer;
    ngx_http_webhook_api_below_t   below;

    tally->tail = &pointer->tail;

    if (pointer->pointer.wildcards == 1) {
        (void) ngx_http_webhook_pointer_each(element, &pointer->head, handler,
                                             tally);
        return;
    }

    segment = pointer->head.segments;

    for (n = 0; segment[n].len != 1 || segment[n].data[0] != '*'; n++) {
        /* void */
    }

    n++;

    outer = pointer->head;
    outer.nsegments = n;

    below.inner = pointer->head;
    below.inner.segments += n;
    below.inner.nsegments -= n;
    below.handler = handler;
    below.tally = tally;

    (void) ngx_http_webhook_pointer_each(element, &outer,
                                         ngx_http_webhook_api_tally_below,
                                         &below);
}


/* an element that has nothing for the second "*" counts as one without it */

static ngx_int_t
ngx_http_webhook_api_tally_below(void *data, json_t *element,
    const ngx_http_webhook_place_t *place)
{
    ngx_http_webhook_api_below_t *below = data;

    ngx_int_t  rc;

    rc = ngx_http_webhook_pointer_each(element, &below->inner, below->handler,
                                       below->tally);

    if (rc == NGX_DECLINED) {
        rc = below->handler(below->tally, json_null(), place);
    }

    return rc;
}


static ngx_int_t
ngx_http_webhook_api_tally_hold(void *data, json_t *element,
    const ngx_http_webhook_place_t *place)
{
    ngx_http_webhook_api_tally_t *tally = data;

    json_t  *json;

    json = ngx_http_webhook_pointer_get(element, tally->tail);

    tally->n++;
    tally->hold += ngx_http_webhook_api_holds(json, tally->values);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_api_tally_state(void *data, json_t *element,
    const ngx_http_webhook_place_t *place)
{
    ngx_http_webhook_api_tally_t *tally = data;

    u_char      buf[32];
    json_t     *json;
    ngx_str_t   text;

    json = tally->tail ? ngx_http_webhook_pointer_get(element, tally->tail)
                       : element;

    tally->n++;

    if (json && ngx_http_webhook_json_scalar(json, &text, buf) == NGX_OK) {
        ngx_http_webhook_api_state_text(tally, &text);
    }

    return NGX_OK;
}


static void
ngx_http_webhook_api_state_text(ngx_http_webhook_api_tally_t *tally,
    ngx_str_t *text)
{
    ngx_uint_t  rank;

    rank = ngx_http_webhook_api_states(tally->scope, text);

    if (rank == NGX_HTTP_WEBHOOK_NONE) {

        /* an empty one says nothing, unless it is named */

        if (text->len == 0) {
            return;
        }

        tally->unknown++;

    } else {
        tally->ranks[rank]++;
    }

    if (tally->hold++ == 0) {
        tally->text.len = ngx_min(text->len, NGX_HTTP_WEBHOOK_STATUS_MAX);
        tally->text.data = ngx_pnalloc(tally->pool, tally->text.len + 1);

        if (tally->text.data == NULL) {
            tally->text.len = 0;

        } else {
            ngx_memcpy(tally->text.data, text->data, tally->text.len);
        }
    }
}


void
ngx_http_webhook_api_state(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation)
{
    json_t                        *json;
    ngx_str_t                      text;
    ngx_uint_t                     i, present, unknown;
    ngx_http_webhook_api_tally_t   tally;
    ngx_http_webhook_api_value_t  *value;
    ngx_http_webhook_api_route_t  *rp;

    rp = reading->route->priv;

    present = ngx_http_webhook_api_present(reading, element);

    ngx_memzero(&tally, sizeof(ngx_http_webhook_api_tally_t));

    tally.scope = reading->scope;
    tally.pool = reading->request->pool;

    if (reading->scope->state) {
        value = reading->scope->state->elts;

        for (i = 0; i < reading->scope->state->nelts && !tally.hold; i++) {

            tally.n = 0;

            if (value[i].text == NULL && value[i].pointer.pointer.wildcards) {

                if (element) {
                    ngx_http_webhook_api_tally(element, &value[i].pointer,
                                              ngx_http_webhook_api_tally_state,
                                              &tally);
                }

                continue;
            }

            if (ngx_http_webhook_api_value(reading, element, &value[i], &text,
                                           &json)
                != NGX_OK)
            {
                continue;
            }

            if (json) {
                tally.tail = NULL;
                (void) ngx_http_webhook_api_tally_state(&tally, json, NULL);

            } else {
                tally.n = 1;
                ngx_http_webhook_api_state_text(&tally, &text);
            }
        }
    }

    /*
     * Where a description says what being started looks like, a status that
     * it does not know is that of something that waits.
     */

    unknown = (rp->present_started && present < NGX_HTTP_WEBHOOK_STARTED)
              ? NGX_HTTP_WEBHOOK_LAUNCHED : NGX_HTTP_WEBHOOK_STARTED;

    observation->status = tally.text;
    observation->unknown = (tally.unknown != 0);
    observation->rank = ngx_max(present,
                                ngx_http_webhook_api_rank(&tally, unknown));

    if (observation->rank == NGX_HTTP_WEBHOOK_NONE
        && (reading->route->launch || reading->route->rerun))
    {
        observation->rank = NGX_HTTP_WEBHOOK_LAUNCHED;
    }

    ngx_http_webhook_api_run(reading, element, observation);
}


static ngx_uint_t
ngx_http_webhook_api_present(ngx_http_webhook_api_reading_t *reading,
    json_t *element)
{
    ngx_uint_t                       i, rank;
    ngx_array_t                     *lines;
    ngx_http_webhook_api_tally_t     tally;
    ngx_http_webhook_api_value_t    *value;
    ngx_http_webhook_api_present_t  *present;

    rank = NGX_HTTP_WEBHOOK_NONE;
    lines = reading->scope->present;

    if (lines == NULL || element == NULL) {
        return rank;
    }

    present = lines->elts;

    for (i = 0; i < lines->nelts; i++) {

        value = present[i].pointer->elts;

        ngx_memzero(&tally, sizeof(ngx_http_webhook_api_tally_t));

        tally.values = present[i].values;

        if (value->pointer.pointer.wildcards) {
            ngx_http_webhook_api_tally(element, &value->pointer,
                                       ngx_http_webhook_api_tally_hold,
                                       &tally);

        } else {
            tally.n = 1;
            tally.hold = ngx_http_webhook_api_hold(reading, element, value,
                                                   present[i].values);
        }

        if (tally.hold == 0) {
            continue;
        }

        if (present[i].rank == NGX_HTTP_WEBHOOK_FINISHED
            && tally.hold == tally.n)
        {
            return NGX_HTTP_WEBHOOK_FINISHED;
        }

        rank = NGX_HTTP_WEBHOOK_STARTED;
    }

    return rank;
}


static ngx_uint_t
ngx_http_webhook_api_rank(ngx_http_webhook_api_tally_t *tally,
    ngx_uint_t unknown)
{
    if (tally->hold == 0) {
        return NGX_HTTP_WEBHOOK_NONE;
    }

    tally->ranks[unknown] += tally->unknown;

    if (tally->ranks[NGX_HTTP_WEBHOOK_FINISHED] == tally->n) {
        return NGX_HTTP_WEBHOOK_FINISHED;
    }

    if (tally->ranks[NGX_HTTP_WEBHOOK_FINISHED]
        || tally->ranks[NGX_HTTP_WEBHOOK_STARTED])
    {
        return NGX_HTTP_WEBHOOK_STARTED;
    }

    return NGX_HTTP_WEBHOOK_LAUNCHED;
}
