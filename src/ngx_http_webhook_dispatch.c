
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * dispatch: in: webhooks that may have something due (wake.c, ended attempts,
 * the timer); out: attempts, at most four begun in a turn of the event loop, so
 * that clients are served in between; next: send.
 */


#include "ngx_http_webhook_send.h"
#include "ngx_http_webhook_curl.h"
#include "ngx_http_webhook_detached.h"
#include "ngx_http_webhook_dispatch.h"
#include "ngx_http_webhook_emit.h"
#include "ngx_http_webhook_spare.h"
#include "ngx_http_webhook_store.h"
#include "ngx_http_webhook_wake.h"
#include "ngx_http_webhook_watch.h"


#define NGX_HTTP_WEBHOOK_TURN          4       /* attempts begun in a turn */
#define NGX_HTTP_WEBHOOK_PRESSED       200     /* ms to wait for connections */
#define NGX_HTTP_WEBHOOK_NO_MEMORY     1000    /* ms to wait for memory */


typedef struct {
    ngx_event_t                     timer;     /* to the next due delivery */
    ngx_http_webhook_signer_t      *signer;
    ngx_uint_t                      in_flight;
    ngx_uint_t                      ready;     /* unsigned  ready:1; */
} ngx_http_webhook_sender_t;


typedef struct {
    ngx_http_webhook_main_conf_t   *mcf;
    ngx_http_webhook_sender_t      *senders;   /* one a webhook */
    ngx_uint_t                     *ready;     /* a ring of their numbers */
    ngx_uint_t                      first;     /* in it: whose turn it is */
    ngx_uint_t                      nready;
    ngx_uint_t                      in_flight;
    ngx_uint_t                      busy;      /* senders that have any */
    ngx_event_t                     event;     /* posted: senders are ready */
    ngx_event_t                     timer;     /* to look for connections */
    time_t                          pressed;   /* when that was said */
    unsigned                        exiting:1;
} ngx_http_webhook_dispatch_t;


static void ngx_http_webhook_dispatch_ping(
    ngx_http_webhook_main_conf_t *mcf, ngx_array_t *fresh, ngx_log_t *log);
static void ngx_http_webhook_dispatch_ready(ngx_uint_t index);
static void ngx_http_webhook_dispatch_append(ngx_uint_t index);
static void ngx_http_webhook_dispatch_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_webhook_dispatch_sender(ngx_uint_t index,
    ngx_uint_t max);
static ngx_uint_t ngx_http_webhook_dispatch_room(void);
static ngx_uint_t ngx_http_webhook_dispatch_share(ngx_uint_t index,
    ngx_uint_t room);
static void ngx_http_webhook_dispatch_due(ngx_event_t *ev);
static ngx_int_t ngx_http_webhook_dispatch_init(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf);
static void ngx_http_webhook_dispatch_look(ngx_event_t *ev);
static void ngx_http_webhook_dispatch_post(void);
static void ngx_http_webhook_dispatch_done(ngx_http_webhook_hook_t *hook);
static void ngx_http_webhook_dispatch_exiting(void);


static ngx_http_webhook_dispatch_t  ngx_http_webhook_dispatch;

static ngx_http_webhook_wake_handlers_t  ngx_http_webhook_dispatch_wakers = {
    ngx_http_webhook_dispatch_ready,
    ngx_http_webhook_store_woken,
    ngx_http_webhook_dispatch_exiting
};


