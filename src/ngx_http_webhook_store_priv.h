
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store, within: records of the zone -> a batch of plain bytes -> SQLite, and
 * back.
 *
 *   store_conf.c    the directive
 *   store.c         in a worker: who writes, and when
 *   store_wake.c    something has changed: when it is to be written
 *   store_lock.c    the lock file
 *   store_user.c    root, with the rights of workers
 *   store_hand.c    the end of one who has not the lock
 *   store_job.c     a batch, a thread, and what if it fails
 *   store_list.c    in the zone: what has changed since it was written
 *   store_copy.c    records of the zone -> a batch; what has been written
 *   store_load.c    rows -> records of the zone
 *   store_load_clear.c  and what of those gives way to them
 *   store_spill.c   what waits beyond the zone's share
 *   store_db.c      the file: opening it, setting a damaged one aside
 *   store_vfs.c     under SQLite: others get the core in between
 *   store_layout.c  its tables; those of an older layout
 *   store_write.c   a batch -> one transaction; what is too old
 *   store_room.c    what gives way when the file is full
 *   store_count.c   how much there is
 *   store_read.c    rows, one by one
 *   store_watch.c   what is watched; store_watch_row.c: its rows
 *
 * The list of changes is in the zone, so it outlives the worker that writes.
 * What a batch holds stays in the list until it is on disk.
 */


#ifndef _NGX_HTTP_WEBHOOK_STORE_PRIV_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STORE_PRIV_H_INCLUDED_


#include "ngx_http_webhook_zone_priv.h"
#include "ngx_http_webhook_store.h"


#define NGX_HTTP_WEBHOOK_UNSAVED_TAKEN  0x80000000
#define NGX_HTTP_WEBHOOK_UNSAVED_AGAIN  0x40000000
#define NGX_HTTP_WEBHOOK_UNSAVED_LATER  0x20000000  /* "again", but the batch
                                                       has it by now */
#define NGX_HTTP_WEBHOOK_UNSAVED_END    0x1fffffff

#define NGX_HTTP_WEBHOOK_BATCH         512          /* records */
#define NGX_HTTP_WEBHOOK_BATCH_SIZE    (1024 * 1024)  /* bytes, more or less */
#define NGX_HTTP_WEBHOOK_REFILL        64          /* rows at once */

/* shares of all blocks: when the queue gives some up, and takes them back */

#define ngx_http_webhook_store_much(sh)  ((sh)->nblocks / 4)
#define ngx_http_webhook_store_little(sh)  ((sh)->nblocks / 6)

#define NGX_HTTP_WEBHOOK_BATCH_HOLD    32          /* records in one hold */


/* --- store_list: in the zone, under the lock --- */

/* The one behind it in the list, or 0. */

