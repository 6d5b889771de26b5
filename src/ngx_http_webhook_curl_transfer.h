
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What the files of the built-in transport share: curl.c has the loop,
 * curl_socket.c its sockets, curl_turn.c how long a call may take,
 * curl_handle.c easy handles, curl_trust.c whom they trust, curl_transfer.c one
 * transfer, curl_answer.c what comes back and curl_result.c the result.
 */


#ifndef _NGX_HTTP_WEBHOOK_CURL_TRANSFER_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_CURL_TRANSFER_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_detached.h"
#include <curl/curl.h>


#define NGX_HTTP_WEBHOOK_CURL_CONNECT    5000           /* ms */
#define NGX_HTTP_WEBHOOK_CURL_KEPT       (8 * 1024)     /* of the headers */
#define NGX_HTTP_WEBHOOK_CURL_HEADERS    (128 * 1024)   /* all of them */
#define NGX_HTTP_WEBHOOK_CURL_BODY       (64 * 1024)    /* beyond body_max */
#define NGX_HTTP_WEBHOOK_CURL_RETRY_AFTER  256          /* of its value */
#define NGX_HTTP_WEBHOOK_CURL_ANSWER     (64 * 1024)    /* to CONNECT */
#define NGX_HTTP_WEBHOOK_CURL_VAIN       16             /* calls, no body */
#define NGX_HTTP_WEBHOOK_CURL_SOCKETS    8              /* connecting at once */


typedef struct ngx_http_webhook_curl_handle_s  ngx_http_webhook_curl_handle_t;


/* a webhook's easy handles: all that does not change is set once */

typedef struct {
    ngx_http_webhook_hook_t         *hook;
    ngx_http_webhook_curl_handle_t  *free;

    ngx_str_t                        host;      /* for nginx's resolver, of
                                                   endpoint or proxy; empty:
                                                   none is needed */
    ngx_uint_t                       port;
    ngx_msec_t                       connect;   /* ms */
    u_char                          *addresses; /* as libcurl has them, */
    time_t                           since;     /* and since when       */
} ngx_http_webhook_curl_set_t;


struct ngx_http_webhook_curl_handle_s {
    CURL                            *easy;
    CURLU                           *url;       /* parsed once */
    ngx_http_webhook_curl_set_t     *set;
    ngx_http_webhook_hook_t         *hook;
    ngx_http_webhook_curl_handle_t  *next;      /* in set->free */
    ngx_queue_t                      queue;     /* of transfers under way */

    /* zeroed before each transfer */

    ngx_http_webhook_detached_t     *d;
    ngx_resolver_ctx_t              *resolve;
    ngx_int_t                        resolved;
    ngx_msec_t                       start;     /* of the attempt */
    ngx_msec_t                       dns;       /* by nginx's resolver */

    ngx_uint_t                       status;    /* of the latest headers */
    ngx_uint_t                       requests;  /* sent, or about to be */
    size_t                           size;      /* of the request's body */
    off_t                            length;    /* of the answer's body;
                                                   -1: unknown */
    size_t                           received;  /* headers, bytes */
    size_t                           headers;   /* allocated */
    size_t                           body;      /* allocated */
    size_t                           connecting;   /* bytes of a proxy's
                                                      answer, at most */
    curl_off_t                       advanced;  /* bodies, bytes */
    ngx_uint_t                       vain;      /* calls since */
    int                              error;     /* of the latest socket() */

    ngx_socket_t                     fds[NGX_HTTP_WEBHOOK_CURL_SOCKETS];
    ngx_uint_t                       nfds;      /* opened, not yet settled */

    unsigned                         added:1;   /* to the multi handle */
    unsigned                         promised:1;   /* a connection, which it
                                                      has not taken yet */
    unsigned                         starting:1;
    unsigned                         resolve_set:1;
    unsigned                         fresh_set:1;
    socklen_t                        socklen;   /* of sockaddr; 0: none */

    unsigned                         opened:1;  /* a connection of its own */
    unsigned                         connected:1;  /* that, by TCP */
    unsigned                         ready:1;   /* as far as to send on it */
    unsigned                         again:1;   /* refused to send on another
                                                   kept-alive connection */
    unsigned                         retried:1;
    unsigned                         answered:1;   /* all headers came */
    unsigned                         identity:1;   /* the answer's encoding */
    unsigned                         enough:1;     /* body cut on purpose */
    unsigned                         large:1;      /* too many headers */
    unsigned                         no_memory:1;
    unsigned                         no_connection:1;  /* of nginx's */
    unsigned                         refused:1; /* for want of one */
    unsigned                         closing:1;    /* nginx shuts down */

