
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * fake: a connection without a socket, for a request without a client, in the
 * manner of HTTP/2's.  Next room: detached.
 */


#ifndef _NGX_HTTP_WEBHOOK_FAKE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_FAKE_H_INCLUDED_


#include "ngx_http_webhook.h"


/* no socket; with -1 lua disables most of what it has */

#define NGX_HTTP_WEBHOOK_FAKE_FD  ((ngx_socket_t) -2)


typedef struct {
    ngx_connection_t         connection;       /* must be first */
    ngx_event_t              read;
    ngx_event_t              write;
    ngx_log_t                log;
    ngx_http_log_ctx_t       log_ctx;
    ngx_http_connection_t    hc;
    ngx_buf_t                header_in;
    struct sockaddr_in       sockaddr;
    ngx_str_t                label;            /* for the error log */
    unsigned                 closed:1;         /* events go nowhere */
} ngx_http_webhook_fake_t;


/*
 * Makes a request on it, in the server of "ctx", that is in no statistics and
 * no access log.  The memory of "fake" is the caller's, is overwritten, and
 * must outlive the request.  NULL: no memory.
 */

ngx_http_request_t *ngx_http_webhook_fake_request(
    ngx_http_webhook_fake_t *fake, ngx_http_conf_ctx_t *ctx);

/* Takes its events out of timers and queues, when the request is freed. */

void ngx_http_webhook_fake_close(ngx_http_webhook_fake_t *fake);

/* Takes one event out of timers and queues. */

void ngx_http_webhook_fake_clear(ngx_event_t *ev);

/* nginx takes the handlers of events when it makes a page for an error. */

void ngx_http_webhook_fake_handlers(ngx_connection_t *c);

/* NULL: the connection is a real one. */

ngx_http_webhook_fake_t *ngx_http_webhook_fake_get(ngx_connection_t *c);


#endif /* _NGX_HTTP_WEBHOOK_FAKE_H_INCLUDED_ */
