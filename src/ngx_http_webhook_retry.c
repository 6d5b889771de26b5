
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * retry: a result and the webhook's health -> what becomes of the delivery,
 * when the next attempt is, and the new health.  Next room: queue.
 */


#include "ngx_http_webhook_retry.h"


/* two failures that far apart disable, however short disable_after is; ms */

#define NGX_HTTP_WEBHOOK_DISABLE_MIN  (12 * 3600 * 1000)

#define NGX_HTTP_WEBHOOK_KEPT_MIN     1000     /* ms */


static ngx_uint_t ngx_http_webhook_retry_speaks(
    ngx_http_webhook_result_t *result);
static void ngx_http_webhook_retry_success(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_health_t *health, uint64_t wall,
    ngx_http_webhook_verdict_t *verdict);
static void ngx_http_webhook_retry_failure(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_result_t *result, ngx_http_webhook_retry_ctx_t *ctx,
    ngx_http_webhook_health_t *health);
static uint64_t ngx_http_webhook_retry_hold(ngx_http_webhook_result_t *result,
    ngx_http_webhook_retry_ctx_t *ctx, ngx_http_webhook_health_t *health);
static uint64_t ngx_http_webhook_retry_left(uint64_t at, uint64_t now,
    uint64_t max);
static ngx_int_t ngx_http_webhook_retry_seconds(u_char *p, u_char *last,
    uint64_t *ms);
static ngx_int_t ngx_http_webhook_retry_date(u_char *p, u_char *last,
    uint64_t now, uint64_t *ms);
static ngx_int_t ngx_http_webhook_retry_month(u_char *p);
static uint64_t ngx_http_webhook_retry_days(ngx_int_t year, ngx_int_t month,
    ngx_int_t day);


void
ngx_http_webhook_retry_judge(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_result_t *result, ngx_http_webhook_retry_ctx_t *ctx,
    ngx_http_webhook_health_t *health, ngx_http_webhook_verdict_t *verdict)
{
    uint64_t     wait, spread;
    ngx_msec_t  *step;

    ngx_memzero(verdict, sizeof(ngx_http_webhook_verdict_t));

    if (result->error == NGX_HTTP_WEBHOOK_ERR_NONE
        && result->status >= 200 && result->status < 300)
    {
        ngx_http_webhook_retry_success(hook, health, ctx->wall, verdict);
        return;
    }

    if (result->error == NGX_HTTP_WEBHOOK_ERR_INTERNAL) {
        verdict->kept = 1;
        wait = NGX_HTTP_WEBHOOK_KEPT_MIN;

    } else {
        ngx_http_webhook_retry_failure(hook, result, ctx, health);

        wait = ngx_http_webhook_retry_hold(result, ctx, health);

        if (wait) {
            verdict->kept = 1;
            wait = ngx_max(wait, NGX_HTTP_WEBHOOK_KEPT_MIN);

        } else if (ctx->attempt > hook->retry.nelts) {
            verdict->status = NGX_HTTP_WEBHOOK_FAILED;
            return;

        } else {
            step = hook->retry.elts;
            wait = step[ctx->attempt - 1];

            /* 80 % to 120 % */

            spread = wait / 5 * 2;
            wait = wait - wait / 5 + ((spread * (ctx->random >> 16)) >> 16);
        }
    }

    if (hook->expire && ctx->now >= ctx->created + hook->expire) {
        verdict->status = NGX_HTTP_WEBHOOK_EXPIRED;
        return;
    }

    verdict->status = NGX_HTTP_WEBHOOK_WAITING;
    verdict->wait = wait;
}


static void
ngx_http_webhook_retry_success(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_health_t *health, uint64_t wall,
    ngx_http_webhook_verdict_t *verdict)
{
    verdict->status = NGX_HTTP_WEBHOOK_DELIVERED;

    health->failures = 0;
    health->failing_since = 0;
    health->last_success = wall;

    if (health->state == NGX_HTTP_WEBHOOK_HEALTH_PROBING) {
        health->state = NGX_HTTP_WEBHOOK_HEALTH_OK;
        health->ramp = 1;
        health->probe_wait = 0;
        health->probe_at = 0;

        verdict->recovered = 1;

    } else if (health->ramp) {

        /* one more for each success: 1, 2, 4 ... in each round */

        health->ramp++;
    }

    if (health->ramp >= hook->max_in_flight) {
        health->ramp = 0;
    }
}


