
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api: a route and a document -> observations: who it is (id), where it stands
 * (api_state.c, api_updated.c) and what is sent of it (members; api_complete.c
 * omits).  Next room: event, by way of emit.
 */


#include "ngx_http_webhook_api_priv.h"
#include "ngx_http_webhook_regex.h"


static ngx_int_t ngx_http_webhook_api_element(void *data, json_t *element,
    const ngx_http_webhook_place_t *place);
static ngx_int_t ngx_http_webhook_api_observe(
    ngx_http_webhook_api_reading_t *reading, json_t *element);
static ngx_int_t ngx_http_webhook_api_id(
    ngx_http_webhook_api_reading_t *reading, json_t *element,
    ngx_http_webhook_observation_t *observation, json_t **id);
static ngx_uint_t ngx_http_webhook_api_lines(
    ngx_http_webhook_api_scope_t *scope);
static ngx_int_t ngx_http_webhook_api_members(
    ngx_http_webhook_api_reading_t *reading, json_t *element,
    ngx_http_webhook_observation_t *observation);
static ngx_int_t ngx_http_webhook_api_member(
    ngx_http_webhook_api_reading_t *reading, json_t *element,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_api_member_t *member, json_t **result);
static json_t *ngx_http_webhook_api_list(json_t *element,
    ngx_http_webhook_api_pointer_t *pointer);
static ngx_int_t ngx_http_webhook_api_list_item(void *data, json_t *element,
    const ngx_http_webhook_place_t *place);


ngx_uint_t
ngx_http_webhook_api_read(ngx_http_request_t *r, ngx_http_webhook_api_t *api,
    ngx_http_webhook_route_t *route, json_t *doc, ngx_array_t *list,
    ngx_uint_t *unread)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, n;
    ngx_array_t                      later;
    ngx_http_webhook_api_value_t   **vp;
    ngx_http_webhook_api_route_t    *rp;
    ngx_http_webhook_api_reading_t   reading;

    rp = route->priv;

    ngx_memzero(&reading, sizeof(ngx_http_webhook_api_reading_t));

    reading.request = r;
    reading.route = route;
    reading.scope = &rp->scope;
    reading.list = list;
    reading.unread = unread;

    *unread = 0;

    reading.texts = ngx_pcalloc(r->pool, (rp->ntexts + 1) * sizeof(ngx_str_t));
    if (reading.texts == NULL) {
        return NGX_HTTP_WEBHOOK_READ_NO_MEMORY;
    }

    vp = rp->texts.elts;

    for (i = 0; i < rp->texts.nelts; i++) {
        if (ngx_http_complex_value(r, vp[i]->text, &reading.texts[vp[i]->index])
            != NGX_OK)
        {
            return NGX_HTTP_WEBHOOK_READ_NO_MEMORY;
        }
    }

    reading.found = ngx_pcalloc(r->pool,
                                (rp->ntexts + 1)
                                * sizeof(ngx_http_webhook_api_found_t));
    if (reading.found == NULL) {
        return NGX_HTTP_WEBHOOK_READ_NO_MEMORY;
    }

    n = rp->scope.members ? rp->scope.members->nelts : 0;

    reading.values = ngx_pcalloc(r->pool, (n + 1) * sizeof(json_t *));
    if (reading.values == NULL) {
        return NGX_HTTP_WEBHOOK_READ_NO_MEMORY;
    }

    if (rp->scope.omit && ngx_http_webhook_api_lines(&rp->scope) > 1) {
        if (ngx_array_init(&later, r->pool, 4,
                           sizeof(ngx_http_webhook_api_later_t))
            != NGX_OK)
        {
            return NGX_HTTP_WEBHOOK_READ_NO_MEMORY;
        }

        reading.later = &later;
    }

#if (NGX_PCRE)
    ngx_http_webhook_regex_begin();
#endif

    rc = ngx_http_webhook_api_elements(reading.scope, doc,
                                       ngx_http_webhook_api_element,
                                       &reading);

    if (reading.later && ngx_http_webhook_api_end_later(&reading) != NGX_OK) {
        rc = NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        json_decref(reading.values[i]);
    }

    for (i = 0; i < rp->ntexts; i++) {
        json_decref(reading.found[i].json);
    }

    if (reading.spent) {
        ngx_http_webhook_api_free(list);
        return NGX_HTTP_WEBHOOK_READ_INEXACT;
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_WEBHOOK_READ_NO_MEMORY;
    }

#if (NGX_PCRE)

    if (ngx_http_webhook_regex_spent()) {

        /* what did not match for want of time may not be taken for that */

        ngx_http_webhook_api_free(list);
        return NGX_HTTP_WEBHOOK_READ_INEXACT;
    }

#endif

    if (list->nelts) {
        return reading.status ? NGX_HTTP_WEBHOOK_READ_OK
                              : NGX_HTTP_WEBHOOK_READ_NO_STATUS;
    }

    return reading.refused ? NGX_HTTP_WEBHOOK_READ_REQUIRE
                           : NGX_HTTP_WEBHOOK_READ_NO_ID;
}


