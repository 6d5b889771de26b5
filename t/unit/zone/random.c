
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * Operations at random, against a model that is a plain array.
 */


#include "zone/zone.h"


#define MAX         4000        /* deliveries that the model remembers */
#define EXECUTIONS  40
#define LOG         20


typedef struct {
    uint64_t      uuid;
    uint64_t      n;             /* execution */
    uint64_t      seq;
    uint64_t      due;
    uint64_t      logged;
    ngx_uint_t    hook;
    ngx_uint_t    event;
    int           status;        /* -1: not there */
    ngx_uint_t    tries;
    ngx_uint_t    attempts;
    ngx_uint_t    flush;         /* due by a recovery */
} model_t;


static world_t     w;
static model_t     all[MAX];
static ngx_uint_t  nall;
static uint64_t    seq, logged, uuids;
static ngx_uint_t  failures;


#define open(m)  ((m)->status == NGX_HTTP_WEBHOOK_WAITING                     \
                  || (m)->status == NGX_HTTP_WEBHOOK_SENDING)


static void
fail(const char *what, model_t *m)
{
    if (failures++ < 10) {
        printf("# %s: delivery %d\n", what, m ? (int) m->uuid : -1);
    }
}


/* the one of its execution that it has to wait for */

static model_t *
leader(model_t *m)
{
    ngx_uint_t   i;
    model_t     *best;

    best = NULL;

    if (m->n == 0 || m->tries) {
        return NULL;
    }

    for (i = 0; i < nall; i++) {
        if (open(&all[i]) && all[i].tries == 0 && all[i].n == m->n
            && all[i].hook == m->hook && all[i].seq < m->seq
            && (best == NULL || all[i].seq > best->seq))
        {
            best = &all[i];
        }
    }

    return best;
}


static void
end(model_t *m, int status)
{
    ngx_uint_t   i, n;
    model_t     *oldest;

    m->status = status;
    m->logged = ++logged;
    m->flush = 0;

    n = 0;
    oldest = NULL;

    for (i = 0; i < nall; i++) {
        if (all[i].hook != m->hook || all[i].status == -1 || open(&all[i])) {
            continue;
        }

        n++;

        if (oldest == NULL || all[i].logged < oldest->logged) {
            oldest = &all[i];
        }
    }

    if (n > LOG) {
        oldest->status = -1;
    }
}


static void
op_add(void)
{
    ngx_int_t    rc;
    ngx_uint_t   i, event, to, k, waiting, over;
    uint64_t     n, uuid;
    model_t     *m, *t, *victim;

    if (nall + HOOKS > MAX) {
        return;
    }

    n = random() % EXECUTIONS;
    event = n ? 1 + random() % 4 : NGX_HTTP_WEBHOOK_PING;
    to = random() & 0xff;
    uuid = ++uuids;

    rc = world_add(&w, n, event, to, uuid, random() % 2000,
                   (random() % 4) ? 0 : random() % 600);

    if (rc != NGX_OK) {
        fail("add", NULL);
        return;
    }

    for (i = 0; i < HOOKS; i++) {

        if (!(to & (1 << i))) {
            continue;
        }

        m = &all[nall];
        memset(m, 0, sizeof(model_t));

        m->uuid = uuid;
        m->n = n;
        m->hook = i;
        m->event = event;
        m->due = ngx_current_msec;
        m->status = NGX_HTTP_WEBHOOK_WAITING;
        m->seq = seq + 1;

        t = leader(m);

        if (t && !(t->status == NGX_HTTP_WEBHOOK_WAITING
                   && t->event == NGX_HTTP_WEBHOOK_UPDATED))
        {
            t = NULL;
        }

        waiting = 0;

        for (k = 0; k < nall; k++) {
            waiting += (all[k].hook == i
                        && all[k].status == NGX_HTTP_WEBHOOK_WAITING);
        }

        over = (waiting >= w.hooks[i].queue + (t != NULL));

        if (over && !w.hooks[i].overflow_oldest) {
            continue;
        }

        if (t) {
            end(t, NGX_HTTP_WEBHOOK_SUPERSEDED);
        }

        seq++;
        nall++;

        if (!over) {
            continue;
        }

        /* it may be the one that came */

        victim = NULL;

        for (k = 0; k < nall; k++) {
            if (all[k].hook == i
                && all[k].status == NGX_HTTP_WEBHOOK_WAITING
                && (victim == NULL
                    || (victim->event == NGX_HTTP_WEBHOOK_FINISHED)
                       > (all[k].event == NGX_HTTP_WEBHOOK_FINISHED)
                    || ((victim->event == NGX_HTTP_WEBHOOK_FINISHED)
                        == (all[k].event == NGX_HTTP_WEBHOOK_FINISHED)
                        && all[k].seq < victim->seq)))
            {
                victim = &all[k];
            }
        }

        if (victim) {
            end(victim, NGX_HTTP_WEBHOOK_DROPPED);
        }
    }
}


