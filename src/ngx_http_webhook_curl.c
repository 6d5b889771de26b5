
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, the loop: libcurl's multi-socket interface on
 * nginx's events.  Sockets and a timer go in, transfers that have ended come
 * out; curl_transfer.c is the next room.
 *
 * libcurl's callbacks only note: what they ask for is done from events, and
 * messages are read in one posted event.  A socket stays registered between
 * transfers, as CURL_POLL_REMOVE also means "idle", and is taken out in the
 * close callback.  What is no longer wanted is unregistered when it fires.
 */


#include "ngx_http_webhook_curl.h"
#include "ngx_http_webhook_curl_transfer.h"


typedef struct {
    ngx_connection_t                *connection;  /* NULL: unknown */
    unsigned                         wanted:2;    /* CURL_POLL_IN, _OUT */
} ngx_http_webhook_curl_socket_t;


typedef struct {
    CURLM                           *multi;       /* NULL: not running */
    ngx_log_t                       *log;

    ngx_http_webhook_curl_socket_t  *sockets;     /* by descriptor */
    ngx_uint_t                       nsockets;

    ngx_queue_t                      transfers;
    ngx_event_t                      timer;
    ngx_event_t                      process;
    ngx_connection_t                 dumb;        /* for their debug logs */

    unsigned                         expired:1;
    unsigned                         refused:1;   /* some transfer's socket
                                                     cannot be watched */
    unsigned                         processing:1;
    unsigned                         closing:1;
} ngx_http_webhook_curl_loop_t;


static curl_socket_t ngx_http_webhook_curl_open_socket(void *ctx,
    curlsocktype purpose, struct curl_sockaddr *address);
static int ngx_http_webhook_curl_close_socket(void *ctx, curl_socket_t fd);
static int ngx_http_webhook_curl_watch(CURL *easy, curl_socket_t fd, int what,
    void *ctx, void *socketp);
static int ngx_http_webhook_curl_timeout(CURLM *multi, long timeout,
    void *ctx);
static ngx_connection_t *ngx_http_webhook_curl_connection(ngx_socket_t fd);
static void ngx_http_webhook_curl_forget(ngx_socket_t fd);
static ngx_int_t ngx_http_webhook_curl_want(ngx_connection_t *c,
    ngx_uint_t wanted);
static void ngx_http_webhook_curl_refuse(CURL *easy);
static void ngx_http_webhook_curl_event_handler(ngx_event_t *ev);
static void ngx_http_webhook_curl_timer_handler(ngx_event_t *ev);
static void ngx_http_webhook_curl_process_handler(ngx_event_t *ev);
static ngx_http_webhook_curl_handle_t *ngx_http_webhook_curl_refused(void);
static void ngx_http_webhook_curl_post(void);


static ngx_http_webhook_curl_loop_t  ngx_http_webhook_curl_loop;


ngx_int_t
ngx_http_webhook_curl_init(ngx_cycle_t *cycle, ngx_uint_t max)
{
    CURLM                         *multi;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "curl_global_init() failed");
        return NGX_ERROR;
    }

    multi = curl_multi_init();

    if (multi == NULL
        || curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                             ngx_http_webhook_curl_watch)
           != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_http_webhook_curl_timeout)
           != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) max)
           != CURLM_OK
        || ngx_http_webhook_curl_handles_init(cycle, max) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "curl_multi_init() failed");

        if (multi) {
            (void) curl_multi_cleanup(multi);
        }

        return NGX_ERROR;
    }

    ngx_memzero(loop, sizeof(ngx_http_webhook_curl_loop_t));

    loop->multi = multi;
    loop->log = cycle->log;
    loop->dumb.fd = (ngx_socket_t) -1;

    loop->timer.handler = ngx_http_webhook_curl_timer_handler;
    loop->timer.data = &loop->dumb;
    loop->timer.log = cycle->log;

    /* the deadlines of attempts are what a graceful exit waits for */
    loop->timer.cancelable = 1;

    loop->process.handler = ngx_http_webhook_curl_process_handler;
    loop->process.data = &loop->dumb;
    loop->process.log = cycle->log;

    ngx_queue_init(&loop->transfers);

    return NGX_OK;
}


