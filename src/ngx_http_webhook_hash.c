
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: pieces of a text.  Out: its hash.  A universal hash of the kind of VHASH
 * (Krovetz and Dai, 2007): NH makes 126 bits of each block of 2048 bytes; these
 * and the text's length are the coefficients of a polynomial, computed modulo
 * 2^127 - 1 at a secret point; its value y becomes the low 64 bits of
 * (factor * y + term) mod (2^127 - 1).  Words are in the host's order.
 *
 * Two texts of one length that differ in a block agree in its NH with at most
 * 2^-62, two different polynomials at the point with at most their degree /
 * 2^127, two different values in the 64 bits with at most 2^-64.  That needs a
 * random key, which SHA-256 of the secret and a number stands for, and that
 * whoever makes the texts never sees a hash.  Poly1305 in OpenSSL, without its
 * bookkeeping, takes twice the time, where it can use AVX-512.
 */


#include "ngx_http_webhook_hash.h"
#include <openssl/sha.h>


#define NGX_HTTP_WEBHOOK_HASH_MASK63  (((uint64_t) 1 << 63) - 1)

/* 2^127 - 1 */

#define NGX_HTTP_WEBHOOK_HASH_P                                               \
    (((ngx_http_webhook_hash_wide_t) NGX_HTTP_WEBHOOK_HASH_MASK63 << 64)      \
     | 0xffffffffffffffffULL)


static ngx_http_webhook_hash_wide_t ngx_http_webhook_hash_nh(
    const uint64_t *key, const u_char *p, size_t n);
static ngx_inline ngx_http_webhook_hash_wide_t ngx_http_webhook_hash_pair(
    const uint64_t *key, const u_char *p);
static void ngx_http_webhook_hash_block(ngx_http_webhook_hash_t *hash);
static ngx_http_webhook_hash_wide_t ngx_http_webhook_hash_step(
    ngx_http_webhook_hash_wide_t x, ngx_http_webhook_hash_wide_t y,
    ngx_http_webhook_hash_wide_t term);
static ngx_inline ngx_http_webhook_hash_wide_t ngx_http_webhook_hash_fold(
    ngx_http_webhook_hash_wide_t x);
static ngx_http_webhook_hash_wide_t ngx_http_webhook_hash_mod(
    ngx_http_webhook_hash_wide_t x);


void
ngx_http_webhook_hash_key(ngx_http_webhook_hash_key_t *key,
    const u_char *secret)
{
    u_char    *p, *last, part[SHA256_DIGEST_LENGTH];
    u_char     text[sizeof(uint64_t) + NGX_HTTP_WEBHOOK_HASH_SECRET];
    size_t     n;
    uint64_t   i;

    p = (u_char *) key;
    last = p + sizeof(ngx_http_webhook_hash_key_t);

    ngx_memcpy(text + sizeof(uint64_t), secret, NGX_HTTP_WEBHOOK_HASH_SECRET);

    for (i = 0; p < last; i++) {
        ngx_memcpy(text, &i, sizeof(uint64_t));

        SHA256(text, sizeof(text), part);

        n = ngx_min((size_t) (last - p), sizeof(part));
        p = ngx_cpymem(p, part, n);
    }

    key->point = ngx_http_webhook_hash_mod(key->point);
    key->factor = ngx_http_webhook_hash_mod(key->factor);
    key->term = ngx_http_webhook_hash_mod(key->term);
}


void
ngx_http_webhook_hash_init(ngx_http_webhook_hash_t *hash,
    const ngx_http_webhook_hash_key_t *key)
{
    ngx_memzero(hash, sizeof(ngx_http_webhook_hash_t));

    hash->key = key;
}


void
ngx_http_webhook_hash_add(ngx_http_webhook_hash_t *hash, const void *data,
    size_t len)
{
    size_t         n, rest;
    const u_char  *p;

    if (len == 0) {
        return;
    }

    p = data;

    rest = hash->len % NGX_HTTP_WEBHOOK_HASH_PAIR;
    hash->len += len;

    if (rest) {
        n = ngx_min(len, NGX_HTTP_WEBHOOK_HASH_PAIR - rest);

        ngx_memcpy(hash->rest + rest, p, n);

        if (rest + n < NGX_HTTP_WEBHOOK_HASH_PAIR) {
            return;
        }

        hash->sum += ngx_http_webhook_hash_nh(&hash->key->pairs[2 * hash->n++],
                                              hash->rest, 1);
        ngx_http_webhook_hash_block(hash);

        p += n;
        len -= n;
    }

    while (len >= NGX_HTTP_WEBHOOK_HASH_PAIR) {

        n = ngx_min(len / NGX_HTTP_WEBHOOK_HASH_PAIR,
                    NGX_HTTP_WEBHOOK_HASH_BLOCK - hash->n);

        hash->sum += ngx_http_webhook_hash_nh(&hash->key->pairs[2 * hash->n],
                                              p, n);
        hash->n += n;
        ngx_http_webhook_hash_block(hash);

        p += n * NGX_HTTP_WEBHOOK_HASH_PAIR;
        len -= n * NGX_HTTP_WEBHOOK_HASH_PAIR;
    }

    ngx_memcpy(hash->rest, p, len);
}


