
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * metrics_store: in: how the store does; out: its samples; next: metrics.
 */


#include "ngx_http_webhook_metrics.h"


void
ngx_http_webhook_metrics_store_failing(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->store.failing);
}


void
ngx_http_webhook_metrics_store_failures(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "_total", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->store.refused);
}


void
ngx_http_webhook_metrics_store_unstored(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "_total", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->store.unstored);
}


void
ngx_http_webhook_metrics_store_aside(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "_total", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->store.asides);
}


void
ngx_http_webhook_metrics_store_use(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, "use", "rows");
    ngx_http_webhook_metrics_number(m, m->store.use.used);

    ngx_http_webhook_metrics_sample(m, "", NULL, "use", "free");
    ngx_http_webhook_metrics_number(m, m->store.use.free);
}


void
ngx_http_webhook_metrics_store_limit(ngx_http_webhook_metrics_t *m)
{
    if (m->mcf->store->size) {
        ngx_http_webhook_metrics_sample(m, "", NULL, NULL, NULL);
        ngx_http_webhook_metrics_number(m, m->mcf->store->size);
    }
}


void
ngx_http_webhook_metrics_store_rows(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, "status", "waiting");
    ngx_http_webhook_metrics_number(m, m->store.use.waiting);

    ngx_http_webhook_metrics_sample(m, "", NULL, "status", "ended");
    ngx_http_webhook_metrics_number(m, m->store.use.rows
                                       - m->store.use.waiting);
}


void
ngx_http_webhook_metrics_store_spilled(ngx_http_webhook_metrics_t *m)
{
    ngx_http_webhook_metrics_sample(m, "", NULL, NULL, NULL);
    ngx_http_webhook_metrics_number(m, m->store.spilled);
}
