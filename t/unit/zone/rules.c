
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * One rule after another: order, superseding, limits, owners, sending again.
 */


#include "zone/zone.h"

#include <sys/wait.h>


#define L  NGX_HTTP_WEBHOOK_LAUNCHED
#define S  NGX_HTTP_WEBHOOK_STARTED
#define U  NGX_HTTP_WEBHOOK_UPDATED
#define F  NGX_HTTP_WEBHOOK_FINISHED
#define P  NGX_HTTP_WEBHOOK_PING

#define ZONE  (2 * 1024 * 1024)


void
test_order(void)
{
    world_t                     w;
    ngx_msec_t                  wait;
    ngx_http_webhook_job_t      jobs[8];
    ngx_http_webhook_verdict_t  verdict;

    world_create(&w, ZONE, 10);

    world_add(&w, 1, L, 1, 1, 100, 0);
    world_add(&w, 1, S, 1, 2, 100, 0);
    world_add(&w, 1, F, 1, 3, 100, 0);
    world_add(&w, 2, L, 1, 4, 100, 0);
    world_add(&w, 0, P, 1, 5, 100, 0);

    check_number(world_take(&w, 0, jobs, 8, &wait), 3,
                 "one of each execution, and the ping");
    check_number(jobs[0].event, L, "first");
    check_number(jobs[1].event, L, "second");
    check_number(jobs[2].event, P, "third");
    check_number(wait, NGX_CONF_UNSET_MSEC, "nothing else by time alone");

    world_finish(&w, &jobs[0], 500, 0, &verdict);

    check_number(world_take(&w, 0, jobs + 3, 5, &wait), 1,
                 "STARTED, once LAUNCHED was tried");
    check_number(jobs[3].event, S, "this one");

    ngx_http_webhook_queue_return(w.zone, &jobs[3], 1000);
    check_number(world_take(&w, 0, jobs + 3, 5, &wait), 0,
                 "given back untried, it still holds FINISHED");
    check_number(wait, 1000, "for so long");

    unit_time(ngx_current_msec + 1000);
    check_number(world_take(&w, 0, jobs + 3, 5, &wait), 1, "again");
    check_number(jobs[3].event, S, "the same");
    check_number(jobs[3].attempt, 1, "as the same attempt");
    world_finish(&w, &jobs[3], 200, 0, &verdict);

    check_number(world_take(&w, 0, jobs + 3, 5, &wait), 1, "then FINISHED");
    check_number(jobs[3].event, F, "this one");
    check(world_check(&w, "order"), "consistent");

    world_destroy(&w);
}


void
test_superseded(void)
{
    world_t                       w;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[8];
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_hook_stat_t  stat;

    world_create(&w, ZONE, 10);

    world_add(&w, 1, S, 1, 1, 100, 0);
    world_add(&w, 1, U, 1, 2, 100, 300);
    world_add(&w, 1, U, 1, 3, 100, 0);

    check_number(world_status(&w, 2, 0), NGX_HTTP_WEBHOOK_SUPERSEDED,
                 "an UPDATED that was never tried gives way");
    check_number(world_take(&w, 0, jobs, 8, &wait), 1, "STARTED goes");

    world_finish(&w, &jobs[0], 200, 0, &verdict);
    check_number(world_take(&w, 0, jobs, 8, &wait), 1, "then UPDATED");
    check_number(world_number(jobs[0].uuid) / HOOKS, 3, "the latter");

    world_add(&w, 1, F, 1, 4, 100, 0);
    check_number(world_status(&w, 3, 0), NGX_HTTP_WEBHOOK_SENDING,
                 "one under way does not give way");

    world_finish(&w, &jobs[0], 500, 0, &verdict);
    check_number(world_take(&w, 0, jobs, 8, &wait), 1, "FINISHED follows");

    world_add(&w, 2, U, 1, 5, 100, 0);
    world_add(&w, 2, F, 1, 6, 100, 0);
    check_number(world_status(&w, 5, 0), NGX_HTTP_WEBHOOK_SUPERSEDED,
                 "first in line, too");

    ngx_http_webhook_queue_stat(w.zone, w.hooks[0].slot, &stat);
    check_number(stat.superseded, 2, "counted");
    check_number(stat.recent, 1, "but not as a success or failure");
    check_number(stat.nrecent, 1, "of those");
    check(world_check(&w, "superseded"), "consistent");

    world_destroy(&w);
}


