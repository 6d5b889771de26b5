
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * wake: who sends for which webhook, and how the others tell him.  An eventfd
 * for each worker of a generation; the lease of each webhook's slot.  Next
 * room: dispatch.
 */


#ifndef _NGX_HTTP_WEBHOOK_WAKE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_WAKE_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_queue.h"


typedef struct {
    void  (*ready)(ngx_uint_t index);  /* mcf->hooks[index] may have something
                                          due; it is ours */
    void  (*woken)(void);              /* some worker has something for us */
    void  (*exiting)(void);            /* the worker begins to exit */
} ngx_http_webhook_wake_handlers_t;


/* In the master: makes the eventfds of the coming workers. */

ngx_int_t ngx_http_webhook_wake_init_module(ngx_cycle_t *cycle);

/* In a worker: wakes others, and is somebody to them. */

void ngx_http_webhook_wake_init_process(ngx_cycle_t *cycle,
    ngx_http_webhook_wake_handlers_t *handlers);

/*
 * It can send: listens to its own eventfd, takes its share of the webhooks.
 * NGX_ERROR: no memory, and it takes none.
 */

ngx_int_t ngx_http_webhook_wake_begin(ngx_cycle_t *cycle);

/* What this worker is to the zone. */

ngx_http_webhook_owner_t *ngx_http_webhook_wake_self(void);

/* Whether mcf->hooks[index] is this worker's to send. */

ngx_uint_t ngx_http_webhook_wake_owned(ngx_uint_t index);

/* How many of those that are active are, as of the last second. */

ngx_uint_t ngx_http_webhook_wake_count(void);

/*
 * Something was queued: tells the owner, which may be ourselves.  An owner of
 * another generation notices within a second.
 */

void ngx_http_webhook_wake(ngx_http_webhook_hook_t *hook);

/* The same for a worker that may own none: its woken() is called. */

void ngx_http_webhook_wake_worker(ngx_http_webhook_owner_t *worker);


#endif /* _NGX_HTTP_WEBHOOK_WAKE_H_INCLUDED_ */
