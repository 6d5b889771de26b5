
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * check_queue: the second half of check: the lists and trees of deliveries.
 */


#include "ngx_http_webhook_check.h"


static ngx_int_t ngx_http_webhook_check_open(ngx_http_webhook_check_t *c,
    uint32_t index);
static ngx_int_t ngx_http_webhook_check_due(ngx_http_webhook_check_t *c,
    ngx_http_webhook_zslot_t *slot, uint32_t *n);


ngx_int_t
ngx_http_webhook_check_slot(ngx_http_webhook_check_t *c, uint32_t index)
{
    uint32_t                       i, prev, waiting, unsure, sending, due, n;
    uint64_t                       last;
    ngx_http_webhook_link_t       *link;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    slot = &c->zone->slots[index];

    waiting = 0;
    unsure = 0;
    sending = 0;
    due = 0;
    prev = 0;
    last = 0;

    for (i = slot->queue.head; i; i = d->queue.next) {
        d = ngx_http_webhook_block(c->zone, i);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
            || d->slot != index
            || !ngx_http_webhook_open(d)
            || d->queue.prev != prev
            || d->seq <= last
            || ngx_http_webhook_check_open(c, i) != NGX_OK)
        {
            return ngx_http_webhook_check_fail(c, "queue of a webhook", i);
        }

        if (d->status == NGX_HTTP_WEBHOOK_SENDING) {
            sending++;

        } else {
            waiting++;
            unsure += !!(d->flags & NGX_HTTP_WEBHOOK_UNSURE);
            due += (d->behind == 0 && !(d->flags & NGX_HTTP_WEBHOOK_HELD));
        }

        prev = i;
        last = d->seq;
    }

    if (slot->queue.tail != prev
        || slot->waiting != waiting
        || slot->unsure != unsure
        || slot->in_flight != sending)
    {
        return ngx_http_webhook_check_fail(c, "counters of a webhook", index);
    }

    c->open += waiting + sending;

    if (slot->flush) {
        d = ngx_http_webhook_block(c->zone, slot->flush);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
            || d->slot != index
            || !ngx_http_webhook_open(d))
        {
            return ngx_http_webhook_check_fail(c, "flush", slot->flush);
        }
    }

    if (ngx_http_webhook_check_due(c, slot, &n) != NGX_OK || n != due) {
        return ngx_http_webhook_check_fail(c, "tree of a webhook", index);
    }

    prev = 0;
    n = 0;

    for (i = slot->sending.head; i; i = link->next) {
        d = ngx_http_webhook_block(c->zone, i);
        link = ngx_http_webhook_link(c->zone, i,
                                     NGX_HTTP_WEBHOOK_SENDING_LINK);

        if (d->status != NGX_HTTP_WEBHOOK_SENDING
            || d->slot != index
            || link->prev != prev
            || ++n > sending)
        {
            return ngx_http_webhook_check_fail(c, "sending", i);
        }

        prev = i;
    }

    if (n != sending || slot->sending.tail != prev) {
        return ngx_http_webhook_check_fail(c, "last of sending", index);
    }

    prev = 0;
    last = 0;
    n = 0;

    for (i = slot->log.head; i; i = d->queue.next) {
        d = ngx_http_webhook_block(c->zone, i);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
            || d->slot != index
            || ngx_http_webhook_open(d)
            || d->queue.prev != prev
            || d->logged <= last)
        {
            return ngx_http_webhook_check_fail(c, "log of a webhook", i);
        }

        n++;
        prev = i;
        last = d->logged;
    }

    if (n != slot->logged || slot->log.tail != prev) {
        return ngx_http_webhook_check_fail(c, "length of a log", index);
    }

    c->closed += n;

    return NGX_OK;
}


/* its place in the order of its execution */

