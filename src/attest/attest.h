/*
 * Verifies evidence and returns its claims. Pure: no clock, no network, no files. Acceptance is a
 * separate step (policy/appraisal.h). Kinds: Intel SGX and TDX quotes (DCAP ECDSA, versions 3 to
 * 5), AMD SEV-SNP reports, AWS Nitro documents, Arm CCA and PSA tokens, Azure's HCL reports. Facts:
 * Intel's "SGX ECDSA QuoteLibReference DCAP API" and "TDX DCAP Quoting Library API", the PCS v4 API
 * and PCK certificate profile; AMD 56860 (SEV-SNP ABI) and 57230 (VCEK); AWS's "Verifying the root
 * of trust" of Nitro Enclaves; RFC 9783 (PSA) and Arm DEN0137 (CCA).
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
#define ATTEST_ROOTS_MAX 16
#define ATTEST_STEPS_MAX 24

/* Stable codes of refusal. They are part of the protocol. ATTEST_OK is first. */
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
    X(TDX_MODULE_MISMATCH, "tdx_module_mismatch")                                                  \
    X(VEK_CHAIN_INVALID, "vek_chain_invalid")                                                      \
    X(VEK_TCB_MISMATCH, "vek_tcb_mismatch")                                                        \
    X(VEK_HWID_MISMATCH, "vek_hwid_mismatch")                                                      \
    X(VEK_TYPE_MISMATCH, "vek_type_mismatch")                                                      \
    X(VEK_REVOKED, "vek_revoked")                                                                  \
    X(PRODUCT_MISMATCH, "product_mismatch")                                                        \
    X(CERTIFICATE_CHAIN_INVALID, "certificate_chain_invalid")                                      \
    X(LEAF_IS_CA, "leaf_is_ca")                                                                    \
    X(TIMESTAMP, "timestamp")                                                                      \
    X(BINDING_MISMATCH, "binding_mismatch")                                                        \
    X(INTERNAL, "internal")

enum attest_reason {
#define ATTEST_ENUM(name, code) ATTEST_##name,
    ATTEST_REASONS(ATTEST_ENUM)
#undef ATTEST_ENUM
        ATTEST_REASON_COUNT
};
const char *attest_reason_code(enum attest_reason r);
const char *attest_reason_text(enum attest_reason r); /* one sentence for a person */

/* Kinds of evidence. */
enum attest_tee {
    ATTEST_TEE_NONE,
    ATTEST_SGX,
    ATTEST_TDX,
    ATTEST_SNP,
    ATTEST_NITRO,
    ATTEST_CCA,
    ATTEST_PSA,
    ATTEST_AZURE_HCL,
    ATTEST_TEE_COUNT
};

/* The kinds that policies appraise, and their names. */
#define ATTEST_TEES(ROW)                                                                           \
    ROW(ATTEST_SGX, "sgx")                                                                         \
    ROW(ATTEST_TDX, "tdx")                                                                         \
    ROW(ATTEST_SNP, "snp")                                                                         \
    ROW(ATTEST_NITRO, "nitro")

/* Evidence under a simulated root has a name of its own. Policies and callers name these types. */
#define ATTEST_SIMULATED "simulated"
#define ATTEST_TYPES(ROW) ATTEST_TEES(ROW) ROW(ATTEST_SGX, ATTEST_SIMULATED)

const char *attest_tee_name(enum attest_tee tee); /* "sgx", "tdx", "snp", "nitro", "arm-cca", ... */
const char *attest_type_name(enum attest_tee tee, bool simulated); /* the same, or "simulated" */

/* The kind of a name in ATTEST_TYPES. ERR_NOT_FOUND */
MUST_CHECK enum err attest_type_parse(struct span name, enum attest_tee *out);
MUST_CHECK enum err attest_tee_parse(struct span name, enum attest_tee *out); /* ERR_NOT_FOUND */

enum tcb_status {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_TD_RELAUNCH_ADVISED, /* the platform is up to date, but this TD started before the update */
    TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    TCB_STATUS_COUNT,
    TCB_NOT_JUDGED = TCB_STATUS_COUNT /* evidence of a kind whose vendor publishes no status */
};
const char *tcb_status_name(enum tcb_status s); /* Intel's spelling, "UpToDate", ... */
MUST_CHECK enum err tcb_status_parse(struct span name, enum tcb_status *out);

