
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, one transfer: a detached request goes in, an easy
 * handle under way in curl.c's loop comes out; when it has ended, curl_result.c
 * makes the result of it.
 */


#include "ngx_http_webhook_curl.h"
#include "ngx_http_webhook_curl_transfer.h"


static ngx_int_t ngx_http_webhook_curl_request(
    ngx_http_webhook_curl_handle_t *h);
static ngx_uint_t ngx_http_webhook_curl_own_header(ngx_table_elt_t *header);
static ngx_uint_t ngx_http_webhook_curl_local(ngx_str_t *host);
static ngx_int_t ngx_http_webhook_curl_resolve(
    ngx_http_webhook_curl_handle_t *h, ngx_http_request_t *sr);
static void ngx_http_webhook_curl_resolve_handler(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_http_webhook_curl_addresses(
    ngx_http_webhook_curl_handle_t *h, ngx_resolver_ctx_t *ctx);
static ngx_uint_t ngx_http_webhook_curl_retry(
    ngx_http_webhook_curl_handle_t *h, CURLcode code);
static void ngx_http_webhook_curl_forget(ngx_http_webhook_curl_handle_t *h);
static void ngx_http_webhook_curl_complete(ngx_http_webhook_curl_handle_t *h);


/* what libcurl would add of its own, left out */

static struct curl_slist  ngx_http_webhook_curl_no_accept = {
    (char *) "Accept:", NULL
};

static struct curl_slist  ngx_http_webhook_curl_no_expect = {
    (char *) "Expect:", &ngx_http_webhook_curl_no_accept
};


ngx_int_t
ngx_http_webhook_curl_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr)
{
    ngx_int_t                        rc;
    ngx_http_webhook_hook_t         *hook;
    ngx_http_webhook_curl_handle_t  *h;

    if (ngx_http_webhook_curl_closing()) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "nginx is shutting down");
        return NGX_ERROR;
    }

    hook = *(ngx_http_webhook_hook_t **) d->data;

    h = ngx_http_webhook_curl_get(hook);

    if (h == NULL) {
        ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                    "libcurl could not be prepared");
        return NGX_ERROR;
    }

    h->d = d;
    h->start = ngx_current_msec;
    h->dns = NGX_CONF_UNSET_MSEC;

    d->transport = h;

    rc = ngx_http_webhook_curl_request(h);

    if (rc == NGX_OK) {
        rc = ngx_http_webhook_curl_resolve(h, sr);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_webhook_curl_add(h);
    }

    if (rc == NGX_ERROR) {
        if (d->result.error == NGX_HTTP_WEBHOOK_ERR_NONE) {
            ngx_http_webhook_curl_error(d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                        "no memory");
        }

        ngx_http_webhook_curl_put(h);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_webhook_curl_abort(ngx_http_webhook_detached_t *d)
{
    ngx_http_webhook_curl_handle_t  *h;

    h = d->transport;

    if (h == NULL) {
        return;
    }

    if (h->resolve) {
        ngx_resolve_name_done(h->resolve);
        h->resolve = NULL;
    }

    if (h->added) {
        ngx_http_webhook_curl_progress(h);
        ngx_http_webhook_curl_remove(h);
    }

    d->result.total = ngx_current_msec - h->start;

    ngx_http_webhook_curl_put(h);
}


void
ngx_http_webhook_curl_ended(ngx_http_webhook_curl_handle_t *h, CURLcode code)
{
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "webhook curl ended: %d, status:%ui", (int) code, h->status);

    if (ngx_http_webhook_curl_retry(h, code)) {
        ngx_http_webhook_curl_remove(h);
        ngx_http_webhook_curl_forget(h);

        h->retried = 1;
        h->fresh_set = 1;
        h->opened = 0;
        h->requests = 1;

        (void) curl_easy_setopt(h->easy, CURLOPT_FRESH_CONNECT, 1L);

        if (ngx_http_webhook_curl_add(h) == NGX_OK) {
            return;
        }

        code = CURLE_OUT_OF_MEMORY;
    }

    ngx_http_webhook_curl_progress(h);
    ngx_http_webhook_curl_verdict(h, code);
    ngx_http_webhook_curl_remove(h);

    ngx_http_webhook_curl_complete(h);
}


