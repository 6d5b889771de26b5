
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: payload regex json_read json_escape json_pointer json_text
 */


#include "unit.h"
#include "ngx_http_webhook_payload.h"


static void names(void);
static void executions(void);
static void sharing(void);
static void pings(void);
static void values(void);
static void wanted(void);
static void bodies(void);


static ngx_pool_t               *pool;
static ngx_http_webhook_hook_t   hook;


static void
fresh(void)
{
    memset(&hook, 0, sizeof(hook));

    hook.name = text("ci");
    hook.id = 12345;
    hook.url = text("https://user:pw@ci.example.com/hooks/virtuoso?t=s3");
    hook.shown = text("https://ci.example.com/hooks/virtuoso?t=***");
    hook.description = text("tells CI that a run is over");
    hook.active = 1;
    hook.events = ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_FINISHED)
                  | ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_PING);

    array_init(&hook.members, pool, sizeof(ngx_http_webhook_member_t));
    array_init(&hook.match, pool, sizeof(ngx_http_webhook_match_t));
}


static void
member(const char *name, const char *value)
{
    ngx_http_webhook_member_t  *m;

    m = ngx_array_push(&hook.members);
    m->name = text(name);
    m->value = text(value);
}


static void
expect_json(json_t *value, const char *expected, const char *name)
{
    ngx_http_webhook_text_t  out;

    memset(&out, 0, sizeof(out));

    if (value) {
        ngx_http_webhook_json_write(&out, value, NULL);
    }

    check_text(out.data, out.len, expected, "%s", name);

    ngx_http_webhook_text_free(&out);
}


static json_t *
parse(const char *json)
{
    return json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
}


int
main(void)
{
    pool = pool_create();

    names();
    executions();
    sharing();
    pings();
    values();
    wanted();
    bodies();

    pool_destroy(pool);

    return 0;
}


static void
names(void)
{
    ngx_str_t   *name, *type;
    ngx_uint_t   i;

    static const char  *expected[] = {
        "LAUNCHED", "STARTED", "FINISHED", "UPDATED", "PING"
    };

    for (i = NGX_HTTP_WEBHOOK_LAUNCHED; i <= NGX_HTTP_WEBHOOK_PING; i++) {
        name = ngx_http_webhook_event_name(i);
        type = ngx_http_webhook_event_type(i);

        check_text(name->data, name->len, expected[i - 1], "event %s",
                   expected[i - 1]);
        check_text(type->data, type->len,
                   (i == NGX_HTTP_WEBHOOK_PING) ? "PING" : "EXECUTION",
                   "its type");
    }
}


