
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * log: deliveries, waiting and ended -> what people ask about them.  Next
 * rooms: log_again, status.
 */


#include "ngx_http_webhook_zone_priv.h"


#define NGX_HTTP_WEBHOOK_LIST_MAX      100     /* summaries in one hold */
#define NGX_HTTP_WEBHOOK_LIST_LOOK     250     /* deliveries in one hold */

#define ngx_http_webhook_log_msec(ms)                                         \
    ((ms) == (uint32_t) -1 ? NGX_CONF_UNSET_MSEC : (ngx_msec_t) (ms))


static ngx_uint_t ngx_http_webhook_log_match(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, ngx_http_webhook_filter_t *filter);
static void ngx_http_webhook_log_summary(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, ngx_http_webhook_summary_t *s);
static ngx_rbtree_node_t *ngx_http_webhook_log_older(
    ngx_http_webhook_zone_t *zone, uint64_t seq);
static ngx_rbtree_node_t *ngx_http_webhook_log_prev(
    ngx_http_webhook_zone_t *zone, ngx_rbtree_node_t *node);
static size_t ngx_http_webhook_log_size(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, ngx_uint_t *n);
static void ngx_http_webhook_log_copy(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, u_char *p,
    ngx_http_webhook_delivery_t *delivery, ngx_uint_t n);
static u_char *ngx_http_webhook_log_text(ngx_http_webhook_cursor_t *cursor,
    u_char *p, ngx_str_t *text, size_t len);
static uint64_t ngx_http_webhook_log_due(ngx_http_webhook_zdelivery_t *d,
    ngx_http_webhook_zslot_t *slot);
static ngx_http_webhook_zdelivery_t *ngx_http_webhook_log_oldest(
    ngx_http_webhook_zone_t *zone, ngx_http_webhook_zslot_t *slot);
static ngx_http_webhook_zdelivery_t *ngx_http_webhook_log_first(
    ngx_http_webhook_zone_t *zone, ngx_http_webhook_zslot_t *slot);


ngx_uint_t
ngx_http_webhook_queue_list(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_filter_t *filter, ngx_http_webhook_summary_t *list,
    ngx_uint_t n, uint64_t *next)
{
    ngx_uint_t                     i, look;
    ngx_rbtree_node_t             *node;
    ngx_http_webhook_zdelivery_t  *d;

    i = 0;
    n = ngx_min(n, NGX_HTTP_WEBHOOK_LIST_MAX);

    *next = filter->after;

    ngx_http_webhook_zone_lock(zone);

    node = ngx_http_webhook_log_older(zone, *next);

    for (look = 0;
         node && i < n && look < NGX_HTTP_WEBHOOK_LIST_LOOK;
         look++)
    {
        d = ngx_http_webhook_delivery_by_seq(node);
        *next = d->seq;

        if (ngx_http_webhook_log_match(zone, d, filter)) {
            ngx_http_webhook_log_summary(zone, d, &list[i++]);
        }

        node = ngx_http_webhook_log_prev(zone, node);
    }

    if (node == NULL) {
        *next = 0;
    }

    ngx_http_webhook_zone_unlock(zone);

    return i;
}


void
ngx_http_webhook_queue_known(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_filter_t *filter, ngx_http_webhook_summary_t **rows,
    ngx_uint_t n)
{
    uint32_t                       index;
    ngx_uint_t                     i;
    ngx_http_webhook_zdelivery_t  *d;

    ngx_http_webhook_zone_lock(zone);

    for (i = 0; i < n; i++) {
        index = ngx_http_webhook_delivery_find(zone, rows[i]->uuid);

        if (index == 0) {
            continue;
        }

        d = ngx_http_webhook_block(zone, index);

        if (d->seq == rows[i]->seq
            && ngx_http_webhook_log_match(zone, d, filter))
        {
            ngx_http_webhook_log_summary(zone, d, rows[i]);

        } else {
            rows[i]->seq = 0;
        }
    }

    ngx_http_webhook_zone_unlock(zone);
}


/* the newest delivery that is older than "seq"; 0: the newest of all */

