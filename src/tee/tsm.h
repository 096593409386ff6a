/*
 * Evidence through configfs-tsm, for TDX and SEV-SNP guests: Linux 6.7 or newer,
 * Documentation/ABI/testing/configfs-tsm-report. Each request has its own directory, which is
 * always removed.
 */
#ifndef TEE_TSM_H
#define TEE_TSM_H

#include "tee/system.h"

#define TSM_ROOT "/sys/kernel/config/tsm/report"

struct tsm_kind {
    const char *provider; /* required contents of the file `provider`: "tdx_guest", "sev_guest" */
    bool privileged;      /* the kind has privilege levels (VMPL): use the lowest number allowed */
    bool certificates;    /* `auxblob` may hold certificates */
    /* The place of the 64 bytes of report data in the evidence; empty when it has another form. */
    struct span (*report_data)(struct span quote);
};

/*
 * Checks that this kernel answers for `kind`, without a request for evidence.
 * ERR_NOT_FOUND    no configfs-tsm, or no driver for it
 * ERR_UNSUPPORTED  the kernel answers for another kind
 * ERR_DENIED, ERR_IO
 */
MUST_CHECK enum err tsm_probe(const struct tee_system *system, const struct tsm_kind *kind,
                              struct tee_failure *failure);

/*
 * Appends evidence over `report_data` to `out`, and checks that it binds them. Tries at most three
 * times, each in a new directory, if another process interfered (the generation grew by more than
 * our own writes) or the kernel is busy.
 * ERR_UNAVAILABLE with `failure`, ERR_MEMORY
 */
MUST_CHECK enum err tsm_report(const struct tee_system *system, const struct tsm_kind *kind,
                               const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                               struct tee_evidence *out, struct tee_failure *failure);

#endif
