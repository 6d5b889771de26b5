
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * page: in: a browser's request; out: the page and a policy that lets nothing
 * else run; next: status sends it.
 */


#include "ngx_http_webhook_page.h"

#include <openssl/evp.h>


static u_char *ngx_http_webhook_page_hash(u_char *p, const char *begin,
    const char *end);


/* made by "config" of page.html, page.css and page*.js, with a NUL behind */

static const u_char  ngx_http_webhook_page_html[] = {
#include "ngx_http_webhook_page_html.h"
    0
};

static ngx_str_t  ngx_http_webhook_page_text = {
    sizeof(ngx_http_webhook_page_html) - 1,
    (u_char *) ngx_http_webhook_page_html
};


ngx_str_t *
ngx_http_webhook_page(void)
{
    return &ngx_http_webhook_page_text;
}


const char *
ngx_http_webhook_page_policy(void)
{
    u_char         *p;
    static u_char   policy[512];

    if (policy[0]) {
        return (const char *) policy;
    }

    p = ngx_cpymem(policy, "default-src 'none'; script-src 'sha256-",
                   sizeof("default-src 'none'; script-src 'sha256-") - 1);

    p = ngx_http_webhook_page_hash(p, "<script>", "</script>");

    if (p == NULL) {
        goto failed;
    }

    p = ngx_cpymem(p, "'; style-src 'sha256-",
                   sizeof("'; style-src 'sha256-") - 1);

    p = ngx_http_webhook_page_hash(p, "<style>", "</style>");

    if (p == NULL) {
        goto failed;
    }

    ngx_sprintf(p, "'; connect-src 'self'; base-uri 'none'; "
                   "form-action 'none'; frame-ancestors 'none'; "
                   "require-trusted-types-for 'script'%Z");

    return (const char *) policy;

failed:

    policy[0] = '\0';

    return NULL;
}


static u_char *
ngx_http_webhook_page_hash(u_char *p, const char *begin, const char *end)
{
    u_char        hash[EVP_MAX_MD_SIZE], *from, *to;
    ngx_str_t     src, dst;
    unsigned int  len;

    from = (u_char *) ngx_strstr(ngx_http_webhook_page_html, begin);
    to = (u_char *) ngx_strstr(ngx_http_webhook_page_html, end);

    if (from == NULL || to == NULL) {
        return NULL;
    }

    from += ngx_strlen(begin);

    if (EVP_Digest(from, to - from, hash, &len, EVP_sha256(), NULL) != 1) {
        return NULL;
    }

    src.data = hash;
    src.len = len;
    dst.data = p;

    ngx_encode_base64(&dst, &src);

    return p + dst.len;
}