static void
executions(void)
{
    json_t                          *payload;
    ngx_uint_t                       i, k;
    ngx_http_webhook_observation_t   observation;

    static const struct {
        const char  *name;
        const char  *members[6];   /* execution, goal, sender, project,
                                      snapshot, organization */
        const char  *lines[8];
        const char  *expected;
    } tests[] = {
        { "all of it",
          { "{\"id\":5}", "{\"id\":1}", "{\"id\":2,\"name\":\"n\"}",
            "{\"id\":3}", "{\"id\":4}", "{\"id\":6}" },
          { NULL },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5},\"goal\":{\"id\":1},"
          "\"sender\":{\"id\":2,\"name\":\"n\"},\"project\":{\"id\":3},"
          "\"snapshot\":{\"id\":4},\"organization\":{\"id\":6}}" },

        { "what nothing provides is left out",
          { "{\"id\":5}", NULL, NULL, NULL, NULL, NULL }, { NULL },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5}}" },

        { "constants stand where they belong",
          { "{\"id\":5}", NULL, NULL, NULL, "{\"id\":4}", NULL },
          { "organization.name", "\"Acme\"", "project.id", "4889",
            "sender.bot", "true" },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5},\"sender\":{\"bot\":true},"
          "\"project\":{\"id\":4889},\"snapshot\":{\"id\":4},"
          "\"organization\":{\"name\":\"Acme\"}}" },

        { "constants fill only what is lacking",
          { "{\"id\":5,\"a\":{\"b\":1}}", NULL, NULL, "{\"id\":3}", NULL,
            NULL },
          { "project.id", "4889", "project.name", "\"x\"", "execution.a.c",
            "2", "execution.a.b", "9" },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5,\"a\":{\"b\":1,\"c\":2}},"
          "\"project\":{\"id\":3,\"name\":\"x\"}}" },

        { "null is lacking, false and 0 are not",
          { "{\"id\":5,\"n\":null,\"f\":false,\"z\":0}", NULL, NULL, NULL,
            NULL, NULL },
          { "execution.n", "1", "execution.f", "1", "execution.z", "1" },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5,\"n\":1,\"f\":false,\"z\":0}}" },

        { "a scalar in the way stays",
          { "{\"id\":5,\"p\":7}", NULL, NULL, NULL, NULL, NULL },
          { "execution.p.id", "1" },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5,\"p\":7}}" },

        { "a whole member as a constant, and more in it",
          { "{\"id\":5}", NULL, NULL, NULL, NULL, NULL },
          { "goal", "{\"id\":1}", "goal.name", "\"g\"", "goal.deep.er",
            "[1]" },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5},"
          "\"goal\":{\"id\":1,\"name\":\"g\",\"deep\":{\"er\":[1]}}}" },

        { "no other member, nor what is there already",
          { "{\"id\":5}", NULL, NULL, NULL, NULL, NULL },
          { "type", "\"X\"", "event", "1", "projects.id", "1" },
          "{\"type\":\"EXECUTION\",\"event\":\"STARTED\","
          "\"execution\":{\"id\":5}}" },

        { NULL, { NULL }, { NULL }, NULL }
    };

    for (i = 0; tests[i].name; i++) {
        fresh();

        memset(&observation, 0, sizeof(observation));

        for (k = 0; k < 6; k++) {
            observation.members[k] = parse(tests[i].members[k]);
        }

        for (k = 0; k < 8 && tests[i].lines[k]; k += 2) {
            member(tests[i].lines[k], tests[i].lines[k + 1]);
        }

        payload = ngx_http_webhook_payload_execution(NGX_HTTP_WEBHOOK_STARTED,
                                                     &observation, &hook);

        expect_json(payload, tests[i].expected, tests[i].name);

        json_decref(payload);

        for (k = 0; k < 6; k++) {

            if (tests[i].members[k]) {
                expect_json(observation.members[k], tests[i].members[k],
                            "  the observation is as it was");
            }

            json_decref(observation.members[k]);
        }
    }
}


static void
sharing(void)
{
    json_t                          *payload, *execution;
    ngx_http_webhook_observation_t   observation;

    fresh();

    memset(&observation, 0, sizeof(observation));
    execution = parse("{\"id\":5,\"big\":[1,2,3]}");
    observation.members[NGX_HTTP_WEBHOOK_EXECUTION] = execution;

    payload = ngx_http_webhook_payload_execution(NGX_HTTP_WEBHOOK_FINISHED,
                                                 &observation, &hook);
    check(json_object_get(payload, "execution") == execution,
          "without constants nothing is copied");
    json_decref(payload);

    member("execution.more", "1");

    payload = ngx_http_webhook_payload_execution(NGX_HTTP_WEBHOOK_FINISHED,
                                                 &observation, &hook);
    check(json_object_get(payload, "execution") != execution
          && json_object_get(json_object_get(payload, "execution"), "big")
             == json_object_get(execution, "big"),
          "with one no more than a level");
    json_decref(payload);

    json_decref(execution);
}


