
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, the answer: bytes from libcurl -> headers and body in
 * ngx_http_webhook_result_t, no more of them than are kept; curl_result.c does
 * the rest.
 */


#include "ngx_http_webhook_curl_transfer.h"


static void ngx_http_webhook_curl_status_line(
    ngx_http_webhook_curl_handle_t *h, u_char *p, u_char *last);
static ngx_uint_t ngx_http_webhook_curl_early(
    ngx_http_webhook_curl_handle_t *h);
static ngx_uint_t ngx_http_webhook_curl_is(u_char *p, u_char *colon,
    char *name, size_t len);
static ngx_int_t ngx_http_webhook_curl_keep(ngx_http_webhook_curl_handle_t *h,
    u_char *data, size_t len);


/* One line: a status line begins anew, so the last headers are what stays. */

size_t
ngx_http_webhook_curl_header(char *data, size_t size, size_t n, void *ctx)
{
    ngx_http_webhook_curl_handle_t *h = ctx;

    u_char                     *p, *last, *colon;
    size_t                      len;
    ngx_str_t                   value;
    ngx_http_webhook_result_t  *result;

    result = &h->d->result;

    p = (u_char *) data;
    len = size * n;

    h->received += len;

    if (h->received > NGX_HTTP_WEBHOOK_CURL_HEADERS) {

        /* of trailers, which libcurl keeps, the status is known */

        if (h->answered) {
            h->enough = 1;

        } else {
            h->large = 1;
        }

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
        return ngx_http_webhook_curl_early(h) ? 0 : len;
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

    value.data = colon + 1;

    while (value.data < last && (*value.data == ' ' || *value.data == '\t')) {
        value.data++;
    }

    value.len = last - value.data;

    if (ngx_http_webhook_curl_is(p, colon, "Content-Length",
                                 sizeof("Content-Length") - 1))
    {
        h->length = ngx_atoof(value.data, value.len);

    } else if (ngx_http_webhook_curl_is(p, colon, "Transfer-Encoding",
                                        sizeof("Transfer-Encoding") - 1))
    {
        h->identity = (value.len == sizeof("identity") - 1
                       && ngx_strncasecmp(value.data, (u_char *) "identity",
                                          value.len) == 0);

    } else if (ngx_http_webhook_curl_is(p, colon, "Retry-After",
                                        sizeof("Retry-After") - 1))
    {
        value.len = ngx_min(value.len, NGX_HTTP_WEBHOOK_CURL_RETRY_AFTER);

        result->retry_after.data = ngx_pstrdup(h->d->pool, &value);

        if (result->retry_after.data == NULL) {
            h->no_memory = 1;
            return 0;
        }

        result->retry_after.len = value.len;
    }

    return len;
}


static ngx_uint_t
ngx_http_webhook_curl_is(u_char *p, u_char *colon, char *name, size_t len)
{
    return (size_t) (colon - p) == len
           && ngx_strncasecmp(p, (u_char *) name, len) == 0;
}


/*
 * The answer has come before the request was sent, so the receiver may never
 * read the rest, and libcurl would wait for that:  the status decides, once
 * the body is there, or at once if its length is unknown.
 *
 * Beside an identity, which was an encoding once, libcurl takes no length, and
 * would wait for the connection's end; so it would after 101.
 */

static ngx_uint_t
ngx_http_webhook_curl_early(ngx_http_webhook_curl_handle_t *h)
{
    curl_off_t  sent;

    if (h->answered && h->status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        h->enough = 1;
        return 1;
    }

    if (!h->answered || h->size == 0) {
        return 0;
    }

    if (h->status != 204
        && h->length != -1
        && h->d->result.body_size < (size_t) h->length)
    {
        return 0;
    }

    if (h->identity && h->length != -1) {
        h->enough = 1;
        return 1;
    }

    sent = 0;

    if (curl_easy_getinfo(h->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK
        || sent >= (curl_off_t) h->size)
    {
        return 0;
    }

    h->enough = 1;

    return 1;
}


static void
ngx_http_webhook_curl_status_line(ngx_http_webhook_curl_handle_t *h,
    u_char *p, u_char *last)
{
    ngx_int_t                   status;
    ngx_http_webhook_result_t  *result;

    result = &h->d->result;

    h->length = -1;
    h->identity = 0;
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

    return ngx_http_webhook_curl_early(h) ? 0 : len;
}
