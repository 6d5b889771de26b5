
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status: in: a request for a location with webhook_status; out: a JSON
 * document or a problem (RFC 9457), never cached; next: status_hook,
 * status_delivery, status_action, metrics.
 */


#include "ngx_http_webhook_status.h"
#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_page.h"


#define NGX_HTTP_WEBHOOK_GET  (NGX_HTTP_GET|NGX_HTTP_HEAD)


/* a path below the location's prefix; "*" is one segment, the name */

typedef struct {
    ngx_str_t                   path;
    ngx_uint_t                  methods;
    ngx_http_webhook_status_pt  handler;
    ngx_uint_t                  tag;       /* what it shows; 0: no tag */
} ngx_http_webhook_status_route_t;


typedef struct {
    ngx_uint_t                  status;
    const char                 *title;
} ngx_http_webhook_status_title_t;


static ngx_int_t ngx_http_webhook_status_handler(ngx_http_request_t *r);
static void ngx_http_webhook_status_posted(ngx_http_request_t *r);
static ngx_int_t ngx_http_webhook_status_respond(
    ngx_http_webhook_status_t *s, ngx_int_t status);
static void ngx_http_webhook_status_cleanup(void *data);
static ngx_int_t ngx_http_webhook_status_answer(ngx_http_webhook_status_t *s);
static ngx_uint_t ngx_http_webhook_status_match(ngx_http_webhook_status_t *s,
    ngx_str_t *path, ngx_str_t *pattern);
static ngx_int_t ngx_http_webhook_status_root(ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_status_check(ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_status_send(ngx_http_webhook_status_t *s,
    ngx_uint_t status);
static ngx_int_t ngx_http_webhook_status_header(ngx_http_request_t *r,
    const char *name, const char *value);


static ngx_http_webhook_status_route_t  ngx_http_webhook_status_routes[] = {

    { ngx_string(""), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_root, 0 },

    { ngx_string("hooks"), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_hooks,
      NGX_HTTP_WEBHOOK_TAG_HOOKS },

    { ngx_string("hooks/*"), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_one_hook,
      NGX_HTTP_WEBHOOK_TAG_QUEUE },

    { ngx_string("hooks/*/ping"), NGX_HTTP_POST,
      ngx_http_webhook_status_ping, 0 },

    { ngx_string("hooks/*/pause"), NGX_HTTP_POST,
      ngx_http_webhook_status_pause, 0 },

    { ngx_string("hooks/*/resume"), NGX_HTTP_POST,
      ngx_http_webhook_status_resume, 0 },

    { ngx_string("hooks/*/recover"), NGX_HTTP_POST,
      ngx_http_webhook_status_recover, 0 },

    { ngx_string("deliveries"), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_deliveries,
      NGX_HTTP_WEBHOOK_TAG_QUEUE },

    { ngx_string("deliveries/*"), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_delivery,
      NGX_HTTP_WEBHOOK_TAG_QUEUE },

    { ngx_string("deliveries/*/redeliver"), NGX_HTTP_POST,
      ngx_http_webhook_status_redeliver, 0 },

    { ngx_string("observed"), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_observed,
      NGX_HTTP_WEBHOOK_TAG_SEEN },

    { ngx_string("metrics"), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_metrics, 0 },

    { ngx_string("try"), NGX_HTTP_POST,
      ngx_http_webhook_status_try, 0 },

    { ngx_string("check"), NGX_HTTP_WEBHOOK_GET,
      ngx_http_webhook_status_check, 0 }
};


static ngx_http_webhook_status_title_t  ngx_http_webhook_status_titles[] = {
    { 400, "Bad Request" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 409, "Conflict" },
    { 413, "Content Too Large" },
    { 500, "Internal Server Error" },
    { 503, "Service Unavailable" }
};


char *
ngx_http_webhook_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_loc_conf_t *lcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (lcf->status != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->named || clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"webhook_status\" answers all paths below a "
                           "location's prefix and cannot stand in location "
                           "\"%V\", which is exact, named or a regular "
                           "expression", &clcf->name);
        return NGX_CONF_ERROR;
    }

    lcf->status = 1;
    lcf->write = 0;
    lcf->prefix = clcf->name;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "write=on") == 0) {
            lcf->write = 1;

        } else if (ngx_strcmp(value[1].data, "write=off") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"webhook_status\": \"write=on\" or "
                               "\"write=off\" is expected", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    clcf->handler = ngx_http_webhook_status_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_webhook_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc, status;
    ngx_pool_cleanup_t         *cln;
    ngx_http_webhook_status_t  *s;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_webhook_status_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s = cln->data;

    ngx_memzero(s, sizeof(ngx_http_webhook_status_t));

    cln->handler = ngx_http_webhook_status_cleanup;

    s->request = r;
    s->mcf = ngx_http_get_module_main_conf(r, ngx_http_webhook_module);
    s->lcf = ngx_http_get_module_loc_conf(r, ngx_http_webhook_module);

    status = ngx_http_webhook_status_answer(s);

    if (status == NGX_AGAIN) {

        if (r->headers_in.content_length_n <= (off_t) s->mcf->buffer_size) {
            s->posted = 1;

            rc = ngx_http_read_client_request_body(r,
                                              ngx_http_webhook_status_posted);

            return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
        }

        status = ngx_http_webhook_status_problem(s,
                                 NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 "the document is larger than "
                                 "\"webhook_buffer_size\"", NULL);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        ngx_http_webhook_status_forget(s);
        return rc;
    }

    if (status == NGX_DONE) {
        return ngx_http_webhook_status_hold(s);
    }

    return ngx_http_webhook_status_respond(s, status);
}


