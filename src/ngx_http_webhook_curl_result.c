
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, the result: times and the end of a transfer ->
 * ngx_http_webhook_result_t.  Nothing of the URL but its host is ever put into
 * a sentence.
 */


#include "ngx_http_webhook_curl_transfer.h"
#include <openssl/x509_vfy.h>


static void ngx_http_webhook_curl_peer(ngx_http_webhook_curl_handle_t *h);
static void ngx_http_webhook_curl_unconnected(
    ngx_http_webhook_curl_handle_t *h);
static void ngx_http_webhook_curl_timed_out(ngx_http_webhook_curl_handle_t *h);
static void ngx_http_webhook_curl_tls(ngx_http_webhook_curl_handle_t *h,
    CURLcode code);
static ngx_uint_t ngx_http_webhook_curl_alert(
    ngx_http_webhook_curl_handle_t *h);
static ngx_uint_t ngx_http_webhook_curl_proxy(
    ngx_http_webhook_curl_handle_t *h, CURLcode code);
static ngx_uint_t ngx_http_webhook_curl_tls_peer(
    ngx_http_webhook_curl_handle_t *h, ngx_str_t **name);
static ngx_uint_t ngx_http_webhook_curl_tunnel(
    ngx_http_webhook_curl_handle_t *h);
static ngx_uint_t ngx_http_webhook_curl_unheard(
    ngx_http_webhook_curl_handle_t *h);
static ngx_msec_t ngx_http_webhook_curl_ms(curl_off_t from, curl_off_t to);


void
ngx_http_webhook_curl_progress(ngx_http_webhook_curl_handle_t *h)
{
    long                        n;
    CURL                       *easy;
    curl_off_t                  dns, connect, tls, sent, first;
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

    ngx_http_webhook_curl_peer(h);

    dns = connect = tls = sent = first = 0;

    (void) curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    (void) curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first);

    result->dns = h->dns;
    result->connect = NGX_CONF_UNSET_MSEC;
    result->tls = NGX_CONF_UNSET_MSEC;

    if (!result->reused) {

        (void) curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &dns);
        (void) curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
        (void) curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &tls);

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

    result->total = ngx_current_msec - h->start;
}


/* libcurl knows the peer once it is connected, we whom it tried. */

static void
ngx_http_webhook_curl_peer(ngx_http_webhook_curl_handle_t *h)
{
    long        n;
    char       *ip;
    u_char     *p;
    ngx_str_t  *peer;

    peer = &h->d->result.peer;

    p = ngx_pnalloc(h->d->pool, NGX_SOCKADDR_STRLEN);
    if (p == NULL) {
        return;
    }

    ip = NULL;
    n = 0;

    (void) curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_IP, &ip);
    (void) curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_PORT, &n);

    if (ip && ip[0]) {
        peer->len = ngx_snprintf(p, NGX_SOCKADDR_STRLEN,
                                 ngx_strchr(ip, ':') ? "[%s]:%l" : "%s:%l",
                                 ip, n)
                    - p;

    } else if (h->socklen) {
        peer->len = ngx_sock_ntop(&h->sockaddr.sockaddr, h->socklen, p,
                                  NGX_SOCKADDR_STRLEN, 1);
    }

    peer->data = p;
}


