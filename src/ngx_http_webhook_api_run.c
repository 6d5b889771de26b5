
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_run: a document and "run" -> a number or a date that grows when the
 * execution is run again.  Next room: api.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_format.h"


#define NGX_HTTP_WEBHOOK_DATE_MAX   40         /* bytes of one in other words */
#define NGX_HTTP_WEBHOOK_DATE_ZONE  19         /* where its zone begins */


static int64_t ngx_http_webhook_api_date(ngx_str_t *text);
static int64_t ngx_http_webhook_api_date_parts(u_char *date, u_char *last);
static ngx_int_t ngx_http_webhook_api_number(ngx_str_t *text, int64_t *value);


void
ngx_http_webhook_api_run(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation)
{
    u_char                         buf[32];
    json_t                        *json;
    ngx_str_t                      text;
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    if (reading->scope->run == NULL) {
        return;
    }

    value = reading->scope->run->elts;

    for (i = 0; i < reading->scope->run->nelts; i++) {

        if (ngx_http_webhook_api_value(reading, element, &value[i], &text,
                                       &json)
            != NGX_OK)
        {
            continue;
        }

        if (json
            && ngx_http_webhook_json_scalar(json, &text, buf) != NGX_OK)
        {
            continue;
        }

        if (ngx_http_webhook_api_number(&text, &observation->run) == NGX_OK) {
            observation->has_run = 1;
            return;
        }

        observation->run = ngx_http_webhook_api_date(&text);

        /* the first moment of 1970 is none, as is the year 1 */

        if (observation->run > 0) {
            observation->has_run = 1;
            return;
        }
    }
}


static int64_t
ngx_http_webhook_api_date(ngx_str_t *text)
{
    u_char   buf[NGX_HTTP_WEBHOOK_DATE_MAX + 2], *last;
    time_t   seconds;
    int64_t  ms;

    ms = ngx_http_webhook_time_parse(text);

    if (ms != NGX_ERROR) {
        return ms;
    }

    /* Java names the zone behind its offset */

    last = ngx_strlchr(text->data, text->data + text->len, '[');

    if (last == NULL) {
        last = text->data + text->len;
    }

    if (last - text->data > NGX_HTTP_WEBHOOK_DATE_MAX) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(buf, text->data, last - text->data);

    ms = ngx_http_webhook_api_date_parts(buf, last);

    if (ms != NGX_ERROR) {
        return ms;
    }

    /* HTTP's */

    seconds = ngx_parse_http_time(text->data, text->len);

    return seconds > 0 ? (int64_t) seconds * 1000 : NGX_ERROR;
}


/* "date" has room for two more bytes */

static int64_t
ngx_http_webhook_api_date_parts(u_char *date, u_char *last)
{
    u_char     *zone;
    ngx_str_t   text;

    zone = date + NGX_HTTP_WEBHOOK_DATE_ZONE;

    while (zone < last && *zone != ' ' && *zone != '+' && *zone != '-'
           && *zone != 'Z')
    {
        zone++;
    }

    if (zone < last && *zone == ' ') {
        last--;
        ngx_memmove(zone, zone + 1, last - zone);
    }

    if (last - zone == 3
        && (ngx_strncmp(zone, "UTC", 3) == 0
            || ngx_strncmp(zone, "GMT", 3) == 0))
    {
        last = zone;
    }

    if (zone >= last) {

        /* one without a zone is as good, as it is compared with its like */

        *last++ = 'Z';

    } else if (last - zone == 3) {
        last = ngx_cpymem(last, "00", 2);
    }

    text.data = date;
    text.len = last - date;

    return ngx_http_webhook_time_parse(&text);
}


/* some APIs write a fraction only where there is one: it does not count */

static ngx_int_t
ngx_http_webhook_api_number(ngx_str_t *text, int64_t *value)
{
    size_t    i;
    int64_t   n;
    unsigned  digit, point;

    if (text->len == 0) {
        return NGX_ERROR;
    }

    n = 0;
    point = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '.' && !point && i && i + 1 < text->len) {
            point = 1;
            continue;
        }

        digit = (unsigned) text->data[i] - '0';

        if (digit > 9 || (!point && n > (INT64_MAX - digit) / 10)) {
            return NGX_ERROR;
        }

        if (!point) {
            n = n * 10 + digit;
        }
    }

    *value = n;

    return NGX_OK;
}
