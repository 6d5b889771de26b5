
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * payload: members of an observation and constants of a webhook -> the JSON
 * that is sent.  Observations are shared by all webhooks of a location: an
 * object is copied, level by level, before anything is added to it.  Next
 * room: queue.
 */


#include "ngx_http_webhook_payload.h"
#include "ngx_http_webhook_regex.h"


#define NGX_HTTP_WEBHOOK_KEY_MAX      256     /* bytes of a constant's name */


static ngx_int_t ngx_http_webhook_payload_members(json_t *payload,
    json_t **members, const ngx_uint_t *order, ngx_uint_t n,
    ngx_http_webhook_hook_t *hook);
static json_t *ngx_http_webhook_payload_fill(json_t *base, u_char *path,
    size_t len, json_t *constant);
static u_char *ngx_http_webhook_payload_dot(ngx_str_t *name);
static json_t *ngx_http_webhook_payload_word(json_t **word, ngx_str_t *text);
static ngx_int_t ngx_http_webhook_payload_set(json_t *object, const char *name,
    json_t *value);
static json_t *ngx_http_webhook_payload_events(ngx_uint_t events);
static ngx_uint_t ngx_http_webhook_payload_value(
    ngx_http_webhook_value_match_t *match, ngx_str_t *text);


static ngx_str_t  ngx_http_webhook_events[] = {
    ngx_string("NONE"),
    ngx_string("LAUNCHED"),
    ngx_string("STARTED"),
    ngx_string("FINISHED"),
    ngx_string("UPDATED"),
    ngx_string("PING")
};


static ngx_str_t  ngx_http_webhook_types[] = {
    ngx_string("EXECUTION"),
    ngx_string("PING")
};


/* the same as values, made when they are needed first */

static json_t  *ngx_http_webhook_event_words[
    sizeof(ngx_http_webhook_events) / sizeof(ngx_str_t)];
static json_t  *ngx_http_webhook_execution_word;


/* in the order of NGX_HTTP_WEBHOOK_EXECUTION, ... */

static ngx_str_t  ngx_http_webhook_members[] = {
    ngx_string("execution"),
    ngx_string("goal"),
    ngx_string("sender"),
    ngx_string("project"),
    ngx_string("snapshot"),
    ngx_string("organization")
};


/* the documented order */

static const ngx_uint_t  ngx_http_webhook_execution_order[] = {
    NGX_HTTP_WEBHOOK_EXECUTION,
    NGX_HTTP_WEBHOOK_GOAL,
    NGX_HTTP_WEBHOOK_SENDER,
    NGX_HTTP_WEBHOOK_PROJECT,
    NGX_HTTP_WEBHOOK_SNAPSHOT,
    NGX_HTTP_WEBHOOK_ORGANIZATION
};


static const ngx_uint_t  ngx_http_webhook_ping_order[] = {
    NGX_HTTP_WEBHOOK_SENDER,
    NGX_HTTP_WEBHOOK_ORGANIZATION,
    NGX_HTTP_WEBHOOK_PROJECT
};


ngx_str_t *
ngx_http_webhook_event_name(ngx_uint_t event)
{
    return &ngx_http_webhook_events[event];
}


ngx_str_t *
ngx_http_webhook_event_type(ngx_uint_t event)
{
    return &ngx_http_webhook_types[event == NGX_HTTP_WEBHOOK_PING];
}


json_t *
ngx_http_webhook_payload_execution(ngx_uint_t event,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_hook_t *hook)
{
    json_t      *payload, *members[NGX_HTTP_WEBHOOK_MEMBERS];
    ngx_uint_t   i;

    payload = json_object();

    if (ngx_http_webhook_payload_set(payload, "type",
            ngx_http_webhook_payload_word(&ngx_http_webhook_execution_word,
                                          ngx_http_webhook_event_type(event)))
        != NGX_OK
        || ngx_http_webhook_payload_set(payload, "event",
               ngx_http_webhook_payload_word(
                   &ngx_http_webhook_event_words[event],
                   ngx_http_webhook_event_name(event)))
           != NGX_OK)
    {
        json_decref(payload);
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_WEBHOOK_MEMBERS; i++) {
        members[i] = json_incref(observation->members[i]);
    }

    if (ngx_http_webhook_payload_members(payload, members,
                                         ngx_http_webhook_execution_order,
                                         NGX_HTTP_WEBHOOK_MEMBERS, hook)
        != NGX_OK)
    {
        json_decref(payload);
        return NULL;
    }

    return payload;
}


