
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * value_conf: values that may be kept elsewhere ("file:", "env:"), and the
 * settings made of them: "secret" and "header".  What they hold is never
 * logged.  Next rooms: sign, dispatch.
 */


#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_format.h"
#include "ngx_http_webhook_sign.h"


#define NGX_HTTP_WEBHOOK_VALUE_MAX   65536   /* bytes */
#define NGX_HTTP_WEBHOOK_SECRET_MIN  24      /* bytes */


static ngx_int_t ngx_http_webhook_value_env(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text);
static ngx_uint_t ngx_http_webhook_secret_variable(ngx_str_t *text);
static ngx_uint_t ngx_http_webhook_header_reserved(ngx_str_t *name);


/* a name that ends in "*" stands for all that begin so */

static ngx_str_t  ngx_http_webhook_reserved_headers[] = {
    ngx_string("Host"),
    ngx_string("Content-Length"),
    ngx_string("Content-Type"),
    ngx_string("Content-Encoding"),
    ngx_string("Transfer-Encoding"),
    ngx_string("Connection"),
    ngx_string("Expect"),
    ngx_string("User-Agent"),
    ngx_string("Upgrade"),
    ngx_string("TE"),
    ngx_string("Trailer"),
    ngx_string("Keep-Alive"),
    ngx_string("HTTP2-Settings"),
    ngx_string("Proxy-*"),
    ngx_string("webhook-id"),
    ngx_string("webhook-timestamp"),
    ngx_string("webhook-signature"),
    ngx_string("X-Webhook-*"),
    ngx_string("X-Virtuoso-Signature"),
    ngx_string("X-Hub-Signature*"),
    ngx_string("X-GitHub-Event"),
    ngx_string("X-GitHub-Delivery"),
    ngx_string("Stripe-Signature"),
    ngx_null_string
};


ngx_int_t
ngx_http_webhook_value_text(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *text,
    ngx_uint_t *hidden)
{
    ngx_str_t  name;

    *hidden = 1;

    if (ngx_strncmp(value->data, "file:", 5) == 0) {

        name.data = value->data + 5;
        name.len = value->len - 5;

        if (name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no file in \"file:\"");
            return NGX_ERROR;
        }

        if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_webhook_value_file(cf, &name, NGX_HTTP_WEBHOOK_VALUE_MAX,
                                        text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (text->len && text->data[text->len - 1] == '\n') {
            text->len--;

            if (text->len && text->data[text->len - 1] == '\r') {
                text->len--;
            }

            text->data[text->len] = '\0';
        }

        if (text->len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is empty", &name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "env:", 4) == 0) {

        name.data = value->data + 4;
        name.len = value->len - 4;

        return ngx_http_webhook_value_env(cf, &name, text);
    }

    *hidden = 0;
    *text = *value;

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_value_file(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_str_t *text)
{
    off_t            size;
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_t       file;
    ngx_file_info_t  fi;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not a file", name);
        goto done;
    }

    size = ngx_file_size(&fi);

    if (size > (off_t) max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is larger than %uz bytes", name, max);
        goto done;
    }

    text->len = (size_t) size;
    text->data = ngx_pnalloc(cf->pool, text->len + 1);
    if (text->data == NULL) {
        goto done;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.fd = fd;
    file.name = *name;
    file.log = cf->log;

    n = ngx_read_file(&file, text->data, text->len, 0);

    if (n != (ssize_t) text->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == NGX_ERROR) ? ngx_errno : 0,
                           ngx_read_file_n " \"%V\" failed", name);
        goto done;
    }

    text->data[text->len] = '\0';
    rc = NGX_OK;

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}


/*
 * Only what nginx's own "env" keeps is there after a binary upgrade, so that
 * directive is required.
 */

static ngx_int_t
ngx_http_webhook_value_env(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text)
{
    u_char           *p;
    ngx_str_t        *env;
    ngx_uint_t        i;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);
    env = ccf->env.elts;

    for (i = 0; i < ccf->env.nelts; i++) {

        if (name->len && env[i].len == name->len
            && ngx_strncmp(env[i].data, name->data, name->len) == 0)
        {
            goto found;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"env:%V\" requires \"env %V;\" before \"http\"",
                       name, name);
    return NGX_ERROR;

found:

    if (env[i].data[env[i].len] == '=') {
        p = env[i].data + env[i].len + 1;

    } else {
        p = (u_char *) getenv((char *) name->data);
    }

    if (p == NULL || *p == '\0') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"%V\" is not set or empty",
                           name);
        return NGX_ERROR;
    }

    text->len = ngx_strlen(p);
    text->data = ngx_pnalloc(cf->pool, text->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(text->data, p, text->len + 1);

    return NGX_OK;
}


