#include <string.h>

#include "attest/arm.h"
#include "base/reader.h"

/* Lifecycle states: RFC 9783 section 4.3.1. A device in any other state than "secured" can be
 * debugged or is not finished. */
enum { LIFECYCLE_SECURED = 0x3000, LIFECYCLE_STATE = 0xff00 };

/* Neither tokens nor endorsements expire: the end of 9999, as in RFC 5280 section 4.1.2.5. */
static const struct timestamp no_expiry = {253402300799000};

MUST_CHECK static enum err lifecycle_check(const struct arm_platform *p, struct refusal *r)
{
    if ((p->lifecycle & LIFECYCLE_STATE) != LIFECYCLE_SECURED)
        return refuse_number(r, ATTEST_DEBUG, "lifecycle", "lifecycle (secured is 12288 to 12543)",
                             LIFECYCLE_SECURED, p->lifecycle);
    return ERR_NONE;
}

/* `id`, if not NULL, receives the id of the evidence. */
MUST_CHECK static enum err envelope_verify(const struct cose_sign1 *envelope,
                                           const struct cose_key *key, const char *what,
                                           uint8_t *id, struct refusal *r)
{
    struct buffer message = {0};
    enum err e;

    if ((e = cose_sign1_message(envelope, &message)) != ERR_NONE)
        goto out;
    e = cose_sign1_verify(envelope, buffer_span(&message), key);
    if (e != ERR_NONE)
        e = refuse_unless_memory(r, e, ATTEST_SIGNATURE_INVALID, "signature", what, NULL);
    else if (id)
        evidence_identify(buffer_span(&message),
                          span_slice(envelope->signature, 0, envelope->signature.size / 2), id);
out:
    buffer_clear(&message);
    return e;
}

/* Verifies with the device's own key, which a party trusted by the operator has endorsed. */
MUST_CHECK static enum err platform_verify(const struct verify_input *in,
                                           const struct arm_platform *p, uint8_t *id,
                                           struct refusal *r)
{
    const struct cose_key *key = arm_key_find(in->collateral, p->instance_id);

    if (!key)
        return refuse_bytes(r, ATTEST_COLLATERAL_MISSING, "endorsement", "key of instance",
                            (struct span){0}, p->instance_id);
    return envelope_verify(&p->envelope, key, "a token signed by the instance's endorsed key", id,
                           r);
}

static void platform_fill(const struct arm_platform *p, enum attest_tee kind,
                          struct attest_result *out)
{
    struct arm_claims *claims = &out->arm;

    *claims = (struct arm_claims){
        .profile = p->profile,
        .nonce = p->nonce,
        .implementation_id = p->implementation_id,
        .instance_id = p->instance_id,
        .boot_seed = p->boot_seed,
        .lifecycle = p->lifecycle,
        .component_count = p->component_count,
        .config = p->config,
    };
    memcpy(claims->components, p->components, sizeof claims->components);
    out->tee = attest_tee_name(kind);
    out->earliest_expiry = no_expiry;
}

static void report_data_set(struct span bytes, struct attest_result *out)
{
    struct reader r = reader_over(bytes); /* at most 64 bytes: the parser checked it */

    reader_copy(&r, out->report_data, bytes.size);
}

enum err psa_verify(const struct verify_input *in, struct attest_result *out, struct refusal *r)
{
    struct arm_platform p = {0};
    enum err e;

    if ((e = arm_psa_parse(in->evidence->bytes, &p, r)) != ERR_NONE)
        return e;
    step_passed(out, "token");
    if ((e = platform_verify(in, &p, out->evidence_id, r)) != ERR_NONE)
        return e;
    step_passed(out, "signature");
    platform_fill(&p, ATTEST_PSA, out);
    report_data_set(p.nonce, out);
    out->signatures_valid = out->authentic = true;
    if ((e = lifecycle_check(&p, r)) == ERR_NONE)
        step_passed(out, "lifecycle");
    return e;
}

/* Names from IANA's registry, Hash Function Textual Names. */
static bool hash_by_name(struct span name, struct span bytes, uint8_t out[SHA512_SIZE],
                         size_t *size)
{
    if (span_equal_string(name, "sha-256")) {
        sha256(bytes, out);
        *size = SHA256_SIZE;
    } else if (span_equal_string(name, "sha-384")) {
        sha384(bytes, out);
        *size = SHA384_SIZE;
    } else if (span_equal_string(name, "sha-512")) {
        sha512(bytes, out);
        *size = SHA512_SIZE;
    } else {
        return false;
    }
    return true;
}

/* The platform token certifies the realm's key: its challenge is the hash of the key. */
MUST_CHECK static enum err binding_check(const struct arm_platform *p,
                                         const struct arm_realm *realm, struct refusal *r)
{
    uint8_t hash[SHA512_SIZE];
    size_t size;

    if (!hash_by_name(realm->public_key_hash, realm->public_key, hash, &size))
        return refuse(r, ATTEST_UNSUPPORTED_ALGORITHM, "binding", "sha-256, sha-384 or sha-512",
                      NULL);
    if (p->nonce.size != size || !bytes_equal_ct(p->nonce.data, hash, size))
        return refuse_bytes(r, ATTEST_BINDING_MISMATCH, "binding", "hash of the realm's key",
                            span_of(hash, size), p->nonce);
    return ERR_NONE;
}

/* Verifies ES384 with the key inside the token. */
MUST_CHECK static enum err realm_verify(const struct arm_realm *realm, uint8_t *id,
                                        struct refusal *r)
{
    struct cose_key key = {0};
    enum err e = realm->profile.data ? cose_key_parse(realm->public_key, &key)
                                     : cose_key_from_point(realm->public_key, &key);

    if (e != ERR_NONE)
        return refuse_unless_memory(r, e, ATTEST_ATTESTATION_KEY_INVALID, "signature",
                                    "a realm key in the form of its profile", NULL);
    e = envelope_verify(&realm->envelope, &key, "a realm token signed by its key", id, r);
    cose_key_clear(&key);
    return e;
}

static void realm_fill(const struct arm_realm *realm, struct attest_result *out)
{
    struct arm_claims *claims = &out->arm;

    claims->challenge = realm->challenge;
    claims->personalization = realm->personalization;
    claims->initial_measurement = realm->initial_measurement;
    for (size_t i = 0; i < COUNT_OF(claims->extensible_measurements); i++)
        claims->extensible_measurements[i] = realm->extensible_measurements[i];
    claims->realm_hash_algorithm = realm->hash_algorithm;
    claims->public_key = realm->public_key;
    report_data_set(realm->challenge, out);
}

/* The id is the realm token's, because many realms share one platform token. */
enum err cca_verify(const struct verify_input *in, struct attest_result *out, struct refusal *r)
{
    struct arm_platform p = {0};
    struct arm_realm realm = {0};
    enum err e;

    if ((e = arm_cca_parse(in->evidence->bytes, &p, &realm, r)) != ERR_NONE)
        return e;
    step_passed(out, "token");
    if ((e = platform_verify(in, &p, NULL, r)) != ERR_NONE)
        return e;
    step_passed(out, "platform_signature");
    if ((e = binding_check(&p, &realm, r)) != ERR_NONE)
        return e;
    step_passed(out, "binding");
    if ((e = realm_verify(&realm, out->evidence_id, r)) != ERR_NONE)
        return e;
    step_passed(out, "signature");
    platform_fill(&p, ATTEST_CCA, out);
    realm_fill(&realm, out);
    out->signatures_valid = out->authentic = true;
    if ((e = lifecycle_check(&p, r)) == ERR_NONE)
        step_passed(out, "lifecycle");
    return e;
}
