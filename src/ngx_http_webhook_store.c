
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store: something changed in the zone -> the worker that writes sees to it.
 * That is who has the lock of the lock file, be it of this master or of
 * another; the kernel frees it when a process dies.  Next room: store_job.
 */


#include "ngx_http_webhook_store_job.h"
#include "ngx_http_webhook_store_query.h"
#include "ngx_http_webhook_wake.h"
#include "ngx_http_webhook_watch.h"


#define NGX_HTTP_WEBHOOK_STORE_TICK    1000        /* ms, when all is well */
#define NGX_HTTP_WEBHOOK_STORE_HASTE   10000       /* ms, of a new worker */
#define NGX_HTTP_WEBHOOK_STORE_RECENT  3000        /* ms, between two tries */


#if (NGX_HTTP_WEBHOOK_SQLITE)

static void ngx_http_webhook_store_fill(ngx_http_webhook_storer_t *st,
    ngx_int_t locked);
static void ngx_http_webhook_store_alone(ngx_http_webhook_storer_t *st,
    ngx_cycle_t *cycle);
static void ngx_http_webhook_store_timer(ngx_event_t *ev);
static ngx_uint_t ngx_http_webhook_store_left(ngx_http_webhook_storer_t *st);
static void ngx_http_webhook_store_hold(ngx_http_webhook_storer_t *st);
static void ngx_http_webhook_store_foreign(ngx_http_webhook_storer_t *st);
static void ngx_http_webhook_store_listen(ngx_http_webhook_storer_t *st);


/* the zone's "configured", when our workers were */

static uint32_t                   ngx_http_webhook_store_configured;


ngx_int_t
ngx_http_webhook_store_init_module(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf)
{
    ngx_fd_t                    fd;
    ngx_int_t                   locked;
    ngx_http_webhook_storer_t  *st, storer;

    ngx_http_webhook_store_configured = ++mcf->zone->sh->configured;

    if (mcf->store == NULL) {
        return NGX_OK;
    }

    ngx_http_webhook_db_init();

    if (mcf->zone->sh->storing) {

        /* it is in use: workers see to it */

        return NGX_OK;
    }

    st = &storer;
    ngx_memzero(st, sizeof(ngx_http_webhook_storer_t));

    st->mcf = mcf;
    st->conf = mcf->store;
    st->zone = mcf->zone;
    st->configured = ngx_http_webhook_store_configured;
    st->db.conf = mcf->store;
    st->db.redact = &mcf->redact;

    /* another master, or workers of ours with the zone of before, may write */

    fd = NGX_INVALID_FILE;
    locked = NGX_BUSY;

    if (ngx_http_webhook_store_lock_left(mcf->store, &fd, mcf->zone)
        != NGX_AGAIN)
    {
        locked = ngx_http_webhook_store_lock(mcf->store, &fd);
    }

    st->db.ours = (locked == NGX_OK);

    if (fd != NGX_INVALID_FILE) {
        mcf->zone->sh->file = ngx_http_webhook_store_lock_file(fd);
    }

    if (locked == NGX_OK) {
        ngx_http_webhook_store_lock_claim(fd, mcf->zone);
    }

    ngx_http_webhook_store_fill(st, locked);

    if (st->db.foreign) {
        ngx_http_webhook_store_alone(st, cycle);
    }

    ngx_http_webhook_db_close(&st->db);

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    return NGX_OK;
}


/* a zone that was in use before it had a store is filled by a worker */

static void
ngx_http_webhook_store_fill(ngx_http_webhook_storer_t *st, ngx_int_t locked)
{
    ngx_int_t                rc;
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    if (sh->seq || sh->nstates) {
        (void) ngx_http_webhook_db_open(&st->db);
        return;
    }

    ngx_http_webhook_zone_lock(st->zone);

    sh->storing = 1;
    sh->blocked = (locked == NGX_BUSY);
    sh->seq = ngx_http_webhook_zone_wall() * 1000;

    ngx_http_webhook_zone_unlock(st->zone);

    rc = ngx_http_webhook_store_load_zone(st);

    if (st->db.damaged) {
        ngx_http_webhook_store_damaged(st);
        rc = ngx_http_webhook_store_load_zone(st);
    }

    if (rc == NGX_OK) {
        sh->loaded = (locked == NGX_OK);

    } else if (st->db.foreign) {
        ngx_http_webhook_store_off(st->zone);

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook_store \"%V\" cannot be read now: %s",
                      &st->conf->name, st->db.error);
    }
}


/* the file is of a layout that is not known */

static void
ngx_http_webhook_store_alone(ngx_http_webhook_storer_t *st, ngx_cycle_t *cycle)
{
    u_char                        *p;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = st->mcf;

    ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                  "webhook_store \"%V\": %s; it is left alone, and nothing "
                  "is stored", &st->conf->name, st->db.error);

    mcf->store = NULL;

    p = ngx_pnalloc(cycle->pool, sizeof(st->db.error)
                                 + sizeof("; it is left alone"));
    if (p == NULL) {
        return;
    }

    mcf->left.data = p;
    mcf->left.len = ngx_sprintf(p, "%s; it is left alone", st->db.error) - p;
}


