
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_job: changes in the zone -> batches, one at a time in a thread while
 * the next one gathers.  What the disk refuses for a second goes out unstored,
 * and is written when it can be.  Next rooms: store_copy, store_write.
 */


#include "ngx_http_webhook_store_job.h"
#include "ngx_http_webhook_wake.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)


#define NGX_HTTP_WEBHOOK_STORE_PRUNE   60000       /* ms, at most */
#define NGX_HTTP_WEBHOOK_STORE_WIPE    1000        /* ms, at least */
#define NGX_HTTP_WEBHOOK_STORE_STALE   5000        /* ms, at most */
#define NGX_HTTP_WEBHOOK_STORE_COUNT   1000        /* ms, at least */
#define NGX_HTTP_WEBHOOK_STORE_AGAIN   60000       /* ms, until it is said */
#define NGX_HTTP_WEBHOOK_STORE_LAST    100         /* batches at the exit */


static ngx_int_t ngx_http_webhook_store_refill_begin(
    ngx_http_webhook_storer_t *st);
static ngx_int_t ngx_http_webhook_store_row(void *data,
    ngx_http_webhook_rec_t *rec);
static void ngx_http_webhook_store_idle(ngx_http_webhook_storer_t *st);
static ngx_int_t ngx_http_webhook_store_wipe_begin(
    ngx_http_webhook_storer_t *st, ngx_msec_t wait);
static ngx_int_t ngx_http_webhook_store_count_begin(
    ngx_http_webhook_storer_t *st, ngx_uint_t times);
static void ngx_http_webhook_store_counted(ngx_http_webhook_storer_t *st);
static void ngx_http_webhook_store_post(ngx_http_webhook_storer_t *st);


void
ngx_http_webhook_store_flush(ngx_http_webhook_storer_t *st)
{
    ngx_msec_t  wait;
    ngx_uint_t  turn;

    /*
     * What the file has must be known before anything is added to it.  After a
     * reload new workers may have the zone in another file, before this one
     * exits.
     */

    if (st->busy || !ngx_http_webhook_store_holds(st)
        || !st->zone->sh->loaded || (st->exiting && !st->lingers))
    {
        return;
    }

    /* there may always be something to write */

    if (ngx_http_webhook_store_wipe_begin(st, NGX_HTTP_WEBHOOK_STORE_STALE)
        == NGX_OK
        || ngx_http_webhook_store_count_begin(st, 10) == NGX_OK)
    {
        return;
    }

    /* in turns: neither of the two waits for the other */

    if (!st->turn && ngx_http_webhook_store_refill_begin(st) == NGX_OK) {
        return;
    }

    turn = st->turn;
    st->turn = 0;

    wait = ngx_http_webhook_store_wait(st);

    if (wait) {

        /* it is not needed yet: reading may go on */

        if (!turn || ngx_http_webhook_store_refill_begin(st) != NGX_OK) {
            ngx_add_timer(&st->group, wait);
        }

        return;
    }

    if (st->fails
        && ngx_http_webhook_store_over(st->zone, &st->batch, &st->laden)
        && st->db.over)
    {
        st->db.over = 0;

        st->job = ngx_http_webhook_store_room;
        ngx_http_webhook_store_post(st);
        return;
    }

    st->zone->sh->signalled = 0;
    st->zone->sh->urgent = 0;
    ngx_memory_barrier();

    st->batch.writer = ngx_http_webhook_wake_self();

    if (ngx_http_webhook_store_gather(st->zone, &st->batch) != NGX_OK) {
        ngx_http_webhook_store_refused(st->zone, &st->batch);
        ngx_http_webhook_store_failure(st, (u_char *) "no memory");
        return;
    }

    if (st->batch.used == 0) {
        ngx_http_webhook_store_idle(st);
        return;
    }

    st->wrote = ngx_current_msec;

    st->job = ngx_http_webhook_store_write;
    ngx_http_webhook_store_post(st);
}


/* there is room for some that are in the store alone: NGX_OK */

static ngx_int_t
ngx_http_webhook_store_refill_begin(ngx_http_webhook_storer_t *st)
{
    uint32_t  slot;

    /* they would come again after a start */

    if (st->zone->sh->failing && st->laden) {
        return NGX_DECLINED;
    }

    slot = ngx_http_webhook_store_wanted(st->zone, st->slot + 1);

    if (slot == NGX_HTTP_WEBHOOK_NO_SLOT) {
        return NGX_DECLINED;
    }

    st->slot = slot;
    st->hook = st->zone->slots[slot].id;
    st->from = st->zone->slots[slot].spill;
    st->turn = 1;

    st->job = ngx_http_webhook_store_read;
    ngx_http_webhook_store_post(st);

    return NGX_OK;
}


