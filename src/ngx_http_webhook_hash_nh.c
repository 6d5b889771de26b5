
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * hash_nh: units of a text -> their NH (Black, Halevi, Krawczyk, Krovetz and
 * Rogaway, 1999) under two keys, the second of which is the first from its
 * second unit on.  For each two words of 32 bits, (first + its key) * (second +
 * its key) is added up, modulo 2^64.  Next room: hash.
 */


#include "ngx_http_webhook_hash.h"

#if (__x86_64__)
#include <immintrin.h>
#endif


static void ngx_http_webhook_hash_nh_portable(const uint64_t *key,
    const u_char *p, size_t n, uint64_t *sums);

#if (__x86_64__)

static void ngx_http_webhook_hash_nh_sse2(const uint64_t *key,
    const u_char *p, size_t n, uint64_t *sums);
static void ngx_http_webhook_hash_nh_avx2(const uint64_t *key,
    const u_char *p, size_t n, uint64_t *sums)
    __attribute__((target("avx2")));

#endif


ngx_http_webhook_hash_nh_pt
ngx_http_webhook_hash_nh(ngx_uint_t i)
{
    ngx_uint_t                   n;
    ngx_http_webhook_hash_nh_pt  ways[4];

    n = 0;

#if (__x86_64__)

    if (__builtin_cpu_supports("avx2")) {
        ways[n++] = ngx_http_webhook_hash_nh_avx2;
    }

    ways[n++] = ngx_http_webhook_hash_nh_sse2;

#endif

    ways[n++] = ngx_http_webhook_hash_nh_portable;

    return (i < n) ? ways[i] : NULL;
}


static void
ngx_http_webhook_hash_nh_portable(const uint64_t *key, const u_char *p,
    size_t n, uint64_t *sums)
{
    uint64_t  a, b, m;

    a = 0;
    b = 0;

    for (n *= 4; n; n--) {
        ngx_memcpy(&m, p, sizeof(uint64_t));

        a += (uint64_t) (uint32_t) (m + key[0])
             * (uint32_t) ((m >> 32) + (key[0] >> 32));
        b += (uint64_t) (uint32_t) (m + key[4])
             * (uint32_t) ((m >> 32) + (key[4] >> 32));

        p += sizeof(uint64_t);
        key++;
    }

    sums[0] += a;
    sums[1] += b;
}


#if (__x86_64__)

static void
ngx_http_webhook_hash_nh_sse2(const uint64_t *key, const u_char *p, size_t n,
    uint64_t *sums)
{
    __m128i         a, b, m, x, y, *s;
    const __m128i  *k;

    k = (const __m128i *) (const void *) key;
    s = (__m128i *) (void *) sums;

    a = _mm_setzero_si128();
    b = a;

    for (n *= 2; n; n--) {
        m = _mm_loadu_si128((const __m128i *) (const void *) p);

        x = _mm_add_epi32(m, k[0]);
        y = _mm_add_epi32(m, k[2]);

        a = _mm_add_epi64(a, _mm_mul_epu32(x, _mm_srli_epi64(x, 32)));
        b = _mm_add_epi64(b, _mm_mul_epu32(y, _mm_srli_epi64(y, 32)));

        p += 16;
        k++;
    }

    a = _mm_add_epi64(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));

    _mm_storeu_si128(s, _mm_add_epi64(a, _mm_loadu_si128(s)));
}


/* without the asm gcc loads m twice */

#define ngx_http_webhook_hash_unit(i)                                         \
                                                                              \
    m = _mm256_loadu_si256((const __m256i *) (const void *) p + (i));         \
    __asm__ ("" : "+x" (m));                                                  \
                                                                              \
    x = _mm256_add_epi32(m, k[i]);                                            \
    y = _mm256_add_epi32(m, k[(i) + 1]);                                      \
                                                                              \
    a = _mm256_add_epi64(a, _mm256_mul_epu32(x, _mm256_srli_epi64(x, 32)));   \
    b = _mm256_add_epi64(b, _mm256_mul_epu32(y, _mm256_srli_epi64(y, 32)))


static void
ngx_http_webhook_hash_nh_avx2(const uint64_t *key, const u_char *p, size_t n,
    uint64_t *sums)
{
    __m128i         half, *s;
    __m256i         a, b, m, x, y;
    const __m256i  *k;

    k = (const __m256i *) (const void *) key;
    s = (__m128i *) (void *) sums;

    a = _mm256_setzero_si256();
    b = a;

    for ( /* void */ ; n > 1; n -= 2) {
        ngx_http_webhook_hash_unit(0);
        ngx_http_webhook_hash_unit(1);

        p += 64;
        k += 2;
    }

    if (n) {
        ngx_http_webhook_hash_unit(0);
    }

    a = _mm256_add_epi64(_mm256_unpacklo_epi64(a, b),
                         _mm256_unpackhi_epi64(a, b));

    half = _mm_add_epi64(_mm256_castsi256_si128(a),
                         _mm256_extracti128_si256(a, 1));

    _mm_storeu_si128(s, _mm_add_epi64(half, _mm_loadu_si128(s)));
}

#endif
