
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * dispatch: due deliveries -> attempts through detached.c; their results go to
 * retry.c and the log.
 */


#ifndef _NGX_HTTP_WEBHOOK_DISPATCH_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_DISPATCH_H_INCLUDED_


#include "ngx_http_webhook.h"


/*
 * In init_module (master): the eventfds; in init_process and exit_process of a
 * worker, when the configuration has webhooks: slots, pings of new webhooks,
 * signers, transport.  What a worker cannot do is logged, and left to others:
 * nginx would not start another one in place of a worker whose init_process
 * fails.
 */

ngx_int_t ngx_http_webhook_dispatch_init_module(ngx_cycle_t *cycle);
void ngx_http_webhook_dispatch_init_process(ngx_cycle_t *cycle);
void ngx_http_webhook_dispatch_exit_process(ngx_cycle_t *cycle);

/* Something was queued for this webhook: wakes the worker that owns it. */

void ngx_http_webhook_dispatch_wake(ngx_http_webhook_hook_t *hook);

/* The variables $webhook_name, _delivery, _attempt, _event. */

ngx_int_t ngx_http_webhook_dispatch_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_WEBHOOK_DISPATCH_H_INCLUDED_ */
