
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * detached: a body, headers and a starter -> a request without a client, one
 * subrequest, one result.  Nobody waits for it: no connection of a client, no
 * socket of its own.  Six functions; all in a worker, from its event loop.
 */


#ifndef _NGX_HTTP_WEBHOOK_DETACHED_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_DETACHED_H_INCLUDED_


#include "ngx_http_webhook.h"


typedef struct ngx_http_webhook_detached_s  ngx_http_webhook_detached_t;


/*
 * Starts the transport on the subrequest "sr".  NGX_OK: started, it will end
 * by ngx_http_webhook_detached_complete() or by finalizing sr; NGX_ERROR: the
 * attempt fails with what d->result says.
 */

typedef ngx_int_t (*ngx_http_webhook_detached_start_pt)(
    ngx_http_webhook_detached_t *d, ngx_http_request_t *sr);

/* Stops the transport at once, without completing; may be NULL. */

typedef void (*ngx_http_webhook_detached_abort_pt)(
    ngx_http_webhook_detached_t *d);

/*
 * Called once, from a posted event, whatever happened.  d->result is final;
 * when the handler returns, the pool and everything in it is freed.
 */

typedef void (*ngx_http_webhook_detached_done_pt)(
    ngx_http_webhook_detached_t *d);


struct ngx_http_webhook_detached_s {
    ngx_http_request_t                  *request;   /* the main request */
    ngx_http_request_t                  *sr;        /* NULL before the start */
    ngx_pool_t                          *pool;      /* request->pool */

    ngx_http_webhook_result_t            result;

    ngx_http_webhook_detached_start_pt   start;
    ngx_http_webhook_detached_abort_pt   abort;
    ngx_http_webhook_detached_done_pt    done;
    void                                *data;      /* the caller's */
    void                                *transport; /* the starter's */

    ngx_http_core_loc_conf_t            *loc;  /* the only location it may be
                                                  in; NULL: none at all */
    size_t                               body_max;  /* kept of the answer */
    void                                *priv;
};


/*
 * Prepares a request in the server of "ctx" with an empty set of headers.
 * Nothing runs yet.  NULL: no memory.
 */

ngx_http_webhook_detached_t *ngx_http_webhook_detached_create(
    ngx_http_conf_ctx_t *ctx);

/* Adds a request header; texts must live as long as the pool. */

ngx_int_t ngx_http_webhook_detached_header(ngx_http_webhook_detached_t *d,
    ngx_str_t *name, ngx_str_t *value);

/*
 * Runs it: method POST, "uri" (path and query, as to be sent), "body" (in the
 * pool), the whole attempt bounded by "timeout" ms.  d->start, abort, done and
 * data are set.  Begins from a posted event; "done" is called even then when
 * anything fails.  NGX_ERROR: nothing was begun, "done" is not called, d is
 * freed.
 */

ngx_int_t ngx_http_webhook_detached_run(ngx_http_webhook_detached_t *d,
    ngx_str_t *host, ngx_str_t *uri, ngx_str_t *body, ngx_msec_t timeout);

/* The transport has filled d->result: ends the subrequest and the request. */

void ngx_http_webhook_detached_complete(ngx_http_webhook_detached_t *d);

/*
 * Ends it now, in any phase; the result is "error" with "message" unless the
 * transport had finished.  "done" is called from a posted event.
 */

void ngx_http_webhook_detached_cancel(ngx_http_webhook_detached_t *d,
    ngx_uint_t error, char *message);

/*
 * The detached request that "r" (its subrequest, or itself) belongs to; NULL:
 * "r" is somebody else's.
 */

ngx_http_webhook_detached_t *ngx_http_webhook_detached_get(
    ngx_http_request_t *r);


/* Its filters and phase handlers; postconfiguration. */

ngx_int_t ngx_http_webhook_detached_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_WEBHOOK_DETACHED_H_INCLUDED_ */
