/*
 * Enclave identity, version 2 (PCS API v4): identifies Intel's quoting enclave, and has its levels.
 * Internal to attest/.
 */
#ifndef ATTEST_QE_IDENTITY_H
#define ATTEST_QE_IDENTITY_H

#include "attest/intel_json.h"

enum qe_identity_kind { QE_IDENTITY_SGX, QE_IDENTITY_TDX }; /* "QE", "TD_QE" */

struct qe_identity {
    enum qe_identity_kind kind;
    struct timestamp issued, next_update;
    uint32_t evaluation_number;
    uint32_t misc_select, misc_select_mask;
    uint8_t attributes[16], attributes_mask[16];
    uint8_t mr_signer[32];
    uint16_t isv_prod_id;
    size_t level_count;
    struct intel_level *levels; /* owned; newest first; advisories borrow from the document */
};

extern const struct intel_reasons qe_identity_reasons;

/*
 * Parses the signed object, whose signature the caller has checked; `json` must outlive `out`.
 * ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err qe_identity_parse(struct span json, struct qe_identity *out, struct refusal *r);
void qe_identity_clear(struct qe_identity *identity);

/*
 * Checks that `report` is from this enclave and not a debug one, and finds its level.
 * ERR_DENIED fills `r`
 */
MUST_CHECK enum err qe_identity_match(const struct qe_identity *identity,
                                      const struct sgx_report *report,
                                      const struct intel_level **level, struct refusal *r);

#endif
