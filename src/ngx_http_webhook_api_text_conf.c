
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_text_conf: the arguments of a directive -> VALUEs: pointers, texts with
 * variables and "${/pointer}", each with the regex that may follow it.  Next
 * rooms: api_conf, api_member_conf; api_text reads them.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_regex.h"


static ngx_int_t ngx_http_webhook_api_value_conf(ngx_conf_t *cf,
    ngx_str_t *text, ngx_uint_t wildcards, ngx_uint_t *ntexts,
    ngx_http_webhook_api_value_t *value);
static ngx_int_t ngx_http_webhook_api_placed_conf(ngx_conf_t *cf,
    ngx_str_t *text, ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value);
static u_char *ngx_http_webhook_api_relative(u_char *p, u_char *last);
static u_char *ngx_http_webhook_api_part(u_char *p, u_char *last);
static ngx_int_t ngx_http_webhook_api_text_conf(ngx_conf_t *cf,
    ngx_str_t *text, ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value);
static size_t ngx_http_webhook_api_literal(ngx_str_t *text);
static void ngx_http_webhook_api_numbered(ngx_conf_t *cf, ngx_str_t *text);
static ngx_int_t ngx_http_webhook_api_parts_conf(ngx_conf_t *cf,
    ngx_str_t *text, ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value);
static ngx_int_t ngx_http_webhook_api_regex_conf(ngx_conf_t *cf,
    ngx_str_t *text, ngx_http_webhook_api_value_t *value);


ngx_array_t *
ngx_http_webhook_api_conf_values(ngx_conf_t *cf, ngx_uint_t n,
    ngx_uint_t wildcards, ngx_uint_t *ntexts)
{
    ngx_str_t                     *arg;
    ngx_array_t                   *values;
    ngx_http_webhook_api_value_t  *value;

    values = ngx_array_create(cf->pool, cf->args->nelts,
                              sizeof(ngx_http_webhook_api_value_t));
    if (values == NULL) {
        return NULL;
    }

    arg = cf->args->elts;
    value = NULL;

    for ( /* void */ ; n < cf->args->nelts; n++) {

        if (arg[n].len && arg[n].data[0] == '~') {

            if (ngx_http_webhook_api_regex_conf(cf, &arg[n], value)
                != NGX_OK)
            {
                return NULL;
            }

            continue;
        }

        value = ngx_array_push(values);
        if (value == NULL) {
            return NULL;
        }

        ngx_memzero(value, sizeof(ngx_http_webhook_api_value_t));

        value->name = arg[n];

        if (ngx_http_webhook_api_value_conf(cf, &arg[n], wildcards, ntexts,
                                            value)
            != NGX_OK)
        {
            return NULL;
        }
    }

    return values;
}


ngx_int_t
ngx_http_webhook_api_conf_placed(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value)
{
    ngx_memzero(value, sizeof(ngx_http_webhook_api_value_t));

    value->name = *text;

    if (ngx_http_webhook_api_relative(text->data, text->data + text->len)) {
        return ngx_http_webhook_api_placed_conf(cf, text, ntexts, value);
    }

    return ngx_http_webhook_api_conf_pointer(cf, text,
                                             NGX_HTTP_WEBHOOK_WILDCARDS,
                                             &value->pointer);
}


ngx_uint_t
ngx_http_webhook_api_is_pointer(ngx_str_t *text)
{
    return (text->len && text->data[0] == '/')
           || ngx_http_webhook_api_relative(text->data,
                                            text->data + text->len);
}


ngx_uint_t
ngx_http_webhook_api_is_text(ngx_http_webhook_api_value_t *value)
{
#if (NGX_PCRE)

    if (value->regex) {
        return 1;
    }

#endif

    return value->text || value->parts || value->named;
}


static ngx_int_t
ngx_http_webhook_api_value_conf(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t wildcards, ngx_uint_t *ntexts,
    ngx_http_webhook_api_value_t *value)
{
    u_char      *last;
    ngx_uint_t   pointer;

    /* a path may begin with "/", too, and a name with "1/" */

    pointer = (ngx_strnstr(text->data, "${", text->len) == NULL);

    if (text->len == 0 || (pointer && text->data[0] == '/')) {
        return ngx_http_webhook_api_conf_pointer(cf, text, wildcards,
                                                 &value->pointer);
    }

    if (ngx_strncmp(text->data, "$.", 2) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", a JSON Pointer is written "
                           "\"/a/b\"", text);
        return NGX_ERROR;
    }

    last = text->data + text->len;

    if (pointer && ngx_http_webhook_api_relative(text->data, last)) {
        return ngx_http_webhook_api_placed_conf(cf, text, ntexts, value);
    }

    if (ngx_http_webhook_api_part(text->data, last) != last) {
        return ngx_http_webhook_api_parts_conf(cf, text, ntexts, value);
    }

    return ngx_http_webhook_api_text_conf(cf, text, ntexts, value);
}


static ngx_int_t
ngx_http_webhook_api_placed_conf(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value)
{
    u_char     *p, *last;
    ngx_str_t   pointer;

    last = text->data + text->len;
    p = ngx_http_webhook_api_relative(text->data, last);

    value->placed = 1;
    value->index = (*ntexts)++;
    value->up = ngx_atoi(text->data, p - text->data);

    if (*p == '/') {
        pointer.data = p;
        pointer.len = last - p;

        return ngx_http_webhook_api_conf_pointer(cf, &pointer, 0,
                                                 &value->pointer);
    }

    if (p + 1 != last) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "nothing may follow \"#\" in \"%V\"", text);
        return NGX_ERROR;
    }

    value->named = 1;

    return NGX_OK;
}