static void
pings(void)
{
    json_t     *payload;
    ngx_str_t   nobody, alice, latin;

    static const char  config[] =
        "{\"id\":12345,\"name\":\"ci\","
        "\"url\":\"https://ci.example.com/hooks/virtuoso?t=***\","
        "\"contentType\":\"application/json\",\"events\":[\"PING\","
        "\"FINISHED\"],\"description\":\"tells CI that a run is over\","
        "\"active\":true}";

    static char  expected[2048];

    nobody = text("");
    alice = text("alice");
    latin = text("Ren\xe9");

    fresh();
    payload = ngx_http_webhook_payload_ping(&hook, &nobody);

    snprintf(expected, sizeof(expected),
             "{\"type\":\"PING\",\"webhookId\":12345,\"webhook\":%s,"
             "\"hook_id\":12345,\"hook\":%s}", config, config);

    expect_json(payload, expected, "ping");
    json_decref(payload);

    member("project.id", "4889");
    member("organization.name", "\"Acme\"");
    member("sender.name", "\"robot\"");
    member("sender.email", "\"ci@acme.test\"");
    member("execution.x", "1");

    payload = ngx_http_webhook_payload_ping(&hook, &nobody);

    snprintf(expected, sizeof(expected),
             "{\"type\":\"PING\",\"sender\":{\"name\":\"robot\","
             "\"email\":\"ci@acme.test\"},\"organization\":{\"name\":\"Acme\"}"
             ",\"project\":{\"id\":4889},\"webhookId\":12345,\"webhook\":%s,"
             "\"hook_id\":12345,\"hook\":%s}", config, config);

    expect_json(payload, expected, "ping with constants");
    json_decref(payload);

    payload = ngx_http_webhook_payload_ping(&hook, &alice);

    snprintf(expected, sizeof(expected),
             "{\"type\":\"PING\",\"sender\":{\"name\":\"alice\","
             "\"email\":\"ci@acme.test\"},\"organization\":{\"name\":\"Acme\"}"
             ",\"project\":{\"id\":4889},\"webhookId\":12345,\"webhook\":%s,"
             "\"hook_id\":12345,\"hook\":%s}", config, config);

    expect_json(payload, expected, "ping by hand");
    json_decref(payload);

    payload = ngx_http_webhook_payload_ping(&hook, &latin);
    expect_json(json_object_get(json_object_get(payload, "sender"), "name"),
                "\"Ren\xef\xbf\xbd\"", "ping by somebody in latin-1");
    json_decref(payload);

    fresh();
    hook.form = 1;
    hook.active = 0;
    hook.events = NGX_HTTP_WEBHOOK_EXECUTION_BITS
                  | ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_PING);
    hook.description = text("");

    payload = ngx_http_webhook_payload_hook(&hook);
    expect_json(payload,
                "{\"id\":12345,\"name\":\"ci\","
                "\"url\":\"https://ci.example.com/hooks/virtuoso?t=***\","
                "\"contentType\":\"application/x-www-form-urlencoded\","
                "\"events\":[\"PING\",\"LAUNCHED\",\"STARTED\",\"UPDATED\","
                "\"FINISHED\"],\"description\":\"\",\"active\":false}",
                "the configuration");
    json_decref(payload);
}


/* a value as written in a match line */

static void
value(ngx_array_t *array, const char *written)
{
    ngx_http_webhook_value_match_t  *match;

    match = ngx_array_push(array);
    memset(match, 0, sizeof(*match));

    if (*written == '!') {
        match->negative = 1;
        written++;
    }

#if (NGX_PCRE2)
    if (*written == '~') {
        int     error;
        size_t  offset;

        written++;
        match->regex = pcre2_compile((u_char *) written, strlen(written), 0,
                                     &error, &offset, NULL);
    }
#endif

    match->any = (strcmp(written, "*") == 0);
    match->text = text(written);
}


static void
release(ngx_array_t *array)
{
#if (NGX_PCRE2)
    ngx_uint_t                       i;
    ngx_http_webhook_value_match_t  *match;

    match = array->elts;

    for (i = 0; i < array->nelts; i++) {
        pcre2_code_free(match[i].regex);
    }
#endif
}


