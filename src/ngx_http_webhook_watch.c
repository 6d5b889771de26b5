
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch: in: an execution that is not final; later, one timer of the worker;
 * out: a record in the zone; later, requests for what is due.  Next room:
 * watch_ask.
 */


#include "ngx_http_webhook_spare.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_WATCH_MAX      16      /* in flight, a worker */
#define NGX_HTTP_WEBHOOK_WATCH_TIMEOUT  30000   /* ms, one request */
#define NGX_HTTP_WEBHOOK_WATCH_TICK     5000    /* ms, at most: others may add
                                                   what is due before */
#define NGX_HTTP_WEBHOOK_WATCH_HASTE    10000   /* ms, of a new worker: those
                                                   that end give back theirs */
#define NGX_HTTP_WEBHOOK_WATCH_HASTY    500     /* ms, at most, in that time */
#define NGX_HTTP_WEBHOOK_WATCH_PAUSE    50      /* ms, in which no more than
                                                   ..._MAX begin */
#define NGX_HTTP_WEBHOOK_WATCH_COMPLAIN 60      /* s, between log lines */


typedef struct {
    ngx_http_webhook_main_conf_t    *mcf;
    ngx_event_t                      timer;
    ngx_http_webhook_detached_t     *busy[NGX_HTTP_WEBHOOK_WATCH_MAX];
    ngx_uint_t                       nbusy;
    time_t                           failed;   /* complained of a status */
    time_t                           astray;   /* the same, of no location */
    time_t                           ended;    /* ... of no answer */
    time_t                           unread;   /* the same, of no route */
    time_t                           crowded;  /* the same, of no room */
    time_t                           refused;  /* the same, of an id */
    time_t                           denied;   /* the same, of 401 */
    time_t                           barred;   /* the same, of what is never
                                                  asked for */
    u_char                          *text;     /* of the record just taken */
    ngx_msec_t                       paused;   /* when the latest ..._PAUSE
                                                  began */
    ngx_uint_t                       begun;    /* requests, since then */
    ngx_msec_t                       since;    /* when the worker began */
    unsigned                         full:1;   /* more may be due */
    unsigned                         exiting:1;
} ngx_http_webhook_watch_worker_t;


static void ngx_http_webhook_watch_timer(ngx_event_t *ev);
static void ngx_http_webhook_watch_arm(ngx_msec_t wait);
static ngx_uint_t ngx_http_webhook_watch_room(void);
static void ngx_http_webhook_watch_ask(ngx_http_webhook_watch_job_t *job);
static ngx_http_conf_ctx_t *ngx_http_webhook_watch_find(
    ngx_http_webhook_watch_job_t *job, ngx_http_webhook_watch_t **watch,
    ngx_http_webhook_api_t **api);
static void ngx_http_webhook_watch_done(ngx_http_webhook_detached_t *d);
static ngx_msec_t ngx_http_webhook_watch_wait(ngx_http_webhook_watch_t *watch,
    ngx_msec_t wait);
static ngx_uint_t ngx_http_webhook_watch_denied(
    ngx_http_webhook_watch_run_t *run, ngx_uint_t status);
static ngx_uint_t ngx_http_webhook_watch_often(time_t *said);
static void ngx_http_webhook_watch_complain(ngx_http_webhook_watch_run_t *run,
    ngx_uint_t status);


static ngx_http_webhook_watch_worker_t  ngx_http_webhook_watch_worker;


