
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_db: the name of a file -> an open database of our layout.  What is
 * damaged is set aside and a new one begun.  Runs in a thread: nothing of nginx
 * is used but plain functions.  Next rooms: store_layout, store_write,
 * store_read.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_DB_PAGE       4096        /* bytes */
#define NGX_HTTP_WEBHOOK_DB_WAL        (4 * 1024 * 1024)  /* bytes, kept */
#define NGX_HTTP_WEBHOOK_DB_CACHE      8192        /* KB */
#define NGX_HTTP_WEBHOOK_DB_PATIENCE   2000        /* ms, if another writes */


static ngx_int_t ngx_http_webhook_db_try(ngx_http_webhook_db_t *db);
static ngx_int_t ngx_http_webhook_db_moved(ngx_http_webhook_db_t *db);
static ngx_int_t ngx_http_webhook_db_logged(ngx_http_webhook_db_t *db);
static uint64_t ngx_http_webhook_db_log(ngx_http_webhook_db_t *db);
static void ngx_http_webhook_db_begun(ngx_http_webhook_db_t *db);
static void ngx_http_webhook_db_rest(ngx_http_webhook_db_t *db);
static void ngx_http_webhook_db_aside(ngx_http_webhook_db_t *db);


static const char  *ngx_http_webhook_db_tails[] = { "-wal", "-shm" };


