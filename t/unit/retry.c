
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: retry
 */


#include "unit.h"
#include "ngx_http_webhook_retry.h"


#define NOW      1700000000000ull   /* Tue, 14 Nov 2023 22:13:20 GMT */
#define HOUR     3600000ull
#define DAY      (24 * HOUR)

#define OK       NGX_HTTP_WEBHOOK_HEALTH_OK
#define PROBING  NGX_HTTP_WEBHOOK_HEALTH_PROBING
#define GONE     NGX_HTTP_WEBHOOK_HEALTH_GONE
#define FAILING  NGX_HTTP_WEBHOOK_HEALTH_FAILING
#define PAUSED   NGX_HTTP_WEBHOOK_HEALTH_PAUSED


static void retry_after(void);
static void schedule(void);
static void statuses(void);
static void expiry(void);
static void held(void);
static void internal(void);
static void breaker(void);
static void stragglers(void);
static void ramp(void);
static void gone(void);
static void failing(void);
static void silent(void);
static void resumed(void);
static void clocks(void);


static ngx_http_webhook_hook_t     hook;
static ngx_http_webhook_health_t   health;
static ngx_http_webhook_result_t   result;
static ngx_http_webhook_verdict_t  verdict;

static ngx_msec_t  steps[] = {
    5000, 300000, 1800000, 7200000, 18000000, 36000000, 50400000, 72000000,
    86400000
};


static void
fresh(void)
{
    memset(&hook, 0, sizeof(hook));
    memset(&health, 0, sizeof(health));

    hook.retry.elts = steps;
    hook.retry.nelts = 9;
    hook.max_in_flight = 16;
    hook.disable_after = 5 * DAY;
}


/* error 0: an answer of that status; retry_after may be NULL */

static void
judge(ngx_uint_t status, ngx_uint_t error, const char *after, uint64_t now,
    ngx_uint_t attempt, uint32_t random)
{
    ngx_http_webhook_retry_ctx_t  ctx;

    memset(&result, 0, sizeof(result));
    memset(&ctx, 0, sizeof(ctx));

    result.status = status;
    result.error = error;

    if (after) {
        result.retry_after = text(after);
    }

    ctx.now = now;
    ctx.wall = now;
    ctx.created = NOW;
    ctx.attempt = attempt;
    ctx.random = random;

    ngx_http_webhook_retry_judge(&hook, &result, &ctx, &health, &verdict);
}


static void
answer(ngx_uint_t status, uint64_t now)
{
    judge(status, 0, NULL, now, 1, 0x80000000);
}


static ngx_uint_t
allowed(uint64_t now, ngx_uint_t in_flight, ngx_msec_t *wait)
{
    return ngx_http_webhook_retry_allowed(&hook, &health, now, in_flight,
                                          wait);
}


int
main(void)
{
    retry_after();
    schedule();
    statuses();
    expiry();
    held();
    internal();
    breaker();
    stragglers();
    ramp();
    gone();
    failing();
    silent();
    resumed();
    clocks();

    return 0;
}


