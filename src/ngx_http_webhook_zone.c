
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * zone: nginx's shared memory -> its layout, the lock, and transactions under
 * it; digests and counters, which need no lock.  The layout is drawn in
 * ngx_http_webhook_zone_priv.h.  Next room: block.
 */


#include "ngx_http_webhook_zone_priv.h"
#include "ngx_http_webhook_api.h"
#include "ngx_http_webhook_seen.h"

#include <openssl/rand.h>


#define NGX_HTTP_WEBHOOK_SLOTS_MIN     32
#define NGX_HTTP_WEBHOOK_SLOTS_MAX     4096
#define NGX_HTTP_WEBHOOK_SLOT_SHARE    32768   /* bytes of zone for a slot */

/* saved at most: a state, and of each webhook one delivery */
#define NGX_HTTP_WEBHOOK_UNDO_MIN      2048
#define NGX_HTTP_WEBHOOK_UNDO_SLOT     128

#define NGX_HTTP_WEBHOOK_SEEN_MIN      32
#define NGX_HTTP_WEBHOOK_SEEN_MAX      512
#define NGX_HTTP_WEBHOOK_SEEN_SHARE    65536   /* bytes of zone for a record */


/* bytes to be put back */

typedef struct {
    uint64_t                     offset;     /* from the header */
    uint32_t                     len;
    uint32_t                     prev;       /* the entry before + 1, or 0 */
} ngx_http_webhook_undo_t;


static void ngx_http_webhook_zone_measure(ngx_http_webhook_shm_t *sh,
    size_t size);
static void ngx_http_webhook_zone_attach(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_shm_t *sh);
static ngx_int_t ngx_http_webhook_zone_replaces(ngx_shm_zone_t *shm_zone,
    ngx_http_webhook_main_conf_t *mcf);
static ngx_uint_t ngx_http_webhook_zone_stored(ngx_http_webhook_shm_t *sh,
    ngx_http_webhook_store_t *store);
static uint64_t ngx_http_webhook_zone_digest_word(uint64_t key,
    uint64_t digest);
static ngx_atomic_t *ngx_http_webhook_zone_epoch_word(
    ngx_http_webhook_zone_t *zone, ngx_http_webhook_api_t *api);


/* what lives in a block must fit */

typedef char  ngx_http_webhook_zone_fits_t[
    (sizeof(ngx_http_webhook_zdelivery_t) <= NGX_HTTP_WEBHOOK_BLOCK
     && sizeof(ngx_http_webhook_zstate_t) <= NGX_HTTP_WEBHOOK_BLOCK)
    ? 1 : -1];