/* in the thread */

static ngx_int_t
ngx_http_webhook_store_row(void *data, ngx_http_webhook_rec_t *rec)
{
    ngx_http_webhook_batch_t *batch = data;

    size_t   size;
    u_char  *p;

    if (batch->used + rec->size > batch->size) {
        size = ngx_max(batch->used + rec->size, NGX_HTTP_WEBHOOK_BATCH_SIZE);

        p = realloc(batch->data, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        batch->data = p;
        batch->size = size;
    }

    ngx_memcpy(batch->data + batch->used, rec, rec->size);

    batch->used += rec->size;
    batch->n++;

    return NGX_OK;
}


/* nothing is to be written */

static void
ngx_http_webhook_store_idle(ngx_http_webhook_storer_t *st)
{
    ngx_msec_t  wait;

    wait = ngx_min((ngx_msec_t) st->conf->keep * 250,
                   NGX_HTTP_WEBHOOK_STORE_PRUNE);

    if (st->fails || st->zone->sh->failing
        || ngx_current_msec - st->pruned >= wait)
    {
        st->job = ngx_http_webhook_store_prune;
        ngx_http_webhook_store_post(st);
        return;
    }

    if (ngx_http_webhook_store_wipe_begin(st, NGX_HTTP_WEBHOOK_STORE_WIPE)
        != NGX_OK)
    {
        (void) ngx_http_webhook_store_count_begin(st, 1);
    }
}


/* NGX_DECLINED: nothing is left of headers, or it was done just now */

static ngx_int_t
ngx_http_webhook_store_wipe_begin(ngx_http_webhook_storer_t *st,
    ngx_msec_t wait)
{
    if (!st->db.stale || ngx_current_msec - st->wiped < wait) {
        return NGX_DECLINED;
    }

    st->job = ngx_http_webhook_store_wipe;
    ngx_http_webhook_store_post(st);

    return NGX_OK;
}


/* seldom enough to take a hundredth of the thread's time, or less */

static ngx_int_t
ngx_http_webhook_store_count_begin(ngx_http_webhook_storer_t *st,
    ngx_uint_t times)
{
    ngx_msec_t  wait;

    wait = times * (NGX_HTTP_WEBHOOK_STORE_COUNT + 100 * st->cost);

    if (!st->written || st->fails || ngx_current_msec - st->counted < wait) {
        return NGX_DECLINED;
    }

    st->written = 0;

    st->job = ngx_http_webhook_store_count;
    ngx_http_webhook_store_post(st);

    return NGX_OK;
}


static void
ngx_http_webhook_store_counted(ngx_http_webhook_storer_t *st)
{
    st->counted = ngx_current_msec;
    st->cost = st->counted - st->started;

    if (st->rc != NGX_OK) {
        st->written = 1;
        return;
    }

    st->zone->sh->stored = st->db.use;
}


static void
ngx_http_webhook_store_post(ngx_http_webhook_storer_t *st)
{
    st->busy = 1;
    st->started = ngx_current_msec;
    st->wall = ngx_http_webhook_zone_wall();

    if (ngx_thread_task_post(st->pool, st->task) == NGX_OK) {
        return;
    }

    st->busy = 0;

    if (st->job == ngx_http_webhook_store_write) {
        ngx_http_webhook_store_refused(st->zone, &st->batch);
    }

    ngx_http_webhook_store_failure(st, (u_char *) "no thread");
}


void
ngx_http_webhook_store_thread(void *data, ngx_log_t *log)
{
    ngx_http_webhook_storer_t *st = data;

    if (st->job == ngx_http_webhook_store_write) {
        st->rc = ngx_http_webhook_db_write(&st->db, &st->batch);

    } else if (st->job == ngx_http_webhook_store_room) {
        st->rc = ngx_http_webhook_db_forget(&st->db, &st->batch);

    } else if (st->job == ngx_http_webhook_store_prune) {
        st->rc = ngx_http_webhook_db_prune(&st->db, st->wall);

    } else if (st->job == ngx_http_webhook_store_wipe) {
        ngx_http_webhook_db_wipe(&st->db);

    } else if (st->job == ngx_http_webhook_store_count) {
        st->rc = ngx_http_webhook_db_count(&st->db);

    } else {
        st->batch.used = 0;
        st->batch.n = 0;

        st->rc = ngx_http_webhook_db_open(&st->db);

        if (st->rc == NGX_OK) {
            st->rc = ngx_http_webhook_db_waiting(&st->db, st->hook, st->from,
                                                NGX_HTTP_WEBHOOK_REFILL,
                                                ngx_http_webhook_store_row,
                                                &st->batch);
        }
    }
}


void
ngx_http_webhook_store_done(ngx_event_t *ev)
{
    ngx_http_webhook_storer_t  *st;

    st = ev->data;

    ngx_http_webhook_store_result(st);

    if (st->exiting && !st->lingers) {
        ngx_http_webhook_store_leave(st);
        return;
    }

    if (!st->fails || st->job == ngx_http_webhook_store_read
        || st->job == ngx_http_webhook_store_room)
    {
        ngx_http_webhook_store_flush(st);
    }
}


/* a job has ended */

void
ngx_http_webhook_store_result(ngx_http_webhook_storer_t *st)
{
    st->busy = 0;

    if (st->db.cut) {
        st->db.cut = 0;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook_store \"%V\": its \"-wal\" or \"-shm\" was "
                      "removed while it was in use; nothing is lost, and new "
                      "ones are begun", &st->conf->name);
    }

    if (ngx_http_webhook_store_outdated(st)) {

        /* all that it had is to be written to another file, if there is one */

        if (st->db.damaged != st->damaged) {
            ngx_http_webhook_store_damaged(st);
        }

        return;
    }

    if (st->job == ngx_http_webhook_store_wipe) {
        st->wiped = ngx_current_msec;
        return;
    }

    if (st->job == ngx_http_webhook_store_room) {

        /* another file may have them */

        if (st->rc == NGX_OK && ngx_http_webhook_store_holds(st)) {
            ngx_http_webhook_store_gone(st->zone, &st->batch);
            st->laden = 0;
        }

        return;
    }

    if (st->job == ngx_http_webhook_store_count) {
        ngx_http_webhook_store_counted(st);

        if (st->db.damaged != st->damaged) {
            ngx_http_webhook_store_damaged(st);
        }

        return;
    }

    st->written = 1;

    if (st->job == ngx_http_webhook_store_prune) {

        if (st->rc != NGX_AGAIN) {
            st->pruned = ngx_current_msec;
        }

    } else if (st->job == ngx_http_webhook_store_read) {

        if (st->rc == NGX_OK) {
            ngx_http_webhook_store_refill(st->zone, &st->batch, st->slot,
                                          st->batch.n
                                          == NGX_HTTP_WEBHOOK_REFILL);
            st->slots[st->slot] = 1;

            if (st->zone->sh->failing) {

                /* nothing may be left in front of those that are held */

                ngx_http_webhook_store_give_up(st->zone, st->slots);
            }

            ngx_http_webhook_store_owners(st, 0);
        }

    } else if (st->rc == NGX_OK) {
        ngx_http_webhook_store_written(st->zone, &st->batch, st->slots);
        ngx_http_webhook_store_relieve(st->zone);
        ngx_http_webhook_store_owners(st, 0);

    } else {
        ngx_http_webhook_store_refused(st->zone, &st->batch);
    }

    if (st->job == ngx_http_webhook_store_read && st->rc == NGX_OK) {

        /* that says nothing of writing */

    } else if (st->rc == NGX_ERROR) {
        ngx_http_webhook_store_failure(st, st->db.error);

    } else {
        st->fails = 0;
        st->db.suspect = 0;
        st->zone->sh->failing = 0;
        st->zone->sh->store_error[0] = '\0';
    }

    if (st->db.damaged != st->damaged) {
        ngx_http_webhook_store_damaged(st);
    }
}