/* Trust anchors by SHA-256 of SubjectPublicKeyInfo. A root belongs to one vendor and is not
 * valid for another vendor's evidence. */
enum attest_vendor {
    ATTEST_INTEL,
    ATTEST_AMD_MILAN,
    ATTEST_AMD_GENOA,
    ATTEST_AMD_TURIN,
    ATTEST_AWS,
    ATTEST_VENDOR_COUNT
};
struct attest_root {
    enum attest_vendor vendor;
    uint8_t spki_sha256[SHA256_SIZE];
    bool simulated; /* results under this root are marked */
};
struct attest_trust {
    size_t count;
    struct attest_root roots[ATTEST_ROOTS_MAX];
};
/* The vendors' roots, compiled in. */
void attest_trust_vendors(struct attest_trust *out);
/* Adds a root certificate (PEM or DER). Adding a known root changes nothing. ERR_MALFORMED
 * (also: not a CA), ERR_TOO_LARGE when full */
MUST_CHECK enum err attest_trust_add(struct attest_trust *trust, enum attest_vendor vendor,
                                     struct span certificate, bool simulated);
/* The root of a simulated TEE (tee/simulated.h), which uses Intel's formats. */
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
 * Parses collateral and checks its signatures once. The result is immutable and copies its input.
 * Every use checks the times. On failure `*reason` is the code.
 * ERR_DENIED with a reason; ERR_MEMORY
 */
struct attest_collateral;
MUST_CHECK enum err attest_collateral_new(const struct attest_trust *trust,
                                          const struct attest_collateral_input *input,
                                          struct attest_collateral **out,
                                          enum attest_reason *reason);
/* The earliest end of validity of its parts. */
struct timestamp attest_collateral_expiry(const struct attest_collateral *c);

/*
 * The age of one part of collateral. The issuer's number and time of issue decide, never the time
 * of expiry.
 */
struct attest_part {
    bool present;     /* an absent part is older than any */
    int64_t order[3]; /* from the most significant: evaluation or CRL number, times of issue */
    struct timestamp issued, expires;
    /* of the signed bytes; compared last, so that the order is total */
    uint8_t sha256[SHA256_SIZE];
    uint8_t content[SHA256_SIZE]; /* of the contents without dates */
};
/* Less than, equal to or greater than 0, as `a` is older than, the same as or newer than `b`. */
int attest_part_compare(const struct attest_part *a, const struct attest_part *b);

/* The platforms that collateral is for, and its age, for code that keeps collateral. */
enum attest_intel_part {
    ATTEST_PART_TCB_INFO,
    ATTEST_PART_QE_IDENTITY,
    ATTEST_PART_PCK_CRL,
    ATTEST_PART_ROOT_CRL,
    ATTEST_INTEL_PARTS
};
struct attest_collateral_facts {
    bool tdx;
    bool processor_ca; /* of the PCK certificates; else the platform CA */
    uint8_t fmspc[6];
    uint32_t tcb_evaluation_number, qe_evaluation_number;
    uint8_t root_spki[SHA256_SIZE]; /* all chains end in this key */
    struct attest_part parts[ATTEST_INTEL_PARTS];
    struct timestamp valid_from, valid_until; /* of all parts */
};
void attest_collateral_facts(const struct attest_collateral *c,
                             struct attest_collateral_facts *out);
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
 * The same, for code that keeps collateral. It also accepts collateral whose root CRL lists the CA
 * or a signer of the other parts. Such collateral is useful for its CRL, and refuses all evidence.
 */
MUST_CHECK enum err attest_collateral_keep_bundle(const struct attest_trust *trust,
                                                  struct span bundle,
                                                  struct attest_collateral **out,
                                                  enum attest_reason *reason);
/* The parts of `c`, as bits, whose issuer the root CRL of `other` lists. */
unsigned attest_collateral_revoked_parts(const struct attest_collateral *c,
                                         const struct attest_collateral *other);

/*
 * AMD's certificates for one product, from KDS: ARK and ASK (for VCEKs), ARK and ASVK (for VLEKs),
 * and the CRL. They are verified once and are immutable. Every use checks times and pins.
 */
