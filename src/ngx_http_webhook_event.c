
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * event: (state, sighting) -> (state, events); names of executions, events and
 * deliveries as hashes.  A pure function: whoever keeps the state compares and
 * sets it.  Next room: emit.
 */


/* SHA256_*(): the only form that neither allocates nor fails */

#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED
#endif

#include "ngx_http_webhook_event.h"

#include <openssl/rand.h>
#include <openssl/sha.h>


/* what a sighting's value of "run" says of the run we know */

#define NGX_HTTP_WEBHOOK_RUN_SAME   0
#define NGX_HTTP_WEBHOOK_RUN_NEW    1
#define NGX_HTTP_WEBHOOK_RUN_STALE  2


/* each piece alone would be a call of SHA256_Update() */

typedef struct {
    SHA256_CTX  sha;
    size_t      len;
    u_char      text[256];
} ngx_http_webhook_event_hash_t;


typedef struct {
    const ngx_http_webhook_sighting_t  *sighting;
    ngx_http_webhook_state_t           *state;
    ngx_http_webhook_event_t           *events;
    ngx_uint_t                          nevents;
    ngx_uint_t                          changed;
} ngx_http_webhook_transition_t;


static void ngx_http_webhook_event_first(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank);
static void ngx_http_webhook_event_next(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank);
static ngx_uint_t ngx_http_webhook_event_replay(
    ngx_http_webhook_transition_t *t, ngx_uint_t rank);
static ngx_uint_t ngx_http_webhook_event_run(ngx_http_webhook_transition_t *t);
static ngx_uint_t ngx_http_webhook_event_run_number(
    ngx_http_webhook_transition_t *t);
static void ngx_http_webhook_event_begin(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank);
static void ngx_http_webhook_event_launched(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank);
static void ngx_http_webhook_event_advance(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank);
static void ngx_http_webhook_event_announce(ngx_http_webhook_transition_t *t,
    ngx_uint_t event);
static void ngx_http_webhook_event_baseline(ngx_http_webhook_transition_t *t);
static void ngx_http_webhook_event_updated(ngx_http_webhook_transition_t *t);
static void ngx_http_webhook_event_chain(ngx_http_webhook_state_t *state);
static void ngx_http_webhook_event_number(u_char *p, uint64_t n);
static void ngx_http_webhook_event_hash_init(
    ngx_http_webhook_event_hash_t *hash);
static void ngx_http_webhook_event_hash(ngx_http_webhook_event_hash_t *hash,
    const void *data, size_t len);
static void ngx_http_webhook_event_hash_end(
    ngx_http_webhook_event_hash_t *hash, u_char *digest);


ngx_uint_t
ngx_http_webhook_event_transition(const ngx_http_webhook_state_t *old,
    const ngx_http_webhook_sighting_t *sighting, ngx_http_webhook_state_t *new,
    ngx_http_webhook_event_t *events, ngx_uint_t *changed)
{
    ngx_uint_t                     rank;
    ngx_http_webhook_transition_t  t;

    *new = *old;

    t.sighting = sighting;
    t.state = new;
    t.events = events;
    t.nevents = 0;
    t.changed = 0;

    rank = sighting->rank;

    if (rank == NGX_HTTP_WEBHOOK_NONE && (sighting->launch || sighting->rerun))
    {
        rank = NGX_HTTP_WEBHOOK_LAUNCHED;
    }

    if (rank != NGX_HTTP_WEBHOOK_NONE) {

        if (old->version == 0) {
            ngx_http_webhook_event_first(&t, rank);

        } else if (sighting->start >= old->began) {
            ngx_http_webhook_event_next(&t, rank);
        }
    }

    /*
     * "applied" alone is not worth a write: polls that show nothing new are
     * the common case, and most of them are skipped before they come here.
     */

    if (t.changed) {
        new->version = old->version + 1;
        new->applied = ngx_max(new->applied, sighting->start);

        if (new->rank == NGX_HTTP_WEBHOOK_FINISHED && new->final == 0) {
            new->final = sighting->now;
        }
    }

    *changed = t.changed;

    return t.nevents;
}


static void
ngx_http_webhook_event_first(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank)
{
    const ngx_http_webhook_sighting_t  *sighting;

    sighting = t->sighting;

    (void) ngx_http_webhook_event_run_number(t);

    t->changed = 1;

    if (sighting->launch || sighting->rerun) {
        t->state->began = sighting->start;
        ngx_http_webhook_event_advance(t, rank);
        return;
    }

    /* a poll does not tell when the run began: its launch may still come */

    t->state->rank = rank;

    if (rank != NGX_HTTP_WEBHOOK_FINISHED) {
        ngx_http_webhook_event_announce(t, rank);
    }
}


