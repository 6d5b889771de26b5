
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_wake: something has changed in the zone -> the worker that writes
 * hears of it, and writes: at once what a delivery waits for, the rest, and
 * crowds, as a group.  Next room: store_job.
 */


#include "ngx_http_webhook_store_job.h"
#include "ngx_http_webhook_wake.h"


#define NGX_HTTP_WEBHOOK_STORE_GROUP   10          /* ms, between two batches
                                                      of what can wait */
#define NGX_HTTP_WEBHOOK_STORE_CROWD   2           /* ms, between two of those
                                                      that come in crowds */
#define NGX_HTTP_WEBHOOK_STORE_MANY    4           /* records: a crowd */


#if (NGX_HTTP_WEBHOOK_SQLITE)

static void ngx_http_webhook_store_told(ngx_http_webhook_storer_t *st);
static void ngx_http_webhook_store_event(ngx_event_t *ev);


ngx_http_webhook_storer_t  ngx_http_webhook_storer;


void
ngx_http_webhook_store_wake_init(ngx_cycle_t *cycle)
{
    ngx_http_webhook_storer_t  *st;

    st = &ngx_http_webhook_storer;

    st->event.handler = ngx_http_webhook_store_event;
    st->event.log = cycle->log;
    st->event.data = st;

    st->group = st->event;
    st->group.cancelable = 1;
}


void
ngx_http_webhook_store_wake_end(void)
{
    ngx_http_webhook_storer_t  *st;

    st = &ngx_http_webhook_storer;

    if (st->event.posted) {
        ngx_delete_posted_event(&st->event);
    }

    if (st->group.timer_set) {
        ngx_del_timer(&st->group);
    }
}


void
ngx_http_webhook_store_wake(ngx_http_webhook_zone_t *zone)
{
    ngx_uint_t                  is, was;
    ngx_http_webhook_shm_t     *sh;
    ngx_http_webhook_owner_t    holder;
    ngx_http_webhook_storer_t  *st;

    sh = zone->sh;

    if (!sh->storing) {
        return;
    }

    st = &ngx_http_webhook_storer;

    if (ngx_http_webhook_store_holds(st)) {
        ngx_http_webhook_store_told(st);
        return;
    }

    is = sh->urgent ? 2 : 1;

    do {
        was = sh->signalled;

        if (was >= is) {
            return;
        }

    } while (!ngx_atomic_cmp_set(&sh->signalled, was, is));

    /* who has it comes, at the latest, with its next tick */

    holder = sh->holder;

    if (holder.pid) {
        ngx_http_webhook_wake_worker(&holder);
    }
}


void
ngx_http_webhook_store_woken(void)
{
    if (ngx_http_webhook_storer.holder) {
        ngx_http_webhook_store_told(&ngx_http_webhook_storer);
    }
}


static void
ngx_http_webhook_store_told(ngx_http_webhook_storer_t *st)
{
    if (st->busy || st->event.posted
        || (st->group.timer_set && !st->zone->sh->urgent))
    {
        return;
    }

    ngx_post_event(&st->event, &ngx_posted_events);
}


/* posted, or the timer of a group */

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


ngx_msec_t
ngx_http_webhook_store_wait(ngx_http_webhook_storer_t *st)
{
    ngx_msec_t               passed, least;
    ngx_http_webhook_shm_t  *sh;

    sh = st->zone->sh;

    if (st->group.timer_set) {
        ngx_del_timer(&st->group);
    }

    passed = ngx_current_msec - st->wrote;

    if (!sh->urgent) {
        least = NGX_HTTP_WEBHOOK_STORE_GROUP;

    } else if (st->batch.n >= NGX_HTTP_WEBHOOK_STORE_MANY) {
        least = NGX_HTTP_WEBHOOK_STORE_CROWD;

    } else {
        return 0;
    }

    if (st->exiting || passed >= least
        || (sh->untaken == 0 && !sh->slots_changed))
    {
        return 0;
    }

    /* a batch that was full has left some */

    if (st->batch.n == NGX_HTTP_WEBHOOK_BATCH
        || st->batch.used >= NGX_HTTP_WEBHOOK_BATCH_SIZE)
    {
        return 0;
    }

    return least - passed;
}


#else


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