/* Headers and body of the detached request, neither copied by libcurl. */

static ngx_int_t
ngx_http_webhook_curl_request(ngx_http_webhook_curl_handle_t *h)
{
    u_char                   *p;
    size_t                    len;
    ngx_str_t                 value;
    ngx_buf_t                *b;
    ngx_uint_t                i, n;
    ngx_list_part_t          *part;
    ngx_table_elt_t          *header;
    ngx_http_request_t       *r;
    struct curl_slist        *list, *node, **next;
    ngx_http_request_body_t  *rb;

    r = h->d->request;

    n = 0;
    len = 0;

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        len += header[i].key.len + sizeof(": ") + header[i].value.len;
        n++;
    }

    node = ngx_palloc(h->d->pool, n * sizeof(struct curl_slist) + len);
    if (node == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) (node + n);
    next = &list;

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (ngx_http_webhook_curl_own_header(&header[i])) {
            continue;
        }

        value = header[i].value;

        while (value.len && (value.data[0] == ' ' || value.data[0] == '\t')) {
            value.data++;
            value.len--;
        }

        node->data = (char *) p;
        *next = node;
        next = &node->next;
        node++;

        p = ngx_cpymem(p, header[i].key.data, header[i].key.len);

        if (value.len == 0) {

            /* libcurl's way to write an empty one */

            *p++ = ';';
            *p++ = '\0';
            continue;
        }

        *p++ = ':';
        *p++ = ' ';
        p = ngx_cpymem(p, value.data, value.len);
        *p++ = '\0';
    }

    *next = &ngx_http_webhook_curl_no_expect;

    p = (u_char *) "";
    len = 0;

    rb = r->request_body;

    if (rb && rb->bufs) {
        b = rb->bufs->buf;
        len = b->last - b->pos;

        if (len) {
            p = b->pos;
        }
    }

    h->size = len;

    if (curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, list)
        || curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, p)
        || curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t) len))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Headers that libcurl writes itself. */

static ngx_uint_t
ngx_http_webhook_curl_own_header(ngx_table_elt_t *header)
{
    switch (header->key.len) {

    case sizeof("Content-Length") - 1:
        return ngx_strncasecmp(header->key.data, (u_char *) "Content-Length",
                               sizeof("Content-Length") - 1)
               == 0;

    case sizeof("Transfer-Encoding") - 1:
        return ngx_strncasecmp(header->key.data, (u_char *) "Transfer-Encoding",
                               sizeof("Transfer-Encoding") - 1)
               == 0;

    default:
        return 0;
    }
}


/* "localhost", "ci.localhost": of these libcurl asks nobody (RFC 6761) */

static ngx_uint_t
ngx_http_webhook_curl_local(ngx_str_t *host)
{
    size_t   len;
    u_char  *p;

    len = sizeof("localhost") - 1;

    if (host->len < len) {
        return 0;
    }

    p = host->data + host->len - len;

    return ngx_strncasecmp(p, (u_char *) "localhost", len) == 0
           && (p == host->data || p[-1] == '.');
}


/* NGX_AGAIN: the handler goes on; NGX_ERROR: the result may say why. */

