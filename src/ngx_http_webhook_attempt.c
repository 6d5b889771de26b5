
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * attempt: a job and its result -> the log and the next step of the delivery.
 * Next room: log.
 */


#include "ngx_http_webhook_zone_priv.h"


#define NGX_HTTP_WEBHOOK_TEXT_MAX      8192    /* bytes of headers kept */
#define NGX_HTTP_WEBHOOK_PEER_MAX      64


static ngx_http_webhook_zdelivery_t *ngx_http_webhook_attempt_valid(
    ngx_http_webhook_zone_t *zone, ngx_http_webhook_job_t *job);
static uint32_t ngx_http_webhook_attempt_record(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_result_t *result, ngx_str_t *sent, uint64_t started);
static void ngx_http_webhook_attempt_forget(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d);


/* the delivery, if the job is still under way; NULL: it was taken from us */

static ngx_http_webhook_zdelivery_t *
ngx_http_webhook_attempt_valid(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_job_t *job)
{
    ngx_http_webhook_zdelivery_t  *d;

    if (job->index == 0 || job->index >= zone->sh->fresh) {
        return NULL;
    }

    d = ngx_http_webhook_block(zone, job->index);

    if (d->blk.type != NGX_HTTP_WEBHOOK_BLK_DELIVERY
        || d->status != NGX_HTTP_WEBHOOK_SENDING
        || d->token != job->token)
    {
        return NULL;
    }

    return d;
}


