
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * event: (state, sighting) -> (state, events).  A pure function: no clock, no
 * zone, no request.  In comes what api.c read from a response; out go the
 * events that emit.c turns into payloads and queue.c stores.
 */


#ifndef _NGX_HTTP_WEBHOOK_EVENT_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_EVENT_H_INCLUDED_


#include "ngx_http_webhook.h"


#define NGX_HTTP_WEBHOOK_EVENTS_MAX    4       /* of one transition */
#define NGX_HTTP_WEBHOOK_CHAIN_LEN     32


/*
 * What is known of an execution.  Lives in the zone, in one block; times are
 * ms of the monotonic clock (ngx_current_msec), the same for all workers.
 */

typedef struct {
    uint64_t    version;       /* counts changes; 0: never seen */
    uint64_t    applied;       /* start of the latest request applied, ms */
    uint64_t    began;         /* start of the request that began this run */
    uint64_t    final;         /* when FINISHED was applied, ms; 0: not yet */
    int64_t     run;           /* number of this run, in UUIDs; first: 0 */
    int64_t     run_seen;      /* latest value of "run" */
    uint32_t    sequence;      /* of the latest event */
    uint16_t    updated_set;   /* bit n: updated[n] was seen */
    uint8_t     rank;          /* NGX_HTTP_WEBHOOK_NONE .. FINISHED */
    uint8_t     announced;     /* event bits of this run */
    uint64_t    has_run:8;     /* run_seen holds */
    uint64_t    run_open:1;    /* it is of the run before: this run's value
                                  is not known yet */
    uint64_t    row:47;        /* number in the store; 0: none */
    uint64_t    watch:8;       /* token of this run's watch; 0: none yet */
    uint64_t    updated[NGX_HTTP_WEBHOOK_UPDATED_MAX];  /* hashes */
    u_char      chain[NGX_HTTP_WEBHOOK_CHAIN_LEN];
} ngx_http_webhook_state_t;


typedef struct {
    uint64_t    start;         /* of the request, ms, monotonic */
    uint64_t    now;           /* ms, monotonic */
    uint64_t    wall;          /* now, ms since 1970 */
    ngx_uint_t  rank;          /* NONE: the response tells no status */
    int64_t     run;
    unsigned    has_run:1;
    unsigned    launch:1;      /* a launch route */
    unsigned    rerun:1;
    uint32_t    updated_set;
    uint64_t    updated[NGX_HTTP_WEBHOOK_UPDATED_MAX];
} ngx_http_webhook_sighting_t;


typedef struct {
    ngx_uint_t  event;         /* LAUNCHED, STARTED, UPDATED, FINISHED */
    uint32_t    sequence;
    int64_t     run;
    u_char      chain[NGX_HTTP_WEBHOOK_CHAIN_LEN];
} ngx_http_webhook_event_t;


/*
 * Computes what a sighting changes (design, section 4).  "old" may have
 * version 0; "new" is always written, with version old + 1 when it differs.
 * Returns the number of events written to "events", in order.
 * *changed is set when "new" is to be stored.
 */

ngx_uint_t ngx_http_webhook_event_transition(
    const ngx_http_webhook_state_t *old,
    const ngx_http_webhook_sighting_t *sighting, ngx_http_webhook_state_t *new,
    ngx_http_webhook_event_t *events, ngx_uint_t *changed);

/*
 * The delivery's UUID, version 8 (RFC 9562, 5.8), 16 bytes: SHA-256 of
 * webhook, description, realm, execution, run, event and, for UPDATED, the
 * chain; each length-prefixed.
 */

void ngx_http_webhook_event_uuid(u_char uuid[16], ngx_str_t *hook,
    ngx_str_t *api, ngx_str_t *realm, ngx_str_t *execution,
    ngx_http_webhook_event_t *event);

/* A random UUID, version 4, for pings.  NGX_ERROR: no random bytes. */

ngx_int_t ngx_http_webhook_event_random_uuid(u_char uuid[16]);

/*
 * The key of an execution in the zone: first 16 bytes of SHA-256 over
 * description, realm and id, each length-prefixed.
 */

void ngx_http_webhook_event_key(u_char key[16], ngx_str_t *api,
    ngx_str_t *realm, ngx_str_t *execution);


#endif /* _NGX_HTTP_WEBHOOK_EVENT_H_INCLUDED_ */
