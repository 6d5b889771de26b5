
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: the bytes of a gzip response, whole or as far as they came.  Out: what
 * they stand for, within a bound, whatever they promise.  Next room: observe.
 */


#include "ngx_http_webhook_inflate.h"
#include <zlib.h>


ngx_int_t
ngx_http_webhook_inflate(const u_char *data, size_t len, u_char *out,
    size_t max, size_t *n)
{
    int        rc;
    u_char     more;
    ngx_int_t  result;
    z_stream   z;

    *n = 0;

    ngx_memzero(&z, sizeof(z_stream));

    z.next_in = (u_char *) data;
    z.avail_in = len;

    if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK) {
        return NGX_ABORT;
    }

    for ( ;; ) {

        z.next_out = out + *n;
        z.avail_out = max - *n;

        rc = inflate(&z, Z_SYNC_FLUSH);

        *n = max - z.avail_out;

        if (rc == Z_OK) {

            if (z.avail_in == 0 && z.avail_out) {
                result = NGX_AGAIN;
                break;
            }

            continue;
        }

        if (rc == Z_BUF_ERROR) {

            if (z.avail_out == 0) {

                /* there is no room: is there more? */

                z.next_out = &more;
                z.avail_out = 1;

                (void) inflate(&z, Z_SYNC_FLUSH);
            }

            result = z.avail_out ? NGX_AGAIN : NGX_DECLINED;
            break;
        }

        if (rc != Z_STREAM_END) {
            result = (rc == Z_MEM_ERROR) ? NGX_ABORT : NGX_ERROR;
            break;
        }

        if (z.avail_in < 2 || z.next_in[0] != 0x1f || z.next_in[1] != 0x8b) {

            /* what may follow is padding */

            result = NGX_OK;
            break;
        }

        if (inflateReset(&z) != Z_OK) {
            result = NGX_ERROR;
            break;
        }
    }

    (void) inflateEnd(&z);

    return result;
}
