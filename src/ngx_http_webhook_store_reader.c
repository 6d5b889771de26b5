
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_reader: queries of a worker -> a thread of nginx's pool "default", one
 * behind the other.  What a query needs is its own, so that who asked may be
 * gone when the answer comes.  Next room: store_query.
 */


#include "ngx_http_webhook_store_query.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)


typedef struct {
    ngx_http_webhook_store_t      *conf;
    ngx_thread_pool_t             *pool;       /* NULL: there is no store */
    ngx_thread_task_t             *task;
    ngx_http_webhook_query_t      *current;    /* the thread has it */
    ngx_queue_t                    waiting;
    unsigned                       forgotten:1;  /* nobody waits for it */
} ngx_http_webhook_reader_t;


static void ngx_http_webhook_reader_next(ngx_http_webhook_reader_t *reader);
static ngx_int_t ngx_http_webhook_reader_post(
    ngx_http_webhook_reader_t *reader, ngx_http_webhook_query_t *query);
static void ngx_http_webhook_reader_thread(void *data, ngx_log_t *log);
static void ngx_http_webhook_reader_done(ngx_event_t *ev);


static ngx_http_webhook_reader_t  ngx_http_webhook_reader;


ngx_int_t
ngx_http_webhook_reader_init(ngx_cycle_t *cycle,
    ngx_http_webhook_store_t *conf)
{
    ngx_str_t                   name;
    ngx_http_webhook_reader_t  *reader;

    reader = &ngx_http_webhook_reader;

    ngx_memzero(reader, sizeof(ngx_http_webhook_reader_t));
    ngx_queue_init(&reader->waiting);

    ngx_str_set(&name, "default");

    reader->conf = conf;
    reader->task = ngx_thread_task_alloc(cycle->pool, 0);

    if (reader->task == NULL) {
        return NGX_ERROR;
    }

    reader->pool = ngx_thread_pool_get(cycle, &name);

    if (reader->pool == NULL) {
        return NGX_ERROR;
    }

    reader->task->ctx = reader;
    reader->task->handler = ngx_http_webhook_reader_thread;
    reader->task->event.handler = ngx_http_webhook_reader_done;
    reader->task->event.data = reader;

    return NGX_OK;
}


void
ngx_http_webhook_reader_exit(void)
{
    ngx_http_webhook_reader.pool = NULL;
}


ngx_http_webhook_query_t *
ngx_http_webhook_query_create(ngx_uint_t type,
    ngx_http_webhook_query_pt handler, void *data)
{
    ngx_pool_t                *pool;
    ngx_http_webhook_query_t  *query;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    query = ngx_pcalloc(pool, sizeof(ngx_http_webhook_query_t));
    if (query == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    query->pool = pool;
    query->type = type;
    query->handler = handler;
    query->data = data;

    ngx_queue_init(&query->queue);

    return query;
}


ngx_int_t
ngx_http_webhook_query_begin(ngx_http_webhook_query_t *query)
{
    ngx_http_webhook_reader_t  *reader;

    reader = &ngx_http_webhook_reader;

    if (reader->pool == NULL) {
        query->rc = NGX_ERROR;
        ngx_cpystrn(query->error, (u_char *) "there is no store",
                    sizeof(query->error));
        return NGX_ERROR;
    }

    if (reader->current || !ngx_queue_empty(&reader->waiting)) {
        ngx_queue_insert_tail(&reader->waiting, &query->queue);
        return NGX_OK;
    }

    return ngx_http_webhook_reader_post(reader, query);
}


void
ngx_http_webhook_query_end(ngx_http_webhook_query_t *query)
{
    ngx_http_webhook_reader_t  *reader;

    reader = &ngx_http_webhook_reader;

    if (query == reader->current) {
        reader->forgotten = 1;
        return;
    }

    ngx_queue_remove(&query->queue);
    ngx_destroy_pool(query->pool);
}


static ngx_int_t
ngx_http_webhook_reader_post(ngx_http_webhook_reader_t *reader,
    ngx_http_webhook_query_t *query)
{
    reader->current = query;
    reader->forgotten = 0;

    if (ngx_thread_task_post(reader->pool, reader->task) == NGX_OK) {
        return NGX_OK;
    }

    reader->current = NULL;

    query->rc = NGX_ERROR;
    ngx_cpystrn(query->error, (u_char *) "no thread", sizeof(query->error));

    return NGX_ERROR;
}


static void
ngx_http_webhook_reader_thread(void *data, ngx_log_t *log)
{
    ngx_http_webhook_reader_t *reader = data;

    ngx_http_webhook_query_run(reader->conf, reader->current);
}


static void
ngx_http_webhook_reader_done(ngx_event_t *ev)
{
    ngx_http_webhook_query_t   *query;
    ngx_http_webhook_reader_t  *reader;

    reader = ev->data;

    query = reader->current;
    reader->current = NULL;

    if (reader->forgotten) {
        ngx_destroy_pool(query->pool);

    } else {
        query->handler(query);
    }

    ngx_http_webhook_reader_next(reader);
}


static void
ngx_http_webhook_reader_next(ngx_http_webhook_reader_t *reader)
{
    ngx_queue_t               *q;
    ngx_http_webhook_query_t  *query;

    while (reader->current == NULL && !ngx_queue_empty(&reader->waiting)) {
        q = ngx_queue_head(&reader->waiting);
        query = ngx_queue_data(q, ngx_http_webhook_query_t, queue);

        ngx_queue_remove(q);
        ngx_queue_init(q);

        if (ngx_http_webhook_reader_post(reader, query) != NGX_OK) {
            query->handler(query);
        }
    }
}


#else


ngx_http_webhook_query_t *
ngx_http_webhook_query_create(ngx_uint_t type,
    ngx_http_webhook_query_pt handler, void *data)
{
    return NULL;
}


ngx_int_t
ngx_http_webhook_query_begin(ngx_http_webhook_query_t *query)
{
    return NGX_ERROR;
}


void
ngx_http_webhook_query_end(ngx_http_webhook_query_t *query)
{
    /* void */
}


#endif
