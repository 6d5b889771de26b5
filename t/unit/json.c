
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: json_read json_escape json_pointer json_text
 */


#include "unit.h"
#include "ngx_http_webhook_json.h"

#include <float.h>


static void parsing(void);
static void lines(void);
static void as_jansson(void);
static void limits(void);
static void numbers(void);
static void pointers(void);
static void wildcards(void);
static void deletion(void);
static void redaction(void);
static void strings(void);
static void plain(void);
static void texts(void);


static char *
written(const char *json, ngx_array_t *redact)
{
    json_t                   *doc;
    const char               *reason;
    static char               line[4096];
    ngx_http_webhook_text_t   out;

    doc = ngx_http_webhook_json_parse((u_char *) json, strlen(json), &reason);
    if (doc == NULL) {
        return (char *) reason;
    }

    memset(&out, 0, sizeof(out));
    ngx_http_webhook_json_write(&out, doc, redact);

    snprintf(line, sizeof(line), "%.*s", (int) out.len, out.data);

    ngx_http_webhook_text_free(&out);
    json_decref(doc);

    return line;
}


static void
expect(const char *json, ngx_array_t *redact, const char *expected)
{
    char  *got;

    got = written(json, redact);

    check_text(got, strlen(got), expected, "read %s", json);
}


int
main(void)
{
    parsing();
    lines();
    as_jansson();
    limits();
    numbers();
    pointers();
    wildcards();
    deletion();
    redaction();
    strings();
    plain();
    texts();

    return 0;
}


