
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * A process that works in the zone is killed: at moments by chance, and after
 * every single instruction.  What had been committed is there, once; what was
 * under way has happened as a whole or not at all.
 */


#include "zone/zone.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_watch_zone.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>


#define EVENTS      3000
#define EXECUTIONS  16

#define NONE        0
#define QUEUED      1
#define ENDED       2


/* what the child had been told, and what it was doing */

typedef struct {
    uint64_t             steps;
    uint64_t             last;                  /* event */
    uint64_t             adding;                /* event, or 0 */
    uint64_t             execution;
    uint64_t             before;                /* version of its state */
    ngx_uint_t           to;
    uint64_t             finishing;             /* number of a UUID + 1 */
    uint64_t             versions[EXECUTIONS + 1];
    u_char               known[EVENTS * HOOKS];
} journal_t;


static world_t              w;
static volatile journal_t  *journal;
static u_char               seen[EVENTS * HOOKS];
static u_char               texts[2][NGX_HTTP_WEBHOOK_WATCH_TEXT];
static ngx_http_webhook_watch_job_t  watch;


static void
work(unsigned seed)
{
    ngx_uint_t                   i, k, n, event, hook;
    ngx_msec_t                   wait;
    ngx_http_webhook_job_t       jobs[16];
    ngx_http_webhook_verdict_t   verdict;

    srandom(seed);

    w.self.pid = ngx_pid;
    w.self.generation = seed;

    world_own(&w);

    for ( ;; ) {
        n = 1 + random() % EXECUTIONS;
        event = 1 + random() % 4;

        if (journal->last + 1 < EVENTS) {
            journal->to = 1 + random() % 255;
            journal->execution = n;
            journal->before = journal->versions[n];
            journal->adding = journal->last + 1;

            if (world_add(&w, n, event, journal->to, journal->adding,
                          random() % 1500, random() % 300)
                == NGX_OK)
            {
                journal->versions[n] = journal->before + 1;

                for (i = 0; i < HOOKS; i++) {
                    if (journal->to & (1 << i)) {
                        journal->known[journal->adding * HOOKS + i] = QUEUED;
                    }
                }
            }

            journal->last++;
            journal->adding = 0;
        }

        hook = random() % HOOKS;
        k = world_take(&w, hook, jobs, 1 + random() % 8, &wait);

        for (i = 0; i < k; i++) {
            journal->finishing = world_number(jobs[i].uuid) + 1;

            if (world_finish(&w, &jobs[i], (random() % 10) ? 200 : 400,
                             random() % 3000, &verdict)
                == NGX_OK
                && verdict.status != NGX_HTTP_WEBHOOK_WAITING)
            {
                journal->known[journal->finishing - 1] = ENDED;
            }

            journal->finishing = 0;
        }

        unit_time(ngx_current_msec + 1);
        journal->steps++;
    }
}


