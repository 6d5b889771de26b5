
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What the two halves of check share.
 */


#ifndef _NGX_HTTP_WEBHOOK_CHECK_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_CHECK_H_INCLUDED_


#include "ngx_http_webhook_zone_priv.h"


typedef struct {
    ngx_http_webhook_zone_t      *zone;
    char                         *error;
    uint32_t                      index;     /* block, or slot */

    uint32_t                      free;
    uint32_t                      states;
    uint32_t                      queue;
    uint32_t                      log;
    uint32_t                      deliveries;
    uint32_t                      queued;
    uint32_t                      open;
    uint32_t                      closed;
    uint32_t                      refs;      /* of payloads */
    uint32_t                      waits;
} ngx_http_webhook_check_t;


/* Notes what is wrong, and where: a block or a slot.  NGX_ERROR. */

ngx_int_t ngx_http_webhook_check_fail(ngx_http_webhook_check_t *c, char *error,
    uint32_t index);

ngx_int_t ngx_http_webhook_check_slot(ngx_http_webhook_check_t *c,
    uint32_t index);
ngx_int_t ngx_http_webhook_check_seqs(ngx_http_webhook_check_t *c);
ngx_int_t ngx_http_webhook_check_log(ngx_http_webhook_check_t *c);


#endif /* _NGX_HTTP_WEBHOOK_CHECK_H_INCLUDED_ */
