
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * observe: the response of an observed location -> the document (design,
 * section 4).  Bytes go on as they come; a copy is read after the last one.
 * observe_conf.c has the directive, observe_request.c what was asked for,
 * observe_copy.c the bytes, observe_read.c what they mean.  Next room: emit.
 */


#ifndef _NGX_HTTP_WEBHOOK_OBSERVE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_OBSERVE_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api.h"
#include "ngx_http_webhook_digest.h"


/* directive webhook_observe; its merge; filters and phase handlers */

char *ngx_http_webhook_observe(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_webhook_observe_init(ngx_conf_t *cf);

/* Number of events that the request caused, for $webhook_events. */

ngx_uint_t ngx_http_webhook_observe_events(ngx_http_request_t *r);


/* --- between the files of this room --- */


#define NGX_HTTP_WEBHOOK_OBSERVE_NO  NGX_CONF_UNSET_UINT   /* no counter */


typedef struct {
    ngx_http_request_t          *request;
    ngx_http_webhook_observe_t  *observe;
    ngx_http_webhook_route_t    *route;

    u_char                      *data;       /* the copy */
    size_t                       len;
    size_t                       size;       /* to be used, in the total */
    size_t                       room;       /* allocated */

    off_t                        received;   /* bytes */
    off_t                        expected;   /* Content-Length, or -1 */
    size_t                       peek;       /* bytes of gzip to have before
                                                looking into it again */
    ngx_uint_t                   events;
    ngx_uint_t                   executions;
    ngx_str_t                    ids;        /* of the first ones, a NUL
                                                between them */

    ngx_str_t                   *realm;      /* NULL: as "observe" says */
    ngx_str_t                    own_realm;  /* which is put here */
    ngx_http_webhook_digest_t    digest;
    ngx_int_t                    known;      /* NGX_AGAIN: not looked up */
    ngx_array_t                 *headers;    /* ngx_keyval_t, of a watch; or
                                                NULL */

    unsigned                     reading:1;
    unsigned                     done:1;     /* read, or given up */
    unsigned                     gzip:1;
    unsigned                     json:1;     /* begins like a document */
    unsigned                     body:1;     /* the body filter was called */
    unsigned                     complete:1; /* all its bytes have come */
} ngx_http_webhook_observe_ctx_t;


/* $1, $2 ... of a request */

typedef struct {
    int                         *captures;
    ngx_uint_t                   ncaptures;
    u_char                      *data;
    unsigned                     realloc:1;
} ngx_http_webhook_observe_captures_t;


extern size_t  ngx_http_webhook_observe_total;    /* bytes in copies, of this
                                                     worker */

/*
 * Finds what webhook_observe names (the description may stand below it) and
 * warns of what loses events.  NGX_ERROR: an error was logged.
 */

ngx_int_t ngx_http_webhook_observe_check(ngx_conf_t *cf);

/*
 * The first route of "list" (ngx_http_webhook_observe_t) that matches what the
 * client asked for, whatever became of the request since; or NULL.
 */

ngx_http_webhook_route_t *ngx_http_webhook_observe_match(ngx_http_request_t *r,
    ngx_array_t *list, ngx_http_webhook_observe_t **observe);

/*
 * Copies a chain, unless it is a whole response that is known.  1: that was the
 * end of the response and there is something to read; 0 otherwise, also when it
 * is given up.
 */

ngx_uint_t ngx_http_webhook_observe_copy(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_chain_t *in);

/*
 * All bytes have come: what digest.h says of them, or NGX_ERROR, as there is no
 * realm.
 */

ngx_int_t ngx_http_webhook_observe_known(ngx_http_webhook_observe_ctx_t *ctx);

/* Reads the copy; "whole": the response has ended as it should. */

void ngx_http_webhook_observe_read(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t whole);

/* Whether a document that the route reads may begin so, but for space. */

ngx_uint_t ngx_http_webhook_observe_json(ngx_http_webhook_route_t *route,
    u_char ch);

/* The counter for NGX_HTTP_WEBHOOK_READ_..., but for OK. */

ngx_uint_t ngx_http_webhook_observe_reason(ngx_uint_t reason);

/* The counter for what ngx_http_webhook_json_parse() says is wrong. */

ngx_uint_t ngx_http_webhook_observe_parse_reason(const char *reason);

/*
 * Whether it needs no document, as that of a redirect or an error may be
 * anything.
 */

ngx_uint_t ngx_http_webhook_observe_bare(ngx_http_webhook_observe_ctx_t *ctx);

/* In the master: compares the clocks, once for all workers. */

void ngx_http_webhook_observe_clock(void);

/* The response is not read any further, for a reason that is counted. */

void ngx_http_webhook_observe_give_up(ngx_http_webhook_observe_ctx_t *ctx,
    ngx_uint_t counter);

/*
 * Counts what came of a response, and puts it among the last observations; api
 * and ctx, which has the executions, may be NULL.
 */

void ngx_http_webhook_observe_note(ngx_http_request_t *r,
    ngx_http_webhook_api_t *api, ngx_uint_t counter,
    ngx_http_webhook_observe_ctx_t *ctx);

/* The same of a URI that was not even asked for. */

void ngx_http_webhook_observe_unasked(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_webhook_api_t *api, ngx_str_t *uri);

/* Gives the copy's memory back. */

void ngx_http_webhook_observe_release(ngx_http_webhook_observe_ctx_t *ctx);

/*
 * The header of a response is there: the route that it is read by and, in
 * *observe, what names its description; or NULL.  For a main request, and for
 * the subrequest of a watch.
 */

ngx_http_webhook_route_t *ngx_http_webhook_observe_choose(
    ngx_http_request_t *r, ngx_http_webhook_observe_t **observe);

/* ... begins to read it, or NULL */

ngx_http_webhook_observe_ctx_t *ngx_http_webhook_observe_start(
    ngx_http_request_t *r, ngx_http_webhook_route_t *route,
    ngx_http_webhook_observe_t *observe);

/* The method as the client sent it. */

void ngx_http_webhook_observe_method(ngx_http_request_t *r, ngx_str_t *method);

/*
 * The path as the client sent it, normalised, which is r->uri itself where that
 * is still what was sent; not NGX_OK: there is none.
 */

ngx_int_t ngx_http_webhook_observe_uri(ngx_http_request_t *r, ngx_str_t *uri);

/*
 * What is evaluated between the two, as a map with regexes, leaves $1, $2 ...
 * to those who are to use them still.
 */

void ngx_http_webhook_observe_keep(ngx_http_request_t *r,
    ngx_http_webhook_observe_captures_t *kept);
void ngx_http_webhook_observe_restore(ngx_http_request_t *r,
    ngx_http_webhook_observe_captures_t *kept);

/*
 * A phase handler: takes codings that we cannot read out of Accept-Encoding,
 * as upstream sees it, when the response will be read.
 */

ngx_int_t ngx_http_webhook_observe_encodings(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WEBHOOK_OBSERVE_H_INCLUDED_ */
