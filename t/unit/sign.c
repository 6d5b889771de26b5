
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * rooms: sign sign_secret
 */


#include "unit.h"
#include "ngx_http_webhook_sign.h"

#include <openssl/evp.h>


#define WHSEC  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WHSK   "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKk" \
               "ioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
#define WHPK   "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
#define V1     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define V1A    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFy" \
               "mVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
#define ID     "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY   "{\"test\": 2432232314}"
#define TIME   1614265330

#define NONE             NGX_HTTP_WEBHOOK_SIGN_NONE
#define STANDARD         NGX_HTTP_WEBHOOK_SIGN_STANDARD
#define VIRTUOSO         NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO
#define VIRTUOSO_SHA256  NGX_HTTP_WEBHOOK_SIGN_VIRTUOSO_SHA256
#define GITHUB           NGX_HTTP_WEBHOOK_SIGN_GITHUB
#define STRIPE           NGX_HTTP_WEBHOOK_SIGN_STRIPE

#define GITHUB_SECRET    "It's a Secret to Everybody"


typedef struct {
    const char   *name;
    ngx_uint_t    schemes;
    const char   *secrets[4];
    time_t        until[4];
    ngx_uint_t    event;
    const char   *id;
    time_t        now;
    const char   *body;
    const char   *expected;    /* "Name: value\n" ... */
} signature_t;


