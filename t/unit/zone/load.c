
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The zone when it is full, for long, and with many processes at once.
 */


#include "zone/zone.h"

#include <sys/wait.h>
#include <time.h>


void
test_full(void)
{
    world_t                       w;
    u_char                        key[16];
    ngx_uint_t                    i, n, k, added, most;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[16];
    ngx_http_webhook_state_t      state;
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_zone_use_t   use, before;

    /* running executions, and nobody to tell: states alone */

    world_create(&w, 1024 * 1024, 100);

    for (n = 1; world_add(&w, n, NGX_HTTP_WEBHOOK_STARTED, 0, n, 0, 0)
                == NGX_OK; n++)
    {
        if (n == 100000) {
            break;
        }
    }

    ngx_http_webhook_queue_use(w.zone, &use);
    check(use.states == n - 1 && use.states > use.blocks / 2
          && use.states <= use.blocks - use.blocks / 4 + 1,
          "%d running executions fill three quarters of %d blocks",
          (int) use.states, (int) use.blocks);

    world_key(key, 1);
    ngx_http_webhook_queue_state(w.zone, key, &state);
    check_number(state.version, 1, "the oldest is still known");

    check_number(world_add(&w, 1, NGX_HTTP_WEBHOOK_FINISHED, 0, n, 0, 0),
                 NGX_OK, "one of them ends");
    check_number(world_add(&w, n, NGX_HTTP_WEBHOOK_STARTED, 0, n, 0, 0),
                 NGX_OK, "and gives way to a new one");
    ngx_http_webhook_queue_state(w.zone, key, &state);
    check_number(state.version, 0, "it is known no more");

    /* a quarter is left to the queue */

    for (added = 0; world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 1, n + added + 1,
                              1000, 0) == NGX_OK; added++)
    {
        /* void */
    }

    ngx_http_webhook_queue_use(w.zone, &use);
    check(use.queue >= use.blocks / 4 - 8,
          "%d deliveries of 1 KB fill the rest", (int) added);
    check(world_check(&w, "full"), "consistent");

    check_number(world_add(&w, 2, NGX_HTTP_WEBHOOK_FINISHED, 1, n + added + 9,
                           1000, 0),
                 NGX_DECLINED, "an event for which there is no room");
    world_key(key, 2);
    ngx_http_webhook_queue_state(w.zone, key, &state);
    check_number(state.version, 1, "changes no state");

    unit_time(ngx_current_msec + 8 * 86400000ULL);
    check_number(world_add(&w, n + 1, NGX_HTTP_WEBHOOK_STARTED, 0, n, 0, 0),
                 NGX_OK, "an execution not seen for 7 days lapses");
    check(world_check(&w, "lapsed"), "consistent");

    world_add(&w, 3, NGX_HTTP_WEBHOOK_FINISHED, 0, 0, 0, 0);
    check_number(world_add(&w, 3, NGX_HTTP_WEBHOOK_LAUNCHED, 1, n + added + 9,
                           1000, 0),
                 NGX_OK, "an execution that is to run again");
    world_key(key, 3);
    ngx_http_webhook_queue_state(w.zone, key, &state);
    check_number(state.version, 3, "does not give way to its own event");
    check(world_check(&w, "pinned"), "consistent");

    world_destroy(&w);

    /* the other way round: the queue takes half, states keep theirs */

    world_create(&w, 1024 * 1024, 1000);

    for (n = 1; world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 1, n, 5000, 0)
                == NGX_OK; n++)
    {
        /* void */
    }

    ngx_http_webhook_queue_use(w.zone, &use);
    check(use.queue <= (use.blocks + 1) / 16 * 7
          && use.queue > use.blocks / 16 * 7 - 23,
          "%d deliveries of 5 KB fill what one may have of it", (int) n - 1);

    while (world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 2, n, 5000, 0) == NGX_OK) {
        n++;
    }

    ngx_http_webhook_queue_use(w.zone, &use);
    check(use.queue <= (use.blocks + 1) / 2
          && use.queue > use.blocks / 2 - 23,
          "with another's they are %d, and fill half of it", (int) n - 1);

    for (i = 1; world_add(&w, i, NGX_HTTP_WEBHOOK_STARTED, 0, i, 0, 0)
                == NGX_OK; i++)
    {
        /* void */
    }

    ngx_http_webhook_queue_use(w.zone, &use);
    check(use.states >= use.blocks / 2 && use.free == 0,
          "%d states the other half", (int) use.states);

    /* an attempt that fails is ended well though nothing of it can be kept */

    check_number(world_take(&w, 0, jobs, 1, &wait), 1, "one is sent");
    check_number(world_finish(&w, &jobs[0], 500, 5000, &verdict), NGX_OK,
                 "and fails");
    check(world_check(&w, "full"), "consistent");

    /* what has been delivered gives way at once */

    most = 0;

    for (i = 0; i < 1000; i++) {
        unit_time(ngx_current_msec + 20000);
        world_own(&w);

        k = world_take(&w, 0, jobs, 16, &wait);

        while (k--) {
            world_finish(&w, &jobs[k], 200, 5000, &verdict);
        }

        while (world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 1, ++n, 5000, 0)
               == NGX_OK)
        {
            most++;
        }
    }

    check(most > 900, "%d more go through a full zone", (int) most);
    check(world_check(&w, "full"), "consistent");

    world_destroy(&w);

    /* attempts that failed do not fill the queue's share */

    world_create(&w, 1024 * 1024, 100);

    for (i = 1; i <= 16; i++) {
        world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 1, i, 100, 0);
    }

    ngx_http_webhook_queue_use(w.zone, &before);

    k = world_take(&w, 0, jobs, 16, &wait);

    while (k--) {
        world_finish(&w, &jobs[k], 400, 4096, &verdict);
    }

    ngx_http_webhook_queue_use(w.zone, &use);
    check(use.queue == before.queue && use.log > 16 * 16,
          "what is kept of attempts belongs to the log");

    for (i = 100; world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 2, i, 5000, 0)
                  == NGX_OK; i++)
    {
        /* void */
    }

    for (i = 1; world_add(&w, i, NGX_HTTP_WEBHOOK_STARTED, 0, i, 0, 0)
                == NGX_OK; i++)
    {
        /* void */
    }

    check(world_status(&w, 1, 0) == NGX_HTTP_WEBHOOK_WAITING
          && world_status(&w, 16, 0) == NGX_HTTP_WEBHOOK_WAITING,
          "and gives way; the deliveries stay");
    check(world_check(&w, "full"), "consistent");

    world_destroy(&w);
}


