
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * health: what an attempt has changed of its webhook's health, or has cost ->
 * lines in the error log.  Next room: none.
 */


#ifndef _NGX_HTTP_WEBHOOK_HEALTH_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_HEALTH_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_queue.h"


/*
 * Says that a webhook is probed, disabled, or works again, and, if it may be
 * said, that an attempt was the last one of a delivery.  Not while the zone is
 * locked.
 */

void ngx_http_webhook_health_log(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_result_t *result,
    ngx_http_webhook_verdict_t *verdict);


#endif /* _NGX_HTTP_WEBHOOK_HEALTH_H_INCLUDED_ */