void
ngx_http_webhook_api_free(ngx_array_t *list)
{
    while (list->nelts) {
        ngx_http_webhook_api_drop(list);
    }
}


/* the last one: what is there in part may not be sent, nothing is left out */

void
ngx_http_webhook_api_drop(ngx_array_t *list)
{
    ngx_uint_t                       i;
    ngx_http_webhook_observation_t  *observation;

    observation = list->elts;
    observation += --list->nelts;

    for (i = 0; i < NGX_HTTP_WEBHOOK_MEMBERS; i++) {
        json_decref(observation->members[i]);
        observation->members[i] = NULL;
    }
}


ngx_int_t
ngx_http_webhook_api_elements(ngx_http_webhook_api_scope_t *scope, json_t *doc,
    ngx_http_webhook_pointer_pt handler, void *data)
{
    json_t                          *element;
    ngx_int_t                        rc, found;
    ngx_uint_t                       i;
    ngx_http_webhook_place_t         place;
    ngx_http_webhook_api_pointer_t  *pointer;

    if (doc == NULL) {
        return ngx_http_webhook_api_whole(scope) ? handler(data, NULL, NULL)
                                                 : NGX_DECLINED;
    }

    if (scope->each == NULL) {
        ngx_memzero(&place, sizeof(ngx_http_webhook_place_t));
        place.value = doc;

        return handler(data, doc, &place);
    }

    pointer = scope->each->elts;
    found = NGX_DECLINED;
    rc = NGX_DECLINED;

    for (i = 0; i < scope->each->nelts; i++) {

        /* of a line's pointers the first that is there counts */

        if (pointer[i].other && rc == NGX_OK) {
            continue;
        }

        rc = NGX_DECLINED;

        if (pointer[i].pointer.wildcards == 0) {
            element = ngx_http_webhook_pointer_get(doc, &pointer[i].pointer);

            if (element == NULL || json_is_null(element)) {
                continue;
            }
        }

        rc = ngx_http_webhook_pointer_each(doc, &pointer[i].pointer, handler,
                                           data);

        if (rc == NGX_OK) {
            found = NGX_OK;

        } else if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return found;
}


ngx_uint_t
ngx_http_webhook_api_whole(ngx_http_webhook_api_scope_t *scope)
{
    ngx_uint_t                       i;
    ngx_http_webhook_api_pointer_t  *pointer;

    if (scope->each == NULL) {
        return 1;
    }

    pointer = scope->each->elts;

    for (i = 0; i < scope->each->nelts; i++) {
        if (pointer[i].pointer.nsegments == 0) {
            return 1;
        }
    }

    return 0;
}


/* how many "each" has */

static ngx_uint_t
ngx_http_webhook_api_lines(ngx_http_webhook_api_scope_t *scope)
{
    ngx_uint_t                       i, n;
    ngx_http_webhook_api_pointer_t  *pointer;

    if (scope->each == NULL) {
        return 0;
    }

    pointer = scope->each->elts;
    n = 0;

    for (i = 0; i < scope->each->nelts; i++) {
        n += !pointer[i].other;
    }

    return n;
}


static ngx_int_t
ngx_http_webhook_api_element(void *data, json_t *element,
    const ngx_http_webhook_place_t *place)
{
    ngx_http_webhook_api_reading_t *reading = data;

    ngx_int_t  rc;

    if (reading->elements == NGX_HTTP_WEBHOOK_ELEMENTS_MAX) {
        (*reading->unread)++;
        return NGX_OK;
    }

    reading->elements++;
    reading->place = place;
    reading->above = 0;

    if (ngx_http_webhook_api_refused(reading, element)) {
        reading->refused = 1;
        rc = NGX_OK;

    } else {
        rc = ngx_http_webhook_api_observe(reading, element);
    }

    /* it is the caller's */

    reading->place = NULL;

    return rc;
}


/*
 * The order matters: values are read first, so "omit" hides nothing from the
 * rules; then it takes things out of the document, and the members, which are
 * parts of the document, lose them too; what is added to a member afterwards
 * goes to a copy, as the same part may stand in another member.
 */

static ngx_int_t
ngx_http_webhook_api_observe(ngx_http_webhook_api_reading_t *reading,
    json_t *element)
{
    json_t                          *id;
    ngx_int_t                        rc;
    ngx_http_webhook_observation_t  *observation, ob;

    ngx_memzero(&ob, sizeof(ngx_http_webhook_observation_t));

    rc = ngx_http_webhook_api_id(reading, element, &ob, &id);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED && !reading->failed && !reading->spent)
               ? NGX_OK : NGX_ERROR;
    }

    observation = ngx_array_push(reading->list);

    if (observation == NULL) {
        json_decref(id);
        return NGX_ERROR;
    }

    *observation = ob;

    ngx_http_webhook_api_state(reading, element, observation);

    if (ngx_http_webhook_api_updated(reading, element, observation) != NGX_OK
        || ngx_http_webhook_api_members(reading, element, observation)
           != NGX_OK
        || reading->failed
        || reading->spent)
    {
        json_decref(id);
        ngx_http_webhook_api_drop(reading->list);
        return NGX_ERROR;
    }

    if (observation->rank != NGX_HTTP_WEBHOOK_NONE
        || observation->updated_set)
    {
        reading->status = 1;
    }

    return ngx_http_webhook_api_end(reading, element, id);
}


