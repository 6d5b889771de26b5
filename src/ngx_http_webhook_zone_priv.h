
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The layout of the zone, and what the rooms that work on it share: zone,
 * block, state, delivery, queue, take, attempt, owner, log, rebuild, check.
 *
 *   slab pool of nginx; its mutex is the only lock
 *   +--------+-------+-------+---------------+---------+---------+---------+
 *   | header | slots | undo, | hash tables   | unsaved | digests | blocks, |
 *   |        |       | seen  | of states,    |         | 64-bit  | 256     |
 *   |        |       |       | uuids, execs  |         | words   | bytes   |
 *   +--------+-------+-------+---------------+---------+---------+---------+
 *
 * Blocks are known by index; 0 is none.  The first word of each is the index
 * of the next one in its chain.
 *
 *   slot ----> queue: deliveries not yet ended, by number
 *        ----> due: tree of those that wait for nothing but time
 *        ----> sending, log
 *   delivery ----> payload (shared, counted) ----> more of it
 *            ----> headers of its own
 *            ----> attempt, the latest ----> its texts
 *                     +----> the one before
 *   state ----> a list of running or of final ones, least recent first
 *   watch ----> tree of all, by when a status is to be asked for
 *
 * With a store, a word beside each block links what has changed since it was
 * written (store_list.c).
 *
 * A process may be killed at any instruction; the next one that takes the
 * lock finds "dirty" set and rebuilds all lists, trees, tables and counters
 * from the blocks.  What is not derived is changed in one of three ways, so
 * that a hold of the lock takes effect as a whole or not at all:
 *
 *   - a new delivery carries the number of its transaction, and counts once
 *     "committed" has reached that;
 *   - ngx_http_webhook_zone_save() keeps the bytes that are about to change,
 *     to be put back; in a transaction all allocations come before the first
 *     save, for making room gives up blocks at once;
 *   - what is given up (a log entry, a text) is given up by a single word,
 *     and only then are its blocks free.
 *
 * No pointer to a function is in the zone: after a reload the module may be
 * mapped elsewhere.  Trees are built around their roots on the stack.
 */


#ifndef _NGX_HTTP_WEBHOOK_ZONE_PRIV_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_ZONE_PRIV_H_INCLUDED_


#include "ngx_http_webhook_queue.h"
#include "ngx_http_webhook_store.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_MAGIC         0x6b6f6f68  /* "hook" */
#define NGX_HTTP_WEBHOOK_LAYOUT        16

#define NGX_HTTP_WEBHOOK_BLOCK_SHIFT   8
#define NGX_HTTP_WEBHOOK_BLOCK         (1 << NGX_HTTP_WEBHOOK_BLOCK_SHIFT)
#define NGX_HTTP_WEBHOOK_EPOCHS        256

#define NGX_HTTP_WEBHOOK_LOOK          1000      /* deliveries in one hold */
#define NGX_HTTP_WEBHOOK_STEP          64        /* ended or freed in one */
#define NGX_HTTP_WEBHOOK_ATTEMPTS      20        /* kept of one delivery */

#define NGX_HTTP_WEBHOOK_SLOT_KEEP     86400000  /* ms, a removed webhook */
#define NGX_HTTP_WEBHOOK_STATE_KEEP    168       /* hours, a running one */

#define NGX_HTTP_WEBHOOK_LEASE         10000     /* ms */
#define NGX_HTTP_WEBHOOK_LEASE_DOUBT   1500      /* ms, is the owner alive? */
#define NGX_HTTP_WEBHOOK_LEASE_FREE    2000      /* ms, for who is preferred */


/* types of blocks */

#define NGX_HTTP_WEBHOOK_BLK_FREE      0
#define NGX_HTTP_WEBHOOK_BLK_STATE     1
#define NGX_HTTP_WEBHOOK_BLK_DELIVERY  2
#define NGX_HTTP_WEBHOOK_BLK_PAYLOAD   3
#define NGX_HTTP_WEBHOOK_BLK_ATTEMPT   4
#define NGX_HTTP_WEBHOOK_BLK_DATA      5
#define NGX_HTTP_WEBHOOK_BLK_WATCH     6


