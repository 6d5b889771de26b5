
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: what came of a response.  Out: it is counted, always, and stands among
 * the last observations, unless there are too many of its kind; what was lost
 * for want of memory is said in the error log.  Next room: seen.
 */


#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_seen.h"
#include "ngx_http_webhook_zone.h"


/* records a second and worker: of what polls cause, and of the rest */

#define NGX_HTTP_WEBHOOK_NOTE_UNCHANGED  1
#define NGX_HTTP_WEBHOOK_NOTE_NO_ROUTE   8
#define NGX_HTTP_WEBHOOK_NOTE_OTHER      64


static void ngx_http_webhook_observe_what(ngx_http_webhook_seen_t *seen,
    ngx_str_t *method, ngx_str_t *uri, ngx_http_webhook_api_t *api);
static ngx_uint_t ngx_http_webhook_observe_often(ngx_uint_t counter);
static void ngx_http_webhook_observe_lost(ngx_http_webhook_api_t *api,
    ngx_uint_t counter);
static size_t ngx_http_webhook_observe_cut(u_char *dst, size_t size,
    ngx_str_t *text);


void
ngx_http_webhook_observe_note(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, ngx_uint_t counter,
    ngx_http_webhook_observe_ctx_t *ctx)
{
    ngx_str_t                      method;
    ngx_http_webhook_seen_t        seen;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);

    ngx_http_webhook_zone_count(mcf->zone, counter, 1);

    ngx_http_webhook_observe_lost(api, counter);

    if (ngx_http_webhook_observe_often(counter)) {
        return;
    }

    ngx_memzero(&seen, sizeof(ngx_http_webhook_seen_t));

    seen.status = r->headers_out.status;
    seen.reason = counter;

    ngx_http_webhook_observe_method(r, &method);

    ngx_http_webhook_observe_what(&seen, &method, &r->unparsed_uri, api);

    if (ctx) {
        seen.events = ctx->events;
        seen.executions = ctx->executions;
        seen.ids_len = ngx_http_webhook_observe_cut(seen.ids, sizeof(seen.ids),
                                                    &ctx->ids);
    }

    ngx_http_webhook_seen_add(mcf->zone, &seen);
}


void
ngx_http_webhook_observe_unasked(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_api_t *api, ngx_str_t *uri)
{
    ngx_str_t                method;
    ngx_http_webhook_seen_t  seen;

    ngx_http_webhook_zone_count(mcf->zone, NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED,
                                1);

    if (ngx_http_webhook_observe_often(NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED)) {
        return;
    }

    ngx_memzero(&seen, sizeof(ngx_http_webhook_seen_t));

    seen.reason = NGX_HTTP_WEBHOOK_CNT_NOT_ENRICHED;

    ngx_str_set(&method, "GET");

    ngx_http_webhook_observe_what(&seen, &method, uri, api);

    ngx_http_webhook_seen_add(mcf->zone, &seen);
}


/* api may be NULL; of the URI the query is left out */

static void
ngx_http_webhook_observe_what(ngx_http_webhook_seen_t *seen, ngx_str_t *method,
    ngx_str_t *uri, ngx_http_webhook_api_t *api)
{
    u_char      *p;
    ngx_str_t    path;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    seen->time = (uint64_t) tp->sec * 1000 + tp->msec;

    path = *uri;
    p = ngx_strlchr(path.data, path.data + path.len, '?');

    if (p) {
        path.len = p - path.data;
    }

    seen->method_len = ngx_http_webhook_observe_cut(seen->method,
                                                    sizeof(seen->method),
                                                    method);
    seen->path_len = ngx_http_webhook_observe_cut(seen->path,
                                                  sizeof(seen->path), &path);

    if (api) {
        seen->api_len = ngx_http_webhook_observe_cut(seen->api,
                                                     sizeof(seen->api),
                                                     &api->name);
    }
}


static ngx_uint_t
ngx_http_webhook_observe_often(ngx_uint_t counter)
{
    ngx_uint_t         limit;

    static time_t      second[NGX_HTTP_WEBHOOK_CNT_MAX];
    static ngx_uint_t  n[NGX_HTTP_WEBHOOK_CNT_MAX];

    switch (counter) {

    case NGX_HTTP_WEBHOOK_CNT_UNCHANGED:
    case NGX_HTTP_WEBHOOK_CNT_STILL:
        limit = NGX_HTTP_WEBHOOK_NOTE_UNCHANGED;
        break;

    case NGX_HTTP_WEBHOOK_CNT_NO_ROUTE:
        limit = NGX_HTTP_WEBHOOK_NOTE_NO_ROUTE;
        break;

    default:
        limit = NGX_HTTP_WEBHOOK_NOTE_OTHER;
    }

    if (second[counter] != ngx_time()) {
        second[counter] = ngx_time();
        n[counter] = 0;
    }

    return n[counter]++ >= limit;
}


/*
 * A line a second at most: many would fill the disk.  Not to the connection's
 * log, which would add the request line, and what its query holds.
 */

static void
ngx_http_webhook_observe_lost(ngx_http_webhook_api_t *api, ngx_uint_t counter)
{
    char           *why;

    static time_t   full, memory;

    if (counter == NGX_HTTP_WEBHOOK_CNT_REFUSED && full != ngx_time()) {
        full = ngx_time();
        why = "webhook_zone is full";

    } else if (counter == NGX_HTTP_WEBHOOK_CNT_TOTAL && memory != ngx_time()) {
        memory = ngx_time();
        why = "no memory, all of \"webhook_buffer_size total\" is in use, or "
              "what is the same for many is too large for so many";

    } else {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "a response observed as \"%V\" has lost its events: %s",
                  &api->name, why);
}


/* not in the middle of a character */

static size_t
ngx_http_webhook_observe_cut(u_char *dst, size_t size, ngx_str_t *text)
{
    size_t  len;

    len = text->len;

    if (len > size) {
        len = size;

        while (len && (text->data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    ngx_memcpy(dst, text->data, len);

    return len;
}
