
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_args: in: the query of a request; out: a filter for the queue, or a
 * problem that names the parameter; next: status_json.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_format.h"
#include "ngx_http_webhook_payload.h"


typedef struct {
    ngx_http_webhook_filter_t  *filter;
    ngx_uint_t                  limit;
} ngx_http_webhook_args_t;


/* NULL, or what is wrong with the value, which is not empty */

typedef const char *(*ngx_http_webhook_arg_pt)(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);


typedef struct {
    ngx_str_t                   name;
    ngx_http_webhook_arg_pt     handler;
    ngx_uint_t                  list;      /* boolean: may be repeated */
} ngx_http_webhook_arg_t;


static ngx_int_t ngx_http_webhook_arg_next(ngx_http_webhook_status_t *s,
    u_char **p, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_webhook_arg_unescape(ngx_str_t *text,
    ngx_str_t *value);
static const char *ngx_http_webhook_arg_hook(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);
static const char *ngx_http_webhook_arg_event(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);
static uint32_t ngx_http_webhook_arg_event_bits(ngx_str_t *name);
static const char *ngx_http_webhook_arg_status(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);
static ngx_int_t ngx_http_webhook_arg_bits(ngx_str_t *value,
    uint32_t (*bits)(ngx_str_t *name), uint32_t *mask);
static const char *ngx_http_webhook_arg_execution(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);
static const char *ngx_http_webhook_arg_since(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);
static const char *ngx_http_webhook_arg_until(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);
static const char *ngx_http_webhook_arg_limit(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);
static const char *ngx_http_webhook_arg_after(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value);


static ngx_http_webhook_arg_t  ngx_http_webhook_args[] = {
    { ngx_string("hook"), ngx_http_webhook_arg_hook, 0 },
    { ngx_string("event"), ngx_http_webhook_arg_event, 1 },
    { ngx_string("status"), ngx_http_webhook_arg_status, 1 },
    { ngx_string("execution"), ngx_http_webhook_arg_execution, 0 },
    { ngx_string("since"), ngx_http_webhook_arg_since, 0 },
    { ngx_string("until"), ngx_http_webhook_arg_until, 0 },
    { ngx_string("limit"), ngx_http_webhook_arg_limit, 0 },
    { ngx_string("after"), ngx_http_webhook_arg_after, 0 }
};


#define NGX_HTTP_WEBHOOK_NARGS                                                \
    (sizeof(ngx_http_webhook_args) / sizeof(ngx_http_webhook_arg_t))


ngx_int_t
ngx_http_webhook_status_args(ngx_http_webhook_status_t *s,
    ngx_http_webhook_filter_t *filter, ngx_uint_t *limit)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_str_t                 name, value;
    ngx_uint_t                i, seen;
    const char               *error;
    ngx_http_webhook_arg_t   *arg;
    ngx_http_webhook_args_t   args;

    args.filter = filter;
    args.limit = NGX_HTTP_WEBHOOK_LIMIT_DEFAULT;

    if (filter) {
        ngx_memzero(filter, sizeof(ngx_http_webhook_filter_t));
        filter->slot = NGX_HTTP_WEBHOOK_NO_SLOT;
    }

    arg = ngx_http_webhook_args;
    seen = 0;

    p = s->request->args.data;

    for ( ;; ) {
        rc = ngx_http_webhook_arg_next(s, &p, &name, &value);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        for (i = 0; i < NGX_HTTP_WEBHOOK_NARGS; i++) {
            if (arg[i].name.len == name.len
                && ngx_memcmp(arg[i].name.data, name.data, name.len) == 0)
            {
                break;
            }
        }

        if (filter == NULL || i == NGX_HTTP_WEBHOOK_NARGS) {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "there is no such parameter here", &name);
        }

        if (value.len == 0) {
            continue;
        }

        if (!arg[i].list && (seen & (1 << i))) {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "the parameter is given more than once", &name);
        }

        seen |= 1 << i;

        error = arg[i].handler(s, &args, &value);

        if (error) {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                                                   error, &name);
        }
    }

    if (limit) {
        *limit = args.limit;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_status_params(ngx_http_webhook_status_t *s,
    ngx_http_webhook_param_t *params, ngx_uint_t n)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t    name, value;
    ngx_uint_t   i;

    p = s->request->args.data;

    for ( ;; ) {
        rc = ngx_http_webhook_arg_next(s, &p, &name, &value);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        for (i = 0; i < n; i++) {
            if (params[i].name.len == name.len
                && ngx_memcmp(params[i].name.data, name.data, name.len) == 0)
            {
                break;
            }
        }

        if (i == n) {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "there is no such parameter here", &name);
        }

        if (params[i].value.len) {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "the parameter is given more than once", &name);
        }

        params[i].value = value;
    }
}


