
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich_conf: the lines "enrich" and "enrich_header" of webhook_api { } ->
 * what a route asks for when its answers make events.  Next room: enrich.
 */


#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_watch.h"


#define NGX_HTTP_WEBHOOK_ENRICH_TTL      300000    /* ms */
#define NGX_HTTP_WEBHOOK_ENRICH_HEADERS  10


static char *ngx_http_webhook_enrich_parameter(ngx_conf_t *cf,
    ngx_http_webhook_enrich_line_t *line, ngx_str_t *value);
static char *ngx_http_webhook_enrich_pointer(ngx_conf_t *cf,
    ngx_http_webhook_enrich_line_t *line, ngx_str_t *text);


/* what is sent anyway, or belongs to one request */

static ngx_str_t  ngx_http_webhook_enrich_reserved[] = {
    ngx_string("Authorization"),
    ngx_string("Cookie"),
    ngx_string("Host"),
    ngx_string("Accept"),
    ngx_string("Accept-Encoding"),
    ngx_string("User-Agent"),
    ngx_string("Connection"),
    ngx_string("Content-Length"),
    ngx_string("Content-Type"),
    ngx_string("Transfer-Encoding"),
    ngx_string("Expect"),
    ngx_string("Upgrade"),
    ngx_string("Range"),
    ngx_string("If-Range"),
    ngx_string("If-Match"),
    ngx_string("If-None-Match"),
    ngx_string("If-Modified-Since"),
    ngx_string("If-Unmodified-Since"),
    ngx_string("TE"),
    ngx_null_string
};


