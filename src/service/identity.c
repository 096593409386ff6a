#include "service/identity.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "service/inside.h"

enum { REFRESH_MS = 3600 * 1000 };

struct own_collateral {
    pthread_mutex_t lock;
    struct timestamp made;
    struct buffer bundle;
    bool has_tls;
    uint8_t tls_spki_sha256[SHA256_SIZE]; /* zero without TLS */
};

enum err own_collateral_new(struct own_collateral **out)
{
    struct own_collateral *c = calloc(1, sizeof *c);

    if (!c)
        return ERR_MEMORY;
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c);
        return ERR_MEMORY;
    }
    *out = c;
    return ERR_NONE;
}

void own_collateral_free(struct own_collateral **c)
{
    if (*c) {
        (void)pthread_mutex_destroy(&(*c)->lock);
        buffer_clear(&(*c)->bundle);
        free(*c);
    }
    *c = NULL;
}

void service_tls_key_set(struct service *svc, const uint8_t *spki_sha256)
{
    struct own_collateral *c = svc->own_collateral;

    (void)pthread_mutex_lock(&c->lock);
    c->has_tls = spki_sha256 != NULL;
    if (spki_sha256)
        memcpy(c->tls_spki_sha256, spki_sha256, SHA256_SIZE);
    else
        memset(c->tls_spki_sha256, 0, SHA256_SIZE);
    (void)pthread_mutex_unlock(&c->lock);
}

/* False, and zeros, without TLS. */
static bool tls_key_get(const struct service *svc, uint8_t out[SHA256_SIZE])
{
    struct own_collateral *c = svc->own_collateral;
    bool has_tls;

    (void)pthread_mutex_lock(&c->lock);
    has_tls = c->has_tls;
    memcpy(out, c->tls_spki_sha256, SHA256_SIZE);
    (void)pthread_mutex_unlock(&c->lock);
    return has_tls;
}

/* A copy of the bundle, which is made again when it is an hour old or the clock was set back. */
MUST_CHECK static enum err collateral_copy(struct service *svc, struct timestamp now,
                                           struct buffer *out)
{
    struct own_collateral *c = svc->own_collateral;
    int64_t age;
    enum err e = ERR_NONE;

    (void)pthread_mutex_lock(&c->lock);
    age = now.ms - c->made.ms;
    if (c->bundle.size == 0 || age < 0 || age > REFRESH_MS) {
        buffer_clear(&c->bundle);
        e = svc->tee->ops->collateral(svc->tee, now, &c->bundle);
        c->made = now;
    }
    if (e == ERR_NONE)
        e = buffer_append(out, buffer_span(&c->bundle));
    (void)pthread_mutex_unlock(&c->lock);
    return e;
}

static void own_report_data(const struct service *svc, struct span nonce,
                            const uint8_t tls_spki[SHA256_SIZE], uint8_t out[REPORT_DATA_SIZE])
{
    uint8_t context[ED25519_PUBLIC_SIZE + P256_POINT_SIZE + 2 * SHA256_SIZE];
    struct writer w = writer_over(context, sizeof context);
    uint8_t origin[SHA256_SIZE];

    sha256(span_string(svc->options.origin), origin);
    writer_put(&w, SPAN_OF(svc->keys.log_key));
    writer_put(&w, SPAN_OF(svc->keys.session_point));
    writer_put(&w, span_of(tls_spki, SHA256_SIZE));
    writer_put(&w, SPAN_OF(origin));
    report_data_bind(REPORT_DOMAIN_KEYSTORE, nonce, SPAN_OF(svc->keys.identity_key),
                     SPAN_OF(context), out);
}

/* The platform's message about a failure is for the operator, not for the caller. */
MUST_CHECK static enum err own_quote(struct service *svc,
                                     const uint8_t report_data[REPORT_DATA_SIZE],
                                     struct timestamp now, struct tee_evidence *out)
{
    enum err e = svc->tee->ops->quote(svc->tee, report_data, now, out);

    if (e != ERR_NONE)
        log_write(LOG_WARN, "tee", "no_evidence", LOG_STRING("code", err_code(e)),
                  LOG_STRING("reason", svc->tee->failure.text));
    return e;
}

enum err service_own_evidence(struct service *svc, struct span nonce, struct timestamp now,
                              struct own_evidence *out)
{
    uint8_t report_data[REPORT_DATA_SIZE];
    enum err e;

    if (nonce.size < IDENTITY_NONCE_MIN || nonce.size > IDENTITY_NONCE_MAX)
        return ERR_MALFORMED;
    if (!svc->tee || !svc->tee->ops->evidence)
        return ERR_UNSUPPORTED;
    *out = (struct own_evidence){.tee_type = svc->tee->ops->evidence,
                                 .identity_key = svc->keys.identity_key,
                                 .log_key = svc->keys.log_key,
                                 .origin = svc->options.origin,
                                 .session_key = svc->keys.session_point,
                                 .simulated = svc->simulated};
    if (tls_key_get(svc, out->tls_key)) /* one copy: the key may be replaced meanwhile */
        out->tls_spki_sha256 = out->tls_key;
    own_report_data(svc, nonce, out->tls_key, report_data);
    if ((e = own_quote(svc, report_data, now, &out->evidence)) != ERR_NONE ||
        (e = collateral_copy(svc, now, &out->collateral)) != ERR_NONE)
        own_evidence_clear(out);
    return e;
}

void own_evidence_clear(struct own_evidence *e)
{
    tee_evidence_clear(&e->evidence);
    buffer_clear(&e->collateral);
}

static void statement_sign(const struct service *svc, struct span seed, struct span nonce,
                           uint32_t version, const uint8_t public_key[X25519_SIZE],
                           uint8_t signature[ED25519_SIGNATURE_SIZE])
{
    uint8_t text[sizeof STATEMENT_DOMAIN + 2 + IDENTITY_NONCE_MAX + 2 + SEED_MAX_SIZE + 4 +
                 X25519_SIZE];
    struct writer w = writer_over(text, sizeof text);

    writer_put(&w, span_of(STATEMENT_DOMAIN, sizeof STATEMENT_DOMAIN)); /* includes its NUL */
    writer_u16be(&w, (uint16_t)nonce.size);
    writer_put(&w, nonce);
    writer_u16be(&w, (uint16_t)seed.size);
    writer_put(&w, seed);
    writer_u32be(&w, version);
    writer_put(&w, span_of(public_key, X25519_SIZE));
    ed25519_sign(secret_data(svc->keys.identity_seed), span_of(text, w.size), signature);
    stack_wipe();
}

enum err service_public_key_statement(const struct service *svc, struct service_thread *thread,
                                      struct span seed, struct span nonce,
                                      struct public_key_statement *out)
{
    const struct root_epoch *epoch = root_current(svc->keys.root);

    if (nonce.size > IDENTITY_NONCE_MAX || seed.size > SEED_MAX_SIZE)
        return ERR_TOO_LARGE;
    out->key_version = epoch->epoch;
    keyring_public_key(&svc->keys, thread->public_keys, epoch, seed, out->key);
    statement_sign(svc, seed, nonce, epoch->epoch, out->key, out->signature);
    return ERR_NONE;
}