ngx_int_t
ngx_http_webhook_store_init_process(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf)
{
    ngx_str_t                   name;
    ngx_http_webhook_shm_t     *sh;
    ngx_http_webhook_storer_t  *st;

    st = &ngx_http_webhook_storer;
    sh = mcf->zone->sh;

    ngx_memzero(st, sizeof(ngx_http_webhook_storer_t));
    st->lock = NGX_INVALID_FILE;
    st->configured = ngx_http_webhook_store_configured;

    if (mcf->store == NULL) {

        if (sh->storing) {
            ngx_http_webhook_store_off(mcf->zone);
        }

        return NGX_OK;
    }

    if (!sh->storing) {
        ngx_http_webhook_store_on(mcf->zone);
    }

    st->conf = mcf->store;
    st->zone = mcf->zone;
    st->db.conf = mcf->store;
    st->db.redact = &mcf->redact;
    st->begun = ngx_current_msec;
    st->pruned = ngx_current_msec;
    st->wiped = ngx_current_msec;
    st->counted = ngx_current_msec;
    st->written = 1;

    ngx_str_set(&name, "default");

    st->pool = ngx_thread_pool_get(cycle, &name);
    st->task = ngx_thread_task_alloc(cycle->pool, 0);
    st->slots = ngx_pcalloc(cycle->pool, sh->nslots);

    if (st->pool == NULL || st->task == NULL || st->slots == NULL
        || ngx_http_webhook_reader_init(cycle, mcf->store) != NGX_OK)
    {
        return NGX_ERROR;
    }

    st->mcf = mcf;

    st->task->ctx = st;
    st->task->handler = ngx_http_webhook_store_thread;
    st->task->event.handler = ngx_http_webhook_store_done;
    st->task->event.data = st;

    ngx_http_webhook_store_wake_init(cycle);

    st->timer.handler = ngx_http_webhook_store_timer;
    st->timer.log = cycle->log;
    st->timer.data = st;
    st->timer.cancelable = 1;

    ngx_http_webhook_store_timer(&st->timer);

    return NGX_OK;
}


static void
ngx_http_webhook_store_timer(ngx_event_t *ev)
{
    u_char                     *p, error[128];
    ngx_int_t                   rc;
    ngx_http_webhook_storer_t  *st;

    st = ev->data;

    if (st->exiting) {
        return;
    }

    if (!st->holder) {
        rc = ngx_http_webhook_store_left(st)
             ? NGX_BUSY : ngx_http_webhook_store_lock(st->conf, &st->lock);

        if (rc == NGX_OK && ngx_http_webhook_store_outdated(st)) {
            (void) ngx_close_file(st->lock);
            st->lock = NGX_INVALID_FILE;

        } else if (rc == NGX_OK) {
            ngx_http_webhook_store_hold(st);

        } else if (rc == NGX_ERROR) {
            p = ngx_snprintf(error, sizeof(error) - 1,
                             "the lock cannot be taken: %s",
                             strerror(ngx_errno));
            *p = '\0';

            ngx_http_webhook_store_failure(st, error);

        } else {
            st->fails = 0;

            if (!ngx_http_webhook_store_outdated(st)) {
                ngx_http_webhook_store_foreign(st);
                ngx_http_webhook_store_listen(st);
            }
        }

        if (!st->holder) {
            ngx_http_webhook_store_arm(st,
                  (ngx_current_msec - st->begun < NGX_HTTP_WEBHOOK_STORE_HASTE)
                  ? NGX_HTTP_WEBHOOK_STORE_RETRY : NGX_HTTP_WEBHOOK_STORE_TICK);
            return;
        }
    }

    if (ngx_http_webhook_store_holds(st)) {
        st->zone->sh->beats++;
    }

    if (st->busy) {
        ngx_http_webhook_store_late(st);
        ngx_http_webhook_store_arm(st, NGX_HTTP_WEBHOOK_STORE_TICK);
        return;
    }

    if (!ngx_http_webhook_store_holds(st)) {

        /* new workers have given the zone another file */

        ngx_http_webhook_store_arm(st, NGX_HTTP_WEBHOOK_STORE_TICK);
        return;
    }

    if (ngx_http_webhook_store_lock_told(st->lock, st->zone)) {
        st->zone->sh->loaded = 0;
    }

    if (!st->zone->sh->loaded) {
        ngx_http_webhook_store_hold(st);
    }

    ngx_http_webhook_store_flush(st);

    if (!st->timer.timer_set) {
        ngx_http_webhook_store_arm(st, NGX_HTTP_WEBHOOK_STORE_TICK);
    }
}


