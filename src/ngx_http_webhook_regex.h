
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * regex: a regex of the configuration and a text that others wrote -> whether
 * it matches, in bounded time.  What takes too long does not match.  Next
 * rooms: api_state, payload.
 */


#ifndef _NGX_HTTP_WEBHOOK_REGEX_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_REGEX_H_INCLUDED_


#include "ngx_http_webhook.h"


#if (NGX_PCRE)


/* regex_conf.c: NULL: an error was logged */

ngx_regex_t *ngx_http_webhook_regex_compile(ngx_conf_t *cf,
    ngx_str_t *pattern, ngx_uint_t options);


/*
 * A document begins: its texts have 50 ms in all, and one match beyond that.
 * Then, or when a match has come to its limit, nothing matches any more, and
 * _spent() is 1.
 */

void ngx_http_webhook_regex_begin(void);

ngx_uint_t ngx_http_webhook_regex_spent(void);

/* What follows has no part in a match's limit, but in the time. */

void ngx_http_webhook_regex_next(void);

/* 1 or 0; of a text the first 4096 bytes. */

ngx_uint_t ngx_http_webhook_regex_match(ngx_regex_t *regex, ngx_str_t *text);

/*
 * The same; *text becomes what the first group matched, or where the regex has
 * none, all that did.  0 also when that is empty.
 */

ngx_uint_t ngx_http_webhook_regex_part(ngx_regex_t *regex, ngx_str_t *text);


#endif


#endif /* _NGX_HTTP_WEBHOOK_REGEX_H_INCLUDED_ */
