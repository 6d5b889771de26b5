
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_hidden: the routes of a description -> warnings of what they never take:
 * what no path has, what an earlier one hides.  Next room: api_warn.
 */


#include "ngx_http_webhook_api_priv.h"


#define NGX_HTTP_WEBHOOK_REGEX_SPECIAL  ".[](){}*+?|^$\\"


static ngx_http_webhook_route_t *ngx_http_webhook_api_hides(
    ngx_http_webhook_route_t *route, ngx_uint_t n);
static ngx_uint_t ngx_http_webhook_api_covers(
    ngx_http_webhook_api_route_t *first, ngx_http_webhook_api_route_t *rp);
static ngx_uint_t ngx_http_webhook_api_begins(ngx_http_webhook_api_route_t *rp,
    ngx_str_t *prefix);
static ngx_uint_t ngx_http_webhook_api_alternatives(u_char *p, u_char *last);


/* "^/jobs/get\?id=", "^/jobs/a%2Fb$" */

void
ngx_http_webhook_api_warn_regex(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char  *p, *last;

    last = text->data + text->len;

    for (p = text->data; p + 1 < last; p++) {

        if (p[0] == '\\' && p[1] == '?') {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "URI \"%V\" is matched without the query, use "
                               "\"when=\" with $args or $arg_...", text);
            return;
        }

        if (p[0] == '\\') {
            p++;

        } else if (p + 2 < last && p[0] == '%' && p[1] >= '2' && p[1] <= '7'
                   && ngx_hextoi(p + 1, 2) != NGX_ERROR)
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "URI \"%V\" is matched decoded: write the "
                               "character instead of \"%*s\"",
                               text, (size_t) 3, p);
            return;
        }
    }
}


/* "status=" is not asked when a route is chosen */

void
ngx_http_webhook_api_warn_hidden(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route, ngx_uint_t n)
{
    ngx_uint_t                     apart;
    ngx_http_webhook_route_t      *first;
    ngx_http_webhook_api_route_t  *rp, *fp;

    first = ngx_http_webhook_api_hides(route, n);
    if (first == NULL) {
        return;
    }

    rp = route[n].priv;
    fp = first->priv;

    apart = !route[n].ignore && !first->ignore
            && ngx_memcmp(rp->status, fp->status, sizeof(rp->status)) != 0;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "route \"%V\" is never used, \"%V\" in %s:%ui takes all its "
                  "requests%s, in %s:%ui",
                  &rp->name, &fp->name, fp->file, fp->line,
                  apart ? ", whatever the status: a \"map\" of $status in "
                          "\"when=\" tells them apart" : "",
                  rp->file, rp->line);
}


ngx_uint_t
ngx_http_webhook_api_could(ngx_http_webhook_api_route_t *rp, ngx_str_t *uri,
    ngx_uint_t open)
{
    size_t   i, len;
    u_char  *p, *last;

    for (i = 0; i < uri->len; i++) {

        if (uri->data[i] == '%'
            || (uri->data[i] == '/' && i + 1 < uri->len
                && (uri->data[i + 1] == '/' || uri->data[i + 1] == '.')))
        {
            /* it is matched decoded */

            return 1;
        }
    }

    if (rp->type != NGX_HTTP_WEBHOOK_URI_REGEX) {

        if ((uri->len < rp->uri.len && !open)
            || (uri->len > rp->uri.len
                && rp->type == NGX_HTTP_WEBHOOK_URI_EXACT))
        {
            return 0;
        }

        len = ngx_min(uri->len, rp->uri.len);

        return ngx_memcmp(uri->data, rp->uri.data, len) == 0;
    }

#if (NGX_PCRE)

    if (!open) {
        return ngx_regex_exec(rp->regex->regex, uri, NULL, 0)
               != NGX_REGEX_NO_MATCHED;
    }

#endif

    p = rp->uri.data;
    last = p + rp->uri.len;

    if (rp->caseless || *p++ != '^'
        || ngx_http_webhook_api_alternatives(p, last))
    {
        return 1;
    }

    for (i = 0; i < uri->len; i++, p++) {

        if (p == last || ngx_strchr(NGX_HTTP_WEBHOOK_REGEX_SPECIAL, *p)
            || (p + 1 < last && ngx_strchr("?*{", p[1])))
        {
            return 1;
        }

        if (*p != uri->data[i]) {
            return 0;
        }
    }

    return 1;
}


