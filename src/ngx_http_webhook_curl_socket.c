
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, sockets: what libcurl opens, watches and closes -> a
 * connection of nginx's, with level-triggered events, that tell curl.c's loop.
 *
 * A socket stays registered between transfers, as CURL_POLL_REMOVE also means
 * "idle", and is taken out in the close callback.  What is no longer wanted is
 * unregistered when it fires.
 */


#include "ngx_http_webhook_curl_transfer.h"


#define NGX_HTTP_WEBHOOK_CURL_WRITES   256            /* in a row, and then */
#define NGX_HTTP_WEBHOOK_CURL_PAUSE    20             /* ms */
#define NGX_HTTP_WEBHOOK_CURL_READS    16             /* of unasked talk */


typedef struct {
    ngx_connection_t                *connection;  /* NULL: unknown */
    ino_t                            inode;       /* tells it from another one
                                                     of the same number */
    ngx_uint_t                       writes;      /* ready to write, in a row */
    unsigned                         wanted:2;    /* CURL_POLL_IN, _OUT */
    unsigned                         http2:1;     /* may be, by ALPN */
} ngx_http_webhook_curl_socket_t;


typedef struct {
    ngx_http_webhook_curl_socket_t  *elts;        /* by descriptor */
    ngx_uint_t                       nelts;
    ngx_uint_t                       ended;       /* libcurl is not to be
                                                     called any more */
} ngx_http_webhook_curl_sockets_t;


static ngx_uint_t ngx_http_webhook_curl_closed(ngx_socket_t fd);
static curl_socket_t ngx_http_webhook_curl_open_socket(void *ctx,
    curlsocktype purpose, struct curl_sockaddr *address);
static int ngx_http_webhook_curl_close_socket(void *ctx, curl_socket_t fd);
static ngx_connection_t *ngx_http_webhook_curl_known(ngx_socket_t fd);
static ngx_connection_t *ngx_http_webhook_curl_connection(ngx_socket_t fd);
static void ngx_http_webhook_curl_release(ngx_socket_t fd);
static void ngx_http_webhook_curl_unwatch(ngx_connection_t *c);
static ngx_int_t ngx_http_webhook_curl_want(ngx_connection_t *c,
    ngx_uint_t wanted);
static void ngx_http_webhook_curl_event_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_webhook_curl_talk(ngx_connection_t *c);
static void ngx_http_webhook_curl_shutdown(ngx_connection_t *c);
static void ngx_http_webhook_curl_writable(ngx_connection_t *c,
    ngx_http_webhook_curl_socket_t *s);


static ngx_http_webhook_curl_sockets_t  ngx_http_webhook_curl_sockets;


ngx_int_t
ngx_http_webhook_curl_callbacks(ngx_http_webhook_curl_handle_t *h)
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


/* The multi handle is done with, so its sockets are closed under its feet. */

void
ngx_http_webhook_curl_sockets_exit(void)
{
    ngx_uint_t                        i;
    ngx_connection_t                 *c;
    ngx_http_webhook_curl_sockets_t  *sockets;

    sockets = &ngx_http_webhook_curl_sockets;

    for (i = 0; i < sockets->nelts; i++) {
        c = sockets->elts[i].connection;

        if (c == NULL) {
            continue;
        }

        if (c->shared || ngx_http_webhook_curl_closed(i)) {
            ngx_http_webhook_curl_release(i);
            continue;
        }

        sockets->elts[i].connection = NULL;
        ngx_close_connection(c);
    }

    if (sockets->elts) {
        ngx_free(sockets->elts);
    }

    sockets->elts = NULL;
    sockets->nelts = 0;
    sockets->ended = 1;
}


void
ngx_http_webhook_curl_sweep(ngx_http_webhook_curl_handle_t *h)
{
    ngx_uint_t         i, n;
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    n = 0;

    for (i = 0; i < h->nfds; i++) {
        fd = h->fds[i];

        c = ngx_http_webhook_curl_sockets.elts[fd].connection;

        if (c == NULL || c->data != h) {
            continue;
        }

        if (ngx_http_webhook_curl_closed(fd)) {
            ngx_http_webhook_curl_release(fd);
            continue;
        }

        h->fds[n++] = fd;
    }

    h->nfds = n;
}


void
ngx_http_webhook_curl_settle(ngx_http_webhook_curl_handle_t *h)
{
    ngx_uint_t  i;

    ngx_http_webhook_curl_sweep(h);

    for (i = 0; i < h->nfds; i++) {
        ngx_http_webhook_curl_sockets.elts[h->fds[i]].connection->data = NULL;
    }

    h->nfds = 0;
}


static ngx_uint_t
ngx_http_webhook_curl_closed(ngx_socket_t fd)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return ngx_errno == NGX_EBADF;
    }

    return st.st_ino != ngx_http_webhook_curl_sockets.elts[fd].inode;
}


static curl_socket_t
ngx_http_webhook_curl_open_socket(void *ctx, curlsocktype purpose,
    struct curl_sockaddr *address)
{
    ngx_http_webhook_curl_handle_t *h = ctx;

    struct stat        st;
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    ngx_http_webhook_curl_sweep(h);

