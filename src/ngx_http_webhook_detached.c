
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * detached: in: body, headers, a starter (dispatch.c); out: one result, once,
 * by done(); next: via.c or curl.c between start and end.
 *
 * The connection of a detached request has no socket.  It lives in a free list
 * of the worker, never in a pool: ngx_http_run_posted_requests() looks at
 * c->destroyed after the handler that may have ended the request.
 *
 * There are four ways to the end: the subrequest wakes its parent; the
 * transport or our deadline cuts it short; nginx terminates the request (444,
 * c->error), seen by a cleanup handler.  All only post "done" and leave the
 * freeing to it, so that no caller up the stack meets freed memory.
 */


#include "ngx_http_webhook_detached.h"
#include "ngx_http_webhook_format.h"
#include "ngx_http_webhook_spare.h"


#define NGX_HTTP_WEBHOOK_BLOCKED_WAIT     20   /* ms */
#define NGX_HTTP_WEBHOOK_BACKGROUND_WAIT  20   /* ms */
#define NGX_HTTP_WEBHOOK_BEFORE           100  /* ms */
#define NGX_HTTP_WEBHOOK_LATE             1    /* ms */
#define NGX_HTTP_WEBHOOK_OVER_WAIT        500  /* ms */
#define NGX_HTTP_WEBHOOK_COUNT            1000 /* references that are never
                                                  given back */


typedef struct {
    ngx_http_webhook_fake_t       fake;        /* must be first */
    ngx_event_t                   begin;
    ngx_event_t                   done;
    ngx_event_t                   deadline;
    ngx_event_t                   background;
    ngx_queue_t                   queue;
    ngx_http_webhook_detached_t   detached;

    unsigned                      completed:1; /* the transport filled result */
    unsigned                      ending:1;    /* result is settled */
    unsigned                      cut:1;       /* the worker exits before its
                                                  time is over */
    unsigned                      late:2;      /* looks after the deadline */
} ngx_http_webhook_post_t;


