
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rebuild: a zone that a process left behind half changed -> one in which all
 * lists, trees, tables and counters follow from the blocks again.  Runs under
 * the lock; may itself be cut off at any instruction and begun anew.
 */


#include "ngx_http_webhook_watch_zone.h"


static ngx_int_t ngx_http_webhook_rebuild_delivery(
    ngx_http_webhook_zone_t *zone, uint32_t index);
static void ngx_http_webhook_rebuild_watch(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static ngx_int_t ngx_http_webhook_rebuild_mark(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_uint_t n);
static void ngx_http_webhook_rebuild_lists(ngx_http_webhook_zone_t *zone);
static void ngx_http_webhook_rebuild_log(ngx_http_webhook_zone_t *zone);
static void ngx_http_webhook_rebuild_insert(ngx_rbtree_node_t *root,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


void
ngx_http_webhook_zone_rebuild(ngx_http_webhook_zone_t *zone)
{
    uint32_t                       i;
    ngx_http_webhook_blk_t        *blk;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;

    ngx_http_webhook_zone_rollback(zone);
    ngx_http_webhook_zone_clear(zone);

    for (i = 1; i < sh->fresh; i++) {
        ngx_http_webhook_blk(zone, i)->mark = 0;
    }

    for (i = 1; i < sh->fresh; i++) {
        blk = ngx_http_webhook_blk(zone, i);

        if (blk->type == NGX_HTTP_WEBHOOK_BLK_STATE) {
            blk->mark = 1;
            sh->nstates++;
            ngx_http_webhook_state_insert(zone, i);

        } else if (blk->type == NGX_HTTP_WEBHOOK_BLK_DELIVERY
                   && ngx_http_webhook_rebuild_delivery(zone, i) != NGX_OK)
        {
            blk->type = NGX_HTTP_WEBHOOK_BLK_FREE;

        } else if (blk->type == NGX_HTTP_WEBHOOK_BLK_WATCH) {
            ngx_http_webhook_rebuild_watch(zone, i);
        }
    }

    ngx_memory_barrier();

    for (i = 1; i < sh->fresh; i++) {
        blk = ngx_http_webhook_blk(zone, i);

        if (blk->mark == 0) {
            blk->type = NGX_HTTP_WEBHOOK_BLK_FREE;
            ngx_memory_barrier();

            blk->next = sh->free;
            sh->free = i;
            sh->nfree++;
        }
    }

    ngx_http_webhook_rebuild_lists(zone);
    ngx_http_webhook_rebuild_log(zone);

    for (i = 1; i < sh->fresh; i++) {
        blk = ngx_http_webhook_blk(zone, i);

        if (blk->type == NGX_HTTP_WEBHOOK_BLK_DELIVERY) {
            d = (ngx_http_webhook_zdelivery_t *) blk;

            if (ngx_http_webhook_open(d)) {
                sh->nqueue += 1 + ngx_http_webhook_blocks(d->headers_len, 0);
            }

        } else if (blk->type == NGX_HTTP_WEBHOOK_BLK_PAYLOAD) {
            p = (ngx_http_webhook_zpayload_t *) blk;

            if (p->waiting) {
                sh->nqueue += ngx_http_webhook_payload_blocks(p);
            }

        } else if (blk->type == NGX_HTTP_WEBHOOK_BLK_STATE) {
            ngx_http_webhook_store_mark(zone, i);
        }
    }

    sh->rebuilt++;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "webhook zone was left half changed by a process that "
                  "ended; rebuilt: %uD executions, %uD deliveries, %uD of them "
                  "waiting", sh->nstates, sh->ndeliveries, sh->queued);
}


/* marks all that a delivery holds; NGX_ERROR: it does not count */

static ngx_int_t
ngx_http_webhook_rebuild_delivery(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    uint32_t                       i;
    ngx_uint_t                     n, len;
    ngx_rbtree_t                   tree;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zattempt_t   *a;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;
    d = ngx_http_webhook_block(zone, index);

    if (d->txn > sh->committed
        || d->slot >= sh->nslots
        || zone->slots[d->slot].id == 0
        || d->payload == 0
        || d->payload >= sh->fresh)
    {
        return NGX_ERROR;
    }

    /* who has ended needs its headers no more */

    if (!ngx_http_webhook_open(d)) {
        d->headers = 0;
    }

    if (d->headers == 0) {
        d->headers_len = 0;
    }

    p = ngx_http_webhook_block(zone, d->payload);

    if (p->blk.mark == 0) {

        if (p->blk.type != NGX_HTTP_WEBHOOK_BLK_PAYLOAD
            || ngx_http_webhook_rebuild_mark(zone, d->payload,
                                           ngx_http_webhook_payload_blocks(p))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        p->refs = 0;
        p->waiting = 0;
    }

    if (ngx_http_webhook_rebuild_mark(zone, d->headers,
                                  ngx_http_webhook_blocks(d->headers_len, 0))
        != NGX_OK)
    {
        d->headers = 0;
        d->headers_len = 0;
    }

    n = 0;

    for (i = d->attempt; i; i = a->older) {
        a = ngx_http_webhook_block(zone, i);

        if (++n > NGX_HTTP_WEBHOOK_ATTEMPTS + 1
            || ngx_http_webhook_rebuild_mark(zone, i, 1) != NGX_OK)
        {
            d->attempt = 0;
            break;
        }

        if (a->text == 0) {
            continue;
        }

        len = a->sent + a->headers + a->body;

        if (ngx_http_webhook_rebuild_mark(zone, a->text,
                                          ngx_http_webhook_blocks(len, 0))
            != NGX_OK)
        {
            a->text = 0;
        }
    }

    d->blk.mark = 1;

    p->refs++;
    sh->ndeliveries++;

    ngx_http_webhook_delivery_seqs(zone, &tree);
    ngx_rbtree_insert(&tree, &d->seq_node);
    sh->seqs = tree.root;

    sh->seq = ngx_max(sh->seq, d->seq);
    sh->token = ngx_max(sh->token, d->token);
    sh->logged = ngx_max(sh->logged, d->logged);

    return NGX_OK;
}


static void
ngx_http_webhook_rebuild_watch(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_uint_t                  n;
    ngx_http_webhook_zwatch_t  *w;

    w = ngx_http_webhook_block(zone, index);
    n = ngx_http_webhook_watch_blocks(w);

    if (ngx_http_webhook_rebuild_mark(zone, index, n) != NGX_OK) {
        w->blk.mark = 0;
        return;
    }

    zone->sh->watches.blocks += n;

    ngx_http_webhook_watch_enter(zone, index);
    ngx_http_webhook_store_mark(zone, index);
}


/* marks a chain of n blocks */

static ngx_int_t
ngx_http_webhook_rebuild_mark(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_uint_t n)
{
    ngx_http_webhook_blk_t  *blk;

    while (n--) {

        if (index == 0 || index >= zone->sh->fresh) {
            return NGX_ERROR;
        }

        blk = ngx_http_webhook_blk(zone, index);
        blk->mark = 1;

        index = blk->next;
    }

    return NGX_OK;
}


/* in the order of numbers, as they were queued */

static void
ngx_http_webhook_rebuild_lists(ngx_http_webhook_zone_t *zone)
{
    uint32_t                   i;
    ngx_rbtree_t               tree;
    ngx_rbtree_node_t         *node;
    ngx_http_webhook_zslot_t  *slot;

    ngx_http_webhook_delivery_seqs(zone, &tree);

    node = (tree.root == tree.sentinel)
           ? NULL : ngx_rbtree_min(tree.root, tree.sentinel);

    while (node) {
        i = ngx_http_webhook_index(zone,
                                   ngx_http_webhook_delivery_by_seq(node));

        ngx_http_webhook_delivery_enter(zone, i);
        ngx_http_webhook_store_mark(zone, i);

        node = ngx_rbtree_next(&tree, node);
    }

    for (i = 0; i < zone->sh->nslots; i++) {
        slot = &zone->slots[i];
        slot->flush = slot->queue.head;
    }
}


/* in the order in which they were logged */

static void
ngx_http_webhook_rebuild_log(ngx_http_webhook_zone_t *zone)
{
    uint32_t                       i;
    ngx_rbtree_t                   tree;
    ngx_rbtree_node_t             *node, sentinel;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;

    ngx_memzero(&sentinel, sizeof(ngx_rbtree_node_t));
    ngx_rbtree_init(&tree, &sentinel, ngx_http_webhook_rebuild_insert);

    for (i = 1; i < sh->fresh; i++) {
        d = ngx_http_webhook_block(zone, i);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY) {
            continue;
        }

        ngx_memzero(&d->log, sizeof(ngx_http_webhook_link_t));

        if (ngx_http_webhook_open(d)) {
            continue;
        }

        ngx_rbtree_insert(&tree, &d->due_node);
    }

    if (tree.root != tree.sentinel) {

        for (node = ngx_rbtree_min(tree.root, tree.sentinel);
             node;
             node = ngx_rbtree_next(&tree, node))
        {
            d = ngx_http_webhook_delivery_by_due(node);
            i = ngx_http_webhook_index(zone, d);

            slot = &zone->slots[d->slot];

            ngx_http_webhook_zone_append(zone, &slot->log, i,
                                         NGX_HTTP_WEBHOOK_QUEUE_LINK);
            slot->logged++;

            ngx_http_webhook_zone_append(zone, &sh->log, i,
                                         NGX_HTTP_WEBHOOK_LOG_LINK);
        }
    }

    /* what is known of attempts of those that are open goes last */

    for (i = 1; i < sh->fresh; i++) {
        d = ngx_http_webhook_block(zone, i);

        if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
            || !ngx_http_webhook_open(d))
        {
            continue;
        }

        d->logged = 0;

        if (d->attempt) {
            ngx_http_webhook_delivery_logged(zone, i);
        }
    }
}


static void
ngx_http_webhook_rebuild_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t             **p;
    ngx_http_webhook_zdelivery_t   *d, *t;

    d = ngx_http_webhook_delivery_by_due(node);

    for ( ;; ) {
        t = ngx_http_webhook_delivery_by_due(temp);

        p = (d->logged < t->logged) ? &temp->left : &temp->right;

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