/* what blocks are counted as */

#define NGX_HTTP_WEBHOOK_CLASS_STATE   0
#define NGX_HTTP_WEBHOOK_CLASS_QUEUE   1
#define NGX_HTTP_WEBHOOK_CLASS_LOG     2
#define NGX_HTTP_WEBHOOK_CLASS_WATCH   3


typedef struct {
    uint32_t                     prev;
    uint32_t                     next;
} ngx_http_webhook_link_t;


typedef struct {
    uint32_t                     head;
    uint32_t                     tail;
} ngx_http_webhook_list_t;


/* how every block begins */

typedef struct {
    uint32_t                     next;       /* of a chain, or of a bucket of
                                                states */
    uint8_t                      type;
    uint8_t                      mark;       /* scratch of rebuild and check */
    uint16_t                     seen;       /* a state: hours, monotonic */
} ngx_http_webhook_blk_t;


typedef struct {
    ngx_http_webhook_blk_t       blk;
    ngx_http_webhook_link_t      lru;
    u_char                       key[16];
    ngx_http_webhook_state_t     state;
} ngx_http_webhook_zstate_t;


/* the first block of a payload; data goes on in the chain */

typedef struct {
    ngx_http_webhook_blk_t       blk;
    uint32_t                     refs;       /* deliveries */
    uint32_t                     waiting;    /* of them not yet ended */
    uint32_t                     event;
    uint32_t                     sequence;
    uint64_t                     time;       /* ms, wall clock */
    u_char                       key[16];    /* zero: no execution */
    uint32_t                     size;       /* bytes of the payload */
    uint32_t                     execution;  /* bytes of the id, before it */
    u_char                       data[1];
} ngx_http_webhook_zpayload_t;


typedef struct {
    ngx_http_webhook_blk_t       blk;
    uint64_t                     txn;        /* that made it */

    ngx_rbtree_node_t            seq_node;
    ngx_rbtree_node_t            due_node;

    u_char                       uuid[16];
    uint32_t                     slot;
    uint32_t                     payload;
    uint32_t                     headers;    /* a chain, or 0 */
    uint32_t                     headers_len;

    uint32_t                     uuid_next;  /* in its bucket */
    uint32_t                     exec_next;
    uint32_t                     behind;     /* waits for its first attempt */
    uint32_t                     follower;   /* waits for ours */

    ngx_http_webhook_link_t      queue;      /* of the slot: queue or log */
    ngx_http_webhook_link_t      log;        /* of all: what may be given up */

    /* from here on it changes, and is saved as a whole */

    uint64_t                     seq;
    uint64_t                     created;    /* ms, by the zone's clock */
    uint64_t                     due;        /* ms, monotonic */
    uint64_t                     token;      /* of the attempt under way */
    uint64_t                     sent;       /* its start, ms, monotonic */
    uint64_t                     logged;     /* number in the log, or 0 */
    uint32_t                     attempt;    /* the latest, or 0 */
    uint32_t                     attempts;   /* that count */
    uint16_t                     code:12;    /* of the latest */
    uint16_t                     error:4;
    uint8_t                      status;
    uint8_t                      flags;
    uint32_t                     duration;   /* of the latest, ms */
    uint32_t                     base;       /* attempts before it was
                                                delivered again by hand */
    uint32_t                     era;        /* of its slot when it was made
                                                to wait */
    ngx_pid_t                    pid;        /* who sends it */
    uint32_t                     worker;
    uint32_t                     generation;
    uint32_t                     tries;      /* all attempts */
    uint64_t                     row;        /* in the store */
} ngx_http_webhook_zdelivery_t;

