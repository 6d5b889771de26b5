
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_row: a row of the file, which anyone may have written -> a delivery, or
 * one of its attempts, whose numbers are in their bounds.  Runs in a thread.
 * Next room: store_query.
 */


#include "ngx_http_webhook_store_query.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


static void ngx_http_webhook_row_bytes(sqlite3_stmt *stmt, int column,
    u_char *p, size_t size, uint32_t *len);
static ngx_msec_t ngx_http_webhook_row_msec(sqlite3_stmt *stmt, int column);
static uint32_t ngx_http_webhook_row_error(sqlite3_stmt *stmt, int column);


ngx_int_t
ngx_http_webhook_row_delivery(void *stmt, ngx_http_webhook_stored_t *row)
{
    uint32_t                     len;
    ngx_http_webhook_summary_t  *s;

    ngx_memzero(row, sizeof(ngx_http_webhook_stored_t));

    s = &row->delivery.summary;

    ngx_http_webhook_row_bytes(stmt, 0, s->uuid, 16, &len);

    s->slot = NGX_HTTP_WEBHOOK_NO_SLOT;
    s->seq = (uint64_t) sqlite3_column_int64(stmt, 1);
    row->hook = (uint32_t) sqlite3_column_int64(stmt, 2);
    s->event = (uint32_t) sqlite3_column_int64(stmt, 3);
    s->status = (uint32_t) sqlite3_column_int64(stmt, 4);
    s->attempts = (uint32_t) sqlite3_column_int64(stmt, 5);
    s->code = (uint32_t) sqlite3_column_int64(stmt, 6);
    s->sequence = (uint32_t) sqlite3_column_int64(stmt, 7);
    s->time = (uint64_t) sqlite3_column_int64(stmt, 8);
    s->duration = (uint64_t) sqlite3_column_int64(stmt, 9);

    if (s->status == NGX_HTTP_WEBHOOK_WAITING) {
        s->next = (uint64_t) sqlite3_column_int64(stmt, 10);
    }

    ngx_http_webhook_row_bytes(stmt, 11, s->execution, sizeof(s->execution),
                               &s->execution_len);
    ngx_http_webhook_row_bytes(stmt, 12, s->hook, sizeof(s->hook),
                               &s->hook_len);
    ngx_http_webhook_row_bytes(stmt, 13, row->key, 16, &len);

    row->attempts = (uint32_t) sqlite3_column_int64(stmt, 14);
    row->row = (uint64_t) sqlite3_column_int64(stmt, 15);
    s->error = ngx_http_webhook_row_error(stmt, 16);

    if (s->event < NGX_HTTP_WEBHOOK_LAUNCHED
        || s->event > NGX_HTTP_WEBHOOK_PING
        || s->status > NGX_HTTP_WEBHOOK_DROPPED)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_row_attempt(void *stmt, ngx_pool_t *pool,
    ngx_http_webhook_attempt_t *attempt)
{
    ngx_memzero(attempt, sizeof(ngx_http_webhook_attempt_t));

    attempt->number = (uint32_t) sqlite3_column_int64(stmt, 0);
    attempt->started = (uint64_t) sqlite3_column_int64(stmt, 1);
    attempt->status = (uint32_t) sqlite3_column_int64(stmt, 2);
    attempt->error = ngx_http_webhook_row_error(stmt, 3);
    attempt->dns = ngx_http_webhook_row_msec(stmt, 4);
    attempt->connect = ngx_http_webhook_row_msec(stmt, 5);
    attempt->tls = ngx_http_webhook_row_msec(stmt, 6);
    attempt->first_byte = ngx_http_webhook_row_msec(stmt, 7);
    attempt->total = ngx_http_webhook_row_msec(stmt, 8);
    attempt->reused = (sqlite3_column_int(stmt, 9) != 0);

    if (ngx_http_webhook_row_text(stmt, 10, pool, &attempt->peer) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_row_text(stmt, 11, pool, &attempt->message);
}


ngx_int_t
ngx_http_webhook_row_text(void *stmt, ngx_uint_t column, ngx_pool_t *pool,
    ngx_str_t *text)
{
    const void  *blob;

    ngx_str_null(text);

    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        return NGX_OK;
    }

    blob = sqlite3_column_blob(stmt, column);

    text->len = sqlite3_column_bytes(stmt, column);

    text->data = ngx_pnalloc(pool, text->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    if (text->len) {
        ngx_memcpy(text->data, blob, text->len);
    }

    return NGX_OK;
}


static void
ngx_http_webhook_row_bytes(sqlite3_stmt *stmt, int column, u_char *p,
    size_t size, uint32_t *len)
{
    const void  *blob;

    blob = sqlite3_column_blob(stmt, column);

    *len = ngx_min((size_t) sqlite3_column_bytes(stmt, column), size);

    if (*len) {
        ngx_memcpy(p, blob, *len);
    }
}


static ngx_msec_t
ngx_http_webhook_row_msec(sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        return NGX_CONF_UNSET_MSEC;
    }

    return (ngx_msec_t) sqlite3_column_int64(stmt, column);
}


static uint32_t
ngx_http_webhook_row_error(sqlite3_stmt *stmt, int column)
{
    uint32_t  error;

    error = (uint32_t) sqlite3_column_int64(stmt, column);

    return ngx_min(error, NGX_HTTP_WEBHOOK_ERR_INTERNAL);
}


#endif
