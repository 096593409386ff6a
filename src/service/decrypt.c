#include "service/decrypt.h"

#include <assert.h>
#include <string.h>

#include "crypto/envelope.h"
#include "service/reply.h"

MUST_CHECK static enum err refuse_inline(struct outcome *o, enum err e, const char *code,
                                         const char *text)
{
    return outcome_refuse(o, e, code, "Attestation verification failed: %s", text);
}

MUST_CHECK static enum err timestamp_check(const struct service *svc,
                                           const struct decrypt_request *r, struct timestamp now,
                                           struct outcome *o)
{
    int64_t age = timestamp_seconds(now) - r->timestamp;

    if (age > svc->options.evidence_max_age_s)
        return outcome_refuse(o, ERR_UNAUTHENTICATED, "evidence_stale",
                              "Attestation verification failed: Attestation expired (older than "
                              "%lld seconds)",
                              (long long)svc->options.evidence_max_age_s);
    if (age < -svc->options.clock_skew_s)
        return outcome_refuse(o, ERR_UNAUTHENTICATED, "evidence_from_future",
                              "Attestation verification failed: the timestamp is more than %lld "
                              "seconds ahead",
                              (long long)svc->options.clock_skew_s);
    return ERR_NONE;
}

/* Only what was accepted is remembered, so that strangers cannot fill the table. */
MUST_CHECK static enum err use_once(const struct service *svc,
                                    const uint8_t evidence_id[SHA256_SIZE], struct timestamp now,
                                    struct outcome *o)
{
    enum err e = seen_add(svc->evidence_seen, evidence_id, now);

    if (e == ERR_REPLAYED)
        return refuse_inline(o, ERR_UNAUTHENTICATED, "evidence_replayed",
                             "this evidence was used before; each request needs its own");
    if (e != ERR_NONE)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    return ERR_NONE;
}

/* Inline evidence is fresh by its timestamp, which the report data binds with the key and the task,
 * unless the rule takes another convention. */
MUST_CHECK static enum err inline_claims(const struct service *svc, struct service_thread *thread,
                                         const struct caller *caller,
                                         const struct decrypt_request *r, struct timestamp now,
                                         struct claims *claims, struct outcome *o)
{
    uint8_t time_bytes[8];
    struct writer w = writer_over(time_bytes, sizeof time_bytes);
    const struct binding binding = {
        .domain = REPORT_DOMAIN_DECRYPT,
        .nonce = SPAN_OF(time_bytes),
        .key = r->has_worker_key ? SPAN_OF(r->worker_key) : (struct span){0},
        .context = r->task_id,
    };
    struct attest_result result;
    enum err e;

    if (!r->has_worker_key && r->task_id.size == 0)
        return refuse_inline(o, ERR_UNAUTHENTICATED, "evidence_unbound",
                             "the evidence binds neither a worker_pubkey nor a task_id");
    if ((e = timestamp_check(svc, r, now, o)) != ERR_NONE)
        return e;
    writer_u64be(&w, (uint64_t)r->timestamp);
    claims->has_key = r->has_worker_key;
    memcpy(claims->key, r->worker_key, sizeof claims->key);
    e = evidence_accept(svc, thread, caller, &r->evidence, &binding, now, &result, claims, o);
    return e != ERR_NONE ? e : use_once(svc, result.evidence_id, now, o);
}

MUST_CHECK static enum err caller_claims(struct service *svc, struct service_thread *thread,
                                         const struct caller *caller,
                                         const struct decrypt_request *r, struct timestamp now,
                                         struct claims *claims, struct outcome *o)
{
    if (r->session.size > 0)
        return session_claims(svc, thread, caller, r->session, now, claims, o);
    if (r->has_evidence)
        return inline_claims(svc, thread, caller, r, now, claims, o);
    return outcome_refuse(o, ERR_UNAUTHENTICATED, "attestation_required",
                          "Attestation verification failed: neither a session nor evidence; attest "
                          "through /v1/attest, or send an attestation object");
}

MUST_CHECK static enum err policy_allows(const struct decrypt_request *r,
                                         const struct claims *claims, struct outcome *o)
{
    assert(claims->rule); /* whatever accepts claims has matched a rule */
    if (!appraisal_covers_seed(claims->rule, r->seed)) {
        outcome_detail(o, "policy", claims->rule->name, "a seed the rule covers", NULL);
        return outcome_refuse(o, ERR_DENIED, "seed_not_allowed",
                              "Access denied: the policy does not cover this key");
    }
    if (r->seal && !claims->has_key)
        return outcome_refuse(o, ERR_MALFORMED, "no_attested_key",
                              "A sealed reply needs a worker_pubkey that the evidence binds");
    if (!claims->has_key && !claims->rule->allow_plain)
        return outcome_refuse(
            o, ERR_DENIED, "seal_required",
            "Access denied: the policy releases secrets only sealed; attest "
            "through /v1/attest, or send a worker_pubkey that the evidence binds");
    return ERR_NONE;
}

