/*
 * /dev/sev-guest: requests to the SEV-SNP firmware. Linux 5.19 or newer, Documentation/virt/coco/
 * sev-guest.rst; messages in AMD 56860 (SEV-SNP firmware ABI), chapter 7.
 */
#ifndef TEE_SNP_DEVICE_H
#define TEE_SNP_DEVICE_H

#include "tee/system.h"

#define SNP_DEVICE "/dev/sev-guest"
#define SNP_REPORT_SIZE 1184
#define SNP_KEY_SIZE 32

/* Which key the firmware derives: MSG_KEY_REQ, AMD 56860, table 18. */
struct snp_key_request {
    uint32_t root; /* enum snp_root */
    uint64_t fields;
    uint32_t vmpl;
    uint32_t guest_svn;   /* at most that of the guest */
    uint64_t tcb_version; /* at most the committed one */
};

/* ROOT_KEY_SELECT: bit 0 selects VMRK; bits 2:1 select a key of the chip, and 0 leaves the
 * choice to the firmware. */
enum snp_root { SNP_ROOT_VMRK = 1, SNP_ROOT_VCEK = 1 << 1, SNP_ROOT_VLEK = 2 << 1 };

/* GUEST_FIELD_SELECT */
enum {
    SNP_FIELD_POLICY = 1 << 0,
    SNP_FIELD_MEASUREMENT = 1 << 3,
    SNP_FIELD_GUEST_SVN = 1 << 4,
    SNP_FIELD_TCB_VERSION = 1 << 5,
};

/* ERR_NOT_FOUND, ERR_DENIED, ERR_IO; `failure` names the remedy. */
MUST_CHECK enum err snp_device_probe(const struct tee_system *system, struct tee_failure *failure);

/* The privilege level of this kernel; 0 when the kernel does not report it (before 6.11). */
uint32_t snp_device_vmpl(const struct tee_system *system);

/*
 * Gets a report with the host's certificate table, which stays unchanged and padded. Uses
 * SNP_GET_EXT_REPORT, again with more room if the host wants it. If that fails, uses
 * SNP_GET_REPORT, which gives no certificates.
 * ERR_UNAVAILABLE with `failure`, ERR_MEMORY
 */
MUST_CHECK enum err snp_device_report(const struct tee_system *system,
                                      const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                      struct tee_evidence *out, struct tee_failure *failure);

/* Derives a key; the caller wipes it. ERR_UNAVAILABLE with `failure` */
MUST_CHECK enum err snp_device_key(const struct tee_system *system,
                                   const struct snp_key_request *request, uint8_t key[SNP_KEY_SIZE],
                                   struct tee_failure *failure);

#endif
