
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * json_read: bytes -> jansson values, as json_loadb() makes them.  What comes
 * in was written by others: depth and number of values are bounded while the
 * tree is built, so that all rooms may recurse.  Jansson reads each byte by
 * several calls; here it is asked for what needs thought alone, a number that
 * is not a short integer.  Next room: json_pointer.
 */


#include "ngx_http_webhook_json.h"


#define NGX_HTTP_WEBHOOK_JSON_DEPTH       128
#define NGX_HTTP_WEBHOOK_JSON_VALUES      131072
#define NGX_HTTP_WEBHOOK_JSON_CONTAINERS  32768   /* these cost the most */
#define NGX_HTTP_WEBHOOK_JSON_LINE        4096    /* bytes of text */
#define NGX_HTTP_WEBHOOK_JSON_DIGITS      18      /* never overflow */
#define NGX_HTTP_WEBHOOK_JSON_UNSIGNED    20      /* digits of 64 bits */


typedef struct {
    const u_char             *p;
    const u_char             *last;
    const char               *reason;
    ngx_uint_t                depth;
    ngx_uint_t                values;
    ngx_uint_t                containers;
    ngx_http_webhook_text_t   text;        /* a string without its escapes */
} ngx_http_webhook_json_reader_t;


static const u_char *ngx_http_webhook_json_begin(const u_char *data,
    size_t len);
static json_t *ngx_http_webhook_json_read(
    ngx_http_webhook_json_reader_t *reader);
static json_t *ngx_http_webhook_json_read_container(
    ngx_http_webhook_json_reader_t *reader);
static ngx_int_t ngx_http_webhook_json_read_member(
    ngx_http_webhook_json_reader_t *reader, json_t *object);
static ngx_int_t ngx_http_webhook_json_read_element(
    ngx_http_webhook_json_reader_t *reader, json_t *array);
static ngx_int_t ngx_http_webhook_json_read_text(
    ngx_http_webhook_json_reader_t *reader, ngx_str_t *text, json_t **value);
static json_t *ngx_http_webhook_json_read_number(
    ngx_http_webhook_json_reader_t *reader);
static ngx_uint_t ngx_http_webhook_json_unsigned(const u_char *p,
    const u_char *last);
static json_t *ngx_http_webhook_json_read_unsigned(
    ngx_http_webhook_json_reader_t *reader, const u_char *digits);
static json_t *ngx_http_webhook_json_read_word(
    ngx_http_webhook_json_reader_t *reader, const char *word, json_t *value);
static json_t *ngx_http_webhook_json_read_escaped(
    ngx_http_webhook_json_reader_t *reader, const u_char *start);
static json_t *ngx_http_webhook_json_load(
    ngx_http_webhook_json_reader_t *reader, const u_char *start);
static ngx_int_t ngx_http_webhook_json_enter(
    ngx_http_webhook_json_reader_t *reader);
static ngx_int_t ngx_http_webhook_json_count(
    ngx_http_webhook_json_reader_t *reader);
static u_char ngx_http_webhook_json_token(
    ngx_http_webhook_json_reader_t *reader);
static json_t *ngx_http_webhook_json_made(
    ngx_http_webhook_json_reader_t *reader, json_t *value);


json_t *
ngx_http_webhook_json_parse(const u_char *data, size_t len,
    const char **reason)
{
    json_t                          *doc;
    ngx_http_webhook_json_reader_t   reader;

    ngx_memzero(&reader, sizeof(ngx_http_webhook_json_reader_t));

    reader.p = ngx_http_webhook_json_begin(data, len);
    reader.last = data + len;
    reader.reason = "not JSON";
    reader.values = 1;

    doc = ngx_http_webhook_json_read(&reader);

    ngx_http_webhook_text_free(&reader.text);

    if (doc) {
        (void) ngx_http_webhook_json_token(&reader);

        if (reader.p == reader.last) {
            *reason = NULL;
            return doc;
        }

        json_decref(doc);
    }

    *reason = reader.reason;

    return NULL;
}


