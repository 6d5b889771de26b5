
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * send: a job of the queue -> one signed POST through detached.c -> its
 * result in the queue's log.  Next room: via or curl, then dispatch again.
 */


#ifndef _NGX_HTTP_WEBHOOK_SEND_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_SEND_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_queue.h"
#include "ngx_http_webhook_sign.h"


/* Called when an attempt has ended and its result is in the queue. */

typedef void (*ngx_http_webhook_send_done_pt)(
    ngx_http_webhook_hook_t *hook);


/*
 * Starts an attempt.  NGX_OK: "done" will be called, never within this call;
 * NGX_ERROR: nothing was begun, the job is still the caller's.
 */

ngx_int_t ngx_http_webhook_send_start(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_signer_t *signer,
    ngx_http_webhook_job_t *job, ngx_http_webhook_send_done_pt done);

/* The variables $webhook_name, _delivery, _attempt, _event. */

ngx_int_t ngx_http_webhook_send_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_WEBHOOK_SEND_H_INCLUDED_ */
