
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: a request and the bytes of its response.  Out: two keyed 64-bit hashes,
 * of what was asked and of what came, and whether the zone knows them.  Next
 * room: observe, which skips a known response.
 */


#include "ngx_http_webhook_digest.h"
#include "ngx_http_webhook_zone.h"
#include <openssl/evp.h>
#include <openssl/sha.h>


#define NGX_HTTP_WEBHOOK_DIGEST_KEY   16      /* bytes */
#define NGX_HTTP_WEBHOOK_DIGEST_TAG   16      /* bytes */
#define NGX_HTTP_WEBHOOK_DIGEST_LIFE  3600    /* s: what is polled unchanged is
                                                 read that often, and its
                                                 states seen */


static ngx_int_t ngx_http_webhook_digest_key(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, ngx_str_t *realm, ngx_str_t *method,
    u_char *secret, uint64_t *key);
static ngx_int_t ngx_http_webhook_digest_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_webhook_digest_begin(u_char *secret);
static ngx_int_t ngx_http_webhook_digest_add(const void *data, size_t len);
static ngx_int_t ngx_http_webhook_digest_end(uint64_t *value);
static EVP_MAC_CTX *ngx_http_webhook_digest_new(void);


static EVP_MAC_CTX  *ngx_http_webhook_digest_mac;
static uint64_t      ngx_http_webhook_digest_cycle;


void
ngx_http_webhook_digest_init(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ngx_http_webhook_digest_cycle = ((uint64_t) tp->sec << 32)
                                    ^ (uint64_t) ngx_random();
}


ngx_int_t
ngx_http_webhook_digest(ngx_http_request_t *r, ngx_http_webhook_api_t *api,
    ngx_http_webhook_route_t *route, ngx_str_t *realm, ngx_str_t *method,
    ngx_str_t *body, ngx_http_webhook_digest_t *digest)
{
    u_char                        *secret;
    uint64_t                       under[6];
    ngx_int_t                      rc;
    ngx_http_webhook_text_t        text;
    ngx_http_webhook_main_conf_t  *mcf;

    if (route->launch || route->rerun) {
        return NGX_ABORT;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);
    secret = ngx_http_webhook_zone_secret(mcf->zone);

    under[0] = ngx_http_webhook_zone_epoch(mcf->zone, api);
    under[1] = ngx_http_webhook_digest_cycle;
    under[2] = ngx_time() / NGX_HTTP_WEBHOOK_DIGEST_LIFE;
    under[3] = (uintptr_t) route;
    under[4] = body->len;

    if (ngx_http_webhook_digest_key(r, api, realm, method, secret,
                                    &digest->key)
        != NGX_OK)
    {
        return NGX_ABORT;
    }

    ngx_memzero(&text, sizeof(ngx_http_webhook_text_t));

    if (ngx_http_webhook_api_variables(r, route, &text) != NGX_OK
        || text.failed)
    {
        ngx_http_webhook_text_free(&text);
        return NGX_ABORT;
    }

    under[5] = text.len;

    if (ngx_http_webhook_digest_begin(secret) != NGX_OK
        || ngx_http_webhook_digest_add(under, sizeof(under)) != NGX_OK
        || ngx_http_webhook_digest_add(text.data, text.len) != NGX_OK
        || ngx_http_webhook_digest_add(body->data, body->len) != NGX_OK
        || ngx_http_webhook_digest_end(&digest->value) != NGX_OK)
    {
        rc = NGX_ABORT;

    } else if (ngx_http_webhook_zone_digest_known(mcf->zone, digest->key,
                                                  digest->value))
    {
        rc = NGX_OK;

    } else {
        rc = NGX_DECLINED;
    }

    ngx_http_webhook_text_free(&text);

    return rc;
}


