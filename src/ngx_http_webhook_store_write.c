
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_write: a batch -> one transaction; what is too old -> fewer rows.
 * Runs in a thread.  Next room: store, which hears of it.
 */


#include "ngx_http_webhook_store_priv.h"
#include "ngx_http_webhook_scrub.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_PRUNE         200         /* rows in one step */
#define NGX_HTTP_WEBHOOK_WRITE_TURN    4           /* records, some 100 us */


typedef struct {
    ngx_http_webhook_db_t       *db;
    sqlite3_stmt                *stmt;
    int                          bound;
} ngx_http_webhook_sql_t;


static const char  *ngx_http_webhook_write_prune[] = {

    "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
    " WHERE ended > 0 AND ended < ? ORDER BY ended LIMIT ?)",

    "DELETE FROM states WHERE id IN (SELECT id FROM states"
    " WHERE seen < ? LIMIT ?)",

    "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
    " WHERE ended = 0 AND hook IN (SELECT id FROM hooks"
    " WHERE removed > 0 AND removed < ?) LIMIT ?)",

    "DELETE FROM hooks WHERE removed > 0 AND removed < ? AND ?"
    " AND NOT EXISTS (SELECT 1 FROM deliveries"
    " WHERE hook = hooks.id AND ended = 0)"
};


static ngx_int_t ngx_http_webhook_write_batch(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch);
static ngx_int_t ngx_http_webhook_write_headed(ngx_http_webhook_db_t *db);
static ngx_int_t ngx_http_webhook_write_records(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch);
static ngx_int_t ngx_http_webhook_write_state(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_state_t *rec);
static ngx_int_t ngx_http_webhook_write_slot(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_slot_t *rec);
static ngx_int_t ngx_http_webhook_write_delivery(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec);
static ngx_int_t ngx_http_webhook_write_payload(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec, u_char *p);
static ngx_int_t ngx_http_webhook_write_attempts(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec, u_char *p);
static ngx_int_t ngx_http_webhook_write_texts(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec, ngx_http_webhook_rec_attempt_t *a);
static ngx_int_t ngx_http_webhook_sql(ngx_http_webhook_sql_t *sql,
    ngx_http_webhook_db_t *db, ngx_uint_t n, const char *text);
static void ngx_http_webhook_sql_number(ngx_http_webhook_sql_t *sql,
    uint64_t n);
static void ngx_http_webhook_sql_msec(ngx_http_webhook_sql_t *sql,
    uint32_t ms);
static void ngx_http_webhook_sql_text(ngx_http_webhook_sql_t *sql, void *p,
    size_t len);
static void ngx_http_webhook_sql_blob(ngx_http_webhook_sql_t *sql, void *p,
    size_t len);
static ngx_int_t ngx_http_webhook_sql_run(ngx_http_webhook_sql_t *sql);


ngx_int_t
ngx_http_webhook_db_write(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch)
{
    ngx_int_t  rc;

    do {
        rc = ngx_http_webhook_write_batch(db, batch);

    } while (rc != NGX_OK && db->again);

    return rc;
}


/* one transaction */

static ngx_int_t
ngx_http_webhook_write_batch(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch)
{
    ngx_http_webhook_sql_t  sql;

    db->again = 0;
    db->over = 0;

    if (ngx_http_webhook_db_open(db) != NGX_OK
        || ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_BEGIN,
                                "BEGIN IMMEDIATE")
           != NGX_OK
        || ngx_http_webhook_sql_run(&sql) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_write_headed(db) == NGX_OK
        && ngx_http_webhook_write_records(db, batch) == NGX_OK
        && ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_COMMIT,
                                "COMMIT")
           == NGX_OK
        && ngx_http_webhook_sql_run(&sql) == NGX_OK)
    {
        return NGX_OK;
    }

    if (db->handle) {
        (void) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }

    if (db->full) {
        ngx_http_webhook_db_room(db);
    }

    return NGX_ERROR;
}


