
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_member_conf: "execution", "goal", "sender.email" and the like in
 * webhook_api { } -> what becomes a member of the payload.  nginx knows
 * directives by their whole names only, while those that set one member may
 * have any name.  So a file is looked through for such words before nginx
 * reads it, and each becomes a directive.  Next room: api, which reads
 * documents.
 */


#include "ngx_http_webhook_api_priv.h"


static ngx_int_t ngx_http_webhook_api_members_in(ngx_conf_t *cf, u_char *file);
static ngx_int_t ngx_http_webhook_api_members_text(
    ngx_http_webhook_api_ctx_t *ctx, u_char *text, u_char *last);
static ngx_uint_t ngx_http_webhook_api_word(u_char ch);
static ngx_int_t ngx_http_webhook_api_command(
    ngx_http_webhook_api_ctx_t *ctx, u_char *name, size_t len);
static char *ngx_http_webhook_api_member_line(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


static ngx_str_t  ngx_http_webhook_api_member_names[] = {
    ngx_string("execution"),
    ngx_string("goal"),
    ngx_string("sender"),
    ngx_string("project"),
    ngx_string("snapshot"),
    ngx_string("organization"),
    ngx_null_string
};


char *
ngx_http_webhook_api_conf_members(ngx_conf_t *cf)
{
    ngx_str_t  *name;

    for (name = ngx_http_webhook_api_member_names; name->len; name++) {

        if (ngx_http_webhook_api_command(cf->handler_conf, name->data,
                                         name->len)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_webhook_api_members_in(cf, cf->conf_file->file.name.data)
           == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_webhook_api_conf_include(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_int_t    rc;
    ngx_str_t   *value, file, name;
    ngx_glob_t   gl;

    value = cf->args->elts;
    file = value[1];

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&gl, sizeof(ngx_glob_t));

    gl.pattern = file.data;
    gl.log = cf->log;
    gl.test = 1;

    if (ngx_open_glob(&gl) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_glob_n " \"%s\" failed", file.data);
        return NGX_CONF_ERROR;
    }

    do {
        rc = ngx_read_glob(&gl, &name);

    } while (rc == NGX_OK
             && (rc = ngx_http_webhook_api_members_in(cf, name.data))
                == NGX_OK);

    ngx_close_glob(&gl);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    return ngx_conf_include(cf, cmd, conf);
}


ngx_int_t
ngx_http_webhook_api_conf_member(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t *member, ngx_str_t *part)
{
    u_char      *p, *last;
    ngx_str_t   *known;

    last = name->data + name->len;

    p = ngx_strlchr(name->data, last, '.');
    p = p ? p : last;

    known = ngx_http_webhook_api_member_names;

    for (*member = 0; known->len; known++, (*member)++) {

        if (known->len == (size_t) (p - name->data)
            && ngx_strncmp(known->data, name->data, known->len) == 0)
        {
            break;
        }
    }

    if (known->len == 0 || p + 1 == last) {
        return NGX_ERROR;
    }

    part->len = (p == last) ? 0 : last - (p + 1);

    part->data = ngx_pcalloc(cf->pool, part->len + 1);
    if (part->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(part->data, last - part->len, part->len);

    for (p = part->data; *p; p++) {
        if (!ngx_http_webhook_api_word(*p)) {
            return NGX_ERROR;
        }
    }

    return (p == part->data + part->len) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_webhook_api_members_in(ngx_conf_t *cf, u_char *file)
{
    u_char           *buf, *last;
    size_t            size;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_int_t         rc;
    ngx_file_info_t   fi;

    fd = ngx_open_file(file, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {

        /* that is for nginx to say */

        return NGX_OK;
    }

    rc = NGX_ERROR;
    buf = NULL;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%s\" failed", file);
        goto done;
    }

    size = (size_t) ngx_file_size(&fi);

    buf = ngx_alloc(size + 1, cf->log);
    if (buf == NULL) {
        goto done;
    }

    for (last = buf; size; last += n, size -= n) {

        n = ngx_read_fd(fd, last, size);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%s\" failed", file);
            goto done;
        }

        if (n == 0) {
            break;
        }
    }

    rc = ngx_http_webhook_api_members_text(cf->handler_conf, buf, last);

done:

    if (buf) {
        ngx_free(buf);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", file);
    }

    return rc;
}


static ngx_int_t
ngx_http_webhook_api_members_text(ngx_http_webhook_api_ctx_t *ctx,
    u_char *text, u_char *last)
{
    u_char     *start, *dot, *end;
    ngx_str_t  *name;

    for (dot = text; dot < last; dot++) {

        if (*dot != '.') {
            continue;
        }

        start = dot;

        while (start > text && ngx_http_webhook_api_word(start[-1])) {
            start--;
        }

        end = dot + 1;

        while (end < last && ngx_http_webhook_api_word(*end)) {
            end++;
        }

        if (end == dot + 1) {
            continue;
        }

        for (name = ngx_http_webhook_api_member_names; name->len; name++) {

            if (name->len == (size_t) (dot - start)
                && ngx_strncmp(name->data, start, name->len) == 0
                && ngx_http_webhook_api_command(ctx, start, end - start)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_webhook_api_word(u_char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
           || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-';
}


static ngx_int_t
ngx_http_webhook_api_command(ngx_http_webhook_api_ctx_t *ctx, u_char *name,
    size_t len)
{
    ngx_str_t       text;
    ngx_uint_t      i;
    ngx_command_t  *cmd;

    cmd = ctx->commands.elts;

    for (i = 0; i < ctx->commands.nelts; i++) {
        if (cmd[i].name.len == len
            && ngx_strncmp(cmd[i].name.data, name, len) == 0)
        {
            return NGX_OK;
        }
    }

    text.len = len;
    text.data = ngx_pcalloc(ctx->commands.pool, len + 1);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text.data, name, len);

    cmd = ngx_array_push(&ctx->commands);
    if (cmd == NULL) {
        return NGX_ERROR;
    }

    /* the last one is a null command */

    ngx_memcpy(cmd, cmd - 1, sizeof(ngx_command_t));

    cmd--;

    cmd->name = text;
    cmd->type = NGX_HTTP_WEBHOOK_BOTH_CONF|NGX_CONF_1MORE;
    cmd->set = ngx_http_webhook_api_member_line;

    ngx_http_webhook_api_module.commands = ctx->commands.elts;

    return NGX_OK;
}


static char *
ngx_http_webhook_api_member_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                      *name;
    ngx_uint_t                      i, n, whole;
    ngx_http_webhook_api_ctx_t     *ctx;
    ngx_http_webhook_api_value_t   *value;
    ngx_http_webhook_api_member_t  *member;

    ctx = cf->handler_conf;

    if (ctx->scope->members == NULL) {
        ctx->scope->members = ngx_array_create(cf->pool, 8,
                                       sizeof(ngx_http_webhook_api_member_t));
        if (ctx->scope->members == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    name = ngx_http_webhook_api_member_names;

    for (n = 0; /* void */ ; n++) {
        if (ngx_strncmp(name[n].data, cmd->name.data, name[n].len) == 0) {
            break;
        }
    }

    whole = (cmd->name.len == name[n].len);
    member = ctx->scope->members->elts;

    for (i = 0; i < ctx->scope->members->nelts; i++) {

        if (member[i].member == n
            && ngx_strcmp(member[i].name.data,
                          cmd->name.data + name[n].len + !whole)
               == 0)
        {
            return "is duplicate";
        }
    }

    member = ngx_array_push(ctx->scope->members);
    if (member == NULL) {
        return NGX_CONF_ERROR;
    }

    member->member = n;
    member->name.data = cmd->name.data + name[n].len + !whole;
    member->name.len = ngx_strlen(member->name.data);
    member->values = ngx_http_webhook_api_conf_values(cf, 1,
                                     whole ? 0 : NGX_HTTP_WEBHOOK_WILDCARDS,
                                     &ctx->ntexts);

    if (member->values == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!whole) {
        return NGX_CONF_OK;
    }

    value = member->values->elts;

    for (i = 0; i < member->values->nelts; i++) {

        if (n == NGX_HTTP_WEBHOOK_EXECUTION) {

            if (value[i].text && value[i].text->lengths == NULL) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" is the same for all executions, "
                                   "\"%V\" must be a JSON Pointer or hold a "
                                   "variable", &value[i].name, &cmd->name);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_http_webhook_api_is_text(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "text cannot be a whole \"%V\", use \"%V.id\" "
                               "or \"%V.name\"", &cmd->name, &cmd->name,
                               &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
