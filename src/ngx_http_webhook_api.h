
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api: an API description, a request and a document -> observations.  The
 * description is compiled by api_conf.c from webhook_api { }.  Next room:
 * event, by way of emit.
 */


#ifndef _NGX_HTTP_WEBHOOK_API_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_API_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_hash.h"
#include "ngx_http_webhook_json.h"


typedef struct ngx_http_webhook_route_s  ngx_http_webhook_route_t;


/* members of a payload */

#define NGX_HTTP_WEBHOOK_EXECUTION     0
#define NGX_HTTP_WEBHOOK_GOAL          1
#define NGX_HTTP_WEBHOOK_SENDER        2
#define NGX_HTTP_WEBHOOK_PROJECT       3
#define NGX_HTTP_WEBHOOK_SNAPSHOT      4
#define NGX_HTTP_WEBHOOK_ORGANIZATION  5
#define NGX_HTTP_WEBHOOK_MEMBERS       6


/* one execution, as one response shows it */

typedef struct {
    ngx_str_t     id;              /* text, in the pool */
    ngx_uint_t    rank;            /* NGX_HTTP_WEBHOOK_NONE .. FINISHED */
    int64_t       run;
    unsigned      has_run:1;
    unsigned      unknown:1;       /* a status text that no list names */
    unsigned      told:1;          /* an event was made of it */
    unsigned      shared:1;        /* a member has what is the same for many */
    ngx_str_t     status;          /* the first status text, cut, in the pool;
                                      for people */
    uint32_t      updated_set;
    uint64_t      updated[NGX_HTTP_WEBHOOK_UPDATED_MAX];
    json_t       *members[NGX_HTTP_WEBHOOK_MEMBERS];  /* owned, or NULL; omit
                                                         already applied */
} ngx_http_webhook_observation_t;


/* what came of reading a response, also the "reason" shown to users */

#define NGX_HTTP_WEBHOOK_READ_OK           0
#define NGX_HTTP_WEBHOOK_READ_NOT_JSON     1
#define NGX_HTTP_WEBHOOK_READ_INEXACT      2
#define NGX_HTTP_WEBHOOK_READ_NO_ID        3
#define NGX_HTTP_WEBHOOK_READ_REQUIRE      4   /* "require" did not hold */
#define NGX_HTTP_WEBHOOK_READ_NO_STATUS    5
#define NGX_HTTP_WEBHOOK_READ_NO_MEMORY    6


struct ngx_http_webhook_api_s {
    ngx_str_t     name;
    uint32_t      hash;            /* of the name */
    ngx_uint_t    index;           /* in ..._main_conf_t.apis */
    ngx_array_t   routes;          /* ngx_http_webhook_route_t */
    ngx_array_t  *enrich;          /* ngx_http_webhook_enrich_line_t *, all of
                                      them; or NULL */
    u_char       *file;
    ngx_uint_t    line;
};


/* what other rooms may know of a route */

struct ngx_http_webhook_route_s {
    unsigned      launch:1;
    unsigned      rerun:1;
    unsigned      ignore:1;
    unsigned      bodyless:1;      /* its id may come from variables alone: a
                                      204 is enough */
    unsigned      scalar:1;        /* the whole document may be its id or
                                      status */
    unsigned      blind:1;         /* nothing of a body is read */
    unsigned      text:1;          /* a body is a line of text, not JSON */
    unsigned      second:1;        /* "also": takes no request by itself */
    ngx_http_webhook_route_t  *also;   /* reads the same answers; or NULL */
    void         *priv;            /* api.c's own */
    ngx_http_webhook_watch_t  *watch;  /* of what it launches, or NULL */
    ngx_array_t  *enrich;          /* ngx_http_webhook_enrich_line_t *, or
                                      NULL */
    ngx_array_t  *enrich_headers;  /* ngx_str_t, names, or NULL */
};


/* The bit of a method's name; NGX_HTTP_WEBHOOK_METHOD_OTHER: not known. */

#define NGX_HTTP_WEBHOOK_METHOD_OTHER  0x80000000

uint32_t ngx_http_webhook_api_method(ngx_str_t *name);

/*
 * The first route that matches method (bit), URI (normalised path) and "when",
 * or NULL.  Runs in the request: named captures become its variables, they
 * point into "uri", which must live as long; r->captures are left as they
 * were.  Status is not looked at.
 */

ngx_http_webhook_route_t *ngx_http_webhook_api_route(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, uint32_t method, ngx_str_t *uri);

/* Whether the route wants a response of this status. */

ngx_uint_t ngx_http_webhook_api_status(ngx_http_webhook_route_t *route,
    ngx_uint_t status);

/*
 * Adds the text of every variable that the route reads, and those after it that
 * read the same answers, each before its length.
 * NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_api_variables(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, ngx_http_webhook_hash_t *hash);

/*
 * Reads a document (NULL for a 204): observations are pushed to "list"
 * (ngx_http_webhook_observation_t; texts in r->pool), at most 1000; *unread
 * counts more.  Elements without an id are skipped.  "doc" may be changed
 * (omit); what a member names by itself is sent even where "omit" removes what
 * it stands in.  Returns NGX_HTTP_WEBHOOK_READ_...; free with _free() whatever
 * it returns.
 */

ngx_uint_t ngx_http_webhook_api_read(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, ngx_http_webhook_route_t *route, json_t *doc,
    ngx_array_t *list, ngx_uint_t *unread);

void ngx_http_webhook_api_free(ngx_array_t *list);


/* api_conf.c: the directive webhook_api, in nginx's own form */

char *ngx_http_webhook_api_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_WEBHOOK_API_H_INCLUDED_ */
