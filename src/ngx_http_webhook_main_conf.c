
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * main_conf: what is configured once, at http level: the zone, bounds, words
 * that are redacted.  Next room: zone.
 */


#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_ZONE_SIZE     (32 * 1024 * 1024)   /* bytes */
#define NGX_HTTP_WEBHOOK_LOG_MAX       100000
#define NGX_HTTP_WEBHOOK_BODY_MAX      (1024 * 1024)        /* bytes */
#define NGX_HTTP_WEBHOOK_BUFFER_MIN    1024                 /* bytes */


static ngx_str_t  ngx_http_webhook_redact_default[] = {
    ngx_string("password"),
    ngx_string("passwd"),
    ngx_string("passphrase"),
    ngx_string("secret"),
    ngx_string("token"),
    ngx_string("authorization"),
    ngx_string("apikey"),
    ngx_string("accesskey"),
    ngx_string("privatekey"),
    ngx_string("credential"),
    ngx_null_string
};


void *
ngx_http_webhook_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     mcf->shm_zone = NULL;
     *     mcf->zone = NULL;
     *     mcf->store = NULL;
     *     mcf->redact = { NULL };
     *     mcf->observed = 0;
     */

    ngx_str_set(&mcf->zone_name, "webhooks");
    mcf->zone_size = NGX_HTTP_WEBHOOK_ZONE_SIZE;
    mcf->log = 100;
    mcf->body = 4096;
    mcf->generation = (uint32_t) ngx_random();

    mcf->buffer_size = NGX_CONF_UNSET_SIZE;
    mcf->buffer_total = NGX_CONF_UNSET_SIZE;
    mcf->connections = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&mcf->apis, cf->pool, 4,
                       sizeof(ngx_http_webhook_api_t *))
        != NGX_OK
        || ngx_array_init(&mcf->hooks, cf->pool, 8,
                          sizeof(ngx_http_webhook_hook_t *))
           != NGX_OK
        || ngx_array_init(&mcf->declared, cf->pool, 8,
                          sizeof(ngx_http_webhook_declared_t))
           != NGX_OK
        || ngx_array_init(&mcf->statuses, cf->pool, 1,
                          sizeof(ngx_http_webhook_status_conf_t))
           != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


char *
ngx_http_webhook_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_webhook_main_conf_t *mcf = conf;

    ngx_uint_t  n;

    ngx_conf_init_size_value(mcf->buffer_size, 256 * 1024);
    ngx_conf_init_size_value(mcf->buffer_total, 32 * 1024 * 1024);

    if (mcf->redact.elts == NULL) {

        for (n = 0; ngx_http_webhook_redact_default[n].len; n++) {
            /* void */
        }

        mcf->redact.elts = ngx_http_webhook_redact_default;
        mcf->redact.nelts = n;
        mcf->redact.nalloc = n;
        mcf->redact.size = sizeof(ngx_str_t);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_webhook_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_main_conf_t *mcf = conf;

    u_char      *p;
    ssize_t      size;
    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_uint_t   i, named;

    if (mcf->shm_zone) {
        return "is duplicate";
    }

    value = cf->args->elts;
    named = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0 && !named) {

            s.data = value[i].data + 5;

            p = (u_char *) ngx_strchr(s.data, ':');

            if (p == NULL || p == s.data) {
                goto invalid;
            }

            mcf->zone_name.data = s.data;
            mcf->zone_name.len = p - s.data;

            s.data = p + 1;
            s.len = value[i].data + value[i].len - s.data;

            size = ngx_parse_size(&s);

            if (size == NGX_ERROR) {
                goto invalid;
            }

            if (size < NGX_HTTP_WEBHOOK_ZONE_MIN) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "zone \"%V\" is too small: at least %dK "
                                   "are needed",
                                   &mcf->zone_name,
                                   NGX_HTTP_WEBHOOK_ZONE_MIN / 1024);
                return NGX_CONF_ERROR;
            }

            mcf->zone_size = size;
            named = 1;

            continue;
        }

        if (ngx_strncmp(value[i].data, "log=", 4) == 0) {

            n = ngx_atoi(value[i].data + 4, value[i].len - 4);

            if (n == NGX_ERROR || n > NGX_HTTP_WEBHOOK_LOG_MAX) {
                goto invalid;
            }

            mcf->log = n;

            continue;
        }

        if (ngx_strncmp(value[i].data, "body=", 5) == 0) {

            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            size = ngx_parse_size(&s);

            if (size == NGX_ERROR || size > NGX_HTTP_WEBHOOK_BODY_MAX) {
                goto invalid;
            }

            mcf->body = size;

            continue;
        }

        goto invalid;
    }

    if (!named) {
        return "must have \"zone=NAME:SIZE\"";
    }

    return (ngx_http_webhook_zone_add(cf, mcf) == NGX_OK) ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": \"zone=NAME:SIZE\", "
                       "\"log=NUMBER\" (at most %d) or \"body=SIZE\" (at most "
                       "%dk) is expected",
                       &value[i], NGX_HTTP_WEBHOOK_LOG_MAX,
                       NGX_HTTP_WEBHOOK_BODY_MAX / 1024);
    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_webhook_zone_add(ngx_conf_t *cf, ngx_http_webhook_main_conf_t *mcf)
{
    mcf->shm_zone = ngx_shared_memory_add(cf, &mcf->zone_name, mcf->zone_size,
                                          &ngx_http_webhook_module);
    if (mcf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    mcf->shm_zone->init = ngx_http_webhook_zone_init;
    mcf->shm_zone->data = mcf;

    return NGX_OK;
}


char *
ngx_http_webhook_set_buffer_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_main_conf_t *mcf = conf;

    ssize_t     size;
    ngx_str_t  *value, s;

    if (mcf->buffer_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR) {
        return "must be a size, as \"256k\" or \"1m\"";
    }

    if (size < NGX_HTTP_WEBHOOK_BUFFER_MIN) {
        return "must be at least 1k";
    }

    mcf->buffer_size = size;

    if (cf->args->nelts == 2) {
        mcf->buffer_total = ngx_max(mcf->buffer_size, 32 * 1024 * 1024);
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "total=", 6) != 0) {
        goto invalid;
    }

    s.data = value[2].data + 6;
    s.len = value[2].len - 6;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        goto invalid;
    }

    mcf->buffer_total = size;

    if (mcf->buffer_total < mcf->buffer_size) {
        return "has a \"total=\" that is less than one response";
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": \"total=SIZE\" is expected",
                       &value[2]);
    return NGX_CONF_ERROR;
}


char *
ngx_http_webhook_set_redact(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_main_conf_t *mcf = conf;

    u_char      *p, ch;
    size_t       n;
    ngx_str_t   *value, *word;
    ngx_uint_t   i;

    if (mcf->redact.elts) {
        return "is duplicate";
    }

    if (ngx_array_init(&mcf->redact, cf->pool, cf->args->nelts - 1,
                       sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    /* no words, which are not those of the default */

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0) {
            return "has \"off\" beside a name";
        }

        word = ngx_array_push(&mcf->redact);
        if (word == NULL) {
            return NGX_CONF_ERROR;
        }

        word->data = ngx_pnalloc(cf->pool, value[i].len + 1);
        if (word->data == NULL) {
            return NGX_CONF_ERROR;
        }

        p = word->data;

        for (n = 0; n < value[i].len; n++) {

            ch = value[i].data[n];

            if (ch != '_' && ch != '-') {
                *p++ = ngx_tolower(ch);
            }
        }

        word->len = p - word->data;

        if (word->len == 0) {
            return "has an empty name";
        }
    }

    return NGX_CONF_OK;
}
