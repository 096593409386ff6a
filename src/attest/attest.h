/*
 * Verifies evidence and says what it claims. Pure: no clock, no network, no files. Acceptance is a
 * separate step (policy/appraisal.h). Today: Intel SGX DCAP quotes version 3. Facts: Intel's
 * "SGX ECDSA QuoteLibReference DCAP API", the PCS v4 API and PCK certificate profile.
 */
#ifndef ATTEST_ATTEST_H
#define ATTEST_ATTEST_H

#include "base/clock.h"
#include "crypto/hash.h"

#define ATTEST_EVIDENCE_MAX (64u * 1024)
#define ATTEST_JSON_MAX (256u * 1024) /* TCB info, QE identity */
#define ATTEST_CRL_MAX (1024u * 1024)
#define ATTEST_CHAIN_MAX (64u * 1024) /* a PEM chain */
#define ATTEST_ADVISORIES_MAX 64
#define ATTEST_ROOTS_MAX 8

/* Stable codes of refusal: part of the protocol. ATTEST_OK first. */
#define ATTEST_REASONS(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(MALFORMED, "malformed")                                                                      \
    X(TOO_LARGE, "too_large")                                                                      \
    X(TRAILING_DATA, "trailing_data")                                                              \
    X(UNSUPPORTED_VERSION, "unsupported_version")                                                  \
    X(UNSUPPORTED_ATTESTATION_KEY_TYPE, "unsupported_attestation_key_type")                        \
    X(UNSUPPORTED_CERT_DATA_TYPE, "unsupported_cert_data_type")                                    \
    X(UNSUPPORTED_ALGORITHM, "unsupported_algorithm")                                              \
    X(TEE_TYPE_MISMATCH, "tee_type_mismatch")                                                      \
    X(UNKNOWN_QE_VENDOR, "unknown_qe_vendor")                                                      \
    X(SIGNATURE_INVALID, "signature_invalid")                                                      \
    X(ATTESTATION_KEY_INVALID, "attestation_key_invalid")                                          \
    X(QE_REPORT_DATA_MISMATCH, "qe_report_data_mismatch")                                          \
    X(QE_REPORT_SIGNATURE_INVALID, "qe_report_signature_invalid")                                  \
    X(PCK_CHAIN_MISSING, "pck_chain_missing")                                                      \
    X(PCK_CHAIN_INVALID, "pck_chain_invalid")                                                      \
    X(PCK_CHAIN_TOO_LONG, "pck_chain_too_long")                                                    \
    X(PCK_EXTENSION_MISSING, "pck_extension_missing")                                              \
    X(ROOT_NOT_PINNED, "root_not_pinned")                                                          \
    X(PCK_REVOKED, "pck_revoked")                                                                  \
    X(PCK_CA_REVOKED, "pck_ca_revoked")                                                            \
    X(TCB_SIGNING_REVOKED, "tcb_signing_revoked")                                                  \
    X(TCB_SIGNING_CHAIN_INVALID, "tcb_signing_chain_invalid")                                      \
    X(CRL_INVALID, "crl_invalid")                                                                  \
    X(CRL_MISSING, "crl_missing")                                                                  \
    X(CRL_ISSUER_MISMATCH, "crl_issuer_mismatch")                                                  \
    X(CRL_TIME, "crl_time")                                                                        \
    X(CERTIFICATE_TIME, "certificate_time")                                                        \
    X(COLLATERAL_MISSING, "collateral_missing")                                                    \
    X(COLLATERAL_EXPIRED, "collateral_expired")                                                    \
    X(COLLATERAL_NOT_YET_VALID, "collateral_not_yet_valid")                                        \
    X(TCB_INFO_MALFORMED, "tcb_info_malformed")                                                    \
    X(TCB_INFO_UNSUPPORTED, "tcb_info_unsupported")                                                \
    X(TCB_INFO_SIGNATURE_INVALID, "tcb_info_signature_invalid")                                    \
    X(TCB_INFO_MISMATCH, "tcb_info_mismatch")                                                      \
    X(TCB_STATUS_UNRECOGNIZED, "tcb_status_unrecognized")                                          \
    X(TCB_NOT_SUPPORTED, "tcb_not_supported")                                                      \
    X(QE_IDENTITY_MALFORMED, "qe_identity_malformed")                                              \
    X(QE_IDENTITY_SIGNATURE_INVALID, "qe_identity_signature_invalid")                              \
    X(QE_IDENTITY_MISMATCH, "qe_identity_mismatch")                                                \
    X(QE_ISVSVN_NOT_SUPPORTED, "qe_isvsvn_not_supported")                                          \
    X(QE_DEBUG, "qe_debug")                                                                        \
    X(DEBUG, "debug")                                                                              \
    X(INTERNAL, "internal")

