
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * curl: the built-in transport: a detached request -> one result record,
 * through libcurl's multi-socket interface on nginx's events and timers.
 */


#ifndef _NGX_HTTP_WEBHOOK_CURL_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_CURL_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_detached.h"


/* In a worker's init_process and exit_process.  max: connections kept. */

ngx_int_t ngx_http_webhook_curl_init(ngx_cycle_t *cycle, ngx_uint_t max);
void ngx_http_webhook_curl_exit(ngx_cycle_t *cycle);

/*
 * A ngx_http_webhook_detached_start_pt: sends d's request (method POST, the
 * headers and body of d->request, to hook->url with its TLS and proxy
 * settings).  Ends by ngx_http_webhook_detached_complete(d), never within this
 * call.  d->data begins with a ngx_http_webhook_hook_t *.  NGX_ERROR: d->result
 * says why.
 */

ngx_int_t ngx_http_webhook_curl_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr);

/* A ngx_http_webhook_detached_abort_pt. */

void ngx_http_webhook_curl_abort(ngx_http_webhook_detached_t *d);


#endif /* _NGX_HTTP_WEBHOOK_CURL_H_INCLUDED_ */
