
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What the files of api share: a compiled description, as api_conf.c and
 * api_value.c make it, and one reading of a document, as api.c and api_state.c
 * do it.
 */


#ifndef _NGX_HTTP_WEBHOOK_API_PRIV_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_API_PRIV_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api.h"
#include "ngx_http_webhook_json.h"


#define NGX_HTTP_WEBHOOK_ELEMENTS_MAX  1000    /* of one document */
#define NGX_HTTP_WEBHOOK_WILDCARDS     2       /* "*" in one pointer */
#define NGX_HTTP_WEBHOOK_COPIED_MAX    (16 * 1024 * 1024)  /* bytes */


/* a pointer, also in two parts around its last "*" */

typedef struct {
    ngx_http_webhook_pointer_t        pointer;
    ngx_http_webhook_pointer_t        head;    /* up to and with the "*" */
    ngx_http_webhook_pointer_t        tail;    /* relative to an element */
    unsigned                          other:1; /* counts where the one before
                                                  it in a line is not there */
} ngx_http_webhook_api_pointer_t;


/*
 * A VALUE: a pointer, or text with variables, or both in parts.  A pointer may
 * be relative to what the element stands in, or take the name of that
 * (draft-bhutton-relative-json-pointer-00).
 */

typedef struct {
    ngx_http_webhook_api_pointer_t    pointer;
    ngx_http_complex_value_t         *text;    /* NULL: a pointer, or parts */
    ngx_uint_t                        index;   /* in the texts, or what was
                                                  found, of a reading */
    size_t                            literal;  /* bytes of the text that are
                                                   no variable */
    ngx_array_t                      *parts;   /* ..._api_value_t; or NULL */
    ngx_uint_t                        up;      /* levels above the element */
    unsigned                          placed:1;    /* relative to its place */
    unsigned                          named:1;     /* the name there */
    unsigned                          decoded:1;   /* what the regex takes */
#if (NGX_PCRE)
    ngx_regex_t                      *regex;   /* takes a part of it; or NULL */
#endif
    ngx_str_t                         name;    /* as written */
} ngx_http_webhook_api_value_t;


/* "goal VALUE...", "sender.email VALUE..." */

typedef struct {
    ngx_uint_t                        member;
    ngx_str_t                         name;    /* NUL-terminated; empty: the
                                                  whole member */
    ngx_array_t                      *values;  /* ..._api_value_t */
} ngx_http_webhook_api_member_t;


typedef struct {
    ngx_http_webhook_api_value_t      value;   /* a pointer, maybe relative */
    ngx_array_t                      *values;  /* ..._value_match_t; NULL: it
                                                  must be there */
    ngx_str_t                         text;    /* as written */
} ngx_http_webhook_api_require_t;


/* one TEXT of "states" */

typedef struct {
    ngx_uint_t                        rank;
    ngx_str_t                         text;
#if (NGX_PCRE)
    ngx_regex_t                      *regex;
#endif
} ngx_http_webhook_api_state_t;


/* one POINTER[=VALUE] of "present" */

typedef struct {
    ngx_uint_t                        rank;
    ngx_array_t                      *pointer; /* ..._api_value_t, one */
    ngx_array_t                      *values;  /* as in require */
} ngx_http_webhook_api_present_t;


/*
 * The directives of a description, or of a route in it; NULL where there is
 * none.  A route's own are completed from the outer ones when all is read.
 */

typedef struct {
    ngx_array_t                      *each;     /* ..._api_pointer_t */
    ngx_array_t                      *id;       /* ..._api_value_t */
    ngx_array_t                      *state;    /* ..._api_value_t */
    ngx_array_t                      *updated;  /* ..._api_value_t */
    ngx_array_t                      *run;      /* ..._api_value_t */
    ngx_array_t                      *states;   /* ..._api_state_t */
    ngx_array_t                      *present;  /* ..._api_present_t */
    ngx_array_t                      *require;  /* ..._api_require_t */
    ngx_array_t                      *omit;     /* ..._api_pointer_t */
    ngx_array_t                      *members;  /* ..._api_member_t */
    ngx_http_webhook_watch_t         *watch;
    ngx_array_t                      *watch_headers;  /* ngx_keyval_t */
    ngx_array_t                      *enrich;   /* ..._enrich_line_t * */
    ngx_array_t                      *enrich_headers;  /* ngx_str_t, names */
} ngx_http_webhook_api_scope_t;


