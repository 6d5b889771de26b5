
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The record of a watch, as watch_list, rebuild and check know it.
 */


#ifndef _NGX_HTTP_WEBHOOK_WATCH_ZONE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_WATCH_ZONE_H_INCLUDED_


#include "ngx_http_webhook_zone_priv.h"


/* the first block of a watch; data goes on in the chain */

typedef struct {
    ngx_http_webhook_blk_t       blk;
    ngx_rbtree_node_t            node;
    u_char                       key[16];    /* of the execution */
    uint64_t                     due;        /* ms, monotonic */
    uint64_t                     until;      /* ms, monotonic */
    ngx_pid_t                    pid;        /* who asks; 0: nobody */
    uint32_t                     token;      /* as in its state */
    uint32_t                     interval;   /* ms */
    uint32_t                     server;     /* hashes */
    uint32_t                     api;
    uint32_t                     route;
    uint16_t                     realm;      /* bytes of texts */
    uint16_t                     uri;
    uint16_t                     body;
    u_char                       data[1];
} ngx_http_webhook_zwatch_t;


#define NGX_HTTP_WEBHOOK_WATCH_ROOM                                           \
    (NGX_HTTP_WEBHOOK_BLOCK - offsetof(ngx_http_webhook_zwatch_t, data))


ngx_uint_t ngx_http_webhook_watch_blocks(ngx_http_webhook_zwatch_t *w);

/* Takes it into the tree. */

void ngx_http_webhook_watch_enter(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* In the order of the tree; from NULL to NULL. */

ngx_http_webhook_zwatch_t *ngx_http_webhook_watch_next(
    ngx_http_webhook_zone_t *zone, ngx_http_webhook_zwatch_t *w);


#endif /* _NGX_HTTP_WEBHOOK_WATCH_ZONE_H_INCLUDED_ */
