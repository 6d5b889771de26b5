
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


/*
 * "start": of the request, ms, monotonic.  *events is increased by the events
 * made.  *changed: the state of an execution changed (digests become void).
 * NGX_DECLINED: the zone had no room, nothing was applied; NGX_ERROR: no
 * memory.
 */

ngx_int_t ngx_http_webhook_emit(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, ngx_http_webhook_route_t *route,
    ngx_str_t *realm, ngx_http_webhook_observation_t *observation,
    uint64_t start, ngx_uint_t *events, ngx_uint_t *changed);

/*
 * Queues a PING for a webhook.  "user" may be empty.  The delivery's UUID is
 * written to "uuid".  NGX_DECLINED: no room.
 */

ngx_int_t ngx_http_webhook_emit_ping(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_hook_t *hook, ngx_str_t *user, ngx_pool_t *pool,
    u_char uuid[16]);


#endif /* _NGX_HTTP_WEBHOOK_EMIT_H_INCLUDED_ */
