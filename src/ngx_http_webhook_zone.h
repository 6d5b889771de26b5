
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * zone: shared memory in fixed blocks, chained by index; quotas; the lock.
 * Known only to queue.c and its neighbours, module.c and digest users.
 */


#ifndef _NGX_HTTP_WEBHOOK_ZONE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_ZONE_H_INCLUDED_


#include "ngx_http_webhook.h"


/* what the zone has of watches; watch_list's own */

typedef struct {
    ngx_rbtree_node_t  *root;
    uint32_t            number;
    uint32_t            blocks;
} ngx_http_webhook_watches_t;


#define NGX_HTTP_WEBHOOK_ZONE_MIN      (1024 * 1024)   /* bytes */


/*
 * The zone's init callback; shm_zone->data is the
 * ngx_http_webhook_main_conf_t, mcf->zone is set.  Runs under nginx -t too.
 */

ngx_int_t ngx_http_webhook_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/*
 * What a size holds: webhooks, and, about, states and deliveries of 5 KB; for
 * nginx -t.
 */

void ngx_http_webhook_zone_capacity(size_t size, ngx_uint_t *hooks,
    ngx_uint_t *states, ngx_uint_t *deliveries);

/*
 * Digests of responses seen (design, section 4), a direct-mapped table of
 * 64-bit words, read and written without the lock.  _epoch: a number that
 * changes with each state change of a description.
 */

ngx_uint_t ngx_http_webhook_zone_digest_known(ngx_http_webhook_zone_t *zone,
    uint64_t key, uint64_t digest);
void ngx_http_webhook_zone_digest_store(ngx_http_webhook_zone_t *zone,
    uint64_t key, uint64_t digest);
uint64_t ngx_http_webhook_zone_epoch(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_api_t *api);
void ngx_http_webhook_zone_epoch_next(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_api_t *api);

/* 16 random bytes, the same in all workers: the key of digests and hashes. */

u_char *ngx_http_webhook_zone_secret(ngx_http_webhook_zone_t *zone);

/*
 * Counters, atomics without the lock.  Of those from UNCHANGED to STATUS, and
 * of REFUSED and those from NO_ROUTE to MADE, each response has one.
 */

#define NGX_HTTP_WEBHOOK_CNT_READ        0   /* responses examined */
#define NGX_HTTP_WEBHOOK_CNT_UNCHANGED   1   /* skipped by digest */
#define NGX_HTTP_WEBHOOK_CNT_NOT_JSON    2
#define NGX_HTTP_WEBHOOK_CNT_INEXACT     3
#define NGX_HTTP_WEBHOOK_CNT_NO_ID       4
#define NGX_HTTP_WEBHOOK_CNT_REQUIRE     5
#define NGX_HTTP_WEBHOOK_CNT_NO_STATUS   6
#define NGX_HTTP_WEBHOOK_CNT_TOO_LARGE   7
#define NGX_HTTP_WEBHOOK_CNT_TOTAL       8   /* beyond all that may be read */
#define NGX_HTTP_WEBHOOK_CNT_ENCODING    9
#define NGX_HTTP_WEBHOOK_CNT_TRUNCATED   10  /* the response did not end */
#define NGX_HTTP_WEBHOOK_CNT_ABORTED     11  /* the client left */
#define NGX_HTTP_WEBHOOK_CNT_STATUS      12  /* a status the route refuses */
#define NGX_HTTP_WEBHOOK_CNT_UNREAD      13  /* elements beyond 1000 */
#define NGX_HTTP_WEBHOOK_CNT_REFUSED     14  /* the zone had no room */
#define NGX_HTTP_WEBHOOK_CNT_HEADER      15  /* a header value dropped */
#define NGX_HTTP_WEBHOOK_CNT_REUSED      16  /* attempts on a kept connection */
#define NGX_HTTP_WEBHOOK_CNT_CONNECTED   17  /* attempts on a new one */
#define NGX_HTTP_WEBHOOK_CNT_EVENTS      18  /* + event: events by kind */
#define NGX_HTTP_WEBHOOK_CNT_NO_ROUTE    24  /* no route is for the request */
#define NGX_HTTP_WEBHOOK_CNT_UNKNOWN     25  /* nothing new, and a status that
                                                no list names */
#define NGX_HTTP_WEBHOOK_CNT_STILL       26  /* examined, nothing new */
#define NGX_HTTP_WEBHOOK_CNT_MADE        27  /* made events */
#define NGX_HTTP_WEBHOOK_CNT_ANSWERED    28  /* a watch: what came of asking */
#define NGX_HTTP_WEBHOOK_CNT_FAILED      29
#define NGX_HTTP_WEBHOOK_CNT_DENIED      30  /* 401 or 403 */
#define NGX_HTTP_WEBHOOK_CNT_LAPSED      31  /* its time was over */
#define NGX_HTTP_WEBHOOK_CNT_CACHED      32  /* members that "enrich" knew */
#define NGX_HTTP_WEBHOOK_CNT_FETCHED     33  /* answers to it that are of use */
#define NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED 34 /* and those that are not */
#define NGX_HTTP_WEBHOOK_CNT_MAX         48

void ngx_http_webhook_zone_count(ngx_http_webhook_zone_t *zone,
    ngx_uint_t counter, ngx_uint_t n);
uint64_t ngx_http_webhook_zone_counter(ngx_http_webhook_zone_t *zone,
    ngx_uint_t counter);


#endif /* _NGX_HTTP_WEBHOOK_ZONE_H_INCLUDED_ */
