
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_route_conf: route METHOD URI [status=] [when=] [body=] { } of
 * webhook_api { } -> which requests and statuses it takes.  What stands in the
 * block is read by api_conf.  Next room: api_route, which matches requests.
 */


#include "ngx_http_webhook_api_priv.h"


/* nginx has no names for these */

#define NGX_HTTP_WEBHOOK_STATUS_GONE           410
#define NGX_HTTP_WEBHOOK_STATUS_UNPROCESSABLE  422
#define NGX_HTTP_WEBHOOK_STATUS_LOCKED         423
#define NGX_HTTP_WEBHOOK_STATUS_TOO_EARLY      425


static char *ngx_http_webhook_api_route_methods(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *value);
static char *ngx_http_webhook_api_route_uri(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *value);
static char *ngx_http_webhook_api_route_plain(ngx_conf_t *cf,
    ngx_str_t *value);
static char *ngx_http_webhook_api_route_regex(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *value);
#if (NGX_PCRE)
static void ngx_http_webhook_api_route_end(ngx_http_webhook_api_route_t *rp,
    ngx_uint_t options);
#endif
static char *ngx_http_webhook_api_route_status(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, u_char *p, u_char *last);
static ngx_int_t ngx_http_webhook_api_route_range(u_char *p, size_t len,
    ngx_uint_t *first, ngx_uint_t *last);
static void ngx_http_webhook_api_route_accept(ngx_http_webhook_api_route_t *rp,
    ngx_uint_t first, ngx_uint_t last);
static char *ngx_http_webhook_api_route_when(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, u_char *p, u_char *last);
static ngx_uint_t ngx_http_webhook_api_route_always(ngx_str_t *value);
static char *ngx_http_webhook_api_route_block(ngx_conf_t *cf,
    ngx_http_webhook_route_t *from);


char *
ngx_http_webhook_api_conf_route(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                          *rv;
    u_char                        *last;
    ngx_str_t                     *value;
    ngx_uint_t                     i, status, blind, text;
    ngx_http_webhook_route_t       route;
    ngx_http_webhook_api_route_t  *rp;

    value = cf->args->elts;

    rp = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_api_route_t));
    if (rp == NULL) {
        return NGX_CONF_ERROR;
    }

    rp->file = cf->conf_file->file.name.data;
    rp->line = cf->conf_file->line;

    rp->name.data = ngx_pnalloc(cf->pool, value[1].len + 1 + value[2].len);
    if (rp->name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    rp->name.len = ngx_sprintf(rp->name.data, "%V %V", &value[1], &value[2])
                   - rp->name.data;

    rv = ngx_http_webhook_api_route_methods(cf, rp, &value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_webhook_api_route_uri(cf, rp, &value[2]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    status = 0;
    blind = 0;
    text = 0;

    for (i = 3; i < cf->args->nelts; i++) {

        last = value[i].data + value[i].len;

        if (ngx_strncmp(value[i].data, "status=", 7) == 0) {

            if (status++) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate \"status\" parameter");
                return NGX_CONF_ERROR;
            }

            rv = ngx_http_webhook_api_route_status(cf, rp, value[i].data + 7,
                                                   last);

        } else if (ngx_strncmp(value[i].data, "when=", 5) == 0) {

            rv = ngx_http_webhook_api_route_when(cf, rp, value[i].data + 5,
                                                 last);

        } else if (ngx_strcmp(value[i].data, "body=off") == 0
                   || ngx_strcmp(value[i].data, "body=text") == 0)
        {
            if (blind || text) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate \"body\" parameter");
                return NGX_CONF_ERROR;
            }

            blind = (value[i].data[5] == 'o');
            text = !blind;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": \"status=\", "
                               "\"when=\", \"body=off\" or \"body=text\" is "
                               "expected", &value[i]);
            rv = NGX_CONF_ERROR;
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (status == 0) {
        ngx_http_webhook_api_route_accept(rp, 200, 299);
    }

    ngx_memzero(&route, sizeof(ngx_http_webhook_route_t));

    route.blind = blind;
    route.text = text;
    route.priv = rp;

    return ngx_http_webhook_api_route_block(cf, &route);
}


