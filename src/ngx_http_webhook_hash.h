
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * hash: a text, piece by piece, and a secret -> 64 bits.  Two different texts,
 * below 1 GB and made without knowing the secret or anything that was hashed
 * under it, have the same 64 bits with a probability below 2^-61.  Used by
 * digest.
 */


#ifndef _NGX_HTTP_WEBHOOK_HASH_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_WEBHOOK_HASH_SECRET  16    /* bytes */
#define NGX_HTTP_WEBHOOK_HASH_PAIR    16    /* bytes */
#define NGX_HTTP_WEBHOOK_HASH_BLOCK   128   /* pairs */


/* as aligned as what pools give */

__extension__ typedef unsigned __int128  ngx_http_webhook_hash_wide_t
    __attribute__((aligned(8)));


typedef struct {
    uint64_t                             pairs[2 * NGX_HTTP_WEBHOOK_HASH_BLOCK];
    ngx_http_webhook_hash_wide_t         point;
    ngx_http_webhook_hash_wide_t         factor;
    ngx_http_webhook_hash_wide_t         term;
} ngx_http_webhook_hash_key_t;


typedef struct {
    const ngx_http_webhook_hash_key_t   *key;
    ngx_http_webhook_hash_wide_t         sum;      /* of this block */
    ngx_http_webhook_hash_wide_t         value;    /* of those before */
    uint64_t                             len;
    ngx_uint_t                           n;        /* pairs of this block */
    u_char                               rest[NGX_HTTP_WEBHOOK_HASH_PAIR];
} ngx_http_webhook_hash_t;


/* The key, out of 16 random bytes that nobody else knows. */

void ngx_http_webhook_hash_key(ngx_http_webhook_hash_key_t *key,
    const u_char *secret);

/* The key must live as long as the hash.  How the text is cut has no effect. */

void ngx_http_webhook_hash_init(ngx_http_webhook_hash_t *hash,
    const ngx_http_webhook_hash_key_t *key);
void ngx_http_webhook_hash_add(ngx_http_webhook_hash_t *hash, const void *data,
    size_t len);
uint64_t ngx_http_webhook_hash_end(ngx_http_webhook_hash_t *hash);


#endif /* _NGX_HTTP_WEBHOOK_HASH_H_INCLUDED_ */
