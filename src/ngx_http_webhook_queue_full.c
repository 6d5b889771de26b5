
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * queue_full: a queue with more than it may hold -> what is dropped of it, and
 * a line in the error log.  Next room: log.
 */


#include "ngx_http_webhook_queue_priv.h"


void
ngx_http_webhook_queue_give_way(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    uint32_t                       i, victim;
    ngx_uint_t                     look;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    victim = 0;
    look = 0;

    for (i = slot->queue.head;
         i && look < NGX_HTTP_WEBHOOK_LOOK;
         i = d->queue.next, look++)
    {
        d = ngx_http_webhook_block(zone, i);

        if (d->status != NGX_HTTP_WEBHOOK_WAITING
            || (d->flags & NGX_HTTP_WEBHOOK_UNSURE))
        {
            continue;
        }

        p = ngx_http_webhook_block(zone, d->payload);

        if (p->event != NGX_HTTP_WEBHOOK_FINISHED) {
            victim = i;
            break;
        }

        if (victim == 0) {
            victim = i;
        }
    }

    if (victim == 0) {
        return;
    }

    d = ngx_http_webhook_block(zone, victim);

    ngx_http_webhook_zone_save(zone, &d->seq, NGX_HTTP_WEBHOOK_MUTABLE_SIZE);
    ngx_http_webhook_delivery_end(zone, victim, NGX_HTTP_WEBHOOK_DROPPED);
    ngx_http_webhook_zone_commit(zone);
}


void
ngx_http_webhook_queue_full(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_hook_t *hook,
    ngx_http_webhook_queue_full_t *full)
{
    /* many lines would fill the disk */

    if (zone->sh->complained == (uint64_t) ngx_time()) {
        return;
    }

    zone->sh->complained = ngx_time();

    full->hook = hook;
    full->dropped = slot->ended[NGX_HTTP_WEBHOOK_DROPPED];
    full->share = (ngx_http_webhook_queue_left(slot, hook) > 0);
}


void
ngx_http_webhook_queue_kept(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_new_event_t *events, ngx_uint_t n)
{
    uint32_t                          index;
    ngx_uint_t                        i, k;
    ngx_http_webhook_zdelivery_t     *d;
    ngx_http_webhook_new_delivery_t  *new;

    for (i = 0; i < n; i++) {
        new = events[i].deliveries.elts;

        for (k = 0; k < events[i].deliveries.nelts; k++) {

            index = ngx_http_webhook_delivery_find(zone, new[k].uuid);

            if (index) {
                d = ngx_http_webhook_block(zone, index);
                new[k].kept = ngx_http_webhook_open(d);
            }
        }
    }
}


void
ngx_http_webhook_queue_complain(ngx_http_webhook_queue_full_t *full)
{
    if (full->hook == NULL) {
        return;
    }

    if (full->share) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook \"%V\": its share of webhook_zone is full, "
                      "%uL deliveries dropped so far",
                      &full->hook->name, full->dropped);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "webhook \"%V\": the queue of %ui is full, "
                  "%uL deliveries dropped so far",
                  &full->hook->name, full->hook->queue, full->dropped);
}
