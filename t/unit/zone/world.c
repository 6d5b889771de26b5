
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * A zone with webhooks, as a worker sees it.
 */


#include "zone/zone.h"


static void world_event(world_t *w, ngx_http_webhook_new_event_t *new,
    uint64_t n, ngx_uint_t event, ngx_uint_t to, uint64_t uuid, size_t size,
    size_t headers, ngx_uint_t unsure);


static ngx_msec_t  steps[] = { 5000, 60000, 600000 };
static uint64_t    pending;
static ngx_uint_t  uncertain;


void
world_create(world_t *w, size_t size, ngx_uint_t log)
{
    ngx_uint_t                 i;
    ngx_array_t                fresh;
    ngx_http_webhook_hook_t   *h, **p;
    static char               *names[] = { "zero", "one", "two", "three",
                                           "four", "five", "six", "seven" };

    memset(w, 0, sizeof(world_t));

    w->pool = pool_create();
    w->shpool = unit_map(size);

    array_init(&w->mcf.hooks, w->pool, sizeof(ngx_http_webhook_hook_t *));

    w->mcf.log = log;
    w->mcf.body = 4096;

    w->shm.shm.addr = (u_char *) w->shpool;
    w->shm.shm.size = size;
    ngx_str_set(&w->shm.shm.name, "webhooks");
    w->shm.shm.log = ngx_cycle->log;
    w->shm.data = &w->mcf;

    if (ngx_http_webhook_zone_init(&w->shm, NULL) != NGX_OK) {
        check(0, "zone of %zu bytes", size);
        exit(1);
    }

    w->zone = w->mcf.zone;

    for (i = 0; i < HOOKS; i++) {
        h = &w->hooks[i];

        h->name = text(names[i]);
        h->url = text("https://example.com/");
        h->id = 1000 + i;
        h->index = i;
        h->timeout = 15000;
        h->queue = 10000;
        h->max_in_flight = 16;
        h->disable_after = 5 * 86400000;
        h->active = 1;

        h->retry.elts = steps;
        h->retry.nelts = 3;
        h->retry.size = sizeof(ngx_msec_t);

        p = ngx_array_push(&w->mcf.hooks);
        *p = h;
    }

    array_init(&fresh, w->pool, sizeof(ngx_http_webhook_hook_t *));

    if (ngx_http_webhook_queue_slots(w->zone, &w->mcf, &fresh) != NGX_OK
        || fresh.nelts != HOOKS)
    {
        check(0, "slots");
        exit(1);
    }

    w->self.pid = ngx_pid;
    w->self.worker = 1;
    w->self.generation = 1;

    world_own(w);
}


void
world_destroy(world_t *w)
{
    pool_destroy(w->pool);
    munmap(w->shpool, w->shm.shm.size);
}


void
world_own(world_t *w)
{
    ngx_uint_t                i, fresh;
    ngx_http_webhook_owner_t  owner;

    for (i = 0; i < HOOKS; i++) {
        (void) ngx_http_webhook_queue_own(w->zone, w->hooks[i].slot, &w->self,
                                          1, &owner, &fresh);
    }
}


ngx_uint_t
world_check(world_t *w, const char *when)
{
    u_char  message[256];

    if (ngx_http_webhook_queue_check(w->zone, message, sizeof(message))
        == NGX_OK)
    {
        return 1;
    }

    printf("# %s: %s\n", when, message);

    return 0;
}


void
world_key(u_char key[16], uint64_t n)
{
    uint64_t  h;

    h = (n + 1) * 0x9e3779b97f4a7c15ULL;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;

    memcpy(key, &h, 8);
    memcpy(key + 8, &n, 8);
}


void
world_fill(u_char *p, size_t len, uint64_t n)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        p[i] = (n * 31 + i * 7 + (i >> 8)) & 0xff;
    }
}


