
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * scrub: texts that came from outside -> the same without what is secret.
 */


#ifndef _NGX_HTTP_WEBHOOK_SCRUB_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_SCRUB_H_INCLUDED_


#include "ngx_http_webhook.h"


#define NGX_HTTP_WEBHOOK_MASK      "***"


/*
 * What of a webhook an answer must not echo: its secrets, hidden headers, what
 * "shown" leaves out of "url"; ngx_str_t, longest first.  Made once, from the
 * pool of its configuration.  NULL: no memory.
 */

ngx_array_t *ngx_http_webhook_scrub_secrets(ngx_pool_t *pool,
    ngx_http_webhook_hook_t *hook);

/* The value of a header, and words in it, for a list of one's own. */

ngx_int_t ngx_http_webhook_scrub_value(ngx_array_t *secrets,
    ngx_str_t *value);

/* Replaces them in place by "***". */

void ngx_http_webhook_scrub(ngx_array_t *secrets, ngx_str_t *text);

/*
 * In "Name: value" CRLF ..., in place, values of secret names: those of
 * Authorization and the like and of "redact", the list of "webhook_redact".
 */

void ngx_http_webhook_scrub_names(ngx_array_t *redact, ngx_str_t *lines);

/* Whether it is such a name. */

ngx_uint_t ngx_http_webhook_scrub_name(ngx_array_t *redact, ngx_str_t *name);


#endif /* _NGX_HTTP_WEBHOOK_SCRUB_H_INCLUDED_ */
