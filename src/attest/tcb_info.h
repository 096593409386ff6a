/* TCB info, version 3 (PCS API v4): which platforms are at which TCB level. Internal to attest/. */
#ifndef ATTEST_TCB_INFO_H
#define ATTEST_TCB_INFO_H

#include "attest/intel_json.h"
#include "attest/pck.h"

enum tcb_info_tee { TCB_INFO_SGX, TCB_INFO_TDX };

struct tcb_level {
    uint8_t sgx[PCK_COMPONENT_COUNT]; /* SVNs */
    uint8_t tdx[PCK_COMPONENT_COUNT]; /* zero in TCB info for SGX */
    uint16_t pce_svn;
    struct intel_judgement judgement;
};

struct tcb_info {
    enum tcb_info_tee tee;
    struct timestamp issued, next_update;
    uint8_t fmspc[6];
    uint8_t pce_id[2];
    uint32_t evaluation_number;
    size_t level_count;
    struct tcb_level *levels; /* owned; newest first; advisories borrow from the document */
};

extern const struct intel_reasons tcb_info_reasons;

/*
 * Parses the signed object, after its signature was checked; `json` must outlive `out`.
 * ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err tcb_info_parse(struct span json, struct tcb_info *out, struct refusal *r);
void tcb_info_clear(struct tcb_info *info);

/* The first level that an SGX platform reaches; NULL when it reaches none. */
const struct tcb_level *tcb_info_sgx_level(const struct tcb_info *info, const struct pck *pck);

#endif
