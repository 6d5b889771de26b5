
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_count: the file -> how much there is in it, for metrics.  Runs in a
 * thread: nothing of nginx but strings here.  Next room: store_job.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


/* both counts come from an index alone */

#define NGX_HTTP_WEBHOOK_COUNT                                                \
    "SELECT p.page_size, n.page_count, f.freelist_count,"                     \
    " (SELECT count(*) FROM deliveries),"                                     \
    " (SELECT count(*) FROM deliveries INDEXED BY deliveries_open"            \
    " WHERE ended = 0)"                                                       \
    " FROM pragma_page_size p, pragma_page_count n, pragma_freelist_count f"


ngx_int_t
ngx_http_webhook_db_count(ngx_http_webhook_db_t *db)
{
    uint64_t       page;
    sqlite3_stmt  *stmt;

    if (ngx_http_webhook_db_open(db) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_COUNT,
                                         NGX_HTTP_WEBHOOK_COUNT);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    if (sqlite3_step(stmt) != SQLITE_ROW) {
        (void) sqlite3_reset(stmt);
        return NGX_ERROR;
    }

    page = (uint64_t) sqlite3_column_int64(stmt, 0);

    db->use.free = page * (uint64_t) sqlite3_column_int64(stmt, 2);
    db->use.used = page * (uint64_t) sqlite3_column_int64(stmt, 1)
                   - db->use.free;
    db->use.rows = (uint64_t) sqlite3_column_int64(stmt, 3);
    db->use.waiting = (uint64_t) sqlite3_column_int64(stmt, 4);

    (void) sqlite3_reset(stmt);

    return NGX_OK;
}


#endif