static ngx_int_t
ngx_http_webhook_check_open(ngx_http_webhook_check_t *c, uint32_t index)
{
    ngx_http_webhook_zpayload_t   *p, *q;
    ngx_http_webhook_zdelivery_t  *d, *t;

    d = ngx_http_webhook_block(c->zone, index);
    p = ngx_http_webhook_block(c->zone, d->payload);

    if (d->tries || !ngx_http_webhook_keyed(p)) {
        return (d->behind || d->follower) ? NGX_ERROR : NGX_OK;
    }

    if (d->behind) {
        t = ngx_http_webhook_block(c->zone, d->behind);
        q = ngx_http_webhook_block(c->zone, t->payload);

        if (t->follower != index
            || d->status != NGX_HTTP_WEBHOOK_WAITING
            || !ngx_http_webhook_open(t)
            || t->tries
            || t->slot != d->slot
            || t->seq >= d->seq
            || ngx_memcmp(p->key, q->key, 16) != 0)
        {
            return NGX_ERROR;
        }
    }

    if (d->follower) {
        t = ngx_http_webhook_block(c->zone, d->follower);
        return (t->behind == index) ? NGX_OK : NGX_ERROR;
    }

    return (ngx_http_webhook_delivery_tail(c->zone, d->slot, p->key) == index)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_webhook_check_due(ngx_http_webhook_check_t *c,
    ngx_http_webhook_zslot_t *slot, uint32_t *n)
{
    uint64_t                       due, seq;
    ngx_rbtree_t                   tree;
    ngx_rbtree_node_t             *node;
    ngx_http_webhook_zdelivery_t  *d;

    *n = 0;
    due = 0;
    seq = 0;

    ngx_http_webhook_delivery_due(c->zone, slot, &tree);

    if (tree.root == tree.sentinel) {
        return NGX_OK;
    }

    for (node = ngx_rbtree_min(tree.root, tree.sentinel);
         node;
         node = ngx_rbtree_next(&tree, node))
    {
        d = ngx_http_webhook_delivery_by_due(node);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
            || d->status != NGX_HTTP_WEBHOOK_WAITING
            || d->behind
            || (d->flags & NGX_HTTP_WEBHOOK_HELD)
            || &c->zone->slots[d->slot] != slot
            || d->due < due
            || (d->due == due && d->seq <= seq))
        {
            return NGX_ERROR;
        }

        due = d->due;
        seq = d->seq;
        (*n)++;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_check_seqs(ngx_http_webhook_check_t *c)
{
    uint32_t                       n;
    uint64_t                       seq;
    ngx_rbtree_t                   tree;
    ngx_rbtree_node_t             *node;
    ngx_http_webhook_zdelivery_t  *d;

    n = 0;
    seq = 0;

    ngx_http_webhook_delivery_seqs(c->zone, &tree);

    node = (tree.root == tree.sentinel)
           ? NULL : ngx_rbtree_min(tree.root, tree.sentinel);

    while (node) {
        d = ngx_http_webhook_delivery_by_seq(node);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY || d->seq <= seq) {
            return ngx_http_webhook_check_fail(c, "tree of deliveries",
                                         ngx_http_webhook_index(c->zone, d));
        }

        seq = d->seq;
        n++;

        node = ngx_rbtree_next(&tree, node);
    }

    if (n != c->deliveries || c->open != c->queued
        || c->open + c->closed != n)
    {
        return ngx_http_webhook_check_fail(c, "size of tree", n);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_check_log(ngx_http_webhook_check_t *c)
{
    uint32_t                       i, n, prev;
    uint64_t                       last;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zdelivery_t  *d;

    sh = c->zone->sh;

    prev = 0;
    last = 0;
    n = 0;

    for (i = sh->log.head; i; i = d->log.next) {
        d = ngx_http_webhook_block(c->zone, i);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
            || d->log.prev != prev
            || d->logged <= last)
        {
            return ngx_http_webhook_check_fail(c, "log", i);
        }

        n += !ngx_http_webhook_open(d);
        prev = i;
        last = d->logged;
    }

    if (n != c->closed || sh->log.tail != prev) {
        return ngx_http_webhook_check_fail(c, "length of the log", n);
    }

    return NGX_OK;
}
