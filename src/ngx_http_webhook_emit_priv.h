
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * emit, within: what its files share.
 */


#ifndef _NGX_HTTP_WEBHOOK_EMIT_PRIV_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_EMIT_PRIV_H_INCLUDED_


#include "ngx_http_webhook_emit.h"
#include "ngx_http_webhook_queue.h"


typedef struct {
    ngx_http_webhook_source_t       *source;
    ngx_http_webhook_observation_t  *observation;

    ngx_str_t                       *headers;  /* of each webhook, evaluated */

    ngx_pool_t                      *pool;     /* gone when all is queued */
    ngx_array_t                      events;   /* ..._new_event_t */
    ngx_array_t                      texts;    /* ..._text_t, theirs */

    uint64_t                         pending;  /* of all events */
    unsigned                         enriched:1;  /* now or later: who does not
                                                  want it now is unsure */
} ngx_http_webhook_emit_t;


/*
 * emit_event.c: begins to gather events, frees what was gathered; both may be
 * called again.  NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_emit_begin(ngx_http_webhook_emit_t *em);
void ngx_http_webhook_emit_end(ngx_http_webhook_emit_t *em);

/*
 * Adds an event with its payloads, and its deliveries to those webhooks that
 * want it.  NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_emit_event(ngx_http_webhook_emit_t *em,
    ngx_http_webhook_event_t *event);


#endif /* _NGX_HTTP_WEBHOOK_EMIT_PRIV_H_INCLUDED_ */
