
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_query: a query -> SQL over a connection that only reads -> rows, in
 * the query's pool.  Runs in a thread.  The file is neither made nor set aside
 * here: who writes sees to that.  Next room: store_reader.
 */


#include "ngx_http_webhook_store_query.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_QUERY_PATIENCE  200       /* ms, for a lock */


#define NGX_HTTP_WEBHOOK_QUERY_ROW                                            \
    "SELECT d.uuid, d.seq, d.hook, d.event, d.status, d.tries, d.code,"       \
    " d.sequence, d.time, d.duration, d.due, d.execution, h.name, d.key,"     \
    " d.attempts, d.id, (SELECT error FROM attempts a WHERE a.id = d.id"      \
    " ORDER BY number DESC LIMIT 1)"


static ngx_int_t ngx_http_webhook_query_open(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query);
static ngx_int_t ngx_http_webhook_query_one(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query);
static ngx_int_t ngx_http_webhook_query_attempts(
    ngx_http_webhook_reader_db_t *db, ngx_http_webhook_query_t *query,
    sqlite3_int64 id, ngx_http_webhook_delivery_t *delivery);
static ngx_int_t ngx_http_webhook_query_attempt(
    ngx_http_webhook_query_t *query, sqlite3_stmt *stmt,
    ngx_http_webhook_attempt_t *attempt);
static sqlite3_stmt *ngx_http_webhook_query_prepare(
    ngx_http_webhook_reader_db_t *db, ngx_http_webhook_query_t *query,
    const char *sql);
static ngx_int_t ngx_http_webhook_query_row(ngx_http_webhook_query_t *query,
    sqlite3_stmt *stmt, ngx_http_webhook_stored_t *row);
static ngx_int_t ngx_http_webhook_query_text(ngx_http_webhook_query_t *query,
    sqlite3_stmt *stmt, int column, ngx_str_t *text);
static void ngx_http_webhook_query_bytes(sqlite3_stmt *stmt, int column,
    u_char *p, size_t size, uint32_t *len);
static ngx_msec_t ngx_http_webhook_query_msec(sqlite3_stmt *stmt, int column);
static uint32_t ngx_http_webhook_query_error(sqlite3_stmt *stmt, int column);
static ngx_int_t ngx_http_webhook_query_failed(
    ngx_http_webhook_reader_db_t *db, ngx_http_webhook_query_t *query,
    int rc);


void
ngx_http_webhook_query_run(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query)
{
    ngx_cpystrn(query->error, (u_char *) "no memory", sizeof(query->error));

    query->rc = ngx_http_webhook_query_open(db, query);

    if (query->rc != NGX_OK) {
        return;
    }

    if (ngx_array_init(&query->rows, query->pool, query->n ? query->n : 1,
                       sizeof(ngx_http_webhook_stored_t))
        != NGX_OK)
    {
        query->rc = NGX_ERROR;
        return;
    }

    query->rc = ngx_http_webhook_query_one(db, query);
}


/* the file of this name: another one may have taken its place */

static ngx_int_t
ngx_http_webhook_query_open(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query)
{
    int              rc;
    ngx_file_info_t  fi;

    if (ngx_file_info(db->conf->name.data, &fi) == NGX_FILE_ERROR) {
        ngx_http_webhook_query_close(db);
        return ngx_http_webhook_query_failed(db, query, SQLITE_CANTOPEN);
    }

    if (db->handle && db->uniq == ngx_file_uniq(&fi)) {
        return NGX_OK;
    }

    ngx_http_webhook_query_close(db);

    rc = sqlite3_open_v2((char *) db->conf->name.data,
                         (sqlite3 **) &db->handle, SQLITE_OPEN_READONLY, NULL);

    if (rc != SQLITE_OK) {
        return ngx_http_webhook_query_failed(db, query, rc);
    }

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, NGX_HTTP_WEBHOOK_QUERY_PATIENCE);

    db->uniq = ngx_file_uniq(&fi);

    return NGX_OK;
}


void
ngx_http_webhook_query_close(ngx_http_webhook_reader_db_t *db)
{
    (void) sqlite3_close_v2(db->handle);
    db->handle = NULL;
}


static ngx_int_t
ngx_http_webhook_query_one(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query)
{
    int                         rc;
    ngx_int_t                   said;
    sqlite3_int64               id;
    sqlite3_stmt               *stmt;
    ngx_http_webhook_stored_t  *row;

    stmt = ngx_http_webhook_query_prepare(db, query,
               NGX_HTTP_WEBHOOK_QUERY_ROW ", p.payload FROM deliveries d"
               " LEFT JOIN hooks h ON h.id = d.hook"
               " LEFT JOIN payloads p ON p.id = d.id WHERE d.uuid = ?");

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) sqlite3_bind_blob(stmt, 1, query->uuid, 16, SQLITE_STATIC);

    rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW) {
        (void) sqlite3_finalize(stmt);

        return (rc == SQLITE_DONE)
               ? NGX_DECLINED
               : ngx_http_webhook_query_failed(db, query, rc);
    }

    row = ngx_array_push(&query->rows);
    id = sqlite3_column_int64(stmt, 15);

    said = NGX_ERROR;

    if (row) {
        said = ngx_http_webhook_query_row(query, stmt, row);

        if (said == NGX_OK) {
            said = ngx_http_webhook_query_text(query, stmt, 17,
                                               &row->delivery.payload);
        }
    }

    (void) sqlite3_finalize(stmt);

    if (said != NGX_OK) {
        return said;
    }

    return ngx_http_webhook_query_attempts(db, query, id, &row->delivery);
}