ngx_int_t
ngx_http_webhook_queue_copy(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_job_t *job, u_char *payload, u_char *headers)
{
    ngx_http_webhook_cursor_t      cursor;
    ngx_http_webhook_zdelivery_t  *d;

    /* a worker that slept for long may find others in its place */

    d = ngx_http_webhook_attempt_valid(zone, job);

    if (d == NULL || d->payload >= zone->sh->nblocks) {
        return NGX_DECLINED;
    }

    ngx_memory_barrier();

    ngx_http_webhook_payload_cursor(zone, d->payload, &cursor);

    if (cursor.pos > NGX_HTTP_WEBHOOK_BLOCK) {
        return NGX_DECLINED;
    }

    ngx_http_webhook_zone_read(&cursor, payload, job->payload);

    if (job->headers) {
        cursor.index = d->headers;
        cursor.pos = sizeof(ngx_http_webhook_blk_t);

        if (cursor.index == 0 || cursor.index >= zone->sh->nblocks) {
            return NGX_DECLINED;
        }

        ngx_http_webhook_zone_read(&cursor, headers, job->headers);
    }

    ngx_memory_barrier();

    d = ngx_http_webhook_attempt_valid(zone, job);

    return (d == NULL) ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_http_webhook_queue_finish(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_hook_t *hook, ngx_http_webhook_job_t *job,
    ngx_http_webhook_result_t *result, ngx_str_t *sent, uint64_t started,
    ngx_http_webhook_verdict_t *verdict)
{
    uint32_t                       a;
    uint64_t                       logged;
    ngx_http_webhook_zslot_t      *slot;
    ngx_http_webhook_health_t      health;
    ngx_http_webhook_zattempt_t   *attempt;
    ngx_http_webhook_zdelivery_t  *d;
    ngx_http_webhook_retry_ctx_t   ctx;

    ngx_memzero(verdict, sizeof(ngx_http_webhook_verdict_t));

    ctx.now = ngx_http_webhook_zone_clock(zone);
    ctx.wall = ngx_http_webhook_zone_wall();
    ctx.random = ((uint32_t) ngx_random() << 16) ^ (uint32_t) ngx_random();

    ngx_http_webhook_zone_lock(zone);

    d = ngx_http_webhook_attempt_valid(zone, job);

    if (d == NULL) {
        ngx_http_webhook_zone_unlock(zone);
        return NGX_DECLINED;
    }

    slot = &zone->slots[d->slot];

    ctx.created = d->created;
    ctx.attempt = d->attempts + 1 - d->base;

    health = slot->health;

    ngx_http_webhook_retry_judge(hook, result, &ctx, &health, verdict);

    if (slot->url != hook->endpoint) {

        /* what an older url said is nothing against the present one */

        health = slot->health;

        if (verdict->status != NGX_HTTP_WEBHOOK_DELIVERED) {
            verdict->status = NGX_HTTP_WEBHOOK_WAITING;
            verdict->kept = 1;
            verdict->wait = 0;
        }

        verdict->recovered = 0;
    }

    verdict->before = slot->health.state;
    verdict->after = health.state;
    verdict->failures = health.failures;
    verdict->failing = health.failing_since ? ctx.now - health.failing_since
                                            : 0;

    ngx_http_webhook_zone_begin(zone);

    a = ngx_http_webhook_attempt_record(zone, result, sent, started);

    logged = zone->sh->logged;

    ngx_http_webhook_zone_save(zone, &d->seq, NGX_HTTP_WEBHOOK_MUTABLE_SIZE);
    ngx_http_webhook_zone_save(zone, &slot->health,
                               NGX_HTTP_WEBHOOK_HEALTH_SIZE);

    slot->health = health;
    slot->attempts++;

    ngx_http_webhook_tally(&slot->tally, result, verdict,
                           d->base ? 0 : d->created, ctx.now);

    ngx_http_webhook_store_mark_slot(zone, slot);

    d->code = result->status;
    d->error = result->error;
    d->duration = ngx_min(result->total, NGX_MAX_UINT32_VALUE);

    if (a) {
        attempt = ngx_http_webhook_block(zone, a);
        attempt->older = d->attempt;
        d->attempt = a;
    }

    ngx_http_webhook_delivery_tried(zone, job->index);

    if (!verdict->kept) {
        d->attempts++;
    }

    if (verdict->status == NGX_HTTP_WEBHOOK_WAITING) {
        ngx_http_webhook_delivery_wait(zone, job->index,
                                       ngx_current_msec + verdict->wait);

        if (d->attempt) {
            ngx_http_webhook_delivery_logged(zone, job->index);
        }

    } else {
        ngx_http_webhook_delivery_end(zone, job->index, verdict->status);
    }

    if (verdict->recovered) {
        ngx_http_webhook_delivery_recover(zone, slot);
    }

    ngx_http_webhook_zone_commit(zone);

    ngx_http_webhook_attempt_forget(zone, d);
    ngx_http_webhook_delivery_trim(zone, logged);

    ngx_http_webhook_zone_unlock(zone);

    return NGX_OK;
}


/* 0: there is no room for it */

static uint32_t
ngx_http_webhook_attempt_record(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_result_t *result, ngx_str_t *sent, uint64_t started)
{
    size_t                        len, room;
    uint32_t                      i, text;
    ngx_http_webhook_cursor_t     cursor;
    ngx_http_webhook_zattempt_t  *a;

    len = ngx_min(sent->len, NGX_HTTP_WEBHOOK_TEXT_MAX)
          + ngx_min(result->headers.len, NGX_HTTP_WEBHOOK_TEXT_MAX)
          + ngx_min(result->body.len, zone->body);

    /* the first block is the attempt, the rest its texts */

    i = ngx_http_webhook_zone_alloc(zone, 1 + ngx_http_webhook_blocks(len, 0),
                                    NGX_HTTP_WEBHOOK_CLASS_LOG);
    if (i == 0) {
        len = 0;
        i = ngx_http_webhook_zone_alloc(zone, 1, NGX_HTTP_WEBHOOK_CLASS_LOG);
    }

    if (i == 0) {
        return 0;
    }

    a = ngx_http_webhook_block(zone, i);
    text = a->blk.next;

    ngx_memzero((u_char *) a + sizeof(ngx_http_webhook_blk_t),
                sizeof(ngx_http_webhook_zattempt_t)
                - sizeof(ngx_http_webhook_blk_t));

    a->blk.type = NGX_HTTP_WEBHOOK_BLK_ATTEMPT;
    a->blk.next = 0;
    a->text = text;
    a->started = started;
    a->body_size = result->body_size;
    a->status = result->status;
    a->error = result->error;
    a->dns = result->dns;
    a->connect = result->connect;
    a->tls = result->tls;
    a->first_byte = result->first_byte;
    a->total = result->total;
    a->reused = result->reused;
    a->truncated = result->truncated;

    a->peer = ngx_min(result->peer.len, NGX_HTTP_WEBHOOK_PEER_MAX);
    ngx_memcpy(a->data, result->peer.data, a->peer);

    room = NGX_HTTP_WEBHOOK_ATTEMPT_ROOM - a->peer;
    a->message = ngx_min(result->message.len, room);
    ngx_memcpy(a->data + a->peer, result->message.data, a->message);

    if (len == 0) {
        return i;
    }

    a->sent = ngx_min(sent->len, NGX_HTTP_WEBHOOK_TEXT_MAX);
    a->headers = ngx_min(result->headers.len, NGX_HTTP_WEBHOOK_TEXT_MAX);
    a->body = ngx_min(result->body.len, zone->body);

    if (a->body < result->body.len) {
        a->truncated = 1;
    }

    cursor.zone = zone;
    cursor.index = text;
    cursor.pos = sizeof(ngx_http_webhook_blk_t);

    ngx_http_webhook_zone_write(&cursor, sent->data, a->sent);
    ngx_http_webhook_zone_write(&cursor, result->headers.data, a->headers);
    ngx_http_webhook_zone_write(&cursor, result->body.data, a->body);

    return i;
}


/* only the latest attempt keeps its texts, and only so many are kept */

static void
ngx_http_webhook_attempt_forget(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_zdelivery_t *d)
{
    uint32_t                      i, text;
    ngx_uint_t                    n;
    ngx_http_webhook_zattempt_t  *a;

    if (d->attempt == 0) {
        return;
    }

    a = ngx_http_webhook_block(zone, d->attempt);

    for (n = 1; a->older; n++) {

        if (n == NGX_HTTP_WEBHOOK_ATTEMPTS) {
            i = a->older;
            a->older = 0;

            ngx_http_webhook_attempt_free(zone, i);
            return;
        }

        a = ngx_http_webhook_block(zone, a->older);

        text = a->text;

        if (text) {
            a->text = 0;
            ngx_memory_barrier();

            a->sent = 0;
            a->headers = 0;
            a->body = 0;

            ngx_http_webhook_zone_free(zone, text, NGX_HTTP_WEBHOOK_CLASS_LOG);
        }
    }
}


void
ngx_http_webhook_queue_return(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_job_t *job, ngx_msec_t wait)
{
    ngx_http_webhook_zdelivery_t  *d;

    ngx_http_webhook_zone_lock(zone);

    d = ngx_http_webhook_attempt_valid(zone, job);

    if (d) {
        ngx_http_webhook_zone_begin(zone);

        ngx_http_webhook_zone_save(zone, &d->seq,
                                   NGX_HTTP_WEBHOOK_MUTABLE_SIZE);
        ngx_http_webhook_delivery_wait(zone, job->index,
                                       ngx_current_msec + wait);
        ngx_http_webhook_zone_commit(zone);
    }

    ngx_http_webhook_zone_unlock(zone);
}
