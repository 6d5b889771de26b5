
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * queue_full: a queue with more than it may hold -> what is dropped of it, and
 * a line in the error log, which has not too many of such ones.  Next room:
 * log.
 */


#include "ngx_http_webhook_queue_priv.h"


#define NGX_HTTP_WEBHOOK_SAY_AGAIN     60          /* seconds */


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
    ngx_http_webhook_queue_line_t  *line;

    if (full->n == NGX_HTTP_WEBHOOK_FULL) {
        full->more = 1;
        return;
    }

    if (!ngx_http_webhook_queue_say(zone, hook, NGX_HTTP_WEBHOOK_SAY_FULL)) {
        return;
    }

    line = &full->lines[full->n++];

    line->hook = hook;
    line->dropped = slot->ended[NGX_HTTP_WEBHOOK_DROPPED];
    line->share = (ngx_http_webhook_queue_left(slot, hook) > 0);
}


ngx_uint_t
ngx_http_webhook_queue_say(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_uint_t kind)
{
    uint64_t                   now;
    ngx_http_webhook_zslot_t  *slot;

    slot = ngx_http_webhook_slot(zone, hook);

    if (slot == NULL) {
        return 0;
    }

    now = ngx_time();

    if (zone->sh->said[kind] == now
        && slot->said[kind] + NGX_HTTP_WEBHOOK_SAY_AGAIN > now)
    {
        return 0;
    }

    zone->sh->said[kind] = now;
    slot->said[kind] = now;

    return 1;
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
    ngx_uint_t                      i;
    ngx_http_webhook_queue_line_t  *line;

    for (i = 0; i < full->n; i++) {
        line = &full->lines[i];

        if (line->share) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "webhook \"%V\": its share of webhook_zone is full, "
                          "%uL deliveries dropped so far",
                          &line->hook->name, line->dropped);
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook \"%V\": the queue of %ui is full, "
                      "%uL deliveries dropped so far",
                      &line->hook->name, line->hook->queue, line->dropped);
    }

    if (full->more) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "deliveries of other webhooks are dropped, too: each "
                      "is said when it happens again");
    }
}
