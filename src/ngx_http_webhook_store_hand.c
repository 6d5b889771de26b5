
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_hand: a process ends, and another zone has the store: what this one has
 * not written -> rows, of which the others are told.  Next rooms: store_lock,
 * store_write.
 */


#include "ngx_http_webhook_store_job.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)


static ngx_uint_t ngx_http_webhook_store_hand_new(
    ngx_http_webhook_batch_t *batch);


void
ngx_http_webhook_store_hand_over(ngx_http_webhook_storer_t *st)
{
    ngx_uint_t  n;

    if (st->zone->sh->unsaved_list.head == 0) {
        return;
    }

    /* one of those that have the zone after the other */

    ngx_http_webhook_store_lock_queue(st->lock, st->zone);

    ngx_http_webhook_zone_lock(st->zone);
    ngx_http_webhook_zone_begin(st->zone);

    ngx_http_webhook_store_untake(st->zone);

    ngx_http_webhook_zone_unlock(st->zone);

    st->db.ours = 0;
    st->batch.writer = NULL;
    n = 0;

    for ( ;; ) {

        /* of webhooks the others know better */

        st->zone->sh->slots_changed = 0;

        if (ngx_http_webhook_store_gather(st->zone, &st->batch) != NGX_OK) {
            ngx_http_webhook_store_refused(st->zone, &st->batch);
            break;
        }

        if (st->batch.used == 0) {
            break;
        }

        if (ngx_http_webhook_store_hand_new(&st->batch)) {

            if (ngx_http_webhook_db_write(&st->db, &st->batch) != NGX_OK) {
                ngx_http_webhook_store_refused(st->zone, &st->batch);

                ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                              "webhook_store \"%V\": what came last could not "
                              "be handed over: %s", &st->conf->name,
                              st->db.error);
                break;
            }

            n++;
        }

        ngx_http_webhook_store_written(st->zone, &st->batch, st->slots);
    }

    ngx_http_webhook_db_close(&st->db);

    if (n) {
        ngx_http_webhook_store_lock_tell(st->lock);
    }
}


/* what became of what is in the file they do, too; is there more? */

static ngx_uint_t
ngx_http_webhook_store_hand_new(ngx_http_webhook_batch_t *batch)
{
    ngx_uint_t                        n;
    ngx_http_webhook_rec_t           *rec;
    ngx_http_webhook_rec_delivery_t  *d;

    n = 0;

    for (rec = ngx_http_webhook_batch_first(batch);
         rec < ngx_http_webhook_batch_last(batch);
         rec = ngx_http_webhook_batch_next(rec))
    {
        if (rec->type == NGX_HTTP_WEBHOOK_REC_STATE
            || rec->type == NGX_HTTP_WEBHOOK_REC_WATCH)
        {
            n++;
            continue;
        }

        if (rec->type == NGX_HTTP_WEBHOOK_REC_DELIVERY) {
            d = (ngx_http_webhook_rec_delivery_t *) rec;

            if (d->full && d->ended == 0) {
                n++;
                continue;
            }
        }

        if (rec->type != NGX_HTTP_WEBHOOK_REC_SLOT) {
            rec->type = NGX_HTTP_WEBHOOK_REC_NONE;
        }
    }

    return n;
}


#endif
