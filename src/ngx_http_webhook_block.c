
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * block: blocks of the zone -> chains of bytes and lists of records.  Who
 * gives way when it is full is decided here.  Next rooms: state, delivery.
 */


#include "ngx_http_webhook_zone_priv.h"


static void ngx_http_webhook_zone_put(ngx_http_webhook_zone_t *zone,
    uint32_t index);


uint32_t
ngx_http_webhook_zone_alloc(ngx_http_webhook_zone_t *zone, ngx_uint_t n,
    ngx_uint_t class)
{
    uint32_t                 i, first;
    ngx_http_webhook_blk_t  *blk;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    if (class == NGX_HTTP_WEBHOOK_CLASS_QUEUE
        && sh->nqueue + n > sh->nblocks / 2)
    {
        return 0;
    }

    if (class == NGX_HTTP_WEBHOOK_CLASS_WATCH
        && sh->watches.blocks + n > sh->nblocks / 4)
    {
        return 0;
    }

    while (class == NGX_HTTP_WEBHOOK_CLASS_STATE
           && sh->nstates + n > sh->nblocks - sh->nblocks / 4)
    {
        if (ngx_http_webhook_state_evict(zone) != NGX_OK) {
            return 0;
        }
    }

    while (sh->nfree < n) {

        if (ngx_http_webhook_delivery_evict(zone) == NGX_OK) {
            continue;
        }

        if (class == NGX_HTTP_WEBHOOK_CLASS_LOG
            || (class == NGX_HTTP_WEBHOOK_CLASS_QUEUE
                && sh->nstates <= sh->nblocks / 2)
            || ngx_http_webhook_state_evict(zone) != NGX_OK)
        {
            return 0;
        }
    }

    first = 0;

    while (n--) {

        if (sh->free) {
            i = sh->free;
            sh->free = ngx_http_webhook_blk(zone, i)->next;

        } else {
            i = sh->fresh++;
        }

        blk = ngx_http_webhook_blk(zone, i);

        blk->type = NGX_HTTP_WEBHOOK_BLK_DATA;
        blk->seen = 0;
        blk->next = first;

        first = i;

        sh->nfree--;

        if (class == NGX_HTTP_WEBHOOK_CLASS_STATE) {
            sh->nstates++;

        } else if (class == NGX_HTTP_WEBHOOK_CLASS_QUEUE) {
            sh->nqueue++;

        } else if (class == NGX_HTTP_WEBHOOK_CLASS_WATCH) {
            sh->watches.blocks++;
        }
    }

    return first;
}


void
ngx_http_webhook_zone_free(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_uint_t class)
{
    uint32_t                 next;
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    ngx_memory_barrier();

    while (index) {
        next = ngx_http_webhook_blk(zone, index)->next;

        ngx_http_webhook_zone_put(zone, index);

        if (class == NGX_HTTP_WEBHOOK_CLASS_STATE) {
            sh->nstates--;

        } else if (class == NGX_HTTP_WEBHOOK_CLASS_QUEUE) {
            sh->nqueue--;

        } else if (class == NGX_HTTP_WEBHOOK_CLASS_WATCH) {
            sh->watches.blocks--;
        }

        index = next;
    }
}


static void
ngx_http_webhook_zone_put(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_blk_t  *blk;

    blk = ngx_http_webhook_blk(zone, index);

    blk->type = NGX_HTTP_WEBHOOK_BLK_FREE;
    ngx_memory_barrier();

    blk->next = zone->sh->free;
    zone->sh->free = index;
    zone->sh->nfree++;
}


void
ngx_http_webhook_zone_append(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list, uint32_t index, size_t off)
{
    ngx_http_webhook_link_t  *link;

    link = ngx_http_webhook_link(zone, index, off);

    link->prev = list->tail;
    link->next = 0;

    if (list->tail) {
        ngx_http_webhook_link(zone, list->tail, off)->next = index;

    } else {
        list->head = index;
    }

    list->tail = index;
}


/* behind "after"; 0: in front of all */

