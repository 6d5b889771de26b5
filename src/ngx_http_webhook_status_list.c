
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * status_list: in: a filter and a cursor; out: a page of deliveries as JSON,
 * the newest first: those of the zone, which knows best, and then those of the
 * store that the zone does not know.  Whatever leaves the zone is in the store
 * by then, so that the zone is read first.  Next: status_delivery.
 */


#include "ngx_http_webhook_status_priv.h"


#define NGX_HTTP_WEBHOOK_LIST_ROUNDS  64    /* holds of the lock, a request */


typedef struct {
    ngx_http_webhook_filter_t     filter;
    ngx_uint_t                    limit;
    ngx_http_webhook_summary_t   *zone;     /* of the zone */
    ngx_uint_t                    nzone;
    ngx_http_webhook_summary_t  **store;    /* of the store */
    ngx_uint_t                    nstore;
    uint64_t                      next;     /* where the zone's end, or 0 */
    uint64_t                      last;     /* number of the last row */
    ngx_uint_t                    unread;   /* the store's are missing */
} ngx_http_webhook_list_t;


static ngx_uint_t ngx_http_webhook_list_zone(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page);
static ngx_int_t ngx_http_webhook_list_ask(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page);
static ngx_int_t ngx_http_webhook_list_stored(ngx_http_webhook_status_t *s);
static ngx_int_t ngx_http_webhook_list_join(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page);
static ngx_int_t ngx_http_webhook_list_render(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page, uint64_t floor);