static void
ngx_http_webhook_retry_failure(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_result_t *result, ngx_http_webhook_retry_ctx_t *ctx,
    ngx_http_webhook_health_t *health)
{
    uint64_t  now, limit;

    now = ctx->now;

    if (health->failing_since == 0) {
        health->failing_since = now;
    }

    health->last_failure = ctx->wall;

    if (ngx_http_webhook_retry_speaks(result)) {
        health->failures++;
        health->ramp = health->ramp ? 1 : 0;
    }

    if (health->state != NGX_HTTP_WEBHOOK_HEALTH_OK
        && health->state != NGX_HTTP_WEBHOOK_HEALTH_PROBING)
    {
        return;
    }

    if (result->status == 410) {
        health->state = NGX_HTTP_WEBHOOK_HEALTH_GONE;
        return;
    }

    limit = ngx_max(hook->disable_after, NGX_HTTP_WEBHOOK_DISABLE_MIN);

    if (hook->disable_after && now >= health->failing_since + limit) {
        health->state = NGX_HTTP_WEBHOOK_HEALTH_FAILING;
        return;
    }

    if (health->state == NGX_HTTP_WEBHOOK_HEALTH_PROBING) {

        /* before that: the end of what was in flight when the breaker opened */

        if (ngx_http_webhook_retry_left(health->probe_at, now,
                                        NGX_HTTP_WEBHOOK_PROBE_LAST)
            == 0)
        {
            health->probe_wait = ngx_min(health->probe_wait * 2,
                                         NGX_HTTP_WEBHOOK_PROBE_LAST);
            health->probe_at = now + health->probe_wait;
        }

    } else if (health->failures >= NGX_HTTP_WEBHOOK_BREAKER) {
        health->state = NGX_HTTP_WEBHOOK_HEALTH_PROBING;
        health->ramp = 0;
        health->probe_wait = NGX_HTTP_WEBHOOK_PROBE_FIRST;
        health->probe_at = now + health->probe_wait;
    }
}


static ngx_uint_t
ngx_http_webhook_retry_speaks(ngx_http_webhook_result_t *result)
{
    return result->error != NGX_HTTP_WEBHOOK_ERR_NONE
           || result->status == 408
           || result->status == 429
           || result->status >= 500
           || result->status == 0;
}


static uint64_t
ngx_http_webhook_retry_hold(ngx_http_webhook_result_t *result,
    ngx_http_webhook_retry_ctx_t *ctx, ngx_http_webhook_health_t *health)
{
    uint64_t   hold;
    ngx_int_t  wait;

    if (result->retry_after.len == 0
        || (result->status != 429 && result->status != 503))
    {
        return 0;
    }

    wait = ngx_http_webhook_retry_after(&result->retry_after, ctx->wall);

    if (wait <= 0) {
        return 0;
    }

    hold = wait;
    hold += ((hold / 5) * (ctx->random >> 16)) >> 16;
    hold = ngx_min(hold, NGX_HTTP_WEBHOOK_RETRY_AFTER_MAX);

    health->hold_until = ngx_max(health->hold_until, ctx->now + hold);

    return hold;
}


ngx_uint_t
ngx_http_webhook_retry_allowed(ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_health_t *health, uint64_t now, ngx_uint_t in_flight,
    ngx_msec_t *wait)
{
    uint64_t    left, hold;
    ngx_uint_t  limit;

    *wait = NGX_CONF_UNSET_MSEC;
    left = 0;

    switch (health->state) {

    case NGX_HTTP_WEBHOOK_HEALTH_OK:

        limit = hook->max_in_flight;

        if (health->ramp) {
            limit = ngx_min(limit, health->ramp);
        }

        break;

    case NGX_HTTP_WEBHOOK_HEALTH_PROBING:

        limit = 1;
        left = ngx_http_webhook_retry_left(health->probe_at, now,
                                           NGX_HTTP_WEBHOOK_PROBE_LAST);
        break;

    default:
        return 0;
    }

    if (in_flight >= limit) {
        return 0;
    }

    hold = ngx_http_webhook_retry_left(health->hold_until, now,
                                       NGX_HTTP_WEBHOOK_RETRY_AFTER_MAX);
    left = ngx_max(left, hold);

    if (left) {
        *wait = left;
        return 0;
    }

    return limit - in_flight;
}


/* ms from now; what a file says must not hold anything for long */

static uint64_t
ngx_http_webhook_retry_left(uint64_t at, uint64_t now, uint64_t max)
{
    return (at > now && at - now <= max) ? at - now : 0;
}


void
ngx_http_webhook_retry_resume(ngx_http_webhook_health_t *health)
{
    health->state = NGX_HTTP_WEBHOOK_HEALTH_OK;
    health->failures = 0;
    health->ramp = 1;
    health->probe_wait = 0;
    health->probe_at = 0;
    health->hold_until = 0;
    health->failing_since = 0;
}


