
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_text: a VALUE of a description and an element of a document -> its text,
 * or the JSON value that it points at; the text of a status -> what "states"
 * says of it.  Next room: api_state, api.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_regex.h"


#define NGX_HTTP_WEBHOOK_API_NUMBER  32    /* bytes, as text */


static ngx_int_t ngx_http_webhook_api_placed(
    ngx_http_webhook_api_reading_t *reading,
    ngx_http_webhook_api_value_t *value, ngx_str_t *text, json_t **json);
static ngx_int_t ngx_http_webhook_api_parts(
    ngx_http_webhook_api_reading_t *reading, json_t *element,
    ngx_array_t *parts, ngx_str_t *text);
static ngx_int_t ngx_http_webhook_api_scalar(
    ngx_http_webhook_api_reading_t *reading, json_t *json, ngx_str_t *text);
#if (NGX_PCRE)
static ngx_int_t ngx_http_webhook_api_decode(
    ngx_http_webhook_api_reading_t *reading, ngx_str_t *text);
#endif


ngx_int_t
ngx_http_webhook_api_value(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_api_value_t *value, ngx_str_t *text,
    json_t **json)
{
    ngx_int_t  rc;

    *json = NULL;

    if (value->text) {
        *text = reading->texts[value->index];
        rc = text->len ? NGX_OK : NGX_DECLINED;

    } else if (element == NULL) {
        rc = NGX_DECLINED;

    } else if (value->parts) {
        rc = ngx_http_webhook_api_parts(reading, element, value->parts, text);

    } else if (value->placed) {
        rc = ngx_http_webhook_api_placed(reading, value, text, json);

    } else {
        *json = ngx_http_webhook_pointer_get(element,
                                             &value->pointer.pointer);

        rc = (*json && !json_is_null(*json)) ? NGX_OK : NGX_DECLINED;
    }

#if (NGX_PCRE)

    if (rc == NGX_OK && value->regex) {

        if (*json) {
            rc = ngx_http_webhook_api_scalar(reading, *json, text);
            *json = NULL;
        }

        if (rc == NGX_OK
            && !ngx_http_webhook_regex_part(value->regex, text))
        {
            rc = NGX_DECLINED;
        }

        if (rc == NGX_OK && value->decoded) {
            rc = ngx_http_webhook_api_decode(reading, text);
        }
    }

#endif

    return rc;
}


/* above the document there is nothing, and it has no name */

