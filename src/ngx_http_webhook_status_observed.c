
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_observed: in: the last observations; out: JSON, latest first: why was
 * there no event; next: status.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_seen.h"


static void ngx_http_webhook_status_seen(ngx_http_webhook_text_t *text,
    ngx_http_webhook_seen_t *seen, ngx_http_webhook_reason_t *reason);


ngx_int_t
ngx_http_webhook_status_observed(ngx_http_webhook_status_t *s)
{
    u_char                       buf[NGX_INT64_LEN], *p;
    int64_t                      limit, after;
    uint64_t                     n, next;
    ngx_int_t                    rc;
    ngx_uint_t                   i, total;
    ngx_http_webhook_seen_t      seen;
    ngx_http_webhook_reason_t   *reason, *wanted;
    ngx_http_webhook_param_t     params[] = {
        { ngx_string("reason"), ngx_null_string },
        { ngx_string("limit"), ngx_null_string },
        { ngx_string("after"), ngx_null_string }
    };

    rc = ngx_http_webhook_status_params(s, params, 3);

    if (rc != NGX_OK) {
        return rc;
    }

    wanted = NULL;

    for (i = 0; params[0].value.len && i < NGX_HTTP_WEBHOOK_NREASONS; i++) {
        reason = &ngx_http_webhook_reasons[i];

        if (ngx_strlen(reason->name) == params[0].value.len
            && ngx_strncasecmp((u_char *) reason->name, params[0].value.data,
                               params[0].value.len)
               == 0)
        {
            wanted = reason;
            break;
        }
    }

    if (params[0].value.len && wanted == NULL) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "there is no such reason", &params[0].name);
    }

    limit = NGX_HTTP_WEBHOOK_LIMIT_DEFAULT;

    if (params[1].value.len) {
        limit = ngx_http_webhook_status_integer(&params[1].value);
    }

    if (limit < 1 || limit > NGX_HTTP_WEBHOOK_LIMIT_MAX) {
        return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "a number from 1 to 100 is expected",
                            &params[1].name);
    }

    after = 0;

    if (params[2].value.len) {
        after = ngx_http_webhook_status_integer(&params[2].value);

        if (after < 1) {
            return ngx_http_webhook_status_problem(s, NGX_HTTP_BAD_REQUEST,
                            "a cursor, the \"next\" of an earlier answer, is "
                            "expected", &params[2].name);
        }
    }

    ngx_http_webhook_status_literal(&s->text, "{\"observed\":[");

    next = 0;
    total = 0;
    n = after;

    while (n != 1) {
        n = ngx_http_webhook_seen_get(s->mcf->zone, n, &seen);

        if (n == 0) {
            next = 0;
            break;
        }

        reason = ngx_http_webhook_status_reason(seen.reason);

        if (reason == NULL || (wanted && wanted != reason)) {
            continue;
        }

        if (total == (ngx_uint_t) limit) {

            /* there is one more, at least */

            break;
        }

        if (total++) {
            ngx_http_webhook_status_literal(&s->text, ",");
        }

        ngx_http_webhook_status_seen(&s->text, &seen, reason);

        next = (n == 1) ? 0 : n;
    }

    if (total < (ngx_uint_t) limit) {
        next = 0;
    }

    ngx_http_webhook_status_literal(&s->text, "],\"next\":");

    if (next) {
        p = ngx_sprintf(buf, "%uL", next);
        ngx_http_webhook_text_string(&s->text, buf, p - buf);

    } else {
        ngx_http_webhook_status_literal(&s->text, "null");
    }

    ngx_http_webhook_status_literal(&s->text, "}");

    return NGX_HTTP_OK;
}


static void
ngx_http_webhook_status_seen(ngx_http_webhook_text_t *text,
    ngx_http_webhook_seen_t *seen, ngx_http_webhook_reason_t *reason)
{
    u_char  *p, *last, *id;

    ngx_http_webhook_status_literal(text, "{");

    ngx_http_webhook_status_time(text, "time", seen->time);
    ngx_http_webhook_status_string(text, "method", seen->method,
                                   seen->method_len);
    ngx_http_webhook_status_string(text, "path", seen->path, seen->path_len);
    ngx_http_webhook_status_string(text, "api", seen->api, seen->api_len);
    ngx_http_webhook_status_positive(text, "status", seen->status);
    ngx_http_webhook_status_string(text, "reason", reason->name,
                                   ngx_strlen(reason->name));
    ngx_http_webhook_status_number(text, "events", seen->events);

    last = seen->ids + seen->ids_len;
    p = ngx_strlchr(seen->ids, last, '\0');

    ngx_http_webhook_status_string(text, "execution", seen->ids,
                                   p ? p - seen->ids : seen->ids_len);

    ngx_http_webhook_status_number(text, "count", seen->executions);
    ngx_http_webhook_status_name(text, "executions");
    ngx_http_webhook_status_literal(text, "[");

    for (id = seen->ids; id < last; id = p + 1) {
        p = ngx_strlchr(id, last, '\0');
        p = p ? p : last;

        if (id != seen->ids) {
            ngx_http_webhook_status_literal(text, ",");
        }

        ngx_http_webhook_text_string(text, id, p - id);
    }

    ngx_http_webhook_status_literal(text, "]}");
}


ngx_http_webhook_reason_t *
ngx_http_webhook_status_reason(ngx_uint_t counter)
{
    ngx_uint_t                  i;
    ngx_http_webhook_reason_t  *reason;

    reason = ngx_http_webhook_reasons;

    for (i = 0; i < NGX_HTTP_WEBHOOK_NREASONS; i++) {
        if (reason[i].counter == counter || reason[i].more == counter) {
            return &reason[i];
        }
    }

    return NULL;
}
