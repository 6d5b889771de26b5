
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, easy handles: a webhook's settings go in, a handle
 * with all options that do not change comes out, and is kept for its next
 * transfers.
 */


#include "ngx_http_webhook_curl_transfer.h"


typedef struct {
    ngx_http_webhook_curl_set_t    **sets;      /* by hook->index */
    ngx_uint_t                       nsets;
    ngx_uint_t                       idle;      /* handles */
    ngx_uint_t                       max;
    ngx_log_t                       *log;
} ngx_http_webhook_curl_handles_t;


static ngx_http_webhook_curl_set_t *ngx_http_webhook_curl_set(
    ngx_http_webhook_hook_t *hook);
static void ngx_http_webhook_curl_set_init(ngx_http_webhook_curl_set_t *set,
    ngx_http_webhook_hook_t *hook);
static void ngx_http_webhook_curl_set_clean(ngx_http_webhook_curl_set_t *set);
static void ngx_http_webhook_curl_destroy(
    ngx_http_webhook_curl_handle_t *h);
static ngx_int_t ngx_http_webhook_curl_prepare(
    ngx_http_webhook_curl_handle_t *h);
static ngx_int_t ngx_http_webhook_curl_url(ngx_http_webhook_curl_handle_t *h);
static ngx_int_t ngx_http_webhook_curl_pem(CURL *easy, CURLoption option,
    ngx_str_t *pem);


static ngx_http_webhook_curl_handles_t  ngx_http_webhook_curl_handles;


ngx_int_t
ngx_http_webhook_curl_handles_init(ngx_cycle_t *cycle, ngx_uint_t max)
{
    ngx_http_webhook_curl_handles_t  *handles;

    handles = &ngx_http_webhook_curl_handles;

    ngx_memzero(handles, sizeof(ngx_http_webhook_curl_handles_t));

    handles->max = max;
    handles->log = cycle->log;

    return NGX_OK;
}


/* Easy handles end with the process, as the multi handle does. */

void
ngx_http_webhook_curl_handles_exit(ngx_cycle_t *cycle)
{
    ngx_http_webhook_curl_handles.max = 0;
}


static ngx_http_webhook_curl_set_t *
ngx_http_webhook_curl_set(ngx_http_webhook_hook_t *hook)
{
    ngx_uint_t                        n;
    ngx_http_webhook_curl_set_t      *set, **sets;
    ngx_http_webhook_curl_handles_t  *handles;

    handles = &ngx_http_webhook_curl_handles;

    if (hook->index >= handles->nsets) {
        n = ngx_max(hook->index + 1, 2 * handles->nsets);

        sets = ngx_calloc(n * sizeof(ngx_http_webhook_curl_set_t *),
                          handles->log);
        if (sets == NULL) {
            return NULL;
        }

        if (handles->sets) {
            ngx_memcpy(sets, handles->sets,
                       handles->nsets * sizeof(ngx_http_webhook_curl_set_t *));
            ngx_free(handles->sets);
        }

        handles->sets = sets;
        handles->nsets = n;
    }

    set = handles->sets[hook->index];

    if (set == NULL) {
        set = ngx_calloc(sizeof(ngx_http_webhook_curl_set_t), handles->log);
        if (set == NULL) {
            return NULL;
        }

        handles->sets[hook->index] = set;
    }

    if (set->hook != hook) {

        /* new, or another configuration: a reload without a master process */

        ngx_http_webhook_curl_set_clean(set);
        ngx_http_webhook_curl_set_init(set, hook);
    }

    return set;
}


/* Whom nginx's resolver is to ask for; whatever is in doubt, libcurl does. */