ngx_uint_t
world_filled(u_char *p, size_t len, uint64_t n)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (p[i] != ((n * 31 + i * 7 + (i >> 8)) & 0xff)) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
world_add(world_t *w, uint64_t n, ngx_uint_t event, ngx_uint_t to,
    uint64_t uuid, size_t size, size_t headers)
{
    u_char                         key[16];
    ngx_int_t                      rc;
    ngx_http_webhook_state_t       state;
    ngx_http_webhook_new_event_t   new;

    world_key(key, n);
    world_event(w, &new, n, event, to, uuid, size, headers, uncertain);

    new.pending = pending;

    if (n == 0) {
        return ngx_http_webhook_queue_add(w->zone, NULL, NULL, &new, 1);
    }

    for ( ;; ) {
        ngx_http_webhook_queue_state(w->zone, key, &state);

        state.version++;
        state.sequence++;
        state.applied = ngx_current_msec;
        state.rank = (event == NGX_HTTP_WEBHOOK_UPDATED)
                     ? NGX_HTTP_WEBHOOK_STARTED : event;

        new.sequence = state.sequence;

        rc = ngx_http_webhook_queue_add(w->zone, key, &state, &new, 1);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


ngx_int_t
world_pend(world_t *w, uint64_t n, ngx_uint_t event, ngx_uint_t to,
    uint64_t uuid, size_t size, uint64_t until, ngx_uint_t unsure)
{
    ngx_int_t  rc;

    pending = until;
    uncertain = unsure;

    rc = world_add(w, n, event, to, uuid, size, 0);

    pending = 0;
    uncertain = 0;

    return rc;
}


void
world_enrich(world_t *w, uint64_t n, ngx_uint_t event, ngx_uint_t to,
    uint64_t uuid, size_t size, ngx_uint_t unsure)
{
    u_char                         key[16];
    ngx_http_webhook_new_event_t   new;

    world_key(key, n);
    world_event(w, &new, n, event, to, uuid, size, 0, unsure);

    ngx_http_webhook_queue_enrich(w->zone, key, &new, 1);
}


static void
world_event(world_t *w, ngx_http_webhook_new_event_t *new, uint64_t n,
    ngx_uint_t event, ngx_uint_t to, uint64_t uuid, size_t size,
    size_t headers, ngx_uint_t unsure)
{
    ngx_uint_t                               i;
    ngx_http_webhook_new_delivery_t         *d;
    static u_char                            payload[1024 * 1024],
                                             values[65536], id[24];
    static ngx_http_webhook_new_delivery_t   deliveries[HOOKS];

    memset(new, 0, sizeof(ngx_http_webhook_new_event_t));
    memset(deliveries, 0, sizeof(deliveries));

    world_fill(payload, size, uuid);
    world_fill(values, headers, uuid + 1);

    new->event = event;
    new->time = 1000;
    new->execution.data = id;
    new->payload.data = payload;
    new->payload.len = size;
    new->deliveries.elts = deliveries;

    if (n) {
        new->execution.len = snprintf((char *) id, sizeof(id), "%llu",
                                      (unsigned long long) n);
    }

    for (i = 0; i < HOOKS; i++) {

        if (!(to & (1 << i))) {
            continue;
        }

        d = &deliveries[new->deliveries.nelts++];

        d->hook = &w->hooks[i];
        d->headers.data = values;
        d->headers.len = headers;
        d->unsure = (unsure >> i) & 1;
        world_key(d->uuid, uuid * HOOKS + i);
    }
}


ngx_int_t
world_finish(world_t *w, ngx_http_webhook_job_t *job, ngx_uint_t status,
    size_t body, ngx_http_webhook_verdict_t *verdict)
{
    ngx_str_t                   sent;
    ngx_uint_t                  i;
    ngx_http_webhook_result_t   result;
    static u_char               bytes[65536];

    for (i = 0; i < HOOKS; i++) {
        if (w->hooks[i].slot == job->slot) {
            break;
        }
    }

    memset(&result, 0, sizeof(result));
    memset(bytes, 'b', sizeof(bytes));

    result.status = status;
    result.error = status ? 0 : NGX_HTTP_WEBHOOK_ERR_RESET;
    result.message = text(status ? "" : "the connection broke");
    result.headers = text("Content-Type: text/plain\r\n");
    result.body.data = bytes;
    result.body.len = ngx_min(body, w->mcf.body);
    result.body_size = body;
    result.peer = text("127.0.0.1:443");
    result.dns = NGX_CONF_UNSET_MSEC;
    result.total = 12;

    sent = text("POST / HTTP/1.1\r\nHost: example.com\r\n");

    return ngx_http_webhook_queue_finish(w->zone, &w->hooks[i], job, &result,
                                         &sent, 1234567890123ULL, verdict);
}


ngx_uint_t
world_take(world_t *w, ngx_uint_t hook, ngx_http_webhook_job_t *jobs,
    ngx_uint_t n, ngx_msec_t *wait)
{
    return ngx_http_webhook_queue_take(w->zone, &w->hooks[hook], &w->self,
                                       jobs, n, wait);
}


int
world_status(world_t *w, uint64_t uuid, ngx_uint_t hook)
{
    int                           status;
    u_char                        key[16];
    ngx_pool_t                   *pool;
    ngx_http_webhook_delivery_t   d;

    world_key(key, uuid * HOOKS + hook);

    pool = pool_create();

    status = -1;

    if (ngx_http_webhook_queue_get(w->zone, key, pool, &d) == NGX_OK) {
        status = d.summary.status;

        if (!world_filled(d.payload.data, d.payload.len, uuid)) {
            status = -2;
        }
    }

    pool_destroy(pool);

    return status;
}


uint64_t
world_number(u_char uuid[16])
{
    uint64_t  n;

    memcpy(&n, uuid + 8, 8);

    return n;
}
