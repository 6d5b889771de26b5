
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * regex_conf: the text of a regex -> compiled, with a limit of what one match
 * may do.  Next room: regex.
 */


#include "ngx_http_webhook_regex.h"


#if (NGX_PCRE)


/*
 * Steps from one place of the text.  ".*" goes back over 4096 bytes in as many,
 * what nests repeats takes billions.
 */

#define NGX_HTTP_WEBHOOK_REGEX_LIMIT  "(*LIMIT_MATCH=20000)"


ngx_regex_t *
ngx_http_webhook_regex_compile(ngx_conf_t *cf, ngx_str_t *pattern,
    ngx_uint_t options)
{
    u_char              *p, errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t  rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pool = cf->pool;
    rc.options = options;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    rc.pattern.len = sizeof(NGX_HTTP_WEBHOOK_REGEX_LIMIT) - 1 + pattern->len;

    p = ngx_pnalloc(cf->pool, rc.pattern.len + 1);
    if (p == NULL) {
        return NULL;
    }

    rc.pattern.data = p;

    p = ngx_cpymem(p, NGX_HTTP_WEBHOOK_REGEX_LIMIT,
                   sizeof(NGX_HTTP_WEBHOOK_REGEX_LIMIT) - 1);
    p = ngx_cpymem(p, pattern->data, pattern->len);
    *p = '\0';

    if (ngx_regex_compile(&rc) == NGX_OK) {
        return rc.regex;
    }

    /* what is said of it is to be said of what was written */

    rc.pattern = *pattern;
    rc.err.len = NGX_MAX_CONF_ERRSTR;

    (void) ngx_regex_compile(&rc);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);

    return NULL;
}


#endif
