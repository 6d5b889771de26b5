
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_hook: in: webhooks as configured, and how they do, copied out of the
 * zone; out: JSON; next: status.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_store.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"


typedef struct {
    ngx_uint_t    bit;
    ngx_str_t     name;
} ngx_http_webhook_status_scheme_t;


static void ngx_http_webhook_status_watch(ngx_http_webhook_status_t *s);
static void ngx_http_webhook_status_store(ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_status_webhook(ngx_http_webhook_status_t *s,
    ngx_http_webhook_hook_t *hook);
static void ngx_http_webhook_status_signature(ngx_http_webhook_text_t *text,
    ngx_http_webhook_hook_t *hook);
static void ngx_http_webhook_status_recent(ngx_http_webhook_text_t *text,
    ngx_http_webhook_hook_stat_t *stat);
static void ngx_http_webhook_status_outcomes(ngx_http_webhook_text_t *text,
    ngx_http_webhook_hook_stat_t *stat);


/* in the order of NGX_HTTP_WEBHOOK_HEALTH_OK, ... */

ngx_str_t  ngx_http_webhook_states[NGX_HTTP_WEBHOOK_NHEALTH] = {
    ngx_string("ok"),
    ngx_string("probing"),
    ngx_string("gone"),
    ngx_string("failing"),
    ngx_string("paused")
};


static ngx_http_webhook_status_scheme_t  ngx_http_webhook_schemes[] = {
    { NGX_HTTP_WEBHOOK_SIGN_NONE, ngx_string("none") },
    { NGX_HTTP_WEBHOOK_SIGN_STANDARD, ngx_string("standard") },
    { NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO, ngx_string("virtuoso") },
    { NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO_SHA256, ngx_string("virtuoso=sha256") },
    { NGX_HTTP_WEBHOOK_SIGN_GITHUB, ngx_string("github") },
    { NGX_HTTP_WEBHOOK_SIGN_STRIPE, ngx_string("stripe") }
};


#define NGX_HTTP_WEBHOOK_NSCHEMES                                             \
    (sizeof(ngx_http_webhook_schemes)                                         \
     / sizeof(ngx_http_webhook_status_scheme_t))


ngx_int_t
ngx_http_webhook_status_hooks(ngx_http_webhook_status_t *s)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    hook = s->mcf->hooks.elts;

    ngx_http_webhook_status_literal(&s->text, "{\"hooks\":[");

    for (i = 0; i < s->mcf->hooks.nelts; i++) {

        if (i) {
            ngx_http_webhook_status_literal(&s->text, ",");
        }

        if (ngx_http_webhook_status_webhook(s, hook[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_http_webhook_status_literal(&s->text, "]");
    ngx_http_webhook_status_boolean(&s->text, "write", s->lcf->write);

    ngx_http_webhook_status_watch(s);

    if (s->mcf->store || s->mcf->left.len) {
        ngx_http_webhook_status_store(s);
    }

    ngx_http_webhook_status_literal(&s->text, "}");

    return NGX_HTTP_OK;
}


static void
ngx_http_webhook_status_watch(ngx_http_webhook_status_t *s)
{
    ngx_http_webhook_text_t  *text;
    ngx_http_webhook_zone_t  *zone;

    text = &s->text;
    zone = s->mcf->zone;

    ngx_http_webhook_status_literal(text, ",\"watch\":{");
    ngx_http_webhook_status_number(text, "executions",
                                   ngx_http_webhook_watch_number(zone));
    ngx_http_webhook_status_number(text, "answered",
                   ngx_http_webhook_zone_counter(zone,
                                             NGX_HTTP_WEBHOOK_CNT_ANSWERED));
    ngx_http_webhook_status_number(text, "denied",
                   ngx_http_webhook_zone_counter(zone,
                                             NGX_HTTP_WEBHOOK_CNT_DENIED));
    ngx_http_webhook_status_number(text, "failed",
                   ngx_http_webhook_zone_counter(zone,
                                             NGX_HTTP_WEBHOOK_CNT_FAILED));
    ngx_http_webhook_status_number(text, "lapsed",
                   ngx_http_webhook_zone_counter(zone,
                                             NGX_HTTP_WEBHOOK_CNT_LAPSED));
    ngx_http_webhook_status_literal(text, "}");
}


static void
ngx_http_webhook_status_store(ngx_http_webhook_status_t *s)
{
    ngx_http_webhook_text_t        *text;
    ngx_http_webhook_store_stat_t   stat;

    ngx_http_webhook_store_stat(s->mcf->zone, &stat);

    if (s->mcf->store == NULL) {
        ngx_cpystrn(stat.error, s->mcf->left.data,
                    ngx_min(s->mcf->left.len + 1, sizeof(stat.error)));
        stat.failing = 1;
    }

    text = &s->text;

    ngx_http_webhook_status_literal(text, ",\"store\":{");
    ngx_http_webhook_status_string(text, "state",
                                   stat.failing ? "failing" : "ok",
                                   stat.failing ? 7 : 2);
    ngx_http_webhook_status_number(text, "unstored", stat.unstored);
    ngx_http_webhook_status_number(text, "spilled", stat.spilled);
    ngx_http_webhook_status_string(text, "error", stat.error,
                                   ngx_strlen(stat.error));
    ngx_http_webhook_status_literal(text, "}");
}


ngx_int_t
ngx_http_webhook_status_one_hook(ngx_http_webhook_status_t *s)
{
    ngx_int_t                 rc;
    ngx_http_webhook_hook_t  *hook;

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    hook = ngx_http_webhook_status_hook(s, &s->name);

    if (hook == NULL) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_NOT_FOUND,
                                 "there is no webhook of this name", NULL);
    }

    if (ngx_http_webhook_status_webhook(s, hook) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_HTTP_OK;
}


static ngx_int_t
ngx_http_webhook_status_webhook(ngx_http_webhook_status_t *s,
    ngx_http_webhook_hook_t *hook)
{
    json_t                        *config;
    ngx_str_t                     *state;
    ngx_http_webhook_text_t       *text;
    ngx_http_webhook_hook_stat_t   stat;

    ngx_memzero(&stat, sizeof(ngx_http_webhook_hook_stat_t));

    if (hook->slot != NGX_HTTP_WEBHOOK_NO_SLOT) {
        ngx_http_webhook_queue_stat(s->mcf->zone, hook->slot, &stat);
    }

    config = ngx_http_webhook_payload_hook(hook);
    if (config == NULL) {
        return NGX_ERROR;
    }

    text = &s->text;

    ngx_http_webhook_json_write(text, config, NULL);

    json_decref(config);

    if (text->failed) {
        return NGX_ERROR;
    }

    /* the object goes on */

    text->len--;

    ngx_http_webhook_status_signature(text, hook);

    state = &ngx_http_webhook_states[stat.health.state];

    ngx_http_webhook_status_string(text, "state", state->data, state->len);
    ngx_http_webhook_status_number(text, "failures", stat.health.failures);
    ngx_http_webhook_status_number(text, "waiting", stat.waiting);
    ngx_http_webhook_status_number(text, "in_flight", stat.in_flight);
    ngx_http_webhook_status_time(text, "oldest", stat.oldest);
    ngx_http_webhook_status_time(text, "next_attempt", stat.next);
    ngx_http_webhook_status_time(text, "last_success",
                                 stat.health.last_success);
    ngx_http_webhook_status_time(text, "last_failure",
                                 stat.health.last_failure);
    ngx_http_webhook_status_recent(text, &stat);
    ngx_http_webhook_status_number(text, "delivered", stat.delivered);
    ngx_http_webhook_status_number(text, "failed", stat.failed);
    ngx_http_webhook_status_number(text, "expired", stat.expired);
    ngx_http_webhook_status_number(text, "superseded", stat.superseded);
    ngx_http_webhook_status_number(text, "dropped", stat.dropped);
    ngx_http_webhook_status_number(text, "attempts", stat.attempts);
    ngx_http_webhook_status_outcomes(text, &stat);
    ngx_http_webhook_status_number(text, "max_in_flight", hook->max_in_flight);
    ngx_http_webhook_status_number(text, "queue", hook->queue);

    ngx_http_webhook_status_literal(text, "}");

    return NGX_OK;
}


static void
ngx_http_webhook_status_signature(ngx_http_webhook_text_t *text,
    ngx_http_webhook_hook_t *hook)
{
    ngx_uint_t                         i, n;
    ngx_http_webhook_secret_t         *secret;
    ngx_http_webhook_status_scheme_t  *scheme;

    scheme = ngx_http_webhook_schemes;
    n = 0;

    ngx_http_webhook_status_literal(text, ",\"signature\":[");

    for (i = 0; i < NGX_HTTP_WEBHOOK_NSCHEMES; i++) {

        if (!(hook->signature & scheme[i].bit)) {
            continue;
        }

        if (n++) {
            ngx_http_webhook_status_literal(text, ",");
        }

        ngx_http_webhook_text_string(text, scheme[i].name.data,
                                     scheme[i].name.len);
    }

    secret = hook->secrets.elts;
    n = 0;

    ngx_http_webhook_status_literal(text, "],\"public_keys\":[");

    for (i = 0; i < hook->secrets.nelts; i++) {

        if (!secret[i].ed25519) {
            continue;
        }

        if (n++) {
            ngx_http_webhook_status_literal(text, ",");
        }

        ngx_http_webhook_text_string(text, secret[i].public_key.data,
                                     secret[i].public_key.len);
    }

    ngx_http_webhook_status_literal(text, "]");
}


static void
ngx_http_webhook_status_recent(ngx_http_webhook_text_t *text,
    ngx_http_webhook_hook_stat_t *stat)
{
    u_char       buf[NGX_INT64_LEN], *p;
    ngx_uint_t   i, good, n;

    n = ngx_min(stat->nrecent, 32);
    good = 0;

    ngx_http_webhook_status_literal(text, ",\"recent\":[");

    for (i = 0; i < n; i++) {

        if (i) {
            ngx_http_webhook_status_literal(text, ",");
        }

        if (stat->recent & ((uint32_t) 1 << i)) {
            ngx_http_webhook_status_literal(text, "true");
            good++;

        } else {
            ngx_http_webhook_status_literal(text, "false");
        }
    }

    ngx_http_webhook_status_literal(text, "],\"success_rate\":");

    if (n == 0) {
        ngx_http_webhook_status_literal(text, "null");
        return;
    }

    p = ngx_sprintf(buf, "%.3f", (double) good / n);

    ngx_http_webhook_text_append(text, buf, p - buf);
}


/* of attempts, those that there were */

static void
ngx_http_webhook_status_outcomes(ngx_http_webhook_text_t *text,
    ngx_http_webhook_hook_stat_t *stat)
{
    ngx_uint_t  i;

    ngx_http_webhook_status_literal(text, ",\"outcomes\":{");

    for (i = 0; i < NGX_HTTP_WEBHOOK_OUTCOMES; i++) {
        if (stat->tally.outcomes[i]) {
            ngx_http_webhook_status_number(text, ngx_http_webhook_outcomes[i],
                                           stat->tally.outcomes[i]);
        }
    }

    ngx_http_webhook_status_literal(text, "}");
}