ngx_int_t
ngx_http_webhook_dispatch_init_module(ngx_cycle_t *cycle)
{
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_webhook_module);

    if (ngx_http_webhook_store_init_module(cycle, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_wake_init_module(cycle);
}


void
ngx_http_webhook_dispatch_init_process(ngx_cycle_t *cycle)
{
    ngx_array_t                    fresh;
    ngx_http_webhook_hook_t       *first[4];
    ngx_http_webhook_dispatch_t   *dp;
    ngx_http_webhook_main_conf_t  *mcf;

    dp = &ngx_http_webhook_dispatch;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_webhook_module);

    ngx_memzero(dp, sizeof(ngx_http_webhook_dispatch_t));

    dp->mcf = mcf;

    fresh.elts = first;
    fresh.nelts = 0;
    fresh.size = sizeof(ngx_http_webhook_hook_t *);
    fresh.nalloc = 4;
    fresh.pool = cycle->pool;

    if (ngx_http_webhook_queue_slots(mcf->zone, mcf, &fresh) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, 0,
                      "webhook_zone \"%V\" has no room for all webhooks",
                      &mcf->zone_name);
    }

    ngx_http_webhook_wake_init_process(cycle,
                                       &ngx_http_webhook_dispatch_wakers);

    if (ngx_http_webhook_dispatch_init(cycle, mcf) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "this worker cannot send webhooks; "
                      "others, or those of a reload, have to");
    }

    if (ngx_http_webhook_store_init_process(cycle, mcf) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "this worker cannot use webhook_store; "
                      "others, or those of a reload, have to");
    }

    if (ngx_http_webhook_watch_init_process(cycle, mcf) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "this worker cannot \"watch\"; "
                      "others, or those of a reload, have to");
    }

    ngx_http_webhook_dispatch_ping(mcf, &fresh, cycle->log);
}


static ngx_int_t
ngx_http_webhook_dispatch_init(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf)
{
    ngx_uint_t                    i;
    ngx_http_webhook_sender_t    *sender;
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;

    dp->ready = ngx_palloc(cycle->pool, (mcf->hooks.nelts + 1)
                                        * sizeof(ngx_uint_t));
    if (dp->ready == NULL) {
        return NGX_ERROR;
    }

    dp->senders = ngx_pcalloc(cycle->pool, (mcf->hooks.nelts + 1)
                                           * sizeof(ngx_http_webhook_sender_t));
    if (dp->senders == NULL) {
        return NGX_ERROR;
    }

    dp->event.handler = ngx_http_webhook_dispatch_handler;
    dp->event.log = cycle->log;
    dp->event.data = dp;

    dp->timer.handler = ngx_http_webhook_dispatch_look;
    dp->timer.log = cycle->log;
    dp->timer.data = dp;
    dp->timer.cancelable = 1;

    for (i = 0; i < mcf->hooks.nelts; i++) {
        sender = &dp->senders[i];

        sender->timer.handler = ngx_http_webhook_dispatch_due;
        sender->timer.log = cycle->log;
        sender->timer.data = sender;
        sender->timer.cancelable = 1;
    }

    if (ngx_http_webhook_curl_init(cycle, mcf->connections) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_wake_begin(cycle);
}


static void
ngx_http_webhook_dispatch_ping(ngx_http_webhook_main_conf_t *mcf,
    ngx_array_t *fresh, ngx_log_t *log)
{
    u_char                     uuid[16];
    ngx_str_t                  nobody;
    ngx_uint_t                 i;
    ngx_pool_t                *pool;
    ngx_http_webhook_hook_t  **hooks;

    hooks = fresh->elts;
    ngx_str_null(&nobody);

    for (i = 0; i < fresh->nelts; i++) {

        if (!hooks[i]->active
            || !(hooks[i]->events
                 & ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_PING)))
        {
            continue;
        }

        pool = ngx_create_pool(4096, log);
        if (pool == NULL) {
            return;
        }

        if (ngx_http_webhook_emit_ping(mcf, hooks[i], &nobody, pool, uuid)
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "webhook \"%V\" could not be pinged",
                          &hooks[i]->name);
        }

        ngx_destroy_pool(pool);
    }
}


void
ngx_http_webhook_dispatch_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                    i;
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;

    if (dp->senders == NULL) {
        return;
    }

    ngx_http_webhook_curl_exit(cycle);
    ngx_http_webhook_store_exit_process();

    for (i = 0; i < dp->mcf->hooks.nelts; i++) {
        if (dp->senders[i].signer) {
            ngx_http_webhook_signer_free(dp->senders[i].signer);
        }
    }

    dp->senders = NULL;
}


