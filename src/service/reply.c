#include "service/reply.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/envelope.h"
#include "crypto/mac.h"
#include "crypto/random.h"

/* With their NUL, which separates them from what follows. */
#define SESSION_DOMAIN "vouchsafe-session-v1"
#define SESSION_KEY_DOMAIN "vouchsafe-session-key-v1"
#define REPLY_DOMAIN_HPKE "vouchsafe-reply-v1"
#define REPLY_DOMAIN_SESSION "vouchsafe-reply-v2"

enum { REPLY_FRAME = 192 }; /* bytes of JSON around the text */

static void domain_put(struct writer *w, const char *domain)
{
    writer_put(w, span_of(domain, strlen(domain) + 1));
}

MUST_CHECK static enum err session_reply_key(const struct service *svc,
                                             const uint8_t id[SESSION_ID_SIZE],
                                             const uint8_t attested[X25519_SIZE],
                                             uint8_t out[REPLY_KEY_SIZE])
{
    uint8_t info[SESSION_ID_SIZE + X25519_SIZE];

    memcpy(info, id, SESSION_ID_SIZE);
    memcpy(info + SESSION_ID_SIZE, attested, X25519_SIZE);
    return hkdf_sha256_expand(secret_data(svc->reply_keys), SPAN_OF(info), out, REPLY_KEY_SIZE);
}

MUST_CHECK static enum err reply_key_seal(const struct service *svc, const struct session *s,
                                          const uint8_t token_hash[SHA256_SIZE],
                                          struct session_grant *g)
{
    uint8_t info[sizeof SESSION_KEY_DOMAIN + SHA256_SIZE];
    struct writer w = writer_over(info, sizeof info);
    uint8_t key[REPLY_KEY_SIZE];
    enum err e;

    domain_put(&w, SESSION_KEY_DOMAIN);
    writer_put(&w, span_of(token_hash, SHA256_SIZE));
    if ((e = session_reply_key(svc, s->id, s->key, key)) == ERR_NONE)
        e = hpke_seal(s->key, SPAN_OF(info), (struct span){0}, SPAN_OF(key), NULL, g->enc,
                      g->ciphertext);
    bytes_wipe(key, sizeof key);
    return e;
}

enum err session_grant_make(const struct service *svc, const struct session *s, struct span token,
                            struct session_grant *out)
{
    uint8_t text[sizeof SESSION_DOMAIN + sizeof s->nonce + SHA256_SIZE + sizeof out->enc +
                 sizeof out->ciphertext];
    struct writer w = writer_over(text, sizeof text);
    struct session_grant g;
    uint8_t token_hash[SHA256_SIZE];
    enum err e;

    sha256(token, token_hash);
    if ((e = reply_key_seal(svc, s, token_hash, &g)) != ERR_NONE)
        goto out;
    domain_put(&w, SESSION_DOMAIN);
    writer_put(&w, SPAN_OF(s->nonce));
    writer_put(&w, SPAN_OF(token_hash));
    writer_put(&w, SPAN_OF(g.enc));
    writer_put(&w, SPAN_OF(g.ciphertext));
    ed25519_sign(secret_data(svc->identity_seed), span_of(text, w.size), g.signature);
    *out = g;
out:
    stack_wipe();
    return e;
}

enum err reply_plain(const struct secret *plain, struct outcome *o)
{
    enum err e = secret_new(REPLY_FRAME + base64_size(secret_size(plain)), &o->reply);
    struct writer w;
    struct json_writer j;

    if (e != ERR_NONE)
        return e;
    w = writer_over(secret_data(o->reply), secret_size(o->reply));
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_put_base64(&j, "plaintext_secrets", secret_span(plain));
    json_close_object(&j);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        secret_shrink(o->reply, w.size);
    return e;
}

/* {"sealed_secrets":{<name>:<opening>,"ciphertext":<sealed>}} */
MUST_CHECK static enum err sealed_write(const char *name, struct span opening, struct span sealed,
                                        struct outcome *o)
{
    enum err e = secret_new(REPLY_FRAME + base64_size(sealed.size), &o->reply);
    struct writer w;
    struct json_writer j;

    if (e != ERR_NONE)
        return e;
    w = writer_over(secret_data(o->reply), secret_size(o->reply));
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_open_object(&j, "sealed_secrets");
    json_put_base64(&j, name, opening);
    json_put_base64(&j, "ciphertext", sealed);
    json_close_object(&j);
    json_close_object(&j);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        secret_shrink(o->reply, w.size);
    return e;
}

enum err reply_sealed_in_session(const struct service *svc, const struct caller *caller,
                                 const struct claims *claims, struct span body,
                                 const struct secret *plain, struct outcome *o)
{
    uint8_t aad[sizeof REPLY_DOMAIN_SESSION + REQUEST_ID_SIZE + SHA256_SIZE];
    struct writer w = writer_over(aad, sizeof aad);
    uint8_t nonce[AEAD_XNONCE_SIZE];
    uint8_t body_hash[SHA256_SIZE];
    uint8_t key[REPLY_KEY_SIZE];
    struct buffer sealed = {0};
    enum err e;

    assert(claims->has_session && caller->request_id.size == REQUEST_ID_SIZE);
    sha256(body, body_hash);
    domain_put(&w, REPLY_DOMAIN_SESSION);
    writer_put(&w, caller->request_id);
    writer_put(&w, SPAN_OF(body_hash));
    random_bytes(nonce, sizeof nonce);
    if ((e = buffer_reserve(&sealed, secret_size(plain) + AEAD_TAG_SIZE)) != ERR_NONE ||
        (e = session_reply_key(svc, claims->session_id, claims->key, key)) != ERR_NONE)
        goto out;
    aead_seal(AEAD_XCHACHA20_POLY1305, key, nonce, SPAN_OF(aad), secret_span(plain), sealed.data);
    sealed.size = secret_size(plain) + AEAD_TAG_SIZE;
    e = sealed_write("nonce", SPAN_OF(nonce), buffer_span(&sealed), o);
out:
    bytes_wipe(key, sizeof key);
    stack_wipe();
    buffer_clear(&sealed);
    return e;
}

enum err reply_sealed_to_key(const struct caller *caller, const struct claims *claims,
                             const struct secret *plain, struct outcome *o)
{
    uint8_t info[sizeof REPLY_DOMAIN_HPKE + REQUEST_ID_SIZE];
    struct writer w = writer_over(info, sizeof info);
    uint8_t enc[X25519_SIZE];
    struct buffer sealed = {0};
    enum err e;

    assert(claims->has_key && caller->request_id.size == REQUEST_ID_SIZE);
    domain_put(&w, REPLY_DOMAIN_HPKE);
    writer_put(&w, caller->request_id);
    if ((e = buffer_reserve(&sealed, secret_size(plain) + AEAD_TAG_SIZE)) != ERR_NONE ||
        (e = hpke_seal(claims->key, SPAN_OF(info), (struct span){0}, secret_span(plain), NULL, enc,
                       sealed.data)) != ERR_NONE)
        goto out;
    sealed.size = secret_size(plain) + AEAD_TAG_SIZE;
    e = sealed_write("enc", SPAN_OF(enc), buffer_span(&sealed), o);
out:
    buffer_clear(&sealed);
    return e;
}
