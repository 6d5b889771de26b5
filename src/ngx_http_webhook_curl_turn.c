
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, turns: a call of libcurl -> no more of the worker's
 * time than a turn may take.  Of HTTP/2 libcurl reads on for as long as there
 * is something to read and none of it is for a stream, so a receiver that sends
 * empty frames faster than they are read would keep the worker.  Its connection
 * then seems to be closed by it.
 */


#include "ngx_http_webhook_curl_transfer.h"
#include <openssl/ssl.h>


#define NGX_HTTP_WEBHOOK_CURL_RECORDS  64     /* of TLS, between two looks */
#define NGX_HTTP_WEBHOOK_CURL_TURN     50     /* ms */


typedef struct {
    ngx_uint_t    records;
    uint64_t      since;       /* ms; 0: not looked yet */
} ngx_http_webhook_curl_turn_t;


static void ngx_http_webhook_curl_record(int sent, int version, int type,
    const void *data, size_t len, SSL *ssl, void *ctx);


static ngx_http_webhook_curl_turn_t  ngx_http_webhook_curl_turn;


void
ngx_http_webhook_curl_turn_begin(void)
{
    ngx_http_webhook_curl_turn.records = 0;
    ngx_http_webhook_curl_turn.since = 0;
}


void
ngx_http_webhook_curl_turn_limit(void *ssl_ctx)
{
    SSL_CTX_set_msg_callback(ssl_ctx, ngx_http_webhook_curl_record);
}


static void
ngx_http_webhook_curl_record(int sent, int version, int type,
    const void *data, size_t len, SSL *ssl, void *ctx)
{
    uint64_t                       now;
    struct timespec                ts;
    ngx_http_webhook_curl_turn_t  *turn;

    turn = &ngx_http_webhook_curl_turn;

    if (sent
        || type != SSL3_RT_HEADER
        || ++turn->records % NGX_HTTP_WEBHOOK_CURL_RECORDS)
    {
        return;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    now = (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    if (turn->since == 0) {
        turn->since = now;
        return;
    }

    if (now - turn->since > NGX_HTTP_WEBHOOK_CURL_TURN) {
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl)|SSL_RECEIVED_SHUTDOWN);
        ngx_http_webhook_curl_turn_begin();
    }
}
