
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_load: rows of the file -> records of the zone: all at the start,
 * waiting deliveries of one webhook when there is room again.  Next room:
 * store.
 */


#include "ngx_http_webhook_store_priv.h"
#include "ngx_http_webhook_queue_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)


typedef struct {
    ngx_http_webhook_zone_t     *zone;
    uint64_t                     stopped;    /* number of the first that had
                                                no room, or 0 */
    ngx_uint_t                   loaded;     /* deliveries */
    u_char                      *due;        /* of which slots all that waits
                                                is due; or NULL */
} ngx_http_webhook_load_t;


#define ngx_http_webhook_load_past(wall)                                      \
    ngx_http_webhook_clock_wall_to_msec(wall, wall)

/* what seemed history here has begun elsewhere: its end is not announced yet */

#define ngx_http_webhook_load_begun(here, there)                              \
    ((here)->rank == NGX_HTTP_WEBHOOK_FINISHED && (here)->announced == 0      \
     && (there)->rank < NGX_HTTP_WEBHOOK_FINISHED)


static ngx_int_t ngx_http_webhook_load_rows(ngx_http_webhook_load_t *load,
    ngx_http_webhook_db_t *db);
static uint32_t ngx_http_webhook_load_slot(ngx_http_webhook_zone_t *zone,
    uint32_t id);
static ngx_int_t ngx_http_webhook_load_hook(void *data,
    ngx_http_webhook_rec_t *rec);
static ngx_int_t ngx_http_webhook_load_state(void *data,
    ngx_http_webhook_rec_t *rec);
static ngx_int_t ngx_http_webhook_load_waiting(void *data,
    ngx_http_webhook_rec_t *rec);
static ngx_int_t ngx_http_webhook_load_spilled(void *data,
    ngx_http_webhook_rec_t *rec);
static uint32_t ngx_http_webhook_load_records(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_rec_delivery_t *rec, uint32_t slot);