#define NGX_HTTP_WEBHOOK_STORED        0x01  /* on disk, with its payload */
#define NGX_HTTP_WEBHOOK_HELD          0x02  /* not to be sent before it is */
#define NGX_HTTP_WEBHOOK_PENDING       0x04  /* due is how long it waits for a
                                                better payload */
#define NGX_HTTP_WEBHOOK_UNSURE        0x08  /* with this one it is not wanted:
                                                never sent nor stored */

#define NGX_HTTP_WEBHOOK_MUTABLE_SIZE                                         \
    (sizeof(ngx_http_webhook_zdelivery_t)                                     \
     - offsetof(ngx_http_webhook_zdelivery_t, seq))


/*
 * One attempt.  Peer and message stand in "data" itself; request headers,
 * response headers and body, of the latest attempt alone, in a chain.
 */

typedef struct {
    ngx_http_webhook_blk_t       blk;
    uint32_t                     older;
    uint32_t                     text;       /* a chain, or 0 */
    uint64_t                     started;    /* ms, wall clock */
    uint64_t                     body_size;
    uint32_t                     status;
    uint32_t                     error;
    uint32_t                     dns;        /* ms; -1: unknown */
    uint32_t                     connect;
    uint32_t                     tls;
    uint32_t                     first_byte;
    uint32_t                     total;
    uint32_t                     sent;       /* bytes of texts */
    uint32_t                     headers;
    uint32_t                     body;
    uint8_t                      peer;
    uint8_t                      message;
    uint8_t                      reused;
    uint8_t                      truncated;
    u_char                       data[1];
} ngx_http_webhook_zattempt_t;


typedef struct {
    uint32_t                     id;         /* of the webhook; 0: free */
    uint32_t                     name_len;
    u_char                       name[64];
    uint64_t                     url;        /* its hash */
    uint64_t                     patience;   /* ms until an attempt is taken
                                                for lost */
    uint64_t                     removed;    /* ms, monotonic; 0: configured */

    /* these two change together */

    ngx_http_webhook_health_t    health;
    uint32_t                     era;        /* counts recoveries */

    ngx_http_webhook_owner_t     owner;      /* pid 0: none */
    uint64_t                     renewed;    /* ms, monotonic */

    uint64_t                     paced;      /* "rate": when the next attempt
                                                may begin, us, monotonic */

    uint64_t                     ended[8];   /* by status */
    uint64_t                     attempts;
    uint32_t                     recent;
    uint32_t                     nrecent;
    ngx_http_webhook_tally_t     tally;

    uint64_t                     spill;      /* number of the oldest that is
                                                in the store alone; 0: none */
    uint32_t                     spilled;    /* how many are, at most */
    uint32_t                     changed;    /* since it was written */
    uint32_t                     lapsed;     /* waited for it in vain */
    uint64_t                     said[3];    /* by kind, seconds */

    /* derived */

    ngx_rbtree_node_t           *due;        /* root */
    ngx_http_webhook_list_t      queue;
    ngx_http_webhook_list_t      sending;
    ngx_http_webhook_list_t      log;
    uint32_t                     waiting;
    uint32_t                     unsure;     /* of them */
    uint32_t                     in_flight;
    uint32_t                     logged;
    uint32_t                     flush;      /* where the next of those that
                                                a recovery made due may be */

    /* scratch of one queue_add() */

    uint64_t                     touched;    /* by which one */
    int32_t                      room;
    uint32_t                     over;
    uint32_t                     dropped;
} ngx_http_webhook_zslot_t;

#define NGX_HTTP_WEBHOOK_HEALTH_SIZE                                          \
    (offsetof(ngx_http_webhook_zslot_t, owner)                                \
     - offsetof(ngx_http_webhook_zslot_t, health))