static void
retry_after(void)
{
    ngx_str_t   value;
    ngx_uint_t  i;

    static const struct {
        const char  *value;
        ngx_int_t    expected;
    } tests[] = {
        { "0", 0 },
        { "1", 1000 },
        { "120", 120000 },
        { "120.6", 120600 },
        { "0.25", 250 },
        { "1.0005", 1000 },
        { " 7\t", 7000 },
        { "007", 7000 },
        { "86400", 86400000 },
        { "86401", 86400000 },
        { "99999999999999999999999999999999", 86400000 },
        { "18446744073709552", 86400000 },
        { "", NGX_ERROR },
        { " ", NGX_ERROR },
        { "-1", NGX_ERROR },
        { "+1", NGX_ERROR },
        { "1.", NGX_ERROR },
        { ".5", NGX_ERROR },
        { "1.5.5", NGX_ERROR },
        { "1e3", NGX_ERROR },
        { "120s", NGX_ERROR },
        { "1 2", NGX_ERROR },
        { "soon", NGX_ERROR },
        { "Tue, 14 Nov 2023 22:13:50 GMT", 30000 },
        { "Tuesday, 14-Nov-23 22:13:50 GMT", 30000 },
        { "Tue Nov 14 22:13:50 2023", 30000 },
        { "Wed Nov  1 22:13:50 2023", 0 },
        { "Wed, 15 Nov 2023 22:13:20 GMT", 86400000 },
        { "Fri, 01 Mar 2024 00:00:00 GMT", 86400000 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 86400000 },
        { "Tue, 14 Nov 2023 22:13:20 GMT", 0 },
        { "Tue, 14 Nov 2023 22:13:19 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 0 },
        { "Sun Nov  6 08:49:37 1994", 0 },
        { "Thu, 01 Jan 1960 00:00:00 GMT", 0 },
        { "Tue, 14 Nov 2023 22:13:50 CET", NGX_ERROR },
        { "Tue, 14 Nov 2023 22:13:50", NGX_ERROR },
        { "Tue, 14 Nov 2023 22:13:50 GMT+1", NGX_ERROR },
        { "Tue, 14 Foo 2023 22:13:50 GMT", NGX_ERROR },
        { "Tue, 32 Nov 2023 22:13:50 GMT", NGX_ERROR },
        { "Tue, 31 Nov 2023 22:13:50 GMT", NGX_ERROR },
        { "Tue, 14 Nov 2023 24:13:50 GMT", NGX_ERROR },
        { "Tue, 14 Nov 2023 22:60:50 GMT", NGX_ERROR },
        { "Tue, 14 Nov 2023 22:13:61 GMT", NGX_ERROR },
        { "2023-11-14T22:13:50Z", NGX_ERROR },
        { "Tue, Tue, Tue, Tue, Tue, Tue, Tue, Tue, Tue, Tue", NGX_ERROR },
        { NULL, 0 }
    };

    for (i = 0; tests[i].value; i++) {
        value = text(tests[i].value);

        check_number(ngx_http_webhook_retry_after(&value, NOW),
                     tests[i].expected, "Retry-After: %s", tests[i].value);
    }

    value.data = (u_char *) "Tue, 14 Nov 2023\0 22:13:50 GMT";
    value.len = 30;
    check_number(ngx_http_webhook_retry_after(&value, NOW), NGX_ERROR,
                 "Retry-After with a NUL");

    /* 29 February and 1 January 2024, 00:00:00 */

    value = text("Thu, 29 Feb 2024 23:59:59 GMT");
    check_number(ngx_http_webhook_retry_after(&value, 1709164800000ull),
                 86399000, "Retry-After: the end of February");

    value = text("Fri, 01 Mar 2024 00:00:00 GMT");
    check_number(ngx_http_webhook_retry_after(&value, 1709164800000ull),
                 86400000, "Retry-After: the day behind it");

    value = text("Mon Jan  1 00:00:10 2024");
    check_number(ngx_http_webhook_retry_after(&value, 1704067200000ull),
                 10000, "Retry-After: January");

    value = text("Sunday, 06-Nov-74 08:49:37 GMT");
    check_number(ngx_http_webhook_retry_after(&value, NOW), 0,
                 "two digits, more than 50 years ahead");

    value = text("Sunday, 06-Nov-73 08:49:37 GMT");
    check_number(ngx_http_webhook_retry_after(&value, NOW), 86400000,
                 "two digits, 50 years ahead");
}


static void
schedule(void)
{
    ngx_uint_t  i;

    for (i = 1; i <= 9; i++) {
        fresh();

        judge(500, 0, NULL, NOW, i, 0);
        check(verdict.status == NGX_HTTP_WEBHOOK_WAITING
              && verdict.wait == steps[i - 1] * 4 / 5 && !verdict.kept,
              "attempt %lu: -20 %%", (unsigned long) i);

        judge(500, 0, NULL, NOW, i, 0x80000000);
        check_number(verdict.wait, steps[i - 1], "attempt %lu: the middle",
                     (unsigned long) i);

        judge(500, 0, NULL, NOW, i, 0xffffffff);
        check(verdict.wait <= steps[i - 1] * 6 / 5
              && verdict.wait > steps[i - 1] * 119 / 100,
              "attempt %lu: +20 %%", (unsigned long) i);
    }

    fresh();
    judge(500, 0, NULL, NOW, 10, 0);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_FAILED, "the last failed");

    fresh();
    judge(200, 0, NULL, NOW, 10, 0);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_DELIVERED,
                 "the last succeeded");

    fresh();
    hook.retry.nelts = 0;
    judge(500, 0, NULL, NOW, 1, 0);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_FAILED, "retry off");
}


