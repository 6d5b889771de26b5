
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * own: in: a detached request; out: the same in nginx's phases, where a
 * client's would be.  Next room: detached.
 */


#include "ngx_http_webhook_own.h"
#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_spare.h"
#include "ngx_http_webhook_watch.h"


#define NGX_HTTP_WEBHOOK_OWN_LEFT  16   /* of a worker */


static ngx_int_t ngx_http_webhook_own_shortcuts(ngx_http_request_t *r);
static void ngx_http_webhook_own_scheme(ngx_http_request_t *r);
static void ngx_http_webhook_own_variable(ngx_http_request_t *r,
    ngx_int_t index, char *value);
static void ngx_http_webhook_own_quoted(ngx_http_request_t *r);
static ngx_int_t ngx_http_webhook_own_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr);
static ngx_int_t ngx_http_webhook_own_guard(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r);
static ngx_int_t ngx_http_webhook_own_refuse(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_int_t rc);
static ngx_int_t ngx_http_webhook_own_error(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_int_t rc);
static ngx_int_t ngx_http_webhook_own_over(ngx_http_webhook_detached_t *d);
static ngx_uint_t ngx_http_webhook_own_connecting(
    ngx_http_webhook_detached_t *d);
static void ngx_http_webhook_own_left(ngx_http_webhook_detached_t *d);
static ngx_uint_t ngx_http_webhook_own_observed(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api);


static ngx_uint_t  ngx_http_webhook_own_nleft;