static ngx_rbtree_node_t *
ngx_http_webhook_log_older(ngx_http_webhook_zone_t *zone, uint64_t seq)
{
    ngx_rbtree_node_t             *node, *found;
    ngx_http_webhook_zdelivery_t  *d;

    found = NULL;
    node = zone->sh->seqs;

    while (node != &zone->sh->sentinel) {
        d = ngx_http_webhook_delivery_by_seq(node);

        if (seq == 0 || d->seq < seq) {
            found = node;
            node = node->right;

        } else {
            node = node->left;
        }
    }

    return found;
}


/* the one before it, or NULL; its opposite is ngx_rbtree_next() */

static ngx_rbtree_node_t *
ngx_http_webhook_log_prev(ngx_http_webhook_zone_t *zone,
    ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  *parent, *sentinel;

    sentinel = &zone->sh->sentinel;

    if (node->left != sentinel) {
        node = node->left;

        while (node->right != sentinel) {
            node = node->right;
        }

        return node;
    }

    for ( ;; ) {

        if (node == zone->sh->seqs) {
            return NULL;
        }

        parent = node->parent;

        if (node == parent->right) {
            return parent;
        }

        node = parent;
    }
}


static ngx_uint_t
ngx_http_webhook_log_match(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, ngx_http_webhook_filter_t *filter)
{
    ngx_http_webhook_zpayload_t  *p;

    /* the payload is in another block, further away */

    if (d->flags & NGX_HTTP_WEBHOOK_UNSURE) {
        return 0;
    }

    if ((filter->slot != NGX_HTTP_WEBHOOK_NO_SLOT && filter->slot != d->slot)
        || (filter->statuses && !(filter->statuses & (1 << d->status))))
    {
        return 0;
    }

    p = ngx_http_webhook_block(zone, d->payload);

    if ((filter->events
         && !(filter->events & ngx_http_webhook_event_bit(p->event)))
        || (filter->since && p->time < filter->since)
        || (filter->until && p->time > filter->until))
    {
        return 0;
    }

    if (filter->execution.len
        && (filter->execution.len != p->execution
            || ngx_memcmp(filter->execution.data, p->data, p->execution) != 0))
    {
        return 0;
    }

    /* of two with one UUID the newer */

    return ngx_http_webhook_delivery_find(zone, d->uuid)
           == ngx_http_webhook_index(zone, d);
}


static void
ngx_http_webhook_log_summary(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, ngx_http_webhook_summary_t *s)
{
    ngx_http_webhook_zslot_t     *slot;
    ngx_http_webhook_zpayload_t  *p;

    p = ngx_http_webhook_block(zone, d->payload);
    slot = &zone->slots[d->slot];

    s->seq = d->seq;
    s->slot = d->slot;
    s->event = p->event;
    s->status = d->status;
    s->attempts = d->tries;
    s->code = d->code;
    s->error = d->error;
    s->sequence = p->sequence;
    s->time = p->time;
    s->duration = d->duration;
    s->next = 0;

    /* none before somebody resumes a webhook that is stopped */

    if (d->status == NGX_HTTP_WEBHOOK_WAITING
        && slot->health.state <= NGX_HTTP_WEBHOOK_HEALTH_PROBING)
    {
        s->next = ngx_http_webhook_log_due(d, slot);
    }

    ngx_memcpy(s->uuid, d->uuid, 16);

    s->execution_len = ngx_min(p->execution, sizeof(s->execution));
    ngx_memcpy(s->execution, p->data, s->execution_len);

    s->hook_len = slot->name_len;
    ngx_memcpy(s->hook, slot->name, slot->name_len);
}


/* when its next attempt is, on the wall clock */

static uint64_t
ngx_http_webhook_log_due(ngx_http_webhook_zdelivery_t *d,
    ngx_http_webhook_zslot_t *slot)
{
    uint64_t  wall;

    wall = ngx_http_webhook_zone_wall();

    if (d->due <= ngx_current_msec || d->era != slot->era) {
        return wall;
    }

    return wall + (d->due - ngx_current_msec);
}


/* transactions, and what is forgotten without one */

void
ngx_http_webhook_queue_version(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_version_t *version)
{
    version->changes = zone->sh->committed;
    version->deliveries = zone->sh->ndeliveries;
    version->set = ((int64_t) (ngx_http_webhook_zone_wall()
                               - ngx_http_webhook_zone_clock(zone)) + 500)
                   / 1000;
}