char *
ngx_http_webhook_api_conf_also(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_array_t                   *routes;
    ngx_http_webhook_route_t      *first, route;
    ngx_http_webhook_api_ctx_t    *ctx;
    ngx_http_webhook_api_route_t  *of, *rp;

    ctx = cf->handler_conf;
    routes = &ctx->api->routes;

    if (routes->nelts == 0) {
        return "has no \"route\" before it";
    }

    first = routes->elts;
    first += routes->nelts - 1;

    if (first->ignore) {
        return "reads nothing behind a \"route\" with \"ignore\"";
    }

    rp = ngx_palloc(cf->pool, sizeof(ngx_http_webhook_api_route_t));
    if (rp == NULL) {
        return NGX_CONF_ERROR;
    }

    of = first->priv;
    *rp = *of;

    ngx_memzero(&rp->scope, sizeof(ngx_http_webhook_api_scope_t));

    rp->file = cf->conf_file->file.name.data;
    rp->line = cf->conf_file->line;

    rp->name.data = ngx_pnalloc(cf->pool, of->name.len + sizeof(" also") - 1);
    if (rp->name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    rp->name.len = ngx_sprintf(rp->name.data, "%V also", &of->name)
                   - rp->name.data;

    ngx_memzero(&route, sizeof(ngx_http_webhook_route_t));

    route.blind = first->blind;
    route.text = first->text;
    route.second = 1;
    route.priv = rp;

    return ngx_http_webhook_api_route_block(cf, &route);
}


/* "from": what is known of the route before its block is read */

static char *
ngx_http_webhook_api_route_block(ngx_conf_t *cf,
    ngx_http_webhook_route_t *from)
{
    char                          *rv;
    ngx_conf_t                     save;
    ngx_http_webhook_api_ctx_t    *ctx;
    ngx_http_webhook_api_route_t  *rp;

    ctx = cf->handler_conf;
    rp = from->priv;

    ctx->route = ngx_array_push(&ctx->api->routes);
    if (ctx->route == NULL) {
        return NGX_CONF_ERROR;
    }

    *ctx->route = *from;
    ctx->scope = &rp->scope;

    save = *cf;
    cf->cmd_type = NGX_HTTP_WEBHOOK_ROUTE_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    ctx->route = NULL;
    ctx->scope = &ctx->outer;

    return rv;
}


static char *
ngx_http_webhook_api_route_methods(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *value)
{
    u_char     *p, *last;
    uint32_t    bit;
    ngx_str_t   method;

    if (value->len == 1 && value->data[0] == '*') {
        rp->methods = NGX_HTTP_WEBHOOK_METHOD_ANY;
        return NGX_CONF_OK;
    }

    method.data = value->data;
    last = value->data + value->len;

    for ( ;; ) {

        p = ngx_strlchr(method.data, last, ',');

        method.len = (p ? p : last) - method.data;

        bit = ngx_http_webhook_api_method(&method);

        if (bit == NGX_HTTP_WEBHOOK_METHOD_OTHER) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown method \"%V\" in \"%V\": one is "
                               "written as \"GET\", several as \"GET,POST\"",
                               &method, value);
            return NGX_CONF_ERROR;
        }

        if (rp->methods & bit) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate method \"%V\" in \"%V\"",
                               &method, value);
            return NGX_CONF_ERROR;
        }

        rp->methods |= bit;

        if (p == NULL) {
            break;
        }

        method.data = p + 1;
    }

    if (ngx_strcmp(value->data, "HEAD") == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "answers to \"HEAD\" are never read");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_api_route_uri(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *value)
{
    u_char  *star;

    if (value->len && value->data[0] == '~') {
        return ngx_http_webhook_api_route_regex(cf, rp, value);
    }

    if (value->len == 0 || value->data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it must begin with \"/\" or "
                           "\"~\"", value);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_webhook_api_route_plain(cf, value) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    rp->uri = *value;
    rp->type = NGX_HTTP_WEBHOOK_URI_EXACT;

    star = ngx_strlchr(value->data, value->data + value->len, '*');

    if (star == NULL) {
        return NGX_CONF_OK;
    }

    if (star != value->data + value->len - 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", \"*\" may only stand at its "
                           "end, use a regex", value);
        return NGX_CONF_ERROR;
    }

    rp->uri.len--;
    rp->type = NGX_HTTP_WEBHOOK_URI_PREFIX;

    return NGX_CONF_OK;
}


