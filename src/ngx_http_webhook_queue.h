
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * queue: states, deliveries and the log, as other rooms see them.  The memory
 * beneath is zone.c's.  Every function takes the zone's lock itself, once, and
 * holds it for a bounded time.
 */


#ifndef _NGX_HTTP_WEBHOOK_QUEUE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_QUEUE_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_event.h"
#include "ngx_http_webhook_retry.h"


#define NGX_HTTP_WEBHOOK_NO_SLOT        ((uint32_t) -1)

#define NGX_HTTP_WEBHOOK_EXECUTION_MAX  128    /* bytes kept of an id */


/*
 * Webhooks in the zone.  Finds or makes the slot of every webhook of the
 * configuration and sets hook->slot; *fresh gets (ngx_http_webhook_hook_t *)
 * those the zone had not seen: they are to be pinged, by this caller alone.
 * Slots of removed webhooks are kept for 24 h, with what waits in them; sooner
 * forgotten, where there is no other one left, is one with nothing waiting.
 * A slot whose url changed has its health reset; one that is paused remains so.
 * NGX_ERROR: no room for all; those without have NGX_HTTP_WEBHOOK_NO_SLOT,
 * which nothing here takes amiss.
 */

ngx_int_t ngx_http_webhook_queue_slots(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_main_conf_t *mcf, ngx_array_t *fresh);


/* Copies an execution's state out; version 0 when it is not known. */

void ngx_http_webhook_queue_state(ngx_http_webhook_zone_t *zone,
    u_char key[16], ngx_http_webhook_state_t *state);


typedef struct {
    ngx_http_webhook_hook_t      *hook;
    u_char                        uuid[16];
    ngx_str_t                     headers;   /* evaluated from variables, "Name:
                                                value" CRLF ...; or empty */
    unsigned                      unsure:1;  /* not wanted with this payload */
    unsigned                      kept:1;    /* out, without a state alone */
} ngx_http_webhook_new_delivery_t;


/* one payload; webhooks with different members get one each */

typedef struct {
    ngx_uint_t                    event;
    uint32_t                      sequence;
    uint64_t                      time;        /* ms, wall clock */
    ngx_str_t                     execution;   /* id; empty for PING */
    ngx_str_t                     payload;     /* JSON text */
    uint64_t                      pending;     /* until when it waits for a
                                                  better one, ms, monotonic; 0:
                                                  it is final */
    ngx_array_t                   deliveries;  /* ..._new_delivery_t */
} ngx_http_webhook_new_event_t;


/*
 * Applies a state and queues all deliveries of its events (in order) in one
 * hold of the lock.  key NULL: no state (PING).  NGX_OK; NGX_AGAIN: the state's
 * version is no longer new->version - 1, compute again; NGX_DECLINED: no room,
 * nothing was applied.  A delivery beyond its webhook's "queue" is dropped and
 * counted, the rest goes on; "kept" says which was not.  Counters of events and
 * drops are kept here; entries of one event that follow each other, for
 * webhooks with different members, are one event.
 */

ngx_int_t ngx_http_webhook_queue_add(ngx_http_webhook_zone_t *zone,
    u_char key[16], ngx_http_webhook_state_t *new,
    ngx_http_webhook_new_event_t *events, ngx_uint_t n);


/*
 * The same events, which were added as pending, with what they waited for:
 * those that still wait get their final payload (empty: they keep what they
 * have, which is also done where there is no room) and are due; those that are
 * unsure now are forgotten.  One that was unsure takes its place in the queue
 * now, or is dropped, as in _add().  Who is not told in time, or whose worker
 * has died, is sent as it is, and forgotten if it was unsure.  NGX_DECLINED:
 * there was no room for some payload.
 */

ngx_int_t ngx_http_webhook_queue_enrich(ngx_http_webhook_zone_t *zone,
    u_char key[16], ngx_http_webhook_new_event_t *events, ngx_uint_t n);


/*
 * Whether the error log may say such a thing of a webhook now: of each kind one
 * line a second, as many would fill the disk, but whatever is said of others
 * one a minute of each webhook.  With or without the lock: that one line too
 * many is said by two workers does no harm.
 */

#define NGX_HTTP_WEBHOOK_SAY_FULL       0
#define NGX_HTTP_WEBHOOK_SAY_LOST       1
#define NGX_HTTP_WEBHOOK_SAY_EXPIRED    2

ngx_uint_t ngx_http_webhook_queue_say(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_uint_t kind);


