
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * wake: in: "something was queued for this webhook"; out: its owner's ready()
 * handler; next: dispatch.
 *
 * The eventfds are made in the master, so that every worker of a generation
 * has those of all others.  Old workers, which go on after a reload, have
 * none of the new ones; the new owner's lease timer finds what they queue.
 */


#include "ngx_http_webhook_wake.h"

#include <sys/eventfd.h>


#define NGX_HTTP_WEBHOOK_LEASE  1000           /* ms between renewals */
#define NGX_HTTP_WEBHOOK_TAKE   25             /* ms, while old workers own */
#define NGX_HTTP_WEBHOOK_TAKES  40


typedef struct {
    int                       *fds;
    ngx_uint_t                 n;
    uint32_t                   generation;
} ngx_http_webhook_wake_t;


static void ngx_http_webhook_wake_close(void *data);
static ngx_int_t ngx_http_webhook_wake_listen(ngx_cycle_t *cycle);
static void ngx_http_webhook_wake_handler(ngx_event_t *ev);
static void ngx_http_webhook_wake_lease(ngx_event_t *ev);
static void ngx_http_webhook_wake_exiting(void);


static ngx_http_webhook_wake_t            ngx_http_webhook_wake_next;
static ngx_http_webhook_wake_t            ngx_http_webhook_wake_fds;
static ngx_http_webhook_owner_t           ngx_http_webhook_wake_owner;
static ngx_http_webhook_main_conf_t      *ngx_http_webhook_wake_conf;
static ngx_http_webhook_wake_handlers_t  *ngx_http_webhook_wake_handlers;
static u_char                            *ngx_http_webhook_wake_hooks;
static ngx_uint_t                         ngx_http_webhook_wake_nhooks;
static ngx_event_t                        ngx_http_webhook_wake_timer;
static ngx_uint_t                         ngx_http_webhook_wake_takes;
static ngx_uint_t                         ngx_http_webhook_wake_exit;


ngx_int_t
ngx_http_webhook_wake_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                n;
    ngx_core_conf_t          *ccf;
    ngx_pool_cleanup_t       *cln;
    ngx_http_webhook_wake_t  *w;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    cln = ngx_pool_cleanup_add(cycle->pool, sizeof(ngx_http_webhook_wake_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    n = ccf->master ? (ngx_uint_t) ccf->worker_processes : 1;

    w = cln->data;

    w->fds = ngx_palloc(cycle->pool, n * sizeof(int));
    if (w->fds == NULL) {
        return NGX_ERROR;
    }

    w->generation = (uint32_t) ngx_random();

    cln->handler = ngx_http_webhook_wake_close;

    for (w->n = 0; w->n < n; w->n++) {
        w->fds[w->n] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (w->fds[w->n] == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "eventfd() failed");
            return NGX_ERROR;
        }
    }

    ngx_http_webhook_wake_next = *w;

    return NGX_OK;
}


static void
ngx_http_webhook_wake_close(void *data)
{
    ngx_http_webhook_wake_t  *w = data;

    ngx_uint_t  i;

    for (i = 0; i < w->n; i++) {
        (void) close(w->fds[i]);
    }
}


void
ngx_http_webhook_wake_init_process(ngx_cycle_t *cycle,
    ngx_http_webhook_wake_handlers_t *handlers)
{
    ngx_http_webhook_wake_conf = ngx_http_cycle_get_module_main_conf(cycle,
                                                     ngx_http_webhook_module);

    ngx_http_webhook_wake_handlers = handlers;
    ngx_http_webhook_wake_fds = ngx_http_webhook_wake_next;

    ngx_http_webhook_wake_owner.pid = ngx_pid;
    ngx_http_webhook_wake_owner.worker = (uint32_t) ngx_worker;
    ngx_http_webhook_wake_owner.generation =
                                         ngx_http_webhook_wake_fds.generation;
}


