
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_json: in: members of an object; out: their JSON, appended to the
 * document; next: status_hook, status_delivery.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_format.h"


void
ngx_http_webhook_status_name(ngx_http_webhook_text_t *text, const char *name)
{
    if (text->len && text->data[text->len - 1] != '{') {
        ngx_http_webhook_status_literal(text, ",");
    }

    ngx_http_webhook_text_string(text, name, ngx_strlen(name));
    ngx_http_webhook_status_literal(text, ":");
}


void
ngx_http_webhook_status_number(ngx_http_webhook_text_t *text, const char *name,
    uint64_t value)
{
    u_char  buf[NGX_INT64_LEN], *p;

    p = ngx_sprintf(buf, "%uL", value);

    ngx_http_webhook_status_name(text, name);
    ngx_http_webhook_text_append(text, buf, p - buf);
}


void
ngx_http_webhook_status_string(ngx_http_webhook_text_t *text, const char *name,
    const void *data, size_t len)
{
    ngx_http_webhook_status_name(text, name);

    if (len == 0) {
        ngx_http_webhook_status_literal(text, "null");
        return;
    }

    ngx_http_webhook_text_string(text, data, len);
}


void
ngx_http_webhook_status_boolean(ngx_http_webhook_text_t *text,
    const char *name, ngx_uint_t value)
{
    ngx_http_webhook_status_name(text, name);

    if (value) {
        ngx_http_webhook_status_literal(text, "true");
        return;
    }

    ngx_http_webhook_status_literal(text, "false");
}


void
ngx_http_webhook_status_positive(ngx_http_webhook_text_t *text,
    const char *name, uint64_t value)
{
    if (value) {
        ngx_http_webhook_status_number(text, name, value);
        return;
    }

    ngx_http_webhook_status_name(text, name);
    ngx_http_webhook_status_literal(text, "null");
}


void
ngx_http_webhook_status_time(ngx_http_webhook_text_t *text, const char *name,
    uint64_t ms)
{
    u_char  time[NGX_HTTP_WEBHOOK_TIME_LEN];

    ngx_http_webhook_status_name(text, name);

    if (ms == 0) {
        ngx_http_webhook_status_literal(text, "null");
        return;
    }

    ngx_http_webhook_time_text(ms, time);
    ngx_http_webhook_text_string(text, time, NGX_HTTP_WEBHOOK_TIME_LEN);
}
