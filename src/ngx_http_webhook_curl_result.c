
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, the result: bytes and times of a transfer ->
 * ngx_http_webhook_result_t.  Nothing of the URL but its host is ever put into
 * a sentence.
 */


#include "ngx_http_webhook_curl_transfer.h"
#include <openssl/x509_vfy.h>


static void ngx_http_webhook_curl_status_line(
    ngx_http_webhook_curl_handle_t *h, u_char *p, u_char *last);
static ngx_int_t ngx_http_webhook_curl_keep(ngx_http_webhook_curl_handle_t *h,
    u_char *data, size_t len);
static void ngx_http_webhook_curl_unconnected(
    ngx_http_webhook_curl_handle_t *h);
static void ngx_http_webhook_curl_timed_out(ngx_http_webhook_curl_handle_t *h);
static void ngx_http_webhook_curl_tls(ngx_http_webhook_curl_handle_t *h,
    CURLcode code);
static ngx_uint_t ngx_http_webhook_curl_alert(
    ngx_http_webhook_curl_handle_t *h);
static ngx_uint_t ngx_http_webhook_curl_proxy(
    ngx_http_webhook_curl_handle_t *h, CURLcode code);
static ngx_msec_t ngx_http_webhook_curl_ms(curl_off_t from, curl_off_t to);


/* One line: a status line begins anew, so the last headers are what stays. */

size_t
ngx_http_webhook_curl_header(char *data, size_t size, size_t n, void *ctx)
{
    ngx_http_webhook_curl_handle_t *h = ctx;

    u_char                     *p, *last, *colon;
    size_t                      len;
    ngx_http_webhook_result_t  *result;

    result = &h->d->result;

    p = (u_char *) data;
    len = size * n;

    h->received += len;

    if (h->received > NGX_HTTP_WEBHOOK_CURL_HEADERS && !h->answered) {
        h->large = 1;
        return 0;
    }

    last = p + len;

    while (last > p && (last[-1] == LF || last[-1] == CR || last[-1] == ' '
                        || last[-1] == '\t'))
    {
        last--;
    }

    if (h->answered) {

        /* a trailer */

        return len;
    }

    if (last == p) {
        h->answered = (h->status >= 200 || h->status == 101);
        return len;
    }

    if (last - p > 5 && ngx_strncmp(p, "HTTP/", 5) == 0) {
        ngx_http_webhook_curl_status_line(h, p, last);
        return len;
    }

    colon = ngx_strlchr(p, last, ':');

    if (colon == NULL || *p == ' ' || *p == '\t') {
        return len;
    }

    if (ngx_http_webhook_curl_keep(h, p, last - p) != NGX_OK) {
        h->no_memory = 1;
        return 0;
    }

    if (colon - p == sizeof("Retry-After") - 1
        && ngx_strncasecmp(p, (u_char *) "Retry-After",
                           sizeof("Retry-After") - 1)
           == 0)
    {
        for (p = colon + 1; p < last && (*p == ' ' || *p == '\t'); p++) {
            /* void */
        }

        result->retry_after.len = ngx_min(last - p, 256);
        result->retry_after.data = ngx_pnalloc(h->d->pool,
                                               result->retry_after.len + 1);

        if (result->retry_after.data == NULL) {
            result->retry_after.len = 0;
            h->no_memory = 1;
            return 0;
        }

        ngx_memcpy(result->retry_after.data, p, result->retry_after.len);
    }

    return len;
}


static void
ngx_http_webhook_curl_status_line(ngx_http_webhook_curl_handle_t *h,
    u_char *p, u_char *last)
{
    ngx_int_t                   status;
    ngx_http_webhook_result_t  *result;

    result = &h->d->result;

    result->headers.len = 0;
    ngx_str_null(&result->retry_after);

    p = ngx_strlchr(p, last, ' ');

    status = (p && last - p >= 4) ? ngx_atoi(p + 1, 3) : NGX_ERROR;

    h->status = (status == NGX_ERROR) ? 0 : status;
}