ngx_int_t
ngx_http_webhook_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_webhook_main_conf_t  *old = data;

    size_t                         size;
    ngx_slab_pool_t               *shpool;
    ngx_http_webhook_shm_t        *sh, measure;
    ngx_http_webhook_zone_t       *zone;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    zone = ngx_pcalloc(mcf->hooks.pool, sizeof(ngx_http_webhook_zone_t));
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->shpool = shpool;
    zone->log = mcf->log;
    zone->body = mcf->body;
    mcf->zone = zone;

    if (old || shm_zone->shm.exists) {
        sh = shpool->data;

        if (sh == NULL
            || sh->magic != NGX_HTTP_WEBHOOK_MAGIC
            || sh->layout != NGX_HTTP_WEBHOOK_LAYOUT
            || sh->size != shm_zone->shm.size
            || sh->record != sizeof(ngx_http_webhook_shm_t)
                             + sizeof(ngx_http_webhook_zslot_t))
        {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "webhook_zone \"%V\" was made by another version of "
                          "the module; restart nginx",
                          &shm_zone->shm.name);
            return NGX_ERROR;
        }

        ngx_http_webhook_zone_attach(zone, sh);

        return NGX_OK;
    }

    if (ngx_http_webhook_zone_replaces(shm_zone, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&measure, sizeof(ngx_http_webhook_shm_t));

    size = shpool->pfree * ngx_pagesize;

    ngx_http_webhook_zone_measure(&measure, size);

    if (measure.nblocks == 0) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "webhook_zone \"%V\" of %uz bytes is too small",
                      &shm_zone->shm.name, shm_zone->shm.size);
        return NGX_ERROR;
    }

    sh = ngx_slab_alloc(shpool, size);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    /*
     * nginx maps anonymous memory, which is zero; what was never written
     * takes no memory, so free blocks are not touched before their first use
     */

    ngx_memzero(sh, measure.blocks);

    *sh = measure;

    sh->layout = NGX_HTTP_WEBHOOK_LAYOUT;
    sh->size = shm_zone->shm.size;
    sh->record = sizeof(ngx_http_webhook_shm_t)
                 + sizeof(ngx_http_webhook_zslot_t);

    if (RAND_bytes(sh->secret, sizeof(sh->secret)) != 1
        || RAND_bytes((u_char *) &sh->id, sizeof(sh->id)) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed for webhook_zone \"%V\"",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    ngx_http_webhook_zone_attach(zone, sh);

    sh->ahead = ngx_http_webhook_zone_wall() - ngx_current_msec;
    sh->rows = ngx_http_webhook_zone_wall() * 1000;
    sh->fresh = 1;

    ngx_http_webhook_zone_clear(zone);

    sh->magic = NGX_HTTP_WEBHOOK_MAGIC;
    shpool->data = sh;
    shpool->log_nomem = 0;

    return NGX_OK;
}


/* where the parts of an area of this size are; nblocks 0: it is too small */

static void
ngx_http_webhook_zone_measure(ngx_http_webhook_shm_t *sh, size_t size)
{
    size_t  n, used;

    n = size / NGX_HTTP_WEBHOOK_SLOT_SHARE;
    n = ngx_max(n, NGX_HTTP_WEBHOOK_SLOTS_MIN);
    n = ngx_min(n, NGX_HTTP_WEBHOOK_SLOTS_MAX);

    sh->nslots = n;
    sh->slots = ngx_align(sizeof(ngx_http_webhook_shm_t), 64);

    sh->undo = sh->slots + n * sizeof(ngx_http_webhook_zslot_t);
    sh->undo_size = NGX_HTTP_WEBHOOK_UNDO_MIN + n * NGX_HTTP_WEBHOOK_UNDO_SLOT;

    n = size / NGX_HTTP_WEBHOOK_SEEN_SHARE;
    n = ngx_max(n, NGX_HTTP_WEBHOOK_SEEN_MIN);
    n = ngx_min(n, NGX_HTTP_WEBHOOK_SEEN_MAX);

    sh->nseen = n;
    sh->seen = ngx_align(sh->undo + sh->undo_size, 64);

    sh->state = sh->seen + n * sizeof(ngx_http_webhook_seen_t);
    used = sh->state + 8 * NGX_HTTP_WEBHOOK_BLOCK;

    if (size < used) {
        return;
    }

    /* bytes for a block: itself, 2 + 1 of tables, 4 unsaved, 2 of digests */

    n = (size - used) / (NGX_HTTP_WEBHOOK_BLOCK + 9);

    sh->nstate = n / 2 + 1;
    sh->nuuid = n / 8 + 1;
    sh->ndigest = n / 4 + 1;

    sh->uuid = sh->state + sh->nstate * sizeof(uint32_t);
    sh->exec = sh->uuid + sh->nuuid * sizeof(uint32_t);
    sh->unsaved = sh->exec + sh->nuuid * sizeof(uint32_t);
    sh->digest = ngx_align(sh->unsaved + (n + 1) * sizeof(uint32_t), 8);

    sh->blocks = ngx_align(sh->digest + sh->ndigest * sizeof(uint64_t),
                           NGX_HTTP_WEBHOOK_BLOCK);

    sh->nblocks = (size - sh->blocks) >> NGX_HTTP_WEBHOOK_BLOCK_SHIFT;
}