static ngx_int_t
ngx_http_webhook_curl_resolve(ngx_http_webhook_curl_handle_t *h,
    ngx_http_request_t *sr)
{
    ngx_resolver_ctx_t        *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    if (h->set->host.len == 0 || ngx_http_webhook_curl_local(&h->set->host)) {
        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(sr, ngx_http_core_module);

#if (angie_version >= 1012000)

    if (clcf->resolver == NULL || clcf->resolver->connections == NULL) {
        return NGX_OK;
    }

#else

    if (clcf->resolver == NULL || clcf->resolver->connections.nelts == 0) {
        return NGX_OK;
    }

#endif

    ctx = ngx_resolve_start(clcf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_ERROR;
    }

    ctx->name = h->set->host;
    ctx->handler = ngx_http_webhook_curl_resolve_handler;
    ctx->data = h;
    ctx->timeout = ngx_min(clcf->resolver_timeout, h->set->connect);

    h->resolve = ctx;
    h->starting = 1;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        h->resolve = NULL;
        h->starting = 0;
        return NGX_ERROR;
    }

    h->starting = 0;

    return h->resolve ? NGX_AGAIN : h->resolved;
}


static void
ngx_http_webhook_curl_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_webhook_curl_handle_t  *h;

    h = ctx->data;

    h->resolve = NULL;
    h->dns = ngx_current_msec - h->start;

    if (ctx->state) {
        ngx_http_webhook_curl_error(h->d,
                                    ctx->state == NGX_RESOLVE_TIMEDOUT
                                        ? NGX_HTTP_WEBHOOK_ERR_TIMEOUT
                                        : NGX_HTTP_WEBHOOK_ERR_DNS,
                                    "the name of %V could not be resolved "
                                    "(%i: %s)", &ctx->name, ctx->state,
                                    ngx_resolver_strerror(ctx->state));
        rc = NGX_ERROR;

    } else {
        rc = ngx_http_webhook_curl_addresses(h, ctx);
    }

    ngx_resolve_name_done(ctx);

    if (h->starting) {
        h->resolved = rc;
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_webhook_curl_add(h);
    }

    if (rc != NGX_OK) {
        if (h->d->result.error == NGX_HTTP_WEBHOOK_ERR_NONE) {
            ngx_http_webhook_curl_error(h->d, NGX_HTTP_WEBHOOK_ERR_INTERNAL,
                                        "no memory");
        }

        h->d->result.total = ngx_current_msec - h->start;
        ngx_http_webhook_curl_complete(h);
    }
}


/*
 * Tells libcurl, whose cache keeps what it is told for a minute, so the same
 * addresses need not be told again at once.
 */

static ngx_int_t
ngx_http_webhook_curl_addresses(ngx_http_webhook_curl_handle_t *h,
    ngx_resolver_ctx_t *ctx)
{
    u_char                       *p, *last, *text;
    size_t                        len;
    ngx_uint_t                    i;
    struct curl_slist            *list;
    ngx_http_webhook_curl_set_t  *set;

    set = h->set;

    len = sizeof(struct curl_slist) + sizeof("+::") + set->host.len
          + NGX_INT_T_LEN + ctx->naddrs * (NGX_SOCKADDR_STRLEN + 1);

    list = ngx_palloc(h->d->pool, len);
    if (list == NULL) {
        return NGX_ERROR;
    }

    text = (u_char *) (list + 1);
    last = (u_char *) list + len;

    p = ngx_slprintf(text, last, "+%V:%ui:", &set->host, set->port);

    for (i = 0; i < ctx->naddrs; i++) {
        if (i) {
            *p++ = ',';
        }

        p += ngx_sock_ntop(ctx->addrs[i].sockaddr, ctx->addrs[i].socklen, p,
                           last - p, 0);
    }

    *p++ = '\0';

    if (set->addresses
        && ngx_strcmp(set->addresses, text) == 0
        && (uint64_t) (ngx_time() - set->since) < 30)
    {
        return NGX_OK;
    }

    if (set->addresses) {
        ngx_free(set->addresses);
    }

    set->since = ngx_time();
    set->addresses = ngx_alloc(p - text, ngx_cycle->log);

    if (set->addresses) {
        ngx_memcpy(set->addresses, text, p - text);
    }

    list->data = (char *) text;
    list->next = NULL;

    h->resolve_set = 1;

    return curl_easy_setopt(h->easy, CURLOPT_RESOLVE, list) == CURLE_OK
           ? NGX_OK : NGX_ERROR;
}