ngx_int_t
ngx_http_webhook_queue_get(ngx_http_webhook_zone_t *zone, u_char uuid[16],
    ngx_pool_t *pool, ngx_http_webhook_delivery_t *delivery)
{
    size_t                         size, need;
    u_char                        *p;
    uint32_t                       i;
    ngx_uint_t                     n, nelts;
    ngx_http_webhook_zdelivery_t  *d;

    p = NULL;
    size = 0;
    nelts = 0;

    /* memory comes from outside the lock, so what is to be copied may grow */

    for ( ;; ) {
        ngx_http_webhook_zone_lock(zone);

        i = ngx_http_webhook_delivery_find(zone, uuid);

        if (i == 0) {
            ngx_http_webhook_zone_unlock(zone);
            return NGX_DECLINED;
        }

        d = ngx_http_webhook_block(zone, i);
        need = ngx_http_webhook_log_size(zone, d, &n);

        if (p && need <= size && n <= nelts) {
            ngx_http_webhook_log_copy(zone, d, p, delivery, n);
            ngx_http_webhook_zone_unlock(zone);
            return NGX_OK;
        }

        ngx_http_webhook_zone_unlock(zone);

        size = need + need / 2 + 1;
        nelts = n + 1;

        p = ngx_pnalloc(pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (ngx_array_init(&delivery->attempts, pool, nelts,
                           sizeof(ngx_http_webhook_attempt_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


static size_t
ngx_http_webhook_log_size(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, ngx_uint_t *n)
{
    size_t                        size;
    uint32_t                      i;
    ngx_http_webhook_zpayload_t  *p;
    ngx_http_webhook_zattempt_t  *a;

    p = ngx_http_webhook_block(zone, d->payload);

    size = p->size;
    *n = 0;

    for (i = d->attempt; i; i = a->older) {
        a = ngx_http_webhook_block(zone, i);

        size += a->peer + a->message;

        if (a->text) {
            size += a->sent + a->headers + a->body;
        }

        (*n)++;
    }

    return size;
}


static void
ngx_http_webhook_log_copy(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, u_char *p,
    ngx_http_webhook_delivery_t *delivery, ngx_uint_t n)
{
    uint32_t                      i, number;
    ngx_http_webhook_cursor_t     cursor;
    ngx_http_webhook_attempt_t   *to;
    ngx_http_webhook_zpayload_t  *payload;
    ngx_http_webhook_zattempt_t  *a;

    ngx_http_webhook_log_summary(zone, d, &delivery->summary);

    payload = ngx_http_webhook_block(zone, d->payload);

    ngx_http_webhook_payload_cursor(zone, d->payload, &cursor);
    p = ngx_http_webhook_log_text(&cursor, p, &delivery->payload,
                                  payload->size);

    ngx_str_null(&delivery->sent);

    /* the latest comes first in the zone, and last here */

    delivery->attempts.nelts = n;
    to = (ngx_http_webhook_attempt_t *) delivery->attempts.elts + n;
    number = d->tries;

    for (i = d->attempt; i; i = a->older) {
        a = ngx_http_webhook_block(zone, i);
        to--;

        ngx_memzero(to, sizeof(ngx_http_webhook_attempt_t));

        to->started = a->started;
        to->number = number--;
        to->status = a->status;
        to->error = a->error;
        to->dns = ngx_http_webhook_log_msec(a->dns);
        to->connect = ngx_http_webhook_log_msec(a->connect);
        to->tls = ngx_http_webhook_log_msec(a->tls);
        to->first_byte = ngx_http_webhook_log_msec(a->first_byte);
        to->total = ngx_http_webhook_log_msec(a->total);
        to->reused = a->reused;
        to->truncated = a->truncated;
        to->body_size = a->body_size;

        cursor.zone = zone;
        cursor.index = i;
        cursor.pos = offsetof(ngx_http_webhook_zattempt_t, data);

        p = ngx_http_webhook_log_text(&cursor, p, &to->peer, a->peer);
        p = ngx_http_webhook_log_text(&cursor, p, &to->message, a->message);

        if (a->text == 0) {
            continue;
        }

        cursor.index = a->text;
        cursor.pos = sizeof(ngx_http_webhook_blk_t);

        p = ngx_http_webhook_log_text(&cursor, p, &delivery->sent, a->sent);
        p = ngx_http_webhook_log_text(&cursor, p, &to->headers, a->headers);
        p = ngx_http_webhook_log_text(&cursor, p, &to->body, a->body);
    }
}


static u_char *
ngx_http_webhook_log_text(ngx_http_webhook_cursor_t *cursor, u_char *p,
    ngx_str_t *text, size_t len)
{
    ngx_http_webhook_zone_read(cursor, p, len);

    text->data = p;
    text->len = len;

    return p + len;
}


uint64_t
ngx_http_webhook_queue_last(ngx_http_webhook_zone_t *zone)
{
    uint64_t  seq;

    ngx_http_webhook_zone_lock(zone);

    seq = zone->sh->seq;

    ngx_http_webhook_zone_unlock(zone);

    return seq;
}


void
ngx_http_webhook_queue_stat(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_hook_stat_t *stat)
{
    uint64_t                       hold;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_zdelivery_t  *d;

    ngx_memzero(stat, sizeof(ngx_http_webhook_hook_stat_t));

    slot = &zone->slots[index];

    ngx_http_webhook_zone_lock(zone);

    stat->health = slot->health;
    stat->owner = slot->owner;
    stat->waiting = ngx_http_webhook_queue_length(slot);
    stat->in_flight = slot->in_flight;
    stat->delivered = slot->ended[NGX_HTTP_WEBHOOK_DELIVERED];
    stat->failed = slot->ended[NGX_HTTP_WEBHOOK_FAILED];
    stat->expired = slot->ended[NGX_HTTP_WEBHOOK_EXPIRED];
    stat->superseded = slot->ended[NGX_HTTP_WEBHOOK_SUPERSEDED];
    stat->dropped = slot->ended[NGX_HTTP_WEBHOOK_DROPPED];
    stat->attempts = slot->attempts;
    stat->recent = slot->recent;
    stat->nrecent = slot->nrecent;
    stat->tally = slot->tally;

    d = ngx_http_webhook_log_oldest(zone, slot);

    if (d) {
        stat->oldest = ngx_http_webhook_clock_to_wall(zone, d->created);
    }

    d = ngx_http_webhook_log_first(zone, slot);

    if (d && slot->health.state <= NGX_HTTP_WEBHOOK_HEALTH_PROBING) {
        stat->next = ngx_http_webhook_log_due(d, slot);

        if (slot->flush) {
            stat->next = ngx_http_webhook_zone_wall();
        }

        if (slot->health.state == NGX_HTTP_WEBHOOK_HEALTH_PROBING) {
            stat->next = ngx_http_webhook_clock_to_wall(zone,
                                                        slot->health.probe_at);
        }

        hold = ngx_http_webhook_clock_to_wall(zone, slot->health.hold_until);
        stat->next = ngx_max(stat->next, hold);
    }

    ngx_http_webhook_zone_unlock(zone);
}


/* these two are known to be wanted; NULL: none is */

static ngx_http_webhook_zdelivery_t *
ngx_http_webhook_log_oldest(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    uint32_t                       i;
    ngx_http_webhook_zdelivery_t  *d;

    for (i = slot->queue.head; i; i = d->queue.next) {
        d = ngx_http_webhook_block(zone, i);

        if (!(d->flags & NGX_HTTP_WEBHOOK_UNSURE)) {
            return d;
        }
    }

    return NULL;
}


static ngx_http_webhook_zdelivery_t *
ngx_http_webhook_log_first(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot)
{
    ngx_rbtree_t                   tree;
    ngx_rbtree_node_t             *node;
    ngx_http_webhook_zdelivery_t  *d;

    tree.root = slot->due;
    tree.sentinel = &zone->sh->sentinel;

    if (tree.root == tree.sentinel) {
        return NULL;
    }

    for (node = ngx_rbtree_min(tree.root, tree.sentinel);
         node;
         node = ngx_rbtree_next(&tree, node))
    {
        d = ngx_http_webhook_delivery_by_due(node);

        if (!(d->flags & NGX_HTTP_WEBHOOK_UNSURE)) {
            return d;
        }
    }

    return NULL;
}