static void ngx_http_webhook_detached_begin(ngx_event_t *ev);
static void ngx_http_webhook_detached_start(ngx_http_request_t *sr);
static ngx_int_t ngx_http_webhook_detached_finalized(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_http_webhook_detached_wake(ngx_http_request_t *r);
static void ngx_http_webhook_detached_background(ngx_event_t *ev);
static void ngx_http_webhook_detached_cleanup(void *data);
static void ngx_http_webhook_detached_timeout(ngx_event_t *ev);
static void ngx_http_webhook_detached_end(ngx_http_webhook_post_t *f);
static void ngx_http_webhook_detached_done(ngx_event_t *ev);
static void ngx_http_webhook_detached_recycle(ngx_http_webhook_post_t *f);


static ngx_queue_t  ngx_http_webhook_detached_free;
static ngx_queue_t  ngx_http_webhook_detached_busy;


static ngx_str_t  ngx_http_webhook_detached_method = ngx_string("POST");
static ngx_str_t  ngx_http_webhook_detached_protocol = ngx_string("HTTP/1.1");


#define ngx_http_webhook_detached_post(d)                                     \
    ngx_queue_data(d, ngx_http_webhook_post_t, detached)

#define ngx_http_webhook_connection_post(c)                                   \
    ((ngx_http_webhook_post_t *) ngx_http_webhook_fake_get(c))


ngx_http_webhook_detached_t *
ngx_http_webhook_detached_create(ngx_http_conf_ctx_t *ctx)
{
    ngx_queue_t              *q;
    ngx_http_request_t       *r;
    ngx_http_cleanup_t       *cln;
    ngx_http_webhook_post_t  *f;

    if (ngx_http_webhook_detached_free.next == NULL) {
        ngx_queue_init(&ngx_http_webhook_detached_free);
        ngx_queue_init(&ngx_http_webhook_detached_busy);
    }

    if (ngx_queue_empty(&ngx_http_webhook_detached_free)) {
        f = ngx_alloc(sizeof(ngx_http_webhook_post_t), ngx_cycle->log);
        if (f == NULL) {
            return NULL;
        }

    } else {
        q = ngx_queue_head(&ngx_http_webhook_detached_free);
        ngx_queue_remove(q);
        f = ngx_queue_data(q, ngx_http_webhook_post_t, queue);
    }

    /* the rest is zeroed by ngx_http_webhook_fake_request() */

    ngx_memzero((u_char *) f + sizeof(ngx_http_webhook_fake_t),
                sizeof(ngx_http_webhook_post_t)
                - sizeof(ngx_http_webhook_fake_t));

    r = ngx_http_webhook_fake_request(&f->fake, ctx);

    if (r == NULL) {
        ngx_queue_insert_head(&ngx_http_webhook_detached_free, &f->queue);
        return NULL;
    }

    f->begin.data = f;
    f->begin.log = &f->fake.log;
    f->begin.handler = ngx_http_webhook_detached_begin;

    f->done = f->begin;
    f->done.handler = ngx_http_webhook_detached_done;

    f->deadline = f->begin;
    f->deadline.handler = ngx_http_webhook_detached_timeout;

    f->background = f->begin;
    f->background.handler = ngx_http_webhook_detached_background;

    f->detached.request = r;
    f->detached.pool = r->pool;
    f->detached.method = NGX_HTTP_POST;
    f->detached.method_name = ngx_http_webhook_detached_method;

    f->detached.result.dns = NGX_CONF_UNSET_MSEC;
    f->detached.result.connect = NGX_CONF_UNSET_MSEC;
    f->detached.result.tls = NGX_CONF_UNSET_MSEC;
    f->detached.result.first_byte = NGX_CONF_UNSET_MSEC;

    ngx_queue_insert_tail(&ngx_http_webhook_detached_busy, &f->queue);

    cln = ngx_http_cleanup_add(r, 0);

    if (cln == NULL
        || ngx_list_init(&r->headers_in.headers, r->pool, 16,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        ngx_http_webhook_detached_discard(&f->detached);
        return NULL;
    }

    cln->handler = ngx_http_webhook_detached_cleanup;
    cln->data = f;

    return &f->detached;
}


ngx_int_t
ngx_http_webhook_detached_run(ngx_http_webhook_detached_t *d, ngx_str_t *host,
    ngx_str_t *uri, ngx_str_t *body, ngx_msec_t timeout)
{
    u_char                   *p, *dst, *src;
    ngx_buf_t                *b;
    ngx_str_t                 length, name;
    ngx_chain_t              *cl;
    ngx_http_request_t       *r;
    ngx_http_webhook_post_t  *f;

    f = ngx_http_webhook_detached_post(d);
    r = d->request;

    ngx_str_set(&name, "Host");

    if (ngx_http_webhook_detached_header(d, &name, host) != NGX_OK) {
        goto failed;
    }

    if (body->len || d->method != NGX_HTTP_GET) {

        p = ngx_pnalloc(d->pool, NGX_SIZE_T_LEN);
        if (p == NULL) {
            goto failed;
        }

        p += NGX_SIZE_T_LEN;
        length.data = ngx_http_webhook_number_text(body->len, p);
        length.len = p - length.data;

        ngx_str_set(&name, "Content-Length");

        if (ngx_http_webhook_detached_header(d, &name, &length) != NGX_OK) {
            goto failed;
        }

        r->headers_in.content_length_n = body->len;
    }

    r->method = d->method;
    r->method_name = d->method_name;
    r->http_version = NGX_HTTP_VERSION_11;
    r->http_protocol = ngx_http_webhook_detached_protocol;

    r->request_line.len = d->method_name.len + 1 + uri->len
                          + 1 + ngx_http_webhook_detached_protocol.len;

    r->request_line.data = ngx_pnalloc(d->pool, r->request_line.len);
    if (r->request_line.data == NULL) {
        goto failed;
    }

    p = ngx_cpymem(r->request_line.data, d->method_name.data,
                   d->method_name.len);
    *p++ = ' ';
    p = ngx_cpymem(p, uri->data, uri->len);
    *p++ = ' ';
    ngx_memcpy(p, ngx_http_webhook_detached_protocol.data,
               ngx_http_webhook_detached_protocol.len);

    r->unparsed_uri = *uri;
    r->valid_unparsed_uri = 1;

    p = ngx_strlchr(uri->data, uri->data + uri->len, '?');

    if (p) {
        r->args.data = p + 1;
        r->args.len = uri->data + uri->len - r->args.data;

    } else {
        p = uri->data + uri->len;
    }

    r->uri.data = ngx_pnalloc(d->pool, p - uri->data);
    if (r->uri.data == NULL) {
        goto failed;
    }

    src = uri->data;
    dst = r->uri.data;
    ngx_unescape_uri(&dst, &src, p - uri->data, 0);
    r->uri.len = dst - r->uri.data;

    r->request_body = ngx_pcalloc(d->pool, sizeof(ngx_http_request_body_t));
    if (r->request_body == NULL) {
        goto failed;
    }

    if (body->len) {
        b = ngx_calloc_buf(d->pool);
        cl = ngx_alloc_chain_link(d->pool);

        if (b == NULL || cl == NULL) {
            goto failed;
        }

        b->memory = 1;
        b->last_buf = 1;
        b->start = body->data;
        b->pos = body->data;
        b->last = body->data + body->len;
        b->end = b->last;

        cl->buf = b;
        cl->next = NULL;

        r->request_body->bufs = cl;
        r->request_body->buf = b;
    }

    r->http_state = NGX_HTTP_PROCESS_REQUEST_STATE;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_webhook_detached_wake;

    f->fake.label = d->label;

    ngx_add_timer(&f->deadline, timeout);
    ngx_post_event(&f->begin, &ngx_posted_events);
    ngx_http_webhook_spare_promise(1);

    return NGX_OK;

failed:

    ngx_http_webhook_detached_discard(d);

    return NGX_ERROR;
}


void
ngx_http_webhook_detached_discard(ngx_http_webhook_detached_t *d)
{
    ngx_http_webhook_post_t  *f;

    f = ngx_http_webhook_detached_post(d);

    f->ending = 1;
    ngx_http_free_request(d->request, 0);
    ngx_http_webhook_detached_recycle(f);
}


static void
ngx_http_webhook_detached_begin(ngx_event_t *ev)
{
    ngx_http_request_t           *r, *sr;
    ngx_http_webhook_post_t      *f;
    ngx_http_post_subrequest_t   *ps;
    ngx_http_webhook_detached_t  *d;

    f = ev->data;
    d = &f->detached;
    r = d->request;

    ngx_http_webhook_spare_promise(-1);

    if (f->ending) {
        return;
    }

    ps = ngx_palloc(d->pool, sizeof(ngx_http_post_subrequest_t));

    if (ps) {
        ps->handler = ngx_http_webhook_detached_finalized;
        ps->data = d;
    }

    if (ps == NULL
        || ngx_http_subrequest(r, &r->uri, &r->args, &sr, ps, 0) != NGX_OK)
    {
        ngx_http_webhook_detached_cancel(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                         "no memory");
        return;
    }

    d->sr = sr;

    /* a subrequest begins as a GET, which nginx would send again elsewhere */

    sr->method = r->method;
    sr->method_name = r->method_name;
    sr->valid_unparsed_uri = 1;
    ngx_http_webhook_detached_headers(sr);

    sr->write_event_handler = ngx_http_webhook_detached_start;

    ngx_http_run_posted_requests(r->connection);
}


static void
ngx_http_webhook_detached_start(ngx_http_request_t *sr)
{
    ngx_http_webhook_post_t      *f;
    ngx_http_webhook_detached_t  *d;

    f = ngx_http_webhook_connection_post(sr->connection);
    d = &f->detached;

    /* what nginx calls while a transport without phases is under way */

    sr->write_event_handler = ngx_http_request_empty_handler;

    if (d->start(d, sr) != NGX_OK) {

        if (d->result.error == NGX_HTTP_WEBHOOK_ERR_NONE) {
            d->result.error = NGX_HTTP_WEBHOOK_ERR_INTERNAL;
        }

        f->completed = 1;
        ngx_http_finalize_request(sr, NGX_OK);
    }
}


static ngx_int_t
ngx_http_webhook_detached_finalized(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_webhook_detached_t  *d = data;

    d->rc = rc;

    /* anything else, 444 above all, would terminate a request with no client */

    return d->error ? d->error(d, sr, rc) : NGX_OK;
}


static void
ngx_http_webhook_detached_wake(ngx_http_request_t *r)
{
    ngx_http_webhook_post_t  *f;

    if (r->postponed) {
        return;
    }

    f = ngx_http_webhook_connection_post(r->connection);

    if (f->detached.patient && r->count > 1 && !f->ending && !ngx_exiting) {

        /* nobody is told when a background subrequest ends */

        if (!f->background.timer_set) {
            ngx_add_timer(&f->background, NGX_HTTP_WEBHOOK_BACKGROUND_WAIT);
        }

        return;
    }

    ngx_http_webhook_detached_end(f);
}


static void
ngx_http_webhook_detached_background(ngx_event_t *ev)
{
    ngx_http_webhook_post_t  *f;

    f = ev->data;

    ngx_http_webhook_detached_wake(f->detached.request);
}


void
ngx_http_webhook_detached_complete(ngx_http_webhook_detached_t *d)
{
    ngx_http_webhook_post_t  *f;

    f = ngx_http_webhook_detached_post(d);

    if (f->ending) {
        return;
    }

    f->completed = 1;

    ngx_http_finalize_request(d->sr, NGX_OK);
    ngx_http_run_posted_requests(&f->fake.connection);
}


void
ngx_http_webhook_detached_enough(ngx_http_webhook_detached_t *d)
{
    ngx_http_webhook_detached_end(ngx_http_webhook_detached_post(d));
}


void
ngx_http_webhook_detached_cancel(ngx_http_webhook_detached_t *d,
    ngx_uint_t error, char *message)
{
    ngx_http_webhook_post_t  *f;

    f = ngx_http_webhook_detached_post(d);

    if (f->ending) {
        return;
    }

    if (!f->completed) {
        if (d->abort && d->sr) {
            d->abort(d);
        }

        if (d->collect) {
            d->collect(d);
        }

        d->result.stale = 0;
        d->result.error = error;
        d->result.message.data = (u_char *) message;
        d->result.message.len = ngx_strlen(message);

        f->completed = 1;
    }

    ngx_http_webhook_detached_end(f);
}


ngx_http_webhook_detached_t *
ngx_http_webhook_detached_find(ngx_http_request_t *r)
{
    ngx_http_webhook_post_t  *f;

    f = ngx_http_webhook_connection_post(r->connection);

    return f ? &f->detached : NULL;
}


void
ngx_http_webhook_detached_shutdown(ngx_msec_t limit)
{
    ngx_queue_t              *q;
    ngx_msec_int_t            left;
    ngx_http_webhook_post_t  *f;

    if (ngx_http_webhook_detached_busy.next == NULL) {
        return;
    }

    /* a little before nginx itself closes all connections */

    limit -= ngx_min(limit / 10, NGX_HTTP_WEBHOOK_BEFORE);

    for (q = ngx_queue_head(&ngx_http_webhook_detached_busy);
         q != ngx_queue_sentinel(&ngx_http_webhook_detached_busy);
         q = ngx_queue_next(q))
    {
        f = ngx_queue_data(q, ngx_http_webhook_post_t, queue);

        if (!f->deadline.timer_set || f->ending) {
            continue;
        }

        left = (ngx_msec_int_t) (f->deadline.timer.key - ngx_current_msec);

        if (left > (ngx_msec_int_t) limit) {
            ngx_del_timer(&f->deadline);
            ngx_add_timer(&f->deadline, limit);
            f->cut = 1;
        }
    }
}


static void
ngx_http_webhook_detached_cleanup(void *data)
{
    ngx_http_webhook_post_t  *f = data;

    ngx_http_request_t  *r;

    if (f->ending) {
        return;
    }

    /*
     * ngx_http_terminate_request() is about to close a connection that is not
     * one.  Without a write handler it goes on to ngx_http_close_request() at
     * once, where the count stops it, as it stops whoever up the stack still
     * finalizes the subrequest.
     */

    r = f->detached.request;

    r->write_event_handler = NULL;
    r->posted_requests = NULL;
    r->count += NGX_HTTP_WEBHOOK_COUNT;

    f->fake.connection.destroyed = 1;

    if (f->detached.abort && f->detached.sr && !f->completed) {
        f->detached.abort(&f->detached);
    }

    ngx_http_webhook_detached_end(f);
}


static void
ngx_http_webhook_detached_timeout(ngx_event_t *ev)
{
    ngx_http_webhook_post_t      *f;
    ngx_http_webhook_detached_t  *d;

    f = ev->data;
    d = &f->detached;

    ev->timedout = 0;

    if (f->ending) {
        ngx_post_event(&f->done, &ngx_posted_events);
        return;
    }

    /* what a worker that was held up finds beside it is read first */

    if (f->late == 0) {
        f->late = 1;
        ngx_add_timer(ev, NGX_HTTP_WEBHOOK_LATE);
        return;
    }

    if (f->late == 1) {
        f->late = 2;
        ngx_post_event(ev, &ngx_posted_events);
        return;
    }

    if (f->cut) {

        /* it says nothing of the endpoint */

        ngx_http_webhook_detached_cancel(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                         "nginx is shutting down");
        return;
    }

    if (d->over && d->over(d) == NGX_AGAIN) {
        ngx_add_timer(ev, NGX_HTTP_WEBHOOK_OVER_WAIT);
        return;
    }

    ngx_http_webhook_detached_cancel(d, NGX_HTTP_WEBHOOK_ERR_TIMEOUT,
                                     "no complete answer in time");
}


static void
ngx_http_webhook_detached_end(ngx_http_webhook_post_t *f)
{
    if (f->ending) {
        return;
    }

    f->ending = 1;
    f->fake.closed = 1;

    /* left armed, timer and "done" could fall into one turn of the loop */

    ngx_http_webhook_fake_clear(&f->deadline);
    ngx_http_webhook_fake_clear(&f->background);

    if (!f->completed && f->detached.collect) {
        f->detached.collect(&f->detached);
    }

    ngx_post_event(&f->done, &ngx_posted_events);
}


static void
ngx_http_webhook_detached_done(ngx_event_t *ev)
{
    ngx_http_request_t           *r;
    ngx_http_webhook_post_t      *f;
    ngx_http_webhook_detached_t  *d;

    f = ev->data;
    d = &f->detached;
    r = d->request;

    if (r->main->blocked) {

        /* a thread still works for the subrequest */

        ngx_add_timer(&f->deadline, NGX_HTTP_WEBHOOK_BLOCKED_WAIT);
        return;
    }

    if (d->result.status == 0
        && d->result.error == NGX_HTTP_WEBHOOK_ERR_NONE)
    {
        d->result.error = NGX_HTTP_WEBHOOK_ERR_INTERNAL;
        ngx_str_set(&d->result.message, "the request was terminated");
    }

    d->done(d);

    /*
     * Cleanup handlers of an unfinished upstream finalize the subrequest once
     * more; the count keeps that from closing the connection.
     */

    r->count += NGX_HTTP_WEBHOOK_COUNT;
    r->connection->timedout = 0;

    ngx_http_free_request(r, 0);
    ngx_http_webhook_detached_recycle(f);
}


static void
ngx_http_webhook_detached_recycle(ngx_http_webhook_post_t *f)
{
    ngx_http_webhook_fake_close(&f->fake);

    if (f->begin.posted) {
        ngx_http_webhook_spare_promise(-1);
    }

    ngx_http_webhook_fake_clear(&f->begin);
    ngx_http_webhook_fake_clear(&f->done);
    ngx_http_webhook_fake_clear(&f->deadline);
    ngx_http_webhook_fake_clear(&f->background);

    f->detached.request = NULL;

    ngx_queue_remove(&f->queue);
    ngx_queue_insert_head(&ngx_http_webhook_detached_free, &f->queue);
}
