/*
 * The body of a TD quote: 584 bytes (TD 1.0) or 648 (TD 1.5). Layout: Intel's "TDX DCAP Quoting
 * Library API", appendix A.3. Internal to attest/.
 */
#ifndef ATTEST_TD_REPORT_H
#define ATTEST_TD_REPORT_H

#include "attest/attest.h"

#define TD_REPORT_10_SIZE 584
#define TD_REPORT_15_SIZE 648

/* Bytes of TEE_TCB_SVN: the TDX module's minor SVN and its major version, late microcode. */
enum { TD_SVN_MODULE = 0, TD_SVN_MODULE_VERSION = 1, TD_SVN_MICROCODE = 2 };

/* ERR_MALFORMED the size is neither of the two */
MUST_CHECK enum err td_report_parse(struct span bytes, struct td_report *out);

/* Any bit of TDATTRIBUTES' first byte, "TD under debug" (TUD): the host can read the TD's
 * memory. */
bool td_report_is_debug(const struct td_report *report);

#endif
