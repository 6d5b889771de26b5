
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_page: a filter and a cursor -> rows, the newest first, or the oldest.
 * What few rows match is looked for in steps, until it takes too long; the next
 * query goes on from there.  Runs in a thread.  Next room: store_query.
 */


#include "ngx_http_webhook_store_query.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_PAGE_STEP     4096        /* rows, or numbers */
#define NGX_HTTP_WEBHOOK_PAGE_TIME     100         /* ms */


/* parameters of the statements */

#define NGX_HTTP_WEBHOOK_PAGE_TOP      1           /* below this number */
#define NGX_HTTP_WEBHOOK_PAGE_BOTTOM   2           /* not below this one */
#define NGX_HTTP_WEBHOOK_PAGE_HOOK     3
#define NGX_HTTP_WEBHOOK_PAGE_EVENTS   4
#define NGX_HTTP_WEBHOOK_PAGE_STATUSES  5
#define NGX_HTTP_WEBHOOK_PAGE_SINCE    6
#define NGX_HTTP_WEBHOOK_PAGE_UNTIL    7
#define NGX_HTTP_WEBHOOK_PAGE_EXECUTION  8
#define NGX_HTTP_WEBHOOK_PAGE_PART     9           /* bottom >> 12 */
#define NGX_HTTP_WEBHOOK_PAGE_OFFSET   10


typedef struct {
    ngx_http_webhook_reader_db_t  *db;
    ngx_http_webhook_query_t      *query;
    sqlite3_stmt                  *step;
    sqlite3_stmt                  *rows;
    sqlite3_stmt                  *find;
    uint64_t                       top;      /* of a step: below this */
    uint64_t                       bottom;
    uint64_t                       end;      /* of all steps: bottom, or top */
    uint64_t                       begun;    /* ms */
    uint64_t                       cut;      /* a row that came too late */
    ngx_uint_t                     seen;     /* boolean: a row before it */
    ngx_uint_t                     oldest;   /* boolean: first */
} ngx_http_webhook_page_t;


static ngx_int_t ngx_http_webhook_page_prepare(ngx_http_webhook_page_t *page);
static void ngx_http_webhook_page_bind(sqlite3_stmt *stmt,
    ngx_http_webhook_query_t *query);
static ngx_int_t ngx_http_webhook_page_steps(ngx_http_webhook_page_t *page);
static int ngx_http_webhook_page_step(ngx_http_webhook_page_t *page);
static int ngx_http_webhook_page_rows(ngx_http_webhook_page_t *page);
static ngx_uint_t ngx_http_webhook_page_late(ngx_http_webhook_page_t *page);
static uint64_t ngx_http_webhook_page_now(void);


ngx_int_t
ngx_http_webhook_query_list(ngx_http_webhook_reader_db_t *db,
    ngx_http_webhook_query_t *query)
{
    ngx_int_t                rc;
    ngx_http_webhook_page_t  page;

    ngx_memzero(&page, sizeof(ngx_http_webhook_page_t));

    page.db = db;
    page.query = query;
    page.oldest = (query->type == NGX_HTTP_WEBHOOK_QUERY_OLDEST);

    if (page.oldest) {
        page.bottom = query->above + 1;
        page.end = query->last + 1;

    } else {
        page.top = query->filter.after ? query->filter.after
                                       : (uint64_t) -1 >> 1;
        page.end = query->above + 1;
    }

    page.begun = ngx_http_webhook_page_now();

    rc = ngx_http_webhook_page_prepare(&page);

    if (rc == NGX_OK) {
        rc = ngx_http_webhook_page_steps(&page);
    }

    (void) sqlite3_finalize(page.step);
    (void) sqlite3_finalize(page.rows);
    (void) sqlite3_finalize(page.find);

    return rc;
}