struct attest_amd_input {
    struct span vcek_chain; /* PEM: ASK, ARK; empty: no VCEKs */
    struct span vlek_chain; /* PEM: ASVK, ARK; empty: no VLEKs. At least one chain is required */
    struct span crl;        /* DER or PEM, by the ARK; empty: none */
};
struct attest_amd;
MUST_CHECK enum err attest_amd_new(const struct attest_trust *trust,
                                   const struct attest_amd_input *input, struct attest_amd **out,
                                   enum attest_reason *reason);
enum attest_vendor attest_amd_product(const struct attest_amd *amd);
struct timestamp attest_amd_expiry(const struct attest_amd *amd); /* includes the CRL */
enum attest_amd_part {
    ATTEST_PART_VCEK_CHAIN,
    ATTEST_PART_VLEK_CHAIN,
    ATTEST_PART_AMD_CRL,
    ATTEST_AMD_PARTS
};
void attest_amd_parts(const struct attest_amd *amd, struct attest_part out[ATTEST_AMD_PARTS]);
void attest_amd_free(struct attest_amd **amd);

/* One chip's (VCEK) or one cloud's (VLEK) certificate, DER or PEM. Each use verifies it. */
struct attest_vek;
MUST_CHECK enum err attest_vek_new(struct span certificate, struct attest_vek **out,
                                   enum attest_reason *reason);
struct timestamp attest_vek_expiry(const struct attest_vek *vek);
void attest_vek_part(const struct attest_vek *vek, struct attest_part *out);
void attest_vek_free(struct attest_vek **vek);

/* The key of one Arm device (CPAK or IAK), endorsed out of band: PEM SubjectPublicKeyInfo. */
#define ATTEST_ARM_INSTANCE_MAX 64
struct attest_arm_key;
MUST_CHECK enum err attest_arm_key_new(struct span instance_id, struct span pem,
                                       struct attest_arm_key **out, enum attest_reason *reason);
void attest_arm_key_free(struct attest_arm_key **key);

/*
 * A set of collaterals; borrowed, immutable. Intel's is found by TEE, FMSPC, PCK CA and root. Of
 * several, the one with the highest tcbEvaluationDataNumber that is valid at the time is used. No
 * match is collateral_missing, but a set with one member is always judged, so that the refusal
 * names the difference. AMD's is found by product, VEKs by chip and TCB, Arm keys by instance id.
 */
struct attest_collateral_set {
    size_t count;
    const struct attest_collateral *const *items;
    size_t amd_count;
    const struct attest_amd *const *amd;
    size_t vek_count;
    const struct attest_vek *const *veks;
    size_t arm_key_count;
    const struct attest_arm_key *const *arm_keys;
};

/*
 * A cache of verified chains by the SHA-256 of their bytes; the least recently used is removed
 * first. Every use checks pins, times and revocation again. Not thread-safe: use one per thread.
 * NULL means no cache. ERR_TOO_LARGE unless `capacity` is 1..ATTEST_CACHE_MAX, ERR_MEMORY
 */
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

struct td_report { /* the body of a TD quote, 584 bytes (1.0) or 648 (1.5); copies */
    uint8_t tee_tcb_svn[16];
    uint8_t mr_seam[48];
    uint8_t mr_signer_seam[48];
    uint8_t seam_attributes[8];
    uint8_t td_attributes[8]; /* little-endian, as in the quote */
    uint8_t xfam[8];
    uint8_t mr_td[48];
    uint8_t mr_config_id[48];
    uint8_t mr_owner[48];
    uint8_t mr_owner_config[48];
    uint8_t rtmr[4][48];
    uint8_t report_data[64];
    bool is_15; /* the two fields below are present */
    uint8_t tee_tcb_svn_2[16];
    uint8_t mr_service_td[48];
};

/* SVNs of one TCB_VERSION by component; only Turin has fmc. */
struct snp_tcb {
    uint8_t boot_loader, tee, snp, microcode, fmc;
};

