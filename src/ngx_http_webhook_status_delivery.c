
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_delivery: in: a delivery, copied out of the zone or the store; out:
 * JSON, with everything that came from outside escaped; next: status.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_format.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_scrub.h"


static void ngx_http_webhook_status_attempt(ngx_http_webhook_text_t *text,
    ngx_http_webhook_attempt_t *attempt, ngx_array_t *secrets);
static ngx_int_t ngx_http_webhook_status_stored(ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_status_join(
    ngx_http_webhook_delivery_t *old, ngx_http_webhook_delivery_t *delivery);
static ngx_int_t ngx_http_webhook_status_no_delivery(
    ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_status_whole(ngx_http_webhook_status_t *s,
    ngx_http_webhook_delivery_t *delivery);
static ngx_int_t ngx_http_webhook_status_response(
    ngx_http_webhook_status_t *s, ngx_http_webhook_attempt_t *attempt,
    ngx_array_t *secrets);
static void ngx_http_webhook_status_phase(ngx_http_webhook_text_t *text,
    const char *name, ngx_msec_t ms);


/* in the order of NGX_HTTP_WEBHOOK_WAITING, ... */

static ngx_str_t  ngx_http_webhook_statuses[] = {
    ngx_string("waiting"),
    ngx_string("sending"),
    ngx_string("delivered"),
    ngx_string("failed"),
    ngx_string("expired"),
    ngx_string("superseded"),
    ngx_string("dropped")
};


/* in the order of NGX_HTTP_WEBHOOK_ERR_NONE, ... */

static ngx_str_t  ngx_http_webhook_errors[] = {
    ngx_string(""),
    ngx_string("dns"),
    ngx_string("connect"),
    ngx_string("tls"),
    ngx_string("timeout"),
    ngx_string("reset"),
    ngx_string("protocol"),
    ngx_string("broken"),
    ngx_string("proxy"),
    ngx_string("internal")
};


#define NGX_HTTP_WEBHOOK_NSTATUSES                                            \
    (sizeof(ngx_http_webhook_statuses) / sizeof(ngx_str_t))


uint32_t
ngx_http_webhook_status_bit(ngx_str_t *name)
{
    ngx_uint_t   i;
    ngx_str_t   *known;

    known = ngx_http_webhook_statuses;

    for (i = 0; i < NGX_HTTP_WEBHOOK_NSTATUSES; i++) {
        if (known[i].len == name->len
            && ngx_strncasecmp(known[i].data, name->data, name->len) == 0)
        {
            return (uint32_t) 1 << i;
        }
    }

    return 0;
}


void
ngx_http_webhook_status_summary(ngx_http_webhook_text_t *text,
    ngx_http_webhook_summary_t *summary)
{
    u_char      uuid[NGX_HTTP_WEBHOOK_UUID_LEN];
    ngx_str_t  *type, *event, *status, *error;

    ngx_http_webhook_uuid_text(summary->uuid, uuid);

    type = ngx_http_webhook_event_type(summary->event);
    event = ngx_http_webhook_event_name(summary->event);
    status = &ngx_http_webhook_statuses[summary->status];
    error = &ngx_http_webhook_errors[summary->error];

    ngx_http_webhook_status_string(text, "uuid", uuid,
                                   NGX_HTTP_WEBHOOK_UUID_LEN);
    ngx_http_webhook_status_string(text, "hook", summary->hook,
                                   summary->hook_len);
    ngx_http_webhook_status_string(text, "type", type->data, type->len);
    ngx_http_webhook_status_string(text, "event", event->data, event->len);
    ngx_http_webhook_status_string(text, "execution", summary->execution,
                                   summary->execution_len);
    ngx_http_webhook_status_number(text, "sequence", summary->sequence);
    ngx_http_webhook_status_string(text, "status", status->data, status->len);
    ngx_http_webhook_status_time(text, "timestamp", summary->time);

    if (summary->attempts) {
        ngx_http_webhook_status_number(text, "duration", summary->duration);

    } else {
        ngx_http_webhook_status_literal(text, ",\"duration\":null");
    }

    ngx_http_webhook_status_positive(text, "code", summary->code);
    ngx_http_webhook_status_string(text, "error", error->data, error->len);
    ngx_http_webhook_status_time(text, "next_attempt", summary->next);
}


ngx_int_t
ngx_http_webhook_status_delivery(ngx_http_webhook_status_t *s)
{
    u_char                        uuid[16];
    ngx_int_t                     rc;
    ngx_http_webhook_delivery_t  *delivery;

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_webhook_uuid_parse(&s->name, uuid) != NGX_OK) {
        return ngx_http_webhook_status_no_delivery(s);
    }

    delivery = ngx_pcalloc(s->request->pool,
                           sizeof(ngx_http_webhook_delivery_t));
    if (delivery == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_webhook_queue_get(s->mcf->zone, uuid, s->request->pool,
                                    delivery);

    switch (rc) {

    case NGX_OK:

        if (delivery->attempts.nelts == delivery->summary.attempts) {
            return ngx_http_webhook_status_whole(s, delivery);
        }

        /* the zone has given up the first ones, or never had them */

        s->state = delivery;
        break;

    case NGX_DECLINED:
        break;

    default:
        return NGX_ERROR;
    }

    rc = ngx_http_webhook_status_ask(s, NGX_HTTP_WEBHOOK_QUERY_ONE,
                                     ngx_http_webhook_status_stored);

    if (rc == NGX_OK) {
        ngx_memcpy(s->query->uuid, uuid, 16);

        return ngx_http_webhook_status_wait(s);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return s->state ? ngx_http_webhook_status_whole(s, delivery)
                    : ngx_http_webhook_status_no_delivery(s);
}


/* the store has answered */

static ngx_int_t
ngx_http_webhook_status_stored(ngx_http_webhook_status_t *s)
{
    ngx_http_webhook_stored_t    *row;
    ngx_http_webhook_delivery_t  *delivery;

    delivery = s->state;

    if (ngx_http_webhook_status_unread(s)) {
        return delivery ? ngx_http_webhook_status_whole(s, delivery)
                        : ngx_http_webhook_status_no_answer(s);
    }

    if (s->query->rc != NGX_OK) {
        return delivery ? ngx_http_webhook_status_whole(s, delivery)
                        : ngx_http_webhook_status_no_delivery(s);
    }

    row = s->query->rows.elts;

    if (delivery == NULL) {
        ngx_str_null(&s->tag);
        ngx_http_webhook_status_present(s, row);

        return ngx_http_webhook_status_whole(s, &row->delivery);
    }

    if (ngx_http_webhook_status_join(&row->delivery, delivery) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_status_whole(s, delivery);
}


/* attempts of the store, then those the zone knows better */

static ngx_int_t
ngx_http_webhook_status_join(ngx_http_webhook_delivery_t *old,
    ngx_http_webhook_delivery_t *delivery)
{
    ngx_uint_t                   i, n;
    ngx_array_t                 *attempts;
    ngx_http_webhook_attempt_t  *attempt, *to;

    attempts = &old->attempts;
    attempt = attempts->elts;
    to = delivery->attempts.elts;

    n = delivery->attempts.nelts;

    for (i = 0; i < attempts->nelts; i++) {
        if (attempt[i].number > delivery->summary.attempts
            || (n && attempt[i].number >= to[0].number))
        {
            break;
        }
    }

    attempts->nelts = i;

    if (n == 0) {
        delivery->sent = old->sent;

    } else {
        attempt = ngx_array_push_n(attempts, n);
        if (attempt == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(attempt, to, n * sizeof(ngx_http_webhook_attempt_t));
    }

    delivery->attempts = *attempts;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_status_no_delivery(ngx_http_webhook_status_t *s)
{
    return ngx_http_webhook_status_problem(s, NGX_HTTP_NOT_FOUND,
                               "there is no delivery of this UUID", NULL);
}


static ngx_int_t
ngx_http_webhook_status_whole(ngx_http_webhook_status_t *s,
    ngx_http_webhook_delivery_t *delivery)
{
    ngx_str_t                    name;
    ngx_uint_t                   i, n;
    ngx_array_t                  secrets;
    ngx_http_webhook_hook_t     *hook;
    ngx_http_webhook_text_t     *text;
    ngx_http_webhook_attempt_t  *attempt;

    name.len = delivery->summary.hook_len;
    name.data = delivery->summary.hook;

    hook = ngx_http_webhook_status_hook(s, &name);

    if (ngx_http_webhook_status_secrets(s, hook, &secrets) != NGX_OK) {
        return NGX_ERROR;
    }

    text = &s->text;

    ngx_http_webhook_status_literal(text, "{");
    ngx_http_webhook_status_summary(text, &delivery->summary);
    ngx_http_webhook_status_number(text, "attempt_count",
                                   delivery->summary.attempts);

    ngx_http_webhook_status_literal(text, ",\"request\":{");
    ngx_http_webhook_status_string(text, "url", hook ? hook->shown.data : NULL,
                                   hook ? hook->shown.len : 0);
    ngx_http_webhook_status_literal(text, ",\"method\":\"POST\",\"headers\":");
    ngx_http_webhook_scrub(&secrets, &delivery->sent);

    if (ngx_http_webhook_status_headers(s, &delivery->sent) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_webhook_status_string(text, "payload", delivery->payload.data,
                                   delivery->payload.len);
    ngx_http_webhook_status_literal(text, "},\"response\":");

    attempt = delivery->attempts.elts;
    n = delivery->attempts.nelts;

    if (n == 0 || attempt[n - 1].status == 0) {
        ngx_http_webhook_status_literal(text, "null");

    } else if (ngx_http_webhook_status_response(s, &attempt[n - 1],
                                              hook ? &secrets : NULL)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_webhook_status_literal(text, ",\"attempts\":[");

    for (i = 0; i < n; i++) {

        if (i) {
            ngx_http_webhook_status_literal(text, ",");
        }

        ngx_http_webhook_status_attempt(text, &attempt[i], &secrets);
    }

    ngx_http_webhook_status_literal(text, "]}");

    return NGX_HTTP_OK;
}


/*
 * secrets NULL: what it may echo is not known, the webhook is gone; headers
 * NULL: they, and the body, are not kept
 */

static ngx_int_t
ngx_http_webhook_status_response(ngx_http_webhook_status_t *s,
    ngx_http_webhook_attempt_t *attempt, ngx_array_t *secrets)
{
    ngx_http_webhook_text_t  *text;

    text = &s->text;

    ngx_http_webhook_status_literal(text, "{");
    ngx_http_webhook_status_number(text, "code", attempt->status);

    if (secrets == NULL || attempt->headers.data == NULL) {
        ngx_http_webhook_status_literal(text, ",\"headers\":null"
                                              ",\"body\":null"
                                              ",\"base64\":false");
        goto size;
    }

    ngx_http_webhook_status_literal(text, ",\"headers\":");
    ngx_http_webhook_scrub(secrets, &attempt->headers);

    if (ngx_http_webhook_status_headers(s, &attempt->headers) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_webhook_scrub(secrets, &attempt->body);

    if (ngx_http_webhook_status_body(s, &attempt->body, attempt->truncated)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

size:

    ngx_http_webhook_status_number(text, "size", attempt->body_size);
    ngx_http_webhook_status_boolean(text, "truncated", attempt->truncated);
    ngx_http_webhook_status_literal(text, "}");

    return NGX_OK;
}


static void
ngx_http_webhook_status_attempt(ngx_http_webhook_text_t *text,
    ngx_http_webhook_attempt_t *attempt, ngx_array_t *secrets)
{
    ngx_str_t  *error;

    ngx_http_webhook_status_literal(text, "{");
    ngx_http_webhook_status_time(text, "started", attempt->started);
    ngx_http_webhook_status_positive(text, "code", attempt->status);

    error = &ngx_http_webhook_errors[attempt->error];
    ngx_http_webhook_status_string(text, "error", error->data, error->len);

    ngx_http_webhook_scrub(secrets, &attempt->message);
    ngx_http_webhook_status_string(text, "message", attempt->message.data,
                                   attempt->message.len);

    ngx_http_webhook_status_literal(text, ",\"phases\":{");
    ngx_http_webhook_status_phase(text, "dns", attempt->dns);
    ngx_http_webhook_status_phase(text, "connect", attempt->connect);
    ngx_http_webhook_status_phase(text, "tls", attempt->tls);
    ngx_http_webhook_status_phase(text, "first_byte", attempt->first_byte);
    ngx_http_webhook_status_phase(text, "total", attempt->total);
    ngx_http_webhook_status_literal(text, "}");

    ngx_http_webhook_status_string(text, "peer", attempt->peer.data,
                                   attempt->peer.len);
    ngx_http_webhook_status_boolean(text, "reused", attempt->reused);
    ngx_http_webhook_status_literal(text, "}");
}


static void
ngx_http_webhook_status_phase(ngx_http_webhook_text_t *text, const char *name,
    ngx_msec_t ms)
{
    if (ms != NGX_CONF_UNSET_MSEC) {
        ngx_http_webhook_status_number(text, name, ms);
    }
}