static void
values(void)
{
    char         *big;
    ngx_str_t     subject;
    ngx_uint_t    i, k;
    ngx_array_t   array;

    static const struct {
        const char  *values[4];
        const char  *subject;      /* NULL: absent */
        ngx_uint_t   expected;
    } tests[] = {
        { { "PASS" }, "PASS", 1 },
        { { "PASS" }, "pass", 0 },
        { { "PASS" }, "PASSED", 0 },
        { { "PASS" }, NULL, 0 },
        { { "PASS", "FAIL" }, "FAIL", 1 },
        { { "PASS", "FAIL" }, "ERROR", 0 },
        { { "!PASS" }, "PASS", 0 },
        { { "!PASS" }, "FAIL", 1 },
        { { "!PASS" }, NULL, 1 },
        { { "!PASS", "!FAIL" }, "FAIL", 0 },
        { { "!PASS", "!FAIL" }, "ERROR", 1 },
        { { "*", "!FAIL" }, "FAIL", 0 },
        { { "*", "!FAIL" }, "PASS", 1 },
        { { "*", "!FAIL" }, NULL, 0 },
        { { "*" }, "anything", 1 },
        { { "*" }, "", 1 },
        { { "*" }, NULL, 0 },
        { { "!*" }, "anything", 0 },
        { { "!*" }, NULL, 1 },
        { { "" }, "", 1 },
        { { "" }, NULL, 0 },
        { { "~^P" }, "PASS", 1 },
        { { "~^P" }, "FAIL", 0 },
        { { "~^P" }, NULL, 0 },
        { { "!~^P" }, "PASS", 0 },
        { { "!~^P" }, "FAIL", 1 },
        { { NULL }, NULL, 0 }
    };

    for (i = 0; tests[i].values[0]; i++) {
        array_init(&array, pool, sizeof(ngx_http_webhook_value_match_t));

        for (k = 0; k < 4 && tests[i].values[k]; k++) {
            value(&array, tests[i].values[k]);
        }

        subject = text(tests[i].subject ? tests[i].subject : "");

        check_number(ngx_http_webhook_payload_match(&array,
                         tests[i].subject ? &subject : NULL),
                     tests[i].expected, "match \"%s\" \"%s\": %s",
                     tests[i].values[0],
                     tests[i].values[1] ? tests[i].values[1] : "",
                     tests[i].subject ? tests[i].subject : "absent");

        release(&array);
    }

    big = malloc(10000);
    memset(big, 'a', 10000);
    big[4095] = 'x';
    big[4096] = 'y';

    subject.data = (u_char *) big;
    subject.len = 10000;

    array_init(&array, pool, sizeof(ngx_http_webhook_value_match_t));
    value(&array, "~x");
    check(ngx_http_webhook_payload_match(&array, &subject) == 1,
          "a regex looks at 4 KB");
    release(&array);

    array_init(&array, pool, sizeof(ngx_http_webhook_value_match_t));
    value(&array, "~y");
    check(ngx_http_webhook_payload_match(&array, &subject) == 0,
          "and no more");
    release(&array);

    free(big);

    ngx_str_null(&subject);

    array_init(&array, pool, sizeof(ngx_http_webhook_value_match_t));
    value(&array, "~^");
    check(ngx_http_webhook_payload_match(&array, &subject) == 0,
          "an object is no text for a regex");
    release(&array);

    array_init(&array, pool, sizeof(ngx_http_webhook_value_match_t));
    value(&array, "!~^$");
    check(ngx_http_webhook_payload_match(&array, &subject) == 1,
          "nor the empty one");
    release(&array);
}


static void
line(const char *pointer, const char *written)
{
    ngx_str_t                  s;
    ngx_http_webhook_match_t  *match;

    s = text(pointer);

    match = ngx_array_push(&hook.match);
    ngx_http_webhook_pointer_compile(pool, &s, 0, &match->pointer);

    array_init(&match->values, pool, sizeof(ngx_http_webhook_value_match_t));
    value(&match->values, written);
}


