/* libvouchsafe: SGX evidence, and which of it is accepted. For evidence of all kinds, see
 * <vouchsafe/attest.h>. */
#ifndef VOUCHSAFE_EVIDENCE_H
#define VOUCHSAFE_EVIDENCE_H

#include <vouchsafe/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits of `accepted_statuses`. Revoked is never accepted and has no bit. */
#define VS_TCB_UP_TO_DATE 0x01u
#define VS_TCB_SW_HARDENING_NEEDED 0x02u
#define VS_TCB_CONFIGURATION_NEEDED 0x04u
#define VS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED 0x08u
#define VS_TCB_OUT_OF_DATE 0x10u
#define VS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED 0x20u
/* "UpToDate", "SWHardeningNeeded", ... in Intel's spelling. VS_ERR_MALFORMED */
VS_MUST_CHECK enum vs_error vs_tcb_status_parse(const char *name, unsigned *bit);

/*
 * Which genuine evidence is accepted. Zero-initialise. Name the code by `mr_enclave`, or by
 * `mr_signer` with product and least version; without both, everything is refused. Debug enclaves
 * and revoked platforms are always refused. The rules and the defaults are those of the keystore's
 * policies: for example, CONFIGID is zero, and there are no attributes such as PROVISIONKEY. An
 * appraisal that can accept nothing is refused as "no_policy".
 */
struct vs_appraisal {
    struct vs_bytes mr_enclave; /* one or more accepted measurements, 32 bytes each */
    const uint8_t *mr_signer;   /* 32 bytes, or NULL */
    uint16_t isv_prod_id;
    uint16_t min_isv_svn;
    unsigned accepted_statuses;    /* VS_TCB_ bits; 0: UpToDate only */
    const char *const *advisories; /* tolerated when the status is not UpToDate */
    size_t advisory_count;
    uint32_t min_tcb_evaluation_number; /* of the TCB info and of the QE identity */
    /* How long a platform may be out of date, from the date of the next newer TCB level.
     * Required with VS_TCB_OUT_OF_DATE and VS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED. */
    unsigned out_of_date_grace_days;
};

struct vs_evidence {
    struct vs_bytes quote;      /* as the platform made it */
    struct vs_bytes collateral; /* a bundle in JSON (docs/protocol.md) */
    /* empty: the vendors' roots; else PEM of a simulated root to trust in addition */
    struct vs_bytes trust_root;
    int64_t at;                 /* the time to judge by; 0: now */
    const uint8_t *report_data; /* the 64 bytes that must be bound; NULL: any */
};

struct vs_claims {
    /* of a refusal; otherwise "ok" and "" */
    char code[48];
    char step[32];
    char expected[320];
    char presented[320];
    /* of verified evidence: written if every signature verified, even if the appraisal then
     * refuses */
    char tee[16]; /* "sgx", "simulated" */
    bool simulated, debug;
    uint8_t mr_enclave[32], mr_signer[32];
    uint16_t isv_prod_id, isv_svn;
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    char status[48];
    size_t advisory_count;
    char advisories[64][24];
    int64_t tcb_date, earliest_expiry;
    uint32_t tcb_evaluation_number;
    uint8_t fmspc[6];
    uint8_t digest[VS_HASH_SIZE]; /* identifies these claims in the log and in sessions */
};

/*
 * Verifies evidence offline and appraises it. If `appraisal` is NULL, only debug builds and
 * platforms whose status is Revoked are refused (VS_ERR_POLICY); the caller must compare the
 * measurement. VS_ERR_UNTRUSTED not genuine, or other report data; VS_ERR_POLICY not accepted;
 * VS_ERR_MALFORMED the trust root is not a certificate. `claims` is always written.
 */
VS_MUST_CHECK enum vs_error vs_attest_verify(const struct vs_evidence *evidence,
                                             const struct vs_appraisal *appraisal,
                                             struct vs_claims *claims);

/*
 * SHA-512(domain 0x00 lv16(nonce) lv16(key) lv16(context)): the report data that evidence must
 * bind. Domains are "vouchsafe-session-v1", "vouchsafe-decrypt-v1", "vouchsafe-keystore-v1".
 */
VS_MUST_CHECK enum vs_error vs_report_data(const char *domain, struct vs_bytes nonce,
                                           struct vs_bytes key, struct vs_bytes context,
                                           uint8_t out[VS_REPORT_DATA_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
