#include "service/verifier.h"

enum { CHAINS_PER_THREAD = 64 };

enum err verifier_init(struct verifier *v, const struct attest_trust *trust,
                       struct collateral_store *collateral, const struct policy_set *policies,
                       int64_t evidence_window_ms)
{
    enum err e;

    *v = (struct verifier){.trust = *trust, .collateral = collateral};
    if ((e = nonce_table_new(&v->nonces)) != ERR_NONE ||
        (e = replay_cache_new(evidence_window_ms, &v->replay_cache)) != ERR_NONE ||
        (e = policy_store_new(policies, &v->trust, &v->policies)) != ERR_NONE)
        verifier_clear(v);
    return e;
}

void verifier_clear(struct verifier *v)
{
    policy_store_free(&v->policies);
    nonce_table_free(&v->nonces);
    replay_cache_free(&v->replay_cache);
}

enum err verifier_view_init(struct verifier_view *view)
{
    *view = (struct verifier_view){0};
    return attest_cache_new(CHAINS_PER_THREAD, &view->chains);
}

void verifier_view_clear(struct verifier_view *view)
{
    attest_cache_free(&view->chains);
    snapshot_view_clear(&view->collateral);
    snapshot_view_clear(&view->policy);
}
