
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * api_updated: a document and "updated" of a route -> hashes, a change of which
 * may make an UPDATED event.  Next room: api.
 */


#include "ngx_http_webhook_api_priv.h"

#include <openssl/sha.h>


static ngx_int_t ngx_http_webhook_api_append(void *data, json_t *element,
    const ngx_http_webhook_place_t *place);
static int ngx_http_webhook_api_dump(const char *buffer, size_t size,
    void *data);


/*
 * The hashes are compared across machines and go into UUIDs, so they have no
 * key and do not depend on the order of an object's members.
 */

ngx_int_t
ngx_http_webhook_api_updated(ngx_http_webhook_api_reading_t *reading,
    json_t *element, ngx_http_webhook_observation_t *observation)
{
    u_char                         digest[SHA256_DIGEST_LENGTH];
    json_t                        *json;
    ngx_int_t                      rc;
    ngx_str_t                      text;
    ngx_uint_t                     i, n;
    ngx_http_webhook_text_t        hashed;
    ngx_http_webhook_api_found_t  *found;
    ngx_http_webhook_api_value_t  *value;

    if (reading->scope->updated == NULL) {
        return NGX_OK;
    }

    value = reading->scope->updated->elts;
    rc = NGX_OK;

    ngx_memzero(&hashed, sizeof(ngx_http_webhook_text_t));

    for (i = 0; i < reading->scope->updated->nelts; i++) {

        hashed.len = 0;
        found = NULL;

        if (value[i].text == NULL && value[i].pointer.pointer.wildcards) {

            if (element) {
                rc = ngx_http_webhook_pointer_each(element,
                                                   &value[i].pointer.pointer,
                                                   ngx_http_webhook_api_append,
                                                   &hashed);
            }

        } else if (ngx_http_webhook_api_value(reading, element, &value[i],
                                              &text, &json)
                   == NGX_OK)
        {
            if (json && ngx_http_webhook_api_shared(&value[i])) {
                found = &reading->found[value[i].index];

                if (found->hashed) {
                    observation->updated[i] = found->hash;
                    observation->updated_set |= 1U << i;
                    continue;
                }
            }

            if (json) {
                rc = ngx_http_webhook_api_append(&hashed, json, NULL);

            } else {
                ngx_http_webhook_text_append(&hashed, text.data, text.len);
                ngx_http_webhook_text_append(&hashed, "\n", 1);
            }
        }

        if (hashed.failed || rc == NGX_ERROR) {
            ngx_http_webhook_text_free(&hashed);
            return NGX_ERROR;
        }

        if (hashed.len == 0) {
            continue;
        }

        if (SHA256(hashed.data, hashed.len, digest) == NULL) {
            ngx_http_webhook_text_free(&hashed);
            return NGX_ERROR;
        }

        for (n = 0; n < 8; n++) {
            observation->updated[i] = observation->updated[i] << 8
                                      | digest[n];
        }

        observation->updated_set |= 1U << i;

        if (found) {
            found->hash = observation->updated[i];
            found->hashed = 1;
        }
    }

    ngx_http_webhook_text_free(&hashed);

    return NGX_OK;
}


/* appends a scalar's text or a container's JSON, and a newline */

static ngx_int_t
ngx_http_webhook_api_append(void *data, json_t *element,
    const ngx_http_webhook_place_t *place)
{
    ngx_http_webhook_text_t *hashed = data;

    u_char     buf[32];
    ngx_str_t  text;

    if (json_is_null(element)) {
        return NGX_OK;
    }

    if (ngx_http_webhook_json_scalar(element, &text, buf) == NGX_OK) {
        ngx_http_webhook_text_append(hashed, text.data, text.len);

    } else if (json_dump_callback(element, ngx_http_webhook_api_dump, hashed,
                                  JSON_COMPACT|JSON_SORT_KEYS)
               != 0)
    {
        return NGX_ERROR;
    }

    ngx_http_webhook_text_append(hashed, "\n", 1);

    return hashed->failed ? NGX_ERROR : NGX_OK;
}


static int
ngx_http_webhook_api_dump(const char *buffer, size_t size, void *data)
{
    ngx_http_webhook_text_t *hashed = data;

    ngx_http_webhook_text_append(hashed, buffer, size);

    return hashed->failed ? -1 : 0;
}
