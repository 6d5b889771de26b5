
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_lock: the lock file -> which process of all masters may write, whose
 * zone knows what is in the store, and whether others have that zone, too.  The
 * kernel frees all locks of a process that dies.  Next room: store.
 */


#include "ngx_http_webhook_store_job.h"

#include <sys/file.h>


#if (NGX_HTTP_WEBHOOK_SQLITE)


/* what stands in the file */

typedef struct {
    uint64_t  id;                            /* of the zone */
    uint64_t  told;                          /* another one wrote: by chance */
} ngx_http_webhook_store_note_t;


#define NGX_HTTP_WEBHOOK_STORE_HELD  ((uint64_t) -1)  /* a byte of its own */


static ngx_int_t ngx_http_webhook_store_lock_open(
    ngx_http_webhook_store_t *conf, ngx_fd_t *fd);
static ngx_uint_t ngx_http_webhook_store_lock_test(ngx_fd_t fd, uint64_t id);
static void ngx_http_webhook_store_lock_byte(struct flock *fl, int type,
    uint64_t id);


/* others can look at the byte, and need not try to get the lock for that */

ngx_int_t
ngx_http_webhook_store_lock(ngx_http_webhook_store_t *conf, ngx_fd_t *fd)
{
    struct flock  fl;

    if (ngx_http_webhook_store_lock_open(conf, fd) != NGX_OK) {
        return NGX_ERROR;
    }

    if (flock(*fd, LOCK_EX|LOCK_NB) == -1) {
        return (ngx_errno == EWOULDBLOCK) ? NGX_BUSY : NGX_ERROR;
    }

    ngx_http_webhook_store_lock_byte(&fl, F_WRLCK, NGX_HTTP_WEBHOOK_STORE_HELD);

    (void) fcntl(*fd, F_OFD_SETLK, &fl);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_store_lock_open(ngx_http_webhook_store_t *conf, ngx_fd_t *fd)
{
    ngx_err_t  err;

    if (*fd == NGX_INVALID_FILE) {
        ngx_http_webhook_user_enter(conf);

        *fd = open((char *) conf->lock.data, O_RDWR|O_CREAT|O_CLOEXEC, 0600);
        err = ngx_errno;

        ngx_http_webhook_user_leave(conf);

        if (*fd == NGX_INVALID_FILE) {
            ngx_set_errno(err);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_store_lock_left(ngx_http_webhook_store_t *conf, ngx_fd_t *fd,
    ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_store_note_t  note;

    if (ngx_http_webhook_store_lock_open(conf, fd) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_store_lock_test(*fd, NGX_HTTP_WEBHOOK_STORE_HELD)) {
        return NGX_BUSY;
    }

    if (pread(*fd, &note, sizeof(note), 0) == sizeof(note)
        && note.id != zone->sh->id
        && ngx_http_webhook_store_lock_test(*fd, note.id))
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


void
ngx_http_webhook_store_lock_claim(ngx_fd_t fd, ngx_http_webhook_zone_t *zone)
{
    size_t                         size;
    ngx_http_webhook_store_note_t  note;

    size = sizeof(uint64_t);

    if (pread(fd, &note, sizeof(note), 0) != sizeof(note)) {
        ngx_memzero(&note, sizeof(note));
        size = sizeof(note);
    }

    if (!zone->sh->loaded) {
        zone->sh->told = note.told;
    }

    if (note.id == zone->sh->id) {
        return;
    }

    /* in place: a full disk has room for that, once it was done */

    note.id = zone->sh->id;

    if (pwrite(fd, &note, size, 0) != (ssize_t) size) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, ngx_errno,
                      "the lock of webhook_store could not be written");
    }
}


ngx_int_t
ngx_http_webhook_store_lock_claimed(ngx_fd_t fd,
    ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_store_note_t  note;

    if (zone->sh->file != ngx_http_webhook_store_lock_file(fd)) {
        return NGX_ABORT;
    }

    if (pread(fd, &note, sizeof(note), 0) != sizeof(note)
        || note.id == zone->sh->id)
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


void
ngx_http_webhook_store_lock_share(ngx_fd_t fd, ngx_http_webhook_zone_t *zone)
{
    struct flock  fl;

    ngx_http_webhook_store_lock_byte(&fl, F_RDLCK, zone->sh->id);

    (void) fcntl(fd, F_OFD_SETLK, &fl);
}


ngx_uint_t
ngx_http_webhook_store_lock_shared(ngx_fd_t fd, ngx_http_webhook_zone_t *zone)
{
    return ngx_http_webhook_store_lock_test(fd, zone->sh->id);
}


void
ngx_http_webhook_store_lock_queue(ngx_fd_t fd, ngx_http_webhook_zone_t *zone)
{
    struct flock  fl;

    ngx_http_webhook_store_lock_byte(&fl, F_WRLCK, zone->sh->id);
    fl.l_start++;

    (void) fcntl(fd, F_OFD_SETLKW, &fl);
}


void
ngx_http_webhook_store_lock_tell(ngx_fd_t fd)
{
    uint64_t  told;

    told = ((uint64_t) ngx_pid << 32) ^ (uint64_t) ngx_random();

    if (pwrite(fd, &told, sizeof(uint64_t),
               offsetof(ngx_http_webhook_store_note_t, told))
        != sizeof(uint64_t))
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                      "the lock of webhook_store could not be written");
    }
}


ngx_uint_t
ngx_http_webhook_store_lock_told(ngx_fd_t fd, ngx_http_webhook_zone_t *zone)
{
    ngx_http_webhook_store_note_t  note;

    if (pread(fd, &note, sizeof(note), 0) != sizeof(note)
        || note.told == zone->sh->told)
    {
        return 0;
    }

    zone->sh->told = note.told;

    return 1;
}


/* whether another process has a lock on the byte */

static ngx_uint_t
ngx_http_webhook_store_lock_test(ngx_fd_t fd, uint64_t id)
{
    struct flock  fl;

    ngx_http_webhook_store_lock_byte(&fl, F_WRLCK, id);

    return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}


/* a zone has a byte of the file, which need not be there */

static void
ngx_http_webhook_store_lock_byte(struct flock *fl, int type, uint64_t id)
{
    ngx_memzero(fl, sizeof(struct flock));

    fl->l_type = type;
    fl->l_whence = SEEK_SET;
    fl->l_start = (off_t) (id >> 2);
    fl->l_len = 1;
}


uint64_t
ngx_http_webhook_store_lock_file(ngx_fd_t fd)
{
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    return ngx_http_webhook_store_file(&fi);
}


#endif
