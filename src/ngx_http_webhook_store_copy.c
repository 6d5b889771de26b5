
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_copy: what has changed in the zone -> a batch, in short holds of the
 * lock; a batch that was written -> deliveries that may be sent.  Next rooms:
 * store, store_write.
 */


#include "ngx_http_webhook_store_priv.h"


static ngx_int_t ngx_http_webhook_copy_room(ngx_http_webhook_batch_t *batch,
    size_t size);
static ngx_int_t ngx_http_webhook_copy_slots(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch);
static size_t ngx_http_webhook_copy_blocks(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch);
static void ngx_http_webhook_copy_later(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch);
static size_t ngx_http_webhook_copy_size(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static size_t ngx_http_webhook_copy_attempts(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, u_char *p, uint32_t *n);
static void ngx_http_webhook_copy_state(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_rec_state_t *rec);
static void ngx_http_webhook_copy_delivery(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_rec_delivery_t *rec);
static void ngx_http_webhook_copy_done(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_rec_delivery_t *rec, u_char *slots);
static ngx_int_t ngx_http_webhook_copy_give_up(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, void *data);


#define ngx_http_webhook_copy_align(size)  ngx_align(size, sizeof(uint64_t))

/* the zone's list is another worker's, or has been begun anew */

#define ngx_http_webhook_copy_void(zone, batch)                               \
    (((batch)->n && (batch)->batches != (zone)->sh->batches)                  \
     || ((batch)->writer                                                      \
         && !ngx_http_webhook_owns(&(zone)->sh->holder, (batch)->writer)))

#define ngx_http_webhook_copy_wanted(blk)                                     \
    ((blk)->type == NGX_HTTP_WEBHOOK_BLK_DELIVERY                             \
     && !(((ngx_http_webhook_zdelivery_t *) (blk))->flags                     \
          & NGX_HTTP_WEBHOOK_UNSURE))


ngx_int_t
ngx_http_webhook_store_gather(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch)
{
    size_t  need;

    batch->used = 0;
    batch->n = 0;
    batch->nslots = 0;
    batch->nlater = 0;

    if (zone->sh->slots_changed
        && ngx_http_webhook_copy_slots(zone, batch) != NGX_OK)
    {
        return NGX_ERROR;
    }

    while (zone->sh->untaken
           && batch->n < NGX_HTTP_WEBHOOK_BATCH
           && batch->used < NGX_HTTP_WEBHOOK_BATCH_SIZE
           && !ngx_http_webhook_copy_void(zone, batch))
    {
        /* memory comes from outside the lock */

        if (ngx_http_webhook_copy_room(batch, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        need = ngx_http_webhook_copy_blocks(zone, batch);

        if (need && ngx_http_webhook_copy_room(batch, need) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_copy_room(ngx_http_webhook_batch_t *batch, size_t size)
{
    u_char  *data;

    size = ngx_max(batch->used + size, NGX_HTTP_WEBHOOK_BATCH_SIZE);

    if (size <= batch->size) {
        return NGX_OK;
    }

    data = ngx_alloc(size, ngx_cycle->log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    if (batch->data) {
        ngx_memcpy(data, batch->data, batch->used);
        ngx_free(batch->data);
    }

    batch->data = data;
    batch->size = size;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_copy_slots(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch)
{
    uint32_t                      i;
    ngx_http_webhook_zslot_t     *slot;
    ngx_http_webhook_rec_slot_t  *rec;

    zone->sh->slots_changed = 0;
    ngx_memory_barrier();

    for (i = 0; i < zone->sh->nused; i++) {
        slot = &zone->slots[i];

        if (!slot->changed) {
            continue;
        }

        if (ngx_http_webhook_copy_room(batch,
                                       sizeof(ngx_http_webhook_rec_slot_t))
            != NGX_OK)
        {
            zone->sh->slots_changed = 1;
            return NGX_ERROR;
        }

        rec = (ngx_http_webhook_rec_slot_t *)
                  ngx_http_webhook_batch_last(batch);

        ngx_memzero(rec, sizeof(ngx_http_webhook_rec_slot_t));

        rec->rec.type = NGX_HTTP_WEBHOOK_REC_SLOT;
        rec->rec.index = i;
        rec->rec.size = sizeof(ngx_http_webhook_rec_slot_t);

        ngx_http_webhook_zone_lock(zone);

        if (ngx_http_webhook_copy_void(zone, batch)) {
            zone->sh->slots_changed = 1;
            ngx_http_webhook_zone_unlock(zone);
            break;
        }

        slot->changed = 0;

        if (slot->id) {
            rec->id = slot->id;
            rec->name_len = slot->name_len;
            ngx_memcpy(rec->name, slot->name, slot->name_len);
            rec->url = slot->url;
            rec->removed = ngx_http_webhook_clock_msec_to_wall(slot->removed);
            ngx_memcpy(rec->ended, slot->ended, sizeof(rec->ended));
            rec->attempts = slot->attempts;
            rec->recent = slot->recent;
            rec->nrecent = slot->nrecent;
            rec->health = slot->health;

            ngx_http_webhook_clock_health_to_wall(zone, &rec->health);

            batch->used += rec->rec.size;
            batch->nslots++;
        }

        ngx_http_webhook_zone_unlock(zone);
    }

    return NGX_OK;
}


/* one hold; returns what the next record needs, if there is no room for it */

static size_t
ngx_http_webhook_copy_blocks(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch)
{
    size_t                   size;
    uint32_t                 index;
    ngx_uint_t               n;
    ngx_http_webhook_rec_t  *rec;
    ngx_http_webhook_blk_t  *blk;

    size = 0;

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    if (batch->n == 0) {
        batch->batches = zone->sh->batches;
    }

    for (n = ngx_http_webhook_copy_void(zone, batch)
             ? NGX_HTTP_WEBHOOK_BATCH_HOLD : 0;
         n < NGX_HTTP_WEBHOOK_BATCH_HOLD
         && batch->n < NGX_HTTP_WEBHOOK_BATCH
         && batch->used < NGX_HTTP_WEBHOOK_BATCH_SIZE
         && zone->sh->untaken;
         n++)
    {
        size = ngx_http_webhook_copy_size(zone, zone->sh->untaken);

        if (batch->used + size > batch->size) {
            break;
        }

        index = ngx_http_webhook_store_take(zone);
        blk = ngx_http_webhook_blk(zone, index);

        rec = ngx_http_webhook_batch_last(batch);

        rec->index = index;
        rec->size = size;
        rec->type = NGX_HTTP_WEBHOOK_REC_NONE;

        if (zone->unsaved[index] & NGX_HTTP_WEBHOOK_UNSAVED_AGAIN) {
            batch->nlater++;

        } else if (blk->type == NGX_HTTP_WEBHOOK_BLK_STATE) {
            rec->type = NGX_HTTP_WEBHOOK_REC_STATE;
            ngx_http_webhook_copy_state(zone, index,
                                        (ngx_http_webhook_rec_state_t *) rec);

        } else if (blk->type == NGX_HTTP_WEBHOOK_BLK_WATCH) {
            rec->type = NGX_HTTP_WEBHOOK_REC_WATCH;
            ngx_http_webhook_copy_watch(zone, index,
                                        (ngx_http_webhook_rec_watch_t *) rec);

        } else if (ngx_http_webhook_copy_wanted(blk)) {
            rec->type = NGX_HTTP_WEBHOOK_REC_DELIVERY;
            ngx_http_webhook_copy_delivery(zone, index,
                                     (ngx_http_webhook_rec_delivery_t *) rec);
        }

        batch->used += size;
        batch->n++;

        size = 0;
    }

    if (batch->nlater && zone->sh->untaken == 0
        && !ngx_http_webhook_copy_void(zone, batch))
    {
        ngx_http_webhook_copy_later(zone, batch);
    }

    ngx_http_webhook_zone_unlock(zone);

    return size;
}


/* nothing is behind the batch: what a state had to wait for is in it, too */

static void
ngx_http_webhook_copy_later(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch)
{
    ngx_http_webhook_rec_t  *rec, *last;

    last = ngx_http_webhook_batch_last(batch);

    for (rec = ngx_http_webhook_batch_first(batch);
         rec != last;
         rec = ngx_http_webhook_batch_next(rec))
    {
        if (rec->type != NGX_HTTP_WEBHOOK_REC_NONE
            || rec->size != sizeof(ngx_http_webhook_rec_state_t)
            || ngx_http_webhook_blk(zone, rec->index)->type
               != NGX_HTTP_WEBHOOK_BLK_STATE)
        {
            continue;
        }

        zone->unsaved[rec->index] |= NGX_HTTP_WEBHOOK_UNSAVED_LATER;

        rec->type = NGX_HTTP_WEBHOOK_REC_STATE;
        ngx_http_webhook_copy_state(zone, rec->index,
                                    (ngx_http_webhook_rec_state_t *) rec);
    }

    batch->nlater = 0;
}


static size_t
ngx_http_webhook_copy_size(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    size_t                         size;
    uint32_t                       n;
    ngx_http_webhook_blk_t        *blk;
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    blk = ngx_http_webhook_blk(zone, index);

    if (blk->type == NGX_HTTP_WEBHOOK_BLK_STATE) {
        return sizeof(ngx_http_webhook_rec_state_t);
    }

    if (blk->type == NGX_HTTP_WEBHOOK_BLK_WATCH) {
        return ngx_http_webhook_copy_watch_size(zone, index);
    }

    if (!ngx_http_webhook_copy_wanted(blk)) {
        return sizeof(ngx_http_webhook_rec_t);
    }

    d = (ngx_http_webhook_zdelivery_t *) blk;

    size = 0;

    if (!(d->flags & NGX_HTTP_WEBHOOK_STORED)) {
        p = ngx_http_webhook_block(zone, d->payload);
        size += p->execution + p->size + d->headers_len;
    }

    return sizeof(ngx_http_webhook_rec_delivery_t)
           + ngx_http_webhook_copy_align(size)
           + ngx_http_webhook_copy_attempts(zone, d, NULL, &n);
}


static void
ngx_http_webhook_copy_state(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_rec_state_t *rec)
{
    ngx_http_webhook_state_t   *state;
    ngx_http_webhook_zstate_t  *s;

    s = ngx_http_webhook_block(zone, index);
    state = &rec->state;

    ngx_memcpy(rec->key, s->key, 16);

    rec->seen = ngx_http_webhook_zone_wall();
    *state = s->state;

    state->applied = ngx_http_webhook_clock_msec_to_wall(state->applied);
    state->began = ngx_http_webhook_clock_msec_to_wall(state->began);
    state->final = ngx_http_webhook_clock_msec_to_wall(state->final);
}


static void
ngx_http_webhook_copy_delivery(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_rec_delivery_t *rec)
{
    u_char                        *p;
    size_t                         size;
    ngx_http_webhook_cursor_t      cursor;
    ngx_http_webhook_zattempt_t   *a;
    ngx_http_webhook_zpayload_t   *payload;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    payload = ngx_http_webhook_block(zone, d->payload);
    a = d->attempt ? ngx_http_webhook_block(zone, d->attempt) : NULL;

    rec->full = !(d->flags & NGX_HTTP_WEBHOOK_STORED);
    rec->block = d->payload;
    rec->hook = zone->slots[d->slot].id;
    rec->row = d->row;
    rec->seq = d->seq;
    rec->time = payload->time;
    rec->created = ngx_http_webhook_clock_to_wall(zone, d->created);
    rec->due = ngx_http_webhook_clock_msec_to_wall(d->due);
    rec->ended = ngx_http_webhook_open(d) ? 0 : ngx_http_webhook_zone_wall();
    rec->started = a ? a->started : 0;
    rec->event = payload->event;
    rec->sequence = payload->sequence;
    rec->status = ngx_http_webhook_open(d) ? NGX_HTTP_WEBHOOK_WAITING
                                           : d->status;
    rec->tries = d->tries;
    rec->attempts = d->attempts;
    rec->base = d->base;
    rec->code = d->code;
    rec->duration = d->duration;
    rec->execution = 0;
    rec->payload = 0;
    rec->headers = 0;

    ngx_memcpy(rec->uuid, d->uuid, 16);
    ngx_memcpy(rec->key, payload->key, 16);

    p = (u_char *) rec + sizeof(ngx_http_webhook_rec_delivery_t);
    size = 0;

    if (rec->full) {
        rec->execution = payload->execution;
        rec->payload = payload->size;
        rec->headers = d->headers_len;

        ngx_memcpy(p, payload->data, payload->execution);

        ngx_http_webhook_payload_cursor(zone, d->payload, &cursor);
        ngx_http_webhook_zone_read(&cursor, p + rec->execution, rec->payload);

        size = rec->execution + rec->payload;

        if (d->headers) {
            cursor.index = d->headers;
            cursor.pos = sizeof(ngx_http_webhook_blk_t);

            ngx_http_webhook_zone_read(&cursor, p + size, d->headers_len);
        }

        size = ngx_http_webhook_copy_align(size + rec->headers);
    }

    (void) ngx_http_webhook_copy_attempts(zone, d, p + size, &rec->nattempts);
}


/* p NULL: only how many bytes they take */

static size_t
ngx_http_webhook_copy_attempts(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, u_char *p, uint32_t *n)
{
    size_t                           len, size;
    uint32_t                         i;
    ngx_http_webhook_cursor_t        cursor;
    ngx_http_webhook_zattempt_t     *a;
    ngx_http_webhook_rec_attempt_t  *to;

    *n = 0;
    size = 0;

    for (i = d->attempt; i; i = a->older) {
        a = ngx_http_webhook_block(zone, i);

        len = a->peer + a->message;

        if (a->text) {
            len += a->sent + a->headers + a->body;
        }

        len = sizeof(ngx_http_webhook_rec_attempt_t)
              + ngx_http_webhook_copy_align(len);

        if (p) {
            to = (ngx_http_webhook_rec_attempt_t *) (p + size);

            to->size = len;
            to->number = d->tries - *n;
            to->started = a->started;
            to->body_size = a->body_size;
            to->status = a->status;
            to->error = a->error;
            to->dns = a->dns;
            to->connect = a->connect;
            to->tls = a->tls;
            to->first_byte = a->first_byte;
            to->total = a->total;
            to->reused = a->reused;
            to->truncated = a->truncated;
            to->peer = a->peer;
            to->message = a->message;
            to->sent = a->text ? a->sent : 0;
            to->headers = a->text ? a->headers : 0;
            to->body = a->text ? a->body : 0;

            ngx_memcpy((u_char *) to + sizeof(ngx_http_webhook_rec_attempt_t),
                       a->data, a->peer + a->message);

            if (a->text) {
                cursor.zone = zone;
                cursor.index = a->text;
                cursor.pos = sizeof(ngx_http_webhook_blk_t);

                ngx_http_webhook_zone_read(&cursor, (u_char *) to
                                    + sizeof(ngx_http_webhook_rec_attempt_t)
                                    + a->peer + a->message,
                                    a->sent + a->headers + a->body);
            }
        }

        size += len;
        (*n)++;
    }

    return size;
}


void
ngx_http_webhook_store_written(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch, u_char *slots)
{
    ngx_uint_t               n;
    ngx_http_webhook_rec_t  *rec, *last;

    rec = ngx_http_webhook_batch_first(batch);
    last = ngx_http_webhook_batch_last(batch);

    while (rec < last) {

        ngx_http_webhook_zone_lock(zone);
        ngx_http_webhook_zone_begin(zone);

        for (n = 0; rec < last && n < NGX_HTTP_WEBHOOK_BATCH_HOLD; n++) {

            if (ngx_http_webhook_copy_void(zone, batch)) {

                /* all of it is to be written again, to another file, maybe */

                rec = last;
                break;
            }

            if (rec->type != NGX_HTTP_WEBHOOK_REC_SLOT) {
                ngx_http_webhook_store_shift(zone);
            }

            if (rec->type == NGX_HTTP_WEBHOOK_REC_DELIVERY) {
                ngx_http_webhook_copy_done(zone,
                              (ngx_http_webhook_rec_delivery_t *) rec, slots);
            }

            rec = ngx_http_webhook_batch_next(rec);
        }

        ngx_http_webhook_zone_unlock(zone);
    }
}


static void
ngx_http_webhook_copy_done(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_rec_delivery_t *rec, u_char *slots)
{
    uint32_t                       i;
    ngx_uint_t                     n;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    i = rec->rec.index;
    d = ngx_http_webhook_block(zone, i);

    if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
        || d->seq != rec->seq
        || ngx_memcmp(d->uuid, rec->uuid, 16) != 0)
    {
        return;
    }

    if (d->payload != rec->block) {

        /* it got another one meanwhile, which is to be written, too */

        return;
    }

    d->flags |= NGX_HTTP_WEBHOOK_STORED;

    slot = &zone->slots[d->slot];

    if (ngx_http_webhook_open(d)) {

        if (!(d->flags & NGX_HTTP_WEBHOOK_HELD)) {
            return;
        }

        if (slot->spill == 0) {
            ngx_http_webhook_store_release(zone, d);
            slots[d->slot] = 1;

        } else if (!ngx_http_webhook_store_pending(zone, i)) {

            /* its turn comes behind those that are in the store alone */

            ngx_http_webhook_store_spill(zone, i);
        }

        return;
    }

    /* the log was kept longer than it may be, for this */

    for (n = 0; n < 2 && slot->logged > zone->log; n++) {

        if (ngx_http_webhook_store_pending(zone, slot->log.head)) {
            break;
        }

        ngx_http_webhook_delivery_free(zone, slot->log.head);
    }
}


void
ngx_http_webhook_store_refused(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch)
{
    ngx_http_webhook_rec_t    *rec;
    ngx_http_webhook_zslot_t  *slot;

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    if (batch->batches == zone->sh->batches || batch->n == 0) {
        ngx_http_webhook_store_untake(zone);
    }

    for (rec = ngx_http_webhook_batch_first(batch);
         batch->nslots;
         rec = ngx_http_webhook_batch_next(rec), batch->nslots--)
    {
        slot = &zone->slots[rec->index];
        ngx_http_webhook_store_mark_slot(zone, slot);
    }

    ngx_http_webhook_zone_unlock(zone);
}


void
ngx_http_webhook_store_give_up(ngx_http_webhook_zone_t *zone, u_char *slots)
{
    /* new ones are no longer held, so the end comes */

    zone->sh->failing = 1;

    ngx_http_webhook_store_walk(zone, ngx_http_webhook_copy_give_up, slots);
}


static ngx_int_t
ngx_http_webhook_copy_give_up(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, void *data)
{
    u_char *slots = data;

    if ((d->flags & NGX_HTTP_WEBHOOK_HELD)
        && ngx_http_webhook_open(d)
        && zone->slots[d->slot].spill == 0)
    {
        ngx_http_webhook_zone_begin(zone);
        ngx_http_webhook_store_release(zone, d);

        (void) ngx_atomic_fetch_add(&zone->sh->unstored, 1);
        slots[d->slot] = 1;
    }

    return NGX_OK;
}
