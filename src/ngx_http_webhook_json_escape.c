
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * json_escape: what stands between the quotes of a JSON string -> its text
 * (RFC 8259, section 7).  Next room: json_read.
 */


#include "ngx_http_webhook_json.h"


static size_t ngx_http_webhook_text_unicode(const u_char *p,
    const u_char *last, uint32_t *c);
static ngx_int_t ngx_http_webhook_text_hex(const u_char *p,
    const u_char *last);
static size_t ngx_http_webhook_text_character(uint32_t c, u_char *p);


ngx_int_t
ngx_http_webhook_text_unescape(ngx_http_webhook_text_t *text, const u_char *p,
    const u_char *last)
{
    size_t               n, len;
    u_char               utf8[4];
    uint32_t             c;
    const u_char        *escape, *letter;

    static const u_char  letters[] = "bfnrt\"\\/";
    static const u_char  meanings[] = "\b\f\n\r\t\"\\/";

    for ( /* void */ ; p < last; p = escape + n) {

        escape = memchr(p, '\\', last - p);

        if (escape == NULL) {
            ngx_http_webhook_text_append(text, p, last - p);
            break;
        }

        ngx_http_webhook_text_append(text, p, escape - p);

        if (last - escape < 2) {
            return NGX_ERROR;
        }

        letter = memchr(letters, escape[1], sizeof(letters) - 1);

        if (letter) {
            ngx_http_webhook_text_append(text, &meanings[letter - letters], 1);
            n = 2;
            continue;
        }

        n = ngx_http_webhook_text_unicode(escape, last, &c);

        if (n == 0) {
            return NGX_ERROR;
        }

        if (c == 0) {
            return NGX_DECLINED;
        }

        len = ngx_http_webhook_text_character(c, utf8);

        ngx_http_webhook_text_append(text, utf8, len);
    }

    return NGX_OK;
}


/*
 * The character of the escapes at p, and their length, or 0.  Half a surrogate
 * pair, which is what is left where a text was cut, is U+FFFD.
 */

static size_t
ngx_http_webhook_text_unicode(const u_char *p, const u_char *last, uint32_t *c)
{
    ngx_int_t  high, low;

    high = ngx_http_webhook_text_hex(p, last);

    if (high == NGX_ERROR) {
        return 0;
    }

    *c = high;

    if (high < 0xd800 || high > 0xdfff) {
        return 6;
    }

    low = ngx_http_webhook_text_hex(p + 6, last);

    if (high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
        *c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return 12;
    }

    *c = 0xfffd;

    return 6;
}


static ngx_int_t
ngx_http_webhook_text_hex(const u_char *p, const u_char *last)
{
    u_char      c;
    ngx_int_t   n;
    ngx_uint_t  i;

    if (last - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 2; i < 6; i++) {

        c = p[i];

        if (c >= '0' && c <= '9') {
            n = n * 16 + (c - '0');
            continue;
        }

        c |= 0x20;

        if (c < 'a' || c > 'f') {
            return NGX_ERROR;
        }

        n = n * 16 + (c - 'a' + 10);
    }

    return n;
}


static size_t
ngx_http_webhook_text_character(uint32_t c, u_char *p)
{
    if (c < 0x80) {
        p[0] = (u_char) c;
        return 1;
    }

    if (c < 0x800) {
        p[0] = (u_char) (0xc0 | (c >> 6));
        p[1] = (u_char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        p[0] = (u_char) (0xe0 | (c >> 12));
        p[1] = (u_char) (0x80 | ((c >> 6) & 0x3f));
        p[2] = (u_char) (0x80 | (c & 0x3f));
        return 3;
    }

    p[0] = (u_char) (0xf0 | (c >> 18));
    p[1] = (u_char) (0x80 | ((c >> 12) & 0x3f));
    p[2] = (u_char) (0x80 | ((c >> 6) & 0x3f));
    p[3] = (u_char) (0x80 | (c & 0x3f));

    return 4;
}