static ngx_int_t
ngx_http_webhook_digest_key(ngx_http_request_t *r, ngx_http_webhook_api_t *api,
    ngx_str_t *realm, ngx_str_t *method, u_char *secret, uint64_t *key)
{
    uint64_t  len[4];

    len[0] = api->name.len;
    len[1] = realm->len;
    len[2] = method->len;
    len[3] = r->unparsed_uri.len;

    if (ngx_http_webhook_digest_begin(secret) != NGX_OK
        || ngx_http_webhook_digest_add(len, sizeof(len)) != NGX_OK
        || ngx_http_webhook_digest_add(api->name.data, api->name.len) != NGX_OK
        || ngx_http_webhook_digest_add(realm->data, realm->len) != NGX_OK
        || ngx_http_webhook_digest_add(method->data, method->len) != NGX_OK
        || ngx_http_webhook_digest_add(r->unparsed_uri.data,
                                       r->unparsed_uri.len)
           != NGX_OK
        || ngx_http_webhook_digest_body(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_webhook_digest_end(key);
}


static ngx_int_t
ngx_http_webhook_digest_body(ngx_http_request_t *r)
{
    off_t         rest;
    ngx_chain_t  *cl;

    if (r->headers_in.chunked) {
        return NGX_DECLINED;
    }

    rest = r->headers_in.content_length_n;

    if (rest <= 0) {
        return NGX_OK;
    }

    if (r->request_body == NULL || r->request_body_no_buffering) {
        return NGX_DECLINED;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (cl->buf->in_file) {
            return NGX_DECLINED;
        }

        if (ngx_http_webhook_digest_add(cl->buf->pos,
                                        cl->buf->last - cl->buf->pos)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rest -= cl->buf->last - cl->buf->pos;
    }

    return rest ? NGX_DECLINED : NGX_OK;
}


/*
 * Poly1305 under a key that is used again tells texts apart as long as nobody
 * sees a tag (RFC 8439, section 3), and takes a quarter of SipHash's time.
 */

static ngx_int_t
ngx_http_webhook_digest_begin(u_char *secret)
{
    static u_char  of[NGX_HTTP_WEBHOOK_DIGEST_KEY];
    static u_char  key[SHA256_DIGEST_LENGTH];

    if (ngx_http_webhook_digest_mac == NULL
        || ngx_memcmp(of, secret, NGX_HTTP_WEBHOOK_DIGEST_KEY) != 0)
    {
        SHA256(secret, NGX_HTTP_WEBHOOK_DIGEST_KEY, key);
        ngx_memcpy(of, secret, NGX_HTTP_WEBHOOK_DIGEST_KEY);
    }

    if (ngx_http_webhook_digest_mac == NULL) {
        ngx_http_webhook_digest_mac = ngx_http_webhook_digest_new();

        if (ngx_http_webhook_digest_mac == NULL) {
            return NGX_ERROR;
        }
    }

    /* without the key OpenSSL 3.0 would go on with the last text */

    if (EVP_MAC_init(ngx_http_webhook_digest_mac, key, SHA256_DIGEST_LENGTH,
                     NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_digest_add(const void *data, size_t len)
{
    if (len && EVP_MAC_update(ngx_http_webhook_digest_mac, data, len) != 1) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_digest_end(uint64_t *value)
{
    size_t    len;
    uint64_t  tag[NGX_HTTP_WEBHOOK_DIGEST_TAG / sizeof(uint64_t)];

    if (EVP_MAC_final(ngx_http_webhook_digest_mac, (u_char *) tag, &len,
                      NGX_HTTP_WEBHOOK_DIGEST_TAG)
        != 1
        || len != NGX_HTTP_WEBHOOK_DIGEST_TAG)
    {
        return NGX_ERROR;
    }

    *value = tag[0] ^ tag[1];

    return NGX_OK;
}


static EVP_MAC_CTX *
ngx_http_webhook_digest_new(void)
{
    EVP_MAC      *mac;
    EVP_MAC_CTX  *ctx;

    mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    if (mac == NULL) {
        return NULL;
    }

    ctx = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);

    return ctx;
}
