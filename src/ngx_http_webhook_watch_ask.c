
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch_ask: in: a record that is due; out: a detached request in the server
 * that the launch was seen in, as a client on 127.0.0.1 would send it; its
 * answer is observed as a client's is.  Next rooms: own, observe.
 */


#include "ngx_http_webhook_retry.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone_priv.h"
#include "ngx_http_webhook_clock.h"


#define NGX_HTTP_WEBHOOK_WATCH_SURPLUS  65536   /* bytes, read beyond what may
                                                   be a document */
#define NGX_HTTP_WEBHOOK_WATCH_HOLD     3600000 /* ms, at most, for an API that
                                                   wants to be left alone */


static ngx_int_t ngx_http_webhook_watch_headers(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_watch_run_t *run, ngx_str_t *host);
static void ngx_http_webhook_watch_host(ngx_http_request_t *r,
    ngx_str_t *host);
static ngx_int_t ngx_http_webhook_watch_header(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r);
static ngx_msec_t ngx_http_webhook_watch_retry_after(ngx_http_request_t *r);
static ngx_uint_t ngx_http_webhook_watch_http(ngx_http_core_main_conf_t *cmcf,
    ngx_uint_t index);
static ngx_int_t ngx_http_webhook_watch_room(ngx_http_request_t *r,
    ngx_http_webhook_watch_run_t *run);
static void ngx_http_webhook_watch_show(ngx_http_request_t *r,
    ngx_http_webhook_watch_run_t *run);
static ngx_int_t ngx_http_webhook_watch_body(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_chain_t *in);


ngx_int_t
ngx_http_webhook_watch_prepare(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_watch_job_t *job, ngx_http_webhook_watch_run_t *run,
    ngx_str_t *host)
{
    size_t   len;
    u_char  *p;

    len = job->realm.len + job->uri.len + job->body.len;

    p = ngx_pnalloc(d->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, job->text, len);

    run->job = *job;
    run->job.text = p;
    run->job.realm.data = p;
    run->job.uri.data = run->job.realm.data + job->realm.len;
    run->job.body.data = run->job.uri.data + job->uri.len;

    d->header = ngx_http_webhook_watch_header;
    d->body = ngx_http_webhook_watch_body;
    d->data = run;
    d->label = run->api->name;
    d->method = run->watch->method;
    d->method_name = run->watch->method_name;
    d->patient = 1;

    return ngx_http_webhook_watch_headers(d, run, host);
}


static ngx_int_t
ngx_http_webhook_watch_headers(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_watch_run_t *run, ngx_str_t *host)
{
    ngx_uint_t     i;
    ngx_array_t   *headers;
    ngx_keyval_t  *header;

    headers = run->watch->headers;

    ngx_http_webhook_watch_host(d->request, host);

    for (i = 0; headers && i < headers->nelts; i++) {
        header = (ngx_keyval_t *) headers->elts + i;

        if (ngx_http_webhook_own_is(&header->key, "Host")) {
            *host = header->value;
        }
    }

    return ngx_http_webhook_own_headers(d, headers, run->job.body.len != 0);
}


/* the server's own name, never one that a client has chosen */

static void
ngx_http_webhook_watch_host(ngx_http_request_t *r, ngx_str_t *host)
{
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (cscf->server_name.len
        && cscf->server_name.data[0] != '.'
        && cscf->server_name.data[0] != '~'
        && cscf->server_name.data[0] != '_'
        && ngx_strlchr(cscf->server_name.data,
                       cscf->server_name.data + cscf->server_name.len, '*')
           == NULL)
    {
        *host = cscf->server_name;
        return;
    }

    ngx_str_set(host, "127.0.0.1");
}


static ngx_int_t
ngx_http_webhook_watch_header(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r)
{
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_observe_t    *observe;
    ngx_http_webhook_loc_conf_t   *wlcf;
    ngx_http_webhook_watch_run_t  *run;

    run = d->data;

    if (r != d->sr) {
        return NGX_OK;
    }

    d->result.status = r->headers_out.status;
    run->hold = ngx_http_webhook_watch_retry_after(r);

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);

    run->observed = (wlcf->observe != NULL);

    /* "when" may ask for a header that says what is asked for */

    route = ngx_http_webhook_observe_choose(r, &observe);

    ngx_http_webhook_watch_hide(r, run);

    run->ctx = route ? ngx_http_webhook_observe_start(r, route, observe)
                     : NULL;

    if (run->ctx) {
        run->ctx->headers = run->watch->headers;

        if (run->ctx->observe->api == run->api) {
            run->ctx->realm = &run->job.realm;
        }

        if (r->headers_out.status == NGX_HTTP_NO_CONTENT) {
            ngx_http_webhook_observe_read(run->ctx, 1);
        }
    }

    ngx_http_webhook_watch_show(r, run);

    return NGX_OK;
}