static void
statuses(void)
{
    ngx_uint_t  i;

    static const struct {
        ngx_uint_t  status;
        ngx_uint_t  error;
        ngx_uint_t  verdict;
        ngx_uint_t  speaks;
    } tests[] = {
        { 200, 0, NGX_HTTP_WEBHOOK_DELIVERED, 0 },
        { 204, 0, NGX_HTTP_WEBHOOK_DELIVERED, 0 },
        { 299, 0, NGX_HTTP_WEBHOOK_DELIVERED, 0 },
        { 199, 0, NGX_HTTP_WEBHOOK_WAITING, 0 },
        { 300, 0, NGX_HTTP_WEBHOOK_WAITING, 0 },
        { 301, 0, NGX_HTTP_WEBHOOK_WAITING, 0 },
        { 307, 0, NGX_HTTP_WEBHOOK_WAITING, 0 },
        { 400, 0, NGX_HTTP_WEBHOOK_WAITING, 0 },
        { 404, 0, NGX_HTTP_WEBHOOK_WAITING, 0 },
        { 408, 0, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 410, 0, NGX_HTTP_WEBHOOK_WAITING, 0 },
        { 429, 0, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 500, 0, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 503, 0, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 599, 0, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, NGX_HTTP_WEBHOOK_ERR_DNS, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, NGX_HTTP_WEBHOOK_ERR_CONNECT, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, NGX_HTTP_WEBHOOK_ERR_TLS, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, NGX_HTTP_WEBHOOK_ERR_TIMEOUT, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, NGX_HTTP_WEBHOOK_ERR_RESET, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, NGX_HTTP_WEBHOOK_ERR_PROTOCOL, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, NGX_HTTP_WEBHOOK_ERR_PROXY, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 200, NGX_HTTP_WEBHOOK_ERR_BROKEN, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 200, NGX_HTTP_WEBHOOK_ERR_TIMEOUT, NGX_HTTP_WEBHOOK_WAITING, 1 },
        { 0, 0, NGX_HTTP_WEBHOOK_WAITING, 1 }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        fresh();

        judge(tests[i].status, tests[i].error, NULL, NOW, 1, 0);

        check_number(verdict.status, tests[i].verdict, "status %lu, error %lu",
                     (unsigned long) tests[i].status,
                     (unsigned long) tests[i].error);

        check_number(health.failures, tests[i].speaks,
                     "  speaks of the endpoint");
    }
}


static void
expiry(void)
{
    fresh();
    hook.expire = HOUR;

    answer(500, NOW + HOUR - 1);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_WAITING, "not yet expired");

    answer(500, NOW + HOUR);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_EXPIRED, "expired");

    answer(200, NOW + 2 * HOUR);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_DELIVERED,
                 "a success never is");

    judge(503, 0, "60", NOW + 2 * HOUR, 1, 0);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_EXPIRED,
                 "what is held expires");

    judge(500, 0, NULL, NOW + 2 * HOUR, 10, 0);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_FAILED,
                 "the last failure is a failure");
}