/* NGX_OK: one of them, *p is behind it; NGX_DONE: there is none */

static ngx_int_t
ngx_http_webhook_arg_next(ngx_http_webhook_status_t *s, u_char **p,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char     *last, *end, *equal;
    ngx_str_t   text;

    last = s->request->args.data + s->request->args.len;

    while (*p < last && **p == '&') {
        (*p)++;
    }

    if (*p == last) {
        return NGX_DONE;
    }

    name->len = 0;
    value->len = 0;

    end = ngx_strlchr(*p, last, '&');

    if (end == NULL) {
        end = last;
    }

    equal = ngx_strlchr(*p, end, '=');

    text.data = *p;
    text.len = (equal ? equal : end) - *p;

    name->data = ngx_pnalloc(s->request->pool, end - *p + 1);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    value->data = name->data + text.len;

    if (ngx_http_webhook_arg_unescape(&text, name) != NGX_OK) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "the name is not percent-encoded", &text);
    }

    text.data = equal ? equal + 1 : end;
    text.len = end - text.data;

    if (ngx_http_webhook_arg_unescape(&text, value) != NGX_OK) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "the value is not percent-encoded", name);
    }

    *p = end;

    return NGX_OK;
}


/* value->data has room for all of "text" */

static ngx_int_t
ngx_http_webhook_arg_unescape(ngx_str_t *text, ngx_str_t *value)
{
    u_char     *p, *last, *d;
    ngx_int_t   ch;

    p = text->data;
    last = p + text->len;
    d = value->data;

    while (p < last) {

        if (*p == '+') {
            *d++ = ' ';
            p++;
            continue;
        }

        if (*p != '%') {
            *d++ = *p++;
            continue;
        }

        if (last - p < 3) {
            return NGX_ERROR;
        }

        ch = ngx_hextoi(p + 1, 2);

        if (ch == NGX_ERROR) {
            return NGX_ERROR;
        }

        *d++ = (u_char) ch;
        p += 3;
    }

    value->len = d - value->data;

    return NGX_OK;
}


static const char *
ngx_http_webhook_arg_hook(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    ngx_http_webhook_hook_t  *hook;

    hook = ngx_http_webhook_status_hook(s, value);

    if (hook == NULL) {
        return "there is no webhook of this name";
    }

    /* that of one without is none's */

    args->filter->slot = ngx_min(hook->slot, NGX_HTTP_WEBHOOK_NO_SLOT - 1);

    return NULL;
}


static const char *
ngx_http_webhook_arg_event(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    if (ngx_http_webhook_arg_bits(value, ngx_http_webhook_arg_event_bits,
                                  &args->filter->events)
        != NGX_OK)
    {
        return "PING, EXECUTION, LAUNCHED, STARTED, UPDATED or FINISHED is "
               "expected";
    }

    return NULL;
}


