
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_load_clear: records of the zone that the file knows better -> none,
 * before it is loaded and behind that.  Next room: store_load.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)


#define NGX_HTTP_WEBHOOK_LOAD_BACK     4096        /* numbers that may have
                                                      been on their way */


static ngx_uint_t ngx_http_webhook_load_made(ngx_http_webhook_zone_t *zone,
    uint32_t slot, uint64_t *seq, uint32_t *made);


void
ngx_http_webhook_store_load_clear(ngx_http_webhook_zone_t *zone, u_char *due)
{
    uint32_t                       i, slot;
    uint64_t                       seq;
    ngx_uint_t                     n;
    ngx_http_webhook_zdelivery_t  *d;

    for (slot = 0; slot < zone->sh->nslots; slot++) {
        seq = 0;

        do {
            ngx_http_webhook_zone_lock(zone);
            ngx_http_webhook_zone_begin(zone);

            zone->slots[slot].spill = 0;
            zone->slots[slot].spilled = 0;

            n = 0;

            for (i = zone->slots[slot].queue.head;
                 i && n < NGX_HTTP_WEBHOOK_LOOK;
                 /* void */ )
            {
                d = ngx_http_webhook_block(zone, i);
                i = d->queue.next;

                if (d->seq <= seq) {
                    continue;
                }

                seq = d->seq;
                n++;

                if (d->status == NGX_HTTP_WEBHOOK_WAITING
                    && (d->flags & NGX_HTTP_WEBHOOK_STORED)
                    && !ngx_http_webhook_store_pending(zone,
                                             ngx_http_webhook_index(zone, d)))
                {
                    /* a recovery that the file does not know of */

                    if (d->era != zone->slots[slot].era) {
                        due[slot] = 1;
                    }

                    ngx_http_webhook_delivery_free(zone,
                                             ngx_http_webhook_index(zone, d));
                }
            }

            ngx_http_webhook_zone_unlock(zone);

        } while (i);
    }
}


ngx_int_t
ngx_http_webhook_store_load_ended(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_db_t *db)
{
    u_char                         uuid[16];
    uint32_t                       slot, made[NGX_HTTP_WEBHOOK_STEP];
    uint64_t                       seq, from;
    ngx_int_t                      rc;
    ngx_uint_t                     i, n;
    ngx_http_webhook_zdelivery_t  *d;

    from = zone->sh->known;
    from -= ngx_min(from, NGX_HTTP_WEBHOOK_LOAD_BACK);

    for (slot = 0; slot < zone->sh->nslots; slot++) {
        seq = 0;

        do {
            n = ngx_http_webhook_load_made(zone, slot, &seq, made);

            for (i = 0; i < n; i++) {

                /* nobody else sends, nor frees, what waits for the file */

                d = ngx_http_webhook_block(zone, made[i]);
                ngx_memcpy(uuid, d->uuid, 16);

                rc = ngx_http_webhook_db_ended(db, uuid, from);

                if (rc == NGX_ERROR) {
                    return NGX_ERROR;
                }

                if (rc == NGX_DECLINED) {
                    continue;
                }

                ngx_http_webhook_zone_lock(zone);

                if (d->blk.type == NGX_HTTP_WEBHOOK_BLK_DELIVERY
                    && d->status == NGX_HTTP_WEBHOOK_WAITING
                    && ngx_memcmp(d->uuid, uuid, 16) == 0)
                {
                    ngx_http_webhook_zone_begin(zone);
                    ngx_http_webhook_delivery_free(zone, made[i]);
                }

                ngx_http_webhook_zone_unlock(zone);
            }

        } while (n == NGX_HTTP_WEBHOOK_STEP);
    }

    return NGX_OK;
}


/* those beyond *seq that are not in the file */

static ngx_uint_t
ngx_http_webhook_load_made(ngx_http_webhook_zone_t *zone, uint32_t slot,
    uint64_t *seq, uint32_t *made)
{
    uint32_t                       i;
    ngx_uint_t                     n;
    ngx_http_webhook_zdelivery_t  *d;

    n = 0;

    ngx_http_webhook_zone_lock(zone);

    for (i = zone->slots[slot].queue.head;
         i && n < NGX_HTTP_WEBHOOK_STEP;
         i = d->queue.next)
    {
        d = ngx_http_webhook_block(zone, i);

        if (d->seq > *seq && d->status == NGX_HTTP_WEBHOOK_WAITING
            && d->tries == 0 && !(d->flags & NGX_HTTP_WEBHOOK_STORED))
        {
            *seq = d->seq;
            made[n++] = i;
        }
    }

    ngx_http_webhook_zone_unlock(zone);

    return n;
}


#endif
