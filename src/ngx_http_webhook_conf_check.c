
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * conf_check: all webhooks of a configuration -> the same, with all that can
 * be known at last: where "via" leads, equal members, what is to be hidden.
 * Next rooms: queue, dispatch.
 */


#include "ngx_http_webhook_conf.h"


static ngx_int_t ngx_http_webhook_check_ids(ngx_conf_t *cf,
    ngx_http_webhook_main_conf_t *mcf);
static ngx_int_t ngx_http_webhook_check_via(ngx_conf_t *cf,
    ngx_http_webhook_declared_t *declared);
static ngx_http_core_loc_conf_t *ngx_http_webhook_named_location(
    ngx_http_core_srv_conf_t *cscf, ngx_str_t *name);
static void ngx_http_webhook_check_secrets(ngx_conf_t *cf,
    ngx_http_webhook_hook_t *hook);
static void ngx_http_webhook_number_members(
    ngx_http_webhook_main_conf_t *mcf);
static void ngx_http_webhook_hide_headers(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_hook_t *hook);


/* headers that are not shown, whatever webhook_redact says */

static ngx_str_t  ngx_http_webhook_hidden_headers[] = {
    ngx_string("authorization"),
    ngx_string("cookie"),
    ngx_null_string
};


ngx_int_t
ngx_http_webhook_hooks_check(ngx_conf_t *cf, ngx_uint_t hooks,
    ngx_uint_t deliveries)
{
    ngx_uint_t                      i;
    ngx_http_webhook_hook_t       **hook;
    ngx_http_webhook_declared_t    *declared;
    ngx_http_webhook_loc_conf_t    *lcf;
    ngx_http_webhook_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);
    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_webhook_module);

    /* nothing was merged if there is no server */

    if (ngx_http_webhook_hooks_merge(cf, NULL, lcf) != NGX_CONF_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_check_ids(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    declared = mcf->declared.elts;

    for (i = 0; i < mcf->declared.nelts; i++) {
        if (ngx_http_webhook_check_via(cf, &declared[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_http_webhook_number_members(mcf);

    hook = mcf->hooks.elts;

    if (mcf->hooks.nelts > hooks) {
        ngx_http_webhook_conf_log(NGX_LOG_EMERG, cf, hook[hooks]->file,
                                  hook[hooks]->line,
                                  "no room for webhook \"%V\": a zone of %uzK "
                                  "holds %ui webhooks, here are %ui",
                                  &hook[hooks]->name, mcf->zone_size / 1024,
                                  hooks, mcf->hooks.nelts);
        return NGX_ERROR;
    }

    for (i = 0; i < mcf->hooks.nelts; i++) {

        ngx_http_webhook_check_secrets(cf, hook[i]);
        ngx_http_webhook_hide_headers(mcf, hook[i]);

        if (hook[i]->queue_line && hook[i]->queue > deliveries) {
            ngx_http_webhook_conf_log(NGX_LOG_WARN, cf, hook[i]->queue_file,
                                      hook[i]->queue_line,
                                      "queue %ui of webhook \"%V\" is more "
                                      "than the zone holds: about %ui "
                                      "deliveries of 5 KB",
                                      hook[i]->queue, &hook[i]->name,
                                      deliveries);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_check_ids(ngx_conf_t *cf, ngx_http_webhook_main_conf_t *mcf)
{
    ngx_uint_t                 i, j;
    ngx_http_webhook_hook_t  **hook;

    hook = mcf->hooks.elts;

    for (i = 0; i < mcf->hooks.nelts; i++) {
        for (j = 0; j < i; j++) {

            if (hook[i]->id != hook[j]->id) {
                continue;
            }

            ngx_http_webhook_conf_log(NGX_LOG_EMERG, cf, hook[i]->file,
                                      hook[i]->line,
                                      "webhook \"%V\" has the same id, %uD, "
                                      "as \"%V\" in %s:%ui: rename one",
                                      &hook[i]->name, hook[i]->id,
                                      &hook[j]->name, hook[j]->file,
                                      hook[j]->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_check_via(ngx_conf_t *cf,
    ngx_http_webhook_declared_t *declared)
{
    ngx_uint_t                   s;
    ngx_http_conf_ctx_t         *via_ctx;
    ngx_http_webhook_hook_t     *block, *hook;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    block = declared->block;
    hook = declared->hook;

    if (block->via.len == 0) {
        return NGX_OK;
    }

    via_ctx = NULL;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (s = 0; s < cmcf->servers.nelts; s++) {

        if (block->via_ctx && block->via_ctx != cscfp[s]->ctx) {
            continue;
        }

        clcf = ngx_http_webhook_named_location(cscfp[s], &block->via);

        if (clcf == NULL) {
            ngx_http_webhook_conf_log(NGX_LOG_EMERG, cf, block->file,
                                      block->line,
                                      "no location \"%V\" for webhook \"%V\" "
                                      "in the server of %s:%ui",
                                      &block->via, &block->name,
                                      cscfp[s]->file_name, cscfp[s]->line);
            return NGX_ERROR;
        }

        if (hook->via_loc == NULL) {
            via_ctx = cscfp[s]->ctx;
            hook->via_loc = clcf;
        }
    }

    if (hook->via_loc == NULL) {
        ngx_http_webhook_conf_log(NGX_LOG_EMERG, cf, block->file, block->line,
                                  "no server has the location \"%V\" of "
                                  "webhook \"%V\"",
                                  &block->via, &block->name);
        return NGX_ERROR;
    }

    if (via_ctx) {
        hook->via_ctx = via_ctx;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_webhook_is_via(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                    i;
    ngx_http_webhook_hook_t      *block;
    ngx_http_webhook_declared_t  *declared;

    if (!clcf->named) {
        return 0;
    }

    declared = mcf->declared.elts;

    for (i = 0; i < mcf->declared.nelts; i++) {

        block = declared[i].block;

        if (block->via.len
            && block->via.len == clcf->name.len
            && ngx_strncmp(block->via.data, clcf->name.data, clcf->name.len)
               == 0
            && (block->via_ctx == NULL || block->via_ctx == cscf->ctx))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_http_core_loc_conf_t *
ngx_http_webhook_named_location(ngx_http_core_srv_conf_t *cscf,
    ngx_str_t *name)
{
    ngx_http_webhook_core_loc_t  **loc;

    if (cscf->named_locations == NULL) {
        return NULL;
    }

    for (loc = cscf->named_locations; *loc; loc++) {

        if ((*loc)->name.len == name->len
            && ngx_strncmp((*loc)->name.data, name->data, name->len) == 0)
        {
            return ngx_http_webhook_core_loc_conf(*loc);
        }
    }

    return NULL;
}


static void
ngx_http_webhook_check_secrets(ngx_conf_t *cf, ngx_http_webhook_hook_t *hook)
{
    ngx_uint_t                  i;
    ngx_http_webhook_secret_t  *secret;

    secret = hook->secrets.elts;

    for (i = 0; i < hook->secrets.nelts; i++) {
        if (secret[i].until == 0) {
            return;
        }
    }

    if (hook->secrets.nelts) {
        ngx_http_webhook_conf_log(NGX_LOG_WARN, cf, hook->file, hook->line,
                                  "all secrets of webhook \"%V\" have an "
                                  "\"until=\"; the last one left goes on "
                                  "signing after it",
                                  &hook->name);
    }
}


static void
ngx_http_webhook_number_members(ngx_http_webhook_main_conf_t *mcf)
{
    ngx_uint_t                 i, j, n;
    ngx_http_webhook_hook_t  **hook;

    hook = mcf->hooks.elts;
    n = 0;

    for (i = 0; i < mcf->hooks.nelts; i++) {

        for (j = 0; j < i; j++) {
            if (ngx_http_webhook_hook_members_equal(hook[i], hook[j])) {
                break;
            }
        }

        hook[i]->member_set = (j < i) ? hook[j]->member_set : n++;
    }
}


/* headers may be shared with other webhooks: what is hidden is so for all */

static void
ngx_http_webhook_hide_headers(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_hook_t *hook)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_webhook_header_t  *header;

    header = hook->headers.elts;

    for (i = 0; i < hook->headers.nelts; i++) {

        if (ngx_http_webhook_redacted(&mcf->redact, &header[i].name)) {
            header[i].hidden = 1;
            continue;
        }

        for (name = ngx_http_webhook_hidden_headers; name->len; name++) {
            if (name->len == header[i].name.len
                && ngx_strncasecmp(name->data, header[i].name.data, name->len)
                   == 0)
            {
                header[i].hidden = 1;
            }
        }
    }
}


ngx_uint_t
ngx_http_webhook_redacted(ngx_array_t *redact, ngx_str_t *name)
{
    u_char       ch, first;
    size_t       start, i, n;
    ngx_str_t   *word;
    ngx_uint_t   w;

    word = redact->elts;

    for (start = 0; start < name->len; start++) {

        first = ngx_tolower(name->data[start]);

        for (w = 0; w < redact->nelts; w++) {

            if (first != word[w].data[0]) {
                continue;
            }

            n = 0;

            for (i = start; i < name->len && n < word[w].len; i++) {

                ch = ngx_tolower(name->data[i]);

                if (ch == '_' || ch == '-') {
                    continue;
                }

                if (ch != word[w].data[n]) {
                    break;
                }

                n++;
            }

            if (n == word[w].len) {
                return 1;
            }
        }
    }

    return 0;
}


void ngx_cdecl
ngx_http_webhook_conf_log(ngx_uint_t level, ngx_conf_t *cf, u_char *file,
    ngx_uint_t line, const char *fmt, ...)
{
    u_char   errstr[NGX_MAX_CONF_ERRSTR], *p;
    va_list  args;

    va_start(args, fmt);
    p = ngx_vslprintf(errstr, errstr + NGX_MAX_CONF_ERRSTR, fmt, args);
    va_end(args);

    ngx_log_error(level, cf->log, 0, "%*s in %s:%ui", (size_t) (p - errstr),
                  errstr, file, line);
}
