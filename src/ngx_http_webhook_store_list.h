
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_list: what has changed in the zone since it was written.  Part of
 * ngx_http_webhook_zone_priv.h: who changes a record says so.
 */


#ifndef _NGX_HTTP_WEBHOOK_STORE_LIST_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STORE_LIST_H_INCLUDED_


/* A state or a delivery has changed; nothing without a store. */

void ngx_http_webhook_store_mark(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* A state has, and with it deliveries, which were marked before. */

void ngx_http_webhook_store_mark_behind(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* All have, whatever was marked; and none has. */

void ngx_http_webhook_store_mark_all(ngx_http_webhook_zone_t *zone);
void ngx_http_webhook_store_forget(ngx_http_webhook_zone_t *zone);

#define ngx_http_webhook_store_mark_slot(zone, slot)                          \
    (slot)->changed = 1;                                                      \
    (zone)->sh->slots_changed = 1

/* What a delivery begins with. */

ngx_uint_t ngx_http_webhook_store_flags(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot);

#define ngx_http_webhook_store_pending(zone, index)                           \
    ((zone)->unsaved[index] != 0)

/* Whether a delivery has ended and its row in the file says that it waits. */

ngx_uint_t ngx_http_webhook_store_keeps(ngx_http_webhook_zone_t *zone,
    uint32_t index);


#endif /* _NGX_HTTP_WEBHOOK_STORE_LIST_H_INCLUDED_ */
