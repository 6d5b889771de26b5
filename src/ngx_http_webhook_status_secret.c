
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_secret: in: headers and bodies as they were sent and received; out:
 * JSON without what is secret, whoever said it: endpoints echo what they are
 * sent; next: status_json.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_conf.h"


#define NGX_HTTP_WEBHOOK_ECHO_MIN  6      /* shorter ones are anywhere, bytes */
#define NGX_HTTP_WEBHOOK_MASK      "***"


typedef struct {
    ngx_str_t    name;
    ngx_str_t    value;
} ngx_http_webhook_status_line_t;


static ngx_int_t ngx_http_webhook_secret_url(ngx_pool_t *pool,
    ngx_http_webhook_hook_t *hook, ngx_array_t *secrets);
static ngx_int_t ngx_http_webhook_secret_userinfo(ngx_pool_t *pool,
    u_char *data, size_t len, ngx_array_t *secrets);
static ngx_int_t ngx_http_webhook_secret_add(ngx_array_t *secrets,
    u_char *data, size_t len);
static int ngx_libc_cdecl ngx_http_webhook_secret_longer(const void *one,
    const void *two);
static ngx_int_t ngx_http_webhook_status_lines(ngx_pool_t *pool,
    ngx_str_t *text, ngx_array_t *lines);
static ngx_uint_t ngx_http_webhook_status_secret_name(
    ngx_http_webhook_status_t *s, ngx_str_t *name);
static ngx_uint_t ngx_http_webhook_status_same_name(ngx_str_t *one,
    ngx_str_t *two);
static ngx_uint_t ngx_http_webhook_status_utf8(ngx_str_t *text);


static ngx_str_t  ngx_http_webhook_secret_names[] = {
    ngx_string("Authorization"),
    ngx_string("Proxy-Authorization"),
    ngx_string("Cookie"),
    ngx_string("Set-Cookie"),
    ngx_null_string
};


