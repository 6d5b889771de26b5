
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * store: what is in the zone -> a file that outlives it: SQLite, in batches, in
 * a thread.  One worker of all masters writes; a lock file says which.
 */


#ifndef _NGX_HTTP_WEBHOOK_STORE_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_STORE_H_INCLUDED_


#include "ngx_http_webhook.h"


#define NGX_HTTP_WEBHOOK_STORE_KEEP    604800      /* s */
#define NGX_HTTP_WEBHOOK_STORE_MIN     (16 * 1024 * 1024)  /* bytes */


/* "webhook_store" */

struct ngx_http_webhook_store_s {
    ngx_path_t                    path;      /* made by nginx */
    ngx_str_t                     name;      /* of the file, NUL-terminated */
    ngx_str_t                     lock;      /* of the lock, the same */
    ngx_uint_t                    full;      /* boolean: sync=full */
    time_t                        keep;      /* s */
    off_t                         size;      /* bytes; 0: no bound */
    ngx_uid_t                     user;      /* of the workers; -1: ours */
    ngx_gid_t                     group;
    ngx_uid_t                     former;    /* whose the directory was */
};


/* a number for the lock of a file, as long as there is one */

#define ngx_http_webhook_store_file(fi)                                       \
    (((uint64_t) (fi)->st_dev << 32) ^ (uint64_t) ngx_file_uniq(fi))


/*
 * In the master, under nginx -t, too, which gives the directory to the workers'
 * user: the files in it are theirs.
 */

void ngx_http_webhook_store_user(ngx_cycle_t *cycle,
    ngx_http_webhook_store_t *conf);

/*
 * In the master, not under nginx -t: fills an empty zone with what the file
 * has.  A file that cannot be read now does not keep nginx from starting.
 */

ngx_int_t ngx_http_webhook_store_init_module(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf);

/* In a worker; "exiting" when it begins to exit, "exit" at its end. */

ngx_int_t ngx_http_webhook_store_init_process(ngx_cycle_t *cycle,
    ngx_http_webhook_main_conf_t *mcf);
void ngx_http_webhook_store_exiting(void);
void ngx_http_webhook_store_exit_process(void);

/* Something in the zone has changed: tells who writes. */

void ngx_http_webhook_store_wake(ngx_http_webhook_zone_t *zone);

/* We were told. */

void ngx_http_webhook_store_woken(void);


/* what the file has, as last counted */

typedef struct {
    uint64_t                      used;      /* bytes */
    uint64_t                      free;      /* bytes, for rows to come */
    uint64_t                      rows;      /* deliveries */
    uint64_t                      waiting;   /* of them not yet ended */
} ngx_http_webhook_store_use_t;


typedef struct {
    ngx_uint_t                    failing;
    uint64_t                      unstored;  /* sent without being on disk */
    uint64_t                      spilled;   /* in the store alone */
    uint64_t                      refused;   /* jobs that failed */
    uint64_t                      asides;    /* damaged files */
    ngx_http_webhook_store_use_t  use;
    u_char                        error[128];  /* why; NUL-terminated */
} ngx_http_webhook_store_stat_t;

void ngx_http_webhook_store_stat(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_store_stat_t *stat);


#endif /* _NGX_HTTP_WEBHOOK_STORE_H_INCLUDED_ */
