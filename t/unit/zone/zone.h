
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The test of the zone: its stand-in for nginx, and what its parts share.
 */


#ifndef _UNIT_ZONE_H_INCLUDED_
#define _UNIT_ZONE_H_INCLUDED_


#include "ngx_http_webhook_zone_priv.h"
#include "unit.h"

#include <sys/mman.h>


/* nginx.c */

extern ngx_uint_t  unit_logged;

void unit_init(void);
void unit_time(uint64_t ms);
void unit_wall(int64_t seconds);
void unit_silence(ngx_uint_t quiet);
ngx_slab_pool_t *unit_map(size_t size);
void unit_kill(pid_t pid, volatile uint64_t *steps, uint64_t much);
ngx_uint_t unit_force_unlock(ngx_slab_pool_t *pool, ngx_pid_t pid);


/* world.c: a zone with webhooks, and what one does with it */

#define HOOKS  8

typedef struct {
    ngx_pool_t                    *pool;
    ngx_slab_pool_t               *shpool;
    ngx_shm_zone_t                 shm;
    ngx_http_webhook_main_conf_t   mcf;
    ngx_http_webhook_zone_t       *zone;
    ngx_http_webhook_hook_t        hooks[HOOKS];
    ngx_http_webhook_owner_t       self;
} world_t;

void world_create(world_t *w, size_t size, ngx_uint_t log);
void world_destroy(world_t *w);
ngx_uint_t world_check(world_t *w, const char *when);

/* 16 bytes made of a number */

void world_key(u_char key[16], uint64_t n);

/* bytes that a number foretells, and whether these are they */

void world_fill(u_char *p, size_t len, uint64_t n);
ngx_uint_t world_filled(u_char *p, size_t len, uint64_t n);

/*
 * One event of execution n (0: a ping) for the webhooks in the bits of "to";
 * the UUID of a delivery is world_key() of (uuid * HOOKS + the webhook's
 * number).
 */

ngx_int_t world_add(world_t *w, uint64_t n, ngx_uint_t event, ngx_uint_t to,
    uint64_t uuid, size_t size, size_t headers);

/* The same, until then (ms) waiting for its payload, unsure for some. */

ngx_int_t world_pend(world_t *w, uint64_t n, ngx_uint_t event, ngx_uint_t to,
    uint64_t uuid, size_t size, uint64_t until, ngx_uint_t unsure);

/* What that waited for is there; size 0: it is not. */

void world_enrich(world_t *w, uint64_t n, ngx_uint_t event, ngx_uint_t to,
    uint64_t uuid, size_t size, ngx_uint_t unsure);

void world_own(world_t *w);

/* Ends an attempt with this status, 0: a broken connection. */

ngx_int_t world_finish(world_t *w, ngx_http_webhook_job_t *job,
    ngx_uint_t status, size_t body, ngx_http_webhook_verdict_t *verdict);


/* Takes at most n; how many.  *wait as queue_take() says. */

ngx_uint_t world_take(world_t *w, ngx_uint_t hook,
    ngx_http_webhook_job_t *jobs, ngx_uint_t n, ngx_msec_t *wait);

/* The status of a delivery, -1: it is not known. */

int world_status(world_t *w, uint64_t uuid, ngx_uint_t hook);

/* The number of a UUID that world_add() made. */

uint64_t world_number(u_char uuid[16]);


/* the other parts */

void test_order(void);
void test_superseded(void);
void test_overflow(void);
void test_expire(void);
void test_recovery(void);
void test_again(void);
void test_owner(void);
void test_slots(void);
void test_reload(void);
void test_pending(void);
void test_watching(void);

void test_random(void);
void test_full(void);
void test_churn(ngx_uint_t n);
void test_kill(ngx_uint_t n);
void test_step(void);
void test_crowd(ngx_uint_t n);
void test_speed(void);


#endif /* _UNIT_ZONE_H_INCLUDED_ */
