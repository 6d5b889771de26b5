
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What is in the zone and not yet in the store, and what is in the store
 * alone: whoever is killed at whatever moment, nothing is lost between the
 * two, and nothing that ended begins anew.
 *
 * rooms: clock zone block state rebuild store_list watch_list delivery
 *        delivery_index delivery_free queue queue_full queue_enrich take
 *        attempt tally owner log log_again check check_queue retry
 *        store_copy store_spill store_load store_load_clear store_watch
 */


#include "zone/store.h"


#if (NGX_HTTP_WEBHOOK_SQLITE)


void
store_create(world_t *w, ngx_uint_t log)
{
    file_create();

    world_create(w, 320 * 1024, log);

    ngx_http_webhook_store_on(w->zone);
    w->zone->sh->loaded = 1;
}


ngx_uint_t
store_flush(world_t *w)
{
    ngx_uint_t                i;
    u_char                   *slots;
    ngx_http_webhook_batch_t  batch;

    memset(&batch, 0, sizeof(batch));
    slots = calloc(1, w->zone->sh->nslots);

    for (i = 0; i < 100; i++) {

        if (ngx_http_webhook_store_gather(w->zone, &batch) != NGX_OK) {
            break;
        }

        if (batch.used == 0) {
            break;
        }

        file_write(&batch);
        ngx_http_webhook_store_written(w->zone, &batch, slots);
    }

    free(batch.data);
    free(slots);

    if (i == 100 || w->zone->sh->unsaved_list.head) {
        printf("# there is always more to write\n");
        return 0;
    }

    return 1;
}


/*
 * Who is open in one of the two is open in the other, or is in the store alone
 * and will be asked for.
 */

ngx_uint_t
store_agree(world_t *w, const char *when)
{
    u_char                         key[16];
    uint32_t                       i, n, alone[HOOKS];
    ngx_uint_t                     hook;
    file_row_t                    *row;
    ngx_http_webhook_state_t       state;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    memset(alone, 0, sizeof(alone));

    (void) ngx_http_webhook_db_open(NULL);

    for (n = 0; n < file->n; n++) {
        row = &file->rows[n];
        hook = row->rec.hook - 1000;
        slot = &w->zone->slots[w->hooks[hook].slot];

        i = ngx_http_webhook_delivery_find(w->zone, row->rec.uuid);
        d = ngx_http_webhook_block(w->zone, i);

        if (i) {

            if (ngx_http_webhook_open(d) == (row->rec.ended != 0)
                || d->seq != row->rec.seq
                || d->tries != row->rec.tries)
            {
                printf("# %s: %d is not the same in the file\n", when,
                       (int) world_number(row->rec.uuid));
                return 0;
            }

            continue;
        }

        if (row->rec.ended) {
            continue;
        }

        if (slot->spill == 0 || slot->spill > row->rec.seq) {
            printf("# %s: %d is open in the file, and nobody asks for it\n",
                   when, (int) world_number(row->rec.uuid));
            return 0;
        }

        alone[hook]++;
    }

    for (hook = 0; hook < HOOKS; hook++) {

        if (w->zone->slots[w->hooks[hook].slot].spilled < alone[hook]) {
            printf("# %s: more than %d are in the store alone\n", when,
                   (int) w->zone->slots[w->hooks[hook].slot].spilled);
            return 0;
        }
    }

    for (i = 1; i < w->zone->sh->fresh; i++) {
        d = ngx_http_webhook_block(w->zone, i);

        if (d->blk.type == NGX_HTTP_WEBHOOK_BLK_DELIVERY
            && file_find(world_number(d->uuid)) == NULL)
        {
            printf("# %s: %d is not in the file\n", when,
                   (int) world_number(d->uuid));
            return 0;
        }
    }

    for (n = 0; n < file->nstates; n++) {
        memcpy(key, file->states[n].key, 16);
        ngx_http_webhook_queue_state(w->zone, key, &state);

        if (state.version && state.version != file->states[n].state.version) {
            printf("# %s: a state is not the same in the file\n", when);
            return 0;
        }
    }

    if (file->nslots != HOOKS) {
        printf("# %s: %d webhooks are in the file\n", when,
               (int) file->nslots);
        return 0;
    }

    return 1;
}


/* what is delivered and not yet written must not give way to anything */

