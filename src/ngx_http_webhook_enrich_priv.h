
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich, within: what enrich.c and enrich_fetch.c share.
 */


#ifndef _NGX_HTTP_WEBHOOK_ENRICH_PRIV_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_ENRICH_PRIV_H_INCLUDED_


#include "ngx_http_webhook_enrich.h"


/* a line, for one event */

typedef struct {
    ngx_queue_t                       queue;   /* of ask->places */
    ngx_http_webhook_enriching_t     *event;
    ngx_http_webhook_enrich_line_t   *line;
    ngx_str_t                        *values;  /* of its URI */
    ngx_http_webhook_enrich_ask_t    *ask;     /* it waits for this one */
    unsigned                          done:1;
    unsigned                          whole:1; /* a member that was lacking */
} ngx_http_webhook_enrich_place_t;


/* the events of one observation */

struct ngx_http_webhook_enriching_s {
    ngx_event_t                       timer;
    ngx_pool_t                       *pool;
    ngx_http_webhook_source_t         source;
    ngx_http_webhook_observation_t    observation;
    ngx_str_t                         realm;
    ngx_str_t                         id;
    u_char                            key[16];
    ngx_http_webhook_event_t          list[NGX_HTTP_WEBHOOK_EVENTS_MAX];
    ngx_uint_t                        n;
    ngx_http_webhook_enrich_caller_t *caller;
    ngx_http_webhook_enrich_place_t  *places;
    ngx_uint_t                        nplaces;
    ngx_uint_t                        waits;   /* places with an ask */
    unsigned                          changed:1;
};


/* enrich_fetch.c */

/* Of a URI and all that the API sees of the caller.  NGX_ERROR: no memory. */

ngx_int_t ngx_http_webhook_enrich_key(ngx_http_webhook_enriching_t *e,
    ngx_str_t *uri, u_char *key);

/* What was answered to it; NULL: it is to be asked for. */

ngx_http_webhook_cache_entry_t *ngx_http_webhook_enrich_kept(u_char *key);

/* Asks, or waits for the answer with others.  NGX_ERROR: no memory. */

ngx_int_t ngx_http_webhook_enrich_join(ngx_http_webhook_enrich_place_t *place,
    ngx_str_t *uri, u_char *key);

/* Waits no longer. */

void ngx_http_webhook_enrich_leave(ngx_http_webhook_enrich_place_t *place);

/* What a line is for is left out, and "why": counted, observed and said. */

void ngx_http_webhook_enrich_lost(ngx_http_webhook_source_t *source,
    ngx_http_webhook_enrich_line_t *line, char *why);


/* enrich.c */

/* What a place has joined has ended; doc NULL: with nothing of use. */

void ngx_http_webhook_enrich_answered(ngx_http_webhook_enrich_place_t *place,
    json_t *doc);


#endif /* _NGX_HTTP_WEBHOOK_ENRICH_PRIV_H_INCLUDED_ */
