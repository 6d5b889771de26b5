
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * delivery_index: the trees and tables by which deliveries are found: all of
 * them by number and by UUID, those of a webhook by when they are due, the last
 * one of an execution.  What will be looked up soon, and was not for long, is
 * on its way into the CPU's cache before it is needed.  Next room: delivery.
 */


#include "ngx_http_webhook_zone_priv.h"


static void ngx_http_webhook_delivery_insert_seq(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_webhook_delivery_insert_due(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static uint32_t *ngx_http_webhook_delivery_uuid_bucket(
    ngx_http_webhook_zone_t *zone, u_char uuid[16]);
static uint32_t *ngx_http_webhook_delivery_exec_bucket(
    ngx_http_webhook_zone_t *zone, uint32_t slot, u_char key[16]);


void
ngx_http_webhook_delivery_seqs(ngx_http_webhook_zone_t *zone,
    ngx_rbtree_t *tree)
{
    tree->root = zone->sh->seqs;
    tree->sentinel = &zone->sh->sentinel;
    tree->insert = ngx_http_webhook_delivery_insert_seq;
}


void
ngx_http_webhook_delivery_due(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_rbtree_t *tree)
{
    tree->root = slot->due;
    tree->sentinel = &zone->sh->sentinel;
    tree->insert = ngx_http_webhook_delivery_insert_due;
}


static void
ngx_http_webhook_delivery_insert_seq(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t             **p;
    ngx_http_webhook_zdelivery_t   *d, *t;

    d = ngx_http_webhook_delivery_by_seq(node);

    for ( ;; ) {
        t = ngx_http_webhook_delivery_by_seq(temp);

        p = (d->seq < t->seq) ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static void
ngx_http_webhook_delivery_insert_due(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t             **p;
    ngx_http_webhook_zdelivery_t   *d, *t;

    d = ngx_http_webhook_delivery_by_due(node);

    for ( ;; ) {
        t = ngx_http_webhook_delivery_by_due(temp);

        p = (d->due < t->due || (d->due == t->due && d->seq < t->seq))
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static uint32_t *
ngx_http_webhook_delivery_uuid_bucket(ngx_http_webhook_zone_t *zone,
    u_char uuid[16])
{
    return &zone->uuid[ngx_http_webhook_zone_hash(zone, uuid, 0)
                       % zone->sh->nuuid];
}


/* of two with one UUID the newer */

uint32_t
ngx_http_webhook_delivery_find(ngx_http_webhook_zone_t *zone, u_char uuid[16])
{
    uint32_t                       i;
    ngx_http_webhook_zdelivery_t  *d;

    i = *ngx_http_webhook_delivery_uuid_bucket(zone, uuid);

    while (i) {
        d = ngx_http_webhook_block(zone, i);

        if (ngx_memcmp(d->uuid, uuid, 16) == 0) {
            break;
        }

        i = d->uuid_next;
    }

    return i;
}


void
ngx_http_webhook_delivery_uuid_insert(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    uint32_t                      *bucket;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    bucket = ngx_http_webhook_delivery_uuid_bucket(zone, d->uuid);

    d->uuid_next = *bucket;
    *bucket = index;
}


void
ngx_http_webhook_delivery_uuid_remove(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    uint32_t                      *p;
    ngx_http_webhook_zdelivery_t  *d, *t;

    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_delivery_uuid_bucket(zone, d->uuid);

    while (*p != index) {
        t = ngx_http_webhook_block(zone, *p);
        p = &t->uuid_next;
    }

    *p = d->uuid_next;
    d->uuid_next = 0;
}


static uint32_t *
ngx_http_webhook_delivery_exec_bucket(ngx_http_webhook_zone_t *zone,
    uint32_t slot, u_char key[16])
{
    return &zone->exec[ngx_http_webhook_zone_hash(zone, key, slot + 1)
                       % zone->sh->nuuid];
}


uint32_t
ngx_http_webhook_delivery_tail(ngx_http_webhook_zone_t *zone, uint32_t slot,
    u_char key[16])
{
    uint32_t                       i;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    i = *ngx_http_webhook_delivery_exec_bucket(zone, slot, key);

    while (i) {
        d = ngx_http_webhook_block(zone, i);
        p = ngx_http_webhook_block(zone, d->payload);

        if (d->slot == slot && ngx_memcmp(p->key, key, 16) == 0) {
            break;
        }

        i = d->exec_next;
    }

    return i;
}


void
ngx_http_webhook_delivery_exec_insert(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    uint32_t                      *bucket;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);

    bucket = ngx_http_webhook_delivery_exec_bucket(zone, d->slot, p->key);

    d->exec_next = *bucket;
    *bucket = index;
}


/* the tail "index" gives its place to another, or to none */

void
ngx_http_webhook_delivery_exec_replace(ngx_http_webhook_zone_t *zone,
    uint32_t index, uint32_t by)
{
    uint32_t                      *p;
    ngx_http_webhook_zpayload_t   *payload;
    ngx_http_webhook_zdelivery_t  *d, *t;

    d = ngx_http_webhook_block(zone, index);
    payload = ngx_http_webhook_block(zone, d->payload);

    p = ngx_http_webhook_delivery_exec_bucket(zone, d->slot, payload->key);

    while (*p != index) {
        t = ngx_http_webhook_block(zone, *p);
        p = &t->exec_next;
    }

    if (by) {
        *p = by;
        t = ngx_http_webhook_block(zone, by);
        t->exec_next = d->exec_next;

    } else {
        *p = d->exec_next;
    }

    d->exec_next = 0;
}


void
ngx_http_webhook_delivery_due_insert(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d)
{
    ngx_rbtree_t               tree;
    ngx_http_webhook_zslot_t  *slot;

    if (d->flags & NGX_HTTP_WEBHOOK_HELD) {
        return;
    }

    slot = &zone->slots[d->slot];

    ngx_http_webhook_delivery_due(zone, slot, &tree);
    ngx_rbtree_insert(&tree, &d->due_node);
    slot->due = tree.root;
}


void
ngx_http_webhook_delivery_due_delete(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d)
{
    ngx_rbtree_t               tree;
    ngx_http_webhook_zslot_t  *slot;

    if (d->flags & NGX_HTTP_WEBHOOK_HELD) {
        return;
    }

    slot = &zone->slots[d->slot];

    ngx_http_webhook_delivery_due(zone, slot, &tree);
    ngx_rbtree_delete(&tree, &d->due_node);
    slot->due = tree.root;
}


void
ngx_http_webhook_delivery_number(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    ngx_rbtree_t                   tree;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    d->seq = ++zone->sh->seq;

    if (d->row == 0) {
        d->row = ++zone->sh->rows;
    }

    ngx_http_webhook_delivery_seqs(zone, &tree);
    ngx_rbtree_insert(&tree, &d->seq_node);
    zone->sh->seqs = tree.root;
}


void
ngx_http_webhook_queue_expect(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_job_t *job)
{
    uint32_t                       payload, oldest;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    /* without the lock, so that it may be another's by now */

    d = ngx_http_webhook_block(zone, job->index);
    payload = d->payload;
    oldest = zone->slots[job->slot].log.head;

    if (payload >= zone->sh->nblocks || oldest >= zone->sh->nblocks) {
        return;
    }

    p = ngx_http_webhook_block(zone, payload);

    __builtin_prefetch(ngx_http_webhook_delivery_exec_bucket(zone, job->slot,
                                                             p->key));

    d = ngx_http_webhook_block(zone, oldest);

    __builtin_prefetch(ngx_http_webhook_delivery_uuid_bucket(zone, d->uuid));
}