void
test_store_full(void)
{
    world_t                       w;
    ngx_uint_t                    i, k, n;
    ngx_msec_t                    wait;
    ngx_http_webhook_job_t        jobs[16];
    ngx_http_webhook_verdict_t    verdict;

    store_create(&w, 100);

    for (i = 1; i <= 16; i++) {
        world_add(&w, i, NGX_HTTP_WEBHOOK_LAUNCHED, 1, i, 300, 0);
    }

    check(store_flush(&w), "sixteen are on disk");

    k = world_take(&w, 0, jobs, 16, &wait);
    check_number(k, 16, "and are sent");

    while (k--) {
        world_finish(&w, &jobs[k], 200, 100, &verdict);
    }

    /* the zone is filled before that is written */

    for (n = 17; world_add(&w, n, NGX_HTTP_WEBHOOK_LAUNCHED, 0, n, 0, 0)
                 == NGX_OK; n++)
    {
        /* void */
    }

    for (i = 1; world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 2, n + i, 100, 0)
                == NGX_OK; i++)
    {
        /* void */
    }

    check(world_check(&w, "full"), "consistent when the zone is full");

    check(store_flush(&w) && store_agree(&w, "full"),
          "none of them is taken for one that waits");

    /* once written they may */

    for (k = 1; world_add(&w, 0, NGX_HTTP_WEBHOOK_PING, 2, n + i + k, 100, 0)
                == NGX_OK; k++)
    {
        /* void */
    }

    check(k > 16, "then they give way to %d", (int) k - 1);
    check(store_flush(&w) && store_agree(&w, "full"), "nothing is lost");

    world_destroy(&w);
    file_destroy();
}


/* a state must not be on disk before the deliveries that it speaks of */

void
test_store_order(void)
{
    world_t                    w;
    u_char                    *slots;
    ngx_uint_t                 i, k;
    ngx_http_webhook_batch_t   batch;

    /* the list as it grew, and as it is made anew */

    for (k = 0; k < 2; k++) {
        store_create(&w, 100);

        slots = calloc(1, w.zone->sh->nslots);
        memset(&batch, 0, sizeof(batch));

        world_add(&w, 1, NGX_HTTP_WEBHOOK_LAUNCHED, 1, 1, 10, 0);

        for (i = 2; i <= 64; i++) {
            world_add(&w, i, NGX_HTTP_WEBHOOK_LAUNCHED, 0xff, i, 10, 0);
        }

        world_add(&w, 1, NGX_HTTP_WEBHOOK_FINISHED, 1, 100, 10, 0);

        if (k == 1) {
            w.zone->sh->undo_txn = 0;
            w.zone->sh->dirty = 1;
        }

        (void) ngx_http_webhook_store_gather(w.zone, &batch);
        check_number(batch.n, NGX_HTTP_WEBHOOK_BATCH, "more than one batch");

        file_write(&batch);

        check(file_state_version(1) < 2 || file_find(100 * HOOKS),
              "a state is not written before its deliveries");

        ngx_http_webhook_store_written(w.zone, &batch, slots);

        check(store_flush(&w) && store_agree(&w, "order"),
              "all is written in the end");
        check_number(file_state_version(1), 2, "the state, too");

        free(slots);
        free(batch.data);

        world_destroy(&w);
        file_destroy();
    }
}


/* where one batch has them all, the state is not left for the next one */

void
test_store_together(void)
{
    world_t                    w;
    u_char                    *slots;
    ngx_uint_t                 i, k;
    ngx_http_webhook_batch_t   batch;

    store_create(&w, 100);

    slots = calloc(1, w.zone->sh->nslots);
    memset(&batch, 0, sizeof(batch));

    /* within one hold of the lock, and in several */

    for (k = 2; k <= 40; k += 38) {

        for (i = 1; i <= k; i++) {
            world_add(&w, k + i, NGX_HTTP_WEBHOOK_LAUNCHED, 1, 1000 * k + i,
                      10, 0);
        }

        world_add(&w, k + 1, NGX_HTTP_WEBHOOK_FINISHED, 1, 1000 * k + 500, 10,
                  0);

        /* the first time, the disk refuses */

        for (i = 0; i < 2; i++) {
            check_number(ngx_http_webhook_store_gather(w.zone, &batch),
                         NGX_OK, "a batch of %d", (int) k);

            if (i == 0) {
                ngx_http_webhook_store_refused(w.zone, &batch);
            }
        }

        file_write(&batch);

        check_number(file_state_version(k + 1), 2, "has the state, too");

        ngx_http_webhook_store_written(w.zone, &batch, slots);

        check_number(w.zone->sh->unsaved_list.head, 0, "and nothing is left");
    }

    check(store_agree(&w, "together"), "file and zone agree");

    free(slots);
    free(batch.data);

    world_destroy(&w);
    file_destroy();
}


