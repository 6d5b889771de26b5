
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The zone and its queue, as one worker uses them: what is queued, taken,
 * finished and listed, in which order, and what gives way.
 *
 * rooms: clock zone block state rebuild store_list watch_list delivery
 *        delivery_index delivery_free queue queue_full queue_enrich take
 *        attempt tally owner log log_again check check_queue retry
 */


#include "zone/zone.h"


static void
test_path(void)
{
    world_t                       w;
    u_char                        payload[9000], headers[600], uuid[16];
    uint64_t                      next;
    ngx_msec_t                    wait;
    ngx_pool_t                   *pool;
    ngx_http_webhook_job_t        jobs[4];
    ngx_http_webhook_filter_t     filter;
    ngx_http_webhook_verdict_t    verdict;
    ngx_http_webhook_summary_t    list[4];
    ngx_http_webhook_attempt_t   *a;
    ngx_http_webhook_delivery_t   d;
    ngx_http_webhook_hook_stat_t  stat;
    ngx_http_webhook_zone_use_t   use;

    world_create(&w, 2 * 1024 * 1024, 10);

    check_number(world_add(&w, 7, NGX_HTTP_WEBHOOK_LAUNCHED, 3, 1, 5000, 500),
                 NGX_OK, "an event is queued for two webhooks");
    check(world_check(&w, "queued"), "consistent");

    check_number(ngx_http_webhook_queue_take(w.zone, &w.hooks[0], &w.self,
                                             jobs, 4, &wait),
                 1, "one is due");
    check_number(wait, NGX_CONF_UNSET_MSEC, "and no other");
    check_number(jobs[0].payload, 5000, "size of payload");
    check_number(jobs[0].headers, 500, "size of headers");
    check_number(jobs[0].attempt, 1, "first attempt");

    check_number(ngx_http_webhook_queue_copy(w.zone, &jobs[0], payload,
                                             headers),
                 NGX_OK, "copied");
    check(world_filled(payload, 5000, 1), "payload");
    check(world_filled(headers, 500, 2), "headers");

    check_number(world_finish(&w, &jobs[0], 500, 100, &verdict), NGX_OK,
                 "an attempt fails");
    check_number(verdict.status, NGX_HTTP_WEBHOOK_WAITING, "it waits");
    check(world_check(&w, "failed"), "consistent");

    check_number(ngx_http_webhook_queue_take(w.zone, &w.hooks[0], &w.self,
                                             jobs, 4, &wait),
                 0, "nothing is due");
    check(wait >= 4000 && wait <= 6000, "until 5 s have passed");

    unit_time(ngx_current_msec + wait);
    world_own(&w);

    check_number(ngx_http_webhook_queue_take(w.zone, &w.hooks[0], &w.self,
                                             jobs, 4, &wait),
                 1, "now it is");
    check_number(jobs[0].attempt, 2, "second attempt");
    check_number(world_finish(&w, &jobs[0], 204, 0, &verdict), NGX_OK,
                 "it succeeds");
    check_number(world_finish(&w, &jobs[0], 204, 0, &verdict), NGX_DECLINED,
                 "and cannot end twice");
    check(world_check(&w, "delivered"), "consistent");

    world_key(uuid, 1 * HOOKS + 0);
    pool = pool_create();

    check_number(ngx_http_webhook_queue_get(w.zone, uuid, pool, &d), NGX_OK,
                 "it is in the log");
    check_number(d.summary.status, NGX_HTTP_WEBHOOK_DELIVERED, "delivered");
    check_number(d.summary.attempts, 2, "two attempts");
    check_number(d.summary.code, 204, "code");
    check_text(d.summary.hook, d.summary.hook_len, "zero", "webhook");
    check_text(d.summary.execution, d.summary.execution_len, "7", "execution");
    check_number(d.payload.len, 5000, "size of payload");
    check(world_filled(d.payload.data, d.payload.len, 1), "payload");
    check_text(d.sent.data, d.sent.len,
               "POST / HTTP/1.1\r\nHost: example.com\r\n", "request headers");
    check_number(d.attempts.nelts, 2, "both attempts");

    a = d.attempts.elts;
    check_number(a[0].status, 500, "the first");
    check_text(a[0].peer.data, a[0].peer.len, "127.0.0.1:443", "its peer");
    check_number(a[0].body.len, 0, "without its texts");
    check_number(a[0].dns, NGX_CONF_UNSET_MSEC, "a phase not known");
    check_number(a[0].total, 12, "a phase known");
    check_number(a[1].status, 204, "the second");
    check_text(a[1].headers.data, a[1].headers.len,
               "Content-Type: text/plain\r\n", "response headers");

    pool_destroy(pool);

    memset(&filter, 0, sizeof(filter));
    filter.slot = NGX_HTTP_WEBHOOK_NO_SLOT;

    check_number(ngx_http_webhook_queue_list(w.zone, &filter, list, 4, &next),
                 2, "list");
    check_number(next, 0, "all of it");
    check_number(list[0].status, NGX_HTTP_WEBHOOK_WAITING, "newest first");

    ngx_http_webhook_queue_stat(w.zone, w.hooks[0].slot, &stat);
    check_number(stat.delivered, 1, "one delivered");
    check_number(stat.attempts, 2, "in two attempts");
    check_number(stat.waiting, 0, "none waiting");
    check_number(stat.recent, 1, "of the last ones");

    ngx_http_webhook_queue_use(w.zone, &use);
    check_number(use.states, 1, "one state");
    check_number(use.deliveries, 2, "two deliveries");
    check_number(use.waiting, 1, "one of them waiting");

    world_destroy(&w);
}


int
main(int argc, char **argv)
{
    unit_init();

    if (argc > 1 && strcmp(argv[1], "speed") == 0) {
        test_speed();
        return 0;
    }

    /* "zone much": more of the same */

    if (argc > 1 && strcmp(argv[1], "much") == 0) {
        test_churn(1000000);
        test_crowd(20000);
        test_kill(1000);
        return 0;
    }

    test_path();
    test_order();
    test_superseded();
    test_overflow();
    test_expire();
    test_recovery();
    test_again();
    test_owner();
    test_slots();
    test_reload();
    test_pending();
    test_watching();
    test_random();
    test_full();
    test_churn(100000);
    test_crowd(500);
    test_kill(50);
    test_step();

    return 0;
}
