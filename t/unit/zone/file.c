
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The file of the store, as a table in shared memory.  There are two of them:
 * a transaction changes the one that is not in use, then says that it is.
 */


#include "zone/store.h"


typedef struct {
    volatile uint32_t  current;
    file_t             tables[2];
} disk_t;


file_t         *file;

static disk_t  *disk;


static void file_slot(file_t *f, ngx_http_webhook_rec_slot_t *rec);
static void file_state(file_t *f, ngx_http_webhook_rec_state_t *rec);
static void file_delivery(file_t *f, ngx_http_webhook_rec_delivery_t *rec);


void
file_create(void)
{
    disk = mmap(NULL, sizeof(disk_t), PROT_READ|PROT_WRITE,
                MAP_ANON|MAP_SHARED, -1, 0);

    if (disk == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }

    file = &disk->tables[0];
}


void
file_destroy(void)
{
    munmap(disk, sizeof(disk_t));
}


static size_t
file_used(file_t *f)
{
    return offsetof(file_t, rows) + f->n * sizeof(file_row_t);
}


void
file_write(ngx_http_webhook_batch_t *batch)
{
    file_t                  *old, *f;
    ngx_http_webhook_rec_t  *rec;

    old = &disk->tables[disk->current];
    f = &disk->tables[!disk->current];

    memcpy(f, old, file_used(old));

    for (rec = ngx_http_webhook_batch_first(batch);
         rec < ngx_http_webhook_batch_last(batch);
         rec = ngx_http_webhook_batch_next(rec))
    {
        switch (rec->type) {

        case NGX_HTTP_WEBHOOK_REC_SLOT:
            file_slot(f, (ngx_http_webhook_rec_slot_t *) rec);
            break;

        case NGX_HTTP_WEBHOOK_REC_STATE:
            file_state(f, (ngx_http_webhook_rec_state_t *) rec);
            break;

        case NGX_HTTP_WEBHOOK_REC_DELIVERY:
            file_delivery(f, (ngx_http_webhook_rec_delivery_t *) rec);
            break;
        }
    }

    ngx_memory_barrier();
    disk->current = !disk->current;

    file = f;
}


/* what another process has written */

static file_t *
file_now(void)
{
    file = &disk->tables[disk->current];

    return file;
}


void
file_prune(void)
{
    uint32_t  i, n;

    (void) file_now();

    if (file->n < FILE_ROWS / 2) {
        return;
    }

    for (i = 0, n = 0; i < file->n; i++) {
        if (file->rows[i].rec.ended == 0) {
            file->rows[n++] = file->rows[i];
        }
    }

    file->n = n;
}


file_t *
file_save(void)
{
    file_t  *f;

    f = malloc(sizeof(file_t));
    memcpy(f, file_now(), file_used(file));

    return f;
}


void
file_restore(file_t *f)
{
    memcpy(file_now(), f, file_used(f));
}


static void
file_slot(file_t *f, ngx_http_webhook_rec_slot_t *rec)
{
    uint32_t  i;

    for (i = 0; i < f->nslots; i++) {
        if (f->slots[i].id == rec->id) {
            break;
        }
    }

    if (i == f->nslots) {
        f->nslots++;
    }

    f->slots[i] = *rec;
}


static void
file_state(file_t *f, ngx_http_webhook_rec_state_t *rec)
{
    uint32_t  i;

    for (i = 0; i < f->nstates; i++) {
        if (f->states[i].state.row == rec->state.row) {
            break;
        }
    }

    if (i == f->nstates) {

        if (i == FILE_STATES) {
            printf("# too many states\n");
            exit(1);
        }

        f->nstates++;
    }

    f->states[i] = *rec;
}


static file_row_t *
file_row(file_t *f, uint64_t id)
{
    uint32_t  i;

    for (i = 0; i < f->n; i++) {
        if (f->rows[i].rec.row == id) {
            return &f->rows[i];
        }
    }

    return NULL;
}


static void
file_delivery(file_t *f, ngx_http_webhook_rec_delivery_t *rec)
{
    size_t       len;
    file_row_t  *row;

    row = file_row(f, rec->row);

    if (rec->full) {

        if (row == NULL) {

            if (f->n == FILE_ROWS) {
                printf("# too many rows\n");
                exit(1);
            }

            row = &f->rows[f->n++];
        }

        len = rec->execution + rec->payload + rec->headers;

        if (len > FILE_TEXT) {
            printf("# too long a row\n");
            exit(1);
        }

        memcpy(row, rec, sizeof(ngx_http_webhook_rec_delivery_t) + len);

        row->rec.rec.size = sizeof(ngx_http_webhook_rec_delivery_t)
                            + ngx_align(len, sizeof(uint64_t));
        row->rec.nattempts = 0;

        return;
    }

    if (row == NULL || row->rec.seq != rec->seq) {
        return;
    }

    if (rec->ended == 0 || row->rec.ended == 0) {
        row->rec.ended = rec->ended;
    }

    row->rec.created = rec->created;
    row->rec.due = rec->due;
    row->rec.started = rec->started;
    row->rec.status = rec->status;
    row->rec.tries = rec->tries;
    row->rec.attempts = rec->attempts;
    row->rec.base = rec->base;
    row->rec.code = rec->code;
    row->rec.duration = rec->duration;
}


