
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * Events that are queued before all is known of them.
 */


#include "zone/zone.h"


#define L  NGX_HTTP_WEBHOOK_LAUNCHED
#define S  NGX_HTTP_WEBHOOK_STARTED
#define U  NGX_HTTP_WEBHOOK_UPDATED
#define F  NGX_HTTP_WEBHOOK_FINISHED

#define ZONE  (2 * 1024 * 1024)


void
test_pending(void)
{
    world_t                       w;
    uint64_t                      until, next;
    ngx_uint_t                    i, n;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[8];
    ngx_http_webhook_filter_t     filter;
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_summary_t    list[8];
    ngx_http_webhook_zone_use_t   before, after;

    world_create(&w, ZONE, 10);

    until = ngx_current_msec + 3000;

    /* in time; what comes after it waits, whoever sees it */

    world_pend(&w, 1, L, 3, 1, 100, until, 2);
    world_add(&w, 1, S, 3, 2, 100, 0);

    check_number(world_take(&w, 0, jobs, 8, &wait), 0, "it waits");
    check_number(wait, 3000, "for so long");
    check_number(world_take(&w, 1, jobs, 8, &wait), 0, "and so does the other");

    memset(&filter, 0, sizeof(filter));
    filter.slot = NGX_HTTP_WEBHOOK_NO_SLOT;
    check_number(ngx_http_webhook_queue_list(w.zone, &filter, list, 8, &next),
                 3, "one that may be unwanted is not shown");

    world_enrich(&w, 1, L, 3, 1, 2000, 0);
    check(world_check(&w, "enriched"), "consistent");

    check_number(world_take(&w, 0, jobs, 8, &wait), 1, "now it is due");
    check_number(jobs[0].event, L, "the first");
    check_number(jobs[0].payload, 2000, "with what it waited for");
    world_finish(&w, &jobs[0], 200, 0, &verdict);
    check_number(world_take(&w, 0, jobs, 8, &wait), 1, "then the second");
    check_number(jobs[0].payload, 100, "as it was");
    check_number(world_take(&w, 1, jobs, 8, &wait), 1,
                 "and who turned out to want it");
    check_number(jobs[0].payload, 2000, "with that, too");

    world_enrich(&w, 1, L, 3, 1, 300, 3);
    check_number(world_status(&w, 1, 1), NGX_HTTP_WEBHOOK_SENDING,
                 "too late for what has gone");

    /* unwanted after all, before or now */

    world_pend(&w, 2, L, 7, 3, 100, until, 2);
    world_enrich(&w, 2, L, 7, 3, 500, 6);
    check_number(world_status(&w, 3, 0), NGX_HTTP_WEBHOOK_WAITING, "wanted");
    check_number(world_status(&w, 3, 1), -1, "still unwanted");
    check_number(world_status(&w, 3, 2), -1, "no longer wanted");
    check(world_check(&w, "unwanted"), "consistent");

    /* nothing came of it */

    world_pend(&w, 3, L, 1, 4, 100, until, 0);
    world_enrich(&w, 3, L, 1, 4, 0, 0);
    check_number(world_take(&w, 0, jobs, 8, &wait), 2, "due as it is");
    check_number(jobs[1].payload, 100, "with its own payload");

    /* nobody came */

    world_pend(&w, 4, L, 0x18, 5, 100, until, 0x10);
    world_add(&w, 4, F, 0x18, 6, 100, 0);
    unit_time(until);
    world_own(&w);

    check_number(world_take(&w, 3, jobs, 8, &wait), 1, "due at the latest");
    check_number(jobs[0].event, L, "as it is");
    check_number(world_take(&w, 4, jobs, 8, &wait), 1, "the unsure one is gone");
    check_number(jobs[0].event, F, "and holds up nobody");
    check_number(world_status(&w, 5, 4), -1, "gone");
    check(world_check(&w, "left alone"), "consistent");

    /* an unsure one supersedes nothing, and is not superseded */

    until = ngx_current_msec + 3000;

    world_add(&w, 5, U, 0x20, 7, 100, 0);
    world_pend(&w, 5, U, 0x20, 8, 100, until, 0x20);
    world_add(&w, 5, F, 0x20, 9, 100, 0);
    check_number(world_status(&w, 7, 5), NGX_HTTP_WEBHOOK_WAITING,
                 "not superseded by it");
    check_number(world_status(&w, 8, 5), NGX_HTTP_WEBHOOK_WAITING,
                 "nor the other way round");

    /* neither a probe nor a recovery makes it due */

    world_add(&w, 6, L, 0x40, 10, 100, 0);
    world_add(&w, 7, L, 0x40, 11, 100, 0);

    for (i = 0; i < 3; i++) {
        n = world_take(&w, 6, jobs, 8, &wait);

        while (n) {
            world_finish(&w, &jobs[--n], 503, 0, &verdict);
        }

        unit_time(ngx_current_msec + 700000);
        world_own(&w);
    }

    until = ngx_current_msec + 3000;
    world_pend(&w, 8, L, 0x40, 12, 100, until, 0);

    check_number(world_take(&w, 6, jobs, 8, &wait), 1, "a probe");
    check_number(world_number(jobs[0].uuid) / HOOKS, 10, "of another");
    world_finish(&w, &jobs[0], 200, 0, &verdict);
    check(verdict.recovered, "a recovery");
    check_number(world_take(&w, 6, jobs, 8, &wait), 1, "of the others");
    check_number(world_number(jobs[0].uuid) / HOOKS, 11, "this one");
    world_finish(&w, &jobs[0], 200, 0, &verdict);
    check_number(world_take(&w, 6, jobs, 8, &wait), 0, "it waits");
    check_number(wait, 3000, "until its time is over");
    check(world_check(&w, "health"), "consistent");

    /* what was rebuilt still waits */

    world_pend(&w, 9, L, 0x80, 13, 100, until, 0);
    w.zone->sh->undo_last = 0;
    w.zone->sh->undo_txn = w.zone->sh->committed + 1;
    w.zone->sh->dirty = 1;
    (void) world_take(&w, 7, jobs, 8, &wait);
    check_number(world_take(&w, 7, jobs, 8, &wait), 0, "after a rebuild");
    check_number(wait, 3000, "until then");

    world_destroy(&w);

    /* nothing leaks; a full zone costs the better payload alone */

    world_create(&w, ZONE, 2);

    for (i = 0; i < 4; i++) {
        world_add(&w, 1, L, 1, i + 1, 100, 0);
        world_take(&w, 0, jobs, 1, &wait);
        world_finish(&w, &jobs[0], 200, 0, &verdict);
    }

    ngx_http_webhook_queue_use(w.zone, &before);

    for (i = 10; i < 1000; i++) {
        world_pend(&w, 1, S, 3, i, 100 + i, ngx_current_msec + 1000, 2);
        world_enrich(&w, 1, S, 3, i, (i & 1) ? 3000 : 0, 2);

        if (world_take(&w, 0, jobs, 1, &wait) != 1
            || jobs[0].payload != ((i & 1) ? 3000 : 100 + i))
        {
            break;
        }

        world_finish(&w, &jobs[0], 200, 0, &verdict);
    }

    check_number(i, 1000, "many times");

    for (i = 2000; i < 2002; i++) {
        world_add(&w, 1, L, 1, i, 100, 0);
        world_take(&w, 0, jobs, 1, &wait);
        world_finish(&w, &jobs[0], 200, 0, &verdict);
    }

    ngx_http_webhook_queue_use(w.zone, &after);
    check_number(after.free, before.free, "no block is lost");
    check_number(after.queue, before.queue, "nor counted");

    for (i = 3000; world_pend(&w, i, L, 1, i, 5000, ngx_current_msec + 1000, 0)
                   == NGX_OK; i++)
    {
        /* void */
    }

    while (world_add(&w, i, L, 2, i, 5000, 0) == NGX_OK) {
        i++;
    }

    world_enrich(&w, 3000, L, 1, 3000, 6000, 0);
    check_number(world_take(&w, 0, jobs, 1, &wait), 1, "no room");
    check_number(jobs[0].payload, 5000, "its own payload");
    check(world_check(&w, "full"), "consistent");

    world_destroy(&w);
}
