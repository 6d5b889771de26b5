
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_recover: in: a POST; out: all deliveries of a webhook that failed wait
 * again, those of the store and then those of the zone, a few of them in each
 * turn of the event loop; then how many; next: status.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_dispatch.h"


#define NGX_HTTP_WEBHOOK_RECOVER_PAUSE  1    /* ms */
#define NGX_HTTP_WEBHOOK_RECOVER_ROWS   64   /* of the store, at once */


typedef struct {
    ngx_event_t                     event;
    ngx_http_webhook_status_t      *status;
    ngx_http_webhook_hook_t        *hook;
    ngx_http_webhook_recovery_t     recovery;
    uint64_t                        from;    /* a number of the store's */
} ngx_http_webhook_recover_t;


static ngx_int_t ngx_http_webhook_recover_ask(ngx_http_webhook_recover_t *rec);
static ngx_int_t ngx_http_webhook_recover_stored(ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_recover_step(ngx_http_webhook_recover_t *rec);
static ngx_int_t ngx_http_webhook_recover_answer(
    ngx_http_webhook_recover_t *rec);
static void ngx_http_webhook_recover_handler(ngx_event_t *ev);
static void ngx_http_webhook_recover_cleanup(void *data);


ngx_int_t
ngx_http_webhook_status_recover(ngx_http_webhook_status_t *s)
{
    ngx_int_t                    rc;
    const char                  *error;
    ngx_pool_cleanup_t          *cln;
    ngx_http_webhook_hook_t     *hook;
    ngx_http_webhook_param_t     param = { ngx_string("since"),
                                           ngx_null_string };
    ngx_http_webhook_recover_t  *rec;

    rc = ngx_http_webhook_status_params(s, &param, 1);

    if (rc != NGX_OK) {
        return rc;
    }

    hook = ngx_http_webhook_status_hook(s, &s->name);

    if (hook == NULL || hook->slot == NGX_HTTP_WEBHOOK_NO_SLOT) {
        return ngx_http_webhook_status_no_hook(s);
    }

    cln = ngx_pool_cleanup_add(s->request->pool,
                               sizeof(ngx_http_webhook_recover_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    rec = cln->data;

    ngx_memzero(rec, sizeof(ngx_http_webhook_recover_t));

    if (param.value.len) {
        error = ngx_http_webhook_status_when(&param.value,
                                             &rec->recovery.since);
        if (error) {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                                                   error, &param.name);
        }
    }

    cln->handler = ngx_http_webhook_recover_cleanup;

    rec->status = s;
    rec->hook = hook;

    rec->recovery.slot = hook->slot;
    rec->recovery.queue = hook->queue;
    rec->recovery.last = ngx_http_webhook_queue_last(s->mcf->zone);

    /* the log of timers wants a connection there */

    rec->event.data = s->request->connection;
    rec->event.handler = ngx_http_webhook_recover_handler;
    rec->event.log = s->request->connection->log;

    rc = ngx_http_webhook_recover_ask(rec);

    return (rc == NGX_DECLINED) ? ngx_http_webhook_recover_step(rec) : rc;
}


/* NGX_DECLINED: there is no store */

static ngx_int_t
ngx_http_webhook_recover_ask(ngx_http_webhook_recover_t *rec)
{
    ngx_int_t                   rc;
    ngx_http_webhook_query_t   *query;
    ngx_http_webhook_status_t  *s;

    s = rec->status;

    rc = ngx_http_webhook_status_ask(s, NGX_HTTP_WEBHOOK_QUERY_OLDEST,
                                     ngx_http_webhook_recover_stored);

    if (rc != NGX_OK) {
        return rc;
    }

    query = s->query;
    s->state = rec;

    query->hook = rec->hook->id;
    query->n = NGX_HTTP_WEBHOOK_RECOVER_ROWS;
    query->filter.since = rec->recovery.since;
    query->filter.statuses = (1 << NGX_HTTP_WEBHOOK_FAILED)
                             | (1 << NGX_HTTP_WEBHOOK_EXPIRED);
    query->above = rec->from;
    query->last = rec->recovery.last;

    return ngx_http_webhook_status_wait(s);
}


static ngx_int_t
ngx_http_webhook_recover_stored(ngx_http_webhook_status_t *s)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_webhook_stored_t   *row;
    ngx_http_webhook_recover_t  *rec;

    rec = s->state;

    if (ngx_http_webhook_status_unread(s)) {
        rec->recovery.more = 1;

        return ngx_http_webhook_recover_step(rec);
    }

    row = s->query->rows.elts;

    for (i = 0; i < s->query->rows.nelts; i++) {

        if (row[i].delivery.payload.data == NULL) {
            continue;
        }

        rc = ngx_http_webhook_store_again(s->mcf->zone, &row[i], rec->hook,
                                          rec->recovery.queue);

        if (rc == NGX_AGAIN) {
            rec->recovery.more = 1;

            return ngx_http_webhook_recover_answer(rec);
        }

        /* what the zone knows is its own concern */

        if (rc == NGX_OK) {
            rec->recovery.count++;
        }
    }

    ngx_http_webhook_dispatch_wake(rec->hook);

    if (s->query->next) {
        rec->from = s->query->next;

        return ngx_http_webhook_recover_ask(rec);
    }

    return ngx_http_webhook_recover_step(rec);
}


static ngx_int_t
ngx_http_webhook_recover_step(ngx_http_webhook_recover_t *rec)
{
    ngx_int_t  rc;

    rc = ngx_http_webhook_queue_recover(rec->status->mcf->zone,
                                        &rec->recovery);

    if (rc == NGX_AGAIN) {
        ngx_http_webhook_dispatch_wake(rec->hook);
        ngx_add_timer(&rec->event, NGX_HTTP_WEBHOOK_RECOVER_PAUSE);
        return NGX_DONE;
    }

    return ngx_http_webhook_recover_answer(rec);
}


static ngx_int_t
ngx_http_webhook_recover_answer(ngx_http_webhook_recover_t *rec)
{
    ngx_http_webhook_status_t  *s;

    s = rec->status;

    ngx_http_webhook_dispatch_wake(rec->hook);

    ngx_http_webhook_status_literal(&s->text, "{");
    ngx_http_webhook_status_number(&s->text, "count", rec->recovery.count);
    ngx_http_webhook_status_boolean(&s->text, "more", rec->recovery.more);
    ngx_http_webhook_status_literal(&s->text, "}");

    return NGX_HTTP_ACCEPTED;
}


static void
ngx_http_webhook_recover_handler(ngx_event_t *ev)
{
    ngx_connection_t            *c;
    ngx_http_webhook_recover_t  *rec;

    rec = (ngx_http_webhook_recover_t *) ev;
    c = ev->data;

    ngx_http_set_log_request(c->log, rec->status->request);

    ngx_http_webhook_status_finish(rec->status,
                                   ngx_http_webhook_recover_step(rec));

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_webhook_recover_cleanup(void *data)
{
    ngx_http_webhook_recover_t *rec = data;

    if (rec->event.timer_set) {
        ngx_del_timer(&rec->event);
    }
}
