
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch_conf: the lines "watch" and "watch_header" of webhook_api { } -> what
 * a route asks for when it has launched something; and the servers in which
 * that may happen, by a hash that a reload does not change.  Next room: watch.
 */


#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_conf.h"


#define NGX_HTTP_WEBHOOK_WATCH_EVERY    5000      /* ms */
#define NGX_HTTP_WEBHOOK_WATCH_FASTEST  100       /* ms */
#define NGX_HTTP_WEBHOOK_WATCH_PERIOD   86400000  /* ms */
#define NGX_HTTP_WEBHOOK_WATCH_HEADERS  10


static char *ngx_http_webhook_watch_parameter(ngx_conf_t *cf,
    ngx_http_webhook_watch_t *watch, ngx_str_t *value);
static ngx_uint_t ngx_http_webhook_watch_variable(ngx_str_t *text);
static ngx_int_t ngx_http_webhook_watch_captures(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route, ngx_http_webhook_watch_t *watch,
    ngx_array_t *parts, ngx_uint_t own);
static ngx_uint_t ngx_http_webhook_watch_given(
    ngx_http_webhook_api_route_t *rp, ngx_array_t *parts, ngx_str_t *name);
static void ngx_http_webhook_watch_warn_line(ngx_conf_t *cf,
    ngx_http_webhook_api_t *api, ngx_http_webhook_watch_t *watch);
static ngx_uint_t ngx_http_webhook_watch_same(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route, ngx_http_webhook_watch_t *watch);
static void ngx_http_webhook_watch_server(ngx_http_core_main_conf_t *cmcf,
    ngx_http_webhook_watch_server_t *watched);


static ngx_str_t  ngx_http_webhook_watch_reserved[] = {
    ngx_string("Content-Length"),
    ngx_string("Transfer-Encoding"),
    ngx_string("Connection"),
    ngx_string("Accept-Encoding"),
    ngx_string("Expect"),
    ngx_string("Upgrade"),
    ngx_string("Range"),
    ngx_string("TE"),
    ngx_null_string
};


char *
ngx_http_webhook_watch_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    uint32_t                     bit;
    ngx_str_t                   *value;
    ngx_uint_t                   i, n;
    ngx_http_webhook_watch_t    *watch;
    ngx_http_webhook_api_ctx_t  *ctx;

    ctx = cf->handler_conf;
    value = cf->args->elts;

    if (ctx->scope->watch) {
        return "is duplicate";
    }

    watch = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_watch_t));
    if (watch == NULL) {
        return NGX_CONF_ERROR;
    }

    watch->file = cf->conf_file->file.name.data;
    watch->line = cf->conf_file->line;

    watch->method = NGX_HTTP_GET;
    ngx_str_set(&watch->method_name, "GET");

    n = 1;

    if (value[1].len && value[1].data[0] != '/' && cf->args->nelts > 2) {

        watch->method_name = value[1];
        bit = ngx_http_webhook_api_method(&value[1]);

        if (value[1].len == 4 && ngx_strcmp(value[1].data, "POST") == 0) {
            watch->method = NGX_HTTP_POST;

        } else if (value[1].len == 3 && ngx_strcmp(value[1].data, "PUT") == 0)
        {
            watch->method = NGX_HTTP_PUT;

        } else if (value[1].len != 3
                   || ngx_strcmp(value[1].data, "GET") != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s method \"%V\", it must be GET, POST or PUT",
                               bit == NGX_HTTP_WEBHOOK_METHOD_OTHER
                               ? "unknown" : "unusable", &value[1]);
            return NGX_CONF_ERROR;
        }

        n = 2;
    }

    watch->uri = ngx_http_webhook_watch_compile_uri(cf, &value[n]);
    if (watch->uri == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = n + 1; i < cf->args->nelts; i++) {
        rv = ngx_http_webhook_watch_parameter(cf, watch, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (watch->body && watch->method == NGX_HTTP_GET) {
        return "has a \"body=\" for GET";
    }

    if (watch->every == 0) {
        watch->every = NGX_HTTP_WEBHOOK_WATCH_EVERY;
    }

    if (watch->period == 0) {
        watch->period = NGX_HTTP_WEBHOOK_WATCH_PERIOD;
    }

    if (watch->period < watch->every) {
        return "has a \"for=\" that is less than \"every=\"";
    }

    ctx->scope->watch = watch;

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_watch_parameter(ngx_conf_t *cf,
    ngx_http_webhook_watch_t *watch, ngx_str_t *value)
{
    ngx_int_t    time;
    ngx_str_t    s;
    ngx_msec_t  *field;

    if (ngx_strncmp(value->data, "body=", 5) == 0) {

        if (watch->body) {
            goto duplicate;
        }

        s.data = value->data + 5;
        s.len = value->len - 5;

        watch->body = ngx_http_webhook_watch_compile(cf, &s);

        return watch->body ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "every=", 6) == 0) {
        field = &watch->every;
        s.data = value->data + 6;

    } else if (ngx_strncmp(value->data, "for=", 4) == 0) {
        field = &watch->period;
        s.data = value->data + 4;

    } else {
        goto invalid;
    }

    s.len = value->data + value->len - s.data;

    if (*field) {
        goto duplicate;
    }

    time = ngx_parse_time(&s, 0);

    if (time == NGX_ERROR || time < NGX_HTTP_WEBHOOK_WATCH_FASTEST) {
        goto invalid;
    }

    *field = time;

    return NGX_CONF_OK;

duplicate:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate parameter \"%V\"",
                       value);
    return NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": \"every=TIME\", "
                       "\"for=TIME\" (at least 100ms) or \"body=TEXT\" is "
                       "expected", value);
    return NGX_CONF_ERROR;
}