void
ngx_http_webhook_curl_verdict(ngx_http_webhook_curl_handle_t *h, CURLcode code)
{
    ngx_http_webhook_hook_t      *hook;
    ngx_http_webhook_detached_t  *d;
#if (LIBCURL_VERSION_NUM < 0x080600)
    curl_off_t                    first;
#endif

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

#if (LIBCURL_VERSION_NUM >= 0x080600)

    if (code == CURLE_TOO_LARGE) {

        if (h->answered) {

            /* trailers beyond a limit of libcurl's */

            return;
        }

        h->large = 1;
    }

#else

    if (code == CURLE_OUT_OF_MEMORY) {

        /* that is what they say of a line that is too long for them, too */

        first = 0;
        (void) curl_easy_getinfo(h->easy, CURLINFO_STARTTRANSFER_TIME_T,
                                 &first);
        h->large |= (first != 0);
    }

#endif

    if (h->no_memory || (code == CURLE_OUT_OF_MEMORY && !h->large)) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "no memory");
        return;
    }

    if (h->large && hook->proxy.len && !h->ready) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                              "the proxy's answer to CONNECT is too long");
        return;
    }

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

    if (code == CURLE_BAD_FUNCTION_ARGUMENT && h->received) {

        /* a header, or what stands for one */

        code = CURLE_WEIRD_SERVER_REPLY;
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
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
        ngx_http_webhook_curl_tls(h, code);
        return;

    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:

        if (ngx_http_webhook_curl_unheard(h)) {
            return;
        }

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

        if (ngx_http_webhook_curl_unheard(h)) {
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


/*
 * The only time that libcurl watches is that of connecting.  How far it came
 * with a proxy that speaks SOCKS, it does not say.
 */

static void
ngx_http_webhook_curl_timed_out(ngx_http_webhook_curl_handle_t *h)
{
    char                       *fmt;
    ngx_str_t                  *host;
    ngx_http_webhook_result_t  *result;

    static ngx_str_t  proxy = ngx_string("the proxy");

    result = &h->d->result;

    host = h->hook->proxy.len ? &proxy : &h->hook->host;

    if (h->connected) {
        host = &h->hook->host;
    }

    if (h->connected
        && h->hook->proxy.len
        && !ngx_http_webhook_curl_tunnel(h))
    {
        fmt = "no connection to %V through the proxy within %M ms";

    } else if (h->connected) {
        fmt = "the TLS handshake with %V did not end within %M ms";

    } else if (h->opened || result->dns != NGX_CONF_UNSET_MSEC) {
        fmt = "no connection to %V within %M ms";

    } else {
        fmt = "the name of %V was not resolved within %M ms";
    }

    ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_TIMEOUT, fmt, host,
                                h->set->connect);
}


static void
ngx_http_webhook_curl_tls(ngx_http_webhook_curl_handle_t *h, CURLcode code)
{
    long                          n;
    CURLINFO                      info;
    ngx_str_t                    *host;
    ngx_uint_t                    error;
    ngx_http_webhook_detached_t  *d;

    d = h->d;

    error = ngx_http_webhook_curl_tls_peer(h, &host);

    info = (error == NGX_HTTP_WEBHOOK_ERR_PROXY)
           ? CURLINFO_PROXY_SSL_VERIFYRESULT : CURLINFO_SSL_VERIFYRESULT;

    switch (code) {

    case CURLE_PEER_FAILED_VERIFICATION:
        /* with a good certificate for another name, libcurl leaves these */

        n = X509_V_OK;
        (void) curl_easy_getinfo(h->easy, info, &n);

        if (n != X509_V_OK && n != X509_V_ERR_UNSPECIFIED) {
            ngx_http_webhook_curl_error(d, error,
                                        "the certificate of %V is refused: %s",
                                        host, X509_verify_cert_error_string(n));
            return;
        }

        ngx_http_webhook_curl_error(d, error,
                                    "the certificate is not one for %V", host);
        return;

    case CURLE_SSL_CERTPROBLEM:
    case CURLE_BAD_FUNCTION_ARGUMENT:

        /* the latter for a key, in newer versions */

        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_TLS,
                          "the client certificate or its key cannot be used");
        return;

    case CURLE_SSL_CACERT_BADFILE:
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_TLS,
                                  "the trusted certificates cannot be read");
        return;

    default:
        if (!ngx_http_webhook_curl_alert(h)) {
            ngx_http_webhook_curl_error(d, error,
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
    u_char      *p;
    ngx_str_t    text, *host;
    ngx_uint_t   error;

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

    error = ngx_http_webhook_curl_tls_peer(h, &host);

    ngx_http_webhook_curl_error(h->d, error,
                                "%V refused the TLS connection: %V", host,
                                &text);
    return 1;
}


/*
 * With whom TLS failed, and the error that is: a proxy of https:// has a
 * handshake of its own, before the endpoint's.
 */

static ngx_uint_t
ngx_http_webhook_curl_tls_peer(ngx_http_webhook_curl_handle_t *h,
    ngx_str_t **name)
{
    ngx_str_t  *proxy;

    static ngx_str_t  text = ngx_string("the proxy");

    proxy = &h->hook->proxy;

    if (h->opened
        && proxy->len > 5
        && ngx_strncasecmp(proxy->data, (u_char *) "https", 5) == 0
        && !ngx_http_webhook_curl_tunnel(h))
    {
        *name = &text;
        return NGX_HTTP_WEBHOOK_ERR_PROXY;
    }

    *name = &h->hook->host;

    return NGX_HTTP_WEBHOOK_ERR_TLS;
}


/* The proxy has accepted a CONNECT. */

static ngx_uint_t
ngx_http_webhook_curl_tunnel(ngx_http_webhook_curl_handle_t *h)
{
    long  n;

    n = 0;
    (void) curl_easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &n);

    return n / 100 == 2;
}


/* There is a connection to a proxy that speaks HTTP, and no more than that. */

static ngx_uint_t
ngx_http_webhook_curl_unheard(ngx_http_webhook_curl_handle_t *h)
{
    ngx_str_t  *proxy;

    proxy = &h->hook->proxy;

    if (proxy->len == 0
        || ngx_strncasecmp(proxy->data, (u_char *) "http", 4) != 0
        || !h->opened
        || h->ready
        || ngx_http_webhook_curl_tunnel(h))
    {
        return 0;
    }

    ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                                "the proxy has not answered CONNECT as HTTP "
                                "wants it");
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

    case CURLE_RECV_ERROR:

        /* a line that is too long for libcurl */

        if (ngx_strstr(h->message, "CONNECT response too large") == NULL) {
            return 0;
        }

        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                              "the proxy's answer to CONNECT is too long");
        return 1;

    case CURLE_ABORTED_BY_CALLBACK:
        if (h->connecting <= NGX_HTTP_WEBHOOK_CURL_ANSWER) {
            return 0;
        }

        ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_PROXY,
                              "the proxy's answer to CONNECT is too long");
        return 1;

    case CURLE_PROXY:
        n = CURLPX_OK;
        (void) curl_easy_getinfo(h->easy, CURLINFO_PROXY_ERROR, &n);

        if (n == CURLPX_RESOLVE_HOST) {

            /* SOCKS that is given addresses */

            ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_DNS,
                                        "the name of %V could not be resolved",
                                        &h->hook->host);
            return 1;
        }

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
