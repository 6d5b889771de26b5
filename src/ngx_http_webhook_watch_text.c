
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch_text: the URI or body of a "watch" line and an execution -> the text
 * to ask with.  What an id or a capture holds stays one segment of a path, or
 * within one JSON string.  Next room: watch.
 */


#include "ngx_http_webhook_watch.h"


#define NGX_HTTP_WEBHOOK_WATCH_VALUE   256     /* bytes */


static ngx_int_t ngx_http_webhook_watch_name(ngx_conf_t *cf, u_char **p,
    u_char *last, ngx_http_webhook_watch_part_t *part);
static ngx_int_t ngx_http_webhook_watch_value(ngx_http_request_t *r,
    ngx_http_webhook_watch_part_t *part, ngx_str_t *id, ngx_str_t *value);
static ngx_uint_t ngx_http_webhook_watch_refused(ngx_str_t *value);
static u_char *ngx_http_webhook_watch_quote(u_char *dst, ngx_str_t *value);


ngx_array_t *
ngx_http_webhook_watch_compile(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char                         *p, *last;
    ngx_array_t                    *parts;
    ngx_http_webhook_watch_part_t  *part;

    parts = ngx_array_create(cf->pool, 4,
                             sizeof(ngx_http_webhook_watch_part_t));
    if (parts == NULL) {
        return NULL;
    }

    p = text->data;
    last = text->data + text->len;

    for ( ;; ) {

        part = ngx_array_push(parts);
        if (part == NULL) {
            return NULL;
        }

        ngx_memzero(part, sizeof(ngx_http_webhook_watch_part_t));

        part->index = NGX_HTTP_WEBHOOK_WATCH_END;
        part->literal.data = p;

        while (p < last && *p != '$') {
            p++;
        }

        part->literal.len = p - part->literal.data;

        if (p == last) {
            return parts;
        }

        if (ngx_http_webhook_watch_name(cf, &p, last, part) != NGX_OK) {
            return NULL;
        }
    }
}


static ngx_int_t
ngx_http_webhook_watch_name(ngx_conf_t *cf, u_char **pp, u_char *last,
    ngx_http_webhook_watch_part_t *part)
{
    u_char      ch, *p;
    ngx_uint_t  bracket;

    p = *pp + 1;

    bracket = (p < last && *p == '{');

    if (bracket) {
        p++;
    }

    part->name.data = p;

    for ( /* void */ ; p < last; p++) {

        ch = *p;

        if ((ch >= 'A' && ch <= 'Z')
            || (ch >= 'a' && ch <= 'z')
            || (ch >= '0' && ch <= '9')
            || ch == '_')
        {
            continue;
        }

        break;
    }

    part->name.len = p - part->name.data;

    if (bracket) {

        if (p == last || *p != '}') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the closing bracket of \"${%V\" is missing",
                               &part->name);
            return NGX_ERROR;
        }

        p++;
    }

    if (part->name.len == 0
        || (part->name.data[0] >= '0' && part->name.data[0] <= '9'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name in \"watch\": "
                           "$webhook_execution and named captures are known");
        return NGX_ERROR;
    }

    *pp = p;

    if (part->name.len == sizeof("webhook_execution") - 1
        && ngx_strncmp(part->name.data, "webhook_execution", part->name.len)
           == 0)
    {
        part->index = NGX_HTTP_WEBHOOK_WATCH_ID;
        return NGX_OK;
    }

    part->index = ngx_http_get_variable_index(cf, &part->name);

    return (part->index == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_webhook_watch_text(ngx_http_request_t *r, ngx_array_t *parts,
    ngx_str_t *id, ngx_uint_t json, ngx_str_t *text)
{
    u_char                         *p;
    size_t                          len;
    ngx_str_t                       value;
    ngx_uint_t                      i;
    ngx_http_webhook_watch_part_t  *part;

    part = parts->elts;
    len = 0;

    for (i = 0; i < parts->nelts; i++) {
        len += part[i].literal.len;

        if (part[i].index == NGX_HTTP_WEBHOOK_WATCH_END) {
            continue;
        }

        if (ngx_http_webhook_watch_value(r, &part[i], id, &value) != NGX_OK) {
            return NGX_DECLINED;
        }

        len += 6 * value.len;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < parts->nelts; i++) {
        p = ngx_cpymem(p, part[i].literal.data, part[i].literal.len);

        if (part[i].index == NGX_HTTP_WEBHOOK_WATCH_END) {
            continue;
        }

        (void) ngx_http_webhook_watch_value(r, &part[i], id, &value);

        if (json) {
            p = ngx_http_webhook_watch_quote(p, &value);

        } else {
            p = (u_char *) ngx_escape_uri(p, value.data, value.len,
                                          NGX_ESCAPE_URI_COMPONENT);
        }
    }

    text->len = p - text->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_watch_value(ngx_http_request_t *r,
    ngx_http_webhook_watch_part_t *part, ngx_str_t *id, ngx_str_t *value)
{
    ngx_http_variable_value_t  *vv;

    if (part->index == NGX_HTTP_WEBHOOK_WATCH_ID) {
        *value = *id;

    } else {
        vv = ngx_http_get_indexed_variable(r, part->index);

        if (vv == NULL || vv->not_found) {
            return NGX_DECLINED;
        }

        value->data = vv->data;
        value->len = vv->len;
    }

    return ngx_http_webhook_watch_refused(value) ? NGX_DECLINED : NGX_OK;
}


/*
 * Locations are found by the decoded path, in which "a%2F.." is two segments:
 * what would leave its place is refused in all of them.
 */

static ngx_uint_t
ngx_http_webhook_watch_refused(ngx_str_t *value)
{
    u_char  *p, *last, *start;

    if (value->len == 0 || value->len > NGX_HTTP_WEBHOOK_WATCH_VALUE) {
        return 1;
    }

    start = value->data;
    last = value->data + value->len;

    for (p = value->data; p <= last; p++) {

        if (p < last && *p == '\0') {
            return 1;
        }

        if (p < last && *p != '/') {
            continue;
        }

        if ((p - start == 1 && start[0] == '.')
            || (p - start == 2 && start[0] == '.' && start[1] == '.'))
        {
            return 1;
        }

        start = p + 1;
    }

    return 0;
}


static u_char *
ngx_http_webhook_watch_quote(u_char *dst, ngx_str_t *value)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < value->len; i++) {

        ch = value->data[i];

        if (ch < 0x20) {
            dst = ngx_sprintf(dst, "\\u%04xd", ch);
            continue;
        }

        if (ch == '"' || ch == '\\') {
            *dst++ = '\\';
        }

        *dst++ = ch;
    }

    return dst;
}