static ngx_int_t
ngx_http_webhook_page_prepare(ngx_http_webhook_page_t *page)
{
    u_char                     *p, *last, sql[1024];
    const char                 *order;
    ngx_http_webhook_query_t   *query;
    ngx_http_webhook_filter_t  *f;

    query = page->query;
    f = &query->filter;
    order = page->oldest ? "" : " DESC";
    last = sql + sizeof(sql) - 1;

    if (f->execution.len) {
        p = ngx_slprintf(sql, last, "SELECT max(seq) FROM deliveries"
                         " WHERE seq < ?1 AND seq >= ?2");

    } else {
        p = ngx_slprintf(sql, last, "SELECT seq FROM deliveries"
                         " WHERE %sseq < ?1 AND seq >= ?2"
                         " ORDER BY seq%s LIMIT 1 OFFSET ?10",
                         query->hook ? "hook = ?3 AND " : "", order);
    }

    *p = '\0';

    page->step = ngx_http_webhook_query_prepare(page->db, query, (char *) sql);

    if (page->step == NULL) {
        return NGX_ERROR;
    }

    p = ngx_slprintf(sql, last, "%s%s FROM deliveries d"
                     " LEFT JOIN hooks h ON h.id = d.hook%s"
                     " WHERE d.seq < ?1 AND d.seq >= ?2",
                     NGX_HTTP_WEBHOOK_QUERY_ROW,
                     page->oldest ? ", p.payload" : "",
                     page->oldest ? " LEFT JOIN payloads p ON p.id = d.id"
                                  : "");

    if (f->execution.len) {
        p = ngx_slprintf(p, last, " AND d.seq >> 12 = ?9"
                         " AND d.execution = ?8");
    }

    if (query->hook) {
        p = ngx_slprintf(p, last, " AND %sd.hook = ?3",
                         f->execution.len ? "+" : "");
    }

    if (f->events) {
        p = ngx_slprintf(p, last, " AND (?4 >> d.event) & 1");
    }

    if (f->statuses) {
        p = ngx_slprintf(p, last, " AND (?5 >> d.status) & 1");
    }

    if (f->since) {
        p = ngx_slprintf(p, last, " AND d.time >= ?6");
    }

    if (f->until) {
        p = ngx_slprintf(p, last, " AND d.time <= ?7");
    }

    p = ngx_slprintf(p, last, " ORDER BY d.seq%s", order);
    *p = '\0';

    page->rows = ngx_http_webhook_query_prepare(page->db, query, (char *) sql);

    if (page->rows == NULL) {
        return NGX_ERROR;
    }

    page->find = ngx_http_webhook_query_prepare(page->db, query,
                                             ngx_http_webhook_query_find_sql);
    if (page->find == NULL) {
        return NGX_ERROR;
    }

    ngx_http_webhook_page_bind(page->step, query);
    ngx_http_webhook_page_bind(page->rows, query);

    return NGX_OK;
}


/* a parameter that a statement does not have is none of its concern */

static void
ngx_http_webhook_page_bind(sqlite3_stmt *stmt, ngx_http_webhook_query_t *query)
{
    ngx_http_webhook_filter_t  *f;

    f = &query->filter;

    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_HOOK, query->hook);
    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_EVENTS, f->events);
    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_STATUSES,
                              f->statuses);
    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_SINCE,
                              (sqlite3_int64) f->since);
    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_UNTIL,
                              (sqlite3_int64) f->until);
    (void) sqlite3_bind_text(stmt, NGX_HTTP_WEBHOOK_PAGE_EXECUTION,
                             (char *) f->execution.data, f->execution.len,
                             SQLITE_STATIC);
}


static ngx_int_t
ngx_http_webhook_page_steps(ngx_http_webhook_page_t *page)
{
    int                         rc;
    ngx_http_webhook_query_t   *query;
    ngx_http_webhook_stored_t  *row;

    query = page->query;

    for ( ;; ) {
        rc = ngx_http_webhook_page_step(page);

        if (rc != SQLITE_ROW) {
            break;
        }

        rc = ngx_http_webhook_page_rows(page);

        if (rc != SQLITE_DONE) {
            break;
        }

        if (query->rows.nelts > query->n) {

            /* one more than asked for: there is more */

            query->rows.nelts = query->n;
            row = query->rows.elts;

            query->next = row[query->n - 1].delivery.summary.seq;

            return NGX_OK;
        }

        if (page->cut) {
            query->next = page->cut + 1;
            return NGX_OK;
        }

        if (page->oldest) {
            page->bottom = page->top;
            query->next = page->top - 1;

        } else {
            page->top = page->bottom;
            query->next = page->bottom;
        }

        if (page->top == page->end) {
            query->next = 0;
            return NGX_OK;
        }

        if (ngx_http_webhook_page_late(page)) {
            return NGX_OK;
        }
    }

    if (rc == SQLITE_NOMEM) {
        return NGX_ERROR;
    }

    return ngx_http_webhook_query_failed(page->db, query, rc);
}