static ngx_int_t
ngx_http_webhook_curl_keep(ngx_http_webhook_curl_handle_t *h, u_char *data,
    size_t len)
{
    u_char     *p;
    size_t      size;
    ngx_str_t  *headers;

    headers = &h->d->result.headers;

    if (headers->len + len + 2 > NGX_HTTP_WEBHOOK_CURL_KEPT) {
        return NGX_OK;
    }

    if (headers->len + len + 2 > h->headers) {
        size = (headers->len + len + 2 > 512) ? NGX_HTTP_WEBHOOK_CURL_KEPT
                                              : 512;

        p = ngx_pnalloc(h->d->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, headers->data, headers->len);

        headers->data = p;
        h->headers = size;
    }

    p = ngx_cpymem(headers->data + headers->len, data, len);
    *p++ = CR;
    *p++ = LF;

    headers->len = p - headers->data;

    return NGX_OK;
}


size_t
ngx_http_webhook_curl_body(char *data, size_t size, size_t n, void *ctx)
{
    ngx_http_webhook_curl_handle_t *h = ctx;

    u_char                     *p;
    size_t                      len, rest;
    ngx_http_webhook_result_t  *result;

    result = &h->d->result;

    len = size * n;
    result->body_size += len;

    rest = ngx_min(len, h->d->body_max - result->body.len);

    if (rest) {

        if (result->body.len + rest > h->body) {
            h->body = ngx_max(2 * h->body, result->body.len + rest);
            h->body = ngx_min(h->body, h->d->body_max);

            p = ngx_pnalloc(h->d->pool, h->body);
            if (p == NULL) {
                h->no_memory = 1;
                return 0;
            }

            ngx_memcpy(p, result->body.data, result->body.len);
            result->body.data = p;
        }

        ngx_memcpy(result->body.data + result->body.len, data, rest);
        result->body.len += rest;
    }

    if (result->body_size > result->body.len) {
        result->truncated = 1;

        if (result->body_size > h->d->body_max + NGX_HTTP_WEBHOOK_CURL_BODY) {
            h->enough = 1;
            return 0;
        }
    }

    return len;
}


void
ngx_http_webhook_curl_progress(ngx_http_webhook_curl_handle_t *h)
{
    long                        n;
    char                       *ip;
    CURL                       *easy;
    u_char                     *p;
    curl_off_t                  dns, connect, tls, sent, first, total;
    ngx_http_webhook_result_t  *result;

    easy = h->easy;
    result = &h->d->result;

    result->status = h->answered ? h->status : 0;

    if (!h->answered) {
        ngx_str_null(&result->headers);
        ngx_str_null(&result->retry_after);
    }

    n = 0;
    (void) curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &n);

    result->reused = (n == 0 && h->requests > 0);
    result->stale = (h->requests > 1);

    ip = NULL;
    (void) curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip);

    if (ip && ip[0]) {
        p = ngx_pnalloc(h->d->pool, NGX_SOCKADDR_STRLEN + sizeof("[]:65535"));

        if (p) {
            (void) curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &n);

            result->peer.data = p;
            result->peer.len = ngx_snprintf(p, NGX_SOCKADDR_STRLEN,
                                            ngx_strchr(ip, ':') ? "[%s]:%l"
                                                                : "%s:%l",
                                            ip, n)
                               - p;
        }
    }

    dns = connect = tls = sent = first = total = 0;

    (void) curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &dns);
    (void) curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
    (void) curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &tls);
    (void) curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    (void) curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
    (void) curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);

    result->dns = h->dns;
    result->connect = NGX_CONF_UNSET_MSEC;
    result->tls = NGX_CONF_UNSET_MSEC;

    if (!result->reused) {

        if (h->dns == NGX_CONF_UNSET_MSEC && dns) {
            result->dns = ngx_http_webhook_curl_ms(0, dns);
        }

        if (connect) {
            result->connect = ngx_http_webhook_curl_ms(dns, connect);
        }

        if (tls) {
            result->tls = ngx_http_webhook_curl_ms(connect, tls);
        }
    }

    result->first_byte = (first && h->received)
                         ? ngx_http_webhook_curl_ms(sent, first)
                         : NGX_CONF_UNSET_MSEC;

    result->total = h->wait + ngx_http_webhook_curl_ms(0, total);
}


