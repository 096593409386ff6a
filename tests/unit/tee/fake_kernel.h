/*
 * A kernel for tests: configfs-tsm, /dev/sev-guest and Gramine's /dev/attestation as they behave,
 * behind the table of tee/system.h. What it is not is noted where it matters.
 */
#ifndef TESTS_TEE_FAKE_KERNEL_H
#define TESTS_TEE_FAKE_KERNEL_H

#include "tee/simulated.h"
#include "tee/snp_device.h"
#include "tee/system.h"

#define FAKE_FILES_MAX 8
#define FAKE_HANDLES_MAX 8
#define FAKE_REPORTS_MAX 4

struct fake_file {
    const char *path;
    struct span content;
};

/* drivers/virt/coco/tsm.c: struct tsm_report_state */
struct fake_report {
    char name[40];
    bool used;
    uint64_t write_generation, read_generation;
    bool generated;
    uint8_t inblob[64];
    size_t inblob_size;
    unsigned privilege;
};

struct fake_handle {
    bool used;
    int flags;
    struct fake_report *report; /* configfs */
    char name[80];              /* of a configfs attribute, or the whole path */
    bool filled;
    struct buffer content;
    size_t position;
};

struct fake_kernel {
    struct tee_system system;

    /* configfs-tsm; NULL: not mounted */
    const char *provider;
    bool without_driver; /* no driver is registered */
    unsigned floor;
    struct span evidence;      /* what outblob gives, with the inblob put in at ... */
    size_t evidence_data;      /* ... this offset */
    struct span auxblob;       /* empty: the file is, too */
    bool without_certificates; /* there is no such file */
    unsigned races;            /* number of requests to which another process writes */
    unsigned busy;             /* so many reads of outblob end in EBUSY */
    bool binds_nothing;        /* the inblob is not put in */

    /* /dev/sev-guest */
    bool has_sev;
    int sev_errno; /* 0: opens */
    unsigned vmpl;
    size_t host_certificates_room; /* what the host asks for, when less is given */
    bool without_extended;
    bool old_firmware; /* knows no choice between VCEK and VLEK */
    uint8_t chip[32];  /* secret */
    uint8_t image[32]; /* measurement and policy */
    uint32_t guest_svn;
    uint64_t committed_tcb;
    uint32_t report_status;
    struct snp_key_request asked; /* the last derived key */

    /* Gramine; NULL: absent */
    const struct simulated_platform *gramine;
    struct simulated_enclave enclave;
    uint8_t user_report_data[64];
    bool somebody_writes; /* another process of the enclave, before the quote is read */

    struct fake_file files[FAKE_FILES_MAX]; /* anything else that can be read */

    /* faults, and what was seen */
    unsigned calls, fail_at; /* the n-th call fails with ... */
    int fail_errno;
    size_t read_max; /* 0: as much as asked for */
    unsigned pauses, made, removed;
    struct fake_report reports[FAKE_REPORTS_MAX];
    struct fake_handle handles[FAKE_HANDLES_MAX];
};

/* Points the table at `k`, which is otherwise the test's to fill. */
void fake_kernel_init(struct fake_kernel *k);
void fake_kernel_file(struct fake_kernel *k, const char *path, struct span content);

/* No file is open, no directory left. */
void fake_kernel_assert_clean(const struct fake_kernel *k);

#endif