void
ngx_http_webhook_watch_begin(ngx_http_request_t *r,
    ngx_http_webhook_watch_t *watch,
    ngx_http_webhook_observation_t *observation, ngx_str_t *realm,
    ngx_http_webhook_watch_job_t *job)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_http_core_srv_conf_t         *cscf;
    ngx_http_webhook_main_conf_t     *mcf;
    ngx_http_webhook_watch_server_t  *server;
    ngx_http_webhook_watch_worker_t  *worker;

    job->index = 0;
    job->token = 0;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    server = mcf->watched.elts;

    for (i = 0; i < mcf->watched.nelts; i++) {
        if (server[i].cscf == cscf) {
            break;
        }
    }

    if (i == mcf->watched.nelts) {
        return;
    }

    rc = ngx_http_webhook_watch_text(r, watch->uri, observation, 0,
                                     &job->uri);

    ngx_str_null(&job->body);

    if (rc == NGX_OK && watch->body) {
        rc = ngx_http_webhook_watch_text(r, watch->body, observation, 1,
                                         &job->body);
    }

    /* a later response may have the members that this one lacks */

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc != NGX_ERROR) {
        job->token = 1 + ngx_random() % 255;
    }

    if (rc == NGX_OK) {
        job->realm = *realm;
        job->until = ngx_current_msec + watch->period;
        job->server = server[i].hash;
        job->api = watch->api;
        job->route = watch->route;

        job->index = ngx_http_webhook_watch_add(mcf->zone, job);
    }

    if (job->index) {
        return;
    }

    /* not to the connection's log: it adds the request line, with its query */

    worker = &ngx_http_webhook_watch_worker;

    if (rc == NGX_DECLINED) {

        if (!ngx_http_webhook_watch_often(&worker->refused)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "webhook watch: an execution is not watched: its "
                          "id, or a capture, cannot stand in the URI in "
                          "%s:%ui", watch->file, watch->line);
        }

        return;
    }

    job->token = 0;

    if (ngx_http_webhook_watch_often(&worker->crowded)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "webhook watch: executions are not watched: there is no "
                  "room");
}


void
ngx_http_webhook_watch_begun(ngx_http_webhook_watch_t *watch,
    ngx_http_webhook_watch_job_t *job)
{
    ngx_http_webhook_watch_put(ngx_http_webhook_watch_worker.mcf->zone, job,
                               watch->every, watch->every);
    ngx_http_webhook_watch_arm(watch->every);
}


ngx_int_t
ngx_http_webhook_watch_init_process(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf)
{
    ngx_http_webhook_watch_worker_t  *worker;

    worker = &ngx_http_webhook_watch_worker;

    ngx_memzero(worker, sizeof(ngx_http_webhook_watch_worker_t));

    worker->text = ngx_palloc(cycle->pool, NGX_HTTP_WEBHOOK_WATCH_TEXT);
    if (worker->text == NULL) {
        return NGX_ERROR;
    }

    worker->mcf = mcf;
    worker->since = ngx_current_msec;

    worker->timer.handler = ngx_http_webhook_watch_timer;
    worker->timer.log = cycle->log;
    worker->timer.data = worker;
    worker->timer.cancelable = 1;

    ngx_http_webhook_watch_reclaim(mcf->zone);

    ngx_http_webhook_watch_arm(NGX_HTTP_WEBHOOK_WATCH_PAUSE);

    return NGX_OK;
}


void
ngx_http_webhook_watch_wake(void)
{
    if (ngx_http_webhook_watch_worker.mcf) {
        ngx_http_webhook_watch_arm(NGX_HTTP_WEBHOOK_WATCH_PAUSE);
    }
}


void
ngx_http_webhook_watch_exiting(void)
{
    ngx_uint_t                        i;
    ngx_http_webhook_watch_worker_t  *worker;

    worker = &ngx_http_webhook_watch_worker;

    worker->exiting = 1;

    if (worker->timer.timer_set) {
        ngx_del_timer(&worker->timer);
    }

    /* another worker asks again */

    for (i = 0; i < NGX_HTTP_WEBHOOK_WATCH_MAX; i++) {
        if (worker->busy[i]) {
            ngx_http_webhook_detached_cancel(worker->busy[i],
                                             NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                             "nginx is shutting down");
        }
    }
}