void
test_churn(ngx_uint_t n)
{
    world_t                       w;
    ngx_uint_t                    i, k, hook, done;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[16];
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_zone_use_t   before, after;

    world_create(&w, 4 * 1024 * 1024, 0);

    for (i = 1; i <= 64; i++) {
        world_add(&w, i, NGX_HTTP_WEBHOOK_STARTED, 0, 0, 0, 0);
    }

    ngx_http_webhook_queue_use(w.zone, &before);

    done = 0;

    for (i = 1; i < 4 * n; i++) {

        if (done + 400 < n) {
            world_add(&w, 1 + i % 64, 1 + i % 4, 1 << (i % HOOKS), i,
                      (i * 7919) % 6000, (i % 3) ? 0 : i % 700);
        }

        hook = i % HOOKS;
        k = world_take(&w, hook, jobs, 4, &wait);
        done += k;

        while (k--) {
            world_finish(&w, &jobs[k], (i % 17) ? 200 : 400, i % 5000,
                         &verdict);
        }

        unit_time(ngx_current_msec + 100 + (done + 400 >= n) * 10000);

        if (i % 256 == 0) {
            world_own(&w);
        }

        ngx_http_webhook_queue_use(w.zone, &after);

        if (after.waiting == 0 && done + 400 >= n) {
            break;
        }
    }

    ngx_http_webhook_queue_use(w.zone, &after);

    check_number(after.waiting, 0, "%d attempts, and all is delivered",
                 (int) done);
    check_number(after.free, before.free, "every block is free again");
    check(world_check(&w, "churn"), "consistent");

    world_destroy(&w);
}


/* several workers at once, each owner of some webhooks, all queueing */

void
test_crowd(ngx_uint_t n)
{
    int                            status;
    pid_t                          pids[4];
    world_t                        w;
    ngx_uint_t                     i, k, h, p, fresh, ok;
    ngx_msec_t                     wait;
    ngx_http_webhook_job_t         jobs[16];
    ngx_http_webhook_owner_t       owner;
    ngx_http_webhook_verdict_t     verdict;
    ngx_http_webhook_hook_stat_t   stat;
    uint64_t                       ended;
    ngx_atomic_t                  *added;

    world_create(&w, 16 * 1024 * 1024, 50);

    added = mmap(NULL, sizeof(ngx_atomic_t), PROT_READ|PROT_WRITE,
                 MAP_ANON|MAP_SHARED, -1, 0);

    for (h = 0; h < HOOKS; h++) {
        ngx_http_webhook_queue_release(w.zone, w.hooks[h].slot, &w.self);
    }

    fflush(stdout);

    for (p = 0; p < 4; p++) {
        pids[p] = fork();

        if (pids[p]) {
            continue;
        }

        ngx_pid = getpid();
        srandom(p + 1);

        w.self.pid = ngx_pid;
        w.self.worker = p;

        for (h = p; h < HOOKS; h += 4) {
            if (ngx_http_webhook_queue_own(w.zone, w.hooks[h].slot, &w.self, 1,
                                           &owner, &fresh)
                != NGX_OK)
            {
                _exit(1);
            }
        }

        for (i = 0; i < n; i++) {
            if (world_add(&w, 1 + random() % 200, 1 + random() % 4, 0xff,
                          1 + i * 4 + p, random() % 3000, 0)
                == NGX_OK)
            {
                (void) ngx_atomic_fetch_add(added, 1);
            }

            for (h = p; h < HOOKS; h += 4) {
                k = world_take(&w, h, jobs, 16, &wait);

                while (k--) {
                    if (world_finish(&w, &jobs[k], 200, random() % 2000,
                                     &verdict)
                        != NGX_OK)
                    {
                        _exit(2);
                    }
                }
            }
        }

        _exit(0);
    }

    ok = 1;

    for (p = 0; p < 4; p++) {
        waitpid(pids[p], &status, 0);
        ok = ok && status == 0;
    }

    check(ok, "four processes, each with webhooks of its own");
    check(world_check(&w, "crowd"), "consistent");

    unit_time(ngx_current_msec + 2000);
    world_own(&w);

    for (h = 0; h < HOOKS; h++) {

        do {
            k = world_take(&w, h, jobs, 16, &wait);

            for (i = 0; i < k; i++) {
                world_finish(&w, &jobs[i], 200, 0, &verdict);
            }

        } while (k);

        ngx_http_webhook_queue_stat(w.zone, w.hooks[h].slot, &stat);

        ended = stat.delivered + stat.superseded + stat.dropped;

        check_number(ended, *added, "every event of webhook %d has ended",
                     (int) h);
        check_number(stat.attempts, stat.delivered, "in one attempt each");
    }

    munmap((void *) added, sizeof(ngx_atomic_t));

    world_destroy(&w);
}


