
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * delivery_free: what has ended -> free blocks: when a log is too long, when
 * the zone is full, when a webhook is forgotten.  Next room: block.
 */


#include "ngx_http_webhook_zone_priv.h"


static void ngx_http_webhook_headers_free(ngx_http_webhook_zone_t *zone,
    uint32_t index);


void
ngx_http_webhook_delivery_trim(ngx_http_webhook_zone_t *zone, uint64_t logged)
{
    uint32_t                       i, prev, headers;
    ngx_uint_t                     n;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    for (i = zone->sh->log.tail; i; i = prev) {
        d = ngx_http_webhook_block(zone, i);

        if (d->logged <= logged) {
            break;
        }

        prev = d->log.prev;

        if (ngx_http_webhook_open(d)) {
            continue;
        }

        if (d->headers) {
            headers = d->headers;
            d->headers = 0;
            d->headers_len = 0;

            ngx_http_webhook_headers_free(zone, headers);
        }

        slot = &zone->slots[d->slot];

        /* a smaller "log" than before is reached step by step */

        for (n = 0; n < 2 && slot->logged > zone->log; n++) {

            if (ngx_http_webhook_store_pending(zone, slot->log.head)) {
                break;
            }

            if (slot->log.head == prev) {
                prev = ngx_http_webhook_link(zone, prev,
                                             NGX_HTTP_WEBHOOK_LOG_LINK)->prev;
            }

            ngx_http_webhook_delivery_free(zone, slot->log.head);
        }
    }
}


void
ngx_http_webhook_delivery_free(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    uint32_t                       headers, attempt, payload;
    ngx_rbtree_t                   tree;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;
    d = ngx_http_webhook_block(zone, index);
    slot = &zone->slots[d->slot];

    if (ngx_http_webhook_open(d)) {
        ngx_http_webhook_delivery_close(zone, index);

    } else {
        ngx_http_webhook_zone_remove(zone, &slot->log, index,
                                     NGX_HTTP_WEBHOOK_QUEUE_LINK);
        slot->logged--;
    }

    if (d->logged) {
        ngx_http_webhook_zone_remove(zone, &sh->log, index,
                                     NGX_HTTP_WEBHOOK_LOG_LINK);
    }

    ngx_http_webhook_delivery_uuid_remove(zone, index);

    ngx_http_webhook_delivery_seqs(zone, &tree);
    ngx_rbtree_delete(&tree, &d->seq_node);
    sh->seqs = tree.root;

    sh->ndeliveries--;

    headers = d->headers;
    attempt = d->attempt;
    payload = d->payload;

    /* this word is what gives it up; then all it held is free */

    d->blk.type = NGX_HTTP_WEBHOOK_BLK_FREE;
    d->token = 0;
    d->blk.next = 0;

    ngx_http_webhook_zone_free(zone, index, NGX_HTTP_WEBHOOK_CLASS_LOG);
    ngx_http_webhook_headers_free(zone, headers);
    ngx_http_webhook_attempt_free(zone, attempt);

    p = ngx_http_webhook_block(zone, payload);

    if (--p->refs == 0) {
        ngx_http_webhook_zone_free(zone, payload, NGX_HTTP_WEBHOOK_CLASS_LOG);
    }
}


/* their values came from a client's request: nothing of them is left behind */

static void
ngx_http_webhook_headers_free(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    uint32_t                 i;
    ngx_http_webhook_blk_t  *blk;

    ngx_memory_barrier();

    for (i = index; i; i = blk->next) {
        blk = ngx_http_webhook_block(zone, i);

        ngx_memzero((u_char *) blk + sizeof(ngx_http_webhook_blk_t),
                    NGX_HTTP_WEBHOOK_BLOCK - sizeof(ngx_http_webhook_blk_t));
    }

    ngx_http_webhook_zone_free(zone, index, NGX_HTTP_WEBHOOK_CLASS_LOG);
}


ngx_int_t
ngx_http_webhook_delivery_evict(ngx_http_webhook_zone_t *zone)
{
    uint32_t                       i, attempt, unstored;
    ngx_uint_t                     look;
    ngx_http_webhook_zdelivery_t  *d;

    i = zone->sh->log.head;

    if (i == 0) {
        return NGX_DECLINED;
    }

    unstored = 0;

    for (look = 0; ngx_http_webhook_store_keeps(zone, i); look++) {
        d = ngx_http_webhook_block(zone, i);

        if (unstored == 0 && !(d->flags & NGX_HTTP_WEBHOOK_STORED)) {
            unstored = i;
        }

        i = d->log.next;

        if (i && look < NGX_HTTP_WEBHOOK_LOOK) {
            continue;
        }

        /*
         * without a disk the room is for what is new; what the file has as
         * waiting would come again after a start
         */

        if (!zone->sh->failing) {
            return NGX_DECLINED;
        }

        i = unstored ? unstored : zone->sh->log.head;
        break;
    }

    d = ngx_http_webhook_block(zone, i);

    if (!ngx_http_webhook_open(d)) {
        ngx_http_webhook_delivery_free(zone, i);
        return NGX_OK;
    }

    /* who waits gives up what is known of its attempts */

    ngx_http_webhook_zone_remove(zone, &zone->sh->log, i,
                                 NGX_HTTP_WEBHOOK_LOG_LINK);
    d->logged = 0;

    attempt = d->attempt;
    d->attempt = 0;

    ngx_http_webhook_attempt_free(zone, attempt);

    return NGX_OK;
}


void
ngx_http_webhook_attempt_free(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    uint32_t                      older, text;
    ngx_http_webhook_zattempt_t  *a;

    ngx_memory_barrier();

    while (index) {
        a = ngx_http_webhook_block(zone, index);

        older = a->older;
        text = a->text;
        a->blk.next = 0;

        ngx_http_webhook_zone_free(zone, index, NGX_HTTP_WEBHOOK_CLASS_LOG);
        ngx_http_webhook_zone_free(zone, text, NGX_HTTP_WEBHOOK_CLASS_LOG);

        index = older;
    }
}
