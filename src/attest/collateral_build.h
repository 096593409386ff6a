/* Builds verified Intel collateral from its parts. Internal to attest/. */
#ifndef ATTEST_COLLATERAL_BUILD_H
#define ATTEST_COLLATERAL_BUILD_H

#include "attest/collateral.h"

/* The parts of collateral before any of them is trusted. Borrowed. */
struct collateral_parts {
    struct attest_cache *known; /* verified CAs: the chains share their root */
    struct intel_signed tcb_info, qe_identity;
    struct span tcb_signing_chain, qe_identity_chain;
    struct span pck_crl, pck_crl_issuer_chain, root_crl;
};

/* Verifies every signature and reads the documents. ERR_DENIED fills `r`; ERR_MEMORY */
MUST_CHECK enum err collateral_build(const struct attest_trust *trust,
                                     struct collateral_parts *parts, struct attest_collateral **out,
                                     struct refusal *r);

/* Frees and refuses collateral whose own root CRL lists one of its issuers. ERR_DENIED fills `r` */
MUST_CHECK enum err collateral_strict(struct attest_collateral **c, struct refusal *r);

/* Returns `e` and sets its reason. */
MUST_CHECK enum err collateral_result(enum err e, const struct refusal *r,
                                      enum attest_reason *reason);

#endif
