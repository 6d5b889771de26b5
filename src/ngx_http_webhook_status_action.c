
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_action: in: a POST; out: what a person asked for, if the request may
 * write and no other site's page sent it; next: emit.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_dispatch.h"
#include "ngx_http_webhook_emit.h"
#include "ngx_http_webhook_format.h"


static ngx_uint_t ngx_http_webhook_status_own_origin(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_uint_t ngx_http_webhook_status_is(ngx_str_t *value,
    const char *text);
static ngx_int_t ngx_http_webhook_status_set(ngx_http_webhook_status_t *s,
    ngx_uint_t pause);


static ngx_str_t  ngx_http_webhook_remote_user = ngx_string("remote_user");


/*
 * A header that no form can set, and a page of another site neither without
 * being asked for leave first, which nobody gives.
 */

ngx_int_t
ngx_http_webhook_status_may_write(ngx_http_webhook_status_t *s)
{
    ngx_uint_t        i, asked;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (!s->lcf->write) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_FORBIDDEN,
                            "actions need \"webhook_status write=on\"", NULL);
    }

    asked = 0;
    part = &s->request->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_webhook_status_is(&h[i].key, "X-Webhook-Write")) {
            asked = ngx_http_webhook_status_is(&h[i].value, "1");
            continue;
        }

        if (ngx_http_webhook_status_is(&h[i].key, "Origin")
            && !ngx_http_webhook_status_own_origin(s->request, &h[i].value))
        {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_FORBIDDEN,
                           "the request comes from a page of another origin; "
                           "a proxy in front has to keep \"Host\"", NULL);
        }

        if (ngx_http_webhook_status_is(&h[i].key, "Sec-Fetch-Site")
            && !ngx_http_webhook_status_is(&h[i].value, "same-origin")
            && !ngx_http_webhook_status_is(&h[i].value, "none"))
        {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_FORBIDDEN,
                           "the request comes from a page of another site",
                           NULL);
        }
    }

    if (!asked) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_FORBIDDEN,
                           "actions need the header \"X-Webhook-Write: 1\"",
                           NULL);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_webhook_status_own_origin(ngx_http_request_t *r, ngx_str_t *origin)
{
    u_char     *p, *last;
    ngx_str_t  *host;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    host = &r->headers_in.host->value;
    last = origin->data + origin->len;

    p = ngx_strlchr(origin->data, last, ':');

    if (p == NULL || last - p < 3 || p[1] != '/' || p[2] != '/') {
        return 0;
    }

    p += 3;

    return (size_t) (last - p) == host->len
           && ngx_strncasecmp(p, host->data, host->len) == 0;
}


static ngx_uint_t
ngx_http_webhook_status_is(ngx_str_t *value, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return value->len == len
           && ngx_strncasecmp(value->data, (u_char *) text, len) == 0;
}


ngx_int_t
ngx_http_webhook_status_ping(ngx_http_webhook_status_t *s)
{
    u_char                      uuid[16], text[NGX_HTTP_WEBHOOK_UUID_LEN];
    ngx_int_t                   rc;
    ngx_str_t                   user;
    ngx_http_webhook_hook_t    *hook;
    ngx_http_variable_value_t  *vv;

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    hook = ngx_http_webhook_status_hook(s, &s->name);

    if (hook == NULL) {
        return ngx_http_webhook_status_no_hook(s);
    }

    vv = ngx_http_get_variable(s->request, &ngx_http_webhook_remote_user,
                               ngx_hash_key(ngx_http_webhook_remote_user.data,
                                            ngx_http_webhook_remote_user.len));
    if (vv == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&user);

    if (!vv->not_found) {
        user.len = vv->len;
        user.data = vv->data;
    }

    rc = ngx_http_webhook_emit_ping(s->mcf, hook, &user, s->request->pool,
                                    uuid);

    if (rc == NGX_DECLINED) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "the webhook zone has no room", NULL);
    }

    if (rc == NGX_BUSY) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "the queue of this webhook is full", NULL);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_webhook_uuid_text(uuid, text);

    ngx_http_webhook_status_literal(&s->text, "{\"uuid\":");
    ngx_http_webhook_text_string(&s->text, text, NGX_HTTP_WEBHOOK_UUID_LEN);
    ngx_http_webhook_status_literal(&s->text, "}");

    return NGX_HTTP_ACCEPTED;
}


ngx_int_t
ngx_http_webhook_status_pause(ngx_http_webhook_status_t *s)
{
    return ngx_http_webhook_status_set(s, 1);
}


ngx_int_t
ngx_http_webhook_status_resume(ngx_http_webhook_status_t *s)
{
    return ngx_http_webhook_status_set(s, 0);
}


static ngx_int_t
ngx_http_webhook_status_set(ngx_http_webhook_status_t *s, ngx_uint_t pause)
{
    ngx_int_t                 rc;
    ngx_http_webhook_hook_t  *hook;

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    hook = ngx_http_webhook_status_hook(s, &s->name);

    if (hook == NULL
        || ngx_http_webhook_queue_pause(s->mcf->zone, hook->slot, pause)
           != NGX_OK)
    {
        return ngx_http_webhook_status_no_hook(s);
    }

    ngx_http_webhook_dispatch_wake(hook);

    return ngx_http_webhook_status_one_hook(s);
}


ngx_int_t
ngx_http_webhook_status_no_hook(ngx_http_webhook_status_t *s)
{
    return ngx_http_webhook_status_problem(s, NGX_HTTP_NOT_FOUND,
                                 "there is no webhook of this name", NULL);
}
