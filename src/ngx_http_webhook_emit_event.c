
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * emit_event: an event of an observed execution -> its payloads, and a
 * delivery for each webhook that wants it.  Next room: emit, which queues all.
 */


#include "ngx_http_webhook_emit_priv.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_zone.h"


/* webhooks with equal members share one payload of an event */

typedef struct {
    ngx_uint_t                       member_set;
    json_t                          *payload;
    ngx_int_t                        index;    /* in events; -1: none yet */
} ngx_http_webhook_emit_set_t;


static ngx_int_t ngx_http_webhook_emit_event_sets(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event, ngx_array_t *sets);
static ngx_http_webhook_emit_set_t *ngx_http_webhook_emit_set(
    ngx_http_webhook_emit_t *em, ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_event_t *event, ngx_array_t *sets);
static ngx_http_webhook_new_event_t *ngx_http_webhook_emit_new_event(
    ngx_http_webhook_emit_t *em, ngx_http_webhook_event_t *event,
    json_t *payload);
static void ngx_http_webhook_emit_write(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_text_t *text, json_t *payload);
static uint64_t ngx_http_webhook_emit_now(void);
static ngx_int_t ngx_http_webhook_emit_headers(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_hook_t *hook, ngx_str_t *headers);


ngx_int_t
ngx_http_webhook_emit_begin(ngx_http_webhook_emit_t *em)
{
    em->pool = ngx_create_pool(4096, ngx_cycle->log);
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


void
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


ngx_int_t
ngx_http_webhook_emit_event(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event)
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

    rc = ngx_http_webhook_emit_event_sets(em, event, &sets);

    set = sets.elts;

    for (i = 0; i < sets.nelts; i++) {
        json_decref(set[i].payload);
    }

    return rc;
}


static ngx_int_t
ngx_http_webhook_emit_event_sets(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event, ngx_array_t *sets)
{
    ngx_uint_t                        i, first, wanted;
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

        wanted = ngx_http_webhook_payload_wanted(hook[i], event->event,
                                                 set->payload);

        if (!wanted && !em->enriched) {
            continue;
        }

        if (set->index == -1) {
            new = ngx_http_webhook_emit_new_event(em, event, set->payload);
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
        delivery->unsure = !wanted;

        ngx_http_webhook_event_uuid(delivery->uuid, &hook[i]->name,
                                    &em->source->api->name, em->source->realm,
                                    &em->observation->id, event);

        if (em->source->request
            && hook[i]->nvariables && em->headers[i].data == NULL)
        {
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

        if (ngx_http_webhook_emit_new_event(em, event, NULL) == NULL) {
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
    ngx_http_webhook_event_t *event, json_t *payload)
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
    new->time = em->source->wall;
    new->pending = em->pending;
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

    ngx_http_webhook_emit_write(em, text, payload);

    if (text->failed) {
        return NULL;
    }

    new->payload.data = text->data;
    new->payload.len = text->len;

    return new;
}


static void
ngx_http_webhook_emit_write(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_text_t *text, json_t *payload)
{
    uint64_t      start;
    ngx_array_t  *redact;

    redact = &em->source->main->redact;

    if (!em->observation->shared) {
        ngx_http_webhook_json_write(text, payload, redact);
        return;
    }

    start = ngx_http_webhook_emit_now();

    ngx_http_webhook_json_write(text, payload, redact);

    em->source->wrote += ngx_http_webhook_emit_now() - start;
}


/* nginx's own clock stands still meanwhile */

static uint64_t
ngx_http_webhook_emit_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
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
