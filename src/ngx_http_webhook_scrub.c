
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * scrub: in: what an endpoint answered, or what is said of an attempt; out: the
 * same without what is secret, whoever said it: endpoints echo what they are
 * sent.  Next rooms: attempt, status_secret, store_write.
 */


#include "ngx_http_webhook_scrub.h"
#include "ngx_http_webhook_conf.h"


#define NGX_HTTP_WEBHOOK_SCRUB_MIN  6     /* shorter ones are anywhere, bytes */
#define NGX_HTTP_WEBHOOK_SCRUB_TOKEN  16  /* shorter names of users and parts
                                             of paths are words */


static ngx_int_t ngx_http_webhook_scrub_hook(ngx_http_webhook_hook_t *hook,
    ngx_array_t *secrets);
static ngx_uint_t ngx_http_webhook_scrub_scheme(ngx_str_t *word);
static ngx_int_t ngx_http_webhook_scrub_url(ngx_pool_t *pool,
    ngx_http_webhook_hook_t *hook, ngx_array_t *secrets);
static ngx_int_t ngx_http_webhook_scrub_path(ngx_array_t *secrets, u_char *p,
    u_char *last);
static ngx_int_t ngx_http_webhook_scrub_authority(ngx_pool_t *pool,
    ngx_str_t *url, ngx_array_t *secrets);
static ngx_int_t ngx_http_webhook_scrub_userinfo(ngx_pool_t *pool,
    u_char *data, size_t len, ngx_array_t *secrets);
static ngx_int_t ngx_http_webhook_scrub_add(ngx_array_t *secrets,
    u_char *data, size_t len);
static ngx_int_t ngx_http_webhook_scrub_escaped(ngx_array_t *secrets,
    u_char *data, size_t len, const char *set);
static int ngx_libc_cdecl ngx_http_webhook_scrub_longer(const void *one,
    const void *two);
static u_char *ngx_http_webhook_scrub_find(u_char *p, u_char *last,
    ngx_str_t *secret, size_t *n);


static ngx_str_t  ngx_http_webhook_scrub_headers[] = {
    ngx_string("Authorization"),
    ngx_string("Proxy-Authorization"),
    ngx_string("Cookie"),
    ngx_string("Set-Cookie"),
    ngx_null_string
};


ngx_array_t *
ngx_http_webhook_scrub_secrets(ngx_pool_t *pool, ngx_http_webhook_hook_t *hook)
{
    ngx_array_t  *secrets;

    if (hook->echo) {
        return hook->echo;
    }

    secrets = ngx_array_create(pool, 8, sizeof(ngx_str_t));

    if (secrets == NULL
        || ngx_http_webhook_scrub_hook(hook, secrets) != NGX_OK
        || ngx_http_webhook_scrub_url(pool, hook, secrets) != NGX_OK)
    {
        return NULL;
    }

    ngx_qsort(secrets->elts, secrets->nelts, sizeof(ngx_str_t),
              ngx_http_webhook_scrub_longer);

    hook->echo = secrets;

    return secrets;
}


