
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_conf: locations with webhook_status -> a warning for each that lets
 * strangers write, as far as it can be seen.
 */


#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_status.h"


static ngx_uint_t ngx_http_webhook_status_public(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_webhook_loopback(struct sockaddr *sockaddr);
static ngx_uint_t ngx_http_webhook_status_guarded(ngx_conf_t *cf,
    void **loc_conf);


/* modules that guard a location */

static char  *ngx_http_webhook_guards[] = {
    "ngx_http_access_module",
    "ngx_http_auth_basic_module",
    "ngx_http_auth_request_module",
    NULL
};


char *
ngx_http_webhook_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_loc_conf_t *lcf = conf;

    lcf->status_file = cf->conf_file->file.name.data;
    lcf->status_line = cf->conf_file->line;

    return ngx_http_webhook_status(cf, cmd, conf);
}


ngx_int_t
ngx_http_webhook_status_declared(ngx_conf_t *cf,
    ngx_http_webhook_loc_conf_t *lcf)
{
    ngx_http_conf_ctx_t             *ctx;
    ngx_http_webhook_main_conf_t    *mcf;
    ngx_http_webhook_status_conf_t  *status;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);

    status = ngx_array_push(&mcf->statuses);
    if (status == NULL) {
        return NGX_ERROR;
    }

    ctx = cf->ctx;

    status->lcf = lcf;
    status->loc_conf = ctx->loc_conf;
    status->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    return NGX_OK;
}


void
ngx_http_webhook_statuses_check(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_webhook_main_conf_t    *mcf;
    ngx_http_webhook_status_conf_t  *status;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);
    status = mcf->statuses.elts;

    for (i = 0; i < mcf->statuses.nelts; i++) {

        if (status[i].lcf->write
            && ngx_http_webhook_status_public(cf, status[i].cscf)
            && !ngx_http_webhook_status_guarded(cf, status[i].loc_conf))
        {
            ngx_http_webhook_conf_log(NGX_LOG_WARN, cf,
                                      status[i].lcf->status_file,
                                      status[i].lcf->status_line,
                                      "\"webhook_status write=on\" beyond "
                                      "loopback without allow and deny, "
                                      "auth_basic or auth_request");
        }
    }
}


static ngx_uint_t
ngx_http_webhook_status_public(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return 0;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {

        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            if (ngx_http_webhook_loopback(addr[a].opt.sockaddr)) {
                continue;
            }

            cscfp = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (cscfp[s] == cscf) {
                    return 1;
                }
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_webhook_loopback(struct sockaddr *sockaddr)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr) ? 1 : 0;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

    default: /* AF_UNIX */
        return 1;
    }
}


/*
 * The configuration of these modules is known to themselves alone, but each
 * begins with what switches it on: a pointer to rules or to a realm, the
 * length of a URI.
 */

static ngx_uint_t
ngx_http_webhook_status_guarded(ngx_conf_t *cf, void **loc_conf)
{
    void        **conf;
    ngx_str_t    *realm;
    ngx_uint_t    m, g;

    for (m = 0; cf->cycle->modules[m]; m++) {

        for (g = 0; ngx_http_webhook_guards[g]; g++) {

            if (ngx_strcmp(cf->cycle->modules[m]->name,
                           ngx_http_webhook_guards[g])
                != 0)
            {
                continue;
            }

            conf = loc_conf[cf->cycle->modules[m]->ctx_index];

            if (conf == NULL || *conf == NULL) {
                continue;
            }

            if (g != 1) {
                return 1;
            }

            realm = *conf;

            if (realm->len != 3 || ngx_strncmp(realm->data, "off", 3) != 0) {
                return 1;
            }
        }
    }

    return 0;
}
