
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_user: in: a process of root that is to open a file in the store's
 * directory; out: it has no more rights to files than workers, whose own the
 * directory is: no link in it leads to what is root's.  Next rooms: store_lock,
 * store_db.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sys/fsuid.h>


static ngx_uint_t ngx_http_webhook_user_other(ngx_http_webhook_store_t *conf);
static void ngx_http_webhook_user_give(ngx_http_webhook_store_t *conf,
    ngx_str_t *name);


void
ngx_http_webhook_user_enter(ngx_http_webhook_store_t *conf, ngx_str_t *name)
{
    if (!ngx_http_webhook_user_other(conf)) {
        return;
    }

    ngx_http_webhook_user_give(conf, name);

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
 * What root has put there, a backup say, is for workers.  Where a file has
 * another name it is another's.  It is not opened: to close it again would end
 * all locks that this process has on it.
 */

static void
ngx_http_webhook_user_give(ngx_http_webhook_store_t *conf, ngx_str_t *name)
{
    ngx_fd_t     fd;
    struct stat  st;

    fd = open((char *) name->data, O_PATH|O_NOFOLLOW|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return;
    }

    if (fstat(fd, &st) == 0
        && S_ISREG(st.st_mode)
        && st.st_uid == 0
        && st.st_nlink == 1
        && fchownat(fd, "", conf->user, conf->group, AT_EMPTY_PATH) == -1)
    {
        /* who opens it will say what cannot be written */
    }

    (void) ngx_close_file(fd);
}


#endif
