/* The keystore's own evidence, and public keys that it vouches for. */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "attest/attest.h"
#include "audit/checkpoint.h"
#include "base/text.h"
#include "base/writer.h"
#include "client/reply.h"
#include "crypto/random.h"
#include "keys/seed.h"

_Static_assert(VS_SEED_MAX == SEED_MAX_SIZE && REPLY_SEED_MAX == SEED_MAX_SIZE, "seeds");

static enum vs_error reply_fault(struct vs_client *c, enum err e, const char *what)
{
    if (e == ERR_MEMORY)
        return VS_ERR_MEMORY;
    return client_fail(c, VS_ERR_REPLY, "%s does not have the form of docs/protocol.md", what);
}

/*
 * log key || session key || TLS key || SHA-256(log origin): what the identity's evidence binds
 * besides the identity. Without the origin one in between could rename the log, and another log's
 * checkpoints would pass for this one's.
 */
static void keystore_report_data(const struct reply_attestation *a, struct span nonce,
                                 uint8_t out[VS_REPORT_DATA_SIZE])
{
    uint8_t context[sizeof a->log_key + sizeof a->session_key + sizeof a->tls_spki_sha256 +
                    SHA256_SIZE];
    uint8_t origin[SHA256_SIZE];
    struct writer w = writer_over(context, sizeof context);

    sha256(span_string(a->log_origin), origin);
    writer_put(&w, SPAN_OF(a->log_key));
    writer_put(&w, SPAN_OF(a->session_key));
    writer_put(&w, SPAN_OF(a->tls_spki_sha256));
    writer_put(&w, SPAN_OF(origin));
    report_data_bind(REPORT_DOMAIN_KEYSTORE, nonce, SPAN_OF(a->identity_key), SPAN_OF(context),
                     out);
}

static enum vs_error check_evidence(struct vs_client *c, const struct reply_attestation *a,
                                    struct span nonce, const struct vs_appraisal *appraisal,
                                    struct vs_bytes trust_root, struct vs_claims *claims)
{
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    uint8_t *quote = NULL;
    size_t size = 0;
    enum vs_error e = VS_OK;
    enum err read;

    if (!span_equal(span_of(a->nonce, a->nonce_size), nonce))
        return client_fail(c, VS_ERR_UNTRUSTED, "the evidence is for another nonce than ours");
    quote = malloc(VS_QUOTE_MAX);
    if (quote == NULL)
        return VS_ERR_MEMORY;
    read = base64_read(a->quote, quote, VS_QUOTE_MAX, &size);
    if (read != ERR_NONE) {
        free(quote);
        return reply_fault(c, read, "the keystore's quote");
    }
    keystore_report_data(a, nonce, report_data);
    const struct vs_evidence evidence = {
        .quote = {quote,              size              },
        .collateral = {a->collateral.data, a->collateral.size},
        .trust_root = trust_root,
        .report_data = report_data,
    };
    e = vs_attest_verify(&evidence, appraisal, claims);
    free(quote);
    if (e == VS_ERR_MALFORMED)
        return client_fail(c, e, "the trust root is not a certificate");
    if (e == VS_ERR_UNTRUSTED)
        return client_fail(c, e, "the keystore's evidence does not verify: %s (step %s)",
                           claims->code, claims->step);
    if (e == VS_ERR_POLICY)
        return client_fail(c, e, "the keystore is not accepted: %s, expected %s, presented %s",
                           claims->code, claims->expected, claims->presented);
    return e;
}

/* Nobody else's TLS from here on. A pin that was given must be the key that the evidence names. */
static enum vs_error bind_tls(struct vs_client *c, const struct reply_attestation *a, bool *bound)
{
    *bound = false;
    if (!c->tls || !a->has_tls || span_is_zero(SPAN_OF(a->tls_spki_sha256)))
        return VS_OK;
    if (c->pinned && !span_equal(SPAN_OF(c->pin), SPAN_OF(a->tls_spki_sha256)))
        return client_fail(c, VS_ERR_UNTRUSTED,
                           "the TLS key in use is not the one that the evidence names: somebody "
                           "stands between this client and the keystore");
    enum vs_error e = c->pinned ? VS_OK : client_pin(c, a->tls_spki_sha256);
    *bound = e == VS_OK;
    return e;
}

