
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * fake: in: memory and a server; out: a request that nginx can run; next:
 * detached.  Every field that some module was seen to read is set: sockaddr
 * for limit_conn, geo and realip, log->data for the error log, events with a
 * handler for limit_req.
 */


#include "ngx_http_webhook_fake.h"


#define NGX_HTTP_WEBHOOK_FAKE_POOL    20480    /* bytes */
#define NGX_HTTP_WEBHOOK_FAKE_BUFFER  4096     /* bytes */


static void ngx_http_webhook_fake_event(ngx_event_t *ev);
static ssize_t ngx_http_webhook_fake_recv(ngx_connection_t *c, u_char *buf,
    size_t size);
static ssize_t ngx_http_webhook_fake_recv_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
static ngx_chain_t *ngx_http_webhook_fake_send_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
static u_char *ngx_http_webhook_fake_log(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_str_t  ngx_http_webhook_fake_addr = ngx_string("127.0.0.1");


ngx_http_request_t *
ngx_http_webhook_fake_request(ngx_http_webhook_fake_t *f,
    ngx_http_conf_ctx_t *ctx)
{
    size_t                     size;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_srv_conf_t  *cscf;

    ngx_memzero(f, sizeof(ngx_http_webhook_fake_t));

    c = &f->connection;

    f->log = *ngx_cycle->log;
    f->log.handler = ngx_http_webhook_fake_log;
    f->log.data = &f->log_ctx;
    f->log_ctx.connection = c;

    f->hc.conf_ctx = ctx;

    f->sockaddr.sin_family = AF_INET;
    f->sockaddr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = NGX_HTTP_WEBHOOK_FAKE_FD;
    c->type = SOCK_STREAM;
    c->data = &f->hc;
    c->log = &f->log;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->requests = 1;
    c->buffer = &f->header_in;

    c->sockaddr = (struct sockaddr *) &f->sockaddr;
    c->socklen = sizeof(struct sockaddr_in);
    c->local_sockaddr = (struct sockaddr *) &f->sockaddr;
    c->local_socklen = sizeof(struct sockaddr_in);
    c->addr_text = ngx_http_webhook_fake_addr;

    c->recv = ngx_http_webhook_fake_recv;
    c->send = ngx_http_webhook_fake_recv;
    c->recv_chain = ngx_http_webhook_fake_recv_chain;
    c->send_chain = ngx_http_webhook_fake_send_chain;

    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->sndlowat = 1;

    c->read = &f->read;
    c->write = &f->write;

    /* "active" keeps nginx from adding the fd to epoll */

    f->read.data = c;
    f->read.log = &f->log;
    f->read.index = NGX_INVALID_INDEX;
    f->read.active = 1;

    f->write = f->read;
    f->write.write = 1;
    f->write.ready = 1;

    ngx_http_webhook_fake_handlers(c);

    /* a subrequest and its upstream, too: one piece of memory for all */

    cscf = ctx->srv_conf[ngx_http_core_module.ctx_index];
    size = cscf->request_pool_size;
    cscf->request_pool_size = ngx_max(size, NGX_HTTP_WEBHOOK_FAKE_POOL);

    r = ngx_http_create_request(c);

    cscf->request_pool_size = size;

    if (r == NULL) {
        return NULL;
    }

    /* the buffer of an upstream, too, which is a byte too long for pools */

    r->pool->max = ngx_max(r->pool->max, NGX_HTTP_WEBHOOK_FAKE_BUFFER);

    /* it is no client's request, and is not logged as one */

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    r->stat_reading = 0;
    (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
#endif

    r->logged = 1;

    c->data = r;
    f->log_ctx.request = r;
    f->log_ctx.current_request = r;

    return r;
}


void
ngx_http_webhook_fake_handlers(ngx_connection_t *c)
{
    c->read->handler = ngx_http_webhook_fake_event;
    c->write->handler = ngx_http_webhook_fake_event;
}


void
ngx_http_webhook_fake_close(ngx_http_webhook_fake_t *f)
{
    f->closed = 1;

    ngx_http_webhook_fake_clear(&f->read);
    ngx_http_webhook_fake_clear(&f->write);
}


void
ngx_http_webhook_fake_clear(ngx_event_t *ev)
{
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }
}


ngx_http_webhook_fake_t *
ngx_http_webhook_fake_get(ngx_connection_t *c)
{
    if (c->recv != ngx_http_webhook_fake_recv) {
        return NULL;
    }

    return (ngx_http_webhook_fake_t *) c;
}


static void
ngx_http_webhook_fake_event(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_webhook_fake_t  *f;

    c = ev->data;
    f = (ngx_http_webhook_fake_t *) c;

    if (f->closed) {
        return;
    }

    r = c->data;

    if (ev->delayed && ev->timedout) {
        ev->delayed = 0;
        ev->timedout = 0;
    }

    if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


static ssize_t
ngx_http_webhook_fake_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    return NGX_ERROR;
}


static ssize_t
ngx_http_webhook_fake_recv_chain(ngx_connection_t *c, ngx_chain_t *in,
    off_t limit)
{
    return NGX_ERROR;
}


static ngx_chain_t *
ngx_http_webhook_fake_send_chain(ngx_connection_t *c, ngx_chain_t *in,
    off_t limit)
{
    return NGX_CHAIN_ERROR;
}


static u_char *
ngx_http_webhook_fake_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                   *p;
    ngx_http_log_ctx_t       *ctx;
    ngx_http_webhook_fake_t  *f;

    ctx = log->data;
    f = (ngx_http_webhook_fake_t *) ctx->connection;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    return ngx_snprintf(buf, len, ", webhook: \"%V\"", &f->label);
}