json_t *
ngx_http_webhook_payload_ping(ngx_http_webhook_hook_t *hook, ngx_str_t *user)
{
    json_t  *payload, *config, *members[NGX_HTTP_WEBHOOK_MEMBERS];

    payload = json_object();
    config = ngx_http_webhook_payload_hook(hook);

    if (config == NULL
        || ngx_http_webhook_payload_set(payload, "type",
               ngx_http_webhook_json_string(
                   ngx_http_webhook_event_type(NGX_HTTP_WEBHOOK_PING)))
           != NGX_OK)
    {
        goto failed;
    }

    ngx_memzero(members, sizeof(members));

    if (user->len) {
        members[NGX_HTTP_WEBHOOK_SENDER] = json_object();

        if (ngx_http_webhook_payload_set(members[NGX_HTTP_WEBHOOK_SENDER],
                "name", ngx_http_webhook_json_string(user))
            != NGX_OK)
        {
            json_decref(members[NGX_HTTP_WEBHOOK_SENDER]);
            goto failed;
        }
    }

    if (ngx_http_webhook_payload_members(payload, members,
                                         ngx_http_webhook_ping_order, 3, hook)
        != NGX_OK
        || ngx_http_webhook_payload_set(payload, "webhookId",
                                        json_integer(hook->id))
           != NGX_OK
        || ngx_http_webhook_payload_set(payload, "webhook",
                                        json_incref(config))
           != NGX_OK
        || ngx_http_webhook_payload_set(payload, "hook_id",
                                        json_integer(hook->id))
           != NGX_OK
        || ngx_http_webhook_payload_set(payload, "hook", json_incref(config))
           != NGX_OK)
    {
        goto failed;
    }

    json_decref(config);

    return payload;

failed:

    json_decref(config);
    json_decref(payload);

    return NULL;
}


/* adds members and constants to the payload; references are taken over */

static ngx_int_t
ngx_http_webhook_payload_members(json_t *payload, json_t **members,
    const ngx_uint_t *order, ngx_uint_t n, ngx_http_webhook_hook_t *hook)
{
    u_char                     *p;
    size_t                      len;
    json_t                     *constant, *filled;
    ngx_int_t                   rc;
    ngx_uint_t                  i, k, rest;
    ngx_http_webhook_member_t  *member;

    rc = NGX_OK;
    member = hook->members.elts;

    for (i = 0; i < hook->members.nelts && rc == NGX_OK; i++) {

        p = ngx_http_webhook_payload_dot(&member[i].name);
        len = p - member[i].name.data;
        rest = member[i].name.len - len;

        for (k = 0; k < NGX_HTTP_WEBHOOK_MEMBERS; k++) {
            if (len == ngx_http_webhook_members[k].len
                && ngx_memcmp(member[i].name.data,
                              ngx_http_webhook_members[k].data, len)
                   == 0)
            {
                break;
            }
        }

        if (k == NGX_HTTP_WEBHOOK_MEMBERS) {
            continue;
        }

        constant = json_loadb((char *) member[i].value.data,
                              member[i].value.len, JSON_DECODE_ANY, NULL);

        filled = ngx_http_webhook_payload_fill(members[k], p, rest, constant);

        json_decref(constant);

        if (filled == NULL) {
            rc = NGX_ERROR;
            break;
        }

        json_decref(members[k]);
        members[k] = filled;
    }

    for (i = 0; i < n; i++) {

        k = order[i];

        if (members[k]
            && ngx_http_webhook_payload_set(payload,
                   (char *) ngx_http_webhook_members[k].data,
                   json_incref(members[k]))
               != NGX_OK)
        {
            rc = NGX_ERROR;
        }
    }

    for (k = 0; k < NGX_HTTP_WEBHOOK_MEMBERS; k++) {
        json_decref(members[k]);
    }

    return rc;
}


