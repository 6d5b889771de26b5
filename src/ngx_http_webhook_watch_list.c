
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch_list: running executions -> records in the zone, in a tree by when
 * their status is to be asked for.  Who takes one puts its time off, so that
 * it comes back by itself when he dies.  Next room: watch.
 */


#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_watch_zone.h"


#define NGX_HTTP_WEBHOOK_WATCH_LEASE   40000   /* ms, more than a request may
                                                  take */


static ngx_http_webhook_zwatch_t *ngx_http_webhook_watch_get(
    ngx_http_webhook_zone_t *zone, ngx_http_webhook_watch_job_t *job);
static ngx_uint_t ngx_http_webhook_watch_over(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zwatch_t *w, uint32_t *state);
static void ngx_http_webhook_watch_copy(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_watch_job_t *job);
static void ngx_http_webhook_watch_due(ngx_http_webhook_zone_t *zone,
    uint32_t index, uint64_t due);
static void ngx_http_webhook_watch_free(ngx_http_webhook_zone_t *zone,
    uint32_t index);
static void ngx_http_webhook_watch_leave(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zwatch_t *w);
static void ngx_http_webhook_watch_tree(ngx_http_webhook_zone_t *zone,
    ngx_rbtree_t *tree);
static void ngx_http_webhook_watch_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


#define ngx_http_webhook_watch_by_node(n)                                     \
    ngx_rbtree_data(n, ngx_http_webhook_zwatch_t, node)


uint32_t
ngx_http_webhook_watch_add(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job)
{
    size_t                      len;
    uint32_t                    index;
    ngx_http_webhook_zwatch_t  *w;
    ngx_http_webhook_cursor_t   cursor;

    len = job->realm.len + job->uri.len + job->body.len;

    if (len > NGX_HTTP_WEBHOOK_WATCH_TEXT) {
        return 0;
    }

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    index = ngx_http_webhook_zone_alloc(zone,
                       1 + ngx_http_webhook_blocks(len,
                                                NGX_HTTP_WEBHOOK_WATCH_ROOM),
                       NGX_HTTP_WEBHOOK_CLASS_WATCH);

    if (index) {
        w = ngx_http_webhook_block(zone, index);

        ngx_memcpy(w->key, job->key, 16);

        w->due = ngx_current_msec + NGX_HTTP_WEBHOOK_WATCH_LEASE;
        w->until = job->until;
        w->pid = ngx_pid;
        w->token = job->token;
        w->interval = 0;
        w->server = job->server;
        w->api = job->api;
        w->route = job->route;
        w->realm = job->realm.len;
        w->uri = job->uri.len;
        w->body = job->body.len;

        cursor.zone = zone;
        cursor.index = index;
        cursor.pos = offsetof(ngx_http_webhook_zwatch_t, data);

        ngx_http_webhook_zone_write(&cursor, job->realm.data, job->realm.len);
        ngx_http_webhook_zone_write(&cursor, job->uri.data, job->uri.len);
        ngx_http_webhook_zone_write(&cursor, job->body.data, job->body.len);

        ngx_memory_barrier();

        w->blk.type = NGX_HTTP_WEBHOOK_BLK_WATCH;

        ngx_http_webhook_watch_enter(zone, index);
        ngx_http_webhook_store_mark(zone, index);
    }

    ngx_http_webhook_zone_unlock(zone);

    return index;
}


ngx_int_t
ngx_http_webhook_watch_take(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job, ngx_msec_t *wait)
{
    uint32_t                    index, state;
    uint64_t                    now;
    ngx_uint_t                  n;
    ngx_rbtree_t                tree;
    ngx_rbtree_node_t          *node;
    ngx_http_webhook_zstate_t  *s;
    ngx_http_webhook_zwatch_t  *w;

    now = ngx_current_msec;
    *wait = 0;

    if (zone->sh->blocked) {

        /* another master has the store, and asks */

        *wait = NGX_HTTP_WEBHOOK_WATCH_SLOWEST;
        return NGX_DECLINED;
    }

    ngx_http_webhook_zone_lock(zone);

    for (n = 0; n < NGX_HTTP_WEBHOOK_STEP; n++) {

        ngx_http_webhook_watch_tree(zone, &tree);

        if (tree.root == tree.sentinel) {
            *wait = NGX_CONF_UNSET_MSEC;
            break;
        }

        node = ngx_rbtree_min(tree.root, tree.sentinel);

        w = ngx_http_webhook_watch_by_node(node);
        index = ngx_http_webhook_index(zone, w);

        if (w->due > now) {
            *wait = w->due - now;
            break;
        }

        ngx_http_webhook_zone_begin(zone);

        if (ngx_http_webhook_watch_over(zone, w, &state)) {

            if (w->until <= now) {
                ngx_http_webhook_zone_count(zone,
                                            NGX_HTTP_WEBHOOK_CNT_LAPSED, 1);
            }

            ngx_http_webhook_watch_free(zone, index);
            continue;
        }

        /* it is no state that nobody sees */

        s = ngx_http_webhook_block(zone, state);

        if (s->blk.seen != ngx_http_webhook_state_hours()) {
            ngx_http_webhook_state_touch(zone, state,
                                         ngx_http_webhook_state_list(s));
        }

        w->pid = ngx_pid;

        ngx_http_webhook_watch_due(zone, index,
                                   now + NGX_HTTP_WEBHOOK_WATCH_LEASE);
        ngx_http_webhook_watch_copy(zone, index, job);

        ngx_http_webhook_zone_unlock(zone);

        return NGX_OK;
    }

    ngx_http_webhook_zone_unlock(zone);

    return NGX_DECLINED;
}