static ngx_uint_t
verify(void)
{
    u_char                       key[16];
    uint64_t                     next, number;
    ngx_int_t                    open;
    ngx_uint_t                   i, n, there, missing;
    ngx_http_webhook_state_t     state;
    ngx_http_webhook_filter_t    filter;
    ngx_http_webhook_summary_t   list[100];

    memset(seen, 0, sizeof(seen));
    memset(&filter, 0, sizeof(filter));
    filter.slot = NGX_HTTP_WEBHOOK_NO_SLOT;

    do {
        n = ngx_http_webhook_queue_list(w.zone, &filter, list, 100, &next);

        for (i = 0; i < n; i++) {
            number = world_number(list[i].uuid);

            if (seen[number]) {
                printf("# %d is there twice\n", (int) number);
                return 0;
            }

            open = (list[i].status == NGX_HTTP_WEBHOOK_WAITING
                    || list[i].status == NGX_HTTP_WEBHOOK_SENDING);

            seen[number] = open ? QUEUED : ENDED;

            /* superseded by an event that came after it */

            if (list[i].status == NGX_HTTP_WEBHOOK_SUPERSEDED
                && journal->known[number] == QUEUED)
            {
                journal->known[number] = ENDED;
            }
        }

        filter.after = next;

    } while (next);

    there = 0;
    missing = 0;

    for (number = 0; number < EVENTS * HOOKS; number++) {

        if (journal->adding && number / HOOKS == journal->adding) {

            if (journal->to & (1 << (number % HOOKS))) {
                there += (seen[number] != NONE);
                missing += (seen[number] == NONE);
            }

            journal->known[number] = seen[number];
            continue;
        }

        if (number + 1 == journal->finishing && seen[number]) {
            journal->known[number] = seen[number];
        }

        if (seen[number] != journal->known[number]) {
            printf("# %d is %d, not %d\n", (int) number, seen[number],
                   journal->known[number]);
            return 0;
        }
    }

    if (there && missing) {
        printf("# half of an event\n");
        return 0;
    }

    for (n = 1; n <= EXECUTIONS; n++) {

        if (journal->adding && n == journal->execution) {
            journal->versions[n] = journal->before + (there != 0);
        }

        world_key(key, n);
        ngx_http_webhook_queue_state(w.zone, key, &state);

        if (state.version != journal->versions[n]) {
            printf("# state %d has version %d, not %d\n", (int) n,
                   (int) state.version, (int) journal->versions[n]);
            return 0;
        }
    }

    if (journal->adding) {
        journal->last = journal->adding;
    }

    journal->adding = 0;
    journal->finishing = 0;

    return 1;
}


void
test_kill(ngx_uint_t n)
{
    pid_t       pid;
    uint64_t    start;
    ngx_uint_t  i, ok, locked, rebuilt;

    ok = 1;
    locked = 0;
    rebuilt = 0;
    journal = NULL;
    start = ngx_current_msec;

    for (i = 0; i < n && ok; i++) {

        if (journal == NULL || journal->last + 20 > EVENTS) {

            if (journal) {
                rebuilt += w.zone->sh->rebuilt;
                munmap((void *) journal, sizeof(journal_t));
                world_destroy(&w);
            }

            unit_time(start);
            world_create(&w, 64 * 1024 * 1024, 100000);

            journal = mmap(NULL, sizeof(journal_t), PROT_READ|PROT_WRITE,
                           MAP_ANON|MAP_SHARED, -1, 0);
        }

        fflush(stdout);
        pid = fork();

        if (pid == 0) {
            ngx_pid = getpid();
            work(i + 1);
        }

        unit_kill(pid, &journal->steps, random() % 60);

        locked += unit_force_unlock(w.shpool, pid);

        /* what it had sent waits for the next one */

        unit_time(ngx_current_msec + 20000);

        ok = world_check(&w, "killed") && verify();
    }

    rebuilt += w.zone->sh->rebuilt;

    check(ok, "%d processes killed: nothing is lost, nothing doubled", (int) n);
    check(locked > 0 && rebuilt > 0,
          "%d of them held the lock, %d had begun to change the zone",
          (int) locked, (int) rebuilt);

    munmap((void *) journal, sizeof(journal_t));
    world_destroy(&w);
    journal = NULL;
}


/* --- after every instruction --- */

