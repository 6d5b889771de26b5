
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * A document and a pointer, both the fuzzer's: the pointer stands in the first
 * line.  It is read as jansson reads it; what is written can be read again and
 * says the same.
 *
 * rooms: json_read json_escape json_pointer json_text
 */


#include "unit.h"
#include "ngx_http_webhook_json.h"


static ngx_str_t  words[] = { ngx_string("password"), ngx_string("token") };


static ngx_int_t
visit(void *data, json_t *value, const ngx_http_webhook_place_t *place)
{
    u_char      buf[32];
    ngx_str_t   text;
    size_t     *n = data;

    if (ngx_http_webhook_json_scalar(value, &text, buf) == NGX_OK) {
        *n += text.len;
    }

    return NGX_OK;
}


static void
write_again(json_t *doc)
{
    json_t                   *again;
    const char               *reason;
    ngx_http_webhook_text_t   one, two;

    ngx_memzero(&one, sizeof(ngx_http_webhook_text_t));
    ngx_memzero(&two, sizeof(ngx_http_webhook_text_t));

    ngx_http_webhook_json_write(&one, doc, NULL);

    if (one.failed) {
        abort();
    }

    again = ngx_http_webhook_json_parse(one.data, one.len, &reason);

    if (again == NULL) {
        abort();
    }

    ngx_http_webhook_json_write(&two, again, NULL);

    if (two.len != one.len || ngx_memcmp(one.data, two.data, one.len) != 0) {
        abort();
    }

    json_decref(again);
    ngx_http_webhook_text_free(&one);
    ngx_http_webhook_text_free(&two);
}


static void
as_jansson(json_t *doc, const char *reason, const u_char *data, size_t size)
{
    char          *one, *two;
    json_t        *theirs;
    json_error_t   error;

    if (size >= 3 && ngx_memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        size -= 3;
    }

    theirs = json_loadb((const char *) data, size, JSON_DECODE_ANY, &error);

    if (doc && theirs == NULL) {

        /* half a surrogate pair, an unsigned integer */

        if (ngx_strncmp(error.text, "invalid Unicode", 15) != 0
            && ngx_strncmp(error.text, "too big integer", 15) != 0)
        {
            abort();
        }

    } else if (doc) {
        one = json_dumps(doc, JSON_ENCODE_ANY);
        two = json_dumps(theirs, JSON_ENCODE_ANY);

        if (ngx_strcmp(one, two) != 0) {
            abort();
        }

        free(one);
        free(two);

    } else if (theirs
               && ngx_strncmp(reason, "too ", 4) != 0
               && memchr(data, '\0', size) == NULL)
    {
        /* jansson passes over a NUL behind a number */

        abort();
    }

    json_decref(theirs);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                       n;
    json_t                      *doc;
    u_char                      *eol;
    ngx_str_t                    text;
    ngx_pool_t                  *pool;
    ngx_array_t                  redact;
    const char                  *reason;
    ngx_http_webhook_text_t      out;
    ngx_http_webhook_pointer_t   pointer;

    eol = memchr(data, '\n', size);

    if (eol == NULL) {
        return 0;
    }

    text.data = (u_char *) data;
    text.len = eol - data;

    doc = ngx_http_webhook_json_parse(eol + 1, data + size - eol - 1, &reason);

    as_jansson(doc, reason, eol + 1, data + size - eol - 1);

    if (doc == NULL) {
        return 0;
    }

    ngx_memzero(&redact, sizeof(ngx_array_t));
    redact.elts = words;
    redact.nelts = 2;
    redact.size = sizeof(ngx_str_t);

    ngx_memzero(&out, sizeof(ngx_http_webhook_text_t));
    ngx_http_webhook_json_write(&out, doc, &redact);
    ngx_http_webhook_text_free(&out);

    pool = pool_create();

    if (ngx_http_webhook_pointer_compile(pool, &text, 2, &pointer) == NULL) {
        n = 0;

        if (pointer.wildcards == 0) {
            (void) ngx_http_webhook_pointer_get(doc, &pointer);
        }

        (void) ngx_http_webhook_pointer_each(doc, &pointer, visit, &n);

        ngx_http_webhook_pointer_delete(doc, &pointer);
    }

    pool_destroy(pool);

    write_again(doc);

    json_decref(doc);

    return 0;
}
