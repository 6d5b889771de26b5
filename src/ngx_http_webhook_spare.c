
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * spare: in: nginx's counts of connections, the limit of open files; out: how
 * many connections dispatch, watch and enrich may take.
 */


#include "ngx_http_webhook_spare.h"


#define NGX_HTTP_WEBHOOK_SPARE_FILES   32      /* open, but no connections */


static ngx_uint_t  ngx_http_webhook_spare_sockets;
static ngx_uint_t  ngx_http_webhook_spare_promised;


ngx_uint_t
ngx_http_webhook_spare_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t        n;
    struct rlimit     rlmt;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    n = NGX_MAX_INT_T_VALUE;

    if (ccf->rlimit_nofile != NGX_CONF_UNSET) {
        n = ccf->rlimit_nofile;

    } else if (getrlimit(RLIMIT_NOFILE, &rlmt) == 0) {
        n = ngx_min(rlmt.rlim_cur, NGX_MAX_INT_T_VALUE);
    }

    n -= ngx_min(NGX_HTTP_WEBHOOK_SPARE_FILES, n / 2);

    ngx_http_webhook_spare_sockets = ngx_min(cycle->connection_n, n);

    return ngx_http_webhook_spare_sockets;
}


ngx_uint_t
ngx_http_webhook_spare_idle(void)
{
    ngx_uint_t  n;

    n = ngx_http_webhook_spare_sockets;

    return (n < ngx_cycle->connection_n) ? ngx_max(n / 8, 1) : n;
}


ngx_uint_t
ngx_http_webhook_spare(void)
{
    ngx_uint_t  n, taken;

    n = ngx_http_webhook_spare_sockets;
    taken = ngx_cycle->connection_n - ngx_cycle->free_connection_n + n / 8
            + ngx_http_webhook_spare_promised;

    if (n == ngx_cycle->connection_n) {
        n += ngx_cycle->reusable_connections_n;
    }

    return (taken < n) ? n - taken : 0;
}


void
ngx_http_webhook_spare_promise(ngx_int_t n)
{
    ngx_http_webhook_spare_promised += n;
}
