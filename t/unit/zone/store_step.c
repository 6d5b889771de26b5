
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The process that writes the store is killed after every single instruction
 * of what it does to the zone: whatever it was doing, the next one writes what
 * there is to be written.
 */


#include "zone/store.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>


#if (NGX_HTTP_WEBHOOK_SQLITE)


#define GATHER    0
#define WRITTEN   1
#define JOIN      2
#define RELIEVE   3
#define REFILL    4
#define LAST      5
#define REFUSED   6
#define GIVE_UP   7
#define INHERIT   8
#define ADD       9
#define FINISH    10
#define EVICT     11
#define CHANGES   12


static const char  *changes[] = {
    "taking for a batch", "a batch that was written",
    "one that joins those in the store alone",
    "going to the store alone", "flowing back", "the last flowing back",
    "a batch that was refused", "giving up the disk", "another writer",
    "adding with a store", "finishing with a store",
    "giving way to what is new"
};


static world_t                   w;
static ngx_http_webhook_batch_t  batch;
static u_char                   *slots;
static ngx_http_webhook_job_t    jobs[16];


/* all that is in the file when another process has written what is left */

static uint64_t
digest(void)
{
    uint32_t      i;
    uint64_t      h, sum;
    file_row_t   *row;

    ngx_http_webhook_store_inherit(w.zone, &w.self, 0);

    if (!store_flush(&w) || !store_agree(&w, "cut off")) {
        return 0;
    }

    sum = 1;

    for (i = 0; i < file->n; i++) {
        row = &file->rows[i];

        h = world_number(row->rec.uuid) * 64 + row->rec.status * 8
            + row->rec.tries;

        h = (h + 1) * 0x9e3779b97f4a7c15ULL;
        sum += (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ULL;
    }

    return sum;
}


static void
prepare(ngx_uint_t what)
{
    ngx_uint_t                   i, more;
    ngx_msec_t                   wait;
    ngx_http_webhook_verdict_t   verdict;

    store_create(&w, 100);

    slots = calloc(1, w.zone->sh->nslots);
    memset(&batch, 0, sizeof(batch));
    srandom(7);

    /* memory that need not be made while it is watched */

    batch.size = NGX_HTTP_WEBHOOK_BATCH_SIZE;
    batch.data = malloc(batch.size);

    /* a few more than there is room for, or not many */

    more = (what == RELIEVE || what == REFILL || what == LAST);

    for (i = 1; i <= (more ? 22 : 12); i++) {
        world_add(&w, i, NGX_HTTP_WEBHOOK_LAUNCHED, more ? 15 : 3, i,
                  more ? 700 : 300, 50);
    }

    (void) store_flush(&w);

    (void) world_take(&w, 1, jobs, 4, &wait);

    if (what == JOIN) {
        ngx_http_webhook_zone_lock(w.zone);
        ngx_http_webhook_zone_begin(w.zone);
        ngx_http_webhook_store_spill(w.zone,
                                 w.zone->slots[w.hooks[0].slot].queue.tail);
        ngx_http_webhook_zone_unlock(w.zone);
    }

    if (what == REFILL || what == LAST) {
        ngx_http_webhook_store_relieve(w.zone);

        for (i = 0; i < HOOKS; i++) {
            w.zone->slots[w.hooks[i].slot].health.state
                = NGX_HTTP_WEBHOOK_HEALTH_OK;
        }

        file_read(&batch, 1000, w.zone->slots[w.hooks[0].slot].spill,
                  (what == LAST) ? 1000 : 8);
        return;
    }

    if (what == RELIEVE) {
        return;
    }

    world_finish(&w, &jobs[0], 200, 100, &verdict);
    world_add(&w, 200, NGX_HTTP_WEBHOOK_LAUNCHED, 3, 200, 200, 40);
    world_add(&w, 1, NGX_HTTP_WEBHOOK_STARTED, 3, 201, 200, 40);

    if (what == WRITTEN || what == JOIN || what == REFUSED || what == INHERIT) {
        (void) ngx_http_webhook_store_gather(w.zone, &batch);

        /* changed again, since */

        world_finish(&w, &jobs[1], 200, 100, &verdict);
        world_add(&w, 2, NGX_HTTP_WEBHOOK_FINISHED, 3, 202, 200, 40);
    }

    if (what == WRITTEN || what == JOIN) {
        file_write(&batch);
    }

    if (what == EVICT) {
        (void) store_flush(&w);
        world_finish(&w, &jobs[1], 200, 100, &verdict);

        for (i = 1000;
             world_add(&w, i, NGX_HTTP_WEBHOOK_STARTED, 0, i, 0, 0) == NGX_OK;
             i++)
        {
            /* void */
        }
    }
}


static void
change(ngx_uint_t what)
{
    ngx_http_webhook_verdict_t   verdict;

    srandom(7);

    switch (what) {

    case GATHER:
        (void) ngx_http_webhook_store_gather(w.zone, &batch);
        break;

    case WRITTEN:
    case JOIN:
        ngx_http_webhook_store_written(w.zone, &batch, slots);
        break;

    case RELIEVE:
        ngx_http_webhook_store_relieve(w.zone);
        break;

    case REFILL:
    case LAST:
        (void) ngx_http_webhook_store_refill(w.zone, &batch, w.hooks[0].slot,
                                             what == REFILL);
        break;

    case REFUSED:
        ngx_http_webhook_store_refused(w.zone, &batch);
        break;

    case GIVE_UP:
        ngx_http_webhook_store_give_up(w.zone, slots);
        break;

    case INHERIT:
        ngx_http_webhook_store_inherit(w.zone, &w.self, 0);
        break;

    case ADD:
        world_add(&w, 3, NGX_HTTP_WEBHOOK_FINISHED, 7, 300, 300, 50);
        break;

    case FINISH:
        world_finish(&w, &jobs[2], 400, 1000, &verdict);
        break;

    case EVICT:
        world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 4, 300, 700, 50);
        break;
    }
}