static enum vs_error fetch_evidence(struct vs_client *c, const uint8_t nonce[VS_NONCE_SIZE],
                                    struct secret **body, struct reply_attestation *out)
{
    char path[sizeof "/v1/attestation?nonce=" + (size_t)2 * VS_NONCE_SIZE] =
        "/v1/attestation?nonce=";
    enum vs_error e;
    enum err parsed;

    hex_write(span_of(nonce, VS_NONCE_SIZE), path + strlen(path));
    e = client_send(c, &(struct client_call){.method = "GET", .path = path}, body);
    if (e != VS_OK)
        return e;
    parsed = reply_attestation_parse(secret_span(*body), out);
    return parsed == ERR_NONE ? VS_OK : reply_fault(c, parsed, "the keystore's attestation");
}

static enum vs_error keystore_fill(struct vs_client *c, const struct reply_attestation *a,
                                   struct vs_keystore *out)
{
    memcpy(out->identity_key, a->identity_key, sizeof out->identity_key);
    memcpy(out->log_key, a->log_key, sizeof out->log_key);
    memcpy(out->log_origin, a->log_origin, sizeof out->log_origin);
    memcpy(out->session_key, a->session_key, sizeof out->session_key);
    memcpy(out->tls_spki_sha256, a->tls_spki_sha256, sizeof out->tls_spki_sha256);
    enum err e =
        checkpoint_vkey_write(a->log_origin, a->log_key, out->log_vkey, sizeof out->log_vkey);
    return e == ERR_NONE ? VS_OK : reply_fault(c, e, "the log's origin");
}

enum vs_error vs_keystore_verify(struct vs_client *c, const struct vs_appraisal *appraisal,
                                 struct vs_bytes trust_root, struct vs_keystore *out)
{
    uint8_t nonce[VS_NONCE_SIZE];
    struct reply_attestation a = {0};
    struct vs_keystore keystore = {0};
    struct secret *body = NULL;
    enum vs_error e;

    if (c == NULL || appraisal == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    random_bytes(nonce, sizeof nonce);
    if ((e = fetch_evidence(c, nonce, &body, &a)) != VS_OK ||
        (e = check_evidence(c, &a, SPAN_OF(nonce), appraisal, trust_root, &keystore.claims)) !=
            VS_OK ||
        (e = keystore_fill(c, &a, &keystore)) != VS_OK ||
        (e = bind_tls(c, &a, &keystore.tls_bound)) != VS_OK)
        out->claims = keystore.claims;
    else
        *out = keystore;
    secret_free(&body);
    return e;
}

enum vs_error vs_seed_build(const struct vs_key_name *name, char *out, size_t out_size)
{
    if (name == NULL || out == NULL || out_size == 0)
        return VS_ERR_ARGUMENT;
    const bool by_repo = name->repo != NULL || name->owner != NULL || name->branch != NULL;
    if (by_repo && (name->seed != NULL || name->repo == NULL || name->owner == NULL))
        return VS_ERR_ARGUMENT;
    if (by_repo) {
        const struct accessor accessor = {
            .kind = ACCESSOR_REPO,
            .name = span_string(name->repo),
            .branch = span_string(name->branch),
            .owner = span_string(name->owner),
        };
        return error_of(seed_build(&accessor, out, out_size));
    }
    if (name->seed == NULL || name->seed[0] == '\0') {
        out[0] = '\0';
        return VS_OK;
    }
    enum err e = seed_check(span_string(name->seed));
    return error_of(e == ERR_NONE ? span_to_string(span_string(name->seed), out, out_size) : e);
}

/* "vouchsafe-pubkey-v1" 0x00 lv16(nonce) lv16(seed) u32be(key_version) pubkey */
static enum err statement_write(struct span nonce, const struct reply_pubkey *p, uint8_t *out,
                                size_t capacity, struct span *statement)
{
    struct writer w = writer_over(out, capacity);
    const struct span seed = span_string(p->seed);

    writer_put(&w, SPAN_LITERAL("vouchsafe-pubkey-v1"));
    writer_u8(&w, 0);
    writer_u16be(&w, (uint16_t)nonce.size);
    writer_put(&w, nonce);
    writer_u16be(&w, (uint16_t)seed.size);
    writer_put(&w, seed);
    writer_u32be(&w, p->version);
    writer_put(&w, SPAN_OF(p->key));
    return writer_finish(&w, statement);
}

static enum vs_error check_signature(struct vs_client *c, const struct vs_keystore *keystore,
                                     struct span nonce, const struct reply_pubkey *p)
{
    uint8_t memory[VS_SEED_MAX + 256];
    struct span statement = {0};
    enum err e;

