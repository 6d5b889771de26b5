
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * conf: the blocks webhook { } and webhook_defaults { } -> validated
 * ngx_http_webhook_hook_t.  Every mistake is refused with file and line.
 * module.c holds the directive table, hook_conf.c the settings of one webhook.
 */


#ifndef _NGX_HTTP_WEBHOOK_CONF_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_CONF_H_INCLUDED_


#include "ngx_http_webhook.h"


/* directives in nginx's own form */

char *ngx_http_webhook_hook_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_defaults_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Merges the location-level part of two blocks: webhooks add up
 * (webhook_inherit), defaults are where inner ones start from.
 */

char *ngx_http_webhook_hooks_merge(ngx_conf_t *cf,
    ngx_http_webhook_loc_conf_t *prev, ngx_http_webhook_loc_conf_t *conf);

/*
 * Last checks, when all is read (postconfiguration): same names are the same
 * webhooks (then one), two names of one hash, "via" locations exist, queues
 * fit; numbers them.  NGX_ERROR: an error was logged.
 */

ngx_int_t ngx_http_webhook_hooks_check(ngx_conf_t *cf);


#endif /* _NGX_HTTP_WEBHOOK_CONF_H_INCLUDED_ */
