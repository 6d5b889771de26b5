
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_tag: in: what an answer is going to show; out: its ETag, weak (times
 * of what is due go on), and whether the client has that answer, so that who
 * polls costs nothing while nothing happens; next: status.
 */


#include "ngx_http_webhook_status_priv.h"
#include "ngx_http_webhook_seen.h"
#include "ngx_http_webhook_store.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_zone.h"


#define NGX_HTTP_WEBHOOK_TAG_LEN                                              \
    (sizeof("W/\"01234567-0123456789abcdef-01234567\"") - 1)


typedef struct {
    uint64_t                       deliveries;
    uint64_t                       set;        /* the wall clock */
    uint64_t                       failing;    /* the store */
    uint64_t                       unstored;
    uint64_t                       spilled;
    uint64_t                       watches;
    uint64_t                       asked[4];   /* for the status of them */
} ngx_http_webhook_status_rest_t;


static void ngx_http_webhook_status_rest(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_status_rest_t *rest);


ngx_uint_t
ngx_http_webhook_status_known(ngx_http_webhook_status_t *s, ngx_uint_t tag)
{
    uint32_t                         rest;
    uint64_t                         changes;
    ngx_str_t                       *known;
    ngx_table_elt_t                 *h;
    ngx_http_webhook_version_t       version;
    ngx_http_webhook_status_rest_t   all;

    ngx_memzero(&all, sizeof(ngx_http_webhook_status_rest_t));

    if (tag == NGX_HTTP_WEBHOOK_TAG_SEEN) {
        changes = ngx_http_webhook_seen_version(s->mcf->zone);

    } else {
        ngx_http_webhook_queue_version(s->mcf->zone, &version);

        changes = version.changes;
        all.deliveries = version.deliveries;
        all.set = version.set;
    }

    if (tag == NGX_HTTP_WEBHOOK_TAG_HOOKS) {
        ngx_http_webhook_status_rest(s->mcf->zone, &all);
    }

    rest = ngx_crc32_long((u_char *) &all, sizeof(all));

    s->tag.data = ngx_pnalloc(s->request->pool, NGX_HTTP_WEBHOOK_TAG_LEN + 1);
    if (s->tag.data == NULL) {
        return 0;
    }

    s->tag.len = NGX_HTTP_WEBHOOK_TAG_LEN;

    (void) ngx_sprintf(s->tag.data, "W/\"%08xD-%016xL-%08xD\"%Z",
                       s->mcf->generation, changes, rest);

    h = s->request->headers_in.if_none_match;

    if (h == NULL) {
        return 0;
    }

    /* its quotes keep it from being found within another one */

    known = &h->value;

    return ngx_strlcasestrn(known->data, known->data + known->len,
                            s->tag.data + sizeof("W/") - 1,
                            NGX_HTTP_WEBHOOK_TAG_LEN - sizeof("W/"))
           != NULL;
}


/* what /hooks shows beside webhooks */

static void
ngx_http_webhook_status_rest(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_status_rest_t *rest)
{
    ngx_http_webhook_store_stat_t  stat;

    ngx_http_webhook_store_stat(zone, &stat);

    rest->failing = stat.failing;
    rest->unstored = stat.unstored;
    rest->spilled = stat.spilled;

    rest->watches = ngx_http_webhook_watch_number(zone);

    rest->asked[0] = ngx_http_webhook_zone_counter(zone,
                                               NGX_HTTP_WEBHOOK_CNT_ANSWERED);
    rest->asked[1] = ngx_http_webhook_zone_counter(zone,
                                               NGX_HTTP_WEBHOOK_CNT_DENIED);
    rest->asked[2] = ngx_http_webhook_zone_counter(zone,
                                               NGX_HTTP_WEBHOOK_CNT_FAILED);
    rest->asked[3] = ngx_http_webhook_zone_counter(zone,
                                               NGX_HTTP_WEBHOOK_CNT_LAPSED);
}