/* most have no headers from variables, and then none are to be deleted */

static ngx_int_t
ngx_http_webhook_write_headed(ngx_http_webhook_db_t *db)
{
    ngx_http_webhook_sql_t  sql;

    if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_HEADED,
                             "SELECT 1 FROM headers LIMIT 1")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* an error comes again where it is looked for */

    db->headed = (sqlite3_step(sql.stmt) != SQLITE_DONE);

    (void) sqlite3_reset(sql.stmt);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_write_records(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch)
{
    ngx_int_t                rc;
    ngx_uint_t               n;
    ngx_http_webhook_rec_t  *rec;

    n = 0;

    for (rec = ngx_http_webhook_batch_first(batch);
         rec < ngx_http_webhook_batch_last(batch);
         rec = ngx_http_webhook_batch_next(rec))
    {
        switch (rec->type) {

        case NGX_HTTP_WEBHOOK_REC_STATE:
            rc = ngx_http_webhook_write_state(db,
                                       (ngx_http_webhook_rec_state_t *) rec);
            break;

        case NGX_HTTP_WEBHOOK_REC_WATCH:
            rc = ngx_http_webhook_write_watch(db,
                                       (ngx_http_webhook_rec_watch_t *) rec);
            break;

        case NGX_HTTP_WEBHOOK_REC_SLOT:
            rc = ngx_http_webhook_write_slot(db,
                                       (ngx_http_webhook_rec_slot_t *) rec);
            break;

        case NGX_HTTP_WEBHOOK_REC_DELIVERY:
            rc = ngx_http_webhook_write_delivery(db,
                                     (ngx_http_webhook_rec_delivery_t *) rec);
            break;

        default: /* NGX_HTTP_WEBHOOK_REC_NONE */
            rc = NGX_OK;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        /* its worker may have the same core, and clients */

        if (++n % NGX_HTTP_WEBHOOK_WRITE_TURN == 0) {
            ngx_sched_yield();
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_write_state(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_state_t *rec)
{
    u_char                  *state;
    size_t                   len;
    ngx_http_webhook_sql_t   sql;

    if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_STATE,
            "INSERT OR REPLACE INTO states (id, key, rank, sequence, seen,"
            " state) VALUES (?, ?, ?, ?, ?, ?)")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* most have zeroes at the end, which need not be kept */

    state = (u_char *) &rec->state;
    len = sizeof(ngx_http_webhook_state_t);

    while (len && state[len - 1] == 0) {
        len--;
    }

    ngx_http_webhook_sql_number(&sql, rec->state.row);
    ngx_http_webhook_sql_blob(&sql, rec->key, 16);
    ngx_http_webhook_sql_number(&sql, rec->state.rank);
    ngx_http_webhook_sql_number(&sql, rec->state.sequence);
    ngx_http_webhook_sql_number(&sql, rec->seen);
    ngx_http_webhook_sql_blob(&sql, state, len);

    if (ngx_http_webhook_sql_run(&sql) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_write_watched(db, rec);
}


static ngx_int_t
ngx_http_webhook_write_slot(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_slot_t *rec)
{
    uint64_t                counters[10];
    ngx_http_webhook_sql_t  sql;

    if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_SLOT,
            "INSERT OR REPLACE INTO hooks"
            " (id, name, url, removed, attempts, health, counters)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(counters, rec->ended, sizeof(rec->ended));
    counters[8] = rec->recent;
    counters[9] = rec->nrecent;

    ngx_http_webhook_sql_number(&sql, rec->id);
    ngx_http_webhook_sql_text(&sql, rec->name, rec->name_len);
    ngx_http_webhook_sql_number(&sql, rec->url);
    ngx_http_webhook_sql_number(&sql, rec->removed);
    ngx_http_webhook_sql_number(&sql, rec->attempts);
    ngx_http_webhook_sql_blob(&sql, &rec->health,
                              sizeof(ngx_http_webhook_health_t));
    ngx_http_webhook_sql_blob(&sql, counters, sizeof(counters));

    return ngx_http_webhook_sql_run(&sql);
}


/* a row that ended keeps the time when it did */

static ngx_int_t
ngx_http_webhook_write_delivery(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_http_webhook_sql_t   sql;

    p = (u_char *) rec + sizeof(ngx_http_webhook_rec_delivery_t);

    if (rec->full) {
        rc = ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_INSERT,
            "INSERT INTO deliveries (created, due, ended, status, tries,"
            " attempts, base, code, duration, id, seq, uuid, hook, key, event,"
            " sequence, time, execution)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET"
            " created = excluded.created, due = excluded.due,"
            " ended = excluded.ended, status = excluded.status,"
            " tries = excluded.tries, attempts = excluded.attempts,"
            " base = excluded.base, code = excluded.code,"
            " duration = excluded.duration, seq = excluded.seq");

    } else {
        rc = ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_UPDATE,
            "UPDATE deliveries SET created = ?, due = ?,"
            " ended = CASE WHEN ?3 > 0 AND ended > 0 THEN ended ELSE ?3 END,"
            " status = ?, tries = ?, attempts = ?, base = ?, code = ?,"
            " duration = ? WHERE id = ? AND seq = ?");
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_webhook_sql_number(&sql, rec->created);
    ngx_http_webhook_sql_number(&sql, rec->due);
    ngx_http_webhook_sql_number(&sql, rec->ended);
    ngx_http_webhook_sql_number(&sql, rec->status);
    ngx_http_webhook_sql_number(&sql, rec->tries);
    ngx_http_webhook_sql_number(&sql, rec->attempts);
    ngx_http_webhook_sql_number(&sql, rec->base);
    ngx_http_webhook_sql_number(&sql, rec->code);
    ngx_http_webhook_sql_number(&sql, rec->duration);
    ngx_http_webhook_sql_number(&sql, rec->row);
    ngx_http_webhook_sql_number(&sql, rec->seq);

    if (rec->full) {
        ngx_http_webhook_sql_blob(&sql, rec->uuid, 16);
        ngx_http_webhook_sql_number(&sql, rec->hook);
        ngx_http_webhook_sql_blob(&sql, rec->key, 16);
        ngx_http_webhook_sql_number(&sql, rec->event);
        ngx_http_webhook_sql_number(&sql, rec->sequence);
        ngx_http_webhook_sql_number(&sql, rec->time);
        ngx_http_webhook_sql_text(&sql, p, rec->execution);
    }

    if (ngx_http_webhook_sql_run(&sql) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!rec->full && sqlite3_changes(db->handle) == 0) {

        /* its row has given way to others: nothing belongs to it */

        return NGX_OK;
    }

    if (rec->full) {

        if (ngx_http_webhook_write_payload(db, rec, p) != NGX_OK) {
            return NGX_ERROR;
        }

        p += ngx_align(rec->execution + rec->payload + rec->headers,
                       sizeof(uint64_t));
    }

    if (rec->ended && db->headed) {

        /* their values came from a client's request */

        if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_GONE,
                                 "DELETE FROM headers WHERE id = ?")
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_webhook_sql_number(&sql, rec->row);

        if (ngx_http_webhook_sql_run(&sql) != NGX_OK) {
            return NGX_ERROR;
        }

        if (sqlite3_changes(db->handle)) {
            db->stale = 1;
        }
    }

    return ngx_http_webhook_write_attempts(db, rec, p);
}


static ngx_int_t
ngx_http_webhook_write_payload(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec, u_char *p)
{
    ngx_http_webhook_sql_t  sql;

    if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_PAYLOAD,
            "INSERT OR REPLACE INTO payloads (id, payload) VALUES (?, ?)")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p += rec->execution;

    ngx_http_webhook_sql_number(&sql, rec->row);
    ngx_http_webhook_sql_text(&sql, p, rec->payload);

    if (ngx_http_webhook_sql_run(&sql) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rec->headers == 0 || rec->ended) {
        return NGX_OK;
    }

    db->headed = 1;

    if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_HEADERS,
            "INSERT OR REPLACE INTO headers (id, headers) VALUES (?, ?)")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p += rec->payload;

    ngx_http_webhook_sql_number(&sql, rec->row);
    ngx_http_webhook_sql_text(&sql, p, rec->headers);

    return ngx_http_webhook_sql_run(&sql);
}


