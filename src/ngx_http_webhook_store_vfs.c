
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_vfs: what SQLite writes -> the file, as ever, with the core offered to
 * others every few pages: on that of its worker, a commit or a checkpoint would
 * keep clients waiting for some ms.  Next room: none, SQLite's own.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_VFS_WRITES    16          /* between two offers */


static int ngx_http_webhook_vfs_open(sqlite3_vfs *vfs, const char *name,
    sqlite3_file *file, int flags, int *got);
static int ngx_http_webhook_vfs_write(sqlite3_file *file, const void *p,
    int size, sqlite3_int64 offset);


/* SQLite has others for the file than for its log, which needs no locks */

typedef struct {
    const sqlite3_io_methods  *real;
    sqlite3_io_methods         ours;
} ngx_http_webhook_vfs_methods_t;


static sqlite3_vfs                     ngx_http_webhook_vfs;
static sqlite3_vfs                    *ngx_http_webhook_vfs_real;
static ngx_http_webhook_vfs_methods_t  ngx_http_webhook_vfs_methods[2];


/*
 * It is known by name only while a connection is made: this module may be
 * unloaded, and SQLite stay.
 */

int
ngx_http_webhook_db_connect(u_char *name, void **handle)
{
    int           rc;
    sqlite3_vfs  *vfs;

    vfs = &ngx_http_webhook_vfs;

    if (ngx_http_webhook_vfs_real == NULL) {
        ngx_http_webhook_vfs_real = sqlite3_vfs_find(NULL);

        if (ngx_http_webhook_vfs_real == NULL) {
            return SQLITE_ERROR;
        }

        *vfs = *ngx_http_webhook_vfs_real;

        vfs->zName = "ngx_http_webhook";
        vfs->xOpen = ngx_http_webhook_vfs_open;
        vfs->pNext = NULL;
    }

    rc = sqlite3_vfs_register(vfs, 0);

    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = sqlite3_open_v2((char *) name, (sqlite3 **) handle,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                         vfs->zName);

    (void) sqlite3_vfs_unregister(vfs);

    return rc;
}


static int
ngx_http_webhook_vfs_open(sqlite3_vfs *vfs, const char *name,
    sqlite3_file *file, int flags, int *got)
{
    int                              rc;
    ngx_http_webhook_vfs_methods_t  *methods;

    rc = ngx_http_webhook_vfs_real->xOpen(vfs, name, file, flags, got);

    if (rc != SQLITE_OK || !(flags & (SQLITE_OPEN_MAIN_DB|SQLITE_OPEN_WAL))) {
        return rc;
    }

    methods = &ngx_http_webhook_vfs_methods[(flags & SQLITE_OPEN_WAL) != 0];

    if (methods->real == NULL) {
        methods->real = file->pMethods;

        methods->ours = *file->pMethods;
        methods->ours.xWrite = ngx_http_webhook_vfs_write;
    }

    if (methods->real == file->pMethods) {
        file->pMethods = &methods->ours;
    }

    return SQLITE_OK;
}


static int
ngx_http_webhook_vfs_write(sqlite3_file *file, const void *p, int size,
    sqlite3_int64 offset)
{
    ngx_http_webhook_vfs_methods_t  *methods;

    static ngx_uint_t  writes;

    if (++writes % NGX_HTTP_WEBHOOK_VFS_WRITES == 0) {
        ngx_sched_yield();
    }

    methods = ngx_http_webhook_vfs_methods;

    if (file->pMethods != &methods->ours) {
        methods++;
    }

    return methods->real->xWrite(file, p, size, offset);
}


#endif
