
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: a request and the bytes of its response.  Out: two keyed 64-bit hashes,
 * of what was asked and of what came, and whether the zone knows them.  Next
 * room: observe, which skips a known response.
 */


#include "ngx_http_webhook_digest.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_DIGEST_LIFE  3600    /* s: what is polled unchanged is
                                                 read that often, and its
                                                 states seen */


static ngx_int_t ngx_http_webhook_digest_key(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, ngx_str_t *realm, ngx_str_t *method,
    ngx_http_webhook_digest_t *digest);
static ngx_int_t ngx_http_webhook_digest_body(ngx_http_request_t *r,
    ngx_http_webhook_hash_t *hash);


static uint64_t  ngx_http_webhook_digest_cycle;


void
ngx_http_webhook_digest_init(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ngx_http_webhook_digest_cycle = ((uint64_t) tp->sec << 32)
                                    ^ (uint64_t) ngx_random();
}


/*
 * Nobody who makes a response sees a hash or knows the zone's secret: who would
 * have a change overlooked can only guess, and is right once in 2^60 times.
 */

void
ngx_http_webhook_digest_begin(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, ngx_http_webhook_digest_t *digest)
{
    u_char                              *secret;
    ngx_http_webhook_route_t            *also;
    ngx_http_webhook_main_conf_t        *mcf;

    static u_char                        of[NGX_HTTP_WEBHOOK_HASH_SECRET];
    static ngx_uint_t                    made;
    static ngx_http_webhook_hash_key_t   key;

    for (also = route; also; also = also->also) {
        if (also->launch || also->rerun) {
            return;
        }
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);
    secret = ngx_http_webhook_zone_secret(mcf->zone);

    if (!made || ngx_memcmp(of, secret, NGX_HTTP_WEBHOOK_HASH_SECRET) != 0) {
        made = 0;

        if (ngx_http_webhook_hash_key(&key, secret) != NGX_OK) {
            return;
        }

        ngx_memcpy(of, secret, NGX_HTTP_WEBHOOK_HASH_SECRET);
        made = 1;
    }

    ngx_http_webhook_hash_init(&digest->body, &key);

    digest->on = 1;
}


void
ngx_http_webhook_digest_add(ngx_http_webhook_digest_t *digest, u_char *data,
    size_t len)
{
    if (digest->on) {
        ngx_http_webhook_hash_add(&digest->body, data, len);
    }
}


ngx_int_t
ngx_http_webhook_digest_end(ngx_http_request_t *r, ngx_http_webhook_api_t *api,
    ngx_http_webhook_route_t *route, ngx_str_t *realm, ngx_str_t *method,
    ngx_http_webhook_digest_t *digest)
{
    uint64_t                       under[5];
    ngx_http_webhook_main_conf_t  *mcf;

    if (!digest->on) {
        return NGX_ABORT;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    under[0] = ngx_http_webhook_zone_epoch(mcf->zone, api);
    under[1] = ngx_http_webhook_digest_cycle;
    under[2] = ngx_time() / NGX_HTTP_WEBHOOK_DIGEST_LIFE;
    under[3] = (uintptr_t) route;    /* which "when" may have chosen */
    under[4] = digest->body.len;

    if (ngx_http_webhook_digest_key(r, api, realm, method, digest) != NGX_OK
        || ngx_http_webhook_api_variables(r, route, &digest->body) != NGX_OK)
    {
        return NGX_ABORT;
    }

    /* these end it, so that no text can be cut in two ways */

    ngx_http_webhook_hash_add(&digest->body, under, sizeof(under));

    digest->value = ngx_http_webhook_hash_end(&digest->body);

    return ngx_http_webhook_zone_digest_known(mcf->zone, digest->key,
                                              digest->value)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_webhook_digest_key(ngx_http_request_t *r, ngx_http_webhook_api_t *api,
    ngx_str_t *realm, ngx_str_t *method, ngx_http_webhook_digest_t *digest)
{
    uint64_t                 who[4];
    ngx_http_webhook_hash_t  hash;

    who[0] = (uintptr_t) api;
    who[1] = realm->len;
    who[2] = method->len;
    who[3] = r->unparsed_uri.len;

    ngx_http_webhook_hash_init(&hash, digest->body.key);

    ngx_http_webhook_hash_add(&hash, who, sizeof(who));
    ngx_http_webhook_hash_add(&hash, realm->data, realm->len);
    ngx_http_webhook_hash_add(&hash, method->data, method->len);
    ngx_http_webhook_hash_add(&hash, r->unparsed_uri.data,
                              r->unparsed_uri.len);

    if (ngx_http_webhook_digest_body(r, &hash) != NGX_OK) {
        return NGX_DECLINED;
    }

    digest->key = ngx_http_webhook_hash_end(&hash);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_digest_body(ngx_http_request_t *r,
    ngx_http_webhook_hash_t *hash)
{
    off_t         rest;
    size_t        n;
    ngx_chain_t  *cl;

    if (r->headers_in.chunked) {
        return NGX_DECLINED;
    }

    rest = r->headers_in.content_length_n;

    if (rest <= 0) {
        return NGX_OK;
    }

    if (r->request_body == NULL || r->request_body_no_buffering) {
        return NGX_DECLINED;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (cl->buf->in_file) {
            return NGX_DECLINED;
        }

        n = cl->buf->last - cl->buf->pos;

        ngx_http_webhook_hash_add(hash, cl->buf->pos, n);

        rest -= n;
    }

    return rest ? NGX_DECLINED : NGX_OK;
}
