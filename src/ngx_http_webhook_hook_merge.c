
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * hook_merge: a webhook as written and what it starts from -> a webhook with
 * every setting known; two of these -> what they differ in.  Next room: conf.
 */


#include "ngx_http_webhook_conf.h"
#include "ngx_http_webhook_queue.h"


static void ngx_http_webhook_array_merge(ngx_array_t *conf, ngx_array_t *prev);
static ngx_uint_t ngx_http_webhook_str_equal(ngx_str_t *one, ngx_str_t *two);
static ngx_uint_t ngx_http_webhook_secrets_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two);
static ngx_uint_t ngx_http_webhook_match_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two);
static ngx_uint_t ngx_http_webhook_match_values_equal(ngx_array_t *one,
    ngx_array_t *two);
static ngx_uint_t ngx_http_webhook_headers_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two);
static ngx_uint_t ngx_http_webhook_retry_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two);


static ngx_msec_t  ngx_http_webhook_retry_default[] = {
    5 * 1000,
    5 * 60 * 1000,
    30 * 60 * 1000,
    2 * 60 * 60 * 1000,
    5 * 60 * 60 * 1000,
    10 * 60 * 60 * 1000,
    14 * 60 * 60 * 1000,
    20 * 60 * 60 * 1000,
    24 * 60 * 60 * 1000
};


ngx_http_webhook_hook_t *
ngx_http_webhook_hook_create(ngx_conf_t *cf)
{
    ngx_http_webhook_hook_t  *hook;

    hook = ngx_pcalloc(cf->pool, sizeof(ngx_http_webhook_hook_t));
    if (hook == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     hook->url = { 0, NULL };
     *     hook->via = { 0, NULL };
     *     hook->secrets = { NULL };
     *     hook->signature = 0;
     *     hook->events = 0;
     *     hook->match = { NULL };
     *     hook->members = { NULL };
     *     hook->headers = { NULL };
     *     hook->description = { 0, NULL };
     *     hook->retry = { NULL };
     *     hook->proxy = { 0, NULL };
     *     hook->ssl_trusted_certificate = { 0, NULL };
     *     hook->ssl_certificate = { 0, NULL };
     */

    hook->slot = NGX_HTTP_WEBHOOK_NO_SLOT;
    hook->form = NGX_CONF_UNSET_UINT;
    hook->active = NGX_CONF_UNSET;
    hook->timeout = NGX_CONF_UNSET_MSEC;
    hook->expire = NGX_CONF_UNSET_MSEC;
    hook->queue = NGX_CONF_UNSET_UINT;
    hook->overflow_oldest = NGX_CONF_UNSET_UINT;
    hook->max_in_flight = NGX_CONF_UNSET_UINT;
    hook->rate = NGX_CONF_UNSET_UINT;
    hook->disable_after = NGX_CONF_UNSET_MSEC;
    hook->ssl_verify = NGX_CONF_UNSET;
    hook->http2 = NGX_CONF_UNSET;

    return hook;
}


void
ngx_http_webhook_hook_merge(ngx_http_webhook_hook_t *conf,
    ngx_http_webhook_hook_t *prev)
{
    ngx_http_webhook_array_merge(&conf->secrets, &prev->secrets);
    ngx_http_webhook_array_merge(&conf->match, &prev->match);
    ngx_http_webhook_array_merge(&conf->members, &prev->members);

    if (conf->headers.elts == NULL) {
        conf->nvariables = prev->nvariables;
    }

    ngx_http_webhook_array_merge(&conf->headers, &prev->headers);

    ngx_conf_merge_bitmask_value(conf->signature, prev->signature,
                                 NGX_HTTP_WEBHOOK_SIGN_STANDARD
                                 |NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO);

    ngx_conf_merge_bitmask_value(conf->events, prev->events,
                     NGX_HTTP_WEBHOOK_EXECUTION_BITS
                     |ngx_http_webhook_event_bit(NGX_HTTP_WEBHOOK_PING));

    ngx_conf_merge_uint_value(conf->form, prev->form, 0);
    ngx_conf_merge_value(conf->active, prev->active, 1);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 15000);

    if (conf->retry.elts == NULL) {

        if (prev->retry.elts) {
            conf->retry = prev->retry;

        } else {
            conf->retry.elts = ngx_http_webhook_retry_default;
            conf->retry.nelts = sizeof(ngx_http_webhook_retry_default)
                                / sizeof(ngx_msec_t);
            conf->retry.nalloc = conf->retry.nelts;
            conf->retry.size = sizeof(ngx_msec_t);
        }
    }

    ngx_conf_merge_msec_value(conf->expire, prev->expire, 0);

    if (conf->queue == NGX_CONF_UNSET_UINT) {
        conf->queue_line = prev->queue_line;
        conf->queue_file = prev->queue_file;
    }

    ngx_conf_merge_uint_value(conf->overflow_oldest, prev->overflow_oldest, 0);
    ngx_conf_merge_uint_value(conf->queue, prev->queue, 10000);
    ngx_conf_merge_uint_value(conf->max_in_flight, prev->max_in_flight, 16);
    ngx_conf_merge_uint_value(conf->rate, prev->rate, 0);
    ngx_conf_merge_msec_value(conf->disable_after, prev->disable_after,
                              (ngx_msec_t) 5 * 24 * 60 * 60 * 1000);

    ngx_conf_merge_str_value(conf->proxy, prev->proxy, "");
    ngx_conf_merge_value(conf->ssl_verify, prev->ssl_verify, 1);
    ngx_conf_merge_str_value(conf->ssl_trusted_certificate,
                             prev->ssl_trusted_certificate, "");
    ngx_conf_merge_str_value(conf->ssl_trusted_pem, prev->ssl_trusted_pem, "");

    ngx_conf_merge_str_value(conf->ssl_certificate, prev->ssl_certificate, "");
    ngx_conf_merge_str_value(conf->ssl_certificate_key,
                             prev->ssl_certificate_key, "");
    ngx_conf_merge_str_value(conf->ssl_certificate_pem,
                             prev->ssl_certificate_pem, "");
    ngx_conf_merge_str_value(conf->ssl_certificate_key_pem,
                             prev->ssl_certificate_key_pem, "");
    ngx_conf_merge_value(conf->http2, prev->http2, 0);
}


