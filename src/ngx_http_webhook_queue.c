
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * queue: a state and its events -> records in the zone, all in one hold of the
 * lock.  First everything is allocated, then linked, then committed.  Next
 * room: attempt.
 */


#include "ngx_http_webhook_queue_priv.h"


/*
 * While the disk refuses, what is held behind deliveries that are in the store
 * alone must leave some room for these: else they could never come back.
 */

#define ngx_http_webhook_queue_crowded(sh, len)                               \
    ((sh)->failing                                                            \
     && (sh)->nqueue + ngx_http_webhook_blocks(len, 0) > (sh)->nblocks / 8 * 3)


/*
 * The last of the queue's room is not for webhooks for which more waits than on
 * average, half of that if nothing goes out to them:  some that are dead must
 * not take the events of others.
 */

#define ngx_http_webhook_queue_little(sh, slot)                               \
    ((slot)->waiting < NGX_HTTP_WEBHOOK_QUEUE_FEW                             \
     || (uint64_t) (slot)->waiting * (sh)->nused * 2 <= (sh)->queued)

#define ngx_http_webhook_queue_much(sh, slot)                                 \
    ((uint64_t) (slot)->waiting * (sh)->nused                                 \
     > (uint64_t) (sh)->queued + (sh)->queued / 16                            \
     || ((slot)->health.state != NGX_HTTP_WEBHOOK_HEALTH_OK                   \
         && !ngx_http_webhook_queue_little(sh, slot)))

#define NGX_HTTP_WEBHOOK_QUEUE_FEW  4


static ngx_int_t ngx_http_webhook_queue_room(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_new_event_t *events, ngx_uint_t n);
static ngx_int_t ngx_http_webhook_queue_prepare(ngx_http_webhook_zone_t *zone,
    u_char *key, ngx_http_webhook_new_event_t *event, ngx_int_t room,
    ngx_http_webhook_list_t *list);
static ngx_uint_t ngx_http_webhook_queue_accept(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, u_char *key,
    ngx_http_webhook_new_delivery_t *new, ngx_int_t room);
static void ngx_http_webhook_queue_pend(ngx_http_webhook_zone_t *zone,
    uint32_t index, uint64_t pending);
