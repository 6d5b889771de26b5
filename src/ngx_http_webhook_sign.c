
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * sign: secrets, id, time and body -> signature headers.  A keyed context is
 * re-initialised with a NULL key for each signature, which is what makes it
 * cheap.  Next room: transport.
 */


#include "ngx_http_webhook_sign.h"
#include "ngx_http_webhook_format.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>


#define NGX_HTTP_WEBHOOK_SIGN_MAX      EVP_MAX_MD_SIZE
#define NGX_HTTP_WEBHOOK_ED25519_LEN   32     /* seed, public key */
#define NGX_HTTP_WEBHOOK_ED25519_SIGN  64

#define ngx_http_webhook_base64_len(n)  (((n) + 2) / 3 * 4 + 1)


typedef struct {
    time_t                        until;
    EVP_MAC_CTX                  *standard;    /* SHA-256, decoded key */
    EVP_MAC_CTX                  *sha256;      /* the text */
    EVP_MAC_CTX                  *sha1;
    EVP_PKEY                     *ed25519;
} ngx_http_webhook_sign_key_t;


struct ngx_http_webhook_signer_s {
    ngx_uint_t                    schemes;     /* bits */
    EVP_MD_CTX                   *md;          /* Ed25519 only */
    ngx_uint_t                    nkeys;
    ngx_http_webhook_sign_key_t   keys[1];
};


/* what one attempt signs */

typedef struct {
    ngx_http_webhook_signer_t    *signer;
    ngx_str_t                    *body;
    ngx_array_t                  *headers;
    time_t                        now;
    ngx_str_t                     prefix;      /* "ID.TIME." */
    ngx_str_t                     id;          /* parts of it */
    ngx_str_t                     time;
    ngx_str_t                     dated;       /* "TIME." */
} ngx_http_webhook_sign_ctx_t;


static ngx_int_t ngx_http_webhook_sign_prefix(
    ngx_http_webhook_sign_ctx_t *ctx, ngx_str_t *id);
static EVP_MAC_CTX *ngx_http_webhook_sign_mac(EVP_MAC *mac, char *digest,
    ngx_str_t *key);
static ngx_int_t ngx_http_webhook_sign_standard(
    ngx_http_webhook_sign_ctx_t *ctx);
static ngx_int_t ngx_http_webhook_sign_stripe(
    ngx_http_webhook_sign_ctx_t *ctx);
static ngx_int_t ngx_http_webhook_sign_body(ngx_http_webhook_sign_ctx_t *ctx,
    char *name, ngx_uint_t sha1);
static ngx_int_t ngx_http_webhook_sign_github(
    ngx_http_webhook_sign_ctx_t *ctx, ngx_uint_t event);
static ngx_http_webhook_sign_key_t *ngx_http_webhook_sign_next(
    ngx_http_webhook_sign_ctx_t *ctx, ngx_http_webhook_sign_key_t *key,
    ngx_uint_t text);
static ngx_int_t ngx_http_webhook_sign_digest(EVP_MAC_CTX *mac,
    ngx_str_t *prefix, ngx_str_t *body, u_char *digest, size_t *len);
static ngx_int_t ngx_http_webhook_sign_ed25519(
    ngx_http_webhook_sign_ctx_t *ctx, EVP_PKEY *key, u_char *signature);
static ngx_int_t ngx_http_webhook_sign_set(ngx_http_webhook_sign_ctx_t *ctx,
    char *name, ngx_str_t *value);
static ngx_str_t *ngx_http_webhook_sign_push(ngx_http_webhook_sign_ctx_t *ctx,
    char *name, size_t len);
static u_char *ngx_http_webhook_sign_hex(u_char *p, u_char *data, size_t len);


