/*
 * The data for judging evidence: trust anchors, collateral, policies, and the tables that allow
 * evidence only once (challenges, used evidence).
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
    struct policy_store *policies;       /* owned, as are the fields below */
    struct nonce_table *nonces;
    struct replay_cache *replay_cache; /* accepted inline evidence */
};

/*
 * `collateral` is borrowed and must outlive it; `trust` and `policies` are copied.
 *
 * evidence_window_ms  time between the first and the last moment at which a piece of inline
 *                     evidence may be used
 *
 * ERR_MEMORY, and then the verifier is cleared.
 */
MUST_CHECK enum err verifier_init(struct verifier *v, const struct attest_trust *trust,
                                  struct collateral_store *collateral,
                                  const struct policy_set *policies, int64_t evidence_window_ms);
void verifier_clear(struct verifier *v);

/* The data of one thread. Zero-initialise. */
struct verifier_view {
    struct attest_cache *chains;
    struct snapshot_view collateral;
    struct snapshot_view policy;
};
MUST_CHECK enum err verifier_view_init(struct verifier_view *view); /* ERR_MEMORY */
void verifier_view_clear(struct verifier_view *view);

#endif