file_row_t *
file_find(uint64_t number)
{
    u_char    uuid[16];
    uint32_t  i;

    world_key(uuid, number);
    (void) file_now();

    for (i = 0; i < file->n; i++) {
        if (memcmp(file->rows[i].rec.uuid, uuid, 16) == 0) {
            return &file->rows[i];
        }
    }

    return NULL;
}


uint64_t
file_state_version(uint64_t n)
{
    u_char    key[16];
    uint32_t  i;

    world_key(key, n);
    (void) file_now();

    for (i = 0; i < file->nstates; i++) {
        if (memcmp(file->states[i].key, key, 16) == 0) {
            return file->states[i].state.version;
        }
    }

    return 0;
}


/* --- what the store reads from its file --- */

ngx_int_t
ngx_http_webhook_db_open(ngx_http_webhook_db_t *db)
{
    (void) file_now();

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_db_last(ngx_http_webhook_db_t *db, uint64_t *seq,
    uint64_t *row)
{
    uint32_t  i;

    *seq = 0;
    *row = 0;

    for (i = 0; i < file->n; i++) {
        *seq = ngx_max(*seq, file->rows[i].rec.seq);
        *row = ngx_max(*row, file->rows[i].rec.row);
    }

    for (i = 0; i < file->nstates; i++) {
        *row = ngx_max(*row, file->states[i].state.row);
    }

    return NGX_OK;
}


/* rows that ended are forgotten, and none is made twice */

ngx_int_t
ngx_http_webhook_db_ended(ngx_http_webhook_db_t *db, u_char uuid[16],
    uint64_t seq)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_webhook_db_slots(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data)
{
    uint32_t                     i;
    ngx_http_webhook_rec_slot_t  rec;

    for (i = 0; i < file->nslots; i++) {
        rec = file->slots[i];

        if (row(data, &rec.rec) != NGX_OK) {
            return NGX_DONE;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_db_states(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data)
{
    uint32_t                      i;
    ngx_http_webhook_rec_state_t  rec;

    for (i = 0; i < file->nstates; i++) {
        rec = file->states[i];

        if (row(data, &rec.rec) != NGX_OK) {
            return NGX_DONE;
        }
    }

    return NGX_OK;
}


/* the open one with the smallest number from there on */

static file_row_t *
file_next(uint32_t hook, uint64_t from)
{
    uint32_t     i;
    file_row_t  *r, *best;

    best = NULL;

    for (i = 0; i < file->n; i++) {
        r = &file->rows[i];

        if (r->rec.ended == 0 && r->rec.seq >= from
            && (hook == 0 || r->rec.hook == hook)
            && (best == NULL || r->rec.seq < best->rec.seq))
        {
            best = r;
        }
    }

    return best;
}


ngx_int_t
ngx_http_webhook_db_waiting(ngx_http_webhook_db_t *db, uint32_t hook,
    uint64_t from, ngx_uint_t n, ngx_http_webhook_db_row_pt row, void *data)
{
    ngx_uint_t   i;
    ngx_int_t    rc;
    file_row_t  *r, copy;

    for (i = 0; n == 0 || i < n; i++) {
        r = file_next(hook, from);

        if (r == NULL) {
            return NGX_OK;
        }

        from = r->rec.seq + 1;

        copy = *r;
        copy.rec.rec.type = NGX_HTTP_WEBHOOK_REC_DELIVERY;

        rc = row(data, &copy.rec.rec);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_webhook_db_spilled(ngx_http_webhook_db_t *db, uint64_t from,
    ngx_http_webhook_db_row_pt row, void *data)
{
    uint32_t                          hook;
    uint64_t                          seq;
    file_row_t                       *r;
    ngx_http_webhook_rec_delivery_t   rec;

    for (hook = 1000; hook < 1000 + HOOKS; hook++) {
        memset(&rec, 0, sizeof(rec));
        rec.hook = hook;

        for (seq = from; (r = file_next(hook, seq)); seq = r->rec.seq + 1) {

            if (rec.tries++ == 0) {
                rec.seq = r->rec.seq;
            }
        }

        if (rec.tries) {
            (void) row(data, &rec.rec);
        }
    }

    return NGX_OK;
}


static ngx_int_t
file_append(void *data, ngx_http_webhook_rec_t *rec)
{
    ngx_http_webhook_batch_t *batch = data;

    if (batch->used + rec->size > batch->size) {
        batch->size = batch->used + rec->size + 65536;
        batch->data = realloc(batch->data, batch->size);
    }

    memcpy(batch->data + batch->used, rec, rec->size);

    batch->used += rec->size;
    batch->n++;

    return NGX_OK;
}


void
file_read(ngx_http_webhook_batch_t *batch, uint32_t hook, uint64_t from,
    ngx_uint_t n)
{
    batch->used = 0;
    batch->n = 0;

    (void) file_now();
    (void) ngx_http_webhook_db_waiting(NULL, hook, from, n, file_append,
                                       batch);
}


ngx_int_t
ngx_http_webhook_db_watches(ngx_http_webhook_db_t *db,
    ngx_http_webhook_db_row_pt row, void *data)
{
    return NGX_OK;
}