#define ATTEST_CSP_ID_MAX 127
struct snp_report { /* AMD 56860 table 23; copies */
    uint32_t version, guest_svn, vmpl, signature_algorithm, key_info;
    uint64_t policy, platform_info, launch_mitigations, current_mitigations;
    uint8_t family_id[16];
    uint8_t image_id[16];
    uint8_t report_data[64];
    uint8_t measurement[48];
    uint8_t host_data[32];
    uint8_t id_key_digest[48];
    uint8_t author_key_digest[48];
    uint8_t report_id[32];
    uint8_t report_id_ma[32];
    uint8_t chip_id[64];
    bool has_cpuid; /* version 3 and later */
    uint8_t cpuid_family, cpuid_model, cpuid_stepping;
    uint8_t current_version[3]; /* build, minor, major */
    uint8_t committed_version[3];
    uint8_t current_tcb_bytes[8], reported_tcb_bytes[8], committed_tcb_bytes[8];
    uint8_t launch_tcb_bytes[8];
    struct snp_tcb current_tcb, reported_tcb, committed_tcb, launch_tcb; /* by product */
    /* of the key that signed it */
    enum attest_vendor product;
    bool by_vlek;
    char csp_id[ATTEST_CSP_ID_MAX + 1]; /* VLEK: the cloud, "CN=cc-us-east-2..."; else "" */
    bool crl_checked;
};

#define ATTEST_NITRO_PCRS 32
#define ATTEST_NITRO_FIELD_MAX 1024
struct nitro_claims {
    char module_id[128];
    int64_t timestamp_ms;
    uint32_t pcr_present; /* bit per PCR */
    uint8_t pcr_size[ATTEST_NITRO_PCRS];
    uint8_t pcr[ATTEST_NITRO_PCRS][64];
    /* absent (null): data NULL. Borrowed from the evidence. */
    struct span public_key, user_data, nonce;
    size_t cabundle_count;
};

#define ATTEST_ARM_COMPONENTS_MAX 16
struct arm_component { /* software measured at boot; absent: data NULL */
    struct span type, measurement, version, signer;
};

struct arm_claims { /* spans borrowed from the evidence; absent: data NULL */
    struct span profile, nonce, implementation_id, instance_id, boot_seed;
    uint32_t lifecycle;
    size_t component_count;
    struct arm_component components[ATTEST_ARM_COMPONENTS_MAX];
    /* CCA only */
    struct span config, challenge, personalization, initial_measurement, extensible_measurements[4];
    struct span realm_hash_algorithm, public_key;
};

/* Azure: the data around the hardware report. The report's claims are those of its own kind
 * (`snp`). */
struct azure_hcl_claims { /* borrowed */
    uint32_t report_type; /* 2 SNP, 4 TDX */
    uint32_t hash_type;
    struct span hardware_report, runtime_data;
};

/* How Intel's platform was judged. */
struct attest_intel {
    uint8_t fmspc[6];
    uint8_t pce_id[2];
    uint8_t ppid[16];
    bool has_platform_instance_id;
    uint8_t platform_instance_id[16];
    bool dynamic_platform, cached_keys, smt_enabled; /* from the PCK certificate; false if absent */
    uint32_t tcb_evaluation_number;                  /* of the TCB info */
    uint32_t qe_evaluation_number;
    enum tcb_status platform_status, qe_status;
    enum tcb_status module_status; /* TDX, TCB_NOT_JUDGED for SGX */
    size_t platform_level;         /* index in tcbLevels */
    struct timestamp platform_level_date;
    /*
     * Grace periods start here: at the earliest date on which a newer level was published for an
     * outdated part (platform, module, QE). False when no part is outdated, or when an outdated
     * part has no newer level.
     */
    bool has_newer_level;
    struct timestamp newer_level_date;
};

/* The collateral that this evidence needs: what to fetch when it is missing. Unless the
 * signatures are valid, these are the caller's unverified claims. */
struct attest_missing {
    bool known;
    enum attest_vendor vendor; /* ATTEST_INTEL, or AMD's product */
    uint8_t fmspc[6];          /* Intel */
    bool processor_ca;         /* Intel: the PCK CA is "processor", else "platform" */
    bool by_vlek;              /* AMD */
    uint8_t chip_id[64];       /* AMD, VCEK */
    struct snp_tcb tcb;        /* AMD, VCEK: reported */
};