ngx_uint_t
ngx_http_webhook_store_outdated(ngx_http_webhook_storer_t *st)
{
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    return st->configured != sh->configured
           && (!sh->storing
               || sh->file != ngx_http_webhook_store_lock_file(st->lock));
}


/*
 * The lock is free, for a worker was killed, or is replaced, and it is the turn
 * of others who have its zone; they alone know what of it the file does not.
 */

static ngx_uint_t
ngx_http_webhook_store_left(ngx_http_webhook_storer_t *st)
{
    if (ngx_http_webhook_store_lock_left(st->conf, &st->lock, st->zone)
        != NGX_AGAIN)
    {
        return 0;
    }

    if (st->seen == 0
        || ngx_current_msec - st->seen > NGX_HTTP_WEBHOOK_STORE_RECENT)
    {
        st->left = ngx_current_msec;
    }

    st->seen = ngx_current_msec;

    return ngx_current_msec - st->left < ngx_http_webhook_store_patience(st);
}


void
ngx_http_webhook_store_arm(ngx_http_webhook_storer_t *st, ngx_msec_t wait)
{
    if (!st->exiting) {
        ngx_add_timer(&st->timer, wait);
    }
}


/* the lock is ours */

static void
ngx_http_webhook_store_hold(ngx_http_webhook_storer_t *st)
{
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    st->holder = 1;
    st->db.ours = 1;

    ngx_http_webhook_store_foreign(st);
    ngx_http_webhook_store_lock_claim(st->lock, st->zone);

    /* what one with another file may have taken of it until now is void */

    if (ngx_http_webhook_store_inherit(st->zone, ngx_http_webhook_wake_self(),
                                    ngx_http_webhook_store_lock_file(st->lock))
        != NGX_OK
        || sh->loaded)
    {
        return;
    }

    /*
     * another zone had it when this one was made, or since; or it was not
     * readable
     */

    if (ngx_http_webhook_store_load_zone(st) == NGX_OK) {
        sh->loaded = 1;

    } else {
        ngx_http_webhook_store_failure(st, st->db.error);
    }

    if (st->db.damaged != st->damaged) {
        ngx_http_webhook_store_damaged(st);
    }

    sh->blocked = 0;

    ngx_http_webhook_store_owners(st, 1);
    ngx_http_webhook_watch_wake();
}


/* with the lock, or when another process has it: is the zone of today? */

static void
ngx_http_webhook_store_foreign(ngx_http_webhook_storer_t *st)
{
    uint64_t                        file;
    ngx_http_webhook_shm_t         *sh;
    ngx_http_webhook_store_stat_t   stat;

    sh = st->zone->sh;

    ngx_http_webhook_store_lock_share(st->lock, st->zone);

    file = ngx_http_webhook_store_lock_file(st->lock);

    if (sh->file != file) {

        ngx_http_webhook_store_stat(st->zone, &stat);

        if (sh->file && stat.spilled) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "webhook_store \"%V\" is another file than before: "
                          "of %uL deliveries that waited in that one alone "
                          "those are sent that are in this one, too",
                          &st->conf->name, stat.spilled);
        }

        ngx_http_webhook_zone_lock(st->zone);

        if (sh->file) {

            /* in this one there is nothing of what the zone has */

            ngx_http_webhook_zone_begin(st->zone);

            ngx_http_webhook_store_mark_all(st->zone);
            sh->loaded = 0;
        }

        sh->file = file;

        ngx_http_webhook_zone_unlock(st->zone);
        return;
    }

    if (ngx_http_webhook_store_lock_claimed(st->lock, st->zone) != NGX_OK) {

        /* what waits here may have been sent by others */

        sh->loaded = 0;
        sh->blocked = 1;
    }
}


/*
 * Another worker has the lock.  If it stands still, whatever keeps it, what
 * waits for the disk goes out as if that refused.
 */

static void
ngx_http_webhook_store_listen(ngx_http_webhook_storer_t *st)
{
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    /* if we stood still ourselves, it need not have */

    if (st->beats != sh->beats
        || ngx_current_msec - st->listened > NGX_HTTP_WEBHOOK_STORE_RECENT)
    {
        st->beats = sh->beats;
        st->heard = ngx_current_msec;
    }

    st->listened = ngx_current_msec;

    if (ngx_current_msec - st->heard < NGX_HTTP_WEBHOOK_LEASE
        || sh->holder.pid == 0 || sh->failing || sh->blocked)
    {
        return;
    }

    ngx_cpystrn(sh->store_error, (u_char *) "who writes does not answer",
                sizeof(sh->store_error));

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "webhook_store \"%V\" fails: worker process %P, which "
                  "writes, does not answer; deliveries go out unstored",
                  &st->conf->name, sh->holder.pid);

    ngx_http_webhook_store_give_up(st->zone, st->slots);
    ngx_http_webhook_store_owners(st, 0);
}


#else


ngx_int_t
ngx_http_webhook_store_init_module(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf)
{
    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_store_init_process(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf)
{
    return NGX_OK;
}


#endif