typedef struct {

    /* the same in all layouts */

    uint32_t                     magic;
    uint32_t                     layout;
    uint64_t                     size;       /* of the zone */
    uint32_t                     queued;     /* deliveries not yet ended */
    uint32_t                     record;     /* sizes of this header and of a
                                                slot */

    uint32_t                     nblocks;
    uint32_t                     nslots;
    uint32_t                     nstate;     /* buckets */
    uint32_t                     nuuid;      /* buckets, twice */
    uint32_t                     ndigest;
    uint32_t                     undo_size;
    uint32_t                     slots;      /* where they are, from here */
    uint32_t                     undo;
    uint32_t                     seen;
    uint32_t                     nseen;      /* records */
    uint32_t                     state;
    uint32_t                     uuid;
    uint32_t                     exec;
    uint32_t                     unsaved;
    uint32_t                     digest;
    uint32_t                     blocks;

    u_char                       secret[16];
    uint64_t                     id;         /* no other zone has it */
    uint64_t                     ahead;      /* of the monotonic clock, ms */

    volatile uint32_t            dirty;
    volatile uint32_t            undo_last;  /* the latest entry + 1, or 0 */
    volatile uint64_t            undo_txn;   /* the transaction under way */
    volatile uint64_t            committed;

    uint64_t                     seq;
    uint64_t                     token;
    uint64_t                     logged;
    uint64_t                     lapse;      /* when one goes, ms; 0: none */
    uint64_t                     adds;       /* calls of queue_add() */
    uint64_t                     rebuilt;    /* how often */
    uint64_t                     said[3];    /* of any webhook, seconds */
    uint32_t                     nused;      /* no slot after these ever was */

    /* the store */

    uint32_t                     storing;    /* there is one */
    uint32_t                     failing;    /* it has refused for a second */
    uint32_t                     blocked;    /* another master has it */
    uint32_t                     loaded;
    uint32_t                     configured; /* how often */
    uint32_t                     slots_changed;
    uint32_t                     urgent;     /* something waits for it */
    uint64_t                     file;       /* of what is stored, or 0 */
    uint64_t                     told;       /* of whom, store_lock.c */
    uint64_t                     known;      /* its last number of a delivery
                                                when it was loaded */
    uint64_t                     rows;       /* the last number of a row; no
                                                other zone has given it */
    ngx_http_webhook_owner_t     holder;     /* who writes; pid 0: none */
    uint32_t                     beats;      /* grows as long as it runs */
    ngx_atomic_t                 signalled;  /* it was woken; 2: urgently */
    ngx_atomic_t                 unstored;   /* sent without being on disk */
    ngx_atomic_t                 refused;    /* jobs that failed */
    ngx_atomic_t                 asides;     /* damaged files */
    ngx_http_webhook_store_use_t  stored;    /* when it was counted last */
    u_char                       store_error[128];

    /* derived */

    uint32_t                     free;       /* list */
    uint32_t                     fresh;      /* this one and those after it
                                                were never used */
    uint32_t                     nfree;
    uint32_t                     nstates;    /* blocks, and states */
    uint32_t                     nqueue;     /* blocks */
    uint32_t                     ndeliveries;
    uint32_t                     pinned;     /* a state not to be evicted */

    ngx_http_webhook_list_t      unsaved_list;
    uint32_t                     untaken;    /* the first no batch has, or 0 */
    uint32_t                     taken;      /* how many are before it */
    uint32_t                     batches;    /* changes when a batch is void */

    ngx_http_webhook_list_t      lru[2];     /* states: running, final */
    ngx_http_webhook_list_t      log;
    ngx_rbtree_node_t           *seqs;       /* root: all deliveries */
    ngx_http_webhook_watches_t   watches;
    ngx_rbtree_node_t            sentinel;   /* of all trees */

    ngx_atomic_t                 observed;   /* number of the last record */
    ngx_atomic_t                 counters[NGX_HTTP_WEBHOOK_CNT_MAX];
    ngx_atomic_t                 epochs[NGX_HTTP_WEBHOOK_EPOCHS];
} ngx_http_webhook_shm_t;


/* of one process and one configuration; the zone is mapped where it was */