/*
 * The multi handle is left to the end of the process: curl_multi_cleanup()
 * may wait for a resolver's thread.
 */

void
ngx_http_webhook_curl_exit(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_connection_t              *c;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    if (loop->multi == NULL) {
        return;
    }

    loop->multi = NULL;

    if (loop->timer.timer_set) {
        ngx_del_timer(&loop->timer);
    }

    if (loop->process.posted) {
        ngx_delete_posted_event(&loop->process);
    }

    for (i = 0; i < loop->nsockets; i++) {
        c = loop->sockets[i].connection;

        if (c) {
            loop->sockets[i].connection = NULL;
            ngx_close_connection(c);
        }
    }

    if (loop->sockets) {
        ngx_free(loop->sockets);
        loop->sockets = NULL;
        loop->nsockets = 0;
    }

    ngx_http_webhook_curl_handles_exit(cycle);
}


ngx_int_t
ngx_http_webhook_curl_sockets(ngx_http_webhook_curl_handle_t *h)
{
    if (curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION,
                         ngx_http_webhook_curl_open_socket)
        != CURLE_OK
        || curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, h) != CURLE_OK
        || curl_easy_setopt(h->easy, CURLOPT_CLOSESOCKETFUNCTION,
                            ngx_http_webhook_curl_close_socket)
           != CURLE_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_curl_add(ngx_http_webhook_curl_handle_t *h)
{
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    if (curl_multi_add_handle(loop->multi, h->easy) != CURLM_OK) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&loop->transfers, &h->queue);
    h->added = 1;

    return NGX_OK;
}


void
ngx_http_webhook_curl_remove(ngx_http_webhook_curl_handle_t *h)
{
    if (!h->added) {
        return;
    }

    ngx_queue_remove(&h->queue);
    h->added = 0;

    if (ngx_http_webhook_curl_loop.multi) {
        (void) curl_multi_remove_handle(ngx_http_webhook_curl_loop.multi,
                                        h->easy);
    }
}


ngx_uint_t
ngx_http_webhook_curl_closing(void)
{
    return ngx_http_webhook_curl_loop.multi == NULL
           || ngx_http_webhook_curl_loop.closing;
}


static curl_socket_t
ngx_http_webhook_curl_open_socket(void *ctx, curlsocktype purpose,
    struct curl_sockaddr *address)
{
    ngx_http_webhook_curl_handle_t *h = ctx;

    ngx_socket_t                   fd;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    fd = ngx_socket(address->family, address->socktype, address->protocol);

    if (fd == (ngx_socket_t) -1) {
        h->error = ngx_socket_errno;
        return CURL_SOCKET_BAD;
    }

