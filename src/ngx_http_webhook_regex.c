
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * regex: a compiled regex and a text -> 1 or 0, while there is time left.
 */


#include "ngx_http_webhook_regex.h"


#if (NGX_PCRE)


#define NGX_HTTP_WEBHOOK_REGEX_SUBJECT  4096        /* bytes */
#define NGX_HTTP_WEBHOOK_REGEX_TIME     50000000    /* ns, of one document */


#if (NGX_PCRE2)
#define ngx_http_webhook_regex_limit(rc)                                      \
    ((rc) == PCRE2_ERROR_MATCHLIMIT || (rc) == PCRE2_ERROR_HEAPLIMIT)
#else
#define ngx_http_webhook_regex_limit(rc)                                      \
    ((rc) == PCRE_ERROR_MATCHLIMIT || (rc) == PCRE_ERROR_RECURSIONLIMIT)
#endif


static uint64_t ngx_http_webhook_regex_now(void);


static uint64_t  ngx_http_webhook_regex_used;       /* ns */


void
ngx_http_webhook_regex_begin(void)
{
    ngx_http_webhook_regex_used = 0;
}


ngx_uint_t
ngx_http_webhook_regex_spent(void)
{
    return ngx_http_webhook_regex_used >= NGX_HTTP_WEBHOOK_REGEX_TIME;
}


ngx_uint_t
ngx_http_webhook_regex_match(ngx_regex_t *regex, ngx_str_t *text)
{
    uint64_t   start;
    ngx_int_t  rc;
    ngx_str_t  subject;

    if (ngx_http_webhook_regex_spent()) {
        return 0;
    }

    subject.data = text->data;
    subject.len = ngx_min(text->len, NGX_HTTP_WEBHOOK_REGEX_SUBJECT);

    start = ngx_http_webhook_regex_now();

    rc = ngx_regex_exec(regex, &subject, NULL, 0);

    ngx_http_webhook_regex_used += ngx_http_webhook_regex_now() - start;

    if (ngx_http_webhook_regex_limit(rc)) {
        ngx_http_webhook_regex_used = NGX_HTTP_WEBHOOK_REGEX_TIME;
    }

    return rc >= 0;
}


/* nginx's own clock stands still meanwhile */

static uint64_t
ngx_http_webhook_regex_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


#endif
