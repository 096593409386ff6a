/*
 * Judges the parts of a TD's platform that SGX does not have: the TDX module, and whether only the
 * TD is older than its platform. Rules: Intel's "TDX DCAP Quoting Library API" and its quote
 * verification library (QVL). Internal to attest/.
 */
#ifndef ATTEST_TDX_TCB_H
#define ATTEST_TDX_TCB_H

#include "attest/tcb_info.h"

/*
 * Checks that the TD's module is Intel's, and finds its level. `*level` stays NULL for a module of
 * major version 0, whose SVN the platform's TCB level judges.
 * ERR_DENIED with tdx_module_mismatch or tcb_not_supported
 */
MUST_CHECK enum err tdx_module_match(const struct tcb_info *info, const struct td_report *td,
                                     const struct intel_level **level, struct refusal *r);

/* The statuses of the parts. */
struct tdx_statuses {
    /* of the first level that the SGX parts reach without the TDX parts */
    enum tcb_status sgx_level;
    enum tcb_status merged; /* of the platform's level and the module */
    enum tcb_status module; /* TCB_NOT_JUDGED: of version 0 */
    enum tcb_status qe;
};

/*
 * A TD of 1.5 keeps running while the module under it is updated. If only the module at launch is
 * outdated, and the module loaded now is the newest, `*merged` becomes TDRelaunchAdvised: the
 * platform is up to date, but this TD started before the update.
 * ERR_DENIED with tdx_module_mismatch: Intel does not list the module loaded now
 */
MUST_CHECK enum err tdx_relaunch(const struct tcb_info *info, const struct td_report *td,
                                 const struct tdx_statuses *statuses, enum tcb_status *merged,
                                 struct refusal *r);

#endif