ngx_http_webhook_signer_t *
ngx_http_webhook_signer_create(ngx_http_webhook_hook_t *hook)
{
    EVP_MAC                      *mac;
    ngx_uint_t                    i, n, s;
    ngx_http_webhook_secret_t    *secret;
    ngx_http_webhook_signer_t    *signer;
    ngx_http_webhook_sign_key_t  *key;

    n = hook->secrets.nelts;

    signer = calloc(1, sizeof(ngx_http_webhook_signer_t)
                       + n * sizeof(ngx_http_webhook_sign_key_t));
    if (signer == NULL) {
        return NULL;
    }

    s = hook->signature;

    signer->schemes = s;
    signer->nkeys = n;

    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    signer->md = EVP_MD_CTX_new();

    if (mac == NULL || signer->md == NULL) {
        goto failed;
    }

    secret = hook->secrets.elts;

    for (i = 0; i < n; i++) {

        key = &signer->keys[i];
        key->until = secret[i].until;

        if (secret[i].ed25519) {
            key->ed25519 = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                               secret[i].key.data,
                               NGX_HTTP_WEBHOOK_ED25519_LEN);
            if (key->ed25519 == NULL) {
                goto failed;
            }

            continue;
        }

        key->standard = ngx_http_webhook_sign_mac(mac, "SHA256",
                                                  &secret[i].key);
        key->sha256 = ngx_http_webhook_sign_mac(mac, "SHA256",
                                                &secret[i].text);
        key->sha1 = ngx_http_webhook_sign_mac(mac, "SHA1", &secret[i].text);

        if (key->standard == NULL || key->sha256 == NULL || key->sha1 == NULL)
        {
            goto failed;
        }
    }

    EVP_MAC_free(mac);

    return signer;

failed:

    EVP_MAC_free(mac);
    ngx_http_webhook_signer_free(signer);

    return NULL;
}