static void
parsing(void)
{
    json_t      *doc;
    ngx_uint_t   i;
    const char  *reason;

    static const struct {
        const char  *json;
        const char  *expected;
    } tests[] = {
        { "{}", "{}" },
        { "[]", "[]" },
        { " [ 1 , 2 ] \n", "[1,2]" },
        { "5", "5" },
        { "\"x\"", "\"x\"" },
        { "true", "true" },
        { "null", "null" },
        { "", "not JSON" },
        { "   ", "not JSON" },
        { "{", "not JSON" },
        { "]", "not JSON" },
        { "}{", "not JSON" },
        { "{}x", "not JSON" },
        { "{} {}", "not JSON" },
        { "[1,]", "not JSON" },
        { "{\"a\"}", "not JSON" },
        { "Not Found", "not JSON" },
        { "<html></html>", "not JSON" },
        { "\"abc", "not JSON" },
        { "\"abc\\", "not JSON" },
        { "\"\\ud800\"", "\"\xef\xbf\xbd\"" },
        { "\"\\udc00\\ud83d\\ude00\\ud83d\\n\"",
          "\"\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd\\n\"" },
        { "\"\\ud83d\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"" },
        { "\"\\u007f\\u0080\\u07ff\\u0800\\uFFFF\\udbff\\udfff\"",
          "\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf\"" },
        { "\"\\u00g0\"", "not JSON" },
        { "\"\\u12\"", "not JSON" },
        { "\"\\ud83d\\u12\"", "not JSON" },
        { "\xef\xbb\xbf{}", "{}" },
        { "\xef\xbb\xbf", "not JSON" },
        { "\xef\xbb{}", "not JSON" },
        { " \xef\xbb\xbf{}", "not JSON" },
        { "\xef\xbb\xbf\xef\xbb\xbf{}", "not JSON" },
        { "\"\xe9\"", "not JSON" },
        { "[\"\\u0000\"]", "inexact" },
        { "{\"a\\u0000b\":1}", "inexact" },
        { "[9223372036854775807,-9223372036854775808]",
          "[9223372036854775807,-9223372036854775808]" },
        { "{\"9223372036854775807\":[9223372036854775808,"
          "18446744073709551615]}", "{\"9223372036854775807\":"
          "[9223372036854775808,18446744073709551615]}" },
        { "10000000000000000000", "10000000000000000000" },
        { "18446744073709551616", "inexact" },
        { "20000000000000000000", "inexact" },
        { "100000000000000000000", "inexact" },
        { "18446744073709551615-1", "not JSON" },
        { "09223372036854775808", "not JSON" },
        { "-9223372036854775809", "inexact" },
        { "[1e400]", "inexact" },
        { "{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}" },
        { "{\"z\":1,\"y\":{\"x\":[{}]}}", "{\"z\":1,\"y\":{\"x\":[{}]}}" },
        { NULL, NULL }
    };

    for (i = 0; tests[i].json; i++) {
        expect(tests[i].json, NULL, tests[i].expected);
    }

    doc = ngx_http_webhook_json_parse((u_char *) "[\"a\0b\"]", 7, &reason);
    check(doc == NULL, "NUL byte");

    doc = ngx_http_webhook_json_parse((u_char *) "[12]34", 4, &reason);
    check(doc != NULL, "length is kept to");
    json_decref(doc);
}


static void
lines(void)
{
    json_t      *line;
    ngx_uint_t   i;
    const char  *reason;

    static const struct {
        const char  *data;
        const char  *expected;     /* NULL: not JSON */
    } tests[] = {
        { "4711", "4711" },
        { " a b\r\n", "a b" },
        { "\xc3\xa9", "\xc3\xa9" },
        { "\xef\xbb\xbf" "4711\n", "4711" },
        { "\xef\xbb\xbf \n", NULL },
        { "\xef\xbb\xbf", NULL },
        { "\xe9", NULL },
        { "a\nb", NULL },
        { "a\x7f", NULL },
        { "", NULL },
        { " \n", NULL },
        { NULL, NULL }
    };

    for (i = 0; tests[i].data; i++) {
        line = ngx_http_webhook_json_line((u_char *) tests[i].data,
                                          strlen(tests[i].data), &reason);

        if (tests[i].expected == NULL) {
            check(line == NULL && strcmp(reason, "not JSON") == 0, "line %lu",
                  (unsigned long) i);
            continue;
        }

        check(line != NULL && reason == NULL
              && strcmp(json_string_value(line), tests[i].expected) == 0,
              "line %lu", (unsigned long) i);

        json_decref(line);
    }
}


/*
 * whether it is read in another way than by jansson, which takes neither half a
 * surrogate pair nor an unsigned integer
 */

static ngx_uint_t
differs(const char *text, size_t len)
{
    char          *one, *two;
    json_t        *doc, *theirs;
    ngx_uint_t     bad;
    const char    *reason;
    json_error_t   error;

    doc = ngx_http_webhook_json_parse((u_char *) text, len, &reason);
    theirs = json_loadb(text, len, JSON_DECODE_ANY, &error);

    if (theirs == NULL) {
        bad = doc ? strncmp(error.text, "invalid Unicode", 15) != 0
                    && strncmp(error.text, "too big integer", 15) != 0
                  : strncmp(reason, "too ", 4) == 0;

    } else if (doc == NULL) {
        bad = 1;

    } else {
        one = json_dumps(doc, JSON_ENCODE_ANY);
        two = json_dumps(theirs, JSON_ENCODE_ANY);

        bad = strcmp(one, two) != 0 || !json_equal(doc, theirs);

        free(one);
        free(two);
    }

    json_decref(doc);
    json_decref(theirs);

    if (bad) {
        printf("# %.*s\n", (int) len, text);
    }

    return bad;
}


static void
as_jansson(void)
{
    char        *p, buf[512];
    size_t       i, n, len;
    uint64_t     seed;
    ngx_uint_t   bad;

    static const char  *parts[] = {
        "{", "}", "[", "]", ",", ":", "\"", "\\", "a", "n", "\\u00", "\\ud83d",
        "\\ude00", "0", "1", "12345678", "-", "+", ".", "e", "E", "true",
        "false", "null", " ", "\t", "\r", "\n", "\f", "\x01", "\x7f", "\x80",
        "\xc3\xa9", "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xff",
        "/", "'", "\\n", "\"a\"", "\"k\":", "[[", "]]"
    };

    static const char  *documents[] = {
        "{\"id\":17,\"state\":\"running\",\"steps\":[{\"name\":\"caf\xc3\xa9\","
        "\"ok\":true,\"took\":1.25e3},{},[]],\"note\":\"a\\n\\u00e9\\ud83d"
        "\\ude00\\/\",\"k\\u0065y\":null,\"id\":-9223372036854775808}",
        "[123456789012345678,1234567890123456789,9223372036854775807,-0,-0.0,"
        "0.1,1e5,1E-5,[[[[]]]],{\"\":{\"\":\"\"}},\"\\\"\\\\\\b\\f\\r\\t\"]"
    };

    enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

    /* all of three parts; then longer ones, and documents with something else
       in some places, by chance */

    bad = 0;

    for (n = 0; n < PARTS * PARTS * PARTS; n++) {
        p = buf;

        for (i = n, len = 0; len < 3; len++, i /= PARTS) {
            p = stpcpy(p, parts[i % PARTS]);
        }

        bad += differs(buf, p - buf);
    }

    check_number(bad, 0, "three parts are read as jansson does");

    seed = 88172645463325252;
    bad = 0;

    for (n = 0; n < 100000; n++) {
        p = buf;
        *p++ = '[';

        for (i = seed % 20; i; i--) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;

            p = stpcpy(p, parts[seed % PARTS]);
        }

        *p++ = ']';
        bad += differs(buf, p - buf);
    }

    check_number(bad, 0, "and so are more parts");

    bad = 0;

    for (n = 0; n < 100000; n++) {
        len = stpcpy(buf, documents[n % 2]) - buf;

        for (i = n / 2 % 4; i; i--) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;

            buf[seed % len] = parts[(seed >> 20) % PARTS][0];
        }

        if (n % 7 == 0) {
            len -= seed % len;
        }

        bad += differs(buf, len);
    }

    check_number(bad, 0, "and documents with faults");
}


