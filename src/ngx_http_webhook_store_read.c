
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_read: rows -> records, as a batch has them, one by one.  Next room:
 * store_load.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_WAITING_ROWS                                         \
    "SELECT d.hook, d.seq, d.time, d.created, d.due, d.event, d.sequence,"    \
    " d.tries, d.attempts, d.base, d.code, d.duration, d.uuid, d.key,"        \
    " d.execution, p.payload, h.headers, d.id, a.started, a.error"

#define NGX_HTTP_WEBHOOK_WAITING_JOINS                                        \
    " CROSS JOIN deliveries d ON d.id = o.id"                                 \
    " CROSS JOIN payloads p ON p.id = o.id"                                   \
    " LEFT JOIN headers h ON h.id = o.id"                                     \
    " LEFT JOIN attempts a ON a.id = o.id AND a.number ="                     \
    " (SELECT max(number) FROM attempts WHERE id = o.id)"


static ngx_int_t ngx_http_webhook_read_rows(ngx_http_webhook_db_t *db,
    sqlite3_stmt *stmt, ngx_http_webhook_rec_t *(*make)(sqlite3_stmt *stmt),
    ngx_http_webhook_db_row_pt row, void *data);
static ngx_http_webhook_rec_t *ngx_http_webhook_read_slot(sqlite3_stmt *stmt);
static ngx_http_webhook_rec_t *ngx_http_webhook_read_state(
    sqlite3_stmt *stmt);
static ngx_http_webhook_rec_t *ngx_http_webhook_read_delivery(
    sqlite3_stmt *stmt);
static ngx_http_webhook_rec_t *ngx_http_webhook_read_spilled(
    sqlite3_stmt *stmt);
static void ngx_http_webhook_read_blob(sqlite3_stmt *stmt, int column,
    void *p, size_t len);


ngx_int_t
ngx_http_webhook_db_slots(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_SLOTS,
               "SELECT id, name, url, removed, attempts, health, counters"
               " FROM hooks");

    return ngx_http_webhook_read_rows(db, stmt, ngx_http_webhook_read_slot,
                                      row, data);
}


/* running ones and those seen last come first, if there is no room for all */

ngx_int_t
ngx_http_webhook_db_states(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data)
{
    sqlite3_stmt  *stmt;

    /* of one execution the latest, but what one zone took for history */

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_STATES,
               "SELECT key, seen, state, id,"
               " max(id + ((rank < 3 OR sequence > 0) << 60))"
               " FROM states GROUP BY key ORDER BY rank = 3, seen DESC");

    return ngx_http_webhook_read_rows(db, stmt, ngx_http_webhook_read_state,
                                      row, data);
}


ngx_int_t
ngx_http_webhook_db_waiting(ngx_http_webhook_db_t *db, uint32_t hook,
    uint64_t from, ngx_uint_t n, ngx_http_webhook_db_row_pt row, void *data)
{
    sqlite3_stmt  *stmt;

    /* the order of numbers, without a look at what has ended */

    if (hook) {
        stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_REFILL,
                   NGX_HTTP_WEBHOOK_WAITING_ROWS
                   " FROM (SELECT id FROM deliveries INDEXED BY"
                   " deliveries_open WHERE ended = 0 AND seq >= ?1 AND"
                   " hook = ?3 ORDER BY seq LIMIT ?2) o"
                   NGX_HTTP_WEBHOOK_WAITING_JOINS);

    } else {
        stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_WAITING,
                   NGX_HTTP_WEBHOOK_WAITING_ROWS
                   " FROM (SELECT id FROM deliveries INDEXED BY"
                   " deliveries_open WHERE ended = 0 AND seq >= ?1"
                   " ORDER BY seq LIMIT ?2) o"
                   NGX_HTTP_WEBHOOK_WAITING_JOINS);
    }

    if (stmt) {
        (void) sqlite3_bind_int64(stmt, 1, (sqlite3_int64) from);
        (void) sqlite3_bind_int64(stmt, 2, n ? (sqlite3_int64) n : -1);

        if (hook) {
            (void) sqlite3_bind_int64(stmt, 3, hook);
        }
    }

    return ngx_http_webhook_read_rows(db, stmt, ngx_http_webhook_read_delivery,
                                      row, data);
}


ngx_int_t
ngx_http_webhook_db_spilled(ngx_http_webhook_db_t *db, uint64_t from,
    ngx_http_webhook_db_row_pt row, void *data)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_SPILLED,
               "SELECT hook, min(seq), count(*) FROM deliveries INDEXED BY"
               " deliveries_open WHERE ended = 0 AND seq >= ? GROUP BY hook");

    if (stmt) {
        (void) sqlite3_bind_int64(stmt, 1, (sqlite3_int64) from);
    }

    return ngx_http_webhook_read_rows(db, stmt, ngx_http_webhook_read_spilled,
                                      row, data);
}


