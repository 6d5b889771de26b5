
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_watch: what is watched: a record of the zone -> of a batch, and back.
 * One without a state that is not final is nothing.  Next rooms: store_copy,
 * store_load, store_watch_row.
 */


#include "ngx_http_webhook_store_priv.h"
#include "ngx_http_webhook_watch.h"
#include "ngx_http_webhook_watch_zone.h"


#if (NGX_HTTP_WEBHOOK_SQLITE)

static ngx_int_t ngx_http_webhook_load_watch(void *data,
    ngx_http_webhook_rec_t *rec);
static ngx_uint_t ngx_http_webhook_load_watched(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job);

#endif


size_t
ngx_http_webhook_copy_watch_size(ngx_http_webhook_zone_t *zone,
    uint32_t index)
{
    size_t                      len;
    ngx_http_webhook_zwatch_t  *w;

    w = ngx_http_webhook_block(zone, index);
    len = (size_t) w->realm + w->uri + w->body;

    return sizeof(ngx_http_webhook_rec_watch_t)
           + ngx_align(len, sizeof(uint64_t));
}


void
ngx_http_webhook_copy_watch(ngx_http_webhook_zone_t *zone, uint32_t index,
    ngx_http_webhook_rec_watch_t *rec)
{
    ngx_http_webhook_zwatch_t  *w;
    ngx_http_webhook_cursor_t   cursor;

    w = ngx_http_webhook_block(zone, index);

    ngx_memcpy(rec->key, w->key, 16);

    rec->until = ngx_http_webhook_clock_msec_to_wall(w->until);
    rec->token = w->token;
    rec->interval = w->interval;
    rec->server = w->server;
    rec->api = w->api;
    rec->route = w->route;
    rec->realm = w->realm;
    rec->uri = w->uri;
    rec->body = w->body;

    cursor.zone = zone;
    cursor.index = index;
    cursor.pos = offsetof(ngx_http_webhook_zwatch_t, data);

    ngx_http_webhook_zone_read(&cursor, (u_char *) rec
                                        + sizeof(ngx_http_webhook_rec_watch_t),
                               rec->realm + rec->uri + rec->body);
}


#if (NGX_HTTP_WEBHOOK_SQLITE)


ngx_int_t
ngx_http_webhook_store_load_watches(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_db_t *db)
{
    ngx_http_webhook_watch_clear(zone);

    return ngx_http_webhook_db_watches(db, ngx_http_webhook_load_watch, zone);
}


static ngx_int_t
ngx_http_webhook_load_watch(void *data, ngx_http_webhook_rec_t *rec)
{
    ngx_http_webhook_zone_t *zone = data;

    u_char                        *p;
    ngx_msec_t                     interval;
    ngx_http_webhook_rec_watch_t  *from;
    ngx_http_webhook_watch_job_t   job;

    from = (ngx_http_webhook_rec_watch_t *) rec;

    ngx_memzero(&job, sizeof(ngx_http_webhook_watch_job_t));
    ngx_memcpy(job.key, from->key, 16);

    job.until = ngx_http_webhook_clock_wall_to_msec(from->until, 0);
    job.token = from->token;
    job.server = from->server;
    job.api = from->api;
    job.route = from->route;

    p = (u_char *) from + sizeof(ngx_http_webhook_rec_watch_t);

    job.realm.data = p;
    job.realm.len = from->realm;
    job.uri.data = p + from->realm;
    job.uri.len = from->uri;
    job.body.data = job.uri.data + from->uri;
    job.body.len = from->body;

    interval = ngx_max(from->interval, 1);
    interval = ngx_min(interval, NGX_HTTP_WEBHOOK_WATCH_SLOWEST);

    if (ngx_http_webhook_load_watched(zone, &job)) {
        job.index = ngx_http_webhook_watch_add(zone, &job);

        if (job.index) {
            ngx_http_webhook_watch_put(zone, &job, interval, interval);
        }
    }

    return NGX_OK;
}


/* whether there is the state that a watch depends on, and it is not final */

static ngx_uint_t
ngx_http_webhook_load_watched(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_watch_job_t *job)
{
    uint32_t                    index;
    ngx_uint_t                  wanted;
    ngx_http_webhook_zstate_t  *s;

    wanted = 0;

    ngx_http_webhook_zone_lock(zone);

    index = ngx_http_webhook_state_find(zone, job->key);

    if (index) {
        s = ngx_http_webhook_block(zone, index);

        wanted = s->state.watch == job->token
                 && s->state.rank != NGX_HTTP_WEBHOOK_FINISHED;
    }

    ngx_http_webhook_zone_unlock(zone);

    return wanted;
}


#endif
