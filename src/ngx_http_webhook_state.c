
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * state: the key of an execution -> what is known of it, one block each.
 * Next room: queue, which changes states together with their deliveries.
 */


#include "ngx_http_webhook_zone_priv.h"


void
ngx_http_webhook_queue_state(ngx_http_webhook_zone_t *zone, u_char key[16],
    ngx_http_webhook_state_t *state)
{
    uint32_t                    i;
    ngx_http_webhook_zstate_t  *s;

    ngx_http_webhook_zone_lock(zone);

    i = ngx_http_webhook_state_find(zone, key);

    if (i == 0) {
        ngx_http_webhook_zone_unlock(zone);
        ngx_memzero(state, sizeof(ngx_http_webhook_state_t));
        return;
    }

    s = ngx_http_webhook_block(zone, i);

    *state = s->state;

    /* an hour is exact enough, and most sightings write nothing */

    if (s->blk.seen != ngx_http_webhook_state_hours()) {
        ngx_http_webhook_zone_begin(zone);
        ngx_http_webhook_state_touch(zone, i, ngx_http_webhook_state_list(s));
    }

    ngx_http_webhook_zone_unlock(zone);
}


uint32_t
ngx_http_webhook_state_find(ngx_http_webhook_zone_t *zone, u_char key[16])
{
    uint32_t                    i;
    ngx_http_webhook_zstate_t  *s;

    i = zone->state[ngx_http_webhook_zone_hash(zone, key, 0)
                    % zone->sh->nstate];

    while (i) {
        s = ngx_http_webhook_block(zone, i);

        if (ngx_memcmp(s->key, key, 16) == 0) {
            break;
        }

        i = s->blk.next;
    }

    return i;
}


void
ngx_http_webhook_state_insert(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    uint32_t                   *bucket;
    ngx_http_webhook_zstate_t  *s;

    s = ngx_http_webhook_block(zone, index);

    bucket = &zone->state[ngx_http_webhook_zone_hash(zone, s->key, 0)
                          % zone->sh->nstate];

    s->blk.next = *bucket;
    *bucket = index;

    ngx_http_webhook_zone_append(zone,
                                 &zone->sh->lru[ngx_http_webhook_state_list(s)],
                                 index, NGX_HTTP_WEBHOOK_LRU_LINK);
}


/* "list" is the one that it is in; it goes to the end of where it belongs */

void
ngx_http_webhook_state_touch(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_uint_t list)
{
    ngx_http_webhook_zstate_t  *s;

    s = ngx_http_webhook_block(zone, index);

    s->blk.seen = ngx_http_webhook_state_hours();

    ngx_http_webhook_zone_remove(zone, &zone->sh->lru[list], index,
                                 NGX_HTTP_WEBHOOK_LRU_LINK);

    ngx_http_webhook_zone_append(zone,
                                 &zone->sh->lru[ngx_http_webhook_state_list(s)],
                                 index, NGX_HTTP_WEBHOOK_LRU_LINK);
}


ngx_int_t
ngx_http_webhook_state_evict(ngx_http_webhook_zone_t *zone)
{
    uint32_t                    i, *p;
    uint16_t                    hours;
    ngx_uint_t                  list, look;
    ngx_http_webhook_shm_t     *sh;
    ngx_http_webhook_zstate_t  *s;

    sh = zone->sh;

    /*
     * final ones first, then running ones that nobody has seen for long; the
     * file must not bring back what one was before
     */

    for (list = 2; list--; /* void */) {

        for (i = sh->lru[list].head, look = 0;
             i && (i == sh->pinned
                   || (ngx_http_webhook_store_pending(zone, i)
                       && !sh->failing));
             look++)
        {
            i = (look < NGX_HTTP_WEBHOOK_LOOK)
                ? ngx_http_webhook_link(zone, i,
                                        NGX_HTTP_WEBHOOK_LRU_LINK)->next
                : 0;
        }

        if (i == 0) {
            continue;
        }

        s = ngx_http_webhook_block(zone, i);
        hours = ngx_http_webhook_state_hours() - s->blk.seen;

        if (list == 0 && hours < NGX_HTTP_WEBHOOK_STATE_KEEP) {
            continue;
        }

        p = &zone->state[ngx_http_webhook_zone_hash(zone, s->key, 0)
                         % sh->nstate];

        while (*p != i) {
            p = &ngx_http_webhook_blk(zone, *p)->next;
        }

        *p = s->blk.next;

        ngx_http_webhook_zone_remove(zone, &sh->lru[list], i,
                                     NGX_HTTP_WEBHOOK_LRU_LINK);

        s->blk.next = 0;

        ngx_http_webhook_zone_free(zone, i, NGX_HTTP_WEBHOOK_CLASS_STATE);

        return NGX_OK;
    }

    return NGX_DECLINED;
}
