/*
 * What evidence is judged by: trust anchors, collateral, policies, and what makes evidence good
 * once (challenges, used evidence).
 */
#ifndef SERVICE_VERIFIER_H
#define SERVICE_VERIFIER_H

#include "attest/attest.h"
#include "auth/nonce.h"
#include "auth/replay_cache.h"
#include "collateral/store.h"
#include "service/policies.h"

struct verifier {
    struct attest_trust trust;
    struct collateral_store *collateral; /* borrowed */
    struct policy_store *policies;       /* owned, as are those below */
    struct nonce_table *nonces;
    struct replay_cache *replay_cache; /* inline evidence that was accepted */
};

/*
 * `collateral` is borrowed and must outlive it; `trust` and `policies` are copied.
 * evidence_window_ms  from the earliest moment a piece of inline evidence may be used to the last
 * ERR_MEMORY, and it is cleared.
 */
MUST_CHECK enum err verifier_init(struct verifier *v, const struct attest_trust *trust,
                                  struct collateral_store *collateral,
                                  const struct policy_set *policies, int64_t evidence_window_ms);
void verifier_clear(struct verifier *v);

/* What one thread keeps for it. Zero-initialise. */
struct verifier_view {
    struct attest_cache *chains;
    struct snapshot_view collateral;
    struct snapshot_view policy;
};
MUST_CHECK enum err verifier_view_init(struct verifier_view *view); /* ERR_MEMORY */
void verifier_view_clear(struct verifier_view *view);

#endif
