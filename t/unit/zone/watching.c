
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * A watch is made before the state that it is of: others leave it alone until
 * that is there, unless who makes it dies.
 */


#include "zone/zone.h"
#include "ngx_http_webhook_watch.h"

#include <sys/wait.h>


#define EVERY  100    /* ms */


static world_t  w;


static uint32_t
make(ngx_http_webhook_watch_job_t *job, uint64_t n)
{
    static u_char  uri[] = "/api/jobs/1";

    memset(job, 0, sizeof(ngx_http_webhook_watch_job_t));

    world_key(job->key, n);

    job->token = 7;
    job->until = ngx_current_msec + 1000000;
    job->uri.data = uri;
    job->uri.len = sizeof(uri) - 1;

    job->index = ngx_http_webhook_watch_add(w.zone, job);

    return job->index;
}


static ngx_int_t
take(ngx_msec_t *wait)
{
    static u_char                 text[NGX_HTTP_WEBHOOK_WATCH_TEXT];
    ngx_http_webhook_watch_job_t  job;

    memset(&job, 0, sizeof(job));
    job.text = text;

    return ngx_http_webhook_watch_take(w.zone, &job, wait);
}


static void
know(uint64_t n)
{
    u_char                      key[16];
    ngx_http_webhook_zstate_t  *s;

    world_add(&w, n, NGX_HTTP_WEBHOOK_LAUNCHED, 1, n, 100, 0);
    world_key(key, n);

    s = ngx_http_webhook_block(w.zone,
                               ngx_http_webhook_state_find(w.zone, key));
    s->state.watch = 7;
}


void
test_watching(void)
{
    int                           status;
    pid_t                         pid;
    ngx_msec_t                    wait;
    ngx_http_webhook_watch_job_t  job;

    world_create(&w, 2 * 1024 * 1024, 10);

    check(make(&job, 1) != 0, "a watch without a state");

    unit_time(ngx_current_msec + 50 * EVERY);

    check(take(&wait) == NGX_DECLINED, "it is not taken");
    check_number(ngx_http_webhook_watch_number(w.zone), 1, "nor forgotten");

    know(1);
    ngx_http_webhook_watch_put(w.zone, &job, EVERY, EVERY);

    check(take(&wait) == NGX_DECLINED, "with its state it is due later");
    check_number(wait, EVERY, "in its time");

    unit_time(ngx_current_msec + EVERY);

    check(take(&wait) == NGX_OK, "then it is taken");
    check(world_check(&w, "watched"), "consistent");

    /* who makes one dies */

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        _exit(make(&job, 2) == 0);
    }

    waitpid(pid, &status, 0);

    check_number(status, 0, "another makes one, and dies");
    check_number(ngx_http_webhook_watch_number(w.zone), 2, "it is there");

    ngx_http_webhook_watch_reclaim(w.zone);

    check(take(&wait) == NGX_DECLINED, "without its state");
    check_number(ngx_http_webhook_watch_number(w.zone), 1, "it is forgotten");
    check(world_check(&w, "forgotten"), "consistent");

    world_destroy(&w);
}
