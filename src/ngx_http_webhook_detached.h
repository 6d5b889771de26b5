
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * detached: a body, headers and a starter -> a request without a client, one
 * subrequest, one result.  Nobody waits for it: no connection of a client, no
 * socket of its own.  All in a worker, from its event loop.  Next rooms: via.c
 * or curl.c (the starter), then back to dispatch.
 *
 *   create -> header ... -> run --posted--> start(sr) ... complete(sr)
 *                                                |             |
 *                              deadline, cancel, terminate     |
 *                                                v             v
 *                                     done(d) from a posted event, then freed
 */


#ifndef _NGX_HTTP_WEBHOOK_DETACHED_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_DETACHED_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_fake.h"


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
 * Fills d->result from a subrequest that ended, or is cut short, without
 * ngx_http_webhook_detached_complete(); may be NULL.
 */

typedef void (*ngx_http_webhook_detached_collect_pt)(
    ngx_http_webhook_detached_t *d);

/*
 * Called once, from a posted event, whatever happened.  d->result is final;
 * when the handler returns, the pool and everything in it is freed.
 */

typedef void (*ngx_http_webhook_detached_done_pt)(
    ngx_http_webhook_detached_t *d);


/*
 * For a subrequest that goes through nginx's phases and filters, in place of
 * what via.c does: whether it may be where it is (NGX_DECLINED: it may);
 * its answer's header; body, every buffer of which is to be consumed; and what
 * it was finalized with, for which nginx goes on with what is returned.
 */

typedef ngx_int_t (*ngx_http_webhook_detached_phase_pt)(
    ngx_http_webhook_detached_t *d, ngx_http_request_t *r);
typedef ngx_int_t (*ngx_http_webhook_detached_body_pt)(
    ngx_http_webhook_detached_t *d, ngx_http_request_t *r, ngx_chain_t *in);
typedef ngx_int_t (*ngx_http_webhook_detached_error_pt)(
    ngx_http_webhook_detached_t *d, ngx_http_request_t *r, ngx_int_t rc);

/*
 * Its time is over.  NGX_OK: it ends now; NGX_AGAIN: d->done() was called, is
 * another one now, and this is to be called again a little later.
 */

typedef ngx_int_t (*ngx_http_webhook_detached_over_pt)(
    ngx_http_webhook_detached_t *d);


struct ngx_http_webhook_detached_s {
    ngx_http_request_t                  *request;   /* the main request */
    ngx_http_request_t                  *sr;        /* NULL before the start */
    ngx_pool_t                          *pool;      /* request->pool */

    ngx_http_webhook_result_t            result;

    ngx_http_webhook_detached_start_pt   start;
    ngx_http_webhook_detached_abort_pt   abort;
    ngx_http_webhook_detached_collect_pt collect;
    ngx_http_webhook_detached_done_pt    done;
    ngx_http_webhook_detached_phase_pt   guard;     /* NULL: via.c's */
    ngx_http_webhook_detached_phase_pt   header;
    ngx_http_webhook_detached_body_pt    body;
    ngx_http_webhook_detached_error_pt   error;     /* NULL: it ends */
    ngx_http_webhook_detached_over_pt    over;      /* NULL: it ends */
    void                                *data;      /* the caller's */
    void                                *transport; /* the starter's */

    ngx_uint_t                           method;    /* POST if not set */
    ngx_str_t                            method_name;
    ngx_str_t                            label;     /* for the error log */
    size_t                               body_max;  /* kept of the answer */
    ngx_int_t                            rc;    /* sr was finalized with */
    unsigned                             patient:1; /* what it left in the
                                                       background, as a cache's
                                                       update, is awaited */
    unsigned                             direct:1;  /* the transport alone sees
                                                       its headers */
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
 * Makes headers that are added to its subrequest later, as by lua, the
 * subrequest's: nginx would add them to those of the main request.
 */

void ngx_http_webhook_detached_headers(ngx_http_request_t *sr);

/* Frees what was prepared and is not to be run. */

void ngx_http_webhook_detached_discard(ngx_http_webhook_detached_t *d);

/*
 * Runs it: d->method, "uri" (path and query, as to be sent), "body" (in the
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
 * The transport has seen enough of the answer: ends it now, in any phase, with
 * what collect() makes of it.
 */

void ngx_http_webhook_detached_enough(ngx_http_webhook_detached_t *d);

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

#define ngx_http_webhook_detached_get(r)                                      \
    (((r)->connection->fd == NGX_HTTP_WEBHOOK_FAKE_FD)                        \
     ? ngx_http_webhook_detached_find(r) : NULL)

ngx_http_webhook_detached_t *ngx_http_webhook_detached_find(
    ngx_http_request_t *r);

/* The worker exits: no attempt goes on longer than "limit" ms from now. */

void ngx_http_webhook_detached_shutdown(ngx_msec_t limit);


#endif /* _NGX_HTTP_WEBHOOK_DETACHED_H_INCLUDED_ */