struct ngx_http_webhook_zone_s {
    ngx_slab_pool_t             *shpool;
    ngx_http_webhook_shm_t      *sh;
    ngx_http_webhook_zslot_t    *slots;
    uint32_t                    *state;
    uint32_t                    *uuid;
    uint32_t                    *exec;
    uint32_t                    *unsaved;
    volatile uint64_t           *digest;
    u_char                      *undo;
    u_char                      *blocks;

    ngx_uint_t                   log;
    size_t                       body;
};


/* a place in a chain */

typedef struct {
    ngx_http_webhook_zone_t     *zone;
    uint32_t                     index;
    uint32_t                     pos;
} ngx_http_webhook_cursor_t;


#define ngx_http_webhook_block(zone, index)                                   \
    ((void *) ((zone)->blocks                                                 \
               + ((size_t) (index) << NGX_HTTP_WEBHOOK_BLOCK_SHIFT)))

#define ngx_http_webhook_blk(zone, index)                                     \
    ((ngx_http_webhook_blk_t *) ngx_http_webhook_block(zone, index))

#define ngx_http_webhook_index(zone, p)                                       \
    ((uint32_t) (((u_char *) (p) - (zone)->blocks)                            \
                 >> NGX_HTTP_WEBHOOK_BLOCK_SHIFT))

#define ngx_http_webhook_link(zone, index, off)                               \
    ((ngx_http_webhook_link_t *)                                              \
         ((u_char *) ngx_http_webhook_block(zone, index) + (off)))

#define NGX_HTTP_WEBHOOK_QUEUE_LINK                                           \
    offsetof(ngx_http_webhook_zdelivery_t, queue)

#define NGX_HTTP_WEBHOOK_LOG_LINK                                             \
    offsetof(ngx_http_webhook_zdelivery_t, log)

/* who is sent is in no tree */

#define NGX_HTTP_WEBHOOK_SENDING_LINK                                         \
    offsetof(ngx_http_webhook_zdelivery_t, due_node)

#define NGX_HTTP_WEBHOOK_LRU_LINK                                             \
    offsetof(ngx_http_webhook_zstate_t, lru)


/* number of blocks that "len" bytes take after the first "room" of them */

#define ngx_http_webhook_blocks(len, room)                                    \
    ((len) <= (room) ? 0                                                      \
     : ((len) - (room) + NGX_HTTP_WEBHOOK_DATA_SIZE - 1)                      \
       / NGX_HTTP_WEBHOOK_DATA_SIZE)

#define NGX_HTTP_WEBHOOK_DATA_SIZE                                            \
    (NGX_HTTP_WEBHOOK_BLOCK - sizeof(ngx_http_webhook_blk_t))

#define NGX_HTTP_WEBHOOK_PAYLOAD_ROOM                                         \
    (NGX_HTTP_WEBHOOK_BLOCK - offsetof(ngx_http_webhook_zpayload_t, data))

#define NGX_HTTP_WEBHOOK_ATTEMPT_ROOM                                         \
    (NGX_HTTP_WEBHOOK_BLOCK - offsetof(ngx_http_webhook_zattempt_t, data))


/* not yet ended */

#define ngx_http_webhook_open(d)                                              \
    ((d)->status <= NGX_HTTP_WEBHOOK_SENDING)


/* whatever else makes it due, it waits */

#define ngx_http_webhook_pends(d)                                             \
    (((d)->flags & NGX_HTTP_WEBHOOK_PENDING) && (d)->due > ngx_current_msec)


/* deliveries that have a place in the queue of a webhook */

#define ngx_http_webhook_queue_length(slot)                                   \
    ((slot)->waiting - (slot)->unsure + (slot)->spilled)


/* the slot of a webhook, or NULL if it was given to another since */

