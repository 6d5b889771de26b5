
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch_ask: in: a record that is due; out: a detached request in the server
 * that the launch was seen in, as a client on 127.0.0.1 would send it; its
 * answer is observed as a client's is.  Next rooms: own, observe.
 */


#include "ngx_http_webhook_watch.h"


#define NGX_HTTP_WEBHOOK_WATCH_SURPLUS  65536   /* bytes, read beyond what may
                                                   be a document */


static ngx_int_t ngx_http_webhook_watch_headers(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_watch_run_t *run, ngx_str_t *host);
static void ngx_http_webhook_watch_host(ngx_http_request_t *r,
    ngx_str_t *host);
static ngx_int_t ngx_http_webhook_watch_header(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r);
static void ngx_http_webhook_watch_hide(ngx_http_request_t *r);
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
    ngx_http_webhook_loc_conf_t   *wlcf;
    ngx_http_webhook_watch_run_t  *run;

    run = d->data;

    if (r != d->sr) {
        return NGX_OK;
    }

    d->result.status = r->headers_out.status;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);

    run->observed = (wlcf->observe != NULL);

    ngx_http_webhook_watch_hide(r);

    run->ctx = ngx_http_webhook_observe_start(r);

    if (run->ctx == NULL) {
        return NGX_OK;
    }

    run->ctx->headers = run->watch->headers;

    if (run->ctx->observe->api == run->api) {
        run->ctx->realm = &run->job.realm;
    }

    if (r->headers_out.status == NGX_HTTP_NO_CONTENT) {
        ngx_http_webhook_observe_read(run->ctx, 1);
    }

    return NGX_OK;
}


/* what webhooks and payloads take from a request's headers is not from ours */

static void
ngx_http_webhook_watch_hide(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_list_part_t            *part;
    ngx_table_elt_t            *h;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            h[i].hash = 0;
            h[i].value.len = 0;
        }
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].name.len > sizeof("http_") - 1
            && ngx_strncmp(v[i].name.data, "http_", sizeof("http_") - 1) == 0)
        {
            r->variables[i].valid = 0;
            r->variables[i].not_found = 1;
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
    last = 0;

    if (ctx && ctx->reading) {
        last = ngx_http_webhook_observe_copy(ctx, in);
    }

    for (cl = in; cl; cl = cl->next) {
        run->received += ngx_buf_size(cl->buf);

        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (last) {
        ngx_http_webhook_observe_read(ctx, 1);
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    if (run->received > (off_t) mcf->buffer_size
                        + NGX_HTTP_WEBHOOK_WATCH_SURPLUS)
    {
        ngx_http_webhook_detached_enough(d);
    }

    return NGX_OK;
}
