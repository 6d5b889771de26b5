
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


#include "unit.h"


static void say(int holds, const char *format, va_list args);


void
check(int holds, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    say(holds, format, args);
    va_end(args);
}


void
check_text(const void *data, size_t len, const char *expected,
    const char *format, ...)
{
    int      same;
    va_list  args;

    same = (len == strlen(expected)
            && (len == 0 || memcmp(data, expected, len) == 0));

    va_start(args, format);
    say(same, format, args);
    va_end(args);

    if (!same) {
        printf("#      got: %.*s\n# expected: %s\n", (int) len,
               data ? (const char *) data : "", expected);
    }
}


void
check_number(long long got, long long expected, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    say(got == expected, format, args);
    va_end(args);

    if (got != expected) {
        printf("#      got: %lld\n# expected: %lld\n", got, expected);
    }
}


static void
say(int holds, const char *format, va_list args)
{
    char  *p, line[512];

    vsnprintf(line, sizeof(line), format, args);

    for (p = line; *p; p++) {
        if (*p == '\n' || *p == '#') {
            *p = ' ';
        }
    }

    printf("%s - %s\n", holds ? "ok" : "not ok", line);
    fflush(stdout);
}


ngx_str_t
text(const char *s)
{
    ngx_str_t  str;

    str.data = (u_char *) s;
    str.len = strlen(s);

    return str;
}
