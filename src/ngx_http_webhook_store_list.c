
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_list: a state or a delivery has changed -> it is in the list of what
 * is to be written, once.  The list is a word beside each block:
 *
 *   0              not in the list
 *   next, or END   in it
 *   TAKEN          a batch has it; those stand first
 *   AGAIN          it has changed since the batch took it; of a state that
 *                  none has: it is to be written later, from the list's end
 *
 * All is called under the lock.  Next room: store_copy.
 */


#include "ngx_http_webhook_store_priv.h"


void
ngx_http_webhook_store_mark(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    uint32_t                *word;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    if (!sh->storing) {
        return;
    }

    word = &zone->unsaved[index];

    if (*word) {

        if (*word & NGX_HTTP_WEBHOOK_UNSAVED_TAKEN) {
            *word |= NGX_HTTP_WEBHOOK_UNSAVED_AGAIN;
            *word &= ~NGX_HTTP_WEBHOOK_UNSAVED_LATER;
        }

        return;
    }

    *word = NGX_HTTP_WEBHOOK_UNSAVED_END;

    if (sh->unsaved_list.tail) {
        word = &zone->unsaved[sh->unsaved_list.tail];
        *word = (*word & ~NGX_HTTP_WEBHOOK_UNSAVED_END) | index;

    } else {
        sh->unsaved_list.head = index;
    }

    sh->unsaved_list.tail = index;

    if (sh->untaken == 0) {
        sh->untaken = index;
    }
}


void
ngx_http_webhook_store_mark_behind(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    if (zone->unsaved[index]) {
        zone->unsaved[index] |= NGX_HTTP_WEBHOOK_UNSAVED_AGAIN;
        zone->unsaved[index] &= ~NGX_HTTP_WEBHOOK_UNSAVED_LATER;
        return;
    }

    ngx_http_webhook_store_mark(zone, index);
}


uint32_t
ngx_http_webhook_store_next(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    index = zone->unsaved[index] & NGX_HTTP_WEBHOOK_UNSAVED_END;

    return (index == NGX_HTTP_WEBHOOK_UNSAVED_END) ? 0 : index;
}


uint32_t
ngx_http_webhook_store_take(ngx_http_webhook_zone_t *zone)
{
    uint32_t                 index;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;
    index = sh->untaken;

    if (ngx_http_webhook_blk(zone, index)->type != NGX_HTTP_WEBHOOK_BLK_STATE)
    {
        zone->unsaved[index] &= ~NGX_HTTP_WEBHOOK_UNSAVED_AGAIN;
    }

    zone->unsaved[index] |= NGX_HTTP_WEBHOOK_UNSAVED_TAKEN;

    sh->untaken = ngx_http_webhook_store_next(zone, index);
    sh->taken++;

    return index;
}


void
ngx_http_webhook_store_shift(ngx_http_webhook_zone_t *zone)
{
    uint32_t                 index, word;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;
    index = sh->unsaved_list.head;
    word = zone->unsaved[index];

    sh->unsaved_list.head = ngx_http_webhook_store_next(zone, index);

    if (sh->unsaved_list.head == 0) {
        sh->unsaved_list.tail = 0;
    }

    zone->unsaved[index] = 0;
    sh->taken--;

    if ((word & NGX_HTTP_WEBHOOK_UNSAVED_AGAIN)
        && !(word & NGX_HTTP_WEBHOOK_UNSAVED_LATER))
    {
        ngx_http_webhook_store_mark(zone, index);
    }
}


void
ngx_http_webhook_store_untake(ngx_http_webhook_zone_t *zone)
{
    uint32_t                 index;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    for (index = sh->unsaved_list.head;
         sh->taken;
         index = ngx_http_webhook_store_next(zone, index))
    {
        zone->unsaved[index] &= ~(NGX_HTTP_WEBHOOK_UNSAVED_TAKEN
                                  |NGX_HTTP_WEBHOOK_UNSAVED_LATER);
        sh->taken--;
    }

    sh->untaken = sh->unsaved_list.head;
    sh->batches++;
}


void
ngx_http_webhook_store_walk(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_store_walk_pt handler, void *data)
{
    uint32_t                       i, batches;
    ngx_uint_t                     n;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;
    i = 0;
    batches = sh->batches - 1;

    do {
        ngx_http_webhook_zone_lock(zone);

        /* another list is begun from its head */

        if (batches != sh->batches) {
            batches = sh->batches;
            i = sh->unsaved_list.head;
        }

        for (n = 0; i && n < NGX_HTTP_WEBHOOK_LOOK; n++) {
            d = ngx_http_webhook_block(zone, i);

            if (d->blk.type == NGX_HTTP_WEBHOOK_BLK_DELIVERY
                && handler(zone, d, data) != NGX_OK)
            {
                i = 0;
                break;
            }

            i = ngx_http_webhook_store_next(zone, i);
        }

        ngx_http_webhook_zone_unlock(zone);

    } while (i);
}


ngx_int_t
ngx_http_webhook_store_inherit(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_owner_t *self, uint64_t file)
{
    uint32_t                   i;
    ngx_http_webhook_shm_t    *sh;
    ngx_http_webhook_zslot_t  *slot;

    sh = zone->sh;

    ngx_http_webhook_zone_lock(zone);

    if (sh->file != file) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_DECLINED;
    }

    ngx_http_webhook_zone_begin(zone);

    sh->holder = *self;
    sh->signalled = 0;

    ngx_http_webhook_store_untake(zone);

    for (i = 0; i < sh->nslots; i++) {
        slot = &zone->slots[i];

        if (slot->id) {
            ngx_http_webhook_store_mark_slot(zone, slot);
        }
    }

    ngx_http_webhook_zone_unlock(zone);

    return NGX_OK;
}


