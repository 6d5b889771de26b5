
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The process that works in the zone and writes the store is killed, at
 * moments by chance; so is everything at once.
 */


#include "zone/store.h"

#include <signal.h>
#include <sys/wait.h>


#if (NGX_HTTP_WEBHOOK_SQLITE)


#define EVENTS      300
#define EXECUTIONS  16
#define TARGETS     4                           /* webhooks that have events */

#define NONE        0
#define QUEUED      1
#define ENDED       2

#define IDLE        0
#define WRITING     1
#define READING     2


typedef struct {
    uint64_t    steps;
    uint64_t    last;                           /* event */
    uint64_t    adding;                         /* event, or 0 */
    ngx_uint_t  to;
    uint64_t    finishing;                      /* number of a UUID + 1 */
    uint64_t    again;                          /* sent though it had ended */
    uint64_t    early;                          /* sent before it was stored */
    uint64_t    sent;
    uint64_t    spilled;
    u_char      known[(EVENTS + 2) * HOOKS];
} journal_t;


static world_t              w;
static volatile journal_t  *journal;


static void
add(void)
{
    uint64_t    uuid;
    ngx_uint_t  i;

    if (journal->last + 1 >= EVENTS) {
        return;
    }

    uuid = journal->last + 1;

    journal->to = 1 + random() % ((1 << TARGETS) - 1);
    journal->adding = uuid;

    if (world_add(&w, 1 + random() % EXECUTIONS, 1 + random() % 4,
                  journal->to, uuid, random() % 600,
                  (random() % 4) ? 0 : random() % 100)
        == NGX_OK)
    {
        for (i = 0; i < TARGETS; i++) {
            if (journal->to & (1 << i)) {
                journal->known[uuid * HOOKS + i] = QUEUED;
            }
        }
    }

    journal->last = uuid;
    journal->adding = 0;
}


static void
deliver(ngx_uint_t hook, ngx_uint_t well)
{
    uint64_t                     number;
    ngx_uint_t                   i, k;
    ngx_msec_t                   wait;
    ngx_http_webhook_job_t       jobs[16];
    ngx_http_webhook_verdict_t   verdict;

    k = world_take(&w, hook, jobs, 1 + random() % 16, &wait);

    for (i = 0; i < k; i++) {
        number = world_number(jobs[i].uuid);

        journal->sent++;
        journal->again += (journal->known[number] == ENDED);
        journal->early += (file_find(number) == NULL);

        journal->finishing = number + 1;

        if (world_finish(&w, &jobs[i], (well || random() % 4) ? 200 : 400,
                         random() % 3000, &verdict)
            == NGX_OK
            && verdict.status != NGX_HTTP_WEBHOOK_WAITING)
        {
            journal->known[number] = ENDED;
        }

        journal->finishing = 0;
    }
}


/* one step of who writes the store; other things happen between them */

static void
store(ngx_http_webhook_batch_t *batch, ngx_uint_t *job, u_char *slots)
{
    static uint32_t  slot;

    switch (*job) {

    case IDLE:

        slot = ngx_http_webhook_store_wanted(w.zone, slot + 1);

        if (slot != NGX_HTTP_WEBHOOK_NO_SLOT && random() % 2) {
            file_read(batch, w.zone->slots[slot].id, w.zone->slots[slot].spill,
                      NGX_HTTP_WEBHOOK_REFILL);
            *job = READING;
            break;
        }

        slot = 0;

        if (ngx_http_webhook_store_gather(w.zone, batch) == NGX_OK
            && batch->used)
        {
            *job = WRITING;
        }

        break;

    case READING:

        ngx_http_webhook_store_refill(w.zone, batch, slot,
                                      batch->n == NGX_HTTP_WEBHOOK_REFILL);
        *job = IDLE;
        break;

    case WRITING:

        if (random() % 8 == 0) {
            ngx_http_webhook_store_refused(w.zone, batch);

        } else {
            file_write(batch);
            ngx_http_webhook_store_written(w.zone, batch, slots);
            ngx_http_webhook_store_relieve(w.zone);
        }

        *job = IDLE;
        break;
    }

    if (w.zone->slots[w.hooks[0].slot].spilled) {
        journal->spilled = 1;
    }
}


static void
work(unsigned seed)
{
    u_char                    *slots;
    ngx_uint_t                 job, busy;
    ngx_http_webhook_batch_t   batch;

    srandom(seed);

    w.self.pid = ngx_pid;
    w.self.generation = seed;

    memset(&batch, 0, sizeof(batch));
    slots = calloc(1, w.zone->sh->nslots);
    job = IDLE;

    world_own(&w);
    ngx_http_webhook_store_inherit(w.zone, &w.self, 0);

    /* some take in more than they send */

    busy = seed % 3;

    for ( ;; ) {
        switch (random() % 4) {

        case 0:
            add();
            break;

        case 1:
            if (busy || random() % 8 == 0) {
                deliver(random() % TARGETS, 0);
            }

            break;

        default:
            store(&batch, &job, slots);
        }

        unit_time(ngx_current_msec + 1);
        journal->steps++;
    }
}


/* what the journal could not tell any more */