void
ngx_http_webhook_dispatch_wake(ngx_http_webhook_hook_t *hook)
{
    ngx_http_webhook_wake(hook);
    ngx_http_webhook_store_wake(ngx_http_webhook_dispatch.mcf->zone);
}


ngx_int_t
ngx_http_webhook_dispatch_variables(ngx_conf_t *cf)
{
    return ngx_http_webhook_send_variables(cf);
}


static void
ngx_http_webhook_dispatch_ready(ngx_uint_t index)
{
    ngx_http_webhook_dispatch_append(index);
    ngx_http_webhook_dispatch_post();
}


static void
ngx_http_webhook_dispatch_append(ngx_uint_t index)
{
    ngx_uint_t                    n;
    ngx_http_webhook_sender_t    *sender;
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;
    sender = &dp->senders[index];

    if (!sender->ready) {
        sender->ready = 1;

        n = dp->first + dp->nready++;
        dp->ready[n % dp->mcf->hooks.nelts] = index;
    }
}


static void
ngx_http_webhook_dispatch_post(void)
{
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;

    if (dp->nready && !dp->exiting && !dp->event.posted) {
        ngx_post_event(&dp->event, &ngx_posted_next_events);
    }
}


/*
 * Each sender has one turn.  For those without room others' attempts end first,
 * after which this is posted again.
 */

static void
ngx_http_webhook_dispatch_handler(ngx_event_t *ev)
{
    ngx_uint_t                    n, turn, room, share, index;
    ngx_http_webhook_dispatch_t  *dp;

    dp = ev->data;

    turn = NGX_HTTP_WEBHOOK_TURN;

    for (n = dp->nready; n; n--) {

        if (turn == 0) {
            ngx_http_webhook_dispatch_post();
            return;
        }

        room = ngx_http_webhook_dispatch_room();

        if (room == 0) {
            return;
        }

        index = dp->ready[dp->first];

        dp->first = (dp->first + 1) % dp->mcf->hooks.nelts;
        dp->nready--;
        dp->senders[index].ready = 0;

        share = ngx_http_webhook_dispatch_share(index, room);

        if (share == 0) {
            ngx_http_webhook_dispatch_append(index);
            continue;
        }

        turn -= ngx_http_webhook_dispatch_sender(index, ngx_min(turn, share));
    }
}


static ngx_uint_t
ngx_http_webhook_dispatch_sender(ngx_uint_t index, ngx_uint_t max)
{
    ngx_uint_t                    i, n, failed;
    ngx_msec_t                    next;
    ngx_http_webhook_job_t        jobs[NGX_HTTP_WEBHOOK_TURN];
    ngx_http_webhook_hook_t      *hook;
    ngx_http_webhook_sender_t    *sender;
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;
    sender = &dp->senders[index];
    hook = ((ngx_http_webhook_hook_t **) dp->mcf->hooks.elts)[index];

    if (sender->timer.timer_set) {
        ngx_del_timer(&sender->timer);
    }

    if (!ngx_http_webhook_wake_owned(index)
        || ngx_http_webhook_queue_idle(dp->mcf->zone, hook->slot))
    {
        return 0;
    }

    if (sender->signer == NULL) {
        sender->signer = ngx_http_webhook_signer_create(hook);

        if (sender->signer == NULL) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "webhook \"%V\": keys could not be prepared",
                          &hook->name);
            return 0;
        }
    }

    failed = 0;

    n = ngx_http_webhook_queue_take(dp->mcf->zone, hook,
                                    ngx_http_webhook_wake_self(), jobs, max,
                                    &next);

    for (i = 0; i < n; i++) {

        if (ngx_http_webhook_send_start(dp->mcf, hook, sender->signer,
                                           &jobs[i],
                                           ngx_http_webhook_dispatch_done)
            == NGX_OK)
        {
            dp->in_flight++;

            if (sender->in_flight++ == 0) {
                dp->busy++;
            }

            continue;
        }

        ngx_http_webhook_queue_return(dp->mcf->zone, &jobs[i],
                                      NGX_HTTP_WEBHOOK_NO_MEMORY);
        failed = 1;
    }

    if (failed) {
        ngx_add_timer(&sender->timer, NGX_HTTP_WEBHOOK_NO_MEMORY);

    } else if (n == max) {
        ngx_http_webhook_dispatch_ready(index);

    } else if (next != NGX_CONF_UNSET_MSEC) {
        ngx_add_timer(&sender->timer, ngx_max(next, 1));
    }

    return n;
}