static void ngx_http_webhook_queue_discard(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list);
static void ngx_http_webhook_queue_link(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static void ngx_http_webhook_queue_count(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_new_event_t *events, ngx_uint_t n,
    ngx_http_webhook_queue_full_t *full);


ngx_int_t
ngx_http_webhook_queue_add(ngx_http_webhook_zone_t *zone, u_char key[16],
    ngx_http_webhook_state_t *new, ngx_http_webhook_new_event_t *events,
    ngx_uint_t n)
{
    uint32_t                        i, state, made, next;
    uint64_t                        version, logged, row;
    ngx_int_t                       room;
    ngx_uint_t                      k, final;
    ngx_http_webhook_shm_t         *sh;
    ngx_http_webhook_list_t         list;
    ngx_http_webhook_zstate_t      *s;
    ngx_http_webhook_queue_full_t   full;

    full.n = 0;
    full.more = 0;
    sh = zone->sh;
    state = 0;
    made = 0;
    s = NULL;

    list.head = 0;
    list.tail = 0;

    ngx_http_webhook_zone_lock(zone);

    if (key) {
        state = ngx_http_webhook_state_find(zone, key);
        version = 0;

        if (state) {
            s = ngx_http_webhook_block(zone, state);
            version = s->state.version;
        }

        if (version + 1 != new->version) {
            ngx_http_webhook_zone_unlock(zone);
            return NGX_AGAIN;
        }
    }

    ngx_http_webhook_zone_begin(zone);

    sh->pinned = state;
    sh->adds++;

    if (key && state == 0) {
        made = ngx_http_webhook_zone_alloc(zone, 1,
                                           NGX_HTTP_WEBHOOK_CLASS_STATE);
        if (made == 0) {
            goto declined;
        }
    }

    room = ngx_http_webhook_queue_room(zone, events, n);

    if (room == NGX_DECLINED) {
        goto declined;
    }

    for (k = 0; k < n; k++) {
        if (ngx_http_webhook_queue_prepare(zone, key, &events[k], room, &list)
            != NGX_OK)
        {
            goto declined;
        }
    }

    sh->pinned = 0;
    logged = sh->logged;

    /* nothing fails from here on */

    if (made) {
        s = ngx_http_webhook_block(zone, made);

        ngx_memcpy(s->key, key, 16);
        s->state = *new;
        s->state.row = ++sh->rows;
        s->blk.seen = ngx_http_webhook_state_hours();

        ngx_http_webhook_zone_save(zone, &s->blk,
                                   sizeof(ngx_http_webhook_blk_t));

        s->blk.type = NGX_HTTP_WEBHOOK_BLK_STATE;

        ngx_http_webhook_state_insert(zone, made);

    } else if (state) {
        ngx_http_webhook_zone_save(zone, &s->state,
                                   sizeof(ngx_http_webhook_state_t));

        final = ngx_http_webhook_state_list(s);
        row = s->state.row;

        s->state = *new;
        s->state.row = row;

        ngx_http_webhook_state_touch(zone, state, final);
    }

    for (i = list.head; i; i = next) {
        next = ngx_http_webhook_link(zone, i,
                                     NGX_HTTP_WEBHOOK_QUEUE_LINK)->next;

        ngx_http_webhook_queue_link(zone, i);
    }

    if (key) {
        ngx_http_webhook_store_mark_behind(zone, made ? made : state);
    }

    ngx_http_webhook_zone_commit(zone);

    /* who came now may be the one that gives way */

    ngx_http_webhook_queue_count(zone, events, n, &full);

    if (key == NULL) {
        ngx_http_webhook_queue_kept(zone, events, n);
    }

    ngx_http_webhook_delivery_trim(zone, logged);

    ngx_http_webhook_zone_unlock(zone);

    ngx_http_webhook_queue_complain(&full);

    return NGX_OK;

declined:

    sh->pinned = 0;

    ngx_http_webhook_queue_discard(zone, &list);
    ngx_http_webhook_zone_free(zone, made, NGX_HTTP_WEBHOOK_CLASS_STATE);

    ngx_http_webhook_zone_unlock(zone);

    return NGX_DECLINED;
}


/*
 * NGX_OK: for all; NGX_AGAIN: as if the queues of those for which more waits
 * than for others were full; NGX_DECLINED: for none, as there are only such.
 */

static ngx_int_t
ngx_http_webhook_queue_room(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_new_event_t *events, ngx_uint_t n)
{
    size_t                            blocks;
    ngx_int_t                         rc;
    ngx_uint_t                        i, k;
    ngx_http_webhook_shm_t           *sh;
    ngx_http_webhook_zslot_t         *slot;
    ngx_http_webhook_new_delivery_t  *new;

    sh = zone->sh;
    blocks = 0;
    rc = NGX_OK;

    for (i = 0; i < n; i++) {
        blocks += ngx_http_webhook_blocks(events[i].payload.len, 0)
                  + events[i].deliveries.nelts;
    }

    if (sh->nused < 2 || sh->nqueue + blocks <= sh->nblocks / 16 * 7) {
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        new = events[i].deliveries.elts;

        for (k = 0; k < events[i].deliveries.nelts; k++) {

            slot = ngx_http_webhook_slot(zone, new[k].hook);
            if (slot == NULL) {
                continue;
            }

            if (ngx_http_webhook_queue_oldest(new[k].hook)
                || ngx_http_webhook_queue_little(sh, slot)
                || !ngx_http_webhook_queue_much(sh, slot))
            {
                return NGX_AGAIN;
            }

            rc = NGX_DECLINED;
        }
    }

    return rc;
}


/* makes the records of one event; they are linked to nothing yet */

static ngx_int_t
ngx_http_webhook_queue_prepare(ngx_http_webhook_zone_t *zone, u_char *key,
    ngx_http_webhook_new_event_t *event, ngx_int_t room,
    ngx_http_webhook_list_t *list)
{
    uint32_t                          i, payload;
    ngx_uint_t                        k;
    ngx_http_webhook_zslot_t         *slot;
    ngx_http_webhook_zpayload_t      *p;
    ngx_http_webhook_new_delivery_t  *new;

    payload = 0;
    new = event->deliveries.elts;

    for (k = 0; k < event->deliveries.nelts; k++) {

        slot = ngx_http_webhook_slot(zone, new[k].hook);

        if (slot == NULL
            || !ngx_http_webhook_queue_accept(zone, slot, key, &new[k], room))
        {
            continue;
        }

        if (slot->spill
            && ngx_http_webhook_queue_crowded(zone->sh, event->payload.len))
        {
            return NGX_DECLINED;
        }

        if (payload == 0) {
            payload = ngx_http_webhook_queue_payload(zone, key, event);
            if (payload == 0) {
                return NGX_DECLINED;
            }
        }

        i = ngx_http_webhook_queue_delivery(zone, payload, &new[k]);

        if (i == 0) {
            p = ngx_http_webhook_block(zone, payload);

            if (p->refs == 0) {
                ngx_http_webhook_zone_free(zone, payload,
                                           NGX_HTTP_WEBHOOK_CLASS_QUEUE);
            }

            return NGX_DECLINED;
        }

        if (event->pending) {
            ngx_http_webhook_queue_pend(zone, i, event->pending);
        }

        ngx_http_webhook_zone_append(zone, list, i,
                                     NGX_HTTP_WEBHOOK_QUEUE_LINK);
    }

    return NGX_OK;
}


static void
ngx_http_webhook_queue_pend(ngx_http_webhook_zone_t *zone, uint32_t index,
    uint64_t pending)
{
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);

    d->due = pending;
    d->flags |= NGX_HTTP_WEBHOOK_PENDING;
}


