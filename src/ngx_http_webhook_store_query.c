
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_query: a query -> SQL over a connection that only reads -> rows, in
 * the query's pool.  Runs in a thread.  The file is neither made nor set aside
 * here: who writes sees to that, and may take it away, so that each query opens
 * it anew.  Next room: store_reader.
 */


#include "ngx_http_webhook_store_query.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_QUERY_PATIENCE  2000      /* ms, for a lock */


static ngx_int_t ngx_http_webhook_query_open(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_store_t *conf, ngx_http_webhook_query_t *query);
static ngx_int_t ngx_http_webhook_query_one(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query);
static ngx_int_t ngx_http_webhook_query_attempts(
    ngx_http_webhook_reader_db_t *db, ngx_http_webhook_query_t *query,
    sqlite3_int64 id, ngx_http_webhook_delivery_t *delivery);
static ngx_int_t ngx_http_webhook_query_texts(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, sqlite3_int64 id,
    ngx_http_webhook_delivery_t *delivery);


/* numbers have gaps: from the newest on, 4096 of them that have rows, and on */

const char  ngx_http_webhook_query_find_sql[] =
    "WITH RECURSIVE parts(n) AS (SELECT max(seq) >> 12 FROM deliveries"
    " UNION ALL SELECT (SELECT max(seq) >> 12 FROM deliveries"
    " WHERE seq < (parts.n << 12)) FROM parts WHERE parts.n > ?2)"
    " SELECT (SELECT id FROM deliveries WHERE seq >> 12 = parts.n"
    " AND uuid = ?1 ORDER BY seq DESC LIMIT 1) AS found FROM parts"
    " WHERE found NOT NULL LIMIT 1";


void
ngx_http_webhook_query_run(ngx_http_webhook_store_t *conf,
    ngx_http_webhook_query_t *query)
{
    ngx_http_webhook_reader_db_t  db;

    ngx_cpystrn(query->error, (u_char *) "no memory", sizeof(query->error));

    db.handle = NULL;
    query->rc = NGX_ERROR;

    if (ngx_array_init(&query->rows, query->pool, query->n ? query->n : 1,
                       sizeof(ngx_http_webhook_stored_t))
        == NGX_OK)
    {
        query->rc = ngx_http_webhook_query_open(&db, conf, query);
    }

    if (query->rc == NGX_OK) {
        query->rc = (query->type == NGX_HTTP_WEBHOOK_QUERY_ONE)
                    ? ngx_http_webhook_query_one(&db, query)
                    : ngx_http_webhook_query_list(&db, query);
    }

    (void) sqlite3_close_v2(db.handle);
}


static ngx_int_t
ngx_http_webhook_query_open(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_store_t *conf, ngx_http_webhook_query_t *query)
{
    int  rc;

    rc = sqlite3_open_v2((char *) conf->name.data, (sqlite3 **) &db->handle,
                         SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                         NULL);

    if (rc != SQLITE_OK) {
        return ngx_http_webhook_query_failed(db, query, rc);
    }

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, NGX_HTTP_WEBHOOK_QUERY_PATIENCE);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_query_one(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query)
{
    int                         rc;
    uint64_t                    id;
    ngx_int_t                   said;
    sqlite3_stmt               *stmt;
    ngx_http_webhook_stored_t  *row;

    stmt = ngx_http_webhook_query_prepare(db, query,
                                          ngx_http_webhook_query_find_sql);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_webhook_query_find(stmt, query->uuid, 0, &id);

    (void) sqlite3_finalize(stmt);

    if (rc != SQLITE_ROW) {
        return (rc == SQLITE_DONE)
               ? NGX_DECLINED
               : ngx_http_webhook_query_failed(db, query, rc);
    }

    stmt = ngx_http_webhook_query_prepare(db, query,
               NGX_HTTP_WEBHOOK_QUERY_ROW ", p.payload FROM deliveries d"
               " LEFT JOIN hooks h ON h.id = d.hook"
               " LEFT JOIN payloads p ON p.id = d.id WHERE d.id = ?");

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) sqlite3_bind_int64(stmt, 1, (sqlite3_int64) id);

    rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW) {
        (void) sqlite3_finalize(stmt);

        return (rc == SQLITE_DONE)
               ? NGX_DECLINED
               : ngx_http_webhook_query_failed(db, query, rc);
    }

    row = ngx_array_push(&query->rows);
    said = NGX_ERROR;

    if (row) {
        said = ngx_http_webhook_row_delivery(stmt, row);

        if (said == NGX_OK) {
            said = ngx_http_webhook_row_text(stmt,
                                             NGX_HTTP_WEBHOOK_QUERY_MORE,
                                             query->pool,
                                             &row->delivery.payload);
        }
    }

    (void) sqlite3_finalize(stmt);

    if (said != NGX_OK) {
        return said;
    }

    said = ngx_http_webhook_query_attempts(db, query, id, &row->delivery);

    if (said != NGX_OK) {
        return said;
    }

    return ngx_http_webhook_query_texts(db, query, id, &row->delivery);
}