/* "id" is a new reference */

static ngx_int_t
ngx_http_webhook_api_id(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation, json_t **id)
{
    u_char                         buf[32];
    json_t                        *json;
    ngx_str_t                      text;
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    value = reading->scope->id->elts;

    for (i = 0; i < reading->scope->id->nelts; i++) {

        /* what is left where all variables are empty is all executions' */

        if (value[i].text
            && reading->texts[value[i].index].len == value[i].literal)
        {
            continue;
        }

        if (ngx_http_webhook_api_value(reading, element, &value[i], &text,
                                       &json)
            != NGX_OK)
        {
            continue;
        }

        if (json
            && (json_is_boolean(json)
                || ngx_http_webhook_json_scalar(json, &text, buf) != NGX_OK
                || text.len == 0))
        {
            continue;
        }

        if (ngx_http_webhook_api_shared(&value[i])
            && ngx_http_webhook_api_copied(reading, text.len) != NGX_OK)
        {
            return NGX_ERROR;
        }

        observation->id.len = text.len;
        observation->id.data = ngx_pstrdup(reading->request->pool, &text);

        *id = json ? json_incref(json) : ngx_http_webhook_json_string(&text);

        if (observation->id.data == NULL || *id == NULL) {
            json_decref(*id);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/*
 * Whole members are put into the observation, values for parts of members into
 * reading->values, all as new references.
 */

static ngx_int_t
ngx_http_webhook_api_members(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation)
{
    json_t                         **result;
    ngx_uint_t                       i;
    ngx_http_webhook_api_member_t   *member;

    if (reading->scope->members == NULL) {
        return NGX_OK;
    }

    member = reading->scope->members->elts;

    for (i = 0; i < reading->scope->members->nelts; i++) {

        result = member[i].name.len ? &reading->values[i]
                                   : &observation->members[member[i].member];

        json_decref(*result);
        *result = NULL;

        if (ngx_http_webhook_api_member(reading, element, observation,
                                        &member[i], result)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_webhook_api_member(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_api_member_t *member, json_t **result)
{
    json_t                        *json;
    ngx_str_t                      text;
    ngx_uint_t                     i;
    ngx_http_webhook_api_value_t  *value;

    value = member->values->elts;

    for (i = 0; i < member->values->nelts; i++) {

        if (value[i].text == NULL && value[i].pointer.pointer.wildcards) {

            if (element == NULL
                || ngx_http_webhook_pointer_each(element,
                                              &value[i].pointer.pointer,
                                              ngx_http_webhook_api_list_item,
                                              NULL)
                   == NGX_DECLINED)
            {
                continue;
            }

            *result = ngx_http_webhook_api_list(element, &value[i].pointer);
            return *result ? NGX_OK : NGX_ERROR;
        }

        if (ngx_http_webhook_api_value(reading, element, &value[i], &text,
                                       &json)
            != NGX_OK)
        {
            continue;
        }

        if (json) {

            if (member->name.len == 0 && !json_is_object(json)
                && (member->member != NGX_HTTP_WEBHOOK_EXECUTION
                    || !(json_is_string(json) || json_is_number(json))))
            {
                continue;
            }

            if (ngx_http_webhook_api_shared(&value[i])) {
                observation->shared = 1;

                if (member->name.len == 0) {
                    reading->above |= 1 << member->member;
                }
            }

            *result = json_incref(json);
            return NGX_OK;
        }

        *result = ngx_http_webhook_json_string(&text);
        return *result ? NGX_OK : NGX_ERROR;
    }

    return NGX_OK;
}


static json_t *
ngx_http_webhook_api_list(json_t *element,
    ngx_http_webhook_api_pointer_t *pointer)
{
    json_t     *list;
    ngx_int_t   rc;

    list = json_array();
    if (list == NULL) {
        return NULL;
    }

    rc = ngx_http_webhook_pointer_each(element, &pointer->pointer,
                                       ngx_http_webhook_api_list_item, list);

    if (rc == NGX_ERROR) {
        json_decref(list);
        return NULL;
    }

    return list;
}


static ngx_int_t
ngx_http_webhook_api_list_item(void *data, json_t *element,
    const ngx_http_webhook_place_t *place)
{
    json_t *list = data;

    if (list && json_array_append(list, element) != 0) {
        return NGX_ERROR;
    }

    return NGX_OK;
}