enum attest_reason {
#define ATTEST_ENUM(name, code) ATTEST_##name,
    ATTEST_REASONS(ATTEST_ENUM)
#undef ATTEST_ENUM
        ATTEST_REASON_COUNT
};
const char *attest_reason_code(enum attest_reason r);
const char *attest_reason_text(enum attest_reason r); /* one sentence for a person */

enum tcb_status {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_STATUS_COUNT
};
const char *tcb_status_name(enum tcb_status s); /* Intel's spelling, "UpToDate", ... */
MUST_CHECK enum err tcb_status_parse(struct span name, enum tcb_status *out);

/* Trust anchors by SHA-256 of SubjectPublicKeyInfo. */
struct attest_root {
    uint8_t spki_sha256[SHA256_SIZE];
    bool simulated; /* results under it are marked */
};
struct attest_trust {
    size_t count;
    struct attest_root roots[ATTEST_ROOTS_MAX];
};
/* The vendors' roots, compiled in. */
void attest_trust_vendors(struct attest_trust *out);
/* Adds a root certificate (PEM or DER) as simulated. ERR_MALFORMED, ERR_TOO_LARGE when full */
MUST_CHECK enum err attest_trust_add_simulated(struct attest_trust *trust, struct span certificate);

/* Intel collateral as received; see docs/protocol.md for its JSON bundle form. */
struct attest_collateral_input {
    struct span tcb_info;             /* the whole PCS body: {"tcbInfo":{...},"signature":"..."} */
    struct span qe_identity;          /* {"enclaveIdentity":{...},"signature":"..."} */
    struct span tcb_signing_chain;    /* PEM, leaf first */
    struct span qe_identity_chain;    /* PEM; empty: the same as tcb_signing_chain */
    struct span pck_crl;              /* DER, or PEM */
    struct span pck_crl_issuer_chain; /* PEM */
    struct span root_crl;             /* DER, or PEM */
};

/*
 * Collateral that has been parsed and whose signatures were checked once, immutable. Times are
 * checked at every use. Copies what it needs. On failure `*reason` is the code.
 * ERR_DENIED with a reason; ERR_MEMORY
 */
struct attest_collateral;
MUST_CHECK enum err attest_collateral_new(const struct attest_trust *trust,
                                          const struct attest_collateral_input *input,
                                          struct attest_collateral **out,
                                          enum attest_reason *reason);
/* The earliest end of validity of its parts. */
struct timestamp attest_collateral_expiry(const struct attest_collateral *c);
void attest_collateral_free(struct attest_collateral **c);

/*
 * Parses a bundle: a JSON object with dcap-qvl's QuoteCollateralV3 member names
 * (tcb_info, tcb_info_signature, tcb_info_issuer_chain, qe_identity, qe_identity_signature,
 * qe_identity_issuer_chain, pck_crl, pck_crl_issuer_chain, root_ca_crl; hex for binaries).
 */
MUST_CHECK enum err attest_collateral_from_bundle(const struct attest_trust *trust,
                                                  struct span bundle,
                                                  struct attest_collateral **out,
                                                  enum attest_reason *reason);

/*
 * A set of collaterals; borrowed, immutable. Chosen by TEE, FMSPC, PCK CA and root; among several
 * the one with the highest tcbEvaluationDataNumber of those valid at the time. None is
 * collateral_missing; but a set of one is always judged, so that the refusal names what differs.
 */