static void
ngx_http_webhook_zone_attach(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_shm_t *sh)
{
    u_char  *p;

    p = (u_char *) sh;

    zone->sh = sh;
    zone->slots = (ngx_http_webhook_zslot_t *) (p + sh->slots);
    zone->undo = p + sh->undo;
    zone->state = (uint32_t *) (p + sh->state);
    zone->uuid = (uint32_t *) (p + sh->uuid);
    zone->exec = (uint32_t *) (p + sh->exec);
    zone->unsaved = (uint32_t *) (p + sh->unsaved);
    zone->digest = (volatile uint64_t *) (p + sh->digest);
    zone->blocks = p + sh->blocks;
}


/*
 * A zone of another size or name than in the cycle before begins empty, or
 * with what the store has: nothing that waits may be lost by that.
 */

static ngx_int_t
ngx_http_webhook_zone_replaces(ngx_shm_zone_t *shm_zone,
    ngx_http_webhook_main_conf_t *mcf)
{
    ngx_uint_t               i;
    ngx_list_part_t         *part;
    ngx_shm_zone_t          *old;
    ngx_slab_pool_t         *shpool;
    ngx_http_webhook_shm_t  *sh;

    if (ngx_cycle == NULL) {
        return NGX_OK;
    }

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
    old = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            old = part->elts;
            i = 0;
        }

        if (old[i].shm.addr == NULL
            || old[i].shm.addr == shm_zone->shm.addr
            || (old[i].tag != shm_zone->tag
                && (old[i].shm.name.len != shm_zone->shm.name.len
                    || ngx_strncmp(old[i].shm.name.data,
                                   shm_zone->shm.name.data,
                                   shm_zone->shm.name.len)
                       != 0)))
        {
            continue;
        }

        shpool = (ngx_slab_pool_t *) old[i].shm.addr;
        sh = shpool->data;

        /*
         * read without the lock: the master must not wait for a worker that
         * may be dead, since only the master itself would free its lock
         */

        if (sh == NULL
            || (u_char *) sh < shpool->start
            || (u_char *) sh >= shpool->end
            || sh->magic != NGX_HTTP_WEBHOOK_MAGIC
            || sh->queued == 0
            || ngx_http_webhook_zone_stored(sh, mcf->store))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "webhook_zone \"%V\" of %uz bytes cannot replace \"%V\" "
                      "of %uz bytes while %uD deliveries wait in it: keep its "
                      "name and size until they are sent",
                      &shm_zone->shm.name, shm_zone->shm.size,
                      &old[i].shm.name, old[i].shm.size, sh->queued);

        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what waits in it comes back from the store: from this file, all of it */

static ngx_uint_t
ngx_http_webhook_zone_stored(ngx_http_webhook_shm_t *sh,
    ngx_http_webhook_store_t *store)
{
    ngx_file_info_t  fi;

    if (store == NULL
        || sh->layout != NGX_HTTP_WEBHOOK_LAYOUT
        || !sh->storing
        || sh->store_error[0] != '\0'
        || ngx_file_info(store->lock.data, &fi) == NGX_FILE_ERROR)
    {
        return 0;
    }

    return sh->file == ngx_http_webhook_store_file(&fi);
}


/* forgets all that is derived */