static void
limits(void)
{
    char        *p;
    json_t      *doc;
    ngx_uint_t   i, n;
    const char  *reason;

    static const ngx_uint_t  depths[] = { 127, 128, 129, 100000 };

    for (i = 0; i < 4; i++) {
        n = depths[i];
        p = malloc(n * 2);

        memset(p, '[', n);
        memset(p + n, ']', n);

        doc = ngx_http_webhook_json_parse((u_char *) p, n * 2, &reason);

        if (n <= 128) {
            check(doc != NULL, "depth %lu", (unsigned long) n);

        } else {
            check(doc == NULL && strcmp(reason, "too deep") == 0,
                  "depth %lu", (unsigned long) n);
        }

        json_decref(doc);
        free(p);
    }

    n = 1000000;
    p = malloc(n);
    memset(p, ',', n);

    for (i = 1; i < n; i += 2) {
        p[i] = '1';
    }

    p[0] = '[';
    p[n - 1] = ']';

    doc = ngx_http_webhook_json_parse((u_char *) p, n, &reason);
    check(doc == NULL && strcmp(reason, "too many values") == 0,
          "half a million numbers");

    for (i = 1; i + 3 < n; i += 3) {
        memcpy(p + i, "{},", 3);
    }

    doc = ngx_http_webhook_json_parse((u_char *) p, n, &reason);
    check(doc == NULL && strcmp(reason, "too many values") == 0,
          "a third of a million objects");

    free(p);

    expect("[\"]]]}}},,,\\\"[[\"]", NULL, "[\"]]]}}},,,\\\"[[\"]");
}


static void
numbers(void)
{
    double                    d;
    json_t                   *value, *back;
    uint64_t                  bits, seed;
    ngx_uint_t                i, bad;
    const char               *reason;
    ngx_http_webhook_text_t   out;

    static const struct {
        const char  *json;
        const char  *expected;
    } tests[] = {
        { "0", "0" },
        { "-1", "-1" },
        { "4889", "4889" },
        { "0.1", "0.1" },
        { "0.3", "0.3" },
        { "1.10", "1.1" },
        { "1.0", "1.0" },
        { "-0.0", "-0.0" },
        { "100.0", "100.0" },
        { "1e3", "1000.0" },
        { "1E22", "1e22" },
        { "1e-7", "1e-7" },
        { "1.5e-10", "1.5e-10" },
        { "1.7976931348623157e308", "1.7976931348623157e308" },
        { "5e-324", "5e-324" },
        { "2.2250738585072014e-308", "2.2250738585072014e-308" },
        { "0.30000000000000004", "0.30000000000000004" },
        { "9007199254740993.0", "9007199254740992.0" },
        { "123456789012345680.0", "1.2345678901234568e17" },
        { "1697040000123", "1697040000123" },
        { NULL, NULL }
    };

    for (i = 0; tests[i].json; i++) {
        expect(tests[i].json, NULL, tests[i].expected);
    }

    seed = 88172645463325252;
    bad = 0;

    for (i = 0; i < 100000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;

        bits = seed;
        memcpy(&d, &bits, sizeof(double));

        value = json_real(d);
        if (value == NULL) {
            continue;
        }

        memset(&out, 0, sizeof(out));
        ngx_http_webhook_json_write(&out, value, NULL);

        back = ngx_http_webhook_json_parse(out.data, out.len, &reason);

        if (!json_is_real(back) || json_real_value(back) != d) {
            bad++;
        }

        json_decref(back);
        json_decref(value);
        ngx_http_webhook_text_free(&out);
    }

    check_number(bad, 0, "doubles that do not read back, of 100000");

    /* text of a request is no number, whatever it begins with */

    value = json_stringn("\0001,\"a\":2", 8);

    memset(&out, 0, sizeof(out));
    ngx_http_webhook_json_write(&out, value, NULL);

    check_text(out.data, out.len, "\"\\u00001,\\\"a\\\":2\"", "text after NUL");

    json_decref(value);
    ngx_http_webhook_text_free(&out);
}


