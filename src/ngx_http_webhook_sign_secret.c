
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * sign_secret: a secret as written in the configuration -> its keys.  What is
 * wrong is said without the secret itself.  Next room: sign.
 */


#include "ngx_http_webhook_sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>


#define NGX_HTTP_WEBHOOK_ED25519_LEN    32     /* seed, public key */

#define ngx_http_webhook_base64_len(n)  (((n) + 2) / 3 * 4 + 1)


static ngx_int_t ngx_http_webhook_sign_base64(ngx_str_t *text, u_char *dst,
    size_t size);
static char *ngx_http_webhook_sign_ed25519_secret(ngx_pool_t *pool,
    u_char *key, ngx_int_t len, ngx_http_webhook_secret_t *secret);


char *
ngx_http_webhook_sign_secret(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_webhook_secret_t *secret)
{
    char       *rc;
    u_char      key[64];
    ngx_int_t   n;
    ngx_str_t   encoded;

    ngx_memzero(secret, sizeof(ngx_http_webhook_secret_t));

    if (text->len == 0) {
        return "is empty";
    }

    secret->text.len = text->len;
    secret->text.data = ngx_pnalloc(pool, text->len);
    if (secret->text.data == NULL) {
        return "no memory";
    }

    ngx_memcpy(secret->text.data, text->data, text->len);

    if (text->len >= 5 && ngx_memcmp(text->data, "whsk_", 5) == 0) {
        encoded.data = text->data + 5;
        encoded.len = text->len - 5;

        n = ngx_http_webhook_sign_base64(&encoded, key, sizeof(key));
        rc = ngx_http_webhook_sign_ed25519_secret(pool, key, n, secret);

        OPENSSL_cleanse(key, sizeof(key));
        return rc;
    }

    if (text->len >= 5 && ngx_memcmp(text->data, "whpk_", 5) == 0) {

        /* everybody may know it */

        return "is a public key, which signs nothing";
    }

    if (text->len < 6 || ngx_memcmp(text->data, "whsec_", 6) != 0) {
        secret->key = secret->text;
        return NULL;
    }

    encoded.data = text->data + 6;
    encoded.len = text->len - 6;

    n = ngx_http_webhook_sign_base64(&encoded, key, sizeof(key));

    if (n < 24) {
        OPENSSL_cleanse(key, sizeof(key));
        return "must be base64 of 24 to 64 bytes after \"whsec_\"";
    }

    secret->key.len = n;
    secret->key.data = ngx_pnalloc(pool, n);

    if (secret->key.data) {
        ngx_memcpy(secret->key.data, key, n);
    }

    OPENSSL_cleanse(key, sizeof(key));

    return secret->key.data ? NULL : "no memory";
}


static char *
ngx_http_webhook_sign_ed25519_secret(ngx_pool_t *pool, u_char *key,
    ngx_int_t len, ngx_http_webhook_secret_t *secret)
{
    u_char    *p, public[NGX_HTTP_WEBHOOK_ED25519_LEN];
    size_t     n;
    EVP_PKEY  *pkey;

    if (len != NGX_HTTP_WEBHOOK_ED25519_LEN
        && len != 2 * NGX_HTTP_WEBHOOK_ED25519_LEN)
    {
        return "must be base64 of 32 or 64 bytes after \"whsk_\"";
    }

    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key,
                                        NGX_HTTP_WEBHOOK_ED25519_LEN);
    n = sizeof(public);

    if (pkey == NULL || EVP_PKEY_get_raw_public_key(pkey, public, &n) != 1) {
        EVP_PKEY_free(pkey);
        return "is no Ed25519 key";
    }

    EVP_PKEY_free(pkey);

    if (len == 2 * NGX_HTTP_WEBHOOK_ED25519_LEN
        && ngx_memcmp(key + NGX_HTTP_WEBHOOK_ED25519_LEN, public, n) != 0)
    {
        return "has a public key that is not that of its seed";
    }

    p = ngx_pnalloc(pool, NGX_HTTP_WEBHOOK_ED25519_LEN + sizeof("whpk_") - 1
                          + ngx_http_webhook_base64_len(n));
    if (p == NULL) {
        return "no memory";
    }

    secret->ed25519 = 1;

    secret->key.data = p;
    secret->key.len = NGX_HTTP_WEBHOOK_ED25519_LEN;
    p = ngx_cpymem(p, key, NGX_HTTP_WEBHOOK_ED25519_LEN);

    secret->public_key.data = p;
    p = ngx_cpymem(p, "whpk_", 5);
    p += EVP_EncodeBlock(p, public, n);
    secret->public_key.len = p - secret->public_key.data;

    return NULL;
}


/* RFC 4648, 4; padding may be absent, but not wrong.  Returns the length */

static ngx_int_t
ngx_http_webhook_sign_base64(ngx_str_t *text, u_char *dst, size_t size)
{
    u_char     *p, *last;
    size_t      len, n;
    uint32_t    bits, value, c;

    len = text->len;
    last = text->data + len;

    if (len && len % 4 == 0 && last[-1] == '=') {
        last -= (last[-2] == '=') ? 2 : 1;
    }

    len = last - text->data;

    if (len == 0 || len % 4 == 1) {
        return NGX_ERROR;
    }

    bits = 0;
    value = 0;
    n = 0;

    for (p = text->data; p < last; p++) {

        c = *p;

        if (c >= 'A' && c <= 'Z') {
            c = c - 'A';

        } else if (c >= 'a' && c <= 'z') {
            c = c - 'a' + 26;

        } else if (c >= '0' && c <= '9') {
            c = c - '0' + 52;

        } else if (c == '+') {
            c = 62;

        } else if (c == '/') {
            c = 63;

        } else {
            return NGX_ERROR;
        }

        value = ((value & 0xff) << 6) | c;
        bits += 6;

        if (bits >= 8) {
            bits -= 8;

            if (n == size) {
                return NGX_ERROR;
            }

            dst[n++] = (value >> bits) & 0xff;
        }
    }

    if (value & ((1 << bits) - 1)) {
        return NGX_ERROR;
    }

    return n;
}
