
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * take: what waits and is due -> jobs for the dispatcher, as many as the
 * webhook's limits allow.  Next room: attempt.
 */


#include "ngx_http_webhook_zone_priv.h"


/* timers have milliseconds: "rate" lets so much be made up for, us */

#define NGX_HTTP_WEBHOOK_RATE_SLACK    5000

#define NGX_HTTP_WEBHOOK_LINE          64      /* bytes, of the cache */


static ngx_int_t ngx_http_webhook_take_expire(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_hook_t *hook,
    uint64_t now, ngx_msec_t *next, uint64_t *expired);
static ngx_uint_t ngx_http_webhook_take_rate(ngx_http_webhook_zslot_t *slot,
    ngx_http_webhook_hook_t *hook, ngx_uint_t n, ngx_msec_t *wait);
static uint32_t ngx_http_webhook_take_due(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_uint_t *look);
static ngx_msec_t ngx_http_webhook_take_wait(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot);
static void ngx_http_webhook_take_job(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_job_t *job);
static void ngx_http_webhook_take_fetch(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static void ngx_http_webhook_take_fetch_block(ngx_http_webhook_zone_t *zone,
    uint32_t index);


ngx_uint_t
ngx_http_webhook_queue_take(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_owner_t *self,
    ngx_http_webhook_job_t *jobs, ngx_uint_t n, ngx_msec_t *next)
{
    uint32_t                       index;
    uint64_t                       now, expired;
    ngx_int_t                      more;
    ngx_msec_t                     wait, pace, expire;
    ngx_uint_t                     i, allowed, rated, look;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    i = 0;
    expired = 0;
    *next = NGX_CONF_UNSET_MSEC;

    now = ngx_http_webhook_zone_clock(zone);

    ngx_http_webhook_zone_lock(zone);

    slot = ngx_http_webhook_slot(zone, hook);

    /* a worker of an older configuration may have another url */

    if (slot == NULL
        || slot->waiting == 0
        || slot->url != hook->endpoint
        || zone->sh->blocked
        || !ngx_http_webhook_owns(&slot->owner, self))
    {
        ngx_http_webhook_zone_unlock(zone);
        return 0;
    }

    ngx_http_webhook_zone_begin(zone);

    expire = NGX_CONF_UNSET_MSEC;
    more = NGX_OK;

    if (hook->expire) {
        more = ngx_http_webhook_take_expire(zone, slot, hook, now, &expire,
                                            &expired);
    }

    wait = NGX_CONF_UNSET_MSEC;

    allowed = ngx_http_webhook_retry_allowed(hook, &slot->health, now,
                                             slot->in_flight, &wait);

    rated = ngx_http_webhook_take_rate(slot, hook, n, &pace);
    look = 0;

    while (i < n && i < allowed && i < rated) {

        index = ngx_http_webhook_take_due(zone, slot, &look);

        if (index == 0) {
            break;
        }

        d = ngx_http_webhook_block(zone, index);

        if (d->flags & NGX_HTTP_WEBHOOK_UNSURE) {

            /* nobody came to say that it is wanted */

            ngx_http_webhook_delivery_free(zone, index);
            continue;
        }

        ngx_http_webhook_zone_save(zone, &d->seq,
                                   NGX_HTTP_WEBHOOK_MUTABLE_SIZE);

        d->flags &= ~NGX_HTTP_WEBHOOK_PENDING;

        ngx_http_webhook_delivery_send(zone, index, self);
        ngx_http_webhook_zone_commit(zone);

        ngx_http_webhook_take_job(zone, index, &jobs[i++]);
        ngx_http_webhook_take_fetch(zone, index);

        if (hook->rate) {
            slot->paced += 1000000000 / hook->rate;
        }
    }

    *next = ngx_http_webhook_take_wait(zone, slot);

    if (i < n && *next != NGX_CONF_UNSET_MSEC) {

        /* some are waiting, but may they go? */

        if (allowed && i == allowed) {
            wait = 0;

            if (ngx_http_webhook_retry_allowed(hook, &slot->health, now,
                                               slot->in_flight, &wait))
            {
                wait = 0;
            }
        }

        if (i == allowed) {
            *next = ngx_max(*next, wait);
        }

        if (i == rated) {

            if (i) {
                (void) ngx_http_webhook_take_rate(slot, hook, 1, &pace);
            }

            *next = ngx_max(*next, pace);
        }
    }

    if (more == NGX_AGAIN) {
        expire = 0;
    }

    *next = ngx_min(*next, expire);

    ngx_http_webhook_zone_unlock(zone);

    if (expired) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook \"%V\": a delivery has expired as it waited, "
                      "%uL have so far",
                      &hook->name, expired);
    }

    return i;
}


