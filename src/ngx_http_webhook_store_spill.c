
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_spill: more deliveries wait than the zone's share holds -> the newest
 * are in the store alone, those of the webhook that has most of them first.
 * While a webhook has such ones, what comes new joins them there; they flow
 * back in order.  Next room: store_load.
 */


#include "ngx_http_webhook_store_priv.h"


#define NGX_HTTP_WEBHOOK_SPILL_LEAVE   16          /* of a webhook, in the
                                                      zone, at least */
#define NGX_HTTP_WEBHOOK_SPILL_STEPS   16          /* holds of the lock */


static uint32_t ngx_http_webhook_spill_slot(ngx_http_webhook_zone_t *zone);
static ngx_uint_t ngx_http_webhook_spill_some(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot);
static ngx_uint_t ngx_http_webhook_spill_stuck(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot);


/*
 * The words of the slot first: a death in between leaves a count too large,
 * which the last refill puts right.
 */

void
ngx_http_webhook_store_spill(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    slot = &zone->slots[d->slot];

    if (slot->spill == 0 || d->seq < slot->spill) {
        slot->spill = d->seq;
    }

    slot->spilled++;
    ngx_memory_barrier();

    ngx_http_webhook_delivery_free(zone, index);
}


void
ngx_http_webhook_store_relieve(ngx_http_webhook_zone_t *zone)
{
    uint32_t    i;
    ngx_uint_t  step, n;

    for (step = 0; step < NGX_HTTP_WEBHOOK_SPILL_STEPS; step++) {

        if (zone->sh->nqueue <= ngx_http_webhook_store_much(zone->sh)) {
            return;
        }

        i = ngx_http_webhook_spill_slot(zone);

        if (i == NGX_HTTP_WEBHOOK_NO_SLOT) {
            return;
        }

        ngx_http_webhook_zone_lock(zone);
        ngx_http_webhook_zone_begin(zone);

        /* the store may have been removed since */

        n = zone->sh->storing
            ? ngx_http_webhook_spill_some(zone, &zone->slots[i]) : 0;

        ngx_http_webhook_zone_unlock(zone);

        if (n == 0) {
            return;
        }
    }
}


/* without the lock: any answer will do */

static uint32_t
ngx_http_webhook_spill_slot(ngx_http_webhook_zone_t *zone)
{
    uint32_t  i, found, most;

    found = NGX_HTTP_WEBHOOK_NO_SLOT;
    most = NGX_HTTP_WEBHOOK_SPILL_LEAVE;

    for (i = 0; i < zone->sh->nused; i++) {

        if (zone->slots[i].id && zone->slots[i].waiting > most) {
            most = zone->slots[i].waiting;
            found = i;
        }
    }

    return found;
}


static ngx_uint_t
ngx_http_webhook_spill_some(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    uint32_t                       i, prev;
    ngx_uint_t                     n, look;
    ngx_http_webhook_zdelivery_t  *d;

    n = 0;

    for (i = slot->queue.tail, look = 0;
         i && n < NGX_HTTP_WEBHOOK_STEP && look < NGX_HTTP_WEBHOOK_LOOK
         && slot->waiting > NGX_HTTP_WEBHOOK_SPILL_LEAVE;
         i = prev, look++)
    {
        d = ngx_http_webhook_block(zone, i);
        prev = d->queue.prev;

        /* those that are held follow when they are written */

        if (d->status != NGX_HTTP_WEBHOOK_WAITING
            || (d->flags & NGX_HTTP_WEBHOOK_HELD))
        {
            continue;
        }

        /* who was tried stays, unless it was delivered again by hand since */

        if (d->tries && (d->base == 0 || d->attempts != d->base)) {
            continue;
        }

        /* what stays must not overtake what goes */

        if (!(d->flags & NGX_HTTP_WEBHOOK_STORED)
            || ngx_http_webhook_pends(d)
            || ngx_http_webhook_store_pending(zone, i))
        {
            break;
        }

        ngx_http_webhook_store_spill(zone, i);
        n++;
    }

    return n;
}


uint32_t
ngx_http_webhook_store_wanted(ngx_http_webhook_zone_t *zone, uint32_t from)
{
    uint32_t                   i, n, nused;
    ngx_http_webhook_shm_t    *sh;
    ngx_http_webhook_zslot_t  *slot;

    sh = zone->sh;
    nused = sh->nused;

    for (n = 0; n < nused; n++) {
        i = (from + n) % nused;
        slot = &zone->slots[i];

        if (slot->id == 0 || slot->spill == 0 || slot->removed) {
            continue;
        }

        if (sh->failing && ngx_http_webhook_spill_stuck(zone, slot)) {
            return i;
        }

        /* no webhook goes without because another has filled the zone */

        if (sh->nqueue <= ngx_http_webhook_store_little(sh)
            || (slot->waiting < NGX_HTTP_WEBHOOK_SPILL_LEAVE / 2
                && sh->nqueue <= ngx_http_webhook_store_much(sh)))
        {
            return i;
        }
    }

    return NGX_HTTP_WEBHOOK_NO_SLOT;
}


/*
 * Nothing can be written: what is held here is behind what is in the store
 * alone; the rest, if there is any, is not to be sent yet.
 */

static ngx_uint_t
ngx_http_webhook_spill_stuck(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    ngx_uint_t                     stuck;
    ngx_rbtree_node_t             *node, *sentinel;
    ngx_http_webhook_zdelivery_t  *d;

    sentinel = &zone->sh->sentinel;

    ngx_http_webhook_zone_lock(zone);

    stuck = (slot->in_flight == 0
             && slot->health.state <= NGX_HTTP_WEBHOOK_HEALTH_PROBING);

    if (stuck && slot->due != sentinel) {
        node = ngx_rbtree_min(slot->due, sentinel);
        d = ngx_http_webhook_delivery_by_due(node);

        stuck = (d->due > ngx_current_msec
                 && slot->health.state == NGX_HTTP_WEBHOOK_HEALTH_OK);
    }

    ngx_http_webhook_zone_unlock(zone);

    return stuck;
}
