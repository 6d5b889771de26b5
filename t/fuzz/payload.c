
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * What is sent of a document, the fuzzer's: members of a webhook are added,
 * what "match" says is looked up (a pointer in the first line), secrets are
 * left out, in both content types.  The document itself stays as it was.
 *
 * rooms: payload regex json_read json_escape json_pointer json_text
 */


#include "unit.h"
#include "ngx_http_webhook_payload.h"


#define SECRET  "password"


static ngx_str_t  words[] = { ngx_string(SECRET), ngx_string("token") };


static const char  *lines[][2] = {
    { "project.id", "4889" }, { "project.name", "\"Acme\"" },
    { "goal.id", "null" }, { "organization.owner.name", "\"x\"" },
    { "execution.id", "1" }, { "sender.email", "true" }
};


/* every member that is named so is three stars */

static void
redacted(json_t *value)
{
    size_t       i;
    json_t      *item;
    const char  *key;

    if (json_is_object(value)) {
        json_object_foreach(value, key, item) {

            if (strcmp(key, SECRET) == 0
                && (!json_is_string(item)
                    || strcmp(json_string_value(item), "***") != 0))
            {
                abort();
            }

            redacted(item);
        }

        return;
    }

    json_array_foreach(value, i, item) {
        redacted(item);
    }
}


static u_char
hex(u_char ch)
{
    return (ch <= '9') ? ch - '0' : (ch | 0x20) - 'a' + 10;
}


/* percent-encoded, and the same again */

static void
form(ngx_http_webhook_text_t *json)
{
    size_t                    i, n;
    u_char                    ch;
    ngx_str_t                 text;
    ngx_http_webhook_text_t   body;

    memset(&body, 0, sizeof(body));

    text.data = json->data;
    text.len = json->len;

    ngx_http_webhook_payload_body(&body, 1, &text);

    if (body.failed || body.len < 8 || memcmp(body.data, "payload=", 8) != 0) {
        abort();
    }

    n = 0;

    for (i = 8; i < body.len; i++) {
        ch = body.data[i];

        if (ch == '%') {
            ch = hex(body.data[i + 1]) << 4 | hex(body.data[i + 2]);
            i += 2;

        } else if (ch == '+') {
            ch = ' ';
        }

        if (n == json->len || ch != json->data[n++]) {
            abort();
        }
    }

    if (n != json->len) {
        abort();
    }

    ngx_http_webhook_text_free(&body);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t                          *doc, *again, *payload;
    u_char                          *eol;
    ngx_str_t                        line;
    ngx_uint_t                       i;
    ngx_pool_t                      *pool;
    ngx_array_t                      redact;
    const char                      *reason;
    ngx_http_webhook_hook_t          hook;
    ngx_http_webhook_text_t          before, after, out;
    ngx_http_webhook_match_t        *match;
    ngx_http_webhook_member_t       *member;
    ngx_http_webhook_observation_t   ob;

    eol = memchr(data, '\n', size);

    if (eol == NULL) {
        return 0;
    }

    doc = ngx_http_webhook_json_parse(eol + 1, data + size - eol - 1, &reason);

    if (doc == NULL) {
        return 0;
    }

    pool = pool_create();

    memset(&ob, 0, sizeof(ob));
    memset(&hook, 0, sizeof(hook));
    memset(&before, 0, sizeof(before));
    memset(&after, 0, sizeof(after));
    memset(&out, 0, sizeof(out));

    array_init(&hook.members, pool, sizeof(ngx_http_webhook_member_t));
    array_init(&hook.match, pool, sizeof(ngx_http_webhook_match_t));

    hook.active = 1;
    hook.events = ~0;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {

        if ((eol - data) & (1 << i)) {
            member = ngx_array_push(&hook.members);
            member->name = text(lines[i][0]);
            member->value = text(lines[i][1]);
        }
    }

    line.data = (u_char *) data;
    line.len = eol - data;

    match = ngx_array_push(&hook.match);

    if (ngx_http_webhook_pointer_compile(pool, &line, 0, &match->pointer)) {
        memset(&match->pointer, 0, sizeof(ngx_http_webhook_pointer_t));
    }

    array_init(&match->values, pool, sizeof(ngx_http_webhook_value_match_t));

    /* the same value in several places, as rules may put it */

    if (json_is_object(doc)) {
        ob.members[NGX_HTTP_WEBHOOK_EXECUTION] = doc;
        ob.members[NGX_HTTP_WEBHOOK_PROJECT] = json_object_get(doc, "project");
        ob.members[NGX_HTTP_WEBHOOK_GOAL] = json_object_get(doc, "item");
        ob.members[NGX_HTTP_WEBHOOK_SENDER] = doc;
    }

    ngx_http_webhook_json_write(&before, doc, NULL);

    payload = ngx_http_webhook_payload_execution(NGX_HTTP_WEBHOOK_FINISHED,
                                                 &ob, &hook);
    if (payload == NULL) {
        abort();
    }

    (void) ngx_http_webhook_payload_wanted(&hook, NGX_HTTP_WEBHOOK_FINISHED,
                                           payload);

    redact.elts = words;
    redact.nelts = 2;
    redact.size = sizeof(ngx_str_t);

    ngx_http_webhook_json_write(&out, payload, &redact);
    ngx_http_webhook_json_write(&after, doc, NULL);

    if (out.failed
        || before.len != after.len
        || memcmp(before.data, after.data, before.len) != 0)
    {
        abort();
    }

    again = ngx_http_webhook_json_parse(out.data, out.len, &reason);

    if (again) {
        redacted(again);

    } else if (strcmp(reason, "too deep") != 0
               && strcmp(reason, "too many values") != 0)
    {
        abort();
    }

    form(&out);

    json_decref(again);
    json_decref(payload);
    json_decref(doc);

    ngx_http_webhook_text_free(&before);
    ngx_http_webhook_text_free(&after);
    ngx_http_webhook_text_free(&out);
    pool_destroy(pool);

    return 0;
}
