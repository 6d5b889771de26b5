
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_conf: the directive webhook_store -> where the file is, and how it is
 * kept.  Nothing is opened here; the directory is made by nginx, as those of
 * temporary files are.  Next room: store.
 */


#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_store.h"


#if (NGX_HTTP_WEBHOOK_SQLITE)

static ngx_int_t ngx_http_webhook_store_above(ngx_conf_t *cf, ngx_str_t *dir);
static ngx_int_t ngx_http_webhook_store_parameter(ngx_conf_t *cf,
    ngx_http_webhook_store_t *store, ngx_str_t *value);
static ngx_int_t ngx_http_webhook_store_name(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *dir, const char *file);


char *
ngx_http_webhook_set_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_main_conf_t *mcf = conf;

    ngx_str_t                 *value, dir;
    ngx_uint_t                 i;
    ngx_path_t                *path;
    ngx_file_info_t            fi;
    ngx_http_webhook_store_t  *store;

    if (mcf->store) {
        return "is duplicate";
    }

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_store_t));
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    store->full = 1;
    store->keep = NGX_HTTP_WEBHOOK_STORE_KEEP;
    store->user = (ngx_uid_t) NGX_CONF_UNSET_UINT;

    value = cf->args->elts;

    dir = value[1];

    if (ngx_strcmp(dir.data, "off") == 0) {
        return "must name a directory; without the directive there is no store";
    }

    if (ngx_strlchr(dir.data, dir.data + dir.len, '$')) {
        return "cannot have variables";
    }

    while (dir.len > 1 && dir.data[dir.len - 1] == '/') {
        dir.data[--dir.len] = '\0';
    }

    if (dir.len == 0) {
        return "has an empty directory";
    }

    if (ngx_conf_full_name(cf->cycle, &dir, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (dir.len > NGX_MAX_PATH - 64) {
        return "has too long a directory";
    }

    if (ngx_file_info(dir.data, &fi) == NGX_FILE_ERROR) {

        if (ngx_http_webhook_store_above(cf, &dir) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

    } else {

        if (!ngx_is_dir(&fi)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is not a directory", &dir);
            return NGX_CONF_ERROR;
        }

        /* the master, of root, will give it to its workers */

        store->former = fi.st_uid;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_webhook_store_parameter(cf, store, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": \"sync=full\", "
                               "\"sync=normal\", \"keep=TIME\" or "
                               "\"size=SIZE\" (at least %dm) is expected",
                               &value[i],
                               NGX_HTTP_WEBHOOK_STORE_MIN / 1024 / 1024);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_webhook_store_name(cf, &store->name, &dir, "webhooks.db")
        != NGX_OK
        || ngx_http_webhook_store_name(cf, &store->lock, &dir, "lock")
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    path = &store->path;

    path->name = dir;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    if (ngx_add_path(cf, &path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_thread_pool_add(cf, NULL) == NULL) {
        return NGX_CONF_ERROR;
    }

    mcf->store = store;

    return NGX_CONF_OK;
}


/*
 * The directory is made once all is read, and if that fails nginx does not say
 * by which line.  It makes those of other directives, in their order.
 */

static ngx_int_t
ngx_http_webhook_store_above(ngx_conf_t *cf, ngx_str_t *dir)
{
    size_t        len;
    u_char       *above;
    ngx_uint_t    i;
    ngx_path_t  **path;

    len = dir->len;

    while (dir->data[len - 1] != '/') {
        len--;
    }

    above = ngx_pnalloc(cf->pool, len + 1);
    if (above == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(above, dir->data, len + 1);

    path = cf->cycle->paths.elts;

    for (i = 0; i < cf->cycle->paths.nelts; i++) {
        if (path[i]->name.len == len - 1
            && ngx_strncmp(path[i]->name.data, above, len - 1) == 0)
        {
            return NGX_OK;
        }
    }

    if (access((char *) above, W_OK|X_OK) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "directory \"%V\" cannot be made", dir);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_store_parameter(ngx_conf_t *cf,
    ngx_http_webhook_store_t *store, ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_strcmp(value->data, "sync=full") == 0) {
        store->full = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "sync=normal") == 0) {
        store->full = 0;
        return NGX_OK;
    }

    s.data = value->data + 5;
    s.len = value->len - 5;

    if (ngx_strncmp(value->data, "keep=", 5) == 0) {
        store->keep = ngx_parse_time(&s, 1);

        return (store->keep == (time_t) NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }

    if (ngx_strncmp(value->data, "size=", 5) == 0) {
        store->size = ngx_parse_offset(&s);

        return (store->size < NGX_HTTP_WEBHOOK_STORE_MIN) ? NGX_ERROR : NGX_OK;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_webhook_store_name(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *dir,
    const char *file)
{
    name->len = dir->len + 1 + ngx_strlen(file);

    name->data = ngx_pnalloc(cf->pool, name->len + 1);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(name->data, "%V/%s%Z", dir, file);

    return NGX_OK;
}


#elif !(NGX_THREADS)


char *
ngx_http_webhook_set_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return "is not available: it writes in threads, and nginx was built "
           "without them (--with-threads)";
}


#else


char *
ngx_http_webhook_set_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return "is not available: this module was built without store support "
           "(libsqlite3)";
}


#endif
