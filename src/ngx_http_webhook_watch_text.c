
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch_text: the URI or body of a "watch" line and an execution -> the text
 * to ask with.  What an id or a capture holds stays one segment of a path, or
 * within one JSON string.  Next room: watch.
 */


#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_watch.h"


#define NGX_HTTP_WEBHOOK_WATCH_VALUE   256     /* bytes */


static ngx_int_t ngx_http_webhook_watch_name(ngx_conf_t *cf, u_char **p,
    u_char *last, ngx_http_webhook_watch_part_t *part);
static void ngx_http_webhook_watch_unknown(ngx_conf_t *cf, ngx_str_t *name);
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


ngx_array_t *
ngx_http_webhook_watch_compile_uri(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_uint_t  i;

    if (text->len == 0 || text->data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it must begin with \"/\"",
                           text);
        return NULL;
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= ' ' || text->data[i] >= 0x7f
            || text->data[i] == '#')
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid URI \"%V\", it must be "
                               "percent-encoded", text);
            return NULL;
        }

        if ((text->data[i] == '{' && text->data[i - 1] != '$')
            || (text->data[i] == ':' && text->data[i - 1] == '/'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid URI \"%V\", what differs is a "
                               "variable, as \"$webhook_execution\"", text);
            return NULL;
        }
    }

    return ngx_http_webhook_watch_compile(cf, text);
}


static ngx_int_t
ngx_http_webhook_watch_name(ngx_conf_t *cf, u_char **pp, u_char *last,
    ngx_http_webhook_watch_part_t *part)
{
    u_char      ch, *p;
    ngx_uint_t  bracket, member;

    p = *pp + 1;

    bracket = (p < last && *p == '{');
    member = 0;

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

        if (bracket && (ch == '.' || ch == '-')) {
            member = 1;
            continue;
        }

        break;
    }

    part->name.len = p - part->name.data;

    if (bracket) {

        if (p < last && *p == '/') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no JSON Pointer may stand in \"${}\" here, "
                               "name a part of a member, as "
                               "\"${execution.name}\"");
            return NGX_ERROR;
        }

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
                           "invalid variable name: $webhook_execution and "
                           "named captures are known");
        return NGX_ERROR;
    }

    *pp = p;

    if (member) {
        part->index = NGX_HTTP_WEBHOOK_WATCH_MEMBER;

        if (ngx_http_webhook_api_conf_member(cf, &part->name, &part->member,
                                             &part->part)
            != NGX_OK
            || part->part.len == 0)
        {
            ngx_http_webhook_watch_unknown(cf, &part->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

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


/* "execution.a.b" is, in other words, the pointer "/a/b" in it */

static void
ngx_http_webhook_watch_unknown(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char      *p, *dot, *last;
    ngx_str_t    head, part, pointer;
    ngx_uint_t   member;

    last = name->data + name->len;
    dot = ngx_strlchr(name->data, last, '.');
    p = dot ? ngx_strlchr(dot + 1, last, '.') : NULL;

    head.data = name->data;
    head.len = p ? (size_t) (p - name->data) : 0;

    if (p == NULL
        || ngx_http_webhook_api_conf_member(cf, &head, &member, &part)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown member in \"${%V}\"", name);
        return;
    }

    pointer.data = dot;
    pointer.len = last - dot;

    p = ngx_pstrdup(cf->pool, &pointer);
    if (p == NULL) {
        return;
    }

    pointer.data = p;

    for (p = pointer.data; p < pointer.data + pointer.len; p++) {
        if (*p == '.') {
            *p = '/';
        }
    }

    head.len = dot - name->data;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"${%V}\" is within a part of a member, name it, as "
                       "\"%V.x %V;\", and write \"${%V.x}\"",
                       name, &head, &pointer, &head);
}


ngx_uint_t
ngx_http_webhook_watch_captured(ngx_http_webhook_api_route_t *rp,
    ngx_array_t *parts, ngx_str_t *name)
{
    ngx_uint_t                      i;
    ngx_http_webhook_watch_part_t  *part;
#if (NGX_PCRE)
    ngx_uint_t                      n;
#endif

    part = parts->elts;

    for (i = 0; i < parts->nelts; i++) {

        if (part[i].index < 0) {
            continue;
        }

#if (NGX_PCRE)
        n = 0;

        while (rp->regex && n < rp->regex->nvariables
               && rp->regex->variables[n].index != part[i].index)
        {
            n++;
        }

        if (rp->regex && n < rp->regex->nvariables) {
            continue;
        }
#endif

        *name = part[i].name;
        return 0;
    }

    return 1;
}


ngx_int_t
ngx_http_webhook_watch_text(ngx_http_request_t *r, ngx_array_t *parts,
    ngx_http_webhook_observation_t *observation, ngx_uint_t json,
    ngx_str_t *text)
{
    ngx_int_t   rc;
    ngx_str_t  *values;

    values = ngx_http_webhook_watch_values(r, parts, &observation->id,
                                           r->pool);
    if (values == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_webhook_enrich_values(r->pool, parts, observation, values);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_AGAIN : NGX_ERROR;
    }

    return ngx_http_webhook_watch_assemble(r->pool, parts, values, json, text);
}


ngx_str_t *
ngx_http_webhook_watch_values(ngx_http_request_t *r, ngx_array_t *parts,
    ngx_str_t *id, ngx_pool_t *pool)
{
    ngx_str_t                      *values, s;
    ngx_uint_t                      i;
    ngx_http_variable_value_t      *vv;
    ngx_http_webhook_watch_part_t  *part;

    values = ngx_pcalloc(pool, parts->nelts * sizeof(ngx_str_t));
    if (values == NULL) {
        return NULL;
    }

    part = parts->elts;

    for (i = 0; i < parts->nelts; i++) {

        if (part[i].index == NGX_HTTP_WEBHOOK_WATCH_ID) {
            s = *id;

        } else if (part[i].index >= 0) {
            vv = ngx_http_get_indexed_variable(r, part[i].index);

            if (vv == NULL || vv->not_found) {
                continue;
            }

            s.data = vv->data;
            s.len = vv->len;

        } else {
            continue;
        }

        values[i].data = ngx_pstrdup(pool, &s);
        if (values[i].data == NULL) {
            return NULL;
        }

        values[i].len = s.len;
    }

    return values;
}


ngx_int_t
ngx_http_webhook_watch_assemble(ngx_pool_t *pool, ngx_array_t *parts,
    ngx_str_t *values, ngx_uint_t json, ngx_str_t *text)
{
    u_char                         *p;
    size_t                          len;
    ngx_uint_t                      i;
    ngx_http_webhook_watch_part_t  *part;

    part = parts->elts;
    len = 0;

    for (i = 0; i < parts->nelts; i++) {
        len += part[i].literal.len;

        if (part[i].index == NGX_HTTP_WEBHOOK_WATCH_END) {
            continue;
        }

        if (ngx_http_webhook_watch_refused(&values[i])) {
            return NGX_DECLINED;
        }

        len += 6 * values[i].len;
    }

    p = ngx_pnalloc(pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < parts->nelts; i++) {
        p = ngx_cpymem(p, part[i].literal.data, part[i].literal.len);

        if (part[i].index == NGX_HTTP_WEBHOOK_WATCH_END) {
            continue;
        }

        if (json) {
            p = ngx_http_webhook_watch_quote(p, &values[i]);

        } else {
            p = (u_char *) ngx_escape_uri(p, values[i].data, values[i].len,
                                          NGX_ESCAPE_URI_COMPONENT);
        }
    }

    text->len = p - text->data;

    return NGX_OK;
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
