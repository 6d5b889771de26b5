
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: pieces of a text.  Out: its hash.  A universal hash of the kind of VHASH
 * (Krovetz and Dai, 2007): NH makes 2 * 64 bits of each block of 2048 bytes, of
 * which 126 are the coefficients of a polynomial, computed modulo 2^127 - 1 at
 * a secret point; its two words and the text's length become 64 bits by one
 * multiplication each, with secret factors of 128 bits, of whose sum modulo
 * 2^128 these are the upper half (Dietzfelbinger, 1996).
 *
 * Two texts of one length that differ in a block: NH of 32-bit words, under a
 * key and the same key moved on, have a certain difference with at most 2^-64;
 * as a bit of each is left out there are four such differences, so at most
 * 2^-62.  Two different polynomials agree at the point, one of 2^120, with at
 * most their degree / 2^120.  Different polynomials' values, or lengths, get
 * the same 64 bits with at most 2^-64.  That needs a random key, which SHA-256
 * of the secret and a number stands for, and that whoever makes the texts never
 * sees a hash.
 */


#include "ngx_http_webhook_hash.h"
#include <openssl/sha.h>


#define NGX_HTTP_WEBHOOK_HASH_MASK60  (((uint64_t) 1 << 60) - 1)
#define NGX_HTTP_WEBHOOK_HASH_MASK63  (((uint64_t) 1 << 63) - 1)

/* 2^127 - 1 */

#define NGX_HTTP_WEBHOOK_HASH_P                                               \
    (((ngx_http_webhook_hash_wide_t) NGX_HTTP_WEBHOOK_HASH_MASK63 << 64)      \
     | 0xffffffffffffffffULL)


static void ngx_http_webhook_hash_rest(ngx_http_webhook_hash_t *hash);
static void ngx_http_webhook_hash_units(ngx_http_webhook_hash_t *hash,
    const u_char *p, size_t n);
static void ngx_http_webhook_hash_block(ngx_http_webhook_hash_t *hash);


ngx_int_t
ngx_http_webhook_hash_key(ngx_http_webhook_hash_key_t *key,
    const u_char *secret)
{
    u_char    *p, *last, part[SHA256_DIGEST_LENGTH];
    u_char     text[sizeof(uint64_t) + NGX_HTTP_WEBHOOK_HASH_SECRET];
    size_t     n;
    uint64_t   i;

    p = (u_char *) key;
    last = p + offsetof(ngx_http_webhook_hash_key_t, nh);

    ngx_memcpy(text + sizeof(uint64_t), secret, NGX_HTTP_WEBHOOK_HASH_SECRET);

    for (i = 0; p < last; i++) {
        ngx_memcpy(text, &i, sizeof(uint64_t));

        if (SHA256(text, sizeof(text), part) == NULL) {
            return NGX_ERROR;
        }

        n = ngx_min((size_t) (last - p), sizeof(part));
        p = ngx_cpymem(p, part, n);
    }

    key->point[0] &= NGX_HTTP_WEBHOOK_HASH_MASK60;
    key->point[1] &= NGX_HTTP_WEBHOOK_HASH_MASK60;

    key->nh = ngx_http_webhook_hash_nh(0);

    return NGX_OK;
}


void
ngx_http_webhook_hash_init(ngx_http_webhook_hash_t *hash,
    const ngx_http_webhook_hash_key_t *key)
{
    hash->key = key;
    hash->sums[0] = 0;
    hash->sums[1] = 0;
    hash->value = 0;
    hash->len = 0;
    hash->n = 0;
    hash->nrest = 0;
}


void
ngx_http_webhook_hash_add(ngx_http_webhook_hash_t *hash, const void *data,
    size_t len)
{
    size_t         n;
    const u_char  *p;

    p = data;

    hash->len += len;

    if (len > NGX_HTTP_WEBHOOK_HASH_REST - hash->nrest) {

        n = hash->nrest % NGX_HTTP_WEBHOOK_HASH_UNIT;

        if (n) {
            n = NGX_HTTP_WEBHOOK_HASH_UNIT - n;

            ngx_memcpy(hash->rest + hash->nrest, p, n);

            hash->nrest += n;
            p += n;
            len -= n;
        }

        ngx_http_webhook_hash_rest(hash);

        n = len / NGX_HTTP_WEBHOOK_HASH_UNIT;

        ngx_http_webhook_hash_units(hash, p, n);

        p += n * NGX_HTTP_WEBHOOK_HASH_UNIT;
        len -= n * NGX_HTTP_WEBHOOK_HASH_UNIT;
    }

    if (len) {
        ngx_memcpy(hash->rest + hash->nrest, p, len);
        hash->nrest += len;
    }
}


