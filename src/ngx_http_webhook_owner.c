
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * owner: configured webhooks -> their slots in the zone; which worker sends
 * for a slot; pause and resume.  Next room: dispatch, by way of queue.
 */


#include "ngx_http_webhook_zone_priv.h"


#define NGX_HTTP_WEBHOOK_OWNER_LEFT    2    /* with deliveries that wait */


static void ngx_http_webhook_owner_retire(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_main_conf_t *mcf);
static ngx_int_t ngx_http_webhook_owner_slot(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_array_t *fresh);
static void ngx_http_webhook_owner_lapse(ngx_http_webhook_zone_t *zone);
static ngx_int_t ngx_http_webhook_owner_forget(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot);
static ngx_int_t ngx_http_webhook_owner_evict(ngx_http_webhook_zone_t *zone);
static void ngx_http_webhook_owner_set(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_owner_t *owner);
static void ngx_http_webhook_owner_requeue(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_owner_t *self);
static ngx_uint_t ngx_http_webhook_owner_dead(ngx_pid_t pid);


ngx_int_t
ngx_http_webhook_queue_slots(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_main_conf_t *mcf, ngx_array_t *fresh)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hooks;

    ngx_http_webhook_owner_retire(zone, mcf);

    rc = NGX_OK;
    hooks = mcf->hooks.elts;

    for (i = 0; i < mcf->hooks.nelts; i++) {

        if (ngx_http_webhook_owner_slot(zone, hooks[i], fresh) == NGX_OK) {
            continue;
        }

        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "webhook_zone is too small for webhook \"%V\": "
                      "it has room for %uD of them",
                      &hooks[i]->name, zone->sh->nslots);
        rc = NGX_ERROR;
    }

    return rc;
}


/* what is not configured any more, for lapse() and evict() */

static void
ngx_http_webhook_owner_retire(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_main_conf_t *mcf)
{
    u_char                    *seen;
    uint32_t                   index;
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hooks;
    ngx_http_webhook_zslot_t  *slot;

    seen = ngx_calloc(zone->sh->nslots, ngx_cycle->log);
    if (seen == NULL) {
        return;
    }

    hooks = mcf->hooks.elts;

    for (i = 0; i < mcf->hooks.nelts; i++) {
        ngx_http_webhook_zone_lock(zone);

        index = ngx_http_webhook_owner_find(zone, hooks[i]);

        ngx_http_webhook_zone_unlock(zone);

        if (index != NGX_HTTP_WEBHOOK_NO_SLOT) {
            seen[index] = 1;
        }
    }

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    for (i = 0; i < zone->sh->nslots; i++) {
        slot = &zone->slots[i];

        if (slot->id && !seen[i] && slot->removed == 0) {
            slot->removed = ngx_current_msec + 1;
            slot->lapsed = 0;
            ngx_http_webhook_store_mark_slot(zone, slot);

            if (zone->sh->lapse == 0) {
                zone->sh->lapse = slot->removed + NGX_HTTP_WEBHOOK_SLOT_KEEP;
            }

            if (ngx_http_webhook_queue_length(slot)) {
                seen[i] = NGX_HTTP_WEBHOOK_OWNER_LEFT;
            }
        }
    }

    ngx_http_webhook_zone_unlock(zone);

    for (i = 0; i < zone->sh->nslots; i++) {
        slot = &zone->slots[i];

        if (seen[i] == NGX_HTTP_WEBHOOK_OWNER_LEFT) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "webhook \"%*s\" is not configured any more: "
                          "%uD deliveries wait, for 24 h, in case that it "
                          "comes back",
                          (size_t) slot->name_len, slot->name,
                          ngx_http_webhook_queue_length(slot));
        }
    }

    ngx_free(seen);
}