static void
pointers(void)
{
    char                        *error, *got;
    json_t                      *doc, *value;
    u_char                       buf[32];
    ngx_str_t                    s;
    ngx_uint_t                   i;
    ngx_pool_t                  *pool;
    const char                  *reason;
    ngx_http_webhook_pointer_t   pointer;

    static const char  json[] =
        "{\"a\":{\"b-c\":1,\"d.e\":2,\"f/g\":3,\"h~i\":4,\"\":5,\"~1\":6,"
        "\"*\":7},\"list\":[10,[20,21],{\"x\":30}],\"\":{\"\":8},\"0\":9,"
        "\"tags\":[0,{\"v\":0},{\"k\":\"a\",\"v\":1},"
        "{\"k\":\"b\",\"v\":2},{\"k\":\"a\",\"v\":9},{\"k\":7,\"v\":3},"
        "{\"k\":\"\",\"v\":4},{\"\":\"k\",\"v\":5},"
        "{\"k\":\"x/y=z\",\"v\":6},{\"k\":[]}],\"[k=a]\":10,"
        "\"n\":null,\"text\":\"t\",\"yes\":true,\"real\":1.5,"
        "\"big\":[{\"k\":18446744073709551615,\"v\":1}]}";

    static const struct {
        const char  *pointer;
        const char  *expected;     /* NULL: nothing; "?": no scalar */
    } tests[] = {
        { "", "?" },
        { "/a", "?" },
        { "/a/b-c", "1" },
        { "/a/d.e", "2" },
        { "/a/f~1g", "3" },
        { "/a/h~0i", "4" },
        { "/a/", "5" },
        { "/a/~01", "6" },
        { "/a/x", NULL },
        { "/a/b-c/x", NULL },
        { "/A", NULL },
        { "//", "8" },
        { "/0", "9" },
        { "/list/0", "10" },
        { "/list/1/1", "21" },
        { "/list/2/x", "30" },
        { "/list/3", NULL },
        { "/list/-", NULL },
        { "/list/00", NULL },
        { "/list/01", NULL },
        { "/list/1a", NULL },
        { "/list/-1", NULL },
        { "/list/+1", NULL },
        { "/list/", NULL },
        { "/list/ 1", NULL },
        { "/list/18446744073709551616", NULL },
        { "/list/99999999999999999999999999", NULL },
        { "/list/1/0/0", NULL },
        { "/tags/[k=b]/v", "2" },
        { "/tags/[k=a]/v", "1" },
        { "/tags/[v=3]/k", "7" },
        { "/tags/[k=7]/v", "3" },
        { "/tags/[k=]/v", "4" },
        { "/tags/[=k]/v", "5" },
        { "/tags/[k=x~1y=z]/v", "6" },
        { "/tags/[k=c]", NULL },
        { "/tags/[kk=a]", NULL },
        { "/list/[x=30]/x", "30" },
        { "/[k=a]", "10" },
        { "/n", "?" },
        { "/text", "t" },
        { "/text/0", NULL },
        { "/yes", "true" },
        { "/real", "1.5" },
        { "/big/0/k", "18446744073709551615" },
        { "/big/[k=18446744073709551615]/v", "1" },
        { NULL, NULL }
    };

    static const char  tilde[] = "must have \"0\" or \"1\" after each \"~\"; a "
                                 "regex is a word of its own behind it";

    static const struct {
        const char  *pointer;
        ngx_uint_t   wildcards;
        const char  *error;
    } wrong[] = {
        { "a", 0, "must begin with \"/\" or be empty" },
        { "/~", 0, tilde },
        { "/~2", 0, tilde },
        { "/a~/b", 0, tilde },
        { "/[", 0, "must be as \"[name=value]\" where it has \"/[\"" },
        { "/[]/a", 0, "must be as \"[name=value]\" where it has \"/[\"" },
        { "/a/[*]", 0, "must be as \"[name=value]\" where it has \"/[\"" },
        { "/[a=b/c]", 0, "must be as \"[name=value]\" where it has \"/[\"" },
        { "/[a=b]/c", 0, NULL },
        { "/[=]", 0, NULL },
        { "/a[b]", 0, NULL },
        { "/*", 0, "must not have a \"*\" segment here" },
        { "/*/*/*", 2, "has too many \"*\" segments" },
        { "/*/a/*", 2, NULL },
        { "/a*", 0, NULL },
        { NULL, 0, NULL }
    };

    pool = pool_create();
    doc = ngx_http_webhook_json_parse((u_char *) json, strlen(json), &reason);

    for (i = 0; tests[i].pointer; i++) {
        s = text(tests[i].pointer);

        error = ngx_http_webhook_pointer_compile(pool, &s, 0, &pointer);
        check(error == NULL, "\"%s\" compiles", tests[i].pointer);

        value = ngx_http_webhook_pointer_get(doc, &pointer);

        if (tests[i].expected == NULL || value == NULL) {
            check(value == NULL && tests[i].expected == NULL,
                  "\"%s\" names nothing", tests[i].pointer);
            continue;
        }

        if (ngx_http_webhook_json_scalar(value, &s, buf) != NGX_OK) {
            s = text("?");
        }

        check_text(s.data, s.len, tests[i].expected, "\"%s\"",
                   tests[i].pointer);
    }

    for (i = 0; wrong[i].pointer; i++) {
        s = text(wrong[i].pointer);

        got = ngx_http_webhook_pointer_compile(pool, &s, wrong[i].wildcards,
                                               &pointer);

        check((got == NULL) == (wrong[i].error == NULL)
              && (got == NULL || strcmp(got, wrong[i].error) == 0),
              "\"%s\": %s", wrong[i].pointer, got ? got : "fine");
    }

    json_decref(doc);
    pool_destroy(pool);
}


