
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * hook_conf: the settings of one block webhook { } or webhook_defaults { } ->
 * a ngx_http_webhook_hook_t in which what was not said is unset.  Next room:
 * conf.
 */


#include "ngx_http_webhook_conf.h"


#define NGX_HTTP_WEBHOOK_RETRY_MAX   30
#define NGX_HTTP_WEBHOOK_QUEUE_MAX   10000000
#define NGX_HTTP_WEBHOOK_RATE_MAX    1000000

/* what is peculiar to a setting, in its "conf" */

#define NGX_HTTP_WEBHOOK_NO_DEFAULT  0x1
#define NGX_HTTP_WEBHOOK_REPEATS     0x2


static char *ngx_http_webhook_include(ngx_conf_t *cf);
static ngx_uint_t ngx_http_webhook_setting_args(ngx_command_t *cmd,
    ngx_uint_t n);
static char *ngx_http_webhook_positive(ngx_conf_t *cf, void *post, void *data);
static char *ngx_http_webhook_msec(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_via(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_signature(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_content_type(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_events(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_some(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf, const char *expected);
static char *ngx_http_webhook_retry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_expire(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_queue(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_webhook_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_bitmask_t  ngx_http_webhook_schemes[] = {
    { ngx_string("none"), NGX_HTTP_WEBHOOK_SIGN_NONE },
    { ngx_string("standard"), NGX_HTTP_WEBHOOK_SIGN_STANDARD },
    { ngx_string("virtuoso"), NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO },
    { ngx_string("virtuoso=sha256"), NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO_SHA256 },
    { ngx_string("github"), NGX_HTTP_WEBHOOK_SIGN_GITHUB },
    { ngx_string("stripe"), NGX_HTTP_WEBHOOK_SIGN_STRIPE },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_webhook_event_masks[] = {
    { ngx_string("all"),
      NGX_HTTP_WEBHOOK_EXECUTION_BITS
      |ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_PING) },
    { ngx_string("PING"), ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_PING) },
    { ngx_string("EXECUTION"), NGX_HTTP_WEBHOOK_EXECUTION_BITS },
    { ngx_string("LAUNCHED"),
      ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_LAUNCHED) },
    { ngx_string("STARTED"),
      ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_STARTED) },
    { ngx_string("UPDATED"),
      ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_UPDATED) },
    { ngx_string("FINISHED"),
      ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_FINISHED) },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_webhook_in_flight_bounds = {
    ngx_conf_check_num_bounds, 1, 10000
};


static ngx_conf_post_t  ngx_http_webhook_positive_post = {
    ngx_http_webhook_positive
};


static ngx_command_t  ngx_http_webhook_settings[] = {

    { ngx_string("url"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_set_url,
      NGX_HTTP_WEBHOOK_NO_DEFAULT,
      0,
      NULL },

    { ngx_string("via"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_via,
      NGX_HTTP_WEBHOOK_NO_DEFAULT,
      0,
      NULL },

    { ngx_string("secret"),
      NGX_CONF_1MORE,
      ngx_http_webhook_set_secret,
      NGX_HTTP_WEBHOOK_REPEATS,
      0,
      NULL },

    { ngx_string("signature"),
      NGX_CONF_1MORE,
      ngx_http_webhook_signature,
      0,
      offsetof(ngx_http_webhook_hook_t, signature),
      &ngx_http_webhook_schemes },

    { ngx_string("content_type"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_content_type,
      0,
      0,
      NULL },

    { ngx_string("events"),
      NGX_CONF_1MORE,
      ngx_http_webhook_events,
      0,
      offsetof(ngx_http_webhook_hook_t, events),
      &ngx_http_webhook_event_masks },

    { ngx_string("match"),
      NGX_CONF_2MORE,
      ngx_http_webhook_set_match,
      NGX_HTTP_WEBHOOK_REPEATS,
      0,
      NULL },

    { ngx_string("description"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_WEBHOOK_NO_DEFAULT,
      offsetof(ngx_http_webhook_hook_t, description),
      NULL },

    { ngx_string("member"),
      NGX_CONF_TAKE2,
      ngx_http_webhook_set_member,
      NGX_HTTP_WEBHOOK_REPEATS,
      0,
      NULL },

    { ngx_string("header"),
      NGX_CONF_TAKE2,
      ngx_http_webhook_set_header,
      NGX_HTTP_WEBHOOK_REPEATS,
      0,
      NULL },

    { ngx_string("active"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_webhook_hook_t, active),
      NULL },

    { ngx_string("timeout"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_msec,
      0,
      offsetof(ngx_http_webhook_hook_t, timeout),
      &ngx_http_webhook_positive_post },

    { ngx_string("retry"),
      NGX_CONF_1MORE,
      ngx_http_webhook_retry,
      0,
      0,
      NULL },

    { ngx_string("expire"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_expire,
      0,
      0,
      NULL },

    { ngx_string("queue"),
      NGX_CONF_TAKE12,
      ngx_http_webhook_queue,
      0,
      0,
      NULL },

    { ngx_string("max_in_flight"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_webhook_hook_t, max_in_flight),
      &ngx_http_webhook_in_flight_bounds },

    { ngx_string("rate"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_rate,
      0,
      0,
      NULL },

    { ngx_string("disable_after"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_msec,
      0,
      offsetof(ngx_http_webhook_hook_t, disable_after),
      NULL },

    { ngx_string("proxy"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_set_proxy,
      0,
      0,
      NULL },

    { ngx_string("ssl_verify"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_webhook_hook_t, ssl_verify),
      NULL },

    { ngx_string("ssl_trusted_certificate"),
      NGX_CONF_TAKE1,
      ngx_http_webhook_set_ssl_trusted,
      0,
      0,
      NULL },

    { ngx_string("ssl_certificate"),
      NGX_CONF_TAKE12,
      ngx_http_webhook_set_ssl_certificate,
      0,
      0,
      NULL },

    { ngx_string("http2"),
      NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_http_webhook_hook_t, http2),
      NULL },

      ngx_null_command
};


char *
ngx_http_webhook_setting(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_webhook_block_t *block = conf;

    char           *rv;
    uint64_t        bit;
    ngx_str_t      *name;
    ngx_uint_t      i;
    ngx_command_t  *cmd;

    name = cf->args->elts;

    if (ngx_strcmp(name->data, "include") == 0) {
        return ngx_http_webhook_include(cf);
    }

    cmd = ngx_http_webhook_settings;

    for (i = 0; cmd[i].name.len; i++) {

        if (name->len == cmd[i].name.len
            && ngx_strcmp(name->data, cmd[i].name.data) == 0)
        {
            goto found;
        }
    }

    /* a secret that lost its "secret" is not to be shown */

    for (i = 0; i < name->len; i++) {
        if (name->data[i] != '_'
            && (name->data[i] < 'a' || name->data[i] > 'z'))
        {
            return "unknown directive";
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown directive \"%V\"", name);
    return NGX_CONF_ERROR;

found:

    cmd += i;

    if (block->defaults && (cmd->conf & NGX_HTTP_WEBHOOK_NO_DEFAULT)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive is not allowed in "
                           "\"webhook_defaults\"", name);
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_webhook_setting_args(cmd, cf->args->nelts)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\" directive%s",
                           name, (cf->args->nelts > 3)
                                 ? ": a value with spaces must be quoted" : "");
        return NGX_CONF_ERROR;
    }

    bit = (uint64_t) 1 << i;

    if ((block->seen & bit) && !(cmd->conf & NGX_HTTP_WEBHOOK_REPEATS)) {
        rv = "is duplicate";

    } else {
        block->seen |= bit;
        rv = cmd->set(cf, cmd, block->hook);
    }

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s", name, rv);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_webhook_include(ngx_conf_t *cf)
{
    if (cf->args->nelts != 2) {
        return "invalid number of arguments in \"include\" directive";
    }

    return ngx_conf_include(cf, NULL, NULL);
}


static ngx_uint_t
ngx_http_webhook_setting_args(ngx_command_t *cmd, ngx_uint_t n)
{
    if (cmd->type & NGX_CONF_1MORE) {
        return n >= 2;
    }

    if (cmd->type & NGX_CONF_2MORE) {
        return n >= 3;
    }

    if (cmd->type & NGX_CONF_TAKE12) {
        return n >= 2 && n <= ((cmd->type & NGX_CONF_TAKE2) ? 3 : 2)
               && n >= ((cmd->type & NGX_CONF_TAKE1) ? 2 : 3);
    }

    return n == 2;
}


static char *
ngx_http_webhook_positive(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *msec = data;

    if (*msec == 0) {
        return "must be greater than zero";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_parse_time(&value[1], 0) == NGX_ERROR) {
        return cmd->post ? "must be a time, as \"15s\""
                         : "must be a time, as \"5d\", or \"0\" for never";
    }

    return ngx_conf_set_msec_slot(cf, cmd, conf);
}


static char *
ngx_http_webhook_via(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '@') {
        return "must name a location: \"@NAME\"";
    }

    hook->via = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_signature(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    char  *rv;

    rv = ngx_http_webhook_some(cf, cmd, conf,
                               "none, or some of standard, virtuoso, "
                               "virtuoso=sha256, github, stripe");
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if ((hook->signature & NGX_HTTP_WEBHOOK_SIGN_NONE)
        && hook->signature != NGX_HTTP_WEBHOOK_SIGN_NONE)
    {
        return "cannot have \"none\" beside other schemes";
    }

    if ((hook->signature & NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO)
        && (hook->signature & NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO_SHA256))
    {
        return "cannot have both \"virtuoso\" and \"virtuoso=sha256\": "
               "they are one header";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_content_type(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcasecmp(value[1].data, (u_char *) "application/json") == 0) {
        hook->form = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcasecmp(value[1].data, (u_char *)
                       "application/x-www-form-urlencoded") == 0)
    {
        hook->form = 1;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\", it must be application/json or "
                       "application/x-www-form-urlencoded", &value[1]);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_webhook_events(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_webhook_some(cf, cmd, conf,
                                 "all, or some of PING, EXECUTION, LAUNCHED, "
                                 "STARTED, UPDATED, FINISHED");
}


static char *
ngx_http_webhook_some(ngx_conf_t *cf, ngx_command_t *cmd, void *conf,
    const char *expected)
{
    ngx_str_t           *value;
    ngx_uint_t           i, m;
    ngx_conf_bitmask_t  *mask;

    value = cf->args->elts;
    mask = cmd->post;

    for (i = 1; i < cf->args->nelts; i++) {

        m = 0;

        while (mask[m].name.len
               && ngx_strcasecmp(mask[m].name.data, value[i].data) != 0)
        {
            m++;
        }

        if (mask[m].name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\", it must be %s", &value[i],
                               expected);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_conf_set_bitmask_slot(cf, cmd, conf);
}


static char *
ngx_http_webhook_retry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_int_t    msec;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_msec_t  *wait;

    value = cf->args->elts;

    if (ngx_array_init(&hook->retry, cf->pool, cf->args->nelts - 1,
                       sizeof(ngx_msec_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts - 1 > NGX_HTTP_WEBHOOK_RETRY_MAX) {
        return "takes at most 30 times";
    }

    for (i = 1; i < cf->args->nelts; i++) {

        msec = ngx_parse_time(&value[i], 0);

        if (msec == NGX_ERROR || msec == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid time \"%V\": times as \"5s\" or "
                               "\"30m\", or \"off\" alone, are expected",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        wait = ngx_array_push(&hook->retry);
        if (wait == NULL) {
            return NGX_CONF_ERROR;
        }

        *wait = msec;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_expire(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_int_t   msec;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        hook->expire = 0;
        return NGX_CONF_OK;
    }

    msec = ngx_parse_time(&value[1], 0);

    if (msec == NGX_ERROR || msec == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\": one as \"30m\" or \"2h\", or "
                           "\"off\", is expected",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    hook->expire = msec;

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_queue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n <= 0 || n > NGX_HTTP_WEBHOOK_QUEUE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of deliveries \"%V\": from 1 to %d "
                           "can wait",
                           &value[1], NGX_HTTP_WEBHOOK_QUEUE_MAX);
        return NGX_CONF_ERROR;
    }

    hook->queue = n;
    hook->queue_line = cf->conf_file->line;
    hook->queue_file = cf->conf_file->file.name.data;
    hook->overflow_oldest = 0;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "overflow=oldest") == 0) {
        hook->overflow_oldest = 1;

    } else if (ngx_strcmp(value[2].data, "overflow=newest") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": \"overflow=newest\" or "
                           "\"overflow=oldest\" is expected",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_webhook_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    u_char      *p;
    size_t       len;
    ngx_int_t    rate;
    ngx_str_t   *value;
    ngx_uint_t   scale;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        hook->rate = 0;
        return NGX_CONF_OK;
    }

    len = value[1].len;
    scale = 1;

    if (len > 3) {
        p = value[1].data + len - 3;

        if (ngx_strncmp(p, "r/s", 3) == 0) {
            len -= 3;

        } else if (ngx_strncmp(p, "r/m", 3) == 0) {
            scale = 60;
            len -= 3;

        } else {
            len = 0;
        }
    }

    rate = (len == value[1].len) ? NGX_ERROR : ngx_atoi(value[1].data, len);

    if (rate <= 0 || rate > NGX_HTTP_WEBHOOK_RATE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\": one as \"100r/s\" or "
                           "\"30r/m\", or \"off\", is expected",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    hook->rate = rate * 1000 / scale;

    return NGX_CONF_OK;
}