ngx_int_t
ngx_http_webhook_db_last(ngx_http_webhook_db_t *db, uint64_t *seq,
    uint64_t *row)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_LAST,
               "SELECT (SELECT max(seq) FROM deliveries),"
               " max(coalesce((SELECT max(id) FROM deliveries), 0),"
               " coalesce((SELECT max(id) FROM states), 0))");
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW) {
        ngx_http_webhook_db_failed(db, rc);
        return NGX_ERROR;
    }

    *seq = (uint64_t) sqlite3_column_int64(stmt, 0);
    *row = (uint64_t) sqlite3_column_int64(stmt, 1);

    (void) sqlite3_reset(stmt);

    return NGX_OK;
}


/* numbers have gaps: from the newest on, 4096 of them that have rows, and on */

ngx_int_t
ngx_http_webhook_db_ended(ngx_http_webhook_db_t *db, u_char uuid[16],
    uint64_t seq)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_ENDED,
               "WITH RECURSIVE parts(n) AS (SELECT max(seq) >> 12 FROM"
               " deliveries UNION ALL SELECT (SELECT max(seq) >> 12 FROM"
               " deliveries WHERE seq < (parts.n << 12)) FROM parts"
               " WHERE parts.n > ?2)"
               " SELECT 1 FROM parts WHERE EXISTS (SELECT 1 FROM deliveries"
               " WHERE seq >> 12 = parts.n AND uuid = ?1 AND ended > 0)"
               " LIMIT 1");
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) sqlite3_bind_blob(stmt, 1, uuid, 16, SQLITE_STATIC);
    (void) sqlite3_bind_int64(stmt, 2, (sqlite3_int64) (seq >> 12));

    rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        ngx_http_webhook_db_failed(db, rc);
        return NGX_ERROR;
    }

    (void) sqlite3_reset(stmt);

    return (rc == SQLITE_ROW) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_webhook_read_rows(ngx_http_webhook_db_t *db, sqlite3_stmt *stmt,
    ngx_http_webhook_rec_t *(*make)(sqlite3_stmt *stmt),
    ngx_http_webhook_db_row_pt row, void *data)
{
    int                      rc;
    ngx_int_t                said;
    ngx_http_webhook_rec_t  *rec;

    if (stmt == NULL) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc == SQLITE_DONE) {
            said = NGX_OK;
            break;
        }

        if (rc != SQLITE_ROW) {
            ngx_http_webhook_db_failed(db, rc);
            return NGX_ERROR;
        }

        rec = make(stmt);

        if (rec == NULL) {
            said = NGX_ERROR;
            break;
        }

        said = row(data, rec);

        free(rec);

        if (said != NGX_OK) {
            break;
        }
    }

    (void) sqlite3_reset(stmt);

    return said;
}


static ngx_http_webhook_rec_t *
ngx_http_webhook_read_slot(sqlite3_stmt *stmt)
{
    uint64_t                      counters[10];
    ngx_http_webhook_rec_slot_t  *rec;

    rec = calloc(1, sizeof(ngx_http_webhook_rec_slot_t));
    if (rec == NULL) {
        return NULL;
    }

    rec->rec.type = NGX_HTTP_WEBHOOK_REC_SLOT;
    rec->rec.size = sizeof(ngx_http_webhook_rec_slot_t);

    rec->id = (uint32_t) sqlite3_column_int64(stmt, 0);
    rec->url = (uint64_t) sqlite3_column_int64(stmt, 2);
    rec->removed = (uint64_t) sqlite3_column_int64(stmt, 3);
    rec->attempts = (uint64_t) sqlite3_column_int64(stmt, 4);

    rec->name_len = ngx_min((size_t) sqlite3_column_bytes(stmt, 1),
                            sizeof(rec->name));
    ngx_http_webhook_read_blob(stmt, 1, rec->name, rec->name_len);

    ngx_http_webhook_read_blob(stmt, 5, &rec->health,
                               sizeof(ngx_http_webhook_health_t));
    ngx_http_webhook_read_blob(stmt, 6, counters, sizeof(counters));

    ngx_memcpy(rec->ended, counters, sizeof(rec->ended));
    rec->recent = (uint32_t) counters[8];
    rec->nrecent = (uint32_t) counters[9];

    return &rec->rec;
}


