
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_end: a worker ends -> what it has not written is, and the lock is for
 * another one of its zone, or of the next.  Next rooms: store_job, store_hand.
 */


#include "ngx_http_webhook_store_job.h"
#include "ngx_http_webhook_store_query.h"
#include "ngx_http_webhook_wake.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)


#define NGX_HTTP_WEBHOOK_STORE_LINGER  50          /* ms, between two looks */
#define NGX_HTTP_WEBHOOK_STORE_GRACE   1000        /* ms, for others to end */
#define NGX_HTTP_WEBHOOK_STORE_CLAIM   100         /* looks, at the exit */
#define NGX_HTTP_WEBHOOK_STORE_MOMENT  10          /* ms, between them */


static void ngx_http_webhook_store_part(ngx_event_t *ev);
static void ngx_http_webhook_store_linger(ngx_event_t *ev);
static void ngx_http_webhook_store_last(ngx_event_t *ev);


void
ngx_http_webhook_store_leave(ngx_http_webhook_storer_t *st)
{
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    /* not so if new workers have given it another file */

    if (ngx_http_webhook_store_lock_claimed(st->lock, st->zone) == NGX_OK) {
        ngx_http_webhook_store_flush_now(st);
    }

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
    ngx_msec_t                  patience;
    ngx_http_webhook_storer_t  *st;

    st = &ngx_http_webhook_storer;

    if (st->mcf == NULL || st->exiting) {
        return;
    }

    st->exiting = 1;

    if (st->timer.timer_set) {
        ngx_del_timer(&st->timer);
    }

    ngx_http_webhook_store_wake_end();

    /*
     * No new workers have this zone: those who get the lock will not know what
     * is in flight here, nor hear of what the last responses say.
     */

    if (st->configured == st->zone->sh->configured) {
        patience = ngx_http_webhook_store_patience(st);

        if (!st->holder) {
            st->timer.handler = ngx_http_webhook_store_part;

            ngx_add_timer(&st->timer, patience);
            return;
        }

        st->lingers = 1;
        st->until = ngx_current_msec + patience;

        st->timer.handler = ngx_http_webhook_store_linger;
        st->timer.cancelable = 0;

        ngx_add_timer(&st->timer, NGX_HTTP_WEBHOOK_STORE_LINGER);
        return;
    }

    if (st->holder && !st->busy) {
        ngx_http_webhook_store_leave(st);
        return;
    }

    if (st->holder) {
        st->timer.handler = ngx_http_webhook_store_last;
        st->timer.cancelable = 0;

        ngx_add_timer(&st->timer, NGX_HTTP_WEBHOOK_STORE_PATIENCE);
    }
}


/* as long as the last job is under way, no other worker has the lock */

static void
ngx_http_webhook_store_last(ngx_event_t *ev)
{
    ngx_http_webhook_store_late(ev->data);
}


void
ngx_http_webhook_store_late(ngx_http_webhook_storer_t *st)
{
    if (st->busy
        && ngx_current_msec - st->started >= NGX_HTTP_WEBHOOK_STORE_PATIENCE
        && st->job == ngx_http_webhook_store_write
        && !st->zone->sh->failing)
    {
        ngx_http_webhook_store_failure(st, (u_char *) "no answer");
    }
}


/* what is still under way here keeps nobody from the store any longer */

static void
ngx_http_webhook_store_part(ngx_event_t *ev)
{
    ngx_http_webhook_storer_t  *st;

    st = ev->data;

    if (st->lock != NGX_INVALID_FILE) {
        (void) ngx_close_file(st->lock);
        st->lock = NGX_INVALID_FILE;
    }
}


ngx_msec_t
ngx_http_webhook_store_patience(ngx_http_webhook_storer_t *st)
{
    ngx_uint_t                 i;
    ngx_msec_t                 longest;
    ngx_core_conf_t           *ccf;
    ngx_http_webhook_hook_t  **hooks;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->shutdown_timeout != NGX_CONF_UNSET_MSEC
        && ccf->shutdown_timeout != 0)
    {
        return ccf->shutdown_timeout + NGX_HTTP_WEBHOOK_STORE_GRACE;
    }

    longest = 0;
    hooks = st->mcf->hooks.elts;

    for (i = 0; i < st->mcf->hooks.nelts; i++) {
        longest = ngx_max(longest, hooks[i]->timeout);
    }

    return longest + NGX_HTTP_WEBHOOK_STORE_GRACE;
}


/* writes on, until it is the last that anyone has to say of this zone */

static void
ngx_http_webhook_store_linger(ngx_event_t *ev)
{
    ngx_http_webhook_storer_t  *st;

    st = ev->data;

    if ((ngx_msec_int_t) (st->until - ngx_current_msec) > 0
        && (st->busy
            || ngx_event_no_timers_left() != NGX_OK
            || ngx_http_webhook_store_lock_shared(st->lock, st->zone)))
    {
        ngx_http_webhook_store_late(st);
        ngx_http_webhook_store_flush(st);

        ngx_add_timer(ev, NGX_HTTP_WEBHOOK_STORE_LINGER);
        return;
    }

    st->lingers = 0;

    if (!st->busy) {
        ngx_http_webhook_store_leave(st);
    }
}


/* the threads have ended before: what is left is written here */

void
ngx_http_webhook_store_exit_process(void)
{
    ngx_int_t                   locked, claimed;
    ngx_uint_t                  n;
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
        locked = NGX_ERROR;
        claimed = NGX_ABORT;

        for (n = 0; n < NGX_HTTP_WEBHOOK_STORE_CLAIM; n++) {
            locked = ngx_http_webhook_store_lock(st->conf, &st->lock);
            claimed = (locked == NGX_ERROR)
                      ? NGX_ABORT
                      : ngx_http_webhook_store_lock_claimed(st->lock, st->zone);

            if (locked != NGX_BUSY
                || claimed != NGX_OK
                || st->zone->sh->holder.pid)
            {
                break;
            }

            /* another zone's worker has it, and is about to say so */

            ngx_msleep(NGX_HTTP_WEBHOOK_STORE_MOMENT);
        }

        st->holder = (locked == NGX_OK && claimed == NGX_OK
                      && (st->zone->sh->unsaved_list.head
                          || st->zone->sh->slots_changed)
                      && ngx_http_webhook_store_inherit(st->zone,
                                    ngx_http_webhook_wake_self(),
                                    ngx_http_webhook_store_lock_file(st->lock))
                         == NGX_OK);
        st->db.ours = st->holder;

        if (claimed == NGX_DECLINED) {
            ngx_http_webhook_store_hand_over(st);
        }
    }

    if (st->holder) {
        ngx_http_webhook_store_leave(st);
    }

    if (st->batch.data) {
        ngx_free(st->batch.data);
    }

    ngx_memzero(st, sizeof(ngx_http_webhook_storer_t));
}


#else


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


#endif
