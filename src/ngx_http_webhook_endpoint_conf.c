
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * endpoint_conf: "url", "proxy" and the TLS files, the settings that say where
 * a webhook is and how it is reached.  Files are read here, once, by the
 * master; nothing is resolved or connected.  Next room: curl.
 */


#include "ngx_http_webhook_conf.h"

#include <openssl/err.h>
#include <openssl/pem.h>


#define NGX_HTTP_WEBHOOK_PEM_MAX  (16 * 1024 * 1024)   /* bytes */


static ngx_int_t ngx_http_webhook_pem_trusted(ngx_conf_t *cf, ngx_str_t *pem,
    ngx_str_t *file);
static X509 *ngx_http_webhook_pem_certificate(ngx_conf_t *cf, ngx_str_t *pem,
    ngx_str_t *file);
static EVP_PKEY *ngx_http_webhook_pem_key(ngx_conf_t *cf, ngx_str_t *pem,
    ngx_str_t *file);
static int ngx_http_webhook_pem_password(char *buf, int size, int rwflag,
    void *data);
static ngx_int_t ngx_http_webhook_full_name(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *file);


char *
ngx_http_webhook_set_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_str_t   *value, text;
    ngx_uint_t   hidden;

    value = cf->args->elts;

    if (ngx_http_webhook_value_text(cf, &value[1], &text, &hidden) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_webhook_url_parse(cf->pool, &text, hidden, hook);
}


char *
ngx_http_webhook_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_str_t   *value, text;
    ngx_uint_t   hidden;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&hook->proxy, "");
        return NGX_CONF_OK;
    }

    if (ngx_http_webhook_value_text(cf, &value[1], &text, &hidden) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_webhook_url_proxy(cf->pool, &text, &hook->proxy);
}


char *
ngx_http_webhook_set_ssl_trusted(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_http_webhook_full_name(cf, &value[1],
                                   &hook->ssl_trusted_certificate)
        != NGX_OK
        || ngx_http_webhook_value_file(cf, &hook->ssl_trusted_certificate,
                                       NGX_HTTP_WEBHOOK_PEM_MAX,
                                       &hook->ssl_trusted_pem)
           != NGX_OK
        || ngx_http_webhook_pem_trusted(cf, &hook->ssl_trusted_pem,
                                        &hook->ssl_trusted_certificate)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_webhook_set_ssl_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    X509       *x509;
    EVP_PKEY   *pkey;
    ngx_int_t   matches;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_http_webhook_full_name(cf, &value[1], &hook->ssl_certificate)
        != NGX_OK
        || ngx_http_webhook_full_name(cf, &value[cf->args->nelts - 1],
                                      &hook->ssl_certificate_key)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_webhook_value_file(cf, &hook->ssl_certificate,
                                    NGX_HTTP_WEBHOOK_PEM_MAX,
                                    &hook->ssl_certificate_pem)
        != NGX_OK
        || ngx_http_webhook_value_file(cf, &hook->ssl_certificate_key,
                                       NGX_HTTP_WEBHOOK_PEM_MAX,
                                       &hook->ssl_certificate_key_pem)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    x509 = ngx_http_webhook_pem_certificate(cf, &hook->ssl_certificate_pem,
                                            &hook->ssl_certificate);
    if (x509 == NULL) {
        return NGX_CONF_ERROR;
    }

    pkey = ngx_http_webhook_pem_key(cf, &hook->ssl_certificate_key_pem,
                                    &hook->ssl_certificate_key);
    if (pkey == NULL) {
        X509_free(x509);
        return NGX_CONF_ERROR;
    }

    matches = X509_check_private_key(x509, pkey);

    X509_free(x509);
    EVP_PKEY_free(pkey);

    if (matches != 1) {
        ERR_clear_error();
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key \"%V\" does not belong to certificate \"%V\"",
                           &hook->ssl_certificate_key, &hook->ssl_certificate);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* All of them, as the workers will read them. */

static ngx_int_t
ngx_http_webhook_pem_trusted(ngx_conf_t *cf, ngx_str_t *pem, ngx_str_t *file)
{
    BIO                  *bio;
    X509_INFO            *info;
    ngx_int_t             i, n;
    STACK_OF(X509_INFO)  *all;

    all = NULL;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio) {
        all = PEM_X509_INFO_read_bio(bio, NULL, ngx_http_webhook_pem_password,
                                     NULL);
        BIO_free(bio);
    }

    ERR_clear_error();

    n = 0;

    for (i = 0; all && i < sk_X509_INFO_num(all); i++) {
        info = sk_X509_INFO_value(all, i);
        n += (info->x509 != NULL);
    }

    sk_X509_INFO_pop_free(all, X509_INFO_free);

    if (all == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a PEM certificate in \"%V\" is broken", file);
        return NGX_ERROR;
    }

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no PEM certificate in \"%V\"", file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static X509 *
ngx_http_webhook_pem_certificate(ngx_conf_t *cf, ngx_str_t *pem,
    ngx_str_t *file)
{
    BIO   *bio;
    X509  *x509;

    x509 = NULL;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio) {
        x509 = PEM_read_bio_X509(bio, NULL, ngx_http_webhook_pem_password,
                                 NULL);
        BIO_free(bio);
    }

    ERR_clear_error();

    if (x509 == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no PEM certificate in \"%V\"", file);
    }

    return x509;
}


static EVP_PKEY *
ngx_http_webhook_pem_key(ngx_conf_t *cf, ngx_str_t *pem, ngx_str_t *file)
{
    BIO       *bio;
    EVP_PKEY  *pkey;

    pkey = NULL;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL,
                                       ngx_http_webhook_pem_password, NULL);
        BIO_free(bio);
    }

    ERR_clear_error();

    if (pkey == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no PEM private key without a password in \"%V\"",
                           file);
    }

    return pkey;
}


/* without it OpenSSL would ask on the terminal */

static int
ngx_http_webhook_pem_password(char *buf, int size, int rwflag, void *data)
{
    return 0;
}


static ngx_int_t
ngx_http_webhook_full_name(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *file)
{
    *file = *value;

    return ngx_conf_full_name(cf->cycle, file, 1);
}