/* what no path has any more when it is matched */

static char *
ngx_http_webhook_api_route_plain(ngx_conf_t *cf, ngx_str_t *value)
{
    u_char  *p, *last;

    last = value->data + value->len;

    if (ngx_strlchr(value->data, last, '?')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it is matched without the "
                           "query, use \"when=\" with $args or $arg_...",
                           value);
        return NGX_CONF_ERROR;
    }

    p = ngx_strlchr(value->data, last, '{');

    if (p == NULL) {
        p = (u_char *) ngx_strstr(value->data, "/:");
    }

    if (p) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", what differs is matched by a "
                           "regex, as \"~^/jobs/(?<job>[^/]+)$\"", value);
        return NGX_CONF_ERROR;
    }

    for (p = value->data; p + 2 < last; p++) {

        if (p[0] == '%' && ngx_hextoi(p + 1, 2) != NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid URI \"%V\", it is matched decoded: "
                               "write the character instead of \"%*s\"",
                               value, (size_t) 3, p);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_api_route_regex(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *value)
{
#if (NGX_PCRE)
    u_char               *p, errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t   rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern.data = value->data + 1;
    rc.pattern.len = value->len - 1;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (rc.pattern.len && rc.pattern.data[0] == '*') {
        rc.pattern.data++;
        rc.pattern.len--;
        rc.options = NGX_REGEX_CASELESS;
        rp->caseless = 1;
    }

    if (rc.pattern.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty regex in \"%V\", no space stands behind it",
                           value);
        return NGX_CONF_ERROR;
    }

    rp->uri = rc.pattern;
    rp->type = NGX_HTTP_WEBHOOK_URI_REGEX;
    rp->regex = ngx_http_regex_compile(cf, &rc);

    if (rp->regex) {
        ngx_http_webhook_api_warn_regex(cf, value);
        ngx_http_webhook_api_route_end(rp, rc.options);
        return NGX_CONF_OK;
    }

    p = value->data;

    if (rc.regex == NULL
        && p[strcspn((char *) p, "{}; \t\r\n")] == '\0')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a regex with \"{\", \"}\", \";\" or a space must "
                           "be quoted");
    }

    return NGX_CONF_ERROR;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "using regex \"%V\" requires PCRE library", value);
    return NGX_CONF_ERROR;

#endif
}


#if (NGX_PCRE)

/* "/jobs$" and the like need no regex */

static void
ngx_http_webhook_api_route_end(ngx_http_webhook_api_route_t *rp,
    ngx_uint_t options)
{
    size_t  n;

    n = strcspn((char *) rp->uri.data, "\\^$.[]|()?*+{}");

    if (n + 1 == rp->uri.len && rp->uri.data[n] == '$'
        && !(options & NGX_REGEX_CASELESS))
    {
        rp->end.data = rp->uri.data;
        rp->end.len = n;
    }
}

#endif


static char *
ngx_http_webhook_api_route_status(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, u_char *p, u_char *last)
{
    u_char      *comma;
    ngx_str_t    text;
    ngx_uint_t   from, to;

    for ( ;; ) {

        comma = ngx_strlchr(p, last, ',');

        text.data = p;
        text.len = (comma ? comma : last) - p;

        if (ngx_http_webhook_api_route_range(text.data, text.len, &from, &to)
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid status \"%V\", it must be one as "
                               "\"200\", \"2xx\" or \"200-204\", from 200 to "
                               "399, and neither 206 nor 304; or 404, 408, "
                               "409, 410, 422, 423 or 425", &text);
            return NGX_CONF_ERROR;
        }

        ngx_http_webhook_api_route_accept(rp, from, to);

        if (comma == NULL) {
            return NGX_CONF_OK;
        }

        p = comma + 1;
    }
}