static void
settle(uint64_t number)
{
    uint32_t                       i;
    u_char                         uuid[16];
    file_row_t                    *row;
    ngx_http_webhook_zdelivery_t  *d;

    world_key(uuid, number);

    row = file_find(number);
    i = ngx_http_webhook_delivery_find(w.zone, uuid);
    d = ngx_http_webhook_block(w.zone, i);

    if (journal->adding && number / HOOKS == journal->adding) {
        journal->known[number] = row ? QUEUED : NONE;
    }

    if (number + 1 == journal->finishing && i && !ngx_http_webhook_open(d)) {
        journal->known[number] = ENDED;
    }

    /* by an event that came after it */

    if (row && row->rec.ended
        && row->rec.status == NGX_HTTP_WEBHOOK_SUPERSEDED)
    {
        journal->known[number] = ENDED;
    }
}


static ngx_uint_t
verify(const char *when)
{
    uint64_t     number;
    file_row_t  *row;
    ngx_uint_t   i, is, there;

    for (number = 0; number < (journal->last + 2) * HOOKS; number++) {
        settle(number);

        row = file_find(number);
        is = (row == NULL) ? NONE : row->rec.ended ? ENDED : QUEUED;

        if (is != journal->known[number]) {
            printf("# %s: %d is %d, not %d\n", when, (int) number, (int) is,
                   journal->known[number]);
            return 0;
        }
    }

    there = 0;

    for (i = 0; journal->adding && i < TARGETS; i++) {
        if (journal->known[journal->adding * HOOKS + i]) {
            there |= 1 << i;
        }
    }

    if (there && there != journal->to) {
        printf("# %s: half of an event\n", when);
        return 0;
    }

    journal->last = ngx_max(journal->last, journal->adding);
    journal->adding = 0;
    journal->finishing = 0;

    return 1;
}


/* everything was killed: a new zone, from the file alone; all goes out once */

static ngx_uint_t
restart(void)
{
    u_char                    *slots;
    world_t                    dead;
    ngx_uint_t                 i, job, ok;
    ngx_http_webhook_batch_t   batch;

    dead = w;

    world_create(&w, dead.shm.shm.size, 100);
    w.zone->sh->storing = 1;

    ok = ngx_http_webhook_store_load(w.zone, NULL) == NGX_OK
         && world_check(&w, "restarted");

    memset(&batch, 0, sizeof(batch));
    slots = calloc(1, w.zone->sh->nslots);
    job = IDLE;

    for (i = 0; i < 2000; i++) {
        deliver(i % TARGETS, 1);
        store(&batch, &job, slots);
        unit_time(ngx_current_msec + 2000);

        if (i % 4 == 0) {
            world_own(&w);
        }
    }

    ok = ok && world_check(&w, "sent") && store_flush(&w)
         && store_agree(&w, "sent");

    for (i = 0; ok && i < file->n; i++) {

        if (file->rows[i].rec.ended == 0) {
            printf("# %d is not sent after all was killed\n",
                   (int) world_number(file->rows[i].rec.uuid));
            ok = 0;
        }
    }

    free(batch.data);
    free(slots);

    munmap(dead.shpool, dead.shm.shm.size);
    pool_destroy(dead.pool);

    return ok;
}


static void
begin(uint64_t start)
{
    unit_time(start);
    store_create(&w, 30);

    journal = mmap(NULL, sizeof(journal_t), PROT_READ|PROT_WRITE,
                   MAP_ANON|MAP_SHARED, -1, 0);
}


/*
 * One process works for a while; 0: what it left is not as it has to be.
 * "last": so much for this zone, what was not written is lost with it.
 */

static ngx_uint_t
life(unsigned seed, ngx_uint_t last)
{
    pid_t  pid;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        work(seed);
    }

    unit_kill(pid, &journal->steps, random() % 300);

    (void) unit_force_unlock(w.shpool, pid);

    unit_time(ngx_current_msec + 20000);

    if (!world_check(&w, "killed")) {
        return 0;
    }

    if (last) {
        return 1;
    }

    ngx_http_webhook_store_inherit(w.zone, &w.self, 0);

    return store_flush(&w) && store_agree(&w, "killed") && verify("killed");
}


void
test_store_kill(ngx_uint_t n)
{
    uint64_t    start, sent, again, early;
    ngx_uint_t  i, ok, last, rebuilt, spilled, restarts;

    ok = 1;
    rebuilt = 0;
    spilled = 0;
    restarts = 0;
    sent = 0;
    again = 0;
    early = 0;
    journal = NULL;
    start = ngx_current_msec;

    for (i = 1; i <= n && ok; i++) {

        if (journal == NULL) {
            begin(start);
        }

        last = (i % 20 == 0);

        ok = life(i, last);

        if (ok && journal->last + 20 < EVENTS && !last && i < n) {
            continue;
        }

        rebuilt += w.zone->sh->rebuilt;
        sent += journal->sent;
        again += journal->again;

        if (ok) {
            ok = restart();
            restarts++;
        }

        /* ends that were not written may be repeated */

        early += journal->early;
        spilled += journal->spilled;

        munmap((void *) journal, sizeof(journal_t));
        journal = NULL;

        world_destroy(&w);
        file_destroy();
    }

    check(ok, "%d writers killed: zone and file say the same", (int) n);
    check(spilled, "%d had begun to change the zone, in %d of %d "
          "zones some were in the store alone", (int) rebuilt, (int) spilled,
          (int) restarts);
    check_number(again, 0, "none of %d was sent after it had ended",
                 (int) sent);
    check_number(early, 0, "nor before it was on disk");
}


#endif
