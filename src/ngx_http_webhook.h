
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The words that all rooms share: events, webhooks, configuration and the
 * result of an attempt.  What happens, in order:
 *
 *   observe -> api -> event -> queue -> dispatch -> transport -> log -> status
 *
 * No function is declared here; every room has a header of its own.
 */


#ifndef _NGX_HTTP_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <jansson.h>


/* Angie keeps the names of a location apart from its configuration */

#if (angie_version >= 1003000)

typedef ngx_http_core_loc_t       ngx_http_webhook_core_loc_t;

#define ngx_http_webhook_core_loc_conf(loc)  ((loc)->conf)

#else

typedef ngx_http_core_loc_conf_t  ngx_http_webhook_core_loc_t;

#define ngx_http_webhook_core_loc_conf(loc)  (loc)

#endif


#define NGX_HTTP_WEBHOOK_VERSION       "0.1.0"

#define NGX_HTTP_WEBHOOK_UUID_LEN      36      /* text, without a NUL */
#define NGX_HTTP_WEBHOOK_UPDATED_MAX   16      /* values of "updated" */


/* events; the first four are also the ranks an execution goes through */

#define NGX_HTTP_WEBHOOK_NONE          0
#define NGX_HTTP_WEBHOOK_LAUNCHED      1
#define NGX_HTTP_WEBHOOK_STARTED       2
#define NGX_HTTP_WEBHOOK_FINISHED      3
#define NGX_HTTP_WEBHOOK_UPDATED       4
#define NGX_HTTP_WEBHOOK_PING          5

#define ngx_http_webhook_event_bit(e)  (1 << (e))

#define NGX_HTTP_WEBHOOK_EXECUTION_BITS                                       \
    (ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_LAUNCHED)                    \
     |ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_STARTED)                    \
     |ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_UPDATED)                    \
     |ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_FINISHED))


/* signature schemes, bits */

#define NGX_HTTP_WEBHOOK_SIGN_NONE             0x0001
#define NGX_HTTP_WEBHOOK_SIGN_STANDARD         0x0002
#define NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO         0x0004
#define NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO_SHA256  0x0008
#define NGX_HTTP_WEBHOOK_SIGN_GITHUB           0x0010
#define NGX_HTTP_WEBHOOK_SIGN_STRIPE           0x0020


/* what became of a delivery */

#define NGX_HTTP_WEBHOOK_WAITING       0
#define NGX_HTTP_WEBHOOK_SENDING       1
#define NGX_HTTP_WEBHOOK_DELIVERED     2
#define NGX_HTTP_WEBHOOK_FAILED        3
#define NGX_HTTP_WEBHOOK_EXPIRED       4
#define NGX_HTTP_WEBHOOK_SUPERSEDED    5
#define NGX_HTTP_WEBHOOK_DROPPED       6


/* why an attempt brought no answer */

#define NGX_HTTP_WEBHOOK_ERR_NONE      0
#define NGX_HTTP_WEBHOOK_ERR_DNS       1
#define NGX_HTTP_WEBHOOK_ERR_CONNECT   2
#define NGX_HTTP_WEBHOOK_ERR_TLS       3
#define NGX_HTTP_WEBHOOK_ERR_TIMEOUT   4
#define NGX_HTTP_WEBHOOK_ERR_RESET     5
#define NGX_HTTP_WEBHOOK_ERR_PROTOCOL  6
#define NGX_HTTP_WEBHOOK_ERR_BROKEN    7       /* the body did not end */
#define NGX_HTTP_WEBHOOK_ERR_PROXY     8
#define NGX_HTTP_WEBHOOK_ERR_INTERNAL  9       /* ours: memory, configuration,
                                                  shutdown */


typedef struct ngx_http_webhook_hook_s    ngx_http_webhook_hook_t;
typedef struct ngx_http_webhook_api_s     ngx_http_webhook_api_t;
typedef struct ngx_http_webhook_zone_s    ngx_http_webhook_zone_t;
typedef struct ngx_http_webhook_store_s   ngx_http_webhook_store_t;
typedef struct ngx_http_webhook_watch_s   ngx_http_webhook_watch_t;


/* a signing secret; both forms are secret: never logged, never shown */

