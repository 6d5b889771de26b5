
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_watch_row: a record of a batch -> a row of what is watched, and back.
 * A row goes when its execution is final.  Next rooms: store_write,
 * store_watch.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


static ngx_int_t ngx_http_webhook_watch_run(ngx_http_webhook_db_t *db,
    sqlite3_stmt *stmt);
static ngx_http_webhook_rec_watch_t *ngx_http_webhook_watch_row(
    sqlite3_stmt *stmt);


ngx_int_t
ngx_http_webhook_write_watch(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_watch_t *rec)
{
    size_t         len;
    u_char        *p;
    sqlite3_stmt  *stmt;

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_WATCH,
               "INSERT OR REPLACE INTO watches (key, until, token, interval,"
               " server, api, route, realm, uri, body)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) rec + sizeof(ngx_http_webhook_rec_watch_t);
    len = rec->realm + rec->uri;

    (void) sqlite3_bind_blob(stmt, 1, rec->key, 16, SQLITE_STATIC);
    (void) sqlite3_bind_int64(stmt, 2, rec->until);
    (void) sqlite3_bind_int64(stmt, 3, rec->token);
    (void) sqlite3_bind_int64(stmt, 4, rec->interval);
    (void) sqlite3_bind_int64(stmt, 5, rec->server);
    (void) sqlite3_bind_int64(stmt, 6, rec->api);
    (void) sqlite3_bind_int64(stmt, 7, rec->route);
    (void) sqlite3_bind_blob(stmt, 8, p, rec->realm, SQLITE_STATIC);
    (void) sqlite3_bind_blob(stmt, 9, p + rec->realm, rec->uri, SQLITE_STATIC);
    (void) sqlite3_bind_blob(stmt, 10, p + len, rec->body, SQLITE_STATIC);

    return ngx_http_webhook_watch_run(db, stmt);
}


ngx_int_t
ngx_http_webhook_write_watched(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_state_t *rec)
{
    sqlite3_stmt  *stmt;

    if (rec->state.watch == 0
        || rec->state.rank != NGX_HTTP_WEBHOOK_FINISHED)
    {
        return NGX_OK;
    }

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_WATCHED,
                                         "DELETE FROM watches WHERE key = ?");
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) sqlite3_bind_blob(stmt, 1, rec->key, 16, SQLITE_STATIC);

    return ngx_http_webhook_watch_run(db, stmt);
}


static ngx_int_t
ngx_http_webhook_watch_run(ngx_http_webhook_db_t *db, sqlite3_stmt *stmt)
{
    int  rc;

    rc = sqlite3_step(stmt);

    if (rc != SQLITE_DONE) {
        ngx_http_webhook_db_failed(db, rc);

        if (db->handle) {
            (void) sqlite3_reset(stmt);
        }

        return NGX_ERROR;
    }

    (void) sqlite3_reset(stmt);

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_db_watches(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data)
{
    int                            rc;
    sqlite3_stmt                  *stmt;
    ngx_http_webhook_rec_watch_t  *rec;

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_WATCHES,
               "SELECT key, until, token, interval, server, api, route, realm,"
               " uri, body FROM watches WHERE until > ?");

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) sqlite3_bind_int64(stmt, 1, ngx_http_webhook_zone_wall());

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc != SQLITE_ROW) {
            break;
        }

        rec = ngx_http_webhook_watch_row(stmt);

        if (rec) {
            (void) row(data, &rec->rec);
            free(rec);
        }
    }

    if (rc != SQLITE_DONE) {
        ngx_http_webhook_db_failed(db, rc);

        if (db->handle) {
            (void) sqlite3_reset(stmt);
        }

        return NGX_ERROR;
    }

    (void) sqlite3_reset(stmt);

    return NGX_OK;
}


/* NULL: it is none, or there is no memory */

static ngx_http_webhook_rec_watch_t *
ngx_http_webhook_watch_row(sqlite3_stmt *stmt)
{
    u_char                        *p;
    ngx_uint_t                     i, n, len[3];
    ngx_http_webhook_rec_watch_t  *rec;

    if (sqlite3_column_bytes(stmt, 0) != 16) {
        return NULL;
    }

    for (i = 0; i < 3; i++) {
        len[i] = sqlite3_column_bytes(stmt, 7 + i);
    }

    n = len[0] + len[1] + len[2];

    rec = calloc(1, sizeof(ngx_http_webhook_rec_watch_t) + n);
    if (rec == NULL) {
        return NULL;
    }

    ngx_memcpy(rec->key, sqlite3_column_blob(stmt, 0), 16);

    rec->rec.type = NGX_HTTP_WEBHOOK_REC_WATCH;
    rec->until = (uint64_t) sqlite3_column_int64(stmt, 1);
    rec->token = (uint32_t) sqlite3_column_int64(stmt, 2);
    rec->interval = (uint32_t) sqlite3_column_int64(stmt, 3);
    rec->server = (uint32_t) sqlite3_column_int64(stmt, 4);
    rec->api = (uint32_t) sqlite3_column_int64(stmt, 5);
    rec->route = (uint32_t) sqlite3_column_int64(stmt, 6);
    rec->realm = len[0];
    rec->uri = len[1];
    rec->body = len[2];

    p = (u_char *) rec + sizeof(ngx_http_webhook_rec_watch_t);

    for (i = 0; i < 3; i++) {

        if (len[i]) {
            p = ngx_cpymem(p, sqlite3_column_blob(stmt, 7 + i), len[i]);
        }
    }

    return rec;
}


#endif