static char  seen[1024];


static void
see_place(const ngx_http_webhook_place_t *place)
{
    size_t  len;

    if (place->up == NULL) {
        return;
    }

    see_place(place->up);

    len = strlen(seen);
    snprintf(seen + len, sizeof(seen) - len, "/%.*s", (int) place->name.len,
             place->name.data);
}


static ngx_int_t
see(void *data, json_t *value, const ngx_http_webhook_place_t *place)
{
    u_char     buf[32];
    size_t     len;
    ngx_str_t  s;

    if (ngx_http_webhook_json_scalar(value, &s, buf) != NGX_OK) {
        s = text("?");
    }

    see_place(place);
    check_number(place->value == value, 1, "the value stands there");

    len = strlen(seen);
    snprintf(seen + len, sizeof(seen) - len, ":%.*s ", (int) s.len, s.data);

    return (data && strncmp(data, (char *) s.data, s.len) == 0) ? NGX_DONE
                                                                : NGX_OK;
}


static void
wildcards(void)
{
    json_t                      *doc;
    ngx_int_t                    rc;
    ngx_str_t                    s;
    ngx_uint_t                   i;
    ngx_pool_t                  *pool;
    const char                  *reason;
    ngx_http_webhook_pointer_t   pointer;

    static const char  json[] =
        "{\"jobs\":{\"9\":{\"id\":9},\"3\":{\"id\":3},\"7\":{}},"
        "\"ids\":[5,\"6\",[]],\"none\":[],\"no\":{},\"id\":1,"
        "\"stages\":[{\"jobs\":[{\"id\":1},{\"id\":2}]},{},"
        "{\"jobs\":[{\"id\":3}]}],\"empty\":[{\"jobs\":[]}]}";

    static const struct {
        const char  *pointer;
        ngx_int_t    rc;
        const char  *seen;
    } tests[] = {
        { "/jobs/*", NGX_OK, "/jobs/9:? /jobs/3:? /jobs/7:? " },
        { "/jobs/*/id", NGX_OK, "/jobs/9/id:9 /jobs/3/id:3 " },
        { "/jobs/*/x", NGX_DECLINED, "" },
        { "/ids/*", NGX_OK, "/ids/0:5 /ids/1:6 /ids/2:? " },
        { "/none/*", NGX_OK, "" },
        { "/no/*", NGX_OK, "" },
        { "/nothing/*", NGX_DECLINED, "" },
        { "/id/*", NGX_DECLINED, "" },
        { "/id", NGX_OK, "/id:1 " },
        { "/stages/*/jobs/*/id", NGX_OK, "/stages/0/jobs/0/id:1 "
          "/stages/0/jobs/1/id:2 /stages/2/jobs/0/id:3 " },
        { "/stages/*/jobs/*", NGX_OK, "/stages/0/jobs/0:? "
          "/stages/0/jobs/1:? /stages/2/jobs/0:? " },
        { "/empty/*/jobs/*", NGX_OK, "" },
        { "/empty/*/steps/*", NGX_DECLINED, "" },
        { "", NGX_OK, ":? " },
        { NULL, 0, NULL }
    };

    pool = pool_create();
    doc = ngx_http_webhook_json_parse((u_char *) json, strlen(json), &reason);

    for (i = 0; tests[i].pointer; i++) {
        s = text(tests[i].pointer);
        (void) ngx_http_webhook_pointer_compile(pool, &s, 2, &pointer);

        seen[0] = '\0';
        rc = ngx_http_webhook_pointer_each(doc, &pointer, see, NULL);

        check_number(rc, tests[i].rc, "each \"%s\": result",
                     tests[i].pointer);
        check_text(seen, strlen(seen), tests[i].seen, "each \"%s\"",
                   tests[i].pointer);
    }

    s = text("/stages/*/jobs/*/id");
    (void) ngx_http_webhook_pointer_compile(pool, &s, 2, &pointer);

    seen[0] = '\0';
    rc = ngx_http_webhook_pointer_each(doc, &pointer, see, "2");

    check_number(rc, NGX_DONE, "each stops");
    check_text(seen, strlen(seen), "/stages/0/jobs/0/id:1 /stages/0/jobs/1/id:2 ", "each stopped there");

    json_decref(doc);
    pool_destroy(pool);
}


