
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_job: what store.c and store_job.c share: one worker's part in the
 * store.
 */


#ifndef _NGX_HTTP_WEBHOOK_STORE_JOB_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STORE_JOB_H_INCLUDED_


#include "ngx_http_webhook_store_priv.h"


#define NGX_HTTP_WEBHOOK_STORE_RETRY   100         /* ms, after a failure */
#define NGX_HTTP_WEBHOOK_STORE_PATIENCE  1000      /* ms of refusal */


typedef enum {
    ngx_http_webhook_store_write = 0,
    ngx_http_webhook_store_prune,
    ngx_http_webhook_store_room,
    ngx_http_webhook_store_wipe,
    ngx_http_webhook_store_count,
    ngx_http_webhook_store_read
} ngx_http_webhook_store_job_e;


typedef struct {
    ngx_http_webhook_main_conf_t  *mcf;
    ngx_http_webhook_store_t      *conf;
    ngx_http_webhook_zone_t       *zone;
    ngx_http_webhook_db_t          db;         /* the thread's, if busy */
    ngx_http_webhook_batch_t       batch;      /* the same */
    ngx_http_webhook_store_job_e   job;
    ngx_int_t                      rc;         /* of the job */
    uint64_t                       wall;       /* when it was begun, ms */
    ngx_uint_t                     damaged;    /* files known of */
    uint32_t                       slot;       /* of what was read last */
    uint32_t                       hook;       /* its id */
    uint64_t                       from;       /* number of its first row */

#if (NGX_THREADS)
    ngx_thread_pool_t             *pool;
#endif
    ngx_thread_task_t             *task;
    ngx_event_t                    event;      /* posted: something changed */
    ngx_event_t                    group;      /* the timer of what can wait */
    ngx_event_t                    timer;
    u_char                        *slots;      /* whose owners to wake */

    ngx_fd_t                       lock;
    uint32_t                       configured; /* the zone's, when our workers
                                                  were */
    ngx_msec_t                     begun;      /* of the worker */
    ngx_msec_t                     left;       /* when it was seen to be free
                                                  for others, first */
    ngx_msec_t                     seen;       /* and last */
    ngx_msec_t                     heard;      /* who writes was heard of */
    ngx_msec_t                     listened;   /* and it was looked at last */
    uint32_t                       beats;      /* the zone's, then */
    ngx_msec_t                     started;    /* of the job */
    ngx_msec_t                     wrote;      /* when a batch was begun */
    ngx_msec_t                     failed;     /* since when, if it fails */
    ngx_msec_t                     logged;
    ngx_uint_t                     laden;    /* with ends not written */
    ngx_msec_t                     pruned;
    ngx_msec_t                     wiped;
    ngx_msec_t                     counted;
    ngx_msec_t                     cost;       /* of counting */
    unsigned                       holder:1;   /* the lock is ours */
    unsigned                       busy:1;     /* a job is under way */
    unsigned                       fails:1;
    unsigned                       told:1;     /* that all goes out unstored */
    unsigned                       written:1;  /* since it was counted */
    unsigned                       turn:1;     /* to write, not to read */
    unsigned                       exiting:1;
    unsigned                       lingers:1;  /* the lock stays ours, still */
    ngx_msec_t                     until;      /* when it does no longer */
} ngx_http_webhook_storer_t;


extern ngx_http_webhook_storer_t  ngx_http_webhook_storer;


/* The lock is ours, and of the file that the zone is in. */

#define ngx_http_webhook_store_holds(st)                                      \
    ((st)->holder                                                             \
     && ngx_http_webhook_owns(&(st)->zone->sh->holder,                        \
                              ngx_http_webhook_wake_self()))


/* store_wake.c: what wakes this worker's part, until it is exiting. */

void ngx_http_webhook_store_wake_init(ngx_cycle_t *cycle);
void ngx_http_webhook_store_wake_end(void);

/* ms until what has changed is to be written; 0: now, or nothing has. */

ngx_msec_t ngx_http_webhook_store_wait(ngx_http_webhook_storer_t *st);

/*
 * store.c: the timer; whether new workers no longer have the zone in this file,
 * or in any.
 */

void ngx_http_webhook_store_arm(ngx_http_webhook_storer_t *st,
    ngx_msec_t wait);
