
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * clock: what time it is; times of the zone -> of the file, and back.  Next
 * rooms: queue, log, store_copy, store_load.
 */


#include "ngx_http_webhook_zone_priv.h"


static uint64_t ngx_http_webhook_clock_add(uint64_t now, int64_t left);


uint64_t
ngx_http_webhook_zone_wall(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


uint64_t
ngx_http_webhook_zone_clock(ngx_http_webhook_zone_t *zone)
{
    return zone->sh->ahead + ngx_current_msec;
}


uint64_t
ngx_http_webhook_clock_msec_to_wall(uint64_t msec)
{
    return msec ? ngx_http_webhook_clock_add(ngx_http_webhook_zone_wall(),
                                             msec - ngx_current_msec)
                : 0;
}


uint64_t
ngx_http_webhook_clock_to_wall(ngx_http_webhook_zone_t *zone, uint64_t time)
{
    return time ? ngx_http_webhook_clock_add(ngx_http_webhook_zone_wall(),
                                  time - ngx_http_webhook_zone_clock(zone))
                : 0;
}


uint64_t
ngx_http_webhook_clock_wall_to_msec(uint64_t wall, uint64_t since)
{
    since = ngx_max(since, ngx_http_webhook_zone_wall());

    return wall ? ngx_http_webhook_clock_add(ngx_current_msec, wall - since)
                : 0;
}


uint64_t
ngx_http_webhook_clock_from_wall(ngx_http_webhook_zone_t *zone, uint64_t wall,
    uint64_t since)
{
    since = ngx_max(since, ngx_http_webhook_zone_wall());

    return wall ? ngx_http_webhook_clock_add(ngx_http_webhook_zone_clock(zone),
                                             wall - since)
                : 0;
}


/* what lies before the beginning of a clock is its beginning */

static uint64_t
ngx_http_webhook_clock_add(uint64_t now, int64_t left)
{
    int64_t  time;

    time = (int64_t) now + left;

    return (time > 0) ? (uint64_t) time : 1;
}


void
ngx_http_webhook_clock_health_to_wall(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_health_t *h)
{
    h->probe_at = ngx_http_webhook_clock_to_wall(zone, h->probe_at);
    h->hold_until = ngx_http_webhook_clock_to_wall(zone, h->hold_until);
    h->failing_since = ngx_http_webhook_clock_to_wall(zone, h->failing_since);
}


/* all of these were set when an attempt had failed */

void
ngx_http_webhook_clock_health_from_wall(ngx_http_webhook_zone_t *zone,
    ngx_http_webhook_health_t *h)
{
    h->probe_at = ngx_http_webhook_clock_from_wall(zone, h->probe_at,
                                                   h->last_failure);
    h->hold_until = ngx_http_webhook_clock_from_wall(zone, h->hold_until,
                                                     h->last_failure);
    h->failing_since = ngx_http_webhook_clock_from_wall(zone, h->failing_since,
                                                        h->failing_since);
}
