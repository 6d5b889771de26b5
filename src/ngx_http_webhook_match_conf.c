
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * match_conf: "match" and "member", the settings that speak of payloads.
 * Next room: payload.
 */


#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_regex.h"
#include "ngx_http_webhook_json.h"


#define NGX_HTTP_WEBHOOK_MEMBER_MAX  8       /* segments of a name */


static ngx_uint_t ngx_http_webhook_match_word(u_char c);
static char *ngx_http_webhook_member_name(ngx_http_webhook_hook_t *hook,
    ngx_str_t *name);
static void ngx_http_webhook_member_warn(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *value);
static char *ngx_http_webhook_member_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *value);


/* what may stand in members of a payload: the first segment of "member" */

static ngx_str_t  ngx_http_webhook_member_names[] = {
    ngx_string("execution"),
    ngx_string("goal"),
    ngx_string("sender"),
    ngx_string("project"),
    ngx_string("snapshot"),
    ngx_string("organization"),
    ngx_null_string
};


char *
ngx_http_webhook_set_match(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    char                            *err;
    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_webhook_match_t        *match;
    ngx_http_webhook_pointer_t       pointer;
    ngx_http_webhook_value_match_t  *vm;

    value = cf->args->elts;

    err = ngx_http_webhook_pointer_compile(cf->pool, &value[1], 0, &pointer);
    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON Pointer \"%V\": %s", &value[1], err);
        return NGX_CONF_ERROR;
    }

    if (hook->match.elts == NULL
        && ngx_array_init(&hook->match, cf->pool, 2,
                          sizeof(ngx_http_webhook_match_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    match = ngx_array_push(&hook->match);
    if (match == NULL) {
        return NGX_CONF_ERROR;
    }

    match->pointer = pointer;

    if (ngx_array_init(&match->values, cf->pool, cf->args->nelts - 2,
                       sizeof(ngx_http_webhook_value_match_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        vm = ngx_array_push(&match->values);
        if (vm == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_webhook_match_value(cf, &value[i], vm) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_webhook_match_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_webhook_value_match_t *match)
{
    ngx_str_t  text;

    ngx_memzero(match, sizeof(ngx_http_webhook_value_match_t));

    text = *value;

    if (text.len && text.data[0] == '!') {
        match->negative = 1;
        text.data++;
        text.len--;
    }

    if (text.len == 1 && text.data[0] == '*') {
        match->any = 1;
        match->text = text;
        return NGX_OK;
    }

    if (text.len == 0 || text.data[0] != '~') {
        ngx_http_webhook_match_comma(cf, &text);

        if (text.len == 4 && ngx_strncmp(text.data, "null", 4) == 0) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"null\" is text here, what is null or not "
                               "there is \"!*\"");
        }

        if (match->negative && text.len == 1 && text.data[0] == '=') {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"!=\" is what is not \"=\", \"!\" stands "
                               "right before a value");
        }

        match->text = text;
        return NGX_OK;
    }

    text.data++;
    text.len--;

    if (text.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty regex in \"%V\", no space stands behind it",
                           value);
        return NGX_ERROR;
    }

    match->text = text;

#if (NGX_PCRE)

    match->regex = ngx_http_webhook_regex_compile(cf, &text, 0);

    return match->regex ? NGX_OK : NGX_ERROR;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "using regex \"%V\" requires PCRE library", value);
    return NGX_ERROR;

#endif
}


void
ngx_http_webhook_match_comma(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char  *p, *last;

    last = text->data + text->len;

    if (text->len > 1 && last[-1] == ',') {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" is compared with its comma, spaces alone "
                           "separate values", text);
    }

    /* "done|failed", but not "a | b" and "||" */

    for (p = text->data + 1; p + 1 < last; p++) {

        if (*p == '|' && ngx_http_webhook_match_word(p[-1])
            && ngx_http_webhook_match_word(p[1]))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"%V\" is compared with its \"|\", spaces "
                               "separate values, and \"~regex\" has "
                               "alternatives", text);
            return;
        }
    }
}


static ngx_uint_t
ngx_http_webhook_match_word(u_char c)
{
    u_char  lower;

    lower = ngx_tolower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')
           || c == '_';
}


