
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_again: in: a POST; out: a delivery that has ended waits again, be it
 * in the zone or in the store alone; next: store_again.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_dispatch.h"
#include "ngx_http_webhook_format.h"


static ngx_int_t ngx_http_webhook_again_stored(ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_again_row(ngx_http_webhook_status_t *s,
    ngx_http_webhook_stored_t *row);
static ngx_int_t ngx_http_webhook_again_answer(ngx_http_webhook_status_t *s,
    ngx_int_t rc, uint32_t slot);


ngx_int_t
ngx_http_webhook_status_redeliver(ngx_http_webhook_status_t *s)
{
    u_char     uuid[16];
    uint32_t   slot;
    ngx_int_t  rc;

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    slot = 0;

    if (ngx_http_webhook_uuid_parse(&s->name, uuid) != NGX_OK) {
        return ngx_http_webhook_again_answer(s, NGX_DECLINED, 0);
    }

    rc = ngx_http_webhook_queue_again(s->mcf->zone, uuid, &slot);

    if (rc != NGX_DECLINED) {
        return ngx_http_webhook_again_answer(s, rc, slot);
    }

    rc = ngx_http_webhook_status_ask(s, NGX_HTTP_WEBHOOK_QUERY_ONE,
                                     ngx_http_webhook_again_stored);

    if (rc == NGX_OK) {
        ngx_memcpy(s->query->uuid, uuid, 16);

        return ngx_http_webhook_status_wait(s);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_again_answer(s, NGX_DECLINED, 0);
}


static ngx_int_t
ngx_http_webhook_again_stored(ngx_http_webhook_status_t *s)
{
    if (ngx_http_webhook_status_unread(s)) {
        return ngx_http_webhook_status_no_answer(s);
    }

    if (s->query->rc != NGX_OK) {
        return ngx_http_webhook_again_answer(s, NGX_DECLINED, 0);
    }

    return ngx_http_webhook_again_row(s, s->query->rows.elts);
}


static ngx_int_t
ngx_http_webhook_again_row(ngx_http_webhook_status_t *s,
    ngx_http_webhook_stored_t *row)
{
    uint32_t                  slot;
    ngx_int_t                 rc;
    ngx_http_webhook_hook_t  *hook;

    if (row->delivery.summary.status <= NGX_HTTP_WEBHOOK_SENDING) {
        return ngx_http_webhook_again_answer(s, NGX_BUSY, 0);
    }

    if (row->delivery.payload.data == NULL) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_CONFLICT,
                            "the payload is no longer kept", NULL);
    }

    hook = ngx_http_webhook_status_by_id(s, row->hook);

    if (hook == NULL) {
        return ngx_http_webhook_again_answer(s, NGX_ABORT, 0);
    }

    slot = hook->slot;

    rc = ngx_http_webhook_store_again(s->mcf->zone, row, hook, (uint32_t) -1);

    if (rc == NGX_DONE) {

        /* another request was faster */

        rc = ngx_http_webhook_queue_again(s->mcf->zone,
                                          row->delivery.summary.uuid, &slot);
    }

    return ngx_http_webhook_again_answer(s, rc, slot);
}


static ngx_int_t
ngx_http_webhook_again_answer(ngx_http_webhook_status_t *s, ngx_int_t rc,
    uint32_t slot)
{
    u_char                     uuid[16], text[NGX_HTTP_WEBHOOK_UUID_LEN];
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_BUSY:
        return ngx_http_webhook_status_problem(s, NGX_HTTP_CONFLICT,
                            "the delivery has not ended", NULL);

    case NGX_ABORT:
        return ngx_http_webhook_status_problem(s, NGX_HTTP_CONFLICT,
                            "its webhook is not configured", NULL);

    case NGX_AGAIN:
        return ngx_http_webhook_status_problem(s,
                            NGX_HTTP_SERVICE_UNAVAILABLE,
                            "the webhook zone has no room", NULL);

    default:
        return ngx_http_webhook_status_problem(s, NGX_HTTP_NOT_FOUND,
                            "there is no such delivery", NULL);
    }

    hook = s->mcf->hooks.elts;

    for (i = 0; i < s->mcf->hooks.nelts; i++) {
        if (hook[i]->slot == slot) {
            ngx_http_webhook_dispatch_wake(hook[i]);
        }
    }

    /* as it is everywhere else, however it was asked for */

    (void) ngx_http_webhook_uuid_parse(&s->name, uuid);
    ngx_http_webhook_uuid_text(uuid, text);

    ngx_http_webhook_status_literal(&s->text, "{\"uuid\":");
    ngx_http_webhook_text_string(&s->text, text, sizeof(text));
    ngx_http_webhook_status_literal(&s->text, "}");

    return NGX_HTTP_ACCEPTED;
}