/* if it were killed here: what the next one makes of it */

static ngx_uint_t
cut(ngx_uint_t what, file_t *saved, uint64_t old, uint64_t new)
{
    uint64_t  now;

    if (!world_check(&w, changes[what])) {
        return 0;
    }

    now = digest();
    file_restore(saved);

    if (now == 0 || (now != old && now != new)) {
        printf("# %s has half happened\n", changes[what]);
        return 0;
    }

    return world_check(&w, changes[what]);
}


static int
step(ngx_uint_t what, ngx_uint_t *points)
{
    int          status;
    pid_t        pid;
    size_t       size;
    u_char      *before, *image;
    file_t      *saved;
    uint64_t     old, new;
    ngx_uint_t   ok;

    size = w.shm.shm.size;
    before = malloc(size);
    image = malloc(size);
    saved = file_save();

    memcpy(before, w.shpool, size);

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
    ok = WIFSTOPPED(status) ? 1 : 2;

    old = digest();
    file_restore(saved);
    memcpy(w.shpool, before, size);

    change(what);
    new = digest();
    file_restore(saved);
    memcpy(w.shpool, before, size);
    memcpy(image, before, size);

    *points = 0;

    if (old == 0 || new == 0 || (old == new) != (what < ADD)) {
        printf("# %s: not what was to be tried\n", changes[what]);
        ok = 0;
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

        (*points)++;

        memcpy(image, w.shpool, size);
        unit_force_unlock(w.shpool, pid);

        ok = cut(what, saved, old, new);

        memcpy(w.shpool, image, size);
    }

    if (pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }

    free(before);
    free(image);
    free(saved);

    return ok;
}


void
test_store_step(void)
{
    int         rc;
    ngx_uint_t  i, points;

    for (i = 0; i < CHANGES; i++) {
        prepare(i);

        rc = step(i, &points);

        if (rc == 2) {
            printf("# ptrace() is not allowed here\n");

        } else {
            check(rc && points, "%s, cut off at each of %d stores", changes[i],
                  (int) points);
        }

        world_destroy(&w);
        file_destroy();
        free(batch.data);
        free(slots);
    }
}


#endif