static uint64_t
digest(void)
{
    u_char                          key[16];
    uint64_t                        h, next;
    ngx_uint_t                      i, n;
    ngx_http_webhook_state_t        state;
    ngx_http_webhook_filter_t       filter;
    ngx_http_webhook_zwatch_t      *record;
    ngx_http_webhook_summary_t      list[100];
    ngx_http_webhook_hook_stat_t    stat;

    memset(&filter, 0, sizeof(filter));
    filter.slot = NGX_HTTP_WEBHOOK_NO_SLOT;

    n = ngx_http_webhook_queue_list(w.zone, &filter, list, 100, &next);
    h = n;

#define mix(x)  h = (h ^ (uint64_t) (x)) * 0x9e3779b97f4a7c15ULL

    for (i = 0; i < n; i++) {
        mix(world_number(list[i].uuid));
        mix(list[i].status);
        mix(list[i].attempts);
        mix(list[i].code);
        mix(list[i].next);
    }

    for (i = 0; i <= 3; i++) {
        world_key(key, i);
        ngx_http_webhook_queue_state(w.zone, key, &state);
        mix(state.version);
        mix(state.rank);
    }

    ngx_http_webhook_queue_stat(w.zone, w.hooks[0].slot, &stat);
    mix(stat.health.state);
    mix(stat.health.failures);
    mix(stat.health.last_failure);
    mix(stat.waiting);
    mix(stat.in_flight);
    mix(stat.owner.pid != 0);

    for (record = ngx_http_webhook_watch_next(w.zone, NULL);
         record;
         record = ngx_http_webhook_watch_next(w.zone, record))
    {
        mix(record->due);
        mix(record->key[0]);
        mix(record->uri);
    }

#undef mix

    return h;
}


/* a watch of an execution, with texts that fill more than one block */

static void
add_watch(uint64_t n)
{
    watch.text = texts[0];
    memset(texts[0], 'x', 600);

    world_key(watch.key, n);

    watch.until = ngx_current_msec + 1000000;
    watch.realm.data = texts[0];
    watch.realm.len = 5;
    watch.uri.data = texts[0] + 5;
    watch.uri.len = 300;
    watch.body.data = texts[0] + 305;
    watch.body.len = 295;

    watch.index = ngx_http_webhook_watch_add(w.zone, &watch);
}


static void
change(ngx_uint_t what)
{
    u_char                       uuid[16];
    uint32_t                     slot;
    ngx_msec_t                   wait;
    ngx_http_webhook_job_t       job;
    ngx_http_webhook_verdict_t   verdict;

    srandom(7);

    switch (what) {

    case 0:
    case 8:
        world_add(&w, 1, NGX_HTTP_WEBHOOK_FINISHED, 0xff, 50, 900, 300);
        break;

    case 1:
        world_add(&w, 3, NGX_HTTP_WEBHOOK_LAUNCHED, 0x0f, 51, 100, 0);
        break;

    case 2:
        world_take(&w, 0, &job, 1, &wait);
        break;

    case 3:
    case 4:
    case 9:
        memset(&job, 0, sizeof(job));
        job.slot = w.hooks[0].slot;
        job.index = ngx_http_webhook_index(w.zone, ngx_http_webhook_block(
                        w.zone, w.zone->slots[job.slot].sending.head));
        job.token = ((ngx_http_webhook_zdelivery_t *)
                     ngx_http_webhook_block(w.zone, job.index))->token;
        world_finish(&w, &job, (what == 3) ? 503 : 200, 2000, &verdict);
        break;

    case 5:
        world_key(uuid, 5 * HOOKS);
        ngx_http_webhook_queue_again(w.zone, uuid, &slot);
        break;

    case 6:
        ngx_http_webhook_queue_pause(w.zone, w.hooks[0].slot, 1);
        break;

    case 7:
        ngx_http_webhook_queue_release(w.zone, w.hooks[0].slot, &w.self);
        break;

    case 10:
        add_watch(4);
        break;

    case 11:
        watch.text = texts[1];
        ngx_http_webhook_watch_take(w.zone, &watch, &wait);
        break;

    case 12:
        ngx_http_webhook_watch_put(w.zone, &watch, 7000, 8000);
        break;

    case 13:
        ngx_http_webhook_watch_drop(w.zone, &watch);
        break;

    case 14:
        world_enrich(&w, 4, NGX_HTTP_WEBHOOK_STARTED, 0x07, 14, 1500, 0x02);
        break;
    }
}


static const char  *changes[] = {
    "adding to a known execution", "adding to a new one", "taking",
    "finishing in failure", "finishing in success", "sending again", "pausing",
    "releasing", "adding while the log is full", "finishing while it is full",
    "adding a watch", "taking one", "putting one back", "dropping one",
    "getting a better payload"
};


