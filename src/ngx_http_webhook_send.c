
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * send: in: a job taken by dispatch.c; out: a detached request with body,
 * headers and signatures, and at its end the result, judged and logged by
 * queue.c; next: dispatch.
 */


#include "ngx_http_webhook_send.h"
#include "ngx_http_webhook_curl.h"
#include "ngx_http_webhook_detached.h"
#include "ngx_http_webhook_format.h"
#include "ngx_http_webhook_health.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_scrub.h"
#include "ngx_http_webhook_via.h"
#include "ngx_http_webhook_zone.h"


typedef struct {
    ngx_str_t                          name;
    ngx_str_t                          value;
    ngx_uint_t                         hidden;
} ngx_http_webhook_line_t;


typedef struct {
    ngx_http_webhook_hook_t           *hook;      /* must be first */
    ngx_http_webhook_main_conf_t      *mcf;
    ngx_http_webhook_signer_t         *signer;
    ngx_http_webhook_job_t             job;
    ngx_http_webhook_send_done_pt      done;
    ngx_array_t                        lines;     /* ..._line_t, as sent */
    uint64_t                           started;   /* ms, wall clock */
    ngx_msec_t                         deadline;  /* of both, if repeated */
    unsigned                           repeated:1;
    u_char                             uuid[NGX_HTTP_WEBHOOK_UUID_LEN];
} ngx_http_webhook_try_t;


static ngx_int_t ngx_http_webhook_send_run(ngx_http_webhook_try_t *from);
static ngx_int_t ngx_http_webhook_send_lines(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_try_t *t, ngx_str_t *body, ngx_str_t *evaluated);
static ngx_int_t ngx_http_webhook_send_basic(ngx_http_webhook_try_t *t);
static ngx_int_t ngx_http_webhook_send_line(ngx_http_webhook_try_t *t,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t hidden);
static ngx_int_t ngx_http_webhook_send_number(ngx_pool_t *pool,
    ngx_http_webhook_try_t *t, ngx_str_t *name, ngx_uint_t value);
static void ngx_http_webhook_send_done(ngx_http_webhook_detached_t *d);
static ngx_int_t ngx_http_webhook_send_sent(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_try_t *t, ngx_str_t *sent);
static ngx_int_t ngx_http_webhook_send_scrub(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_try_t *t);
static ngx_int_t ngx_http_webhook_send_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_str_t  ngx_http_webhook_json_type = ngx_string("application/json");
static ngx_str_t  ngx_http_webhook_form_type =
    ngx_string("application/x-www-form-urlencoded");
static ngx_str_t  ngx_http_webhook_agent =
    ngx_string("ngx_http_webhook_module/" NGX_HTTP_WEBHOOK_VERSION);

static ngx_str_t  ngx_http_webhook_h_type = ngx_string("Content-Type");
static ngx_str_t  ngx_http_webhook_h_agent = ngx_string("User-Agent");
static ngx_str_t  ngx_http_webhook_h_authorization =
    ngx_string("Authorization");
static ngx_str_t  ngx_http_webhook_h_event = ngx_string("X-Webhook-Event");
static ngx_str_t  ngx_http_webhook_h_delivery =
    ngx_string("X-Webhook-Delivery");
static ngx_str_t  ngx_http_webhook_h_attempt = ngx_string("X-Webhook-Attempt");
static ngx_str_t  ngx_http_webhook_h_time = ngx_string("X-Webhook-Time");
static ngx_str_t  ngx_http_webhook_h_sequence =
    ngx_string("X-Webhook-Sequence");


#define NGX_HTTP_WEBHOOK_VAR_NAME      0
#define NGX_HTTP_WEBHOOK_VAR_DELIVERY  1
#define NGX_HTTP_WEBHOOK_VAR_ATTEMPT   2
#define NGX_HTTP_WEBHOOK_VAR_EVENT     3


