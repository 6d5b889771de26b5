
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * seen: the last observations, a ring of records in the zone; in: what came of
 * a response; out: the latest of them, for the status endpoint.  No lock:
 * whoever is overtaken while it writes or reads lets go.
 */


#ifndef _NGX_HTTP_WEBHOOK_SEEN_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_SEEN_H_INCLUDED_


#include "ngx_http_webhook.h"


#define NGX_HTTP_WEBHOOK_SEEN_METHOD     16      /* bytes kept */
#define NGX_HTTP_WEBHOOK_SEEN_PATH       128
#define NGX_HTTP_WEBHOOK_SEEN_API        64
#define NGX_HTTP_WEBHOOK_SEEN_IDS        128


typedef struct {
    ngx_atomic_t    seq;               /* its number twice, odd while it is
                                          written; 0: never was */
    uint64_t        time;              /* ms, wall clock */
    uint32_t        events;
    uint16_t        status;
    uint8_t         reason;            /* a counter of zone.h */
    uint8_t         method_len;
    uint8_t         path_len;
    uint8_t         api_len;           /* 0: none */
    uint8_t         ids_len;           /* 0: none */
    uint8_t         unused;
    uint32_t        executions;        /* how many it held */
    u_char          method[NGX_HTTP_WEBHOOK_SEEN_METHOD];
    u_char          path[NGX_HTTP_WEBHOOK_SEEN_PATH];
    u_char          api[NGX_HTTP_WEBHOOK_SEEN_API];
    u_char          ids[NGX_HTTP_WEBHOOK_SEEN_IDS];  /* of the first ones, a
                                                        NUL between them */
} ngx_http_webhook_seen_t;


/* Takes a record into the ring; its seq is set here. */

void ngx_http_webhook_seen_add(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_seen_t *seen);

/*
 * The latest record older than number "after" (0: of all), copied; returns its
 * number, 0: there is none.
 */

uint64_t ngx_http_webhook_seen_get(ngx_http_webhook_zone_t *zone,
    uint64_t after, ngx_http_webhook_seen_t *seen);


/* A number that changes when a record is added. */

uint64_t ngx_http_webhook_seen_version(ngx_http_webhook_zone_t *zone);


#endif /* _NGX_HTTP_WEBHOOK_SEEN_H_INCLUDED_ */
