
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

#include <sys/file.h>


#define NGX_HTTP_WEBHOOK_STORE_TICK    1000        /* ms, when all is well */
#define NGX_HTTP_WEBHOOK_STORE_HASTE   10000       /* ms, of a new worker */


#if (NGX_HTTP_WEBHOOK_SQLITE)

static ngx_int_t ngx_http_webhook_store_lock(ngx_http_webhook_store_t *conf,
    ngx_fd_t *fd);
static void ngx_http_webhook_store_fill(ngx_http_webhook_storer_t *st,
    ngx_int_t locked);
static void ngx_http_webhook_store_event(ngx_event_t *ev);
static void ngx_http_webhook_store_timer(ngx_event_t *ev);
static void ngx_http_webhook_store_hold(ngx_http_webhook_storer_t *st);


static ngx_http_webhook_storer_t  ngx_http_webhook_storer;


ngx_int_t
ngx_http_webhook_store_init_module(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf)
{
    ngx_fd_t                    fd;
    ngx_int_t                   locked;
    ngx_core_conf_t            *ccf;
    ngx_http_webhook_storer_t  *st, storer;

    if (mcf->store == NULL) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    mcf->store->user = ccf->user;
    mcf->store->group = ccf->group;

    if (mcf->zone->sh->storing) {

        /* it is in use: workers see to it */

        return NGX_OK;
    }

    st = &storer;
    ngx_memzero(st, sizeof(ngx_http_webhook_storer_t));

    st->mcf = mcf;
    st->conf = mcf->store;
    st->zone = mcf->zone;
    st->db.conf = mcf->store;
    st->db.redact = &mcf->redact;

    /* another master, or workers of ours with the zone of before, may write */

    fd = NGX_INVALID_FILE;
    locked = ngx_http_webhook_store_lock(mcf->store, &fd);

    st->db.ours = (locked == NGX_OK);

    ngx_http_webhook_store_fill(st, locked);

    if (st->db.foreign) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "webhook_store \"%V\": %s; it is left alone, and "
                      "nothing is stored", &mcf->store->name, st->db.error);

        mcf->store = NULL;
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

    rc = ngx_http_webhook_store_load(st->zone, &st->db);

    if (st->db.damaged) {
        ngx_http_webhook_store_damaged(st);
        rc = ngx_http_webhook_store_load(st->zone, &st->db);
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


/* NGX_OK: it is ours; NGX_BUSY: another's; NGX_ERROR: it cannot be had */

static ngx_int_t
ngx_http_webhook_store_lock(ngx_http_webhook_store_t *conf, ngx_fd_t *fd)
{
    if (*fd == NGX_INVALID_FILE) {
        *fd = open((char *) conf->lock.data, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

        if (*fd == NGX_INVALID_FILE) {
            return NGX_ERROR;
        }

        if (geteuid() == 0 && conf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT
            && fchown(*fd, conf->user, conf->group) == -1)
        {
            return NGX_ERROR;
        }
    }

    if (flock(*fd, LOCK_EX|LOCK_NB) == -1) {
        return (ngx_errno == EWOULDBLOCK) ? NGX_BUSY : NGX_ERROR;
    }

    return NGX_OK;
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

    if (mcf->store == NULL) {

        if (sh->storing) {
            ngx_http_webhook_store_off(mcf->zone);
        }

        return NGX_OK;
    }

    if (!sh->storing) {
        ngx_http_webhook_store_on(mcf->zone);
    }

    st->mcf = mcf;
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

    st->task->ctx = st;
    st->task->handler = ngx_http_webhook_store_thread;
    st->task->event.handler = ngx_http_webhook_store_done;
    st->task->event.data = st;

    st->event.handler = ngx_http_webhook_store_event;
    st->event.log = cycle->log;
    st->event.data = st;

    st->timer.handler = ngx_http_webhook_store_timer;
    st->timer.log = cycle->log;
    st->timer.data = st;
    st->timer.cancelable = 1;

    ngx_http_webhook_store_timer(&st->timer);

    return NGX_OK;
}


void
ngx_http_webhook_store_wake(ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_shm_t     *sh;
    ngx_http_webhook_owner_t    holder;
    ngx_http_webhook_storer_t  *st;

    sh = zone->sh;

    if (!sh->storing) {
        return;
    }

    st = &ngx_http_webhook_storer;

    if (st->holder) {

        if (!st->busy && !st->event.posted) {
            ngx_post_event(&st->event, &ngx_posted_events);
        }

        return;
    }

    if (sh->signalled || !ngx_atomic_cmp_set(&sh->signalled, 0, 1)) {
        return;
    }

    /* who has it comes, at the latest, with its next tick */

    holder = sh->holder;

    if (holder.pid) {
        ngx_http_webhook_wake_worker(&holder);
    }
}


void
ngx_http_webhook_store_woken(void)
{
    ngx_http_webhook_storer_t  *st;

    st = &ngx_http_webhook_storer;

    if (st->holder && !st->busy && !st->event.posted) {
        ngx_post_event(&st->event, &ngx_posted_events);
    }
}


static void
ngx_http_webhook_store_event(ngx_event_t *ev)
{
    ngx_http_webhook_storer_t  *st;

    st = ev->data;

    /* after a failure the timer tries again */

    if (!st->fails) {
        ngx_http_webhook_store_flush(st);
    }
}


static void
ngx_http_webhook_store_timer(ngx_event_t *ev)
{
    ngx_int_t                   rc;
    ngx_http_webhook_storer_t  *st;

    st = ev->data;

    if (st->exiting) {
        return;
    }

    if (!st->holder) {
        rc = ngx_http_webhook_store_lock(st->conf, &st->lock);

        if (rc == NGX_OK) {
            ngx_http_webhook_store_hold(st);

        } else if (rc == NGX_ERROR) {
            ngx_http_webhook_store_failure(st, (u_char *) strerror(ngx_errno));

        } else {
            st->fails = 0;
        }

        if (!st->holder) {
            ngx_http_webhook_store_arm(st,
                  (ngx_current_msec - st->begun < NGX_HTTP_WEBHOOK_STORE_HASTE)
                  ? NGX_HTTP_WEBHOOK_STORE_RETRY : NGX_HTTP_WEBHOOK_STORE_TICK);
            return;
        }
    }

    if (st->busy) {

        /* a disk that does not answer refuses, too */

        if (ngx_current_msec - st->started > NGX_HTTP_WEBHOOK_STORE_PATIENCE
            && st->job == ngx_http_webhook_store_write
            && !st->zone->sh->failing)
        {
            ngx_http_webhook_store_failure(st, (u_char *) "no answer");
        }

        ngx_http_webhook_store_arm(st, NGX_HTTP_WEBHOOK_STORE_TICK);
        return;
    }

    if (!st->zone->sh->loaded) {
        ngx_http_webhook_store_hold(st);
    }

    ngx_http_webhook_store_flush(st);

    if (!st->timer.timer_set) {
        ngx_http_webhook_store_arm(st, NGX_HTTP_WEBHOOK_STORE_TICK);
    }
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

    ngx_http_webhook_store_inherit(st->zone, ngx_http_webhook_wake_self());

    if (sh->loaded) {
        return;
    }

    /* another process had it when the zone was made, or it was not readable */

    if (ngx_http_webhook_store_load(st->zone, &st->db) == NGX_OK) {
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


void
ngx_http_webhook_store_leave(ngx_http_webhook_storer_t *st)
{
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    if (st->db.stale) {
        ngx_http_webhook_db_wipe(&st->db);
    }

    ngx_http_webhook_db_close(&st->db);

    ngx_http_webhook_zone_lock(st->zone);

    if (ngx_http_webhook_owns(&sh->holder, ngx_http_webhook_wake_self())) {
        ngx_memzero(&sh->holder, sizeof(ngx_http_webhook_owner_t));
    }

    ngx_http_webhook_zone_unlock(st->zone);

    st->holder = 0;

    if (st->lock != NGX_INVALID_FILE) {
        (void) ngx_close_file(st->lock);
        st->lock = NGX_INVALID_FILE;
    }
}


void
ngx_http_webhook_store_exiting(void)
{
    ngx_http_webhook_storer_t  *st;

    st = &ngx_http_webhook_storer;

    if (st->mcf == NULL || st->exiting) {
        return;
    }

    st->exiting = 1;

    if (st->timer.timer_set) {
        ngx_del_timer(&st->timer);
    }

    if (st->event.posted) {
        ngx_delete_posted_event(&st->event);
    }

    if (st->holder && !st->busy) {
        ngx_http_webhook_store_flush_now(st);
        ngx_http_webhook_store_leave(st);
    }
}


/* the threads have ended before: what is left is written here */

void
ngx_http_webhook_store_exit_process(void)
{
    ngx_http_webhook_storer_t  *st;

    st = &ngx_http_webhook_storer;

    if (st->mcf == NULL) {
        return;
    }

    ngx_http_webhook_reader_exit();

    st->exiting = 1;

    if (st->busy) {
        ngx_http_webhook_store_result(st);
    }

    if (!st->holder) {
        st->holder = (ngx_http_webhook_store_lock(st->conf, &st->lock)
                      == NGX_OK);
        st->db.ours = st->holder;
    }

    if (st->holder) {
        ngx_http_webhook_store_flush_now(st);
        ngx_http_webhook_store_leave(st);
    }

    if (st->batch.data) {
        ngx_free(st->batch.data);
    }

    ngx_memzero(st, sizeof(ngx_http_webhook_storer_t));
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


void
ngx_http_webhook_store_exiting(void)
{
    /* void */
}


void
ngx_http_webhook_store_exit_process(void)
{
    /* void */
}


void
ngx_http_webhook_store_wake(ngx_http_webhook_zone_t *zone)
{
    /* void */
}


void
ngx_http_webhook_store_woken(void)
{
    /* void */
}


#endif
