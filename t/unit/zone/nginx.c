
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What the rooms of the zone call of nginx's core, which Debian ships as
 * headers alone: a lock that the death of its holder leaves taken, one
 * allocation, trees (treaps, their priorities from addresses), clocks that the
 * test sets.
 */


#include "zone/zone.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <sched.h>
#include <signal.h>


static ngx_cycle_t       cycle;
static ngx_log_t         unit_log;
static ngx_time_t        now;
static int64_t           ahead;

volatile ngx_cycle_t    *ngx_cycle = &cycle;
ngx_pid_t                ngx_pid;
volatile ngx_msec_t      ngx_current_msec;
volatile ngx_time_t     *ngx_cached_time = &now;
ngx_uint_t               ngx_pagesize = 4096;
ngx_uint_t               ngx_pagesize_shift = 12;
uint32_t                 ngx_crc32_table256[256];
static uint32_t          crc_short[16];
uint32_t                *ngx_crc32_table_short = crc_short;

ngx_uint_t               unit_logged;
static ngx_uint_t        unit_quiet;


void
unit_init(void)
{
    uint32_t    c;
    ngx_uint_t  i, k;

    for (i = 0; i < 256; i++) {
        c = i;

        for (k = 0; k < 8; k++) {
            c = (c >> 1) ^ ((c & 1) ? 0xedb88320 : 0);
        }

        ngx_crc32_table256[i] = c;
    }

    for (i = 0; i < 16; i++) {
        crc_short[i] = ngx_crc32_table256[i * 16];
    }

    unit_log.log_level = NGX_LOG_DEBUG;
    cycle.log = &unit_log;
    ngx_pid = getpid();

    unit_time(1000000);
}


/* ms of the monotonic clock; the wall clock goes with it */

void
unit_time(uint64_t ms)
{
    ngx_current_msec = ms;
    now.sec = 1700000000 + ahead + ms / 1000;
    now.msec = ms % 1000;
}


/* sets it, so much from where it was to begin with */

void
unit_wall(int64_t seconds)
{
    ahead = seconds;
    unit_time(ngx_current_msec);
}


void
unit_silence(ngx_uint_t quiet)
{
    unit_quiet = quiet;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    unit_logged++;

    if (level <= NGX_LOG_ALERT && !unit_quiet) {
        printf("# %s\n", fmt);
    }
}


/* anonymous shared memory with a slab pool at its beginning, as nginx maps */

ngx_slab_pool_t *
unit_map(size_t size)
{
    u_char           *p;
    ngx_slab_pool_t  *pool;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }

    pool = (ngx_slab_pool_t *) p;

    pool->end = p + size;
    pool->start = (u_char *) ngx_align_ptr(p + size / 100 + 4096, 4096);
    pool->pfree = (pool->end - pool->start) / 4096;
    pool->mutex.lock = &pool->lock.lock;

    return pool;
}


void *
ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size)
{
    if (size > pool->pfree * ngx_pagesize) {
        return NULL;
    }

    pool->pfree = 0;

    return pool->start;
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    while (!ngx_atomic_cmp_set(mtx->lock, 0, ngx_pid)) {
        sched_yield();
    }
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    (void) ngx_atomic_cmp_set(mtx->lock, ngx_pid, 0);
}


/*
 * At a moment by chance, but not before it has done that much: how far it comes
 * in a time depends on what else the machine does.
 */

void
unit_kill(pid_t pid, volatile uint64_t *steps, uint64_t much)
{
    uint64_t  before;

    before = *steps;

    while (*steps - before < much) {
        usleep(100);

        if (waitpid(pid, NULL, WNOHANG) != 0) {
            abort();                            /* it does not end itself */
        }
    }

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}


/* what the master does for a worker that died */

ngx_uint_t
unit_force_unlock(ngx_slab_pool_t *pool, ngx_pid_t pid)
{
    return ngx_atomic_cmp_set(pool->mutex.lock, pid, 0);
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


u_char *
ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...)
{
    int      n;
    char     s[32];
    va_list  args;

    /* the one format that these rooms use */

    va_start(args, fmt);
    n = snprintf((char *) buf, max, "%s", va_arg(args, char *));
    snprintf(s, sizeof(s), ", %u", va_arg(args, uint32_t));
    va_end(args);

    return buf + n + snprintf((char *) buf + n, max - n, "%s", s);
}


/* --- trees --- */

static uint64_t
priority(ngx_rbtree_node_t *node)
{
    uint64_t  h;

    h = (uintptr_t) node;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;

    return h ^ (h >> 31);
}


/* "node" goes up, its parent down */

static void
rotate(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  *parent, *grand, *child;

    parent = node->parent;
    grand = parent->parent;

    if (parent->left == node) {
        child = node->right;
        parent->left = child;
        node->right = parent;

    } else {
        child = node->left;
        parent->right = child;
        node->left = parent;
    }

    if (child != tree->sentinel) {
        child->parent = parent;
    }

    parent->parent = node;
    node->parent = grand;

    if (grand == NULL) {
        tree->root = node;

    } else if (grand->left == parent) {
        grand->left = node;

    } else {
        grand->right = node;
    }
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    if (tree->root == tree->sentinel) {
        node->parent = NULL;
        node->left = tree->sentinel;
        node->right = tree->sentinel;
        tree->root = node;
        return;
    }

    tree->insert(tree->root, node, tree->sentinel);

    while (node->parent && priority(node) > priority(node->parent)) {
        rotate(tree, node);
    }
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  *child;

    for ( ;; ) {

        if (node->left == tree->sentinel && node->right == tree->sentinel) {
            break;
        }

        if (node->left == tree->sentinel) {
            child = node->right;

        } else if (node->right == tree->sentinel) {
            child = node->left;

        } else {
            child = (priority(node->left) > priority(node->right))
                    ? node->left : node->right;
        }

        rotate(tree, child);
    }

    if (node->parent == NULL) {
        tree->root = tree->sentinel;

    } else if (node->parent->left == node) {
        node->parent->left = tree->sentinel;

    } else {
        node->parent->right = tree->sentinel;
    }

    node->left = NULL;
    node->right = NULL;
    node->parent = NULL;
}


ngx_rbtree_node_t *
ngx_rbtree_next(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  *parent;

    if (node->right != tree->sentinel) {
        return ngx_rbtree_min(node->right, tree->sentinel);
    }

    for (parent = node->parent; parent; parent = node->parent) {

        if (node == parent->left) {
            return parent;
        }

        node = parent;
    }

    return NULL;
}
