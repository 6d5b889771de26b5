
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: hash hash_nh
 */


#include "unit.h"
#include "ngx_http_webhook_hash.h"


#define SIZE   4200
#define BLOCK  2048
#define UNIT   32


typedef ngx_http_webhook_hash_wide_t  wide_t;


static ngx_http_webhook_hash_key_t  key;
static u_char                       data[SIZE];


static uint64_t
hash(const u_char *p, size_t len)
{
    ngx_http_webhook_hash_t  h;

    ngx_http_webhook_hash_init(&h, &key);
    ngx_http_webhook_hash_add(&h, p, len);

    return ngx_http_webhook_hash_end(&h);
}


static wide_t
prime(void)
{
    return ((wide_t) 1 << 127) - 1;
}


/* bit by bit */

static wide_t
times(wide_t x, wide_t y)
{
    int     i;
    wide_t  r;

    r = 0;

    for (i = 127; i >= 0; i--) {
        r = (r * 2) % prime();

        if ((y >> i) & 1) {
            r = (r + x) % prime();
        }
    }

    return r;
}


static uint64_t
nh(const uint32_t *w, const uint32_t *k, size_t n)
{
    size_t    i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < n; i += 2) {
        sum += (uint64_t) (uint32_t) (w[i] + k[i])
               * (uint32_t) (w[i + 1] + k[i + 1]);
    }

    return sum % ((uint64_t) 1 << 63);
}


/* modulo 2^128 */

static wide_t
product(wide_t x, wide_t y)
{
    int     i;
    wide_t  r;

    r = 0;

    for (i = 127; i >= 0; i--) {
        r = 2 * r + ((y >> i) & 1 ? x : 0);
    }

    return r;
}


/* as its description says, with no thought of speed */

static uint64_t
slow(const u_char *p, size_t len)
{
    size_t    i, n;
    wide_t    sum, value, point;
    uint32_t  w[BLOCK / 4], k[BLOCK / 4 + 8];

    memcpy(k, key.units, sizeof(k));

    point = ((wide_t) key.point[1] << 64) + key.point[0];
    value = 0;

    for (i = 0; i < len; i += BLOCK) {
        n = ngx_min(len - i, BLOCK);

        memset(w, 0, sizeof(w));
        memcpy(w, p + i, n);

        n = (n + UNIT - 1) / UNIT * (UNIT / 4);

        sum = ((wide_t) nh(w, k + UNIT / 4, n) << 63) + nh(w, k, n);

        value = (times(value, point) + sum) % prime();
    }

    sum = product(key.factors[0], value % ((wide_t) 1 << 64))
          + product(key.factors[1], value >> 64)
          + product(key.factors[2], len) + key.term;

    return (uint64_t) (sum >> 64);
}


static void
check_pieces(size_t piece)
{
    size_t                   i, n;
    ngx_http_webhook_hash_t  h;

    ngx_http_webhook_hash_init(&h, &key);

    for (i = 0; i < SIZE; i += n) {
        n = ngx_min(piece, SIZE - i);
        ngx_http_webhook_hash_add(&h, data + i, n);
    }

    check(ngx_http_webhook_hash_end(&h) == hash(data, SIZE),
          "hash: the same in pieces of %zu", piece);
}


/* a part of every length, and the rest at once */

static void
check_two(void)
{
    size_t                   i;
    ngx_uint_t               wrong;
    ngx_http_webhook_hash_t  h;

    wrong = 0;

    for (i = 0; i <= 1000; i++) {
        ngx_http_webhook_hash_init(&h, &key);

        ngx_http_webhook_hash_add(&h, data, i / 3);
        ngx_http_webhook_hash_add(&h, data + i / 3, i - i / 3);
        ngx_http_webhook_hash_add(&h, data + i, SIZE - i);

        wrong += ngx_http_webhook_hash_end(&h) != hash(data, SIZE);
    }

    check_number(wrong, 0, "hash: the same in three parts");
}


