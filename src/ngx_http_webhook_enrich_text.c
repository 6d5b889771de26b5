
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * enrich_text: in: an observation and an "enrich" line, later a document; out:
 * whether something is lacking, the URI to ask, the observation with it.  Next
 * room: enrich.
 */


#include "ngx_http_webhook_enrich.h"
#include "ngx_http_webhook_watch.h"


ngx_uint_t
ngx_http_webhook_enrich_lacks(ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_enrich_line_t *line)
{
    json_t  *member, *part;

    member = observation->members[line->member];

    if (member == NULL || json_is_null(member)) {
        return 1;
    }

    if (!json_is_object(member)) {
        return 0;
    }

    if (line->part.len) {
        part = json_object_get(member, (char *) line->part.data);
        return part == NULL || json_is_null(part);
    }

    /* nothing, or no more than what it is */

    return json_object_size(member) == 0
           || (json_object_size(member) == 1 && json_object_get(member, "id"));
}


ngx_int_t
ngx_http_webhook_enrich_uri(ngx_pool_t *pool,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_enrich_line_t *line, ngx_str_t *values, ngx_str_t *uri)
{
    ngx_int_t  rc;

    rc = ngx_http_webhook_enrich_values(pool, line->uri, observation, values);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_webhook_watch_assemble(pool, line->uri, values, 0, uri);
}


ngx_int_t
ngx_http_webhook_enrich_values(ngx_pool_t *pool, ngx_array_t *parts,
    ngx_http_webhook_observation_t *observation, ngx_str_t *values)
{
    u_char                         *buf;
    json_t                         *value;
    ngx_uint_t                      i;
    ngx_http_webhook_watch_part_t  *part;

    part = parts->elts;

    for (i = 0; i < parts->nelts; i++) {

        if (part[i].index != NGX_HTTP_WEBHOOK_WATCH_MEMBER || values[i].len) {
            continue;
        }

        value = json_object_get(observation->members[part[i].member],
                                (char *) part[i].part.data);

        if (value == NULL || json_is_boolean(value)) {
            return NGX_DECLINED;
        }

        buf = ngx_pnalloc(pool, 32);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_webhook_json_scalar(value, &values[i], buf) != NGX_OK) {
            ngx_str_null(&values[i]);
            return NGX_DECLINED;
        }

        values[i].data = ngx_pstrdup(pool, &values[i]);
        if (values[i].data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


json_t *
ngx_http_webhook_enrich_pick(ngx_http_webhook_enrich_line_t *line, json_t *doc)
{
    json_t                          *value;
    ngx_uint_t                       i;
    ngx_http_webhook_api_pointer_t  *pointer;

    pointer = line->pointers->elts;

    for (i = 0; i < line->pointers->nelts; i++) {

        value = ngx_http_webhook_pointer_get(doc, &pointer[i].pointer);

        if (value == NULL || json_is_null(value)
            || (line->part.len == 0 && !json_is_object(value)))
        {
            continue;
        }

        return value;
    }

    return NULL;
}


/* other observations of one document share its parts */

ngx_int_t
ngx_http_webhook_enrich_add(ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_enrich_line_t *line, json_t *value)
{
    int       rc;
    json_t  **member, *copy;

    member = &observation->members[line->member];

    copy = json_is_object(*member) ? json_copy(*member) : json_object();
    if (copy == NULL) {
        return NGX_ERROR;
    }

    if (line->part.len) {
        rc = json_object_set(copy, (char *) line->part.data, value);

    } else {
        rc = json_object_update_missing(copy, value);
    }

    if (rc != 0) {
        json_decref(copy);
        return NGX_ERROR;
    }

    json_decref(*member);
    *member = copy;

    observation->shared = 1;

    return NGX_OK;
}
