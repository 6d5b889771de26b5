
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The few functions of nginx that the pure rooms call, over malloc(), so that
 * AddressSanitizer sees each allocation.  Debian ships nginx's headers alone.
 */


#include "unit.h"

#include <openssl/evp.h>


typedef struct block_s  block_t;

struct block_s {
    block_t  *next;
    u_char    data[];
};


ngx_pool_t *
pool_create(void)
{
    return calloc(1, sizeof(ngx_pool_t));
}


void
pool_destroy(ngx_pool_t *pool)
{
    block_t  *block, *next;

    for (block = (block_t *) pool->large; block; block = next) {
        next = block->next;
        free(block);
    }

    free(pool);
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    block_t  *block;

    block = malloc(sizeof(block_t) + size);
    if (block == NULL) {
        return NULL;
    }

    block->next = (block_t *) pool->large;
    pool->large = (ngx_pool_large_t *) block;

    return block->data;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);

    if (p) {
        memset(p, 0, size);
    }

    return p;
}


void
array_init(ngx_array_t *array, ngx_pool_t *pool, size_t size)
{
    array->elts = NULL;
    array->nelts = 0;
    array->size = size;
    array->nalloc = 0;
    array->pool = pool;
}


void *
ngx_array_push_n(ngx_array_t *array, ngx_uint_t n)
{
    u_char  *elts;

    elts = ngx_palloc(array->pool, (array->nelts + n) * array->size);
    if (elts == NULL) {
        return NULL;
    }

    if (array->nelts) {
        memcpy(elts, array->elts, array->nelts * array->size);
    }

    array->elts = elts;
    array->nelts += n;
    array->nalloc = array->nelts;

    return elts + (array->nelts - n) * array->size;
}


void *
ngx_array_push(ngx_array_t *array)
{
    return ngx_array_push_n(array, 1);
}


#if (NGX_PCRE2)

ngx_int_t
ngx_regex_exec(ngx_regex_t *re, ngx_str_t *s, int *captures, ngx_uint_t size)
{
    ngx_int_t          rc;
    pcre2_match_data  *data;

    data = pcre2_match_data_create_from_pattern(re, NULL);
    rc = pcre2_match(re, s->data, s->len, 0, 0, data, NULL);
    pcre2_match_data_free(data);

    return rc;
}

#endif


/* as nginx's, RFC 4648 */

void
ngx_encode_base64(ngx_str_t *dst, ngx_str_t *src)
{
    u_char  text[4096];

    /* OpenSSL writes a NUL behind it, for which there is no room */

    if (src->len > 3000) {
        abort();
    }

    dst->len = EVP_EncodeBlock(text, src->data, src->len);
    memcpy(dst->data, text, dst->len);
}