static uint32_t
ngx_http_webhook_arg_event_bits(ngx_str_t *name)
{
    ngx_str_t   *known;
    ngx_uint_t   event;

    if (name->len == 9
        && ngx_strncasecmp(name->data, (u_char *) "EXECUTION", 9) == 0)
    {
        return NGX_HTTP_WEBHOOK_EXECUTION_BITS;
    }

    for (event = NGX_HTTP_WEBHOOK_LAUNCHED;
         event <= NGX_HTTP_WEBHOOK_PING;
         event++)
    {
        known = ngx_http_webhook_event_name(event);

        if (known->len == name->len
            && ngx_strncasecmp(known->data, name->data, name->len) == 0)
        {
            return ngx_http_webhook_event_bit(event);
        }
    }

    return 0;
}


static const char *
ngx_http_webhook_arg_status(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    if (ngx_http_webhook_arg_bits(value, ngx_http_webhook_status_bit,
                                  &args->filter->statuses)
        != NGX_OK)
    {
        return "waiting, sending, delivered, failed, expired, superseded or "
               "dropped is expected";
    }

    return NULL;
}


static ngx_int_t
ngx_http_webhook_arg_bits(ngx_str_t *value, uint32_t (*bits)(ngx_str_t *name),
    uint32_t *mask)
{
    u_char     *p, *last, *end;
    uint32_t    bit;
    ngx_str_t   name;

    p = value->data;
    last = p + value->len;

    for ( ;; ) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        name.data = p;
        name.len = end - p;

        bit = bits(&name);

        if (bit == 0) {
            return NGX_ERROR;
        }

        *mask |= bit;

        if (end == last) {
            return NGX_OK;
        }

        p = end + 1;
    }
}


static const char *
ngx_http_webhook_arg_execution(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    args->filter->execution = *value;

    /* no more of it was kept */

    args->filter->execution.len = ngx_min(value->len,
                                          NGX_HTTP_WEBHOOK_EXECUTION_MAX);

    return NULL;
}


static const char *
ngx_http_webhook_arg_since(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    return ngx_http_webhook_status_when(value, &args->filter->since);
}


static const char *
ngx_http_webhook_arg_until(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    const char  *error;

    error = ngx_http_webhook_status_when(value, &args->filter->until);

    /* 0 would be no bound at all */

    if (error == NULL && args->filter->until == 0) {
        args->filter->until = 1;
    }

    return error;
}


const char *
ngx_http_webhook_status_when(ngx_str_t *value, uint64_t *time)
{
    u_char   *p;
    int64_t   ms;

    ms = ngx_http_webhook_status_integer(value);

    if (ms == NGX_ERROR) {

        /* the "+" of an offset, not encoded, arrives as a space */

        p = value->data + value->len - (sizeof("+00:00") - 1);

        if (value->len > sizeof("1970-01-01T00:00:00") - 1 && *p == ' ') {
            *p = '+';
        }

        ms = ngx_http_webhook_time_parse(value);
    }

    if (ms == NGX_ERROR) {
        return "a date and time of RFC 3339, or milliseconds since 1970, is "
               "expected";
    }

    *time = ms;

    return NULL;
}


static const char *
ngx_http_webhook_arg_limit(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    int64_t  n;

    n = ngx_http_webhook_status_integer(value);

    if (n < 1 || n > NGX_HTTP_WEBHOOK_LIMIT_MAX) {
        return "a number from 1 to 100 is expected";
    }

    args->limit = (ngx_uint_t) n;

    return NULL;
}


static const char *
ngx_http_webhook_arg_after(ngx_http_webhook_status_t *s,
    ngx_http_webhook_args_t *args, ngx_str_t *value)
{
    int64_t  n;

    n = ngx_http_webhook_status_integer(value);

    if (n < 1) {
        return "a cursor, the \"next\" of an earlier answer, is expected";
    }

    args->filter->after = n;

    return NULL;
}


int64_t
ngx_http_webhook_status_integer(ngx_str_t *value)
{
    size_t   i;
    int64_t  n;

    if (value->len == 0 || value->len > 18) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < value->len; i++) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            return NGX_ERROR;
        }

        n = n * 10 + (value->data[i] - '0');
    }

    return n;
}
