
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_store: in: a request whose answer is in the store; out: the request
 * goes on when a thread has read it, or too much time has passed; next:
 * status_delivery, status_list, store_reader.
 */


#include "ngx_http_webhook_status_priv.h"


#define NGX_HTTP_WEBHOOK_STATUS_PATIENCE  10000    /* ms */


static void ngx_http_webhook_status_answered(ngx_http_webhook_query_t *query);
static void ngx_http_webhook_status_timeout(ngx_event_t *ev);
static void ngx_http_webhook_status_go_on(ngx_http_webhook_status_t *s);


ngx_int_t
ngx_http_webhook_status_ask(ngx_http_webhook_status_t *s, ngx_uint_t type,
    ngx_http_webhook_status_pt resume)
{
    if (s->mcf->store == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_webhook_status_forget(s);

    s->query = ngx_http_webhook_query_create(type,
                                             ngx_http_webhook_status_answered,
                                             s);
    if (s->query == NULL) {
        return NGX_ERROR;
    }

    s->resume = resume;

    return NGX_OK;
}


void
ngx_http_webhook_status_forget(ngx_http_webhook_status_t *s)
{
    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }

    if (s->query) {
        ngx_http_webhook_query_end(s->query);
        s->query = NULL;
    }
}


ngx_int_t
ngx_http_webhook_status_wait(ngx_http_webhook_status_t *s)
{
    if (ngx_http_webhook_query_begin(s->query) != NGX_OK) {
        return s->resume(s);
    }

    /* a worker does not exit meanwhile */

    s->timer.handler = ngx_http_webhook_status_timeout;
    s->timer.log = s->request->connection->log;
    s->timer.data = s;

    ngx_add_timer(&s->timer, NGX_HTTP_WEBHOOK_STATUS_PATIENCE);

    return NGX_DONE;
}


ngx_int_t
ngx_http_webhook_status_hold(ngx_http_webhook_status_t *s)
{
    ngx_http_request_t  *r;

    r = s->request;

    /* a client that leaves is seen, unless the rest of its request is read */

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;

        if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
            ngx_http_webhook_status_forget(s);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_webhook_status_answered(ngx_http_webhook_query_t *query)
{
    ngx_http_webhook_status_t  *s;

    s = query->data;

    ngx_del_timer(&s->timer);

    ngx_http_webhook_status_go_on(s);
}


static void
ngx_http_webhook_status_timeout(ngx_event_t *ev)
{
    ngx_http_webhook_status_t  *s;

    s = ev->data;

    ngx_http_webhook_status_forget(s);
    ngx_http_webhook_status_go_on(s);
}


static void
ngx_http_webhook_status_go_on(ngx_http_webhook_status_t *s)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = s->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    rc = s->resume(s);

    if (rc != NGX_DONE && !r->discard_body) {
        r->read_event_handler = ngx_http_block_reading;
    }

    ngx_http_webhook_status_finish(s, rc);

    ngx_http_run_posted_requests(c);
}


ngx_uint_t
ngx_http_webhook_status_unread(ngx_http_webhook_status_t *s)
{
    if (s->query && s->query->rc != NGX_ERROR) {
        return 0;
    }

    /* it may say more when asked again */

    ngx_str_null(&s->tag);

    ngx_log_error(NGX_LOG_ERR, s->request->connection->log, 0,
                  "webhook_store \"%V\" cannot be read: %s",
                  &s->mcf->store->name,
                  s->query ? (char *) s->query->error : "no answer");

    return 1;
}


ngx_int_t
ngx_http_webhook_status_no_answer(ngx_http_webhook_status_t *s)
{
    return ngx_http_webhook_status_problem(s, NGX_HTTP_SERVICE_UNAVAILABLE,
                                           "the store cannot be read now",
                                           NULL);
}


void
ngx_http_webhook_status_present(ngx_http_webhook_status_t *s,
    ngx_http_webhook_stored_t *row)
{
    uint64_t                     now;
    ngx_time_t                  *tp;
    ngx_http_webhook_hook_t     *hook;
    ngx_http_webhook_summary_t  *summary;

    summary = &row->delivery.summary;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    if (summary->next && summary->next < now) {
        summary->next = now;
    }

    if (summary->hook_len == 0) {
        hook = ngx_http_webhook_status_by_id(s, row->hook);

        if (hook) {
            summary->hook_len = ngx_min(hook->name.len,
                                        sizeof(summary->hook));
            ngx_memcpy(summary->hook, hook->name.data, summary->hook_len);
        }
    }
}


ngx_http_webhook_hook_t *
ngx_http_webhook_status_by_id(ngx_http_webhook_status_t *s, uint32_t id)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    hook = s->mcf->hooks.elts;

    for (i = 0; i < s->mcf->hooks.nelts; i++) {
        if (hook[i]->id == id) {
            return hook[i];
        }
    }

    return NULL;
}