static signature_t  signatures[] = {

    { "none", NONE, { WHSEC }, { 0 }, 1, ID, TIME, BODY, "" },

    { "standard, v1", STANDARD, { WHSEC }, { 0 }, 1, ID, TIME, BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n"
      "webhook-signature: " V1 "\n" },

    { "standard, v1a", STANDARD, { WHSK }, { 0 }, 1, ID, TIME, BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n"
      "webhook-signature: " V1A "\n" },

    { "standard, both, in order", STANDARD, { WHSEC, WHSK }, { 0 }, 1, ID,
      TIME, BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n"
      "webhook-signature: " V1 " " V1A "\n" },

    { "standard, without a secret", STANDARD, { NULL }, { 0 }, 1, ID, TIME,
      BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n" },

    { "standard, rotation", STANDARD, { WHSK, WHSEC },
      { TIME + 1, 0 }, 1, ID, TIME, BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n"
      "webhook-signature: " V1A " " V1 "\n" },

    { "standard, the first has lapsed", STANDARD, { WHSK, WHSEC },
      { TIME, 0 }, 1, ID, TIME, BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n"
      "webhook-signature: " V1 "\n" },

    { "standard, the last one left never lapses", STANDARD,
      { WHSK, WHSEC, "x" }, { TIME - 9, TIME - 1, TIME - 5 }, 1, ID, TIME,
      BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n"
      "webhook-signature: " V1 "\n" },

    { "virtuoso", VIRTUOSO, { "test-secret" }, { 0 }, 5, ID, TIME,
      "{\"event\":\"PING\"}",
      "X-Virtuoso-Signature: sha1=f8a3a6b17d3b263302164fe02d2b2f4cc32195c9"
      "\n" },

    { "virtuoso, form", VIRTUOSO, { "test-secret" }, { 0 }, 5, ID, TIME,
      "payload=%7B%22event%22%3A%22PING%22%7D",
      "X-Virtuoso-Signature: sha1=12e802ca5002ee67dcb405fdd6b55a6117b1ce5a"
      "\n" },

    { "virtuoso=sha256", VIRTUOSO_SHA256, { GITHUB_SECRET }, { 0 }, 5, ID,
      TIME, "Hello, World!",
      "X-Virtuoso-Signature: sha256=757107ea0eb2509fc211221cce984b8a37570b6d"
      "7586c22c46f4379c8b043e17\n" },

    { "virtuoso, without a secret", VIRTUOSO, { NULL }, { 0 }, 5, ID, TIME,
      "{}", "" },

    { "virtuoso, the current secret only", VIRTUOSO,
      { "old", "test-secret", "next" }, { TIME, 0, 0 }, 5, ID, TIME,
      "{\"event\":\"PING\"}",
      "X-Virtuoso-Signature: sha1=f8a3a6b17d3b263302164fe02d2b2f4cc32195c9"
      "\n" },

    { "virtuoso, a private key is no shared secret", VIRTUOSO,
      { WHSK, "test-secret" }, { 0 }, 5, ID, TIME, "{\"event\":\"PING\"}",
      "X-Virtuoso-Signature: sha1=f8a3a6b17d3b263302164fe02d2b2f4cc32195c9"
      "\n" },

    { "github", GITHUB, { GITHUB_SECRET }, { 0 }, 1, ID, TIME,
      "Hello, World!",
      "X-GitHub-Event: execution\n"
      "X-GitHub-Delivery: " ID "\n"
      "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d"
      "7586c22c46f4379c8b043e17\n"
      "X-Hub-Signature: sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59\n" },

    { "github, ping without a secret", GITHUB, { NULL }, { 0 }, 5, ID, TIME,
      "{}",
      "X-GitHub-Event: ping\n"
      "X-GitHub-Delivery: " ID "\n" },

    { "stripe", STRIPE, { WHSEC }, { 0 }, 1, ID, TIME, BODY,
      "Stripe-Signature: t=1614265330,v1=2e37df5d4a028c51a7f3133d64ae1e300d2c"
      "2c900f1b1d49d4369ad2530f8964\n" },

    { "stripe, two", STRIPE, { WHSEC, WHSEC }, { 0 }, 1, ID, TIME, BODY,
      "Stripe-Signature: t=1614265330,v1=2e37df5d4a028c51a7f3133d64ae1e300d2c"
      "2c900f1b1d49d4369ad2530f8964,v1=2e37df5d4a028c51a7f3133d64ae1e300d2c"
      "2c900f1b1d49d4369ad2530f8964\n" },

    { "stripe, without a secret", STRIPE, { NULL }, { 0 }, 1, ID, TIME, BODY,
      "" },

    { "the default", STANDARD|VIRTUOSO, { WHSEC }, { 0 }, 1, ID, TIME, BODY,
      "webhook-id: " ID "\n"
      "webhook-timestamp: 1614265330\n"
      "webhook-signature: " V1 "\n"
      "X-Virtuoso-Signature: sha1=2da57a63580e1b8259222d7c976d87cd11bdfb5b\n" },

    { NULL, 0, { NULL }, { 0 }, 0, NULL, 0, NULL, NULL }
};


static const struct {
    const char   *text;
    const char   *error;
    ngx_uint_t    len;         /* of the key */
} secrets[] = {
    { WHSEC, NULL, 24 },
    { "plain", NULL, 5 },
    { "whse", NULL, 4 },
    { "WHSEC_abc", NULL, 9 },
    { "", "is empty", 0 },
    { "whsec_", "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_AAAA", "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
      "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-w",
      "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
      "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA==", NULL, 25 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA", NULL, 25 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA=",
      "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAB==",
      "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw====",
      "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
      "AAAAAAAAAAAAAAAAAAAAA", NULL, 64 },
    { "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
      "AAAAAAAAAAAAAAAAAAAAAA",
      "must be base64 of 24 to 64 bytes after \"whsec_\"", 0 },
    { WHSK, NULL, 32 },
    { "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=", NULL, 32 },
    { "whsk_", "must be base64 of 32 or 64 bytes after \"whsk_\"", 0 },
    { "whsk_AAAA", "must be base64 of 32 or 64 bytes after \"whsk_\"", 0 },
    { "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKk"
      "ioLlX0dRqSKJp4AJ6p9lMicMFs6Kvw==",
      "has a public key that is not that of its seed", 0 },
    { WHPK, "is a public key, which signs nothing", 0 },
    { NULL, NULL, 0 }
};


static void decode(void);
static void sign(signature_t *s);
static void verify(void);


static ngx_http_webhook_signer_t *
signer_of(ngx_pool_t *pool, signature_t *s)
{
    char                       *error;
    ngx_str_t                   value;
    ngx_uint_t                  i;
    ngx_http_webhook_hook_t     hook;
    ngx_http_webhook_secret_t  *secret;

    memset(&hook, 0, sizeof(hook));

    hook.signature = s->schemes;
    array_init(&hook.secrets, pool, sizeof(ngx_http_webhook_secret_t));

    for (i = 0; s->secrets[i]; i++) {
        secret = ngx_array_push(&hook.secrets);
        value = text(s->secrets[i]);

        error = ngx_http_webhook_sign_secret(pool, &value, secret);
        if (error) {
            check(0, "%s: %s", s->name, error);
        }

        secret->until = s->until[i];
    }

    return ngx_http_webhook_signer_create(&hook);
}


int
main(void)
{
    ngx_uint_t  i;

    decode();

    for (i = 0; signatures[i].name; i++) {
        sign(&signatures[i]);
    }

    verify();

    ngx_http_webhook_signer_free(NULL);

    return 0;
}


static void
decode(void)
{
    char                       *error;
    ngx_str_t                   value;
    ngx_uint_t                  i;
    ngx_pool_t                 *pool;
    ngx_http_webhook_secret_t   secret;

    pool = pool_create();

    for (i = 0; secrets[i].text; i++) {
        value = text(secrets[i].text);
        error = ngx_http_webhook_sign_secret(pool, &value, &secret);

        check((error == NULL) == (secrets[i].error == NULL)
              && (error == NULL || strcmp(error, secrets[i].error) == 0),
              "secret %s: %s", secrets[i].text, error ? error : "fine");

        if (error == NULL) {
            check_number(secret.key.len, secrets[i].len, "  length");
            check_text(secret.text.data, secret.text.len, secrets[i].text,
                       "  text");
            check_text(secret.public_key.data, secret.public_key.len,
                       secret.ed25519 ? WHPK : "", "  public key");
        }
    }

    pool_destroy(pool);
}


static void
sign(signature_t *s)
{
    char                            got[1024];
    size_t                          len;
    ngx_int_t                       rc;
    ngx_str_t                       id, body;
    ngx_uint_t                      i, k;
    ngx_pool_t                     *pool;
    ngx_array_t                     headers;
    ngx_http_webhook_signer_t      *signer;
    ngx_http_webhook_sign_header_t *header;

    pool = pool_create();

    signer = signer_of(pool, s);
    check(signer != NULL, "%s: keys", s->name);

    id = text(s->id);
    body = text(s->body);

    /* twice: a context is used again */

    for (k = 0; k < 2; k++) {
        array_init(&headers, pool, sizeof(ngx_http_webhook_sign_header_t));

        rc = ngx_http_webhook_sign(signer, s->event, &id, s->now, &body,
                                   &headers);
        check(rc == NGX_OK, "%s: signed", s->name);

        header = headers.elts;
        len = 0;
        got[0] = '\0';

        for (i = 0; i < headers.nelts; i++) {
            len += snprintf(got + len, sizeof(got) - len, "%.*s: %.*s\n",
                            (int) header[i].name.len, header[i].name.data,
                            (int) header[i].value.len, header[i].value.data);
        }

        check_text(got, len, s->expected, "%s", s->name);
    }

    ngx_http_webhook_signer_free(signer);
    pool_destroy(pool);
}


/* v1a by OpenSSL and the public key alone */

static void
verify(void)
{
    u_char       key[48], signature[96];
    EVP_PKEY    *pkey;
    EVP_MD_CTX  *md;

    static const char  signed_text[] = ID ".1614265330." BODY;

    EVP_DecodeBlock(key, (u_char *) WHPK + 5, sizeof(WHPK) - 6);
    EVP_DecodeBlock(signature, (u_char *) V1A + 4, sizeof(V1A) - 5);

    pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    md = EVP_MD_CTX_new();

    check(EVP_DigestVerifyInit(md, NULL, NULL, NULL, pkey) == 1
          && EVP_DigestVerify(md, signature, 64, (u_char *) signed_text,
                              sizeof(signed_text) - 1)
             == 1,
          "v1a verifies");

    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
}
