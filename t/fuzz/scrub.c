
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What an endpoint answers, the fuzzer's, without a webhook's secrets, which
 * are so, too: the first line is its url, the second the value of a header.
 * None of them is left, and nothing grows.
 *
 * rooms: scrub
 */


#include "unit.h"
#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_scrub.h"


ngx_uint_t
ngx_http_webhook_redacted(ngx_array_t *redact, ngx_str_t *name)
{
    return name->len > 3;
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


ngx_array_t *
ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t  *array;

    array = ngx_palloc(pool, sizeof(ngx_array_t));
    array_init(array, pool, size);
    array->elts = ngx_palloc(pool, n * size);

    return array;
}


/* nginx's leaves out what is no escape */

void
ngx_unescape_uri(u_char **dst, u_char **src, size_t size, ngx_uint_t type)
{
    u_char  *p, *last, hex[3];

    last = *src + size;

    for (p = *src; p < last; p++) {

        if (*p != '%') {
            *(*dst)++ = *p;
            continue;
        }

        if (last - p > 2) {
            memcpy(hex, p + 1, 2);
            hex[2] = '\0';
            *(*dst)++ = (u_char) strtol((char *) hex, NULL, 16);
        }

        p += ngx_min(2, last - p - 1);
    }

    *src = p;
}


static ngx_str_t
line(ngx_pool_t *pool, const uint8_t **data, size_t *size)
{
    size_t          n;
    ngx_str_t       text;
    const uint8_t  *end;

    end = memchr(*data, '\n', *size);
    n = end ? (size_t) (end - *data) : *size;

    text.data = ngx_pcalloc(pool, n + 1);
    text.len = n;
    memcpy(text.data, *data, n);

    n += (end != NULL);
    *data += n;
    *size -= n;

    return text;
}


static void
scrubbed(ngx_array_t *secrets, ngx_str_t *text)
{
    size_t       size;
    ngx_str_t   *secret;
    ngx_uint_t   i;

    size = text->len;
    secret = secrets->elts;

    ngx_http_webhook_scrub(secrets, text);

    if (text->len > size) {
        abort();
    }

    for (i = 0; i < secrets->nelts; i++) {
        if (memchr(secret[i].data, '*', secret[i].len) == NULL
            && memmem(text->data, text->len, secret[i].data, secret[i].len))
        {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                     *slash;
    ngx_str_t                   rest, text;
    ngx_pool_t                 *pool;
    ngx_array_t                *secrets;
    ngx_http_webhook_hook_t     hook;
    ngx_http_webhook_header_t   header;

    pool = pool_create();

    ngx_memzero(&hook, sizeof(ngx_http_webhook_hook_t));
    ngx_memzero(&header, sizeof(ngx_http_webhook_header_t));

    rest = line(pool, &data, &size);
    rest.len = ngx_min(strlen((char *) rest.data), 2000);
    rest.data[rest.len] = '\0';

    hook.url.data = ngx_pcalloc(pool, rest.len + sizeof("https:///"));
    hook.url.len = rest.len + sizeof("https:///") - 1;
    memcpy(hook.url.data, "https://", 8);
    memcpy(hook.url.data + 8, rest.data, rest.len);
    hook.url.data[8 + rest.len] = '/';

    slash = (u_char *) strchr((char *) hook.url.data + 8, '/');

    hook.uri.data = slash;
    hook.uri.len = hook.url.data + hook.url.len - slash;
    ngx_str_set(&hook.shown, "https://localhost/***");

    header.value.value = line(pool, &data, &size);
    header.hidden = 1;

    array_init(&hook.headers, pool, sizeof(ngx_http_webhook_header_t));
    memcpy(ngx_array_push(&hook.headers), &header, sizeof(header));

    secrets = ngx_http_webhook_scrub_secrets(pool, &hook);

    if (secrets == NULL
        || secrets != ngx_http_webhook_scrub_secrets(pool, &hook))
    {
        abort();
    }

    text.data = ngx_pnalloc(pool, size);
    text.len = size;
    memcpy(text.data, data, size);

    scrubbed(secrets, &text);

    size = text.len;
    ngx_http_webhook_scrub_names(NULL, &text);

    if (text.len > size) {
        abort();
    }

    pool_destroy(pool);

    return 0;
}
