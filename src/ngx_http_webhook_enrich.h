
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich: an observation that is to be emitted -> the same with members that
 * the response lacks, asked of the API with the caller's own credentials
 * (design, section 3).  enrich_conf.c has the directives, enrich_text.c what is
 * lacking and where to ask, enrich_cache.c what was answered, enrich_ask.c the
 * request.  All in a worker.  Next room: emit, once more.
 */


#ifndef _NGX_HTTP_WEBHOOK_ENRICH_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_ENRICH_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_detached.h"
#include "ngx_http_webhook_emit.h"
#include "ngx_http_webhook_enrich_cache.h"
#include "ngx_http_webhook_own.h"


#define NGX_HTTP_WEBHOOK_ENRICH_TIMEOUT  2000   /* ms, of an event, whatever is
                                                   asked for */
#define NGX_HTTP_WEBHOOK_ENRICH_PENDING  3000   /* ms, when nobody has come to
                                                   say that it is over */
#define NGX_HTTP_WEBHOOK_ENRICH_LINES    16     /* of one route */


/* an "enrich" line */

typedef struct {
    ngx_uint_t                    member;      /* NGX_HTTP_WEBHOOK_GOAL, ... */
    ngx_str_t                     part;        /* NUL-terminated; empty: the
                                                  whole member */
    ngx_str_t                     name;        /* as written */
    ngx_array_t                  *uri;         /* ..._watch_part_t */
    ngx_array_t                  *pointers;    /* ..._api_pointer_t */
    ngx_msec_t                    ttl;         /* ms */
    ngx_uint_t                    index;       /* in the description */
    u_char                       *file;
    ngx_uint_t                    line;
} ngx_http_webhook_enrich_line_t;


/*
 * who asks: the caller, as far as the API may know him; kept as long as the
 * request, an event or a question needs him
 */

struct ngx_http_webhook_enrich_caller_s {
    ngx_pool_t                   *pool;
    ngx_uint_t                    holds;
    u_char                        who[NGX_HTTP_WEBHOOK_CACHE_KEY];
                                               /* a hash of what follows */
    ngx_http_conf_ctx_t          *server;
    ngx_str_t                     host;
    ngx_array_t                   headers;     /* ngx_keyval_t; secret */
    struct sockaddr              *sockaddr;
    socklen_t                     socklen;
    ngx_str_t                     addr_text;
};


/* a URI that is asked for; known to enrich.c and enrich_ask.c */

typedef struct {
    ngx_http_webhook_own_t        own;         /* must be first */
    ngx_queue_t                   queue;
    ngx_queue_t                   places;      /* who waits for it */
    ngx_pool_t                   *pool;
    u_char                        key[NGX_HTTP_WEBHOOK_CACHE_KEY];
    ngx_str_t                     uri;
    ngx_http_webhook_api_t       *api;
    ngx_http_webhook_main_conf_t *main;
    ngx_http_webhook_enrich_line_t    *line;   /* the first one to ask */
    ngx_http_webhook_enrich_caller_t  *caller;
    ngx_http_webhook_detached_t  *detached;    /* NULL: not yet begun */
    ngx_msec_t                    deadline;

    u_char                       *data;        /* the answer, malloc()ed */
    size_t                        len;
    size_t                        size;
    size_t                        max;
    unsigned                      refused:1;   /* the answer is of no use */
    unsigned                      gzip:1;
    unsigned                      last:1;      /* it has ended as it should */
} ngx_http_webhook_enrich_ask_t;


typedef struct ngx_http_webhook_enriching_s  ngx_http_webhook_enriching_t;


/* enrich_conf.c: directives of webhook_api { }; errors are logged */

char *ngx_http_webhook_enrich_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_enrich_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Completes a route from the outer block. */

ngx_int_t ngx_http_webhook_enrich_route(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route, ngx_http_webhook_api_scope_t *outer);

/* Warns of lines of the outer block that no route can use. */

void ngx_http_webhook_enrich_warn(ngx_conf_t *cf,
    ngx_http_webhook_api_t *api, ngx_http_webhook_api_scope_t *outer);


/* enrich_text.c: pure */

/* Whether an observation lacks what a line is for. */

ngx_uint_t ngx_http_webhook_enrich_lacks(
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_enrich_line_t *line);

/*
 * Those of "values" (by index, in the pool) that are members of an observation.
 * NGX_DECLINED: one is lacking; NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_enrich_values(ngx_pool_t *pool, ngx_array_t *parts,
    ngx_http_webhook_observation_t *observation, ngx_str_t *values);

/*
 * The URI to ask; "values" (ngx_http_webhook_watch_values()) get those of
 * members.  NGX_DECLINED: a member is lacking, or a value is refused;
 * NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_enrich_uri(ngx_pool_t *pool,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_enrich_line_t *line, ngx_str_t *values, ngx_str_t *uri);

/* What a document has for a line: borrowed; NULL: nothing. */

json_t *ngx_http_webhook_enrich_pick(ngx_http_webhook_enrich_line_t *line,
    json_t *doc);

/*
 * Puts it into the observation, to a copy of the member; what is there stays.
 * NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_enrich_add(
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_enrich_line_t *line, json_t *value);


/* enrich_ask.c */

/*
 * Asks, "timeout" ms long; "done" gets it as d->data.  It is freed with the
 * request, after "done".  NGX_ERROR: nothing was begun.
 */

ngx_int_t ngx_http_webhook_enrich_send(ngx_http_webhook_enrich_ask_t *ask,
    ngx_http_webhook_detached_done_pt done, ngx_msec_t timeout);

/* Frees it, when it was not begun. */

void ngx_http_webhook_enrich_free(void *ask);

/* Finds the caller of an observed request or a watch.  NGX_ERROR: no memory. */

ngx_int_t ngx_http_webhook_enrich_caller(ngx_http_webhook_source_t *source);

/* Keeps him as long as that pool.  NGX_ERROR: no memory. */

ngx_int_t ngx_http_webhook_enrich_hold(
    ngx_http_webhook_enrich_caller_t *caller, ngx_pool_t *pool);


/*
 * enrich_fetch.c: A hash of all that the API sees of him.  NGX_ERROR: no
 * memory.
 */

ngx_int_t ngx_http_webhook_enrich_who(
    ngx_http_webhook_enrich_caller_t *caller);


/* enrich.c */

/*
 * Events are about to be queued: adds what is known already to the
 * observation, while the request is there.  NULL: that is all; else they are
 * to be queued as pending, and one of the next two is to be called.
 */

ngx_http_webhook_enriching_t *ngx_http_webhook_enrich(
    ngx_http_webhook_source_t *source,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_event_t *list, ngx_uint_t n);

/* They were queued: asks, and ends by ngx_http_webhook_emit_enriched(). */

void ngx_http_webhook_enrich_begin(ngx_http_webhook_enriching_t *e,
    ngx_http_webhook_observation_t *observation, u_char key[16],
    ngx_http_webhook_event_t *list, ngx_uint_t n);

/* They were not. */

void ngx_http_webhook_enrich_discard(ngx_http_webhook_enriching_t *e);

/* In a worker. */

void ngx_http_webhook_enrich_init_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_WEBHOOK_ENRICH_H_INCLUDED_ */