/* the latest comes first; those that are known stay as they are */

static ngx_int_t
ngx_http_webhook_write_attempts(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec, u_char *p)
{
    uint32_t                         i;
    ngx_http_webhook_sql_t           sql;
    ngx_http_webhook_rec_attempt_t  *a;

    for (i = 0; i < rec->nattempts; i++) {
        a = (ngx_http_webhook_rec_attempt_t *) p;

        if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_ATTEMPT,
                "INSERT OR IGNORE INTO attempts (id, number, started, status,"
                " error, dns, connect, tls, first_byte, total, reused, peer,"
                " message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_webhook_sql_number(&sql, rec->row);
        ngx_http_webhook_sql_number(&sql, a->number);
        ngx_http_webhook_sql_number(&sql, a->started);
        ngx_http_webhook_sql_number(&sql, a->status);
        ngx_http_webhook_sql_number(&sql, a->error);
        ngx_http_webhook_sql_msec(&sql, a->dns);
        ngx_http_webhook_sql_msec(&sql, a->connect);
        ngx_http_webhook_sql_msec(&sql, a->tls);
        ngx_http_webhook_sql_msec(&sql, a->first_byte);
        ngx_http_webhook_sql_msec(&sql, a->total);
        ngx_http_webhook_sql_number(&sql, a->reused);

        p += sizeof(ngx_http_webhook_rec_attempt_t);
        ngx_http_webhook_sql_text(&sql, p, a->peer);
        ngx_http_webhook_sql_text(&sql, p + a->peer, a->message);

        if (ngx_http_webhook_sql_run(&sql) != NGX_OK
            || (i == 0
                && ngx_http_webhook_write_texts(db, rec, a) != NGX_OK))
        {
            return NGX_ERROR;
        }

        p = (u_char *) a + a->size;
    }

    return NGX_OK;
}