static model_t *
find(uint64_t number)
{
    ngx_uint_t  i;

    for (i = 0; i < nall; i++) {
        if (all[i].uuid * HOOKS + all[i].hook == number
            && all[i].status != -1)
        {
            return &all[i];
        }
    }

    return NULL;
}


static ngx_http_webhook_job_t  flying[HOOKS][64];
static ngx_uint_t              nflying[HOOKS];


static void
op_take(void)
{
    uint64_t                       last;
    ngx_uint_t                     i, k, n, got, allowed, hook, could;
    model_t                       *m, *oldest;
    ngx_msec_t                     wait, unused;
    ngx_http_webhook_job_t        *jobs;
    ngx_http_webhook_hook_stat_t   stat;
    static u_char                  payload[2000], headers[600];

    hook = random() % HOOKS;
    n = 1 + random() % 8;

    if (nflying[hook] + n > 64) {
        return;
    }

    ngx_http_webhook_queue_stat(w.zone, w.hooks[hook].slot, &stat);

    allowed = ngx_http_webhook_retry_allowed(&w.hooks[hook], &stat.health,
                                         ngx_http_webhook_zone_clock(w.zone),
                                             nflying[hook], &unused);
    could = 0;
    oldest = NULL;

    for (i = 0; i < nall; i++) {
        m = &all[i];

        if (m->hook == hook && m->status == NGX_HTTP_WEBHOOK_WAITING
            && leader(m) == NULL)
        {
            if (oldest == NULL || m->seq < oldest->seq) {
                oldest = m;
            }

            could += (m->flush || m->due <= ngx_current_msec
                      || stat.health.state
                         == NGX_HTTP_WEBHOOK_HEALTH_PROBING);
        }
    }

    jobs = &flying[hook][nflying[hook]];
    got = world_take(&w, hook, jobs, n, &wait);
    last = 0;

    if (got != ngx_min(ngx_min(n, allowed), could)) {
        fail("number taken", NULL);
    }

    for (k = 0; k < got; k++) {
        m = find(world_number(jobs[k].uuid));

        if (m == NULL || m->status != NGX_HTTP_WEBHOOK_WAITING || leader(m)) {
            fail("taken", m);
            continue;
        }

        if (k == 0 && stat.health.state == NGX_HTTP_WEBHOOK_HEALTH_PROBING
            && m != oldest)
        {
            fail("probe", m);
        }

        if (last && !m->flush && m->due < last) {
            fail("order", m);
        }

        last = m->flush ? 0 : m->due;

        if (jobs[k].attempt != m->attempts + 1) {
            fail("number of attempt", m);
        }

        if (ngx_http_webhook_queue_copy(w.zone, &jobs[k], payload, headers)
            != NGX_OK
            || !world_filled(payload, jobs[k].payload, m->uuid)
            || !world_filled(headers, jobs[k].headers, m->uuid + 1))
        {
            fail("bytes", m);
        }

        m->status = NGX_HTTP_WEBHOOK_SENDING;
        m->flush = 0;
    }

    nflying[hook] += got;
}


static void
op_finish(void)
{
    ngx_uint_t                   i, k, hook, status;
    model_t                     *m;
    ngx_http_webhook_job_t       job;
    ngx_http_webhook_verdict_t   verdict;
    static ngx_uint_t            statuses[] = { 200, 200, 200, 204, 400, 0,
                                                503, 500 };

    hook = random() % HOOKS;

    if (nflying[hook] == 0) {
        return;
    }

    k = random() % nflying[hook];
    job = flying[hook][k];
    flying[hook][k] = flying[hook][--nflying[hook]];

    m = find(world_number(job.uuid));

    if (m == NULL || m->status != NGX_HTTP_WEBHOOK_SENDING) {
        fail("finish", m);
        return;
    }

    if (random() % 8 == 0) {
        ngx_http_webhook_queue_return(w.zone, &job, 100);
        m->status = NGX_HTTP_WEBHOOK_WAITING;
        m->due = ngx_current_msec + 100;
        return;
    }

    status = statuses[random() % 8];

    if (world_finish(&w, &job, status, random() % 6000, &verdict) != NGX_OK) {
        fail("finish", m);
        return;
    }

    m->tries++;
    m->attempts += !verdict.kept;

    if (verdict.status == NGX_HTTP_WEBHOOK_WAITING) {
        m->status = NGX_HTTP_WEBHOOK_WAITING;
        m->due = ngx_current_msec + verdict.wait;

    } else {
        end(m, verdict.status);
    }

    if (verdict.recovered) {
        for (i = 0; i < nall; i++) {
            if (all[i].hook == hook
                && all[i].status == NGX_HTTP_WEBHOOK_WAITING)
            {
                all[i].flush = 1;
            }
        }
    }
}