void
test_overflow(void)
{
    world_t                       w;
    ngx_uint_t                    i;
    ngx_http_webhook_hook_stat_t  stat;

    world_create(&w, ZONE, 10);

    w.hooks[0].queue = 3;
    w.hooks[1].queue = 3;
    w.hooks[1].overflow_oldest = 1;

    for (i = 1; i <= 5; i++) {
        check_number(world_add(&w, i, (i == 1) ? F : L, 3, i, 100, 0), NGX_OK,
                     "event %d", (int) i);
    }

    check_number(world_status(&w, 3, 0), NGX_HTTP_WEBHOOK_WAITING,
                 "newest: the first three stay");
    check_number(world_status(&w, 4, 0), -1, "the fourth is not kept");

    check_number(world_status(&w, 1, 1), NGX_HTTP_WEBHOOK_WAITING,
                 "oldest: FINISHED is spared");
    check_number(world_status(&w, 2, 1), NGX_HTTP_WEBHOOK_DROPPED,
                 "the oldest of others is not");
    check_number(world_status(&w, 5, 1), NGX_HTTP_WEBHOOK_WAITING,
                 "the last stays");

    ngx_http_webhook_queue_stat(w.zone, w.hooks[0].slot, &stat);
    check_number(stat.dropped, 2, "counted");
    check_number(stat.waiting, 3, "waiting");

    ngx_http_webhook_queue_stat(w.zone, w.hooks[1].slot, &stat);
    check_number(stat.dropped, 2, "counted");
    check_number(stat.waiting, 3, "waiting");

    world_add(&w, 7, S, 4, 70, 100, 0);
    world_add(&w, 7, U, 4, 71, 100, 0);
    w.hooks[2].queue = 2;
    world_add(&w, 7, F, 4, 72, 100, 0);
    check_number(world_status(&w, 72, 2), NGX_HTTP_WEBHOOK_WAITING,
                 "an UPDATED that gives way makes room");

    world_add(&w, 8, S, 4, 72, 100, 0);
    check_number(world_status(&w, 72, 2), NGX_HTTP_WEBHOOK_WAITING,
                 "one UUID waits once");
    check(world_check(&w, "overflow"), "consistent");

    world_destroy(&w);
}


void
test_expire(void)
{
    world_t                  w;
    ngx_uint_t               i;
    ngx_msec_t               wait;
    ngx_http_webhook_job_t   jobs[8];

    world_create(&w, ZONE, 1000);

    w.hooks[0].expire = 10000;
    ngx_http_webhook_queue_pause(w.zone, w.hooks[0].slot, 1);

    for (i = 1; i <= 100; i++) {
        world_add(&w, i, L, 1, i, 10, 0);
        world_add(&w, i, F, 1, 1000 + i, 10, 0);
    }

    check_number(world_take(&w, 0, jobs, 8, &wait), 0, "paused");
    check_number(wait, 10000, "until they expire");

    unit_time(ngx_current_msec + 10000);

    for (i = 0; i < 3; i++) {
        check_number(world_take(&w, 0, jobs, 8, &wait), 0, "in steps");
        check_number(wait, 0, "and there is more");
        check(world_check(&w, "expire"), "consistent");
    }

    check_number(world_take(&w, 0, jobs, 8, &wait), 0, "the last ones");
    check_number(wait, NGX_CONF_UNSET_MSEC, "that was all");
    check_number(world_status(&w, 1099, 0), NGX_HTTP_WEBHOOK_EXPIRED,
                 "expired");
    check(world_check(&w, "expired"), "consistent");

    world_destroy(&w);
}