typedef struct {
    ngx_str_t                     text;    /* as written: the key of virtuoso,
                                              github and stripe */
    ngx_str_t                     key;     /* decoded: the key of standard;
                                              32 bytes of seed for ed25519 */
    time_t                        until;   /* seconds, wall clock; 0: none */
    ngx_str_t                     public_key;  /* ed25519: "whpk_..." */
    unsigned                      ed25519:1;
} ngx_http_webhook_secret_t;


typedef struct {
    ngx_str_t                     name;
    ngx_http_complex_value_t      value;   /* constant if value.lengths NULL */
    unsigned                      hidden:1;  /* from file, env or a variable */
} ngx_http_webhook_header_t;


/* a value to match: "text", "!text", "~regex", "*" */

typedef struct {
    ngx_str_t                     text;    /* without its "!" or "~" */
#if (NGX_PCRE)
    ngx_regex_t                  *regex;
#endif
    unsigned                      negative:1;
    unsigned                      any:1;
} ngx_http_webhook_value_match_t;


/*
 * a compiled JSON Pointer, RFC 6901; a segment "*" only where allowed; of a
 * list "[name=value]" is the first element with that member
 */

typedef struct {
    ngx_str_t                     text;       /* as written */
    ngx_str_t                    *segments;   /* unescaped, NUL-terminated */
    ngx_uint_t                    nsegments;  /* 0: the whole document */
    ngx_uint_t                    wildcards;  /* how many segments are "*" */
} ngx_http_webhook_pointer_t;


/* one "match" line */

typedef struct {
    ngx_http_webhook_pointer_t    pointer;
    ngx_array_t                   values;     /* of ..._value_match_t */
} ngx_http_webhook_match_t;


/* one "member" line: name is a dotted path, value its JSON text */

typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     value;
} ngx_http_webhook_member_t;


/*
 * A webhook, as configured; lives as long as its configuration cycle.
 * Arrays are never NULL.
 */

struct ngx_http_webhook_hook_s {
    ngx_str_t                     name;
    uint32_t                      id;      /* stable hash of the name, 31 bits,
                                              never 0 */
    ngx_uint_t                    index;   /* in ..._main_conf_t.hooks */
    uint32_t                      slot;    /* in the zone; from init_process;
                                              or NGX_HTTP_WEBHOOK_NO_SLOT */
    uint64_t                      endpoint;  /* url's hash; also from there */

    ngx_str_t                     url;     /* NUL-terminated; secret */
    ngx_str_t                     shown;   /* the same with secrets left out */
    ngx_array_t                  *echo;    /* what answers must not show, made
                                              when first needed; or NULL */
    ngx_str_t                     host;    /* "Host" header */
    ngx_str_t                     uri;     /* path and query, as to be sent */
    ngx_str_t                     basic;   /* "Basic ...", of the url's
                                              userinfo, or empty; secret */
    unsigned                      ssl:1;

    ngx_str_t                     via;     /* "@NAME", or empty */
    ngx_http_conf_ctx_t          *via_ctx; /* of the server that has it */
    void                         *via_loc; /* its ngx_http_core_loc_conf_t */

    ngx_array_t                   secrets;   /* ngx_http_webhook_secret_t */
    ngx_uint_t                    signature; /* bits */
    ngx_uint_t                    form;      /* boolean: content_type */
    ngx_uint_t                    events;    /* bits */
    ngx_array_t                   match;     /* ngx_http_webhook_match_t */
    ngx_array_t                   members;   /* ngx_http_webhook_member_t */
    ngx_array_t                   headers;   /* ngx_http_webhook_header_t */
    ngx_uint_t                    nvariables; /* headers that hold variables */
    ngx_str_t                     description;
    ngx_uint_t                    member_set; /* hooks with equal members have
                                                 equal numbers */

    ngx_flag_t                    active;
    ngx_msec_t                    timeout;   /* ms */
    ngx_array_t                   retry;     /* ngx_msec_t, ms */
    ngx_msec_t                    expire;    /* ms, 0: off */
    ngx_uint_t                    queue;
    ngx_uint_t                    queue_line;  /* 0: the default */
    u_char                       *queue_file;
    ngx_uint_t                    overflow_oldest;
    ngx_uint_t                    max_in_flight;
    ngx_uint_t                    rate;      /* 1 corresponds to 0.001 r/s,
                                                0: none */
    ngx_msec_t                    disable_after;  /* ms, 0: never */

