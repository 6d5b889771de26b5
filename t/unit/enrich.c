
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: enrich_text enrich_cache json_read json_escape json_pointer json_text
 */


#include "unit.h"
#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_watch.h"


static ngx_pool_t                      *pool;
static ngx_http_webhook_observation_t   observation;
static ngx_cycle_t                      cycle;

volatile ngx_cycle_t                   *ngx_cycle = &cycle;


/* enrich_text's neighbours */

ngx_int_t
ngx_http_webhook_watch_assemble(ngx_pool_t *p, ngx_array_t *parts,
    ngx_str_t *values, ngx_uint_t json, ngx_str_t *uri)
{
    *uri = values[0];

    return uri->len ? NGX_OK : NGX_DECLINED;
}


u_char *
ngx_pstrdup(ngx_pool_t *p, ngx_str_t *src)
{
    return memcpy(ngx_pnalloc(p, src->len + 1), src->data, src->len);
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


static json_t *
doc(const char *s)
{
    return json_loads(s, JSON_DECODE_ANY, NULL);
}


static void
line(ngx_http_webhook_enrich_line_t *l, ngx_uint_t member, const char *part)
{
    memset(l, 0, sizeof(ngx_http_webhook_enrich_line_t));

    l->member = member;
    l->part = text(part);
}


static void
pointer(ngx_http_webhook_enrich_line_t *l, const char *s)
{
    ngx_str_t                        str;
    ngx_http_webhook_api_pointer_t  *p;

    str = text(s);

    if (l->pointers == NULL) {
        l->pointers = ngx_palloc(pool, sizeof(ngx_array_t));
        array_init(l->pointers, pool, sizeof(ngx_http_webhook_api_pointer_t));
    }

    p = ngx_array_push(l->pointers);
    (void) ngx_http_webhook_pointer_compile(pool, &str, 0, &p->pointer);
}


static void
is_json(json_t *value, const char *expected, const char *name)
{
    char  *s;

    s = value ? json_dumps(value, JSON_ENCODE_ANY|JSON_COMPACT) : NULL;

    check_text(s, s ? strlen(s) : 0, expected, "%s", name);
    free(s);
}


static void
lacking(void)
{
    ngx_uint_t                       i;
    ngx_http_webhook_enrich_line_t   l;

    static struct {
        const char  *has;
        const char  *part;
        ngx_uint_t   lacks;
    } cases[] = {
        { NULL, "", 1 },
        { NULL, "name", 1 },
        { "null", "", 1 },
        { "{}", "", 1 },
        { "{\"id\":1}", "", 1 },
        { "{\"id\":1,\"name\":null}", "", 0 },
        { "{\"name\":1}", "", 0 },
        { "{\"id\":1}", "name", 1 },
        { "{\"name\":null}", "name", 1 },
        { "{\"name\":\"\"}", "name", 0 },
        { "{\"name\":false}", "name", 0 },
        { "5", "name", 0 },
        { "[]", "", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        line(&l, NGX_HTTP_WEBHOOK_GOAL, cases[i].part);

        observation.members[NGX_HTTP_WEBHOOK_GOAL]
            = cases[i].has ? doc(cases[i].has) : NULL;

        check_number(ngx_http_webhook_enrich_lacks(&observation, &l),
                     cases[i].lacks, "%s of %s", cases[i].part,
                     cases[i].has ? cases[i].has : "nothing");

        json_decref(observation.members[NGX_HTTP_WEBHOOK_GOAL]);
        observation.members[NGX_HTTP_WEBHOOK_GOAL] = NULL;
    }
}


static void
picking(void)
{
    json_t                          *d;
    ngx_http_webhook_enrich_line_t   l;

    d = doc("{\"item\":{\"name\":\"a\"},\"name\":\"b\",\"none\":null}");

    line(&l, NGX_HTTP_WEBHOOK_GOAL, "name");
    pointer(&l, "/none");
    pointer(&l, "/item/name");
    pointer(&l, "/name");
    is_json(ngx_http_webhook_enrich_pick(&l, d), "\"a\"", "the first one");

    line(&l, NGX_HTTP_WEBHOOK_GOAL, "");
    pointer(&l, "/name");
    pointer(&l, "/item");
    is_json(ngx_http_webhook_enrich_pick(&l, d), "{\"name\":\"a\"}",
            "a whole member is an object");

    line(&l, NGX_HTTP_WEBHOOK_GOAL, "name");
    pointer(&l, "/nowhere");
    check(ngx_http_webhook_enrich_pick(&l, d) == NULL, "nothing");

    json_decref(d);
}


static void
adding(void)
{
    json_t                          *shared, *value;
    ngx_http_webhook_enrich_line_t   l;

    shared = doc("{\"id\":1}");
    observation.members[NGX_HTTP_WEBHOOK_PROJECT] = json_incref(shared);

    value = doc("\"p\"");
    line(&l, NGX_HTTP_WEBHOOK_PROJECT, "name");
    check_number(ngx_http_webhook_enrich_add(&observation, &l, value), NGX_OK,
                 "a part");
    is_json(observation.members[NGX_HTTP_WEBHOOK_PROJECT],
            "{\"id\":1,\"name\":\"p\"}", "is there");
    is_json(shared, "{\"id\":1}", "and nowhere else");
    json_decref(value);

    value = doc("{\"id\":2,\"x\":3}");
    line(&l, NGX_HTTP_WEBHOOK_PROJECT, "");
    (void) ngx_http_webhook_enrich_add(&observation, &l, value);
    is_json(observation.members[NGX_HTTP_WEBHOOK_PROJECT],
            "{\"id\":1,\"name\":\"p\",\"x\":3}", "what is there stays");
    is_json(value, "{\"id\":2,\"x\":3}", "the answer, too");

    line(&l, NGX_HTTP_WEBHOOK_ORGANIZATION, "");
    (void) ngx_http_webhook_enrich_add(&observation, &l, value);
    is_json(observation.members[NGX_HTTP_WEBHOOK_ORGANIZATION],
            "{\"id\":2,\"x\":3}", "a member that was not there");
    json_decref(value);

    json_decref(shared);
    json_decref(observation.members[NGX_HTTP_WEBHOOK_PROJECT]);
    json_decref(observation.members[NGX_HTTP_WEBHOOK_ORGANIZATION]);
    memset(&observation, 0, sizeof(observation));
}


static void
asking(void)
{
    ngx_str_t                        values[1], uri;
    ngx_uint_t                       i;
    ngx_array_t                      parts;
    ngx_http_webhook_watch_part_t   *part;
    ngx_http_webhook_enrich_line_t   l;

    static struct {
        const char  *goal;
        const char  *uri;
    } cases[] = {
        { "{\"id\":7}", "7" },
        { "{\"id\":\"a/b\"}", "a/b" },
        { "{\"id\":1.5}", "1.5" },
        { "{\"id\":true}", "" },
        { "{\"id\":null}", "" },
        { "{\"id\":[1]}", "" },
        { "{\"id\":\"\"}", "" },
        { "{}", "" },
        { "7", "" }
    };

    array_init(&parts, pool, sizeof(ngx_http_webhook_watch_part_t));

    part = ngx_array_push(&parts);
    memset(part, 0, sizeof(ngx_http_webhook_watch_part_t));
    part->index = NGX_HTTP_WEBHOOK_WATCH_MEMBER;
    part->member = NGX_HTTP_WEBHOOK_GOAL;
    part->part = text("id");

    line(&l, NGX_HTTP_WEBHOOK_PROJECT, "");
    l.uri = &parts;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        observation.members[NGX_HTTP_WEBHOOK_GOAL] = doc(cases[i].goal);
        memset(values, 0, sizeof(values));
        memset(&uri, 0, sizeof(uri));

        check_number(ngx_http_webhook_enrich_uri(pool, &observation, &l,
                                                 values, &uri),
                     cases[i].uri[0] ? NGX_OK : NGX_DECLINED, "URI of %s",
                     cases[i].goal);
        check_text(uri.data, uri.len, cases[i].uri, "this one");

        json_decref(observation.members[NGX_HTTP_WEBHOOK_GOAL]);
        observation.members[NGX_HTTP_WEBHOOK_GOAL] = NULL;
    }
}


static void
key(u_char *k, ngx_uint_t n)
{
    memset(k, 0, NGX_HTTP_WEBHOOK_CACHE_KEY);
    memcpy(k, &n, sizeof(n));
}


static void
put(ngx_http_webhook_cache_t *cache, ngx_uint_t n, const char *s, uint64_t now,
    uint64_t ttl)
{
    u_char   k[NGX_HTTP_WEBHOOK_CACHE_KEY];
    json_t  *values[2];

    key(k, n);

    values[0] = doc(s);
    values[1] = NULL;

    ngx_http_webhook_cache_put(cache, k, values, 2, now, ttl);

    json_decref(values[0]);
}


static void
has(ngx_http_webhook_cache_t *cache, ngx_uint_t n, uint64_t now,
    const char *expected, const char *name)
{
    u_char                           k[NGX_HTTP_WEBHOOK_CACHE_KEY];
    ngx_http_webhook_cache_entry_t  *entry;

    key(k, n);

    entry = ngx_http_webhook_cache_find(cache, k, now);

    is_json(entry ? entry->values[0] : NULL, expected, name);

    if (entry) {
        check(entry->n == 2 && entry->values[1] == NULL, "and nothing else");
    }
}


static void
caching(void)
{
    ngx_uint_t                        i;
    static char                       large[3000];
    static ngx_http_webhook_cache_t   cache;

    ngx_http_webhook_cache_init(&cache, 3, 20000);

    put(&cache, 1, "{\"a\":1}", 1000, 500);
    put(&cache, 257, "2", 1000, 500);

    has(&cache, 1, 1499, "{\"a\":1}", "kept");
    has(&cache, 257, 1499, "2", "another in its bucket");
    has(&cache, 2, 1000, "", "not there");
    has(&cache, 1, 1500, "", "its time is over");
    check_number(cache.number, 2, "its place is taken when it is needed");

    put(&cache, 257, "3", 1400, 500);
    has(&cache, 257, 1600, "3", "replaced");
    check_number(cache.number, 2, "in its place");

    /* least recently used first */

    put(&cache, 3, "3", 2000, 500);
    put(&cache, 4, "4", 2000, 500);
    put(&cache, 5, "5", 2000, 500);
    has(&cache, 3, 2000, "3", "the oldest is used");
    put(&cache, 6, "6", 2000, 500);
    has(&cache, 3, 2000, "3", "and stays");
    has(&cache, 4, 2000, "", "the next one goes");
    check_number(cache.number, 3, "so many");

    /* size */

    large[0] = '"';
    memset(large + 1, 'x', sizeof(large) - 3);
    large[sizeof(large) - 2] = '"';

    put(&cache, 7, large, 2000, 500);
    check_number(cache.number, 3, "too large");
    has(&cache, 7, 2000, "", "not kept");
    has(&cache, 3, 2000, "3", "unlike the others");

    cache.max_size = 1000;
    put(&cache, 8, "\"eightee\"", 2000, 500);
    put(&cache, 9, "\"nine\"", 2000, 500);
    check(cache.size <= 1000, "so many bytes");

    cache.max_number = 0;
    put(&cache, 10, "10", 2000, 500);
    check_number(cache.number, 0, "empty");
    check_number(cache.size, 0, "in bytes, too");

    cache.max_number = 3;
    cache.max_size = 20000;

    for (i = 0; i < 10000; i++) {
        put(&cache, i, "{\"some\":[\"thing\"]}", i, 10);
    }

    check_number(cache.number, 3, "after many");

    cache.max_number = 0;
    put(&cache, 0, "0", i, 10);
    check_number(cache.size, 0, "nothing left");
}


int
main(void)
{
    pool = pool_create();

    lacking();
    picking();
    adding();
    asking();
    caching();

    pool_destroy(pool);

    return 0;
}