/*
 * Ends what has waited for too long, in steps; NGX_AGAIN: there is more.  The
 * oldest come first.  *next = ms until the next one will have; *expired = how
 * many of the webhook have, if that is to be said.
 */

static ngx_int_t
ngx_http_webhook_take_expire(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_hook_t *hook,
    uint64_t now, ngx_msec_t *next, uint64_t *expired)
{
    uint32_t                       index;
    uint64_t                       logged;
    ngx_int_t                      rc;
    ngx_uint_t                     look, ended;
    ngx_http_webhook_zdelivery_t  *d;

    rc = NGX_OK;
    ended = 0;
    logged = zone->sh->logged;
    index = slot->queue.head;

    for (look = 0; index && look < NGX_HTTP_WEBHOOK_LOOK; look++) {

        if (ended == NGX_HTTP_WEBHOOK_STEP) {
            rc = NGX_AGAIN;
            break;
        }

        d = ngx_http_webhook_block(zone, index);

        if (d->created + hook->expire > now) {
            *next = d->created + hook->expire - now;
            break;
        }

        if (d->status == NGX_HTTP_WEBHOOK_WAITING) {
            ngx_http_webhook_zone_save(zone, &d->seq,
                                       NGX_HTTP_WEBHOOK_MUTABLE_SIZE);

            index = d->queue.next;
            ngx_http_webhook_delivery_end(zone,
                                          ngx_http_webhook_index(zone, d),
                                          NGX_HTTP_WEBHOOK_EXPIRED);
            ngx_http_webhook_zone_commit(zone);
            ended++;
            continue;
        }

        index = d->queue.next;
    }

    ngx_http_webhook_delivery_trim(zone, logged);

    if (ended && ngx_http_webhook_queue_say(zone, hook,
                                            NGX_HTTP_WEBHOOK_SAY_EXPIRED))
    {
        *expired = slot->ended[NGX_HTTP_WEBHOOK_EXPIRED];
    }

    return rc;
}


/* how many of n attempts "rate" lets begin; if none, *wait = ms until one */

static ngx_uint_t
ngx_http_webhook_take_rate(ngx_http_webhook_zslot_t *slot,
    ngx_http_webhook_hook_t *hook, ngx_uint_t n, ngx_msec_t *wait)
{
    uint64_t  now, step;

    *wait = 0;

    if (hook->rate == 0) {
        return n;
    }

    now = (uint64_t) ngx_current_msec * 1000 + NGX_HTTP_WEBHOOK_RATE_SLACK;
    step = 1000000000 / hook->rate;

    /* an idle webhook saves up nothing; the rate may have been another one */

    slot->paced = ngx_max(slot->paced, now - NGX_HTTP_WEBHOOK_RATE_SLACK);
    slot->paced = ngx_min(slot->paced, now + step);

    if (slot->paced > now) {
        *wait = (ngx_msec_t) ((slot->paced - now + 999) / 1000);
        return 0;
    }

    return ngx_min(n, 1 + (now - slot->paced) / step);
}


/* the next delivery that may be sent now, or 0 */