static void
ngx_http_webhook_event_next(ngx_http_webhook_transition_t *t, ngx_uint_t rank)
{
    ngx_uint_t                          run;
    ngx_http_webhook_state_t           *state;
    const ngx_http_webhook_sighting_t  *sighting;

    state = t->state;
    sighting = t->sighting;

    run = ngx_http_webhook_event_run(t);

    if (run == NGX_HTTP_WEBHOOK_RUN_NEW) {
        ngx_http_webhook_event_begin(t, rank);
        return;
    }

    if (state->rank == NGX_HTTP_WEBHOOK_FINISHED
        && (sighting->rerun
            || (sighting->launch && sighting->start >= state->final)))
    {
        if (ngx_http_webhook_event_replay(t, rank)) {
            return;
        }

        if (!sighting->has_run || !state->has_run
            || sighting->run >= state->run_seen)
        {
            ngx_http_webhook_event_begin(t, rank);
        }

        return;
    }

    if (run == NGX_HTTP_WEBHOOK_RUN_STALE) {
        return;
    }

    if (ngx_http_webhook_event_run_number(t)) {
        t->changed = 1;
    }

    if (sighting->launch
        && !(state->announced
             & ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_LAUNCHED)))
    {
        ngx_http_webhook_event_launched(t, rank);
        return;
    }

    if (rank > state->rank) {
        ngx_http_webhook_event_advance(t, rank);
        return;
    }

    if (rank == NGX_HTTP_WEBHOOK_STARTED) {
        ngx_http_webhook_event_updated(t);
    }
}


/*
 * An answer that was given before, to a launch that was sent twice.  That of a
 * rerun may still show how the run before it ended.
 */

static ngx_uint_t
ngx_http_webhook_event_replay(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank)
{
    ngx_http_webhook_state_t           *state;
    const ngx_http_webhook_sighting_t  *sighting;

    state = t->state;
    sighting = t->sighting;

    return !sighting->rerun
           && rank == NGX_HTTP_WEBHOOK_FINISHED
           && sighting->has_run
           && state->has_run
           && !state->run_open
           && sighting->run == state->run_seen;
}


static ngx_uint_t
ngx_http_webhook_event_run(ngx_http_webhook_transition_t *t)
{
    ngx_http_webhook_state_t           *state;
    const ngx_http_webhook_sighting_t  *sighting;

    state = t->state;
    sighting = t->sighting;

    if (!sighting->has_run || !state->has_run) {
        return NGX_HTTP_WEBHOOK_RUN_SAME;
    }

    if (sighting->run > state->run_seen) {

        /* some count from 0, and 1 is the first that starts */

        return (state->run_open || state->rank == NGX_HTTP_WEBHOOK_LAUNCHED)
               ? NGX_HTTP_WEBHOOK_RUN_SAME
               : NGX_HTTP_WEBHOOK_RUN_NEW;
    }

    if (sighting->run < state->run_seen || state->run_open) {
        return NGX_HTTP_WEBHOOK_RUN_STALE;
    }

    return NGX_HTTP_WEBHOOK_RUN_SAME;
}


/*
 * The first value of "run" that is seen of a run becomes its number; that of
 * an execution's first run counts from 2, as most APIs begin with 1.
 */

static ngx_uint_t
ngx_http_webhook_event_run_number(ngx_http_webhook_transition_t *t)
{
    ngx_http_webhook_state_t           *state;
    const ngx_http_webhook_sighting_t  *sighting;

    state = t->state;
    sighting = t->sighting;

    if (!sighting->has_run
        || (state->has_run
            && !state->run_open
            && sighting->run <= state->run_seen))
    {
        return 0;
    }

    if (state->run_open || sighting->run > 1) {
        state->run = sighting->run;
    }

    state->run_seen = sighting->run;
    state->has_run = 1;
    state->run_open = 0;

    return 1;
}


/* begins another run of a known execution */

