
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * retry: a result and the webhook's health -> what becomes of the delivery,
 * when the next attempt is, and the new health (design, section 7).  Pure: the
 * clock and the random bits are arguments.
 */


#ifndef _NGX_HTTP_WEBHOOK_RETRY_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_RETRY_H_INCLUDED_


#include "ngx_http_webhook.h"


#define NGX_HTTP_WEBHOOK_HEALTH_OK        0
#define NGX_HTTP_WEBHOOK_HEALTH_PROBING   1    /* the breaker is open */
#define NGX_HTTP_WEBHOOK_HEALTH_GONE      2    /* disabled by 410 */
#define NGX_HTTP_WEBHOOK_HEALTH_FAILING   3    /* disabled by disable_after */
#define NGX_HTTP_WEBHOOK_HEALTH_PAUSED    4    /* by hand */

#define NGX_HTTP_WEBHOOK_BREAKER          5       /* failures in a row */
#define NGX_HTTP_WEBHOOK_PROBE_FIRST      5000    /* ms */
#define NGX_HTTP_WEBHOOK_PROBE_LAST       300000  /* ms */
#define NGX_HTTP_WEBHOOK_RETRY_AFTER_MAX  86400000  /* ms */


/*
 * Lives in the webhook's slot in the zone.  Times are ms: of what is waited for
 * by the zone's clock, which nobody sets, of what is shown by the wall clock.
 */

typedef struct {
    uint32_t      state;           /* NGX_HTTP_WEBHOOK_HEALTH_... */
    uint32_t      failures;        /* in a row, that speak of the endpoint */
    uint32_t      ramp;            /* allowed in flight after a recovery;
                                      0: no ramp */
    uint32_t      probe_wait;      /* ms */
    uint64_t      probe_at;        /* when the next probe may go */
    uint64_t      hold_until;      /* Retry-After holds the webhook; 0: no */
    uint64_t      failing_since;   /* first failure since a success; 0: none */
    uint64_t      last_failure;    /* wall clock */
    uint64_t      last_success;
} ngx_http_webhook_health_t;


typedef struct {
    uint64_t      now;             /* ms, the zone's clock */
    uint64_t      wall;            /* ms, wall clock */
    uint64_t      created;         /* of the delivery, ms, the zone's clock */
    ngx_uint_t    attempt;         /* 1: the first; "kept" ones not counted */
    uint32_t      random;          /* 32 random bits */
} ngx_http_webhook_retry_ctx_t;


typedef struct {
    ngx_uint_t    status;          /* NGX_HTTP_WEBHOOK_DELIVERED, FAILED,
                                      EXPIRED or WAITING */
    uint64_t      wait;            /* ms until the next attempt, if WAITING */
    ngx_uint_t    before;          /* NGX_HTTP_WEBHOOK_HEALTH_... */
    ngx_uint_t    after;           /* the same, of the attempt */
    uint64_t      failing;         /* ms since the first failure in a row */
    ngx_uint_t    failures;        /* in a row */
    unsigned      recovered:1;     /* all that waits is due at once */
    unsigned      kept:1;          /* no step of "retry" is used up: the next
                                      attempt has this one's number */
} ngx_http_webhook_verdict_t;


/*
 * Judges an attempt; "health" is updated in place.  What Retry-After holds,
 * and what failed by our own fault, keeps its step: a receiver that limits its
 * rate does not use up the deliveries behind it.
 */

void ngx_http_webhook_retry_judge(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_result_t *result, ngx_http_webhook_retry_ctx_t *ctx,
    ngx_http_webhook_health_t *health, ngx_http_webhook_verdict_t *verdict);

/*
 * How many attempts may start now, given how many are in flight; 0 with
 * *wait = ms until that may change (NGX_CONF_UNSET_MSEC: not by time alone).
 * While PROBING it is one, when nothing is in flight: the oldest delivery's,
 * whatever its own schedule says.
 */

ngx_uint_t ngx_http_webhook_retry_allowed(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_health_t *health, uint64_t now, ngx_uint_t in_flight,
    ngx_msec_t *wait);

/* Back to a healthy state, by hand or because the url changed. */

void ngx_http_webhook_retry_resume(ngx_http_webhook_health_t *health);

/*
 * Retry-After (RFC 9110, 10.2.3): seconds, fractions too, or an HTTP-date;
 * ms from now, at most 24 h; a date in the past is 0; rubbish NGX_ERROR.
 */

ngx_int_t ngx_http_webhook_retry_after(ngx_str_t *value, uint64_t now);


#endif /* _NGX_HTTP_WEBHOOK_RETRY_H_INCLUDED_ */
