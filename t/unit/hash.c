
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: hash
 */


#include "unit.h"
#include "ngx_http_webhook_hash.h"


#define SIZE   4200
#define BLOCK  2048


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


/* as its description says, with no thought of speed */

static uint64_t
slow(const u_char *p, size_t len)
{
    size_t    i, n;
    wide_t    sum, value;
    uint64_t  w[BLOCK / 8];

    value = 0;

    for (i = 0; i < len; i += BLOCK) {
        n = ngx_min(len - i, BLOCK);

        memset(w, 0, sizeof(w));
        memcpy(w, p + i, n);

        sum = 0;

        for (n = (n + 15) / 16; n; n--) {
            sum += (wide_t) (w[2 * n - 2] + key.pairs[2 * n - 2])
                   * (w[2 * n - 1] + key.pairs[2 * n - 1]);
        }

        value = (times(value, key.point) + sum % ((wide_t) 1 << 126))
                % prime();
    }

    value = (times(value, key.point) + len) % prime();

    return (uint64_t) ((times(value, key.factor) + key.term) % prime());
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


int
main(void)
{
    size_t                       i;
    uint64_t                     old;
    ngx_uint_t                   same, wrong;
    ngx_http_webhook_hash_key_t  other;

    ngx_http_webhook_hash_key(&key, (u_char *) "0123456789abcdef");

    for (i = 0; i < SIZE; i++) {
        data[i] = (u_char) (i * 131 + i / 7);
    }

    wrong = 0;

    for (i = 0; i <= SIZE; i += (i < 80) ? 1 : 103) {
        wrong += hash(data, i) != slow(data, i);
    }

    check_number(wrong, 0, "hash: as described, of every length");

    check_pieces(1);
    check_pieces(7);
    check_pieces(16);
    check_pieces(1000);
    check_pieces(BLOCK);
    check_pieces(BLOCK + 1);

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

    /* what comes closest to the prime */

    memset(&key, 0xff, sizeof(key));

    key.point = prime() - 1;
    key.factor = prime() - 1;
    key.term = prime() - 1;

    wrong = hash(data, SIZE) != slow(data, SIZE);

    memset(data, 0xff, SIZE);

    for (i = 0; i <= SIZE; i += 97) {
        wrong += hash(data, i) != slow(data, i);
    }

    check_number(wrong, 0, "hash: of the largest numbers");

    other = key;
    ngx_http_webhook_hash_key(&key, (u_char *) "0123456789abcdef");
    ngx_http_webhook_hash_key(&other, (u_char *) "0123456789abcdeg");

    check(memcmp(&key, &other, sizeof(key)) != 0, "hash: another secret");
    check(key.pairs[0] != key.pairs[4], "hash: a key does not repeat");
    check(key.point < prime() && key.factor < prime() && key.term < prime(),
          "hash: below the prime");

    return 0;
}