char *
ngx_http_webhook_set_member(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_webhook_hook_t *hook = conf;

    char                       *err;
    ngx_str_t                  *value;
    ngx_http_webhook_member_t  *member;

    value = cf->args->elts;

    err = ngx_http_webhook_member_name(hook, &value[1]);
    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "member \"%V\" %s",
                           &value[1], err);
        return NGX_CONF_ERROR;
    }

    if (hook->members.elts == NULL
        && ngx_array_init(&hook->members, cf->pool, 4,
                          sizeof(ngx_http_webhook_member_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    member = ngx_array_push(&hook->members);
    if (member == NULL) {
        return NGX_CONF_ERROR;
    }

    member->name = value[1];

    ngx_http_webhook_member_warn(cf, &value[1], &value[2]);

    return ngx_http_webhook_member_value(cf, &value[2], &member->value);
}


static char *
ngx_http_webhook_member_name(ngx_http_webhook_hook_t *hook, ngx_str_t *name)
{
    size_t                      len;
    ngx_str_t                  *known;
    ngx_uint_t                  i, segments;
    ngx_http_webhook_member_t  *member;

    for (known = ngx_http_webhook_member_names; known->len; known++) {

        if (name->len >= known->len
            && ngx_strncmp(name->data, known->data, known->len) == 0
            && (name->len == known->len || name->data[known->len] == '.'))
        {
            break;
        }
    }

    if (known->len == 0) {
        return "must begin with one of \"execution\", \"goal\", \"sender\", "
               "\"project\", \"snapshot\", \"organization\"";
    }

    if (name->len == known->len) {
        return "must name a part of that, as \"project.id\" does";
    }

    segments = 1;

    for (i = 0; i < name->len; i++) {

        if (name->data[i] < 0x20 || name->data[i] == 0x7f) {
            return "has an invalid character";
        }

        if (name->data[i] == '.') {
            segments++;

            if (i + 1 == name->len || name->data[i + 1] == '.') {
                return "has an empty segment";
            }
        }
    }

    if (segments > NGX_HTTP_WEBHOOK_MEMBER_MAX) {
        return "has too many segments";
    }

    member = hook->members.elts;

    for (i = 0; i < hook->members.nelts; i++) {

        len = ngx_min(name->len, member[i].name.len);

        if (ngx_strncmp(name->data, member[i].name.data, len) != 0) {
            continue;
        }

        if (name->len == member[i].name.len) {
            return "is duplicate";
        }

        if ((name->len > len && name->data[len] == '.')
            || (member[i].name.len > len && member[i].name.data[len] == '.'))
        {
            return "cannot be both a value and an object";
        }
    }

    return NULL;
}


/* "header" and "realm=" take variables, and so it may be thought of this */

static void
ngx_http_webhook_member_warn(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char  *p, *last, ch;

    last = value->data + value->len;

    p = ngx_strlchr(value->data, last, '$');

    if (p == NULL || p + 1 == last) {
        return;
    }

    ch = p[1] | 0x20;

    if ((ch >= 'a' && ch <= 'z') || p[1] == '_' || p[1] == '{') {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" of member \"%V\" is sent as it is written: "
                           "it takes no variables", value, name);
    }
}


static char *
ngx_http_webhook_member_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *value)
{
    char          *dump;
    json_t        *json;
    json_error_t   error;

    ngx_set_errno(0);

    json = json_loadb((char *) text->data, text->len,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

    if (json == NULL && ngx_errno == NGX_ENOMEM) {
        return "has no memory";
    }

    if (json && (json_is_number(json) || json_is_boolean(json)
                 || json_is_null(json))
        && text->data[0] > ' ' && text->data[text->len - 1] > ' ')
    {
        json_decref(json);
        *value = *text;

        return NGX_CONF_OK;
    }

    if (json == NULL
        && json_error_code(&error) == json_error_numeric_overflow
        && (text->data[0] == '-'
            || (text->data[0] >= '0' && text->data[0] <= '9')))
    {
        return "has a number that is too big";
    }

    json_decref(json);

    json = json_stringn((char *) text->data, text->len);
    if (json == NULL) {
        return "has a value that is not UTF-8";
    }

    dump = json_dumps(json, JSON_ENCODE_ANY|JSON_COMPACT);
    json_decref(json);

    if (dump == NULL) {
        return NGX_CONF_ERROR;
    }

    value->len = ngx_strlen(dump);
    value->data = ngx_pnalloc(cf->pool, value->len + 1);

    if (value->data) {
        ngx_memcpy(value->data, dump, value->len + 1);
    }

    free(dump);

    return value->data ? NGX_CONF_OK : NGX_CONF_ERROR;
}
