
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_again: a delivery that is in the store alone, and has ended -> the
 * zone, where it waits as the newest, with its UUID, its row and the number of
 * its attempts.  Next room: store_copy, which writes it.
 */


#include "ngx_http_webhook_queue_priv.h"
#include "ngx_http_webhook_store_query.h"


static uint32_t ngx_http_webhook_again_records(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_stored_t *row, ngx_http_webhook_hook_t *hook);


ngx_int_t
ngx_http_webhook_store_again(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_stored_t *row, ngx_http_webhook_hook_t *hook,
    ngx_uint_t queue)
{
    uint32_t                       index;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    ngx_http_webhook_zone_lock(zone);

    slot = ngx_http_webhook_slot(zone, hook);

    if (ngx_http_webhook_delivery_find(zone, row->delivery.summary.uuid)) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_DONE;
    }

    if (slot == NULL
        || ngx_http_webhook_queue_length(slot) >= queue)
    {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_AGAIN;
    }

    ngx_http_webhook_zone_begin(zone);

    index = ngx_http_webhook_again_records(zone, row, hook);

    if (index == 0) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_AGAIN;
    }

    d = ngx_http_webhook_block(zone, index);

    d->txn = zone->sh->undo_txn;
    d->row = row->row;
    d->tries = row->delivery.summary.attempts;
    d->attempts = row->attempts;
    d->base = row->attempts;
    d->code = row->delivery.summary.code;
    d->error = row->delivery.summary.error;
    d->duration = row->delivery.summary.duration;

    ngx_http_webhook_delivery_number(zone, index);
    ngx_http_webhook_delivery_enter(zone, index);
    ngx_http_webhook_store_mark(zone, index);

    zone->sh->ndeliveries++;

    ngx_memory_barrier();
    d->blk.type = NGX_HTTP_WEBHOOK_BLK_DELIVERY;

    ngx_http_webhook_zone_commit(zone);
    ngx_http_webhook_zone_unlock(zone);

    return NGX_OK;
}


/* they are linked to nothing yet; 0: there is no room */

static uint32_t
ngx_http_webhook_again_records(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_stored_t *row, ngx_http_webhook_hook_t *hook)
{
    uint32_t                         payload, index;
    ngx_http_webhook_summary_t      *s;
    ngx_http_webhook_new_event_t     event;
    ngx_http_webhook_new_delivery_t  new;

    s = &row->delivery.summary;

    ngx_memzero(&event, sizeof(ngx_http_webhook_new_event_t));
    ngx_memzero(&new, sizeof(ngx_http_webhook_new_delivery_t));

    event.event = s->event;
    event.sequence = s->sequence;
    event.time = s->time;
    event.execution.len = s->execution_len;
    event.execution.data = s->execution;
    event.payload = row->delivery.payload;

    payload = ngx_http_webhook_queue_payload(zone, row->key, &event);

    if (payload == 0) {
        return 0;
    }

    new.hook = hook;
    ngx_memcpy(new.uuid, s->uuid, 16);

    index = ngx_http_webhook_queue_delivery(zone, payload, &new);

    if (index == 0) {
        ngx_http_webhook_zone_free(zone, payload,
                                   NGX_HTTP_WEBHOOK_CLASS_QUEUE);
    }

    return index;
}
