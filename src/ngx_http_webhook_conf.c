
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * conf: blocks inside blocks -> the webhooks of every location, each of them
 * once in the main configuration.  Next room: conf_check.
 */


#include "ngx_http_webhook_conf.h"

#include <openssl/sha.h>


#define NGX_HTTP_WEBHOOK_NAME_MAX  64


static char *ngx_http_webhook_block(ngx_conf_t *cf,
    ngx_http_webhook_block_t *block);
static ngx_uint_t ngx_http_webhook_name_valid(ngx_str_t *name);
static uint32_t ngx_http_webhook_name_hash(ngx_str_t *name);
static ngx_http_webhook_hook_t *ngx_http_webhook_hook_unique(ngx_conf_t *cf,
    ngx_http_webhook_hook_t *block);
static ngx_int_t ngx_http_webhook_hooks_add(ngx_conf_t *cf,
    ngx_http_webhook_loc_conf_t *conf, ngx_array_t *hooks);


char *
ngx_http_webhook_hook_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_loc_conf_t *lcf = conf;

    char                       *rv;
    ngx_str_t                  *value;
    ngx_http_webhook_hook_t    *hook, **own;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_webhook_block_t    block;

    value = cf->args->elts;

    if (!ngx_http_webhook_name_valid(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid webhook name \"%V\": 1 to 64 letters, "
                           "digits, \"_\", \".\" and \"-\" are allowed",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (value[1].data[0] == '.'
        && (value[1].len == 1
            || (value[1].len == 2 && value[1].data[1] == '.')))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid webhook name \"%V\": no path of the "
                           "status endpoint can have it", &value[1]);
        return NGX_CONF_ERROR;
    }

    hook = ngx_http_webhook_hook_create(cf);
    if (hook == NULL) {
        return NGX_CONF_ERROR;
    }

    hook->name = value[1];
    hook->id = ngx_http_webhook_name_hash(&hook->name);

    if (hook->id == 0) {
        return "has no memory";
    }

    hook->file = cf->conf_file->file.name.data;
    hook->line = cf->conf_file->line;

    if (cf->cmd_type != NGX_HTTP_MAIN_CONF) {
        cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
        hook->via_ctx = cscf->ctx;
    }

    block.hook = hook;
    block.seen = 0;
    block.defaults = 0;

    rv = ngx_http_webhook_block(cf, &block);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (hook->url.len == 0) {
        ngx_http_webhook_conf_log(NGX_LOG_EMERG, cf, hook->file, hook->line,
                                  "no \"url\" is defined for webhook \"%V\"",
                                  &hook->name);
        return NGX_CONF_ERROR;
    }

    if (hook->via.len
        && (hook->proxy.len || hook->ssl_certificate.len
            || hook->ssl_trusted_certificate.len
            || hook->ssl_verify != NGX_CONF_UNSET
            || hook->http2 != NGX_CONF_UNSET))
    {
        ngx_http_webhook_conf_log(NGX_LOG_WARN, cf, hook->file, hook->line,
                                  "proxy, TLS and HTTP/2 settings of webhook "
                                  "\"%V\" have no effect beside \"via\"",
                                  &hook->name);
    }

    if (lcf->own == NULL) {
        lcf->own = ngx_array_create(cf->pool, 4,
                                    sizeof(ngx_http_webhook_hook_t *));
        if (lcf->own == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    own = ngx_array_push(lcf->own);
    if (own == NULL) {
        return NGX_CONF_ERROR;
    }

    *own = hook;

    return NGX_CONF_OK;
}


char *
ngx_http_webhook_defaults_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_webhook_loc_conf_t *lcf = conf;

    ngx_http_webhook_block_t  block;

    if (lcf->defaults) {
        return "is duplicate";
    }

    lcf->defaults = ngx_http_webhook_hook_create(cf);
    if (lcf->defaults == NULL) {
        return NGX_CONF_ERROR;
    }

    block.hook = lcf->defaults;
    block.seen = 0;
    block.defaults = 1;

    return ngx_http_webhook_block(cf, &block);
}