/*
 * A new reference to "base" with "constant" at a path (".id", or nothing),
 * unless something other than null is there already.
 */

static json_t *
ngx_http_webhook_payload_fill(json_t *base, u_char *path, size_t len,
    json_t *constant)
{
    char        key[NGX_HTTP_WEBHOOK_KEY_MAX];
    u_char     *p;
    json_t     *old, *new, *copy;
    ngx_str_t   name;

    if (len == 0) {
        return json_incref(base && !json_is_null(base) ? base : constant);
    }

    if (base && !json_is_null(base) && !json_is_object(base)) {
        return json_incref(base);
    }

    name.data = path + 1;
    name.len = len - 1;

    p = ngx_http_webhook_payload_dot(&name);
    len = path + len - p;
    name.len = p - name.data;

    if (name.len >= sizeof(key)) {
        return NULL;
    }

    ngx_memcpy(key, name.data, name.len);
    key[name.len] = '\0';

    old = json_object_get(base, key);

    new = ngx_http_webhook_payload_fill(old, p, len, constant);

    if (new == NULL || new == old) {
        json_decref(new);
        return new ? json_incref(base) : NULL;
    }

    copy = json_is_object(base) ? json_copy(base) : json_object();

    if (ngx_http_webhook_payload_set(copy, key, new) != NGX_OK) {
        json_decref(copy);
        return NULL;
    }

    return copy;
}


static u_char *
ngx_http_webhook_payload_dot(ngx_str_t *name)
{
    u_char  *p;

    p = memchr(name->data, '.', name->len);

    return p ? p : name->data + name->len;
}


static json_t *
ngx_http_webhook_payload_word(json_t **word, ngx_str_t *text)
{
    if (*word == NULL) {
        *word = ngx_http_webhook_json_string(text);
    }

    return json_incref(*word);
}


/* takes over the reference to "value"; both may be NULL: no memory */

static ngx_int_t
ngx_http_webhook_payload_set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0 ? NGX_OK : NGX_ERROR;
}


json_t *
ngx_http_webhook_payload_hook(ngx_http_webhook_hook_t *hook)
{
    json_t     *config;
    ngx_str_t   type;

    if (hook->form) {
        ngx_str_set(&type, "application/x-www-form-urlencoded");

    } else {
        ngx_str_set(&type, "application/json");
    }

    config = json_object();

    if (ngx_http_webhook_payload_set(config, "id", json_integer(hook->id))
        != NGX_OK
        || ngx_http_webhook_payload_set(config, "name",
               ngx_http_webhook_json_string(&hook->name))
           != NGX_OK
        || ngx_http_webhook_payload_set(config, "url",
               ngx_http_webhook_json_string(&hook->shown))
           != NGX_OK
        || ngx_http_webhook_payload_set(config, "contentType",
               ngx_http_webhook_json_string(&type))
           != NGX_OK
        || ngx_http_webhook_payload_set(config, "events",
               ngx_http_webhook_payload_events(hook->events))
           != NGX_OK
        || ngx_http_webhook_payload_set(config, "description",
               ngx_http_webhook_json_string(&hook->description))
           != NGX_OK
        || ngx_http_webhook_payload_set(config, "active",
                                        json_boolean(hook->active))
           != NGX_OK)
    {
        json_decref(config);
        return NULL;
    }

    return config;
}