#define ngx_http_webhook_slot(zone, hook)                                     \
    (((hook)->slot < (zone)->sh->nslots                                       \
      && (zone)->slots[(hook)->slot].id == (hook)->id)                        \
     ? &(zone)->slots[(hook)->slot] : NULL)

#define ngx_http_webhook_owns(o, self)                                        \
    ((o)->pid == (self)->pid && (o)->worker == (self)->worker                 \
     && (o)->generation == (self)->generation)


/* --- zone: the lock, transactions, blocks --- */

/* Rebuilds first what a dead process left behind. */

void ngx_http_webhook_zone_lock(ngx_http_webhook_zone_t *zone);
void ngx_http_webhook_zone_unlock(ngx_http_webhook_zone_t *zone);

/* Before the first change under the lock; and what makes changes count. */

void ngx_http_webhook_zone_begin(ngx_http_webhook_zone_t *zone);
void ngx_http_webhook_zone_save(ngx_http_webhook_zone_t *zone, void *p,
    size_t len);
void ngx_http_webhook_zone_commit(ngx_http_webhook_zone_t *zone);
void ngx_http_webhook_zone_rollback(ngx_http_webhook_zone_t *zone);

/*
 * A chain of n blocks of a class, other things given up for it as the quotas
 * say; 0: there is no room.
 */

uint32_t ngx_http_webhook_zone_alloc(ngx_http_webhook_zone_t *zone,
    ngx_uint_t n, ngx_uint_t class);
void ngx_http_webhook_zone_free(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_uint_t class);

void ngx_http_webhook_zone_append(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list, uint32_t index, size_t link);
void ngx_http_webhook_zone_insert(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list, uint32_t index, uint32_t after,
    size_t link);
void ngx_http_webhook_zone_remove(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_list_t *list, uint32_t index, size_t link);

void ngx_http_webhook_zone_write(ngx_http_webhook_cursor_t *cursor,
    u_char *p, size_t len);
void ngx_http_webhook_zone_read(ngx_http_webhook_cursor_t *cursor,
    u_char *p, size_t len);

uint32_t ngx_http_webhook_zone_hash(ngx_http_webhook_zone_t *zone,
    u_char key[16], uint32_t salt);

void ngx_http_webhook_zone_rebuild(ngx_http_webhook_zone_t *zone);
void ngx_http_webhook_zone_clear(ngx_http_webhook_zone_t *zone);


/* --- owner: the slot of a webhook, or NGX_HTTP_WEBHOOK_NO_SLOT --- */

uint32_t ngx_http_webhook_owner_find(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook);
uint32_t ngx_http_webhook_owner_make(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook);


/* --- state: records of executions --- */

uint32_t ngx_http_webhook_state_find(ngx_http_webhook_zone_t *zone,
    u_char key[16]);
void ngx_http_webhook_state_insert(ngx_http_webhook_zone_t *zone,
    uint32_t index);
void ngx_http_webhook_state_touch(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_uint_t list);

/* Gives up one that may be given up.  NGX_DECLINED: there is none. */

ngx_int_t ngx_http_webhook_state_evict(ngx_http_webhook_zone_t *zone);

#define ngx_http_webhook_state_list(s)                                        \
    ((s)->state.rank == NGX_HTTP_WEBHOOK_FINISHED)

#define ngx_http_webhook_state_hours()                                        \
    ((uint16_t) (ngx_current_msec / 3600000))


/* --- delivery: records of deliveries, their lists and trees --- */

/* Trees on the stack. */

void ngx_http_webhook_delivery_seqs(ngx_http_webhook_zone_t *zone,
    ngx_rbtree_t *tree);
void ngx_http_webhook_delivery_due(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot, ngx_rbtree_t *tree);

#define ngx_http_webhook_delivery_by_seq(node)                                \
    ngx_rbtree_data(node, ngx_http_webhook_zdelivery_t, seq_node)

#define ngx_http_webhook_delivery_by_due(node)                                \
    ngx_rbtree_data(node, ngx_http_webhook_zdelivery_t, due_node)