int
ngx_http_webhook_query_find(void *stmt, u_char uuid[16], uint64_t seq,
    uint64_t *id)
{
    int  rc;

    (void) sqlite3_bind_blob(stmt, 1, uuid, 16, SQLITE_STATIC);
    (void) sqlite3_bind_int64(stmt, 2, (sqlite3_int64) (seq >> 12));

    rc = sqlite3_step(stmt);

    *id = (rc == SQLITE_ROW) ? (uint64_t) sqlite3_column_int64(stmt, 0) : 0;

    (void) sqlite3_reset(stmt);

    return rc;
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
            || ngx_http_webhook_row_attempt(stmt, query->pool, attempt)
               != NGX_OK)
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


/* request and response of the latest attempt, as far as they are kept */

static ngx_int_t
ngx_http_webhook_query_texts(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, sqlite3_int64 id,
    ngx_http_webhook_delivery_t *delivery)
{
    int                          rc;
    ngx_int_t                    said;
    ngx_uint_t                   n;
    sqlite3_stmt                *stmt;
    ngx_http_webhook_attempt_t  *attempt;

    n = delivery->attempts.nelts;

    if (n == 0) {
        return NGX_OK;
    }

    stmt = ngx_http_webhook_query_prepare(db, query,
               "SELECT sent, headers, body, size, truncated FROM texts"
               " WHERE id = ? AND number = ?");

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    attempt = (ngx_http_webhook_attempt_t *) delivery->attempts.elts + n - 1;

    (void) sqlite3_bind_int64(stmt, 1, id);
    (void) sqlite3_bind_int64(stmt, 2, attempt->number);

    said = NGX_OK;
    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {

        if (ngx_http_webhook_row_text(stmt, 0, query->pool, &delivery->sent)
            != NGX_OK
            || ngx_http_webhook_row_text(stmt, 1, query->pool,
                                         &attempt->headers)
               != NGX_OK
            || ngx_http_webhook_row_text(stmt, 2, query->pool,
                                         &attempt->body)
               != NGX_OK)
        {
            said = NGX_ERROR;
        }

        attempt->body_size = (uint64_t) sqlite3_column_int64(stmt, 3);
        attempt->truncated = (sqlite3_column_int(stmt, 4) != 0);
    }

    (void) sqlite3_finalize(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return ngx_http_webhook_query_failed(db, query, rc);
    }

    return said;
}


void *
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


ngx_int_t
ngx_http_webhook_query_failed(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query, int rc)
{
    ngx_cpystrn(query->error,
                (u_char *) (db->handle ? sqlite3_errmsg(db->handle)
                                       : sqlite3_errstr(rc)),
                sizeof(query->error));

    return NGX_ERROR;
}


#endif