void
ngx_http_webhook_zone_clear(ngx_http_webhook_zone_t *zone)
{
    uint32_t                   i;
    ngx_http_webhook_shm_t    *sh;
    ngx_http_webhook_zslot_t  *slot;

    sh = zone->sh;

    ngx_memzero(zone->state, sh->nstate * sizeof(uint32_t));
    ngx_memzero(zone->uuid, sh->nuuid * sizeof(uint32_t));
    ngx_memzero(zone->exec, sh->nuuid * sizeof(uint32_t));

    ngx_memzero(&sh->sentinel, sizeof(ngx_rbtree_node_t));
    ngx_rbtree_sentinel_init(&sh->sentinel);

    sh->seqs = &sh->sentinel;
    sh->watches.root = &sh->sentinel;
    sh->free = 0;
    sh->nfree = sh->nblocks - sh->fresh;
    sh->nstates = 0;
    sh->nqueue = 0;
    sh->ndeliveries = 0;
    sh->watches.number = 0;
    sh->watches.blocks = 0;
    sh->queued = 0;
    sh->pinned = 0;

    ngx_http_webhook_store_forget(zone);

    ngx_memzero(sh->lru, sizeof(sh->lru));
    ngx_memzero(&sh->log, sizeof(ngx_http_webhook_list_t));

    for (i = 0; i < sh->nslots; i++) {
        slot = &zone->slots[i];

        slot->due = &sh->sentinel;

        ngx_memzero(&slot->queue, sizeof(ngx_http_webhook_list_t));
        ngx_memzero(&slot->sending, sizeof(ngx_http_webhook_list_t));
        ngx_memzero(&slot->log, sizeof(ngx_http_webhook_list_t));

        slot->waiting = 0;
        slot->unsure = 0;
        slot->in_flight = 0;
        slot->logged = 0;
        slot->flush = 0;
        slot->touched = 0;
    }
}


void
ngx_http_webhook_zone_capacity(size_t size, ngx_uint_t *hooks,
    ngx_uint_t *states, ngx_uint_t *deliveries)
{
    size_t                  n, pages, head;
    ngx_http_webhook_shm_t  sh;

    ngx_memzero(&sh, sizeof(ngx_http_webhook_shm_t));

    /* what the slab pool keeps for itself */

    n = ngx_pagesize_shift - 3;
    head = sizeof(ngx_slab_pool_t)
           + n * (sizeof(ngx_slab_page_t) + sizeof(ngx_slab_stat_t));

    pages = 0;

    if (size > head + 2 * ngx_pagesize) {
        pages = (size - head) / (ngx_pagesize + sizeof(ngx_slab_page_t)) - 1;
    }

    ngx_http_webhook_zone_measure(&sh, pages * ngx_pagesize);

    /* the record of the delivery, and one execution id of usual length */

    n = 2 + ngx_http_webhook_blocks(5 * 1024 + 24,
                                    NGX_HTTP_WEBHOOK_PAYLOAD_ROOM);

    *hooks = sh.nslots;
    *states = sh.nblocks / 2;
    *deliveries = sh.nblocks / 2 / n;
}


void
ngx_http_webhook_zone_lock(ngx_http_webhook_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->dirty) {
        ngx_http_webhook_zone_rebuild(zone);
    }
}


void
ngx_http_webhook_zone_unlock(ngx_http_webhook_zone_t *zone)
{
    if (zone->sh->dirty) {
        ngx_memory_barrier();
        zone->sh->dirty = 0;
        ngx_memory_barrier();
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_http_webhook_zone_begin(ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    sh->undo_last = 0;
    ngx_memory_barrier();

    sh->undo_txn = sh->committed + 1;
    ngx_memory_barrier();

    sh->dirty = 1;
    ngx_memory_barrier();
}


void
ngx_http_webhook_zone_save(ngx_http_webhook_zone_t *zone, void *p, size_t len)
{
    uint32_t                  at;
    ngx_http_webhook_shm_t   *sh;
    ngx_http_webhook_undo_t  *undo;

    sh = zone->sh;
    at = 0;

    if (sh->undo_last) {
        undo = (ngx_http_webhook_undo_t *) (zone->undo + sh->undo_last - 1);
        at = sh->undo_last - 1 + sizeof(ngx_http_webhook_undo_t)
             + ngx_align(undo->len, 8);
    }

    if (at + sizeof(ngx_http_webhook_undo_t) + len > sh->undo_size) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "webhook zone: too many changes at once");
        return;
    }

    undo = (ngx_http_webhook_undo_t *) (zone->undo + at);

    undo->offset = (u_char *) p - (u_char *) sh;
    undo->len = len;
    undo->prev = sh->undo_last;

    ngx_memcpy((u_char *) undo + sizeof(ngx_http_webhook_undo_t), p, len);

    ngx_memory_barrier();
    sh->undo_last = at + 1;
    ngx_memory_barrier();
}