    if (h->nfds == NGX_HTTP_WEBHOOK_CURL_SOCKETS) {
        return CURL_SOCKET_BAD;
    }

    /* libcurl does not look whether it could make it so itself */

    fd = ngx_socket(address->family, address->socktype|SOCK_NONBLOCK,
                    address->protocol);

    if (fd == (ngx_socket_t) -1) {
        h->error = ngx_socket_errno;
        return CURL_SOCKET_BAD;
    }

    c = NULL;

    if (fstat(fd, &st) == -1) {
        h->error = ngx_errno;

    } else {
        c = ngx_http_webhook_curl_connection(fd);
        h->no_connection = (c == NULL);
    }

    if (c == NULL) {

        if (ngx_close_socket(fd) == -1) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return CURL_SOCKET_BAD;
    }

    c->data = h;
    ngx_http_webhook_curl_sockets.elts[fd].inode = st.st_ino;
    ngx_http_webhook_curl_sockets.elts[fd].http2 = h->hook->http2;

    h->fds[h->nfds++] = fd;
    h->opened = 1;
    h->connected = 0;
    h->ready = 0;
    h->connecting = 0;

    h->socklen = ngx_min(address->addrlen, sizeof(ngx_sockaddr_t));
    ngx_memcpy(&h->sockaddr, &address->addr, h->socklen);

    return fd;
}


static int
ngx_http_webhook_curl_close_socket(void *ctx, curl_socket_t fd)
{
    ngx_connection_t  *c;

    if (ngx_http_webhook_curl_sockets.ended) {
        return 0;
    }

    c = ngx_http_webhook_curl_known(fd);

    if (c && c->shared) {
        ngx_http_webhook_curl_unwatch(c);
        ngx_http_webhook_curl_release(fd);
        c = NULL;
    }

    if (c == NULL) {
        return ngx_close_socket(fd);
    }

    ngx_http_webhook_curl_sockets.elts[fd].connection = NULL;

    ngx_close_connection(c);

    return 0;
}


/* A CURLMOPT_SOCKETFUNCTION.  To return an error would end all transfers. */

int
ngx_http_webhook_curl_watch(CURL *easy, curl_socket_t fd, int what, void *ctx,
    void *socketp)
{
    ngx_connection_t                *c;
    ngx_http_webhook_curl_handle_t  *h;

    c = ngx_http_webhook_curl_known(fd);

    if (what == CURL_POLL_REMOVE) {

        if (c) {
            ngx_http_webhook_curl_sockets.elts[fd].wanted = 0;

            if (c->shared) {
                ngx_http_webhook_curl_unwatch(c);
                ngx_http_webhook_curl_release(fd);
                return 0;
            }

            c->idle = 1;
            ngx_reusable_connection(c, 1);
        }

        return 0;
    }

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &h) == CURLE_OK && h) {
        ngx_http_webhook_curl_taken(h);
    }

    if (c == NULL) {

        /* libcurl's own, as of its resolver, or one that nginx reclaimed */

        c = ngx_http_webhook_curl_connection(fd);

        if (c == NULL) {
            ngx_http_webhook_curl_refuse(easy);
            return 0;
        }

        c->shared = 1;
    }

    h = c->data;

    if (h && (what & CURL_POLL_IN)) {

        /* libcurl reads when it has connected, no sooner */

        h->connected = 1;
    }

    if (ngx_http_webhook_curl_want(c, what) != NGX_OK) {
        ngx_http_webhook_curl_refuse(easy);
    }

    return 0;
}


static ngx_connection_t *
ngx_http_webhook_curl_known(ngx_socket_t fd)
{
    ngx_http_webhook_curl_sockets_t  *sockets;

    sockets = &ngx_http_webhook_curl_sockets;

    return ((ngx_uint_t) fd < sockets->nelts) ? sockets->elts[fd].connection
                                              : NULL;
}


static ngx_connection_t *
ngx_http_webhook_curl_connection(ngx_socket_t fd)
{
    ngx_log_t                        *log;
    ngx_uint_t                        n;
    ngx_connection_t                 *c;
    ngx_http_webhook_curl_socket_t   *elts;
    ngx_http_webhook_curl_sockets_t  *sockets;

    log = ngx_cycle->log;
    sockets = &ngx_http_webhook_curl_sockets;

    if ((ngx_uint_t) fd >= sockets->nelts) {
        n = ngx_max(64, sockets->nelts);

        while (n <= (ngx_uint_t) fd) {
            n *= 2;
        }

        elts = ngx_calloc(n * sizeof(ngx_http_webhook_curl_socket_t), log);
        if (elts == NULL) {
            return NULL;
        }

        if (sockets->elts) {
            ngx_memcpy(elts, sockets->elts,
                       sockets->nelts * sizeof(ngx_http_webhook_curl_socket_t));
            ngx_free(sockets->elts);
        }

        sockets->elts = elts;
        sockets->nelts = n;
    }

    if (sockets->elts[fd].connection) {

        /* another one of that number was closed without a word */

        ngx_http_webhook_curl_release(fd);
    }

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        return NULL;
    }

    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->handler = ngx_http_webhook_curl_event_handler;
    c->write->handler = ngx_http_webhook_curl_event_handler;

    sockets->elts[fd].connection = c;
    sockets->elts[fd].writes = 0;
    sockets->elts[fd].wanted = 0;

    return c;
}