static ngx_http_variable_t  ngx_http_webhook_send_vars[] = {

    { ngx_string("webhook_name"), NULL, ngx_http_webhook_send_variable,
      NGX_HTTP_WEBHOOK_VAR_NAME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("webhook_delivery"), NULL, ngx_http_webhook_send_variable,
      NGX_HTTP_WEBHOOK_VAR_DELIVERY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("webhook_attempt"), NULL, ngx_http_webhook_send_variable,
      NGX_HTTP_WEBHOOK_VAR_ATTEMPT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("webhook_event"), NULL, ngx_http_webhook_send_variable,
      NGX_HTTP_WEBHOOK_VAR_EVENT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_webhook_send_start(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_signer_t *signer,
    ngx_http_webhook_job_t *job, ngx_http_webhook_send_done_pt done)
{
    ngx_time_t              *tp;
    ngx_http_webhook_try_t   t;

    tp = ngx_timeofday();

    t.hook = hook;
    t.mcf = mcf;
    t.signer = signer;
    t.job = *job;
    t.done = done;
    t.started = (uint64_t) tp->sec * 1000 + tp->msec;
    t.deadline = ngx_current_msec + hook->timeout;
    t.repeated = 0;

    ngx_http_webhook_uuid_text(job->uuid, t.uuid);

    return ngx_http_webhook_send_run(&t);
}


static ngx_int_t
ngx_http_webhook_send_run(ngx_http_webhook_try_t *from)
{
    u_char                       *p;
    ngx_str_t                     payload, evaluated, body;
    ngx_msec_int_t                left;
    ngx_http_conf_ctx_t          *ctx;
    ngx_http_webhook_try_t       *t;
    ngx_http_webhook_text_t       text;
    ngx_http_core_srv_conf_t    **cscf;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_webhook_detached_t  *d;

    if (from->hook->via.len) {
        ctx = from->hook->via_ctx;

    } else {
        cmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                   ngx_http_core_module);
        cscf = cmcf->servers.elts;
        ctx = cscf[0]->ctx;
    }

    d = ngx_http_webhook_detached_create(ctx);
    if (d == NULL) {
        return NGX_ERROR;
    }

    t = ngx_palloc(d->pool, sizeof(ngx_http_webhook_try_t));
    p = ngx_pnalloc(d->pool, from->job.payload + from->job.headers + 1);

    if (t == NULL || p == NULL) {
        goto failed;
    }

    *t = *from;

    d->direct = (t->hook->via.len == 0);

    payload.len = t->job.payload;
    payload.data = p;

    evaluated.len = t->job.headers;
    evaluated.data = p + payload.len;

    if (ngx_http_webhook_queue_copy(t->mcf->zone, &t->job, payload.data,
                                    evaluated.data)
        != NGX_OK)
    {
        /* another worker has taken it over */

        goto failed;
    }

    body = payload;

    if (t->hook->form) {
        ngx_memzero(&text, sizeof(ngx_http_webhook_text_t));
        ngx_http_webhook_payload_body(&text, 1, &payload);

        body.len = text.len;
        body.data = text.failed ? NULL : ngx_pnalloc(d->pool, text.len);

        if (body.data) {
            ngx_memcpy(body.data, text.data, text.len);
        }

        ngx_http_webhook_text_free(&text);

        if (body.data == NULL) {
            goto failed;
        }
    }

    if (ngx_http_webhook_send_lines(d, t, &body, &evaluated) != NGX_OK) {
        goto failed;
    }

    if (t->hook->via.len) {
        d->start = ngx_http_webhook_via_start;
        d->collect = ngx_http_webhook_via_collect;

    } else {
        d->start = ngx_http_webhook_curl_start;
        d->abort = ngx_http_webhook_curl_abort;
    }

    d->done = ngx_http_webhook_send_done;
    d->data = t;
    d->body_max = t->mcf->body;
    d->label = t->hook->name;

    left = (ngx_msec_int_t) (t->deadline - ngx_current_msec);

    return ngx_http_webhook_detached_run(d, &t->hook->host, &t->hook->uri,
                                         &body, ngx_max(left, 1));

failed:

    ngx_http_webhook_detached_discard(d);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_webhook_send_lines(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_try_t *t, ngx_str_t *body, ngx_str_t *evaluated)
{
    u_char                          *p, *last, *eol, *colon;
    ngx_str_t                        id, name, value;
    ngx_uint_t                       i;
    ngx_array_t                      signatures;
    ngx_http_webhook_line_t         *line;
    ngx_http_webhook_header_t       *header;
    ngx_http_webhook_sign_header_t  *sign;

    if (ngx_array_init(&t->lines, d->pool, 16,
                       sizeof(ngx_http_webhook_line_t))
        != NGX_OK
        || ngx_array_init(&signatures, d->pool, 8,
                          sizeof(ngx_http_webhook_sign_header_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    id.len = NGX_HTTP_WEBHOOK_UUID_LEN;
    id.data = t->uuid;

    value.len = NGX_HTTP_WEBHOOK_TIME_LEN;
    value.data = ngx_pnalloc(d->pool, NGX_HTTP_WEBHOOK_TIME_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_webhook_time_text(t->job.time, value.data);

    if (ngx_http_webhook_send_line(t, &ngx_http_webhook_h_type,
                                      t->hook->form
                                      ? &ngx_http_webhook_form_type
                                      : &ngx_http_webhook_json_type, 0)
        != NGX_OK
        || ngx_http_webhook_send_line(t, &ngx_http_webhook_h_agent,
                                         &ngx_http_webhook_agent, 0)
           != NGX_OK
        || ngx_http_webhook_send_line(t, &ngx_http_webhook_h_event,
                             ngx_http_webhook_event_name(t->job.event), 0)
           != NGX_OK
        || ngx_http_webhook_send_line(t, &ngx_http_webhook_h_delivery,
                                         &id, 0)
           != NGX_OK
        || ngx_http_webhook_send_number(d->pool, t,
                                           &ngx_http_webhook_h_attempt,
                                           t->job.attempt)
           != NGX_OK
        || ngx_http_webhook_send_line(t, &ngx_http_webhook_h_time,
                                         &value, 0)
           != NGX_OK
        || ngx_http_webhook_send_number(d->pool, t,
                                           &ngx_http_webhook_h_sequence,
                                           t->job.sequence)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_sign(t->signer, t->job.event, &id, ngx_time(), body,
                              &signatures)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    sign = signatures.elts;

    for (i = 0; i < signatures.nelts; i++) {
        if (ngx_http_webhook_send_line(t, &sign[i].name, &sign[i].value, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    header = t->hook->headers.elts;

    for (i = 0; i < t->hook->headers.nelts; i++) {

        if (header[i].value.lengths) {
            continue;
        }

        if (ngx_http_webhook_send_line(t, &header[i].name,
                                          &header[i].value.value,
                                          header[i].hidden)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* headers evaluated when the event happened: "Name: value" CRLF ... */

    p = evaluated->data;
    last = p + evaluated->len;

    while (p < last) {
        eol = ngx_strlchr(p, last, CR);
        colon = ngx_strlchr(p, last, ':');

        if (eol == NULL || colon == NULL || colon > eol) {
            break;
        }

        name.data = p;
        name.len = colon - p;
        value.data = colon + 2;
        value.len = eol - value.data;

        if (ngx_http_webhook_send_line(t, &name, &value, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        p = eol + 2;
    }

    if (t->hook->via.len && ngx_http_webhook_send_basic(t) != NGX_OK) {
        return NGX_ERROR;
    }

    line = t->lines.elts;

    for (i = 0; i < t->lines.nelts; i++) {
        if (ngx_http_webhook_detached_header(d, &line[i].name, &line[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* userinfo of the url, which libcurl sends by itself; a header of ours wins */

static ngx_int_t
ngx_http_webhook_send_basic(ngx_http_webhook_try_t *t)
{
    ngx_str_t                *name;
    ngx_uint_t                i;
    ngx_http_webhook_line_t  *line;

    if (t->hook->basic.len == 0) {
        return NGX_OK;
    }

    name = &ngx_http_webhook_h_authorization;
    line = t->lines.elts;

    for (i = 0; i < t->lines.nelts; i++) {

        if (line[i].name.len == name->len
            && ngx_strncasecmp(line[i].name.data, name->data, name->len) == 0)
        {
            return NGX_OK;
        }
    }

    return ngx_http_webhook_send_line(t, name, &t->hook->basic, 1);
}


static ngx_int_t
ngx_http_webhook_send_line(ngx_http_webhook_try_t *t, ngx_str_t *name,
    ngx_str_t *value, ngx_uint_t hidden)
{
    ngx_http_webhook_line_t  *line;

    line = ngx_array_push(&t->lines);
    if (line == NULL) {
        return NGX_ERROR;
    }

    line->name = *name;
    line->value = *value;
    line->hidden = hidden;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_send_number(ngx_pool_t *pool, ngx_http_webhook_try_t *t,
    ngx_str_t *name, ngx_uint_t number)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p += NGX_INT_T_LEN;

    value.data = ngx_http_webhook_number_text(number, p);
    value.len = p - value.data;

    return ngx_http_webhook_send_line(t, name, &value, 0);
}


static void
ngx_http_webhook_send_done(ngx_http_webhook_detached_t *d)
{
    ngx_str_t                    sent;
    ngx_http_webhook_try_t      *t;
    ngx_http_webhook_result_t   *result;
    ngx_http_webhook_verdict_t   verdict;

    t = d->data;
    result = &d->result;

    /*
     * A kept connection that broke before a byte of answer says nothing of the
     * endpoint: once more, as the same attempt.  curl.c does so by itself.
     */

    if (result->stale && result->status == 0 && t->hook->via.len
        && !t->repeated)
    {
        t->repeated = 1;

        if (ngx_exiting) {

            /* by a new worker, then */

            result->error = NGX_HTTP_WEBHOOK_ERR_INTERNAL;
            ngx_str_set(&result->message, "nginx is shutting down");

        } else if (ngx_http_webhook_send_run(t) == NGX_OK) {
            return;
        }
    }

    ngx_http_webhook_queue_expect(t->mcf->zone, &t->job);

    ngx_http_webhook_zone_count(t->mcf->zone,
                                result->reused
                                ? NGX_HTTP_WEBHOOK_CNT_REUSED
                                : NGX_HTTP_WEBHOOK_CNT_CONNECTED, 1);

    if (ngx_http_webhook_send_sent(d, t, &sent) != NGX_OK) {
        ngx_str_null(&sent);
    }

    if (ngx_http_webhook_send_scrub(d, t) != NGX_OK) {
        ngx_str_null(&result->headers);
        ngx_str_null(&result->body);
        ngx_str_null(&result->message);
    }

    if (ngx_http_webhook_queue_finish(t->mcf->zone, t->hook, &t->job, result,
                                      &sent, t->started, &verdict)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "webhook \"%V\": result of a delivery that another "
                      "worker has taken over", &t->hook->name);

    } else {
        ngx_http_webhook_health_log(t->mcf->zone, t->hook, result, &verdict);
    }

    t->done(t->hook);
}


/* here, where all that the endpoint knows is known, variables included */

static ngx_int_t
ngx_http_webhook_send_scrub(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_try_t *t)
{
    u_char                     *p;
    ngx_uint_t                  i;
    ngx_array_t                *secrets, evaluated;
    ngx_http_webhook_line_t    *line;
    ngx_http_webhook_result_t  *result;

    result = &d->result;

    secrets = ngx_http_webhook_scrub_secrets(t->mcf->hooks.pool, t->hook);
    if (secrets == NULL) {
        return NGX_ERROR;
    }

    if (result->message.len) {

        /* it may be a constant */

        p = ngx_pstrdup(d->pool, &result->message);
        if (p == NULL) {
            return NGX_ERROR;
        }

        result->message.data = p;
    }

    ngx_http_webhook_scrub(secrets, &result->headers);
    ngx_http_webhook_scrub(secrets, &result->body);
    ngx_http_webhook_scrub(secrets, &result->message);

    if (t->job.headers == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(&evaluated, d->pool, 8, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    line = t->lines.elts;

    for (i = 0; i < t->lines.nelts; i++) {

        if (line[i].hidden
            && ngx_http_webhook_scrub_value(&evaluated, &line[i].value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_http_webhook_scrub(&evaluated, &result->headers);
    ngx_http_webhook_scrub(&evaluated, &result->body);
    ngx_http_webhook_scrub(&evaluated, &result->message);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_send_sent(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_try_t *t, ngx_str_t *sent)
{
    u_char                   *p;
    size_t                    len;
    ngx_uint_t                i;
    ngx_http_webhook_line_t  *line;

    len = 0;
    line = t->lines.elts;

    for (i = 0; i < t->lines.nelts; i++) {
        len += line[i].name.len + sizeof(": " NGX_HTTP_WEBHOOK_MASK CRLF)
               + line[i].value.len;
    }

    p = ngx_pnalloc(d->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sent->data = p;

    for (i = 0; i < t->lines.nelts; i++) {

        p = ngx_cpymem(p, line[i].name.data, line[i].name.len);
        *p++ = ':';
        *p++ = ' ';

        if (line[i].hidden) {
            p = ngx_cpymem(p, NGX_HTTP_WEBHOOK_MASK,
                           sizeof(NGX_HTTP_WEBHOOK_MASK) - 1);

        } else {
            p = ngx_cpymem(p, line[i].value.data, line[i].value.len);
        }

        *p++ = CR;
        *p++ = LF;
    }

    sent->len = p - sent->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_send_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_webhook_send_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_send_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                       *p;
    ngx_str_t                     value;
    ngx_http_webhook_try_t       *t;
    ngx_http_webhook_detached_t  *d;

    d = ngx_http_webhook_detached_get(r);

    if (d == NULL || d->guard) {

        /* no delivery: a client's request, or a watch's */

        v->not_found = 1;
        return NGX_OK;
    }

    t = d->data;

    switch (data) {

    case NGX_HTTP_WEBHOOK_VAR_NAME:
        value = t->hook->name;
        break;

    case NGX_HTTP_WEBHOOK_VAR_DELIVERY:
        value.len = NGX_HTTP_WEBHOOK_UUID_LEN;
        value.data = t->uuid;
        break;

    case NGX_HTTP_WEBHOOK_VAR_EVENT:
        value = *ngx_http_webhook_event_name(t->job.event);
        break;

    default: /* NGX_HTTP_WEBHOOK_VAR_ATTEMPT */

        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        value.len = ngx_sprintf(p, "%uD", t->job.attempt) - p;
        value.data = p;
    }

    v->len = value.len;
    v->data = value.data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}
