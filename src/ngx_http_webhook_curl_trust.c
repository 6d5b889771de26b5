
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The built-in transport, trust: a webhook's settings -> what libcurl checks a
 * certificate against.
 *
 * Trusted certificates are parsed once by a worker, those of a webhook's file
 * as nginx read it when it started, into a store that all connections share.
 * Left to itself, libcurl reads a file again for each connection (tens of
 * milliseconds for the system's) as soon as a directory of certificates was
 * built into it, and newer versions trust that directory even beside a file of
 * the user's.  So it gets a file to tell connections apart by, one certificate
 * of it to read, and then the store in its place.
 */


#include "ngx_http_webhook_curl_transfer.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>


typedef struct ngx_http_webhook_curl_trust_s  ngx_http_webhook_curl_trust_t;

struct ngx_http_webhook_curl_trust_s {
    char                           *file;
    size_t                          len;       /* of what it held; 0: it is  */
    uint32_t                        crc;       /* read by the worker         */
    X509_STORE                     *store;
    struct curl_blob                first;     /* certificate in it */
    ngx_http_webhook_curl_trust_t  *next;
};


static char *ngx_http_webhook_curl_system_trust(void);
static ngx_http_webhook_curl_trust_t *ngx_http_webhook_curl_trust_get(
    char *file, ngx_str_t *pem);
static ngx_int_t ngx_http_webhook_curl_trust_read(
    ngx_http_webhook_curl_trust_t *trust, ngx_str_t *pem);
static ngx_int_t ngx_http_webhook_curl_trust_add(
    ngx_http_webhook_curl_trust_t *trust, X509_INFO *info);
static ngx_int_t ngx_http_webhook_curl_trust_first(
    ngx_http_webhook_curl_trust_t *trust, X509 *cert);
static CURLcode ngx_http_webhook_curl_trust_set(CURL *easy, void *ssl_ctx,
    void *data);


static ngx_http_webhook_curl_trust_t  *ngx_http_webhook_curl_trusts;


ngx_int_t
ngx_http_webhook_curl_trust(CURL *easy, ngx_http_webhook_hook_t *hook)
{
    char                           *file;
    ngx_uint_t                      proxy;
    ngx_http_webhook_curl_trust_t  *trust;

    file = hook->ssl_trusted_certificate.len
           ? (char *) hook->ssl_trusted_certificate.data
           : ngx_http_webhook_curl_system_trust();

    proxy = hook->proxy.len > 5
            && ngx_strncasecmp(hook->proxy.data, (u_char *) "https", 5) == 0;

    if (!hook->ssl && !proxy) {
        return NGX_OK;
    }

    if (curl_easy_setopt(easy, CURLOPT_CAPATH, NULL)
        || curl_easy_setopt(easy, CURLOPT_CAINFO, file)
        || (proxy
            && (curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL)
                || curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, file))))
    {
        return NGX_ERROR;
    }

    if (!hook->ssl_verify
        && (curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L)
            || curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L)))
    {
        return NGX_ERROR;
    }

    if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, NULL)
        || curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION,
                            ngx_http_webhook_curl_trust_set))
    {
        return NGX_ERROR;
    }

    if (!hook->ssl_verify && !proxy) {
        return NGX_OK;
    }

    trust = ngx_http_webhook_curl_trust_get(file, &hook->ssl_trusted_pem);

    if (trust == NULL) {

        /* libcurl will say so, if it comes to that */

        return NGX_OK;
    }

    if (curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &trust->first)
        || (proxy
            && curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB,
                                &trust->first))
        || curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_http_webhook_curl_system_trust(void)
{
    curl_version_info_data  *info;

    info = curl_version_info(CURLVERSION_NOW);

    if (info->age >= CURLVERSION_SEVENTH && info->cainfo) {
        return (char *) info->cainfo;
    }

    return (char *) "/etc/ssl/certs/ca-certificates.crt";
}