/* "$token", "Bearer ${token}" */

static ngx_uint_t
ngx_http_webhook_watch_variable(ngx_str_t *text)
{
    u_char  ch, *p, *last;

    last = text->data + text->len;

    for (p = text->data; p + 1 < last; p++) {

        if (*p != '$' || (p > text->data && p[-1] != ' ')) {
            continue;
        }

        ch = p[1] | 0x20;

        if ((ch >= 'a' && ch <= 'z') || p[1] == '_' || p[1] == '{') {
            return 1;
        }
    }

    return 0;
}


/* a value is never shown: it may be a credential */

char *
ngx_http_webhook_watch_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                   *value, *name, text;
    ngx_uint_t                   i, hidden;
    ngx_keyval_t                *header;
    ngx_http_webhook_api_ctx_t  *ctx;

    ctx = cf->handler_conf;
    value = cf->args->elts;

    if (!ngx_http_webhook_token(&value[1])) {
        return "has an invalid name; no \":\" stands behind it";
    }

    for (name = ngx_http_webhook_watch_reserved; name->len; name++) {
        if (name->len == value[1].len
            && ngx_strncasecmp(name->data, value[1].data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "header \"%V\" is reserved", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (ctx->scope->watch_headers == NULL) {
        ctx->scope->watch_headers = ngx_array_create(cf->pool, 2,
                                                     sizeof(ngx_keyval_t));
        if (ctx->scope->watch_headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    header = ctx->scope->watch_headers->elts;

    for (i = 0; i < ctx->scope->watch_headers->nelts; i++) {
        if (header[i].key.len == value[1].len
            && ngx_strncasecmp(header[i].key.data, value[1].data,
                               value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate header \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (i == NGX_HTTP_WEBHOOK_WATCH_HEADERS) {
        return "stands here more than 10 times";
    }

    if (ngx_http_webhook_value_text(cf, &value[2], &text, &hidden) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (text.len == 0) {
        return "has an empty value";
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return "has a value with a control byte";
        }
    }

    if (!hidden && ngx_http_webhook_watch_variable(&text)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the value of header \"%V\" looks like a variable, "
                           "but is sent as it is written", &value[1]);
    }

    header = ngx_array_push(ctx->scope->watch_headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    header->key = value[1];
    header->value = text;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_webhook_watch_route(ngx_conf_t *cf, ngx_http_webhook_api_t *api,
    ngx_http_webhook_route_t *route, ngx_http_webhook_api_scope_t *outer)
{
    ngx_int_t                      rc;
    ngx_uint_t                     own;
    ngx_array_t                   *headers;
    ngx_http_webhook_watch_t      *watch, *copy;
    ngx_http_webhook_api_route_t  *rp;

    rp = route->priv;

    own = (rp->scope.watch != NULL);
    watch = (own || route->second) ? rp->scope.watch : outer->watch;
    headers = rp->scope.watch_headers ? rp->scope.watch_headers
                                      : outer->watch_headers;

    if (watch == NULL) {

        if (rp->scope.watch_headers) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"watch_header\" without \"watch\" for \"route\" "
                          "\"%V\" in %s:%ui", &rp->name, rp->file, rp->line);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (route->ignore) {
        return NGX_OK;
    }

    rc = ngx_http_webhook_watch_captures(cf, route, watch, watch->uri, own);

    if (rc == NGX_OK && watch->body) {
        rc = ngx_http_webhook_watch_captures(cf, route, watch, watch->body,
                                             own);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    copy = ngx_palloc(cf->pool, sizeof(ngx_http_webhook_watch_t));
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *watch;

    copy->headers = headers;
    copy->api = ngx_crc32_short(api->name.data, api->name.len);
    copy->route = ngx_crc32_short(rp->name.data, rp->name.len);

    /* of several of one name each has its own */

    if (rp->when) {
        copy->route += ngx_crc32_short(rp->when->value.data,
                                       rp->when->value.len);
    }

    route->watch = copy;

    return NGX_OK;
}


/*
 * NGX_DECLINED: the route, which launches nothing, lacks what an outer line
 * needs, and has no watch.
 */

static ngx_int_t
ngx_http_webhook_watch_captures(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route, ngx_http_webhook_watch_t *watch,
    ngx_array_t *parts, ngx_uint_t own)
{
    ngx_str_t                      name;
    ngx_uint_t                     captured;
    ngx_http_webhook_api_route_t  *rp;

    rp = route->priv;

    captured = ngx_http_webhook_watch_captured(rp, parts, &name);

    if (captured && ngx_http_webhook_watch_given(rp, parts, &name)) {
        return NGX_OK;
    }

    if (!own && !route->launch && !route->rerun) {
        return NGX_DECLINED;
    }

    if (captured) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"watch\" in %s:%ui needs \"${%V}\", which no line "
                      "finds in responses of \"route\" \"%V\" in %s:%ui",
                      watch->file, watch->line, &name, &rp->name, rp->file,
                      rp->line);
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"watch\" in %s:%ui needs \"$%V\", which is no named "
                  "capture of \"route\" \"%V\" in %s:%ui",
                  watch->file, watch->line, &name, &rp->name, rp->file,
                  rp->line);

    return NGX_ERROR;
}


/* whether responses may have all members; if not, *name is one of the others */

static ngx_uint_t
ngx_http_webhook_watch_given(ngx_http_webhook_api_route_t *rp,
    ngx_array_t *parts, ngx_str_t *name)
{
    ngx_uint_t                      i, n;
    ngx_http_webhook_watch_part_t  *part;
    ngx_http_webhook_api_member_t  *member;

    part = parts->elts;

    for (i = 0; i < parts->nelts; i++) {

        if (part[i].index != NGX_HTTP_WEBHOOK_WATCH_MEMBER
            || (part[i].member == NGX_HTTP_WEBHOOK_EXECUTION
                && ngx_strcmp(part[i].part.data, "id") == 0))
        {
            continue;
        }

        member = rp->scope.members ? rp->scope.members->elts : NULL;
        n = rp->scope.members ? rp->scope.members->nelts : 0;

        while (n
               && (member->member != part[i].member
                   || (member->name.len
                       && ngx_strcmp(member->name.data, part[i].part.data)
                          != 0)))
        {
            member++;
            n--;
        }

        if (n == 0) {
            *name = part[i].name;
            return 0;
        }
    }

    return 1;
}


void
ngx_http_webhook_watch_warn(ngx_conf_t *cf, ngx_http_webhook_api_t *api)
{
    ngx_uint_t                 i, k;
    ngx_http_webhook_route_t  *route;

    route = api->routes.elts;

    for (i = 0; i < api->routes.nelts; i++) {

        if (route[i].watch == NULL) {
            continue;
        }

        /* an outer line is that of several */

        for (k = 0; k < i; k++) {
            if (route[k].watch && route[k].watch->uri == route[i].watch->uri) {
                break;
            }
        }

        if (k == i) {
            ngx_http_webhook_watch_warn_line(cf, api, route[i].watch);
        }
    }
}


static void
ngx_http_webhook_watch_warn_line(ngx_conf_t *cf, ngx_http_webhook_api_t *api,
    ngx_http_webhook_watch_t *watch)
{
    u_char                         *query;
    uint32_t                        method;
    ngx_str_t                       path;
    ngx_uint_t                      i, open;
    ngx_http_webhook_route_t       *route;
    ngx_http_webhook_api_route_t   *rp;
    ngx_http_webhook_watch_part_t  *part;

    part = watch->uri->elts;
    path = part->literal;
    open = (watch->uri->nelts > 1);

    query = ngx_strlchr(path.data, path.data + path.len, '?');

    if (query) {
        path.len = query - path.data;
        open = 0;
    }

    method = ngx_http_webhook_api_method(&watch->method_name);
    route = api->routes.elts;

    for (i = 0; i < api->routes.nelts; i++) {

        rp = route[i].priv;

        if (route[i].second || route[i].ignore
            || !(rp->methods & method)
            || !ngx_http_webhook_api_could(rp, &path, open))
        {
            continue;
        }

        if (rp->when == NULL && !open
            && ngx_http_webhook_watch_same(cf, &route[i], watch))
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"watch\" in %s:%ui asks for the same execution, "
                          "whichever it is for, as \"id\" of \"route\" \"%V\" "
                          "in %s:%ui is in the URI",
                          watch->file, watch->line, &rp->name, rp->file,
                          rp->line);
        }

        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"watch\" in %s:%ui has no effect, as no \"route\" of "
                  "webhook_api \"%V\" takes its requests",
                  watch->file, watch->line, &api->name);
}


/* the request never differs, and the id is nothing but a part of its path */

static ngx_uint_t
ngx_http_webhook_watch_same(ngx_conf_t *cf, ngx_http_webhook_route_t *route,
    ngx_http_webhook_watch_t *watch)
{
#if (NGX_PCRE)

    ngx_uint_t                     i;
    ngx_http_webhook_api_route_t  *rp;
    ngx_http_webhook_api_value_t  *value;

    if (watch->uri->nelts > 1 || (watch->body && watch->body->nelts > 1)
        || route->also)
    {
        return 0;
    }

    rp = route->priv;
    value = rp->scope.id->elts;

    for (i = 0; i < rp->scope.id->nelts; i++) {
        if (value[i].text == NULL
            || !ngx_http_webhook_api_captures(cf, rp, &value[i].name))
        {
            return 0;
        }
    }

    return 1;

#else

    return 0;

#endif
}


ngx_int_t
ngx_http_webhook_watch_init(ngx_conf_t *cf)
{
    ngx_str_t                         name;
    ngx_uint_t                        i;
    ngx_http_core_srv_conf_t        **cscfp;
    ngx_http_core_main_conf_t        *cmcf;
    ngx_http_webhook_main_conf_t     *mcf;
    ngx_http_webhook_watch_server_t  *server;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_array_init(&mcf->watched, cf->pool, cmcf->servers.nelts + 1,
                       sizeof(ngx_http_webhook_watch_server_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        server = ngx_array_push(&mcf->watched);
        if (server == NULL) {
            return NGX_ERROR;
        }

        server->cscf = cscfp[i];

        ngx_http_webhook_watch_server(cmcf, server);
    }

    ngx_str_set(&name, "scheme");
    mcf->scheme = ngx_http_get_variable_index(cf, &name);

    ngx_str_set(&name, "https");
    mcf->https = ngx_http_get_variable_index(cf, &name);

    return (mcf->scheme == NGX_ERROR || mcf->https == NGX_ERROR) ? NGX_ERROR
                                                                 : NGX_OK;
}


/* a hash of its name and where it listens, in any order */

static void
ngx_http_webhook_watch_server(ngx_http_core_main_conf_t *cmcf,
    ngx_http_webhook_watch_server_t *watched)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i, k, n;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_srv_conf_t  **server;

    name = &watched->cscf->server_name;

    watched->hash = ngx_crc32_short(name->data, name->len);
    watched->secure = 0;

    if (cmcf->ports == NULL) {
        return;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (k = 0; k < port[i].addrs.nelts; k++) {
            server = addr[k].servers.elts;

            for (n = 0; n < addr[k].servers.nelts; n++) {

                if (server[n] != watched->cscf) {
                    continue;
                }

                watched->hash += ngx_crc32_short(addr[k].opt.addr_text.data,
                                                 addr[k].opt.addr_text.len);
                watched->secure |= addr[k].opt.ssl;
            }
        }
    }
}