uint64_t
ngx_http_webhook_hash_end(ngx_http_webhook_hash_t *hash)
{
    size_t                              n;
    uint64_t                            low, high;
    ngx_http_webhook_hash_wide_t        value;
    const ngx_http_webhook_hash_key_t  *key;

    n = hash->nrest % NGX_HTTP_WEBHOOK_HASH_UNIT;

    if (n) {
        n = NGX_HTTP_WEBHOOK_HASH_UNIT - n;

        ngx_memzero(hash->rest + hash->nrest, n);
        hash->nrest += n;
    }

    ngx_http_webhook_hash_rest(hash);

    if (hash->n) {
        ngx_http_webhook_hash_block(hash);
    }

    value = hash->value;

    if (value >= NGX_HTTP_WEBHOOK_HASH_P) {
        value -= NGX_HTTP_WEBHOOK_HASH_P;
    }

    low = (uint64_t) value;
    high = (uint64_t) (value >> 64);

    key = hash->key;

    value = key->factors[0] * low + key->factors[1] * high
            + key->factors[2] * hash->len + key->term;

    return (uint64_t) (value >> 64);
}


/* whole units of it */

static void
ngx_http_webhook_hash_rest(ngx_http_webhook_hash_t *hash)
{
    ngx_http_webhook_hash_units(hash, hash->rest,
                                hash->nrest / NGX_HTTP_WEBHOOK_HASH_UNIT);
    hash->nrest = 0;
}


static void
ngx_http_webhook_hash_units(ngx_http_webhook_hash_t *hash, const u_char *p,
    size_t n)
{
    size_t                              now;
    const ngx_http_webhook_hash_key_t  *key;

    key = hash->key;

    while (n) {
        now = ngx_min(n, NGX_HTTP_WEBHOOK_HASH_BLOCK - hash->n);

        key->nh(&key->units[4 * hash->n], p, now, hash->sums);

        hash->n += now;

        if (hash->n == NGX_HTTP_WEBHOOK_HASH_BLOCK) {
            ngx_http_webhook_hash_block(hash);
        }

        p += now * NGX_HTTP_WEBHOOK_HASH_UNIT;
        n -= now;
    }
}


/*
 * value * point + coefficient modulo 2^127 - 1: 2^127 is 1, and 2^128 is 2.
 * The value is 2^127 at most, both words of the point are below 2^60.
 */

static void
ngx_http_webhook_hash_block(ngx_http_webhook_hash_t *hash)
{
    uint64_t                      xl, xh, yl, yh;
    ngx_http_webhook_hash_wide_t  middle, sum;

    xl = (uint64_t) hash->value;
    xh = (uint64_t) (hash->value >> 64);
    yl = hash->key->point[0];
    yh = hash->key->point[1];

    middle = (ngx_http_webhook_hash_wide_t) xl * yh
             + (ngx_http_webhook_hash_wide_t) xh * yl;

    /* below 2^124 + 2^124 + 2^62 + 2^127 + 2^126 */

    sum = (ngx_http_webhook_hash_wide_t) xl * yl
          + (ngx_http_webhook_hash_wide_t) xh * (2 * yh)
          + (uint64_t) (middle >> 63)
          + ((middle & NGX_HTTP_WEBHOOK_HASH_MASK63) << 64)
          + (((ngx_http_webhook_hash_wide_t)
              (hash->sums[1] & NGX_HTTP_WEBHOOK_HASH_MASK63) << 63)
             | (hash->sums[0] & NGX_HTTP_WEBHOOK_HASH_MASK63));

    hash->value = (sum & NGX_HTTP_WEBHOOK_HASH_P) + (sum >> 127);
    hash->sums[0] = 0;
    hash->sums[1] = 0;
    hash->n = 0;
}
