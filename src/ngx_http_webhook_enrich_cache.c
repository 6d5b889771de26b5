
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich_cache: in: keys, which are hashes, and values; out: the values again,
 * as long as they may be used.  Next room: enrich.
 */


#include "ngx_http_webhook_enrich_cache.h"


#define NGX_HTTP_WEBHOOK_CACHE_TREE   8        /* memory of a value's tree, in
                                                  its text's */
#define NGX_HTTP_WEBHOOK_CACHE_VALUE  64       /* bytes, at least */
#define NGX_HTTP_WEBHOOK_CACHE_SHARE  4        /* no answer takes more than that
                                                  part of all */


static ngx_queue_t *ngx_http_webhook_cache_bucket(
    ngx_http_webhook_cache_t *cache, u_char *key);
static void ngx_http_webhook_cache_remove(ngx_http_webhook_cache_t *cache,
    ngx_http_webhook_cache_entry_t *entry);
static void ngx_http_webhook_cache_free(ngx_http_webhook_cache_entry_t *entry);


void
ngx_http_webhook_cache_init(ngx_http_webhook_cache_t *cache,
    ngx_uint_t max_number, size_t max_size)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_WEBHOOK_CACHE_BUCKETS; i++) {
        ngx_queue_init(&cache->buckets[i]);
    }

    ngx_queue_init(&cache->lru);

    cache->number = 0;
    cache->size = 0;
    cache->max_number = max_number;
    cache->max_size = max_size;
}


ngx_http_webhook_cache_entry_t *
ngx_http_webhook_cache_find(ngx_http_webhook_cache_t *cache, u_char *key,
    uint64_t now)
{
    ngx_queue_t                     *q, *bucket;
    ngx_http_webhook_cache_entry_t  *entry;

    bucket = ngx_http_webhook_cache_bucket(cache, key);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        entry = ngx_queue_data(q, ngx_http_webhook_cache_entry_t, bucket);

        if (ngx_memcmp(entry->key, key, NGX_HTTP_WEBHOOK_CACHE_KEY) != 0) {
            continue;
        }

        if (entry->expires <= now) {
            return NULL;
        }

        ngx_queue_remove(&entry->lru);
        ngx_queue_insert_head(&cache->lru, &entry->lru);

        return entry;
    }

    return NULL;
}


void
ngx_http_webhook_cache_put(ngx_http_webhook_cache_t *cache, u_char *key,
    json_t **values, ngx_uint_t n, uint64_t now, uint64_t ttl)
{
    size_t                           size;
    ngx_uint_t                       i;
    ngx_http_webhook_cache_entry_t  *entry, *old;

    /* one that has expired is found, too */

    old = ngx_http_webhook_cache_find(cache, key, 0);

    size = sizeof(ngx_http_webhook_cache_entry_t) + n * sizeof(json_t *);

    entry = ngx_alloc(size, ngx_cycle->log);
    if (entry == NULL) {
        return;
    }

    for (i = 0; i < n; i++) {
        entry->values[i] = json_incref(values[i]);

        if (values[i]) {
            size += NGX_HTTP_WEBHOOK_CACHE_VALUE
                    + NGX_HTTP_WEBHOOK_CACHE_TREE
                      * json_dumpb(values[i], NULL, 0,
                                   JSON_ENCODE_ANY|JSON_COMPACT);
        }
    }

    entry->n = n;

    if (size > cache->max_size / NGX_HTTP_WEBHOOK_CACHE_SHARE) {
        ngx_http_webhook_cache_free(entry);
        return;
    }

    ngx_memcpy(entry->key, key, NGX_HTTP_WEBHOOK_CACHE_KEY);

    entry->born = now;
    entry->expires = now + ttl;
    entry->size = size;

    ngx_queue_insert_head(ngx_http_webhook_cache_bucket(cache, key),
                          &entry->bucket);
    ngx_queue_insert_head(&cache->lru, &entry->lru);

    cache->number++;
    cache->size += size;

    if (old) {
        ngx_http_webhook_cache_remove(cache, old);
    }

    while (cache->number > cache->max_number || cache->size > cache->max_size) {
        entry = ngx_queue_data(ngx_queue_last(&cache->lru),
                               ngx_http_webhook_cache_entry_t, lru);

        ngx_http_webhook_cache_remove(cache, entry);
    }
}


/* keys are hashes */

static ngx_queue_t *
ngx_http_webhook_cache_bucket(ngx_http_webhook_cache_t *cache, u_char *key)
{
    return &cache->buckets[key[0] % NGX_HTTP_WEBHOOK_CACHE_BUCKETS];
}


static void
ngx_http_webhook_cache_remove(ngx_http_webhook_cache_t *cache,
    ngx_http_webhook_cache_entry_t *entry)
{
    ngx_queue_remove(&entry->bucket);
    ngx_queue_remove(&entry->lru);

    cache->number--;
    cache->size -= entry->size;

    ngx_http_webhook_cache_free(entry);
}


static void
ngx_http_webhook_cache_free(ngx_http_webhook_cache_entry_t *entry)
{
    ngx_uint_t  i;

    for (i = 0; i < entry->n; i++) {
        json_decref(entry->values[i]);
    }

    ngx_free(entry);
}