char *
ngx_http_webhook_enrich_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                             *rv;
    u_char                           *p;
    ngx_str_t                        *value, text;
    ngx_uint_t                        i;
    ngx_http_webhook_api_ctx_t       *ctx;
    ngx_http_webhook_enrich_line_t   *line, **lp;

    ctx = cf->handler_conf;
    value = cf->args->elts;

    if (ctx->api->enrich == NULL) {
        ctx->api->enrich = ngx_array_create(cf->pool, 4,
                                 sizeof(ngx_http_webhook_enrich_line_t *));
        if (ctx->api->enrich == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ctx->scope->enrich == NULL) {
        ctx->scope->enrich = ngx_array_create(cf->pool, 4,
                                 sizeof(ngx_http_webhook_enrich_line_t *));
        if (ctx->scope->enrich == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    line = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_enrich_line_t));
    if (line == NULL) {
        return NGX_CONF_ERROR;
    }

    line->name = value[1];
    line->ttl = NGX_CONF_UNSET_MSEC;
    line->file = cf->conf_file->file.name.data;
    line->line = cf->conf_file->line;

    if (ngx_http_webhook_api_conf_member(cf, &value[1], &line->member,
                                         &line->part)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown member \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (line->member == NGX_HTTP_WEBHOOK_EXECUTION
        && (line->part.len == 0
            || ngx_strcmp(line->part.data, "id") == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot be lacking, name a part as "
                           "\"execution.name\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lp = ctx->scope->enrich->elts;

    for (i = 0; i < ctx->scope->enrich->nelts; i++) {
        if (lp[i]->name.len == value[1].len
            && ngx_strncmp(lp[i]->name.data, value[1].data, value[1].len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate member \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (i == NGX_HTTP_WEBHOOK_ENRICH_LINES) {
        return "stands here more than 16 times";
    }

    line->uri = ngx_http_webhook_watch_compile_uri(cf, &value[2]);
    if (line->uri == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_http_webhook_enrich_parameter(cf, line, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (line->ttl == NGX_CONF_UNSET_MSEC) {
        line->ttl = NGX_HTTP_WEBHOOK_ENRICH_TTL;
    }

    if (line->pointers == NULL) {

        /* "/name" for "project.name", the document for "project" */

        text.data = ngx_pnalloc(cf->pool, line->part.len + 1);
        if (text.data == NULL) {
            return NGX_CONF_ERROR;
        }

        p = text.data;

        if (line->part.len) {
            *p++ = '/';
            p = ngx_cpymem(p, line->part.data, line->part.len);
        }

        text.len = p - text.data;

        rv = ngx_http_webhook_enrich_pointer(cf, line, &text);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    line->index = ctx->api->enrich->nelts;

    lp = ngx_array_push(ctx->api->enrich);
    if (lp == NULL) {
        return NGX_CONF_ERROR;
    }

    *lp = line;

    lp = ngx_array_push(ctx->scope->enrich);
    if (lp == NULL) {
        return NGX_CONF_ERROR;
    }

    *lp = line;

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_enrich_parameter(ngx_conf_t *cf,
    ngx_http_webhook_enrich_line_t *line, ngx_str_t *value)
{
    ngx_int_t  time;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "pointer=", 8) == 0) {
        s.data = value->data + 8;
        s.len = value->len - 8;

        return ngx_http_webhook_enrich_pointer(cf, line, &s);
    }

    if (ngx_strncmp(value->data, "ttl=", 4) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": \"pointer=POINTER\" or "
                           "\"ttl=TIME\" is expected",
                           value);
        return NGX_CONF_ERROR;
    }

    if (line->ttl != NGX_CONF_UNSET_MSEC) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                           value);
        return NGX_CONF_ERROR;
    }

    s.data = value->data + 4;
    s.len = value->len - 4;

    time = ngx_parse_time(&s, 0);

    if (time == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": a time as \"ttl=5m\" is "
                           "expected",
                           value);
        return NGX_CONF_ERROR;
    }

    line->ttl = time;

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_enrich_pointer(ngx_conf_t *cf,
    ngx_http_webhook_enrich_line_t *line, ngx_str_t *text)
{
    char                            *error;
    ngx_http_webhook_api_pointer_t  *pointer;

    if (line->pointers == NULL) {
        line->pointers = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_webhook_api_pointer_t));
        if (line->pointers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    pointer = ngx_array_push(line->pointers);
    if (pointer == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(pointer, sizeof(ngx_http_webhook_api_pointer_t));

    error = ngx_http_webhook_pointer_compile(cf->pool, text, 0,
                                             &pointer->pointer);
    if (error) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON Pointer \"%V\": %s", text, error);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_webhook_enrich_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                   *value, *name, *own;
    ngx_uint_t                   i, k;
    ngx_http_webhook_api_ctx_t  *ctx;

    ctx = cf->handler_conf;
    value = cf->args->elts;

    if (ctx->scope->enrich_headers == NULL) {
        ctx->scope->enrich_headers = ngx_array_create(cf->pool, 2,
                                                      sizeof(ngx_str_t));
        if (ctx->scope->enrich_headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (!ngx_http_webhook_token(&value[i])) {
            return "has an invalid name; no \":\" stands behind it";
        }

        for (name = ngx_http_webhook_enrich_reserved; name->len; name++) {
            if (name->len == value[i].len
                && ngx_strncasecmp(name->data, value[i].data, name->len) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "header \"%V\" is reserved", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        own = ctx->scope->enrich_headers->elts;

        for (k = 0; k < ctx->scope->enrich_headers->nelts; k++) {
            if (own[k].len == value[i].len
                && ngx_strncasecmp(own[k].data, value[i].data, own[k].len)
                   == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate header \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        if (k == NGX_HTTP_WEBHOOK_ENRICH_HEADERS) {
            return "has more than 10 names";
        }

        own = ngx_array_push(ctx->scope->enrich_headers);
        if (own == NULL) {
            return NGX_CONF_ERROR;
        }

        *own = value[i];
    }

    return NGX_CONF_OK;
}


/* a route's own lines replace the outer ones */

ngx_int_t
ngx_http_webhook_enrich_route(ngx_conf_t *cf, ngx_http_webhook_route_t *route,
    ngx_http_webhook_api_scope_t *outer)
{
    ngx_str_t                        name;
    ngx_uint_t                       i;
    ngx_array_t                     *lines;
    ngx_http_webhook_api_route_t    *rp;
    ngx_http_webhook_enrich_line_t **lp, **own;

    rp = route->priv;

    lines = rp->scope.enrich ? rp->scope.enrich : outer->enrich;

    route->enrich_headers = rp->scope.enrich_headers
                            ? rp->scope.enrich_headers : outer->enrich_headers;

    if (lines == NULL) {

        if (rp->scope.enrich_headers) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"enrich_header\" without \"enrich\" for \"route\" "
                          "\"%V\" in %s:%ui", &rp->name, rp->file, rp->line);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (route->ignore) {
        return NGX_OK;
    }

    lp = lines->elts;

    for (i = 0; i < lines->nelts; i++) {

        if (!ngx_http_webhook_watch_captured(rp, lp[i]->uri, &name)) {

            if (rp->scope.enrich == NULL) {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"enrich\" in %s:%ui needs \"$%V\", which is no "
                          "named capture of \"route\" \"%V\" in %s:%ui",
                          lp[i]->file, lp[i]->line, &name, &rp->name,
                          rp->file, rp->line);
            return NGX_ERROR;
        }

        if (route->enrich == NULL) {
            route->enrich = ngx_array_create(cf->pool, lines->nelts,
                                     sizeof(ngx_http_webhook_enrich_line_t *));
            if (route->enrich == NULL) {
                return NGX_ERROR;
            }
        }

        own = ngx_array_push(route->enrich);
        if (own == NULL) {
            return NGX_ERROR;
        }

        *own = lp[i];
    }

    return NGX_OK;
}


void
ngx_http_webhook_enrich_warn(ngx_conf_t *cf, ngx_http_webhook_api_t *api,
    ngx_http_webhook_api_scope_t *outer)
{
    ngx_str_t                         name;
    ngx_uint_t                        i, k, lacks;
    ngx_http_webhook_route_t         *route;
    ngx_http_webhook_api_route_t     *rp;
    ngx_http_webhook_enrich_line_t  **lp;

    if (outer->enrich == NULL) {
        return;
    }

    lp = outer->enrich->elts;
    route = api->routes.elts;

    for (i = 0; i < outer->enrich->nelts; i++) {

        lacks = 0;

        for (k = 0; k < api->routes.nelts; k++) {

            rp = route[k].priv;

            if (route[k].ignore || rp->scope.enrich) {
                continue;
            }

            if (ngx_http_webhook_watch_captured(rp, lp[i]->uri, &name)) {
                break;
            }

            lacks = 1;
        }

        if (k == api->routes.nelts && lacks) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"enrich\" in %s:%ui has no effect, as \"$%V\" is "
                          "a named capture of no \"route\" of webhook_api "
                          "\"%V\"",
                          lp[i]->file, lp[i]->line, &name, &api->name);
        }
    }
}