static void
ngx_http_webhook_array_merge(ngx_array_t *conf, ngx_array_t *prev)
{
    if (conf->elts == NULL) {
        *conf = *prev;
    }
}


char *
ngx_http_webhook_hook_differ(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two)
{
    if (!ngx_http_webhook_str_equal(&one->url, &two->url)
        || !ngx_http_webhook_str_equal(&one->shown, &two->shown))
    {
        return "url";
    }

    if (!ngx_http_webhook_str_equal(&one->via, &two->via)) {
        return "via";
    }

    if (!ngx_http_webhook_secrets_equal(one, two)) {
        return "secret";
    }

    if (one->signature != two->signature) {
        return "signature";
    }

    if (one->form != two->form) {
        return "content_type";
    }

    if (one->events != two->events) {
        return "events";
    }

    if (!ngx_http_webhook_match_equal(one, two)) {
        return "match";
    }

    if (!ngx_http_webhook_str_equal(&one->description, &two->description)) {
        return "description";
    }

    if (!ngx_http_webhook_hook_members_equal(one, two)) {
        return "member";
    }

    if (!ngx_http_webhook_headers_equal(one, two)) {
        return "header";
    }

    if (one->active != two->active) {
        return "active";
    }

    if (one->timeout != two->timeout) {
        return "timeout";
    }

    if (!ngx_http_webhook_retry_equal(one, two)) {
        return "retry";
    }

    if (one->expire != two->expire) {
        return "expire";
    }

    if (one->queue != two->queue
        || one->overflow_oldest != two->overflow_oldest)
    {
        return "queue";
    }

    if (one->max_in_flight != two->max_in_flight) {
        return "max_in_flight";
    }

    if (one->rate != two->rate) {
        return "rate";
    }

    if (one->disable_after != two->disable_after) {
        return "disable_after";
    }

    if (!ngx_http_webhook_str_equal(&one->proxy, &two->proxy)) {
        return "proxy";
    }

    if (one->ssl_verify != two->ssl_verify) {
        return "ssl_verify";
    }

    if (!ngx_http_webhook_str_equal(&one->ssl_trusted_certificate,
                                    &two->ssl_trusted_certificate))
    {
        return "ssl_trusted_certificate";
    }

    if (!ngx_http_webhook_str_equal(&one->ssl_certificate,
                                    &two->ssl_certificate)
        || !ngx_http_webhook_str_equal(&one->ssl_certificate_key,
                                       &two->ssl_certificate_key))
    {
        return "ssl_certificate";
    }

    if (one->http2 != two->http2) {
        return "http2";
    }

    return NULL;
}