uint64_t
ngx_http_webhook_hash_end(ngx_http_webhook_hash_t *hash)
{
    size_t                              rest;
    const ngx_http_webhook_hash_key_t  *key;

    key = hash->key;
    rest = hash->len % NGX_HTTP_WEBHOOK_HASH_PAIR;

    if (rest) {
        ngx_memzero(hash->rest + rest, NGX_HTTP_WEBHOOK_HASH_PAIR - rest);

        hash->sum += ngx_http_webhook_hash_nh(&key->pairs[2 * hash->n++],
                                              hash->rest, 1);
    }

    if (hash->n) {
        hash->n = NGX_HTTP_WEBHOOK_HASH_BLOCK;
        ngx_http_webhook_hash_block(hash);
    }

    hash->value = ngx_http_webhook_hash_step(hash->value, key->point,
                                             hash->len);

    return (uint64_t) ngx_http_webhook_hash_step(hash->value, key->factor,
                                                 key->term);
}


/* of n pairs; two sums at a time, as one waits for its carry */

static ngx_http_webhook_hash_wide_t
ngx_http_webhook_hash_nh(const uint64_t *key, const u_char *p, size_t n)
{
    ngx_http_webhook_hash_wide_t  a, b;

    a = 0;
    b = 0;

    for ( /* void */ ; n > 1; n -= 2) {
        a += ngx_http_webhook_hash_pair(key, p);
        b += ngx_http_webhook_hash_pair(key + 2, p + 16);

        p += 32;
        key += 4;
    }

    if (n) {
        a += ngx_http_webhook_hash_pair(key, p);
    }

    return a + b;
}


static ngx_inline ngx_http_webhook_hash_wide_t
ngx_http_webhook_hash_pair(const uint64_t *key, const u_char *p)
{
    uint64_t  first, second;

    ngx_memcpy(&first, p, sizeof(uint64_t));
    ngx_memcpy(&second, p + sizeof(uint64_t), sizeof(uint64_t));

    return (ngx_http_webhook_hash_wide_t) (first + key[0]) * (second + key[1]);
}


/* if it is full: on to the next one */

static void
ngx_http_webhook_hash_block(ngx_http_webhook_hash_t *hash)
{
    if (hash->n < NGX_HTTP_WEBHOOK_HASH_BLOCK) {
        return;
    }

    hash->value = ngx_http_webhook_hash_step(hash->value, hash->key->point,
                                             hash->sum
                                             & (NGX_HTTP_WEBHOOK_HASH_P >> 1));
    hash->sum = 0;
    hash->n = 0;
}


/* x * y + term modulo 2^127 - 1; all of them are below that */

static ngx_http_webhook_hash_wide_t
ngx_http_webhook_hash_step(ngx_http_webhook_hash_wide_t x,
    ngx_http_webhook_hash_wide_t y, ngx_http_webhook_hash_wide_t term)
{
    uint64_t                      xl, xh, yl, yh;
    ngx_http_webhook_hash_wide_t  low, middle, high;

    xl = (uint64_t) x;
    xh = (uint64_t) (x >> 64);
    yl = (uint64_t) y;
    yh = (uint64_t) (y >> 64);

    low = (ngx_http_webhook_hash_wide_t) xl * yl;
    middle = (ngx_http_webhook_hash_wide_t) xl * yh
             + (ngx_http_webhook_hash_wide_t) xh * yl;
    high = (ngx_http_webhook_hash_wide_t) xh * yh;

    /* 2^127 is 1, and 2^128 is 2 */

    high = 2 * high + (middle >> 63);
    middle = (middle & NGX_HTTP_WEBHOOK_HASH_MASK63) << 64;

    /* each of the sums stays below 2^128 */

    low = ngx_http_webhook_hash_fold(low) + term;
    high = ngx_http_webhook_hash_fold(high) + middle;

    return ngx_http_webhook_hash_mod(ngx_http_webhook_hash_fold(low)
                                     + ngx_http_webhook_hash_fold(high));
}


/* 2^127 - 1 at most, unless x is 2^128 - 1 */

static ngx_inline ngx_http_webhook_hash_wide_t
ngx_http_webhook_hash_fold(ngx_http_webhook_hash_wide_t x)
{
    return (x & NGX_HTTP_WEBHOOK_HASH_P) + (x >> 127);
}


static ngx_http_webhook_hash_wide_t
ngx_http_webhook_hash_mod(ngx_http_webhook_hash_wide_t x)
{
    x = ngx_http_webhook_hash_fold(x);

    return (x >= NGX_HTTP_WEBHOOK_HASH_P) ? x - NGX_HTTP_WEBHOOK_HASH_P : x;
}