/*
 * libcurl is about to send.  It repeats by itself, up to five times, what was
 * sent on a kept-alive connection that broke without an answer; we want this
 * once, and on a new connection.
 */

int
ngx_http_webhook_curl_send(void *ctx, char *peer, char *local, int peer_port,
    int local_port)
{
    ngx_http_webhook_curl_handle_t *h = ctx;

    h->requests++;
    h->ready = 1;

    if (h->nfds > 1) {
        ngx_http_webhook_curl_sweep(h);
    }

    if (h->requests == 1) {
        return CURL_PREREQFUNC_OK;
    }

    if (h->requests == 2 && h->opened) {
        return CURL_PREREQFUNC_OK;
    }

    h->again = 1;

    return CURL_PREREQFUNC_ABORT;
}


/*
 * A proxy's answer to CONNECT is read by libcurl byte by byte for as long as
 * there is something to read, with a call of this for each: a long one keeps
 * the worker.  So does what comes between the bytes of a body, as an extension
 * of a chunk: it is read, a hundred buffers for each call, and told to nobody.
 * By HTTP/2 there are calls for what other transfers read.
 */

int
ngx_http_webhook_curl_advance(void *ctx, curl_off_t dltotal, curl_off_t dlnow,
    curl_off_t ultotal, curl_off_t ulnow)
{
    ngx_http_webhook_curl_handle_t *h = ctx;

    long  version;

    if (!h->ready) {
        return ++h->connecting > NGX_HTTP_WEBHOOK_CURL_ANSWER;
    }

    if (!h->answered) {
        return 0;
    }

    if (h->advanced != dlnow + ulnow) {
        h->advanced = dlnow + ulnow;
        h->vain = 0;
        return 0;
    }

    if (++h->vain <= NGX_HTTP_WEBHOOK_CURL_VAIN
        || curl_easy_getinfo(h->easy, CURLINFO_HTTP_VERSION, &version)
           != CURLE_OK
        || version > CURL_HTTP_VERSION_1_1)
    {
        return 0;
    }

    h->enough = 1;

    return 1;
}


static ngx_uint_t
ngx_http_webhook_curl_retry(ngx_http_webhook_curl_handle_t *h, CURLcode code)
{
    long  connects, version;

    if (h->retried || h->opened || h->requests == 0 || h->refused
        || h->closing)
    {
        return 0;
    }

    if (h->answered && h->status == NGX_HTTP_REQUEST_TIME_OUT) {

        /*
         * What the receiver may have said before the request came, as it does
         * to one that is idle.  It may be repeated: RFC 9110, 15.5.9.
         */

        return h->requests == 1
               && curl_easy_getinfo(h->easy, CURLINFO_HTTP_VERSION, &version)
                  == CURLE_OK
               && version <= CURL_HTTP_VERSION_1_1;
    }

    if (code == CURLE_OK || h->received) {
        return 0;
    }

    switch (code) {

    case CURLE_ABORTED_BY_CALLBACK:
        return h->again && h->requests == 2;

    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        break;

    default:
        return 0;
    }

    return h->requests == 1
           && curl_easy_getinfo(h->easy, CURLINFO_NUM_CONNECTS, &connects)
              == CURLE_OK
           && connects == 0;
}


/* An answer that is not the one to this request. */

static void
ngx_http_webhook_curl_forget(ngx_http_webhook_curl_handle_t *h)
{
    ngx_http_webhook_result_t  *result;

    result = &h->d->result;

    result->body.len = 0;
    result->body_size = 0;
    result->truncated = 0;
    result->headers.len = 0;

    h->status = 0;
    h->received = 0;
    h->vain = 0;
    h->answered = 0;
    h->enough = 0;
    h->no_memory = 0;
}


static void
ngx_http_webhook_curl_complete(ngx_http_webhook_curl_handle_t *h)
{
    ngx_http_webhook_detached_t  *d;

    d = h->d;

    ngx_http_webhook_curl_put(h);
    ngx_http_webhook_detached_complete(d);
}
