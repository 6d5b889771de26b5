
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_query: what people ask of the store: one delivery, a list, those that
 * failed -> rows of the file.  Any worker may read; it has a connection of its
 * own that changes nothing, and a thread runs one query at a time.
 *
 *   store_reader.c  in a worker: queries, one behind the other
 *   store_query.c   in the thread: a query -> SQL -> rows
 */


#ifndef _NGX_HTTP_WEBHOOK_STORE_QUERY_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STORE_QUERY_H_INCLUDED_


#include "ngx_http_webhook_queue.h"
#include "ngx_http_webhook_store.h"


/* types of queries */

#define NGX_HTTP_WEBHOOK_QUERY_ONE     0    /* by its UUID, with its attempts */
#define NGX_HTTP_WEBHOOK_QUERY_LIST    1    /* summaries, newest first */


typedef struct {
    ngx_http_webhook_delivery_t   delivery;  /* its slot is not known; payload
                                                NULL: not kept */
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
    ngx_uint_t                    n;         /* rows at most */

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


/* In a worker with a store; at its end, when its threads have ended. */

ngx_int_t ngx_http_webhook_reader_init(ngx_cycle_t *cycle,
    ngx_http_webhook_store_t *conf);
void ngx_http_webhook_reader_exit(void);


/* --- store_query.c: in the thread --- */

typedef struct {
    ngx_http_webhook_store_t     *conf;
    void                         *handle;    /* sqlite3, or NULL */
    ngx_file_uniq_t               uniq;      /* of the file it has open */
} ngx_http_webhook_reader_db_t;


void ngx_http_webhook_query_run(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query);
void ngx_http_webhook_query_close(ngx_http_webhook_reader_db_t *db);


#endif /* _NGX_HTTP_WEBHOOK_STORE_QUERY_H_INCLUDED_ */
