
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * A stand-in for the file of the store, in shared memory: a transaction takes
 * effect as a whole, whoever is killed meanwhile.
 */


#ifndef _UNIT_ZONE_STORE_H_INCLUDED_
#define _UNIT_ZONE_STORE_H_INCLUDED_


#include "zone/zone.h"
#include "ngx_http_webhook_store_priv.h"


#define FILE_ROWS    4000
#define FILE_STATES  1200
#define FILE_TEXT    800


typedef struct {
    ngx_http_webhook_rec_delivery_t  rec;
    u_char                           text[FILE_TEXT];
} file_row_t;


typedef struct {
    uint32_t                         nslots;
    uint32_t                         nstates;
    uint32_t                         n;
    ngx_http_webhook_rec_slot_t      slots[HOOKS];
    ngx_http_webhook_rec_state_t     states[FILE_STATES];
    file_row_t                       rows[FILE_ROWS];
} file_t;


/* The file as it is on disk; empty to begin with. */

extern file_t  *file;

void file_create(void);
void file_destroy(void);

/* One transaction, as store_write makes it. */

void file_write(ngx_http_webhook_batch_t *batch);

/* Rows that ended are of no interest any more. */

void file_prune(void);

/* What there is, to be put back; freed by the caller. */

file_t *file_save(void);
void file_restore(file_t *f);

/* A row, by the number of its UUID; NULL: there is none. */

file_row_t *file_find(uint64_t number);

/* The version of an execution's state; 0: none. */

uint64_t file_state_version(uint64_t n);

/* At most n rows from there on, as a job of the store reads them. */

void file_read(ngx_http_webhook_batch_t *batch, uint32_t hook, uint64_t from,
    ngx_uint_t n);


/* store.c: a zone with a store, small enough to be full soon */

void store_create(world_t *w, ngx_uint_t log);

/* All that has changed is written; 0: it does not end. */

ngx_uint_t store_flush(world_t *w);

/* Whether zone and file, with nothing unsaved, say the same. */

ngx_uint_t store_agree(world_t *w, const char *when);


void test_store_kill(ngx_uint_t n);
void test_store_step(void);
void test_store_full(void);
void test_store_order(void);
void test_store_together(void);
void test_store_known(void);
void test_store_churn(ngx_uint_t n);


#endif /* _UNIT_ZONE_STORE_H_INCLUDED_ */