void ngx_http_webhook_delivery_uuid_insert(ngx_http_webhook_zone_t *zone,
    uint32_t index);
void ngx_http_webhook_delivery_uuid_remove(ngx_http_webhook_zone_t *zone,
    uint32_t index);
uint32_t ngx_http_webhook_delivery_find(ngx_http_webhook_zone_t *zone,
    u_char uuid[16]);

/* The delivery that a new one of this execution has to wait for, or 0. */

uint32_t ngx_http_webhook_delivery_tail(ngx_http_webhook_zone_t *zone,
    uint32_t slot, u_char key[16]);

/* It becomes the tail; or gives that place to another (0: to none). */

void ngx_http_webhook_delivery_exec_insert(ngx_http_webhook_zone_t *zone,
    uint32_t index);
void ngx_http_webhook_delivery_exec_replace(ngx_http_webhook_zone_t *zone,
    uint32_t index, uint32_t by);

void ngx_http_webhook_delivery_due_insert(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d);
void ngx_http_webhook_delivery_due_delete(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d);

/* Whether it may give way to the next event of its execution. */

#define ngx_http_webhook_delivery_idle_update(zone, d)                        \
    ((d)->status == NGX_HTTP_WEBHOOK_WAITING && (d)->tries == 0               \
     && !((d)->flags & NGX_HTTP_WEBHOOK_UNSURE)                               \
     && ((ngx_http_webhook_zpayload_t *)                                      \
             ngx_http_webhook_block(zone, (d)->payload))->event               \
        == NGX_HTTP_WEBHOOK_UPDATED)

/* Whether it keeps the order of an execution. */

#define ngx_http_webhook_keyed(p)                                             \
    ((p)->event != NGX_HTTP_WEBHOOK_PING)

/* The next number; it is to be entered at once. */

void ngx_http_webhook_delivery_number(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* Takes it into all lists; in the order of numbers. */

void ngx_http_webhook_delivery_enter(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* WAITING -> SENDING and back. */

void ngx_http_webhook_delivery_send(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_owner_t *self);
void ngx_http_webhook_delivery_wait(ngx_http_webhook_zone_t *zone,
    uint32_t index, uint64_t due);

/* An attempt has ended; who waited for the first one is due. */

void ngx_http_webhook_delivery_tried(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* Out of all lists of those not yet ended, its status as it was. */

void ngx_http_webhook_delivery_close(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* Ends it; it becomes an entry of the log. */

void ngx_http_webhook_delivery_end(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_uint_t status);

/* To the end of the global list of what may be given up. */

void ngx_http_webhook_delivery_logged(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* Undoes _end() and enters it again, as the newest. */

void ngx_http_webhook_delivery_again(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/*
 * After a commit: what ended after "logged" loses its headers, and logs that
 * are too long their oldest entries.
 */

void ngx_http_webhook_delivery_trim(ngx_http_webhook_zone_t *zone,
    uint64_t logged);

/* Forgets it, whatever it is; at once. */

void ngx_http_webhook_delivery_free(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* Frees the oldest entry of the log.  NGX_DECLINED: it is empty. */

ngx_int_t ngx_http_webhook_delivery_evict(ngx_http_webhook_zone_t *zone);

/* The latest recovery of the slot makes all that waits due. */

void ngx_http_webhook_delivery_recover(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zslot_t *slot);

/* Frees attempts: a chain of records with their texts. */

void ngx_http_webhook_attempt_free(ngx_http_webhook_zone_t *zone,
    uint32_t index);

ngx_uint_t ngx_http_webhook_payload_blocks(ngx_http_webhook_zpayload_t *p);
void ngx_http_webhook_payload_cursor(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_cursor_t *cursor);


#include "ngx_http_webhook_clock.h"
#include "ngx_http_webhook_store_list.h"


#endif /* _NGX_HTTP_WEBHOOK_ZONE_PRIV_H_INCLUDED_ */
