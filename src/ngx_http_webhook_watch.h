
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * watch: an execution that is not final -> requests for its status, by our
 * own and with the operator's credential, until it is (design, section 3).
 * What is watched is in the zone; whichever worker finds it due asks.
 * watch_conf.c has the directives, watch_text.c the texts made of an
 * execution, watch_list.c the records.  Next room: observe, which reads the
 * answer as it reads a client's.
 */


#ifndef _NGX_HTTP_WEBHOOK_WATCH_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_WATCH_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_detached.h"
#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_own.h"


#define NGX_HTTP_WEBHOOK_WATCH_TEXT    8192    /* bytes of all texts of one */
#define NGX_HTTP_WEBHOOK_WATCH_SLOWEST 60000   /* ms between requests */


/* a text with variables: literal text, and what stands behind it */

#define NGX_HTTP_WEBHOOK_WATCH_END     -1      /* nothing */
#define NGX_HTTP_WEBHOOK_WATCH_ID      -2      /* $webhook_execution */
#define NGX_HTTP_WEBHOOK_WATCH_MEMBER  -3      /* ${member.name} */

typedef struct {
    ngx_str_t                     literal;
    ngx_int_t                     index;       /* of a variable, or one of
                                                  these */
    ngx_str_t                     name;        /* of the variable */
    ngx_uint_t                    member;
    ngx_str_t                     part;        /* of the member, NUL-terminated
                                                */
} ngx_http_webhook_watch_part_t;


/* a "watch" line; a route's own copy has all that it needs at run time */

struct ngx_http_webhook_watch_s {
    ngx_uint_t                    method;
    ngx_str_t                     method_name;
    ngx_array_t                  *uri;         /* ..._watch_part_t */
    ngx_array_t                  *body;        /* the same, or NULL */
    ngx_msec_t                    every;       /* ms */
    ngx_msec_t                    period;      /* ms: "for" */

    ngx_array_t                  *headers;     /* ngx_keyval_t, or NULL; values
                                                  are secret */
    uint32_t                      api;         /* hashes of names, by which a */
    uint32_t                      route;       /* record finds us again       */

    u_char                       *file;
    ngx_uint_t                    line;

    ngx_msec_t                    until;       /* of this worker: the API wants
                                                  no request before */
    unsigned                      held:1;      /* it does */
};


/* a server whose locations may observe */

typedef struct {
    uint32_t                      hash;        /* of its name and addresses */
    ngx_http_core_srv_conf_t     *cscf;
    unsigned                      secure:1;    /* some address is "ssl" */
} ngx_http_webhook_watch_server_t;


/* a record, copied out of the zone to ask with */

typedef struct {
    uint32_t                      index;       /* in the zone */
    u_char                        key[16];     /* of the execution */
    uint32_t                      token;       /* as in its state, 8 bits: a
                                                  record that is left over
                                                  asks once more at worst */
    uint64_t                      until;       /* ms, monotonic */
    uint32_t                      interval;    /* ms, the latest */
    uint32_t                      server;      /* hashes */
    uint32_t                      api;
    uint32_t                      route;
    ngx_str_t                     realm;       /* in "text" */
    ngx_str_t                     uri;
    ngx_str_t                     body;
    u_char                       *text;        /* of the caller, ..._TEXT
                                                  bytes */
} ngx_http_webhook_watch_job_t;


/* watch_conf.c: directives of webhook_api { }; errors are logged */

char *ngx_http_webhook_watch_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_watch_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Completes a route from the outer block. */

ngx_int_t ngx_http_webhook_watch_route(ngx_conf_t *cf,
    ngx_http_webhook_api_t *api, ngx_http_webhook_route_t *route,
    ngx_http_webhook_api_scope_t *outer);

/* What no route takes, or is the same for all executions. */

void ngx_http_webhook_watch_warn(ngx_conf_t *cf, ngx_http_webhook_api_t *api);

/* When all is read: numbers the servers. */

ngx_int_t ngx_http_webhook_watch_init(ngx_conf_t *cf);


/* watch_text.c */

/* Compiles a text.  NULL: an error was logged. */

ngx_array_t *ngx_http_webhook_watch_compile(ngx_conf_t *cf, ngx_str_t *text);

/* Compiles a URI, which is percent-encoded.  NULL: an error was logged. */

ngx_array_t *ngx_http_webhook_watch_compile_uri(ngx_conf_t *cf,
    ngx_str_t *text);

/*
 * Whether a route has all the captures that a text needs; if not, *name is one
 * that it lacks.
 */

ngx_uint_t ngx_http_webhook_watch_captured(ngx_http_webhook_api_route_t *rp,
    ngx_array_t *parts, ngx_str_t *name);

