
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_layout: an open file -> one of our layout: a new one is laid out, an
 * older one is turned into ours, a newer one is left alone.  Rows that come new
 * stand together, whatever their UUIDs, keys and ids of executions are: else
 * each would cost a page of its own.  Next room: store_db.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_DB_LAYOUT     2           /* user_version */


static int ngx_http_webhook_layout_version(ngx_http_webhook_db_t *db,
    int *version);
static ngx_int_t ngx_http_webhook_layout_make(ngx_http_webhook_db_t *db,
    int version);


/* these are as they were in layout 1; times are ms since 1970 */

static const char  ngx_http_webhook_layout_old[] =
    "CREATE TABLE hooks ("
        "id INTEGER PRIMARY KEY, name TEXT NOT NULL, url INTEGER NOT NULL,"
        "removed INTEGER NOT NULL, attempts INTEGER NOT NULL,"
        "health BLOB NOT NULL, counters BLOB NOT NULL);"

    "CREATE TABLE attempts ("
        "id INTEGER NOT NULL, number INTEGER NOT NULL,"
        "started INTEGER NOT NULL, status INTEGER NOT NULL,"
        "error INTEGER NOT NULL, dns INTEGER, connect INTEGER, tls INTEGER,"
        "first_byte INTEGER, total INTEGER, reused INTEGER NOT NULL,"
        "peer TEXT NOT NULL, message TEXT NOT NULL,"
        "PRIMARY KEY (id, number)) WITHOUT ROWID;";


static const char  ngx_http_webhook_layout_new[] =

    /*
     * id: a number that the zone gave.  A state that was forgotten and came
     * again has two rows; the one with the larger id counts.
     */

    "CREATE TABLE states ("
        "id INTEGER PRIMARY KEY, key BLOB NOT NULL, rank INTEGER NOT NULL,"
        "sequence INTEGER NOT NULL, seen INTEGER NOT NULL,"
        "state BLOB NOT NULL);"
    "CREATE INDEX states_seen ON states (seen);"

    /* executions that are asked for; gone when they are final */

    "CREATE TABLE watches ("
        "key BLOB PRIMARY KEY, until INTEGER NOT NULL,"
        "token INTEGER NOT NULL, interval INTEGER NOT NULL,"
        "server INTEGER NOT NULL, api INTEGER NOT NULL,"
        "route INTEGER NOT NULL, realm BLOB, uri BLOB, body BLOB)"
        " WITHOUT ROWID;"

    /*
     * seq: its place among all of them, another one after each redelivery by
     * hand, while id stays.  ended 0: it is waiting.
     */

    "CREATE TABLE deliveries ("
        "id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, uuid BLOB NOT NULL,"
        "hook INTEGER NOT NULL, key BLOB NOT NULL,"
        "event INTEGER NOT NULL, sequence INTEGER NOT NULL,"
        "time INTEGER NOT NULL, execution TEXT NOT NULL,"
        "created INTEGER NOT NULL, due INTEGER NOT NULL,"
        "ended INTEGER NOT NULL, status INTEGER NOT NULL,"
        "tries INTEGER NOT NULL, attempts INTEGER NOT NULL,"
        "base INTEGER NOT NULL, code INTEGER NOT NULL,"
        "duration INTEGER NOT NULL);"
    "CREATE INDEX deliveries_seq ON deliveries (seq);"
    "CREATE INDEX deliveries_hook ON deliveries (hook, seq);"
    "CREATE INDEX deliveries_open ON deliveries (hook, seq) WHERE ended = 0;"
    "CREATE INDEX deliveries_ended ON deliveries (ended) WHERE ended > 0;"

    /* for a look-up, 4096 numbers after the other */

    "CREATE INDEX deliveries_uuid ON deliveries (seq >> 12, uuid);"
    "CREATE INDEX deliveries_execution ON deliveries (seq >> 12, execution);"

    "CREATE TABLE payloads (id INTEGER PRIMARY KEY, payload TEXT NOT NULL);"

    /* evaluated from variables: of those that wait alone */

    "CREATE TABLE headers (id INTEGER PRIMARY KEY, headers TEXT NOT NULL);"

    /*
     * Of the latest attempt: request headers, response headers and body,
     * without secrets; NULL: not known.  size: bytes of the body as it came.
     */

    "CREATE TABLE texts ("
        "id INTEGER PRIMARY KEY, number INTEGER NOT NULL, sent TEXT,"
        "headers TEXT, body BLOB, size INTEGER NOT NULL,"
        "truncated INTEGER NOT NULL);"

    "CREATE TRIGGER deliveries_gone AFTER DELETE ON deliveries BEGIN "
        "DELETE FROM payloads WHERE id = old.id;"
        "DELETE FROM headers WHERE id = old.id;"
        "DELETE FROM attempts WHERE id = old.id;"
        "DELETE FROM texts WHERE id = old.id;"
    "END;"

    "PRAGMA user_version = 2;";