static void
ngx_http_webhook_event_begin(ngx_http_webhook_transition_t *t, ngx_uint_t rank)
{
    ngx_http_webhook_state_t           *state;
    const ngx_http_webhook_sighting_t  *sighting;

    state = t->state;
    sighting = t->sighting;

    state->applied = sighting->start;
    state->began = sighting->start;
    state->final = 0;
    state->rank = NGX_HTTP_WEBHOOK_NONE;
    state->announced = 0;
    state->watch = 0;

    if (sighting->has_run
        && (!state->has_run || sighting->run > state->run_seen))
    {
        state->run = sighting->run;
        state->run_seen = sighting->run;
        state->has_run = 1;
        state->run_open = 0;

    } else {

        /* an answer that still shows the old value, or none */

        state->run = sighting->wall;
        state->run_open = state->has_run;
    }

    ngx_http_webhook_event_advance(t, rank);
}


/*
 * The answer to a launch whose execution a poll has shown before: LAUNCHED all
 * the same, and then what has been withheld so far.
 */

static void
ngx_http_webhook_event_launched(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank)
{
    ngx_uint_t                 event, before;
    ngx_http_webhook_state_t  *state;

    state = t->state;
    before = state->rank;

    if (t->sighting->start < state->applied) {
        state->began = t->sighting->start;
    }

    state->rank = ngx_max(before, rank);

    for (event = NGX_HTTP_WEBHOOK_LAUNCHED; event <= state->rank; event++) {

        if (!(state->announced & ngx_http_webhook_event_bit(event))) {
            ngx_http_webhook_event_announce(t, event);
        }
    }

    if (rank == NGX_HTTP_WEBHOOK_STARTED && rank == before) {
        ngx_http_webhook_event_updated(t);
    }
}


static void
ngx_http_webhook_event_advance(ngx_http_webhook_transition_t *t,
    ngx_uint_t rank)
{
    ngx_http_webhook_state_t  *state;

    state = t->state;

    while (state->rank < rank) {
        state->rank++;
        ngx_http_webhook_event_announce(t, state->rank);
    }
}


static void
ngx_http_webhook_event_announce(ngx_http_webhook_transition_t *t,
    ngx_uint_t event)
{
    ngx_http_webhook_event_t  *e;
    ngx_http_webhook_state_t  *state;

    state = t->state;

    if (event == NGX_HTTP_WEBHOOK_STARTED) {
        ngx_http_webhook_event_baseline(t);
    }

    state->announced |= ngx_http_webhook_event_bit(event);
    state->sequence++;

    e = &t->events[t->nevents++];

    e->event = event;
    e->sequence = state->sequence;
    e->run = state->run;
    ngx_memcpy(e->chain, state->chain, NGX_HTTP_WEBHOOK_CHAIN_LEN);

    t->changed = 1;
}


static void
ngx_http_webhook_event_baseline(ngx_http_webhook_transition_t *t)
{
    ngx_uint_t                          i;
    ngx_http_webhook_state_t           *state;
    const ngx_http_webhook_sighting_t  *sighting;

    state = t->state;
    sighting = t->sighting;

    state->updated_set = sighting->updated_set;

    for (i = 0; i < NGX_HTTP_WEBHOOK_UPDATED_MAX; i++) {
        state->updated[i] = (sighting->updated_set & (1 << i))
                            ? sighting->updated[i] : 0;
    }

    ngx_memzero(state->chain, NGX_HTTP_WEBHOOK_CHAIN_LEN);
    ngx_http_webhook_event_chain(state);
}


static void
ngx_http_webhook_event_updated(ngx_http_webhook_transition_t *t)
{
    ngx_uint_t                          i, bit, differs;
    ngx_http_webhook_state_t           *state;
    const ngx_http_webhook_sighting_t  *sighting;

    state = t->state;
    sighting = t->sighting;

    if (state->rank != NGX_HTTP_WEBHOOK_STARTED
        || sighting->start < state->applied)
    {
        return;
    }

    differs = 0;

    for (i = 0; i < NGX_HTTP_WEBHOOK_UPDATED_MAX; i++) {

        bit = 1 << i;

        if (!(sighting->updated_set & bit)
            || ((state->updated_set & bit)
                && state->updated[i] == sighting->updated[i]))
        {
            continue;
        }

        state->updated_set |= bit;
        state->updated[i] = sighting->updated[i];
        differs = 1;
    }

    if (differs) {
        ngx_http_webhook_event_chain(state);
        ngx_http_webhook_event_announce(t, NGX_HTTP_WEBHOOK_UPDATED);
    }
}


