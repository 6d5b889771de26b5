
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * The whole of the unit tests' machinery: each check prints one line, which
 * t/010-unit.t reads.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <stdarg.h>


void check(int holds, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void check_text(const void *data, size_t len, const char *expected,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void check_number(long long got, long long expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

ngx_str_t text(const char *s);

ngx_pool_t *pool_create(void);
void pool_destroy(ngx_pool_t *pool);
void array_init(ngx_array_t *array, ngx_pool_t *pool, size_t size);


#endif /* _UNIT_H_INCLUDED_ */
