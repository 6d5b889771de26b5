
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * check: the whole zone -> whether all lists, trees, tables and counters agree
 * with the blocks.  For tests and the status endpoint; the one function that
 * holds the lock for long.
 */


#include "ngx_http_webhook_check.h"
#include "ngx_http_webhook_watch_zone.h"


static ngx_int_t ngx_http_webhook_check_mark(ngx_http_webhook_check_t *c,
    uint32_t index, ngx_uint_t n, ngx_uint_t type, uint32_t *count);
static ngx_int_t ngx_http_webhook_check_free(ngx_http_webhook_check_t *c);
static ngx_int_t ngx_http_webhook_check_states(ngx_http_webhook_check_t *c);
static ngx_int_t ngx_http_webhook_check_watches(ngx_http_webhook_check_t *c);
static ngx_int_t ngx_http_webhook_check_delivery(ngx_http_webhook_check_t *c,
    uint32_t index);
static ngx_int_t ngx_http_webhook_check_payload(ngx_http_webhook_check_t *c,
    uint32_t index);
static ngx_int_t ngx_http_webhook_check_all(ngx_http_webhook_check_t *c);


ngx_int_t
ngx_http_webhook_queue_check(ngx_http_webhook_zone_t *zone, u_char *message,
    size_t len)
{
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_http_webhook_check_t   c;

    ngx_memzero(&c, sizeof(ngx_http_webhook_check_t));
    c.zone = zone;

    ngx_http_webhook_zone_lock(zone);

    rc = ngx_http_webhook_check_all(&c);

    ngx_http_webhook_zone_unlock(zone);

    if (rc != NGX_OK && len) {
        p = ngx_snprintf(message, len - 1, "%s, %uD", c.error, c.index);
        *p = '\0';
    }

    return rc;
}


