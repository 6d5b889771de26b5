
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * sign: secrets, id, time and body -> signature headers (design, section 6;
 * Standard Webhooks 1.0.0).  Keys are prepared once for each worker.  Next
 * room: transport.
 */


#ifndef _NGX_HTTP_WEBHOOK_SIGN_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_SIGN_H_INCLUDED_


#include "ngx_http_webhook.h"


typedef struct {
    ngx_str_t     name;
    ngx_str_t     value;
} ngx_http_webhook_sign_header_t;


typedef struct ngx_http_webhook_signer_s  ngx_http_webhook_signer_t;


/*
 * Prepares a webhook's keys: one keyed EVP_MAC context per secret and
 * algorithm, one EVP_PKEY per Ed25519 key.  malloc()ed; NULL on error.  In the
 * worker, once; free at its exit.
 */

ngx_http_webhook_signer_t *ngx_http_webhook_signer_create(
    ngx_http_webhook_hook_t *hook);
void ngx_http_webhook_signer_free(ngx_http_webhook_signer_t *signer);

/*
 * Pushes the signature headers of one attempt to "headers"
 * (ngx_http_webhook_sign_header_t); values are in the array's pool.
 * id: the delivery's UUID as text; now: seconds, wall clock; event: for
 * X-GitHub-Event.  Secrets whose "until" has passed do not sign, the last one
 * left always does.  NGX_ERROR: no memory, or OpenSSL failed.
 */

ngx_int_t ngx_http_webhook_sign(ngx_http_webhook_signer_t *signer,
    ngx_uint_t event, ngx_str_t *id, time_t now, ngx_str_t *body,
    ngx_array_t *headers);

/*
 * Decodes a secret as written (literal text, already without a trailing
 * newline) into "secret": whsec_ (base64 of 24 to 64 bytes), whsk_ (base64 of
 * 32 or 64 bytes), or plain bytes.  NULL on success, else what is wrong (never
 * the secret itself).  Memory from "pool".
 */

char *ngx_http_webhook_sign_secret(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_webhook_secret_t *secret);


#endif /* _NGX_HTTP_WEBHOOK_SIGN_H_INCLUDED_ */