static void
held(void)
{
    ngx_msec_t  wait;

    fresh();
    judge(503, 0, "60", NOW, 3, 0);

    check(verdict.status == NGX_HTTP_WEBHOOK_WAITING
          && verdict.wait == 60000 && verdict.kept,
          "503: waits as long, keeps its step");
    check_number(health.hold_until, NOW + 60000, "503: holds the webhook");

    check_number(allowed(NOW + 59000, 0, &wait), 0, "nothing goes");
    check_number(wait, 1000, "until then");
    check_number(allowed(NOW + 60000, 0, &wait), 16, "all may go");

    fresh();
    judge(429, 0, "60", NOW, 3, 0xffffffff);
    check(verdict.wait > 71000 && verdict.wait <= 72000,
          "429: jitter goes upward");

    fresh();
    judge(429, 0, "60", NOW, 10, 0);
    check(verdict.status == NGX_HTTP_WEBHOOK_WAITING,
          "429: no step is used up, not even the last");

    fresh();
    judge(429, 0, "999999999", NOW, 1, 0xffffffff);
    check_number(health.hold_until, NOW + DAY, "429: 24 h at most");

    judge(429, 0, "5", NOW, 1, 0);
    check_number(health.hold_until, NOW + DAY, "a shorter one takes nothing");

    answer(200, NOW + 1);
    check_number(health.hold_until, NOW + DAY, "nor does a success");

    fresh();
    judge(503, 0, "0", NOW, 1, 0x80000000);
    check(verdict.wait == 5000 && !verdict.kept && health.hold_until == 0,
          "0 is no hold");

    judge(503, 0, "rubbish", NOW, 1, 0x80000000);
    check(verdict.wait == 5000 && !verdict.kept && health.hold_until == 0,
          "nor is rubbish");

    judge(500, 0, "60", NOW, 1, 0x80000000);
    check(verdict.wait == 5000 && health.hold_until == 0,
          "nor what another status says");

    judge(503, 0, "0.01", NOW, 1, 0);
    check(verdict.wait == 1000 && verdict.kept, "no less than a second");

    fresh();
    judge(503, 0, "Tue, 14 Nov 2023 22:13:50 GMT", NOW, 1, 0);
    check_number(health.hold_until, NOW + 30000, "a date");
}


static void
internal(void)
{
    ngx_uint_t                 i;
    ngx_http_webhook_health_t  before;

    fresh();
    answer(500, NOW);
    before = health;

    for (i = 0; i < 20; i++) {
        judge(0, NGX_HTTP_WEBHOOK_ERR_INTERNAL, NULL, NOW + 100 * DAY, 10, i);

        if (verdict.status != NGX_HTTP_WEBHOOK_WAITING
            || verdict.wait > 1000 || !verdict.kept
            || memcmp(&health, &before, sizeof(before)) != 0)
        {
            break;
        }
    }

    check_number(i, 20, "our own failures do not count");
}


static void
breaker(void)
{
    uint64_t    now, wait;
    ngx_uint_t  i;
    ngx_msec_t  left;

    fresh();

    for (i = 1; i <= 4; i++) {
        answer(500, NOW);
        check_number(health.state, OK, "failure %lu", (unsigned long) i);
    }

    answer(404, NOW);
    check_number(health.state, OK, "404 does not speak of the endpoint");

    answer(500, NOW);
    check_number(health.state, PROBING, "the fifth");

    check_number(allowed(NOW, 0, &left), 0, "nothing goes");
    check_number(left, 5000, "for 5 s");
    check_number(allowed(NOW + 5000, 0, &left), 1, "then a probe");
    check_number(allowed(NOW + 5000, 1, &left), 0, "one alone");
    check(left == NGX_CONF_UNSET_MSEC, "until it ends");

    now = NOW + 5000;
    wait = 5000;

    for (i = 0; i < 10; i++) {
        judge(0, NGX_HTTP_WEBHOOK_ERR_TIMEOUT, NULL, now, 2, 0x80000000);

        wait = ngx_min(wait * 2, 300000);

        check_number(health.probe_at, now + wait, "next probe in %lu s",
                     (unsigned long) wait / 1000);
        check(verdict.status == NGX_HTTP_WEBHOOK_WAITING && !verdict.kept,
              "  a probe is an attempt of its delivery");

        now += wait;
    }

    answer(404, now);
    check(health.state == PROBING && !verdict.recovered,
          "404 is no success");

    judge(503, 0, "3600", now + 300000, 1, 0);
    check_number(allowed(now + 600000, 0, &left), 0, "a probe may be held");
    check_number(left, 3300000, "as long");

    answer(200, now);
    check(health.state == OK && verdict.recovered && health.failures == 0,
          "the first success ends it");

    answer(200, now);
    check(!verdict.recovered, "the second does not");

    fresh();

    for (i = 0; i < 20; i++) {
        answer((i % 5 == 4) ? 200 : 500, NOW);
    }

    check_number(health.state, OK, "never five in a row");
}


