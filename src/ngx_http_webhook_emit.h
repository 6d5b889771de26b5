
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * emit: one execution's observation -> state change, events, payloads and
 * deliveries in the zone, all at once or not at all; wakes who sends.
 * Next room: queue.
 */


#ifndef _NGX_HTTP_WEBHOOK_EMIT_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_EMIT_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api.h"
#include "ngx_http_webhook_event.h"


/* most time to write payloads with what is the same for many, ns */

#define NGX_HTTP_WEBHOOK_EMIT_SHARED  100000000


typedef struct ngx_http_webhook_enrich_caller_s
    ngx_http_webhook_enrich_caller_t;


/* where and when executions were seen: the same for all of one response */

typedef struct {
    ngx_http_request_t            *request;    /* NULL: it is over */
    ngx_http_webhook_main_conf_t  *main;
    ngx_http_webhook_api_t        *api;
    ngx_http_webhook_route_t      *route;
    ngx_str_t                     *realm;
    ngx_array_t                   *hooks;      /* of the location, or NULL */
    ngx_array_t                   *headers;    /* ngx_keyval_t, of a watch; or
                                                  NULL: the request's */
    uint64_t                       start;      /* of the request, ms,
                                                  monotonic */
    uint64_t                       now;        /* ms, monotonic */
    uint64_t                       wall;       /* now, ms since 1970 */
    uint64_t                       wrote;      /* payloads with what is the
                                                  same for many, for ns */
    ngx_http_webhook_enrich_caller_t  *caller; /* whom "enrich" asks as, the
                                                  request's; NULL: not yet
                                                  known */
} ngx_http_webhook_source_t;


/*
 * Fills in a source with what stands in the request's configuration, and the
 * present time.
 */

void ngx_http_webhook_emit_source(ngx_http_webhook_source_t *source,
    ngx_http_request_t *r);

/*
 * *events is increased by the events made.  *changed: the state of an
 * execution changed (digests become void), or would if it was said by a later
 * answer (none is made).  NGX_DECLINED: the zone had no room, nothing was
 * applied; NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_emit(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation, ngx_uint_t *events,
    ngx_uint_t *changed);

/*
 * What "list", n events that were queued as pending, waited for is there: the
 * observation has it, unless "changed" is 0.  They are due.  NGX_DECLINED: the
 * zone had no room, they go as they were; NGX_ERROR: no memory, they do when
 * their time is over.
 */

ngx_int_t ngx_http_webhook_emit_enriched(ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation, u_char key[16],
    ngx_http_webhook_event_t *list, ngx_uint_t n, ngx_uint_t changed);

/*
 * Queues a PING for a webhook.  "user" may be empty.  The delivery's UUID is
 * written to "uuid".  NGX_DECLINED: no room; NGX_BUSY: the queue of the webhook
 * is full, and the PING is dropped.
 */

ngx_int_t ngx_http_webhook_emit_ping(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_hook_t *hook, ngx_str_t *user, ngx_pool_t *pool,
    u_char uuid[16]);


#endif /* _NGX_HTTP_WEBHOOK_EMIT_H_INCLUDED_ */