ngx_uint_t ngx_http_webhook_store_outdated(ngx_http_webhook_storer_t *st);

/* --- store_end.c: what was ours is written, and free for another. --- */

void ngx_http_webhook_store_leave(ngx_http_webhook_storer_t *st);

/* ms until no attempt that is begun now is under way any more. */

ngx_msec_t ngx_http_webhook_store_patience(ngx_http_webhook_storer_t *st);

/* A disk that does not answer for a second refuses, too. */

void ngx_http_webhook_store_late(ngx_http_webhook_storer_t *st);

/* --- store_lock.c: NGX_OK: it is ours; NGX_BUSY: another's; NGX_ERROR. --- */

ngx_int_t ngx_http_webhook_store_lock(ngx_http_webhook_store_t *conf,
    ngx_fd_t *fd);

/* With the lock: this zone is the one that knows what is stored. */

void ngx_http_webhook_store_lock_claim(ngx_fd_t fd,
    ngx_http_webhook_zone_t *zone);

/* NGX_DECLINED: another zone is; NGX_ABORT: this zone has another file. */

ngx_int_t ngx_http_webhook_store_lock_claimed(ngx_fd_t fd,
    ngx_http_webhook_zone_t *zone);

/* Until its end this process is one of those that have this zone. */

void ngx_http_webhook_store_lock_share(ngx_fd_t fd,
    ngx_http_webhook_zone_t *zone);

/* Whether another process is, too. */

ngx_uint_t ngx_http_webhook_store_lock_shared(ngx_fd_t fd,
    ngx_http_webhook_zone_t *zone);

/*
 * Without the lock: NGX_BUSY: it is another's; NGX_AGAIN: it is nobody's, but
 * those live that have the zone which had it last, and is not this one: they go
 * on; else NGX_OK, or NGX_ERROR.
 */

ngx_int_t ngx_http_webhook_store_lock_left(ngx_http_webhook_store_t *conf,
    ngx_fd_t *fd, ngx_http_webhook_zone_t *zone);

/* Waits until no other process that has this zone does the same. */

void ngx_http_webhook_store_lock_queue(ngx_fd_t fd,
    ngx_http_webhook_zone_t *zone);

/*
 * A zone that has not the lock has written something; whether one did since
 * the file was last loaded into this one, or that was asked.
 */

void ngx_http_webhook_store_lock_tell(ngx_fd_t fd);
ngx_uint_t ngx_http_webhook_store_lock_told(ngx_fd_t fd,
    ngx_http_webhook_zone_t *zone);

/* A number for the file, as long as there is one. */

uint64_t ngx_http_webhook_store_lock_file(ngx_fd_t fd);


/* store_hand.c: at the end, when another zone has the store. */

void ngx_http_webhook_store_hand_over(ngx_http_webhook_storer_t *st);

/* Begins to write what has changed, if the lock is ours and nothing is. */

void ngx_http_webhook_store_flush(ngx_http_webhook_storer_t *st);

/* The same at once; what cannot be written stays in the zone. */

void ngx_http_webhook_store_flush_now(ngx_http_webhook_storer_t *st);

/* A job: in the thread, as an event behind it, what came of it. */

void ngx_http_webhook_store_thread(void *data, ngx_log_t *log);
void ngx_http_webhook_store_done(ngx_event_t *ev);
void ngx_http_webhook_store_result(ngx_http_webhook_storer_t *st);

/* Something cannot be done now; a file was set aside. */

void ngx_http_webhook_store_failure(ngx_http_webhook_storer_t *st,
    u_char *error);
void ngx_http_webhook_store_damaged(ngx_http_webhook_storer_t *st);

/*
 * In the master, or without a thread: fills the zone, trying again at once what
 * seems damaged.  NGX_ERROR with st->db.error; it may have been set aside.
 */

ngx_int_t ngx_http_webhook_store_load_zone(ngx_http_webhook_storer_t *st);

/* Wakes those who send for the webhooks in st->slots, or for all. */

void ngx_http_webhook_store_owners(ngx_http_webhook_storer_t *st,
    ngx_uint_t all);


#endif /* _NGX_HTTP_WEBHOOK_STORE_JOB_H_INCLUDED_ */
