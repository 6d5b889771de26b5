
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * seen: what came of a response -> the ring of the last observations, and
 * back.  Next room: status_observed.
 */


#include "ngx_http_webhook_zone_priv.h"
#include "ngx_http_webhook_seen.h"


#define NGX_HTTP_WEBHOOK_SEEN_WRITERS  16    /* at once, more or less */

#define ngx_http_webhook_seen_record(zone, n)                                 \
    ((ngx_http_webhook_seen_t *) ((u_char *) (zone)->sh + (zone)->sh->seen)   \
     + ((n) - 1) % (zone)->sh->nseen)


/*
 * Each number has its place in the ring.  Who finds it taken by a writer does
 * without, unless that one is so far behind that it must have died there.
 */

void
ngx_http_webhook_seen_add(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_seen_t *seen)
{
    ngx_atomic_uint_t         n, old;
    ngx_http_webhook_seen_t  *record;

    n = ngx_atomic_fetch_add(&zone->sh->observed, 1) + 1;

    record = ngx_http_webhook_seen_record(zone, n);
    old = record->seq;

    if (old / 2 >= n
        || ((old & 1) && n - old / 2 < 4 * (uint64_t) zone->sh->nseen)
        || !ngx_atomic_cmp_set(&record->seq, old, 2 * n + 1))
    {
        return;
    }

    ngx_memory_barrier();

    ngx_memcpy((u_char *) record + sizeof(ngx_atomic_t),
               (u_char *) seen + sizeof(ngx_atomic_t),
               sizeof(ngx_http_webhook_seen_t) - sizeof(ngx_atomic_t));

    ngx_memory_barrier();

    /* not if it was taken for dead */

    (void) ngx_atomic_cmp_set(&record->seq, 2 * n + 1, 2 * n);
}


uint64_t
ngx_http_webhook_seen_get(ngx_http_webhook_zone_t *zone, uint64_t after,
    ngx_http_webhook_seen_t *seen)
{
    uint64_t                  n, last;
    ngx_http_webhook_seen_t  *record;

    last = zone->sh->observed;
    n = (after == 0 || after > last) ? last : after - 1;

    for ( /* void */ ; n && last - n < zone->sh->nseen; n--) {

        record = ngx_http_webhook_seen_record(zone, n);

        if (record->seq != 2 * n) {
            continue;
        }

        ngx_memory_barrier();

        *seen = *record;

        ngx_memory_barrier();

        if (seen->seq == 2 * n && record->seq == 2 * n) {
            return n;
        }
    }

    return 0;
}


/* the latest ones may still be written, and that in any order */

uint64_t
ngx_http_webhook_seen_version(ngx_http_webhook_zone_t *zone)
{
    uint64_t  n, last, version;

    last = zone->sh->observed;
    version = last;

    for (n = last;
         n && last - n < NGX_HTTP_WEBHOOK_SEEN_WRITERS
         && last - n < zone->sh->nseen;
         n--)
    {
        version = version * 31 + ngx_http_webhook_seen_record(zone, n)->seq;
    }

    return version;
}
