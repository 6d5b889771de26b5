
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * hash: a text, piece by piece, and a secret -> 64 bits.  Two different texts,
 * below 1 GB and made without knowing the secret or anything that was hashed
 * under it, have the same 64 bits with a probability below 2^-61.  They are for
 * this machine's memory alone: words are in the host's order.  hash_nh.c has
 * what is done to each byte.  Used by digest.
 */


#ifndef _NGX_HTTP_WEBHOOK_HASH_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_WEBHOOK_HASH_SECRET  16    /* bytes */
#define NGX_HTTP_WEBHOOK_HASH_UNIT    32    /* bytes */
#define NGX_HTTP_WEBHOOK_HASH_BLOCK   64    /* units */
#define NGX_HTTP_WEBHOOK_HASH_REST    128   /* bytes, of whole units */

#define NGX_HTTP_WEBHOOK_HASH_KEY                                             \
    ((NGX_HTTP_WEBHOOK_HASH_BLOCK + 1) * NGX_HTTP_WEBHOOK_HASH_UNIT / 8)


/* as aligned as what pools give */

__extension__ typedef unsigned __int128  ngx_http_webhook_hash_wide_t
    __attribute__((aligned(8)));


/*
 * Adds the two NH of n units at p, under the key's units from "key" on, to
 * sums[0] and sums[1]; reads one unit more of the key.
 */

typedef void (*ngx_http_webhook_hash_nh_pt)(const uint64_t *key,
    const u_char *p, size_t n, uint64_t *sums);


typedef struct {
    uint64_t                             units[NGX_HTTP_WEBHOOK_HASH_KEY]
        __attribute__((aligned(NGX_HTTP_WEBHOOK_HASH_UNIT)));
    uint64_t                             point[2];
    ngx_http_webhook_hash_wide_t         factors[3];
    ngx_http_webhook_hash_wide_t         term;
    ngx_http_webhook_hash_nh_pt          nh;
} ngx_http_webhook_hash_key_t;


typedef struct {
    const ngx_http_webhook_hash_key_t   *key;
    uint64_t                             sums[2];  /* of this block */
    ngx_http_webhook_hash_wide_t         value;    /* of those before */
    uint64_t                             len;
    ngx_uint_t                           n;        /* units of this block */
    size_t                               nrest;
    u_char                               rest[NGX_HTTP_WEBHOOK_HASH_REST];
} ngx_http_webhook_hash_t;


/* The key, out of 16 random bytes that nobody knows; NGX_ERROR: no memory. */

ngx_int_t ngx_http_webhook_hash_key(ngx_http_webhook_hash_key_t *key,
    const u_char *secret);

/* The key must live as long as the hash.  How the text is cut has no effect. */

void ngx_http_webhook_hash_init(ngx_http_webhook_hash_t *hash,
    const ngx_http_webhook_hash_key_t *key);
void ngx_http_webhook_hash_add(ngx_http_webhook_hash_t *hash, const void *data,
    size_t len);
uint64_t ngx_http_webhook_hash_end(ngx_http_webhook_hash_t *hash);


/* --- between the files of this room --- */


/*
 * The ways in which this CPU can do it, which all give the same; the first one
 * is the fastest, NULL comes after the last.
 */

ngx_http_webhook_hash_nh_pt ngx_http_webhook_hash_nh(ngx_uint_t i);


#endif /* _NGX_HTTP_WEBHOOK_HASH_H_INCLUDED_ */
