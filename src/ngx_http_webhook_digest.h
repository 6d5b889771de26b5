
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * digest: a request and its response -> whether the same was read before and
 * nothing can have come of it since (design, section 4).  Used by observe.
 */


#ifndef _NGX_HTTP_WEBHOOK_DIGEST_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_DIGEST_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api.h"
#include "ngx_http_webhook_hash.h"


typedef struct {
    ngx_http_webhook_hash_t   body;        /* of the response, so far */
    uint64_t                  key;         /* of the request */
    uint64_t                  value;       /* of the response, under one
                                              epoch */
    unsigned                  on:1;
} ngx_http_webhook_digest_t;


/* Makes digests of other configurations void; in the master. */

void ngx_http_webhook_digest_init(void);

/* A response that takes the route begins. */

void ngx_http_webhook_digest_begin(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, ngx_http_webhook_digest_t *digest);

/* Bytes of it, as they come. */

void ngx_http_webhook_digest_add(ngx_http_webhook_digest_t *digest,
    u_char *data, size_t len);

/*
 * All of it has come; before any state is looked at.  "method": as the client
 * sent it.  NGX_OK: known, nothing to read; NGX_DECLINED: not known, may be
 * stored when all of it was applied and nothing changed; NGX_ABORT: digests
 * cannot tell here.
 */

ngx_int_t ngx_http_webhook_digest_end(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, ngx_http_webhook_route_t *route,
    ngx_str_t *realm, ngx_str_t *method, ngx_http_webhook_digest_t *digest);


#endif /* _NGX_HTTP_WEBHOOK_DIGEST_H_INCLUDED_ */
