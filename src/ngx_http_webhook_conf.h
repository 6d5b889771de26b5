
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * conf: the blocks webhook { } and webhook_defaults { } -> validated
 * ngx_http_webhook_hook_t.  Every mistake is refused with file and line; no
 * message ever holds a secret.  What happens, in order:
 *
 *   hook_conf.c      one block -> a webhook, what it does not say left unset:
 *   endpoint_conf.c  url, proxy, TLS files
 *   value_conf.c     secret, header; file:, env:, variables
 *   match_conf.c     match, member
 *   url.c            a URL -> its parts, and the form that may be shown
 *   conf.c           blocks inside blocks: what adds up, what is one
 *   hook_merge.c     defaults for what is unset; are two webhooks alike?
 *   conf_check.c     what can be judged only when all is read
 *   main_conf.c      the http level: zone, bounds, words to redact
 *   status_conf.c    who may write at webhook_status
 *
 * module.c holds the directive table.  Next rooms: queue, dispatch.
 */


#ifndef _NGX_HTTP_WEBHOOK_CONF_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_CONF_H_INCLUDED_


#include "ngx_http_webhook.h"


/* a block that is being read */

typedef struct {
    ngx_http_webhook_hook_t  *hook;
    uint64_t                  seen;        /* bit n: setting n stood here */
    ngx_uint_t                defaults;    /* boolean: webhook_defaults */
} ngx_http_webhook_block_t;


/* a "webhook" block, and the webhook that it became */

typedef struct {
    ngx_http_webhook_hook_t  *block;
    ngx_http_webhook_hook_t  *hook;
} ngx_http_webhook_declared_t;


/* a location with "webhook_status" */

typedef struct {
    ngx_http_webhook_loc_conf_t  *lcf;
    void                        **loc_conf;    /* of all modules */
    ngx_http_core_srv_conf_t     *cscf;
} ngx_http_webhook_status_conf_t;


/* conf.c: directives in nginx's own form */

char *ngx_http_webhook_hook_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_defaults_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Merges the location-level part of two blocks: webhooks add up
 * (webhook_inherit), defaults are where inner ones start from.  Two webhooks
 * of one name must be alike, and become one.  "prev" is NULL for the http
 * level, which nginx does not merge.
 */

char *ngx_http_webhook_hooks_merge(ngx_conf_t *cf,
    ngx_http_webhook_loc_conf_t *prev, ngx_http_webhook_loc_conf_t *conf);


/*
 * conf_check.c: last checks, when all is read (postconfiguration): two names
 * of one hash, "via" locations exist, there are no more than "hooks", queues
 * fit into "deliveries", both of the zone; numbers sets of members, hides
 * headers of redacted names.  NGX_ERROR: an error was logged.
 */

ngx_int_t ngx_http_webhook_hooks_check(ngx_conf_t *cf, ngx_uint_t hooks,
    ngx_uint_t deliveries);

/* Whether a location is one that a webhook's "via" leads to. */

ngx_uint_t ngx_http_webhook_is_via(ngx_http_webhook_main_conf_t *mcf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_core_loc_conf_t *clcf);

/* Logs what is wrong with something that was declared in "file" at "line". */

void ngx_cdecl ngx_http_webhook_conf_log(ngx_uint_t level, ngx_conf_t *cf,
    u_char *file, ngx_uint_t line, const char *fmt, ...);

/*
 * Whether a name of a member or header contains one of the words of
 * webhook_redact, without case, "_" and "-".
 */

ngx_uint_t ngx_http_webhook_redacted(ngx_array_t *redact, ngx_str_t *name);


/* main_conf.c */

void *ngx_http_webhook_create_main_conf(ngx_conf_t *cf);
char *ngx_http_webhook_init_main_conf(ngx_conf_t *cf, void *conf);

char *ngx_http_webhook_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_buffer_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_redact(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Adds the zone of that name and size.  NGX_ERROR: an error was logged. */

ngx_int_t ngx_http_webhook_zone_add(ngx_conf_t *cf,
    ngx_http_webhook_main_conf_t *mcf);


/* status_conf.c: notes a location when merging, warns when all is read */

char *ngx_http_webhook_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_webhook_status_declared(ngx_conf_t *cf,
    ngx_http_webhook_loc_conf_t *lcf);
void ngx_http_webhook_statuses_check(ngx_conf_t *cf);


/* hook_conf.c: a cf->handler; "conf" is the ngx_http_webhook_block_t */

char *ngx_http_webhook_setting(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);


/* hook_merge.c: a webhook with nothing set */

ngx_http_webhook_hook_t *ngx_http_webhook_hook_create(ngx_conf_t *cf);

/* Fills in what "conf" leaves unset from "prev", else with the defaults. */

void ngx_http_webhook_hook_merge(ngx_http_webhook_hook_t *conf,
    ngx_http_webhook_hook_t *prev);

/* The first setting in which two merged webhooks differ; NULL: none. */

char *ngx_http_webhook_hook_differ(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two);

/* Whether two webhooks have equal "member" lines. */

ngx_uint_t ngx_http_webhook_hook_members_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two);


/* value_conf.c */

/*
 * The text that a value means: "file:PATH" is the content of a file, without
 * one newline at its end, "env:NAME" a variable of the environment; *hidden is
 * set for these two.  NGX_ERROR: an error was logged.
 */

ngx_int_t ngx_http_webhook_value_text(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_uint_t *hidden);

/* Reads a file of at most "max" bytes.  NGX_ERROR: an error was logged. */

ngx_int_t ngx_http_webhook_value_file(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, ngx_str_t *text);

/* Whether a name is a token, as names of headers are (RFC 9110, 5.6.2). */

ngx_uint_t ngx_http_webhook_token(ngx_str_t *name);

char *ngx_http_webhook_set_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* match_conf.c */

/*
 * One VALUE of "match": "text", "!text", "~regex", "!~regex", "*", "!*".
 * NGX_ERROR: an error was logged.
 */

ngx_int_t ngx_http_webhook_match_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_webhook_value_match_t *match);

/* Warns of one that ends in a comma, or has a "|": neither separates. */

void ngx_http_webhook_match_comma(ngx_conf_t *cf, ngx_str_t *text);

char *ngx_http_webhook_set_match(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_member(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* endpoint_conf.c */

char *ngx_http_webhook_set_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_proxy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_ssl_trusted(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_webhook_set_ssl_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* url.c: pure */

/*
 * Checks the text of a "url" with libcurl's parser and sets the webhook's url,
 * shown, host, uri and ssl.  "hidden": its path is not to be shown.  NULL on
 * success, else what is wrong (never the text itself).
 */

char *ngx_http_webhook_url_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t hidden, ngx_http_webhook_hook_t *hook);

/* The same for "proxy": a URL without more than userinfo, host and port. */

char *ngx_http_webhook_url_proxy(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *proxy);


#endif /* _NGX_HTTP_WEBHOOK_CONF_H_INCLUDED_ */
