
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status, within: a request's path and query -> a JSON document.
 *
 *   status.c           routes, methods, problems, the response
 *   status_tag.c       does the client have the answer already?
 *   status_args.c      the query -> a filter
 *   status_hook.c      webhooks -> JSON
 *   status_list.c      deliveries -> JSON, page by page
 *   status_delivery.c  one of them
 *   status_store.c     what is asked of the store meanwhile
 *   status_action.c    who may write; actions
 *   status_again.c     deliver again what has ended
 *   status_recover.c   all that failed, which takes its time
 *   status_secret.c    headers and bodies -> JSON, without what is secret
 *   status_observed.c  the last observations -> JSON
 *   status_try.c       a document -> what it would mean
 *   status_json.c      members of an object
 *   metrics.c          counters -> OpenMetrics
 */


#ifndef _NGX_HTTP_WEBHOOK_STATUS_PRIV_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STATUS_PRIV_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_json.h"
#include "ngx_http_webhook_queue.h"
#include "ngx_http_webhook_store_query.h"


#define NGX_HTTP_WEBHOOK_LIMIT_MAX      100
#define NGX_HTTP_WEBHOOK_LIMIT_DEFAULT  50


typedef struct ngx_http_webhook_status_s  ngx_http_webhook_status_t;

typedef ngx_int_t (*ngx_http_webhook_status_pt)(ngx_http_webhook_status_t *s);

struct ngx_http_webhook_status_s {
    ngx_http_request_t            *request;
    ngx_http_webhook_main_conf_t  *mcf;
    ngx_http_webhook_loc_conf_t   *lcf;
    ngx_str_t                      name;      /* what "*" of the route is */
    ngx_uint_t                     methods;   /* of a 405, for Allow */
    ngx_http_webhook_text_t        text;      /* the document */
    ngx_str_t                      type;      /* its type; empty: JSON */
    ngx_str_t                      tag;       /* NUL-terminated; or empty */
    ngx_http_webhook_query_t      *query;     /* of the store, or NULL */
    ngx_http_webhook_status_pt     resume;    /* when it is answered */
    ngx_event_t                    timer;     /* or is not */
    void                          *state;     /* of the handler meanwhile */
    unsigned                       posted:1;  /* the request's body is read */
    unsigned                       page:1;    /* it is the page */
};


#define ngx_http_webhook_status_literal(text, s)                              \
    ngx_http_webhook_text_append(text, s, sizeof(s) - 1)


/*
 * status.c: replaces the document by a problem (RFC 9457) and returns
 * "status".  "parameter", the one that is at fault, may be NULL.
 */

ngx_int_t ngx_http_webhook_status_problem(ngx_http_webhook_status_t *s,
    ngx_uint_t status, const char *detail, ngx_str_t *parameter);

/*
 * status.c: ends a request whose handler returned NGX_DONE, or was called
 * with its body.  "status" as the handler would have returned it.
 */

void ngx_http_webhook_status_finish(ngx_http_webhook_status_t *s,
    ngx_int_t status);

/* Whether "Accept" names a type; its weights are nobody's concern here. */

ngx_uint_t ngx_http_webhook_status_accepts(ngx_http_webhook_status_t *s,
    const char *type);

/* The webhook of that name, or NULL. */

ngx_http_webhook_hook_t *ngx_http_webhook_status_hook(
    ngx_http_webhook_status_t *s, ngx_str_t *name);


/*
 * status_store.c: a query of this type for s->query, whose answer "resume"
 * renders.  NGX_OK: it is to be filled in; NGX_DECLINED: there is no store;
 * NGX_ERROR.
 */

ngx_int_t ngx_http_webhook_status_ask(ngx_http_webhook_status_t *s,
    ngx_uint_t type, ngx_http_webhook_status_pt resume);

/* Asks.  NGX_DONE; or what "resume" returned, there being no answer. */

ngx_int_t ngx_http_webhook_status_wait(ngx_http_webhook_status_t *s);

/* A request that waits; returns what nginx's handler is to return. */

ngx_int_t ngx_http_webhook_status_hold(ngx_http_webhook_status_t *s);

/* Nobody waits any more. */

void ngx_http_webhook_status_forget(ngx_http_webhook_status_t *s);

/* Whether the store gave no answer, and why, in the error log. */

ngx_uint_t ngx_http_webhook_status_unread(ngx_http_webhook_status_t *s);

/* The problem that says so to the client: its status. */

ngx_int_t ngx_http_webhook_status_no_answer(ngx_http_webhook_status_t *s);


/*
 * status_tag.c: sets s->tag, which speaks of the queue and webhooks, of these
 * with store and watch, or of what was observed.  Whether the client has an
 * answer of this tag.  To be called before anything is read.
 */

#define NGX_HTTP_WEBHOOK_TAG_QUEUE  1
#define NGX_HTTP_WEBHOOK_TAG_HOOKS  2
#define NGX_HTTP_WEBHOOK_TAG_SEEN   3

ngx_uint_t ngx_http_webhook_status_known(ngx_http_webhook_status_t *s,
    ngx_uint_t tag);


/* The webhook of an id, or NULL. */

ngx_http_webhook_hook_t *ngx_http_webhook_status_by_id(
    ngx_http_webhook_status_t *s, uint32_t id);

/* A row of the store, of which the configuration and the clock know more. */

void ngx_http_webhook_status_present(ngx_http_webhook_status_t *s,
    ngx_http_webhook_stored_t *row);

/*
 * status_delivery.c: members of an object; of attempts a list has their number
 * alone.
 */