    /* end of what is zeroed */

    ngx_sockaddr_t                   sockaddr;  /* of the latest socket */
    char                             message[CURL_ERROR_SIZE];
};


/* curl.c */

ngx_int_t ngx_http_webhook_curl_add(ngx_http_webhook_curl_handle_t *h);
void ngx_http_webhook_curl_remove(ngx_http_webhook_curl_handle_t *h);

/* A transfer has taken its connection, or ends: that is promised no more. */

void ngx_http_webhook_curl_taken(ngx_http_webhook_curl_handle_t *h);

/* A socket is ready: CURL_CSELECT_... */

void ngx_http_webhook_curl_action(ngx_socket_t fd, int events);

/* Ends a transfer later, for want of a connection of nginx's. */

void ngx_http_webhook_curl_refuse(CURL *easy);

/* Ends all transfers soon, and takes no new ones. */

void ngx_http_webhook_curl_close(void);
ngx_uint_t ngx_http_webhook_curl_closing(void);


/* curl_socket.c */

/* Sets socket callbacks, for the easy handle's whole life. */

ngx_int_t ngx_http_webhook_curl_callbacks(ngx_http_webhook_curl_handle_t *h);

int ngx_http_webhook_curl_watch(CURL *easy, curl_socket_t fd, int what,
    void *ctx, void *socketp);

/*
 * Lets go of those sockets of the transfer that are closed:  versions of
 * libcurl close one that is connecting without a call of the close callback.
 */

void ngx_http_webhook_curl_sweep(ngx_http_webhook_curl_handle_t *h);

/* The same at its end: those that stay are no longer this transfer's. */

void ngx_http_webhook_curl_settle(ngx_http_webhook_curl_handle_t *h);

void ngx_http_webhook_curl_sockets_exit(void);


/* curl_handle.c */

ngx_int_t ngx_http_webhook_curl_handles_init(ngx_cycle_t *cycle,
    ngx_uint_t max);
void ngx_http_webhook_curl_handles_exit(ngx_cycle_t *cycle);

/*
 * A handle for one transfer of the webhook, or NULL.  It is given back when it
 * is not in the multi handle any more; h->d->transport is then NULL.
 */

ngx_http_webhook_curl_handle_t *ngx_http_webhook_curl_get(
    ngx_http_webhook_hook_t *hook);
void ngx_http_webhook_curl_put(ngx_http_webhook_curl_handle_t *h);


/* curl_turn.c: before a call of libcurl; connections of an SSL_CTX count */

void ngx_http_webhook_curl_turn_begin(void);
void ngx_http_webhook_curl_turn_limit(void *ssl_ctx);


/* curl_trust.c: options that say which certificates are good */

ngx_int_t ngx_http_webhook_curl_trust(CURL *easy,
    ngx_http_webhook_hook_t *hook);


/* curl_transfer.c */

/* A CURLOPT_PREREQFUNCTION. */

int ngx_http_webhook_curl_send(void *ctx, char *peer, char *local,
    int peer_port, int local_port);

/* A CURLOPT_XFERINFOFUNCTION. */

int ngx_http_webhook_curl_advance(void *ctx, curl_off_t dltotal,
    curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow);

/* libcurl is through with a transfer that is still in the multi handle. */

void ngx_http_webhook_curl_ended(ngx_http_webhook_curl_handle_t *h,
    CURLcode code);


/* curl_answer.c: libcurl's write callbacks */

size_t ngx_http_webhook_curl_header(char *data, size_t size, size_t n,
    void *ctx);
size_t ngx_http_webhook_curl_body(char *data, size_t size, size_t n,
    void *ctx);


/* curl_result.c */

/* Phases, peer, status: what is known at any time of a transfer. */

void ngx_http_webhook_curl_progress(ngx_http_webhook_curl_handle_t *h);

/* Error class and sentence; never a part of the URL but its host. */

void ngx_http_webhook_curl_verdict(ngx_http_webhook_curl_handle_t *h,
    CURLcode code);

void ngx_http_webhook_curl_error(ngx_http_webhook_detached_t *d,
    ngx_uint_t error, char *fmt, ...);


#endif /* _NGX_HTTP_WEBHOOK_CURL_TRANSFER_H_INCLUDED_ */
