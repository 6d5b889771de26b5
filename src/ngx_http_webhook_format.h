
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * format: numbers, UUIDs and times as text, and back.  Pure.
 */


#ifndef _NGX_HTTP_WEBHOOK_FORMAT_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_FORMAT_H_INCLUDED_


#include "ngx_http_webhook.h"


#define NGX_HTTP_WEBHOOK_TIME_LEN                                             \
    (sizeof("1970-01-01T00:00:00.000Z") - 1)


/* 36 characters, lower case (RFC 9562, section 4); no NUL. */

void ngx_http_webhook_uuid_text(const u_char uuid[16], u_char *text);

/* NGX_ERROR: not a UUID in the form above (upper case is accepted). */

ngx_int_t ngx_http_webhook_uuid_parse(ngx_str_t *text, u_char uuid[16]);

/*
 * ms since 1970 as RFC 3339 with ms, in UTC; NGX_HTTP_WEBHOOK_TIME_LEN
 * characters, no NUL.
 */

void ngx_http_webhook_time_text(uint64_t ms, u_char *text);

/*
 * RFC 3339 date ("2026-01-31": its first moment, UTC), or date and time with
 * an optional fraction and "Z" or an offset, whose colon may be missing -> ms
 * since 1970; NGX_ERROR.
 */

int64_t ngx_http_webhook_time_parse(ngx_str_t *text);

/* The digits of n, which end before "last"; where they begin. */

static ngx_inline u_char *
ngx_http_webhook_number_text(uint64_t n, u_char *last)
{
    do {
        *--last = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return last;
}


#endif /* _NGX_HTTP_WEBHOOK_FORMAT_H_INCLUDED_ */