/* what follows the digit of "1#", "1/name", or NULL */

static u_char *
ngx_http_webhook_api_relative(u_char *p, u_char *last)
{
    if (last - p < 2 || *p < '0' || *p > '9' || (p[1] != '#' && p[1] != '/')) {
        return NULL;
    }

    return p + 1;
}


/* the next "${" of a pointer, or the end */

static u_char *
ngx_http_webhook_api_part(u_char *p, u_char *last)
{
    for ( /* void */ ; p < last; p++) {

        if (last - p > 2
            && p[0] == '$' && p[1] == '{'
            && (p[2] == '/' || ngx_http_webhook_api_relative(p + 2, last)))
        {
            return p;
        }
    }

    return last;
}


static ngx_int_t
ngx_http_webhook_api_text_conf(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_http_webhook_api_numbered(cf, text);

    value->index = (*ntexts)++;

    value->text = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (value->text == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value->text;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_ERROR;
    }

    value->literal = ngx_http_webhook_api_literal(text);

    return NGX_OK;
}


/* how much of what nginx has compiled is no variable */

static size_t
ngx_http_webhook_api_literal(ngx_str_t *text)
{
    u_char  *p, *last;
    size_t   n;

    n = 0;
    last = text->data + text->len;

    for (p = text->data; p < last; /* void */ ) {

        if (*p++ != '$') {
            n++;
            continue;
        }

        if (p < last && *p == '{') {

            while (p < last && *p++ != '}') { /* void */ }

            continue;
        }

        if (p < last && *p >= '1' && *p <= '9') {
            p++;
            continue;
        }

        while (p < last
               && ((*p >= 'A' && *p <= 'Z')
                   || (*p >= 'a' && *p <= 'z')
                   || (*p >= '0' && *p <= '9')
                   || *p == '_'))
        {
            p++;
        }
    }

    return n;
}


/* these belong to whatever regex the request met last */

static void
ngx_http_webhook_api_numbered(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char  *p, *last;

    last = text->data + text->len;

    for (p = text->data; p + 1 < last; p++) {

        if (p[0] == '$' && p[1] >= '1' && p[1] <= '9') {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"%V\" has no capture of a route's regex, "
                               "these have names, as \"(?<job>...)\"", text);
            return;
        }
    }
}


static ngx_int_t
ngx_http_webhook_api_parts_conf(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value)
{
    u_char                        *p, *last, *begin, *end;
    ngx_int_t                      rc;
    ngx_str_t                     *piece;
    ngx_http_webhook_api_value_t  *part;

    value->parts = ngx_array_create(cf->pool, 4,
                                    sizeof(ngx_http_webhook_api_value_t));
    if (value->parts == NULL) {
        return NGX_ERROR;
    }

    last = text->data + text->len;

    for (p = text->data; p < last; p = end) {

        begin = ngx_http_webhook_api_part(p, last);

        part = ngx_array_push(value->parts);
        piece = ngx_palloc(cf->pool, sizeof(ngx_str_t));

        if (part == NULL || piece == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(part, sizeof(ngx_http_webhook_api_value_t));

        piece->data = p;

        if (begin != p) {
            end = begin;
            piece->len = end - p;

            rc = ngx_http_webhook_api_text_conf(cf, piece, ntexts, part);

        } else {
            end = ngx_strlchr(p, last, '}');

            if (end == NULL) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "the closing bracket of \"%*s\" in "
                                   "\"%V\" is missing", (size_t) 3, begin,
                                   text);
                return NGX_ERROR;
            }

            piece->data += 2;
            piece->len = end++ - piece->data;

            rc = (*piece->data == '/')
                 ? ngx_http_webhook_api_conf_pointer(cf, piece, 0,
                                                     &part->pointer)
                 : ngx_http_webhook_api_placed_conf(cf, piece, ntexts, part);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* "value": what the regex stands behind, or NULL */

static ngx_int_t
ngx_http_webhook_api_regex_conf(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_webhook_api_value_t *value)
{
#if (NGX_PCRE)

    ngx_str_t   pattern;
    ngx_uint_t  options;

    if (value == NULL || value->regex) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a regex must stand behind the value that it takes "
                           "a part of, \"%V\" does not", text);
        return NGX_ERROR;
    }

    if (value->pointer.pointer.wildcards) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a regex takes a part of one value, \"%V\" may be "
                           "several", &value->name);
        return NGX_ERROR;
    }

    pattern.data = text->data + 1;
    pattern.len = text->len - 1;
    options = 0;

    if (pattern.len && pattern.data[0] == '%') {
        pattern.data++;
        pattern.len--;
        value->decoded = 1;
    }

    if (pattern.len && pattern.data[0] == '*') {
        pattern.data++;
        pattern.len--;
        options = NGX_REGEX_CASELESS;
    }

    if (pattern.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty regex in \"%V\", no space stands behind it",
                           text);
        return NGX_ERROR;
    }

    value->regex = ngx_http_webhook_regex_compile(cf, &pattern, options);

    return value->regex ? NGX_OK : NGX_ERROR;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "using regex \"%V\" requires PCRE library", text);
    return NGX_ERROR;

#endif
}