/* Frees the connection of a socket that is not ours to close, or closed. */

static void
ngx_http_webhook_curl_release(ngx_socket_t fd)
{
    ngx_connection_t  *c;

    c = ngx_http_webhook_curl_sockets.elts[fd].connection;
    ngx_http_webhook_curl_sockets.elts[fd].connection = NULL;

    c->shared = 1;
    ngx_close_connection(c);
}


static void
ngx_http_webhook_curl_unwatch(ngx_connection_t *c)
{
    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }
}


static ngx_int_t
ngx_http_webhook_curl_want(ngx_connection_t *c, ngx_uint_t wanted)
{
    ngx_http_webhook_curl_sockets.elts[c->fd].wanted = wanted;
    ngx_http_webhook_curl_sockets.elts[c->fd].writes = 0;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (c->reusable) {
        c->idle = 0;
        ngx_reusable_connection(c, 0);
    }

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


static void
ngx_http_webhook_curl_event_handler(ngx_event_t *ev)
{
    ngx_connection_t                *c;
    ngx_http_webhook_curl_socket_t  *s;

    c = ev->data;
    s = &ngx_http_webhook_curl_sockets.elts[c->fd];

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "webhook curl event fd:%d write:%d wanted:%d",
                   c->fd, ev->write, s->wanted);

    if (c->close) {

        if (s->wanted) {

            /* worker_shutdown_timeout */

            ngx_http_webhook_curl_close();
            return;
        }

        /*
         * nginx wants its connection back:  libcurl keeps the socket.  If this
         * worker ends, which may take long, nobody needs it any more.
         */

        if (ngx_exiting) {
            ngx_http_webhook_curl_shutdown(c);
        }

        ngx_http_webhook_curl_unwatch(c);
        ngx_http_webhook_curl_release(c->fd);
        return;
    }

    if (!(s->wanted & (ev->write ? CURL_POLL_OUT : CURL_POLL_IN))) {

        /*
         * The peer of an idle connection has closed it, or talks:  libcurl
         * will look when it wants to use the connection again.
         */

        ev->timedout = 0;

        if (!ev->write && s->wanted == 0 && !s->http2 && !c->shared
            && ngx_http_webhook_curl_talk(c) == NGX_AGAIN)
        {
            return;
        }

        if (ev->active) {
            (void) ngx_del_event(ev, ev->write ? NGX_WRITE_EVENT
                                               : NGX_READ_EVENT, 0);
        }

        return;
    }

    if (ev->write) {
        ngx_http_webhook_curl_writable(c, s);
        return;
    }

    s->writes = 0;

    ngx_http_webhook_curl_action(c->fd, CURL_CSELECT_IN);
}


/*
 * "408 Request Timeout" of one that has waited for a request, and the like:
 * versions of libcurl take that for the answer to the next request.  A closed
 * connection they see.  NGX_AGAIN: libcurl had read already what the event was
 * for, and more may come.
 */

static ngx_int_t
ngx_http_webhook_curl_talk(ngx_connection_t *c)
{
    u_char      buf[4096];
    ssize_t     n;
    ngx_uint_t  i;

    n = recv(c->fd, buf, sizeof(buf), 0);

    if (n <= 0) {
        return (n == -1 && ngx_socket_errno == NGX_EAGAIN) ? NGX_AGAIN
                                                           : NGX_OK;
    }

    for (i = 1; i < NGX_HTTP_WEBHOOK_CURL_READS; i++) {

        if (recv(c->fd, buf, sizeof(buf), 0) <= 0) {
            break;
        }
    }

    ngx_http_webhook_curl_shutdown(c);

    return NGX_OK;
}


/* libcurl finds it closed, and closes it in turn */

static void
ngx_http_webhook_curl_shutdown(ngx_connection_t *c)
{
    if (ngx_shutdown_socket(c->fd, SHUT_RDWR) == -1) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, ngx_socket_errno,
                       "webhook curl shutdown fd:%d failed", c->fd);
    }
}


/*
 * Older versions of libcurl ask to write even while HTTP/2's flow control has
 * them wait:  without a pause, this would go round at full speed.
 */

static void
ngx_http_webhook_curl_writable(ngx_connection_t *c,
    ngx_http_webhook_curl_socket_t *s)
{
    ngx_event_t  *wev;

    wev = c->write;

    if (wev->timedout) {
        wev->timedout = 0;

        if (ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) == NGX_OK) {
            return;
        }

    } else if (s->writes++ >= NGX_HTTP_WEBHOOK_CURL_WRITES) {

        if (ngx_del_event(wev, NGX_WRITE_EVENT, 0) == NGX_OK) {
            wev->cancelable = 1;
            ngx_add_timer(wev, NGX_HTTP_WEBHOOK_CURL_PAUSE);
        }
    }

    ngx_http_webhook_curl_action(c->fd, CURL_CSELECT_OUT);
}
