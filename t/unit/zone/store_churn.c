
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * Very many deliveries through a zone with a store, more than it holds, with
 * failures and a disk that refuses: no block stays behind.
 */


#include "zone/store.h"


#if (NGX_HTTP_WEBHOOK_SQLITE)


#define EXECUTIONS  64
#define LEFT        1000                        /* begun when few are left */


static world_t                   w;
static u_char                   *slots;
static ngx_http_webhook_batch_t  batch;


/* one job after the other; *at goes round the webhooks */

static void
write_some(ngx_uint_t i, uint32_t *at)
{
    uint32_t  slot;

    slot = ngx_http_webhook_store_wanted(w.zone, *at + 1);

    if (slot != NGX_HTTP_WEBHOOK_NO_SLOT) {
        *at = slot;

        file_read(&batch, w.zone->slots[slot].id, w.zone->slots[slot].spill,
                  NGX_HTTP_WEBHOOK_REFILL);
        ngx_http_webhook_store_refill(w.zone, &batch, slot,
                                      batch.n == NGX_HTTP_WEBHOOK_REFILL);
    }

    if (ngx_http_webhook_store_gather(w.zone, &batch) != NGX_OK
        || batch.used == 0)
    {
        return;
    }

    if (i % 13 == 0) {
        ngx_http_webhook_store_refused(w.zone, &batch);
        return;
    }

    file_write(&batch);
    ngx_http_webhook_store_written(w.zone, &batch, slots);
    ngx_http_webhook_store_relieve(w.zone);
    file_prune();
}


void
test_store_churn(ngx_uint_t n)
{
    uint32_t                      at;
    ngx_uint_t                    i, k, hook, added, most;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[16];
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_zone_use_t   before, after;

    store_create(&w, 0);

    slots = calloc(1, w.zone->sh->nslots);
    memset(&batch, 0, sizeof(batch));

    for (i = 1; i <= EXECUTIONS; i++) {
        world_add(&w, i, NGX_HTTP_WEBHOOK_STARTED, 0, 0, 0, 0);
    }

    (void) store_flush(&w);

    ngx_http_webhook_queue_use(w.zone, &before);

    added = 0;
    most = 0;
    at = 0;

    for (i = 1; i < 40 * n; i++) {

        /* bursts that are more than is sent, then fewer */

        for (k = 0; k < ((i / 512) % 4 == 0 ? 4 : 1) && added < n; k++) {

            if (world_add(&w, 1 + i % EXECUTIONS, 1 + i % 4,
                          1 << (i % HOOKS), i * 4 + k, (i * 7919) % 600,
                          (i % 3) ? 0 : i % 100)
                == NGX_OK)
            {
                added++;
            }
        }

        hook = (i * 3) % HOOKS;

        for (k = world_take(&w, hook, jobs, 2, &wait); k; k--) {
            world_finish(&w, &jobs[k - 1], (i % 17) ? 200 : 400, i % 3000,
                         &verdict);
        }

        if (i % 4 == 0 || added == n) {
            write_some(i, &at);
        }

        for (k = 0, hook = 0; hook < HOOKS; hook++) {
            k += w.zone->slots[w.hooks[hook].slot].spilled;
        }

        most = ngx_max(most, k);

        unit_time(ngx_current_msec + ((added == n) ? 10000 : 100));

        if (i % 64 == 0 || added == n) {
            world_own(&w);
        }

        if (added == n && k == 0 && w.zone->sh->queued == 0) {
            break;
        }
    }

    check(store_flush(&w), "all is written");

    ngx_http_webhook_queue_use(w.zone, &after);

    check_number(after.waiting, 0, "%d deliveries, as many as %d at once in "
                 "the store alone", (int) added, (int) most);
    check(most > 0, "some were");

    /* what is kept for the store goes with the next one that ends */

    for (i = 0; i < HOOKS; i++) {
        world_add(&w, 1, NGX_HTTP_WEBHOOK_STARTED, 1 << i, 10 + i, 10, 0);
    }

    (void) store_flush(&w);

    for (i = 0; i < 2 * HOOKS; i++) {
        unit_time(ngx_current_msec + 5000);
        world_own(&w);

        if (world_take(&w, i % HOOKS, jobs, 1, &wait)) {
            world_finish(&w, &jobs[0], 200, 0, &verdict);
        }

        (void) store_flush(&w);
    }

    ngx_http_webhook_queue_use(w.zone, &after);

    check_number(after.free, before.free, "every block is free again");
    check_number(after.states, before.states, "but those of states");
    check(world_check(&w, "churn"), "consistent");

    free(slots);
    free(batch.data);

    world_destroy(&w);
    file_destroy();
}


#endif