void
ngx_http_webhook_db_init(void)
{
    (void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}


ngx_int_t
ngx_http_webhook_db_open(ngx_http_webhook_db_t *db)
{
    ngx_int_t  rc;

    if (db->handle) {

        rc = ngx_http_webhook_db_moved(db);

        if (rc == NGX_OK) {
            rc = ngx_http_webhook_db_logged(db);

            if (rc != NGX_DECLINED) {
                return rc;
            }

        } else if (rc == NGX_DECLINED) {
            db->moved = 1;
            ngx_http_webhook_db_aside(db);

        } else {

            /* with its directory, it may come back */

            ngx_http_webhook_db_close(db);
        }
    }

    ngx_http_webhook_user_enter(db->conf);

    rc = ngx_http_webhook_db_try(db);

    if (rc == NGX_ERROR && db->suspect) {
        rc = ngx_http_webhook_db_try(db);
    }

    if (rc == NGX_DECLINED) {

        /* it was set aside */

        rc = ngx_http_webhook_db_try(db);
    }

    ngx_http_webhook_user_leave(db->conf);

    return (rc == NGX_OK) ? NGX_OK : NGX_ERROR;
}


/* NGX_ABORT: somebody has removed the file; NGX_DECLINED: it is another one */

static ngx_int_t
ngx_http_webhook_db_moved(ngx_http_webhook_db_t *db)
{
    ngx_file_info_t  fi;

    /* SQLite knows it by what links led to then */

    if (ngx_file_info(db->conf->name.data, &fi) == NGX_FILE_ERROR) {
        return (ngx_errno == NGX_ENOENT) ? NGX_ABORT : NGX_OK;
    }

    if (db->file && db->file != ngx_http_webhook_store_file(&fi)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * NGX_DECLINED: somebody has removed its log or the index of that, which SQLite
 * does not notice; all is in the file, and new ones are to be begun
 */

static ngx_int_t
ngx_http_webhook_db_logged(ngx_http_webhook_db_t *db)
{
    int  rc;

    if (db->log == ngx_http_webhook_db_log(db)) {
        return NGX_OK;
    }

    rc = sqlite3_wal_checkpoint_v2(db->handle, NULL,
                                   SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    if (rc != SQLITE_OK) {
        ngx_http_webhook_db_failed(db, rc);
        return NGX_ERROR;
    }

    ngx_http_webhook_db_close(db);
    ngx_http_webhook_db_rest(db);

    db->cut = 1;

    return NGX_DECLINED;
}


/* a number for both; the same as before, if that cannot be told */

static uint64_t
ngx_http_webhook_db_log(ngx_http_webhook_db_t *db)
{
    u_char           *p, name[NGX_MAX_PATH];
    uint64_t          n;
    ngx_uint_t        i;
    ngx_file_info_t   fi;

    n = 0;

    for (i = 0; i < 2; i++) {
        p = ngx_snprintf(name, NGX_MAX_PATH - 1, "%V%s", &db->conf->name,
                         ngx_http_webhook_db_tails[i]);
        *p = '\0';

        n *= 31;

        if (ngx_file_info(name, &fi) != NGX_FILE_ERROR) {
            n += ngx_http_webhook_store_file(&fi);

        } else if (ngx_errno != NGX_ENOENT) {
            return db->log;
        }
    }

    return n;
}


/* NGX_DECLINED: the file was damaged, and is now elsewhere */

static ngx_int_t
ngx_http_webhook_db_try(ngx_http_webhook_db_t *db)
{
    int                        rc;
    char                       sql[256];
    u_char                    *p;
    ngx_fd_t                   fd;
    ngx_int_t                  known;
    ngx_uint_t                 damaged;
    ngx_file_info_t            fi;
    ngx_http_webhook_store_t  *conf;

    conf = db->conf;
    damaged = db->damaged;

    /*
     * Made here, so that no one else ever may read it.  One that is there is
     * not opened: to close it again would end all locks that this process has
     * on it, those of a connection that reads, too.
     */

    if (ngx_file_info(conf->name.data, &fi) == NGX_FILE_ERROR) {

        fd = ngx_open_file(conf->name.data, NGX_FILE_RDWR,
                           NGX_FILE_CREATE_OR_OPEN, NGX_FILE_OWNER_ACCESS);

        if (fd == NGX_INVALID_FILE) {
            p = ngx_snprintf(db->error, sizeof(db->error) - 1,
                             "the file cannot be opened: %s", strerror(errno));
            *p = '\0';
            return NGX_ERROR;
        }

        (void) ngx_close_file(fd);

        if (db->file) {
            ngx_http_webhook_db_begun(db);
        }

    } else if (db->file && db->file != ngx_http_webhook_store_file(&fi)) {
        db->file = 0;
        db->moved = 0;
        db->other = 1;
        db->damaged++;
    }

    rc = ngx_http_webhook_db_connect(conf->name.data, &db->handle);

    if (rc != SQLITE_OK) {
        goto failed;
    }

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, db->ours ? 0
                                     : NGX_HTTP_WEBHOOK_DB_PATIENCE);

    known = ngx_http_webhook_db_layout(db);

    if (known == NGX_ERROR
        || ngx_http_webhook_db_exec(db, "PRAGMA journal_mode = WAL") != NGX_OK)
    {
        goto ended;
    }

    p = ngx_snprintf((u_char *) sql, sizeof(sql) - 1,
                     "PRAGMA synchronous = %s; PRAGMA journal_size_limit = %d;"
                     "PRAGMA secure_delete = 1; PRAGMA cache_size = -%d",
                     conf->full ? "FULL" : "NORMAL",
                     NGX_HTTP_WEBHOOK_DB_WAL, NGX_HTTP_WEBHOOK_DB_CACHE);
    *p = '\0';

    if (ngx_http_webhook_db_exec(db, sql) != NGX_OK
        || (known == NGX_AGAIN && ngx_http_webhook_db_lay_out(db) != NGX_OK))
    {
        goto ended;
    }

    /* what an older layout takes beyond that is gone by now */

    p = ngx_snprintf((u_char *) sql, sizeof(sql) - 1,
                     "PRAGMA max_page_count = %O",
                     conf->size ? conf->size / NGX_HTTP_WEBHOOK_DB_PAGE
                                : (off_t) 0xfffffffe);
    *p = '\0';

    if (ngx_http_webhook_db_exec(db, sql) != NGX_OK) {
        goto ended;
    }

    if (ngx_file_info(conf->name.data, &fi) != NGX_FILE_ERROR) {
        db->file = ngx_http_webhook_store_file(&fi);
    }

    db->log = ngx_http_webhook_db_log(db);

    /* who had it before may have been killed */

    db->stale = 1;

    return NGX_OK;

failed:

    ngx_http_webhook_db_failed(db, rc);

ended:

    ngx_http_webhook_db_close(db);

    return (db->damaged != damaged) ? NGX_DECLINED : NGX_ERROR;
}


void
ngx_http_webhook_db_wipe(ngx_http_webhook_db_t *db)
{
    int  rc;

    if (db->handle == NULL) {
        return;
    }

    rc = sqlite3_wal_checkpoint_v2(db->handle, NULL,
                                   SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    if (rc == SQLITE_OK) {
        db->stale = 0;
    }
}


ngx_int_t
ngx_http_webhook_db_exec(ngx_http_webhook_db_t *db, const char *sql)
{
    int  rc;

    rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    if (rc == SQLITE_OK) {
        return NGX_OK;
    }

    ngx_http_webhook_db_failed(db, rc);

    return NGX_ERROR;
}


void
ngx_http_webhook_db_close(ngx_http_webhook_db_t *db)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_WEBHOOK_DB_STATEMENTS; i++) {
        (void) sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }

    (void) sqlite3_close_v2(db->handle);
    db->handle = NULL;
}


void
ngx_http_webhook_db_failed(ngx_http_webhook_db_t *db, ngx_int_t rc)
{
    int      err;
    u_char  *p;

    /* of calls that failed SQLite says no more than that they did */

    err = 0;

    if (db->handle
        && ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN)
        && rc != SQLITE_IOERR_SHORT_READ && rc != SQLITE_IOERR_NOMEM)
    {
        err = sqlite3_system_errno(db->handle);
    }

    p = ngx_snprintf(db->error, sizeof(db->error) - 1, "%s (%i)%s%s",
                     db->handle ? sqlite3_errmsg(db->handle)
                                : sqlite3_errstr(rc), rc,
                     err ? ": " : "", err ? strerror(err) : "");
    *p = '\0';

    rc &= 0xff;

    db->full = (rc == SQLITE_FULL);

    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {

        /* SQLite says so of a disk that fails, too (EIO), perhaps just once */

        if (!db->suspect) {
            db->suspect = 1;
            ngx_http_webhook_db_close(db);
            return;
        }

        db->suspect = 0;
        db->moved = 0;
        ngx_http_webhook_db_aside(db);
        return;
    }

    /* the file may be another one next time, and its locks are let go of */

    if (rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY
        || rc == SQLITE_PROTOCOL)
    {
        ngx_http_webhook_db_close(db);
    }
}


/* a new one is begun: what belongs to that which was removed goes, too */

static void
ngx_http_webhook_db_begun(ngx_http_webhook_db_t *db)
{
    ngx_http_webhook_db_rest(db);

    db->file = 0;
    db->other = 0;
    db->aside[0] = '\0';
    db->damaged++;
}


static void
ngx_http_webhook_db_rest(ngx_http_webhook_db_t *db)
{
    u_char      *p, name[NGX_MAX_PATH];
    ngx_uint_t   i;

    for (i = 0; i < 2; i++) {
        p = ngx_snprintf(name, NGX_MAX_PATH - 1, "%V%s", &db->conf->name,
                         ngx_http_webhook_db_tails[i]);
        *p = '\0';

        (void) ngx_delete_file(name);
    }
}


/*
 * "a.db" -> "a.db.damaged-TIME", with what belongs to it; db->aside is empty if
 * nothing was there
 */

static void
ngx_http_webhook_db_aside(ngx_http_webhook_db_t *db)
{
    u_char      *p, from[NGX_MAX_PATH], to[NGX_MAX_PATH];
    time_t       now;
    ngx_uint_t   i;

    static const char  *tails[] = { "", "-wal", "-shm" };

    ngx_http_webhook_db_close(db);

    /* one that was set aside before stays, too */

    now = time(NULL);

    do {
        p = ngx_snprintf(db->aside, NGX_MAX_PATH - 8, "%V.damaged-%T",
                         &db->conf->name, now++);
        *p = '\0';

    } while (access((char *) db->aside, F_OK) == 0);

    for (i = 0; i < 3; i++) {
        p = ngx_snprintf(from, NGX_MAX_PATH - 1, "%V%s", &db->conf->name,
                         tails[i]);
        *p = '\0';

        p = ngx_snprintf(to, NGX_MAX_PATH - 1, "%s%s", db->aside, tails[i]);
        *p = '\0';

        if (ngx_rename_file(from, to) == NGX_FILE_ERROR && i == 0) {

            if (ngx_errno == NGX_ENOENT) {
                ngx_http_webhook_db_begun(db);
            }

            return;
        }
    }

    db->file = 0;
    db->other = 0;
    db->damaged++;
}


void *
ngx_http_webhook_db_statement(ngx_http_webhook_db_t *db, ngx_uint_t n,
    const char *sql)
{
    int            rc;
    sqlite3_stmt  *stmt;

    if (db->handle == NULL) {
        return NULL;
    }

    if (db->statements[n]) {
        (void) sqlite3_reset(db->statements[n]);
        return db->statements[n];
    }

    rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                            &stmt, NULL);

    if (rc != SQLITE_OK) {
        ngx_http_webhook_db_failed(db, rc);
        return NULL;
    }

    db->statements[n] = stmt;

    return stmt;
}


#endif
