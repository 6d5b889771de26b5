
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_secret: in: headers and bodies as they were sent and received; out:
 * JSON without what is secret, whoever said it: endpoints echo what they are
 * sent; next: status_json.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_scrub.h"


typedef struct {
    ngx_str_t    name;
    ngx_str_t    value;
} ngx_http_webhook_status_line_t;


static ngx_int_t ngx_http_webhook_status_lines(ngx_pool_t *pool,
    ngx_str_t *text, ngx_array_t *lines);
static ngx_uint_t ngx_http_webhook_status_same_name(ngx_str_t *one,
    ngx_str_t *two);
static ngx_uint_t ngx_http_webhook_status_utf8(ngx_str_t *text);


ngx_int_t
ngx_http_webhook_status_secrets(ngx_http_webhook_status_t *s,
    ngx_http_webhook_hook_t *hook, ngx_array_t *secrets)
{
    ngx_array_t  *known;

    if (hook == NULL) {
        ngx_memzero(secrets, sizeof(ngx_array_t));
        return NGX_OK;
    }

    known = ngx_http_webhook_scrub_secrets(s->mcf->hooks.pool, hook);

    if (known == NULL) {
        return NGX_ERROR;
    }

    *secrets = *known;

    return NGX_OK;
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

        if (ngx_http_webhook_scrub_name(&s->mcf->redact, &line[i].name)) {
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