static ngx_int_t
ngx_http_webhook_query_attempts(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, sqlite3_int64 id,
    ngx_http_webhook_delivery_t *delivery)
{
    int                          rc;
    ngx_int_t                    said;
    sqlite3_stmt                *stmt;
    ngx_http_webhook_attempt_t  *attempt;

    if (ngx_array_init(&delivery->attempts, query->pool, 4,
                       sizeof(ngx_http_webhook_attempt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    stmt = ngx_http_webhook_query_prepare(db, query,
               "SELECT number, started, status, error, dns, connect, tls,"
               " first_byte, total, reused, peer, message"
               " FROM attempts WHERE id = ? ORDER BY number");

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) sqlite3_bind_int64(stmt, 1, id);

    said = NGX_OK;

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc != SQLITE_ROW) {
            break;
        }

        attempt = ngx_array_push(&delivery->attempts);

        if (attempt == NULL
            || ngx_http_webhook_query_attempt(query, stmt, attempt) != NGX_OK)
        {
            said = NGX_ERROR;
            break;
        }
    }

    (void) sqlite3_finalize(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return ngx_http_webhook_query_failed(db, query, rc);
    }

    return said;
}


static ngx_int_t
ngx_http_webhook_query_attempt(ngx_http_webhook_query_t *query,
    sqlite3_stmt *stmt, ngx_http_webhook_attempt_t *attempt)
{
    ngx_memzero(attempt, sizeof(ngx_http_webhook_attempt_t));

    attempt->number = (uint32_t) sqlite3_column_int64(stmt, 0);
    attempt->started = (uint64_t) sqlite3_column_int64(stmt, 1);
    attempt->status = (uint32_t) sqlite3_column_int64(stmt, 2);
    attempt->error = ngx_http_webhook_query_error(stmt, 3);
    attempt->dns = ngx_http_webhook_query_msec(stmt, 4);
    attempt->connect = ngx_http_webhook_query_msec(stmt, 5);
    attempt->tls = ngx_http_webhook_query_msec(stmt, 6);
    attempt->first_byte = ngx_http_webhook_query_msec(stmt, 7);
    attempt->total = ngx_http_webhook_query_msec(stmt, 8);
    attempt->reused = (sqlite3_column_int(stmt, 9) != 0);

    if (ngx_http_webhook_query_text(query, stmt, 10, &attempt->peer) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_webhook_query_text(query, stmt, 11, &attempt->message);
}


static sqlite3_stmt *
ngx_http_webhook_query_prepare(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, const char *sql)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

    if (rc != SQLITE_OK) {
        (void) ngx_http_webhook_query_failed(db, query, rc);
        return NULL;
    }

    return stmt;
}


/* NGX_DECLINED: it is none of ours */

static ngx_int_t
ngx_http_webhook_query_row(ngx_http_webhook_query_t *query, sqlite3_stmt *stmt,
    ngx_http_webhook_stored_t *row)
{
    uint32_t                     len;
    ngx_http_webhook_summary_t  *s;

    ngx_memzero(row, sizeof(ngx_http_webhook_stored_t));

    s = &row->delivery.summary;

    ngx_http_webhook_query_bytes(stmt, 0, s->uuid, 16, &len);

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

    ngx_http_webhook_query_bytes(stmt, 11, s->execution, sizeof(s->execution),
                                 &s->execution_len);
    ngx_http_webhook_query_bytes(stmt, 12, s->hook, sizeof(s->hook),
                                 &s->hook_len);
    ngx_http_webhook_query_bytes(stmt, 13, row->key, 16, &len);

    row->attempts = (uint32_t) sqlite3_column_int64(stmt, 14);
    s->error = ngx_http_webhook_query_error(stmt, 16);

    if (s->event < NGX_HTTP_WEBHOOK_LAUNCHED
        || s->event > NGX_HTTP_WEBHOOK_PING
        || s->status > NGX_HTTP_WEBHOOK_DROPPED)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* NULL: data is NULL, too */

static ngx_int_t
ngx_http_webhook_query_text(ngx_http_webhook_query_t *query,
    sqlite3_stmt *stmt, int column, ngx_str_t *text)
{
    const void  *blob;

    ngx_str_null(text);

    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        return NGX_OK;
    }

    blob = sqlite3_column_blob(stmt, column);

    text->len = sqlite3_column_bytes(stmt, column);

    text->data = ngx_pnalloc(query->pool, text->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    if (text->len) {
        ngx_memcpy(text->data, blob, text->len);
    }

    return NGX_OK;
}


static void
ngx_http_webhook_query_bytes(sqlite3_stmt *stmt, int column, u_char *p,
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
ngx_http_webhook_query_msec(sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        return NGX_CONF_UNSET_MSEC;
    }

    return (ngx_msec_t) sqlite3_column_int64(stmt, column);
}


static uint32_t
ngx_http_webhook_query_error(sqlite3_stmt *stmt, int column)
{
    uint32_t  error;

    error = (uint32_t) sqlite3_column_int64(stmt, column);

    return ngx_min(error, NGX_HTTP_WEBHOOK_ERR_INTERNAL);
}


/* the connection is not used again: another one may do better */

static ngx_int_t
ngx_http_webhook_query_failed(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, int rc)
{
    ngx_cpystrn(query->error,
                (u_char *) (db->handle ? sqlite3_errmsg(db->handle)
                                       : sqlite3_errstr(rc)),
                sizeof(query->error));

    ngx_http_webhook_query_close(db);

    return NGX_ERROR;
}


#endif