static ngx_int_t
ngx_http_webhook_scrub_hook(ngx_http_webhook_hook_t *hook,
    ngx_array_t *secrets)
{
    ngx_uint_t                  i;
    ngx_http_webhook_header_t  *header;
    ngx_http_webhook_secret_t  *secret;

    secret = hook->secrets.elts;

    for (i = 0; i < hook->secrets.nelts; i++) {
        if (ngx_http_webhook_scrub_add(secrets, secret[i].text.data,
                                       secret[i].text.len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    header = hook->headers.elts;

    for (i = 0; i < hook->headers.nelts; i++) {

        if (header[i].hidden
            && header[i].value.lengths == NULL
            && ngx_http_webhook_scrub_value(secrets, &header[i].value.value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_scrub_value(ngx_array_t *secrets, ngx_str_t *value)
{
    u_char     *p, *last, *end, *at;
    ngx_str_t   word;

    if (ngx_http_webhook_scrub_add(secrets, value->data, value->len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* of "Bearer TOKEN" the token alone, of "id=COOKIE; a=b" the cookies */

    last = value->data + value->len;

    for (p = value->data; p < last; p = end + 1) {

        for (end = p; end < last && *end != ' ' && *end != ';'; end++) {
            /* void */
        }

        word.data = p;
        word.len = end - p;

        if (word.len == value->len || ngx_http_webhook_scrub_scheme(&word)) {
            word.len = 0;
        }

        at = ngx_strlchr(p, end, '=');
        at = at ? at + 1 : end;

        if (ngx_http_webhook_scrub_add(secrets, word.data, word.len) != NGX_OK
            || ngx_http_webhook_scrub_add(secrets, at, end - at) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* of an Authorization; endpoints name theirs when they refuse it */

static ngx_uint_t
ngx_http_webhook_scrub_scheme(ngx_str_t *word)
{
    return word->len == sizeof("Bearer") - 1
           && (ngx_strncasecmp(word->data, (u_char *) "Bearer", word->len) == 0
               || ngx_strncasecmp(word->data, (u_char *) "Digest", word->len)
                  == 0);
}


static ngx_int_t
ngx_http_webhook_scrub_url(ngx_pool_t *pool, ngx_http_webhook_hook_t *hook,
    ngx_array_t *secrets)
{
    u_char     *p, *last, *end, *at, *query;
    ngx_str_t   shown;

    last = hook->uri.data + hook->uri.len;
    query = ngx_strlchr(hook->uri.data, last, '?');

    if (query == NULL) {
        query = last;
    }

    /* a path that is not shown */

    shown = hook->shown;
    p = ngx_strlchr(shown.data + sizeof("https://") - 1,
                    shown.data + shown.len, '/');

    if (p && ngx_strncmp(p, hook->uri.data, query - hook->uri.data) != 0
        && ngx_http_webhook_scrub_path(secrets, hook->uri.data, query)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (p = query; p < last; p = end) {

        p++;
        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        at = ngx_strlchr(p, end, '=');

        if (at) {
            p = at + 1;
        }

        if (ngx_http_webhook_scrub_add(secrets, p, end - p) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* a proxy of plain HTTP is the one who answers */

    return (ngx_http_webhook_scrub_authority(pool, &hook->url, secrets)
            == NGX_OK)
           ? ngx_http_webhook_scrub_authority(pool, &hook->proxy, secrets)
           : NGX_ERROR;
}


/* as a whole, and what in it looks like a token */

static ngx_int_t
ngx_http_webhook_scrub_path(ngx_array_t *secrets, u_char *p, u_char *last)
{
    u_char  *end;

    if (ngx_http_webhook_scrub_add(secrets, p, last - p) != NGX_OK) {
        return NGX_ERROR;
    }

    for ( /* void */ ; p < last; p = end + 1) {

        for (end = p; end < last && *end != '/'; end++) {
            /* void */
        }

        if (end - p >= NGX_HTTP_WEBHOOK_SCRUB_TOKEN
            && ngx_http_webhook_scrub_add(secrets, p, end - p) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_scrub_authority(ngx_pool_t *pool, ngx_str_t *url,
    ngx_array_t *secrets)
{
    u_char  *p, *last, *end, *at;

    if (url->len == 0) {
        return NGX_OK;
    }

    p = (u_char *) ngx_strstr(url->data, "://");

    if (p == NULL) {
        return NGX_OK;
    }

    p += 3;
    last = url->data + url->len;

    for (end = p; end < last && *end != '/' && *end != '?'; end++) {
        /* void */
    }

    at = ngx_strlchr(p, end, '@');

    if (at == NULL) {
        return NGX_OK;
    }

    return ngx_http_webhook_scrub_userinfo(pool, p, at - p, secrets);
}


/*
 * The password, as written and decoded, a name that may be a key, and both as
 * they are sent.
 */

static ngx_int_t
ngx_http_webhook_scrub_userinfo(ngx_pool_t *pool, u_char *data, size_t len,
    ngx_array_t *secrets)
{
    u_char     *p, *src, *dst;
    size_t      n;
    ngx_str_t   plain, basic;

    p = ngx_strlchr(data, data + len, ':');

    if (p
        && ngx_http_webhook_scrub_add(secrets, p + 1, data + len - p - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = p ? (size_t) (p - data) : len;

    if (n >= NGX_HTTP_WEBHOOK_SCRUB_TOKEN
        && ngx_http_webhook_scrub_add(secrets, data, n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    plain.data = ngx_pnalloc(pool, len + 1);
    basic.data = ngx_pnalloc(pool, ngx_base64_encoded_length(len + 1));

    if (plain.data == NULL || basic.data == NULL) {
        return NGX_ERROR;
    }

    src = data;
    dst = plain.data;

    ngx_unescape_uri(&dst, &src, len, 0);

    if (p == NULL) {
        *dst++ = ':';
    }

    plain.len = dst - plain.data;

    ngx_encode_base64(&basic, &plain);

    p = ngx_strlchr(plain.data, dst, ':');

    if (p
        && ngx_http_webhook_scrub_add(secrets, p + 1, dst - p - 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_webhook_scrub_add(secrets, basic.data, basic.len);
}


/* as it is, as it stands in JSON, with "/" escaped or not, and decoded */

static ngx_int_t
ngx_http_webhook_scrub_add(ngx_array_t *secrets, u_char *data, size_t len)
{
    u_char     *p, *src;
    ngx_str_t  *secret;

    if (len < NGX_HTTP_WEBHOOK_SCRUB_MIN) {
        return NGX_OK;
    }

    secret = ngx_array_push(secrets);
    if (secret == NULL) {
        return NGX_ERROR;
    }

    secret->data = data;
    secret->len = len;

    if (ngx_http_webhook_scrub_escaped(secrets, data, len, "\"\\") != NGX_OK
        || ngx_http_webhook_scrub_escaped(secrets, data, len, "\"\\/")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (memchr(data, '%', len) == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(secrets->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    src = data;
    data = p;

    ngx_unescape_uri(&p, &src, len, 0);

    if ((size_t) (p - data) == len) {
        return NGX_OK;
    }

    return ngx_http_webhook_scrub_add(secrets, data, p - data);
}


static ngx_int_t
ngx_http_webhook_scrub_escaped(ngx_array_t *secrets, u_char *data, size_t len,
    const char *set)
{
    u_char     *p;
    size_t      i, n;
    ngx_str_t  *secret;

    n = 0;

    for (i = 0; i < len; i++) {
        n += (data[i] && ngx_strchr(set, data[i]));
    }

    if (n == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(secrets->pool, len + n);
    secret = ngx_array_push(secrets);

    if (p == NULL || secret == NULL) {
        return NGX_ERROR;
    }

    secret->data = p;
    secret->len = len + n;

    for (i = 0; i < len; i++) {

        if (data[i] && ngx_strchr(set, data[i])) {
            *p++ = '\\';
        }

        *p++ = data[i];
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_webhook_scrub_longer(const void *one, const void *two)
{
    const ngx_str_t *first = one;
    const ngx_str_t *second = two;

    if (first->len == second->len) {
        return 0;
    }

    return first->len < second->len ? 1 : -1;
}


void
ngx_http_webhook_scrub(ngx_array_t *secrets, ngx_str_t *text)
{
    u_char      *p, *last, *dst, *found;
    size_t       n;
    ngx_str_t   *secret;
    ngx_uint_t   i;

    secret = secrets->elts;

    for (i = 0; i < secrets->nelts; i++) {

        p = text->data;
        last = p + text->len;

        found = ngx_http_webhook_scrub_find(p, last, &secret[i], &n);

        if (found == NULL) {
            continue;
        }

        dst = p;

        do {
            dst = ngx_movemem(dst, p, found - p);
            dst = ngx_cpymem(dst, NGX_HTTP_WEBHOOK_MASK,
                             sizeof(NGX_HTTP_WEBHOOK_MASK) - 1);

            p = found + n;
            found = ngx_http_webhook_scrub_find(p, last, &secret[i], &n);

        } while (found);

        dst = ngx_movemem(dst, p, last - p);

        text->len = dst - text->data;
    }
}


/* n: how much of it is there, for the end may have been cut off */

static u_char *
ngx_http_webhook_scrub_find(u_char *p, u_char *last, ngx_str_t *secret,
    size_t *n)
{
    while (last - p >= NGX_HTTP_WEBHOOK_SCRUB_MIN) {

        p = memchr(p, secret->data[0], last - p);

        if (p == NULL) {
            return NULL;
        }

        *n = ngx_min((size_t) (last - p), secret->len);

        if (*n >= NGX_HTTP_WEBHOOK_SCRUB_MIN
            && ngx_memcmp(p, secret->data, *n) == 0)
        {
            return p;
        }

        p++;
    }

    return NULL;
}


void
ngx_http_webhook_scrub_names(ngx_array_t *redact, ngx_str_t *lines)
{
    u_char     *p, *last, *dst, *eol, *value;
    size_t      n;
    ngx_str_t   name;

    p = lines->data;
    last = p + lines->len;
    dst = p;

    while (p < last) {

        eol = ngx_strlchr(p, last, LF);
        eol = eol ? eol : last;

        value = ngx_strlchr(p, eol, ':');

        if (value == NULL) {
            value = eol;
        }

        name.data = p;
        name.len = value - p;

        if (value < eol && ngx_http_webhook_scrub_name(redact, &name)) {

            for (value++; value < eol && *value == ' '; value++) {
                /* void */
            }

            dst = ngx_movemem(dst, p, value - p);
            p = value;

            for (value = eol; value > p && value[-1] == CR; value--) {
                /* void */
            }

            n = ngx_min((size_t) (value - p),
                        sizeof(NGX_HTTP_WEBHOOK_MASK) - 1);

            dst = ngx_cpymem(dst, NGX_HTTP_WEBHOOK_MASK, n);
            p = value;
        }

        eol = (eol < last) ? eol + 1 : last;

        dst = ngx_movemem(dst, p, eol - p);
        p = eol;
    }

    lines->len = dst - lines->data;
}


ngx_uint_t
ngx_http_webhook_scrub_name(ngx_array_t *redact, ngx_str_t *name)
{
    ngx_str_t  *known;

    for (known = ngx_http_webhook_scrub_headers; known->len; known++) {

        if (known->len == name->len
            && ngx_strncasecmp(known->data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return ngx_http_webhook_redacted(redact, name);
}
