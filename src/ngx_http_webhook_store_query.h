
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_query: what people ask of the store: one delivery, a list, those that
 * failed -> rows of the file.  Any worker may read; each query has a connection
 * of its own that changes nothing, and a thread runs one at a time.
 *
 *   store_reader.c  in a worker: queries, one behind the other
 *   store_query.c   in the thread: the file; a query -> one delivery
 *   store_page.c    a query -> a list of them
 *   store_row.c     a row -> a delivery
 */


#ifndef _NGX_HTTP_WEBHOOK_STORE_QUERY_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STORE_QUERY_H_INCLUDED_


#include "ngx_http_webhook_queue.h"
#include "ngx_http_webhook_store.h"


/* types of queries */

#define NGX_HTTP_WEBHOOK_QUERY_ONE     0    /* by its UUID, with its attempts */
#define NGX_HTTP_WEBHOOK_QUERY_LIST    1    /* summaries, newest first */
#define NGX_HTTP_WEBHOOK_QUERY_OLDEST  2    /* with payloads, oldest first */


typedef struct {
    ngx_http_webhook_delivery_t   delivery;  /* its slot is not known; payload
                                                NULL: not kept */
    uint64_t                      row;       /* its id in the file */
    uint32_t                      hook;      /* id of the webhook */
    uint32_t                      attempts;  /* that count */
    u_char                        key[16];
} ngx_http_webhook_stored_t;


typedef struct ngx_http_webhook_query_s  ngx_http_webhook_query_t;

typedef void (*ngx_http_webhook_query_pt)(ngx_http_webhook_query_t *query);

struct ngx_http_webhook_query_s {
    ngx_queue_t                   queue;
    ngx_pool_t                   *pool;      /* its own, with the answer */
    ngx_uint_t                    type;
    ngx_http_webhook_query_pt     handler;
    void                         *data;

    /* what is asked */

    u_char                        uuid[16];
    ngx_http_webhook_filter_t     filter;    /* but for the slot */
    uint32_t                      hook;      /* id; 0: any */
    uint64_t                      above;     /* numbers beyond this alone */
    uint64_t                      last;      /* up to this one; _OLDEST, which
                                                has no use for "after" */
    ngx_uint_t                    n;         /* rows at most; what takes too
                                                long has fewer */

    /* the answer */

    ngx_int_t                     rc;        /* NGX_OK, NGX_DECLINED: there is
                                                none, NGX_ERROR */
    ngx_array_t                   rows;      /* ..._stored_t */
    uint64_t                      next;      /* cursor to go on from, or 0 */
    u_char                        error[128];  /* why; NUL-terminated */
};


/*
 * A query of this type, to be filled in; NULL: no memory.  It is the caller's
 * until _end(), whatever becomes of it: a handler is not called after that.
 */

ngx_http_webhook_query_t *ngx_http_webhook_query_create(ngx_uint_t type,
    ngx_http_webhook_query_pt handler, void *data);

/*
 * Asks; the handler is called, from the event loop, when the answer is there.
 * NGX_ERROR with query->error: it will not be.
 */

ngx_int_t ngx_http_webhook_query_begin(ngx_http_webhook_query_t *query);
void ngx_http_webhook_query_end(ngx_http_webhook_query_t *query);


/*
 * store_again.c: one that has ended waits again in the zone, if no more than
 * "queue" wait.  NGX_OK; NGX_DONE: the zone knows it; NGX_AGAIN: no room.
 */

ngx_int_t ngx_http_webhook_store_again(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_stored_t *row, ngx_http_webhook_hook_t *hook,
    ngx_uint_t queue);


/* In a worker with a store; at its end, when its threads have ended. */

ngx_int_t ngx_http_webhook_reader_init(ngx_cycle_t *cycle,
    ngx_http_webhook_store_t *conf);
void ngx_http_webhook_reader_exit(void);


/* --- in the thread --- */

#define NGX_HTTP_WEBHOOK_QUERY_ROW                                            \
    "SELECT d.uuid, d.seq, d.hook, d.event, d.status, d.tries, d.code,"       \
    " d.sequence, d.time, d.duration, d.due, d.execution, h.name, d.key,"     \
    " d.attempts, d.id, (SELECT error FROM attempts a WHERE a.id = d.id"      \
    " ORDER BY number DESC LIMIT 1)"

#define NGX_HTTP_WEBHOOK_QUERY_MORE    17   /* columns before others */


typedef struct {
    void                         *handle;    /* sqlite3, or NULL */
} ngx_http_webhook_reader_db_t;


void ngx_http_webhook_query_run(ngx_http_webhook_store_t *conf,
    ngx_http_webhook_query_t *query);

/* sqlite3_stmt, to be finalized, or NULL: _failed() was called. */

void *ngx_http_webhook_query_prepare(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, const char *sql);

/* Says why; NGX_ERROR. */

ngx_int_t ngx_http_webhook_query_failed(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, int rc);

/*
 * Finds the newest row of this UUID, among those of about "seq" and newer, by
 * a statement of this text.  SQLITE_ROW, or what sqlite3_step() said else.
 */

extern const char  ngx_http_webhook_query_find_sql[];

int ngx_http_webhook_query_find(void *stmt, u_char uuid[16], uint64_t seq,
    uint64_t *id);

/* store_page.c: NGX_OK, or NGX_ERROR with query->error. */

ngx_int_t ngx_http_webhook_query_list(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query);


/* --- store_row.c: columns of the present row of a sqlite3_stmt --- */

/* Of ..._QUERY_ROW.  NGX_DECLINED: it is none of ours. */

ngx_int_t ngx_http_webhook_row_delivery(void *stmt,
    ngx_http_webhook_stored_t *row);

/* Text or blob, copied; NULL: data is NULL. */

ngx_int_t ngx_http_webhook_row_text(void *stmt, ngx_uint_t column,
    ngx_pool_t *pool, ngx_str_t *text);

/* Those of "attempts", from number on. */

ngx_int_t ngx_http_webhook_row_attempt(void *stmt, ngx_pool_t *pool,
    ngx_http_webhook_attempt_t *attempt);


#endif /* _NGX_HTTP_WEBHOOK_STORE_QUERY_H_INCLUDED_ */