/* how many attempts may begin; later if there is none */

static ngx_uint_t
ngx_http_webhook_dispatch_room(void)
{
    ngx_uint_t                    spare;
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;

    spare = ngx_http_webhook_spare();

    if (spare == 0) {

        if ((uint64_t) (ngx_time() - dp->pressed) >= 60) {
            dp->pressed = ngx_time();

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "webhooks wait: an eighth of worker_connections and "
                          "of the files that may be open is for clients");
        }

        if (!dp->timer.timer_set) {
            ngx_add_timer(&dp->timer, NGX_HTTP_WEBHOOK_PRESSED);
        }

        return 0;
    }

    if (dp->in_flight >= dp->mcf->connections) {
        return 0;
    }

    return ngx_min(dp->mcf->connections - dp->in_flight, spare);
}


/*
 * How many of them it may take: one is left for each webhook that has none in
 * flight, up to half of all, so that those which hang delay no other one.
 */

static ngx_uint_t
ngx_http_webhook_dispatch_share(ngx_uint_t index, ngx_uint_t room)
{
    ngx_uint_t                    own, idle, left;
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;

    own = (dp->senders[index].in_flight == 0);
    idle = ngx_http_webhook_wake_count();
    idle -= ngx_min(idle, dp->busy + own);
    left = ngx_min(idle, dp->mcf->connections / 2);

    room -= own;

    return own + (room > left ? room - left : 0);
}


static void
ngx_http_webhook_dispatch_due(ngx_event_t *ev)
{
    ngx_http_webhook_sender_t  *sender;

    sender = ev->data;

    ngx_http_webhook_dispatch_ready(sender
                                    - ngx_http_webhook_dispatch.senders);
}


static void
ngx_http_webhook_dispatch_look(ngx_event_t *ev)
{
    ngx_http_webhook_dispatch_post();
}


static void
ngx_http_webhook_dispatch_done(ngx_http_webhook_hook_t *hook)
{
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;

    dp->in_flight--;

    if (--dp->senders[hook->index].in_flight == 0) {
        dp->busy--;
    }

    ngx_http_webhook_store_wake(dp->mcf->zone);

    if (ngx_http_webhook_wake_owned(hook->index)) {
        ngx_http_webhook_dispatch_ready(hook->index);
        return;
    }

    ngx_http_webhook_wake(hook);
    ngx_http_webhook_dispatch_post();
}


static void
ngx_http_webhook_dispatch_exiting(void)
{
    ngx_uint_t                    i;
    ngx_core_conf_t              *ccf;
    ngx_http_webhook_dispatch_t  *dp;

    dp = &ngx_http_webhook_dispatch;

    dp->exiting = 1;

    if (dp->timer.timer_set) {
        ngx_del_timer(&dp->timer);
    }

    for (i = 0; i < dp->mcf->hooks.nelts; i++) {
        if (dp->senders[i].timer.timer_set) {
            ngx_del_timer(&dp->senders[i].timer);
        }
    }

    if (dp->event.posted) {
        ngx_delete_posted_event(&dp->event);
    }

    ngx_http_webhook_store_exiting();
    ngx_http_webhook_watch_exiting();

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->shutdown_timeout != NGX_CONF_UNSET_MSEC
        && ccf->shutdown_timeout != 0)
    {
        ngx_http_webhook_detached_shutdown(ccf->shutdown_timeout);
    }
}