/*
 * Ownership (inside, section 3): a slot belongs to one worker.  "worker" is
 * ngx_worker, generation tells old and new workers apart.
 */

typedef struct {
    ngx_pid_t                     pid;
    uint32_t                      worker;
    uint32_t                      generation;
} ngx_http_webhook_owner_t;


/*
 * Takes, renews or finds the owner of a slot.  NGX_OK: it is ours now (*fresh 1
 * when it was not before); NGX_DECLINED: another worker has it (*owner says
 * which).  "prefer": whether we may take one that nobody has at once, or only
 * after 2 s.  A dead owner's, or one not renewed for 10 s, may be taken; what
 * a dead process was sending waits again, due at once, as the same attempt.
 */

ngx_int_t ngx_http_webhook_queue_own(ngx_http_webhook_zone_t *zone,
    uint32_t slot, ngx_http_webhook_owner_t *self, ngx_uint_t prefer,
    ngx_http_webhook_owner_t *owner, ngx_uint_t *fresh);

/* An exiting worker gives it up; what is in flight goes on. */

void ngx_http_webhook_queue_release(ngx_http_webhook_zone_t *zone,
    uint32_t slot, ngx_http_webhook_owner_t *self);

/* The owner, without taking: NGX_DECLINED when there is none. */

ngx_int_t ngx_http_webhook_queue_owner(ngx_http_webhook_zone_t *zone,
    uint32_t slot, ngx_http_webhook_owner_t *owner);


/*
 * Whether nothing waits in a slot: a look without the lock, right for whoever
 * was woken after something was queued.
 */

ngx_uint_t ngx_http_webhook_queue_idle(ngx_http_webhook_zone_t *zone,
    uint32_t slot);


/* a delivery that is to be attempted now; plain data, to be kept by value */

typedef struct {
    uint32_t                      index;       /* in the zone */
    uint32_t                      slot;
    uint64_t                      token;       /* of this attempt */
    u_char                        uuid[16];
    uint32_t                      event;
    uint32_t                      sequence;
    uint32_t                      attempt;     /* 1: the first */
    uint64_t                      time;        /* of the event, ms, wall */
    size_t                        payload;     /* bytes */
    size_t                        headers;     /* bytes */
} ngx_http_webhook_job_t;


/*
 * Takes at most n due deliveries of a slot that we own, in order; they become
 * SENDING.  Asks ngx_http_webhook_retry_allowed() how many may start.  Returns
 * how many; *next = ms until something may be due (NGX_CONF_UNSET_MSEC: never,
 * until something is queued or ends).  Order (design 7): an execution's next
 * event is due when the first attempt of the one before has ended.
 */

ngx_uint_t ngx_http_webhook_queue_take(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_owner_t *self,
    ngx_http_webhook_job_t *jobs, ngx_uint_t n, ngx_msec_t *next);

/*
 * Copies payload and headers of a taken job to memory of that size.  Without
 * the lock: what is SENDING does not move.  NGX_DECLINED: the token is no
 * longer valid, the job was taken from us and is to be forgotten.
 */

ngx_int_t ngx_http_webhook_queue_copy(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_job_t *job, u_char *payload, u_char *headers);

/*
 * A taken job is about to end: fetches what that will read, and nobody has read
 * for long, into the CPU's cache.  Nothing changes.
 */

void ngx_http_webhook_queue_expect(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_job_t *job);

/*
 * Ends an attempt: judges it (ngx_http_webhook_retry_judge() with the slot's
 * health, under the lock), logs the attempt, moves the delivery on.  "url":
 * nothing secret.  sent: the request headers as sent, secrets replaced by
 * "***".  NGX_DECLINED: the token is no longer valid, nothing was done.
 */

ngx_int_t ngx_http_webhook_queue_finish(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_job_t *job,
    ngx_http_webhook_result_t *result, ngx_str_t *sent, uint64_t started,
    ngx_http_webhook_verdict_t *verdict);

/*
 * Gives a taken job back untried (shutdown, no connection free): it waits
 * again, due in "wait" ms, and the attempt is not counted.
 */

void ngx_http_webhook_queue_return(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_job_t *job, ngx_msec_t wait);


/* --- what the status endpoint reads --- */