static uint64_t
nanoseconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}


/* "zone speed": figures, no checks */

void
test_speed(void)
{
    world_t                       w;
    u_char                        payload[6000], headers[1];
    uint64_t                      t, fill, add, take, copy, finish, rebuild,
                                  state;
    ngx_uint_t                    i, k, n, round, waiting;
    ngx_msec_t                    wait;
    ngx_uint_t                    size;
    ngx_http_webhook_job_t        jobs[16];
    ngx_http_webhook_state_t      s;
    ngx_http_webhook_verdict_t    verdict;

    for (size = 600; size <= 5000; size += 4400) {
        for (waiting = 0; waiting <= 2000; waiting += 2000) {

            world_create(&w, 64 * 1024 * 1024, 100);
            add = take = copy = finish = state = fill = 0;
            n = 0;

            ngx_http_webhook_queue_pause(w.zone, w.hooks[1].slot, 1);

            for (i = 0; i < waiting; i++) {
                world_add(&w, 100000 + i, NGX_HTTP_WEBHOOK_LAUNCHED, 2,
                          100000 + i, size, 0);
            }

            for (round = 0; round < 20000; round++) {

                for (i = 0; i < 16; i++) {
                    n++;
                    t = nanoseconds();
                    world_fill(payload, size, n);
                    fill += nanoseconds() - t;

                    t = nanoseconds();
                    world_add(&w, 1 + n % 5000, NGX_HTTP_WEBHOOK_FINISHED, 1,
                              200000 + n, size, 0);
                    add += nanoseconds() - t;
                }

                t = nanoseconds();
                k = world_take(&w, 0, jobs, 16, &wait);
                take += nanoseconds() - t;

                for (i = 0; i < k; i++) {
                    t = nanoseconds();
                    ngx_http_webhook_queue_copy(w.zone, &jobs[i], payload,
                                                headers);
                    copy += nanoseconds() - t;

                    t = nanoseconds();
                    world_finish(&w, &jobs[i], 200, 300, &verdict);
                    finish += nanoseconds() - t;
                }
            }

            for (i = 0; i < 100000; i++) {
                u_char  key[16];

                world_key(key, 1 + i % 5000);
                t = nanoseconds();
                ngx_http_webhook_queue_state(w.zone, key, &s);
                state += nanoseconds() - t;
            }

            w.zone->sh->undo_txn = 0;
            w.zone->sh->dirty = 1;
            t = nanoseconds();
            ngx_http_webhook_zone_lock(w.zone);
            rebuild = nanoseconds() - t;
            ngx_http_webhook_zone_unlock(w.zone);

            printf("# %d bytes, %d waiting elsewhere; ns: state %d, "
                   "state+add %d, take %d, copy %d, finish %d; rebuild %d us\n",
                   (int) size, (int) waiting, (int) (state / 100000),
                   (int) ((add - fill) / n), (int) (take / n), (int) (copy / n),
                   (int) (finish / n), (int) (rebuild / 1000));

            world_destroy(&w);
        }
    }

    ngx_http_webhook_zone_capacity(32 * 1024 * 1024, &n, &i, &k);
    printf("# 32m: %d states, %d deliveries of 5 KB\n", (int) i, (int) k);

    ngx_http_webhook_zone_capacity(1024 * 1024, &n, &i, &k);
    printf("# 1m: %d states, %d deliveries of 5 KB\n", (int) i, (int) k);
}