void
ngx_http_webhook_curl_verdict(ngx_http_webhook_curl_handle_t *h, CURLcode code)
{
    ngx_http_webhook_hook_t      *hook;
    ngx_http_webhook_detached_t  *d;

    d = h->d;
    hook = h->hook;

    if (code == CURLE_OK && h->answered) {
        return;
    }

    if (h->enough && h->answered) {
        return;
    }

    if (h->closing) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "nginx is shutting down");
        return;
    }

    if (h->no_memory || code == CURLE_OUT_OF_MEMORY) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "no memory");
        return;
    }

#if (LIBCURL_VERSION_NUM >= 0x080600)
    h->large |= (code == CURLE_TOO_LARGE);
#endif

    if (h->large) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_PROTOCOL,
                                    "the answer's headers are too large");
        return;
    }

    if (h->answered) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_BROKEN,
                                    "the answer broke off within its body");
        return;
    }

    if (hook->proxy.len && ngx_http_webhook_curl_proxy(h, code)) {
        return;
    }

    switch (code) {

    case CURLE_COULDNT_RESOLVE_HOST:
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_DNS,
                                    "the name of %V could not be resolved",
                                    &hook->host);
        return;

    case CURLE_COULDNT_CONNECT:
        ngx_http_webhook_curl_unconnected(h);
        return;

    case CURLE_OPERATION_TIMEDOUT:
        ngx_http_webhook_curl_timed_out(h);
        return;

    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
        ngx_http_webhook_curl_tls(h, code);
        return;

    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_PROTOCOL,
                                    "the answer is not HTTP");
        return;

    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_PROTOCOL,
                                    "HTTP/2 broke down");
        return;

    case CURLE_OK:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_RECV_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:

        if (h->refused) {
            ngx_http_webhook_curl_unconnected(h);
            return;
        }

        if (ngx_http_webhook_curl_alert(h)) {
            return;
        }

        if (h->received) {
            ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_RESET,
                                   "the answer broke off within its headers");
            return;
        }

        if (code == CURLE_GOT_NOTHING) {
            ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_RESET,
                               "the connection was closed without an answer");
            return;
        }

        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_RESET,
                                    "the connection broke without an answer");
        return;

    default:
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "libcurl failed with code %d", (int) code);
        return;
    }
}


static void
ngx_http_webhook_curl_unconnected(ngx_http_webhook_curl_handle_t *h)
{
    long     n;
    u_char  *last;
    u_char   text[256];

    if (h->no_connection) {
        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "no worker connection is free");
        return;
    }

    n = 0;
    (void) curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &n);

    if (n == 0 && h->error) {
        last = ngx_strerror(h->error, text, sizeof(text) - 1);
        *last = '\0';

        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "no socket: %s", text);
        return;
    }

    last = n ? ngx_strerror((ngx_err_t) n, text, sizeof(text) - 1)
             : ngx_cpymem(text, "no address answered",
                          sizeof("no address answered") - 1);
    *last = '\0';

    if (h->hook->proxy.len) {
        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                                    "could not connect to the proxy: %s",
                                    text);
        return;
    }

    ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_CONNECT,
                                "could not connect to %V: %s", &h->hook->host,
                                text);
}


/* The only time that libcurl watches is that of connecting. */

