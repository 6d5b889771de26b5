
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_user: in: a process of root that is to open a file in the store's
 * directory; out: it has no more rights to files than workers, whose own the
 * directory is: no link in it leads to what is root's.  Before that, what is to
 * be workers' own there becomes it.  Next rooms: store_lock, store_db.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sys/fsuid.h>


static ngx_uint_t ngx_http_webhook_user_other(ngx_http_webhook_store_t *conf);
static void ngx_http_webhook_user_give(ngx_http_webhook_store_t *conf,
    u_char *name);


void
ngx_http_webhook_store_user(ngx_cycle_t *cycle,
    ngx_http_webhook_store_t *conf)
{
    u_char           *p, name[NGX_MAX_PATH];
    ngx_uint_t        i;
    ngx_core_conf_t  *ccf;

    static const char  *tails[] = { "", "-wal", "-shm" };

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    conf->user = ccf->user;
    conf->group = ccf->group;

    if (!ngx_http_webhook_user_other(conf)) {
        return;
    }

    for (i = 0; i < 3; i++) {
        p = ngx_snprintf(name, NGX_MAX_PATH - 1, "%V%s", &conf->name,
                         tails[i]);
        *p = '\0';

        ngx_http_webhook_user_give(conf, name);
    }

    ngx_http_webhook_user_give(conf, conf->lock.data);
}


void
ngx_http_webhook_user_enter(ngx_http_webhook_store_t *conf)
{
    if (!ngx_http_webhook_user_other(conf)) {
        return;
    }

    (void) setfsgid(conf->group);
    (void) setfsuid(conf->user);
}


void
ngx_http_webhook_user_leave(ngx_http_webhook_store_t *conf)
{
    if (!ngx_http_webhook_user_other(conf)) {
        return;
    }

    (void) setfsuid(geteuid());
    (void) setfsgid(getegid());
}


static ngx_uint_t
ngx_http_webhook_user_other(ngx_http_webhook_store_t *conf)
{
    return geteuid() == 0
           && conf->user != 0
           && conf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT;
}


/*
 * What root has put there, a backup say, is for workers, and so is what those
 * of another "user" had, whose directory it was.  Where a file has another name
 * it is another's.  It is not opened: to close it again would end all locks
 * that this process has on it.
 */

static void
ngx_http_webhook_user_give(ngx_http_webhook_store_t *conf, u_char *name)
{
    ngx_fd_t     fd;
    struct stat  st;

    fd = open((char *) name, O_PATH|O_NOFOLLOW|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return;
    }

    if (fstat(fd, &st) == 0
        && S_ISREG(st.st_mode)
        && st.st_uid != conf->user
        && (st.st_uid == 0 || st.st_uid == conf->former)
        && st.st_nlink == 1
        && fchownat(fd, "", conf->user, conf->group, AT_EMPTY_PATH) == -1)
    {
        /* who opens it will say what cannot be written */
    }

    (void) ngx_close_file(fd);
}


#else


void
ngx_http_webhook_store_user(ngx_cycle_t *cycle,
    ngx_http_webhook_store_t *conf)
{
    /* void */
}


#endif