ngx_int_t
ngx_http_webhook_wake_begin(ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    ngx_http_webhook_wake_hooks = ngx_pcalloc(cycle->pool,
                             ngx_http_webhook_wake_conf->hooks.nelts + 1);
    if (ngx_http_webhook_wake_hooks == NULL) {
        return NGX_ERROR;
    }

    if (ngx_worker < ngx_http_webhook_wake_fds.n
        && ngx_http_webhook_wake_listen(cycle) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "this worker finds events of others once a second");
    }

    ev = &ngx_http_webhook_wake_timer;

    ev->handler = ngx_http_webhook_wake_lease;
    ev->log = cycle->log;
    ev->data = &ngx_http_webhook_wake_timer;
    ev->cancelable = 1;

    ngx_http_webhook_wake_takes = NGX_HTTP_WEBHOOK_TAKES;

    ngx_http_webhook_wake_lease(ev);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_wake_listen(ngx_cycle_t *cycle)
{
    int                n;
    ngx_connection_t  *c;

    /* a descriptor of our own: nginx closes it when the worker exits */

    n = fcntl(ngx_http_webhook_wake_fds.fds[ngx_worker], F_DUPFD_CLOEXEC, 0);

    if (n == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "fcntl(F_DUPFD_CLOEXEC) failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(n, cycle->log);

    if (c == NULL) {
        (void) close(n);
        return NGX_ERROR;
    }

    /* "idle": nginx calls the handler when a graceful exit begins */

    c->idle = 1;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_http_webhook_wake_handler;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_http_webhook_owner_t *
ngx_http_webhook_wake_self(void)
{
    return &ngx_http_webhook_wake_owner;
}


ngx_uint_t
ngx_http_webhook_wake_owned(ngx_uint_t index)
{
    return ngx_http_webhook_wake_hooks && ngx_http_webhook_wake_hooks[index];
}


ngx_uint_t
ngx_http_webhook_wake_count(void)
{
    return ngx_http_webhook_wake_nhooks;
}


void
ngx_http_webhook_wake(ngx_http_webhook_hook_t *hook)
{
    ngx_http_webhook_owner_t  owner;

    if (ngx_http_webhook_wake_conf == NULL) {
        return;
    }

    if (ngx_http_webhook_wake_owned(hook->index)) {
        ngx_http_webhook_wake_handlers->ready(hook->index);
        return;
    }

    if (ngx_http_webhook_queue_owner(ngx_http_webhook_wake_conf->zone,
                                     hook->slot, &owner)
        != NGX_OK)
    {
        return;
    }

    ngx_http_webhook_wake_worker(&owner);
}


void
ngx_http_webhook_wake_worker(ngx_http_webhook_owner_t *worker)
{
    uint64_t  one;

    if (worker->generation != ngx_http_webhook_wake_fds.generation
        || worker->worker >= ngx_http_webhook_wake_fds.n)
    {
        return;
    }

    one = 1;

    if (write(ngx_http_webhook_wake_fds.fds[worker->worker], &one, sizeof(one))
        == -1 && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "write() to eventfd failed");
    }
}


static void
ngx_http_webhook_wake_handler(ngx_event_t *ev)
{
    uint64_t           n;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close) {
        ngx_close_connection(c);
        ngx_http_webhook_wake_exiting();
        return;
    }

    if (read(c->fd, &n, sizeof(n)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "read() of eventfd failed");
    }

    ev->ready = 0;

    for (i = 0; i < ngx_http_webhook_wake_conf->hooks.nelts; i++) {
        if (ngx_http_webhook_wake_hooks[i]) {
            ngx_http_webhook_wake_handlers->ready(i);
        }
    }

    ngx_http_webhook_wake_handlers->woken();

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0, "eventfd is lost");
    }
}


static void
ngx_http_webhook_wake_lease(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_msec_t                 wait;
    ngx_uint_t                 i, n, prefer, fresh;
    ngx_http_webhook_hook_t  **hooks;
    ngx_http_webhook_owner_t   owner;

    if (ngx_exiting || ngx_http_webhook_wake_exit) {
        ngx_http_webhook_wake_exiting();
        return;
    }

    n = 0;
    wait = NGX_HTTP_WEBHOOK_LEASE;
    hooks = ngx_http_webhook_wake_conf->hooks.elts;

    for (i = 0; i < ngx_http_webhook_wake_conf->hooks.nelts; i++) {

        prefer = ngx_http_webhook_wake_fds.n == 0
                 || hooks[i]->id % ngx_http_webhook_wake_fds.n == ngx_worker;

        rc = ngx_http_webhook_queue_own(ngx_http_webhook_wake_conf->zone,
                                        hooks[i]->slot,
                                        &ngx_http_webhook_wake_owner, prefer,
                                        &owner, &fresh);

        ngx_http_webhook_wake_hooks[i] = (rc == NGX_OK);

        if (rc == NGX_OK) {
            n += hooks[i]->active;
            ngx_http_webhook_wake_handlers->ready(i);

        } else if (rc == NGX_DECLINED && prefer && owner.pid
                   && owner.generation != ngx_http_webhook_wake_fds.generation
                   && ngx_http_webhook_wake_takes)
        {
            /* workers that a reload replaces are told to go a moment later */

            wait = NGX_HTTP_WEBHOOK_TAKE;
        }
    }

    ngx_http_webhook_wake_nhooks = n;

    if (wait == NGX_HTTP_WEBHOOK_TAKE) {
        ngx_http_webhook_wake_takes--;
    }

    ngx_add_timer(ev, wait);
}


static void
ngx_http_webhook_wake_exiting(void)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hooks;

    if (ngx_http_webhook_wake_exit) {
        return;
    }

    ngx_http_webhook_wake_exit = 1;

    hooks = ngx_http_webhook_wake_conf->hooks.elts;

    for (i = 0; i < ngx_http_webhook_wake_conf->hooks.nelts; i++) {

        if (ngx_http_webhook_wake_hooks[i]) {
            ngx_http_webhook_wake_hooks[i] = 0;
            ngx_http_webhook_queue_release(ngx_http_webhook_wake_conf->zone,
                                           hooks[i]->slot,
                                           &ngx_http_webhook_wake_owner);
        }
    }

    if (ngx_http_webhook_wake_timer.timer_set) {
        ngx_del_timer(&ngx_http_webhook_wake_timer);
    }

    ngx_http_webhook_wake_handlers->exiting();
}