MUST_CHECK static enum err open_in_epoch(const struct service *svc, struct service_thread *thread,
                                         const struct root_epoch *epoch,
                                         const struct decrypt_request *r, struct secret **plain)
{
    uint8_t digest[SHA256_SIZE];
    struct envelope_context context = {.key_id = r->seed, .key_version = epoch->epoch};
    uint8_t private_key[X25519_SIZE];
    uint8_t public_key[X25519_SIZE];
    bool is_hpke = r->envelope.size > 0 && r->envelope.data[0] == ENVELOPE_HPKE;
    enum err e;

    if (r->seed.size > 255) { /* the key id has an 8-bit length */
        sha256(r->seed, digest);
        context.key_id = SPAN_OF(digest);
    }
    if (is_hpke)
        service_public_key(svc, thread, epoch, r->seed, public_key);
    service_private_key(svc, epoch, r->seed, private_key);
    e = envelope_open(private_key, is_hpke ? public_key : NULL, &context, r->envelope, plain);
    bytes_wipe(private_key, sizeof private_key);
    return e;
}

/* Newest epoch first; an envelope does not say which it is for, and only one can open it. */
MUST_CHECK static enum err open_envelope(const struct service *svc, struct service_thread *thread,
                                         const struct decrypt_request *r, struct secret **plain,
                                         uint32_t *version, struct outcome *o)
{
    enum err e = ERR_CRYPTO;

    for (size_t i = svc->root->count; i > 0 && e == ERR_CRYPTO; i--) {
        *version = svc->root->epochs[i - 1].epoch;
        e = open_in_epoch(svc, thread, &svc->root->epochs[i - 1], r, plain);
    }
    stack_wipe();
    switch ((int)e) {
    case ERR_NONE:
        return ERR_NONE;
    case ERR_UNSUPPORTED:
        return outcome_refuse(o, e, "legacy_envelope", "Decryption failed: %s",
                              envelope_hint(r->envelope));
    case ERR_CRYPTO:
        return outcome_refuse(o, ERR_CRYPTO, "envelope_not_authentic",
                              "Decryption failed: not encrypted to this key, or changed");
    case ERR_MALFORMED:
    case ERR_TOO_LARGE:
        return outcome_refuse(o, e, "envelope_malformed", "Decryption failed: %s",
                              e == ERR_TOO_LARGE ? "Encrypted data too large"
                                                 : "shorter than its format allows");
    default:
        return outcome_refuse(o, e, err_code(e), "Decryption failed: %s", err_text(e));
    }
}

/* Sealed, unless the policy allows otherwise and the request does not ask for it: who ends TLS
 * could take a wish to have it sealed out of a request. */
MUST_CHECK static enum err reply_write(const struct service *svc, const struct caller *caller,
                                       const struct decrypt_request *r, const struct claims *claims,
                                       const struct secret *plain, struct outcome *o)
{
    enum err e;

    if (!r->seal && claims->rule->allow_plain)
        e = reply_plain(plain, o);
    else if (claims->has_session)
        e = reply_sealed_in_session(svc, caller, claims, r->body, plain, o);
    else
        e = reply_sealed_to_key(caller, claims, plain, o);

    if (e == ERR_CRYPTO)
        return outcome_refuse(o, ERR_MALFORMED, "bad_attested_key",
                              "The attested key is not a usable X25519 public key");
    if (e != ERR_NONE)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    return ERR_NONE;
}

MUST_CHECK static enum err record(const struct service *svc, const struct caller *caller,
                                  const struct decrypt_request *r, const struct claims *claims,
                                  uint32_t version, struct timestamp now, struct outcome *o)
{
    struct audit_entry entry = {
        .time = now,
        .request_id = caller->request_id,
        .op = SPAN_LITERAL("open"),
        .rule = claims->rule ? span_string(claims->rule->name) : SPAN_LITERAL("default-deny"),
        .key = r->seed, /* the global key has no name, which no seed can look like */
        .key_version = version,
        .principal = span_string(caller->principal->name),
        .auth = span_string(claims->auth ? claims->auth : "bearer"),
        .tee = span_string(claims->tee),
        .task = r->task_id,
        .has_claims = claims->has_digest,
        .simulated = svc->simulated,
    };

    memcpy(entry.claims, claims->digest, sizeof entry.claims);
    return outcome_record(o, &entry);
}

enum err service_decrypt(struct service *svc, struct service_thread *thread,
                         const struct caller *caller, const struct decrypt_request *r,
                         struct timestamp now, struct outcome *o)
{
    struct claims claims = {0};
    struct secret *plain = NULL;
    uint32_t version = 0;
    enum err e;

    if ((e = caller_claims(svc, thread, caller, r, now, &claims, o)) == ERR_NONE &&
        (e = policy_allows(r, &claims, o)) == ERR_NONE &&
        (e = open_envelope(svc, thread, r, &plain, &version, o)) == ERR_NONE)
        e = reply_write(svc, caller, r, &claims, plain, o);
    /* refused or not: `o` says why, and that is recorded */
    secret_free(&plain);
    o->result = e;
    if (e != ERR_NONE)
        secret_free(&o->reply);
    atomic_fetch_add_explicit(e == ERR_NONE ? &svc->counters.decrypt_allowed
                                            : &svc->counters.decrypt_denied,
                              1, memory_order_relaxed);
    if (record(svc, caller, r, &claims, version, now, o) != ERR_NONE) {
        secret_free(&o->reply); /* what cannot be recorded is not answered */
        return outcome_refuse(o, ERR_MEMORY, err_code(ERR_MEMORY), "%s", err_text(ERR_MEMORY));
    }
    return e;
}
