
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: event
 */


#include "unit.h"
#include "ngx_http_webhook_event.h"

#include <openssl/evp.h>


static void lengths(void);
static u_char *part(u_char *p, ngx_str_t *text);


int
main(void)
{
    u_char                     uuid[16], other[16], key[16];
    ngx_str_t                  a, b, c, d, e;
    ngx_uint_t                 i;
    ngx_http_webhook_event_t   event;

    /* sha256 of the parts, each behind its length as 8 bytes, by hand */

    static const u_char  fixed[16] = {
        0x84, 0x59, 0x26, 0x96, 0x01, 0x84, 0x82, 0x9b,
        0xa9, 0x65, 0xe4, 0xcd, 0xd6, 0x0e, 0x4f, 0x01
    };

    static const u_char  fixed_key[16] = {
        0xe8, 0x14, 0x3d, 0x2c, 0x4e, 0xad, 0x75, 0xf7,
        0xa5, 0x48, 0x9a, 0x7f, 0x4c, 0x8d, 0x5e, 0x53
    };

    memset(&event, 0, sizeof(event));
    event.event = NGX_HTTP_WEBHOOK_LAUNCHED;

    a = text("ci");
    b = text("virtuoso");
    c = text("");
    d = text("4889");

    ngx_http_webhook_event_uuid(uuid, &a, &b, &c, &d, &event);

    check(memcmp(uuid, fixed, 16) == 0, "uuid: the same everywhere");
    check((uuid[6] & 0xf0) == 0x80, "uuid: version 8");
    check((uuid[8] & 0xc0) == 0x80, "uuid: variant");

    ngx_http_webhook_event_key(key, &b, &c, &d);
    check(memcmp(key, fixed_key, 16) == 0, "key: the same everywhere");

    event.sequence = 7;
    event.chain[0] = 1;
    ngx_http_webhook_event_uuid(other, &a, &b, &c, &d, &event);
    check(memcmp(uuid, other, 16) == 0,
          "uuid: neither sequence nor chain count");

    event.event = NGX_HTTP_WEBHOOK_UPDATED;
    ngx_http_webhook_event_uuid(uuid, &a, &b, &c, &d, &event);
    event.chain[0] = 2;
    ngx_http_webhook_event_uuid(other, &a, &b, &c, &d, &event);
    check(memcmp(uuid, other, 16) != 0, "uuid: of UPDATED the chain counts");

    event.run = 1;
    ngx_http_webhook_event_uuid(uuid, &a, &b, &c, &d, &event);
    check(memcmp(uuid, other, 16) != 0, "uuid: the run counts");

    e = text("virtuos");
    c = text("o");
    ngx_http_webhook_event_uuid(other, &a, &e, &c, &d, &event);
    check(memcmp(uuid, other, 16) != 0, "uuid: parts do not run together");

    for (i = 0; i < 100; i++) {
        if (ngx_http_webhook_event_random_uuid(uuid) != NGX_OK
            || (uuid[6] & 0xf0) != 0x40 || (uuid[8] & 0xc0) != 0x80
            || memcmp(uuid, other, 16) == 0)
        {
            break;
        }

        memcpy(other, uuid, 16);
    }

    check_number(i, 100, "uuid: of pings, version 4, random");

    lengths();

    return 0;
}


static void
lengths(void)
{
    size_t      n, m;
    u_char     *p, key[16], digest[EVP_MAX_MD_SIZE];
    ngx_str_t   api, realm, execution;

    static u_char  data[600], all[2048];

    memset(data, 'x', sizeof(data));

    api = text("virtuoso");

    realm.data = data;
    execution.data = data;

    for (n = 0; n < sizeof(data); n++) {
        for (m = 0; m < sizeof(data); m += 37) {
            realm.len = m;
            execution.len = n;

            p = part(all, &api);
            p = part(p, &realm);
            p = part(p, &execution);

            EVP_Digest(all, p - all, digest, NULL, EVP_sha256(), NULL);

            ngx_http_webhook_event_key(key, &api, &realm, &execution);

            if (memcmp(key, digest, 16) != 0) {
                check_number(n, sizeof(data), "key: parts of all lengths");
                return;
            }
        }
    }

    check_number(n, sizeof(data), "key: parts of all lengths");
}


static u_char *
part(u_char *p, ngx_str_t *text)
{
    memset(p, 0, 8);

    p[6] = text->len >> 8;
    p[7] = text->len & 0xff;

    memcpy(p + 8, text->data, text->len);

    return p + 8 + text->len;
}
