
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * tally: the result of an attempt -> what is counted of it in the webhook's
 * slot, under the lock that queue_finish() holds.  Next room: metrics.
 */


#include "ngx_http_webhook_zone_priv.h"


static ngx_uint_t ngx_http_webhook_tally_outcome(
    ngx_http_webhook_result_t *result, ngx_http_webhook_verdict_t *verdict);
static void ngx_http_webhook_tally_add(ngx_http_webhook_histogram_t *histogram,
    const uint64_t *bounds, uint64_t value);


const char  *ngx_http_webhook_outcomes[NGX_HTTP_WEBHOOK_OUTCOMES] = {
    "delivered", "3xx", "4xx", "5xx", "other",
    "dns", "connect", "tls", "timeout", "reset", "protocol", "broken",
    "proxy", "internal"
};


/* upper bounds, ms; what is beyond goes to the last bucket */

const uint64_t  ngx_http_webhook_tally_duration[NGX_HTTP_WEBHOOK_BOUNDS] = {
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 15000, 60000
};


const uint64_t  ngx_http_webhook_tally_latency[NGX_HTTP_WEBHOOK_BOUNDS] = {
    10, 25, 50, 100, 250, 500, 1000, 5000, 30000, 300000, 3600000, 86400000
};


void
ngx_http_webhook_tally(ngx_http_webhook_tally_t *tally,
    ngx_http_webhook_result_t *result, ngx_http_webhook_verdict_t *verdict,
    uint64_t event, uint64_t now)
{
    tally->outcomes[ngx_http_webhook_tally_outcome(result, verdict)]++;

    if (result->total != NGX_CONF_UNSET_MSEC) {
        ngx_http_webhook_tally_add(&tally->duration,
                                   ngx_http_webhook_tally_duration,
                                   result->total);
    }

    if (verdict->status == NGX_HTTP_WEBHOOK_DELIVERED && event) {
        ngx_http_webhook_tally_add(&tally->latency,
                                   ngx_http_webhook_tally_latency,
                                   now > event ? now - event : 0);
    }
}


static ngx_uint_t
ngx_http_webhook_tally_outcome(ngx_http_webhook_result_t *result,
    ngx_http_webhook_verdict_t *verdict)
{
    if (verdict->status == NGX_HTTP_WEBHOOK_DELIVERED) {
        return NGX_HTTP_WEBHOOK_OUTCOME_DELIVERED;
    }

    if (result->error != NGX_HTTP_WEBHOOK_ERR_NONE
        && result->error <= NGX_HTTP_WEBHOOK_ERR_INTERNAL)
    {
        return NGX_HTTP_WEBHOOK_OUTCOME_ERROR + result->error - 1;
    }

    if (result->status >= 500) {
        return NGX_HTTP_WEBHOOK_OUTCOME_5XX;
    }

    if (result->status >= 400) {
        return NGX_HTTP_WEBHOOK_OUTCOME_4XX;
    }

    if (result->status >= 300) {
        return NGX_HTTP_WEBHOOK_OUTCOME_3XX;
    }

    return NGX_HTTP_WEBHOOK_OUTCOME_OTHER;
}


static void
ngx_http_webhook_tally_add(ngx_http_webhook_histogram_t *histogram,
    const uint64_t *bounds, uint64_t value)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_WEBHOOK_BOUNDS; i++) {
        if (value <= bounds[i]) {
            break;
        }
    }

    histogram->buckets[i]++;
    histogram->sum += value;
}