static const char  ngx_http_webhook_layout_from_1[] =
    "DROP TRIGGER deliveries_gone;"
    "DROP INDEX deliveries_seq;"
    "DROP INDEX deliveries_open;"
    "DROP INDEX deliveries_ended;"
    "DROP INDEX states_seen;"
    "ALTER TABLE states RENAME TO states_1;"
    "ALTER TABLE deliveries RENAME TO deliveries_1;"
    "ALTER TABLE payloads RENAME TO payloads_1;";


/* messages of layout 1 had not been searched for secrets */

static const char  ngx_http_webhook_layout_moved[] =
    "INSERT INTO states (key, rank, sequence, seen, state)"
        " SELECT key, rank, sequence, seen, state FROM states_1 ORDER BY seen;"
    "INSERT INTO deliveries SELECT id, seq, uuid, hook, key, event, sequence,"
        " time, execution, created, due, ended, status, tries, attempts, base,"
        " code, duration FROM deliveries_1;"
    "INSERT INTO headers SELECT id, headers FROM payloads_1"
        " WHERE headers NOT NULL;"
    "INSERT INTO payloads SELECT id, payload FROM payloads_1;"
    "UPDATE attempts SET message = '';"
    "DROP TABLE states_1;"
    "DROP TABLE deliveries_1;"
    "DROP TABLE payloads_1;";


ngx_int_t
ngx_http_webhook_db_layout(ngx_http_webhook_db_t *db)
{
    int      rc, version;
    u_char  *p;

    rc = ngx_http_webhook_layout_version(db, &version);

    if (rc != SQLITE_OK) {
        ngx_http_webhook_db_failed(db, rc);
        return NGX_ERROR;
    }

    if (version == NGX_HTTP_WEBHOOK_DB_LAYOUT) {
        return NGX_OK;
    }

    if (version == 0
        || (version > 0 && version < NGX_HTTP_WEBHOOK_DB_LAYOUT && db->ours))
    {
        return NGX_AGAIN;
    }

    db->foreign = (version < 0 || version > NGX_HTTP_WEBHOOK_DB_LAYOUT);

    p = ngx_snprintf(db->error, sizeof(db->error) - 1,
                     db->foreign ? "its layout is %d, known are those up to %d"
                                 : "its layout is %d, not %d, and another "
                                   "process writes it",
                     version, NGX_HTTP_WEBHOOK_DB_LAYOUT);
    *p = '\0';

    return NGX_ERROR;
}


ngx_int_t
ngx_http_webhook_db_lay_out(ngx_http_webhook_db_t *db)
{
    int        rc, version;
    ngx_int_t  made;

    if (ngx_http_webhook_db_exec(db, "BEGIN IMMEDIATE") != NGX_OK) {
        return NGX_ERROR;
    }

    /* another process may have been first */

    rc = ngx_http_webhook_layout_version(db, &version);

    if (rc != SQLITE_OK) {
        ngx_http_webhook_db_failed(db, rc);
        return NGX_ERROR;
    }

    made = ngx_http_webhook_layout_make(db, version);

    if (made != NGX_OK || ngx_http_webhook_db_exec(db, "COMMIT") != NGX_OK) {
        return NGX_ERROR;
    }

    if (version == 1) {

        /* what was deleted before may still stand in free pages */

        (void) sqlite3_exec(db->handle, "VACUUM", NULL, NULL, NULL);
        (void) sqlite3_wal_checkpoint_v2(db->handle, NULL,
                                         SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                         NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_layout_make(ngx_http_webhook_db_t *db, int version)
{
    switch (version) {

    case 0:
        if (ngx_http_webhook_db_exec(db, ngx_http_webhook_layout_old)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_webhook_db_exec(db, ngx_http_webhook_layout_new);

    case 1:
        if (ngx_http_webhook_db_exec(db, ngx_http_webhook_layout_from_1)
            != NGX_OK
            || ngx_http_webhook_db_exec(db, ngx_http_webhook_layout_new)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_webhook_db_exec(db, ngx_http_webhook_layout_moved);

    default:
        return NGX_OK;
    }
}


static int
ngx_http_webhook_layout_version(ngx_http_webhook_db_t *db, int *version)
{
    int            rc;
    sqlite3_stmt  *stmt;

    *version = 0;

    rc = sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &stmt,
                            NULL);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (sqlite3_step(stmt) == SQLITE_ROW) {
        *version = sqlite3_column_int(stmt, 0);
    }

    return sqlite3_finalize(stmt);
}


#endif
