
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status: the zone -> JSON for people and programs (design, section 8).
 */


#ifndef _NGX_HTTP_WEBHOOK_STATUS_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STATUS_H_INCLUDED_


#include "ngx_http_webhook.h"


/* directive webhook_status: sets the location's handler */

char *ngx_http_webhook_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_HTTP_WEBHOOK_STATUS_H_INCLUDED_ */