static ngx_msec_t
ngx_http_webhook_watch_retry_after(ngx_http_request_t *r)
{
    ngx_int_t         wait;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r->headers_out.status != 429
        && r->headers_out.status != NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        return 0;
    }

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash == 0
                || !ngx_http_webhook_own_is(&h[i].key, "Retry-After"))
            {
                continue;
            }

            wait = ngx_http_webhook_retry_after(&h[i].value,
                                                ngx_http_webhook_zone_wall());
            if (wait > 0) {
                return ngx_min(wait, NGX_HTTP_WEBHOOK_WATCH_HOLD);
            }
        }
    }

    return 0;
}


void
ngx_http_webhook_watch_hide(ngx_http_request_t *r,
    ngx_http_webhook_watch_run_t *run)
{
    ngx_uint_t                        i, n;
    ngx_list_part_t                  *part;
    ngx_table_elt_t                  *h;
    ngx_http_core_main_conf_t        *cmcf;
    ngx_http_webhook_watch_hidden_t  *hidden;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    hidden = ngx_http_webhook_watch_room(r, run) == NGX_OK ? run->hidden
                                                           : NULL;
    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (hidden && n < run->nhidden) {
                hidden[n].hash = h[i].hash;
                hidden[n].len = h[i].value.len;
                n++;
            }

            h[i].hash = 0;
            h[i].value.len = 0;
        }
    }

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (ngx_http_webhook_watch_http(cmcf, i)) {

            if (hidden) {
                run->variables[i] = r->variables[i];
            }

            r->variables[i].valid = 0;
            r->variables[i].not_found = 1;
        }
    }
}


/* whether a variable is a request header */

static ngx_uint_t
ngx_http_webhook_watch_http(ngx_http_core_main_conf_t *cmcf, ngx_uint_t index)
{
    ngx_http_variable_t  *v;

    v = cmcf->variables.elts;

    return v[index].name.len > sizeof("http_") - 1
           && ngx_strncmp(v[index].name.data, "http_", sizeof("http_") - 1)
              == 0;
}


/* without it what is hidden stays so */

static ngx_int_t
ngx_http_webhook_watch_room(ngx_http_request_t *r,
    ngx_http_webhook_watch_run_t *run)
{
    ngx_uint_t                  n;
    ngx_list_part_t            *part;
    ngx_http_core_main_conf_t  *cmcf;

    if (run->hidden) {
        return NGX_OK;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    run->variables = ngx_palloc(r->pool, cmcf->variables.nelts
                                         * sizeof(ngx_http_variable_value_t));
    if (run->variables == NULL) {
        return NGX_ERROR;
    }

    /* a filter may add one between two calls, which stays hidden */

    run->nhidden = n;
    run->hidden = ngx_palloc(r->pool,
                             n * sizeof(ngx_http_webhook_watch_hidden_t));

    return run->hidden ? NGX_OK : NGX_ERROR;
}


/* a subrequest that this one begins sends them, as a cache's update does */

static void
ngx_http_webhook_watch_show(ngx_http_request_t *r,
    ngx_http_webhook_watch_run_t *run)
{
    ngx_uint_t                  i, n;
    ngx_list_part_t            *part;
    ngx_table_elt_t            *h;
    ngx_http_core_main_conf_t  *cmcf;

    if (run->hidden == NULL) {
        return;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts && n < run->nhidden; i++) {
            h[i].hash = run->hidden[n].hash;
            h[i].value.len = run->hidden[n].len;
            n++;
        }
    }

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (ngx_http_webhook_watch_http(cmcf, i)) {
            r->variables[i] = run->variables[i];
        }
    }
}


static ngx_int_t
ngx_http_webhook_watch_body(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_uint_t                       last;
    ngx_chain_t                     *cl;
    ngx_http_webhook_watch_run_t    *run;
    ngx_http_webhook_main_conf_t    *mcf;
    ngx_http_webhook_observe_ctx_t  *ctx;

    run = d->data;
    ctx = (r == d->sr) ? run->ctx : NULL;

    if (ctx && ctx->reading) {
        ngx_http_webhook_watch_hide(r, run);

        last = ngx_http_webhook_observe_copy(ctx, in);

        if (last) {
            ngx_http_webhook_observe_read(ctx, 1);
        }

        ngx_http_webhook_watch_show(r, run);
    }

    for (cl = in; cl; cl = cl->next) {
        run->received += ngx_buf_size(cl->buf);

        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    if (run->received > (off_t) mcf->buffer_size
                        + NGX_HTTP_WEBHOOK_WATCH_SURPLUS)
    {
        ngx_http_webhook_detached_enough(d);
    }

    return NGX_OK;
}