static void
ngx_http_webhook_event_chain(ngx_http_webhook_state_t *state)
{
    u_char      value[9];
    SHA256_CTX  ctx;
    ngx_uint_t  i;

    SHA256_Init(&ctx);
    SHA256_Update(&ctx, state->chain, NGX_HTTP_WEBHOOK_CHAIN_LEN);

    for (i = 0; i < NGX_HTTP_WEBHOOK_UPDATED_MAX; i++) {
        value[0] = (state->updated_set >> i) & 1;
        ngx_http_webhook_event_number(&value[1], state->updated[i]);

        SHA256_Update(&ctx, value, sizeof(value));
    }

    SHA256_Final(state->chain, &ctx);
}


void
ngx_http_webhook_event_uuid(u_char uuid[16], ngx_str_t *hook, ngx_str_t *api,
    ngx_str_t *realm, ngx_str_t *execution, ngx_http_webhook_event_t *event)
{
    u_char                         number[8], digest[SHA256_DIGEST_LENGTH];
    ngx_http_webhook_event_hash_t  hash;

    ngx_http_webhook_event_hash_init(&hash);

    ngx_http_webhook_event_hash(&hash, hook->data, hook->len);
    ngx_http_webhook_event_hash(&hash, api->data, api->len);
    ngx_http_webhook_event_hash(&hash, realm->data, realm->len);
    ngx_http_webhook_event_hash(&hash, execution->data, execution->len);

    ngx_http_webhook_event_number(number, event->run);
    ngx_http_webhook_event_hash(&hash, number, sizeof(number));

    ngx_http_webhook_event_number(number, event->event);
    ngx_http_webhook_event_hash(&hash, number, sizeof(number));

    if (event->event == NGX_HTTP_WEBHOOK_UPDATED) {
        ngx_http_webhook_event_hash(&hash, event->chain,
                                    NGX_HTTP_WEBHOOK_CHAIN_LEN);
    }

    ngx_http_webhook_event_hash_end(&hash, digest);

    ngx_memcpy(uuid, digest, 16);

    uuid[6] = (uuid[6] & 0x0f) | 0x80;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
}


ngx_int_t
ngx_http_webhook_event_random_uuid(u_char uuid[16])
{
    if (RAND_bytes(uuid, 16) != 1) {
        return NGX_ERROR;
    }

    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;

    return NGX_OK;
}


void
ngx_http_webhook_event_key(u_char key[16], ngx_str_t *api, ngx_str_t *realm,
    ngx_str_t *execution)
{
    u_char                         digest[SHA256_DIGEST_LENGTH];
    ngx_http_webhook_event_hash_t  hash;

    ngx_http_webhook_event_hash_init(&hash);

    ngx_http_webhook_event_hash(&hash, api->data, api->len);
    ngx_http_webhook_event_hash(&hash, realm->data, realm->len);
    ngx_http_webhook_event_hash(&hash, execution->data, execution->len);

    ngx_http_webhook_event_hash_end(&hash, digest);

    ngx_memcpy(key, digest, 16);
}


static void
ngx_http_webhook_event_number(u_char *p, uint64_t n)
{
    p[0] = (u_char) (n >> 56);
    p[1] = (u_char) (n >> 48);
    p[2] = (u_char) (n >> 40);
    p[3] = (u_char) (n >> 32);
    p[4] = (u_char) (n >> 24);
    p[5] = (u_char) (n >> 16);
    p[6] = (u_char) (n >> 8);
    p[7] = (u_char) n;
}


static void
ngx_http_webhook_event_hash_init(ngx_http_webhook_event_hash_t *hash)
{
    SHA256_Init(&hash->sha);
    hash->len = 0;
}


static void
ngx_http_webhook_event_hash(ngx_http_webhook_event_hash_t *hash,
    const void *data, size_t len)
{
    if (hash->len + 8 > sizeof(hash->text)) {
        SHA256_Update(&hash->sha, hash->text, hash->len);
        hash->len = 0;
    }

    ngx_http_webhook_event_number(hash->text + hash->len, len);
    hash->len += 8;

    if (len > sizeof(hash->text) - hash->len) {
        SHA256_Update(&hash->sha, hash->text, hash->len);
        SHA256_Update(&hash->sha, data, len);
        hash->len = 0;
        return;
    }

    if (len) {
        ngx_memcpy(hash->text + hash->len, data, len);
        hash->len += len;
    }
}


static void
ngx_http_webhook_event_hash_end(ngx_http_webhook_event_hash_t *hash,
    u_char *digest)
{
    SHA256_Update(&hash->sha, hash->text, hash->len);
    SHA256_Final(digest, &hash->sha);
}
