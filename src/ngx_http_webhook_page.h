
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * page: page.html, page.css and page*.js, embedded when the module was built,
 * for browsers.
 */


#ifndef _NGX_HTTP_WEBHOOK_PAGE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_PAGE_H_INCLUDED_


#include "ngx_http_webhook.h"


/* The page; static memory. */

ngx_str_t *ngx_http_webhook_page(void);

/*
 * A value for Content-Security-Policy: only this page's own script and style
 * run, known by their SHA-256, they may only ask this endpoint (CSP Level 3,
 * 2.3), and no text becomes markup (Trusted Types).  NUL-terminated, static
 * memory; NULL: OpenSSL failed.
 */

const char *ngx_http_webhook_page_policy(void);


#endif /* _NGX_HTTP_WEBHOOK_PAGE_H_INCLUDED_ */