json_t *
ngx_http_webhook_json_line(const u_char *data, size_t len,
    const char **reason)
{
    size_t                           n;
    json_t                          *value;
    const u_char                    *p, *last;
    ngx_http_webhook_json_reader_t   reader;

    reader.p = ngx_http_webhook_json_begin(data, len);
    reader.last = data + len;

    *reason = "not JSON";

    if (ngx_http_webhook_json_token(&reader) == 0) {
        return NULL;
    }

    last = reader.last;

    while (last[-1] == ' ' || last[-1] == LF || last[-1] == CR
           || last[-1] == '\t')
    {
        last--;
    }

    if (last - reader.p > NGX_HTTP_WEBHOOK_JSON_LINE) {
        return NULL;
    }

    for (p = reader.p; p < last; p += n) {
        n = (*p < 0x80) ? 1 : ngx_http_webhook_text_utf8(p, last);

        if (n == 0 || *p < 0x20 || *p == 0x7f) {
            return NULL;
        }
    }

    value = json_stringn_nocheck((const char *) reader.p, last - reader.p);

    *reason = value ? NULL : "no memory";

    return value;
}


/* behind a byte order mark: RFC 8259, section 8.1 */

static const u_char *
ngx_http_webhook_json_begin(const u_char *data, size_t len)
{
    if (len >= 3 && ngx_memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
    }

    return data;
}


/* as are all below: NULL or NGX_ERROR with the reason, which is "not JSON" */

static json_t *
ngx_http_webhook_json_read(ngx_http_webhook_json_reader_t *reader)
{
    json_t     *value;
    ngx_str_t   text;

    switch (ngx_http_webhook_json_token(reader)) {

    case '{':
    case '[':
        return ngx_http_webhook_json_read_container(reader);

    case '"':
        if (ngx_http_webhook_json_read_text(reader, &text, &value) != NGX_OK) {
            return NULL;
        }

        if (value) {
            return value;
        }

        return ngx_http_webhook_json_made(reader,
                        json_stringn_nocheck((char *) text.data, text.len));

    case 't':
        return ngx_http_webhook_json_read_word(reader, "true", json_true());

    case 'f':
        return ngx_http_webhook_json_read_word(reader, "false", json_false());

    case 'n':
        return ngx_http_webhook_json_read_word(reader, "null", json_null());

    default:
        return ngx_http_webhook_json_read_number(reader);
    }
}


static json_t *
ngx_http_webhook_json_read_container(ngx_http_webhook_json_reader_t *reader)
{
    u_char       c, end;
    json_t      *container;
    ngx_int_t    rc;
    ngx_uint_t   object;

    object = (*reader->p == '{');
    end = object ? '}' : ']';

    if (ngx_http_webhook_json_enter(reader) != NGX_OK) {
        return NULL;
    }

    container = ngx_http_webhook_json_made(reader, object ? json_object()
                                                          : json_array());
    if (container == NULL) {
        return NULL;
    }

    for (c = ngx_http_webhook_json_token(reader); c != end; /* void */ ) {

        rc = object ? ngx_http_webhook_json_read_member(reader, container)
                    : ngx_http_webhook_json_read_element(reader, container);

        if (rc != NGX_OK) {
            goto failed;
        }

        c = ngx_http_webhook_json_token(reader);

        if (c == ',') {
            reader->p++;

            if (ngx_http_webhook_json_count(reader) != NGX_OK) {
                goto failed;
            }

        } else if (c != end) {
            goto failed;
        }
    }

    reader->p++;
    reader->depth--;

    return container;

failed:

    json_decref(container);

    return NULL;
}