char *
ngx_http_webhook_set_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    char                       *err;
    time_t                      until;
    int64_t                     ms;
    ngx_str_t                  *value, text;
    ngx_uint_t                  i, n, hidden;
    ngx_http_webhook_secret_t  *secret;

    value = cf->args->elts;
    n = cf->args->nelts;
    until = 0;

    if (ngx_strncmp(value[n - 1].data, "until=", 6) == 0) {
        n--;

        text.data = value[n].data + 6;
        text.len = value[n].len - 6;

        ms = ngx_http_webhook_time_parse(&text);

        if (ms < 1000) {
            return "has an invalid \"until=\": a date (2027-01-31) or a date "
                   "and time (2027-01-31T18:00:00Z) is needed";
        }

        until = (time_t) (ms / 1000);

        if (n == 1) {
            return "has no secret";
        }
    }

    if (hook->secrets.elts == NULL
        && ngx_array_init(&hook->secrets, cf->pool, n - 1,
                          sizeof(ngx_http_webhook_secret_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < n; i++) {

        if (ngx_strncmp(value[i].data, "until=", 6) == 0) {
            return "takes \"until=\" once, at its end";
        }

        if (ngx_http_webhook_value_text(cf, &value[i], &text, &hidden)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (text.len == 0) {
            return "has an empty secret";
        }

        secret = ngx_array_push(&hook->secrets);
        if (secret == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(secret, sizeof(ngx_http_webhook_secret_t));

        err = ngx_http_webhook_sign_secret(cf->pool, &text, secret);
        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid secret: %s",
                               err);
            return NGX_CONF_ERROR;
        }

        secret->until = until;

        if (secret->key.len < NGX_HTTP_WEBHOOK_SECRET_MIN) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "the secret has %uz bytes only, "
                               "at least %d are recommended",
                               secret->key.len, NGX_HTTP_WEBHOOK_SECRET_MIN);
        }

        if (ngx_http_webhook_secret_variable(&value[i])) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "the secret looks like a variable, but is used "
                               "as it is written");
        }
    }

    return NGX_CONF_OK;
}


/* as a whole: what is random may have a "$" somewhere */

static ngx_uint_t
ngx_http_webhook_secret_variable(ngx_str_t *text)
{
    u_char      ch;
    ngx_uint_t  i;

    if (text->len < 2 || text->data[0] != '$') {
        return 0;
    }

    for (i = 1; i < text->len; i++) {
        ch = text->data[i];

        if (!(ch >= 'a' && ch <= 'z') && !(ch >= 'A' && ch <= 'Z')
            && !(ch >= '0' && ch <= '9') && ch != '_' && ch != '{'
            && ch != '}')
        {
            return 0;
        }
    }

    return 1;
}


char *
ngx_http_webhook_set_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_str_t                         *value, text;
    ngx_uint_t                         i, hidden;
    ngx_http_webhook_header_t         *header;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    if (!ngx_http_webhook_token(&value[1])) {
        return "has an invalid name; no \":\" stands behind it";
    }

    if (ngx_http_webhook_header_reserved(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "header \"%V\" is reserved",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (hook->headers.elts == NULL
        && ngx_array_init(&hook->headers, cf->pool, 4,
                          sizeof(ngx_http_webhook_header_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    header = hook->headers.elts;

    for (i = 0; i < hook->headers.nelts; i++) {
        if (header[i].name.len == value[1].len
            && ngx_strncasecmp(header[i].name.data, value[1].data,
                               value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "header \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_webhook_value_text(cf, &value[2], &text, &hidden) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "value of header \"%V\" has a control character",
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (text.len == 0) {
        return NGX_CONF_OK;
    }

    header = ngx_array_push(&hook->headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(header, sizeof(ngx_http_webhook_header_t));

    header->name = value[1];
    header->hidden = hidden;

    if (hidden) {
        header->value.value = text;
        return NGX_CONF_OK;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &text;
    ccv.complex_value = &header->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (header->value.lengths) {
        header->hidden = 1;
        hook->nvariables++;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_webhook_header_reserved(ngx_str_t *name)
{
    size_t      len;
    ngx_str_t  *reserved;

    for (reserved = ngx_http_webhook_reserved_headers;
         reserved->len;
         reserved++)
    {
        len = reserved->len;

        if (reserved->data[len - 1] == '*') {
            len--;

            if (name->len < len) {
                continue;
            }

        } else if (name->len != len) {
            continue;
        }

        if (ngx_strncasecmp(name->data, reserved->data, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* RFC 9110, 5.6.2 */

ngx_uint_t
ngx_http_webhook_token(ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {

        ch = name->data[i];

        if ((ch >= '0' && ch <= '9')
            || (ch >= 'a' && ch <= 'z')
            || (ch >= 'A' && ch <= 'Z')
            || (ch && ngx_strchr("!#$%&'*+-.^_`|~", ch)))
        {
            continue;
        }

        return 0;
    }

    return name->len != 0;
}
