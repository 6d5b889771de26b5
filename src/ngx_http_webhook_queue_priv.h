
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What the rooms that put deliveries into queues share: queue, queue_enrich,
 * queue_full, store_again, store_load.  All under the zone's lock, unless said.
 */


#ifndef _NGX_HTTP_WEBHOOK_QUEUE_PRIV_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_QUEUE_PRIV_H_INCLUDED_


#include "ngx_http_webhook_zone_priv.h"


/* how many more the queue of the webhook takes; below 0 after a reload */

#define ngx_http_webhook_queue_left(slot, hook)                               \
    ((int32_t) ngx_min((hook)->queue, NGX_MAX_INT32_VALUE)                    \
     - (int32_t) ngx_http_webhook_queue_length(slot))

#define ngx_http_webhook_queue_oldest(hook)                                   \
    ((hook)->overflow_oldest && (hook)->queue)


/* --- queue: records that are linked to nothing yet; 0: no room --- */

uint32_t ngx_http_webhook_queue_payload(ngx_http_webhook_zone_t *zone,
    u_char *key, ngx_http_webhook_new_event_t *event);
uint32_t ngx_http_webhook_queue_delivery(ngx_http_webhook_zone_t *zone,
    uint32_t payload, ngx_http_webhook_new_delivery_t *new);


/* --- queue_full: what does not fit --- */

/* queues that were full, to be logged when the lock is free */

#define NGX_HTTP_WEBHOOK_FULL      8

typedef struct {
    ngx_http_webhook_hook_t       *hook;
    uint64_t                       dropped;  /* so far */
    ngx_uint_t                     share;    /* of the zone, not the queue */
} ngx_http_webhook_queue_line_t;

typedef struct {
    ngx_uint_t                     n;
    ngx_uint_t                     more;     /* boolean: and others */
    ngx_http_webhook_queue_line_t  lines[NGX_HTTP_WEBHOOK_FULL];
} ngx_http_webhook_queue_full_t;


/*
 * The oldest that waits in a queue is dropped, in a transaction of its own:
 * FINISHED only if there is nothing else, and none of which it is not yet known
 * whether it is wanted.
 */

void ngx_http_webhook_queue_give_way(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot);

/* After drops were counted: it is to be logged, if it may be said now. */

void ngx_http_webhook_queue_full(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_queue_full_t *full);

/* Sets "kept" of those that wait now. */

void ngx_http_webhook_queue_kept(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_new_event_t *events, ngx_uint_t n);

/* Logs them, if there are any; without the lock. */

void ngx_http_webhook_queue_complain(ngx_http_webhook_queue_full_t *full);


#endif /* _NGX_HTTP_WEBHOOK_QUEUE_PRIV_H_INCLUDED_ */