/* those of the latest attempt replace those of the one before */

static ngx_int_t
ngx_http_webhook_write_texts(ngx_http_webhook_db_t *db,
    ngx_http_webhook_rec_delivery_t *rec, ngx_http_webhook_rec_attempt_t *a)
{
    u_char                  *p;
    ngx_str_t                headers;
    ngx_http_webhook_sql_t   sql;

    if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_TEXTS,
            "INSERT INTO texts (id, number, sent, headers, body, size,"
            " truncated) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET number = excluded.number,"
            " sent = excluded.sent, headers = excluded.headers,"
            " body = excluded.body, size = excluded.size,"
            " truncated = excluded.truncated"
            " WHERE excluded.number > number")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = (u_char *) a + sizeof(ngx_http_webhook_rec_attempt_t)
        + a->peer + a->message;

    ngx_http_webhook_sql_number(&sql, rec->row);
    ngx_http_webhook_sql_number(&sql, a->number);

    if (a->sent) {
        ngx_http_webhook_sql_text(&sql, p, a->sent);

    } else {
        sql.bound++;
    }

    if (a->sent && a->status) {
        headers.data = p + a->sent;
        headers.len = a->headers;

        ngx_http_webhook_scrub_names(db->redact, &headers);

        /* the batch may be written once more */

        ngx_memmove(headers.data + headers.len, headers.data + a->headers,
                    a->body);
        a->headers = headers.len;

        ngx_http_webhook_sql_text(&sql, headers.data, headers.len);
        ngx_http_webhook_sql_blob(&sql, headers.data + headers.len, a->body);

    } else {
        sql.bound += 2;
    }

    ngx_http_webhook_sql_number(&sql, a->body_size);
    ngx_http_webhook_sql_number(&sql, a->truncated);

    return ngx_http_webhook_sql_run(&sql);
}


