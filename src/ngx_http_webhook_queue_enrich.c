
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * queue_enrich: events that were queued before all was known of them -> their
 * final payloads, each delivery at once or not at all; those that turn out to
 * be unwanted are gone, and those that turn out to be wanted take a place in
 * their queue.  Next room: take.
 */


#include "ngx_http_webhook_queue_priv.h"


static void ngx_http_webhook_queue_forget(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static void ngx_http_webhook_queue_wanted(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_hook_t *hook, uint32_t payload,
    ngx_http_webhook_queue_full_t *full);
static void ngx_http_webhook_queue_final(ngx_http_webhook_zone_t *zone,
    uint32_t index, uint32_t payload);


ngx_int_t
ngx_http_webhook_queue_enrich(ngx_http_webhook_zone_t *zone, u_char key[16],
    ngx_http_webhook_new_event_t *events, ngx_uint_t n)
{
    uint32_t                          i, payload;
    uint64_t                          logged;
    ngx_int_t                         rc;
    ngx_uint_t                        k, m;
    ngx_http_webhook_zpayload_t      *p;
    ngx_http_webhook_zdelivery_t     *d;
    ngx_http_webhook_queue_full_t     full;
    ngx_http_webhook_new_delivery_t  *new;

    rc = NGX_OK;
    full.n = 0;
    full.more = 0;

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    logged = zone->sh->logged;

    for (k = 0; k < n; k++) {

        payload = 0;

        if (events[k].payload.len) {
            payload = ngx_http_webhook_queue_payload(zone, key, &events[k]);

            if (payload == 0) {
                rc = NGX_DECLINED;
            }
        }

        new = events[k].deliveries.elts;

        for (m = 0; m < events[k].deliveries.nelts; m++) {

            i = ngx_http_webhook_delivery_find(zone, new[m].uuid);

            if (i == 0) {
                continue;
            }

            d = ngx_http_webhook_block(zone, i);

            if (d->status != NGX_HTTP_WEBHOOK_WAITING
                || !(d->flags & NGX_HTTP_WEBHOOK_PENDING))
            {
                continue;
            }

            if (new[m].unsure) {
                ngx_http_webhook_queue_forget(zone, i);

            } else if (d->flags & NGX_HTTP_WEBHOOK_UNSURE) {
                ngx_http_webhook_queue_wanted(zone, i, new[m].hook, payload,
                                              &full);

            } else {
                ngx_http_webhook_queue_final(zone, i, payload);
            }
        }

        if (payload) {
            p = ngx_http_webhook_block(zone, payload);

            if (p->refs == 0) {
                ngx_http_webhook_zone_free(zone, payload,
                                           NGX_HTTP_WEBHOOK_CLASS_QUEUE);
            }
        }
    }

    ngx_http_webhook_delivery_trim(zone, logged);

    ngx_http_webhook_zone_unlock(zone);

    ngx_http_webhook_queue_complain(&full);

    return rc;
}


/* what is in the store ends there, too */

static void
ngx_http_webhook_queue_forget(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);

    if ((d->flags & NGX_HTTP_WEBHOOK_UNSURE) || !zone->sh->storing) {
        ngx_http_webhook_delivery_free(zone, index);
        return;
    }

    ngx_http_webhook_zone_save(zone, &d->seq, NGX_HTTP_WEBHOOK_MUTABLE_SIZE);
    ngx_http_webhook_delivery_end(zone, index, NGX_HTTP_WEBHOOK_SUPERSEDED);
    ngx_http_webhook_zone_commit(zone);
}


/* it was let in without a look at how many wait */

static void
ngx_http_webhook_queue_wanted(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_hook_t *hook, uint32_t payload,
    ngx_http_webhook_queue_full_t *full)
{
    ngx_http_webhook_zslot_t  *slot;

    slot = ngx_http_webhook_slot(zone, hook);

    if (slot == NULL || ngx_http_webhook_queue_left(slot, hook) > 0) {
        ngx_http_webhook_queue_final(zone, index, payload);
        return;
    }

    if (ngx_http_webhook_queue_oldest(hook)) {
        ngx_http_webhook_queue_final(zone, index, payload);
        ngx_http_webhook_queue_give_way(zone, slot);

    } else {
        ngx_http_webhook_delivery_free(zone, index);
        slot->ended[NGX_HTTP_WEBHOOK_DROPPED]++;
    }

    ngx_http_webhook_queue_full(zone, slot, hook, full);
}


/* payload 0: it keeps its own */

static void
ngx_http_webhook_queue_final(ngx_http_webhook_zone_t *zone, uint32_t index,
    uint32_t payload)
{
    uint32_t                       was;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    slot = &zone->slots[d->slot];
    was = d->payload;

    ngx_http_webhook_zone_save(zone, &d->payload, sizeof(uint32_t));
    ngx_http_webhook_zone_save(zone, &d->seq, NGX_HTTP_WEBHOOK_MUTABLE_SIZE);

    if (d->behind == 0) {
        ngx_http_webhook_delivery_due_delete(zone, d);
    }

    d->due = ngx_current_msec;

    if (d->flags & NGX_HTTP_WEBHOOK_UNSURE) {
        d->flags = ngx_http_webhook_store_flags(zone, slot);
        slot->unsure--;

    } else {
        d->flags &= ~NGX_HTTP_WEBHOOK_PENDING;
    }

    if (payload) {
        d->payload = payload;
        d->flags &= ~NGX_HTTP_WEBHOOK_STORED;

        p = ngx_http_webhook_block(zone, payload);
        p->refs++;
        p->waiting++;
    }

    if (d->behind == 0) {
        ngx_http_webhook_delivery_due_insert(zone, d);
    }

    ngx_http_webhook_zone_commit(zone);

    ngx_http_webhook_store_mark(zone, index);

    if (payload == 0) {
        return;
    }

    p = ngx_http_webhook_block(zone, was);

    if (--p->waiting == 0) {
        zone->sh->nqueue -= ngx_http_webhook_payload_blocks(p);
    }

    if (--p->refs == 0) {
        ngx_http_webhook_zone_free(zone, was, NGX_HTTP_WEBHOOK_CLASS_LOG);
    }
}
