#include "service/decrypt.h"

#include <assert.h>
#include <string.h>

#include "crypto/envelope.h"
#include "service/inside.h"
#include "service/operations.h"
#include "service/reply.h"

MUST_CHECK static enum err timestamp_check(struct operation_context *x,
                                           const struct decrypt_request *r)
{
    const struct service_options *options = &x->svc->options;
    int64_t age = timestamp_seconds(x->now) - r->timestamp;

    if (age > options->evidence_max_age_s) {
        x->why->limit_s = options->evidence_max_age_s;
        return refusal_set(x->why, ERR_UNAUTHENTICATED, "evidence_stale");
    }
    if (age < -options->clock_skew_s) {
        x->why->limit_s = options->clock_skew_s;
        return refusal_set(x->why, ERR_UNAUTHENTICATED, "evidence_from_future");
    }
    return ERR_NONE;
}

/* Only accepted evidence is recorded, so strangers cannot fill the table. */
MUST_CHECK static enum err use_once(struct operation_context *x,
                                    const uint8_t evidence_id[SHA256_SIZE])
{
    enum err e = replay_cache_add(x->svc->verifier.replay_cache, x->caller->principal->id,
                                  evidence_id, x->caller->now_us);

    if (e == ERR_REPLAYED)
        return refusal_set(x->why, ERR_UNAUTHENTICATED, "evidence_replayed");
    return e == ERR_NONE ? e : refusal_failed(x->why, e);
}

/* The timestamp shows that inline evidence is fresh: the report data binds it with the key and
 * the task, unless the rule uses another convention. */
MUST_CHECK static enum err inline_claims(struct operation_context *x,
                                         const struct decrypt_request *r)
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
        return refusal_set(x->why, ERR_UNAUTHENTICATED, "evidence_unbound");
    if ((e = timestamp_check(x, r)) != ERR_NONE)
        return e;
    writer_u64be(&w, (uint64_t)r->timestamp);
    x->claims.has_key = r->has_worker_key;
    memcpy(x->claims.key, r->worker_key, sizeof x->claims.key);
    e = evidence_accept(x, &r->evidence, &binding, &result);
    return e != ERR_NONE ? e : use_once(x, result.evidence_id);
}

MUST_CHECK static enum err caller_claims(struct operation_context *x,
                                         const struct decrypt_request *r)
{
    if (r->session.size > 0)
        return session_claims(x, r->session);
    if (r->has_evidence)
        return inline_claims(x, r);
    return refusal_set(x->why, ERR_UNAUTHENTICATED, "attestation_required");
}

/* release() needs the decision made here: without it no plaintext leaves. */
MUST_CHECK static enum err policy_allows(struct operation_context *x,
                                         const struct decrypt_request *r)
{
    enum err e = operation_authorize(x, ACTION_OPEN, r->seed, r->seal);

    if (e == ERR_DENIED && strcmp(x->decision.code, "seed_not_allowed") == 0)
        refusal_detail(x->why, "policy", x->decision.rule, "a seed the rule covers", NULL);
    return e;
}

MUST_CHECK static enum err authorise(struct operation_context *x)
{
    const struct decrypt_request *r = x->request;
    enum err e = caller_claims(x, r);

    return e != ERR_NONE ? e : policy_allows(x, r);
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
        keyring_public_key(&svc->keys, thread->public_keys, epoch, r->seed, public_key);
    keyring_private_key(&svc->keys, epoch, r->seed, private_key);
    e = envelope_open(private_key, is_hpke ? public_key : NULL, &context, r->envelope, plain);
    bytes_wipe(private_key, sizeof private_key);
    return e;
}

MUST_CHECK static enum err refuse_envelope(struct refusal *why, enum err e, struct span envelope)
{
    switch ((int)e) {
    case ERR_UNSUPPORTED:
        return refusal_set_hint(why, e, "legacy_envelope", envelope_hint(envelope));
    case ERR_CRYPTO:
        return refusal_set(why, e, "envelope_not_authentic");
    case ERR_TOO_LARGE:
        return refusal_set_hint(why, e, "envelope_malformed", "Encrypted data too large");
    case ERR_MALFORMED:
        return refusal_set_hint(why, e, "envelope_malformed", "shorter than its format allows");
    default:
        return refusal_failed(why, e);
    }
}

/* Tries the newest epoch first. An envelope does not name its epoch, and only one can open it. */
MUST_CHECK static enum err open_envelope(struct operation_context *x,
                                         const struct decrypt_request *r, struct secret **plain)
{
    const struct root *root = x->svc->keys.root;
    enum err e = ERR_CRYPTO;

    for (size_t i = root->count; i > 0 && e == ERR_CRYPTO; i--) {
        x->key_version = root->epochs[i - 1].epoch;
        e = open_in_epoch(x->svc, x->thread, &root->epochs[i - 1], r, plain);
    }
    stack_wipe();
    return e == ERR_NONE ? e : refuse_envelope(x->why, e, r->envelope);
}

/* Writes the plaintext in the form that the decision allows. */
MUST_CHECK static enum err release(struct operation_context *x, const struct decrypt_request *r,
                                   struct secret **plain)
{
    struct opened *opened = &x->result->opened;
    enum err e = ERR_NONE;

    assert(x->decision.allowed);
    x->result->kind = RESULT_OPENED;
    if (x->decision.plain_reply) {
        opened->form = OPENED_PLAIN;
        opened->plain = *plain;
        *plain = NULL; /* the result owns it now */
    } else if (x->claims.has_session) {
        e = reply_seal_for_session(x, r->body, *plain, opened);
    } else {
        e = reply_seal_for_key(x, *plain, opened);
    }
    if (e == ERR_CRYPTO)
        return refusal_set(x->why, ERR_MALFORMED, "bad_attested_key");
    return e == ERR_NONE ? e : refusal_failed(x->why, e);
}

MUST_CHECK static enum err compute(struct operation_context *x)
{
    const struct decrypt_request *r = x->request;
    struct secret *plain = NULL;
    enum err e = open_envelope(x, r, &plain);

    x->wants_receipt = r->wants_receipt;
    if (e == ERR_NONE)
        e = release(x, r, &plain);
    secret_free(&plain);
    return e;
}

static void describe(const struct operation_context *x, struct audit_entry *entry,
                     struct writer *scratch)
{
    const struct decrypt_request *r = x->request;

    (void)scratch;
    entry->key = r->seed; /* the global key has no name, because any name could be a seed */
    entry->task = r->task_id;
}

const struct operation operation_open = {
    .name = "open",
    .rule = "default-deny",
    .authorise = authorise,
    .compute = compute,
    .describe = describe,
};