static void
op_again(void)
{
    u_char       key[16];
    uint32_t     slot;
    ngx_int_t    rc;
    model_t     *m;

    if (nall == 0) {
        return;
    }

    m = &all[random() % nall];

    world_key(key, m->uuid * HOOKS + m->hook);
    rc = ngx_http_webhook_queue_again(w.zone, key, &slot);

    if (rc != ((m->status == -1) ? NGX_DECLINED : open(m) ? NGX_BUSY : NGX_OK))
    {
        fail("again", m);
        return;
    }

    if (rc == NGX_OK) {
        m->status = NGX_HTTP_WEBHOOK_WAITING;
        m->seq = ++seq;
        m->due = ngx_current_msec;
    }
}


static void
op_resume(void)
{
    ngx_uint_t  i, hook;

    hook = random() % HOOKS;

    ngx_http_webhook_queue_pause(w.zone, w.hooks[hook].slot, random() % 2);
    ngx_http_webhook_queue_pause(w.zone, w.hooks[hook].slot, 0);

    for (i = 0; i < nall; i++) {
        if (all[i].hook == hook && all[i].status == NGX_HTTP_WEBHOOK_WAITING) {
            all[i].flush = 1;
        }
    }
}


/* as if a process had been killed under the lock: nothing may change */

static void
op_rebuild(void)
{
    w.zone->sh->undo_last = 0;
    w.zone->sh->undo_txn = w.zone->sh->committed + 1;
    w.zone->sh->dirty = 1;
}


static void
compare(void)
{
    uint64_t                     next;
    ngx_uint_t                   i, n, there;
    model_t                     *m;
    ngx_http_webhook_filter_t    filter;
    ngx_http_webhook_summary_t   list[100];

    memset(&filter, 0, sizeof(filter));
    filter.slot = NGX_HTTP_WEBHOOK_NO_SLOT;

    there = 0;

    do {
        n = ngx_http_webhook_queue_list(w.zone, &filter, list, 100, &next);

        for (i = 0; i < n; i++) {
            m = find(world_number(list[i].uuid));

            if (m == NULL
                || m->status != (int) list[i].status
                || m->tries != list[i].attempts
                || m->seq != list[i].seq)
            {
                fail("compare", m);
            }
        }

        there += n;
        filter.after = next;

    } while (next);

    n = 0;

    for (i = 0; i < nall; i++) {
        n += (all[i].status != -1);
    }

    if (n != there) {
        fail("number", NULL);
    }

    /* the model forgets what is gone */

    for (i = 0, n = 0; i < nall; i++) {
        if (all[i].status != -1) {
            all[n++] = all[i];
        }
    }

    nall = n;
}


void
test_random(void)
{
    ngx_uint_t  i, ok;

    world_create(&w, 16 * 1024 * 1024, LOG);

    srandom(1);

    for (i = 0; i < HOOKS; i++) {
        w.hooks[i].queue = 30 + i * 10;
        w.hooks[i].overflow_oldest = i & 1;
        w.hooks[i].disable_after = 0;
        w.zone->slots[w.hooks[i].slot].patience = 1000000000;
    }

    ok = 1;

    for (i = 0; i < 60000 && ok && failures == 0; i++) {

        switch (random() % 16) {

        case 0:
        case 1:
        case 2:
            op_add();
            break;

        case 3:
            unit_time(ngx_current_msec + random() % 3000);
            world_own(&w);
            break;

        case 4:
            op_again();
            break;

        case 5:
            if (random() % 10 == 0) {
                op_resume();
            }

            break;

        case 6:
            if (random() % 20 == 0) {
                op_rebuild();
            }

            break;

        case 7:
        case 8:
        case 9:
        case 10:
            op_take();
            break;

        default:
            op_finish();
        }

        if (i % 50 == 0) {
            ok = world_check(&w, "random");
            compare();
        }
    }

    check(ok, "random operations leave the zone consistent");
    check_number(failures, 0, "and as the model says");

    world_destroy(&w);
}