void
test_recovery(void)
{
    world_t                       w;
    ngx_uint_t                    i, n;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[32];
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_hook_stat_t  stat;

    world_create(&w, ZONE, 100);

    for (i = 1; i <= 20; i++) {
        world_add(&w, i, L, 1, i, 100, 0);
    }

    n = world_take(&w, 0, jobs, 32, &wait);
    check_number(n, 16, "as many as may be in flight");
    check_number(wait, NGX_CONF_UNSET_MSEC, "and then not by time alone");

    for (i = 0; i < n; i++) {
        world_finish(&w, &jobs[i], 503, 0, &verdict);
    }

    ngx_http_webhook_queue_stat(w.zone, w.hooks[0].slot, &stat);
    check_number(stat.health.state, NGX_HTTP_WEBHOOK_HEALTH_PROBING,
                 "the breaker opens");
    check_number(world_take(&w, 0, jobs, 32, &wait), 0, "nothing goes");
    check(wait > 4000 && wait <= 5000, "until the first probe");

    unit_time(ngx_current_msec + wait);

    check_number(world_take(&w, 0, jobs, 32, &wait), 1, "one probe");
    check_number(world_number(jobs[0].uuid) / HOOKS, 1, "the oldest");
    check_number(jobs[0].attempt, 2, "whatever its own schedule says");
    check_number(wait, NGX_CONF_UNSET_MSEC, "and no other beside it");

    world_finish(&w, &jobs[0], 200, 0, &verdict);
    check_number(verdict.recovered, 1, "it succeeds");
    check(world_check(&w, "recovered"), "consistent");

    for (i = 2; i <= 20; /* void */) {
        n = world_take(&w, 0, jobs, 32, &wait);

        if (n == 0) {
            break;
        }

        while (n--) {
            check_number(world_number(jobs[0].uuid) / HOOKS, i,
                         "all is due, oldest first");
            world_finish(&w, &jobs[0], 200, 0, &verdict);
            memmove(jobs, jobs + 1, sizeof(jobs) - sizeof(jobs[0]));
            i++;
        }
    }

    check_number(i, 21, "and all have gone");

    /* by hand */

    ngx_http_webhook_queue_pause(w.zone, w.hooks[1].slot, 1);
    world_add(&w, 50, L, 2, 50, 100, 0);
    check_number(world_take(&w, 1, jobs, 1, &wait), 0, "paused");
    check_number(wait, NGX_CONF_UNSET_MSEC, "for ever");
    ngx_http_webhook_queue_pause(w.zone, w.hooks[1].slot, 0);
    check_number(world_take(&w, 1, jobs, 1, &wait), 1, "resumed");
    check(world_check(&w, "resumed"), "consistent");

    world_destroy(&w);
}