    ngx_str_t                     proxy;     /* NUL-terminated, or empty */
    ngx_flag_t                    ssl_verify;
    ngx_str_t                     ssl_trusted_certificate;  /* full names, */
    ngx_str_t                     ssl_certificate;          /* NUL-        */
    ngx_str_t                     ssl_certificate_key;      /* terminated, */
                                                            /* or empty    */
    ngx_str_t                     ssl_trusted_pem;          /* what these   */
    ngx_str_t                     ssl_certificate_pem;      /* held; of the */
    ngx_str_t                     ssl_certificate_key_pem;  /* key: secret  */
    ngx_flag_t                    http2;

    u_char                       *file;      /* where it was declared */
    ngx_uint_t                    line;
};


/*
 * What one attempt brought: filled by either transport, kept in the log.
 * Strings are in the pool of the attempt's request.
 */

typedef struct {
    ngx_uint_t                    status;      /* 0: no answer */
    ngx_uint_t                    error;       /* NGX_HTTP_WEBHOOK_ERR_... */
    ngx_str_t                     message;     /* a plain sentence, or empty */

    ngx_str_t                     headers;     /* "Name: value" CRLF ..., at
                                                  most 8 KB */
    ngx_str_t                     body;        /* at most the zone's "body" */
    size_t                        body_size;   /* bytes received */

    ngx_str_t                     retry_after; /* its value, or empty */
    ngx_str_t                     peer;        /* "address:port", or empty */

    ngx_msec_t                    dns;         /* phases, each from its own */
    ngx_msec_t                    connect;     /* start, ms;                */
    ngx_msec_t                    tls;         /* NGX_CONF_UNSET_MSEC:      */
    ngx_msec_t                    first_byte;  /* unknown                   */
    ngx_msec_t                    total;

    unsigned                      reused:1;    /* a kept-alive connection */
    unsigned                      stale:1;     /* it broke before a byte of
                                                  answer */
    unsigned                      truncated:1; /* body holds less than came */
} ngx_http_webhook_result_t;


typedef struct {
    ngx_shm_zone_t               *shm_zone;
    ngx_http_webhook_zone_t      *zone;      /* per process */
    ngx_str_t                     zone_name;
    size_t                        zone_size; /* bytes */
    ngx_uint_t                    log;       /* finished deliveries a webhook */
    size_t                        body;      /* bytes kept of a response */
    ngx_http_webhook_store_t     *store;     /* or NULL */
    ngx_str_t                     left;      /* why there is none, if its file
                                                is left alone */

    size_t                        buffer_size;   /* bytes */
    size_t                        buffer_total;  /* bytes, a worker */
    ngx_uint_t                    connections;   /* in flight, a worker */

    ngx_array_t                   redact;    /* ngx_str_t, lower case, without
                                                "_" and "-" */
    ngx_array_t                   apis;      /* ngx_http_webhook_api_t * */
    ngx_array_t                   hooks;     /* ngx_http_webhook_hook_t *,
                                                unique by name */

    ngx_array_t                   declared;  /* "webhook" blocks; conf.c's */
    ngx_array_t                   statuses;  /* module.c's own */
    ngx_array_t                   watched;   /* servers; watch.c's own */
    ngx_int_t                     scheme;    /* indices of variables */
    ngx_int_t                     https;

    uint32_t                      generation;  /* random: of this
                                                  configuration */
    unsigned                      observed:1;  /* some location observes */
} ngx_http_webhook_main_conf_t;


typedef struct {
    ngx_http_webhook_api_t       *api;
    ngx_http_complex_value_t     *realm;     /* NULL: empty */
} ngx_http_webhook_observe_t;


typedef struct {
    ngx_array_t                  *hooks;     /* ngx_http_webhook_hook_t *, all
                                                that apply here; or NULL */
    ngx_array_t                  *own;       /* those declared here */
    ngx_flag_t                    inherit;
    ngx_uint_t                    merged;    /* boolean: hooks is complete */
    ngx_http_webhook_hook_t      *defaults;  /* webhook_defaults; NULL: as
                                                outside */
    ngx_array_t                  *observe;   /* ..._observe_t; NULL: off */
    ngx_flag_t                    status;    /* webhook_status stands here */
    ngx_flag_t                    write;
    ngx_str_t                     prefix;    /* of the status location */
    ngx_uint_t                    status_line;
    u_char                       *status_file;
} ngx_http_webhook_loc_conf_t;


extern ngx_module_t  ngx_http_webhook_module;


#endif /* _NGX_HTTP_WEBHOOK_H_INCLUDED_ */
