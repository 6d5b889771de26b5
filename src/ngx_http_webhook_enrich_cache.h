
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich_cache: who asks and what for -> what was answered to that, for a
 * while; bounded in number and size, least recently used first.  Pure.  Next
 * room: enrich.
 */


#ifndef _NGX_HTTP_WEBHOOK_ENRICH_CACHE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_ENRICH_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_HTTP_WEBHOOK_CACHE_KEY      32      /* bytes */
#define NGX_HTTP_WEBHOOK_CACHE_BUCKETS  256


typedef struct {
    ngx_queue_t    buckets[NGX_HTTP_WEBHOOK_CACHE_BUCKETS];
    ngx_queue_t    lru;            /* most recent first */
    ngx_uint_t     number;
    size_t         size;           /* bytes, estimated */
    ngx_uint_t     max_number;
    size_t         max_size;
} ngx_http_webhook_cache_t;


/* an answer: for each line of the description what the document had for it */

typedef struct {
    ngx_queue_t    bucket;
    ngx_queue_t    lru;
    u_char         key[NGX_HTTP_WEBHOOK_CACHE_KEY];
    uint64_t       born;           /* ms */
    uint64_t       expires;        /* ms */
    size_t         size;
    ngx_uint_t     n;
    json_t        *values[1];      /* owned, or NULL */
} ngx_http_webhook_cache_entry_t;


void ngx_http_webhook_cache_init(ngx_http_webhook_cache_t *cache,
    ngx_uint_t max_number, size_t max_size);

/* NULL: there is none, or its time is over.  Valid until the next call. */

ngx_http_webhook_cache_entry_t *ngx_http_webhook_cache_find(
    ngx_http_webhook_cache_t *cache, u_char *key, uint64_t now);

/*
 * Keeps n values for "ttl" ms, in place of what was there; references are the
 * cache's own.  What is too large, or finds no memory, is not kept.
 */

void ngx_http_webhook_cache_put(ngx_http_webhook_cache_t *cache, u_char *key,
    json_t **values, ngx_uint_t n, uint64_t now, uint64_t ttl);


#endif /* _NGX_HTTP_WEBHOOK_ENRICH_CACHE_H_INCLUDED_ */
