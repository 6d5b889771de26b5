
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * spare: what nginx has of connections and files -> how many of them may be
 * taken for requests of our own.
 */


#ifndef _NGX_HTTP_WEBHOOK_SPARE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_SPARE_H_INCLUDED_


#include "ngx_http_webhook.h"


/*
 * In init_module (master): how many sockets a worker of this cycle can have,
 * by worker_connections and by the limit of open files.
 */

ngx_uint_t ngx_http_webhook_spare_init_module(ngx_cycle_t *cycle);

/*
 * How many idle connections libcurl may keep.  Where files are short, nginx
 * closes none of them, so they must leave some to be taken.
 */

ngx_uint_t ngx_http_webhook_spare_idle(void);

/*
 * How many connections may be taken now: clients come first, and keep an
 * eighth.  What nginx closes as soon as it needs it is theirs and ours.
 */

ngx_uint_t ngx_http_webhook_spare(void);

/* What is about to begin (n is 1) will take one; it begins (-1). */

void ngx_http_webhook_spare_promise(ngx_int_t n);


#endif /* _NGX_HTTP_WEBHOOK_SPARE_H_INCLUDED_ */
