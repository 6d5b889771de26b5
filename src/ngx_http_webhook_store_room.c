
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store_room: a file that is full -> fewer rows: of what has ended, or, where
 * all that is in it waits, of what has ended since.  What has to do with the
 * file runs in a thread.  Next room: store_write, which tries again.
 */


#include "ngx_http_webhook_store_priv.h"

#if (NGX_HTTP_WEBHOOK_SQLITE)

#include <sqlite3.h>


#define NGX_HTTP_WEBHOOK_ROOM          200         /* rows in one step */


typedef struct {
    ngx_http_webhook_batch_t  *batch;
    uint64_t                   blocks;       /* of the zone, taken by them */
    ngx_uint_t                 more;
} ngx_http_webhook_room_t;


static ngx_int_t ngx_http_webhook_room_over(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, void *data);


ngx_uint_t
ngx_http_webhook_store_over(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch, ngx_uint_t *laden)
{
    ngx_http_webhook_room_t  room;

    room.batch = batch;
    room.blocks = 0;
    room.more = 0;

    batch->used = 0;
    batch->n = 0;
    batch->nslots = 0;

    ngx_http_webhook_store_walk(zone, ngx_http_webhook_room_over, &room);

    *laden = (room.more || room.blocks > zone->sh->nblocks / 8);

    return batch->n;
}


static ngx_int_t
ngx_http_webhook_room_over(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d, void *data)
{
    ngx_http_webhook_room_t *room = data;

    ngx_http_webhook_batch_t         *batch;
    ngx_http_webhook_zpayload_t      *p;
    ngx_http_webhook_rec_delivery_t  *rec;

    if (!(d->flags & NGX_HTTP_WEBHOOK_STORED) || ngx_http_webhook_open(d)) {
        return NGX_OK;
    }

    batch = room->batch;

    if (batch->n == NGX_HTTP_WEBHOOK_BATCH
        || batch->used + sizeof(*rec) > batch->size)
    {
        room->more = 1;
        return NGX_DONE;
    }

    p = ngx_http_webhook_block(zone, d->payload);
    room->blocks += 1 + ngx_http_webhook_payload_blocks(p);

    rec = (ngx_http_webhook_rec_delivery_t *)
              ngx_http_webhook_batch_last(batch);

    ngx_memzero(rec, sizeof(*rec));

    rec->rec.type = NGX_HTTP_WEBHOOK_REC_DELIVERY;
    rec->rec.index = ngx_http_webhook_index(zone, d);
    rec->rec.size = sizeof(*rec);
    rec->row = d->row;
    rec->seq = d->seq;
    ngx_memcpy(rec->uuid, d->uuid, 16);

    batch->used += sizeof(*rec);
    batch->n++;

    return NGX_OK;
}


void
ngx_http_webhook_store_gone(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_batch_t *batch)
{
    ngx_http_webhook_rec_t           *rec;
    ngx_http_webhook_zdelivery_t     *d;
    ngx_http_webhook_rec_delivery_t  *r;

    ngx_http_webhook_zone_lock(zone);
    ngx_http_webhook_zone_begin(zone);

    for (rec = ngx_http_webhook_batch_first(batch);
         rec < ngx_http_webhook_batch_last(batch);
         rec = ngx_http_webhook_batch_next(rec))
    {
        r = (ngx_http_webhook_rec_delivery_t *) rec;
        d = ngx_http_webhook_block(zone, rec->index);

        if (d->blk.type == NGX_HTTP_WEBHOOK_BLK_DELIVERY
            && d->seq == r->seq
            && ngx_memcmp(d->uuid, r->uuid, 16) == 0)
        {
            d->flags &= ~NGX_HTTP_WEBHOOK_STORED;
        }
    }

    ngx_http_webhook_zone_unlock(zone);
}


/* what it says must not hide why there was no room: db_failed() is not asked */

void
ngx_http_webhook_db_room(ngx_http_webhook_db_t *db)
{
    sqlite3_stmt  *stmt;

    db->full = 0;
    db->over = 1;

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_OLDEST,
               "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries"
               " WHERE ended > 0 ORDER BY ended LIMIT ?)");

    if (stmt == NULL) {
        return;
    }

    (void) sqlite3_bind_int64(stmt, 1, NGX_HTTP_WEBHOOK_ROOM);

    if (sqlite3_step(stmt) == SQLITE_DONE) {
        db->again = (sqlite3_changes(db->handle) != 0);
        db->over = !db->again;
    }

    (void) sqlite3_reset(stmt);
}


ngx_int_t
ngx_http_webhook_db_forget(ngx_http_webhook_db_t *db,
    ngx_http_webhook_batch_t *batch)
{
    int                               rc;
    sqlite3_stmt                     *stmt;
    ngx_http_webhook_rec_t           *rec;
    ngx_http_webhook_rec_delivery_t  *d;

    if (ngx_http_webhook_db_open(db) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_http_webhook_db_statement(db, NGX_HTTP_WEBHOOK_SQL_OVER,
               "DELETE FROM deliveries WHERE id = ? AND seq = ?");

    if (stmt == NULL
        || sqlite3_exec(db->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL)
           != SQLITE_OK)
    {
        return NGX_ERROR;
    }

    rc = SQLITE_DONE;

    for (rec = ngx_http_webhook_batch_first(batch);
         rec < ngx_http_webhook_batch_last(batch) && rc == SQLITE_DONE;
         rec = ngx_http_webhook_batch_next(rec))
    {
        d = (ngx_http_webhook_rec_delivery_t *) rec;

        (void) sqlite3_bind_int64(stmt, 1, (sqlite3_int64) d->row);
        (void) sqlite3_bind_int64(stmt, 2, (sqlite3_int64) d->seq);

        rc = sqlite3_step(stmt);

        (void) sqlite3_reset(stmt);
    }

    if (rc == SQLITE_DONE
        && sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
    {
        return NGX_OK;
    }

    (void) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);

    return NGX_ERROR;
}


#endif