ngx_int_t
ngx_http_webhook_db_prune(ngx_http_webhook_db_t *db, uint64_t now)
{
    uint64_t                keep;
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_http_webhook_sql_t  sql;

    if (ngx_http_webhook_db_open(db) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (i = 0; i < 4; i++) {

        if (ngx_http_webhook_sql(&sql, db, NGX_HTTP_WEBHOOK_SQL_PRUNE + i,
                                 ngx_http_webhook_write_prune[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        keep = (uint64_t) db->conf->keep * 1000;

        if (i == 1) {

            /* no running execution is forgotten before the zone would */

            keep = ngx_max(keep, (uint64_t) NGX_HTTP_WEBHOOK_STATE_KEEP
                                 * 3600 * 1000);

        } else if (i > 1) {
            keep = NGX_HTTP_WEBHOOK_SLOT_KEEP;
        }

        ngx_http_webhook_sql_number(&sql, (now > keep) ? now - keep : 0);
        ngx_http_webhook_sql_number(&sql, NGX_HTTP_WEBHOOK_PRUNE);

        if (ngx_http_webhook_sql_run(&sql) != NGX_OK) {
            return NGX_ERROR;
        }

        if (sqlite3_changes(db->handle) == NGX_HTTP_WEBHOOK_PRUNE) {
            rc = NGX_AGAIN;
        }
    }

    if (rc == NGX_OK) {
        ngx_http_webhook_db_wipe(db);
    }

    return rc;
}


static ngx_int_t
ngx_http_webhook_sql(ngx_http_webhook_sql_t *sql, ngx_http_webhook_db_t *db,
    ngx_uint_t n, const char *text)
{
    sql->db = db;
    sql->bound = 0;
    sql->stmt = ngx_http_webhook_db_statement(db, n, text);

    if (sql->stmt == NULL) {
        return NGX_ERROR;
    }

    (void) sqlite3_clear_bindings(sql->stmt);

    return NGX_OK;
}


static void
ngx_http_webhook_sql_number(ngx_http_webhook_sql_t *sql, uint64_t n)
{
    (void) sqlite3_bind_int64(sql->stmt, ++sql->bound, (sqlite3_int64) n);
}


/* -1: unknown */

static void
ngx_http_webhook_sql_msec(ngx_http_webhook_sql_t *sql, uint32_t ms)
{
    sql->bound++;

    if (ms != (uint32_t) -1) {
        (void) sqlite3_bind_int64(sql->stmt, sql->bound, ms);
    }
}


static void
ngx_http_webhook_sql_text(ngx_http_webhook_sql_t *sql, void *p, size_t len)
{
    (void) sqlite3_bind_text64(sql->stmt, ++sql->bound, p, len, SQLITE_STATIC,
                               SQLITE_UTF8);
}


static void
ngx_http_webhook_sql_blob(ngx_http_webhook_sql_t *sql, void *p, size_t len)
{
    (void) sqlite3_bind_blob64(sql->stmt, ++sql->bound, p, len, SQLITE_STATIC);
}


/* what could not be bound is NULL, which the columns refuse */

static ngx_int_t
ngx_http_webhook_sql_run(ngx_http_webhook_sql_t *sql)
{
    int  rc;

    rc = sqlite3_step(sql->stmt);

    if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
        (void) sqlite3_reset(sql->stmt);
        return NGX_OK;
    }

    /* db_failed() may close all that is prepared */

    ngx_http_webhook_db_failed(sql->db, rc);

    if (sql->db->handle) {
        (void) sqlite3_reset(sql->stmt);
    }

    return NGX_ERROR;
}


#endif