static void
deletion(void)
{
    json_t                      *doc;
    ngx_str_t                    s;
    ngx_uint_t                   i;
    ngx_pool_t                  *pool;
    const char                  *reason;
    ngx_http_webhook_text_t      out;
    ngx_http_webhook_pointer_t   pointer;

    static const struct {
        const char  *json;
        const char  *pointer;
        const char  *expected;
    } tests[] = {
        { "{\"a\":1,\"b\":2}", "/a", "{\"b\":2}" },
        { "{\"a\":1}", "/b", "{\"a\":1}" },
        { "{\"a\":{\"b\":1,\"c\":2}}", "/a/b", "{\"a\":{\"c\":2}}" },
        { "{\"a\":[1,2,3]}", "/a/1", "{\"a\":[1,3]}" },
        { "{\"a\":[1,2,3]}", "/a/01", "{\"a\":[1,2,3]}" },
        { "{\"a\":[1,2,3]}", "/a/9", "{\"a\":[1,2,3]}" },
        { "{\"a\":[1,2,3]}", "/a/*", "{\"a\":[]}" },
        { "{\"a\":[{\"k\":1},{\"k\":2},{\"k\":2}]}", "/a/[k=2]",
          "{\"a\":[{\"k\":1},{\"k\":2}]}" },
        { "{\"a\":[{\"k\":1}]}", "/a/[k=2]", "{\"a\":[{\"k\":1}]}" },
        { "{\"a\":[{\"k\":1,\"v\":2}]}", "/a/[k=1]/v",
          "{\"a\":[{\"k\":1}]}" },
        { "{\"a\":{\"b\":1}}", "/a/*", "{\"a\":{}}" },
        { "[{\"x\":1,\"y\":2},{\"x\":3},5]", "/*/x", "[{\"y\":2},{},5]" },
        { "{\"a\":{\"b\":{\"x\":1}},\"c\":{\"d\":{\"x\":2}}}", "/*/*/x",
          "{\"a\":{\"b\":{}},\"c\":{\"d\":{}}}" },
        { "{\"a\":1}", "", "{\"a\":1}" },
        { "5", "/a", "5" },
        { NULL, NULL, NULL }
    };

    pool = pool_create();

    for (i = 0; tests[i].json; i++) {
        doc = ngx_http_webhook_json_parse((u_char *) tests[i].json,
                                          strlen(tests[i].json), &reason);
        s = text(tests[i].pointer);
        (void) ngx_http_webhook_pointer_compile(pool, &s, 2, &pointer);

        ngx_http_webhook_pointer_delete(doc, &pointer);

        memset(&out, 0, sizeof(out));
        ngx_http_webhook_json_write(&out, doc, NULL);

        check_text(out.data, out.len, tests[i].expected, "%s without \"%s\"",
                   tests[i].json, tests[i].pointer);

        ngx_http_webhook_text_free(&out);
        json_decref(doc);
    }

    pool_destroy(pool);
}