ngx_int_t
ngx_http_webhook_own_headers(ngx_http_webhook_detached_t *d,
    ngx_array_t *headers, ngx_uint_t body)
{
    ngx_uint_t     i, k, n;
    ngx_keyval_t  *kv;

    static ngx_keyval_t  defaults[] = {
        { ngx_string("Accept-Encoding"), ngx_string("identity") },
        { ngx_string("Accept"), ngx_string("application/json") },
        { ngx_string("User-Agent"), ngx_string("ngx_http_webhook_module/"
                                               NGX_HTTP_WEBHOOK_VERSION) },
        { ngx_string("Content-Type"), ngx_string("application/json") }
    };

    kv = headers ? headers->elts : NULL;
    n = headers ? headers->nelts : 0;

    for (i = 0; i < n; i++) {

        if (ngx_http_webhook_own_is(&kv[i].key, "Host")) {
            continue;
        }

        if (ngx_http_webhook_detached_header(d, &kv[i].key, &kv[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (k = 0; k < sizeof(defaults) / sizeof(defaults[0]); k++) {

        if (!body && defaults[k].key.data[0] == 'C') {
            continue;
        }

        for (i = 0; i < n; i++) {
            if (kv[i].key.len == defaults[k].key.len
                && ngx_strncasecmp(kv[i].key.data, defaults[k].key.data,
                                   kv[i].key.len)
                   == 0)
            {
                break;
            }
        }

        if (i == n
            && ngx_http_webhook_detached_header(d, &defaults[k].key,
                                                &defaults[k].value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_webhook_own_shortcuts(d->request);
}


/* for $remote_user, $http_cookie and $cookie_... */

static ngx_int_t
ngx_http_webhook_own_shortcuts(ngx_http_request_t *r)
{
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h;
#if (nginx_version >= 1023000)
    ngx_table_elt_t  **last;
#else
    ngx_table_elt_t  **cookie;
#endif

#if (nginx_version >= 1023000)

    last = &r->headers_in.cookie;

#else

    if (ngx_array_init(&r->headers_in.cookies, r->pool, 2,
                       sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

#endif

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_webhook_own_is(&h[i].key, "Authorization")) {
                r->headers_in.authorization = &h[i];
                continue;
            }

            if (!ngx_http_webhook_own_is(&h[i].key, "Cookie")) {
                continue;
            }

#if (nginx_version >= 1023000)

            *last = &h[i];
            last = &h[i].next;

#else

            cookie = ngx_array_push(&r->headers_in.cookies);
            if (cookie == NULL) {
                return NGX_ERROR;
            }

            *cookie = &h[i];

#endif
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_own_run(ngx_http_webhook_detached_t *d, ngx_str_t *host,
    ngx_str_t *uri, ngx_str_t *body, ngx_msec_t timeout)
{
    ngx_str_t  path;

    d->start = ngx_http_webhook_own_start;
    d->guard = ngx_http_webhook_own_guard;
    d->error = ngx_http_webhook_own_error;
    d->over = ngx_http_webhook_own_over;

    /* locations are found by it */

    d->request->unparsed_uri = *uri;

    if (ngx_http_webhook_observe_uri(d->request, &path) != NGX_OK) {
        ngx_http_webhook_detached_discard(d);
        return NGX_DECLINED;
    }

    if (ngx_http_webhook_detached_run(d, host, uri, body, timeout) != NGX_OK) {
        return NGX_ERROR;
    }

    d->request->uri = path;

    ngx_http_webhook_own_quoted(d->request);
    ngx_http_webhook_own_scheme(d->request);

    return NGX_OK;
}


/* what an API is told of it; else it would answer with a redirect */

static void
ngx_http_webhook_own_scheme(ngx_http_request_t *r)
{
    ngx_uint_t                        i;
    ngx_http_core_srv_conf_t         *cscf;
    ngx_http_webhook_main_conf_t     *mcf;
    ngx_http_webhook_watch_server_t  *server;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    server = mcf->watched.elts;

    for (i = 0; i < mcf->watched.nelts; i++) {

        if (server[i].cscf == cscf && server[i].secure) {
            ngx_http_webhook_own_variable(r, mcf->scheme, "https");
            ngx_http_webhook_own_variable(r, mcf->https, "on");
        }
    }
}


static void
ngx_http_webhook_own_variable(ngx_http_request_t *r, ngx_int_t index,
    char *value)
{
    ngx_http_variable_value_t  *v;

    v = &r->variables[index];

    v->data = (u_char *) value;
    v->len = ngx_strlen(value);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
}


/* what tells "rewrite" to encode what it moves into a query, an id say */

static void
ngx_http_webhook_own_quoted(ngx_http_request_t *r)
{
    u_char  *p, *last;

    last = r->unparsed_uri.data + r->unparsed_uri.len;

    for (p = r->unparsed_uri.data; p < last && *p != '?'; p++) {

        if (*p == '%') {
            r->quoted_uri = 1;

        } else if (*p == '+') {
            r->plus_in_uri = 1;
        }
    }
}


static ngx_int_t
ngx_http_webhook_own_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr)
{
    sr->quoted_uri = d->request->quoted_uri;
    sr->plus_in_uri = d->request->plus_in_uri;

    ngx_http_handler(sr);

    return NGX_OK;
}


/*
 * Wherever a client's request would come to.  A subrequest may enter internal
 * locations, and is sent on by X-Accel-Redirect: not so here.  The page of an
 * error that is not observed is not worth a credential.
 */

static ngx_int_t
ngx_http_webhook_own_guard(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r)
{
    ngx_http_webhook_own_t    *own;
    ngx_http_core_loc_conf_t  *clcf;

    static char  accel[] = "X-Accel-Redirect is not followed";

    own = d->data;

    if (r != d->sr) {

        /* what came of the other one is left as it is */

        if (r->upstream && r->upstream->headers_in.status_n) {
            own->barred = accel;
            return NGX_HTTP_FORBIDDEN;
        }

        if (!ngx_http_webhook_own_part(d, r)) {

            /* who is told of its end makes an answer of it: no mirror does */

            if (r->post_subrequest) {
                own->barred = "a subrequest of its location is refused";
            }

            return NGX_HTTP_FORBIDDEN;
        }

        return NGX_DECLINED;
    }

    if (r->upstream
        && r->upstream->headers_in.status_n
        && r->upstream != own->upstream)
    {
        if (own->failed == 0) {
            own->barred = accel;
        }

        return ngx_http_webhook_own_refuse(d, r, NGX_HTTP_FORBIDDEN);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->internal && !own->found) {
        return ngx_http_webhook_own_refuse(d, r, NGX_HTTP_NOT_FOUND);
    }

    if (clcf->name.len) {

        if ((own->api || own->failed)
            && !ngx_http_webhook_own_observed(r, own->api))
        {
            return ngx_http_webhook_own_refuse(d, r, NGX_HTTP_FORBIDDEN);
        }

        own->found = 1;
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_webhook_own_part(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r)
{
    if (d->guard == NULL || r == d->sr) {
        return 0;
    }

    for ( /* void */ ; r && !r->background; r = r->parent) {
        if (r == d->sr) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_webhook_own_refuse(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_webhook_own_t  *own;

    own = d->data;

    own->refused = 1;

    /* what came of it is the error whose page this would be */

    d->result.status = own->error ? own->error : own->failed;
    r->headers_out.status = d->result.status;

    return rc;
}


/* what nginx is to make an answer of, or to look for a page for, as it does */

static ngx_int_t
ngx_http_webhook_own_error(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_webhook_own_t  *own;

    own = d->data;

    if (r->header_sent || own->refused) {
        return NGX_OK;
    }

    if (rc == NGX_HTTP_CREATED || rc == NGX_HTTP_NO_CONTENT) {
        return rc;
    }

    /* of these the last three would terminate a request with no client */

    if (rc < NGX_HTTP_SPECIAL_RESPONSE
        || rc == NGX_HTTP_REQUEST_TIME_OUT
        || rc == NGX_HTTP_CLIENT_CLOSED_REQUEST
        || rc == NGX_HTTP_CLOSE)
    {
        return NGX_OK;
    }

    if (own->failed == 0) {
        own->failed = rc;
    }

    own->upstream = r->upstream;

    if (own->error == 0 && ngx_http_webhook_own_observed(r, own->api)) {
        own->error = rc;
    }

    return rc;
}


/*
 * nginx takes a server that it tries again for live as soon as a request to it
 * is given up, and would send clients there.  So who connects goes on until
 * nginx itself finds that nobody answers.
 */

static ngx_int_t
ngx_http_webhook_own_over(ngx_http_webhook_detached_t *d)
{
    ngx_http_webhook_own_t  *own;

    own = d->data;

    if (!ngx_http_webhook_own_connecting(d)) {
        return NGX_OK;
    }

    if (own->left) {
        return NGX_AGAIN;
    }

    if (ngx_http_webhook_own_nleft == NGX_HTTP_WEBHOOK_OWN_LEFT) {
        return NGX_OK;
    }

    own->left = 1;
    ngx_http_webhook_own_nleft++;

    d->result.error = NGX_HTTP_WEBHOOK_ERR_TIMEOUT;

    d->done(d);

    d->done = ngx_http_webhook_own_left;
    d->error = NULL;

    /* no other server is tried */

    d->sr->upstream->peer.tries = 0;

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_http_webhook_own_connecting(ngx_http_webhook_detached_t *d)
{
    ngx_http_upstream_t  *u;

    u = d->sr ? d->sr->upstream : NULL;

    return u
           && u->peer.connection
           && u->state
           && u->state->connect_time == (ngx_msec_t) -1
           && !ngx_exiting
           && ngx_http_webhook_spare();
}


static void
ngx_http_webhook_own_left(ngx_http_webhook_detached_t *d)
{
    ngx_http_webhook_own_nleft--;
}


static ngx_uint_t
ngx_http_webhook_own_observed(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api)
{
    ngx_uint_t                    i;
    ngx_http_webhook_observe_t   *observe;
    ngx_http_webhook_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);

    if (wlcf->observe == NULL) {
        return 0;
    }

    if (api == NULL) {
        return 1;
    }

    observe = wlcf->observe->elts;

    for (i = 0; i < wlcf->observe->nelts; i++) {
        if (observe[i].api == api) {
            return 1;
        }
    }

    return 0;
}