static char *
ngx_http_webhook_block(ngx_conf_t *cf, ngx_http_webhook_block_t *block)
{
    char        *rv;
    ngx_conf_t   save;

    save = *cf;

    cf->handler = ngx_http_webhook_setting;
    cf->handler_conf = (void *) block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static ngx_uint_t
ngx_http_webhook_name_valid(ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {

        ch = name->data[i];

        if ((ch >= '0' && ch <= '9')
            || (ch >= 'a' && ch <= 'z')
            || (ch >= 'A' && ch <= 'Z')
            || ch == '_' || ch == '.' || ch == '-')
        {
            continue;
        }

        return 0;
    }

    return name->len > 0 && name->len <= NGX_HTTP_WEBHOOK_NAME_MAX;
}


/* receivers may keep it: it is never to change; 0: no memory */

static uint32_t
ngx_http_webhook_name_hash(ngx_str_t *name)
{
    u_char    md[SHA256_DIGEST_LENGTH];
    uint32_t  hash;

    if (SHA256(name->data, name->len, md) == NULL) {
        return 0;
    }

    hash = (uint32_t) (md[0] & 0x7f) << 24 | (uint32_t) md[1] << 16
           | (uint32_t) md[2] << 8 | md[3];

    return hash ? hash : 1;
}


char *
ngx_http_webhook_hooks_merge(ngx_conf_t *cf,
    ngx_http_webhook_loc_conf_t *prev, ngx_http_webhook_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **own, *outer;

    if (conf->merged) {
        return NGX_CONF_OK;
    }

    conf->merged = 1;

    /* the http level is never merged by itself */

    if (prev && ngx_http_webhook_hooks_merge(cf, NULL, prev) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    outer = prev ? prev->defaults : ngx_http_webhook_hook_create(cf);
    if (outer == NULL) {
        return NGX_CONF_ERROR;
    }

    if (conf->defaults == NULL) {
        conf->defaults = outer;
    }

    ngx_http_webhook_hook_merge(conf->defaults, outer);

    if (conf->own) {

        own = conf->own->elts;

        for (i = 0; i < conf->own->nelts; i++) {

            ngx_http_webhook_hook_merge(own[i], conf->defaults);

            own[i] = ngx_http_webhook_hook_unique(cf, own[i]);
            if (own[i] == NULL) {
                return NGX_CONF_ERROR;
            }
        }
    }

    ngx_conf_init_value(conf->inherit, 1);

    if (prev && conf->inherit) {

        if (conf->own == NULL) {
            conf->hooks = prev->hooks;
            return NGX_CONF_OK;
        }

        if (ngx_http_webhook_hooks_add(cf, conf, prev->hooks) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_webhook_hooks_add(cf, conf, conf->own) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the webhook of that name in the main configuration, if it is alike */

static ngx_http_webhook_hook_t *
ngx_http_webhook_hook_unique(ngx_conf_t *cf, ngx_http_webhook_hook_t *block)
{
    char                          *setting;
    ngx_uint_t                     i;
    ngx_http_webhook_hook_t      **hook;
    ngx_http_webhook_declared_t   *declared;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);

    declared = ngx_array_push(&mcf->declared);
    if (declared == NULL) {
        return NULL;
    }

    declared->block = block;

    hook = mcf->hooks.elts;

    for (i = 0; i < mcf->hooks.nelts; i++) {

        if (hook[i]->name.len != block->name.len
            || ngx_strncmp(hook[i]->name.data, block->name.data,
                           block->name.len)
               != 0)
        {
            continue;
        }

        setting = ngx_http_webhook_hook_differ(hook[i], block);

        if (setting) {
            ngx_http_webhook_conf_log(NGX_LOG_EMERG, cf, block->file,
                                      block->line,
                                      "webhook \"%V\" differs in \"%s\" from "
                                      "the one of that name in %s:%ui",
                                      &block->name, setting,
                                      hook[i]->file, hook[i]->line);
            return NULL;
        }

        declared->hook = hook[i];

        return hook[i];
    }

    hook = ngx_array_push(&mcf->hooks);
    if (hook == NULL) {
        return NULL;
    }

    *hook = block;
    block->index = mcf->hooks.nelts - 1;

    declared->hook = block;

    return block;
}


static ngx_int_t
ngx_http_webhook_hooks_add(ngx_conf_t *cf, ngx_http_webhook_loc_conf_t *conf,
    ngx_array_t *hooks)
{
    ngx_uint_t                 i, j;
    ngx_http_webhook_hook_t  **hook, **known;

    if (hooks == NULL) {
        return NGX_OK;
    }

    if (conf->hooks == NULL) {
        conf->hooks = ngx_array_create(cf->pool, hooks->nelts,
                                       sizeof(ngx_http_webhook_hook_t *));
        if (conf->hooks == NULL) {
            return NGX_ERROR;
        }
    }

    hook = hooks->elts;

    for (i = 0; i < hooks->nelts; i++) {

        known = conf->hooks->elts;

        for (j = 0; j < conf->hooks->nelts; j++) {
            if (known[j] == hook[i]) {
                goto next;
            }
        }

        known = ngx_array_push(conf->hooks);
        if (known == NULL) {
            return NGX_ERROR;
        }

        *known = hook[i];

    next:

        continue;
    }

    return NGX_OK;
}