typedef struct {
    uint64_t                      seq;         /* cursor */
    u_char                        uuid[16];
    uint32_t                      slot;
    uint32_t                      event;
    uint32_t                      status;      /* NGX_HTTP_WEBHOOK_WAITING .. */
    uint32_t                      attempts;
    uint32_t                      code;        /* of the latest answer, or 0 */
    uint32_t                      error;       /* of the latest attempt */
    uint32_t                      sequence;
    uint64_t                      time;        /* of the event, ms, wall */
    uint64_t                      duration;    /* of the latest attempt, ms */
    uint64_t                      next;        /* next attempt, ms, wall; 0 */
    u_char                        execution[NGX_HTTP_WEBHOOK_EXECUTION_MAX];
    uint32_t                      execution_len;
    u_char                        hook[64];
    uint32_t                      hook_len;
} ngx_http_webhook_summary_t;


typedef struct {
    uint32_t                      slot;        /* NO_SLOT: any */
    uint32_t                      events;      /* bits; 0: any */
    uint32_t                      statuses;    /* bits, 1 << status; 0: any */
    ngx_str_t                     execution;   /* empty: any */
    uint64_t                      since;       /* ms, wall; 0: any */
    uint64_t                      until;       /* ms, wall; 0: any */
    uint64_t                      after;       /* cursor: older than this seq;
                                                  0: from the newest */
} ngx_http_webhook_filter_t;


/*
 * Copies at most n matching summaries, newest first; looks at no more than
 * 250 deliveries in one hold.  *next = cursor to go on from, 0 at the end
 * (fewer than n with a cursor is possible).  Returns how many.
 */

ngx_uint_t ngx_http_webhook_queue_list(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_filter_t *filter, ngx_http_webhook_summary_t *list,
    ngx_uint_t n, uint64_t *next);

/*
 * Of n rows of the store, 1000 at most, those the zone knows: they become what
 * it knows.  Those that are at another place of the list, or that the filter
 * leaves out, get seq 0.
 */

void ngx_http_webhook_queue_known(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_filter_t *filter, ngx_http_webhook_summary_t **rows,
    ngx_uint_t n);


typedef struct {
    uint64_t                      started;     /* ms, wall */
    uint32_t                      number;      /* 1: the first */
    uint32_t                      status;
    uint32_t                      error;
    ngx_msec_t                    dns, connect, tls, first_byte, total;
    unsigned                      reused:1;
    unsigned                      truncated:1;
    uint64_t                      body_size;
    ngx_str_t                     peer;
    ngx_str_t                     message;
    ngx_str_t                     headers;
    ngx_str_t                     body;
} ngx_http_webhook_attempt_t;


typedef struct {
    ngx_http_webhook_summary_t    summary;
    ngx_str_t                     payload;
    ngx_str_t                     sent;        /* request headers of the latest
                                                  attempt */
    ngx_array_t                   attempts;    /* ..._attempt_t, oldest first */
} ngx_http_webhook_delivery_t;


/*
 * Numbers that change with everything that lists, deliveries and webhooks
 * show; a look without the lock, to be taken before what it speaks of.
 */

typedef struct {
    uint64_t                      changes;
    uint32_t                      deliveries;
    int64_t                       set;         /* the wall clock, by so much
                                                  since the zone was made, s */
} ngx_http_webhook_version_t;

void ngx_http_webhook_queue_version(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_version_t *version);


/* One whole delivery, copied to "pool".  NGX_DECLINED: not known. */

ngx_int_t ngx_http_webhook_queue_get(ngx_http_webhook_zone_t *zone,
    u_char uuid[16], ngx_pool_t *pool, ngx_http_webhook_delivery_t *delivery);


/*
 * tally.c: attempts of a webhook by outcome, how long they took, and how long
 * it took from an event to its delivery; ms.
 */

#define NGX_HTTP_WEBHOOK_OUTCOME_DELIVERED  0
#define NGX_HTTP_WEBHOOK_OUTCOME_3XX        1
#define NGX_HTTP_WEBHOOK_OUTCOME_4XX        2
#define NGX_HTTP_WEBHOOK_OUTCOME_5XX        3
#define NGX_HTTP_WEBHOOK_OUTCOME_OTHER      4
#define NGX_HTTP_WEBHOOK_OUTCOME_ERROR      5   /* + NGX_HTTP_WEBHOOK_ERR_...
                                                   - 1 */
#define NGX_HTTP_WEBHOOK_OUTCOMES           14

/* their names */

extern const char  *ngx_http_webhook_outcomes[NGX_HTTP_WEBHOOK_OUTCOMES];

#define NGX_HTTP_WEBHOOK_BOUNDS             12

typedef struct {
    uint64_t                      buckets[NGX_HTTP_WEBHOOK_BOUNDS + 1];
    uint64_t                      sum;
} ngx_http_webhook_histogram_t;