/* an earlier route that takes all that the n-th could take, or NULL */

static ngx_http_webhook_route_t *
ngx_http_webhook_api_hides(ngx_http_webhook_route_t *route, ngx_uint_t n)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_route_t  *rp, *first;

    rp = route[n].priv;

    for (i = 0; i < n; i++) {

        first = route[i].priv;

        if (first->when == NULL
            && !(rp->methods & ~first->methods)
            && ngx_http_webhook_api_covers(first, rp))
        {
            return &route[i];
        }
    }

    return NULL;
}


/* of two regexes no more is known than that they are the same */

static ngx_uint_t
ngx_http_webhook_api_covers(ngx_http_webhook_api_route_t *first,
    ngx_http_webhook_api_route_t *rp)
{
    if (first->type == NGX_HTTP_WEBHOOK_URI_REGEX) {

#if (NGX_PCRE)
        if (rp->type == NGX_HTTP_WEBHOOK_URI_EXACT) {
            return ngx_regex_exec(first->regex->regex, &rp->uri, NULL, 0) >= 0;
        }
#endif

        return rp->type == NGX_HTTP_WEBHOOK_URI_REGEX
               && rp->uri.len == first->uri.len
               && ngx_memcmp(rp->uri.data, first->uri.data, rp->uri.len) == 0
               && (first->caseless || !rp->caseless);
    }

    if (rp->type == NGX_HTTP_WEBHOOK_URI_REGEX) {
        return first->type == NGX_HTTP_WEBHOOK_URI_PREFIX
               && (first->uri.len == 1
                   || ngx_http_webhook_api_begins(rp, &first->uri));
    }

    if (rp->uri.len < first->uri.len
        || ngx_memcmp(rp->uri.data, first->uri.data, first->uri.len) != 0)
    {
        return 0;
    }

    return first->type == NGX_HTTP_WEBHOOK_URI_PREFIX
           || (rp->type == NGX_HTTP_WEBHOOK_URI_EXACT
               && rp->uri.len == first->uri.len);
}


/* whether a regex takes only what begins so: "^/jobs/\d+$" with "/jobs/" */

static ngx_uint_t
ngx_http_webhook_api_begins(ngx_http_webhook_api_route_t *rp,
    ngx_str_t *prefix)
{
    u_char  *p, *last;
    size_t   i;

    p = rp->uri.data;
    last = p + rp->uri.len;

    if (rp->caseless || *p++ != '^'
        || ngx_http_webhook_api_alternatives(p, last))
    {
        return 0;
    }

    for (i = 0; i < prefix->len; i++) {

        if (last - p > 1 && *p == '\\'
            && ngx_strchr("/-" NGX_HTTP_WEBHOOK_REGEX_SPECIAL, p[1]))
        {
            p++;

        } else if (p < last && ngx_strchr(NGX_HTTP_WEBHOOK_REGEX_SPECIAL, *p)) {
            return 0;
        }

        if (p == last || *p++ != prefix->data[i]) {
            return 0;
        }
    }

    return p == last || (*p != '?' && *p != '*' && *p != '{');
}


/* "|" outside of groups */

static ngx_uint_t
ngx_http_webhook_api_alternatives(u_char *p, u_char *last)
{
    ngx_int_t  depth;

    depth = 0;

    for ( /* void */ ; p < last; p++) {

        switch (*p) {

        case '\\':
            p++;
            break;

        case '[':
            p += (last - p > 1 && p[1] == '^') ? 3 : 2;

            while (p < last && *p != ']') {
                p += (*p == '\\') ? 2 : 1;
            }

            break;

        case '(':
            depth++;
            break;

        case ')':
            depth--;
            break;

        case '|':
            if (depth == 0) {
                return 1;
            }

            break;
        }
    }

    return 0;
}
