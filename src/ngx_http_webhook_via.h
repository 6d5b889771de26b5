
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * via: the other transport: a detached request -> a named location of the
 * user's -> one result record, read by our filters.
 */


#ifndef _NGX_HTTP_WEBHOOK_VIA_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_VIA_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_detached.h"


/*
 * A ngx_http_webhook_detached_start_pt: hands the subrequest to hook->via.
 * d->data begins with a ngx_http_webhook_hook_t *.
 */

ngx_int_t ngx_http_webhook_via_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr);

/* A ngx_http_webhook_detached_collect_pt. */

void ngx_http_webhook_via_collect(ngx_http_webhook_detached_t *d);

/*
 * Filters that take the answer, and phase handlers that refuse any of our
 * subrequests outside its location (X-Accel-Redirect of a receiver would run
 * any location otherwise, its access phase skipped).  Postconfiguration.
 */

ngx_int_t ngx_http_webhook_via_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_WEBHOOK_VIA_H_INCLUDED_ */
