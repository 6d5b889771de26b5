
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * json_text: jansson values -> text, with redaction applied while writing; text
 * of a request -> such a value; a growing text.  Next room: payload, status.
 */


#include "ngx_http_webhook_json.h"

#include <float.h>
#include <math.h>

#if (__SSE2__)
#include <emmintrin.h>
#endif


#define NGX_HTTP_WEBHOOK_JSON_NUMBER  32      /* bytes of a number's text */
#define NGX_HTTP_WEBHOOK_TEXT_EACH    0x0101010101010101ULL


typedef struct {
    ngx_array_t  *words;       /* ngx_str_t */
    uint32_t      first[32];   /* by (c & 31): bit (n & 31) of each word n
                                  that begins with c */
} ngx_http_webhook_redact_t;


static ngx_uint_t ngx_http_webhook_json_unsigned(ngx_str_t *text);
static size_t ngx_http_webhook_json_real(double d, u_char *buf);
static void ngx_http_webhook_json_value(ngx_http_webhook_text_t *text,
    json_t *value, ngx_http_webhook_redact_t *redact);
static void ngx_http_webhook_json_object(ngx_http_webhook_text_t *text,
    json_t *object, ngx_http_webhook_redact_t *redact);
static ngx_uint_t ngx_http_webhook_json_secret(
    ngx_http_webhook_redact_t *redact, const char *name, size_t len);
static ngx_uint_t ngx_http_webhook_json_begins(const char *name, size_t len,
    ngx_str_t *word);
static ngx_uint_t ngx_http_webhook_json_secret_pair(
    ngx_http_webhook_redact_t *redact, json_t *object);
static ngx_uint_t ngx_http_webhook_json_has_value(json_t *object);
static ngx_inline void ngx_http_webhook_text_char(
    ngx_http_webhook_text_t *text, u_char c);


ngx_int_t
ngx_http_webhook_json_scalar(json_t *value, ngx_str_t *text, u_char *buf)
{
    switch (json_typeof(value)) {

    case JSON_STRING:
        text->data = (u_char *) json_string_value(value);
        text->len = json_string_length(value);

        if (ngx_http_webhook_json_unsigned(text)) {
            text->data++;
            text->len--;
        }

        return NGX_OK;

    case JSON_INTEGER:
        text->data = buf;
        text->len = snprintf((char *) buf, NGX_HTTP_WEBHOOK_JSON_NUMBER,
                             "%" JSON_INTEGER_FORMAT,
                             json_integer_value(value));
        return NGX_OK;

    case JSON_REAL:
        text->data = buf;
        text->len = ngx_http_webhook_json_real(json_real_value(value), buf);
        return NGX_OK;

    case JSON_TRUE:
        ngx_str_set(text, "true");
        return NGX_OK;

    case JSON_FALSE:
        ngx_str_set(text, "false");
        return NGX_OK;

    default:
        ngx_str_null(text);
        return NGX_DECLINED;
    }
}


/* what json_read makes of such an integer, and nothing else is */