static ngx_int_t
ngx_http_webhook_api_placed(ngx_http_webhook_api_reading_t *reading,
    ngx_http_webhook_api_value_t *value, ngx_str_t *text, json_t **json)
{
    ngx_uint_t                       n;
    const ngx_http_webhook_place_t  *place;
    ngx_http_webhook_api_found_t    *found;

    place = reading->place;

    for (n = value->up; n && place; n--) {
        place = place->up;
    }

    if (place == NULL) {
        return NGX_DECLINED;
    }

    if (value->named) {
        *text = place->name;
        return text->len ? NGX_OK : NGX_DECLINED;
    }

    found = NULL;

    if (value->up && reading->found) {
        found = &reading->found[value->index];

        if (found->above == place->value) {
            *json = found->json;
            goto done;
        }

        json_decref(found->json);
        ngx_memzero(found, sizeof(ngx_http_webhook_api_found_t));
    }

    *json = ngx_http_webhook_pointer_get(place->value,
                                         &value->pointer.pointer);

    /* "omit" may take it out before the next element looks at it */

    if (found) {
        found->above = place->value;
        found->json = json_incref(*json);
    }

done:

    return (*json && !json_is_null(*json)) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_webhook_api_parts(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_array_t *parts, ngx_str_t *text)
{
    u_char                        *p;
    json_t                        *json;
    ngx_str_t                     *piece;
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *part;

    piece = ngx_palloc(reading->request->pool,
                       parts->nelts * sizeof(ngx_str_t));
    if (piece == NULL) {
        goto failed;
    }

    part = parts->elts;
    text->len = 0;

    for (i = 0; i < parts->nelts; i++) {

        rc = ngx_http_webhook_api_value(reading, element, &part[i], &piece[i],
                                        &json);

        if (rc == NGX_OK && json) {
            rc = ngx_http_webhook_api_scalar(reading, json, &piece[i]);
        }

        if (rc == NGX_OK && ngx_http_webhook_api_shared(&part[i])) {
            rc = ngx_http_webhook_api_copied(reading, piece[i].len);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        text->len += piece[i].len;
    }

    text->data = ngx_pnalloc(reading->request->pool, text->len + 1);
    if (text->data == NULL) {
        goto failed;
    }

    p = text->data;

    for (i = 0; i < parts->nelts; i++) {
        p = ngx_cpymem(p, piece[i].data, piece[i].len);
    }

    return NGX_OK;

failed:

    reading->failed = 1;

    return NGX_ERROR;
}


/* the text of what is a scalar and not empty */

static ngx_int_t
ngx_http_webhook_api_scalar(ngx_http_webhook_api_reading_t *reading,
    json_t *json, ngx_str_t *text)
{
    u_char  *buf;

    buf = ngx_pnalloc(reading->request->pool, NGX_HTTP_WEBHOOK_API_NUMBER);
    if (buf == NULL) {
        reading->failed = 1;
        return NGX_ERROR;
    }

    if (ngx_http_webhook_json_scalar(json, text, buf) != NGX_OK
        || text->len == 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


#if (NGX_PCRE)

/* "%" that no two hexadecimal digits follow stays; NUL is in no text */

static ngx_int_t
ngx_http_webhook_api_decode(ngx_http_webhook_api_reading_t *reading,
    ngx_str_t *text)
{
    u_char     *p, *src, *last;
    ngx_int_t   ch;

    src = text->data;
    last = src + text->len;

    p = ngx_pnalloc(reading->request->pool, text->len);
    if (p == NULL) {
        reading->failed = 1;
        return NGX_ERROR;
    }

    text->data = p;

    while (src < last) {

        ch = (*src == '%' && last - src > 2) ? ngx_hextoi(src + 1, 2)
                                             : NGX_ERROR;

        if (ch == 0) {
            return NGX_DECLINED;
        }

        if (ch == NGX_ERROR) {
            *p++ = *src++;

        } else {
            *p++ = (u_char) ch;
            src += 3;
        }
    }

    text->len = p - text->data;

    return NGX_OK;
}

#endif


ngx_uint_t
ngx_http_webhook_api_shared(ngx_http_webhook_api_value_t *value)
{
    return value->placed && value->up && !value->named;
}


ngx_int_t
ngx_http_webhook_api_copied(ngx_http_webhook_api_reading_t *reading,
    size_t size)
{
    if (size > NGX_HTTP_WEBHOOK_COPIED_MAX - reading->copied) {
        reading->spent = 1;
        return NGX_ERROR;
    }

    reading->copied += size;

    return NGX_OK;
}


ngx_uint_t
ngx_http_webhook_api_states(ngx_http_webhook_api_scope_t *scope,
    ngx_str_t *text)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_state_t  *state;

    if (scope->states == NULL) {
        return NGX_HTTP_WEBHOOK_NONE;
    }

    state = scope->states->elts;

    for (i = 0; i < scope->states->nelts; i++) {

#if (NGX_PCRE)

        if (state[i].regex) {
            if (ngx_http_webhook_regex_match(state[i].regex, text)) {
                return state[i].rank;
            }

            continue;
        }

#endif

        if (state[i].text.len == text->len
            && ngx_strncasecmp(state[i].text.data, text->data, text->len) == 0)
        {
            return state[i].rank;
        }
    }

    return NGX_HTTP_WEBHOOK_NONE;
}