static ngx_int_t
ngx_http_webhook_owner_slot(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_array_t *fresh)
{
    uint32_t                    index;
    uint64_t                    url;
    ngx_int_t                   rc;
    ngx_uint_t                  paused;
    ngx_http_webhook_hook_t   **h;
    ngx_http_webhook_zslot_t   *slot;

    url = ((uint64_t) hook->url.len << 32)
          | ngx_crc32_long(hook->url.data, hook->url.len);

    for ( ;; ) {
        ngx_http_webhook_zone_lock(zone);
        ngx_http_webhook_zone_begin(zone);

        index = ngx_http_webhook_owner_find(zone, hook);

        if (index != NGX_HTTP_WEBHOOK_NO_SLOT) {
            break;
        }

        index = ngx_http_webhook_owner_make(zone, hook);

        if (index != NGX_HTTP_WEBHOOK_NO_SLOT) {
            zone->slots[index].url = url;

            h = ngx_array_push(fresh);
            if (h) {
                *h = hook;
            }

            break;
        }

        rc = ngx_http_webhook_owner_evict(zone);

        ngx_http_webhook_zone_unlock(zone);

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    slot = &zone->slots[index];

    if (slot->removed) {
        slot->removed = 0;
        ngx_http_webhook_store_mark_slot(zone, slot);
    }

    slot->patience = 2 * (uint64_t) hook->timeout + 60000;

    if (slot->url != url) {
        ngx_http_webhook_zone_save(zone, &slot->health,
                                   NGX_HTTP_WEBHOOK_HEALTH_SIZE);

        /* who paused it did so whatever its url */

        paused = (slot->health.state == NGX_HTTP_WEBHOOK_HEALTH_PAUSED);

        ngx_http_webhook_retry_resume(&slot->health);
        ngx_http_webhook_delivery_recover(zone, slot);

        if (paused) {
            slot->health.state = NGX_HTTP_WEBHOOK_HEALTH_PAUSED;
        }

        slot->url = url;

        ngx_http_webhook_zone_commit(zone);
        ngx_http_webhook_store_mark_slot(zone, slot);
    }

    ngx_http_webhook_zone_unlock(zone);

    hook->slot = index;
    hook->endpoint = url;

    return NGX_OK;
}


uint32_t
ngx_http_webhook_owner_find(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook)
{
    size_t                     len;
    uint32_t                   i;
    ngx_http_webhook_zslot_t  *slot;

    len = ngx_min(hook->name.len, sizeof(slot->name));

    for (i = 0; i < zone->sh->nslots; i++) {
        slot = &zone->slots[i];

        if (slot->id == hook->id
            && slot->name_len == len
            && ngx_memcmp(slot->name, hook->name.data, len) == 0)
        {
            return i;
        }
    }

    return NGX_HTTP_WEBHOOK_NO_SLOT;
}


uint32_t
ngx_http_webhook_owner_make(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook)
{
    uint32_t                   i;
    ngx_http_webhook_zslot_t  *slot;

    for (i = 0; i < zone->sh->nslots; i++) {

        if (zone->slots[i].id == 0) {
            break;
        }
    }

    if (i == zone->sh->nslots) {
        return NGX_HTTP_WEBHOOK_NO_SLOT;
    }

    slot = &zone->slots[i];

    ngx_memzero(slot, sizeof(ngx_http_webhook_zslot_t));

    slot->name_len = ngx_min(hook->name.len, sizeof(slot->name));
    ngx_memcpy(slot->name, hook->name.data, slot->name_len);

    slot->due = &zone->sh->sentinel;

    /* nobody has owned it: whoever comes first may */

    slot->renewed = 0;

    zone->sh->nused = ngx_max(zone->sh->nused, i + 1);

    ngx_memory_barrier();
    slot->id = hook->id;

    ngx_http_webhook_store_mark_slot(zone, slot);

    return i;
}


/*
 * Forgets what has been removed from the configuration for long, in steps, and
 * one a time, of which it is said how many have waited in vain.
 */

static void
ngx_http_webhook_owner_lapse(ngx_http_webhook_zone_t *zone)
{
    u_char                     name[sizeof(zone->slots->name)];
    size_t                     len;
    uint32_t                   i, lapsed;
    uint64_t                   next, now;
    ngx_http_webhook_zslot_t  *slot;

    len = 0;
    lapsed = 0;
    next = 0;
    now = ngx_current_msec;

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    for (i = 0; i < zone->sh->nslots; i++) {
        slot = &zone->slots[i];

        if (slot->id == 0 || slot->removed == 0) {
            continue;
        }

        if (lapsed == 0
            && slot->removed + NGX_HTTP_WEBHOOK_SLOT_KEEP <= now
            && ngx_http_webhook_owner_forget(zone, slot) == NGX_OK)
        {
            lapsed = slot->lapsed;
            len = slot->name_len;
            ngx_memcpy(name, slot->name, len);
            continue;
        }

        if (next == 0 || slot->removed < next) {
            next = slot->removed;
        }
    }

    zone->sh->lapse = next ? next + NGX_HTTP_WEBHOOK_SLOT_KEEP : 0;

    ngx_http_webhook_zone_unlock(zone);

    if (lapsed) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "webhook \"%*s\" has not been configured for 24 h: "
                      "%uD deliveries that waited for it are given up",
                      len, name, lapsed);
    }
}