/* how far the rows of one step reach; SQLITE_ROW, or an error */

static int
ngx_http_webhook_page_step(ngx_http_webhook_page_t *page)
{
    int       rc;
    uint64_t  seq;

    if (page->oldest) {
        page->top = page->end;

    } else {
        page->bottom = page->end;
    }

    (void) sqlite3_bind_int64(page->step, NGX_HTTP_WEBHOOK_PAGE_TOP,
                              (sqlite3_int64) page->top);
    (void) sqlite3_bind_int64(page->step, NGX_HTTP_WEBHOOK_PAGE_BOTTOM,
                              (sqlite3_int64) page->bottom);
    (void) sqlite3_bind_int64(page->step, NGX_HTTP_WEBHOOK_PAGE_OFFSET,
                              NGX_HTTP_WEBHOOK_PAGE_STEP - 1);

    rc = sqlite3_step(page->step);

    if (rc == SQLITE_ROW) {
        seq = (uint64_t) sqlite3_column_int64(page->step, 0);

        if (page->query->filter.execution.len) {
            seq &= ~((uint64_t) NGX_HTTP_WEBHOOK_PAGE_STEP - 1);
        }

        if (page->oldest) {
            page->top = seq + 1;

        } else {
            page->bottom = ngx_max(seq, page->end);
        }
    }

    (void) sqlite3_reset(page->step);

    return (rc == SQLITE_DONE) ? SQLITE_ROW : rc;
}


/* SQLITE_DONE, or an error */

static int
ngx_http_webhook_page_rows(ngx_http_webhook_page_t *page)
{
    int                         rc;
    uint64_t                    id;
    ngx_int_t                   said;
    sqlite3_stmt               *stmt;
    ngx_http_webhook_query_t   *query;
    ngx_http_webhook_stored_t  *row;

    stmt = page->rows;
    query = page->query;

    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_TOP,
                              (sqlite3_int64) page->top);
    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_BOTTOM,
                              (sqlite3_int64) page->bottom);
    (void) sqlite3_bind_int64(stmt, NGX_HTTP_WEBHOOK_PAGE_PART,
                              (sqlite3_int64) page->bottom >> 12);

    rc = SQLITE_DONE;

    while (query->rows.nelts <= query->n) {
        rc = sqlite3_step(stmt);

        if (rc != SQLITE_ROW) {
            break;
        }

        row = ngx_array_push(&query->rows);
        if (row == NULL) {
            return SQLITE_NOMEM;
        }

        said = ngx_http_webhook_row_delivery(stmt, row);

        /* the next page goes on with it */

        if (said == NGX_OK && !page->oldest && page->seen
            && ngx_http_webhook_page_late(page))
        {
            page->cut = row->delivery.summary.seq;
            query->rows.nelts--;

            rc = SQLITE_DONE;
            break;
        }

        page->seen = 1;

        if (said == NGX_OK) {

            /* of two with one UUID the newer */

            rc = ngx_http_webhook_query_find(page->find,
                                             row->delivery.summary.uuid,
                                             row->delivery.summary.seq, &id);

            if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
                break;
            }

            if (id != row->row) {
                said = NGX_DECLINED;
            }
        }

        if (said == NGX_OK && page->oldest
            && ngx_http_webhook_row_text(stmt, NGX_HTTP_WEBHOOK_QUERY_MORE,
                                         query->pool, &row->delivery.payload)
               != NGX_OK)
        {
            rc = SQLITE_NOMEM;
            break;
        }

        if (said != NGX_OK) {
            query->rows.nelts--;
        }

        rc = SQLITE_DONE;
    }

    (void) sqlite3_reset(stmt);

    return rc;
}


static ngx_uint_t
ngx_http_webhook_page_late(ngx_http_webhook_page_t *page)
{
    return ngx_http_webhook_page_now() - page->begun
           >= NGX_HTTP_WEBHOOK_PAGE_TIME;
}


static uint64_t
ngx_http_webhook_page_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


#endif