/* whether the queue of the webhook takes one more */

static ngx_uint_t
ngx_http_webhook_queue_accept(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, u_char *key,
    ngx_http_webhook_new_delivery_t *new, ngx_int_t room)
{
    uint32_t                       i;
    ngx_uint_t                     much;
    ngx_http_webhook_zdelivery_t  *d;

    much = (room == NGX_AGAIN && ngx_http_webhook_queue_much(zone->sh, slot));

    if (slot->touched != zone->sh->adds) {
        slot->touched = zone->sh->adds;
        slot->over = 0;
        slot->dropped = 0;
        slot->room = ngx_http_webhook_queue_left(slot, new->hook);

        if (much) {
            slot->room = ngx_min(slot->room, 0);
        }

        /* an UPDATED that is to be superseded makes room */

        if (key && !new->unsure) {
            i = ngx_http_webhook_delivery_tail(zone, new->hook->slot, key);

            if (i) {
                d = ngx_http_webhook_block(zone, i);

                if (ngx_http_webhook_delivery_idle_update(zone, d)) {
                    slot->room++;
                }
            }
        }
    }

    /* the same event, seen twice */

    i = ngx_http_webhook_delivery_find(zone, new->uuid);

    if (i) {
        d = ngx_http_webhook_block(zone, i);

        if (ngx_http_webhook_open(d) && d->slot == new->hook->slot) {
            return 0;
        }
    }

    /* whether there is room for it is asked when it is known to be wanted */

    if (new->unsure && !much) {
        return 1;
    }

    if (slot->room > 0) {
        slot->room--;
        return 1;
    }

    if (ngx_http_webhook_queue_oldest(new->hook) && !new->unsure) {
        slot->over++;
        return 1;
    }

    slot->dropped++;

    return 0;
}


uint32_t
ngx_http_webhook_queue_payload(ngx_http_webhook_zone_t *zone, u_char *key,
    ngx_http_webhook_new_event_t *event)
{
    size_t                        len;
    uint32_t                      i;
    ngx_http_webhook_cursor_t     cursor;
    ngx_http_webhook_zpayload_t  *p;

    len = ngx_min(event->execution.len, NGX_HTTP_WEBHOOK_EXECUTION_MAX);

    i = ngx_http_webhook_zone_alloc(zone,
                  1 + ngx_http_webhook_blocks(len + event->payload.len,
                                              NGX_HTTP_WEBHOOK_PAYLOAD_ROOM),
                  NGX_HTTP_WEBHOOK_CLASS_QUEUE);

    if (i == 0) {
        return 0;
    }

    p = ngx_http_webhook_block(zone, i);

    p->blk.type = NGX_HTTP_WEBHOOK_BLK_PAYLOAD;
    p->refs = 0;
    p->waiting = 0;
    p->event = event->event;
    p->sequence = event->sequence;
    p->time = event->time;
    p->size = event->payload.len;
    p->execution = len;

    if (key) {
        ngx_memcpy(p->key, key, 16);

    } else {
        ngx_memzero(p->key, 16);
    }

    ngx_memcpy(p->data, event->execution.data, len);

    ngx_http_webhook_payload_cursor(zone, i, &cursor);
    ngx_http_webhook_zone_write(&cursor, event->payload.data,
                                event->payload.len);

    return i;
}


