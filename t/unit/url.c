
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: url
 * libs: curl
 */


#include "unit.h"
#include "ngx_http_webhook_conf.h"


typedef struct {
    const char  *url;
    int          hidden;
    const char  *full;         /* NULL: refused */
    const char  *shown;
    const char  *host;
    const char  *uri;
} url_t;


static url_t  urls[] = {

    { "https://ci.example.com/hooks/v", 0, "https://ci.example.com/hooks/v",
      "https://ci.example.com/hooks/v", "ci.example.com", "/hooks/v" },

    { "http://h", 0, "http://h/", "http://h/", "h", "/" },

    { "HTTP://h:8080?a", 0, "http://h:8080/?a", "http://h:8080/?***",
      "h:8080", "/?a" },

    { "https://h:443/", 0, "https://h:443/", "https://h/", "h", "/" },

    { "https://h:80/", 0, "https://h:80/", "https://h:80/", "h:80", "/" },

    { "http://user:pass@h/x", 0, "http://user:pass@h/x", "http://h/x", "h",
      "/x" },

    { "http://h/x?key=secret&other=one=two&flag&&last=", 0,
      "http://h/x?key=secret&other=one=two&flag&&last=",
      "http://h/x?key=***&other=***&***&&last=***", "h",
      "/x?key=secret&other=one=two&flag&&last=" },

    { "http://[2001:db8::1]:8080/x", 0, "http://[2001:db8::1]:8080/x",
      "http://[2001:db8::1]:8080/x", "[2001:db8::1]:8080", "/x" },

    { "http://h/a%20b?c=%26", 0, "http://h/a%20b?c=%26",
      "http://h/a%20b?c=***", "h", "/a%20b?c=%26" },

    { "https://user:pass@h:8443/secret/path?key=secret", 1,
      "https://user:pass@h:8443/secret/path?key=secret",
      "https://h:8443/***", "h:8443", "/secret/path?key=secret" },

    { "https://h", 1, "https://h/", "https://h/***", "h", "/" },

    { "https://h/$x", 1, "https://h/$x", "https://h/***", "h", "/$x" },

    { "http://h/$1", 0, "http://h/$1", "http://h/$1", "h", "/$1" },

    { "", 0, NULL, NULL, NULL, NULL },
    { "h", 0, NULL, NULL, NULL, NULL },
    { "http:/h/", 0, NULL, NULL, NULL, NULL },
    { "http:///h/", 0, NULL, NULL, NULL, NULL },
    { "http://h:/x y", 0, NULL, NULL, NULL, NULL },
    { "http://h:65536/", 0, NULL, NULL, NULL, NULL },
    { "http://h:0/", 0, NULL, NULL, NULL, NULL },
    { "http://h:-1/", 0, NULL, NULL, NULL, NULL },
    { "http://user@/", 0, NULL, NULL, NULL, NULL },
    { "http://h\\x/", 0, NULL, NULL, NULL, NULL },
    { "http://h/\x7f", 0, NULL, NULL, NULL, NULL },
    { "http://h/\n", 0, NULL, NULL, NULL, NULL },
    { "http://h/#f", 0, NULL, NULL, NULL, NULL },
    { "http://h\xc3\xa4/", 0, NULL, NULL, NULL, NULL },
    { "http://$host/", 0, NULL, NULL, NULL, NULL },
    { "http://h/${x}", 0, NULL, NULL, NULL, NULL },
    { "ftp://h/", 0, NULL, NULL, NULL, NULL },
    { "file:///etc/passwd", 0, NULL, NULL, NULL, NULL },

    { NULL, 0, NULL, NULL, NULL, NULL }
};


typedef struct {
    const char  *url;
    int          good;
} proxy_t;


static proxy_t  proxies[] = {
    { "http://h:3128", 1 },
    { "http://user:pass@h:3128/", 1 },
    { "https://h", 1 },
    { "SOCKS5h://h:1080", 1 },
    { "socks4a://[::1]:1080", 1 },
    { "h:3128", 0 },
    { "ftp://h", 0 },
    { "http://", 0 },
    { "http://h/x", 0 },
    { "http://h?x", 0 },
    { "http://h h", 0 },
    { NULL, 0 }
};


static void test_url(url_t *u);
static void test_proxy(proxy_t *p);


int
main(void)
{
    url_t    *u;
    proxy_t  *p;

    for (u = urls; u->url; u++) {
        test_url(u);
    }

    for (p = proxies; p->url; p++) {
        test_proxy(p);
    }

    return 0;
}


static void
test_url(url_t *u)
{
    char                     *err;
    ngx_str_t                 s;
    ngx_pool_t               *pool;
    ngx_http_webhook_hook_t   hook;

    pool = pool_create();
    s = text(u->url);

    memset(&hook, 0, sizeof(ngx_http_webhook_hook_t));

    err = ngx_http_webhook_url_parse(pool, &s, u->hidden, &hook);

    if (u->full == NULL) {
        check(err != NULL && err != NGX_CONF_ERROR, "refused: %s", u->url);
        check(hook.url.len == 0, "refused, nothing set: %s", u->url);

    } else {
        check(err == NULL, "accepted: %s", u->url);

        check_text(hook.url.data, hook.url.len, u->full, "url: %s", u->url);
        check_text(hook.shown.data, hook.shown.len, u->shown, "shown: %s",
                   u->url);
        check_text(hook.host.data, hook.host.len, u->host, "host: %s", u->url);
        check_text(hook.uri.data, hook.uri.len, u->uri, "uri: %s", u->url);

        check_number(hook.ssl, strncmp(u->full, "https", 5) == 0, "ssl: %s",
                     u->url);
    }

    pool_destroy(pool);
}


static void
test_proxy(proxy_t *p)
{
    char        *err;
    ngx_str_t    s, proxy;
    ngx_pool_t  *pool;

    pool = pool_create();
    s = text(p->url);

    err = ngx_http_webhook_url_proxy(pool, &s, &proxy);

    if (p->good) {
        check(err == NULL, "proxy accepted: %s", p->url);
        check_text(proxy.data, proxy.len, p->url, "proxy: %s", p->url);

    } else {
        check(err != NULL && err != NGX_CONF_ERROR, "proxy refused: %s",
              p->url);
    }

    pool_destroy(pool);
}


/* what else of nginx the room calls */

ngx_int_t
ngx_atoi(u_char *line, size_t n)
{
    return atoi((char *) line);
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}