/* whether the execution has ended, began anew, or takes too long */

static ngx_uint_t
ngx_http_webhook_watch_over(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zwatch_t *w, uint32_t *state)
{
    ngx_http_webhook_zstate_t  *s;

    *state = ngx_http_webhook_state_find(zone, w->key);

    if (*state == 0 || w->until <= ngx_current_msec) {
        return 1;
    }

    s = ngx_http_webhook_block(zone, *state);

    return s->state.rank == NGX_HTTP_WEBHOOK_FINISHED
           || s->state.watch != w->token;
}


static void
ngx_http_webhook_watch_copy(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_watch_job_t *job)
{
    ngx_http_webhook_zwatch_t  *w;
    ngx_http_webhook_cursor_t   cursor;

    w = ngx_http_webhook_block(zone, index);

    job->index = index;
    job->token = w->token;
    job->until = w->until;
    job->interval = w->interval;
    job->server = w->server;
    job->api = w->api;
    job->route = w->route;

    ngx_memcpy(job->key, w->key, 16);

    job->realm.data = job->text;
    job->realm.len = w->realm;
    job->uri.data = job->realm.data + job->realm.len;
    job->uri.len = w->uri;
    job->body.data = job->uri.data + job->uri.len;
    job->body.len = w->body;

    cursor.zone = zone;
    cursor.index = index;
    cursor.pos = offsetof(ngx_http_webhook_zwatch_t, data);

    ngx_http_webhook_zone_read(&cursor, job->text,
                               job->realm.len + job->uri.len + job->body.len);
}


void
ngx_http_webhook_watch_put(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job, ngx_msec_t wait, ngx_msec_t interval)
{
    ngx_http_webhook_zwatch_t  *w;

    ngx_http_webhook_zone_lock(zone);

    w = ngx_http_webhook_watch_get(zone, job);

    if (w) {
        ngx_http_webhook_zone_begin(zone);

        w->pid = 0;
        w->until = ngx_min(w->until, job->until);
        w->interval = interval;

        ngx_http_webhook_watch_due(zone, job->index,
                                   ngx_min(ngx_current_msec + wait, w->until));
    }

    ngx_http_webhook_zone_unlock(zone);
}


void
ngx_http_webhook_watch_drop(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job)
{
    ngx_http_webhook_zone_lock(zone);

    if (ngx_http_webhook_watch_get(zone, job)) {
        ngx_http_webhook_zone_begin(zone);
        ngx_http_webhook_watch_free(zone, job->index);
    }

    ngx_http_webhook_zone_unlock(zone);
}


/* NULL: the block was given to something else since */

static ngx_http_webhook_zwatch_t *
ngx_http_webhook_watch_get(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job)
{
    ngx_http_webhook_zwatch_t  *w;

    w = ngx_http_webhook_block(zone, job->index);

    if (w->blk.type != NGX_HTTP_WEBHOOK_BLK_WATCH
        || w->token != job->token
        || ngx_memcmp(w->key, job->key, 16) != 0)
    {
        return NULL;
    }

    return w;
}