static EVP_MAC_CTX *
ngx_http_webhook_sign_mac(EVP_MAC *mac, char *digest, ngx_str_t *key)
{
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    ctx = EVP_MAC_CTX_new(mac);
    if (ctx == NULL) {
        return NULL;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
                                                 0);
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_MAC_init(ctx, key->data, key->len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


/* OpenSSL clears the keys within its contexts */

void
ngx_http_webhook_signer_free(ngx_http_webhook_signer_t *signer)
{
    ngx_uint_t                    i;
    ngx_http_webhook_sign_key_t  *key;

    if (signer == NULL) {
        return;
    }

    for (i = 0; i < signer->nkeys; i++) {
        key = &signer->keys[i];

        EVP_MAC_CTX_free(key->standard);
        EVP_MAC_CTX_free(key->sha256);
        EVP_MAC_CTX_free(key->sha1);
        EVP_PKEY_free(key->ed25519);
    }

    EVP_MD_CTX_free(signer->md);

    free(signer);
}


ngx_int_t
ngx_http_webhook_sign(ngx_http_webhook_signer_t *signer, ngx_uint_t event,
    ngx_str_t *id, time_t now, ngx_str_t *body, ngx_array_t *headers)
{
    ngx_http_webhook_sign_ctx_t  ctx;

    ctx.signer = signer;
    ctx.body = body;
    ctx.headers = headers;
    ctx.now = now;

    if (ngx_http_webhook_sign_prefix(&ctx, id) != NGX_OK) {
        return NGX_ERROR;
    }

    if ((signer->schemes & NGX_HTTP_WEBHOOK_SIGN_STANDARD)
        && ngx_http_webhook_sign_standard(&ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((signer->schemes & NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO)
        && ngx_http_webhook_sign_body(&ctx, "X-Virtuoso-Signature", 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((signer->schemes & NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO_SHA256)
        && ngx_http_webhook_sign_body(&ctx, "X-Virtuoso-Signature", 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((signer->schemes & NGX_HTTP_WEBHOOK_SIGN_GITHUB)
        && ngx_http_webhook_sign_github(&ctx, event) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((signer->schemes & NGX_HTTP_WEBHOOK_SIGN_STRIPE)
        && ngx_http_webhook_sign_stripe(&ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* in one piece: each would be a call down through the layers of OpenSSL */

static ngx_int_t
ngx_http_webhook_sign_prefix(ngx_http_webhook_sign_ctx_t *ctx, ngx_str_t *id)
{
    u_char  *p, *last, *digits, buf[NGX_TIME_T_LEN];

    last = buf + sizeof(buf);
    digits = ngx_http_webhook_number_text(ctx->now, last);

    p = ngx_pnalloc(ctx->headers->pool, id->len + 1 + sizeof(buf) + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->prefix.data = p;
    ctx->id.data = p;
    ctx->id.len = id->len;

    p = ngx_cpymem(p, id->data, id->len);
    *p++ = '.';

    ctx->time.data = p;
    ctx->time.len = last - digits;
    ctx->dated.data = p;

    p = ngx_cpymem(p, digits, last - digits);
    *p++ = '.';

    ctx->dated.len = p - ctx->dated.data;
    ctx->prefix.len = p - ctx->prefix.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_sign_standard(ngx_http_webhook_sign_ctx_t *ctx)
{
    u_char                       *p;
    u_char                        signature[NGX_HTTP_WEBHOOK_SIGN_MAX];
    size_t                        len;
    ngx_str_t                    *value;
    ngx_uint_t                    n;
    ngx_http_webhook_sign_key_t  *key;

    if (ngx_http_webhook_sign_set(ctx, "webhook-id", &ctx->id) != NGX_OK
        || ngx_http_webhook_sign_set(ctx, "webhook-timestamp", &ctx->time)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = 0;

    for (key = ngx_http_webhook_sign_next(ctx, NULL, 0);
         key;
         key = ngx_http_webhook_sign_next(ctx, key, 0))
    {
        n++;
    }

    if (n == 0) {
        return NGX_OK;
    }

    len = sizeof("v1a, ") - 1
          + ngx_http_webhook_base64_len(NGX_HTTP_WEBHOOK_ED25519_SIGN);

    value = ngx_http_webhook_sign_push(ctx, "webhook-signature", n * len);
    if (value == NULL) {
        return NGX_ERROR;
    }

    p = value->data;

    for (key = ngx_http_webhook_sign_next(ctx, NULL, 0);
         key;
         key = ngx_http_webhook_sign_next(ctx, key, 0))
    {
        if (p != value->data) {
            *p++ = ' ';
        }

        if (key->ed25519) {
            len = NGX_HTTP_WEBHOOK_ED25519_SIGN;

            if (ngx_http_webhook_sign_ed25519(ctx, key->ed25519, signature)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            p = ngx_cpymem(p, "v1a,", 4);

        } else {

            if (ngx_http_webhook_sign_digest(key->standard, &ctx->prefix,
                                             ctx->body, signature, &len)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            p = ngx_cpymem(p, "v1,", 3);
        }

        p += EVP_EncodeBlock(p, signature, len);
    }

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_sign_stripe(ngx_http_webhook_sign_ctx_t *ctx)
{
    u_char                       *p;
    u_char                        digest[NGX_HTTP_WEBHOOK_SIGN_MAX];
    size_t                        len;
    ngx_str_t                    *value;
    ngx_uint_t                    n;
    ngx_http_webhook_sign_key_t  *key;

    n = 0;

    for (key = ngx_http_webhook_sign_next(ctx, NULL, 1);
         key;
         key = ngx_http_webhook_sign_next(ctx, key, 1))
    {
        n++;
    }

    if (n == 0) {
        return NGX_OK;
    }

    value = ngx_http_webhook_sign_push(ctx, "Stripe-Signature",
                                       2 + ctx->time.len
                                       + n * (sizeof(",v1=") - 1 + 64));
    if (value == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value->data, "t=", 2);
    p = ngx_cpymem(p, ctx->time.data, ctx->time.len);

    for (key = ngx_http_webhook_sign_next(ctx, NULL, 1);
         key;
         key = ngx_http_webhook_sign_next(ctx, key, 1))
    {
        if (ngx_http_webhook_sign_digest(key->sha256, &ctx->dated, ctx->body,
                                         digest, &len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_cpymem(p, ",v1=", 4);
        p = ngx_http_webhook_sign_hex(p, digest, len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_sign_body(ngx_http_webhook_sign_ctx_t *ctx, char *name,
    ngx_uint_t sha1)
{
    u_char                       *p;
    u_char                        digest[NGX_HTTP_WEBHOOK_SIGN_MAX];
    size_t                        len;
    ngx_str_t                    *value;
    ngx_http_webhook_sign_key_t  *key;

    key = ngx_http_webhook_sign_next(ctx, NULL, 1);

    if (key == NULL) {
        return NGX_OK;
    }

    if (ngx_http_webhook_sign_digest(sha1 ? key->sha1 : key->sha256, NULL,
                                     ctx->body, digest, &len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    value = ngx_http_webhook_sign_push(ctx, name,
                                       sizeof("sha256=") - 1 + len * 2);
    if (value == NULL) {
        return NGX_ERROR;
    }

    p = sha1 ? ngx_cpymem(value->data, "sha1=", 5)
             : ngx_cpymem(value->data, "sha256=", 7);

    p = ngx_http_webhook_sign_hex(p, digest, len);

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_sign_github(ngx_http_webhook_sign_ctx_t *ctx,
    ngx_uint_t event)
{
    ngx_str_t  kind;

    if (event == NGX_HTTP_WEBHOOK_PING) {
        ngx_str_set(&kind, "ping");

    } else {
        ngx_str_set(&kind, "execution");
    }

    if (ngx_http_webhook_sign_set(ctx, "X-GitHub-Event", &kind) != NGX_OK
        || ngx_http_webhook_sign_set(ctx, "X-GitHub-Delivery", &ctx->id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_sign_body(ctx, "X-Hub-Signature-256", 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_sign_body(ctx, "X-Hub-Signature", 1);
}


/*
 * The key after "key" (NULL: the first) that still signs.  When all have
 * lapsed, the one that was the last to do so.  "text": symmetric ones only; a
 * private key never is a shared secret.
 */

static ngx_http_webhook_sign_key_t *
ngx_http_webhook_sign_next(ngx_http_webhook_sign_ctx_t *ctx,
    ngx_http_webhook_sign_key_t *key, ngx_uint_t text)
{
    ngx_uint_t                    i, alive;
    ngx_http_webhook_sign_key_t  *k, *left;

    left = NULL;
    alive = 0;

    for (i = 0; i < ctx->signer->nkeys; i++) {

        k = &ctx->signer->keys[i];

        if (k->until == 0 || ctx->now < k->until) {
            alive = 1;

            if ((!text || !k->ed25519) && (key == NULL || k > key)) {
                return k;
            }

        } else if (left == NULL || k->until > left->until) {
            left = k;
        }
    }

    if (alive || left == NULL || key || (text && left->ed25519)) {
        return NULL;
    }

    return left;
}


static ngx_int_t
ngx_http_webhook_sign_digest(EVP_MAC_CTX *mac, ngx_str_t *prefix,
    ngx_str_t *body, u_char *digest, size_t *len)
{
    if (EVP_MAC_init(mac, NULL, 0, NULL) != 1
        || (prefix && EVP_MAC_update(mac, prefix->data, prefix->len) != 1)
        || EVP_MAC_update(mac, body->data, body->len) != 1
        || EVP_MAC_final(mac, digest, len, NGX_HTTP_WEBHOOK_SIGN_MAX) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Ed25519 hashes what it signs twice, so that it must be in one piece */

static ngx_int_t
ngx_http_webhook_sign_ed25519(ngx_http_webhook_sign_ctx_t *ctx, EVP_PKEY *key,
    u_char *signature)
{
    u_char     *text, *p;
    size_t      len;
    ngx_int_t   rc;

    text = malloc(ctx->prefix.len + ctx->body->len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, ctx->prefix.data, ctx->prefix.len);
    p = ngx_cpymem(p, ctx->body->data, ctx->body->len);

    len = NGX_HTTP_WEBHOOK_ED25519_SIGN;
    rc = NGX_OK;

    if (EVP_MD_CTX_reset(ctx->signer->md) != 1
        || EVP_DigestSignInit(ctx->signer->md, NULL, NULL, NULL, key) != 1
        || EVP_DigestSign(ctx->signer->md, signature, &len, text, p - text)
           != 1)
    {
        rc = NGX_ERROR;
    }

    free(text);

    return rc;
}


static ngx_int_t
ngx_http_webhook_sign_set(ngx_http_webhook_sign_ctx_t *ctx, char *name,
    ngx_str_t *value)
{
    ngx_http_webhook_sign_header_t  *header;

    header = ngx_array_push(ctx->headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    header->name.data = (u_char *) name;
    header->name.len = ngx_strlen(name);
    header->value = *value;

    return NGX_OK;
}


static ngx_str_t *
ngx_http_webhook_sign_push(ngx_http_webhook_sign_ctx_t *ctx, char *name,
    size_t len)
{
    ngx_str_t                        value;
    ngx_http_webhook_sign_header_t  *header;

    value.len = len;
    value.data = ngx_pnalloc(ctx->headers->pool, len);

    if (value.data == NULL
        || ngx_http_webhook_sign_set(ctx, name, &value) != NGX_OK)
    {
        return NULL;
    }

    header = ctx->headers->elts;

    return &header[ctx->headers->nelts - 1].value;
}


static u_char *
ngx_http_webhook_sign_hex(u_char *p, u_char *data, size_t len)
{
    static const u_char  hex[] = "0123456789abcdef";

    while (len--) {
        *p++ = hex[*data >> 4];
        *p++ = hex[*data++ & 15];
    }

    return p;
}