ngx_uint_t
ngx_http_webhook_hook_members_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two)
{
    ngx_uint_t                  i;
    ngx_http_webhook_member_t  *a, *b;

    if (one->members.nelts != two->members.nelts) {
        return 0;
    }

    a = one->members.elts;
    b = two->members.elts;

    for (i = 0; i < one->members.nelts; i++) {
        if (!ngx_http_webhook_str_equal(&a[i].name, &b[i].name)
            || !ngx_http_webhook_str_equal(&a[i].value, &b[i].value))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_webhook_str_equal(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && (one->len == 0
               || ngx_memcmp(one->data, two->data, one->len) == 0);
}


static ngx_uint_t
ngx_http_webhook_secrets_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two)
{
    ngx_uint_t                  i;
    ngx_http_webhook_secret_t  *a, *b;

    if (one->secrets.nelts != two->secrets.nelts) {
        return 0;
    }

    a = one->secrets.elts;
    b = two->secrets.elts;

    for (i = 0; i < one->secrets.nelts; i++) {
        if (a[i].until != b[i].until
            || !ngx_http_webhook_str_equal(&a[i].text, &b[i].text))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_webhook_match_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two)
{
    ngx_uint_t                 i;
    ngx_http_webhook_match_t  *a, *b;

    if (one->match.nelts != two->match.nelts) {
        return 0;
    }

    a = one->match.elts;
    b = two->match.elts;

    for (i = 0; i < one->match.nelts; i++) {
        if (!ngx_http_webhook_str_equal(&a[i].pointer.text, &b[i].pointer.text)
            || !ngx_http_webhook_match_values_equal(&a[i].values,
                                                    &b[i].values))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_webhook_match_values_equal(ngx_array_t *one, ngx_array_t *two)
{
    ngx_uint_t                       i;
    ngx_http_webhook_value_match_t  *a, *b;

    if (one->nelts != two->nelts) {
        return 0;
    }

    a = one->elts;
    b = two->elts;

    for (i = 0; i < one->nelts; i++) {
        if (a[i].negative != b[i].negative
            || a[i].any != b[i].any
#if (NGX_PCRE)
            || (a[i].regex == NULL) != (b[i].regex == NULL)
#endif
            || !ngx_http_webhook_str_equal(&a[i].text, &b[i].text))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_webhook_headers_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two)
{
    ngx_uint_t                  i;
    ngx_http_webhook_header_t  *a, *b;

    if (one->headers.nelts != two->headers.nelts) {
        return 0;
    }

    a = one->headers.elts;
    b = two->headers.elts;

    for (i = 0; i < one->headers.nelts; i++) {
        if (a[i].hidden != b[i].hidden
            || (a[i].value.lengths == NULL) != (b[i].value.lengths == NULL)
            || !ngx_http_webhook_str_equal(&a[i].name, &b[i].name)
            || !ngx_http_webhook_str_equal(&a[i].value.value,
                                           &b[i].value.value))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_webhook_retry_equal(ngx_http_webhook_hook_t *one,
    ngx_http_webhook_hook_t *two)
{
    return one->retry.nelts == two->retry.nelts
           && (one->retry.nelts == 0
               || ngx_memcmp(one->retry.elts, two->retry.elts,
                             one->retry.nelts * sizeof(ngx_msec_t))
                  == 0);
}
