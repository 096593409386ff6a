#include "service/reply.h"

#include <assert.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/envelope.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "service/inside.h"

/* The NUL is included; it separates them from the next field. */
#define SESSION_DOMAIN "vouchsafe-session-v1"
#define SESSION_KEY_DOMAIN "vouchsafe-session-key-v1"
#define REPLY_DOMAIN_HPKE "vouchsafe-reply-v1"
#define REPLY_DOMAIN_SESSION "vouchsafe-reply-v2"

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
    return hkdf_sha256_expand(secret_data(svc->keys.reply_keys), SPAN_OF(info), out,
                              REPLY_KEY_SIZE);
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
    ed25519_sign(secret_data(svc->keys.identity_seed), span_of(text, w.size), g.signature);
    *out = g;
out:
    stack_wipe();
    return e;
}

enum err reply_seal_for_session(const struct operation_context *x, struct span body,
                                const struct secret *plain, struct opened *out)
{
    uint8_t aad[sizeof REPLY_DOMAIN_SESSION + REQUEST_ID_SIZE + SHA256_SIZE];
    struct writer w = writer_over(aad, sizeof aad);
    uint8_t body_hash[SHA256_SIZE];
    uint8_t key[REPLY_KEY_SIZE];
    enum err e;

    assert(x->claims.has_session && x->caller->request_id.size == REQUEST_ID_SIZE);
    sha256(body, body_hash);
    domain_put(&w, REPLY_DOMAIN_SESSION);
    writer_put(&w, x->caller->request_id);
    writer_put(&w, SPAN_OF(body_hash));
    random_bytes(out->opening, AEAD_XNONCE_SIZE);
    if ((e = buffer_reserve(&out->sealed, secret_size(plain) + AEAD_TAG_SIZE)) != ERR_NONE ||
        (e = session_reply_key(x->svc, x->claims.session_id, x->claims.key, key)) != ERR_NONE)
        goto out;
    aead_seal(AEAD_XCHACHA20_POLY1305, key, out->opening, SPAN_OF(aad), secret_span(plain),
              out->sealed.data);
    out->form = OPENED_FOR_SESSION;
    out->opening_size = AEAD_XNONCE_SIZE;
    out->sealed.size = secret_size(plain) + AEAD_TAG_SIZE;
out:
    bytes_wipe(key, sizeof key);
    stack_wipe();
    return e;
}

enum err reply_seal_for_key(const struct operation_context *x, const struct secret *plain,
                            struct opened *out)
{
    uint8_t info[sizeof REPLY_DOMAIN_HPKE + REQUEST_ID_SIZE];
    struct writer w = writer_over(info, sizeof info);
    enum err e;

    assert(x->claims.has_key && x->caller->request_id.size == REQUEST_ID_SIZE);
    domain_put(&w, REPLY_DOMAIN_HPKE);
    writer_put(&w, x->caller->request_id);
    if ((e = buffer_reserve(&out->sealed, secret_size(plain) + AEAD_TAG_SIZE)) != ERR_NONE ||
        (e = hpke_seal(x->claims.key, SPAN_OF(info), (struct span){0}, secret_span(plain), NULL,
                       out->opening, out->sealed.data)) != ERR_NONE)
        return e;
    out->form = OPENED_FOR_KEY;
    out->opening_size = X25519_SIZE;
    out->sealed.size = secret_size(plain) + AEAD_TAG_SIZE;
    return ERR_NONE;
}
