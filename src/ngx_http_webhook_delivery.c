
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * delivery: a record goes from one state to the next, and with it through the
 * lists, trees and tables.  All is called under the lock.  Next rooms: queue,
 * attempt, owner, log.
 */


#include "ngx_http_webhook_zone_priv.h"


static void ngx_http_webhook_delivery_line_up(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static void ngx_http_webhook_delivery_leave(ngx_http_webhook_zone_t *zone,
    uint32_t index);


void
ngx_http_webhook_delivery_enter(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    uint32_t                       after;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d, *t;

    d = ngx_http_webhook_block(zone, index);

    ngx_http_webhook_delivery_uuid_insert(zone, index);

    d->exec_next = 0;
    d->behind = 0;
    d->follower = 0;

    if (!ngx_http_webhook_open(d)) {
        return;
    }

    slot = &zone->slots[d->slot];
    p = ngx_http_webhook_block(zone, d->payload);

    p->waiting++;
    zone->sh->queued++;

    /* what comes from the store may be older than what is here */

    for (after = slot->queue.tail; after; after = t->queue.prev) {
        t = ngx_http_webhook_block(zone, after);

        if (t->seq < d->seq) {
            break;
        }
    }

    ngx_http_webhook_zone_insert(zone, &slot->queue, index, after,
                                 NGX_HTTP_WEBHOOK_QUEUE_LINK);

    if (d->tries == 0 && ngx_http_webhook_keyed(p)) {
        ngx_http_webhook_delivery_line_up(zone, index);
    }

    if (d->status == NGX_HTTP_WEBHOOK_SENDING) {
        ngx_http_webhook_zone_append(zone, &slot->sending, index,
                                     NGX_HTTP_WEBHOOK_SENDING_LINK);
        slot->in_flight++;
        return;
    }

    slot->waiting++;
    slot->unsure += !!(d->flags & NGX_HTTP_WEBHOOK_UNSURE);

    if (d->behind == 0) {
        ngx_http_webhook_delivery_due_insert(zone, d);
    }
}


/* its place in the order of its execution, by number */

static void
ngx_http_webhook_delivery_line_up(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    uint32_t                       tail, before, follower;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d, *t;

    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);

    tail = ngx_http_webhook_delivery_tail(zone, d->slot, p->key);

    if (tail == 0) {
        ngx_http_webhook_delivery_exec_insert(zone, index);
        return;
    }

    follower = 0;

    for (before = tail; before; before = t->behind) {
        t = ngx_http_webhook_block(zone, before);

        if (t->seq < d->seq) {
            break;
        }

        follower = before;
    }

    if (follower) {
        t = ngx_http_webhook_block(zone, follower);

        if (t->behind == 0 && t->status == NGX_HTTP_WEBHOOK_WAITING) {
            ngx_http_webhook_delivery_due_delete(zone, t);
        }

        t->behind = index;

    } else {
        ngx_http_webhook_delivery_exec_replace(zone, tail, index);
    }

    d->follower = follower;
    d->behind = before;

    if (before) {
        t = ngx_http_webhook_block(zone, before);
        t->follower = index;
    }
}


/* out of the order of its execution; who is behind moves up */

static void
ngx_http_webhook_delivery_leave(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_zdelivery_t  *d, *t;

    d = ngx_http_webhook_block(zone, index);

    if (d->behind) {
        t = ngx_http_webhook_block(zone, d->behind);
        t->follower = d->follower;
    }

    if (d->follower) {
        t = ngx_http_webhook_block(zone, d->follower);
        t->behind = d->behind;

        if (t->behind == 0) {
            ngx_http_webhook_delivery_due_insert(zone, t);
        }

    } else {
        ngx_http_webhook_delivery_exec_replace(zone, index, d->behind);
    }

    d->behind = 0;
    d->follower = 0;
}


void
ngx_http_webhook_delivery_send(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_owner_t *self)
{
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    slot = &zone->slots[d->slot];

    ngx_http_webhook_delivery_due_delete(zone, d);

    ngx_http_webhook_zone_append(zone, &slot->sending, index,
                                 NGX_HTTP_WEBHOOK_SENDING_LINK);
    slot->waiting--;
    slot->in_flight++;

    d->status = NGX_HTTP_WEBHOOK_SENDING;
    d->token = ++zone->sh->token;
    d->sent = ngx_current_msec;
    d->pid = self->pid;
    d->worker = self->worker;
    d->generation = self->generation;
}


void
ngx_http_webhook_delivery_wait(ngx_http_webhook_zone_t *zone, uint32_t index,
    uint64_t due)
{
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    slot = &zone->slots[d->slot];

    ngx_http_webhook_zone_remove(zone, &slot->sending, index,
                                 NGX_HTTP_WEBHOOK_SENDING_LINK);
    slot->in_flight--;
    slot->waiting++;

    d->status = NGX_HTTP_WEBHOOK_WAITING;
    d->token = 0;
    d->due = due;
    d->era = slot->era;

    ngx_http_webhook_delivery_due_insert(zone, d);
    ngx_http_webhook_store_mark(zone, index);
}


void
ngx_http_webhook_delivery_tried(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);

    if (d->tries == 0 && ngx_http_webhook_keyed(p)) {
        ngx_http_webhook_delivery_leave(zone, index);
    }

    d->tries++;
}