void
ngx_http_webhook_zone_commit(ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_shm_t  *sh;

    sh = zone->sh;

    ngx_memory_barrier();
    sh->committed++;
    ngx_memory_barrier();

    sh->undo_last = 0;
    ngx_memory_barrier();

    sh->undo_txn = sh->committed + 1;
    ngx_memory_barrier();
}


/* puts back what was not committed; may be repeated */

void
ngx_http_webhook_zone_rollback(ngx_http_webhook_zone_t *zone)
{
    uint32_t                  at;
    ngx_http_webhook_shm_t   *sh;
    ngx_http_webhook_undo_t  *undo;

    sh = zone->sh;

    if (sh->undo_txn != sh->committed + 1) {
        return;
    }

    for (at = sh->undo_last; at; at = undo->prev) {
        undo = (ngx_http_webhook_undo_t *) (zone->undo + at - 1);

        ngx_memcpy((u_char *) sh + undo->offset,
                   (u_char *) undo + sizeof(ngx_http_webhook_undo_t),
                   undo->len);
    }
}


/* keys are of good quality already; the secret keeps buckets unforeseeable */

uint32_t
ngx_http_webhook_zone_hash(ngx_http_webhook_zone_t *zone, u_char key[16],
    uint32_t salt)
{
    uint64_t  a, b, s, t;

    ngx_memcpy(&a, key, 8);
    ngx_memcpy(&b, key + 8, 8);
    ngx_memcpy(&s, zone->sh->secret, 8);
    ngx_memcpy(&t, zone->sh->secret + 8, 8);

    a = (a ^ s) * (t | 1);
    a ^= a >> 32;
    a = (a + b + salt) * (s | 1);

    return (uint32_t) (a >> 32);
}


/*
 * A word tells both who and what: the response's digest mixed with its
 * request's key.  Whoever overwrites it costs one more reading.
 */

ngx_uint_t
ngx_http_webhook_zone_digest_known(ngx_http_webhook_zone_t *zone, uint64_t key,
    uint64_t digest)
{
    return zone->digest[key % zone->sh->ndigest]
           == ngx_http_webhook_zone_digest_word(key, digest);
}


void
ngx_http_webhook_zone_digest_store(ngx_http_webhook_zone_t *zone, uint64_t key,
    uint64_t digest)
{
    zone->digest[key % zone->sh->ndigest]
        = ngx_http_webhook_zone_digest_word(key, digest);
}


/* never 0, which is what an empty place holds */

static uint64_t
ngx_http_webhook_zone_digest_word(uint64_t key, uint64_t digest)
{
    key = (key ^ (key >> 29)) * 0x9e3779b97f4a7c15ULL;

    return (key ^ (key >> 32) ^ digest) | 1;
}


/* found by name, so that a reload may reorder descriptions */

static ngx_atomic_t *
ngx_http_webhook_zone_epoch_word(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_api_t *api)
{
    return &zone->sh->epochs[api->hash % NGX_HTTP_WEBHOOK_EPOCHS];
}


uint64_t
ngx_http_webhook_zone_epoch(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_api_t *api)
{
    return *ngx_http_webhook_zone_epoch_word(zone, api);
}


void
ngx_http_webhook_zone_epoch_next(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_api_t *api)
{
    (void) ngx_atomic_fetch_add(ngx_http_webhook_zone_epoch_word(zone, api), 1);
}


u_char *
ngx_http_webhook_zone_secret(ngx_http_webhook_zone_t *zone)
{
    return zone->sh->secret;
}


void
ngx_http_webhook_zone_count(ngx_http_webhook_zone_t *zone, ngx_uint_t counter,
    ngx_uint_t n)
{
    (void) ngx_atomic_fetch_add(&zone->sh->counters[counter], n);
}


uint64_t
ngx_http_webhook_zone_counter(ngx_http_webhook_zone_t *zone,
    ngx_uint_t counter)
{
    return zone->sh->counters[counter];
}