static void
ngx_http_webhook_curl_timed_out(ngx_http_webhook_curl_handle_t *h)
{
    char                       *fmt;
    ngx_http_webhook_result_t  *result;

    result = &h->d->result;

    if (result->peer.len) {
        fmt = "the TLS handshake with %V did not end within %M ms";

    } else if (result->dns != NGX_CONF_UNSET_MSEC) {
        fmt = "no connection to %V within %M ms";

    } else {
        fmt = "the name of %V was not resolved within %M ms";
    }

    ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_TIMEOUT, fmt,
                                &h->hook->host, h->set->connect);
}


static void
ngx_http_webhook_curl_tls(ngx_http_webhook_curl_handle_t *h, CURLcode code)
{
    long                          n;
    ngx_str_t                    *host;
    ngx_http_webhook_detached_t  *d;

    d = h->d;
    host = &h->hook->host;

    switch (code) {

    case CURLE_PEER_FAILED_VERIFICATION:
        /* with a good certificate for another name, libcurl leaves these */

        n = X509_V_OK;
        (void) curl_easy_getinfo(h->easy, CURLINFO_SSL_VERIFYRESULT, &n);

        if (n != X509_V_OK && n != X509_V_ERR_UNSPECIFIED) {
            ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_TLS,
                                        "the certificate of %V is refused: %s",
                                        host, X509_verify_cert_error_string(n));
            return;
        }

        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_TLS,
                                    "the certificate is not one for %V", host);
        return;

    case CURLE_SSL_CERTPROBLEM:
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_TLS,
                          "the client certificate or its key cannot be used");
        return;

    case CURLE_SSL_CACERT_BADFILE:
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_TLS,
                                  "the trusted certificates cannot be read");
        return;

    default:
        if (!ngx_http_webhook_curl_alert(h)) {
            ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_TLS,
                                        "the TLS handshake with %V failed",
                                        host);
        }
    }
}


/*
 * A TLS 1.3 server refuses a client after the handshake, so this may stand in
 * any error.  The text is OpenSSL's own, from its table of reasons.
 */

static ngx_uint_t
ngx_http_webhook_curl_alert(ngx_http_webhook_curl_handle_t *h)
{
    u_char     *p;
    ngx_str_t   text;

    p = (u_char *) ngx_strstr(h->message, "SSL routines:");

    if (p == NULL) {
        return 0;
    }

    p = (u_char *) ngx_strstr(p, " alert ");

    if (p == NULL) {
        return 0;
    }

    text.data = p + sizeof(" alert ") - 1;

    for (p = text.data; *p == ' ' || (*p >= 'a' && *p <= 'z'); p++) {
        /* void */
    }

    text.len = p - text.data;

    ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_TLS,
                                "%V refused the TLS connection: %V",
                                &h->hook->host, &text);
    return 1;
}


static ngx_uint_t
ngx_http_webhook_curl_proxy(ngx_http_webhook_curl_handle_t *h, CURLcode code)
{
    long  n;

    n = 0;
    (void) curl_easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &n);

    if (n != 0 && n / 100 != 2) {
        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                                    "the proxy answered CONNECT with %l", n);
        return 1;
    }

    switch (code) {

    case CURLE_COULDNT_RESOLVE_PROXY:
        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                                  "the proxy's name could not be resolved");
        return 1;

    case CURLE_PROXY:
        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                                    "the proxy refused to connect to %V",
                                    &h->hook->host);
        return 1;

    default:
        return 0;
    }
}


static ngx_msec_t
ngx_http_webhook_curl_ms(curl_off_t from, curl_off_t to)
{
    return (to > from) ? (ngx_msec_t) ((to - from) / 1000) : 0;
}


void
ngx_http_webhook_curl_error(ngx_http_webhook_detached_t *d, ngx_uint_t error,
    char *fmt, ...)
{
    u_char     *p;
    va_list     args;
    ngx_str_t  *message;
    u_char      text[512];

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    message = &d->result.message;

    d->result.error = error;

    message->len = p - text;
    message->data = ngx_pnalloc(d->pool, message->len);

    if (message->data == NULL) {
        message->len = 0;
        return;
    }

    ngx_memcpy(message->data, text, message->len);
}