static void
stragglers(void)
{
    ngx_uint_t  i;
    ngx_msec_t  left;

    fresh();

    for (i = 0; i < 16; i++) {
        answer(500, NOW + i);
    }

    check(health.state == PROBING && health.probe_at == NOW + 4 + 5000
          && health.probe_wait == 5000,
          "what was in flight does not double the wait");

    check_number(allowed(NOW + 6000, 3, &left), 0, "its end comes first");

    answer(204, NOW + 20);
    check(health.state == OK && verdict.recovered,
          "its success counts, too");
}


static void
ramp(void)
{
    ngx_uint_t  i, k, n, round;
    ngx_msec_t  left;

    fresh();

    for (i = 0; i < 5; i++) {
        answer(500, NOW);
    }

    answer(200, NOW + 5000);

    for (round = 1, i = 0; i < 5; i++, round *= 2) {
        n = allowed(NOW + 6000, 0, &left);

        check_number(n, round, "round %lu", (unsigned long) i + 1);

        for (k = 0; k < n; k++) {
            answer(200, NOW + 6000);
        }
    }

    check(health.ramp == 0 && allowed(NOW + 6000, 0, &left) == 16,
          "then all of max_in_flight");

    fresh();
    hook.max_in_flight = 1;

    for (i = 0; i < 5; i++) {
        answer(500, NOW);
    }

    answer(200, NOW + 5000);
    check(health.ramp == 0 && allowed(NOW + 6000, 0, &left) == 1,
          "max_in_flight 1");

    fresh();
    health.ramp = 8;
    check_number(allowed(NOW, 5, &left), 3, "what is in flight counts");

    answer(500, NOW);
    check_number(allowed(NOW, 0, &left), 1, "a failure begins it again");
}


static void
gone(void)
{
    ngx_msec_t  left;

    fresh();
    answer(410, NOW);

    check(health.state == GONE, "410 disables");
    check(verdict.status == NGX_HTTP_WEBHOOK_WAITING && verdict.wait == 5000,
          "its delivery waits");
    check(allowed(NOW + DAY, 0, &left) == 0 && left == NGX_CONF_UNSET_MSEC,
          "nothing goes, whatever the time");

    answer(200, NOW);
    check_number(health.state, GONE, "a success in flight does not resume");

    fresh();
    health.state = PAUSED;
    answer(410, NOW);
    check_number(health.state, PAUSED, "what a person paused stays so");
    check_number(allowed(NOW, 0, &left), 0, "and sends nothing");
}


static void
failing(void)
{
    fresh();
    answer(404, NOW);
    answer(404, NOW + 5 * DAY - 1);
    check_number(health.state, OK, "failing for less than disable_after");

    answer(302, NOW + 5 * DAY);
    check_number(health.state, FAILING, "for as long");

    fresh();
    answer(500, NOW);
    answer(200, NOW + DAY);
    answer(500, NOW + 2 * DAY);
    answer(500, NOW + 6 * DAY);
    check_number(health.state, OK, "a success between");

    answer(500, NOW + 7 * DAY);
    check_number(health.state, FAILING, "and five days since");

    fresh();
    hook.disable_after = 1000;
    answer(500, NOW);
    answer(500, NOW + 12 * HOUR - 1);
    check_number(health.state, OK, "two failures less than 12 h apart");

    answer(500, NOW + 12 * HOUR);
    check_number(health.state, FAILING, "12 h apart");

    fresh();
    hook.disable_after = 0;
    answer(500, NOW);
    answer(500, NOW + 1000 * DAY);
    check_number(health.state, OK, "never");

    fresh();
    answer(500, NOW);

    while (health.state != PROBING) {
        answer(500, NOW);
    }

    answer(500, NOW + 5 * DAY);
    check_number(health.state, FAILING, "by probes, too");
}


