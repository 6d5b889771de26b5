
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * json_pointer: what a JSON Pointer (RFC 6901) names in a jansson value, a
 * segment "*" naming everything there, and "[name=value]" what of a list has
 * that member.  json_text.c is the way back to bytes.  Next room: api, payload.
 */


#include "ngx_http_webhook_json.h"
#include "ngx_http_webhook_format.h"


static json_t *ngx_http_webhook_pointer_step(json_t *value,
    const ngx_str_t *segment);
static void ngx_http_webhook_pointer_at(ngx_http_webhook_place_t *place,
    u_char *index, size_t i);
static size_t ngx_http_webhook_pointer_index(json_t *list,
    const ngx_str_t *segment);
static size_t ngx_http_webhook_pointer_which(json_t *list,
    const ngx_str_t *segment);
static ngx_int_t ngx_http_webhook_pointer_walk(
    const ngx_http_webhook_place_t *place, const ngx_str_t *segments,
    ngx_uint_t n, ngx_http_webhook_pointer_pt handler, void *data);
static void ngx_http_webhook_pointer_remove(json_t *value,
    const ngx_str_t *segments, ngx_uint_t n);


char *
ngx_http_webhook_pointer_compile(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t max_wildcards, ngx_http_webhook_pointer_t *pointer)
{
    u_char      *p, *last, *dst;
    ngx_str_t   *segment;
    ngx_uint_t   n;

    ngx_memzero(pointer, sizeof(ngx_http_webhook_pointer_t));
    pointer->text = *text;

    if (text->len == 0) {
        return NULL;
    }

    if (text->data[0] != '/') {
        return "must begin with \"/\" or be empty";
    }

    last = text->data + text->len;
    n = 0;

    for (p = text->data; p < last; p++) {

        if (*p == '\0') {
            return "must not hold NUL";
        }

        if (*p == '/') {
            n++;
        }
    }

    segment = ngx_palloc(pool, n * sizeof(ngx_str_t));
    if (segment == NULL) {
        return "no memory";
    }

    dst = ngx_pnalloc(pool, text->len + 1);
    if (dst == NULL) {
        return "no memory";
    }

    pointer->segments = segment;
    pointer->nsegments = n;

    for (p = text->data; p < last; segment++) {

        segment->data = dst;

        for (p++; p < last && *p != '/'; p++) {

            if (*p != '~') {
                *dst++ = *p;
                continue;
            }

            if (++p == last || (*p != '0' && *p != '1')) {
                return "must have \"0\" or \"1\" after each \"~\"; a regex "
                       "is a word of its own behind it";
            }

            *dst++ = (*p == '0') ? '~' : '/';
        }

        segment->len = dst - segment->data;
        *dst++ = '\0';

        if (segment->len == 1 && segment->data[0] == '*') {
            pointer->wildcards++;
        }

        if (segment->len
            && segment->data[0] == '['
            && (dst[-2] != ']'
                || ngx_strlchr(segment->data, dst - 1, '=') == NULL))
        {
            return "must be as \"[name=value]\" where it has \"/[\"";
        }
    }

    if (pointer->wildcards > max_wildcards) {
        return max_wildcards ? "has too many \"*\" segments"
                             : "must not have a \"*\" segment here";
    }

    return NULL;
}


json_t *
ngx_http_webhook_pointer_get(json_t *doc,
    const ngx_http_webhook_pointer_t *pointer)
{
    ngx_uint_t  i;

    for (i = 0; i < pointer->nsegments && doc; i++) {
        doc = ngx_http_webhook_pointer_step(doc, &pointer->segments[i]);
    }

    return doc;
}


static json_t *
ngx_http_webhook_pointer_step(json_t *value, const ngx_str_t *segment)
{
    if (json_is_object(value)) {
        return json_object_get(value, (char *) segment->data);
    }

    if (!json_is_array(value)) {
        return NULL;
    }

    return json_array_get(value,
                          ngx_http_webhook_pointer_index(value, segment));
}


/* where in a list a segment points, or its size: nowhere */

static size_t
ngx_http_webhook_pointer_index(json_t *list, const ngx_str_t *segment)
{
    size_t  i, n;

    if (segment->len && segment->data[0] == '[') {
        return ngx_http_webhook_pointer_which(list, segment);
    }

    if (segment->len == 0
        || segment->len > 9
        || (segment->len > 1 && segment->data[0] == '0'))
    {
        return json_array_size(list);
    }

    n = 0;

    for (i = 0; i < segment->len; i++) {

        if (segment->data[i] < '0' || segment->data[i] > '9') {
            return json_array_size(list);
        }

        n = n * 10 + (segment->data[i] - '0');
    }

    return n;
}


/* "[name=value]": the first object in the list with this member */

static size_t
ngx_http_webhook_pointer_which(json_t *list, const ngx_str_t *segment)
{
    u_char      *p, *last, buf[32];
    size_t       i;
    json_t      *element, *member;
    ngx_str_t    name, value, text;
    const char  *key;

    name.data = segment->data + 1;
    last = segment->data + segment->len - 1;

    p = ngx_strlchr(name.data, last, '=');

    name.len = p - name.data;

    value.data = p + 1;
    value.len = last - value.data;

    json_array_foreach(list, i, element) {

        json_object_foreach(element, key, member) {

            if (ngx_strlen(key) == name.len
                && ngx_memcmp(key, name.data, name.len) == 0
                && ngx_http_webhook_json_scalar(member, &text, buf) == NGX_OK
                && text.len == value.len
                && ngx_memcmp(text.data, value.data, value.len) == 0)
            {
                return i;
            }
        }
    }

    return i;
}


