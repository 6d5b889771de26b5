
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * own: in: a detached request; out: the same in nginx's phases, where a
 * client's would be.  Next room: detached.
 */


#include "ngx_http_webhook_own.h"
#include "ngx_http_webhook_observe.h"


static ngx_int_t ngx_http_webhook_own_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr);
static ngx_int_t ngx_http_webhook_own_guard(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_webhook_own_observed(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api);


ngx_int_t
ngx_http_webhook_own_run(ngx_http_webhook_detached_t *d, ngx_str_t *host,
    ngx_str_t *uri, ngx_str_t *body, ngx_msec_t timeout)
{
    ngx_str_t  path;

    d->start = ngx_http_webhook_own_start;
    d->guard = ngx_http_webhook_own_guard;

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

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_own_start(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *sr)
{
    ngx_http_handler(sr);

    return NGX_OK;
}


/*
 * Wherever a client's request would come to.  A subrequest may enter internal
 * locations, and is sent on by X-Accel-Redirect: not so here.
 */

static ngx_int_t
ngx_http_webhook_own_guard(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r)
{
    ngx_http_webhook_own_t    *own;
    ngx_http_core_loc_conf_t  *clcf;

    own = d->data;

    if (r != d->sr || (r->upstream && r->upstream->headers_in.status_n)) {
        return NGX_HTTP_FORBIDDEN;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->internal && !own->found) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (clcf->name.len) {

        if (own->api && !ngx_http_webhook_own_observed(r, own->api)) {
            return NGX_HTTP_FORBIDDEN;
        }

        own->found = 1;
    }

    return NGX_DECLINED;
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

    observe = wlcf->observe->elts;

    for (i = 0; i < wlcf->observe->nelts; i++) {
        if (observe[i].api == api) {
            return 1;
        }
    }

    return 0;
}
