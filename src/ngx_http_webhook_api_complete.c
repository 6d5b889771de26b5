
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_complete: "omit"; the whole members of an execution and values for parts
 * of them -> members with these parts, which are copies then, and the id.  Next
 * room: api.
 */


#include "ngx_http_webhook_api_priv.h"


#define NGX_HTTP_WEBHOOK_API_COPY  100      /* bytes of a member in a copy */


static ngx_int_t ngx_http_webhook_api_note(
    ngx_http_webhook_api_reading_t *reading, json_t *element, json_t *id);
static void ngx_http_webhook_api_omit(ngx_http_webhook_api_reading_t *reading,
    json_t *element);
static ngx_int_t ngx_http_webhook_api_complete(
    ngx_http_webhook_api_reading_t *reading, json_t *element,
    ngx_http_webhook_observation_t *observation, json_t *id);
static ngx_uint_t ngx_http_webhook_api_same_id(json_t *json, ngx_str_t *id);
static ngx_int_t ngx_http_webhook_api_own(
    ngx_http_webhook_api_reading_t *reading,
    ngx_http_webhook_observation_t *observation, ngx_uint_t n);


ngx_int_t
ngx_http_webhook_api_end(ngx_http_webhook_api_reading_t *reading,
    json_t *element, json_t *id)
{
    ngx_int_t                        rc;
    ngx_http_webhook_observation_t  *observation;

    if (reading->later) {
        rc = ngx_http_webhook_api_note(reading, element, id);

    } else {
        observation = reading->list->elts;
        observation += reading->list->nelts - 1;

        ngx_http_webhook_api_omit(reading, element);

        rc = ngx_http_webhook_api_complete(reading, element, observation, id);

        json_decref(id);
    }

    if (rc != NGX_OK) {
        ngx_http_webhook_api_drop(reading->list);
    }

    return rc;
}


ngx_int_t
ngx_http_webhook_api_end_later(ngx_http_webhook_api_reading_t *reading)
{
    json_t                          **values;
    ngx_int_t                         rc;
    ngx_uint_t                        i, n, members;
    ngx_http_webhook_api_later_t     *later;
    ngx_http_webhook_observation_t   *observation;

    later = reading->later->elts;
    observation = reading->list->elts;
    values = reading->values;
    members = reading->scope->members ? reading->scope->members->nelts : 0;
    rc = NGX_OK;

    for (i = 0; i < reading->later->nelts; i++) {
        ngx_http_webhook_api_omit(reading, later[i].element);
    }

    for (i = 0; i < reading->later->nelts; i++) {

        if (rc == NGX_OK) {
            reading->values = later[i].values;
            reading->above = later[i].above;

            rc = ngx_http_webhook_api_complete(reading, later[i].element,
                                               &observation[i], later[i].id);

            while (rc != NGX_OK && reading->list->nelts > i) {
                ngx_http_webhook_api_drop(reading->list);
            }
        }

        for (n = 0; n < members; n++) {
            json_decref(later[i].values[n]);
        }

        json_decref(later[i].id);
        json_decref(later[i].element);
    }

    reading->values = values;

    return rc;
}


static ngx_int_t
ngx_http_webhook_api_note(ngx_http_webhook_api_reading_t *reading,
    json_t *element, json_t *id)
{
    size_t                          size;
    json_t                        **values;
    ngx_http_webhook_api_later_t   *later;

    size = reading->scope->members ? reading->scope->members->nelts : 0;

    values = ngx_pcalloc(reading->request->pool,
                         (size + 1) * sizeof(json_t *));

    later = values ? ngx_array_push(reading->later) : NULL;

    if (later == NULL) {
        json_decref(id);
        return NGX_ERROR;
    }

    later->element = json_incref(element);
    later->id = id;
    later->values = reading->values;
    later->above = reading->above;

    reading->values = values;

    return NGX_OK;
}


static void
ngx_http_webhook_api_omit(ngx_http_webhook_api_reading_t *reading,
    json_t *element)
{
    ngx_uint_t                       i;
    ngx_http_webhook_api_pointer_t  *omit;

    if (element == NULL || reading->scope->omit == NULL) {
        return;
    }

    omit = reading->scope->omit->elts;

    for (i = 0; i < reading->scope->omit->nelts; i++) {
        ngx_http_webhook_pointer_delete(element, &omit[i].pointer);
    }
}


static ngx_int_t
ngx_http_webhook_api_complete(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation, json_t *id)
{
    json_t                         **execution, *json;
    uint32_t                         own;
    ngx_uint_t                       i, named;
    ngx_http_webhook_api_member_t   *member;

    own = 0;
    named = 0;
    execution = &observation->members[NGX_HTTP_WEBHOOK_EXECUTION];

    if (!json_is_object(*execution)) {

        json = json_object();
        if (json == NULL) {
            return NGX_ERROR;
        }

        /* a bare scalar that is sent as a whole is not thereby its id */

        if (*execution && *execution != element) {
            named = 1;

            if (json_object_set(json, "id", *execution) != 0) {
                json_decref(json);
                return NGX_ERROR;
            }
        }

        json_decref(*execution);

        *execution = json;
        own = 1 << NGX_HTTP_WEBHOOK_EXECUTION;
    }

    if (reading->scope->members) {
        member = reading->scope->members->elts;

        for (i = 0; i < reading->scope->members->nelts; i++) {

            if (reading->values[i] == NULL) {
                continue;
            }

            if (member[i].member == NGX_HTTP_WEBHOOK_EXECUTION
                && ngx_strcmp(member[i].name.data, "id") == 0)
            {
                named = 1;
            }

            if (!(own & (1 << member[i].member))) {
                own |= 1 << member[i].member;

                if (ngx_http_webhook_api_own(reading, observation,
                                             member[i].member)
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }

            if (json_object_set(observation->members[member[i].member],
                                (char *) member[i].name.data,
                                reading->values[i])
                != 0)
            {
                return NGX_ERROR;
            }
        }
    }

    json = json_object_get(*execution, "id");

    if (json == NULL
        || json_is_null(json)
        || (!named
            && json != id
            && !ngx_http_webhook_api_same_id(json, &observation->id)))
    {
        if (!(own & (1 << NGX_HTTP_WEBHOOK_EXECUTION))
            && ngx_http_webhook_api_own(reading, observation,
                                        NGX_HTTP_WEBHOOK_EXECUTION)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (json_object_set(*execution, "id", id) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a number and its text are one id, shown as the document has it */

static ngx_uint_t
ngx_http_webhook_api_same_id(json_t *json, ngx_str_t *id)
{
    u_char     buf[32];
    ngx_str_t  text;

    return ngx_http_webhook_json_scalar(json, &text, buf) == NGX_OK
           && text.len == id->len
           && ngx_memcmp(text.data, id->data, id->len) == 0;
}


static ngx_int_t
ngx_http_webhook_api_own(ngx_http_webhook_api_reading_t *reading,
    ngx_http_webhook_observation_t *observation, ngx_uint_t n)
{
    json_t  *copy, **member;

    member = &observation->members[n];

    if ((reading->above & (1 << n))
        && ngx_http_webhook_api_copied(reading,
                                       json_object_size(*member)
                                       * NGX_HTTP_WEBHOOK_API_COPY)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    copy = *member ? json_copy(*member) : json_object();
    if (copy == NULL) {
        return NGX_ERROR;
    }

    json_decref(*member);
    *member = copy;

    return NGX_OK;
}
