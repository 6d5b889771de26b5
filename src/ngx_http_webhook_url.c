
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * url: the text of a URL -> its parts, by libcurl's own parser, and the form
 * that may be shown.  Pure.  Next room: conf.
 */


#include "ngx_http_webhook_conf.h"

#include <curl/curl.h>


static char *ngx_http_webhook_url_text(ngx_str_t *text);
static ngx_uint_t ngx_http_webhook_url_variable(ngx_str_t *text);
static char *ngx_http_webhook_url_parts(ngx_pool_t *pool, CURLU *curlu,
    ngx_uint_t hidden, ngx_http_webhook_hook_t *hook);
static ngx_int_t ngx_http_webhook_url_basic(ngx_pool_t *pool, CURLU *curlu,
    ngx_http_webhook_hook_t *hook);
static char *ngx_http_webhook_url_shown(ngx_pool_t *pool, char *path,
    char *query, ngx_uint_t hidden, ngx_http_webhook_hook_t *hook);
static ngx_int_t ngx_http_webhook_url_part(ngx_pool_t *pool, CURLU *curlu,
    CURLUPart what, ngx_uint_t flags, char **part);


static ngx_str_t  ngx_http_webhook_proxy_schemes[] = {
    ngx_string("http://"),
    ngx_string("https://"),
    ngx_string("socks4://"),
    ngx_string("socks4a://"),
    ngx_string("socks5://"),
    ngx_string("socks5h://"),
    ngx_null_string
};


char *
ngx_http_webhook_url_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_uint_t hidden, ngx_http_webhook_hook_t *hook)
{
    char       *err;
    u_char     *host;
    CURLU      *curlu;
    CURLUcode   rc;

    err = ngx_http_webhook_url_text(text);
    if (err) {
        return err;
    }

    if (ngx_strncasecmp(text->data, (u_char *) "http://", 7) == 0) {
        hook->ssl = 0;
        host = text->data + 7;

    } else if (ngx_strncasecmp(text->data, (u_char *) "https://", 8) == 0) {
        hook->ssl = 1;
        host = text->data + 8;

    } else {
        return "must begin with \"http://\" or \"https://\"";
    }

    /* libcurl would forgive it */

    if (*host == '/') {
        return "has no host";
    }

    /* nginx's own way to write a unix socket; here it would be a name */

    if (ngx_strncasecmp(host, (u_char *) "unix:/", 6) == 0) {
        return "cannot have a unix socket, which \"via\" can deliver to";
    }

    if (!hidden && ngx_http_webhook_url_variable(text)) {
        return "cannot have variables; a \"$\" is written \"%24\"";
    }

    curlu = curl_url();
    if (curlu == NULL) {
        return "has no memory";
    }

    rc = curl_url_set(curlu, CURLUPART_URL, (char *) text->data, 0);

    if (rc == CURLUE_OUT_OF_MEMORY) {
        err = "has no memory";

    } else if (rc == CURLUE_BAD_PORT_NUMBER) {
        err = "has an invalid port";

    } else if (rc == CURLUE_NO_HOST) {
        err = "has no host";

    } else if (rc != CURLUE_OK) {
        err = "is not a valid URL";

    } else {
        err = ngx_http_webhook_url_parts(pool, curlu, hidden, hook);
    }

    curl_url_cleanup(curlu);

    return err;
}