static void
ngx_http_webhook_status_posted(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_webhook_status_t  *s;

    cln = r->pool->cleanup;

    while (cln->handler != ngx_http_webhook_status_cleanup) {
        cln = cln->next;
    }

    s = cln->data;

    ngx_http_webhook_status_finish(s, ngx_http_webhook_status_answer(s));
}


void
ngx_http_webhook_status_finish(ngx_http_webhook_status_t *s, ngx_int_t status)
{
    if (status == NGX_DONE) {
        return;
    }

    ngx_http_finalize_request(s->request,
                              ngx_http_webhook_status_respond(s, status));
}


static ngx_int_t
ngx_http_webhook_status_respond(ngx_http_webhook_status_t *s,
    ngx_int_t status)
{
    if (status == NGX_ERROR || s->text.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_webhook_status_send(s, status);
}


static void
ngx_http_webhook_status_cleanup(void *data)
{
    ngx_http_webhook_status_t *s = data;

    ngx_http_webhook_status_forget(s);
    ngx_http_webhook_text_free(&s->text);
}


/*
 * NGX_AGAIN: once more when the request's body is there; NGX_DONE: _finish()
 * comes later
 */

static ngx_int_t
ngx_http_webhook_status_answer(ngx_http_webhook_status_t *s)
{
    ngx_int_t                         rc;
    ngx_str_t                         path;
    ngx_uint_t                        i;
    ngx_http_request_t               *r;
    ngx_http_webhook_status_route_t  *route;

    r = s->request;
    path = s->lcf->prefix;

    if (r->uri.len < path.len
        || ngx_memcmp(r->uri.data, path.data, path.len) != 0)
    {
        goto unknown;
    }

    if (path.len && path.data[path.len - 1] == '/') {
        path.len--;
    }

    path.data = r->uri.data + path.len;
    path.len = r->uri.len - path.len;

    if (path.len) {

        if (path.data[0] != '/') {
            goto unknown;
        }

        path.data++;
        path.len--;
    }

    route = ngx_http_webhook_status_routes;

    for (i = 0;
         i < sizeof(ngx_http_webhook_status_routes)
             / sizeof(ngx_http_webhook_status_route_t);
         i++)
    {
        if (!ngx_http_webhook_status_match(s, &path, &route[i].path)) {
            continue;
        }

        if (!(r->method & route[i].methods)) {
            s->methods = route[i].methods;

            return ngx_http_webhook_status_problem(s, NGX_HTTP_NOT_ALLOWED,
                                     "this method is not answered here", NULL);
        }

        if (s->mcf->zone == NULL) {
            return ngx_http_webhook_status_problem(s,
                                     NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "there is no webhook zone", NULL);
        }

        if (route[i].methods == NGX_HTTP_POST) {
            rc = ngx_http_webhook_status_may_write(s);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        if ((route[i].handler == ngx_http_webhook_status_try
             || route[i].handler == ngx_http_webhook_status_recover)
            && !s->posted)
        {
            return NGX_AGAIN;
        }

        if (route[i].tag && ngx_http_webhook_status_known(s, route[i].tag)) {
            return NGX_HTTP_NOT_MODIFIED;
        }

        return route[i].handler(s);
    }

unknown:

    return ngx_http_webhook_status_problem(s, NGX_HTTP_NOT_FOUND,
                                           "there is no such path", NULL);
}


static ngx_uint_t
ngx_http_webhook_status_match(ngx_http_webhook_status_t *s, ngx_str_t *path,
    ngx_str_t *pattern)
{
    u_char  *p, *last, *q, *end;

    p = path->data;
    last = p + path->len;
    q = pattern->data;
    end = q + pattern->len;

    for ( /* void */ ; q < end; q++) {

        if (*q == '*') {
            s->name.data = p;

            while (p < last && *p != '/') {
                p++;
            }

            s->name.len = p - s->name.data;

            if (s->name.len == 0) {
                return 0;
            }

            continue;
        }

        if (p == last || *p++ != *q) {
            return 0;
        }
    }

    return p == last;
}


ngx_uint_t
ngx_http_webhook_status_accepts(ngx_http_webhook_status_t *s,
    const char *type)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &s->request->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Accept") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Accept",
                               sizeof("Accept") - 1)
               == 0
            && ngx_strlcasestrn(h[i].value.data,
                                h[i].value.data + h[i].value.len,
                                (u_char *) type, ngx_strlen(type) - 1))
        {
            return 1;
        }
    }
}