static ngx_http_webhook_curl_trust_t *
ngx_http_webhook_curl_trust_get(char *file, ngx_str_t *pem)
{
    size_t                          len;
    uint32_t                        crc;
    ngx_http_webhook_curl_trust_t  *trust;

    crc = ngx_crc32_long(pem->data, pem->len);

    for (trust = ngx_http_webhook_curl_trusts; trust; trust = trust->next) {
        if (trust->len == pem->len
            && trust->crc == crc
            && ngx_strcmp(trust->file, file) == 0)
        {
            return trust;
        }
    }

    len = ngx_strlen(file) + 1;

    trust = ngx_calloc(sizeof(ngx_http_webhook_curl_trust_t) + len,
                       ngx_cycle->log);
    if (trust == NULL) {
        return NULL;
    }

    trust->file = (char *) (trust + 1);
    ngx_memcpy(trust->file, file, len);

    trust->len = pem->len;
    trust->crc = crc;

    if (ngx_http_webhook_curl_trust_read(trust, pem) != NGX_OK) {
        ERR_clear_error();

        X509_STORE_free(trust->store);

        if (trust->first.data) {
            ngx_free(trust->first.data);
        }

        ngx_free(trust);
        return NULL;
    }

    trust->next = ngx_http_webhook_curl_trusts;
    ngx_http_webhook_curl_trusts = trust;

    return trust;
}


static ngx_int_t
ngx_http_webhook_curl_trust_read(ngx_http_webhook_curl_trust_t *trust,
    ngx_str_t *pem)
{
    int                   i;
    BIO                  *bio;
    ngx_int_t             rc;
    STACK_OF(X509_INFO)  *all;

    trust->store = X509_STORE_new();
    if (trust->store == NULL) {
        return NGX_ERROR;
    }

    /* the flags are libcurl's own */

    if (X509_STORE_set_flags(trust->store, X509_V_FLAG_TRUSTED_FIRST
                                           |X509_V_FLAG_PARTIAL_CHAIN)
        != 1)
    {
        return NGX_ERROR;
    }

    bio = pem->len ? BIO_new_mem_buf(pem->data, (int) pem->len)
                   : BIO_new_file(trust->file, "r");
    if (bio == NULL) {
        return NGX_ERROR;
    }

    all = PEM_X509_INFO_read_bio(bio, NULL, NULL, (void *) "");

    BIO_free(bio);

    if (all == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (i = 0; i < sk_X509_INFO_num(all) && rc == NGX_OK; i++) {
        rc = ngx_http_webhook_curl_trust_add(trust, sk_X509_INFO_value(all, i));
    }

    sk_X509_INFO_pop_free(all, X509_INFO_free);

    return trust->first.data ? rc : NGX_ERROR;
}


static ngx_int_t
ngx_http_webhook_curl_trust_add(ngx_http_webhook_curl_trust_t *trust,
    X509_INFO *info)
{
    if (info->crl && X509_STORE_add_crl(trust->store, info->crl) != 1) {
        return NGX_ERROR;
    }

    if (info->x509 == NULL) {
        return NGX_OK;
    }

    if (X509_STORE_add_cert(trust->store, info->x509) != 1) {
        return NGX_ERROR;
    }

    return trust->first.data
           ? NGX_OK : ngx_http_webhook_curl_trust_first(trust, info->x509);
}


static ngx_int_t
ngx_http_webhook_curl_trust_first(ngx_http_webhook_curl_trust_t *trust,
    X509 *cert)
{
    BIO   *out;
    long   len;
    char  *pem;

    out = BIO_new(BIO_s_mem());
    if (out == NULL) {
        return NGX_ERROR;
    }

    if (PEM_write_bio_X509(out, cert) != 1) {
        BIO_free(out);
        return NGX_ERROR;
    }

    len = BIO_get_mem_data(out, &pem);

    trust->first.data = ngx_alloc(len, ngx_cycle->log);

    if (trust->first.data) {
        ngx_memcpy(trust->first.data, pem, len);

        trust->first.len = len;
        trust->first.flags = CURL_BLOB_NOCOPY;
    }

    BIO_free(out);

    return trust->first.data ? NGX_OK : NGX_ERROR;
}


/* A CURLOPT_SSL_CTX_FUNCTION. */

static CURLcode
ngx_http_webhook_curl_trust_set(CURL *easy, void *ssl_ctx, void *data)
{
    ngx_http_webhook_curl_trust_t *trust = data;

    ngx_http_webhook_curl_turn_limit(ssl_ctx);

    if (trust) {
        SSL_CTX_set1_cert_store(ssl_ctx, trust->store);
    }

    return CURLE_OK;
}
