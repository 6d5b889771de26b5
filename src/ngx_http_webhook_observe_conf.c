
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * In: webhook_observe lines.  Out: each location's list of descriptions, with
 * the names found, and warnings of configurations that lose events.  Next
 * room: observe.c.
 */


#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_observe.h"


/* a location that observes a description */

typedef struct {
    ngx_http_webhook_observe_t    *observe;
    ngx_array_t                   *hooks;
    ngx_http_core_srv_conf_t      *server;
    ngx_http_core_loc_conf_t      *location;
    ngx_http_upstream_conf_t      *upstream;   /* NULL: not seen to proxy */
    char                          *proxy;      /* prefix of its directives */
} ngx_http_webhook_observe_place_t;


typedef struct {
    ngx_conf_t                    *cf;
    ngx_http_webhook_main_conf_t  *main;
    ngx_http_core_srv_conf_t      *server;
    ngx_array_t                    places;
} ngx_http_webhook_observe_walk_t;


static ngx_int_t ngx_http_webhook_observe_name(ngx_conf_t *cf,
    ngx_str_t *name, ngx_array_t *list);
static ngx_int_t ngx_http_webhook_observe_resolve(ngx_conf_t *cf,
    ngx_array_t *list);
static ngx_int_t ngx_http_webhook_observe_server(
    ngx_http_webhook_observe_walk_t *walk);