struct attest_collateral_set {
    size_t count;
    const struct attest_collateral *const *items;
};

/* Remembers verified PCK chains by the SHA-256 of their PEM, the least recently used goes first.
 * Pins, times and revocation are judged anew at every use. Not thread-safe: one per thread. NULL:
 * no cache. ERR_TOO_LARGE unless `capacity` is 1..ATTEST_CACHE_MAX, ERR_MEMORY */
#define ATTEST_CACHE_MAX 4096
struct attest_cache;
MUST_CHECK enum err attest_cache_new(size_t capacity, struct attest_cache **out);
void attest_cache_free(struct attest_cache **c);

struct sgx_report { /* the 384-byte report body; copies, not borrowed */
    uint8_t cpu_svn[16];
    uint32_t misc_select;
    uint8_t attributes[16];
    uint8_t mr_enclave[32];
    uint8_t mr_signer[32];
    uint8_t config_id[64];
    uint16_t isv_prod_id, isv_svn, config_svn;
    uint8_t isv_ext_prod_id[16];
    uint8_t isv_family_id[16];
    uint8_t report_data[64];
};

struct attest_result {
    enum attest_reason reason; /* ATTEST_OK when everything verified */
    char step[32];      /* on refusal: "header", "pck_chain", "crl", "tcb_signing", "tcb_info",
                           "qe_identity", "qe_report", "signature", "tcb_level", ... */
    char expected[160]; /* on refusal, where it makes sense; terminated, else "" */
    char presented[160];
    /* below: written only when reason is ATTEST_OK */
    const char *tee; /* "sgx", or "simulated" when the pinned root is a simulated one */
    bool simulated;
    uint16_t version; /* of the quote */
    bool debug;
    struct sgx_report sgx;
    uint8_t report_data[64];
    enum tcb_status status;
    size_t advisory_count;
    char advisories[ATTEST_ADVISORIES_MAX][24]; /* "INTEL-SA-00615" */
    struct timestamp tcb_date;                  /* the earliest of the levels that apply */
    struct timestamp earliest_expiry;           /* of collateral and certificates */
    uint32_t tcb_evaluation_number;
    uint8_t fmspc[6];
    uint8_t pce_id[2];
    uint8_t ppid[16];
    /*
     * Which piece of evidence this is: SHA-256(signed bytes of the quote || r of its signature).
     * Nobody without the attestation key can give the same evidence another id: s (which may become
     * n - s), the chain's white space and padding do not count, and r cannot be changed.
     */
    uint8_t evidence_id[SHA256_SIZE];
};

/*
 * ERR_NONE       verified: the result's claims may be appraised
 * ERR_DENIED     refused: `result->reason`, step, expected, presented
 * ERR_MEMORY
 */
MUST_CHECK enum err attest_verify(const struct attest_trust *trust,
                                  const struct attest_collateral_set *collateral,
                                  struct attest_cache *cache, struct span evidence,
                                  struct timestamp now, struct attest_result *result);

/* SHA-256 over a fixed encoding of the verified claims, all but the expiry: what the log and
 * sessions name. */
void attest_claims_digest(const struct attest_result *result, uint8_t out[SHA256_SIZE]);

/*
 * Our report data: SHA-512(domain || 0x00 || len16 nonce || nonce || len16 key || key || len16
 * context || context), len16 big-endian. Domains below.
 */
#define REPORT_DATA_SIZE 64
#define REPORT_DOMAIN_SESSION                                                                      \
    "vouchsafe-session-v1" /* nonce: challenge; key: X25519 of the worker */
#define REPORT_DOMAIN_DECRYPT                                                                      \
    "vouchsafe-decrypt-v1" /* nonce: u64 be timestamp; key: worker_pubkey; context: task id */
#define REPORT_DOMAIN_KEYSTORE                                                                     \
    "vouchsafe-keystore-v1" /* nonce: client's; key: identity; context: see protocol.md */
void report_data_bind(const char *domain, struct span nonce, struct span key, struct span context,
                      uint8_t out[REPORT_DATA_SIZE]);

#endif