ngx_int_t
ngx_http_webhook_store_load(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_db_t *db)
{
    ngx_int_t                rc;
    ngx_http_webhook_load_t  load;

    load.zone = zone;
    load.stopped = 0;
    load.loaded = 0;

    load.due = ngx_calloc(zone->sh->nslots, ngx_cycle->log);
    if (load.due == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_webhook_load_rows(&load, db);

    ngx_free(load.due);

    return rc;
}


static ngx_int_t
ngx_http_webhook_load_rows(ngx_http_webhook_load_t *load,
    ngx_http_webhook_db_t *db)
{
    uint64_t                  seq, row, wall;
    ngx_uint_t                i;
    ngx_http_webhook_zone_t  *zone;

    zone = load->zone;

    if (ngx_http_webhook_db_open(db) != NGX_OK
        || ngx_http_webhook_db_last(db, &seq, &row) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what another process ended meanwhile must not come again */

    ngx_http_webhook_store_load_clear(zone, load->due);

    ngx_http_webhook_zone_lock(zone);

    /* numbers go on, and are those of no file that cannot be read now */

    wall = ngx_http_webhook_zone_wall() * 1000;
    zone->sh->seq = ngx_max(ngx_max(zone->sh->seq, seq), wall);
    zone->sh->rows = ngx_max(zone->sh->rows, row);

    ngx_http_webhook_zone_unlock(zone);

    if (ngx_http_webhook_db_slots(db, ngx_http_webhook_load_hook, load)
        == NGX_ERROR
        || ngx_http_webhook_db_states(db, ngx_http_webhook_load_state, load)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    /* an answer that showed nothing new may do so now */

    for (i = 0; i < NGX_HTTP_WEBHOOK_EPOCHS; i++) {
        (void) ngx_atomic_fetch_add(&zone->sh->epochs[i], 1);
    }

    if (ngx_http_webhook_store_load_watches(zone, db) != NGX_OK
        || ngx_http_webhook_db_waiting(db, 0, 0, 0,
                                       ngx_http_webhook_load_waiting, load)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (load->stopped
        && ngx_http_webhook_db_spilled(db, load->stopped,
                                       ngx_http_webhook_load_spilled, load)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_store_load_ended(zone, db) != NGX_OK) {
        return NGX_ERROR;
    }

    zone->sh->known = seq;

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_store_refill(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch, uint32_t slot, ngx_uint_t more)
{
    ngx_int_t                         rc;
    ngx_http_webhook_rec_t           *rec;
    ngx_http_webhook_load_t           load;
    ngx_http_webhook_zslot_t         *s;
    ngx_http_webhook_rec_delivery_t  *last;

    load.zone = zone;
    load.stopped = 0;
    load.due = NULL;

    rc = NGX_OK;
    last = NULL;
    s = &zone->slots[slot];

    for (rec = ngx_http_webhook_batch_first(batch);
         rec < ngx_http_webhook_batch_last(batch);
         rec = ngx_http_webhook_batch_next(rec))
    {
        load.loaded = 0;

        rc = ngx_http_webhook_load_waiting(&load, rec);

        if (rc != NGX_OK) {
            break;
        }

        last = (ngx_http_webhook_rec_delivery_t *) rec;

        ngx_http_webhook_zone_lock(zone);

        s->spill = last->seq + 1;

        /* others were tried, and never left the zone */

        if (s->spilled && load.loaded) {
            s->spilled--;
        }

        ngx_http_webhook_zone_unlock(zone);
    }

    if (rc == NGX_OK && !more) {
        ngx_http_webhook_zone_lock(zone);

        s->spill = 0;
        s->spilled = 0;

        ngx_http_webhook_zone_unlock(zone);
    }

    return last ? NGX_OK : NGX_DECLINED;
}


static uint32_t
ngx_http_webhook_load_slot(ngx_http_webhook_zone_t *zone, uint32_t id)
{
    uint32_t  i;

    for (i = 0; i < zone->sh->nslots; i++) {

        if (zone->slots[i].id == id) {
            return i;
        }
    }

    return NGX_HTTP_WEBHOOK_NO_SLOT;
}


static ngx_int_t
ngx_http_webhook_load_hook(void *data, ngx_http_webhook_rec_t *rec)
{
    ngx_http_webhook_load_t *load = data;

    uint32_t                      i;
    ngx_http_webhook_hook_t       hook;
    ngx_http_webhook_zone_t      *zone;
    ngx_http_webhook_zslot_t     *slot;
    ngx_http_webhook_rec_slot_t  *from;

    zone = load->zone;
    from = (ngx_http_webhook_rec_slot_t *) rec;

    ngx_memzero(&hook, sizeof(ngx_http_webhook_hook_t));

    hook.id = from->id;
    hook.name.len = from->name_len;
    hook.name.data = from->name;

    if (hook.id == 0) {
        return NGX_OK;
    }

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    i = ngx_http_webhook_load_slot(zone, hook.id);

    if (i != NGX_HTTP_WEBHOOK_NO_SLOT) {

        /* what another url said is nothing against the present one */

        if (zone->slots[i].url != from->url) {
            load->due[i] = 1;
        }

    } else {
        i = ngx_http_webhook_owner_make(zone, &hook);

        if (i != NGX_HTTP_WEBHOOK_NO_SLOT) {
            slot = &zone->slots[i];

            slot->url = from->url;
            slot->health = from->health;
            slot->attempts = from->attempts;
            slot->recent = from->recent;
            slot->nrecent = from->nrecent;
            ngx_memcpy(slot->ended, from->ended, sizeof(slot->ended));

            ngx_http_webhook_clock_health_from_wall(zone, &slot->health);

            if (from->removed) {
                slot->removed = ngx_http_webhook_load_past(from->removed);

                if (zone->sh->lapse == 0) {
                    zone->sh->lapse = slot->removed
                                      + NGX_HTTP_WEBHOOK_SLOT_KEEP;
                }
            }
        }
    }

    ngx_http_webhook_zone_unlock(zone);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_load_state(void *data, ngx_http_webhook_rec_t *rec)
{
    ngx_http_webhook_load_t *load = data;

    uint32_t                       i;
    uint64_t                       wall, hours;
    ngx_uint_t                     list;
    ngx_http_webhook_shm_t        *sh;
    ngx_http_webhook_zone_t       *zone;
    ngx_http_webhook_state_t      *state;
    ngx_http_webhook_zstate_t     *s;
    ngx_http_webhook_rec_state_t  *from;

    zone = load->zone;
    sh = zone->sh;
    from = (ngx_http_webhook_rec_state_t *) rec;
    state = &from->state;

    state->applied = ngx_http_webhook_load_past(state->applied);
    state->began = ngx_http_webhook_load_past(state->began);
    state->final = ngx_http_webhook_load_past(state->final);

    if (state->version == 0 || state->rank > NGX_HTTP_WEBHOOK_FINISHED) {
        return NGX_OK;
    }

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    i = ngx_http_webhook_state_find(zone, from->key);

    if (i) {
        s = ngx_http_webhook_block(zone, i);

        if (s->state.version < state->version
            || ngx_http_webhook_load_begun(&s->state, state))
        {
            list = ngx_http_webhook_state_list(s);

            ngx_http_webhook_zone_save(zone, &s->state,
                                       sizeof(ngx_http_webhook_state_t));

            /* who has begun with what was here begins again */

            state->version = ngx_max(state->version, s->state.version + 1);
            s->state = *state;
            ngx_http_webhook_state_touch(zone, i, list);
            ngx_http_webhook_zone_commit(zone);

        } else {
            s->state.row = state->row;
        }

        ngx_http_webhook_zone_unlock(zone);
        return NGX_OK;
    }

    if (sh->nstates >= sh->nblocks / 2) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_DONE;
    }

    i = ngx_http_webhook_zone_alloc(zone, 1, NGX_HTTP_WEBHOOK_CLASS_STATE);

    if (i == 0) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_DONE;
    }

    s = ngx_http_webhook_block(zone, i);

    ngx_memcpy(s->key, from->key, 16);
    s->state = *state;

    wall = ngx_http_webhook_zone_wall();
    hours = (wall > from->seen) ? (wall - from->seen) / 3600000 : 0;

    s->blk.seen = ngx_http_webhook_state_hours()
                  - (uint16_t) ngx_min(hours, 0x7fff);

    s->blk.type = NGX_HTTP_WEBHOOK_BLK_STATE;

    ngx_http_webhook_state_insert(zone, i);

    /* those seen last come first, and stand last */

    list = ngx_http_webhook_state_list(s);

    ngx_http_webhook_zone_remove(zone, &sh->lru[list], i,
                                 NGX_HTTP_WEBHOOK_LRU_LINK);
    ngx_http_webhook_zone_insert(zone, &sh->lru[list], i, 0,
                                 NGX_HTTP_WEBHOOK_LRU_LINK);

    ngx_http_webhook_zone_unlock(zone);

    return NGX_OK;
}


/* NGX_DONE: there is no room */

static ngx_int_t
ngx_http_webhook_load_waiting(void *data, ngx_http_webhook_rec_t *rec)
{
    ngx_http_webhook_load_t *load = data;

    uint32_t                          i, slot;
    uint64_t                          logged;
    ngx_uint_t                        twin;
    ngx_rbtree_t                      tree;
    ngx_http_webhook_shm_t           *sh;
    ngx_http_webhook_zone_t          *zone;
    ngx_http_webhook_zdelivery_t     *d;
    ngx_http_webhook_rec_delivery_t  *from;

    zone = load->zone;
    sh = zone->sh;
    from = (ngx_http_webhook_rec_delivery_t *) rec;

    ngx_http_webhook_zone_lock(zone);

    slot = ngx_http_webhook_load_slot(zone, from->hook);
    i = ngx_http_webhook_delivery_find(zone, from->uuid);
    d = ngx_http_webhook_block(zone, i);

    /* an event that was made anew, while its first row was not known */

    twin = i && d->slot == slot && d->row != from->row
           && (d->flags & NGX_HTTP_WEBHOOK_STORED)
           && (ngx_http_webhook_open(d)
               || d->status == NGX_HTTP_WEBHOOK_DELIVERED);

    if (slot == NGX_HTTP_WEBHOOK_NO_SLOT
        || from->event > NGX_HTTP_WEBHOOK_PING
        || (i && d->seq >= from->seq && !twin))
    {
        /* seen before the file was known: one row is for both */

        if (i && !(d->flags & NGX_HTTP_WEBHOOK_STORED)) {
            d->row = from->row;
        }

        ngx_http_webhook_zone_unlock(zone);
        return NGX_OK;
    }

    ngx_http_webhook_zone_begin(zone);

    i = 0;

    /* some room is for what comes new */

    if (sh->nqueue <= ngx_http_webhook_store_much(sh) || sh->failing) {
        i = ngx_http_webhook_load_records(zone, from, slot);
    }

    if (i == 0) {
        ngx_http_webhook_zone_unlock(zone);

        load->stopped = from->seq;

        return NGX_DONE;
    }

    d = ngx_http_webhook_block(zone, i);

    d->txn = sh->undo_txn;
    d->seq = from->seq;
    d->row = from->row;
    d->created = ngx_http_webhook_clock_from_wall(zone, from->created,
                                                  from->created);
    d->due = ngx_http_webhook_clock_wall_to_msec(from->due,
                                                 ngx_max(from->created,
                                                         from->started));

    if (load->due && load->due[slot]) {
        d->due = ngx_current_msec;
    }

    d->tries = from->tries;
    d->attempts = from->attempts;
    d->base = from->base;
    d->code = from->code;
    d->error = from->error;
    d->duration = from->duration;
    d->flags = NGX_HTTP_WEBHOOK_STORED;

    ngx_http_webhook_delivery_seqs(zone, &tree);
    ngx_rbtree_insert(&tree, &d->seq_node);
    sh->seqs = tree.root;

    ngx_http_webhook_delivery_enter(zone, i);

    sh->ndeliveries++;

    ngx_memory_barrier();
    d->blk.type = NGX_HTTP_WEBHOOK_BLK_DELIVERY;

    logged = sh->logged;

    if (twin) {
        ngx_http_webhook_delivery_end(zone, i, NGX_HTTP_WEBHOOK_SUPERSEDED);
    }

    ngx_http_webhook_zone_commit(zone);

    ngx_http_webhook_delivery_trim(zone, logged);

    ngx_http_webhook_zone_unlock(zone);

    load->loaded++;

    return NGX_OK;
}


static uint32_t
ngx_http_webhook_load_records(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_rec_delivery_t *rec, uint32_t slot)
{
    u_char                          *p;
    uint32_t                         payload, index;
    ngx_http_webhook_hook_t          hook;
    ngx_http_webhook_new_event_t     event;
    ngx_http_webhook_new_delivery_t  new;

    p = (u_char *) rec + sizeof(ngx_http_webhook_rec_delivery_t);

    ngx_memzero(&event, sizeof(ngx_http_webhook_new_event_t));
    ngx_memzero(&new, sizeof(ngx_http_webhook_new_delivery_t));
    ngx_memzero(&hook, sizeof(ngx_http_webhook_hook_t));

    event.event = rec->event;
    event.sequence = rec->sequence;
    event.time = rec->time;
    event.execution.len = rec->execution;
    event.execution.data = p;
    event.payload.len = rec->payload;
    event.payload.data = p + rec->execution;

    payload = ngx_http_webhook_queue_payload(zone, rec->key, &event);
    if (payload == 0) {
        return 0;
    }

    hook.slot = slot;

    ngx_memcpy(new.uuid, rec->uuid, 16);
    new.hook = &hook;
    new.headers.len = rec->headers;
    new.headers.data = p + rec->execution + rec->payload;

    index = ngx_http_webhook_queue_delivery(zone, payload, &new);

    if (index == 0) {
        ngx_http_webhook_zone_free(zone, payload,
                                   NGX_HTTP_WEBHOOK_CLASS_QUEUE);
    }

    return index;
}


/* of each webhook: how many, and from which number on */

static ngx_int_t
ngx_http_webhook_load_spilled(void *data, ngx_http_webhook_rec_t *rec)
{
    ngx_http_webhook_load_t *load = data;

    uint32_t                          i;
    ngx_http_webhook_zslot_t         *slot;
    ngx_http_webhook_rec_delivery_t  *from;

    from = (ngx_http_webhook_rec_delivery_t *) rec;

    ngx_http_webhook_zone_lock(load->zone);

    i = ngx_http_webhook_load_slot(load->zone, from->hook);

    if (i != NGX_HTTP_WEBHOOK_NO_SLOT) {
        slot = &load->zone->slots[i];
        slot->spill = from->seq;
        slot->spilled = from->tries;
    }

    ngx_http_webhook_zone_unlock(load->zone);

    return NGX_OK;
}


#endif