static ngx_int_t ngx_http_webhook_observe_locations(
    ngx_http_webhook_observe_walk_t *walk, ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_webhook_observe_inner(
    ngx_http_webhook_observe_walk_t *walk, ngx_http_webhook_core_loc_t *loc);
static ngx_int_t ngx_http_webhook_observe_tree(
    ngx_http_webhook_observe_walk_t *walk,
    ngx_http_location_tree_node_t *node);
static ngx_int_t ngx_http_webhook_observe_location(
    ngx_http_webhook_observe_walk_t *walk, ngx_http_core_loc_conf_t *clcf,
    void **loc_conf, ngx_uint_t place);
static ngx_http_upstream_conf_t *ngx_http_webhook_observe_upstream(
    ngx_conf_t *cf, void **loc_conf, char **proxy);
static void ngx_http_webhook_observe_warn(
    ngx_http_webhook_observe_walk_t *walk, ngx_http_webhook_api_t *api);
static ngx_http_webhook_observe_place_t *ngx_http_webhook_observe_first(
    ngx_http_webhook_observe_walk_t *walk,
    ngx_http_webhook_observe_place_t *place);
static u_char *ngx_http_webhook_observe_port(
    ngx_http_upstream_srv_conf_t *uscf, u_char *text);
static ngx_uint_t ngx_http_webhook_observe_same_hooks(ngx_array_t *a,
    ngx_array_t *b);
static ngx_uint_t ngx_http_webhook_observe_launches(
    ngx_http_webhook_api_t *api);


char *
ngx_http_webhook_observe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_loc_conf_t *wlcf = conf;

    ngx_str_t                         *value, s;
    ngx_uint_t                         i;
    ngx_array_t                       *list;
    ngx_http_complex_value_t          *realm;
    ngx_http_webhook_observe_t        *observe;
    ngx_http_webhook_main_conf_t      *mcf;
    ngx_http_compile_complex_value_t   ccv;

    if (wlcf->observe != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        wlcf->observe = NULL;
        return NGX_CONF_OK;
    }

    list = ngx_array_create(cf->pool, 1, sizeof(ngx_http_webhook_observe_t));
    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    realm = NULL;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "realm=", 6) == 0) {

            if (realm) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate \"realm\"");
                return NGX_CONF_ERROR;
            }

            realm = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
            if (realm == NULL) {
                return NGX_CONF_ERROR;
            }

            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

            ccv.cf = cf;
            ccv.value = &s;
            ccv.complex_value = realm;

            if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_http_webhook_observe_name(cf, &value[i], list) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (list->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"webhook_observe\" needs the name of "
                           "a \"webhook_api\"");
        return NGX_CONF_ERROR;
    }

    if (realm && (realm->lengths || realm->value.len)) {
        observe = list->elts;

        for (i = 0; i < list->nelts; i++) {
            observe[i].realm = realm;
        }
    }

    wlcf->observe = list;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);
    mcf->observed = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_webhook_observe_name(ngx_conf_t *cf, ngx_str_t *name,
    ngx_array_t *list)
{
    ngx_uint_t                   i;
    ngx_http_webhook_api_t      *api;
    ngx_http_webhook_observe_t  *observe;

    if (ngx_strcmp(name->data, "off") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"off\" must stand alone");
        return NGX_ERROR;
    }

    observe = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (observe[i].api->name.len == name->len
            && ngx_strncmp(observe[i].api->name.data, name->data, name->len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate webhook_api \"%V\"", name);
            return NGX_ERROR;
        }
    }

    /* the description may stand below: only its name and this place now */

    api = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_api_t));
    if (api == NULL) {
        return NGX_ERROR;
    }

    api->name = *name;
    api->index = NGX_CONF_UNSET_UINT;
    api->file = cf->conf_file->file.name.data;
    api->line = cf->conf_file->line;

    observe = ngx_array_push(list);
    if (observe == NULL) {
        return NGX_ERROR;
    }

    observe->api = api;
    observe->realm = NULL;

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_observe_check(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_webhook_api_t          **api;
    ngx_http_core_srv_conf_t        **cscfp;
    ngx_http_core_main_conf_t        *cmcf;
    ngx_http_webhook_loc_conf_t      *wlcf;
    ngx_http_webhook_observe_walk_t   walk;

    /* there may be no server to take it over */

    wlcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_webhook_module);

    if (wlcf->observe != NGX_CONF_UNSET_PTR
        && wlcf->observe
        && ngx_http_webhook_observe_resolve(cf, wlcf->observe) != NGX_OK)
    {
        return NGX_ERROR;
    }

    walk.cf = cf;
    walk.main = ngx_http_conf_get_module_main_conf(cf,
                                                   ngx_http_webhook_module);

    if (ngx_array_init(&walk.places, cf->temp_pool, 8,
                       sizeof(ngx_http_webhook_observe_place_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        walk.server = cscfp[i];

        if (ngx_http_webhook_observe_server(&walk) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    api = walk.main->apis.elts;

    for (i = 0; i < walk.main->apis.nelts; i++) {
        ngx_http_webhook_observe_warn(&walk, api[i]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_observe_resolve(ngx_conf_t *cf, ngx_array_t *list)
{
    ngx_uint_t                      i, k;
    ngx_http_webhook_api_t        **api;
    ngx_http_webhook_observe_t     *observe;
    ngx_http_webhook_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_webhook_module);

    observe = list->elts;
    api = mcf->apis.elts;

    for (i = 0; i < list->nelts; i++) {

        if (observe[i].api->index != NGX_CONF_UNSET_UINT) {
            continue;
        }

        for (k = 0; k < mcf->apis.nelts; k++) {
            if (api[k]->name.len == observe[i].api->name.len
                && ngx_strncmp(api[k]->name.data, observe[i].api->name.data,
                               api[k]->name.len)
                   == 0)
            {
                break;
            }
        }

        if (k == mcf->apis.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown webhook_api \"%V\" in %s:%ui",
                          &observe[i].api->name, observe[i].api->file,
                          observe[i].api->line);
            return NGX_ERROR;
        }

        observe[i].api = api[k];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_observe_server(ngx_http_webhook_observe_walk_t *walk)
{
    void                          **loc_conf;
    ngx_uint_t                      place;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_webhook_core_loc_t   **named;
    ngx_http_location_tree_node_t  *node;

    loc_conf = walk->server->ctx->loc_conf;
    clcf = loc_conf[ngx_http_core_module.ctx_index];

    /* nothing is served by the server itself beside "location /" */

    node = clcf->static_locations;

    place = (node == NULL
             || node->inclusive == NULL
             || node->inclusive->name.len != 1
             || node->inclusive->name.data[0] != '/');

    if (ngx_http_webhook_observe_location(walk, clcf, loc_conf, place)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_observe_locations(walk, clcf) != NGX_OK) {
        return NGX_ERROR;
    }

    for (named = walk->server->named_locations; named && *named; named++) {

        if (ngx_http_webhook_observe_inner(walk, *named) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_observe_locations(ngx_http_webhook_observe_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)
    ngx_http_webhook_core_loc_t  **regex;
#endif

    if (ngx_http_webhook_observe_tree(walk, clcf->static_locations)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_PCRE)

    for (regex = clcf->regex_locations; regex && *regex; regex++) {

        if (ngx_http_webhook_observe_inner(walk, *regex) != NGX_OK) {
            return NGX_ERROR;
        }
    }

#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_observe_inner(ngx_http_webhook_observe_walk_t *walk,
    ngx_http_webhook_core_loc_t *loc)
{
    ngx_uint_t                 place;
    ngx_http_core_loc_conf_t  *clcf;

    if (loc == NULL) {
        return NGX_OK;
    }

    clcf = ngx_http_webhook_core_loc_conf(loc);
    place = !ngx_http_webhook_is_via(walk->main, walk->server, clcf);

    if (ngx_http_webhook_observe_location(walk, clcf, clcf->loc_conf, place)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_webhook_observe_locations(walk, clcf);
}


static ngx_int_t
ngx_http_webhook_observe_tree(ngx_http_webhook_observe_walk_t *walk,
    ngx_http_location_tree_node_t *node)
{
    if (node == NULL) {
        return NGX_OK;
    }

    if (ngx_http_webhook_observe_inner(walk, node->exact) != NGX_OK
        || ngx_http_webhook_observe_inner(walk, node->inclusive) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_webhook_observe_tree(walk, node->left) != NGX_OK
        || ngx_http_webhook_observe_tree(walk, node->right) != NGX_OK
        || ngx_http_webhook_observe_tree(walk, node->tree) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_observe_location(ngx_http_webhook_observe_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf, void **loc_conf, ngx_uint_t place)
{
    ngx_uint_t                         i;
    ngx_http_webhook_observe_t        *observe;
    ngx_http_webhook_loc_conf_t       *wlcf;
    ngx_http_webhook_observe_place_t  *p;

    wlcf = loc_conf[ngx_http_webhook_module.ctx_index];

    if (wlcf->observe == NULL) {
        return NGX_OK;
    }

    if (ngx_http_webhook_observe_resolve(walk->cf, wlcf->observe) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!place) {
        return NGX_OK;
    }

    observe = wlcf->observe->elts;

    for (i = 0; i < wlcf->observe->nelts; i++) {

        p = ngx_array_push(&walk->places);
        if (p == NULL) {
            return NGX_ERROR;
        }

        p->observe = &observe[i];
        p->hooks = wlcf->hooks;
        p->server = walk->server;
        p->location = clcf;
        p->upstream = ngx_http_webhook_observe_upstream(walk->cf, loc_conf,
                                                        &p->proxy);
    }

    return NGX_OK;
}


/*
 * The configurations of these modules are their own, but each begins with
 * ngx_http_upstream_conf_t; where a variable names the upstream it is not
 * known.
 */

static ngx_http_upstream_conf_t *
ngx_http_webhook_observe_upstream(ngx_conf_t *cf, void **loc_conf,
    char **proxy)
{
    ngx_uint_t                 i, k;
    ngx_module_t              *module;
    ngx_http_upstream_conf_t  *upstream;

    static char  *modules[][2] = {
        { "ngx_http_proxy_module", "proxy" },
        { "ngx_http_fastcgi_module", "fastcgi" },
        { "ngx_http_uwsgi_module", "uwsgi" },
        { "ngx_http_scgi_module", "scgi" }
    };

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        for (k = 0; k < sizeof(modules) / sizeof(modules[0]); k++) {

            if (ngx_strcmp(module->name, modules[k][0]) != 0) {
                continue;
            }

            upstream = loc_conf[module->ctx_index];

            if (upstream && upstream->upstream) {
                *proxy = modules[k][1];
                return upstream;
            }
        }
    }

    return NULL;
}


static void
ngx_http_webhook_observe_warn(ngx_http_webhook_observe_walk_t *walk,
    ngx_http_webhook_api_t *api)
{
    ngx_uint_t                         i, hooks, proxies, launches;
    ngx_http_webhook_observe_place_t  *p, *first, *proxy;
    u_char                             port[2][sizeof(":") + NGX_INT_T_LEN];

    hooks = 0;
    proxies = 0;
    proxy = NULL;

    launches = ngx_http_webhook_observe_launches(api);

    p = walk->places.elts;

    for (i = 0; i < walk->places.nelts; i++) {

        if (p[i].observe->api != api) {
            continue;
        }

        first = hooks ? NULL : ngx_http_webhook_observe_first(walk, &p[i]);

        if (first
            && !ngx_http_webhook_observe_same_hooks(first->hooks, p[i].hooks))
        {
            hooks = 1;

            ngx_log_error(NGX_LOG_WARN, walk->cf->log, 0,
                          "webhook_api \"%V\" is observed under different "
                          "webhooks in location \"%V\" of server \"%V\" and "
                          "location \"%V\" of server \"%V\": an event goes "
                          "only to those of the location that sees it first",
                          &api->name, &first->location->name,
                          &first->server->server_name, &p[i].location->name,
                          &p[i].server->server_name);
        }

        if (p[i].upstream == NULL) {
            continue;
        }

        if (launches && !p[i].upstream->ignore_client_abort) {
            ngx_log_error(NGX_LOG_WARN, walk->cf->log, 0,
                          "webhook_api \"%V\" has launch routes, but location "
                          "\"%V\" of server \"%V\" lacks "
                          "\"%s_ignore_client_abort on\": a client that "
                          "leaves early costs its LAUNCHED event",
                          &api->name, &p[i].location->name,
                          &p[i].server->server_name, p[i].proxy);
        }

        if (p[i].observe->realm) {
            continue;
        }

        if (proxy == NULL) {
            proxy = &p[i];
        }

        if (!proxies && p[i].upstream->upstream != proxy->upstream->upstream) {
            proxies = 1;

            ngx_log_error(NGX_LOG_WARN, walk->cf->log, 0,
                          "webhook_api \"%V\" is observed in front of "
                          "\"%V%s\" and \"%V%s\" without \"realm=\": if these "
                          "are two installations, equal ids will be taken for "
                          "one execution",
                          &api->name, &proxy->upstream->upstream->host,
                          ngx_http_webhook_observe_port(
                              proxy->upstream->upstream, port[0]),
                          &p[i].upstream->upstream->host,
                          ngx_http_webhook_observe_port(
                              p[i].upstream->upstream, port[1]));
        }
    }
}


/* the first place that may see the executions that this one sees */

static ngx_http_webhook_observe_place_t *
ngx_http_webhook_observe_first(ngx_http_webhook_observe_walk_t *walk,
    ngx_http_webhook_observe_place_t *place)
{
    ngx_http_complex_value_t          *a, *b;
    ngx_http_webhook_observe_place_t  *p;

    a = place->observe->realm;

    for (p = walk->places.elts; p < place; p++) {

        if (p->observe->api != place->observe->api) {
            continue;
        }

        b = p->observe->realm;

        if (a == b || (a && a->lengths) || (b && b->lengths)) {
            return p;
        }

        if (a && b
            && a->value.len == b->value.len
            && ngx_memcmp(a->value.data, b->value.data, a->value.len) == 0)
        {
            return p;
        }
    }

    return place;
}


static u_char *
ngx_http_webhook_observe_port(ngx_http_upstream_srv_conf_t *uscf, u_char *text)
{
    u_char  *p;

    p = uscf->port ? ngx_sprintf(text, ":%ui", (ngx_uint_t) uscf->port) : text;
    *p = '\0';

    return text;
}


static ngx_uint_t
ngx_http_webhook_observe_same_hooks(ngx_array_t *a, ngx_array_t *b)
{
    ngx_uint_t                 i, k, na, nb;
    ngx_http_webhook_hook_t  **ha, **hb;

    na = a ? a->nelts : 0;
    nb = b ? b->nelts : 0;

    if (na != nb) {
        return 0;
    }

    if (na == 0) {
        return 1;
    }

    ha = a->elts;
    hb = b->elts;

    for (i = 0; i < na; i++) {

        for (k = 0; k < nb; k++) {
            if (ha[i]->id == hb[k]->id) {
                break;
            }
        }

        if (k == nb) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_webhook_observe_launches(ngx_http_webhook_api_t *api)
{
    ngx_uint_t                 i;
    ngx_http_webhook_route_t  *route;

    route = api->routes.elts;

    for (i = 0; i < api->routes.nelts; i++) {
        if (route[i].launch || route[i].rerun) {
            return 1;
        }
    }

    return 0;
}