ngx_int_t
ngx_http_webhook_status_deliveries(ngx_http_webhook_status_t *s)
{
    ngx_int_t                 rc;
    ngx_http_webhook_list_t  *page;

    page = ngx_pcalloc(s->request->pool, sizeof(ngx_http_webhook_list_t));
    if (page == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_webhook_status_args(s, &page->filter, &page->limit);

    if (rc != NGX_OK) {
        return rc;
    }

    page->zone = ngx_palloc(s->request->pool, page->limit
                                         * sizeof(ngx_http_webhook_summary_t));
    if (page->zone == NULL) {
        return NGX_ERROR;
    }

    page->nzone = ngx_http_webhook_list_zone(s, page);

    rc = ngx_http_webhook_list_ask(s, page);

    if (rc == NGX_DECLINED) {
        return ngx_http_webhook_list_render(s, page, page->next);
    }

    return rc;
}


static ngx_uint_t
ngx_http_webhook_list_zone(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page)
{
    ngx_uint_t                 n, rounds;
    ngx_http_webhook_filter_t  filter;

    n = 0;
    rounds = 0;
    filter = page->filter;

    do {
        n += ngx_http_webhook_queue_list(s->mcf->zone, &filter, &page->zone[n],
                                         page->limit - n, &page->next);

        filter.after = page->next;

    } while (page->next && n < page->limit
             && ++rounds < NGX_HTTP_WEBHOOK_LIST_ROUNDS);

    return n;
}


/* for the same part of the list; NGX_DECLINED: there is no store */

static ngx_int_t
ngx_http_webhook_list_ask(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page)
{
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_webhook_hook_t  **hook;
    ngx_http_webhook_query_t  *query;

    rc = ngx_http_webhook_status_ask(s, NGX_HTTP_WEBHOOK_QUERY_LIST,
                                     ngx_http_webhook_list_stored);

    if (rc != NGX_OK) {
        return rc;
    }

    query = s->query;
    s->state = page;

    query->filter = page->filter;
    query->above = page->next;

    /* most of them may be known already */

    query->n = page->limit + page->nzone;

    if (page->filter.execution.len) {
        p = ngx_pstrdup(query->pool, &page->filter.execution);
        if (p == NULL) {
            return NGX_ERROR;
        }

        query->filter.execution.data = p;
    }

    hook = s->mcf->hooks.elts;

    for (i = 0; i < s->mcf->hooks.nelts; i++) {
        if (hook[i]->slot == page->filter.slot
            && page->filter.slot != NGX_HTTP_WEBHOOK_NO_SLOT)
        {
            query->hook = hook[i]->id;
        }
    }

    return ngx_http_webhook_status_wait(s);
}


static ngx_int_t
ngx_http_webhook_list_stored(ngx_http_webhook_status_t *s)
{
    uint64_t                  floor;
    ngx_http_webhook_list_t  *page;

    page = s->state;

    if (ngx_http_webhook_status_unread(s)) {
        page->unread = 1;
        ngx_str_null(&s->tag);

        return ngx_http_webhook_list_render(s, page, page->next);
    }

    if (ngx_http_webhook_list_join(s, page) != NGX_OK) {
        return NGX_ERROR;
    }

    /* above this number nothing is missing */

    floor = s->query->next ? s->query->next : page->next;

    return ngx_http_webhook_list_render(s, page, floor);
}


/* rows of the store that the zone did not have, and does not know better */

static ngx_int_t
ngx_http_webhook_list_join(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page)
{
    ngx_uint_t                   i, k, n;
    ngx_http_webhook_stored_t   *row;
    ngx_http_webhook_summary_t  *summary;

    row = s->query->rows.elts;
    n = s->query->rows.nelts;

    page->store = ngx_palloc(s->request->pool,
                             n * sizeof(ngx_http_webhook_summary_t *) + 1);
    if (page->store == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        summary = &row[i].delivery.summary;

        for (k = 0; k < page->nzone; k++) {
            if (ngx_memcmp(page->zone[k].uuid, summary->uuid, 16) == 0) {
                break;
            }
        }

        if (k < page->nzone) {
            continue;
        }

        ngx_http_webhook_status_present(s, &row[i]);

        page->store[page->nstore++] = summary;
    }

    ngx_http_webhook_queue_known(s->mcf->zone, &page->filter, page->store,
                                 page->nstore);

    return NGX_OK;
}


/* both are sorted; "floor": cursor behind the last row that is sure, or 0 */

static ngx_int_t
ngx_http_webhook_list_render(ngx_http_webhook_status_t *s,
    ngx_http_webhook_list_t *page, uint64_t floor)
{
    u_char                       buf[NGX_INT64_LEN], *p;
    uint64_t                     next;
    ngx_uint_t                   i, k, n;
    ngx_http_webhook_summary_t  *row;

    i = 0;
    k = 0;
    n = 0;
    next = floor;

    ngx_http_webhook_status_literal(&s->text, "{\"deliveries\":[");

    for ( ;; ) {

        while (k < page->nstore && page->store[k]->seq == 0) {
            k++;
        }

        if (i < page->nzone
            && (k == page->nstore
                || page->zone[i].seq >= page->store[k]->seq))
        {
            row = &page->zone[i++];

        } else if (k < page->nstore) {
            row = page->store[k++];

            /* what the zone has no part in may change without its knowledge */

            ngx_str_null(&s->tag);

        } else {
            break;
        }

        if (row->seq < floor) {
            break;
        }

        if (n == page->limit) {
            next = page->last;
            break;
        }

        if (n++) {
            ngx_http_webhook_status_literal(&s->text, ",");
        }

        page->last = row->seq;

        ngx_http_webhook_status_literal(&s->text, "{");
        ngx_http_webhook_status_summary(&s->text, row);
        ngx_http_webhook_status_number(&s->text, "attempts", row->attempts);

        p = ngx_sprintf(buf, "%uL", row->seq);
        ngx_http_webhook_status_string(&s->text, "cursor", buf, p - buf);

        ngx_http_webhook_status_literal(&s->text, "}");
    }

    ngx_http_webhook_status_literal(&s->text, "],\"next\":");

    if (next) {
        p = ngx_sprintf(buf, "%uL", next);
        ngx_http_webhook_text_string(&s->text, buf, p - buf);

    } else {
        ngx_http_webhook_status_literal(&s->text, "null");
    }

    if (page->unread) {
        ngx_http_webhook_status_boolean(&s->text, "incomplete", 1);
    }

    ngx_http_webhook_status_literal(&s->text, "}");

    return NGX_HTTP_OK;
}