    if (ngx_http_webhook_curl_connection(fd) == NULL) {
        h->no_connection = 1;

        if (ngx_close_socket(fd) == -1) {
            ngx_log_error(NGX_LOG_ALERT, loop->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return CURL_SOCKET_BAD;
    }

    h->opened = 1;

    return fd;
}


static int
ngx_http_webhook_curl_close_socket(void *ctx, curl_socket_t fd)
{
    ngx_connection_t              *c;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    if (loop->multi == NULL) {

        /* closed by ngx_http_webhook_curl_exit() */

        return 0;
    }

    if ((ngx_uint_t) fd >= loop->nsockets
        || loop->sockets[fd].connection == NULL)
    {
        return ngx_close_socket(fd);
    }

    c = loop->sockets[fd].connection;
    loop->sockets[fd].connection = NULL;

    ngx_close_connection(c);

    return 0;
}


static int
ngx_http_webhook_curl_watch(CURL *easy, curl_socket_t fd, int what, void *ctx,
    void *socketp)
{
    ngx_connection_t              *c;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    c = ((ngx_uint_t) fd < loop->nsockets) ? loop->sockets[fd].connection
                                           : NULL;

    if (what == CURL_POLL_REMOVE) {

        if (c) {
            loop->sockets[fd].wanted = 0;

            if (c->shared) {
                ngx_http_webhook_curl_forget(fd);
            }
        }

        return 0;
    }

    if (c == NULL) {

        /* libcurl's own, as of its resolver */

        c = ngx_http_webhook_curl_connection(fd);

        if (c == NULL) {
            ngx_http_webhook_curl_refuse(easy);
            return 0;
        }

        c->shared = 1;
    }

    if (ngx_http_webhook_curl_want(c, what) != NGX_OK) {
        ngx_http_webhook_curl_refuse(easy);
    }

    return 0;
}


static int
ngx_http_webhook_curl_timeout(CURLM *multi, long timeout, void *ctx)
{
    ngx_event_t                   *ev;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    if (timeout == 0) {
        loop->expired = 1;
        ngx_http_webhook_curl_post();
        return 0;
    }

    /* an early timer does no harm: libcurl then asks for another one */

    if (timeout < 0) {
        return 0;
    }

    ev = &loop->timer;

    if (ev->timer_set) {
        if ((ngx_msec_int_t) (ev->timer.key - ngx_current_msec)
            <= (ngx_msec_int_t) timeout)
        {
            return 0;
        }

        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, (ngx_msec_t) timeout);

    return 0;
}


static ngx_connection_t *
ngx_http_webhook_curl_connection(ngx_socket_t fd)
{
    ngx_uint_t                       n;
    ngx_connection_t                *c;
    ngx_http_webhook_curl_loop_t    *loop;
    ngx_http_webhook_curl_socket_t  *sockets;

    loop = &ngx_http_webhook_curl_loop;

    if ((ngx_uint_t) fd >= loop->nsockets) {
        n = ngx_max(64, loop->nsockets);

        while (n <= (ngx_uint_t) fd) {
            n *= 2;
        }

        sockets = ngx_calloc(n * sizeof(ngx_http_webhook_curl_socket_t),
                             loop->log);
        if (sockets == NULL) {
            return NULL;
        }

        if (loop->sockets) {
            ngx_memcpy(sockets, loop->sockets,
                       loop->nsockets * sizeof(ngx_http_webhook_curl_socket_t));
            ngx_free(loop->sockets);
        }

        loop->sockets = sockets;
        loop->nsockets = n;
    }

    if (loop->sockets[fd].connection) {

        /* libcurl closed it without a word, and so left epoll's list */

        c = loop->sockets[fd].connection;
        loop->sockets[fd].connection = NULL;

        c->shared = 1;
        ngx_close_connection(c);
    }

    c = ngx_get_connection(fd, loop->log);
    if (c == NULL) {
        return NULL;
    }

    c->log = loop->log;
    c->read->log = loop->log;
    c->write->log = loop->log;
    c->read->handler = ngx_http_webhook_curl_event_handler;
    c->write->handler = ngx_http_webhook_curl_event_handler;

    loop->sockets[fd].connection = c;
    loop->sockets[fd].wanted = 0;

    return c;
}


/* Takes a socket that is libcurl's own out of nginx, without closing it. */

static void
ngx_http_webhook_curl_forget(ngx_socket_t fd)
{
    ngx_connection_t              *c;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    c = loop->sockets[fd].connection;
    loop->sockets[fd].connection = NULL;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    ngx_close_connection(c);
}


static ngx_int_t
ngx_http_webhook_curl_want(ngx_connection_t *c, ngx_uint_t wanted)
{
    ngx_http_webhook_curl_loop.sockets[c->fd].wanted = wanted;

    if ((wanted & CURL_POLL_IN) && !c->read->active) {
        if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (wanted & CURL_POLL_OUT) {
        if (!c->write->active) {
            return ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
        }

    } else if (c->write->active) {
        return ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }

    return NGX_OK;
}


/* An error returned to libcurl would end all transfers, so only note. */

static void
ngx_http_webhook_curl_refuse(CURL *easy)
{
    ngx_http_webhook_curl_handle_t  *h;

    h = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &h) == CURLE_OK && h) {
        h->no_connection = 1;
        h->refused = 1;
        ngx_http_webhook_curl_loop.refused = 1;
        ngx_http_webhook_curl_post();
    }
}


static void
ngx_http_webhook_curl_event_handler(ngx_event_t *ev)
{
    int                              n;
    ngx_uint_t                       mask;
    ngx_connection_t                *c;
    ngx_http_webhook_curl_loop_t    *loop;
    ngx_http_webhook_curl_socket_t  *s;

    loop = &ngx_http_webhook_curl_loop;

    c = ev->data;
    s = &loop->sockets[c->fd];

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "webhook curl event fd:%d write:%d wanted:%d",
                   c->fd, ev->write, s->wanted);

