
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, the loop: transfers go in, and come out when they
 * have ended; between lie curl_socket.c's sockets, and a timer.  The next room
 * is curl_transfer.c.
 *
 * libcurl's callbacks only note: what they ask for is done from events, and
 * messages are read in one posted event.
 */


#include "ngx_http_webhook_curl.h"
#include "ngx_http_webhook_curl_transfer.h"
#include "ngx_http_webhook_spare.h"
#include <openssl/err.h>


#define NGX_HTTP_WEBHOOK_CURL_RENEW  1000           /* ms */


typedef struct {
    CURLM                           *multi;       /* NULL: not running */
    ngx_log_t                       *log;
    ngx_uint_t                       max;         /* connections */

    ngx_queue_t                      transfers;
    ngx_event_t                      timer;
    ngx_event_t                      process;
    ngx_connection_t                 dumb;        /* for their debug logs */

    unsigned                         expired:1;
    unsigned                         refused:1;   /* some transfer's socket
                                                     cannot be watched */
    unsigned                         broken:1;    /* see below */
    unsigned                         processing:1;
    unsigned                         closing:1;
} ngx_http_webhook_curl_loop_t;


static CURLM *ngx_http_webhook_curl_multi(ngx_uint_t max);
static void ngx_http_webhook_curl_perform(ngx_socket_t fd, int events);
static void ngx_http_webhook_curl_renew(void);
static int ngx_http_webhook_curl_timeout(CURLM *multi, long timeout,
    void *ctx);
static void ngx_http_webhook_curl_timer_handler(ngx_event_t *ev);
static void ngx_http_webhook_curl_process_handler(ngx_event_t *ev);
static ngx_http_webhook_curl_handle_t *ngx_http_webhook_curl_refused(void);
static void ngx_http_webhook_curl_post(void);
static void ngx_http_webhook_curl_forget(void);
static void ngx_http_webhook_curl_pin(void);


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

    multi = ngx_http_webhook_curl_multi(max);

    if (multi == NULL
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
    loop->max = max;
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

    ngx_http_webhook_curl_pin();

    return NGX_OK;
}


static CURLM *
ngx_http_webhook_curl_multi(ngx_uint_t max)
{
    CURLM  *multi;

    multi = curl_multi_init();

    if (multi == NULL) {
        return NULL;
    }

    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                          ngx_http_webhook_curl_watch)
        != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_http_webhook_curl_timeout)
           != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                             (long) ngx_min(max,
                                            ngx_http_webhook_spare_idle()))
           != CURLM_OK)
    {
        (void) curl_multi_cleanup(multi);
        return NULL;
    }

    return multi;
}


/*
 * The multi handle is left to the end of the process: curl_multi_cleanup()
 * may wait for a resolver's thread.
 */

void
ngx_http_webhook_curl_exit(ngx_cycle_t *cycle)
{
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

    ngx_http_webhook_curl_sockets_exit();
    ngx_http_webhook_curl_handles_exit(cycle);
}


ngx_int_t
ngx_http_webhook_curl_add(ngx_http_webhook_curl_handle_t *h)
{
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    if (loop->broken
        || curl_multi_add_handle(loop->multi, h->easy) != CURLM_OK)
    {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&loop->transfers, &h->queue);
    h->added = 1;

    /* libcurl may take one that is kept, or ask for one, a turn later */

    h->promised = 1;
    ngx_http_webhook_spare_promise(1);

    return NGX_OK;
}


void
ngx_http_webhook_curl_taken(ngx_http_webhook_curl_handle_t *h)
{
    if (h->promised) {
        h->promised = 0;
        ngx_http_webhook_spare_promise(-1);
    }
}


