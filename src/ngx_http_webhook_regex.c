
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * regex: a compiled regex and a text -> 1 or 0, while there is time left.
 */


#include "ngx_http_webhook_regex.h"


#if (NGX_PCRE)


#define NGX_HTTP_WEBHOOK_REGEX_SUBJECT  4096        /* bytes */
#define NGX_HTTP_WEBHOOK_REGEX_CAPTURES  2          /* all, the first group */
#define NGX_HTTP_WEBHOOK_REGEX_TIME     50000000    /* ns, of one document */


#if (NGX_PCRE2)
#define ngx_http_webhook_regex_limit(rc)                                      \
    ((rc) == PCRE2_ERROR_MATCHLIMIT || (rc) == PCRE2_ERROR_HEAPLIMIT          \
     || (rc) == PCRE2_ERROR_NOMEMORY)
#else
#define ngx_http_webhook_regex_limit(rc)                                      \
    ((rc) == PCRE_ERROR_MATCHLIMIT || (rc) == PCRE_ERROR_RECURSIONLIMIT       \
     || (rc) == PCRE_ERROR_NOMEMORY)
#endif


static ngx_int_t ngx_http_webhook_regex_exec(ngx_regex_t *regex,
    ngx_str_t *text, int *captures, ngx_uint_t ncaptures);
static uint64_t ngx_http_webhook_regex_now(void);


static uint64_t    ngx_http_webhook_regex_used;     /* ns */
static ngx_uint_t  ngx_http_webhook_regex_limited;  /* boolean */


void
ngx_http_webhook_regex_begin(void)
{
    ngx_http_webhook_regex_used = 0;
    ngx_http_webhook_regex_limited = 0;
}


void
ngx_http_webhook_regex_next(void)
{
    ngx_http_webhook_regex_limited = 0;
}


ngx_uint_t
ngx_http_webhook_regex_spent(void)
{
    return ngx_http_webhook_regex_limited
           || ngx_http_webhook_regex_used >= NGX_HTTP_WEBHOOK_REGEX_TIME;
}


ngx_uint_t
ngx_http_webhook_regex_match(ngx_regex_t *regex, ngx_str_t *text)
{
    return ngx_http_webhook_regex_exec(regex, text, NULL, 0) >= 0;
}


ngx_uint_t
ngx_http_webhook_regex_part(ngx_regex_t *regex, ngx_str_t *text)
{
    int        captures[NGX_HTTP_WEBHOOK_REGEX_CAPTURES * 3];
    ngx_int_t  rc, n;

    rc = ngx_http_webhook_regex_exec(regex, text, captures,
                                     NGX_HTTP_WEBHOOK_REGEX_CAPTURES * 3);
    if (rc < 0) {
        return 0;
    }

    /* 0: there are more groups than captures */

    n = (rc == 1) ? 0 : 2;

    if (captures[n] < 0 || captures[n] >= captures[n + 1]) {
        return 0;
    }

    text->len = captures[n + 1] - captures[n];
    text->data += captures[n];

    return 1;
}


static ngx_int_t
ngx_http_webhook_regex_exec(ngx_regex_t *regex, ngx_str_t *text,
    int *captures, ngx_uint_t ncaptures)
{
    uint64_t   start;
    ngx_int_t  rc;
    ngx_str_t  subject;

    if (ngx_http_webhook_regex_spent()) {
        return NGX_REGEX_NO_MATCHED;
    }

    subject.data = text->data;
    subject.len = ngx_min(text->len, NGX_HTTP_WEBHOOK_REGEX_SUBJECT);

    start = ngx_http_webhook_regex_now();

    rc = ngx_regex_exec(regex, &subject, captures, ncaptures);

    ngx_http_webhook_regex_used += ngx_http_webhook_regex_now() - start;

    if (ngx_http_webhook_regex_limit(rc)) {
        ngx_http_webhook_regex_limited = 1;
    }

    return rc;
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
