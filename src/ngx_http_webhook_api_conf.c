
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_conf: the block webhook_api { } -> a description with its routes.  Its
 * directives are those of a module of its own, so that nginx itself judges
 * their names, places and numbers of arguments.  Next room: api.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_watch.h"


static char *ngx_http_webhook_api_name(ngx_conf_t *cf,
    ngx_http_webhook_main_conf_t *mcf, ngx_str_t *name);
static char *ngx_http_webhook_api_finish(ngx_conf_t *cf,
    ngx_http_webhook_api_ctx_t *ctx);
static ngx_uint_t ngx_http_webhook_api_bodyless(
    ngx_http_webhook_api_scope_t *scope);
static ngx_uint_t ngx_http_webhook_api_bare(
    ngx_http_webhook_api_scope_t *scope);
static ngx_uint_t ngx_http_webhook_api_itself(ngx_array_t *values);
static char *ngx_http_webhook_api_kind(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_api_each(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_api_omit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_api_values(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_webhook_api_commands[] = {

    { ngx_string("include"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_TAKE1,
      ngx_http_webhook_api_conf_include,
      0,
      0,
      NULL },

    { ngx_string("route"),
      NGX_MAIN_CONF|NGX_HTTP_WEBHOOK_API_CONF|NGX_CONF_BLOCK|NGX_CONF_2MORE,
      ngx_http_webhook_api_conf_route,
      0,
      0,
      NULL },

    { ngx_string("also"),
      NGX_MAIN_CONF|NGX_HTTP_WEBHOOK_API_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_webhook_api_conf_also,
      0,
      0,
      NULL },

    { ngx_string("launch"),
      NGX_MAIN_CONF|NGX_HTTP_WEBHOOK_ROUTE_CONF|NGX_CONF_NOARGS,
      ngx_http_webhook_api_kind,
      0,
      0,
      NULL },

    { ngx_string("rerun"),
      NGX_MAIN_CONF|NGX_HTTP_WEBHOOK_ROUTE_CONF|NGX_CONF_NOARGS,
      ngx_http_webhook_api_kind,
      0,
      0,
      NULL },

    { ngx_string("ignore"),
      NGX_MAIN_CONF|NGX_HTTP_WEBHOOK_ROUTE_CONF|NGX_CONF_NOARGS,
      ngx_http_webhook_api_kind,
      0,
      0,
      NULL },

    { ngx_string("require"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_api_conf_require,
      0,
      0,
      NULL },

    { ngx_string("each"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_api_each,
      0,
      0,
      NULL },

    { ngx_string("id"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_api_values,
      0,
      offsetof(ngx_http_webhook_api_scope_t, id),
      NULL },

    { ngx_string("state"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_api_values,
      0,
      offsetof(ngx_http_webhook_api_scope_t, state),
      NULL },

    { ngx_string("updated"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_api_values,
      0,
      offsetof(ngx_http_webhook_api_scope_t, updated),
      NULL },

    { ngx_string("run"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_api_values,
      0,
      offsetof(ngx_http_webhook_api_scope_t, run),
      NULL },

    { ngx_string("states"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_2MORE,
      ngx_http_webhook_api_conf_states,
      0,
      0,
      NULL },

    { ngx_string("present"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_2MORE,
      ngx_http_webhook_api_conf_present,
      0,
      0,
      NULL },

    { ngx_string("omit"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_api_omit,
      0,
      0,
      NULL },

    { ngx_string("watch"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_watch_set,
      0,
      0,
      NULL },

    { ngx_string("watch_header"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_TAKE2,
      ngx_http_webhook_watch_set_header,
      0,
      0,
      NULL },

    { ngx_string("enrich"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_2MORE,
      ngx_http_webhook_enrich_set,
      0,
      0,
      NULL },

    { ngx_string("enrich_header"),
      NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_enrich_set_header,
      0,
      0,
      NULL },

      ngx_null_command
};


ngx_module_t  ngx_http_webhook_api_module = {
    NGX_MODULE_V1,
    NULL,                                  /* module context */
    ngx_http_webhook_api_commands,         /* module directives */
    NGX_HTTP_WEBHOOK_API_MODULE,           /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


char *
ngx_http_webhook_api_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_main_conf_t *mcf = conf;

    char                        *rv;
    ngx_str_t                   *value;
    ngx_uint_t                   n;
    ngx_conf_t                   save;
    ngx_command_t               *command;
    ngx_http_webhook_api_t     **apip;
    ngx_http_webhook_api_ctx_t   ctx;

    value = cf->args->elts;

    rv = ngx_http_webhook_api_name(cf, mcf, &value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_memzero(&ctx, sizeof(ngx_http_webhook_api_ctx_t));

    ctx.scope = &ctx.outer;
    ctx.api = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_api_t));
    if (ctx.api == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx.api->name = value[1];
    ctx.api->hash = ngx_crc32_short(value[1].data, value[1].len);
    ctx.api->index = mcf->apis.nelts;
    ctx.api->file = cf->conf_file->file.name.data;
    ctx.api->line = cf->conf_file->line;

    apip = ngx_array_push(&mcf->apis);
    if (apip == NULL) {
        return NGX_CONF_ERROR;
    }

    *apip = ctx.api;

    if (ngx_array_init(&ctx.api->routes, cf->pool, 8,
                       sizeof(ngx_http_webhook_route_t))
        != NGX_OK
        || ngx_array_init(&ctx.commands, cf->pool, 32, sizeof(ngx_command_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    n = sizeof(ngx_http_webhook_api_commands) / sizeof(ngx_command_t);

    command = ngx_array_push_n(&ctx.commands, n);
    if (command == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(command, ngx_http_webhook_api_commands,
               sizeof(ngx_http_webhook_api_commands));

    save = *cf;

    cf->handler_conf = &ctx;
    cf->module_type = NGX_HTTP_WEBHOOK_API_MODULE;
    cf->cmd_type = NGX_HTTP_WEBHOOK_API_CONF;

    rv = ngx_http_webhook_api_conf_members(cf);

    if (rv == NGX_CONF_OK) {
        rv = ngx_conf_parse(cf, NULL);
    }

    *cf = save;

    ngx_http_webhook_api_module.commands = ngx_http_webhook_api_commands;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_webhook_api_finish(cf, &ctx);
}


static char *
ngx_http_webhook_api_name(ngx_conf_t *cf, ngx_http_webhook_main_conf_t *mcf,
    ngx_str_t *name)
{
    ngx_uint_t                i;
    ngx_http_webhook_api_t  **api;

    if (name->len == 0
        || (name->len == 3 && ngx_strncmp(name->data, "off", 3) == 0)
        || ngx_strlchr(name->data, name->data + name->len, '=') != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"webhook_api\"", name);
        return NGX_CONF_ERROR;
    }

    api = mcf->apis.elts;

    for (i = 0; i < mcf->apis.nelts; i++) {

        if (api[i]->name.len == name->len
            && ngx_strncmp(api[i]->name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"webhook_api\" \"%V\", the first "
                               "one is in %s:%ui",
                               name, api[i]->file, api[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_api_finish(ngx_conf_t *cf, ngx_http_webhook_api_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_route_t  *rp;

    if (ctx->api->routes.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"webhook_api\" \"%V\" has no \"route\"",
                           &ctx->api->name);
        return NGX_CONF_ERROR;
    }

    route = ctx->api->routes.elts;

    for (i = 0; i < ctx->api->routes.nelts; i++) {

        rp = route[i].priv;

        if (ngx_http_webhook_api_conf_inherit(cf, rp, &ctx->outer) != NGX_OK
            || ngx_http_webhook_watch_route(cf, ctx->api, &route[i],
                                            &ctx->outer)
               != NGX_OK
            || ngx_http_webhook_enrich_route(cf, &route[i], &ctx->outer)
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        rp->ntexts = ctx->ntexts;

        if (i && route[i].second) {
            route[i - 1].also = &route[i];
        }

        if (route[i].ignore) {
            continue;
        }

        if (rp->scope.id == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no \"id\" for \"route\" \"%V\" in %s:%ui",
                          &rp->name, rp->file, rp->line);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_webhook_api_nowhere(&rp->scope, rp->scope.id)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"id\" can name nothing, as the document has no "
                          "name and nothing above it, for \"route\" \"%V\" in "
                          "%s:%ui",
                          &rp->name, rp->file, rp->line);
            return NGX_CONF_ERROR;
        }

        if ((route[i].launch || route[i].rerun)
            && ngx_http_webhook_api_status_errors(&route[i]))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "the \"status\" of an error cannot be that of a "
                          "\"launch\" or \"rerun\", in \"route\" \"%V\" in "
                          "%s:%ui",
                          &rp->name, rp->file, rp->line);
            return NGX_CONF_ERROR;
        }

        route[i].bodyless = ngx_http_webhook_api_bodyless(&rp->scope);
        route[i].scalar = ngx_http_webhook_api_bare(&rp->scope);

        if (route[i].blind && !route[i].bodyless) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"body=off\" needs an \"id\" with a variable, no "
                          "\"require\", and no \"each\" that is not \"\", in "
                          "\"route\" \"%V\" in %s:%ui",
                          &rp->name, rp->file, rp->line);
            return NGX_CONF_ERROR;
        }
    }

    ngx_http_webhook_api_warn(cf, ctx->api);
    ngx_http_webhook_watch_warn(cf, ctx->api);
    ngx_http_webhook_enrich_warn(cf, ctx->api, &ctx->outer);

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_webhook_api_bodyless(ngx_http_webhook_api_scope_t *scope)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    if (!ngx_http_webhook_api_whole(scope) || scope->require) {
        return 0;
    }

    value = scope->id->elts;

    for (i = 0; i < scope->id->nelts; i++) {
        if (value[i].text) {
            return 1;
        }
    }

    return 0;
}


/* "id", "state" or "updated" is "", of the document */

static ngx_uint_t
ngx_http_webhook_api_bare(ngx_http_webhook_api_scope_t *scope)
{
    return ngx_http_webhook_api_whole(scope)
           && (ngx_http_webhook_api_itself(scope->id)
               || ngx_http_webhook_api_itself(scope->state)
               || ngx_http_webhook_api_itself(scope->updated));
}


static ngx_uint_t
ngx_http_webhook_api_itself(ngx_array_t *values)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    if (values == NULL) {
        return 0;
    }

    value = values->elts;

    for (i = 0; i < values->nelts; i++) {
        if (value[i].name.len == 0) {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_webhook_api_kind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *kind;
    ngx_http_webhook_route_t    *route;
    ngx_http_webhook_api_ctx_t  *ctx;

    ctx = cf->handler_conf;
    route = ctx->route;

    if (route->second && cmd->name.data[0] == 'i') {
        return "is not allowed in \"also\"";
    }

    kind = route->launch ? "launch" : route->rerun ? "rerun"
                                    : route->ignore ? "ignore" : NULL;

    if (kind) {

        if (ngx_strcmp(kind, cmd->name.data) == 0) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot be used with \"%s\" in one route",
                           &cmd->name, kind);
        return NGX_CONF_ERROR;
    }

    switch (cmd->name.data[0]) {

    case 'l':
        route->launch = 1;
        break;

    case 'r':
        route->rerun = 1;
        break;

    default: /* 'i' */
        route->ignore = 1;
        break;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_api_each(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_api_ctx_t  *ctx;

    ctx = cf->handler_conf;

    ctx->scope->each = ngx_http_webhook_api_conf_pointers(cf, ctx->scope->each,
                                                          1);

    return ctx->scope->each ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_webhook_api_omit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_webhook_api_ctx_t  *ctx;

    ctx = cf->handler_conf;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (value[i].len == 0) {
            return "cannot omit the whole document";
        }
    }

    ctx->scope->omit = ngx_http_webhook_api_conf_pointers(cf,
                                                          ctx->scope->omit, 1);

    return ctx->scope->omit ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_webhook_api_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_uint_t                     i, wildcards;
    ngx_array_t                  **field;
    ngx_http_webhook_api_ctx_t    *ctx;
    ngx_http_webhook_api_value_t  *value;

    ctx = cf->handler_conf;

    field = (ngx_array_t **) ((char *) ctx->scope + cmd->offset);

    if (*field) {
        return "is duplicate";
    }

    wildcards = (cmd->offset == offsetof(ngx_http_webhook_api_scope_t, id)
                 || cmd->offset == offsetof(ngx_http_webhook_api_scope_t, run))
                ? 0 : NGX_HTTP_WEBHOOK_WILDCARDS;

    *field = ngx_http_webhook_api_conf_values(cf, 1, wildcards, &ctx->ntexts);

    if (*field == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cmd->offset == offsetof(ngx_http_webhook_api_scope_t, updated)
        && (*field)->nelts > NGX_HTTP_WEBHOOK_UPDATED_MAX)
    {
        return "has more than 16 values";
    }

    /* a status may be that of all that take a route */

    if (cmd->offset == offsetof(ngx_http_webhook_api_scope_t, state)) {
        return NGX_CONF_OK;
    }

    value = (*field)->elts;

    for (i = 0; i < (*field)->nelts; i++) {

        if (value[i].text && value[i].text->lengths == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is the same for all executions, "
                               "\"%V\" must be a JSON Pointer or hold a "
                               "variable", &value[i].name, &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
