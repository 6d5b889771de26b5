
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * metrics, within: what its files share.
 */


#ifndef _NGX_HTTP_WEBHOOK_METRICS_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_METRICS_H_INCLUDED_


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_store.h"


typedef struct {
    ngx_http_webhook_text_t         *text;
    ngx_http_webhook_main_conf_t    *mcf;
    ngx_http_webhook_hook_stat_t    *stats;   /* of each webhook */
    ngx_http_webhook_zone_use_t      use;
    ngx_http_webhook_store_stat_t    store;   /* if there is one */
    const char                      *name;    /* of the present family */
    ngx_uint_t                       open;    /* boolean: OpenMetrics */
} ngx_http_webhook_metrics_t;


/*
 * A sample up to its number, with the label "webhook" and one more; each may
 * be NULL, and nothing in them needs an escape.  Then the number, as it is or
 * ms as seconds.
 */

void ngx_http_webhook_metrics_sample(ngx_http_webhook_metrics_t *m,
    const char *suffix, ngx_str_t *hook, const char *label, const char *value);
void ngx_http_webhook_metrics_number(ngx_http_webhook_metrics_t *m,
    uint64_t value);
void ngx_http_webhook_metrics_seconds(ngx_http_webhook_metrics_t *m,
    uint64_t ms);
void ngx_http_webhook_metrics_puts(ngx_http_webhook_metrics_t *m,
    const char *s);


/* metrics_hook.c: families with a sample or more of each webhook */

void ngx_http_webhook_metrics_attempts(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_duration(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_latency(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_waiting(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_in_flight(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_oldest(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_ended(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_state(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_success(ngx_http_webhook_metrics_t *m);


/* metrics_store.c: what is told of a store */

void ngx_http_webhook_metrics_store_failing(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_store_failures(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_store_unstored(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_store_aside(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_store_use(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_store_limit(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_store_rows(ngx_http_webhook_metrics_t *m);
void ngx_http_webhook_metrics_store_spilled(ngx_http_webhook_metrics_t *m);


#endif /* _NGX_HTTP_WEBHOOK_METRICS_H_INCLUDED_ */