void
ngx_http_webhook_zone_insert(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list, uint32_t index, uint32_t after, size_t off)
{
    ngx_http_webhook_link_t  *link, *prev;

    if (after == list->tail) {
        ngx_http_webhook_zone_append(zone, list, index, off);
        return;
    }

    link = ngx_http_webhook_link(zone, index, off);

    link->prev = after;

    if (after) {
        prev = ngx_http_webhook_link(zone, after, off);
        link->next = prev->next;
        prev->next = index;

    } else {
        link->next = list->head;
        list->head = index;
    }

    ngx_http_webhook_link(zone, link->next, off)->prev = index;
}


void
ngx_http_webhook_zone_remove(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list, uint32_t index, size_t off)
{
    ngx_http_webhook_link_t  *link;

    link = ngx_http_webhook_link(zone, index, off);

    if (link->prev) {
        ngx_http_webhook_link(zone, link->prev, off)->next = link->next;

    } else {
        list->head = link->next;
    }

    if (link->next) {
        ngx_http_webhook_link(zone, link->next, off)->prev = link->prev;

    } else {
        list->tail = link->prev;
    }

    link->prev = 0;
    link->next = 0;
}


/* a chain's end is where writing and reading stop, whatever "len" says */

void
ngx_http_webhook_zone_write(ngx_http_webhook_cursor_t *cursor, u_char *p,
    size_t len)
{
    size_t   size;
    u_char  *block;

    while (len) {
        block = ngx_http_webhook_block(cursor->zone, cursor->index);
        size = NGX_HTTP_WEBHOOK_BLOCK - cursor->pos;

        if (size == 0) {
            cursor->index = ((ngx_http_webhook_blk_t *) block)->next;
            cursor->pos = sizeof(ngx_http_webhook_blk_t);

            if (cursor->index == 0) {
                return;
            }

            continue;
        }

        size = ngx_min(size, len);

        ngx_memcpy(block + cursor->pos, p, size);

        cursor->pos += size;
        p += size;
        len -= size;
    }
}


void
ngx_http_webhook_zone_read(ngx_http_webhook_cursor_t *cursor, u_char *p,
    size_t len)
{
    size_t   size;
    u_char  *block;

    while (len) {
        block = ngx_http_webhook_block(cursor->zone, cursor->index);
        size = NGX_HTTP_WEBHOOK_BLOCK - cursor->pos;

        if (size == 0) {
            cursor->index = ((ngx_http_webhook_blk_t *) block)->next;
            cursor->pos = sizeof(ngx_http_webhook_blk_t);

            if (cursor->index == 0
                || cursor->index >= cursor->zone->sh->nblocks)
            {
                ngx_memzero(p, len);
                return;
            }

            continue;
        }

        size = ngx_min(size, len);

        ngx_memcpy(p, block + cursor->pos, size);

        cursor->pos += size;
        p += size;
        len -= size;
    }
}


void
ngx_http_webhook_queue_use(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zone_use_t *use)
{
    uint32_t                   i;
    ngx_http_webhook_shm_t    *sh;
    ngx_http_webhook_zslot_t  *slot;

    sh = zone->sh;

    ngx_http_webhook_zone_lock(zone);

    use->size = sh->size;
    use->block = NGX_HTTP_WEBHOOK_BLOCK;
    use->blocks = sh->nblocks - 1;
    use->free = sh->nfree;
    use->states = sh->nstates;
    use->queue = sh->nqueue;
    use->watches = sh->watches.blocks;
    use->log = use->blocks - use->free - use->states - use->queue
               - use->watches;
    use->deliveries = sh->ndeliveries;
    use->waiting = sh->queued;
    use->rebuilt = sh->rebuilt;
    use->removed = 0;

    for (i = 0; i < sh->nslots; i++) {
        slot = &zone->slots[i];

        if (slot->id && slot->removed) {
            use->removed += slot->waiting + slot->spilled;
        }
    }

    ngx_http_webhook_zone_unlock(zone);
}