/* out of all that holds open deliveries */

void
ngx_http_webhook_delivery_close(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;
    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);
    slot = &zone->slots[d->slot];

    if (d->status == NGX_HTTP_WEBHOOK_SENDING) {
        ngx_http_webhook_zone_remove(zone, &slot->sending, index,
                                     NGX_HTTP_WEBHOOK_SENDING_LINK);
        slot->in_flight--;

    } else {
        if (d->behind == 0) {
            ngx_http_webhook_delivery_due_delete(zone, d);
        }

        slot->waiting--;
        slot->unsure -= !!(d->flags & NGX_HTTP_WEBHOOK_UNSURE);
    }

    if (d->tries == 0 && ngx_http_webhook_keyed(p)) {
        ngx_http_webhook_delivery_leave(zone, index);
    }

    if (slot->flush == index) {
        slot->flush = d->queue.next;
    }

    ngx_http_webhook_zone_remove(zone, &slot->queue, index,
                                 NGX_HTTP_WEBHOOK_QUEUE_LINK);

    sh->queued--;
    sh->nqueue -= 1 + ngx_http_webhook_blocks(d->headers_len, 0);

    if (--p->waiting == 0) {
        sh->nqueue -= ngx_http_webhook_payload_blocks(p);
    }
}


void
ngx_http_webhook_delivery_end(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_uint_t status)
{
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    slot = &zone->slots[d->slot];

    ngx_http_webhook_delivery_close(zone, index);

    if (d->logged) {
        ngx_http_webhook_zone_remove(zone, &zone->sh->log, index,
                                     NGX_HTTP_WEBHOOK_LOG_LINK);
    }

    d->status = status;
    d->token = 0;
    d->logged = ++zone->sh->logged;

    ngx_http_webhook_zone_append(zone, &zone->sh->log, index,
                                 NGX_HTTP_WEBHOOK_LOG_LINK);

    ngx_http_webhook_zone_append(zone, &slot->log, index,
                                 NGX_HTTP_WEBHOOK_QUEUE_LINK);
    slot->logged++;
    slot->ended[status]++;

    if (status <= NGX_HTTP_WEBHOOK_EXPIRED) {
        slot->recent = (slot->recent << 1)
                       | (status == NGX_HTTP_WEBHOOK_DELIVERED);
        slot->nrecent = ngx_min(slot->nrecent + 1, 32);
    }

    ngx_http_webhook_store_mark(zone, index);
    ngx_http_webhook_store_mark_slot(zone, slot);
}


void
ngx_http_webhook_delivery_logged(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);

    if (d->logged) {
        ngx_http_webhook_zone_remove(zone, &zone->sh->log, index,
                                     NGX_HTTP_WEBHOOK_LOG_LINK);
    }

    d->logged = ++zone->sh->logged;

    ngx_http_webhook_zone_append(zone, &zone->sh->log, index,
                                 NGX_HTTP_WEBHOOK_LOG_LINK);
}


void
ngx_http_webhook_delivery_again(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_rbtree_t                   tree;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    sh = zone->sh;
    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);
    slot = &zone->slots[d->slot];

    ngx_http_webhook_zone_remove(zone, &slot->log, index,
                                 NGX_HTTP_WEBHOOK_QUEUE_LINK);
    slot->logged--;

    if (d->attempt == 0) {
        ngx_http_webhook_zone_remove(zone, &sh->log, index,
                                     NGX_HTTP_WEBHOOK_LOG_LINK);
        d->logged = 0;
    }

    ngx_http_webhook_delivery_uuid_remove(zone, index);

    ngx_http_webhook_delivery_seqs(zone, &tree);
    ngx_rbtree_delete(&tree, &d->seq_node);
    sh->seqs = tree.root;

    sh->nqueue++;

    if (p->waiting == 0) {
        sh->nqueue += ngx_http_webhook_payload_blocks(p);
    }

    d->status = NGX_HTTP_WEBHOOK_WAITING;
    d->base = d->attempts;
    d->created = ngx_http_webhook_zone_clock(zone);
    d->due = ngx_current_msec;
    d->era = slot->era;
    d->flags = ngx_http_webhook_store_flags(zone, slot);

    ngx_http_webhook_delivery_number(zone, index);
    ngx_http_webhook_delivery_enter(zone, index);
    ngx_http_webhook_store_mark(zone, index);
}


void
ngx_http_webhook_delivery_recover(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    slot->era++;
    slot->flush = slot->queue.head;
}


ngx_uint_t
ngx_http_webhook_payload_blocks(ngx_http_webhook_zpayload_t *p)
{
    return 1 + ngx_http_webhook_blocks(p->execution + p->size,
                                       NGX_HTTP_WEBHOOK_PAYLOAD_ROOM);
}


/* where its text begins, behind the execution's id */

void
ngx_http_webhook_payload_cursor(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_cursor_t *cursor)
{
    ngx_http_webhook_zpayload_t  *p;

    p = ngx_http_webhook_block(zone, index);

    cursor->zone = zone;
    cursor->index = index;
    cursor->pos = offsetof(ngx_http_webhook_zpayload_t, data) + p->execution;
}