static char *
ngx_http_webhook_url_text(ngx_str_t *text)
{
    ngx_uint_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] <= ' ' || text->data[i] == 0x7f) {
            return "has a space or control character";
        }

        if (text->data[i] > 0x7f) {
            return "has a character that is not ASCII: percent-encode it, "
                   "or write the host in its \"xn--\" form";
        }

        if (text->data[i] == '#') {
            return "has a fragment, which is never sent";
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_webhook_url_variable(ngx_str_t *text)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i + 1 < text->len; i++) {

        if (text->data[i] != '$') {
            continue;
        }

        ch = ngx_tolower(text->data[i + 1]);

        if (ch == '{' || ch == '_' || (ch >= 'a' && ch <= 'z')) {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_webhook_url_parts(ngx_pool_t *pool, CURLU *curlu, ngx_uint_t hidden,
    ngx_http_webhook_hook_t *hook)
{
    char    *url, *host, *port, *path, *query;
    u_char  *p;

    if (ngx_http_webhook_url_part(pool, curlu, CURLUPART_URL, 0, &url)
        != NGX_OK
        || ngx_http_webhook_url_part(pool, curlu, CURLUPART_HOST, 0, &host)
           != NGX_OK
        || ngx_http_webhook_url_part(pool, curlu, CURLUPART_PORT,
                                     CURLU_NO_DEFAULT_PORT, &port)
           != NGX_OK
        || ngx_http_webhook_url_part(pool, curlu, CURLUPART_PATH, 0, &path)
           != NGX_OK
        || ngx_http_webhook_url_part(pool, curlu, CURLUPART_QUERY, 0, &query)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (url == NULL || host == NULL || host[0] == '\0' || path == NULL) {
        return "has no host";
    }

    if (port && ngx_atoi((u_char *) port, ngx_strlen(port)) < 1) {
        return "has an invalid port";
    }

    hook->url.data = (u_char *) url;
    hook->url.len = ngx_strlen(url);

    hook->host.len = ngx_strlen(host) + (port ? 1 + ngx_strlen(port) : 0);
    hook->host.data = ngx_pnalloc(pool, hook->host.len + 1);
    if (hook->host.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(hook->host.data, host, ngx_strlen(host));

    if (port) {
        *p++ = ':';
        p = ngx_cpymem(p, port, ngx_strlen(port));
    }

    *p = '\0';

    hook->uri.len = ngx_strlen(path) + (query ? 1 + ngx_strlen(query) : 0);
    hook->uri.data = ngx_pnalloc(pool, hook->uri.len + 1);
    if (hook->uri.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(hook->uri.data, path, ngx_strlen(path));

    if (query) {
        *p++ = '?';
        p = ngx_cpymem(p, query, ngx_strlen(query));
    }

    *p = '\0';

    if (ngx_http_webhook_url_basic(pool, curlu, hook) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_webhook_url_shown(pool, path, query, hidden, hook);
}


/* what libcurl makes of userinfo, for a named location */

static ngx_int_t
ngx_http_webhook_url_basic(ngx_pool_t *pool, CURLU *curlu,
    ngx_http_webhook_hook_t *hook)
{
    char       *user, *password;
    u_char     *p;
    ngx_str_t   plain, encoded;

    if (ngx_http_webhook_url_part(pool, curlu, CURLUPART_USER,
                                  CURLU_URLDECODE, &user)
        != NGX_OK
        || ngx_http_webhook_url_part(pool, curlu, CURLUPART_PASSWORD,
                                     CURLU_URLDECODE, &password)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (user == NULL && password == NULL) {
        return NGX_OK;
    }

    if (user == NULL) {
        user = "";
    }

    if (password == NULL) {
        password = "";
    }

    plain.len = ngx_strlen(user) + 1 + ngx_strlen(password);
    plain.data = ngx_pnalloc(pool, plain.len);
    if (plain.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(plain.data, user, ngx_strlen(user));
    *p++ = ':';
    ngx_memcpy(p, password, ngx_strlen(password));

    p = ngx_pnalloc(pool, sizeof("Basic ") - 1
                          + ngx_base64_encoded_length(plain.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    encoded.data = ngx_cpymem(p, "Basic ", sizeof("Basic ") - 1);

    ngx_encode_base64(&encoded, &plain);

    hook->basic.data = p;
    hook->basic.len = encoded.data + encoded.len - p;

    return NGX_OK;
}


/* no userinfo, no values of the query; of a hidden URL no path either */

static char *
ngx_http_webhook_url_shown(ngx_pool_t *pool, char *path, char *query,
    ngx_uint_t hidden, ngx_http_webhook_hook_t *hook)
{
    char       *name;
    u_char     *p;
    size_t      len;
    ngx_uint_t  n;

    n = 0;

    for (name = query; name; name = strchr(name + 1, '&')) {
        n++;
    }

    len = sizeof("https://") - 1 + hook->host.len + sizeof("/***") - 1
          + hook->uri.len + n * (sizeof("=***") - 1);

    hook->shown.data = ngx_pnalloc(pool, len + 1);
    if (hook->shown.data == NULL) {
        return NGX_CONF_ERROR;
    }

    if (hook->ssl) {
        p = ngx_cpymem(hook->shown.data, "https://", 8);

    } else {
        p = ngx_cpymem(hook->shown.data, "http://", 7);
    }

    p = ngx_cpymem(p, hook->host.data, hook->host.len);

    if (hidden) {
        p = ngx_cpymem(p, "/***", sizeof("/***") - 1);
        goto done;
    }

    p = ngx_cpymem(p, path, ngx_strlen(path));

    if (query == NULL) {
        goto done;
    }

    *p++ = '?';

    for ( ;; ) {

        len = strcspn(query, "&");
        name = memchr(query, '=', len);

        if (name) {
            p = ngx_cpymem(p, query, name - query + 1);
        }

        if (len) {
            p = ngx_cpymem(p, "***", 3);
        }

        if (query[len] == '\0') {
            break;
        }

        *p++ = '&';
        query += len + 1;
    }

done:

    *p = '\0';
    hook->shown.len = p - hook->shown.data;

    return NULL;
}


char *
ngx_http_webhook_url_proxy(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *proxy)
{
    char       *err, *host, *path, *query;
    CURLU      *curlu;
    ngx_str_t  *scheme;

    err = ngx_http_webhook_url_text(text);
    if (err) {
        return err;
    }

    for (scheme = ngx_http_webhook_proxy_schemes; scheme->len; scheme++) {
        if (ngx_strncasecmp(text->data, scheme->data, scheme->len) == 0) {
            break;
        }
    }

    if (scheme->len == 0) {
        return "must begin with \"http://\", \"https://\", \"socks4://\", "
               "\"socks4a://\", \"socks5://\" or \"socks5h://\"";
    }

    curlu = curl_url();
    if (curlu == NULL) {
        return "has no memory";
    }

    host = NULL;
    path = NULL;
    query = NULL;

    if (curl_url_set(curlu, CURLUPART_URL, (char *) text->data,
                     CURLU_NON_SUPPORT_SCHEME)
        != CURLUE_OK)
    {
        err = "is not a valid URL";

    } else if (ngx_http_webhook_url_part(pool, curlu, CURLUPART_HOST, 0, &host)
               != NGX_OK
               || ngx_http_webhook_url_part(pool, curlu, CURLUPART_PATH, 0,
                                            &path)
                  != NGX_OK
               || ngx_http_webhook_url_part(pool, curlu, CURLUPART_QUERY, 0,
                                            &query)
                  != NGX_OK)
    {
        err = NGX_CONF_ERROR;

    } else if (host == NULL || host[0] == '\0') {
        err = "has no host";

    } else if ((path && path[0] && ngx_strcmp(path, "/") != 0) || query) {
        err = "cannot have a path or a query";
    }

    curl_url_cleanup(curlu);

    *proxy = *text;

    return err;
}


/* *part is a copy in the pool; NULL: the URL has no such part */

static ngx_int_t
ngx_http_webhook_url_part(ngx_pool_t *pool, CURLU *curlu, CURLUPart what,
    ngx_uint_t flags, char **part)
{
    char       *text;
    size_t      len;
    CURLUcode   rc;

    *part = NULL;

    rc = curl_url_get(curlu, what, &text, (unsigned int) flags);

    if (rc == CURLUE_OUT_OF_MEMORY) {
        return NGX_ERROR;
    }

    if (rc != CURLUE_OK) {
        return NGX_OK;
    }

    len = ngx_strlen(text);

    *part = ngx_pnalloc(pool, len + 1);

    if (*part) {
        ngx_memcpy(*part, text, len + 1);
    }

    curl_free(text);

    return *part ? NGX_OK : NGX_ERROR;
}