uint32_t ngx_http_webhook_store_next(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/*
 * The next one that no batch has, sh->untaken, is the batch's.  A state that is
 * "again" is not to be written before what is behind it in the list.
 */

uint32_t ngx_http_webhook_store_take(ngx_http_webhook_zone_t *zone);

/* The first one is written: it leaves the list, unless it changed again. */

void ngx_http_webhook_store_shift(ngx_http_webhook_zone_t *zone);

/* What a batch has taken is to be written again; that batch is void. */

void ngx_http_webhook_store_untake(ngx_http_webhook_zone_t *zone);

/*
 * This process writes from now on, to this file.  What the one before had
 * taken from the zone may not be on disk.  NGX_DECLINED: the zone is in another
 * file by now, and another process sees to that.
 */

ngx_int_t ngx_http_webhook_store_inherit(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_owner_t *self, uint64_t file);

/* A zone in use gets a store, or loses it. */

void ngx_http_webhook_store_on(ngx_http_webhook_zone_t *zone);
void ngx_http_webhook_store_off(ngx_http_webhook_zone_t *zone);

/*
 * Without the lock, which is held for some at a time: the deliveries of the
 * list, until a handler says no; some may come twice.
 */

typedef ngx_int_t (*ngx_http_webhook_store_walk_pt)(
    ngx_http_webhook_zone_t *zone, ngx_http_webhook_zdelivery_t *d,
    void *data);

void ngx_http_webhook_store_walk(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_store_walk_pt handler, void *data);

/* It may be sent. */

void ngx_http_webhook_store_release(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d);


/* --- a batch: records one behind the other --- */

#define NGX_HTTP_WEBHOOK_REC_NONE      0    /* it was given up meanwhile, or
                                               is not to be written yet */
#define NGX_HTTP_WEBHOOK_REC_STATE     1
#define NGX_HTTP_WEBHOOK_REC_DELIVERY  2
#define NGX_HTTP_WEBHOOK_REC_SLOT      3
#define NGX_HTTP_WEBHOOK_REC_WATCH     4


typedef struct {
    uint32_t                     type;
    uint32_t                     index;      /* of the block, or the slot */
    size_t                       size;       /* of the record, all included */
} ngx_http_webhook_rec_t;


typedef struct {
    ngx_http_webhook_rec_t       rec;
    u_char                       key[16];
    uint64_t                     seen;       /* ms, wall clock */
    ngx_http_webhook_state_t     state;      /* times by the wall clock, its
                                                id in "row" */
} ngx_http_webhook_rec_state_t;


/* texts follow: realm, uri, body */

typedef struct {
    ngx_http_webhook_rec_t       rec;
    u_char                       key[16];
    uint64_t                     until;      /* ms, wall clock */
    uint32_t                     token;
    uint32_t                     interval;   /* ms */
    uint32_t                     server;     /* hashes */
    uint32_t                     api;
    uint32_t                     route;
    uint32_t                     realm;      /* bytes */
    uint32_t                     uri;
    uint32_t                     body;
} ngx_http_webhook_rec_watch_t;


typedef struct {
    ngx_http_webhook_rec_t       rec;
    uint32_t                     id;
    uint32_t                     name_len;
    u_char                       name[64];
    uint64_t                     url;
    uint64_t                     removed;    /* ms, wall clock; 0: no */
    uint64_t                     ended[8];
    uint64_t                     attempts;
    uint32_t                     recent;
    uint32_t                     nrecent;
    ngx_http_webhook_health_t    health;
} ngx_http_webhook_rec_slot_t;


/* texts follow: execution, payload, headers */

typedef struct {
    ngx_http_webhook_rec_t       rec;
    uint32_t                     full;       /* with payload and headers */
    uint32_t                     block;      /* the payload's, in the zone */
    uint32_t                     hook;       /* its id */
    u_char                       uuid[16];
    u_char                       key[16];
    uint64_t                     row;        /* its id */
    uint64_t                     seq;
    uint64_t                     time;       /* ms, wall clock, all of them */
    uint64_t                     created;
    uint64_t                     due;
    uint64_t                     ended;      /* 0: it is open */
    uint64_t                     started;    /* its latest attempt; 0: none */
    uint32_t                     event;
    uint32_t                     sequence;
    uint32_t                     status;
    uint32_t                     tries;
    uint32_t                     attempts;
    uint32_t                     base;
    uint32_t                     code;
    uint32_t                     error;      /* of its latest attempt */
    uint32_t                     duration;
    uint32_t                     execution;  /* bytes */
    uint32_t                     payload;
    uint32_t                     headers;
    uint32_t                     nattempts;  /* ..._rec_attempt_t follow */
} ngx_http_webhook_rec_delivery_t;


/* texts follow: peer, message, sent, headers, body */

typedef struct {
    size_t                       size;       /* all included */
    uint64_t                     started;    /* ms, wall clock */
    uint64_t                     body_size;
    uint32_t                     number;
    uint32_t                     status;
    uint32_t                     error;
    uint32_t                     dns;        /* ms; -1: unknown */
    uint32_t                     connect;
    uint32_t                     tls;
    uint32_t                     first_byte;
    uint32_t                     total;
    uint32_t                     reused;
    uint32_t                     truncated;
    uint32_t                     peer;       /* bytes */
    uint32_t                     message;
    uint32_t                     sent;
    uint32_t                     headers;
    uint32_t                     body;
} ngx_http_webhook_rec_attempt_t;


typedef struct {
    u_char                      *data;
    size_t                       size;
    size_t                       used;
    ngx_uint_t                   n;          /* of blocks */
    ngx_uint_t                   nslots;     /* these come first */
    ngx_uint_t                   nlater;     /* states that wait for what is
                                                behind them */
    uint32_t                     batches;    /* of the zone, when begun */
    ngx_http_webhook_owner_t    *writer;     /* NULL: whoever the zone has */
} ngx_http_webhook_batch_t;


#define ngx_http_webhook_batch_first(batch)                                   \
    ((ngx_http_webhook_rec_t *) (batch)->data)

#define ngx_http_webhook_batch_last(batch)                                    \
    ((ngx_http_webhook_rec_t *) ((batch)->data + (batch)->used))

#define ngx_http_webhook_batch_next(rec)                                      \
    ((ngx_http_webhook_rec_t *) ((u_char *) (rec) + (rec)->size))


/* --- store_copy: the zone -> a batch --- */

/*
 * Fills an empty batch with what is to be written, if its writer is that of the
 * zone.  NGX_OK, or NGX_ERROR: no memory.  It may be left empty.
 */

ngx_int_t ngx_http_webhook_store_gather(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch);

/*
 * The batch is on disk: what it holds may be sent; "slots", a byte for each,
 * tells where.  Or it could not be written: all of it is to be, again.
 */

void ngx_http_webhook_store_written(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch, u_char *slots);
void ngx_http_webhook_store_refused(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch);

/* The disk has refused for long: what is held may go. */

void ngx_http_webhook_store_give_up(ngx_http_webhook_zone_t *zone,
    u_char *slots);


/* --- store_db: the file --- */

/* numbers of prepared statements */

#define NGX_HTTP_WEBHOOK_SQL_BEGIN     0
#define NGX_HTTP_WEBHOOK_SQL_COMMIT    1
#define NGX_HTTP_WEBHOOK_SQL_STATE     2
#define NGX_HTTP_WEBHOOK_SQL_SLOT      3
#define NGX_HTTP_WEBHOOK_SQL_INSERT    4
#define NGX_HTTP_WEBHOOK_SQL_PAYLOAD   5
#define NGX_HTTP_WEBHOOK_SQL_UPDATE    6
#define NGX_HTTP_WEBHOOK_SQL_HEADERS   7
#define NGX_HTTP_WEBHOOK_SQL_GONE      8
#define NGX_HTTP_WEBHOOK_SQL_ATTEMPT   9
#define NGX_HTTP_WEBHOOK_SQL_TEXTS     10
#define NGX_HTTP_WEBHOOK_SQL_PRUNE     11          /* and the 3 behind it */
#define NGX_HTTP_WEBHOOK_SQL_SLOTS     15
#define NGX_HTTP_WEBHOOK_SQL_STATES    16
#define NGX_HTTP_WEBHOOK_SQL_WAITING   17
#define NGX_HTTP_WEBHOOK_SQL_REFILL    18
#define NGX_HTTP_WEBHOOK_SQL_LAST      19
#define NGX_HTTP_WEBHOOK_SQL_SPILLED   20
#define NGX_HTTP_WEBHOOK_SQL_WATCH     21
#define NGX_HTTP_WEBHOOK_SQL_WATCHED   22
#define NGX_HTTP_WEBHOOK_SQL_WATCHES   23
#define NGX_HTTP_WEBHOOK_SQL_COUNT     24
#define NGX_HTTP_WEBHOOK_SQL_ENDED     25
#define NGX_HTTP_WEBHOOK_SQL_HEADED    26
#define NGX_HTTP_WEBHOOK_SQL_OLDEST    27
#define NGX_HTTP_WEBHOOK_SQL_OVER      28
#define NGX_HTTP_WEBHOOK_DB_STATEMENTS  29


typedef struct ngx_http_webhook_db_s  ngx_http_webhook_db_t;

struct ngx_http_webhook_db_s {
    void                        *handle;     /* sqlite3 */
    void                        *statements[NGX_HTTP_WEBHOOK_DB_STATEMENTS];
                                             /* sqlite3_stmt */
    ngx_http_webhook_store_t    *conf;
    ngx_array_t                 *redact;     /* names of "webhook_redact" */
    uint64_t                     file;       /* a number for the one that was
                                                opened last */
    uint64_t                     log;        /* a number for its log */
    ngx_uint_t                   cut;        /* that was removed, which is not
                                                said yet */
    ngx_uint_t                   damaged;    /* one was set aside, or gone */
    ngx_uint_t                   suspect;    /* it seemed damaged, and has not
                                                worked since */
    ngx_uint_t                   moved;      /* it was in the place of ours */
    ngx_uint_t                   other;      /* it is, and is used */
    ngx_uint_t                   foreign;    /* of a layout not known */
    ngx_uint_t                   ours;       /* the lock is */
    ngx_uint_t                   headed;     /* there are rows of headers */
    ngx_uint_t                   stale;      /* its log may have headers that
                                                are gone */
    ngx_uint_t                   full;       /* there was no room */
    ngx_uint_t                   again;      /* there is now: try again */
    ngx_uint_t                   over;       /* nor could room be made */
    ngx_http_webhook_store_use_t  use;       /* of db_count() */
    u_char                       aside[NGX_MAX_PATH];
    u_char                       error[128]; /* of what failed last */
};


/*
 * store_user.c: between these two a process of root, this thread of it, opens a
 * file with the rights of workers.  Nothing, for others.
 */

void ngx_http_webhook_user_enter(ngx_http_webhook_store_t *conf);
void ngx_http_webhook_user_leave(ngx_http_webhook_store_t *conf);


/*
 * SQLite need not count its memory, for which each allocation takes a lock.
 * Before it is used; later it has no effect.
 */

void ngx_http_webhook_db_init(void);

/*
 * A connection to a file that is there, to write to it, with a VFS of ours
 * (sqlite.org/vfs.html).  SQLite's code; on errors, too, a handle that is not
 * NULL is to be closed.
 */

int ngx_http_webhook_db_connect(u_char *name, void **handle);

/*
 * NGX_OK, NGX_ERROR with db->error; opens a new file if this is damaged, or not
 * the one that was open.
 */

ngx_int_t ngx_http_webhook_db_open(ngx_http_webhook_db_t *db);
void ngx_http_webhook_db_close(ngx_http_webhook_db_t *db);

/*
 * After NGX_ERROR: closes what seems damaged, and sets it aside when it did so
 * the last time, too.  Who finds that it works makes db->suspect 0.
 */

void ngx_http_webhook_db_failed(ngx_http_webhook_db_t *db, ngx_int_t rc);

/* Statements without rows; NGX_ERROR: db_failed() was called. */

ngx_int_t ngx_http_webhook_db_exec(ngx_http_webhook_db_t *db,
    const char *sql);

/* A prepared statement, by number; NULL: db_failed() was called. */

void *ngx_http_webhook_db_statement(ngx_http_webhook_db_t *db, ngx_uint_t n,
    const char *sql);


/* --- store_layout --- */

/*
 * NGX_OK: the file has our layout; NGX_AGAIN: none, or an older one, which
 * db_lay_out() mends; NGX_ERROR: it cannot be told, or an older one while the
 * lock is another's, or a newer one (foreign is set), which is not touched.
 */

ngx_int_t ngx_http_webhook_db_layout(ngx_http_webhook_db_t *db);

/* In one transaction, which the caller's db_close() undoes after NGX_ERROR. */

ngx_int_t ngx_http_webhook_db_lay_out(ngx_http_webhook_db_t *db);

/* Leaves no byte behind of headers that are gone, if no one reads just now. */

void ngx_http_webhook_db_wipe(ngx_http_webhook_db_t *db);


/* --- store_write --- */

ngx_int_t ngx_http_webhook_db_write(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch);


/* --- store_room --- */

/*
 * The rows of all that has ended and cannot be written, as a batch; how many.
 * "laden": so much that the zone could forget some, if there were more.
 */

ngx_uint_t ngx_http_webhook_store_over(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch, ngx_uint_t *laden);

/* They are in the file no more. */

void ngx_http_webhook_store_gone(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch);

/*
 * The file is full: the oldest that ended give way, before their time.  Sets
 * db->again, or db->over if there are none.
 */

void ngx_http_webhook_db_room(ngx_http_webhook_db_t *db);

/* Deletes the rows of store_over(). */

ngx_int_t ngx_http_webhook_db_forget(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch);


/* --- store_count --- */

/* Sets db->use; takes the longer the more rows there are. */

ngx_int_t ngx_http_webhook_db_count(ngx_http_webhook_db_t *db);

/* Deletes what is too old, in a small step; NGX_AGAIN: there is more. */

ngx_int_t ngx_http_webhook_db_prune(ngx_http_webhook_db_t *db, uint64_t now);


/* --- store_read --- */

typedef ngx_int_t (*ngx_http_webhook_db_row_pt)(void *data,
    ngx_http_webhook_rec_t *rec);

/*
 * Each row as a record of a batch: webhooks, states, open deliveries (of one
 * webhook, hook 0: all; from this number on; at most n).  A row's NGX_DONE
 * ends it; NGX_OK, NGX_DONE or NGX_ERROR.
 */

ngx_int_t ngx_http_webhook_db_slots(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data);
ngx_int_t ngx_http_webhook_db_states(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data);
ngx_int_t ngx_http_webhook_db_waiting(ngx_http_webhook_db_t *db,
    uint32_t hook, uint64_t from, ngx_uint_t n,
    ngx_http_webhook_db_row_pt row, void *data);

/*
 * Of each webhook with open deliveries from this number on: hook, seq of the
 * first, and in "tries" how many they are.
 */

ngx_int_t ngx_http_webhook_db_spilled(ngx_http_webhook_db_t *db,
    uint64_t from, ngx_http_webhook_db_row_pt row, void *data);

/* The largest number of a delivery, and of any row that the zone numbers. */

ngx_int_t ngx_http_webhook_db_last(ngx_http_webhook_db_t *db, uint64_t *seq,
    uint64_t *row);


/*
 * NGX_OK: a row of this UUID has ended, among those of about "seq" and newer;
 * NGX_DECLINED: none has; NGX_ERROR.
 */

ngx_int_t ngx_http_webhook_db_ended(ngx_http_webhook_db_t *db,
    u_char uuid[16], uint64_t seq);


/* --- store_watch, store_watch_row: what is watched --- */

size_t ngx_http_webhook_copy_watch_size(ngx_http_webhook_zone_t *zone,
    uint32_t index);
void ngx_http_webhook_copy_watch(ngx_http_webhook_zone_t *zone,
    uint32_t index, ngx_http_webhook_rec_watch_t *rec);

ngx_int_t ngx_http_webhook_write_watch(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_watch_t *rec);

/* A state is written: what was watched is no more, if it is final. */

ngx_int_t ngx_http_webhook_write_watched(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_state_t *rec);

/* Each row whose time is not over, as db_states() does. */

ngx_int_t ngx_http_webhook_db_watches(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data);

/* When the states are loaded. */

ngx_int_t ngx_http_webhook_store_load_watches(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_db_t *db);


/* --- store_spill: what there is no room for --- */

/* It is on disk: it leaves the zone. */

void ngx_http_webhook_store_spill(ngx_http_webhook_zone_t *zone,
    uint32_t index);

/* The newest of those that wait, when the queue has used up its share. */

void ngx_http_webhook_store_relieve(ngx_http_webhook_zone_t *zone);

/* A slot for which there is room again, or NGX_HTTP_WEBHOOK_NO_SLOT. */

uint32_t ngx_http_webhook_store_wanted(ngx_http_webhook_zone_t *zone,
    uint32_t from);


/* --- store_load: the file -> the zone --- */

/*
 * All that is known and waits.  What the zone has from an earlier look into
 * the file, when another process had it, is replaced.
 */

ngx_int_t ngx_http_webhook_store_load(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_db_t *db);


/* --- store_load_clear: before that, and behind it --- */

/*
 * What is on disk, and not under way, is to come from there; "due", a byte for
 * each slot, is set where a recovery made it due, which the file does not know.
 */

void ngx_http_webhook_store_load_clear(ngx_http_webhook_zone_t *zone,
    u_char *due);

/* What another process saw, too, and has sent is not to be sent again. */

ngx_int_t ngx_http_webhook_store_load_ended(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_db_t *db);

/*
 * Rows of one webhook that were in the store alone; "more": there are others
 * behind them.  NGX_DECLINED: the zone had no room for any.
 */

ngx_int_t ngx_http_webhook_store_refill(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch, uint32_t slot, ngx_uint_t more);


#endif /* _NGX_HTTP_WEBHOOK_STORE_PRIV_H_INCLUDED_ */