static void
prepare(ngx_uint_t log)
{
    ngx_uint_t                   i, n;
    ngx_msec_t                   wait;
    ngx_http_webhook_job_t       jobs[16];
    ngx_http_webhook_verdict_t   verdict;

    world_create(&w, 1024 * 1024, log);

    for (i = 1; i <= 5; i++) {
        world_add(&w, 2, NGX_HTTP_WEBHOOK_UPDATED, 0xff, i, 500, 200);
    }

    world_take(&w, 0, jobs, 1, &wait);
    world_finish(&w, &jobs[0], 400, 5000, &verdict);
    unit_time(ngx_current_msec + 10000);

    n = world_take(&w, 0, jobs, 16, &wait);

    for (i = 0; i < n; i++) {
        world_finish(&w, &jobs[i], 200, 5000, &verdict);
    }

    world_add(&w, 2, NGX_HTTP_WEBHOOK_STARTED, 1, 10, 500, 200);
    n = world_take(&w, 0, jobs, 1, &wait);

    world_add(&w, 1, NGX_HTTP_WEBHOOK_STARTED, 0xff, 11, 500, 200);
    world_add(&w, 1, NGX_HTTP_WEBHOOK_UPDATED, 0xff, 12, 500, 200);
    world_add(&w, 2, NGX_HTTP_WEBHOOK_UPDATED, 0xff, 13, 500, 200);

    add_watch(2);
    ngx_http_webhook_watch_put(w.zone, &watch, 9000, 9000);

    add_watch(1);
    ngx_http_webhook_watch_put(w.zone, &watch, 0, 0);

    world_pend(&w, 4, NGX_HTTP_WEBHOOK_STARTED, 0x07, 14, 500,
               ngx_current_msec + 3000, 0x06);
}


static int
step(ngx_uint_t what, ngx_uint_t *points)
{
    int          status;
    pid_t        pid;
    size_t       size;
    u_char      *before, *image;
    uint64_t     old, new, now;
    ngx_uint_t   ok;

    size = w.shm.shm.size;
    before = malloc(size);
    image = malloc(size);

    /* what it is to become */

    memcpy(before, w.shpool, size);

    old = digest();
    change(what);
    new = digest();

    memcpy(w.shpool, before, size);
    memcpy(image, before, size);

    ok = 1;
    *points = 0;

    if (old == new) {
        printf("# nothing is changed by %s\n", changes[what]);
        ok = 0;
    }

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(2);
        }

        ngx_pid = getpid();
        raise(SIGSTOP);
        change(what);
        _exit(0);
    }

    waitpid(pid, &status, 0);

    if (!WIFSTOPPED(status)) {
        ok = 2;
    }

    while (ok == 1) {

        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == -1) {
            ok = 2;
            break;
        }

        waitpid(pid, &status, 0);

        if (WIFEXITED(status)) {
            pid = 0;
            break;
        }

        if (memcmp(image, w.shpool, size) == 0) {
            continue;
        }

        /* if it were killed here */

        (*points)++;

        memcpy(image, w.shpool, size);
        unit_force_unlock(w.shpool, pid);

        ok = world_check(&w, changes[what]);
        now = digest();

        /* entries of the log, and deliveries, go one by one */

        if (now != old && now != new && what != 8 && what != 9 && what != 14) {
            printf("# %s has half happened\n", changes[what]);
            ok = 0;
        }

        ok = ok && world_check(&w, changes[what]);

        memcpy(w.shpool, image, size);
    }

    if (pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }

    free(before);
    free(image);

    return ok;
}


void
test_step(void)
{
    int         rc;
    ngx_uint_t  i, points;

    for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        prepare((i == 8 || i == 9) ? 3 : 100);

        rc = step(i, &points);

        if (rc == 2) {
            printf("# ptrace() is not allowed here\n");

        } else {
            check(rc && points, "%s, cut off at each of %d stores", changes[i],
                  (int) points);
        }

        world_destroy(&w);
    }
}