static json_t *
ngx_http_webhook_payload_events(ngx_uint_t events)
{
    json_t      *list;
    ngx_uint_t   i;

    static const ngx_uint_t  order[] = {
        NGX_HTTP_WEBHOOK_PING,
        NGX_HTTP_WEBHOOK_LAUNCHED,
        NGX_HTTP_WEBHOOK_STARTED,
        NGX_HTTP_WEBHOOK_UPDATED,
        NGX_HTTP_WEBHOOK_FINISHED
    };

    list = json_array();

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {

        if (!(events & ngx_http_webhook_event_bit(order[i]))) {
            continue;
        }

        if (json_array_append_new(list,
                ngx_http_webhook_json_string(
                    ngx_http_webhook_event_name(order[i])))
            != 0)
        {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


ngx_uint_t
ngx_http_webhook_payload_wanted(ngx_http_webhook_hook_t *hook,
    ngx_uint_t event, json_t *payload)
{
    u_char                     buf[32];
    json_t                    *value;
    ngx_str_t                  text, *subject;
    ngx_uint_t                 i;
    ngx_http_webhook_match_t  *match;

    if (!hook->active || !(hook->events & ngx_http_webhook_event_bit(event))) {
        return 0;
    }

    if (event == NGX_HTTP_WEBHOOK_PING) {
        return 1;
    }

    match = hook->match.elts;

    for (i = 0; i < hook->match.nelts; i++) {

        value = ngx_http_webhook_pointer_get(payload, &match[i].pointer);
        subject = NULL;

        if (value && !json_is_null(value)) {

            /* of an object or a list no more than its presence matters */

            subject = &text;
            (void) ngx_http_webhook_json_scalar(value, &text, buf);
        }

#if (NGX_PCRE)
        ngx_http_webhook_regex_next();
#endif

        if (!ngx_http_webhook_payload_match(&match[i].values, subject)) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_webhook_payload_match(ngx_array_t *values, ngx_str_t *text)
{
    ngx_uint_t                       i, found, positive;
    ngx_http_webhook_value_match_t  *match;

    found = 0;
    positive = 0;
    match = values->elts;

    for (i = 0; i < values->nelts; i++) {

        if (match[i].negative) {

            if (ngx_http_webhook_payload_value(&match[i], text)) {
                return 0;
            }

#if (NGX_PCRE)

            /* it might have matched */

            if (match[i].regex && text && ngx_http_webhook_regex_spent()) {
                return 0;
            }

#endif

            continue;
        }

        positive = 1;

        if (!found && ngx_http_webhook_payload_value(&match[i], text)) {
            found = 1;
        }
    }

    return found || !positive;
}


static ngx_uint_t
ngx_http_webhook_payload_value(ngx_http_webhook_value_match_t *match,
    ngx_str_t *text)
{
    if (text == NULL) {
        return 0;
    }

    if (match->any) {
        return 1;
    }

    if (text->data == NULL) {
        return 0;
    }

#if (NGX_PCRE)

    if (match->regex) {
        return ngx_http_webhook_regex_match(match->regex, text);
    }

#endif

    return text->len == match->text.len
           && ngx_memcmp(text->data, match->text.data, text->len) == 0;
}


void
ngx_http_webhook_payload_body(ngx_http_webhook_text_t *body, ngx_uint_t form,
    ngx_str_t *json)
{
    u_char   c, *p, *last, *start, escaped[3];

    static const u_char  hex[] = "0123456789ABCDEF";

    if (!form) {
        ngx_http_webhook_text_append(body, json->data, json->len);
        return;
    }

    ngx_http_webhook_text_append(body, "payload=", 8);

    last = json->data + json->len;

    for (p = json->data; p < last; /* void */ ) {

        start = p;

        while (p < last
               && ((*p >= '0' && *p <= '9')
                   || (*p >= 'A' && *p <= 'Z')
                   || (*p >= 'a' && *p <= 'z')
                   || *p == '*' || *p == '-' || *p == '.' || *p == '_'))
        {
            p++;
        }

        ngx_http_webhook_text_append(body, start, p - start);

        if (p == last) {
            break;
        }

        c = *p++;

        if (c == ' ') {
            ngx_http_webhook_text_append(body, "+", 1);
            continue;
        }

        escaped[0] = '%';
        escaped[1] = hex[c >> 4];
        escaped[2] = hex[c & 15];

        ngx_http_webhook_text_append(body, escaped, 3);
    }
}