void
ngx_http_webhook_watch_reclaim(ngx_http_webhook_zone_t *zone)
{
    uint32_t                    index[NGX_HTTP_WEBHOOK_STEP];
    ngx_pid_t                   alive;
    ngx_uint_t                  n;
    ngx_rbtree_t                tree;
    ngx_rbtree_node_t          *node;
    ngx_http_webhook_zwatch_t  *w;

    n = 0;
    alive = ngx_pid;

    ngx_http_webhook_zone_lock(zone);

    ngx_http_webhook_watch_tree(zone, &tree);

    node = (tree.root == tree.sentinel)
           ? NULL : ngx_rbtree_min(tree.root, tree.sentinel);

    for ( /* void */ ; node && n < NGX_HTTP_WEBHOOK_STEP;
         node = ngx_rbtree_next(&tree, node))
    {
        w = ngx_http_webhook_watch_by_node(node);

        if (w->pid == 0 || w->pid == alive) {
            continue;
        }

        if (kill(w->pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
            index[n++] = ngx_http_webhook_index(zone, w);
            continue;
        }

        alive = w->pid;
    }

    if (n) {
        ngx_http_webhook_zone_begin(zone);
    }

    while (n) {
        n--;

        w = ngx_http_webhook_block(zone, index[n]);
        w->pid = 0;

        ngx_http_webhook_watch_due(zone, index[n], ngx_current_msec);
    }

    ngx_http_webhook_zone_unlock(zone);
}


void
ngx_http_webhook_watch_clear(ngx_http_webhook_zone_t *zone)
{
    uint32_t                    index, stored[NGX_HTTP_WEBHOOK_STEP];
    ngx_uint_t                  n;
    ngx_http_webhook_zwatch_t  *w;

    do {
        n = 0;

        ngx_http_webhook_zone_lock(zone);

        for (w = ngx_http_webhook_watch_next(zone, NULL);
             w && n < NGX_HTTP_WEBHOOK_STEP;
             w = ngx_http_webhook_watch_next(zone, w))
        {
            index = ngx_http_webhook_index(zone, w);

            if (w->pid == 0 && !ngx_http_webhook_store_pending(zone, index)) {
                stored[n++] = index;
            }
        }

        if (n) {
            ngx_http_webhook_zone_begin(zone);
        }

        index = n;

        while (n) {
            ngx_http_webhook_watch_free(zone, stored[--n]);
        }

        ngx_http_webhook_zone_unlock(zone);

    } while (index);
}


ngx_uint_t
ngx_http_webhook_watch_number(ngx_http_webhook_zone_t *zone)
{
    return zone->sh->watches.number;
}


static void
ngx_http_webhook_watch_due(ngx_http_webhook_zone_t *zone, uint32_t index,
    uint64_t due)
{
    ngx_http_webhook_zwatch_t  *w;

    w = ngx_http_webhook_block(zone, index);

    ngx_http_webhook_watch_leave(zone, w);

    w->due = due;

    ngx_http_webhook_watch_enter(zone, index);
}


static void
ngx_http_webhook_watch_free(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_http_webhook_watch_leave(zone, ngx_http_webhook_block(zone, index));

    ngx_http_webhook_zone_free(zone, index, NGX_HTTP_WEBHOOK_CLASS_WATCH);
}


void
ngx_http_webhook_watch_enter(ngx_http_webhook_zone_t *zone, uint32_t index)
{
    ngx_rbtree_t                tree;
    ngx_http_webhook_zwatch_t  *w;

    w = ngx_http_webhook_block(zone, index);

    ngx_http_webhook_watch_tree(zone, &tree);
    ngx_rbtree_insert(&tree, &w->node);

    zone->sh->watches.root = tree.root;
    zone->sh->watches.number++;
}


static void
ngx_http_webhook_watch_leave(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zwatch_t *w)
{
    ngx_rbtree_t  tree;

    ngx_http_webhook_watch_tree(zone, &tree);
    ngx_rbtree_delete(&tree, &w->node);

    zone->sh->watches.root = tree.root;
    zone->sh->watches.number--;
}


/* the first one, or the one after w; NULL: there is none */

ngx_http_webhook_zwatch_t *
ngx_http_webhook_watch_next(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zwatch_t *w)
{
    ngx_rbtree_t        tree;
    ngx_rbtree_node_t  *node;

    ngx_http_webhook_watch_tree(zone, &tree);

    if (tree.root == tree.sentinel) {
        return NULL;
    }

    node = w ? ngx_rbtree_next(&tree, &w->node)
             : ngx_rbtree_min(tree.root, tree.sentinel);

    return node ? ngx_http_webhook_watch_by_node(node) : NULL;
}


ngx_uint_t
ngx_http_webhook_watch_blocks(ngx_http_webhook_zwatch_t *w)
{
    size_t  len;

    len = (size_t) w->realm + w->uri + w->body;

    return 1 + ngx_http_webhook_blocks(len, NGX_HTTP_WEBHOOK_WATCH_ROOM);
}


static void
ngx_http_webhook_watch_tree(ngx_http_webhook_zone_t *zone, ngx_rbtree_t *tree)
{
    tree->root = zone->sh->watches.root;
    tree->sentinel = &zone->sh->sentinel;
    tree->insert = ngx_http_webhook_watch_insert;
}


static void
ngx_http_webhook_watch_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t          **p;
    ngx_http_webhook_zwatch_t   *w, *t;

    w = ngx_http_webhook_watch_by_node(node);

    for ( ;; ) {
        t = ngx_http_webhook_watch_by_node(temp);

        p = (w->due < t->due) ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}
