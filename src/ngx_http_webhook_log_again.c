
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * log_again: deliveries that have ended -> the same, waiting again.  Next room:
 * status.
 */


#include "ngx_http_webhook_zone_priv.h"


static ngx_int_t ngx_http_webhook_log_again(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static ngx_rbtree_node_t *ngx_http_webhook_log_newer(
    ngx_http_webhook_zone_t *zone, uint64_t seq);


ngx_int_t
ngx_http_webhook_queue_again(ngx_http_webhook_zone_t *zone, u_char uuid[16],
    uint32_t *slot)
{
    uint32_t                       i;
    ngx_int_t                      rc;
    ngx_http_webhook_zdelivery_t  *d;

    ngx_http_webhook_zone_lock(zone);

    i = ngx_http_webhook_delivery_find(zone, uuid);

    if (i == 0) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_DECLINED;
    }

    d = ngx_http_webhook_block(zone, i);
    *slot = d->slot;

    rc = NGX_BUSY;

    if (!ngx_http_webhook_open(d)) {
        rc = zone->slots[d->slot].removed ? NGX_ABORT
                                          : ngx_http_webhook_log_again(zone, i);
    }

    ngx_http_webhook_zone_unlock(zone);

    return rc;
}


static ngx_int_t
ngx_http_webhook_log_again(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_uint_t                     n;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);

    n = 1;

    if (p->waiting == 0) {
        n += ngx_http_webhook_payload_blocks(p);
    }

    if (zone->sh->nqueue + n > zone->sh->nblocks / 2) {
        return NGX_AGAIN;
    }

    ngx_http_webhook_zone_begin(zone);
    ngx_http_webhook_zone_save(zone, &d->seq, NGX_HTTP_WEBHOOK_MUTABLE_SIZE);
    ngx_http_webhook_delivery_again(zone, index);
    ngx_http_webhook_zone_commit(zone);

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_queue_recover(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_recovery_t *recovery)
{
    ngx_int_t                      rc;
    ngx_uint_t                     n, look;
    ngx_rbtree_t                   tree;
    ngx_rbtree_node_t             *node, *next;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    slot = &zone->slots[recovery->slot];
    rc = NGX_AGAIN;
    n = 0;

    ngx_http_webhook_zone_lock(zone);

    node = ngx_http_webhook_log_newer(zone, recovery->seq);

    /* oldest first; each gets a new number, beyond the last one of then */

    for (look = 0;
         look < NGX_HTTP_WEBHOOK_LOOK && n < NGX_HTTP_WEBHOOK_STEP;
         look++)
    {
        d = node ? ngx_http_webhook_delivery_by_seq(node) : NULL;

        if (d == NULL || d->seq > recovery->last) {
            rc = NGX_OK;
            break;
        }

        ngx_http_webhook_delivery_seqs(zone, &tree);

        next = ngx_rbtree_next(&tree, node);
        p = ngx_http_webhook_block(zone, d->payload);

        recovery->seq = d->seq;
        node = next;

        if (d->slot != recovery->slot
            || (d->status != NGX_HTTP_WEBHOOK_FAILED
                && d->status != NGX_HTTP_WEBHOOK_EXPIRED)
            || p->time < recovery->since)
        {
            continue;
        }

        if (ngx_http_webhook_queue_length(slot) >= recovery->queue
            || ngx_http_webhook_log_again(zone,
                                          ngx_http_webhook_index(zone, d))
               != NGX_OK)
        {
            recovery->more = 1;
            rc = NGX_OK;
            break;
        }

        recovery->count++;
        n++;
    }

    ngx_http_webhook_zone_unlock(zone);

    return rc;
}


/* the oldest delivery that is newer than "seq" */

static ngx_rbtree_node_t *
ngx_http_webhook_log_newer(ngx_http_webhook_zone_t *zone, uint64_t seq)
{
    ngx_rbtree_node_t             *node, *found;
    ngx_http_webhook_zdelivery_t  *d;

    found = NULL;
    node = zone->sh->seqs;

    while (node != &zone->sh->sentinel) {
        d = ngx_http_webhook_delivery_by_seq(node);

        if (d->seq > seq) {
            found = node;
            node = node->left;

        } else {
            node = node->right;
        }
    }

    return found;
}