static ngx_uint_t
ngx_http_webhook_json_unsigned(ngx_str_t *text)
{
    size_t  i;

    if (text->len < 2 || text->data[0] != '\0') {
        return 0;
    }

    for (i = 1; i < text->len; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


json_t *
ngx_http_webhook_json_string(ngx_str_t *text)
{
    json_t                   *value;
    ngx_uint_t                nul;
    ngx_http_webhook_text_t   quoted;

    nul = (text->len && text->data[0] == '\0');

    value = nul ? NULL : json_stringn((char *) text->data, text->len);

    if (value) {
        return value;
    }

    ngx_memzero(&quoted, sizeof(ngx_http_webhook_text_t));
    ngx_http_webhook_text_string(&quoted, text->data, text->len);

    if (!quoted.failed) {

        if (nul) {
            ngx_memcpy(quoted.data, "\"\\ufffd", 7);
        }

        value = json_loadb((char *) quoted.data, quoted.len,
                           JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);
    }

    ngx_http_webhook_text_free(&quoted);

    return value;
}


/*
 * 15 digits read back more often than not; only subnormal numbers may need
 * fewer.  What was a real stays one: ".0" is added to an integral value.
 */

static size_t
ngx_http_webhook_json_real(double d, u_char *buf)
{
    int      digits;
    char    *p, *q, *exp;
    size_t   len;

    p = (char *) buf;
    len = 0;

    for (digits = (fabs(d) < DBL_MIN) ? 1 : 15; digits <= 17; digits++) {

        len = snprintf(p, NGX_HTTP_WEBHOOK_JSON_NUMBER, "%.*g", digits, d);

        if (strtod(p, NULL) == d) {
            break;
        }
    }

    exp = strchr(p, 'e');

    if (exp == NULL) {

        if (strchr(p, '.') == NULL) {
            p[len++] = '.';
            p[len++] = '0';
            p[len] = '\0';
        }

        return len;
    }

    /* "1e+22" and "1e-07": "1e22" and "1e-7" */

    q = ++exp;

    if (*q == '-') {
        exp++;
        q++;

    } else if (*q == '+') {
        q++;
    }

    while (*q == '0') {
        q++;
    }

    len = strlen(q);
    ngx_memmove(exp, q, len + 1);

    return exp + len - p;
}


void
ngx_http_webhook_json_write(ngx_http_webhook_text_t *text, json_t *value,
    ngx_array_t *redact)
{
    ngx_str_t                  *word;
    ngx_uint_t                  i;
    ngx_http_webhook_redact_t   ctx;

    if (redact == NULL || redact->nelts == 0) {
        ngx_http_webhook_json_value(text, value, NULL);
        return;
    }

    ctx.words = redact;
    ngx_memzero(ctx.first, sizeof(ctx.first));

    word = redact->elts;

    for (i = 0; i < redact->nelts; i++) {
        if (word[i].len) {
            ctx.first[word[i].data[0] & 31] |= (uint32_t) 1 << (i & 31);
        }
    }

    ngx_http_webhook_json_value(text, value, &ctx);
}


static void
ngx_http_webhook_json_value(ngx_http_webhook_text_t *text, json_t *value,
    ngx_http_webhook_redact_t *redact)
{
    u_char      buf[NGX_HTTP_WEBHOOK_JSON_NUMBER];
    size_t      i;
    json_t     *element;
    ngx_str_t   s;

    switch (json_typeof(value)) {

    case JSON_OBJECT:
        ngx_http_webhook_json_object(text, value, redact);
        return;

    case JSON_ARRAY:
        ngx_http_webhook_text_char(text, '[');

        json_array_foreach(value, i, element) {

            if (i) {
                ngx_http_webhook_text_char(text, ',');
            }

            ngx_http_webhook_json_value(text, element, redact);
        }

        ngx_http_webhook_text_char(text, ']');
        return;

    case JSON_STRING:
        (void) ngx_http_webhook_json_scalar(value, &s, buf);

        if (s.len != json_string_length(value)) {
            ngx_http_webhook_text_append(text, s.data, s.len);
            return;
        }

        ngx_http_webhook_text_string(text, (char *) s.data, s.len);
        return;

    case JSON_NULL:
        ngx_http_webhook_text_append(text, "null", 4);
        return;

    default:
        (void) ngx_http_webhook_json_scalar(value, &s, buf);
        ngx_http_webhook_text_append(text, s.data, s.len);
        return;
    }
}


static void
ngx_http_webhook_json_object(ngx_http_webhook_text_t *text, json_t *object,
    ngx_http_webhook_redact_t *redact)
{
    void        *iter;
    size_t       len;
    const char  *key;
    ngx_uint_t   pair, n;

    pair = redact && ngx_http_webhook_json_secret_pair(redact, object);
    n = 0;

    ngx_http_webhook_text_char(text, '{');

    for (iter = json_object_iter(object);
         iter;
         iter = json_object_iter_next(object, iter))
    {
        key = json_object_iter_key(iter);
        len = strlen(key);

        if (n++) {
            ngx_http_webhook_text_char(text, ',');
        }

        ngx_http_webhook_text_string(text, key, len);
        ngx_http_webhook_text_char(text, ':');

        if (redact
            && ((pair && strcasecmp(key, "value") == 0)
                || ngx_http_webhook_json_secret(redact, key, len)))
        {
            ngx_http_webhook_text_append(text, "\"***\"", 5);
            continue;
        }

        ngx_http_webhook_json_value(text, json_object_iter_value(iter),
                                    redact);
    }

    ngx_http_webhook_text_char(text, '}');
}


static ngx_uint_t
ngx_http_webhook_json_secret_pair(ngx_http_webhook_redact_t *redact,
    json_t *object)
{
    void        *iter;
    u_char       first;
    json_t      *value;
    const char  *key;

    for (iter = json_object_iter(object);
         iter;
         iter = json_object_iter_next(object, iter))
    {
        key = json_object_iter_key(iter);
        first = ngx_tolower((u_char) key[0]);

        if ((first != 'k' || strcasecmp(key, "key") != 0)
            && (first != 'n' || strcasecmp(key, "name") != 0))
        {
            continue;
        }

        value = json_object_iter_value(iter);

        if (json_is_string(value)
            && ngx_http_webhook_json_has_value(object)
            && ngx_http_webhook_json_secret(redact, json_string_value(value),
                                            json_string_length(value)))
        {
            return 1;
        }
    }

    return 0;
}


/* few objects with a name have, and then alone it matters */

static ngx_uint_t
ngx_http_webhook_json_has_value(json_t *object)
{
    void  *iter;

    for (iter = json_object_iter(object);
         iter;
         iter = json_object_iter_next(object, iter))
    {
        if (strcasecmp(json_object_iter_key(iter), "value") == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_webhook_json_secret(ngx_http_webhook_redact_t *redact,
    const char *name, size_t len)
{
    size_t      i;
    u_char      c;
    uint32_t    first;
    ngx_str_t  *word;
    ngx_uint_t  w;

    word = redact->words->elts;

    for (i = 0; i < len; i++) {

        c = ngx_tolower((u_char) name[i]);

        for (first = redact->first[c & 31]; first; first &= first - 1) {

            for (w = __builtin_ctz(first); w < redact->words->nelts; w += 32) {

                if (ngx_http_webhook_json_begins(name + i, len - i, &word[w]))
                {
                    return 1;
                }
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_webhook_json_begins(const char *name, size_t len, ngx_str_t *word)
{
    size_t  k, n;
    u_char  c;

    n = 0;

    for (k = 0; k < len && n < word->len; k++) {

        c = ngx_tolower((u_char) name[k]);

        if (c == word->data[n]) {
            n++;

        } else if (n == 0 || (c != '_' && c != '-')) {
            break;
        }
    }

    return n && n == word->len;
}


void
ngx_http_webhook_text_append(ngx_http_webhook_text_t *text, const void *data,
    size_t len)
{
    size_t   size;
    u_char  *p;

    if (text->failed || len == 0) {
        return;
    }

    if (text->max && len > text->max - text->len) {
        text->failed = 1;
        return;
    }

    if (len > text->size - text->len) {

        size = ngx_max(text->size * 2, 512);

        while (size - text->len < len) {
            size *= 2;
        }

        p = realloc(text->data, size);
        if (p == NULL) {
            text->failed = 1;
            return;
        }

        text->data = p;
        text->size = size;
    }

    ngx_memcpy(text->data + text->len, data, len);
    text->len += len;
}


static ngx_inline void
ngx_http_webhook_text_char(ngx_http_webhook_text_t *text, u_char c)
{
    if (text->failed || text->len == text->size
        || (text->max && text->len == text->max))
    {
        ngx_http_webhook_text_append(text, &c, 1);
        return;
    }

    text->data[text->len++] = c;
}


void
ngx_http_webhook_text_string(ngx_http_webhook_text_t *text, const void *data,
    size_t len)
{
    u_char         c;
    size_t         n;
    const u_char  *p, *last, *start;
    u_char         unicode[6];

    static const u_char  hex[] = "0123456789abcdef";

    p = data;
    last = p + len;

    ngx_http_webhook_text_char(text, '"');

    for (start = p; p < last; start = p) {

        p = ngx_http_webhook_text_plain(p, last);

        if (p < last && *p >= 0x80) {
            n = ngx_http_webhook_text_utf8(p, last);

            if (n) {
                p += n;
                ngx_http_webhook_text_append(text, start, p - start);
                continue;
            }
        }

        ngx_http_webhook_text_append(text, start, p - start);

        if (p == last) {
            break;
        }

        c = *p++;

        switch (c) {

        case '"':
            ngx_http_webhook_text_append(text, "\\\"", 2);
            break;

        case '\\':
            ngx_http_webhook_text_append(text, "\\\\", 2);
            break;

        case '\n':
            ngx_http_webhook_text_append(text, "\\n", 2);
            break;

        case '\r':
            ngx_http_webhook_text_append(text, "\\r", 2);
            break;

        case '\t':
            ngx_http_webhook_text_append(text, "\\t", 2);
            break;

        default:

            if (c >= 0x80) {
                ngx_http_webhook_text_append(text, "\xef\xbf\xbd", 3);
                break;
            }

            ngx_memcpy(unicode, "\\u00", 4);
            unicode[4] = hex[c >> 4];
            unicode[5] = hex[c & 15];

            ngx_http_webhook_text_append(text, unicode, 6);
            break;
        }
    }

    ngx_http_webhook_text_char(text, '"');
}


/* sixteen and eight bytes at a time, as long as all are plain */

const u_char *
ngx_http_webhook_text_plain(const u_char *p, const u_char *last)
{
    uint64_t  m, other;

#if (__SSE2__)

    int       found;
    __m128i   b;

    while (last - p >= (ssize_t) sizeof(__m128i)) {

        b = _mm_loadu_si128((const __m128i *) p);

        /* with its sign, what is beyond ASCII is less than a space, too */

        found = _mm_movemask_epi8(
                    _mm_or_si128(_mm_cmplt_epi8(b, _mm_set1_epi8(0x20)),
                        _mm_or_si128(_mm_cmpeq_epi8(b, _mm_set1_epi8('"')),
                                     _mm_cmpeq_epi8(b,
                                                    _mm_set1_epi8('\\')))));

        if (found) {
            return p + __builtin_ctz(found);
        }

        p += sizeof(__m128i);
    }

#endif

    while (last - p >= (ssize_t) sizeof(uint64_t)) {

        ngx_memcpy(&m, p, sizeof(uint64_t));

        /* a borrow comes from one that is not, and is within these eight */

        other = m
                | (m - NGX_HTTP_WEBHOOK_TEXT_EACH * 0x20)
                | ((m ^ NGX_HTTP_WEBHOOK_TEXT_EACH * '"')
                   - NGX_HTTP_WEBHOOK_TEXT_EACH)
                | ((m ^ NGX_HTTP_WEBHOOK_TEXT_EACH * '\\')
                   - NGX_HTTP_WEBHOOK_TEXT_EACH);

        if (other & NGX_HTTP_WEBHOOK_TEXT_EACH * 0x80) {
            break;
        }

        p += sizeof(uint64_t);
    }

    while (p < last && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


size_t
ngx_http_webhook_text_utf8(const u_char *p, const u_char *last)
{
    u_char  low, high;
    size_t  i, n;

    low = 0x80;
    high = 0xbf;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;
        low = (*p == 0xe0) ? 0xa0 : 0x80;
        high = (*p == 0xed) ? 0x9f : 0xbf;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;
        low = (*p == 0xf0) ? 0x90 : 0x80;
        high = (*p == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if ((size_t) (last - p) < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return n;
}


void
ngx_http_webhook_text_free(ngx_http_webhook_text_t *text)
{
    free(text->data);

    text->data = NULL;
    text->len = 0;
    text->size = 0;
}