/* an endpoint that fails, and then has nothing sent to it for a while */

static void
silent(void)
{
    ngx_uint_t  i, k;

    static const struct {
        const char  *what;
        ngx_msec_t   after;                     /* disable_after */

        struct {
            uint64_t  status;                   /* 0: no more */
            uint64_t  at;                       /* ms since the first */
        } answers[6];

        uint32_t     state;
    } t[] = {
        { "one failure, and one after less than 12 h", 1000,
          { { 500, 0 }, { 500, 12 * HOUR - 1 } }, OK },
        { "one failure, and one 12 h later", 1000,
          { { 500, 0 }, { 500, 12 * HOUR } }, FAILING },
        { "many failures at once, and one after less than 12 h", HOUR,
          { { 404, 0 }, { 404, 1 }, { 404, 2 }, { 404, 3 },
            { 404, 12 * HOUR - 1 } }, OK },
        { "many at once, and one 12 h after the first", HOUR,
          { { 404, 0 }, { 404, 1 }, { 404, 2 }, { 404, 3 },
            { 404, 12 * HOUR } }, FAILING },
        { "half a day between each, and less than disable_after", 5 * DAY,
          { { 404, 0 }, { 404, DAY / 2 }, { 404, DAY }, { 404, 3 * DAY },
            { 404, 5 * DAY - 1 } }, OK },
        { "silence for all of disable_after", 5 * DAY,
          { { 500, 0 }, { 500, 5 * DAY } }, FAILING },
        { "a success after the silence", 5 * DAY,
          { { 500, 0 }, { 200, 6 * DAY }, { 500, 7 * DAY },
            { 500, 12 * DAY - 1 } }, OK },
        { "a success before it", 5 * DAY,
          { { 500, 0 }, { 200, 1 }, { 500, 6 * DAY },
            { 500, 7 * DAY } }, OK },
        { "failures alone, after a success long ago", 5 * DAY,
          { { 200, 0 }, { 500, 100 * DAY }, { 500, 105 * DAY - 1 } }, OK },
        { "silence after a success does not count", 5 * DAY,
          { { 200, 0 }, { 500, 100 * DAY } }, OK },
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        fresh();
        hook.disable_after = t[i].after;

        for (k = 0; k < 6 && t[i].answers[k].status; k++) {
            answer(t[i].answers[k].status, NOW + t[i].answers[k].at);
        }

        check_number(health.state, t[i].state, "silence: %s", t[i].what);
    }
}


static void
resumed(void)
{
    ngx_uint_t  i;
    ngx_msec_t  left;

    fresh();
    answer(200, NOW - 5);

    for (i = 0; i < 9; i++) {
        judge(503, 0, "100", NOW, 1, 0);
    }

    ngx_http_webhook_retry_resume(&health);

    check(health.state == OK && health.failures == 0
          && health.hold_until == 0 && health.failing_since == 0,
          "resumed");
    check(health.last_success == NOW - 5 && health.last_failure == NOW,
          "what happened is not forgotten");
    check_number(allowed(NOW, 0, &left), 1, "gently");
}


static void
clocks(void)
{
    ngx_uint_t  i;
    ngx_msec_t  left;

    fresh();
    judge(503, 0, "3600", NOW, 1, 0);
    check_number(allowed(NOW - 2 * DAY, 0, &left), 16,
                 "a clock set back holds nothing for long");

    fresh();

    for (i = 0; i < 5; i++) {
        answer(500, NOW);
    }

    check_number(allowed(NOW - HOUR, 0, &left), 1, "nor does it stop probes");

    answer(500, NOW - HOUR);
    check_number(health.state, PROBING, "nor does it disable");
    check_number(allowed(NOW - HOUR, 0, &left), 0, "a failed probe counts");
    check_number(left, 10000, "and the next one waits");
}