uint32_t
ngx_http_webhook_queue_delivery(ngx_http_webhook_zone_t *zone,
    uint32_t payload, ngx_http_webhook_new_delivery_t *new)
{
    size_t                         len;
    uint32_t                       i, headers;
    ngx_http_webhook_cursor_t      cursor;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    len = new->headers.len;

    /* the first block is the delivery, the rest its headers */

    i = ngx_http_webhook_zone_alloc(zone, 1 + ngx_http_webhook_blocks(len, 0),
                                    NGX_HTTP_WEBHOOK_CLASS_QUEUE);
    if (i == 0) {
        return 0;
    }

    d = ngx_http_webhook_block(zone, i);
    headers = d->blk.next;

    ngx_memzero((u_char *) d + sizeof(ngx_http_webhook_blk_t),
                sizeof(ngx_http_webhook_zdelivery_t)
                - sizeof(ngx_http_webhook_blk_t));

    d->blk.next = 0;
    d->slot = new->hook->slot;
    d->payload = payload;
    d->headers = headers;
    d->headers_len = len;
    d->created = ngx_http_webhook_zone_clock(zone);
    d->due = ngx_current_msec;
    d->era = zone->slots[d->slot].era;
    d->flags = new->unsure ? NGX_HTTP_WEBHOOK_UNSURE
                           : ngx_http_webhook_store_flags(zone,
                                                      &zone->slots[d->slot]);

    ngx_memcpy(d->uuid, new->uuid, 16);

    if (headers) {
        cursor.zone = zone;
        cursor.index = headers;
        cursor.pos = sizeof(ngx_http_webhook_blk_t);

        ngx_http_webhook_zone_write(&cursor, new->headers.data, len);
    }

    p = ngx_http_webhook_block(zone, payload);
    p->refs++;

    return i;
}


static void
ngx_http_webhook_queue_discard(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list)
{
    uint32_t                       i, next;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    for (i = list->head; i; i = next) {
        d = ngx_http_webhook_block(zone, i);
        next = d->queue.next;

        p = ngx_http_webhook_block(zone, d->payload);

        if (--p->refs == 0) {
            ngx_http_webhook_zone_free(zone, d->payload,
                                       NGX_HTTP_WEBHOOK_CLASS_QUEUE);
        }

        ngx_http_webhook_zone_free(zone, d->headers,
                                   NGX_HTTP_WEBHOOK_CLASS_QUEUE);
        ngx_http_webhook_zone_free(zone, i, NGX_HTTP_WEBHOOK_CLASS_QUEUE);
    }
}


static void
ngx_http_webhook_queue_link(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    uint32_t                       tail;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d, *t;

    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);

    if (ngx_http_webhook_keyed(p) && !(d->flags & NGX_HTTP_WEBHOOK_UNSURE)) {
        tail = ngx_http_webhook_delivery_tail(zone, d->slot, p->key);

        if (tail) {
            t = ngx_http_webhook_block(zone, tail);

            if (ngx_http_webhook_delivery_idle_update(zone, t)) {

                if (t->txn != zone->sh->undo_txn) {
                    ngx_http_webhook_zone_save(zone, &t->seq,
                                               NGX_HTTP_WEBHOOK_MUTABLE_SIZE);
                }

                ngx_http_webhook_delivery_end(zone, tail,
                                              NGX_HTTP_WEBHOOK_SUPERSEDED);
            }
        }
    }

    d->txn = zone->sh->undo_txn;

    ngx_http_webhook_delivery_number(zone, index);
    ngx_http_webhook_delivery_enter(zone, index);
    ngx_http_webhook_store_mark(zone, index);

    zone->sh->ndeliveries++;

    ngx_memory_barrier();
    d->blk.type = NGX_HTTP_WEBHOOK_BLK_DELIVERY;
}


/* drops of queues that are full, each a change of its own; counters */

static void
ngx_http_webhook_queue_count(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_new_event_t *events, ngx_uint_t n,
    ngx_http_webhook_queue_full_t *full)
{
    ngx_uint_t                        i, k;
    ngx_http_webhook_zslot_t         *slot;
    ngx_http_webhook_new_delivery_t  *new;

    for (i = 0; i < n; i++) {
        new = events[i].deliveries.elts;

        for (k = 0; k < events[i].deliveries.nelts; k++) {

            slot = ngx_http_webhook_slot(zone, new[k].hook);

            if (slot == NULL) {
                continue;
            }

            if (slot->dropped == 0 && slot->over == 0) {
                continue;
            }

            slot->ended[NGX_HTTP_WEBHOOK_DROPPED] += slot->dropped;
            slot->dropped = 0;

            for ( /* void */ ; slot->over; slot->over--) {
                ngx_http_webhook_queue_give_way(zone, slot);
            }

            ngx_http_webhook_queue_full(zone, slot, new[k].hook, full);
        }

        /* webhooks with other members get payloads of their own */

        if (i == 0
            || events[i].event != events[i - 1].event
            || events[i].sequence != events[i - 1].sequence)
        {
            ngx_http_webhook_zone_count(zone,
                          NGX_HTTP_WEBHOOK_CNT_EVENTS + events[i].event, 1);
        }
    }
}