void
ngx_http_webhook_curl_remove(ngx_http_webhook_curl_handle_t *h)
{
    if (!h->added) {
        return;
    }

    ngx_queue_remove(&h->queue);
    h->added = 0;

    ngx_http_webhook_curl_taken(h);

    if (ngx_http_webhook_curl_loop.multi) {
        (void) curl_multi_remove_handle(ngx_http_webhook_curl_loop.multi,
                                        h->easy);
        ngx_http_webhook_curl_forget();
        ngx_http_webhook_curl_settle(h);
    }
}


void
ngx_http_webhook_curl_action(ngx_socket_t fd, int events)
{
    ngx_http_webhook_curl_perform(fd, events);
    ngx_http_webhook_curl_post();
}


/* What OpenSSL has left would be said, as an alert, of nginx's next client. */

static void
ngx_http_webhook_curl_forget(void)
{
    if (ERR_peek_error()) {
        ERR_clear_error();
    }
}


/*
 * When libcurl has no memory for what it knows of a socket, versions before
 * 8.15 keep an entry of its number by which they divide by zero as soon as
 * there is another socket of that number.
 */

static void
ngx_http_webhook_curl_perform(ngx_socket_t fd, int events)
{
    int                            n;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    if (loop->broken) {
        return;
    }

    ngx_http_webhook_curl_turn_begin();

    if (curl_multi_socket_action(loop->multi, fd, events, &n)
        == CURLM_OUT_OF_MEMORY
        && curl_version_info(CURLVERSION_NOW)->version_num < 0x080f00)
    {
        ngx_log_error(NGX_LOG_ERR, loop->log, 0,
                      "libcurl had no memory, all its attempts are ended");
        loop->broken = 1;
    }

    ngx_http_webhook_curl_forget();
}


/*
 * The transfers are ended.  These versions of curl_multi_cleanup() do not wait
 * for a resolver's thread.
 */

static void
ngx_http_webhook_curl_renew(void)
{
    CURLM                         *multi;
    ngx_http_webhook_curl_loop_t  *loop;

    loop = &ngx_http_webhook_curl_loop;

    multi = ngx_http_webhook_curl_multi(loop->max);

    if (multi == NULL) {

        if (loop->timer.timer_set) {
            ngx_del_timer(&loop->timer);
        }

        ngx_add_timer(&loop->timer, NGX_HTTP_WEBHOOK_CURL_RENEW);
        return;
    }

    (void) curl_multi_cleanup(loop->multi);
    ngx_http_webhook_curl_forget();

    loop->multi = multi;
    loop->broken = 0;
}


void
ngx_http_webhook_curl_close(void)
{
    ngx_http_webhook_curl_loop.closing = 1;
    ngx_http_webhook_curl_post();
}


ngx_uint_t
ngx_http_webhook_curl_closing(void)
{
    return ngx_http_webhook_curl_loop.multi == NULL
           || ngx_http_webhook_curl_loop.closing;
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


void
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
        ngx_http_webhook_curl_perform(CURL_SOCKET_TIMEOUT, 0);
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

    while (loop->refused || loop->broken || loop->closing) {
        h = ngx_http_webhook_curl_refused();

        if (h == NULL) {
            loop->refused = 0;
            break;
        }

        h->closing = loop->closing;
        ngx_http_webhook_curl_ended(h, loop->broken ? CURLE_OUT_OF_MEMORY
                                                : CURLE_ABORTED_BY_CALLBACK);
    }

    if (loop->broken) {
        ngx_http_webhook_curl_renew();
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

        if (loop->closing || loop->broken || h->refused) {
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


/*
 * A resolver's thread may outlive the module, which nginx unloads as it exits:
 * the code that it runs has to stay.
 */

static void
ngx_http_webhook_curl_pin(void)
{
#if (NGX_HAVE_DLOPEN && defined RTLD_NODELETE && defined RTLD_NOLOAD)
    Dl_info  info;

    if (dladdr((void *) (uintptr_t) curl_multi_init, &info)) {
        (void) dlopen(info.dli_fname, RTLD_NOW|RTLD_NOLOAD|RTLD_NODELETE);
    }
#endif
}