void
test_again(void)
{
    world_t                       w;
    u_char                        uuid[16];
    uint32_t                      slot;
    ngx_uint_t                    i;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[8];
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_recovery_t   all;

    world_create(&w, ZONE, 5);

    w.hooks[0].retry.nelts = 0;

    for (i = 1; i <= 7; i++) {
        world_add(&w, i, L, 1, i, 100, 100);
        world_take(&w, 0, jobs, 1, &wait);
        world_finish(&w, &jobs[0], (i == 6) ? 204 : 400, 500, &verdict);
    }

    check_number(world_status(&w, 2, 0), -1, "\"log\" of them are kept");
    check_number(world_status(&w, 3, 0), NGX_HTTP_WEBHOOK_FAILED, "failed");

    world_key(uuid, 3 * HOOKS);
    check_number(ngx_http_webhook_queue_again(w.zone, uuid, &slot), NGX_OK,
                 "sent again");
    check_number(slot, w.hooks[0].slot, "where");
    check_number(ngx_http_webhook_queue_again(w.zone, uuid, &slot), NGX_BUSY,
                 "once");
    check(world_check(&w, "again"), "consistent");

    check_number(world_take(&w, 0, jobs, 8, &wait), 1, "it is due");
    check_number(jobs[0].attempt, 2, "its second attempt");
    check_number(world_number(jobs[0].uuid) / HOOKS, 3, "with its UUID");
    world_finish(&w, &jobs[0], 400, 0, &verdict);
    check_number(verdict.status, NGX_HTTP_WEBHOOK_FAILED, "it fails again");

    ngx_memzero(&all, sizeof(ngx_http_webhook_recovery_t));
    all.slot = w.hooks[0].slot;
    all.queue = 3;
    all.last = ngx_http_webhook_queue_last(w.zone);
    check_number(ngx_http_webhook_queue_recover(w.zone, &all), NGX_OK,
                 "what may wait of those that failed");
    check_number(all.count, 3, "as many");
    check_number(all.more, 1, "there are more");

    all.seq = 0;
    all.queue = 100;
    all.last = ngx_http_webhook_queue_last(w.zone);
    check_number(ngx_http_webhook_queue_recover(w.zone, &all), NGX_OK,
                 "the rest");
    check_number(all.count, 4, "all that failed");
    check(world_check(&w, "recover"), "consistent");

    check_number(world_take(&w, 0, jobs, 8, &wait), 4, "they are due");
    check_number(world_number(jobs[0].uuid) / HOOKS, 4, "in their order");

    world_key(uuid, 77);
    check_number(ngx_http_webhook_queue_again(w.zone, uuid, &slot),
                 NGX_DECLINED, "an unknown one");

    world_destroy(&w);
}


void
test_owner(void)
{
    pid_t                        dead;
    world_t                      w;
    ngx_uint_t                   fresh;
    ngx_msec_t                   wait;
    ngx_http_webhook_job_t       job, again;
    ngx_http_webhook_owner_t     first, second, owner;
    ngx_http_webhook_verdict_t   verdict;

    world_create(&w, ZONE, 10);

    dead = fork();

    if (dead == 0) {
        _exit(0);
    }

    waitpid(dead, NULL, 0);

    first = w.self;
    second = w.self;
    second.pid = getppid();
    second.worker = 2;

    world_add(&w, 1, L, 1, 1, 100, 0);

    check_number(ngx_http_webhook_queue_own(w.zone, w.hooks[0].slot, &second, 1,
                                            &owner, &fresh),
                 NGX_DECLINED, "one worker has it");
    check_number(owner.worker, 1, "this one");

    check_number(world_take(&w, 0, &job, 1, &wait), 1, "it sends");

    ngx_http_webhook_queue_release(w.zone, w.hooks[0].slot, &first);
    check_number(ngx_http_webhook_queue_owner(w.zone, w.hooks[0].slot, &owner),
                 NGX_DECLINED, "nobody has it");
    check_number(ngx_http_webhook_queue_own(w.zone, w.hooks[0].slot, &second, 0,
                                            &owner, &fresh),
                 NGX_DECLINED, "who is not preferred waits");

    unit_time(ngx_current_msec + 2000);
    check_number(ngx_http_webhook_queue_own(w.zone, w.hooks[0].slot, &second, 0,
                                            &owner, &fresh),
                 NGX_OK, "and has it then");
    check_number(fresh, 1, "for the first time");
    check_number(world_take(&w, 0, &again, 1, &wait), 0, "the former may not");

    w.self = second;
    check_number(world_take(&w, 0, &again, 1, &wait), 0,
                 "what is in flight goes on");
    check_number(world_finish(&w, &job, 200, 0, &verdict), NGX_OK,
                 "its result counts");
    check(world_check(&w, "owner"), "consistent");

    /* one that dies */

    world_add(&w, 2, L, 1, 2, 100, 0);

    w.self.pid = dead;
    unit_time(ngx_current_msec + 10000);
    check_number(ngx_http_webhook_queue_own(w.zone, w.hooks[0].slot, &w.self, 0,
                                            &owner, &fresh),
                 NGX_OK, "a lease that has run out");
    check_number(world_take(&w, 0, &job, 1, &wait), 1, "it sends, and dies");

    unit_time(ngx_current_msec + 1600);
    check_number(ngx_http_webhook_queue_own(w.zone, w.hooks[0].slot, &first, 0,
                                            &owner, &fresh),
                 NGX_OK, "the next one takes it");

    w.self = first;
    check_number(world_take(&w, 0, &again, 1, &wait), 1,
                 "and sends what that one sent");
    check_number(again.index, job.index, "the same");
    check_number(again.attempt, job.attempt, "as the same attempt");
    check_number(world_finish(&w, &job, 200, 0, &verdict), NGX_DECLINED,
                 "a late result does not count");
    check_number(ngx_http_webhook_queue_copy(w.zone, &job, NULL, NULL),
                 NGX_DECLINED, "nor is there anything to copy");
    check_number(world_finish(&w, &again, 200, 0, &verdict), NGX_OK,
                 "the new one does");
    check(world_check(&w, "owner"), "consistent");

    /* one whose pid was given to somebody else */

    world_add(&w, 3, L, 2, 3, 100, 0);
    check_number(world_take(&w, 1, &job, 1, &wait), 1, "sending");
    ngx_http_webhook_queue_release(w.zone, w.hooks[1].slot, &first);
    ngx_http_webhook_queue_own(w.zone, w.hooks[1].slot, &second, 1, &owner,
                               &fresh);
    unit_time(ngx_current_msec + 91000);
    ngx_http_webhook_queue_own(w.zone, w.hooks[1].slot, &second, 1, &owner,
                               &fresh);
    w.self = second;
    check_number(world_take(&w, 1, &again, 1, &wait), 1,
                 "an attempt that never ends is made anew");

    world_destroy(&w);
}