static ngx_http_webhook_rec_t *
ngx_http_webhook_read_state(sqlite3_stmt *stmt)
{
    ngx_http_webhook_rec_state_t  *rec;

    rec = calloc(1, sizeof(ngx_http_webhook_rec_state_t));
    if (rec == NULL) {
        return NULL;
    }

    rec->rec.type = NGX_HTTP_WEBHOOK_REC_STATE;
    rec->rec.size = sizeof(ngx_http_webhook_rec_state_t);

    ngx_http_webhook_read_blob(stmt, 0, rec->key, 16);
    rec->seen = (uint64_t) sqlite3_column_int64(stmt, 1);
    ngx_http_webhook_read_blob(stmt, 2, &rec->state,
                               sizeof(ngx_http_webhook_state_t));
    rec->state.row = (uint64_t) sqlite3_column_int64(stmt, 3);

    return &rec->rec;
}


static ngx_http_webhook_rec_t *
ngx_http_webhook_read_delivery(sqlite3_stmt *stmt)
{
    u_char                           *p;
    size_t                            size, execution, payload, headers;
    ngx_http_webhook_rec_delivery_t  *rec;

    execution = sqlite3_column_bytes(stmt, 14);
    payload = sqlite3_column_bytes(stmt, 15);
    headers = sqlite3_column_bytes(stmt, 16);

    size = sizeof(ngx_http_webhook_rec_delivery_t)
           + ngx_align(execution + payload + headers, sizeof(uint64_t));

    rec = calloc(1, size);
    if (rec == NULL) {
        return NULL;
    }

    rec->rec.type = NGX_HTTP_WEBHOOK_REC_DELIVERY;
    rec->rec.size = size;
    rec->full = 1;

    rec->hook = (uint32_t) sqlite3_column_int64(stmt, 0);
    rec->row = (uint64_t) sqlite3_column_int64(stmt, 17);
    rec->seq = (uint64_t) sqlite3_column_int64(stmt, 1);
    rec->time = (uint64_t) sqlite3_column_int64(stmt, 2);
    rec->created = (uint64_t) sqlite3_column_int64(stmt, 3);
    rec->due = (uint64_t) sqlite3_column_int64(stmt, 4);
    rec->started = (uint64_t) sqlite3_column_int64(stmt, 18);
    rec->event = sqlite3_column_int(stmt, 5);
    rec->sequence = (uint32_t) sqlite3_column_int64(stmt, 6);
    rec->tries = sqlite3_column_int(stmt, 7);
    rec->attempts = sqlite3_column_int(stmt, 8);
    rec->base = sqlite3_column_int(stmt, 9);
    rec->code = sqlite3_column_int(stmt, 10);
    rec->error = ngx_min((uint32_t) sqlite3_column_int64(stmt, 19),
                         NGX_HTTP_WEBHOOK_ERR_INTERNAL);
    rec->duration = (uint32_t) sqlite3_column_int64(stmt, 11);

    ngx_http_webhook_read_blob(stmt, 12, rec->uuid, 16);
    ngx_http_webhook_read_blob(stmt, 13, rec->key, 16);

    rec->execution = execution;
    rec->payload = payload;
    rec->headers = headers;

    p = (u_char *) rec + sizeof(ngx_http_webhook_rec_delivery_t);

    ngx_http_webhook_read_blob(stmt, 14, p, execution);
    ngx_http_webhook_read_blob(stmt, 15, p + execution, payload);
    ngx_http_webhook_read_blob(stmt, 16, p + execution + payload, headers);

    return &rec->rec;
}


static ngx_http_webhook_rec_t *
ngx_http_webhook_read_spilled(sqlite3_stmt *stmt)
{
    ngx_http_webhook_rec_delivery_t  *rec;

    rec = calloc(1, sizeof(ngx_http_webhook_rec_delivery_t));
    if (rec == NULL) {
        return NULL;
    }

    rec->hook = (uint32_t) sqlite3_column_int64(stmt, 0);
    rec->seq = (uint64_t) sqlite3_column_int64(stmt, 1);
    rec->tries = (uint32_t) sqlite3_column_int64(stmt, 2);

    return &rec->rec;
}


/* bytes that are not there are zero */

static void
ngx_http_webhook_read_blob(sqlite3_stmt *stmt, int column, void *p, size_t len)
{
    size_t       n;
    const void  *blob;

    blob = sqlite3_column_blob(stmt, column);
    n = ngx_min((size_t) sqlite3_column_bytes(stmt, column), len);

    ngx_memzero(p, len);

    if (blob && n) {
        ngx_memcpy(p, blob, n);
    }
}


#endif
