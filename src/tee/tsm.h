/*
 * Evidence through configfs-tsm, which TDX and SEV-SNP guests share: Linux 6.7 or newer,
 * Documentation/ABI/testing/configfs-tsm-report. One directory per request, removed again whatever
 * happens.
 */
#ifndef TEE_TSM_H
#define TEE_TSM_H

#include "tee/system.h"

#define TSM_ROOT "/sys/kernel/config/tsm/report"

struct tsm_kind {
    const char *provider; /* what the file `provider` must say: "tdx_guest", "sev_guest" */
    bool privileged;      /* has a privilege level (VMPL): asks for the least number allowed */
    bool certificates;    /* `auxblob` may hold certificates */
    /* Where 64 bytes of report data are in the evidence; empty when it is not of this form. */
    struct span (*report_data)(struct span quote);
};

/*
 * That this kernel answers for `kind`; asks for no evidence.
 * ERR_NOT_FOUND    no configfs-tsm, or no driver behind it
 * ERR_UNSUPPORTED  it answers for another kind
 * ERR_DENIED, ERR_IO
 */
MUST_CHECK enum err tsm_probe(const struct tee_system *system, const struct tsm_kind *kind,
                              struct tee_failure *failure);

/*
 * Evidence over `report_data`, appended to `out`, and checked to bind it. When another process
 * interfered (the generation moved by more than our own writes) or the kernel is busy, it is tried
 * again in a new directory, three times in all.
 * ERR_UNAVAILABLE with `failure`, ERR_MEMORY
 */
MUST_CHECK enum err tsm_report(const struct tee_system *system, const struct tsm_kind *kind,
                               const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                               struct tee_evidence *out, struct tee_failure *failure);

#endif
