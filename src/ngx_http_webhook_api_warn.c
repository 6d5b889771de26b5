
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_warn: a whole description -> warnings of what in it has no effect.  Next
 * room: api_conf, which calls it.
 */


#include "ngx_http_webhook_api_priv.h"


static void ngx_http_webhook_api_warn_state(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp);
static ngx_http_webhook_api_route_t *ngx_http_webhook_api_shadow(
    ngx_http_webhook_route_t *route, ngx_uint_t n);
static ngx_uint_t ngx_http_webhook_api_covers(
    ngx_http_webhook_api_route_t *first, ngx_http_webhook_api_route_t *rp);


void
ngx_http_webhook_api_warn(ngx_conf_t *cf, ngx_http_webhook_api_t *api)
{
    ngx_uint_t                     i, state, states;
    ngx_http_webhook_route_t      *route;
    ngx_http_webhook_api_route_t  *rp, *first;

    state = 0;
    states = 0;
    route = api->routes.elts;

    for (i = 0; i < api->routes.nelts; i++) {

        rp = route[i].priv;

        if (!route[i].ignore) {
            ngx_http_webhook_api_warn_state(cf, rp);
        }

        state |= (rp->scope.state != NULL);
        states |= (rp->scope.states != NULL);

        first = ngx_http_webhook_api_shadow(route, i);

        if (first) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "route \"%V\" is never used, \"%V\" in %s:%ui takes "
                          "all its requests, in %s:%ui",
                          &rp->name, &first->name, first->file, first->line,
                          rp->file, rp->line);
        }
    }

    if (states && !state) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"states\" has no effect without \"state\" in "
                      "webhook_api \"%V\" in %s:%ui",
                      &api->name, api->file, api->line);
    }
}


/* a status that is always the same, and means nothing, is a pointer's name */

static void
ngx_http_webhook_api_warn_state(ngx_conf_t *cf,
    ngx_http_webhook_api_route_t *rp)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    if (rp->scope.state == NULL) {
        return;
    }

    value = rp->scope.state->elts;

    for (i = 0; i < rp->scope.state->nelts; i++) {

        if (value[i].text
            && value[i].text->lengths == NULL
            && ngx_http_webhook_api_states(&rp->scope, &value[i].name)
               == NGX_HTTP_WEBHOOK_NONE)
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"state\" is \"%V\" for all executions, which no "
                          "\"states\" names, in route \"%V\" in %s:%ui",
                          &value[i].name, &rp->name, rp->file, rp->line);
        }
    }
}


/* an earlier route that takes all that the n-th could take, or NULL */

static ngx_http_webhook_api_route_t *
ngx_http_webhook_api_shadow(ngx_http_webhook_route_t *route, ngx_uint_t n)
{
    ngx_uint_t                     i;
    ngx_http_webhook_api_route_t  *rp, *first;

    rp = route[n].priv;

    for (i = 0; i < n; i++) {

        first = route[i].priv;

        if (first->when == NULL
            && !(rp->methods & ~first->methods)
            && ngx_http_webhook_api_covers(first, rp))
        {
            return first;
        }
    }

    return NULL;
}


/* of regexes no more is known than that two are the same */

static ngx_uint_t
ngx_http_webhook_api_covers(ngx_http_webhook_api_route_t *first,
    ngx_http_webhook_api_route_t *rp)
{
    if (first->type == NGX_HTTP_WEBHOOK_URI_REGEX) {
        return rp->type == NGX_HTTP_WEBHOOK_URI_REGEX
               && rp->uri.len == first->uri.len
               && ngx_memcmp(rp->uri.data, first->uri.data, rp->uri.len) == 0
               && (first->caseless || !rp->caseless);
    }

    if (rp->type == NGX_HTTP_WEBHOOK_URI_REGEX) {
        return first->type == NGX_HTTP_WEBHOOK_URI_PREFIX
               && first->uri.len == 1;
    }

    if (rp->uri.len < first->uri.len
        || ngx_memcmp(rp->uri.data, first->uri.data, first->uri.len) != 0)
    {
        return 0;
    }

    return first->type == NGX_HTTP_WEBHOOK_URI_PREFIX
           || (rp->type == NGX_HTTP_WEBHOOK_URI_EXACT
               && rp->uri.len == first->uri.len);
}