static void
ngx_http_webhook_watch_timer(ngx_event_t *ev)
{
    ngx_msec_t                        wait, next;
    ngx_http_webhook_zone_t          *zone;
    ngx_http_webhook_watch_job_t      job;
    ngx_http_webhook_watch_worker_t  *worker;

    worker = ev->data;
    zone = worker->mcf->zone;

    if (worker->exiting) {
        return;
    }

    next = (ngx_current_msec - worker->since < NGX_HTTP_WEBHOOK_WATCH_HASTE)
           ? NGX_HTTP_WEBHOOK_WATCH_HASTY : NGX_HTTP_WEBHOOK_WATCH_TICK;

    worker->full = 0;

    ngx_memzero(&job, sizeof(ngx_http_webhook_watch_job_t));

    job.text = worker->text;

    while (ngx_http_webhook_watch_number(zone)) {

        if (!ngx_http_webhook_watch_room()) {
            worker->full = 1;

            if (worker->begun == NGX_HTTP_WEBHOOK_WATCH_MAX) {
                next = NGX_HTTP_WEBHOOK_WATCH_PAUSE;
            }

            break;
        }

        if (ngx_http_webhook_watch_take(zone, &job, &wait) != NGX_OK) {
            next = ngx_min(next, wait);
            break;
        }

        ngx_http_webhook_watch_ask(&job);
    }

    /* who adds one begins anew; so does who replaces a dead worker */

    if (ngx_http_webhook_watch_number(zone)) {
        ngx_http_webhook_watch_arm(ngx_max(next, 1));
    }
}


/* something may be due as soon as that */

static void
ngx_http_webhook_watch_arm(ngx_msec_t wait)
{
    ngx_msec_int_t                    left;
    ngx_http_webhook_watch_worker_t  *worker;

    worker = &ngx_http_webhook_watch_worker;

    if (worker->exiting) {
        return;
    }

    if (!worker->timer.timer_set) {
        ngx_add_timer(&worker->timer, wait);
        return;
    }

    left = (ngx_msec_int_t) (worker->timer.timer.key - ngx_current_msec);

    if (left > (ngx_msec_int_t) wait) {
        ngx_del_timer(&worker->timer);
        ngx_add_timer(&worker->timer, wait);
    }
}


static ngx_uint_t
ngx_http_webhook_watch_room(void)
{
    ngx_http_webhook_watch_worker_t  *worker;

    worker = &ngx_http_webhook_watch_worker;

    if (ngx_current_msec - worker->paused >= NGX_HTTP_WEBHOOK_WATCH_PAUSE) {
        worker->paused = ngx_current_msec;
        worker->begun = 0;
    }

    return worker->nbusy < NGX_HTTP_WEBHOOK_WATCH_MAX
           && worker->begun < NGX_HTTP_WEBHOOK_WATCH_MAX
           && ngx_http_webhook_spare() > 0;
}


static void
ngx_http_webhook_watch_ask(ngx_http_webhook_watch_job_t *job)
{
    ngx_int_t                         rc;
    ngx_str_t                         host, uri, body;
    ngx_uint_t                        i;
    ngx_msec_t                        wait;
    ngx_http_conf_ctx_t              *ctx;
    ngx_http_webhook_api_t           *api;
    ngx_http_webhook_watch_t         *watch;
    ngx_http_webhook_detached_t      *d;
    ngx_http_webhook_watch_run_t     *run;
    ngx_http_webhook_watch_worker_t  *worker;

    worker = &ngx_http_webhook_watch_worker;

    ctx = ngx_http_webhook_watch_find(job, &watch, &api);

    if (ctx == NULL) {

        /* another reload may bring it back */

        goto again;
    }

    wait = ngx_http_webhook_watch_wait(watch, job->interval);

    if (watch->held) {
        worker->begun++;
        ngx_http_webhook_watch_put(worker->mcf->zone, job, wait, job->interval);
        return;
    }

    d = ngx_http_webhook_detached_create(ctx);
    if (d == NULL) {
        goto again;
    }

    run = ngx_pcalloc(d->pool, sizeof(ngx_http_webhook_watch_run_t));
    if (run == NULL) {
        goto discard;
    }

    /* a clock that was set back while it was in a file makes it no longer */

    job->until = ngx_min(job->until, ngx_current_msec + watch->period);

    run->watch = watch;
    run->api = api;

    if (ngx_http_webhook_watch_prepare(d, job, run, &host) != NGX_OK) {
        goto discard;
    }

    d->done = ngx_http_webhook_watch_done;

    uri = run->job.uri;
    body = run->job.body;

    rc = ngx_http_webhook_own_run(d, &host, &uri, &body,
                                  NGX_HTTP_WEBHOOK_WATCH_TIMEOUT);

    if (rc == NGX_DECLINED) {
        ngx_http_webhook_watch_drop(worker->mcf->zone, job);
        return;
    }

    if (rc != NGX_OK) {
        goto again;
    }

    for (i = 0; i < NGX_HTTP_WEBHOOK_WATCH_MAX; i++) {
        if (worker->busy[i] == NULL) {
            worker->busy[i] = d;
            break;
        }
    }

    worker->nbusy++;
    worker->begun++;

    return;

discard:

    ngx_http_webhook_detached_discard(d);

again:

    ngx_http_webhook_watch_put(worker->mcf->zone, job,
                               NGX_HTTP_WEBHOOK_WATCH_SLOWEST, job->interval);
}


