/*
 * TCB info, version 3 (PCS API v4): the TCB levels of platforms, and the identities of Intel's TDX
 * modules. Internal to attest/.
 */
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

/* The required SEAM measurements of a TDX module. */
struct tdx_module {
    uint8_t mr_signer[48];
    uint8_t attributes[8], attributes_mask[8];
};

struct tdx_module_identity {
    uint8_t version; /* major: "TDX_03" is 3 */
    struct tdx_module module;
    size_t level_count;
    struct intel_level *levels; /* owned; newest first */
};

struct tcb_info {
    enum tcb_info_tee tee;
    struct timestamp issued, next_update;
    uint8_t fmspc[6];
    uint8_t pce_id[2];
    uint32_t evaluation_number;
    size_t level_count;
    struct tcb_level *levels; /* owned; newest first; advisories borrow from the document */
    /* TDX only */
    struct tdx_module module; /* of major version 0 */
    size_t module_count;
    struct tdx_module_identity *modules; /* owned; of later versions, each once */
};

extern const struct intel_reasons tcb_info_reasons;

/*
 * Parses the signed object, whose signature the caller has checked; `json` must outlive `out`.
 * ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err tcb_info_parse(struct span json, struct tcb_info *out, struct refusal *r);
void tcb_info_clear(struct tcb_info *info);

/* The first level that an SGX platform reaches; NULL when it reaches none. */
const struct tcb_level *tcb_info_sgx_level(const struct tcb_info *info, const struct pck *pck);

/*
 * The first level that a TD's platform reaches; NULL when it reaches none. The first two bytes of
 * TEE_TCB_SVN belong to the TDX module. From major version 1 on, the module's identity judges them,
 * not the level.
 */
const struct tcb_level *tcb_info_tdx_level(const struct tcb_info *info, const struct pck *pck,
                                           const uint8_t tee_tcb_svn[PCK_COMPONENT_COUNT]);

/* The identity of a major version of the TDX module; NULL when there is none. */
const struct tdx_module_identity *tcb_info_module(const struct tcb_info *info, uint8_t version);

#endif