typedef struct {
    uint64_t                      outcomes[NGX_HTTP_WEBHOOK_OUTCOMES];
    ngx_http_webhook_histogram_t  duration;
    ngx_http_webhook_histogram_t  latency;
} ngx_http_webhook_tally_t;


extern const uint64_t
    ngx_http_webhook_tally_duration[NGX_HTTP_WEBHOOK_BOUNDS];
extern const uint64_t
    ngx_http_webhook_tally_latency[NGX_HTTP_WEBHOOK_BOUNDS];

/* event: its time, ms, of the same clock as now; 0: no latency is counted */

void ngx_http_webhook_tally(ngx_http_webhook_tally_t *tally,
    ngx_http_webhook_result_t *result, ngx_http_webhook_verdict_t *verdict,
    uint64_t event, uint64_t now);


typedef struct {
    ngx_http_webhook_health_t     health;
    ngx_http_webhook_owner_t      owner;
    uint32_t                      waiting;
    uint32_t                      in_flight;
    uint64_t                      oldest;      /* created, ms, wall; 0: none */
    uint64_t                      next;        /* next attempt, ms, wall; 0 */
    uint64_t                      delivered, failed, expired, superseded,
                                  dropped;     /* since the slot was made */
    uint64_t                      attempts;
    uint32_t                      recent;      /* of the last 32 finished, bit
                                                  0 the latest: delivered */
    uint32_t                      nrecent;
    ngx_http_webhook_tally_t      tally;
} ngx_http_webhook_hook_stat_t;

void ngx_http_webhook_queue_stat(ngx_http_webhook_zone_t *zone, uint32_t slot,
    ngx_http_webhook_hook_stat_t *stat);


/* What the zone is used for, in blocks. */

typedef struct {
    uint64_t                      size;        /* of the zone, bytes */
    uint32_t                      block;       /* bytes */
    uint32_t                      blocks;      /* all of the following */
    uint32_t                      free;
    uint32_t                      states;      /* also their number */
    uint32_t                      queue;
    uint32_t                      log;
    uint32_t                      watches;
    uint32_t                      deliveries;  /* waiting and logged */
    uint32_t                      waiting;     /* of them not yet ended */
    uint64_t                      removed;     /* waiting, of webhooks that the
                                                  configuration has not */
    uint64_t                      rebuilt;     /* after a worker's death */
} ngx_http_webhook_zone_use_t;

void ngx_http_webhook_queue_use(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zone_use_t *use);


/* --- what people do at the status endpoint --- */

/*
 * Sends a delivery again that has ended: it waits, due at once, as the newest
 * one, with its UUID and the whole schedule of "retry" before it.  *slot is
 * where (the caller wakes its owner).  NGX_DECLINED: not known; NGX_BUSY: it
 * has not ended; NGX_ABORT: its webhook is not configured; NGX_AGAIN: no room.
 */

ngx_int_t ngx_http_webhook_queue_again(ngx_http_webhook_zone_t *zone,
    u_char uuid[16], uint32_t *slot);

/*
 * The same for all deliveries of a slot that failed or expired, step by step:
 * NGX_AGAIN: there is more to look at.  A process that dies in between leaves
 * the rest as it was.
 */

typedef struct {
    uint32_t                      slot;
    uint32_t                      queue;       /* how many may wait */
    uint64_t                      since;       /* of the event, ms, wall */
    uint64_t                      seq;         /* seen so far; 0: begin */
    uint64_t                      last;        /* what is newer is left as it
                                                  is */
    ngx_uint_t                    count;       /* sent again */
    ngx_uint_t                    more;        /* boolean: some had no room */
} ngx_http_webhook_recovery_t;

ngx_int_t ngx_http_webhook_queue_recover(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_recovery_t *recovery);

/* The number that was given last. */

uint64_t ngx_http_webhook_queue_last(ngx_http_webhook_zone_t *zone);

/*
 * Pauses a webhook, or resumes it whatever stopped it: all that waits is due
 * at once.  NGX_DECLINED: no such slot.
 */

ngx_int_t ngx_http_webhook_queue_pause(ngx_http_webhook_zone_t *zone,
    uint32_t slot, ngx_uint_t pause);


/*
 * Checks that all lists, trees and counters agree with the blocks; for tests
 * and the status endpoint.  NGX_OK, or NGX_ERROR with "message" written.
 */

ngx_int_t ngx_http_webhook_queue_check(ngx_http_webhook_zone_t *zone,
    u_char *message, size_t len);


#endif /* _NGX_HTTP_WEBHOOK_QUEUE_H_INCLUDED_ */