ngx_int_t
ngx_http_webhook_status_secrets(ngx_pool_t *pool,
    ngx_http_webhook_hook_t *hook, ngx_array_t *secrets)
{
    u_char                     *p, *last;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_webhook_header_t  *header;
    ngx_http_webhook_secret_t  *secret;

    if (ngx_array_init(secrets, pool, 8, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    if (hook == NULL) {
        return NGX_OK;
    }

    secret = hook->secrets.elts;

    for (i = 0; i < hook->secrets.nelts; i++) {
        if (ngx_http_webhook_secret_add(secrets, secret[i].text.data,
                                        secret[i].text.len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    header = hook->headers.elts;

    for (i = 0; i < hook->headers.nelts; i++) {

        if (!header[i].hidden || header[i].value.lengths) {
            continue;
        }

        /* "Bearer TOKEN" as a whole, and the token alone */

        value = &header[i].value.value;
        last = value->data + value->len;
        p = ngx_strlchr(value->data, last, ' ');

        if (ngx_http_webhook_secret_add(secrets, value->data, value->len)
            != NGX_OK
            || (p && ngx_http_webhook_secret_add(secrets, p + 1, last - p - 1)
                     != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_webhook_secret_url(pool, hook, secrets) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_qsort(secrets->elts, secrets->nelts, sizeof(ngx_str_t),
              ngx_http_webhook_secret_longer);

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_secret_url(ngx_pool_t *pool, ngx_http_webhook_hook_t *hook,
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

    if (p
        && ngx_strncmp(p, hook->uri.data, query - hook->uri.data) != 0
        && ngx_http_webhook_secret_add(secrets, hook->uri.data,
                                       query - hook->uri.data)
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

        if (ngx_http_webhook_secret_add(secrets, p, end - p) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    p = (u_char *) ngx_strstr(hook->url.data, "://");

    if (p == NULL) {
        return NGX_OK;
    }

    p += 3;
    last = hook->url.data + hook->url.len;

    for (end = p; end < last && *end != '/' && *end != '?'; end++) {
        /* void */
    }

    at = ngx_strlchr(p, end, '@');

    if (at == NULL) {
        return NGX_OK;
    }

    return ngx_http_webhook_secret_userinfo(pool, p, at - p, secrets);
}


/* the password, as written and decoded, and both names as they are sent */

static ngx_int_t
ngx_http_webhook_secret_userinfo(ngx_pool_t *pool, u_char *data, size_t len,
    ngx_array_t *secrets)
{
    u_char     *p, *src, *dst;
    ngx_str_t   plain, basic;

    p = ngx_strlchr(data, data + len, ':');

    if (p
        && ngx_http_webhook_secret_add(secrets, p + 1, data + len - p - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    plain.data = ngx_pnalloc(pool, len);
    basic.data = ngx_pnalloc(pool, ngx_base64_encoded_length(len));

    if (plain.data == NULL || basic.data == NULL) {
        return NGX_ERROR;
    }

    src = data;
    dst = plain.data;

    ngx_unescape_uri(&dst, &src, len, 0);

    plain.len = dst - plain.data;

    ngx_encode_base64(&basic, &plain);

    p = ngx_strlchr(plain.data, dst, ':');

    if (p
        && ngx_http_webhook_secret_add(secrets, p + 1, dst - p - 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_webhook_secret_add(secrets, basic.data, basic.len);
}


static ngx_int_t
ngx_http_webhook_secret_add(ngx_array_t *secrets, u_char *data, size_t len)
{
    ngx_str_t  *secret;

    if (len < NGX_HTTP_WEBHOOK_ECHO_MIN) {
        return NGX_OK;
    }

    secret = ngx_array_push(secrets);
    if (secret == NULL) {
        return NGX_ERROR;
    }

    secret->data = data;
    secret->len = len;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_webhook_secret_longer(const void *one, const void *two)
{
    const ngx_str_t *first = one;
    const ngx_str_t *second = two;

    if (first->len == second->len) {
        return 0;
    }

    return first->len < second->len ? 1 : -1;
}


void
ngx_http_webhook_status_scrub(ngx_array_t *secrets, ngx_str_t *text)
{
    u_char      *p, *last, *dst;
    size_t       n;
    ngx_str_t   *secret;
    ngx_uint_t   i;

    secret = secrets->elts;

    for (i = 0; i < secrets->nelts; i++) {

        p = text->data;
        last = p + text->len;
        dst = p;

        while (p < last) {

            /* the end may have been cut off */

            n = ngx_min((size_t) (last - p), secret[i].len);

            if (n >= NGX_HTTP_WEBHOOK_ECHO_MIN
                && *p == secret[i].data[0]
                && ngx_memcmp(p, secret[i].data, n) == 0)
            {
                dst = ngx_cpymem(dst, NGX_HTTP_WEBHOOK_MASK,
                                 sizeof(NGX_HTTP_WEBHOOK_MASK) - 1);
                p += n;
                continue;
            }

            *dst++ = *p++;
        }

        text->len = dst - text->data;
    }
}


ngx_int_t
ngx_http_webhook_status_headers(ngx_http_webhook_status_t *s,
    ngx_str_t *lines)
{
    u_char                          *p;
    ngx_str_t                        value;
    ngx_uint_t                       i, j, n;
    ngx_array_t                      list;
    ngx_http_webhook_status_line_t  *line;

    if (ngx_http_webhook_status_lines(s->request->pool, lines, &list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    line = list.elts;
    n = 0;

    ngx_http_webhook_status_literal(&s->text, "{");

    for (i = 0; i < list.nelts; i++) {

        if (line[i].name.len == 0) {
            continue;
        }

        value = line[i].value;

        for (j = i + 1; j < list.nelts; j++) {

            if (!ngx_http_webhook_status_same_name(&line[i].name,
                                                   &line[j].name))
            {
                continue;
            }

            p = ngx_pnalloc(s->request->pool,
                            value.len + 2 + line[j].value.len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            ngx_memcpy(p, value.data, value.len);
            ngx_memcpy(p + value.len, ", ", 2);
            ngx_memcpy(p + value.len + 2, line[j].value.data,
                       line[j].value.len);

            value.data = p;
            value.len += 2 + line[j].value.len;

            line[j].name.len = 0;
        }

        if (ngx_http_webhook_status_secret_name(s, &line[i].name)) {
            ngx_str_set(&value, NGX_HTTP_WEBHOOK_MASK);
        }

        if (n++) {
            ngx_http_webhook_status_literal(&s->text, ",");
        }

        ngx_http_webhook_text_string(&s->text, line[i].name.data,
                                     line[i].name.len);
        ngx_http_webhook_status_literal(&s->text, ":");
        ngx_http_webhook_text_string(&s->text, value.data, value.len);
    }

    ngx_http_webhook_status_literal(&s->text, "}");

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_status_lines(ngx_pool_t *pool, ngx_str_t *text,
    ngx_array_t *lines)
{
    u_char                          *p, *last, *end, *eol, *colon;
    ngx_http_webhook_status_line_t  *line;

    if (ngx_array_init(lines, pool, 16,
                       sizeof(ngx_http_webhook_status_line_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = text->data;
    last = p + text->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            end = last;
        }

        eol = end;

        if (eol > p && eol[-1] == CR) {
            eol--;
        }

        colon = ngx_strlchr(p, eol, ':');

        if (colon == NULL || colon == p) {
            continue;
        }

        line = ngx_array_push(lines);
        if (line == NULL) {
            return NGX_ERROR;
        }

        line->name.data = p;
        line->name.len = colon - p;

        p = colon + 1;

        while (p < eol && *p == ' ') {
            p++;
        }

        line->value.data = p;
        line->value.len = eol - p;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_webhook_status_secret_name(ngx_http_webhook_status_t *s,
    ngx_str_t *name)
{
    ngx_str_t  *known;

    for (known = ngx_http_webhook_secret_names; known->len; known++) {
        if (ngx_http_webhook_status_same_name(known, name)) {
            return 1;
        }
    }

    return ngx_http_webhook_redacted(&s->mcf->redact, name);
}


static ngx_uint_t
ngx_http_webhook_status_same_name(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && ngx_strncasecmp(one->data, two->data, one->len) == 0;
}


ngx_int_t
ngx_http_webhook_status_body(ngx_http_webhook_status_t *s, ngx_str_t *body,
    ngx_uint_t truncated)
{
    ngx_str_t   text;
    ngx_uint_t  cut;

    text = *body;

    for (cut = 0; cut < 4 && cut <= body->len; cut++) {

        text.len = body->len - cut;

        if (ngx_http_webhook_status_utf8(&text)) {

            ngx_http_webhook_status_literal(&s->text, ",\"body\":");
            ngx_http_webhook_text_string(&s->text, text.data, text.len);
            ngx_http_webhook_status_literal(&s->text, ",\"base64\":false");

            return NGX_OK;
        }

        if (!truncated) {
            break;
        }
    }

    text.data = ngx_pnalloc(s->request->pool,
                            ngx_base64_encoded_length(body->len));
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&text, body);

    ngx_http_webhook_status_literal(&s->text, ",\"body\":");
    ngx_http_webhook_text_string(&s->text, text.data, text.len);
    ngx_http_webhook_status_literal(&s->text, ",\"base64\":true");

    return NGX_OK;
}


/* jansson knows */

static ngx_uint_t
ngx_http_webhook_status_utf8(ngx_str_t *text)
{
    json_t  *value;

    value = json_stringn(text->len ? (char *) text->data : "", text->len);

    json_decref(value);

    return value != NULL;
}