ngx_int_t
ngx_http_webhook_store_load_zone(ngx_http_webhook_storer_t *st)
{
    ngx_int_t  rc;

    rc = ngx_http_webhook_store_load(st->zone, &st->db);

    if (rc != NGX_OK && st->db.suspect) {
        rc = ngx_http_webhook_store_load(st->zone, &st->db);
    }

    if (rc == NGX_OK) {
        st->db.suspect = 0;
    }

    return rc;
}


/*
 * For a second all waits for the disk.  It is said once a second until it was
 * said that nothing does any more, and then once a minute, if it is the same.
 */

void
ngx_http_webhook_store_failure(ngx_http_webhook_storer_t *st, u_char *error)
{
    ngx_msec_t               wait;
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    if (ngx_http_webhook_store_outdated(st)) {
        return;
    }

    (void) ngx_atomic_fetch_add(&sh->refused, 1);

    if (!st->fails) {
        st->fails = 1;
        st->failed = st->busy ? st->started : ngx_current_msec;
        st->logged = ngx_current_msec - 1000;
        st->told = 0;
    }

    wait = (st->told
            && ngx_strncmp(sh->store_error, error, sizeof(sh->store_error) - 1)
               == 0)
           ? NGX_HTTP_WEBHOOK_STORE_AGAIN : 1000;

    if (ngx_current_msec - st->logged >= wait) {
        st->logged = ngx_current_msec;
        st->told = sh->failing;

        ngx_cpystrn(sh->store_error, error, sizeof(sh->store_error));

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook_store \"%V\" fails: %s%s", &st->conf->name,
                      error, sh->failing ? "; deliveries go out unstored" : "");
    }

    if (ngx_current_msec - st->failed >= NGX_HTTP_WEBHOOK_STORE_PATIENCE
        && !sh->failing && !sh->blocked)
    {
        ngx_http_webhook_store_give_up(st->zone, st->slots);
        ngx_http_webhook_store_owners(st, 0);
    }

    ngx_http_webhook_store_arm(st, NGX_HTTP_WEBHOOK_STORE_RETRY);
}