#define NGX_HTTP_WEBHOOK_URI_EXACT     0
#define NGX_HTTP_WEBHOOK_URI_PREFIX    1
#define NGX_HTTP_WEBHOOK_URI_REGEX     2

#define NGX_HTTP_WEBHOOK_METHOD_ANY    0xffffffff


typedef struct {
    uint32_t                          methods;  /* bits */
    ngx_uint_t                        type;     /* NGX_HTTP_WEBHOOK_URI_... */
    ngx_str_t                         uri;
#if (NGX_PCRE)
    ngx_http_regex_t                 *regex;
    ngx_str_t                         end;      /* the regex is this and "$";
                                                   or empty */
#endif
    ngx_http_complex_value_t         *when;     /* NULL: always */
    u_char                            status[304 / 8];  /* bits, from 200 on */

    ngx_http_webhook_api_scope_t      scope;
    ngx_array_t                       texts;    /* ..._api_value_t *, the VALUEs
                                                   of the scope with text */
    ngx_uint_t                        ntexts;   /* of the description */
    unsigned                          present_started:1;
    unsigned                          caseless:1;   /* the regex */

    ngx_str_t                         name;     /* for messages */
    u_char                           *file;
    ngx_uint_t                        line;
} ngx_http_webhook_api_route_t;


/* the block that is being read: cf->handler_conf of its directives */

typedef struct {
    ngx_http_webhook_api_t           *api;
    ngx_http_webhook_api_scope_t      outer;
    ngx_http_webhook_api_scope_t     *scope;     /* of the present block */
    ngx_http_webhook_route_t         *route;     /* NULL: the outer block */
    ngx_uint_t                        ntexts;
    ngx_array_t                       commands;  /* ngx_command_t */
} ngx_http_webhook_api_ctx_t;


/*
 * What a VALUE names above an element, which is looked for and hashed once for
 * all the elements there.
 */

typedef struct {
    json_t                           *above;    /* where it was looked for */
    json_t                           *json;     /* owned; NULL: nothing */
    uint64_t                          hash;     /* of "updated" */
    unsigned                          hashed:1;
} ngx_http_webhook_api_found_t;


/*
 * An observation of which "omit" and what follows it wait for the last line of
 * "each"; all are owned.
 */

typedef struct {
    json_t                           *element;  /* or NULL */
    json_t                           *id;
    json_t                          **values;   /* by member line */
    uint32_t                          above;
} ngx_http_webhook_api_later_t;


/* one reading of a document */

typedef struct {
    ngx_http_request_t               *request;
    ngx_http_webhook_route_t         *route;
    ngx_http_webhook_api_scope_t     *scope;
    ngx_str_t                        *texts;    /* by index */
    ngx_http_webhook_api_found_t     *found;    /* by index; or NULL: looked
                                                   for each time */
    const ngx_http_webhook_place_t   *place;    /* of the element, or NULL */
    json_t                          **values;   /* by member line, owned */
    ngx_array_t                      *list;
    ngx_array_t                      *later;    /* ..._api_later_t, as many as
                                                   in the list; or NULL: at
                                                   once */
    ngx_uint_t                       *unread;
    ngx_uint_t                        elements;
    size_t                            copied;   /* of what is above elements */
    uint32_t                          above;    /* bits: members from there */
    unsigned                          spent:1;    /* too much was copied */
    unsigned                          refused:1;  /* by require */
    unsigned                          status:1;   /* some rank or "updated" */
    unsigned                          failed:1;   /* a text had no memory */
} ngx_http_webhook_api_reading_t;


/* api_route.c */

/* Whether a route takes a request, or the first thing that speaks against. */

#define NGX_HTTP_WEBHOOK_TAKES_OK      0
#define NGX_HTTP_WEBHOOK_TAKES_METHOD  1
#define NGX_HTTP_WEBHOOK_TAKES_URI     2
#define NGX_HTTP_WEBHOOK_TAKES_WHEN    3
#define NGX_HTTP_WEBHOOK_TAKES_ERROR   4   /* no memory */