static void
redaction(void)
{
    ngx_str_t    *word;
    ngx_pool_t   *pool;
    ngx_uint_t    i;
    ngx_array_t   redact;

    static const char  *words[] = { "password", "token", "apikey", "secret" };

    static const struct {
        const char  *json;
        const char  *expected;
    } tests[] = {
        { "{\"password\":\"x\"}", "{\"password\":\"***\"}" },
        { "{\"db_Password_2\":5}", "{\"db_Password_2\":\"***\"}" },
        { "{\"pass_word\":1,\"PASS-WORD\":2}",
          "{\"pass_word\":\"***\",\"PASS-WORD\":\"***\"}" },
        { "{\"api-key\":1,\"apiKey\":2,\"API_KEY\":3,\"x-api_-key\":4}",
          "{\"api-key\":\"***\",\"apiKey\":\"***\",\"API_KEY\":\"***\","
          "\"x-api_-key\":\"***\"}" },
        { "{\"tokens\":{\"a\":[1]}}", "{\"tokens\":\"***\"}" },
        { "{\"totoken\":1,\"tok\":2,\"toke\":3}",
          "{\"totoken\":\"***\",\"tok\":2,\"toke\":3}" },
        { "{\"a\":[[{\"secret\":null}]]}", "{\"a\":[[{\"secret\":\"***\"}]]}" },
        { "{\"name\":\"PASSWORD\",\"value\":\"x\"}",
          "{\"name\":\"PASSWORD\",\"value\":\"***\"}" },
        { "[{\"value\":1,\"key\":\"My-Api-Key\"}]",
          "[{\"value\":\"***\",\"key\":\"My-Api-Key\"}]" },
        { "{\"Key\":\"token\",\"Value\":\"x\"}",
          "{\"Key\":\"token\",\"Value\":\"***\"}" },
        { "{\"name\":\"size\",\"value\":1}",
          "{\"name\":\"size\",\"value\":1}" },
        { "{\"name\":5,\"value\":\"password\"}",
          "{\"name\":5,\"value\":\"password\"}" },
        { "{\"name\":\"user\",\"key\":\"token\",\"value\":\"x\"}",
          "{\"name\":\"user\",\"key\":\"token\",\"value\":\"***\"}" },
        { "{\"title\":\"reset password\"}", "{\"title\":\"reset password\"}" },
        { "{\"pass\\u00e9word\":1}", "{\"pass\xc3\xa9word\":1}" },
        { "\"password\"", "\"password\"" },
        { NULL, NULL }
    };

    pool = pool_create();
    array_init(&redact, pool, sizeof(ngx_str_t));

    for (i = 0; i < 4; i++) {
        word = ngx_array_push(&redact);
        *word = text(words[i]);
    }

    for (i = 0; tests[i].json; i++) {
        expect(tests[i].json, &redact, tests[i].expected);
    }

    expect("{\"password\":1}", NULL, "{\"password\":1}");

    redact.nelts = 0;
    expect("{\"password\":1}", &redact, "{\"password\":1}");

    pool_destroy(pool);
}