void
test_slots(void)
{
    world_t                        w;
    uint32_t                       slot;
    ngx_uint_t                     fresh;
    ngx_array_t                    list;
    ngx_http_webhook_hook_t      **h;
    ngx_http_webhook_owner_t       owner;
    ngx_http_webhook_zone_use_t    use;
    ngx_http_webhook_hook_stat_t   stat;

    world_create(&w, ZONE, 10);

    world_add(&w, 1, L, 0xff, 1, 100, 0);

    array_init(&list, w.pool, sizeof(ngx_http_webhook_hook_t *));
    check_number(ngx_http_webhook_queue_slots(w.zone, &w.mcf, &list), NGX_OK,
                 "a second worker");
    check_number(list.nelts, 0, "has nobody to ping");

    /* the first one is removed, and comes back */

    h = w.mcf.hooks.elts;
    h[0] = h[7];
    w.mcf.hooks.nelts = 7;

    slot = w.hooks[0].slot;
    check_number(ngx_http_webhook_queue_slots(w.zone, &w.mcf, &list), NGX_OK,
                 "one is removed");
    unit_time(ngx_current_msec + 86300000);
    world_own(&w);
    check_number(world_status(&w, 1, 0), NGX_HTTP_WEBHOOK_WAITING,
                 "its queue is kept");

    h[0] = &w.hooks[0];
    w.mcf.hooks.nelts = 8;
    h[7] = &w.hooks[7];
    w.hooks[0].url = text("https://example.com/other");
    ngx_http_webhook_queue_pause(w.zone, slot, 1);

    check_number(ngx_http_webhook_queue_slots(w.zone, &w.mcf, &list), NGX_OK,
                 "it comes back");
    check_number(list.nelts, 0, "and is not new");
    check_number(w.hooks[0].slot, slot, "with its slot");
    ngx_http_webhook_queue_stat(w.zone, slot, &stat);
    check_number(stat.health.state, NGX_HTTP_WEBHOOK_HEALTH_PAUSED,
                 "another url leaves it paused");

    w.zone->slots[slot].health.state = NGX_HTTP_WEBHOOK_HEALTH_GONE;
    w.hooks[0].url = text("https://example.com/third");
    ngx_http_webhook_queue_slots(w.zone, &w.mcf, &list);
    ngx_http_webhook_queue_stat(w.zone, slot, &stat);
    check_number(stat.health.state, NGX_HTTP_WEBHOOK_HEALTH_OK,
                 "but else it makes it healthy");
    check_number(stat.waiting, 1, "and it goes on");

    h[0] = h[7];
    w.mcf.hooks.nelts = 7;
    ngx_http_webhook_queue_slots(w.zone, &w.mcf, &list);
    unit_time(ngx_current_msec + 86400001);
    world_own(&w);

    check_number(world_status(&w, 1, 0), -1, "after 24 h it is forgotten");
    check_number(world_status(&w, 1, 1), NGX_HTTP_WEBHOOK_WAITING,
                 "but no other");
    check_number(world_add(&w, 2, L, 1, 2, 100, 0), NGX_OK,
                 "an old worker that still has it");
    check_number(world_status(&w, 2, 0), -1, "cannot queue for it");
    ngx_http_webhook_queue_use(w.zone, &use);
    check_number(use.waiting, 7, "waiting");
    check(world_check(&w, "slots"), "consistent");

    h[7] = &w.hooks[0];
    w.mcf.hooks.nelts = 8;
    ngx_http_webhook_queue_slots(w.zone, &w.mcf, &list);
    check_number(list.nelts, 1, "then it is new again");

    owner = w.self;
    check_number(ngx_http_webhook_queue_own(w.zone, w.hooks[0].slot, &w.self, 0,
                                            &owner, &fresh),
                 NGX_OK, "and nobody's");

    world_destroy(&w);
}