/*
 * A text in r->pool, its values percent-encoded as one segment of a path, or
 * ("json") as they stand in a JSON string.  NGX_AGAIN: a member is lacking;
 * NGX_DECLINED: a value is refused; NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_webhook_watch_text(ngx_http_request_t *r,
    ngx_array_t *parts, ngx_http_webhook_observation_t *observation,
    ngx_uint_t json, ngx_str_t *text);

/*
 * The same in steps: copies of what stands behind each part, by index, empty
 * where there is nothing, as for members, see ngx_http_webhook_enrich_values();
 * and the text made of them.
 */

ngx_str_t *ngx_http_webhook_watch_values(ngx_http_request_t *r,
    ngx_array_t *parts, ngx_str_t *id, ngx_pool_t *pool);
ngx_int_t ngx_http_webhook_watch_assemble(ngx_pool_t *pool,
    ngx_array_t *parts, ngx_str_t *values, ngx_uint_t json, ngx_str_t *text);


/* watch_list.c: the records in the zone */

/*
 * Adds one, taken as by watch_take(), so that it is left alone until its state
 * is stored and it is put back.  0: there is no room.
 */

uint32_t ngx_http_webhook_watch_add(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job);

/*
 * Takes one that is due; nobody else takes it for a while, or until we die.
 * Those whose execution has ended, or whose time is over, are forgotten on the
 * way.  NGX_DECLINED: none is due, before *wait ms at least.
 */

ngx_int_t ngx_http_webhook_watch_take(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job, ngx_msec_t *wait);

/* It is due again in "wait" ms, with this interval. */

void ngx_http_webhook_watch_put(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job, ngx_msec_t wait, ngx_msec_t interval);

/* Forgets it. */

void ngx_http_webhook_watch_drop(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job);

/* What dead processes had taken is due at once. */

void ngx_http_webhook_watch_reclaim(ngx_http_webhook_zone_t *zone);

/* Forgets those that the store has, and nobody asks for. */

void ngx_http_webhook_watch_clear(ngx_http_webhook_zone_t *zone);

/* How many there are. */

ngx_uint_t ngx_http_webhook_watch_number(ngx_http_webhook_zone_t *zone);


/* a header of a request, while it is hidden */

typedef struct {
    ngx_uint_t                       hash;
    size_t                           len;
} ngx_http_webhook_watch_hidden_t;


/* a request under way */

typedef struct {
    ngx_http_webhook_own_t           own;      /* must be first */
    ngx_http_webhook_watch_job_t     job;
    ngx_http_webhook_watch_t        *watch;
    ngx_http_webhook_api_t          *api;
    ngx_http_webhook_observe_ctx_t  *ctx;      /* NULL: it is not read */
    ngx_http_webhook_watch_hidden_t *hidden;   /* NULL: there is no room */
    ngx_uint_t                       nhidden;  /* headers that there were */
    ngx_http_variable_value_t       *variables;
    off_t                            received;
    ngx_msec_t                       hold;     /* ms, the API wants no other
                                                  one; 0: it does not say */
    unsigned                         observed:1;  /* it observes */
} ngx_http_webhook_watch_run_t;


/* watch_ask.c: prepares the request, but for done(); *host is to be sent. */

ngx_int_t ngx_http_webhook_watch_prepare(ngx_http_webhook_detached_t *d,
    ngx_http_webhook_watch_job_t *job, ngx_http_webhook_watch_run_t *run,
    ngx_str_t *host);

/* What webhooks and payloads take from a request's headers is not from ours. */

void ngx_http_webhook_watch_hide(ngx_http_request_t *r,
    ngx_http_webhook_watch_run_t *run);


/* watch.c */

/*
 * An execution is known, not final and not watched: makes the record of its
 * watch, before the state that is to have job->token.  job->index is 0 when
 * there is none; the token is 0 when it is worth trying again.
 */

void ngx_http_webhook_watch_begin(ngx_http_request_t *r,
    ngx_http_webhook_watch_t *watch,
    ngx_http_webhook_observation_t *observation, ngx_str_t *realm,
    ngx_http_webhook_watch_job_t *job);

/*
 * The state is stored: the record that watch_begin() made is due in its time.
 * Before, nobody takes it, who would not find its state and forget it.
 */

void ngx_http_webhook_watch_begun(ngx_http_webhook_watch_t *watch,
    ngx_http_webhook_watch_job_t *job);

/* There may be some that nobody waits for. */

void ngx_http_webhook_watch_wake(void);

/* In a worker; and when it begins to exit. */

ngx_int_t ngx_http_webhook_watch_init_process(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf);
void ngx_http_webhook_watch_exiting(void);


#endif /* _NGX_HTTP_WEBHOOK_WATCH_H_INCLUDED_ */