/* some of it; NGX_AGAIN: there is more */

static ngx_int_t
ngx_http_webhook_owner_forget(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_WEBHOOK_STEP; n++) {

        if (slot->queue.head) {
            ngx_http_webhook_delivery_free(zone, slot->queue.head);
            slot->lapsed++;
            continue;
        }

        if (slot->log.head == 0) {
            break;
        }

        ngx_http_webhook_delivery_free(zone, slot->log.head);
    }

    if (slot->queue.head || slot->log.head) {
        return NGX_AGAIN;
    }

    slot->lapsed += slot->spilled;
    slot->id = 0;

    return NGX_OK;
}


/*
 * No slot is free: of what was removed and has nothing waiting, forgets that
 * which was removed first, with its log, in steps.
 */

static ngx_int_t
ngx_http_webhook_owner_evict(ngx_http_webhook_zone_t *zone)
{
    uint32_t                   i;
    ngx_uint_t                 n;
    ngx_http_webhook_zslot_t  *slot, *oldest;

    oldest = NULL;

    for (i = 0; i < zone->sh->nslots; i++) {
        slot = &zone->slots[i];

        if (slot->id && slot->removed
            && slot->queue.head == 0 && slot->spilled == 0
            && (slot->log.tail == 0
                || !ngx_http_webhook_store_pending(zone, slot->log.tail))
            && (oldest == NULL || slot->removed < oldest->removed))
        {
            oldest = slot;
        }
    }

    if (oldest == NULL) {
        return NGX_DECLINED;
    }

    for (n = 0; n < NGX_HTTP_WEBHOOK_STEP && oldest->log.head; n++) {
        ngx_http_webhook_delivery_free(zone, oldest->log.head);
    }

    if (oldest->log.head == 0) {
        oldest->id = 0;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_queue_own(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_owner_t *self, ngx_uint_t prefer,
    ngx_http_webhook_owner_t *owner, ngx_uint_t *fresh)
{
    uint64_t                   now, idle;
    ngx_pid_t                  pid, dead;
    ngx_http_webhook_shm_t    *sh;
    ngx_http_webhook_zslot_t  *slot;

    sh = zone->sh;
    now = ngx_current_msec;

    *fresh = 0;

    if (index >= sh->nslots) {
        return NGX_ERROR;
    }

    slot = &zone->slots[index];

    if (sh->lapse && sh->lapse <= now) {
        ngx_http_webhook_owner_lapse(zone);
    }

    /* a system call is not for the time of the lock */

    dead = 0;
    pid = slot->owner.pid;

    if (pid && pid != self->pid
        && slot->renewed + NGX_HTTP_WEBHOOK_LEASE_DOUBT <= now
        && ngx_http_webhook_owner_dead(pid))
    {
        dead = pid;
    }

    ngx_http_webhook_zone_lock(zone);

    if (!ngx_http_webhook_owns(&slot->owner, self)) {

        idle = (now > slot->renewed) ? now - slot->renewed : 0;

        if (slot->owner.pid
            ? (slot->owner.pid != dead && idle < NGX_HTTP_WEBHOOK_LEASE)
            : (!prefer && idle < NGX_HTTP_WEBHOOK_LEASE_FREE))
        {
            *owner = slot->owner;

            ngx_http_webhook_zone_unlock(zone);

            return NGX_DECLINED;
        }

        ngx_http_webhook_zone_begin(zone);
        ngx_http_webhook_owner_set(zone, slot, self);

        *fresh = 1;
    }

    slot->renewed = now;
    *owner = *self;

    ngx_http_webhook_owner_requeue(zone, slot, self);

    ngx_http_webhook_zone_unlock(zone);

    return NGX_OK;
}


static void
ngx_http_webhook_owner_set(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_owner_t *owner)
{
    ngx_http_webhook_zone_save(zone, &slot->owner,
                               sizeof(ngx_http_webhook_owner_t));
    slot->owner = *owner;

    ngx_http_webhook_zone_commit(zone);
}


/*
 * What earlier owners took stands first in the list.  Those of them that live
 * go on with it, but not for ever: a pid may be given to another process.
 */

static void
ngx_http_webhook_owner_requeue(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_http_webhook_owner_t *self)
{
    uint32_t                       index, next;
    ngx_pid_t                      dead, alive;
    ngx_uint_t                     n;
    ngx_http_webhook_zdelivery_t  *d;

    dead = 0;
    alive = 0;
    index = slot->sending.head;

    for (n = 0; index && n < NGX_HTTP_WEBHOOK_STEP; n++, index = next) {

        d = ngx_http_webhook_block(zone, index);
        next = ngx_http_webhook_link(zone, index,
                                     NGX_HTTP_WEBHOOK_SENDING_LINK)->next;

        if (d->sent + slot->patience > ngx_current_msec) {

            if (ngx_http_webhook_owns(d, self)) {
                break;
            }

            if (d->pid == alive) {
                continue;
            }

            if (d->pid != dead && d->pid != self->pid
                && !ngx_http_webhook_owner_dead(d->pid))
            {
                alive = d->pid;
                continue;
            }

            dead = d->pid;
        }

        ngx_http_webhook_zone_begin(zone);
        ngx_http_webhook_zone_save(zone, &d->seq,
                                   NGX_HTTP_WEBHOOK_MUTABLE_SIZE);
        ngx_http_webhook_delivery_wait(zone, index, ngx_current_msec);
        ngx_http_webhook_zone_commit(zone);
    }
}


static ngx_uint_t
ngx_http_webhook_owner_dead(ngx_pid_t pid)
{
    return kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}


void
ngx_http_webhook_queue_release(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_owner_t *self)
{
    ngx_http_webhook_owner_t   none;
    ngx_http_webhook_zslot_t  *slot;

    if (index >= zone->sh->nslots) {
        return;
    }

    slot = &zone->slots[index];

    ngx_memzero(&none, sizeof(ngx_http_webhook_owner_t));

    ngx_http_webhook_zone_lock(zone);

    if (ngx_http_webhook_owns(&slot->owner, self)) {
        ngx_http_webhook_zone_begin(zone);
        ngx_http_webhook_owner_set(zone, slot, &none);

        slot->renewed = ngx_current_msec;
    }

    ngx_http_webhook_zone_unlock(zone);
}


ngx_int_t
ngx_http_webhook_queue_owner(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_owner_t *owner)
{
    if (index >= zone->sh->nslots) {
        return NGX_DECLINED;
    }

    ngx_http_webhook_zone_lock(zone);

    *owner = zone->slots[index].owner;

    ngx_http_webhook_zone_unlock(zone);

    return owner->pid ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_http_webhook_queue_idle(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    return index < zone->sh->nslots
           && !zone->sh->dirty
           && *(volatile uint32_t *) &zone->slots[index].waiting == 0;
}


ngx_int_t
ngx_http_webhook_queue_pause(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_uint_t pause)
{
    ngx_http_webhook_zslot_t  *slot;

    if (index >= zone->sh->nslots) {
        return NGX_DECLINED;
    }

    slot = &zone->slots[index];

    ngx_http_webhook_zone_lock(zone);

    if (slot->id == 0) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_DECLINED;
    }

    ngx_http_webhook_zone_begin(zone);
    ngx_http_webhook_zone_save(zone, &slot->health,
                               NGX_HTTP_WEBHOOK_HEALTH_SIZE);

    if (pause) {
        slot->health.state = NGX_HTTP_WEBHOOK_HEALTH_PAUSED;

    } else {
        ngx_http_webhook_retry_resume(&slot->health);
        ngx_http_webhook_delivery_recover(zone, slot);
    }

    ngx_http_webhook_zone_commit(zone);
    ngx_http_webhook_store_mark_slot(zone, slot);

    ngx_http_webhook_zone_unlock(zone);

    return NGX_OK;
}
