
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: inflate
 * libs: z
 */


#include "unit.h"
#include "ngx_http_webhook_inflate.h"
#include <zlib.h>


#define LARGE  (1024 * 1024)


static u_char  plain[LARGE];
static u_char  packed[2 * LARGE];
static u_char  out[LARGE + 1];


static size_t
pack(const void *data, size_t len, u_char *to, int level)
{
    z_stream  z;

    memset(&z, 0, sizeof(z_stream));

    if (deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + 16, 8,
                     Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        abort();
    }

    z.next_in = (u_char *) data;
    z.avail_in = len;
    z.next_out = to;
    z.avail_out = 2 * LARGE;

    if (deflate(&z, Z_FINISH) != Z_STREAM_END) {
        abort();
    }

    (void) deflateEnd(&z);

    return z.total_out;
}


/* the input in a block of its own, so that not a byte more can be read */

static ngx_int_t
inflate_exactly(const u_char *data, size_t len, size_t max, size_t *n)
{
    u_char     *in, *to;
    ngx_int_t   rc;

    in = malloc(len ? len : 1);
    to = malloc(max ? max : 1);

    memcpy(in, data, len);

    rc = ngx_http_webhook_inflate(in, len, to, max, n);

    if (*n <= max) {
        memcpy(out, to, *n);
    }

    free(in);
    free(to);

    return rc;
}


static void
check_sizes(void)
{
    size_t     n, len, size;
    ngx_int_t  rc;

    static size_t  sizes[] = { 1, 100, 4096, 32768, 65536, LARGE };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size = sizes[i];

        for (int level = 0; level < 10; level += 3) {
            len = pack(plain, size, packed, level);

            rc = inflate_exactly(packed, len, size, &n);
            check(rc == NGX_OK && n == size && memcmp(out, plain, n) == 0,
                  "%zu bytes, level %d, room for as many", size, level);

            rc = inflate_exactly(packed, len, size - 1, &n);
            check(rc == NGX_DECLINED && n == size - 1,
                  "%zu bytes, level %d, a byte too few", size, level);
        }
    }
}


static void
check_parts(void)
{
    int        wrong;
    size_t     n, len, last;
    ngx_int_t  rc;

    len = pack(plain, 2000, packed, 6);

    wrong = 0;
    last = 0;

    for (size_t i = 0; i < len; i++) {
        rc = inflate_exactly(packed, i, 2000, &n);

        if (rc != NGX_AGAIN || n < last || memcmp(out, plain, n) != 0) {
            wrong++;
        }

        last = n;
    }

    check(wrong == 0, "each beginning gives a beginning");
    check(last == 2000, "all but the trailer gives all");
}


static void
check_members(void)
{
    size_t     n, len;
    ngx_int_t  rc;

    len = pack("{\"a\":", 5, packed, 6);
    len += pack("", 0, packed + len, 6);
    len += pack("1}", 2, packed + len, 6);

    rc = inflate_exactly(packed, len, 7, &n);
    check(rc == NGX_OK, "members one after the other");
    check_text(out, n, "{\"a\":1}", "their text");

    memset(packed + len, 0, 100);

    rc = inflate_exactly(packed, len + 100, 7, &n);
    check(rc == NGX_OK && n == 7, "padding");

    rc = inflate_exactly(packed, len, 6, &n);
    check(rc == NGX_DECLINED, "members, a byte too few");

    packed[len] = 0x1f;
    packed[len + 1] = 0x8b;

    rc = inflate_exactly(packed, len + 2, 7, &n);
    check(rc != NGX_OK, "half a member");
}


static void
check_rubbish(void)
{
    int        wrong;
    size_t     n, len;
    ngx_int_t  rc;

    rc = inflate_exactly((u_char *) "{\"id\":1}", 8, 100, &n);
    check(rc == NGX_ERROR, "plain text");

    rc = inflate_exactly((u_char *) "", 0, 100, &n);
    check(rc == NGX_AGAIN && n == 0, "nothing");

    rc = inflate_exactly((u_char *) "\x78\x9c\x03\x00", 4, 100, &n);
    check(rc == NGX_ERROR, "zlib, not gzip");

    len = pack(plain, 5000, packed, 6);
    wrong = 0;

    /* any bit of it turned: an error, or an end that is not there */

    for (size_t i = 0; i < len * 8; i += 3) {
        packed[i / 8] ^= 1 << (i % 8);

        rc = inflate_exactly(packed, len, 5000, &n);

        if (rc == NGX_OK && memcmp(out, plain, 5000) != 0) {
            wrong++;
        }

        packed[i / 8] ^= 1 << (i % 8);
    }

    check(wrong == 0, "damage is seen");
}


int
main(void)
{
    unsigned  seed;

    seed = 1;

    for (size_t i = 0; i < LARGE; i++) {
        seed = seed * 1103515245 + 12345;
        plain[i] = "{}[]:,\"0123456789abc"[(seed >> 16) % 20];
    }

    check_sizes();
    check_parts();
    check_members();
    check_rubbish();

    return 0;
}