static ngx_int_t
ngx_http_webhook_json_read_member(ngx_http_webhook_json_reader_t *reader,
    json_t *object)
{
    int         rc;
    json_t     *value, *name;
    ngx_str_t   text;

    if (ngx_http_webhook_json_token(reader) != '"'
        || ngx_http_webhook_json_read_text(reader, &text, &name) != NGX_OK)
    {
        return NGX_ERROR;
    }

    value = NULL;

    if (ngx_http_webhook_json_token(reader) == ':') {
        reader->p++;
        value = ngx_http_webhook_json_read(reader);
    }

    if (value == NULL) {
        json_decref(name);
        return NGX_ERROR;
    }

    rc = json_object_setn_new_nocheck(object, (char *) text.data, text.len,
                                      value);
    json_decref(name);

    if (rc != 0) {
        reader->reason = "no memory";
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_json_read_element(ngx_http_webhook_json_reader_t *reader,
    json_t *array)
{
    json_t  *value;

    value = ngx_http_webhook_json_read(reader);
    if (value == NULL) {
        return NGX_ERROR;
    }

    if (json_array_append_new(array, value) != 0) {
        reader->reason = "no memory";
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The text of a plain string is within what is read, *value is NULL.  Of one
 * with escapes a value is made, which holds it.
 */

static ngx_int_t
ngx_http_webhook_json_read_text(ngx_http_webhook_json_reader_t *reader,
    ngx_str_t *text, json_t **value)
{
    size_t         n;
    ngx_uint_t     escaped;
    const u_char  *p, *last, *start;

    start = reader->p;
    last = reader->last;
    escaped = 0;

    for (p = start + 1; /* void */ ; p += n) {

        p = ngx_http_webhook_text_plain(p, last);

        if (p == last || *p < 0x20) {
            return NGX_ERROR;
        }

        if (*p == '"') {
            break;
        }

        if (*p != '\\') {
            n = ngx_http_webhook_text_utf8(p, last);

            if (n == 0) {
                return NGX_ERROR;
            }

            continue;
        }

        escaped = 1;
        n = (last - p > 1) ? 2 : 1;
    }

    reader->p = p + 1;

    if (!escaped) {
        *value = NULL;
        text->data = (u_char *) start + 1;
        text->len = p - text->data;

        return NGX_OK;
    }

    *value = ngx_http_webhook_json_read_escaped(reader, start);

    if (*value == NULL) {
        return NGX_ERROR;
    }

    text->data = (u_char *) json_string_value(*value);
    text->len = json_string_length(*value);

    return NGX_OK;
}


/* the string from "start" to where the reader is */

static json_t *
ngx_http_webhook_json_read_escaped(ngx_http_webhook_json_reader_t *reader,
    const u_char *start)
{
    ngx_int_t                 rc;
    ngx_http_webhook_text_t  *text;

    text = &reader->text;
    text->len = 0;

    rc = ngx_http_webhook_text_unescape(text, start + 1, reader->p - 1);

    if (rc == NGX_DECLINED) {
        reader->reason = "inexact";
        return NULL;
    }

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (text->failed) {
        reader->reason = "no memory";
        return NULL;
    }

    return ngx_http_webhook_json_made(reader,
                       json_stringn_nocheck((char *) text->data, text->len));
}


static json_t *
ngx_http_webhook_json_read_number(ngx_http_webhook_json_reader_t *reader)
{
    ngx_uint_t     negative;
    json_int_t     n;
    const u_char  *p, *last, *start, *digits;

    start = reader->p;
    last = reader->last;

    negative = (start < last && *start == '-');

    digits = start + negative;
    n = 0;

    for (p = digits; p < last && *p >= '0' && *p <= '9'; p++) {

        if (p - digits < NGX_HTTP_WEBHOOK_JSON_DIGITS) {
            n = n * 10 + (*p - '0');
        }
    }

    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return NULL;
    }

    if (p - digits <= NGX_HTTP_WEBHOOK_JSON_DIGITS
        && (p == last || (*p != '.' && *p != 'e' && *p != 'E')))
    {
        reader->p = p;
        return ngx_http_webhook_json_made(reader,
                                          json_integer(negative ? -n : n));
    }

    if (!negative
        && ngx_http_webhook_json_unsigned(digits, p)
        && (p == last || (*p != '.' && *p != 'e' && *p != 'E')))
    {
        reader->p = p;
        return ngx_http_webhook_json_read_unsigned(reader, digits);
    }

    while (p < last
           && ((*p >= '0' && *p <= '9') || *p == '.' || *p == 'e' || *p == 'E'
               || *p == '+' || *p == '-'))
    {
        p++;
    }

    reader->p = p;

    return ngx_http_webhook_json_load(reader, start);
}


/* whether these digits are an integer of 64 bits, but not of 63 */

static ngx_uint_t
ngx_http_webhook_json_unsigned(const u_char *p, const u_char *last)
{
    uint64_t  n, digit;

    if (last - p > NGX_HTTP_WEBHOOK_JSON_UNSIGNED) {
        return 0;
    }

    for (n = 0; p < last; p++) {
        digit = *p - '0';

        if (n > (UINT64_MAX - digit) / 10) {
            return 0;
        }

        n = n * 10 + digit;
    }

    return n > INT64_MAX;
}


/* jansson has none: it becomes a string of NUL, which no other has, and it */

static json_t *
ngx_http_webhook_json_read_unsigned(ngx_http_webhook_json_reader_t *reader,
    const u_char *digits)
{
    char    text[1 + NGX_HTTP_WEBHOOK_JSON_UNSIGNED];
    size_t  len;

    len = reader->p - digits;

    text[0] = '\0';
    ngx_memcpy(text + 1, digits, len);

    return ngx_http_webhook_json_made(reader,
                                      json_stringn_nocheck(text, len + 1));
}


static json_t *
ngx_http_webhook_json_read_word(ngx_http_webhook_json_reader_t *reader,
    const char *word, json_t *value)
{
    size_t  len;

    len = strlen(word);

    if ((size_t) (reader->last - reader->p) < len
        || ngx_memcmp(reader->p, word, len) != 0)
    {
        return NULL;
    }

    reader->p += len;

    return value;
}


/* the number from "start" to where the reader is */

static json_t *
ngx_http_webhook_json_load(ngx_http_webhook_json_reader_t *reader,
    const u_char *start)
{
    json_t        *value;
    json_error_t   error;

    /* jansson says of most allocations that fail what it says of bad JSON */

    ngx_set_errno(0);

    value = json_loadb((const char *) start, reader->p - start,
                       JSON_DECODE_ANY, &error);
    if (value) {
        return value;
    }

    if (ngx_errno == NGX_ENOMEM) {
        reader->reason = "no memory";
        return NULL;
    }

    if (json_error_code(&error) == json_error_numeric_overflow) {
        reader->reason = "inexact";
    }

    return NULL;
}


static ngx_int_t
ngx_http_webhook_json_enter(ngx_http_webhook_json_reader_t *reader)
{
    reader->p++;

    if (++reader->depth > NGX_HTTP_WEBHOOK_JSON_DEPTH) {
        reader->reason = "too deep";
        return NGX_ERROR;
    }

    if (++reader->containers > NGX_HTTP_WEBHOOK_JSON_CONTAINERS) {
        reader->reason = "too many values";
        return NGX_ERROR;
    }

    return ngx_http_webhook_json_count(reader);
}


static ngx_int_t
ngx_http_webhook_json_count(ngx_http_webhook_json_reader_t *reader)
{
    if (++reader->values > NGX_HTTP_WEBHOOK_JSON_VALUES) {
        reader->reason = "too many values";
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the first byte of what comes next, 0 at the end */

static u_char
ngx_http_webhook_json_token(ngx_http_webhook_json_reader_t *reader)
{
    u_char  c;

    for ( /* void */ ; reader->p < reader->last; reader->p++) {

        c = *reader->p;

        if (c != ' ' && c != LF && c != CR && c != '\t') {
            return c;
        }
    }

    return 0;
}


static json_t *
ngx_http_webhook_json_made(ngx_http_webhook_json_reader_t *reader,
    json_t *value)
{
    if (value == NULL) {
        reader->reason = "no memory";
    }

    return value;
}
