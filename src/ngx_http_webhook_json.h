
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * json: bytes -> jansson values; JSON Pointer (RFC 6901); values -> text,
 * with redaction applied while writing.  Pure.  Next room: api, payload.
 */


#ifndef _NGX_HTTP_WEBHOOK_JSON_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_JSON_H_INCLUDED_


#include "ngx_http_webhook.h"


/* a growing text; release with ngx_http_webhook_text_free() */

typedef struct {
    u_char     *data;          /* malloc()ed */
    size_t      len;
    size_t      size;
    unsigned    failed:1;      /* out of memory, or over max; stays set */
    size_t      max;           /* bytes; 0: no limit */
} ngx_http_webhook_text_t;


/*
 * Compiles a pointer into memory of "pool".  Returns NULL on success, else a
 * constant string that says what is wrong ("must begin with \"/\"", ...).
 * max_wildcards: how many "*" segments are allowed.
 */

char *ngx_http_webhook_pointer_compile(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t max_wildcards, ngx_http_webhook_pointer_t *pointer);

/* Resolves a pointer without wildcards: a borrowed reference, or NULL. */

json_t *ngx_http_webhook_pointer_get(json_t *doc,
    const ngx_http_webhook_pointer_t *pointer);

/* where a value stands: its name, or in a list its index, and in what */

typedef struct ngx_http_webhook_place_s  ngx_http_webhook_place_t;

struct ngx_http_webhook_place_s {
    const ngx_http_webhook_place_t  *up;     /* NULL: the document */
    ngx_str_t                        name;
    json_t                          *value;
};


/*
 * Calls "handler" with each value (borrowed) that a pointer names, in document
 * order, and with its place, which lasts as long as the call.  The handler's
 * NGX_OK goes on, anything else stops and is returned.  NGX_DECLINED: nothing
 * there (not even an empty container).
 */

typedef ngx_int_t (*ngx_http_webhook_pointer_pt)(void *data, json_t *value,
    const ngx_http_webhook_place_t *place);

ngx_int_t ngx_http_webhook_pointer_each(json_t *doc,
    const ngx_http_webhook_pointer_t *pointer,
    ngx_http_webhook_pointer_pt handler, void *data);

/* Deletes what a pointer (wildcards allowed) names from its containers. */

void ngx_http_webhook_pointer_delete(json_t *doc,
    const ngx_http_webhook_pointer_t *pointer);

/*
 * Parses a document (RFC 8259), bounded in depth and in number of values; of
 * members of one name the last one counts, in the first one's place.  A byte
 * order mark before it is passed over.  An integer from 2^63 to 2^64 - 1 is a
 * string that begins with NUL, which json_scalar() and json_write() know.  A
 * new reference, or NULL with *reason set to a constant text: "not JSON",
 * "inexact" (an integer beyond 64 bits, NUL in a string), "too deep",
 * "too many values", "no memory".
 */

json_t *ngx_http_webhook_json_parse(const u_char *data, size_t len,
    const char **reason);

/*
 * A line of UTF-8 text, without control characters and the white space around
 * it, as a string; the rest as in json_parse().
 */

json_t *ngx_http_webhook_json_line(const u_char *data, size_t len,
    const char **reason);

/*
 * Text that came from elsewhere, with a request, as a string: what is not UTF-8
 * becomes U+FFFD, and so does a NUL that it begins with.  A new reference, or
 * NULL: no memory.
 */

json_t *ngx_http_webhook_json_string(ngx_str_t *text);

/*
 * A scalar as text, for ids and comparisons: strings as they are, numbers in
 * their shortest form, booleans "true"/"false".  NGX_DECLINED for null,
 * containers.  "buf" has at least 32 bytes and is used for numbers; a string's
 * text is borrowed.
 */

ngx_int_t ngx_http_webhook_json_scalar(json_t *value, ngx_str_t *text,
    u_char *buf);

/*
 * Appends a value as compact JSON: integers as they are, doubles in the
 * shortest form that reads back; member order kept; strings as UTF-8 with
 * only the escapes RFC 8259 requires.  "redact" (ngx_str_t array, or NULL):
 * members whose name contains one of these words (without case, "_" and "-")
 * are written as "***", and so is the "value" of an object whose "key" or
 * "name" is a string that contains one.
 */

void ngx_http_webhook_json_write(ngx_http_webhook_text_t *text, json_t *value,
    ngx_array_t *redact);

void ngx_http_webhook_text_append(ngx_http_webhook_text_t *text,
    const void *data, size_t len);
void ngx_http_webhook_text_string(ngx_http_webhook_text_t *text,
    const void *data, size_t len);      /* as a quoted JSON string; bytes that
                                           are not UTF-8 become U+FFFD */
void ngx_http_webhook_text_free(ngx_http_webhook_text_t *text);

/*
 * Appends the text of what stands between a JSON string's quotes, which is
 * UTF-8.  Half a surrogate pair becomes U+FFFD.  NGX_DECLINED: it has a NUL;
 * NGX_ERROR: an escape that is none.
 */

ngx_int_t ngx_http_webhook_text_unescape(ngx_http_webhook_text_t *text,
    const u_char *p, const u_char *last);

/*
 * The first byte from p on that does not stand for itself in a JSON string:
 * a quote, a backslash, a control character or one beyond ASCII; or "last".
 */

const u_char *ngx_http_webhook_text_plain(const u_char *p, const u_char *last);

/* The length of the character at p < last, 0 if it is not UTF-8 (RFC 3629). */

size_t ngx_http_webhook_text_utf8(const u_char *p, const u_char *last);


#endif /* _NGX_HTTP_WEBHOOK_JSON_H_INCLUDED_ */
