/*
 * How a TD's platform is judged beyond what SGX needs: its TDX module, and whether the TD is merely
 * older than the platform it runs on. Rules: Intel's "TDX DCAP Quoting Library API" and its quote
 * verification library (QVL). Internal to attest/.
 */
#ifndef ATTEST_TDX_TCB_H
#define ATTEST_TDX_TCB_H

#include "attest/tcb_info.h"

/*
 * Whether the TD's module is Intel's, and at which level. `*level` stays NULL when the module is of
 * major version 0, whose SVN the platform's TCB level judges.
 * ERR_DENIED with tdx_module_mismatch or tcb_not_supported
 */
MUST_CHECK enum err tdx_module_match(const struct tcb_info *info, const struct td_report *td,
                                     const struct intel_level **level, struct refusal *r);

/* The statuses of the parts. */
struct tdx_statuses {
    enum tcb_status sgx_level; /* of the first level that the SGX parts alone reach */
    enum tcb_status merged;    /* of the platform's level and the module */
    enum tcb_status module;    /* TCB_NOT_JUDGED: of version 0 */
    enum tcb_status qe;
};

/*
 * A TD of 1.5 keeps running while the module under it is updated. When nothing but the module at
 * its launch is out of date, and the module that is loaded now is the newest, `*merged` becomes
 * TDRelaunchAdvised: the platform is mended, this TD started before.
 * ERR_DENIED with tdx_module_mismatch: the module that is loaded now is not one that Intel names
 */
MUST_CHECK enum err tdx_relaunch(const struct tcb_info *info, const struct td_report *td,
                                 const struct tdx_statuses *statuses, enum tcb_status *merged,
                                 struct refusal *r);

#endif