ngx_int_t
ngx_http_webhook_pointer_each(json_t *doc,
    const ngx_http_webhook_pointer_t *pointer,
    ngx_http_webhook_pointer_pt handler, void *data)
{
    ngx_http_webhook_place_t  place;

    place.up = NULL;
    place.value = doc;
    ngx_str_null(&place.name);

    return ngx_http_webhook_pointer_walk(&place, pointer->segments,
                                         pointer->nsegments, handler, data);
}


static ngx_int_t
ngx_http_webhook_pointer_walk(const ngx_http_webhook_place_t *place,
    const ngx_str_t *segments, ngx_uint_t n,
    ngx_http_webhook_pointer_pt handler, void *data)
{
    u_char                    index[NGX_INT_T_LEN];
    void                     *iter, *next;
    size_t                    i;
    json_t                   *value, *element;
    ngx_int_t                 rc, found;
    ngx_http_webhook_place_t  below;

    value = place->value;

    if (n == 0) {
        return value ? handler(data, value, place) : NGX_DECLINED;
    }

    below.up = place;

    if (!(segments->len == 1 && segments->data[0] == '*')) {

        if (json_is_array(value)) {
            i = ngx_http_webhook_pointer_index(value, segments);

            below.value = json_array_get(value, i);
            ngx_http_webhook_pointer_at(&below, index, i);

        } else {
            below.value = ngx_http_webhook_pointer_step(value, segments);
            below.name = *segments;
        }

        if (below.value == NULL) {
            return NGX_DECLINED;
        }

        return ngx_http_webhook_pointer_walk(&below, segments + 1, n - 1,
                                             handler, data);
    }

    if (json_is_array(value)) {
        found = json_array_size(value) ? NGX_DECLINED : NGX_OK;

        json_array_foreach(value, i, element) {

            below.value = element;
            ngx_http_webhook_pointer_at(&below, index, i);

            rc = ngx_http_webhook_pointer_walk(&below, segments + 1, n - 1,
                                               handler, data);
            if (rc == NGX_OK) {
                found = NGX_OK;

            } else if (rc != NGX_DECLINED) {
                return rc;
            }
        }

        return found;
    }

    if (!json_is_object(value)) {
        return NGX_DECLINED;
    }

    found = json_object_size(value) ? NGX_DECLINED : NGX_OK;

    for (iter = json_object_iter(value); iter; iter = next) {

        next = json_object_iter_next(value, iter);

        below.name.data = (u_char *) json_object_iter_key(iter);
        below.name.len = ngx_strlen(below.name.data);
        below.value = json_object_iter_value(iter);

        rc = ngx_http_webhook_pointer_walk(&below, segments + 1, n - 1,
                                           handler, data);
        if (rc == NGX_OK) {
            found = NGX_OK;

        } else if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return found;
}


/* "index": NGX_INT_T_LEN bytes, which last as long as the place */

static void
ngx_http_webhook_pointer_at(ngx_http_webhook_place_t *place, u_char *index,
    size_t i)
{
    u_char  *last;

    last = index + NGX_INT_T_LEN;

    place->name.data = ngx_http_webhook_number_text(i, last);
    place->name.len = last - place->name.data;
}


void
ngx_http_webhook_pointer_delete(json_t *doc,
    const ngx_http_webhook_pointer_t *pointer)
{
    if (pointer->nsegments) {
        ngx_http_webhook_pointer_remove(doc, pointer->segments,
                                        pointer->nsegments);
    }
}


static void
ngx_http_webhook_pointer_remove(json_t *value, const ngx_str_t *segments,
    ngx_uint_t n)
{
    void       *iter;
    size_t      i;
    json_t     *element;
    ngx_uint_t  any;

    any = (segments->len == 1 && segments->data[0] == '*');

    if (n > 1 && !any) {
        value = ngx_http_webhook_pointer_step(value, segments);

        if (value) {
            ngx_http_webhook_pointer_remove(value, segments + 1, n - 1);
        }

        return;
    }

    if (json_is_array(value)) {

        if (n > 1) {
            json_array_foreach(value, i, element) {
                ngx_http_webhook_pointer_remove(element, segments + 1, n - 1);
            }

        } else if (any) {
            (void) json_array_clear(value);

        } else {
            (void) json_array_remove(value,
                                     ngx_http_webhook_pointer_index(value,
                                                                    segments));
        }

        return;
    }

    if (!json_is_object(value)) {
        return;
    }

    if (n > 1) {
        for (iter = json_object_iter(value);
             iter;
             iter = json_object_iter_next(value, iter))
        {
            ngx_http_webhook_pointer_remove(json_object_iter_value(iter),
                                            segments + 1, n - 1);
        }

    } else if (any) {
        (void) json_object_clear(value);

    } else {
        (void) json_object_del(value, (char *) segments->data);
    }
}