void
ngx_http_webhook_store_forget(ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    if (sh->storing || sh->unsaved_list.head) {
        ngx_memzero(zone->unsaved, sh->nblocks * sizeof(uint32_t));
    }

    ngx_memzero(&sh->unsaved_list, sizeof(ngx_http_webhook_list_t));

    sh->untaken = 0;
    sh->taken = 0;
    sh->batches++;
}


void
ngx_http_webhook_store_mark_all(ngx_http_webhook_zone_t *zone)
{
    uint32_t                       i;
    ngx_rbtree_t                   tree;
    ngx_rbtree_node_t             *node;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;

    ngx_http_webhook_store_forget(zone);

    for (i = 0; i < sh->nslots; i++) {
        slot = &zone->slots[i];

        if (slot->id) {
            ngx_http_webhook_store_mark_slot(zone, slot);
        }
    }

    /* what a state speaks of goes before it */

    for (i = 1; i < sh->fresh; i++) {
        if (ngx_http_webhook_blk(zone, i)->type == NGX_HTTP_WEBHOOK_BLK_WATCH)
        {
            ngx_http_webhook_store_mark(zone, i);
        }
    }

    ngx_http_webhook_delivery_seqs(zone, &tree);

    node = (tree.root == tree.sentinel)
           ? NULL : ngx_rbtree_min(tree.root, tree.sentinel);

    while (node) {
        d = ngx_http_webhook_delivery_by_seq(node);
        d->flags &= ~NGX_HTTP_WEBHOOK_STORED;

        ngx_http_webhook_store_mark(zone, ngx_http_webhook_index(zone, d));

        node = ngx_rbtree_next(&tree, node);
    }

    for (i = 1; i < sh->fresh; i++) {
        if (ngx_http_webhook_blk(zone, i)->type == NGX_HTTP_WEBHOOK_BLK_STATE)
        {
            ngx_http_webhook_store_mark(zone, i);
        }
    }
}


ngx_uint_t
ngx_http_webhook_store_keeps(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);

    /* a batch may have it as it was before */

    return ngx_http_webhook_store_pending(zone, index)
           && !ngx_http_webhook_open(d)
           && ((d->flags & NGX_HTTP_WEBHOOK_STORED)
               || (zone->unsaved[index] & NGX_HTTP_WEBHOOK_UNSAVED_TAKEN));
}


ngx_uint_t
ngx_http_webhook_store_flags(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    if (!sh->storing) {
        return 0;
    }

    /* what is in the store alone goes first, whatever the disk does */

    if (!sh->failing || slot->spill) {
        sh->urgent = 1;
        return NGX_HTTP_WEBHOOK_HELD;
    }

    (void) ngx_atomic_fetch_add(&sh->unstored, 1);

    return 0;
}


/* a zone in use gets a store */

void
ngx_http_webhook_store_on(ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    ngx_http_webhook_zone_lock(zone);

    if (!sh->storing) {
        ngx_http_webhook_zone_begin(zone);

        sh->storing = 1;
        sh->loaded = 0;

        /* how the one of before was, or what old workers said of it */

        sh->failing = 0;
        sh->store_error[0] = '\0';

        sh->seq = ngx_max(sh->seq, ngx_http_webhook_zone_wall() * 1000);

        ngx_http_webhook_store_mark_all(zone);
    }

    ngx_http_webhook_zone_unlock(zone);
}


/* and loses it: nothing waits for the disk any more */

void
ngx_http_webhook_store_off(ngx_http_webhook_zone_t *zone)
{
    ngx_rbtree_t             tree;
    ngx_rbtree_node_t       *node;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    ngx_http_webhook_store_forget(zone);

    sh->storing = 0;
    sh->failing = 0;
    sh->blocked = 0;
    sh->loaded = 0;

    /* nor does a worker that had it see to that any more */

    ngx_memzero(&sh->holder, sizeof(ngx_http_webhook_owner_t));
    sh->file = 0;

    ngx_http_webhook_delivery_seqs(zone, &tree);

    node = (tree.root == tree.sentinel)
           ? NULL : ngx_rbtree_min(tree.root, tree.sentinel);

    while (node) {
        ngx_http_webhook_store_release(zone,
                                   ngx_http_webhook_delivery_by_seq(node));

        node = ngx_rbtree_next(&tree, node);
    }

    ngx_http_webhook_zone_unlock(zone);
}


void
ngx_http_webhook_store_stat(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_store_stat_t *stat)
{
    uint32_t                 i;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    stat->failing = (sh->store_error[0] != '\0');
    stat->unstored = sh->unstored;
    stat->refused = sh->refused;
    stat->asides = sh->asides;
    stat->use = sh->stored;
    stat->spilled = 0;

    for (i = 0; i < sh->nused; i++) {
        stat->spilled += zone->slots[i].spilled;
    }

    ngx_memcpy(stat->error, sh->store_error, sizeof(stat->error));
}


void
ngx_http_webhook_store_release(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d)
{
    if (!(d->flags & NGX_HTTP_WEBHOOK_HELD)) {
        return;
    }

    d->flags &= ~NGX_HTTP_WEBHOOK_HELD;

    if (d->status == NGX_HTTP_WEBHOOK_WAITING && d->behind == 0) {
        ngx_http_webhook_delivery_due_insert(zone, d);
    }
}
