
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * metrics_hook: in: how each webhook does; out: its samples; next: metrics.
 */


#include "ngx_http_webhook_metrics.h"


static void ngx_http_webhook_metrics_histogram(ngx_http_webhook_metrics_t *m,
    ngx_str_t *hook, ngx_http_webhook_histogram_t *histogram,
    const uint64_t *bounds);


void
ngx_http_webhook_metrics_attempts(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t                 i, n;
    ngx_http_webhook_hook_t  **hook;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        for (n = 0; n < NGX_HTTP_WEBHOOK_OUTCOMES; n++) {
            ngx_http_webhook_metrics_sample(m, "_total", &hook[i]->name,
                                            "outcome",
                                            ngx_http_webhook_outcomes[n]);
            ngx_http_webhook_metrics_number(m, m->stats[i].tally.outcomes[n]);
        }
    }
}


void
ngx_http_webhook_metrics_duration(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        ngx_http_webhook_metrics_histogram(m, &hook[i]->name,
                                           &m->stats[i].tally.duration,
                                           ngx_http_webhook_tally_duration);
    }
}


void
ngx_http_webhook_metrics_latency(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        ngx_http_webhook_metrics_histogram(m, &hook[i]->name,
                                           &m->stats[i].tally.latency,
                                           ngx_http_webhook_tally_latency);
    }
}


static void
ngx_http_webhook_metrics_histogram(ngx_http_webhook_metrics_t *m,
    ngx_str_t *hook, ngx_http_webhook_histogram_t *histogram,
    const uint64_t *bounds)
{
    char        bound[NGX_INT64_LEN + 5];
    uint64_t    n;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < NGX_HTTP_WEBHOOK_BOUNDS; i++) {
        n += histogram->buckets[i];

        /* the canonical form of these numbers: "0.005", "0.25", "30.0" */

        if (bounds[i] % 1000 == 0) {
            (void) ngx_sprintf((u_char *) bound, "%uL.0%Z", bounds[i] / 1000);

        } else if (bounds[i] % 100 == 0) {
            (void) ngx_sprintf((u_char *) bound, "%uL.%uL%Z",
                               bounds[i] / 1000, bounds[i] % 1000 / 100);

        } else if (bounds[i] % 10 == 0) {
            (void) ngx_sprintf((u_char *) bound, "%uL.%02uL%Z",
                               bounds[i] / 1000, bounds[i] % 1000 / 10);

        } else {
            (void) ngx_sprintf((u_char *) bound, "%uL.%03uL%Z",
                               bounds[i] / 1000, bounds[i] % 1000);
        }

        ngx_http_webhook_metrics_sample(m, "_bucket", hook, "le", bound);
        ngx_http_webhook_metrics_number(m, n);
    }

    n += histogram->buckets[NGX_HTTP_WEBHOOK_BOUNDS];

    ngx_http_webhook_metrics_sample(m, "_bucket", hook, "le", "+Inf");
    ngx_http_webhook_metrics_number(m, n);

    ngx_http_webhook_metrics_sample(m, "_sum", hook, NULL, NULL);
    ngx_http_webhook_metrics_seconds(m, histogram->sum);

    ngx_http_webhook_metrics_sample(m, "_count", hook, NULL, NULL);
    ngx_http_webhook_metrics_number(m, n);
}


void
ngx_http_webhook_metrics_waiting(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        ngx_http_webhook_metrics_sample(m, "", &hook[i]->name, NULL, NULL);
        ngx_http_webhook_metrics_number(m, m->stats[i].waiting);
    }
}


void
ngx_http_webhook_metrics_in_flight(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        ngx_http_webhook_metrics_sample(m, "", &hook[i]->name, NULL, NULL);
        ngx_http_webhook_metrics_number(m, m->stats[i].in_flight);
    }
}


void
ngx_http_webhook_metrics_oldest(ngx_http_webhook_metrics_t *m)
{
    uint64_t                   now, age;
    ngx_uint_t                 i;
    ngx_time_t                *tp;
    ngx_http_webhook_hook_t  **hook;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        age = 0;

        if (m->stats[i].oldest && m->stats[i].oldest < now) {
            age = now - m->stats[i].oldest;
        }

        ngx_http_webhook_metrics_sample(m, "", &hook[i]->name, NULL, NULL);
        ngx_http_webhook_metrics_seconds(m, age);
    }
}


void
ngx_http_webhook_metrics_ended(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t                      i;
    ngx_http_webhook_hook_t       **hook;
    ngx_http_webhook_hook_stat_t   *stat;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        stat = &m->stats[i];

        ngx_http_webhook_metrics_sample(m, "_total", &hook[i]->name, "status",
                                        "delivered");
        ngx_http_webhook_metrics_number(m, stat->delivered);

        ngx_http_webhook_metrics_sample(m, "_total", &hook[i]->name, "status",
                                        "failed");
        ngx_http_webhook_metrics_number(m, stat->failed);

        ngx_http_webhook_metrics_sample(m, "_total", &hook[i]->name, "status",
                                        "expired");
        ngx_http_webhook_metrics_number(m, stat->expired);

        ngx_http_webhook_metrics_sample(m, "_total", &hook[i]->name, "status",
                                        "superseded");
        ngx_http_webhook_metrics_number(m, stat->superseded);

        ngx_http_webhook_metrics_sample(m, "_total", &hook[i]->name, "status",
                                        "dropped");
        ngx_http_webhook_metrics_number(m, stat->dropped);
    }
}


void
ngx_http_webhook_metrics_state(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t                 i, n;
    ngx_http_webhook_hook_t  **hook;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        for (n = 0; n < NGX_HTTP_WEBHOOK_NHEALTH; n++) {
            ngx_http_webhook_metrics_sample(m, "", &hook[i]->name, "state",
                                   (char *) ngx_http_webhook_states[n].data);
            ngx_http_webhook_metrics_number(m, m->stats[i].health.state == n);
        }
    }
}


void
ngx_http_webhook_metrics_success(ngx_http_webhook_metrics_t *m)
{
    uint64_t                   last;
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    hook = m->mcf->hooks.elts;

    for (i = 0; i < m->mcf->hooks.nelts; i++) {
        last = m->stats[i].health.last_success;

        if (last) {
            ngx_http_webhook_metrics_sample(m, "", &hook[i]->name, NULL, NULL);
            ngx_http_webhook_metrics_seconds(m, last);
        }
    }
}