static void
ngx_http_webhook_curl_set_init(ngx_http_webhook_curl_set_t *set,
    ngx_http_webhook_hook_t *hook)
{
    char    *url, *host, *port;
    CURLU   *u;
    u_char  *p;

    set->hook = hook;
    set->connect = ngx_min(hook->timeout, NGX_HTTP_WEBHOOK_CURL_CONNECT);

    url = (char *) (hook->proxy.len ? hook->proxy.data : hook->url.data);

    u = curl_url();
    if (u == NULL) {
        return;
    }

    host = NULL;
    port = NULL;

    if (curl_url_set(u, CURLUPART_URL, url,
                     CURLU_NON_SUPPORT_SCHEME|CURLU_DEFAULT_SCHEME)
        == CURLUE_OK
        && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK
        && (curl_url_get(u, CURLUPART_PORT, &port,
                         hook->proxy.len ? 0 : CURLU_DEFAULT_PORT)
            == CURLUE_OK))
    {
        set->port = ngx_atoi((u_char *) port, ngx_strlen(port));
        set->host.len = ngx_strlen(host);

        if (ngx_inet_addr((u_char *) host, set->host.len) != INADDR_NONE
            || host[0] == '[')
        {
            set->host.len = 0;
        }

        for (p = (u_char *) host; *p; p++) {
            if (*p >= 0x80) {
                set->host.len = 0;
            }
        }

        if (set->host.len) {
            set->host.data = ngx_alloc(set->host.len,
                                       ngx_http_webhook_curl_handles.log);
            if (set->host.data == NULL) {
                set->host.len = 0;

            } else {
                ngx_memcpy(set->host.data, host, set->host.len);
            }
        }
    }

    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
}


static void
ngx_http_webhook_curl_set_clean(ngx_http_webhook_curl_set_t *set)
{
    ngx_http_webhook_curl_handle_t  *h;

    while (set->free) {
        h = set->free;
        set->free = h->next;

        ngx_http_webhook_curl_destroy(h);

        ngx_http_webhook_curl_handles.idle--;
    }

    if (set->host.data) {
        ngx_free(set->host.data);
    }

    if (set->addresses) {
        ngx_free(set->addresses);
    }

    ngx_memzero(set, sizeof(ngx_http_webhook_curl_set_t));
}


ngx_http_webhook_curl_handle_t *
ngx_http_webhook_curl_get(ngx_http_webhook_hook_t *hook)
{
    ngx_http_webhook_curl_set_t     *set;
    ngx_http_webhook_curl_handle_t  *h;

    set = ngx_http_webhook_curl_set(hook);
    if (set == NULL) {
        return NULL;
    }

    h = set->free;

    if (h) {
        set->free = h->next;
        ngx_http_webhook_curl_handles.idle--;

        return h;
    }

    h = ngx_calloc(sizeof(ngx_http_webhook_curl_handle_t),
                   ngx_http_webhook_curl_handles.log);
    if (h == NULL) {
        return NULL;
    }

    h->set = set;
    h->hook = hook;

    h->easy = curl_easy_init();
    h->url = curl_url();

    if (h->easy == NULL
        || h->url == NULL
        || ngx_http_webhook_curl_prepare(h) != NGX_OK)
    {
        ngx_http_webhook_curl_destroy(h);
        return NULL;
    }

    return h;
}


/* The handle is not in the multi handle any more. */

void
ngx_http_webhook_curl_put(ngx_http_webhook_curl_handle_t *h)
{
    ngx_http_webhook_curl_set_t      *set;
    ngx_http_webhook_curl_handles_t  *handles;

    handles = &ngx_http_webhook_curl_handles;
    set = h->set;

    h->d->transport = NULL;

    if (h->hook != set->hook || handles->idle >= handles->max) {

        if (handles->max) {
            ngx_http_webhook_curl_destroy(h);

        } else {
            ngx_free(h);
        }

        return;
    }

    if (h->resolve_set) {
        (void) curl_easy_setopt(h->easy, CURLOPT_RESOLVE, NULL);
    }

    if (h->fresh_set) {
        (void) curl_easy_setopt(h->easy, CURLOPT_FRESH_CONNECT, 0L);
    }

    ngx_memzero(&h->d, offsetof(ngx_http_webhook_curl_handle_t, sockaddr)
                       - offsetof(ngx_http_webhook_curl_handle_t, d));

    h->next = set->free;
    set->free = h;
    handles->idle++;
}


static void
ngx_http_webhook_curl_destroy(ngx_http_webhook_curl_handle_t *h)
{
    curl_easy_cleanup(h->easy);
    curl_url_cleanup(h->url);

    ngx_free(h);
}


