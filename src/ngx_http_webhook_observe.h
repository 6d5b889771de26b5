
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * observe: the response of an observed location -> the document (design,
 * section 4).  Bytes go on as they come; a copy is read after the last one.
 * Next room: emit.
 */


#ifndef _NGX_HTTP_WEBHOOK_OBSERVE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_OBSERVE_H_INCLUDED_


#include "ngx_http_webhook.h"


/* directive webhook_observe; its merge; filters and phase handlers */

char *ngx_http_webhook_observe(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_webhook_observe_init(ngx_conf_t *cf);

/* Number of events that the request caused, for $webhook_events. */

ngx_uint_t ngx_http_webhook_observe_events(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WEBHOOK_OBSERVE_H_INCLUDED_ */