/* a reload: the same memory, another configuration */

void
test_reload(void)
{
    world_t                        w;
    ngx_cycle_t                   *cycle;
    ngx_shm_zone_t                 shm, *old;
    ngx_slab_pool_t               *shpool;
    ngx_http_webhook_main_conf_t   mcf;

    world_create(&w, ZONE, 10);
    world_add(&w, 1, L, 1, 1, 100, 0);

    memset(&mcf, 0, sizeof(mcf));
    array_init(&mcf.hooks, w.pool, sizeof(ngx_http_webhook_hook_t *));
    mcf.log = 7;

    shm = w.shm;
    shm.data = &mcf;

    check_number(ngx_http_webhook_zone_init(&shm, &w.mcf), NGX_OK,
                 "the same size: the same zone");
    check(mcf.zone != w.zone && mcf.zone->sh == w.zone->sh,
          "seen by another configuration");
    check_number(mcf.zone->log, 7, "with its own settings");

    w.zone->sh->layout++;
    unit_silence(1);
    check_number(ngx_http_webhook_zone_init(&shm, &w.mcf), NGX_ERROR,
                 "another layout is refused");
    w.zone->sh->layout--;

    /* nginx keeps the zones of the cycle before in a list */

    cycle = (ngx_cycle_t *) ngx_cycle;
    old = &w.shm;
    cycle->shared_memory.part.elts = old;
    cycle->shared_memory.part.nelts = 1;

    shpool = unit_map(2 * ZONE);
    shm.shm.addr = (u_char *) shpool;
    shm.shm.size = 2 * ZONE;

    check_number(ngx_http_webhook_zone_init(&shm, NULL), NGX_ERROR,
                 "another size, while something waits, is refused");

    ngx_str_set(&shm.shm.name, "other");
    check_number(ngx_http_webhook_zone_init(&shm, NULL), NGX_ERROR,
                 "and so is another name");
    unit_silence(0);

    w.zone->sh->queued = 0;
    check_number(ngx_http_webhook_zone_init(&shm, NULL), NGX_OK,
                 "an empty queue may be replaced");

    cycle->shared_memory.part.elts = NULL;
    cycle->shared_memory.part.nelts = 0;

    munmap(shpool, 2 * ZONE);
    world_destroy(&w);
}