/* NULL: the configuration has no longer what the record depends on */

static ngx_http_conf_ctx_t *
ngx_http_webhook_watch_find(ngx_http_webhook_watch_job_t *job,
    ngx_http_webhook_watch_t **watch, ngx_http_webhook_api_t **api)
{
    ngx_uint_t                         i, k;
    ngx_http_webhook_api_t           **apis;
    ngx_http_webhook_route_t          *route;
    ngx_http_webhook_main_conf_t      *mcf;
    ngx_http_webhook_watch_server_t   *server;

    mcf = ngx_http_webhook_watch_worker.mcf;

    *watch = NULL;
    *api = NULL;

    apis = mcf->apis.elts;

    for (i = 0; i < mcf->apis.nelts && *watch == NULL; i++) {
        route = apis[i]->routes.elts;

        for (k = 0; k < apis[i]->routes.nelts; k++) {

            if (route[k].watch
                && route[k].watch->api == job->api
                && route[k].watch->route == job->route)
            {
                *watch = route[k].watch;
                *api = apis[i];
                break;
            }
        }
    }

    if (*watch == NULL) {
        return NULL;
    }

    server = mcf->watched.elts;

    for (i = 0; i < mcf->watched.nelts; i++) {
        if (server[i].hash == job->server) {
            return server[i].cscf->ctx;
        }
    }

    return NULL;
}


static void
ngx_http_webhook_watch_done(ngx_http_webhook_detached_t *d)
{
    ngx_uint_t                        i, status, answered, denied;
    ngx_msec_t                        wait, interval;
    ngx_http_webhook_zone_t          *zone;
    ngx_http_webhook_watch_run_t     *run;
    ngx_http_webhook_watch_worker_t  *worker;

    worker = &ngx_http_webhook_watch_worker;

    run = d->data;
    zone = worker->mcf->zone;
    status = d->result.status;

    for (i = 0; i < NGX_HTTP_WEBHOOK_WATCH_MAX; i++) {
        if (worker->busy[i] == d) {
            worker->busy[i] = NULL;
            worker->nbusy--;
        }
    }

    /* what came without a last buffer is read when the request is freed */

    if (d->sr) {
        ngx_http_webhook_watch_hide(d->sr, run);
    }

    answered = (run->ctx != NULL);

    if (d->result.error == NGX_HTTP_WEBHOOK_ERR_TIMEOUT) {
        status = NGX_HTTP_GATEWAY_TIME_OUT;

    } else if (run->own.error && !answered) {

        /* its page says less */

        status = run->own.error;
        run->observed = 1;
    }

    denied = ngx_http_webhook_watch_denied(run, status);

    if (worker->exiting && !answered) {
        ngx_http_webhook_watch_put(zone, &run->job, 0, run->job.interval);
        return;
    }

    ngx_http_webhook_zone_count(zone,
                                answered ? NGX_HTTP_WEBHOOK_CNT_ANSWERED
                                : denied ? NGX_HTTP_WEBHOOK_CNT_DENIED
                                         : NGX_HTTP_WEBHOOK_CNT_FAILED, 1);

    if (status && status < NGX_HTTP_INTERNAL_SERVER_ERROR && !run->observed
        && !run->own.failed)
    {

        /* the location is gone, or observes no longer */

        ngx_http_webhook_watch_complain(run, 0);
        ngx_http_webhook_watch_drop(zone, &run->job);

    } else {
        interval = run->job.interval;
        interval = answered ? interval + interval / 2 : 2 * interval;
        interval = ngx_min(interval, NGX_HTTP_WEBHOOK_WATCH_SLOWEST);
        interval = ngx_max(interval, run->watch->every);

        if (!answered) {
            ngx_http_webhook_watch_complain(run, status);
        }

        if (run->hold) {
            run->watch->held = 1;
            run->watch->until = ngx_current_msec + run->hold;
        }

        wait = ngx_http_webhook_watch_wait(run->watch, interval);

        ngx_http_webhook_watch_put(zone, &run->job, wait, interval);
        ngx_http_webhook_watch_arm(wait);
    }

    if (worker->full) {
        worker->full = 0;
        ngx_http_webhook_watch_arm(NGX_HTTP_WEBHOOK_WATCH_PAUSE);
    }
}


