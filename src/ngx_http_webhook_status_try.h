
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_try, within: what its files share.
 */


#ifndef _NGX_HTTP_WEBHOOK_STATUS_TRY_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STATUS_TRY_H_INCLUDED_


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_api_priv.h"


typedef struct {
    ngx_http_webhook_api_t     *api;
    ngx_http_webhook_route_t   *route;
    ngx_str_t                   method;
    ngx_str_t                   uri;
    ngx_str_t                   path;         /* normalised */
    ngx_uint_t                  status;
    ngx_str_t                   body;
    ngx_str_t                   request;      /* the body of what it answers */
    ngx_http_webhook_hook_t    *hook;         /* to be sent to; NULL: none */
    ngx_uint_t                  counter;      /* the reason */
    ngx_uint_t                  events;
} ngx_http_webhook_dry_t;


/*
 * status_try.c: The document, as observe_copy.c and observe_read.c make it, or
 * NULL; *reason says why, "not needed" too, or "ok".
 */

json_t *ngx_http_webhook_try_document(ngx_http_webhook_dry_t *dry,
    const char **reason);


/* status_try_read.c: whether the route reads a response of this status */

ngx_uint_t ngx_http_webhook_try_accepts(ngx_http_webhook_dry_t *dry);

/* Reads the document, and renders "document" and "observations". */

ngx_int_t ngx_http_webhook_try_read(ngx_http_webhook_status_t *s,
    ngx_http_webhook_dry_t *dry);


#endif /* _NGX_HTTP_WEBHOOK_STATUS_TRY_H_INCLUDED_ */
