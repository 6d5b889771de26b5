
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * clock: what time it is; times of the zone -> of the file, and back.  Times
 * that are shown are of the wall clock, which may be set.  What is waited for
 * goes by two that nobody sets: the monotonic one, and the zone's own, which is
 * the wall clock when the zone was made and what has passed since.
 */


#ifndef _NGX_HTTP_WEBHOOK_CLOCK_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_CLOCK_H_INCLUDED_


/* Now, ms, as nginx has cached it: by the wall clock, by the zone's. */

uint64_t ngx_http_webhook_zone_wall(void);
uint64_t ngx_http_webhook_zone_clock(ngx_http_webhook_zone_t *zone);

/*
 * A time of the monotonic clock, or of the zone's, to one of the wall clock;
 * ms, 0 is none, and stays it.
 */

uint64_t ngx_http_webhook_clock_msec_to_wall(uint64_t msec);
uint64_t ngx_http_webhook_clock_to_wall(ngx_http_webhook_zone_t *zone,
    uint64_t time);

/*
 * And back.  "since" has been, by the same clock as "wall": if it is later than
 * now, the clock was set back, and "wall" is as far behind it as it was.
 */

uint64_t ngx_http_webhook_clock_wall_to_msec(uint64_t wall, uint64_t since);
uint64_t ngx_http_webhook_clock_from_wall(ngx_http_webhook_zone_t *zone,
    uint64_t wall, uint64_t since);

/* All times of a health that are waited for, there and back, in place. */

void ngx_http_webhook_clock_health_to_wall(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_health_t *h);
void ngx_http_webhook_clock_health_from_wall(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_health_t *h);


#endif /* _NGX_HTTP_WEBHOOK_CLOCK_H_INCLUDED_ */