ngx_uint_t ngx_http_webhook_api_takes(ngx_http_request_t *r,
    ngx_http_webhook_route_t *route, uint32_t method, ngx_str_t *uri);

/* Whether its "status" names an error. */

ngx_uint_t ngx_http_webhook_api_status_errors(ngx_http_webhook_route_t *route);


/*
 * api.c: Calls "handler" with each element of a document (NULL: there is none),
 * as the lines of "each" say; without "each" with the document.  Its NGX_OK
 * goes on, anything else stops and is returned.  NGX_DECLINED: there is
 * nothing.
 */

ngx_int_t ngx_http_webhook_api_elements(ngx_http_webhook_api_scope_t *scope,
    json_t *doc, ngx_http_webhook_pointer_pt handler, void *data);

/* api.c: Takes what is the last one of a list from it, and frees it. */

void ngx_http_webhook_api_drop(ngx_array_t *list);

/*
 * api.c: Whether the document itself may be what is read, and so none where
 * none is needed: there is no "each", or one of its pointers is "".
 */

ngx_uint_t ngx_http_webhook_api_whole(ngx_http_webhook_api_scope_t *scope);


/*
 * api_text.c: A text's value (in the request's pool, or borrowed from the
 * element), or a borrowed JSON value that is not null; else declined.
 * "element" is NULL when there is no document, here and below.
 */

ngx_int_t ngx_http_webhook_api_value(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_api_value_t *value, ngx_str_t *text,
    json_t **json);

/* api_text.c: Whether it is what is above the elements, the same for many. */

ngx_uint_t ngx_http_webhook_api_shared(ngx_http_webhook_api_value_t *value);

/*
 * api_text.c: Counts what each element gets a copy of, though it is above them.
 * NGX_ERROR: that is too much in all, and "spent" is set.
 */

ngx_int_t ngx_http_webhook_api_copied(ngx_http_webhook_api_reading_t *reading,
    size_t size);

/* api_text.c: What "states" says of a status, or NGX_HTTP_WEBHOOK_NONE. */

ngx_uint_t ngx_http_webhook_api_states(ngx_http_webhook_api_scope_t *scope,
    ngx_str_t *text);


/* api_state.c */

/* The first line of "require" that does not hold, or NULL. */

ngx_http_webhook_api_require_t *ngx_http_webhook_api_refused(
    ngx_http_webhook_api_reading_t *reading, json_t *element);

/* Sets rank and unknown, run and has_run. */

void ngx_http_webhook_api_state(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation);


/* api_complete.c */

/*
 * Ends the last observation of the list, or notes what it takes to end it
 * later: "omit", then parts of members go where they belong, and the id.  "id"
 * is given away.  What fails is no longer in the list.
 */

ngx_int_t ngx_http_webhook_api_end(ngx_http_webhook_api_reading_t *reading,
    json_t *element, json_t *id);

/*
 * Ends those of all lines: what one omits is still there for the others when
 * they are read, and nobody's when they are sent.
 */

ngx_int_t ngx_http_webhook_api_end_later(
    ngx_http_webhook_api_reading_t *reading);


/* api_updated.c: Sets updated and updated_set. */

ngx_int_t ngx_http_webhook_api_updated(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation);

/* api_run.c: Sets run and has_run. */

void ngx_http_webhook_api_run(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation);


/* api_value.c; errors are logged with file and line */

ngx_int_t ngx_http_webhook_api_conf_pointer(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t wildcards, ngx_http_webhook_api_pointer_t *pointer);

/* A directive's arguments from the n-th on, as pointers. */

ngx_array_t *ngx_http_webhook_api_conf_pointers(ngx_conf_t *cf,
    ngx_array_t *pointers, ngx_uint_t n);