static void
strings(void)
{
    json_t                   *value;
    ngx_str_t                 s;
    ngx_uint_t                i;
    ngx_http_webhook_text_t   out;

    static const struct {
        const char  *data;
        const char  *expected;
    } tests[] = {
        { "", "\"\"" },
        { "plain", "\"plain\"" },
        { "a\"b\\c/d", "\"a\\\"b\\\\c/d\"" },
        { "\n\r\t\x01\x1f\x7f", "\"\\n\\r\\t\\u0001\\u001f\x7f\"" },
        { "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
          "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"" },
        { "\xe9", "\"\xef\xbf\xbd\"" },
        { "a\xff" "b", "\"a\xef\xbf\xbd" "b\"" },
        { "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xf4\x90\x80\x80",
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xc3", "\"\xef\xbf\xbd\"" },
        { NULL, NULL }
    };

    static const struct {
        const char  *data;
        size_t       len;
        const char  *expected;
    } others[] = {
        { "", 0, "\"\"" },
        { "7", 1, "\"7\"" },
        { "\0", 1, "\"\xef\xbf\xbd\"" },
        { "\0" "7", 2, "\"\xef\xbf\xbd" "7\"" },
        { "\0" "9223372036854775808", 20,
          "\"\xef\xbf\xbd" "9223372036854775808\"" },
        { "\0\0" "7", 3, "\"\xef\xbf\xbd\\u00007\"" },
        { "\xff\0" "7", 3, "\"\xef\xbf\xbd\\u00007\"" },
        { "7\0", 2, "\"7\\u0000\"" },
        { NULL, 0, NULL }
    };

    for (i = 0; tests[i].data; i++) {
        memset(&out, 0, sizeof(out));
        ngx_http_webhook_text_string(&out, tests[i].data,
                                     strlen(tests[i].data));

        check_text(out.data, out.len, tests[i].expected, "string %lu",
                   (unsigned long) i);

        ngx_http_webhook_text_free(&out);
    }

    memset(&out, 0, sizeof(out));
    ngx_http_webhook_text_string(&out, "a\0b", 3);
    check_text(out.data, out.len, "\"a\\u0000b\"", "NUL in a string");
    ngx_http_webhook_text_free(&out);

    /* none of them is an integer */

    for (i = 0; others[i].data; i++) {
        s.data = (u_char *) others[i].data;
        s.len = others[i].len;

        value = ngx_http_webhook_json_string(&s);

        memset(&out, 0, sizeof(out));
        ngx_http_webhook_json_write(&out, value, NULL);

        check_text(out.data, out.len, others[i].expected, "text %lu",
                   (unsigned long) i);

        json_decref(value);
        ngx_http_webhook_text_free(&out);
    }
}


/* each byte at each place, with one behind it that is not plain either */

static void
plain(void)
{
    u_char      *data;
    ngx_uint_t   c, n, i, bad;

    bad = 0;

    for (n = 1; n <= 50; n++) {
        data = malloc(n);

        for (i = 0; i < n; i++) {

            for (c = 0; c < 256; c++) {
                memset(data, 'a', n);

                data[n - 1] = '"';
                data[i] = c;

                bad += (ngx_http_webhook_text_plain(data, data + n)
                        != data + (c < 0x20 || c >= 0x80 || c == '"'
                                   || c == '\\' ? i
                                   : i == n - 1 ? n : n - 1));
            }
        }

        free(data);
    }

    check(bad == 0, "plain text ends where it does");
}


static void
texts(void)
{
    ngx_uint_t                i;
    ngx_http_webhook_text_t   out;

    memset(&out, 0, sizeof(out));
    out.max = 10;

    ngx_http_webhook_text_append(&out, "12345", 5);
    ngx_http_webhook_text_append(&out, "67890", 5);
    check(!out.failed && out.len == 10, "as long as it may be");

    ngx_http_webhook_text_append(&out, "", 0);
    check(!out.failed, "nothing more");

    ngx_http_webhook_text_append(&out, "x", 1);
    check(out.failed, "too long");

    ngx_http_webhook_text_append(&out, "", 0);
    check(out.failed && out.len == 10, "stays so");
    ngx_http_webhook_text_free(&out);

    memset(&out, 0, sizeof(out));

    for (i = 0; i < 100000; i++) {
        ngx_http_webhook_text_append(&out, "0123456789", i % 11);
    }

    check(!out.failed && out.len == 499995, "grows");
    ngx_http_webhook_text_free(&out);
}
