#include "service/inside.h"

#include <stdlib.h>

#include "base/log.h"
#include "service/identity.h"
#include "service/reference_rows.h"
#include "service/sealing.h"
#include "service/witnessing.h"

enum { SESSIONS_PER_THREAD = 4096 };

enum err service_thread_init(struct service_thread *t)
{
    enum err e;

    *t = (struct service_thread){0};
    if ((e = public_key_cache_new(&t->public_keys)) != ERR_NONE ||
        (e = session_cache_new(SESSIONS_PER_THREAD, &t->sessions)) != ERR_NONE ||
        (e = verifier_view_init(&t->verifier)) != ERR_NONE)
        service_thread_clear(t);
    return e;
}

void service_thread_clear(struct service_thread *t)
{
    session_cache_free(&t->sessions);
    public_key_cache_free(&t->public_keys);
    verifier_view_clear(&t->verifier);
}

/* Ages count in whole seconds, so add one second. */
static int64_t evidence_window_ms(const struct service_options *o)
{
    return (o->evidence_max_age_s + o->clock_skew_s + 1) * 1000;
}

MUST_CHECK static enum err parts_init(struct service *svc, const struct service_parts *parts)
{
    enum err e = keyring_init(&svc->keys, parts->root, svc->options.prefix);

    if (e == ERR_NONE)
        e = verifier_init(&svc->verifier, parts->trust, parts->collateral, parts->policies,
                          evidence_window_ms(&svc->options));
    if (e == ERR_NONE)
        e = own_collateral_new(&svc->own_collateral);
    if (e == ERR_NONE && svc->options.root_path)
        e = sealing_new(svc->options.root_path, &svc->sealing);
    return e;
}

enum err service_new(const struct service_options *options, const struct service_parts *parts,
                     struct timestamp now, struct service **out)
{
    struct service *svc = calloc(1, sizeof *svc);
    enum err e;

    if (!svc) {
        struct root *root = parts->root;
        struct tee *tee = parts->tee;

        root_free(&root);
        tee_close(&tee);
        return ERR_MEMORY;
    }
    svc->options = *options;
    svc->tee = parts->tee;
    svc->tokens = parts->tokens;
    svc->store = parts->store;
    svc->started = now;
    svc->simulated = parts->tee && parts->tee->ops->simulated;
    if ((e = parts_init(svc, parts)) != ERR_NONE) {
        service_free(&svc);
        return e;
    }
    service_tls_key_set(svc, options->tls_spki_sha256);
    svc->options.root_path = NULL; /* the caller's string; `sealing` has a copy */
    *out = svc;
    return ERR_NONE;
}

void service_free(struct service **svc)
{
    struct service *s = *svc;

    *svc = NULL;
    if (!s)
        return;
    witnessing_free(&s->witnessing);
    own_collateral_free(&s->own_collateral);
    sealing_free(&s->sealing);
    verifier_clear(&s->verifier);
    keyring_clear(&s->keys);
    tee_close(&s->tee);
    free(s);
}

void service_facts(const struct service *svc, struct service_facts *out)
{
    const struct root_epoch *epoch = root_current(svc->keys.root);

    *out = (struct service_facts){
        .tee = svc->tee ? svc->tee->ops->name : "none",
        .evidence = svc->tee ? svc->tee->ops->evidence : NULL,
        .tee_mode = svc->options.tee_mode,
        .simulated = svc->simulated,
        .origin = svc->options.origin,
        .log_key = svc->keys.log_key,
        .global_key = svc->keys.global_key,
        .epoch = epoch->epoch,
        .root_origin = root_origin_name(epoch->origin),
        .started = svc->started,
        .tokens = token_store_count(svc->tokens),
        .session_cache_hits =
            atomic_load_explicit(&svc->counters.session_cache_hits, memory_order_relaxed),
        .session_cache_misses =
            atomic_load_explicit(&svc->counters.session_cache_misses, memory_order_relaxed),
    };
}

void service_public_key(const struct service *svc, struct service_thread *thread, struct span seed,
                        uint8_t out[X25519_SIZE])
{
    keyring_public_key(&svc->keys, thread ? thread->public_keys : NULL,
                       root_current(svc->keys.root), seed, out);
}

enum err service_authenticate(const struct service *svc, struct span authorization, bool missing,
                              struct principal *out, const char **why)
{
    return token_store_check(svc->tokens, authorization, missing, out, why);
}

struct store *service_store(const struct service *svc)
{
    return svc->store;
}

struct collateral_store *service_collateral(const struct service *svc)
{
    return svc->verifier.collateral;
}

enum err service_restore_policies(struct service *svc, struct reference_values *added)
{
    return policy_store_restore(svc->verifier.policies, added);
}

enum err service_refresh_policies(struct service *svc)
{
    struct policy_snapshot *now;
    struct reference_values values = {0};
    bool changed = false;
    bool known = false;
    enum err e;

    now = policy_store_hold(svc->verifier.policies);
    e = reference_rows_look(svc->store, now->added.stored, &changed);
    policy_snapshot_release(&now);
    if (e != ERR_NONE || !changed)
        return e;
    e = reference_rows_load(svc->store, &values, &known);
    if (e != ERR_NONE) {
        reference_values_clear(&values);
        return e;
    }
    e = policy_store_refresh(svc->verifier.policies, &values, &changed);
    if (e == ERR_NONE && changed)
        log_write(LOG_INFO, "service", "policy_changed_by_another_node",
                  LOG_STRING("effect", "all sessions have ended"));
    return e;
}

enum err service_stage_policies(struct service *svc, const struct policy_set *configured,
                                struct policy_stage *out)
{
    return policy_store_stage(svc->verifier.policies, configured, out);
}

bool service_policies_differ(const struct service *svc, const struct policy_stage *stage)
{
    struct policy_snapshot *now = policy_store_hold(svc->verifier.policies);
    const bool differ =
        !span_equal(SPAN_OF(now->policies.version), SPAN_OF(stage->next->policies.version));

    policy_snapshot_release(&now);
    return differ;
}

void service_adopt_policies(struct service *svc, struct policy_stage *stage)
{
    policy_store_adopt(svc->verifier.policies, stage);
}

const struct policy_snapshot *service_policies(const struct service *svc,
                                               struct service_thread *thread)
{
    return policy_store_view(svc->verifier.policies, &thread->verifier.policy);
}