    if (c->close) {

        /* worker_shutdown_timeout */

        loop->closing = 1;
        ngx_http_webhook_curl_post();
        return;
    }

    mask = ev->write ? CURL_POLL_OUT : CURL_POLL_IN;

    if (!(s->wanted & mask)) {

        /*
         * The peer of an idle connection has closed it, or talks:  libcurl
         * will look when it wants to use the connection again.
         */

        (void) ngx_del_event(ev, ev->write ? NGX_WRITE_EVENT : NGX_READ_EVENT,
                             0);
        return;
    }

    (void) curl_multi_socket_action(loop->multi, c->fd,
                                    ev->write ? CURL_CSELECT_OUT
                                              : CURL_CSELECT_IN,
                                    &n);
    ngx_http_webhook_curl_post();
}


static void
ngx_http_webhook_curl_timer_handler(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ev->log, 0, "webhook curl timer");

    ngx_http_webhook_curl_loop.expired = 1;
    ngx_http_webhook_curl_post();
}


static void
ngx_http_webhook_curl_process_handler(ngx_event_t *ev)
{
    int                              n;
    CURLMsg                         *message;
    ngx_http_webhook_curl_loop_t    *loop;
    ngx_http_webhook_curl_handle_t  *h;

    loop = &ngx_http_webhook_curl_loop;

    loop->processing = 1;

    if (loop->expired) {
        loop->expired = 0;
        (void) curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0,
                                        &n);
    }

    for ( ;; ) {
        message = curl_multi_info_read(loop->multi, &n);

        if (message == NULL) {
            break;
        }

        if (message->msg == CURLMSG_DONE
            && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &h)
               == CURLE_OK)
        {
            ngx_http_webhook_curl_ended(h, message->data.result);
        }
    }

    while (loop->refused || loop->closing) {
        h = ngx_http_webhook_curl_refused();

        if (h == NULL) {
            loop->refused = 0;
            break;
        }

        h->closing = loop->closing;
        ngx_http_webhook_curl_ended(h, CURLE_ABORTED_BY_CALLBACK);
    }

    loop->processing = 0;
}


/* A transfer that is to end without libcurl, or NULL. */

static ngx_http_webhook_curl_handle_t *
ngx_http_webhook_curl_refused(void)
{
    ngx_queue_t                     *q;
    ngx_http_webhook_curl_loop_t    *loop;
    ngx_http_webhook_curl_handle_t  *h;

    loop = &ngx_http_webhook_curl_loop;

    for (q = ngx_queue_head(&loop->transfers);
         q != ngx_queue_sentinel(&loop->transfers);
         q = ngx_queue_next(q))
    {
        h = ngx_queue_data(q, ngx_http_webhook_curl_handle_t, queue);

        if (loop->closing || h->refused) {
            return h;
        }
    }

    return NULL;
}


/* libcurl may ask for an immediate call without end: others get their turn. */

static void
ngx_http_webhook_curl_post(void)
{
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    ngx_post_event(&loop->process, loop->processing ? &ngx_posted_next_events
                                                    : &ngx_posted_events);
}