static uint32_t
ngx_http_webhook_take_due(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_uint_t *look)
{
    uint32_t                       index;
    ngx_rbtree_node_t             *node, *sentinel;
    ngx_http_webhook_zdelivery_t  *d;

    sentinel = &zone->sh->sentinel;

    if (slot->due == sentinel) {
        return 0;
    }

    /* a probe: the oldest, whenever it is due */

    if (slot->health.state == NGX_HTTP_WEBHOOK_HEALTH_PROBING) {

        for (index = slot->queue.head;
             index && *look < NGX_HTTP_WEBHOOK_LOOK;
             index = d->queue.next, (*look)++)
        {
            d = ngx_http_webhook_block(zone, index);

            if (d->status == NGX_HTTP_WEBHOOK_WAITING && d->behind == 0
                && !(d->flags & NGX_HTTP_WEBHOOK_HELD)
                && !ngx_http_webhook_pends(d))
            {
                return index;
            }
        }
    }

    /* what a recovery has made due, oldest first */

    while (slot->flush && *look < NGX_HTTP_WEBHOOK_LOOK) {
        index = slot->flush;
        (*look)++;

        d = ngx_http_webhook_block(zone, index);
        slot->flush = d->queue.next;

        if (d->status == NGX_HTTP_WEBHOOK_WAITING
            && d->behind == 0
            && !(d->flags & NGX_HTTP_WEBHOOK_HELD)
            && !ngx_http_webhook_pends(d)
            && d->era != slot->era)
        {
            return index;
        }
    }

    node = ngx_rbtree_min(slot->due, sentinel);
    d = ngx_http_webhook_delivery_by_due(node);

    if (d->due <= ngx_current_msec
        || (slot->health.state == NGX_HTTP_WEBHOOK_HEALTH_PROBING
            && !ngx_http_webhook_pends(d)))
    {
        return ngx_http_webhook_index(zone, d);
    }

    return 0;
}


/* ms until a delivery is due, if it may be sent */

static ngx_msec_t
ngx_http_webhook_take_wait(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    ngx_rbtree_node_t             *node, *sentinel;
    ngx_http_webhook_zdelivery_t  *d;

    sentinel = &zone->sh->sentinel;

    if (slot->due == sentinel) {
        return NGX_CONF_UNSET_MSEC;
    }

    node = ngx_rbtree_min(slot->due, sentinel);
    d = ngx_http_webhook_delivery_by_due(node);

    if (slot->flush
        || (slot->health.state == NGX_HTTP_WEBHOOK_HEALTH_PROBING
            && !ngx_http_webhook_pends(d)))
    {
        return 0;
    }

    return (d->due <= ngx_current_msec) ? 0 : d->due - ngx_current_msec;
}


static void
ngx_http_webhook_take_job(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_job_t *job)
{
    ngx_http_webhook_zpayload_t   *p;
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);
    p = ngx_http_webhook_block(zone, d->payload);

    job->index = index;
    job->slot = d->slot;
    job->token = d->token;
    job->event = p->event;
    job->sequence = p->sequence;
    job->attempt = d->attempts + 1;
    job->time = p->time;
    job->payload = p->size;
    job->headers = d->headers_len;

    ngx_memcpy(job->uuid, d->uuid, 16);
}


/*
 * Of a long queue nothing was read for long: the payload of who is next, and
 * the one behind it, are on their way into the CPU's cache.
 */

static void
ngx_http_webhook_take_fetch(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_zdelivery_t  *d;

    d = ngx_http_webhook_block(zone, index);

    if (d->queue.next == 0) {
        return;
    }

    d = ngx_http_webhook_block(zone, d->queue.next);

    ngx_http_webhook_take_fetch_block(zone, d->payload);
    ngx_http_webhook_take_fetch_block(zone, d->queue.next);
}


static void
ngx_http_webhook_take_fetch_block(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    u_char  *p;
    size_t   n;

    p = ngx_http_webhook_block(zone, index);

    for (n = 0; n < NGX_HTTP_WEBHOOK_BLOCK; n += NGX_HTTP_WEBHOOK_LINE) {
        __builtin_prefetch(p + n);
    }
}
