
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * health: what an attempt has changed of its webhook's health, or has cost ->
 * lines in the error log.  Next room: none.
 */


#include "ngx_http_webhook_health.h"


#define NGX_HTTP_WEBHOOK_HEALTH_HOUR  3600000   /* ms */


static void ngx_http_webhook_health_lost(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_result_t *result,
    ngx_http_webhook_verdict_t *verdict);
static u_char *ngx_http_webhook_health_last(u_char *p, u_char *last,
    ngx_http_webhook_result_t *result);


void
ngx_http_webhook_health_log(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_result_t *result,
    ngx_http_webhook_verdict_t *verdict)
{
    u_char  *p, buf[NGX_INT_T_LEN + sizeof("protocol")];

    ngx_http_webhook_health_lost(zone, hook, result, verdict);

    if (verdict->after == verdict->before) {
        return;
    }

    p = ngx_http_webhook_health_last(buf, buf + sizeof(buf), result);

    switch (verdict->after) {

    case NGX_HTTP_WEBHOOK_HEALTH_PROBING:
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "webhook \"%V\": %ui attempts in a row have failed, "
                      "the last by %*s; one is made at a time until one "
                      "succeeds",
                      &hook->name, verdict->failures, p - buf, buf);
        return;

    case NGX_HTTP_WEBHOOK_HEALTH_GONE:
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook \"%V\" is disabled: it answered 410",
                      &hook->name);
        return;

    case NGX_HTTP_WEBHOOK_HEALTH_FAILING:
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook \"%V\" is disabled: it has failed for %uL h "
                      "(\"disable_after\"), the last time by %*s",
                      &hook->name,
                      verdict->failing / NGX_HTTP_WEBHOOK_HEALTH_HOUR,
                      p - buf, buf);
        return;

    default:    /* NGX_HTTP_WEBHOOK_HEALTH_OK */
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "webhook \"%V\": an attempt has succeeded again",
                      &hook->name);
    }
}


static void
ngx_http_webhook_health_lost(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_result_t *result,
    ngx_http_webhook_verdict_t *verdict)
{
    u_char  *p, buf[NGX_INT_T_LEN + sizeof("protocol")];

    if (verdict->status != NGX_HTTP_WEBHOOK_FAILED
        && verdict->status != NGX_HTTP_WEBHOOK_EXPIRED)
    {
        return;
    }

    if (!ngx_http_webhook_queue_say(zone, hook, NGX_HTTP_WEBHOOK_SAY_LOST)) {
        return;
    }

    p = ngx_http_webhook_health_last(buf, buf + sizeof(buf), result);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "webhook \"%V\": a delivery has %s, its last attempt by "
                  "%*s",
                  &hook->name,
                  verdict->status == NGX_HTTP_WEBHOOK_FAILED ? "failed"
                                                             : "expired",
                  p - buf, buf);
}


/* nothing of what an answer says stands in the log */

static u_char *
ngx_http_webhook_health_last(u_char *p, u_char *last,
    ngx_http_webhook_result_t *result)
{
    if (result->error == NGX_HTTP_WEBHOOK_ERR_NONE) {
        return ngx_slprintf(p, last, "%ui", result->status);
    }

    return ngx_slprintf(p, last, "%s",
                        ngx_http_webhook_outcomes[NGX_HTTP_WEBHOOK_OUTCOME_ERROR
                                                  + result->error - 1]);
}
