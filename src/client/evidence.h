/* Verifying and appraising evidence, as the keystore's own and as `vouchsafe attest verify`. */
#ifndef CLIENT_EVIDENCE_H
#define CLIENT_EVIDENCE_H

#include <vouchsafe/vouchsafe.h>

#include "attest/attest.h"

/*
 * Whether verified claims are accepted. Pure. VS_ERR_POLICY fills code, step ("appraisal"),
 * expected and presented of `claims`.
 */
MUST_CHECK enum vs_error claims_appraise(const struct vs_appraisal *appraisal, bool revoked,
                                         struct vs_claims *claims);

#endif