static void
wanted(void)
{
    json_t      *payload;
    ngx_uint_t   i;

    static const struct {
        const char  *pointer[2];
        const char  *value[2];
        ngx_uint_t   expected;
    } tests[] = {
        { { NULL }, { NULL }, 1 },
        { { "/project/id" }, { "4889" }, 1 },
        { { "/project/id" }, { "4888" }, 0 },
        { { "/project/id", "/event" }, { "4889", "FINISHED" }, 1 },
        { { "/project/id", "/event" }, { "4889", "STARTED" }, 0 },
        { { "/project/id", "/event" }, { "1", "FINISHED" }, 0 },
        { { "/execution/ok" }, { "true" }, 1 },
        { { "/execution/progress" }, { "0.1" }, 1 },
        { { "/execution/none" }, { "*" }, 0 },
        { { "/execution/none" }, { "!x" }, 1 },
        { { "/execution/tags" }, { "*" }, 1 },
        { { "/execution/tags" }, { "" }, 0 },
        { { "/execution/tags" }, { "!" }, 1 },
        { { "/execution/note" }, { "" }, 1 },
        { { "/execution/note" }, { "!" }, 0 },
        { { "/execution/tags/0" }, { "nightly" }, 1 },
        { { "/execution/a~1b" }, { "1" }, 1 },
        { { "/execution" }, { "!*" }, 0 },
        { { "/goal" }, { "!*" }, 1 }
    };

    payload = parse("{\"type\":\"EXECUTION\",\"event\":\"FINISHED\","
                    "\"execution\":{\"id\":5,\"ok\":true,\"progress\":0.1,"
                    "\"none\":null,\"tags\":[\"nightly\"],\"a/b\":1,"
                    "\"note\":\"\"},"
                    "\"project\":{\"id\":4889}}");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        fresh();

        if (tests[i].pointer[0]) {
            line(tests[i].pointer[0], tests[i].value[0]);
        }

        if (tests[i].pointer[1]) {
            line(tests[i].pointer[1], tests[i].value[1]);
        }

        check_number(ngx_http_webhook_payload_wanted(&hook,
                         NGX_HTTP_WEBHOOK_FINISHED, payload),
                     tests[i].expected, "wanted: %s %s",
                     tests[i].pointer[0] ? tests[i].pointer[0] : "all",
                     tests[i].value[0] ? tests[i].value[0] : "");
    }

    fresh();
    check(!ngx_http_webhook_payload_wanted(&hook, NGX_HTTP_WEBHOOK_STARTED,
                                           payload),
          "an event not asked for");

    line("/project/id", "1");
    check(ngx_http_webhook_payload_wanted(&hook, NGX_HTTP_WEBHOOK_PING,
                                          payload),
          "a ping is not filtered by match");

    hook.active = 0;
    check(!ngx_http_webhook_payload_wanted(&hook, NGX_HTTP_WEBHOOK_PING,
                                           payload),
          "an inactive webhook wants nothing");

    json_decref(payload);
}


static void
bodies(void)
{
    ngx_str_t                 json;
    ngx_uint_t                i;
    ngx_http_webhook_text_t   body;

    static const struct {
        ngx_uint_t   form;
        const char  *json;
        const char  *expected;
    } tests[] = {
        { 0, "{\"event\":\"PING\"}", "{\"event\":\"PING\"}" },
        { 1, "{\"event\":\"PING\"}",
          "payload=%7B%22event%22%3A%22PING%22%7D" },
        { 1, "a b+c&d=e%f\xc3\xa9", "payload=a+b%2Bc%26d%3De%25f%C3%A9" },
        { 1, "AZaz09*-._~!", "payload=AZaz09*-._%7E%21" },
        { 1, "", "payload=" }
    };

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        memset(&body, 0, sizeof(body));
        json = text(tests[i].json);

        ngx_http_webhook_payload_body(&body, tests[i].form, &json);

        check_text(body.data, body.len, tests[i].expected, "body of %s",
                   tests[i].json);

        ngx_http_webhook_text_free(&body);
    }
}