/* what a polynomial's value may be, of which 0 is written in two ways */

static void
check_end(void)
{
    ngx_uint_t               i;
    uint64_t                 result[4];
    ngx_http_webhook_hash_t  h;

    static wide_t            back[] = { 0, 1, 2 };

    ngx_http_webhook_hash_key(&key, (u_char *) "0123456789abcdef");

    for (i = 0; i < 3; i++) {
        ngx_http_webhook_hash_init(&h, &key);
        h.value = prime() + 1 - back[i];
        result[i] = ngx_http_webhook_hash_end(&h);
    }

    ngx_http_webhook_hash_init(&h, &key);
    result[3] = ngx_http_webhook_hash_end(&h);

    check(result[1] == result[3] && result[0] != result[3]
          && result[2] != result[3], "hash: the prime is 0");
}


/* in every way that this CPU can do it */

static void
check_ways(void)
{
    size_t      i;
    ngx_uint_t  way, wrong;

    for (way = 0; ngx_http_webhook_hash_nh(way); way++) {

        key.nh = ngx_http_webhook_hash_nh(way);
        wrong = 0;

        for (i = 0; i <= SIZE; i += (i < 300) ? 1 : 97) {
            wrong += hash(data, i) != slow(data, i);
            wrong += hash(data + i, SIZE - i) != slow(data + i, SIZE - i);
        }

        check_number(wrong, 0, "hash: as described, of every length, way %u",
                     (unsigned) way);
    }

    key.nh = ngx_http_webhook_hash_nh(0);
}


int
main(void)
{
    size_t                       i;
    uint64_t                     old;
    ngx_uint_t                   same;
    ngx_http_webhook_hash_key_t  other;

    ngx_http_webhook_hash_key(&key, (u_char *) "0123456789abcdef");

    for (i = 0; i < SIZE; i++) {
        data[i] = (u_char) (i * 131 + i / 7);
    }

    check_ways();

    check_pieces(1);
    check_pieces(7);
    check_pieces(UNIT);
    check_pieces(100);
    check_pieces(1000);
    check_pieces(BLOCK);
    check_pieces(BLOCK + 1);

    check_two();

    old = hash(data, SIZE);
    same = 0;

    for (i = 0; i < SIZE; i++) {
        data[i] ^= 1 << i % 8;
        same += hash(data, SIZE) == old;
        data[i] ^= 1 << i % 8;
    }

    check_number(same, 0, "hash: every byte has an effect");

    memset(data, 0, SIZE);
    same = 0;

    for (i = 1; i < SIZE; i++) {
        same += hash(data, i) == hash(data, i - 1);
    }

    check_number(same, 0, "hash: so has every byte more, even of zeros");

    /* what comes closest to overflowing */

    for (i = 0; i < SIZE; i++) {
        data[i] = (u_char) (i * 131 + i / 7);
    }

    memset(&key, 0xff, sizeof(key));

    key.point[0] = ((uint64_t) 1 << 60) - 1;
    key.point[1] = key.point[0];

    check_ways();

    memset(data, 0xff, SIZE);

    check_ways();

    memset(data, 0, SIZE);

    check_ways();

    /* pairs of 0 and, in both sums, the largest there is */

    memset(key.units, 0, sizeof(key.units));
    memset(data, 0xff, SIZE);

    check_ways();

    check_end();

    ngx_http_webhook_hash_key(&key, (u_char *) "0123456789abcdef");
    ngx_http_webhook_hash_key(&other, (u_char *) "0123456789abcdeg");

    check(memcmp(&key, &other, sizeof(key)) != 0, "hash: another secret");
    check(key.units[0] != key.units[4], "hash: a key does not repeat");
    check(key.point[0] >> 60 == 0 && key.point[1] >> 60 == 0,
          "hash: a point's words are short");

    return 0;
}