ngx_int_t
ngx_http_webhook_retry_after(ngx_str_t *value, uint64_t now)
{
    u_char    *p, *last;
    uint64_t   ms;

    p = value->data;
    last = p + value->len;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (p < last && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    if (p == last) {
        return NGX_ERROR;
    }

    if (*p >= '0' && *p <= '9') {

        if (ngx_http_webhook_retry_seconds(p, last, &ms) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_http_webhook_retry_date(p, last, now, &ms) == NGX_OK) {
        ms = (ms > now) ? ms - now : 0;

    } else {
        return NGX_ERROR;
    }

    return (ngx_int_t) ngx_min(ms, NGX_HTTP_WEBHOOK_RETRY_AFTER_MAX);
}


static ngx_int_t
ngx_http_webhook_retry_seconds(u_char *p, u_char *last, uint64_t *ms)
{
    uint64_t    n;
    ngx_uint_t  scale;

    n = 0;

    for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {

        if (n <= NGX_HTTP_WEBHOOK_RETRY_AFTER_MAX / 1000) {
            n = n * 10 + (*p - '0');
        }
    }

    n *= 1000;

    if (p < last) {

        if (*p++ != '.' || p == last) {
            return NGX_ERROR;
        }

        for (scale = 100; p < last; p++, scale /= 10) {

            if (*p < '0' || *p > '9') {
                return NGX_ERROR;
            }

            n += (*p - '0') * scale;
        }
    }

    *ms = n;

    return NGX_OK;
}


/*
 * RFC 9110, 5.6.7:
 *     Sun, 06 Nov 1994 08:49:37 GMT
 *     Sunday, 06-Nov-94 08:49:37 GMT
 *     Sun Nov  6 08:49:37 1994
 */

static ngx_int_t
ngx_http_webhook_retry_date(u_char *p, u_char *last, uint64_t now,
    uint64_t *ms)
{
    int         day, year, hour, min, sec, n;
    char        text[40], name[10], month[4], zone[4];
    size_t      len;
    ngx_int_t   m;
    ngx_uint_t  current, rfc850;

    static const u_char  days[] = { 31, 29, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31 };

    len = last - p;

    if (len >= sizeof(text) || memchr(p, '\0', len)) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, p, len);
    text[len] = '\0';

    n = 0;
    rfc850 = 0;
    ngx_memcpy(zone, "GMT", sizeof(zone));

    if (sscanf(text, "%3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3[A-Z]%n",
               name, &day, month, &year, &hour, &min, &sec, zone, &n) == 8)
    {
        /* void */

    } else if (sscanf(text,
                      "%9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d %3[A-Z]%n",
                      name, &day, month, &year, &hour, &min, &sec, zone, &n)
               == 8)
    {
        rfc850 = 1;

    } else if (sscanf(text, "%3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n",
                      name, month, &day, &hour, &min, &sec, &year, &n)
               != 7)
    {
        return NGX_ERROR;
    }

    m = ngx_http_webhook_retry_month((u_char *) month);

    if (n != (int) len || m == NGX_ERROR || strcmp(zone, "GMT") != 0
        || day < 1 || day > days[m]
        || year < 0 || hour < 0 || hour > 23 || min < 0 || min > 59
        || sec < 0 || sec > 60)
    {
        return NGX_ERROR;
    }

    if (rfc850) {

        /* two digits, never more than 50 years ahead */

        current = 1970 + now / 1000 / 31556952;
        year += current - current % 100;

        if ((ngx_uint_t) year > current + 50) {
            year -= 100;
        }
    }

    if (year < 1970) {
        *ms = 0;
        return NGX_OK;
    }

    *ms = ngx_http_webhook_retry_days(year, m, day) * 86400000
          + (uint64_t) (hour * 3600 + min * 60 + sec) * 1000;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_retry_month(u_char *p)
{
    ngx_int_t  i;

    static const char  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (i = 0; i < 12; i++) {
        if (ngx_memcmp(p, &months[i * 3], 3) == 0) {
            return i;
        }
    }

    return NGX_ERROR;
}


/* since 1970; the month counts from 0, the year begins with March */

static uint64_t
ngx_http_webhook_retry_days(ngx_int_t year, ngx_int_t month, ngx_int_t day)
{
    if (month < 2) {
        year--;
        month += 12;
    }

    return 365 * (uint64_t) year + year / 4 - year / 100 + year / 400
           + (153 * (month - 2) + 2) / 5 + day - 1 - 719468;
}