struct attest_result {
    enum attest_reason reason; /* ATTEST_OK when everything verified */
    char step[32];      /* on refusal: "header", "pck_chain", "crl", "tcb_signing", "tcb_info",
                           "qe_identity", "qe_report", "signature", "tcb_level", ... */
    char expected[160]; /* on refusal, where applicable; terminated, else "" */
    char presented[160];
    size_t step_count; /* passed steps, in order; static strings */
    const char *steps[ATTEST_STEPS_MAX];
    enum attest_tee kind;          /* from the form, also on refusal */
    struct attest_missing missing; /* SGX, TDX, SNP; also on refusal */
    /*
     * Every signature of the evidence itself verified up to a pinned root. Then all fields up to
     * `intel` are written, for diagnosis, also after a refusal for another reason (collateral, TCB,
     * ...). For SGX and TDX this does NOT prove that the platform made the fields. Intel's PCE
     * certifies the key of any enclave to which its host gives the right to ask (PROVISIONKEY). So
     * the host may have written the whole quote, unless the quoting enclave is Intel's. The PCK
     * chain, and so `missing`, is genuine.
     */
    bool signatures_valid;
    /*
     * In addition, the signer may sign. SGX and TDX: the quoting enclave is not a debug enclave,
     * and Intel's QE identity names it and its version. This needs collateral. Other kinds: the
     * same as signatures_valid. The platform made these claims, even if it is refused for its TCB.
     */
    bool authentic;
    const char *tee; /* name of `kind`, or "simulated" when the pinned root is a simulated one */
    bool simulated;
    uint16_t version; /* of the quote or report */
    bool debug;
    union {
        struct sgx_report sgx;
        struct td_report td;
        struct snp_report snp;
        struct nitro_claims nitro;
        struct arm_claims arm;
    };
    struct azure_hcl_claims azure; /* also on refusal, once its hash matches the report */
    /*
     * The 64 bytes that the caller chose. Nitro: user_data when it has 64 bytes, else zero. Arm
     * CCA: the challenge; PSA: the nonce, zero-padded.
     */
    uint8_t report_data[64];
    /*
     * The id of this piece of evidence: SHA-256(signed bytes || r of its signature). The same
     * evidence cannot get another id without the signing key: s (which may become n - s), white
     * space in the chain and padding do not count, and r cannot be changed. But for SGX and TDX the
     * signing key is the quoting enclave's, and the host controls that. The host can have one
     * report quoted again at any time, with a fresh signature and so with another id. So a new id
     * does not tell when the report was made. Only a bound nonce or time does.
     */
    uint8_t evidence_id[SHA256_SIZE];

    /* the fields below are written only when reason is ATTEST_OK */
    struct attest_intel intel; /* SGX, TDX */
    enum tcb_status status;    /* TCB_NOT_JUDGED for other kinds */
    size_t advisory_count;
    char advisories[ATTEST_ADVISORIES_MAX][24]; /* "INTEL-SA-00615" */
    struct timestamp tcb_date;                  /* the earliest of the levels that apply */
    struct timestamp earliest_expiry;           /* of collateral and certificates */
};

/* Evidence and the certificates that came with it; borrowed. */
struct attest_evidence {
    enum attest_tee kind; /* ATTEST_TEE_NONE: detect by the form */
    struct span bytes;
    /* SNP: the host's certificate table, PEM, or one DER certificate. Only verified ones are
     * used. */
    struct span certificates;
};
/* The kind of evidence by its form; ATTEST_TEE_NONE when unknown. */
enum attest_tee attest_evidence_kind(struct span bytes);
/*
 * The time at which the evidence states that it was made. Verifies nothing. ERR_NOT_FOUND this kind
 * states no time (only Nitro does); ERR_DENIED not of the kind's form
 */
MUST_CHECK enum err attest_evidence_time(struct span bytes, struct timestamp *out);

/*
 * ERR_NONE       verified: the result's claims may be appraised
 * ERR_DENIED     refused: `result->reason`, step, expected, presented
 * ERR_MEMORY
 */
MUST_CHECK enum err attest_verify(const struct attest_trust *trust,
                                  const struct attest_collateral_set *collateral,
                                  struct attest_cache *cache,
                                  const struct attest_evidence *evidence, struct timestamp now,
                                  struct attest_result *result);

/* SHA-256 over a fixed encoding of the verified claims without the expiry. The log and sessions
 * use it as the name of the claims. */
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
