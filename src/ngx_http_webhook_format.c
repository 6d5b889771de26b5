
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * format: in: numbers and bytes; out: text for headers and JSON, and back from
 * configuration and queries.
 */


#include "ngx_http_webhook_format.h"


static ngx_inline u_char *ngx_http_webhook_time_pair(u_char *p,
    uint64_t value);
static int64_t ngx_http_webhook_time_number(u_char **p, u_char *last,
    ngx_uint_t digits);
static int64_t ngx_http_webhook_time_days(int64_t year, int64_t month,
    int64_t day);


void
ngx_http_webhook_uuid_text(const u_char uuid[16], u_char *text)
{
    ngx_uint_t           i;
    static const u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < 16; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *text++ = '-';
        }

        *text++ = hex[uuid[i] >> 4];
        *text++ = hex[uuid[i] & 0xf];
    }
}


ngx_int_t
ngx_http_webhook_uuid_parse(ngx_str_t *text, u_char uuid[16])
{
    u_char      c;
    ngx_uint_t  i, n, value;

    if (text->len != NGX_HTTP_WEBHOOK_UUID_LEN) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < NGX_HTTP_WEBHOOK_UUID_LEN; i++) {
        c = text->data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return NGX_ERROR;
            }

            continue;
        }

        if (c >= '0' && c <= '9') {
            value = c - '0';

        } else {
            c |= 0x20;

            if (c < 'a' || c > 'f') {
                return NGX_ERROR;
            }

            value = c - 'a' + 10;
        }

        if (n % 2 == 0) {
            uuid[n / 2] = (u_char) (value << 4);

        } else {
            uuid[n / 2] |= (u_char) value;
        }

        n++;
    }

    return NGX_OK;
}


void
ngx_http_webhook_time_text(uint64_t ms, u_char *text)
{
    uint64_t  days, secs, era, doe, yoe, doy, mp, year, month, day;

    /* civil from days, over eras of 400 years that begin in March */

    days = ms / 86400000 + 719468;
    secs = (ms / 1000) % 86400;

    era = days / 146097;
    doe = days - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;

    day = doy - (153 * mp + 2) / 5 + 1;
    month = mp < 10 ? mp + 3 : mp - 9;
    year = yoe + era * 400 + (month <= 2);

    text = ngx_http_webhook_time_pair(text, year / 100 % 100);
    text = ngx_http_webhook_time_pair(text, year % 100);
    *text++ = '-';
    text = ngx_http_webhook_time_pair(text, month);
    *text++ = '-';
    text = ngx_http_webhook_time_pair(text, day);
    *text++ = 'T';
    text = ngx_http_webhook_time_pair(text, secs / 3600);
    *text++ = ':';
    text = ngx_http_webhook_time_pair(text, secs / 60 % 60);
    *text++ = ':';
    text = ngx_http_webhook_time_pair(text, secs % 60);
    *text++ = '.';
    *text++ = (u_char) ('0' + ms / 100 % 10);
    text = ngx_http_webhook_time_pair(text, ms % 100);
    *text = 'Z';
}


static ngx_inline u_char *
ngx_http_webhook_time_pair(u_char *p, uint64_t value)
{
    *p++ = (u_char) ('0' + value / 10);
    *p++ = (u_char) ('0' + value % 10);

    return p;
}


int64_t
ngx_http_webhook_time_parse(ngx_str_t *text)
{
    u_char     *p, *last, sign;
    int64_t     year, month, day, hour, minute, second, ms, scale, value;
    int64_t     oh, om;

    static const u_char  days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
                                    30, 31 };

    p = text->data;
    last = p + text->len;

    year = ngx_http_webhook_time_number(&p, last, 4);

    if (year < 1970 || p == last || *p++ != '-') {
        return NGX_ERROR;
    }

    month = ngx_http_webhook_time_number(&p, last, 2);

    if (month < 1 || month > 12 || p == last || *p++ != '-') {
        return NGX_ERROR;
    }

    day = ngx_http_webhook_time_number(&p, last, 2);

    if (day < 1 || day > days[month - 1]) {
        return NGX_ERROR;
    }

    if (month == 2 && day == 29
        && (year % 4 || (year % 100 == 0 && year % 400)))
    {
        return NGX_ERROR;
    }

    value = ngx_http_webhook_time_days(year, month, day) * 86400000;

    if (p == last) {
        return value;
    }

    if (*p != 'T' && *p != 't' && *p != ' ') {
        return NGX_ERROR;
    }

    p++;

    hour = ngx_http_webhook_time_number(&p, last, 2);

    if (hour < 0 || hour > 23 || p == last || *p++ != ':') {
        return NGX_ERROR;
    }

    minute = ngx_http_webhook_time_number(&p, last, 2);

    if (minute < 0 || minute > 59 || p == last || *p++ != ':') {
        return NGX_ERROR;
    }

    second = ngx_http_webhook_time_number(&p, last, 2);

    if (second < 0 || second > 60 || p == last) {
        return NGX_ERROR;
    }

    ms = 0;

    if (*p == '.') {
        p++;

        if (p == last || *p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        for (scale = 100; p < last && *p >= '0' && *p <= '9'; p++) {
            ms += (*p - '0') * scale;
            scale /= 10;
        }
    }

    value += hour * 3600000 + minute * 60000 + second * 1000 + ms;

    if (p == last) {
        return NGX_ERROR;
    }

    sign = *p++;

    if (sign == 'Z' || sign == 'z') {
        return (p == last) ? value : NGX_ERROR;
    }

    if (sign != '+' && sign != '-') {
        return NGX_ERROR;
    }

    oh = ngx_http_webhook_time_number(&p, last, 2);

    if (oh < 0 || oh > 23 || p == last) {
        return NGX_ERROR;
    }

    /* Java's usual format has none */

    if (*p == ':') {
        p++;
    }

    om = ngx_http_webhook_time_number(&p, last, 2);

    if (om < 0 || om > 59 || p != last) {
        return NGX_ERROR;
    }

    value -= (sign == '+' ? 1 : -1) * (oh * 3600000 + om * 60000);

    return value < 0 ? NGX_ERROR : value;
}


static int64_t
ngx_http_webhook_time_number(u_char **p, u_char *last, ngx_uint_t digits)
{
    u_char   c;
    int64_t  value;

    for (value = 0; digits; digits--) {

        if (*p == last) {
            return -1;
        }

        c = *(*p)++;

        if (c < '0' || c > '9') {
            return -1;
        }

        value = value * 10 + (c - '0');
    }

    return value;
}


static int64_t
ngx_http_webhook_time_days(int64_t year, int64_t month, int64_t day)
{
    int64_t  era, yoe, doy;

    year -= month <= 2;
    era = year / 400;
    yoe = year - era * 400;
    doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}
