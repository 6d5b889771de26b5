
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * inflate: gzip bytes -> plain bytes, never more than asked for.  Pure.  Used
 * by observe.
 */


#ifndef _NGX_HTTP_WEBHOOK_INFLATE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_INFLATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Inflates "len" bytes (RFC 1952, members may follow each other) into "out",
 * "max" bytes long; *n gets what came out.  NGX_OK: a member ended with the
 * input; NGX_AGAIN: the input ended first; NGX_DECLINED: more than "max" would
 * come out; NGX_ERROR: not gzip; NGX_ABORT: no memory.
 */

ngx_int_t ngx_http_webhook_inflate(const u_char *data, size_t len, u_char *out,
    size_t max, size_t *n);


#endif /* _NGX_HTTP_WEBHOOK_INFLATE_H_INCLUDED_ */
