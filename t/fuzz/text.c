
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * Texts from headers, queries and secrets; compressed bytes.
 *
 * rooms: retry format sign_secret inflate json_text
 * libs: z
 */


#include "unit.h"
#include "ngx_http_webhook_format.h"
#include "ngx_http_webhook_inflate.h"
#include "ngx_http_webhook_json.h"
#include "ngx_http_webhook_retry.h"
#include "ngx_http_webhook_sign.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                      n;
    u_char                      out[1024], uuid[16];
    int64_t                     ms;
    ngx_int_t                   wait;
    ngx_str_t                   text;
    ngx_pool_t                 *pool;
    ngx_http_webhook_text_t     json;
    ngx_http_webhook_secret_t   secret;

    text.data = (u_char *) data;
    text.len = size;

    wait = ngx_http_webhook_retry_after(&text, 1700000000000);

    if (wait != NGX_ERROR
        && (wait < 0 || wait > NGX_HTTP_WEBHOOK_RETRY_AFTER_MAX))
    {
        abort();
    }

    ms = ngx_http_webhook_time_parse(&text);

    if (ms != NGX_ERROR) {
        ngx_http_webhook_time_text(ms, out);

        text.data = out;
        text.len = NGX_HTTP_WEBHOOK_TIME_LEN;

        if (ngx_http_webhook_time_parse(&text) != ms) {
            abort();
        }

        text.data = (u_char *) data;
        text.len = size;
    }

    if (ngx_http_webhook_uuid_parse(&text, uuid) == NGX_OK) {
        ngx_http_webhook_uuid_text(uuid, out);
    }

    pool = pool_create();
    ngx_memzero(&secret, sizeof(ngx_http_webhook_secret_t));
    (void) ngx_http_webhook_sign_secret(pool, &text, &secret);
    pool_destroy(pool);

    if (ngx_http_webhook_inflate(data, size, out, sizeof(out), &n) == NGX_OK
        && n > sizeof(out))
    {
        abort();
    }

    ngx_memzero(&json, sizeof(ngx_http_webhook_text_t));
    ngx_http_webhook_text_string(&json, data, size);
    ngx_http_webhook_text_free(&json);

    return 0;
}
