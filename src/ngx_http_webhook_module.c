
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * module: directives of nginx.conf -> the configuration, and the rooms set up
 * in their order.  The blocks of a webhook are conf.c's, those of an API
 * api_conf.c's.  Next rooms: conf, zone.
 */


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api.h"
#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_dispatch.h"
#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_observe.h"
#include "ngx_http_webhook_spare.h"
#include "ngx_http_webhook_status.h"
#include "ngx_http_webhook_store.h"
#include "ngx_http_webhook_via.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"


static ngx_int_t ngx_http_webhook_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_webhook_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_webhook_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_webhook_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_webhook_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_webhook_init_process(ngx_cycle_t *cycle);
static void ngx_http_webhook_exit_process(ngx_cycle_t *cycle);
static ngx_http_webhook_main_conf_t *ngx_http_webhook_worker_conf(
    ngx_cycle_t *cycle);
static ngx_int_t ngx_http_webhook_events_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_conf_num_bounds_t  ngx_http_webhook_connections_bounds = {
    ngx_conf_check_num_bounds, 1, 1000000
};


static ngx_command_t  ngx_http_webhook_commands[] = {

    { ngx_string("webhook"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_webhook_hook_block,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_defaults"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_webhook_defaults_block,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_inherit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_webhook_loc_conf_t, inherit),
      NULL },

    { ngx_string("webhook_api"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_webhook_api_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_observe"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_observe,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_webhook_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1234,
      ngx_http_webhook_set_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_buffer_size"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_webhook_set_buffer_size,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_connections"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_webhook_main_conf_t, connections),
      &ngx_http_webhook_connections_bounds },

    { ngx_string("webhook_redact"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_webhook_set_redact,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("webhook_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_webhook_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_webhook_module_ctx = {
    ngx_http_webhook_preconfiguration,     /* preconfiguration */
    ngx_http_webhook_postconfiguration,    /* postconfiguration */

    ngx_http_webhook_create_main_conf,     /* create main configuration */
    ngx_http_webhook_init_main_conf,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_webhook_create_loc_conf,      /* create location configuration */
    ngx_http_webhook_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_webhook_module = {
    NGX_MODULE_V1,
    &ngx_http_webhook_module_ctx,          /* module context */
    ngx_http_webhook_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_webhook_init_module,          /* init module */
    ngx_http_webhook_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_webhook_exit_process,         /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_webhook_events_name = ngx_string("webhook_events");


static ngx_int_t
ngx_http_webhook_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_http_webhook_events_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_webhook_events_variable;

    return ngx_http_webhook_dispatch_variables(cf);
}


static ngx_int_t
ngx_http_webhook_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                     hooks, states, deliveries;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);

    ngx_http_webhook_zone_capacity(mcf->zone_size, &hooks, &states,
                                   &deliveries);

    if (ngx_http_webhook_hooks_check(cf, hooks, deliveries) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mcf->shm_zone == NULL) {

        if (mcf->hooks.nelts == 0 && mcf->statuses.nelts == 0
            && !mcf->observed)
        {
            return NGX_OK;
        }

        if (ngx_http_webhook_zone_add(cf, mcf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_test_config) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "webhook zone \"%V\" of %uzK holds about %ui states of "
                      "executions and %ui deliveries of 5 KB",
                      &mcf->zone_name, mcf->zone_size / 1024, states,
                      deliveries);
    }

    ngx_http_webhook_statuses_check(cf);

    if (ngx_http_webhook_observe_init(cf) != NGX_OK
        || ngx_http_webhook_watch_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_webhook_via_init(cf);
}


static void *
ngx_http_webhook_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_webhook_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lcf->hooks = NULL;
     *     lcf->own = NULL;
     *     lcf->merged = 0;
     *     lcf->defaults = NULL;
     *     lcf->prefix = { 0, NULL };
     */

    lcf->inherit = NGX_CONF_UNSET;
    lcf->observe = NGX_CONF_UNSET_PTR;
    lcf->status = NGX_CONF_UNSET;
    lcf->write = NGX_CONF_UNSET;

    return lcf;
}


static char *
ngx_http_webhook_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_webhook_loc_conf_t *prev = parent;
    ngx_http_webhook_loc_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->observe, prev->observe, NULL);

    ngx_conf_init_value(conf->status, 0);
    ngx_conf_init_value(conf->write, 0);

    if (conf->status && ngx_http_webhook_status_declared(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_webhook_hooks_merge(cf, prev, conf);
}


static ngx_int_t
ngx_http_webhook_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                     sockets;
    ngx_http_webhook_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_webhook_module);

    if (mcf == NULL || mcf->shm_zone == NULL) {
        return NGX_OK;
    }

    /* "events" may stand behind "http" */

    sockets = ngx_http_webhook_spare_init_module(cycle);

    if (mcf->connections == NGX_CONF_UNSET_UINT) {
        mcf->connections = ngx_max(sockets / 8, 1);

    } else if (mcf->connections > cycle->connection_n) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "webhook_connections %ui is more than "
                      "worker_connections %ui",
                      mcf->connections, cycle->connection_n);
    }

    if (mcf->store) {
        ngx_http_webhook_store_user(cycle, mcf->store);
    }

    if (ngx_test_config) {
        return NGX_OK;
    }

    return ngx_http_webhook_dispatch_init_module(cycle);
}


static ngx_int_t
ngx_http_webhook_init_process(ngx_cycle_t *cycle)
{
    if (ngx_http_webhook_worker_conf(cycle) == NULL) {
        return NGX_OK;
    }

    json_object_seed(0);

    ngx_http_webhook_enrich_init_process(cycle);
    ngx_http_webhook_dispatch_init_process(cycle);

    return NGX_OK;
}


static void
ngx_http_webhook_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_http_webhook_worker_conf(cycle) == NULL) {
        return;
    }

    ngx_http_webhook_dispatch_exit_process(cycle);
}


/* NULL in the processes of a cache, and where no webhook is configured */

static ngx_http_webhook_main_conf_t *
ngx_http_webhook_worker_conf(ngx_cycle_t *cycle)
{
    ngx_http_webhook_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NULL;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_webhook_module);

    if (mcf == NULL || mcf->shm_zone == NULL) {
        return NULL;
    }

    return mcf;
}


static ngx_int_t
ngx_http_webhook_events_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%ui", ngx_http_webhook_observe_events(r))
             - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