static ngx_int_t
ngx_http_webhook_curl_prepare(ngx_http_webhook_curl_handle_t *h)
{
    long                      version;
    CURL                     *easy;
    ngx_http_webhook_hook_t  *hook;

    easy = h->easy;
    hook = h->hook;

    version = (hook->http2 && hook->ssl) ? CURL_HTTP_VERSION_2TLS
                                         : CURL_HTTP_VERSION_1_1;

    /*
     * Of HTTP/2 libcurl 7.88 wants all headers in one buffer, and takes them
     * for broken, or waits for more, where they are not.
     */

    if (version == CURL_HTTP_VERSION_2TLS
        && curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                            (long) NGX_HTTP_WEBHOOK_CURL_HEADERS))
    {
        return NGX_ERROR;
    }

    /*
     * Without QUICK_EXIT, to remove a handle is to wait for the resolver;
     * empty PROXY and NOPROXY shut the environment out.
     */

    if (ngx_http_webhook_curl_url(h) != NGX_OK
        || ngx_http_webhook_curl_callbacks(h) != NGX_OK
        || curl_easy_setopt(easy, CURLOPT_PRIVATE, h)
        || curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, h->message)
        || curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L)
        || curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L)
        || curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        || curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version)
        || curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
                            (long) (version == CURL_HTTP_VERSION_2TLS))
        || curl_easy_setopt(easy, CURLOPT_POST, 1L)
        || curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long) h->set->connect)
        || curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                            ngx_http_webhook_curl_header)
        || curl_easy_setopt(easy, CURLOPT_HEADERDATA, h)
        || curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
                            ngx_http_webhook_curl_body)
        || curl_easy_setopt(easy, CURLOPT_WRITEDATA, h)
        || curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L)
        || curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION,
                            ngx_http_webhook_curl_send)
        || curl_easy_setopt(easy, CURLOPT_PREREQDATA, h)
        || curl_easy_setopt(easy, CURLOPT_NOPROXY, "")
        || curl_easy_setopt(easy, CURLOPT_PROXY,
                            hook->proxy.len ? (char *) hook->proxy.data : "")
        || curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L)
        || curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION,
                            ngx_http_webhook_curl_advance)
        || curl_easy_setopt(easy, CURLOPT_XFERINFODATA, h)
        || ngx_http_webhook_curl_trust(easy, hook) != NGX_OK
        || ngx_http_webhook_curl_pem(easy, CURLOPT_SSLCERT_BLOB,
                                     &hook->ssl_certificate_pem) != NGX_OK
        || ngx_http_webhook_curl_pem(easy, CURLOPT_SSLKEY_BLOB,
                                     &hook->ssl_certificate_key_pem) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Parsed once; older versions of libcurl lose the zone of what is parsed. */

static ngx_int_t
ngx_http_webhook_curl_url(ngx_http_webhook_curl_handle_t *h)
{
    char      *url, *zone;
    CURLcode   rc;

    url = (char *) h->hook->url.data;
    zone = NULL;

    if (curl_url_set(h->url, CURLUPART_URL, url, 0) != CURLUE_OK) {
        return NGX_ERROR;
    }

    if (curl_url_get(h->url, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK) {
        curl_free(zone);
        rc = curl_easy_setopt(h->easy, CURLOPT_URL, url);

    } else {
        rc = curl_easy_setopt(h->easy, CURLOPT_CURLU, h->url);
    }

    return (rc == CURLE_OK) ? NGX_OK : NGX_ERROR;
}


/* what nginx read as root, for the worker may not */

static ngx_int_t
ngx_http_webhook_curl_pem(CURL *easy, CURLoption option, ngx_str_t *pem)
{
    struct curl_blob  blob;

    if (pem->len == 0) {
        return NGX_OK;
    }

    blob.data = pem->data;
    blob.len = pem->len;
    blob.flags = CURL_BLOB_NOCOPY;

    return curl_easy_setopt(easy, option, &blob) ? NGX_ERROR : NGX_OK;
}