char *ngx_http_webhook_api_conf_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_api_conf_states(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_api_conf_present(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Completes a route's scope from the outer one and lists its texts. */

ngx_int_t ngx_http_webhook_api_conf_inherit(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *route, ngx_http_webhook_api_scope_t *outer);


/*
 * api_text_conf.c: A directive's arguments from the n-th on, as VALUEs (of the
 * configuration's pool).  NULL: an error was logged.
 */

ngx_array_t *ngx_http_webhook_api_conf_values(ngx_conf_t *cf, ngx_uint_t n,
    ngx_uint_t wildcards, ngx_uint_t *ntexts);

/* A pointer that may be relative, and whether it begins as one does. */

ngx_int_t ngx_http_webhook_api_conf_placed(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *ntexts, ngx_http_webhook_api_value_t *value);
ngx_uint_t ngx_http_webhook_api_is_pointer(ngx_str_t *text);

/* Whether it is a text, whatever it is made of, and never a JSON value. */

ngx_uint_t ngx_http_webhook_api_is_text(ngx_http_webhook_api_value_t *value);


/*
 * api_conf.c: the module of the directives in webhook_api { }.  The places are
 * bits that nginx leaves free, outside NGX_ANY_CONF, as "include" is ours
 * here.  With NGX_MAIN_CONF nginx looks for no configuration of the module in
 * cf->ctx, which is that of http { }.
 */

#define NGX_HTTP_WEBHOOK_API_MODULE    0x49504157   /* "WAPI" */

#define NGX_HTTP_WEBHOOK_API_CONF      0x00100000
#define NGX_HTTP_WEBHOOK_ROUTE_CONF    0x00200000

#define NGX_HTTP_WEBHOOK_BOTH_CONF                                            \
    (NGX_MAIN_CONF|NGX_HTTP_WEBHOOK_API_CONF|NGX_HTTP_WEBHOOK_ROUTE_CONF)

extern ngx_module_t  ngx_http_webhook_api_module;


/* api_member_conf.c */

/*
 * The member that a name stands for, "project" or "project.name"; *part is
 * what follows the dot, NUL-terminated, or empty.  NGX_ERROR: there is none.
 */

ngx_int_t ngx_http_webhook_api_conf_member(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t *member, ngx_str_t *part);

/* Adds the directives for members that the present file may hold. */

char *ngx_http_webhook_api_conf_members(ngx_conf_t *cf);

char *ngx_http_webhook_api_conf_include(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* api_route_conf.c: the blocks route { } and also { } */

char *ngx_http_webhook_api_conf_route(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_api_conf_also(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* api_warn.c */

/* What is no pointer as it is written elsewhere. */

void ngx_http_webhook_api_warn_pointer(ngx_conf_t *cf, ngx_str_t *text);

/* What "present" compares, whose "=" is at p, in other words. */

void ngx_http_webhook_api_warn_equal(ngx_conf_t *cf, ngx_str_t *text,
    u_char *p);

/* What of "states" is compared as it stands, and hardly meant so. */

void ngx_http_webhook_api_warn_text(ngx_conf_t *cf, ngx_str_t *value);

/* What in a description, whole now, has no effect. */

void ngx_http_webhook_api_warn(ngx_conf_t *cf, ngx_http_webhook_api_t *api);

#if (NGX_PCRE)

/* Whether the text is a variable, and the route's regex captures that. */

ngx_uint_t ngx_http_webhook_api_captures(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp, ngx_str_t *text);

#endif

/* Whether all "values" lead above the document. */

ngx_uint_t ngx_http_webhook_api_nowhere(ngx_http_webhook_api_scope_t *scope,
    ngx_array_t *values);


/* api_hidden.c */

/* What of a path is not there when the regex of a route is matched. */

void ngx_http_webhook_api_warn_regex(ngx_conf_t *cf, ngx_str_t *text);

/* Whether an earlier route takes all that the n-th one could. */

void ngx_http_webhook_api_warn_hidden(ngx_conf_t *cf,
    ngx_http_webhook_route_t *route, ngx_uint_t n);

/*
 * Whether the route may take a path as it is written in a URI, "open": one
 * that begins so.
 */

ngx_uint_t ngx_http_webhook_api_could(ngx_http_webhook_api_route_t *rp,
    ngx_str_t *uri, ngx_uint_t open);


#endif /* _NGX_HTTP_WEBHOOK_API_PRIV_H_INCLUDED_ */