ngx_int_t
ngx_http_webhook_check_fail(ngx_http_webhook_check_t *c, char *error,
    uint32_t index)
{
    c->error = error;
    c->index = index;

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_webhook_check_all(ngx_http_webhook_check_t *c)
{
    uint32_t                       i;
    ngx_http_webhook_blk_t        *blk;
    ngx_http_webhook_shm_t        *sh;

    sh = c->zone->sh;

    for (i = 1; i < sh->fresh; i++) {
        ngx_http_webhook_blk(c->zone, i)->mark = 0;
    }

    if (sh->fresh == 0 || sh->fresh > sh->nblocks) {
        return ngx_http_webhook_check_fail(c, "fresh", sh->fresh);
    }

    if (ngx_http_webhook_check_free(c) != NGX_OK
        || ngx_http_webhook_check_states(c) != NGX_OK
        || ngx_http_webhook_check_watches(c) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 1; i < sh->fresh; i++) {
        blk = ngx_http_webhook_blk(c->zone, i);

        if (blk->type == NGX_HTTP_WEBHOOK_BLK_DELIVERY) {
            if (ngx_http_webhook_check_delivery(c, i) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (blk->type == NGX_HTTP_WEBHOOK_BLK_PAYLOAD) {
            if (ngx_http_webhook_check_payload(c, i) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    for (i = 1; i < sh->fresh; i++) {
        if (ngx_http_webhook_blk(c->zone, i)->mark != 1) {
            return ngx_http_webhook_check_fail(c, "block is nobody's", i);
        }
    }

    for (i = 0; i < sh->nslots; i++) {
        if (ngx_http_webhook_check_slot(c, i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_webhook_check_seqs(c) != NGX_OK
        || ngx_http_webhook_check_log(c) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (c->states != sh->nstates) {
        return ngx_http_webhook_check_fail(c, "number of states", c->states);
    }

    if (c->queue != sh->nqueue) {
        return ngx_http_webhook_check_fail(c, "blocks of the queue", c->queue);
    }

    if (c->deliveries != sh->ndeliveries) {
        return ngx_http_webhook_check_fail(c, "number of deliveries",
                                           c->deliveries);
    }

    if (c->queued != sh->queued) {
        return ngx_http_webhook_check_fail(c, "number queued", c->queued);
    }

    if (c->refs != c->deliveries || c->waits != c->queued) {
        return ngx_http_webhook_check_fail(c, "references of payloads",
                                           c->refs);
    }

    if (sh->pinned) {
        return ngx_http_webhook_check_fail(c, "pinned", sh->pinned);
    }

    return NGX_OK;
}


/* a chain of exactly n blocks that nobody else has */

static ngx_int_t
ngx_http_webhook_check_mark(ngx_http_webhook_check_t *c, uint32_t index,
    ngx_uint_t n, ngx_uint_t type, uint32_t *count)
{
    ngx_http_webhook_blk_t  *blk;

    while (n--) {

        if (index == 0 || index >= c->zone->sh->fresh) {
            return ngx_http_webhook_check_fail(c, "chain is too short", index);
        }

        blk = ngx_http_webhook_blk(c->zone, index);

        if (blk->mark) {
            return ngx_http_webhook_check_fail(c, "block has two owners",
                                               index);
        }

        if (blk->type != type) {
            return ngx_http_webhook_check_fail(c, "type of block", index);
        }

        blk->mark = 1;
        (*count)++;

        type = NGX_HTTP_WEBHOOK_BLK_DATA;
        index = blk->next;
    }

    if (index) {
        return ngx_http_webhook_check_fail(c, "chain is too long", index);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_check_free(ngx_http_webhook_check_t *c)
{
    uint32_t                 i;
    ngx_http_webhook_blk_t  *blk;
    ngx_http_webhook_shm_t  *sh;

    sh = c->zone->sh;

    for (i = sh->free; i; i = blk->next) {

        if (i >= sh->fresh) {
            return ngx_http_webhook_check_fail(c, "free list", i);
        }

        blk = ngx_http_webhook_blk(c->zone, i);

        if (blk->mark || blk->type != NGX_HTTP_WEBHOOK_BLK_FREE) {
            return ngx_http_webhook_check_fail(c, "free block", i);
        }

        blk->mark = 1;
        c->free++;
    }

    c->free += sh->nblocks - sh->fresh;

    if (c->free != sh->nfree) {
        return ngx_http_webhook_check_fail(c, "number of free blocks",
                                           c->free);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_check_states(ngx_http_webhook_check_t *c)
{
    uint32_t                    i, n, prev;
    ngx_uint_t                  list;
    ngx_http_webhook_shm_t     *sh;
    ngx_http_webhook_zstate_t  *s;

    sh = c->zone->sh;

    for (list = 0; list < 2; list++) {
        prev = 0;

        for (i = sh->lru[list].head; i; i = s->lru.next) {
            s = ngx_http_webhook_block(c->zone, i);

            if (s->blk.type != NGX_HTTP_WEBHOOK_BLK_STATE
                || s->blk.mark
                || s->lru.prev != prev
                || ngx_http_webhook_state_list(s) != (ngx_int_t) list
                || ngx_http_webhook_state_find(c->zone, s->key) != i)
            {
                return ngx_http_webhook_check_fail(c, "state", i);
            }

            s->blk.mark = 1;
            c->states++;
            prev = i;
        }

        if (sh->lru[list].tail != prev) {
            return ngx_http_webhook_check_fail(c, "last of states", prev);
        }
    }

    n = 0;

    for (i = 0; i < sh->nstate; i++) {
        prev = c->zone->state[i];

        while (prev) {
            n++;
            prev = ngx_http_webhook_blk(c->zone, prev)->next;
        }
    }

    if (n != c->states) {
        return ngx_http_webhook_check_fail(c, "table of states", n);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_check_watches(ngx_http_webhook_check_t *c)
{
    uint32_t                    i, blocks, watches;
    uint64_t                    due;
    ngx_http_webhook_zwatch_t  *w;

    due = 0;
    blocks = 0;
    watches = 0;

    for (w = ngx_http_webhook_watch_next(c->zone, NULL);
         w;
         w = ngx_http_webhook_watch_next(c->zone, w))
    {
        i = ngx_http_webhook_index(c->zone, w);

        if (ngx_http_webhook_check_mark(c, i, ngx_http_webhook_watch_blocks(w),
                                        NGX_HTTP_WEBHOOK_BLK_WATCH, &blocks)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (w->due < due) {
            return ngx_http_webhook_check_fail(c, "order of watches", i);
        }

        due = w->due;
        watches++;
    }

    if (watches != c->zone->sh->watches.number
        || blocks != c->zone->sh->watches.blocks)
    {
        return ngx_http_webhook_check_fail(c, "number of watches", watches);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_check_delivery(ngx_http_webhook_check_t *c, uint32_t index)
{
    size_t                         len;
    uint32_t                       i, *count;
    ngx_uint_t                     n;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zattempt_t   *a;
    ngx_http_webhook_zdelivery_t  *d;

    sh = c->zone->sh;
    d = ngx_http_webhook_block(c->zone, index);
    count = &c->log;

    if (d->txn > sh->committed
        || d->seq > sh->seq
        || d->token > sh->token
        || d->logged > sh->logged
        || d->slot >= sh->nslots
        || c->zone->slots[d->slot].id == 0
        || d->payload == 0
        || d->payload >= sh->fresh
        || ngx_http_webhook_blk(c->zone, d->payload)->type
           != NGX_HTTP_WEBHOOK_BLK_PAYLOAD)
    {
        return ngx_http_webhook_check_fail(c, "delivery", index);
    }

    if (ngx_http_webhook_open(d)) {
        count = &c->queue;
        c->queued++;

    } else if (d->headers || d->headers_len || d->logged == 0) {
        return ngx_http_webhook_check_fail(c, "delivery that ended", index);
    }

    if (ngx_http_webhook_open(d) && (d->logged != 0) != (d->attempt != 0)) {
        return ngx_http_webhook_check_fail(c, "log of attempts", index);
    }

    c->deliveries++;

    if (ngx_http_webhook_check_mark(c, index, 1,
                                    NGX_HTTP_WEBHOOK_BLK_DELIVERY, count)
        != NGX_OK
        || ngx_http_webhook_check_mark(c, d->headers,
                                    ngx_http_webhook_blocks(d->headers_len, 0),
                                    NGX_HTTP_WEBHOOK_BLK_DATA, count)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = 0;

    for (i = d->attempt; i; i = a->older) {
        a = ngx_http_webhook_block(c->zone, i);
        len = a->text ? a->sent + a->headers + a->body : 0;

        if (++n > NGX_HTTP_WEBHOOK_ATTEMPTS || n > d->tries) {
            return ngx_http_webhook_check_fail(c, "number of attempts", index);
        }

        if (ngx_http_webhook_check_mark(c, i, 1, NGX_HTTP_WEBHOOK_BLK_ATTEMPT,
                                        &c->log)
            != NGX_OK
            || ngx_http_webhook_check_mark(c, a->text,
                                           ngx_http_webhook_blocks(len, 0),
                                           NGX_HTTP_WEBHOOK_BLK_DATA, &c->log)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* is it where it can be found? */

    for (i = ngx_http_webhook_delivery_find(c->zone, d->uuid);
         i && i != index;
         i = ((ngx_http_webhook_zdelivery_t *)
                  ngx_http_webhook_block(c->zone, i))->uuid_next)
    {
        /* void */
    }

    if (i == 0) {
        return ngx_http_webhook_check_fail(c, "table of UUIDs", index);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_check_payload(ngx_http_webhook_check_t *c, uint32_t index)
{
    uint32_t                     *count;
    ngx_http_webhook_zpayload_t  *p;

    p = ngx_http_webhook_block(c->zone, index);
    count = p->waiting ? &c->queue : &c->log;

    c->refs += p->refs;
    c->waits += p->waiting;

    if (p->refs == 0 || p->waiting > p->refs) {
        return ngx_http_webhook_check_fail(c, "references of payload", index);
    }

    return ngx_http_webhook_check_mark(c, index,
                                       ngx_http_webhook_payload_blocks(p),
                                       NGX_HTTP_WEBHOOK_BLK_PAYLOAD, count);
}