/* a new file was begun: all is to be written */

void
ngx_http_webhook_store_damaged(ngx_http_webhook_storer_t *st)
{
    st->damaged = st->db.damaged;

    (void) ngx_atomic_fetch_add(&st->zone->sh->asides, 1);

    if (st->db.other) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "webhook_store \"%V\" was replaced while it was in use, "
                      "and could not be reached; it is used as it is: "
                      "deliveries that waited in the other one alone are not "
                      "sent", &st->conf->name);

    } else if (st->db.aside[0]) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "webhook_store \"%V\" was %s and has been set aside as "
                      "\"%s\"; a new one is begun: deliveries that waited in "
                      "it alone are not sent", &st->conf->name,
                      st->db.moved ? "replaced while it was in use" : "damaged",
                      st->db.aside);

    } else {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "webhook_store \"%V\" was removed while it was in use; "
                      "a new one is begun: deliveries that waited in it alone "
                      "are not sent", &st->conf->name);
    }

    if (ngx_http_webhook_store_outdated(st)) {
        return;
    }

    /* and what waited in the other one alone no longer counts */

    ngx_http_webhook_zone_lock(st->zone);
    ngx_http_webhook_zone_begin(st->zone);

    ngx_http_webhook_store_mark_all(st->zone);
    st->zone->sh->loaded = 0;

    ngx_http_webhook_zone_unlock(st->zone);
}


/* without a thread; what cannot be written stays in the zone */

void
ngx_http_webhook_store_flush_now(ngx_http_webhook_storer_t *st)
{
    ngx_uint_t  n;

    /* no more, once new workers have given the zone another file */

    st->job = ngx_http_webhook_store_write;
    st->batch.writer = ngx_http_webhook_wake_self();

    for (n = 0; n < NGX_HTTP_WEBHOOK_STORE_LAST; n++) {

        if (ngx_http_webhook_store_gather(st->zone, &st->batch) != NGX_OK) {
            ngx_http_webhook_store_refused(st->zone, &st->batch);
            return;
        }

        if (st->batch.used == 0) {
            return;
        }

        ngx_http_webhook_store_thread(st, ngx_cycle->log);
        ngx_http_webhook_store_result(st);

        if (st->rc != NGX_OK) {
            return;
        }
    }
}


/* those of webhooks that have something to send */

void
ngx_http_webhook_store_owners(ngx_http_webhook_storer_t *st, ngx_uint_t all)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hooks;

    hooks = st->mcf->hooks.elts;

    for (i = 0; i < st->mcf->hooks.nelts; i++) {

        if (hooks[i]->slot >= st->zone->sh->nslots) {
            continue;
        }

        if (all || st->slots[hooks[i]->slot]) {
            st->slots[hooks[i]->slot] = 0;
            ngx_http_webhook_wake(hooks[i]);
        }
    }
}


#endif