/* from now on, of what else would wait so long; not all at once, then */

static ngx_msec_t
ngx_http_webhook_watch_wait(ngx_http_webhook_watch_t *watch, ngx_msec_t wait)
{
    ngx_msec_int_t  left;

    left = watch->held ? (ngx_msec_int_t) (watch->until - ngx_current_msec) : 0;

    if (left <= 0) {
        watch->held = 0;
        return wait;
    }

    return left + ngx_random() % (wait + 1);
}


/* a 403 may be that of the module's own guard, which a location passes on */

static ngx_uint_t
ngx_http_webhook_watch_denied(ngx_http_webhook_watch_run_t *run,
    ngx_uint_t status)
{
    return status == NGX_HTTP_UNAUTHORIZED
           || (status == NGX_HTTP_FORBIDDEN && run->own.barred == NULL);
}


/* whether it was said a short time ago; if not, it is now */

static ngx_uint_t
ngx_http_webhook_watch_often(time_t *said)
{
    if (*said && (uint64_t) (ngx_time() - *said)
                 < NGX_HTTP_WEBHOOK_WATCH_COMPLAIN)
    {
        return 1;
    }

    *said = ngx_time();

    return 0;
}


static void
ngx_http_webhook_watch_complain(ngx_http_webhook_watch_run_t *run,
    ngx_uint_t status)
{
    ngx_http_webhook_watch_worker_t  *worker;

    worker = &ngx_http_webhook_watch_worker;

    if (run->observed && ngx_http_webhook_watch_denied(run, status)) {
        if (!ngx_http_webhook_watch_often(&worker->denied)) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "webhook watch: the credential of webhook_api "
                          "\"%V\" (watch_header) is refused with status %ui, "
                          "for the URI in %s:%ui",
                          &run->api->name, status, run->watch->file,
                          run->watch->line);
        }

        return;
    }

    if (run->own.barred && (run->observed || run->own.refused)) {
        if (!ngx_http_webhook_watch_often(&worker->barred)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "webhook watch: no answer to the URI in %s:%ui: %s",
                          run->watch->file, run->watch->line, run->own.barred);
        }

        return;
    }

    if (status == 0 && !run->own.refused) {
        if (!ngx_http_webhook_watch_often(&worker->ended)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "webhook watch: nginx ended the request to the URI "
                          "in %s:%ui without an answer",
                          run->watch->file, run->watch->line);
        }

        return;
    }

    if (!run->observed && status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        if (!ngx_http_webhook_watch_often(&worker->astray)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "webhook watch: the URI in %s:%ui comes to no "
                          "location with \"webhook_observe\"",
                          run->watch->file, run->watch->line);
        }

        return;
    }

    if (status >= NGX_HTTP_OK && status < NGX_HTTP_BAD_REQUEST) {
        if (!ngx_http_webhook_watch_often(&worker->unread)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "webhook watch: no route of webhook_api reads the "
                          "answer to the URI in %s:%ui",
                          run->watch->file, run->watch->line);
        }

        return;
    }

    if (!ngx_http_webhook_watch_often(&worker->failed)) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "webhook watch: webhook_api \"%V\" answered with status "
                      "%ui",
                      &run->api->name, status);
    }
}