static ngx_int_t
ngx_http_webhook_api_route_range(u_char *p, size_t len, ngx_uint_t *first,
    ngx_uint_t *last)
{
    if (len == 3 && (p[0] == '2' || p[0] == '3') && p[1] == 'x'
        && p[2] == 'x')
    {
        *first = (p[0] - '0') * 100;
        *last = *first + 99;

        return NGX_OK;
    }

    if (len != 3 && (len != 7 || p[3] != '-')) {
        return NGX_ERROR;
    }

    *first = ngx_atoi(p, 3);
    *last = (len == 7) ? (ngx_uint_t) ngx_atoi(p + 4, 3) : *first;

    if (*first == *last) {

        switch (*first) {

        case NGX_HTTP_NOT_FOUND:
        case NGX_HTTP_REQUEST_TIME_OUT:
        case NGX_HTTP_CONFLICT:
        case NGX_HTTP_WEBHOOK_STATUS_GONE:
        case NGX_HTTP_WEBHOOK_STATUS_UNPROCESSABLE:
        case NGX_HTTP_WEBHOOK_STATUS_LOCKED:
        case NGX_HTTP_WEBHOOK_STATUS_TOO_EARLY:
            return NGX_OK;

        case NGX_HTTP_PARTIAL_CONTENT:
        case NGX_HTTP_NOT_MODIFIED:
            return NGX_ERROR;
        }
    }

    return (*first < 200 || *first > *last || *last > 399) ? NGX_ERROR
                                                           : NGX_OK;
}


/* a part of a document, or none, is never read */

static void
ngx_http_webhook_api_route_accept(ngx_http_webhook_api_route_t *rp,
    ngx_uint_t first, ngx_uint_t last)
{
    ngx_uint_t  i;

    for (i = first; i <= last; i++) {
        if (i != NGX_HTTP_PARTIAL_CONTENT && i != NGX_HTTP_NOT_MODIFIED) {
            rp->status[(i - 200) / 8] |= 1 << ((i - 200) % 8);
        }
    }
}


static char *
ngx_http_webhook_api_route_when(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, u_char *p, u_char *last)
{
    ngx_str_t                          value;
    ngx_http_compile_complex_value_t   ccv;

    if (rp->when) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"when\" parameter");
        return NGX_CONF_ERROR;
    }

    value.data = p;
    value.len = last - p;

    if (value.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty \"when\" parameter");
        return NGX_CONF_ERROR;
    }

    if (*p == '"' || *p == '\'') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the whole parameter must be quoted: "
                           "\"when=...\"");
        return NGX_CONF_ERROR;
    }

    rp->when = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (rp->when == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value;
    ccv.complex_value = rp->when;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (rp->when->lengths == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no variable in \"when=%V\"", &value);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_webhook_api_route_always(&value)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"when=%V\" always holds, as it is never empty, "
                           "use a \"map\" to compare", &value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* text beside variables leaves it neither empty nor, but for one 0, "0" */

static ngx_uint_t
ngx_http_webhook_api_route_always(ngx_str_t *value)
{
    u_char      *p, *last, ch;
    ngx_uint_t   zeros;

    zeros = 0;
    last = value->data + value->len;

    for (p = value->data; p < last; p++) {

        if (*p == '0' && zeros++ == 0) {
            continue;
        }

        if (*p != '$') {
            return 1;
        }

        if (p + 1 < last && p[1] == '{') {

            /* it was compiled, so the other bracket is there */

            while (*p != '}') {
                p++;
            }

            continue;
        }

        for ( /* void */ ; p + 1 < last; p++) {
            ch = p[1] | 0x20;

            if ((ch < 'a' || ch > 'z') && p[1] != '_'
                && (p[1] < '0' || p[1] > '9'))
            {
                break;
            }
        }
    }

    return 0;
}