    if (!p->has_signature)
        return client_fail(c, VS_ERR_UNTRUSTED, "the public key came without a signature");
    if (!span_equal(span_of(p->nonce, p->nonce_size), nonce))
        return client_fail(c, VS_ERR_UNTRUSTED, "the public key is for another nonce than ours");
    e = statement_write(nonce, p, memory, sizeof memory, &statement);
    if (e == ERR_NONE)
        e = ed25519_verify(keystore->identity_key, statement, p->signature);
    if (e != ERR_NONE)
        return client_fail(c, VS_ERR_UNTRUSTED,
                           "the public key is not signed by the attested identity key");
    return VS_OK;
}

static enum vs_error fetch_pubkey(struct vs_client *c, const char *seed, struct span nonce,
                                  struct reply_pubkey *out)
{
    char hex[2 * VS_NONCE_SIZE + 1];
    struct buffer path = {0};
    struct secret *body = NULL;
    enum vs_error e;
    enum err built;

    hex_write(nonce, hex);
    built = buffer_append_string(&path, "/v1/pubkey?");
    if (built == ERR_NONE && seed[0] != '\0')
        built = query_append(&path, "seed", span_string(seed));
    if (built == ERR_NONE && seed[0] != '\0')
        built = buffer_append_string(&path, "&");
    if (built == ERR_NONE)
        built = buffer_printf(&path, "nonce=%s%c", hex, '\0');
    e = error_of(built);
    if (e == VS_OK)
        e = client_send(c, &(struct client_call){.method = "GET", .path = (char *)path.data},
                        &body);
    if (e == VS_OK && (built = reply_pubkey_parse(secret_span(body), out)) != ERR_NONE)
        e = reply_fault(c, built, "the public key");
    secret_free(&body);
    buffer_clear(&path);
    return e;
}

enum vs_error vs_pubkey(struct vs_client *c, const struct vs_keystore *keystore,
                        const struct vs_key_name *name, struct vs_public_key *out)
{
    uint8_t nonce[VS_NONCE_SIZE];
    char seed[VS_SEED_MAX + 1] = "";
    struct reply_pubkey p = {0};
    enum vs_error e;

    if (c == NULL || name == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if ((e = vs_seed_build(name, seed, sizeof seed)) != VS_OK)
        return client_fail(c, e, "the name is not one a key can have (see docs/protocol.md)");
    random_bytes(nonce, sizeof nonce);
    if ((e = fetch_pubkey(c, seed, SPAN_OF(nonce), &p)) != VS_OK)
        return e;
    /* else one in between could have asked for a key that is his */
    if (strcmp(seed, p.seed) != 0)
        return client_fail(c, VS_ERR_UNTRUSTED, "the public key that came is of another seed");
    if (keystore != NULL && (e = check_signature(c, keystore, SPAN_OF(nonce), &p)) != VS_OK)
        return e;
    *out = (struct vs_public_key){.version = p.version, .verified = keystore != NULL};
    memcpy(out->seed, seed, sizeof seed);
    memcpy(out->key, p.key, sizeof out->key);
    return VS_OK;
}
