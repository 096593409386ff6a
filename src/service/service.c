#include "service/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/mac.h"
#include "service/identity.h"

enum { SESSIONS_PER_THREAD = 4096, CHAINS_PER_THREAD = 64, PUBLIC_KEYS_PER_THREAD = 1024 };

/* Public keys of seeds, direct-mapped by a hash of (epoch, seed). Public data only. */
struct public_key_cache {
    struct {
        uint8_t name[SHA256_SIZE];
        uint8_t key[X25519_SIZE];
    } slots[PUBLIC_KEYS_PER_THREAD];
};

enum err service_thread_init(struct service_thread *t)
{
    enum err e;

    *t = (struct service_thread){0};
    t->public_keys = calloc(1, sizeof *t->public_keys);
    if (!t->public_keys)
        return ERR_MEMORY;
    if ((e = session_cache_new(SESSIONS_PER_THREAD, &t->sessions)) != ERR_NONE ||
        (e = attest_cache_new(CHAINS_PER_THREAD, &t->chains)) != ERR_NONE)
        service_thread_clear(t);
    return e;
}

void service_thread_clear(struct service_thread *t)
{
    session_cache_free(&t->sessions);
    attest_cache_free(&t->chains);
    collateral_view_clear(&t->collateral);
    policy_view_clear(&t->policy);
    free(t->public_keys);
    t->public_keys = NULL;
}

MUST_CHECK static enum err derive_secret(const struct root_epoch *epoch, const char *label,
                                         size_t size, struct secret **out)
{
    enum err e = secret_new(size, out);

    if (e == ERR_NONE)
        derive_labelled(epoch, label, secret_data(*out), size);
    return e;
}

enum err service_log_seed(const struct root *root, struct secret **out)
{
    /* of the first epoch: the log's key does not change with the root */
    return derive_secret(&root->epochs[0], LABEL_LOG_KEY, ED25519_SEED_SIZE, out);
}

void service_private_key(const struct service *svc, const struct root_epoch *epoch,
                         struct span seed, uint8_t out[X25519_SIZE])
{
    if (seed.size == 0)
        derive_labelled(epoch, LABEL_GLOBAL_KEY, out, X25519_SIZE);
    else
        derive_repository_key(epoch, span_string(svc->options.prefix), seed, out);
}

static void compute_public_key(const struct service *svc, const struct root_epoch *epoch,
                               struct span seed, uint8_t out[X25519_SIZE])
{
    uint8_t private_key[X25519_SIZE];

    service_private_key(svc, epoch, seed, private_key);
    x25519_public(private_key, out);
    bytes_wipe(private_key, sizeof private_key);
    stack_wipe();
}

void service_public_key(const struct service *svc, struct service_thread *thread,
                        const struct root_epoch *epoch, struct span seed, uint8_t out[X25519_SIZE])
{
    uint8_t number[4] = {(uint8_t)epoch->epoch, (uint8_t)(epoch->epoch >> 8),
                         (uint8_t)(epoch->epoch >> 16), (uint8_t)(epoch->epoch >> 24)};
    struct span parts[] = {SPAN_OF(number), seed};
    uint8_t name[SHA256_SIZE];
    size_t slot;

    if (!thread) {
        compute_public_key(svc, epoch, seed, out);
        return;
    }
    sha256_parts(parts, COUNT_OF(parts), name);
    slot = ((size_t)name[0] << 8 | name[1]) % PUBLIC_KEYS_PER_THREAD;
    if (!span_equal(SPAN_OF(thread->public_keys->slots[slot].name), SPAN_OF(name))) {
        compute_public_key(svc, epoch, seed, thread->public_keys->slots[slot].key);
        memcpy(thread->public_keys->slots[slot].name, name, sizeof name);
    }
    memcpy(out, thread->public_keys->slots[slot].key, X25519_SIZE);
}

/* The service's own keys: identity, log, sessions and their replies. All from the first epoch, so
 * that they outlive rotation. */
MUST_CHECK static enum err derive_own_keys(struct service *svc)
{
    const struct root_epoch *first = &svc->root->epochs[0];
    uint8_t bytes[P256_DERIVE_SIZE];
    enum err e;

    derive_labelled(first, LABEL_LOG_KEY, bytes, ED25519_SEED_SIZE);
    ed25519_public(bytes, svc->log_key);
    derive_labelled(first, LABEL_SESSION_KEY, bytes, P256_DERIVE_SIZE);
    e = p256_derive(bytes, &svc->session_key);
    bytes_wipe(bytes, sizeof bytes);
    if (e != ERR_NONE ||
        (e = derive_secret(first, LABEL_IDENTITY_KEY, ED25519_SEED_SIZE, &svc->identity_seed)) !=
            ERR_NONE ||
        (e = derive_secret(first, LABEL_REPLY_KEYS, HMAC_SHA256_SIZE, &svc->reply_keys)) !=
            ERR_NONE)
        return e;
    ed25519_public(secret_data(svc->identity_seed), svc->identity_key);
    p256_private_point(svc->session_key, svc->session_point);
    service_public_key(svc, NULL, root_current(svc->root), (struct span){0}, svc->global_key);
    stack_wipe();
    return p256_public_from_point(svc->session_point, &svc->session_public);
}

/* From the earliest moment a piece of inline evidence may be used to the last; ages are counted in
 * whole seconds, hence the one more. */
static int64_t evidence_window_ms(const struct service_options *o)
{
    return (o->evidence_max_age_s + o->clock_skew_s + 1) * 1000;
}

enum err service_new(const struct service_options *options, struct root *root, struct tee *tee,
                     const struct token_table *tokens, const struct appraisal_policy *policy,
                     const struct attest_trust *trust, struct collateral_store *collateral,
                     struct timestamp now, struct service **out)
{
    struct service *svc = calloc(1, sizeof *svc);
    enum err e;

    if (!svc) {
        root_free(&root);
        tee_close(&tee);
        return ERR_MEMORY;
    }
    svc->options = *options;
    svc->root = root;
    svc->tee = tee;
    svc->tokens = tokens;
    svc->trust = *trust;
    svc->collateral = collateral;
    svc->started = now;
    svc->simulated = tee && tee->ops->simulated;
    if ((e = derive_own_keys(svc)) != ERR_NONE || (e = nonce_table_new(&svc->nonces)) != ERR_NONE ||
        (e = replay_cache_new(evidence_window_ms(options), &svc->replay_cache)) != ERR_NONE ||
        (e = own_collateral_new(&svc->own_collateral)) != ERR_NONE ||
        (e = policy_store_new(policy, &svc->trust, &svc->policies)) != ERR_NONE) {
        service_free(&svc);
        return e;
    }
    *out = svc;
    return ERR_NONE;
}

void service_free(struct service **svc)
{
    struct service *s = *svc;

    *svc = NULL;
    if (!s)
        return;
    own_collateral_free(&s->own_collateral);
    policy_store_free(&s->policies);
    nonce_table_free(&s->nonces);
    replay_cache_free(&s->replay_cache);
    p256_private_free(&s->session_key);
    p256_public_free(&s->session_public);
    secret_free(&s->identity_seed);
    secret_free(&s->reply_keys);
    root_free(&s->root);
    tee_close(&s->tee);
    free(s);
}