void ngx_http_webhook_status_summary(ngx_http_webhook_text_t *text,
    ngx_http_webhook_summary_t *summary);


/* metrics.c: what came of a response: names and counters of zone.h */

#define NGX_HTTP_WEBHOOK_NREASONS  17

typedef struct {
    const char                    *name;
    ngx_uint_t                     counter;
    ngx_uint_t                     more;      /* another one, or the same */
} ngx_http_webhook_reason_t;


extern ngx_http_webhook_reason_t
    ngx_http_webhook_reasons[NGX_HTTP_WEBHOOK_NREASONS];

/* status_observed.c: the one of a counter, or NULL */

ngx_http_webhook_reason_t *ngx_http_webhook_status_reason(ngx_uint_t counter);


/* The names of NGX_HTTP_WEBHOOK_HEALTH_OK, ... */

#define NGX_HTTP_WEBHOOK_NHEALTH  5

extern ngx_str_t  ngx_http_webhook_states[NGX_HTTP_WEBHOOK_NHEALTH];


/*
 * status_args.c: reads the query.  filter NULL: there must be none.  NGX_OK,
 * a problem's status, or NGX_ERROR.
 */

ngx_int_t ngx_http_webhook_status_args(ngx_http_webhook_status_t *s,
    ngx_http_webhook_filter_t *filter, ngx_uint_t *limit);


/*
 * The same for other parameters, as text; an empty value is as good as none.
 */

typedef struct {
    ngx_str_t                      name;
    ngx_str_t                      value;
} ngx_http_webhook_param_t;


ngx_int_t ngx_http_webhook_status_params(ngx_http_webhook_status_t *s,
    ngx_http_webhook_param_t *params, ngx_uint_t n);

/* A number of at most 18 digits, or NGX_ERROR. */

int64_t ngx_http_webhook_status_integer(ngx_str_t *value);

/*
 * A time, ms since 1970.  NULL, or what is wrong with it; a space in the value
 * may become "+".
 */

const char *ngx_http_webhook_status_when(ngx_str_t *value, uint64_t *time);


/*
 * status_hook.c, status_list.c, status_delivery.c: these render the document
 * and return its status, or NGX_DONE: _finish() comes later, or NGX_ERROR.
 */

ngx_int_t ngx_http_webhook_status_hooks(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_one_hook(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_deliveries(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_delivery(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_observed(ngx_http_webhook_status_t *s);

/* metrics.c: the same, in OpenMetrics or what came before it. */

ngx_int_t ngx_http_webhook_status_metrics(ngx_http_webhook_status_t *s);

/* The bit of a status by its name ("waiting"), without case; 0: none. */

uint32_t ngx_http_webhook_status_bit(ngx_str_t *name);


/*
 * status_action.c: NGX_OK, or the status of a problem that says why this
 * request may not change anything.
 */

ngx_int_t ngx_http_webhook_status_may_write(ngx_http_webhook_status_t *s);

/* The problem of an unknown name of a webhook. */

ngx_int_t ngx_http_webhook_status_no_hook(ngx_http_webhook_status_t *s);

/*
 * These carry an action out, render what came of it and return its status, or
 * NGX_ERROR; _recover(): or NGX_DONE, and _finish() later.
 */

ngx_int_t ngx_http_webhook_status_ping(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_pause(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_resume(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_recover(ngx_http_webhook_status_t *s);
ngx_int_t ngx_http_webhook_status_redeliver(ngx_http_webhook_status_t *s);

/*
 * status_try.c: a dry run of the document in the request's body, which is read
 * by then.
 */

ngx_int_t ngx_http_webhook_status_try(ngx_http_webhook_status_t *s);


/*
 * status_json.c: members of an object that has been opened; a comma goes
 * before all but the first.  An empty string, time 0 and _positive()'s 0 are
 * null; times are ms, wall clock.
 */

void ngx_http_webhook_status_name(ngx_http_webhook_text_t *text,
    const char *name);
void ngx_http_webhook_status_string(ngx_http_webhook_text_t *text,
    const char *name, const void *data, size_t len);
void ngx_http_webhook_status_boolean(ngx_http_webhook_text_t *text,
    const char *name, ngx_uint_t value);
void ngx_http_webhook_status_number(ngx_http_webhook_text_t *text,
    const char *name, uint64_t value);
void ngx_http_webhook_status_positive(ngx_http_webhook_text_t *text,
    const char *name, uint64_t value);
void ngx_http_webhook_status_time(ngx_http_webhook_text_t *text,
    const char *name, uint64_t ms);


/*
 * status_secret.c: what of a webhook an answer must not echo (scrub.h); of one
 * that is gone (NULL) nothing is known.
 */

ngx_int_t ngx_http_webhook_status_secrets(ngx_http_webhook_status_t *s,
    ngx_http_webhook_hook_t *hook, ngx_array_t *secrets);

/*
 * Appends "Name: value" CRLF ... as an object: repeated names are joined by
 * ", ", values of secret names are "***".
 */

ngx_int_t ngx_http_webhook_status_headers(ngx_http_webhook_status_t *s,
    ngx_str_t *lines);

/*
 * Appends members "body" and "base64": text as it is (cut in the middle of a
 * character, without it), everything else in base64.
 */

ngx_int_t ngx_http_webhook_status_body(ngx_http_webhook_status_t *s,
    ngx_str_t *body, ngx_uint_t truncated);


#endif /* _NGX_HTTP_WEBHOOK_STATUS_PRIV_H_INCLUDED_ */
