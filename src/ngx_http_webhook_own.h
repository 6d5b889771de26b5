
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * own: a detached request that is prepared -> run through nginx's phases as a
 * client's request is.  Used by watch and enrich.  Next room: detached.
 */


#ifndef _NGX_HTTP_WEBHOOK_OWN_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_OWN_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_detached.h"


/* stands first in what d->data points to */

typedef struct {
    ngx_http_webhook_api_t  *api;      /* NULL, or what a location must observe
                                          for the request to enter it */
    ngx_http_upstream_t     *upstream; /* of the latest error */
    ngx_uint_t               error;    /* the first status of a location that
                                          observes which nginx took for one */
    ngx_uint_t               failed;   /* the same, wherever it was */
    char                    *barred;   /* NULL, or why its answer, or what the
                                          location makes that of, never came */
    unsigned                 found:1;  /* a location was found */
    unsigned                 refused:1; /* it was not to enter a location */
    unsigned                 left:1;   /* nobody waits for it any more */
} ngx_http_webhook_own_t;


/* whether a name is this one, in whatever case */

#define ngx_http_webhook_own_is(s, name)                                      \
    ((s)->len == sizeof(name) - 1                                             \
     && ngx_strncasecmp((s)->data, (u_char *) name, sizeof(name) - 1) == 0)


/*
 * Adds "headers" (ngx_keyval_t; NULL: none) but Host, and what every request
 * has if they do not: identity and JSON are asked for, and JSON is sent if
 * there is a body.  Credentials and cookies are where nginx's variables look.
 * The strings must live as long as d does.  NGX_ERROR: no memory; d is the
 * caller's to discard.
 */

ngx_int_t ngx_http_webhook_own_headers(ngx_http_webhook_detached_t *d,
    ngx_array_t *headers, ngx_uint_t body);

/*
 * Runs it as ngx_http_webhook_detached_run() does, through all phases but
 * that of access, in the location that a client's request with this URI would
 * come to, and after an error in that of its page, if it is observed there.
 * Sets d->start, d->guard, d->error and d->over; d->done may come while it
 * still connects.  NGX_DECLINED: nginx would refuse the URI; NGX_ERROR: no
 * memory.  In both cases d is freed.
 */

ngx_int_t ngx_http_webhook_own_run(ngx_http_webhook_detached_t *d,
    ngx_str_t *host, ngx_str_t *uri, ngx_str_t *body, ngx_msec_t timeout);

/*
 * Whether a subrequest is one that the location itself makes its answer of, as
 * lua's ngx.location.capture(): a mirror's is not.
 */

ngx_uint_t ngx_http_webhook_own_part(ngx_http_webhook_detached_t *d,
    ngx_http_request_t *r);


#endif /* _NGX_HTTP_WEBHOOK_OWN_H_INCLUDED_ */
