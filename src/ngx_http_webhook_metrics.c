
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * metrics: in: counters, and how webhooks do, copied out of the zone; out:
 * OpenMetrics 1.0, or Prometheus' older text format for who asks for that;
 * next: status.  metrics_hook.c has what is told of each webhook.
 */


#include "ngx_http_webhook_metrics.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"

#include <curl/curl.h>


typedef void (*ngx_http_webhook_metrics_pt)(ngx_http_webhook_metrics_t *m);


#define NGX_HTTP_WEBHOOK_GAUGE       0
#define NGX_HTTP_WEBHOOK_COUNTER     1
#define NGX_HTTP_WEBHOOK_HISTOGRAM   2
#define NGX_HTTP_WEBHOOK_INFO        3


typedef struct {
    const char                      *name;
    ngx_uint_t                       type;
    const char                      *unit;    /* or NULL */
    const char                      *help;
    ngx_http_webhook_metrics_pt      handler;
} ngx_http_webhook_family_t;


static void ngx_http_webhook_metrics_head(ngx_http_webhook_metrics_t *m,
    ngx_http_webhook_family_t *family);
static void ngx_http_webhook_metrics_events(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_observations(
    ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_unread(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_enrichments(
    ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_headers(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_connections(
    ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_removed(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_executions(
    ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_watches(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_asked(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_lapsed(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_size(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_use(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_rebuilt(ngx_http_webhook_metrics_t *m);
static void ngx_http_webhook_metrics_build(ngx_http_webhook_metrics_t *m);


/* those of the store come last */

#define NGX_HTTP_WEBHOOK_STORE_FAMILIES  8

static ngx_http_webhook_family_t  ngx_http_webhook_families[] = {

    { "nginx_webhook_build", NGX_HTTP_WEBHOOK_INFO, NULL,
      "Versions of the module, of nginx and of libcurl.",
      ngx_http_webhook_metrics_build },

    { "nginx_webhook_events", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Events, whether or not some webhook wanted them.",
      ngx_http_webhook_metrics_events },

    { "nginx_webhook_observations", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Responses of observed locations, by what came of reading them.",
      ngx_http_webhook_metrics_observations },

    { "nginx_webhook_unread_elements", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Elements of responses beyond the number that is read.",
      ngx_http_webhook_metrics_unread },

    { "nginx_webhook_enrichments", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Members taken from known answers; answers asked for, of use or not.",
      ngx_http_webhook_metrics_enrichments },

    { "nginx_webhook_dropped_headers", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Header values with control bytes, which were not sent.",
      ngx_http_webhook_metrics_headers },

    { "nginx_webhook_attempts", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Attempts to deliver that ended, by what came of them.",
      ngx_http_webhook_metrics_attempts },

    { "nginx_webhook_attempt_duration_seconds", NGX_HTTP_WEBHOOK_HISTOGRAM,
      "seconds", "How long attempts took.",
      ngx_http_webhook_metrics_duration },

    { "nginx_webhook_delivery_latency_seconds", NGX_HTTP_WEBHOOK_HISTOGRAM,
      "seconds", "From an event to the end of the attempt that delivered it.",
      ngx_http_webhook_metrics_latency },

    { "nginx_webhook_connections", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Attempts that needed a new connection, or reused one.",
      ngx_http_webhook_metrics_connections },

    { "nginx_webhook_deliveries_waiting", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "Deliveries that wait for an attempt.",
      ngx_http_webhook_metrics_waiting },

    { "nginx_webhook_deliveries_in_flight", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "Deliveries that are being attempted.",
      ngx_http_webhook_metrics_in_flight },

    { "nginx_webhook_oldest_delivery_age_seconds", NGX_HTTP_WEBHOOK_GAUGE,
      "seconds", "Age of the oldest delivery that has not ended; 0: none.",
      ngx_http_webhook_metrics_oldest },

    { "nginx_webhook_deliveries", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Deliveries that ended, by what became of them.",
      ngx_http_webhook_metrics_ended },

    { "nginx_webhook_state", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "1 for the state a webhook is in; gone and failing ones are disabled.",
      ngx_http_webhook_metrics_state },

    { "nginx_webhook_last_success_timestamp_seconds", NGX_HTTP_WEBHOOK_GAUGE,
      "seconds", "When a delivery of the webhook last succeeded.",
      ngx_http_webhook_metrics_success },

    { "nginx_webhook_removed_deliveries_waiting", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "Deliveries that wait, for 24 hours, for webhooks that were removed.",
      ngx_http_webhook_metrics_removed },

    { "nginx_webhook_executions", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "Executions whose state is known.",
      ngx_http_webhook_metrics_executions },

    { "nginx_webhook_watches", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "Executions that are watched, or were until a moment ago.",
      ngx_http_webhook_metrics_watches },

    { "nginx_webhook_watch_requests", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Own requests for a status, by what came of them.",
      ngx_http_webhook_metrics_asked },

    { "nginx_webhook_watches_lapsed", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Watches that ended by their time, and not with their execution.",
      ngx_http_webhook_metrics_lapsed },

    { "nginx_webhook_zone_size_bytes", NGX_HTTP_WEBHOOK_GAUGE, "bytes",
      "Size of the zone's blocks, which all uses share.",
      ngx_http_webhook_metrics_size },

    { "nginx_webhook_zone_use_bytes", NGX_HTTP_WEBHOOK_GAUGE, "bytes",
      "What the zone's blocks are used for; the queue gets at most half.",
      ngx_http_webhook_metrics_use },

    { "nginx_webhook_zone_rebuilds", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "How often the zone was put in order after a worker's death.",
      ngx_http_webhook_metrics_rebuilt },

    { "nginx_webhook_store_failing", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "1: the store refuses, and what it lacks is sent all the same.",
      ngx_http_webhook_metrics_store_failing },

    { "nginx_webhook_store_failures", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Reads and writes that the store refused.",
      ngx_http_webhook_metrics_store_failures },

    { "nginx_webhook_store_unstored", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Deliveries that were sent without being on disk.",
      ngx_http_webhook_metrics_store_unstored },

    { "nginx_webhook_store_set_aside", NGX_HTTP_WEBHOOK_COUNTER, NULL,
      "Damaged files that were set aside.",
      ngx_http_webhook_metrics_store_aside },

    { "nginx_webhook_store_use_bytes", NGX_HTTP_WEBHOOK_GAUGE, "bytes",
      "What the pages of the file are used for, as last counted.",
      ngx_http_webhook_metrics_store_use },

    { "nginx_webhook_store_limit_bytes", NGX_HTTP_WEBHOOK_GAUGE, "bytes",
      "What \"size\" allows the file.",
      ngx_http_webhook_metrics_store_limit },

    { "nginx_webhook_store_deliveries", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "Deliveries in the file, as last counted.",
      ngx_http_webhook_metrics_store_rows },

    { "nginx_webhook_store_spilled_deliveries", NGX_HTTP_WEBHOOK_GAUGE, NULL,
      "Deliveries that wait in the file alone.",
      ngx_http_webhook_metrics_store_spilled }
};


/* "total" is what a worker, or the machine, had no memory for */

ngx_http_webhook_reason_t
    ngx_http_webhook_reasons[NGX_HTTP_WEBHOOK_NREASONS] = {

    { "events", NGX_HTTP_WEBHOOK_CNT_MADE, NGX_HTTP_WEBHOOK_CNT_MADE },

    { "unchanged", NGX_HTTP_WEBHOOK_CNT_STILL,
      NGX_HTTP_WEBHOOK_CNT_UNCHANGED },

    { "no route", NGX_HTTP_WEBHOOK_CNT_NO_ROUTE,
      NGX_HTTP_WEBHOOK_CNT_NO_ROUTE },

    { "status", NGX_HTTP_WEBHOOK_CNT_STATUS, NGX_HTTP_WEBHOOK_CNT_STATUS },

    { "not JSON", NGX_HTTP_WEBHOOK_CNT_NOT_JSON,
      NGX_HTTP_WEBHOOK_CNT_NOT_JSON },

    { "inexact", NGX_HTTP_WEBHOOK_CNT_INEXACT, NGX_HTTP_WEBHOOK_CNT_INEXACT },

    { "no id", NGX_HTTP_WEBHOOK_CNT_NO_ID, NGX_HTTP_WEBHOOK_CNT_NO_ID },

    { "require", NGX_HTTP_WEBHOOK_CNT_REQUIRE, NGX_HTTP_WEBHOOK_CNT_REQUIRE },

    { "no status", NGX_HTTP_WEBHOOK_CNT_NO_STATUS,
      NGX_HTTP_WEBHOOK_CNT_NO_STATUS },

    { "unknown status text", NGX_HTTP_WEBHOOK_CNT_UNKNOWN,
      NGX_HTTP_WEBHOOK_CNT_UNKNOWN },

    { "too large", NGX_HTTP_WEBHOOK_CNT_TOO_LARGE,
      NGX_HTTP_WEBHOOK_CNT_TOO_LARGE },

    { "total", NGX_HTTP_WEBHOOK_CNT_TOTAL, NGX_HTTP_WEBHOOK_CNT_TOTAL },

    { "encoding", NGX_HTTP_WEBHOOK_CNT_ENCODING,
      NGX_HTTP_WEBHOOK_CNT_ENCODING },

    { "truncated", NGX_HTTP_WEBHOOK_CNT_TRUNCATED,
      NGX_HTTP_WEBHOOK_CNT_TRUNCATED },

    { "aborted", NGX_HTTP_WEBHOOK_CNT_ABORTED, NGX_HTTP_WEBHOOK_CNT_ABORTED },

    { "refused", NGX_HTTP_WEBHOOK_CNT_REFUSED, NGX_HTTP_WEBHOOK_CNT_REFUSED },

    { "not enriched", NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED,
      NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED }
};


ngx_int_t
ngx_http_webhook_status_metrics(ngx_http_webhook_status_t *s)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i, n;
    ngx_http_webhook_hook_t      **hook;
    ngx_http_webhook_family_t     *family;
    ngx_http_webhook_metrics_t     m;

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&m, sizeof(ngx_http_webhook_metrics_t));

    m.text = &s->text;
    m.mcf = s->mcf;

    m.open = ngx_http_webhook_status_accepts(s, "openmetrics-text")
             || !(ngx_http_webhook_status_accepts(s, "text/plain")
                  || ngx_http_webhook_status_accepts(s, "text/html"));

    n = s->mcf->hooks.nelts;

    m.stats = ngx_pcalloc(s->request->pool,
                          (n + 1) * sizeof(ngx_http_webhook_hook_stat_t));
    if (m.stats == NULL) {
        return NGX_ERROR;
    }

    hook = s->mcf->hooks.elts;

    for (i = 0; i < n; i++) {
        if (hook[i]->slot != NGX_HTTP_WEBHOOK_NO_SLOT) {
            ngx_http_webhook_queue_stat(s->mcf->zone, hook[i]->slot,
                                        &m.stats[i]);
        }
    }

    ngx_http_webhook_queue_use(s->mcf->zone, &m.use);

    family = ngx_http_webhook_families;

    n = sizeof(ngx_http_webhook_families) / sizeof(ngx_http_webhook_family_t);

    if (s->mcf->store) {
        ngx_http_webhook_store_stat(s->mcf->zone, &m.store);

    } else if (s->mcf->left.len) {

        /* the first of them is all that is known */

        m.store.failing = 1;
        n -= NGX_HTTP_WEBHOOK_STORE_FAMILIES - 1;

    } else {
        n -= NGX_HTTP_WEBHOOK_STORE_FAMILIES;
    }

    for (i = 0; i < n; i++) {
        ngx_http_webhook_metrics_head(&m, &family[i]);
        family[i].handler(&m);
    }

    if (m.open) {
        ngx_http_webhook_metrics_puts(&m, "# EOF\n");

        ngx_str_set(&s->type, "application/openmetrics-text; version=1.0.0; "
                              "charset=utf-8");

    } else {
        ngx_str_set(&s->type, "text/plain; version=0.0.4; charset=utf-8");
    }

    return NGX_HTTP_OK;
}


/* the older format gives a family the name of its samples */

static void
ngx_http_webhook_metrics_head(ngx_http_webhook_metrics_t *m,
    ngx_http_webhook_family_t *family)
{
    const char  *type, *suffix;

    suffix = "";
    type = "gauge";

    switch (family->type) {

    case NGX_HTTP_WEBHOOK_COUNTER:
        suffix = m->open ? "" : "_total";
        type = "counter";
        break;

    case NGX_HTTP_WEBHOOK_HISTOGRAM:
        type = "histogram";
        break;

    case NGX_HTTP_WEBHOOK_INFO:
        suffix = m->open ? "" : "_info";
        type = m->open ? "info" : "gauge";
        break;
    }

    m->name = family->name;

    ngx_http_webhook_metrics_puts(m, "# TYPE ");
    ngx_http_webhook_metrics_puts(m, family->name);
    ngx_http_webhook_metrics_puts(m, suffix);
    ngx_http_webhook_metrics_puts(m, " ");
    ngx_http_webhook_metrics_puts(m, type);

    if (m->open && family->unit) {
        ngx_http_webhook_metrics_puts(m, "\n# UNIT ");
        ngx_http_webhook_metrics_puts(m, family->name);
        ngx_http_webhook_metrics_puts(m, " ");
        ngx_http_webhook_metrics_puts(m, family->unit);
    }

    ngx_http_webhook_metrics_puts(m, "\n# HELP ");
    ngx_http_webhook_metrics_puts(m, family->name);
    ngx_http_webhook_metrics_puts(m, suffix);
    ngx_http_webhook_metrics_puts(m, " ");
    ngx_http_webhook_metrics_puts(m, family->help);
    ngx_http_webhook_metrics_puts(m, "\n");
}


static void
ngx_http_webhook_metrics_events(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t  event;

    for (event = NGX_HTTP_WEBHOOK_LAUNCHED;
         event <= NGX_HTTP_WEBHOOK_PING;
         event++)
    {
        ngx_http_webhook_metrics_sample(m, "_total", NULL, "event",
                      (char *) ngx_http_webhook_event_name(event)->data);
        ngx_http_webhook_metrics_number(m,
              ngx_http_webhook_zone_counter(m->mcf->zone,
                                            NGX_HTTP_WEBHOOK_CNT_EVENTS
                                            + event));
    }
}


static void
ngx_http_webhook_metrics_observations(ngx_http_webhook_metrics_t *m)
{
    uint64_t                    n;
    ngx_uint_t                  i;
    ngx_http_webhook_reason_t  *reason;

    reason = ngx_http_webhook_reasons;

    for (i = 0; i < NGX_HTTP_WEBHOOK_NREASONS; i++) {
        n = ngx_http_webhook_zone_counter(m->mcf->zone, reason[i].counter);

        if (reason[i].more != reason[i].counter) {
            n += ngx_http_webhook_zone_counter(m->mcf->zone, reason[i].more);
        }

        ngx_http_webhook_metrics_sample(m, "_total", NULL, "reason",
                                        reason[i].name);
        ngx_http_webhook_metrics_number(m, n);
    }
}


static void
ngx_http_webhook_metrics_unread(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "_total", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m,
                  ngx_http_webhook_zone_counter(m->mcf->zone,
                                                NGX_HTTP_WEBHOOK_CNT_UNREAD));
}


static void
ngx_http_webhook_metrics_enrichments(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_zone_t  *zone;

    zone = m->mcf->zone;

    ngx_http_webhook_metrics_sample(m, "_total", NULL, "result", "known");
    ngx_http_webhook_metrics_number(m,
                   ngx_http_webhook_zone_counter(zone,
                                                NGX_HTTP_WEBHOOK_CNT_CACHED));

    ngx_http_webhook_metrics_sample(m, "_total", NULL, "result", "answered");
    ngx_http_webhook_metrics_number(m,
                   ngx_http_webhook_zone_counter(zone,
                                               NGX_HTTP_WEBHOOK_CNT_FETCHED));

    ngx_http_webhook_metrics_sample(m, "_total", NULL, "result", "failed");
    ngx_http_webhook_metrics_number(m,
                   ngx_http_webhook_zone_counter(zone,
                                          NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED));
}


static void
ngx_http_webhook_metrics_headers(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "_total", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m,
                  ngx_http_webhook_zone_counter(m->mcf->zone,
                                                NGX_HTTP_WEBHOOK_CNT_HEADER));
}


static void
ngx_http_webhook_metrics_connections(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_zone_t  *zone;

    zone = m->mcf->zone;

    ngx_http_webhook_metrics_sample(m, "_total", NULL, "kind", "new");
    ngx_http_webhook_metrics_number(m,
                   ngx_http_webhook_zone_counter(zone,
                                             NGX_HTTP_WEBHOOK_CNT_CONNECTED));

    ngx_http_webhook_metrics_sample(m, "_total", NULL, "kind", "reused");
    ngx_http_webhook_metrics_number(m,
                   ngx_http_webhook_zone_counter(zone,
                                                NGX_HTTP_WEBHOOK_CNT_REUSED));
}


static void
ngx_http_webhook_metrics_removed(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->use.removed);
}


static void
ngx_http_webhook_metrics_executions(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->use.states);
}


static void
ngx_http_webhook_metrics_watches(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m,
                                ngx_http_webhook_watch_number(m->mcf->zone));
}


static void
ngx_http_webhook_metrics_asked(ngx_http_webhook_metrics_t *m)
{
    ngx_uint_t  i;

    static struct {
        const char  *outcome;
        ngx_uint_t   counter;
    }  asked[] = {
        { "answered", NGX_HTTP_WEBHOOK_CNT_ANSWERED },
        { "denied", NGX_HTTP_WEBHOOK_CNT_DENIED },
        { "failed", NGX_HTTP_WEBHOOK_CNT_FAILED }
    };

    for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        ngx_http_webhook_metrics_sample(m, "_total", NULL, "outcome",
                                        asked[i].outcome);
        ngx_http_webhook_metrics_number(m,
                         ngx_http_webhook_zone_counter(m->mcf->zone,
                                                       asked[i].counter));
    }
}


static void
ngx_http_webhook_metrics_lapsed(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "_total", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m,
                 ngx_http_webhook_zone_counter(m->mcf->zone,
                                               NGX_HTTP_WEBHOOK_CNT_LAPSED));
}


static void
ngx_http_webhook_metrics_size(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, (uint64_t) m->use.blocks
                                       * m->use.block);
}


static void
ngx_http_webhook_metrics_use(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, "use", "free");
    ngx_http_webhook_metrics_number(m, (uint64_t) m->use.free * m->use.block);

    ngx_http_webhook_metrics_sample(m, "", NULL, "use", "states");
    ngx_http_webhook_metrics_number(m, (uint64_t) m->use.states
                                       * m->use.block);

    ngx_http_webhook_metrics_sample(m, "", NULL, "use", "queue");
    ngx_http_webhook_metrics_number(m, (uint64_t) m->use.queue * m->use.block);

    ngx_http_webhook_metrics_sample(m, "", NULL, "use", "log");
    ngx_http_webhook_metrics_number(m, (uint64_t) m->use.log * m->use.block);

    ngx_http_webhook_metrics_sample(m, "", NULL, "use", "watches");
    ngx_http_webhook_metrics_number(m, (uint64_t) m->use.watches
                                       * m->use.block);
}


static void
ngx_http_webhook_metrics_rebuilt(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "_total", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->use.rebuilt);
}


static void
ngx_http_webhook_metrics_build(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_puts(m, m->name);
    ngx_http_webhook_metrics_puts(m, "_info{version=\""
                                     NGX_HTTP_WEBHOOK_VERSION
                                     "\",nginx=\"" NGINX_VERSION
                                     "\",libcurl=\"");
    ngx_http_webhook_metrics_puts(m,
                                  curl_version_info(CURLVERSION_NOW)->version);
    ngx_http_webhook_metrics_puts(m, "\"}");
    ngx_http_webhook_metrics_number(m, 1);
}


/* what stands before the number; nothing in it needs an escape */

void
ngx_http_webhook_metrics_sample(ngx_http_webhook_metrics_t *m,
    const char *suffix, ngx_str_t *hook, const char *label, const char *value)
{
    ngx_http_webhook_metrics_puts(m, m->name);
    ngx_http_webhook_metrics_puts(m, suffix);

    if (hook == NULL && label == NULL) {
        return;
    }

    ngx_http_webhook_metrics_puts(m, "{");

    if (hook) {
        ngx_http_webhook_metrics_puts(m, "webhook=\"");
        ngx_http_webhook_text_append(m->text, hook->data, hook->len);
        ngx_http_webhook_metrics_puts(m, label ? "\"," : "\"");
    }

    if (label) {
        ngx_http_webhook_metrics_puts(m, label);
        ngx_http_webhook_metrics_puts(m, "=\"");
        ngx_http_webhook_metrics_puts(m, value);
        ngx_http_webhook_metrics_puts(m, "\"");
    }

    ngx_http_webhook_metrics_puts(m, "}");
}


void
ngx_http_webhook_metrics_number(ngx_http_webhook_metrics_t *m, uint64_t value)
{
    u_char  buf[NGX_INT64_LEN + 2], *p;

    p = ngx_sprintf(buf, " %uL\n", value);

    ngx_http_webhook_text_append(m->text, buf, p - buf);
}


void
ngx_http_webhook_metrics_seconds(ngx_http_webhook_metrics_t *m, uint64_t ms)
{
    u_char  buf[NGX_INT64_LEN + 6], *p;

    p = ngx_sprintf(buf, " %uL.%03uL\n", ms / 1000, ms % 1000);

    ngx_http_webhook_text_append(m->text, buf, p - buf);
}


void
ngx_http_webhook_metrics_puts(ngx_http_webhook_metrics_t *m, const char *s)
{
    ngx_http_webhook_text_append(m->text, s, ngx_strlen(s));
}