ngx_http_webhook_hook_t *
ngx_http_webhook_status_hook(ngx_http_webhook_status_t *s, ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;

    hook = s->mcf->hooks.elts;

    for (i = 0; i < s->mcf->hooks.nelts; i++) {
        if (hook[i]->name.len == name->len
            && ngx_memcmp(hook[i]->name.data, name->data, name->len) == 0)
        {
            return hook[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_webhook_status_root(ngx_http_webhook_status_t *s)
{
    ngx_str_t  *page;

    if (!ngx_http_webhook_status_accepts(s, "text/html")) {

        if (ngx_http_webhook_status_known(s, NGX_HTTP_WEBHOOK_TAG_HOOKS)) {
            return NGX_HTTP_NOT_MODIFIED;
        }

        return ngx_http_webhook_status_hooks(s);
    }

    /* the query is the page's own: its filters */

    page = ngx_http_webhook_page();

    ngx_http_webhook_text_append(&s->text, page->data, page->len);

    s->page = 1;

    return NGX_HTTP_OK;
}


/*
 * For tests and operators: holds the lock for a look at the whole zone, so it
 * is not for everybody.
 */

static ngx_int_t
ngx_http_webhook_status_check(ngx_http_webhook_status_t *s)
{
    u_char     message[256];
    ngx_int_t  rc;

    rc = ngx_http_webhook_status_may_write(s);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_webhook_status_args(s, NULL, NULL);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(message, sizeof(message));

    if (ngx_http_webhook_queue_check(s->mcf->zone, message,
                                     sizeof(message) - 1)
        != NGX_OK)
    {
        return ngx_http_webhook_status_problem(s,
                             NGX_HTTP_INTERNAL_SERVER_ERROR, (char *) message,
                             NULL);
    }

    ngx_http_webhook_status_literal(&s->text, "{\"consistent\":true}");

    return NGX_HTTP_OK;
}


ngx_int_t
ngx_http_webhook_status_problem(ngx_http_webhook_status_t *s,
    ngx_uint_t status, const char *detail, ngx_str_t *parameter)
{
    u_char                            buf[NGX_INT_T_LEN], *p;
    ngx_http_webhook_text_t          *text;
    ngx_http_webhook_status_title_t  *title;

    title = ngx_http_webhook_status_titles;

    while (title->status != status) {
        title++;
    }

    text = &s->text;
    text->len = 0;

    ngx_http_webhook_status_literal(text,
                                    "{\"type\":\"about:blank\",\"title\":");
    ngx_http_webhook_text_string(text, title->title, ngx_strlen(title->title));

    p = ngx_sprintf(buf, "%ui", status);

    ngx_http_webhook_status_literal(text, ",\"status\":");
    ngx_http_webhook_text_append(text, buf, p - buf);

    ngx_http_webhook_status_literal(text, ",\"detail\":");
    ngx_http_webhook_text_string(text, detail, ngx_strlen(detail));

    if (parameter) {
        ngx_http_webhook_status_literal(text, ",\"parameter\":");
        ngx_http_webhook_text_string(text, parameter->data, parameter->len);
    }

    ngx_http_webhook_status_literal(text, "}");

    return status;
}


static ngx_int_t
ngx_http_webhook_status_send(ngx_http_webhook_status_t *s, ngx_uint_t status)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    const char          *policy;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = s->request;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_webhook_status_header(r, "Cache-Control", "no-store")
        != NGX_OK
        || ngx_http_webhook_status_header(r, "X-Content-Type-Options",
                                          "nosniff")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_NOT_ALLOWED
        && ngx_http_webhook_status_header(r, "Allow",
                                          s->methods == NGX_HTTP_POST
                                          ? "POST" : "GET, HEAD")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (s->tag.len && status < NGX_HTTP_BAD_REQUEST
        && ngx_http_webhook_status_header(r, "ETag", (char *) s->tag.data)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (s->page) {
        policy = ngx_http_webhook_page_policy();

        if (policy == NULL
            || ngx_http_webhook_status_header(r, "Content-Security-Policy",
                                              policy)
               != NGX_OK
            || ngx_http_webhook_status_header(r, "Referrer-Policy",
                                              "no-referrer")
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");

    } else if (status == NGX_HTTP_NOT_MODIFIED) {
        ngx_str_null(&r->headers_out.content_type);

    } else if (status >= NGX_HTTP_BAD_REQUEST) {
        ngx_str_set(&r->headers_out.content_type, "application/problem+json");

    } else if (s->type.len) {
        r->headers_out.content_type = s->type;

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = status;
    r->headers_out.content_length_n = (status == NGX_HTTP_NOT_MODIFIED)
                                      ? -1 : (off_t) s->text.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = s->text.data;
    b->last = s->text.data + s->text.len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_webhook_status_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}