/*
 * What a zone has seen before it knew the file, the file may have, too: from
 * workers with another zone, whose latest commit came later.
 */

void
test_store_known(void)
{
    world_t     old, new;
    ngx_uint_t  i;

    store_create(&old, 100);

    for (i = 1; i <= 3; i++) {
        world_add(&old, i, NGX_HTTP_WEBHOOK_LAUNCHED, 3, i, 100, 20);
    }

    (void) store_flush(&old);
    check_number(file->n, 6, "six are on disk");

    unit_time(ngx_current_msec + 1000);
    world_create(&new, old.shm.shm.size, 100);
    ngx_http_webhook_store_on(new.zone);

    world_add(&new, 3, NGX_HTTP_WEBHOOK_LAUNCHED, 3, 3, 100, 20);
    world_add(&new, 4, NGX_HTTP_WEBHOOK_LAUNCHED, 3, 4, 100, 20);

    check_number(ngx_http_webhook_store_load(new.zone, NULL), NGX_OK,
                 "another zone learns of them");
    check(world_check(&new, "loaded"), "consistent");
    check(store_flush(&new) && store_agree(&new, "loaded"),
          "and the file of what it has");
    check_number(file->n, 8, "each stands there once");
    check_number(file->nstates, 4, "and each execution");

    world_destroy(&new);
    world_destroy(&old);
    file_destroy();
}


/* whatever the wall clock was when the file was written */

void
test_store_clock(void)
{
    world_t                        old, new;
    uint32_t                       i;
    uint64_t                       hours, unseen;
    ngx_uint_t                     k, n, states;
    ngx_msec_t                     wait;
    ngx_http_webhook_job_t         jobs[16];
    ngx_http_webhook_verdict_t     verdict;
    ngx_http_webhook_zstate_t     *s;
    ngx_http_webhook_zdelivery_t  *d;

    static const int  set[] = { 0, -3600, -86400 * 400, 86400 * 2,
                                86400 * 3650 };

    for (k = 0; k < sizeof(set) / sizeof(set[0]); k++) {
        store_create(&old, 100);

        for (i = 1; i <= 3; i++) {
            world_add(&old, i, NGX_HTTP_WEBHOOK_STARTED, 3, i, 100, 20);
        }

        n = world_take(&old, 1, jobs, 16, &wait);

        while (n--) {
            world_finish(&old, &jobs[n], 500, 100, &verdict);
        }

        (void) store_flush(&old);
        check_number(file->n, 6, "six are on disk, %d s", set[k]);

        unit_wall(set[k]);

        world_create(&new, old.shm.shm.size, 100);
        ngx_http_webhook_store_on(new.zone);

        check_number(ngx_http_webhook_store_load(new.zone, NULL), NGX_OK,
                     "and loaded");

        unseen = (set[k] > 0) ? ngx_min(set[k] / 3600, 0x7fff) : 0;

        states = 0;
        n = 0;

        for (i = 1; i < new.zone->sh->fresh; i++) {
            d = ngx_http_webhook_block(new.zone, i);
            s = ngx_http_webhook_block(new.zone, i);

            if (d->blk.type == NGX_HTTP_WEBHOOK_BLK_DELIVERY) {
                n += d->created <= ngx_http_webhook_zone_clock(new.zone)
                     && d->due <= ngx_current_msec
                                  + (d->tries ? verdict.wait * 3 / 2 : 0);
            }

            if (s->blk.type == NGX_HTTP_WEBHOOK_BLK_STATE) {
                hours = (uint16_t) (ngx_http_webhook_state_hours()
                                    - s->blk.seen);

                states += s->state.applied <= ngx_current_msec
                          && hours == unseen;
            }
        }

        check_number(n, 6, "none waits for longer");
        check_number(states, 3, "no state is of the future, nor forgotten");

        unit_wall(0);

        world_destroy(&new);
        world_destroy(&old);
        file_destroy();
    }
}


int
main(int argc, char **argv)
{
    unit_init();

    if (argc > 1 && strcmp(argv[1], "much") == 0) {
        test_store_kill(1000);
        test_store_churn(1000000);
        return 0;
    }

    test_store_full();
    test_store_order();
    test_store_together();
    test_store_known();
    test_store_clock();
    test_store_kill(40);
    test_store_step();
    test_store_churn(5000);

    return 0;
}


#else


int
main(int argc, char **argv)
{
    return 0;
}


#endif
