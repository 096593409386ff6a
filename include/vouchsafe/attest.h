/*
 * libvouchsafe: verifies TEE evidence offline, without a keystore, a network or a daemon.
 *
 *   evidence     Intel SGX and TDX quotes (DCAP), AMD SEV-SNP reports, AWS Nitro documents, Arm CCA
 *                and PSA tokens, Azure's HCL reports
 *   example      examples/verify_evidence.c
 *   guide        docs/guides/verify-evidence.md
 *
 *     vs_start();
 *     vs_verifier_new(0, &verifier);                            the vendors' roots are compiled in
 *     vs_verifier_add_directory(verifier, "collateral", NULL, NULL);  what vendors published
 *     e = vs_verifier_verify(verifier, &evidence, 0, &result);  VS_OK: valid
 *
 * Valid means genuine: the vendor's hardware signed the evidence, no certificate or collateral used
 * is expired or revoked, and an Intel platform has a status. AMD and AWS publish no status. For
 * SEV-SNP, compare the TCBs ("report.reported_tcb", ...) and "crl_checked", or use a policy. Valid
 * does not mean acceptable: any program on any machine of that vendor has valid evidence, debug
 * programs included. Compare the measurement, the status, vs_result_debug() and the report data
 * with the expected values, or use vs_result_judge().
 *
 * Conventions are those of vouchsafe.h. In particular
 * - Threads: use a verifier in one thread while you add roots and collateral. After that, any
 *   number of threads may verify with it at once. Results are immutable. They do not depend on the
 *   verifier or the evidence, which may be freed. Pointers from accessors are valid as long as the
 *   result. Strings are never NULL.
 * - Costs: adding collateral checks its signatures (an Intel set: about five of ECDSA P-256) and
 *   keeps a copy. Verifying allocates about twice the size of the evidence plus 16 KiB. A quote
 *   takes about five signature checks on P-256, a report three on RSA-4096 or P-384, a Nitro
 *   document one on P-384 for each certificate: one or two milliseconds. Verifying uses no locks
 *   and no files. It reads the clock only if the given time is 0.
 */
#ifndef VOUCHSAFE_ATTEST_H
#define VOUCHSAFE_ATTEST_H

#include <vouchsafe/keystore.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VS_EVIDENCE_MAX 65536u     /* bytes of one piece of evidence */
#define VS_CERTIFICATES_MAX 65536u /* bytes of the certificates that come with the evidence */
#define VS_EVIDENCE_ID_SIZE 32

/* -------------------------------------------------------------------------------------- kinds */

/* Kinds of evidence; the numbers are stable. */
enum vs_tee {
    VS_TEE_UNKNOWN = 0, /* as an argument: detect the kind from the form */
    VS_TEE_SGX = 1,
    VS_TEE_TDX = 2,
    VS_TEE_SNP = 3,
    VS_TEE_NITRO = 4,
    VS_TEE_CCA = 5,
    VS_TEE_PSA = 6,
    VS_TEE_AZURE_HCL = 7
};
/* "sgx", "tdx", "snp", "nitro", "arm-cca", "arm-psa", "azure-hcl"; "none" for any other number. */
const char *vs_tee_name(enum vs_tee tee);
/* VS_ERR_NOT_FOUND */
VS_MUST_CHECK enum vs_error vs_tee_parse(const char *name, enum vs_tee *out);

/* The vendor whose root a certificate is. A root is not valid for another vendor's evidence. */
enum vs_vendor {
    VS_VENDOR_INTEL = 1,
    VS_VENDOR_AMD_MILAN = 2,
    VS_VENDOR_AMD_GENOA = 3,
    VS_VENDOR_AMD_TURIN = 4,
    VS_VENDOR_AWS = 5,
    VS_VENDOR_SIMULATED = 6 /* of a simulated platform (vs_sim); results say so */
};

/* ----------------------------------------------------------------------------------- verifier */

struct vs_verifier;

#define VS_VERIFIER_NO_VENDOR_ROOTS 0x1u /* trust only the roots from vs_verifier_add_root() */

/* `flags`: 0, or the bits above. Unknown bits are VS_ERR_ARGUMENT. */
VS_MUST_CHECK enum vs_error vs_verifier_new(unsigned flags, struct vs_verifier **out);
void vs_verifier_free(struct vs_verifier **v);

/*
 * Trusts one more root certificate, PEM or DER. Adding a trusted root again changes nothing. The
 * vendors' own roots do not need this call. VS_ERR_MALFORMED not a CA certificate; VS_ERR_TOO_LARGE
 * too many roots
 */
VS_MUST_CHECK enum vs_error vs_verifier_add_root(struct vs_verifier *v, enum vs_vendor vendor,
                                                 struct vs_bytes certificate);

/*
 * Collateral: the data that vendors publish about their platforms. Its signatures must verify up to
 * a trusted root, so any source will do. vs_verifier_verify() judges its times. If there are
 * several sets for one platform, the newest one (tcbEvaluationDataNumber) that is valid at that
 * time is used. Each function copies its input, and adds all of it or nothing.
 *
 * VS_ERR_UNTRUSTED  refused; vs_verifier_reason() has the code ("tcb_info_signature_invalid")
 * VS_ERR_TOO_LARGE  more than VS_COLLATERAL_MAX of one kind
 */
#define VS_COLLATERAL_MAX 512

/* One piece as a JSON document: Intel's with the member names of dcap-qvl, or another form that
 * `vouchsafe collateral` writes (docs/protocol.md). */
VS_MUST_CHECK enum vs_error vs_verifier_add_bundle(struct vs_verifier *v, struct vs_bytes json);

/*
 * From now on, vs_verifier_add_directory() also takes Intel's early sets (`vouchsafe collateral
 * fetch --update early`). Without this call it leaves them out, because they are newer than the
 * standard sets and would always be chosen. Documents and files that are named one by one are
 * taken either way.
 */
void vs_verifier_use_early(struct vs_verifier *v);

/* Intel's collateral as its provisioning service (PCS v4) answers. */
struct vs_intel_collateral {
    struct vs_bytes tcb_info;             /* JSON, the whole body */
    struct vs_bytes qe_identity;          /* JSON, the whole body; for TDX: of the TD QE */
    struct vs_bytes tcb_signing_chain;    /* PEM, leaf first */
    struct vs_bytes qe_identity_chain;    /* PEM; empty: the same as tcb_signing_chain */
    struct vs_bytes pck_crl;              /* DER or PEM */
    struct vs_bytes pck_crl_issuer_chain; /* PEM */
    struct vs_bytes root_crl;             /* DER or PEM */
};
VS_MUST_CHECK enum vs_error vs_verifier_add_intel(struct vs_verifier *v,
                                                  const struct vs_intel_collateral *parts);

/* AMD's collateral for one product, in PEM, root last. At least one chain is required. */
struct vs_amd_collateral {
    struct vs_bytes vcek_chain; /* ASK, ARK */
    struct vs_bytes vlek_chain; /* ASVK, ARK */
    struct vs_bytes crl;        /* DER or PEM; empty: revocation is not checked */
};
VS_MUST_CHECK enum vs_error vs_verifier_add_amd(struct vs_verifier *v,
                                                const struct vs_amd_collateral *parts);

/* The certificate of a chip's key (VCEK) or of a cloud's key (VLEK), DER or PEM, for reports
 * that come without it. */
VS_MUST_CHECK enum vs_error vs_verifier_add_vek(struct vs_verifier *v, struct vs_bytes certificate);

/*
 * The public key of one Arm device (CPAK, IAK), PEM, for tokens of this instance. The key is a
 * trust anchor: get it from the maker of the device. vs_evidence_arm_instance() names the instance.
 */
VS_MUST_CHECK enum vs_error
vs_verifier_add_arm_key(struct vs_verifier *v, struct vs_bytes instance_id, struct vs_bytes pem);

/*
 * Adds the files of a directory and of its subdirectories, four levels deep. The name of a file
 * tells its kind. Files with other names, and names that begin with a dot, are skipped.
 *
 *   NAME.json            a document as above; ignored next to tcb_info.json
 *   a directory with     tcb_info.json, qe_identity.json, tcb_signing_chain.pem,
 *                        pck_crl.der|.pem, pck_crl_issuer_chain.pem, root_ca_crl.der|.pem and
 *                        perhaps qe_identity_chain.pem: one Intel platform, as the PCS serves it
 *   a directory with     ark.pem|.der, and ask or asvk or both in the same form, perhaps
 *                        crl.der|.pem: one AMD product
 *   ...vek.der|.pem      a VCEK or VLEK
 *   arm-INSTANCE.pem     the public key of an Arm device, INSTANCE in hex: a trust anchor. Its
 *                        presence in the directory makes it trusted.
 *
 * `path` may also be one file. If one piece is refused, the whole call fails. `why` (may be NULL)
 * names that piece. `*count` (may be NULL) is the number of added pieces.
 * VS_ERR_NOT_FOUND no such path, or no such file in it; VS_ERR_IO; VS_ERR_TOO_LARGE
 */
VS_MUST_CHECK enum vs_error vs_verifier_add_directory(struct vs_verifier *v, const char *path,
                                                      size_t *count, struct vs_why *why);

/* The stable code of the last refusal by a function above; "" when there was none. */
const char *vs_verifier_reason(const struct vs_verifier *v);

/* ----------------------------------------------------------------------------------- evidence */

/* Zero-initialise. Borrowed for the call. */
struct vs_tee_evidence {
    enum vs_tee kind; /* required kind; VS_TEE_UNKNOWN accepts any kind */
    struct vs_bytes bytes;
    /* SNP: the host's certificate table, PEM, or one DER certificate. Only verified ones are
     * used. */
    struct vs_bytes certificates;
};

/*
 * Reads evidence in the forms in which people keep and paste it. These are raw bytes; text, which
 * is hex (also with 0x), base64 of either alphabet with or without padding, or a list of numbers,
 * with white space, quotes or a byte order mark around it; or a JSON document in which exactly one
 * string is evidence in hex or base64. Certificates in PEM are returned unchanged, for
 * vs_ra_tls_read(). VS_ERR_MALFORMED the text has none of these forms, and `why` (may be NULL)
 * names its form; VS_ERR_TOO_LARGE more than four times VS_EVIDENCE_MAX of text
 */
VS_MUST_CHECK enum vs_error vs_evidence_read(struct vs_bytes text, struct vs_blob *out,
                                             struct vs_why *why);
/* The same without an explanation. */
VS_MUST_CHECK enum vs_error vs_evidence_decode(struct vs_bytes text, struct vs_blob *out);

/*
 * The time at which the evidence states that it was made, in milliseconds since 1970. Verifies
 * nothing.
 * VS_ERR_NOT_FOUND this kind states no time (only Nitro does); VS_ERR_MALFORMED
 */
VS_MUST_CHECK enum vs_error vs_evidence_time(struct vs_bytes evidence, int64_t *milliseconds);

/*
 * The device that an Arm token names, for vs_verifier_add_arm_key(). Verifies nothing.
 * VS_ERR_MALFORMED not an Arm token
 */
#define VS_ARM_INSTANCE_SIZE 33
VS_MUST_CHECK enum vs_error vs_evidence_arm_instance(struct vs_bytes evidence,
                                                     uint8_t out[VS_ARM_INSTANCE_SIZE]);

/*
 * RA-TLS: a certificate that carries evidence about its own key (docs/guides/ra-tls.md).
 * vs_ra_tls_read() verifies TCG's claims and nothing else. The evidence binds the certificate's key
 * if a VALID result has exactly this report data: compare it with vs_result_report_data(). A peer
 * is the program in the evidence only if a handshake proved that the peer holds the key.
 */
enum vs_ra_tls_form { VS_RA_TLS_GRAMINE = 1, VS_RA_TLS_TCG = 2 };
const char *vs_ra_tls_form_name(enum vs_ra_tls_form form); /* "gramine", "tcg"; "" for others */
struct vs_ra_tls {
    enum vs_ra_tls_form form;
    struct vs_blob evidence;
    uint8_t key_sha256[VS_HASH_SIZE]; /* of the SubjectPublicKeyInfo */
    uint8_t report_data[VS_REPORT_DATA_SIZE];
};
/* Whether the bytes begin like a certificate (PEM or DER). No evidence begins like that. */
bool vs_is_certificate(struct vs_bytes bytes);
/*
 * Reads the evidence in a certificate: DER, or the first certificate in PEM. `*out` is always
 * written; the caller clears it.
 *
 * VS_ERR_NOT_FOUND   the certificate carries no evidence
 * VS_ERR_UNTRUSTED   TCG's claims are about another key
 * VS_ERR_MALFORMED   not a certificate, or the evidence has a wrong form; VS_ERR_UNSUPPORTED claims
 *                    with another hash than SHA-256; VS_ERR_TOO_LARGE
 */
VS_MUST_CHECK enum vs_error vs_ra_tls_read(struct vs_bytes certificate, struct vs_ra_tls *out);
void vs_ra_tls_clear(struct vs_ra_tls *r);

struct vs_result;

/*
 * Verifies evidence. `at` is the time to judge by, in Unix seconds; 0: now.
 *
 * VS_OK             valid
 * VS_ERR_UNTRUSTED  not valid: vs_result_reason() says why
 * For both, the caller owns `*result`. For any other error it is not written.
 */
VS_MUST_CHECK enum vs_error vs_verifier_verify(const struct vs_verifier *v,
                                               const struct vs_tee_evidence *evidence, int64_t at,
                                               struct vs_result **result);
void vs_result_free(struct vs_result **r);

/* ------------------------------------------------------------------------------------- result */

enum vs_verdict {
    VS_REJECT = 0,
    /* The signatures of the evidence verify up to a trusted root, but there is no collateral. So
     * it is not known whether the platform was revoked or has known flaws. Not valid. */
    VS_SIGNATURE_ONLY = 1,
    VS_VALID = 2
};
enum vs_verdict vs_result_verdict(const struct vs_result *r);
const char *vs_verdict_name(enum vs_verdict v); /* "reject", "signature_only", "valid" */

/* The reason: a stable code ("ok" when valid; docs/operations.md, "Codes", lists them); a
 * sentence about it; and the expected and found values, or "" where there are none. */
const char *vs_result_reason(const struct vs_result *r);
const char *vs_result_sentence(const struct vs_result *r);
/* the step that failed: "tcb_info"; "" when valid */
const char *vs_result_step(const struct vs_result *r);
const char *vs_result_expected(const struct vs_result *r);
const char *vs_result_presented(const struct vs_result *r);

/* The steps that passed, in order; then the step that failed, if one did. NULL beyond the last.
 * `text` is a phrase for people. */
struct vs_step {
    const char *name;
    const char *text;
    bool passed;
};
size_t vs_result_step_count(const struct vs_result *r);
const struct vs_step *vs_result_step_at(const struct vs_result *r, size_t index);

/* The kind, from the form of the evidence; also set when the evidence is refused. */
enum vs_tee vs_result_tee(const struct vs_result *r);
/*
 * True if every signature of the evidence verified up to a trusted root. If false, all following
 * accessors return empty values, except for the fields of an Azure blob around its report. For SGX
 * and TDX this does NOT prove that the platform made the fields: a host can have its own enclave
 * certified by the same PCK key, and only collateral distinguishes it from Intel's quoting enclave.
 * Use the fields to diagnose a refusal.
 */
bool vs_result_signatures_valid(const struct vs_result *r);
/*
 * True if, in addition, the signer may sign. For SGX and TDX the signer must be the quoting enclave
 * that Intel's collateral names. Then the fields come from the platform, even if its TCB is
 * refused.
 */
bool vs_result_authentic(const struct vs_result *r);
bool vs_result_simulated(const struct vs_result *r); /* under a root of VS_VENDOR_SIMULATED */
/* The TEE's host or owner can read its memory: send no secret to it. */
bool vs_result_debug(const struct vs_result *r);
/* The 64 bytes that the program inside the TEE bound; zeros unless signatures_valid. Nitro:
 * user_data when it has 64 bytes. Arm: challenge or nonce, zero-padded. */
const uint8_t *vs_result_report_data(const struct vs_result *r);
/* One id for each piece of evidence. Only the signer can change it. Zeros unless
 * signatures_valid. */
const uint8_t *vs_result_evidence_id(const struct vs_result *r);
/* Digest of all verified claims except their expiry, as in the keystore's log; zeros unless
 * valid. */
const uint8_t *vs_result_claims_digest(const struct vs_result *r);

/* Intel's platform status, "UpToDate"; "" unless valid, and for vendors without a status. */
const char *vs_result_status(const struct vs_result *r);
/* The meaning of a status and the remedy, in a sentence or two; "" for an unknown status. */
const char *vs_tcb_status_text(const char *status);
size_t vs_result_advisory_count(const struct vs_result *r);
const char *vs_result_advisory_at(const struct vs_result *r, size_t index); /* "INTEL-SA-00615" */
/* The earliest expiry of all certificates and collateral used; 0 unless valid, and if none of
 * them expires. */
int64_t vs_result_expiry(const struct vs_result *r);
/* The date of the platform's TCB level; 0 unless valid, and where there is none. */
int64_t vs_result_tcb_date(const struct vs_result *r);

/*
 * All fields of the evidence, and how they were judged. Names are paths as in `vouchsafe attest
 * verify --json`: "report.mrenclave", "report.isvsvn", "qe_status", "pcrs.0", "realm.rem[2]".
 */
enum vs_field_kind {
    VS_FIELD_HEX = 1,    /* bytes, usually shown in hex */
    VS_FIELD_NUMBER = 2, /* `number` */
    VS_FIELD_FLAG = 3,   /* `number`, 0 or 1 */
    VS_FIELD_TEXT = 4,   /* printable ASCII with "?" for all other bytes; a zero byte follows */
    VS_FIELD_NULL = 5    /* the evidence has no such field */
};
struct vs_field {
    char name[48];
    enum vs_field_kind kind;
    struct vs_bytes bytes;
    uint64_t number;
};
size_t vs_result_field_count(const struct vs_result *r);
const struct vs_field *vs_result_field_at(const struct vs_result *r, size_t index); /* or NULL */
/* The field of this name, or NULL. */
const struct vs_field *vs_result_field(const struct vs_result *r, const char *name);

/*
 * The collateral that this evidence needs: what to fetch. `known` is false for kinds that need
 * none. Unless signatures_valid, these values are unverified input.
 */
struct vs_missing {
    bool known;
    enum vs_vendor vendor;
    char ca[16];       /* Intel: "platform" or "processor" */
    char platform[32]; /* Intel: FMSPC in hex; AMD: "milan", ... */
    /* AMD: signed with a cloud's key, whose certificate only the cloud provides */
    bool by_vlek;
    char chip_id[129]; /* AMD, VCEK: in hex; Turin: 16 digits */
    struct {           /* AMD, VCEK: the SVNs that the certificate must have */
        uint8_t boot_loader, tee, snp, microcode, fmc;
    } tcb;
};
void vs_result_missing(const struct vs_result *r, struct vs_missing *out);

/* The reason why valid evidence is not accepted. */
struct vs_refusal {
    char rule[65]; /* the policy that accepts, or the nearest one; "" for vs_appraisal */
    char code[48];
    char expected[320];
    char presented[320];
};

/*
 * The default policy for evidence of every kind. It refuses a debug build ("debug"), because its
 * host can read its memory, and a platform whose TCB status is Revoked ("tcb_status_not_accepted").
 * VS_OK here does not mean that the evidence is acceptable: any program on any machine of the
 * vendor passes. All other functions that judge or appraise refuse these two, too.
 *
 * VS_ERR_POLICY refused, `refusal` (may be NULL) says why; VS_ERR_UNTRUSTED the result is not valid
 */
VS_MUST_CHECK enum vs_error vs_result_judge_default(const struct vs_result *r,
                                                    struct vs_refusal *refusal);

/*
 * Appraises an SGX result: measurement or signer, status, advisories; never debug. Grace periods
 * are counted to the time of verification.
 * VS_ERR_POLICY not accepted, `refusal` (may be NULL) says why; VS_ERR_UNTRUSTED the result is not
 * valid; VS_ERR_UNSUPPORTED evidence of another kind
 */
VS_MUST_CHECK enum vs_error vs_result_appraise(const struct vs_result *r,
                                               const struct vs_appraisal *appraisal,
                                               struct vs_refusal *refusal);

/*
 * Policies for every kind of evidence, in YAML: a file with a list `policies`, or a directory of
 * such files, as the keystore's setting attestation.policy_files takes them (docs/operations.md).
 * VS_ERR_MALFORMED, VS_ERR_IO, VS_ERR_TOO_LARGE; `why` (may be NULL) names file, line and remedy
 */
struct vs_policy;
VS_MUST_CHECK enum vs_error vs_policy_load(const char *path, struct vs_policy **out,
                                           struct vs_why *why);
size_t vs_policy_count(const struct vs_policy *p);
void vs_policy_free(struct vs_policy **p);

/*
 * Judges a valid result as the keystore would: by the first policy that accepts. Two things are not
 * checked, because they concern more than the evidence: which tokens a policy is for, and the bound
 * data. Compare vs_result_report_data() with the expected value.
 *
 * at         the time by which grace periods and ages are counted; 0: now
 * event_log  TDX: JSON, for policies that demand events; or empty
 *
 * VS_ERR_POLICY no policy accepts: `refusal` (may be NULL) has the nearest and why.
 * VS_ERR_UNTRUSTED the result is not valid. On VS_OK `refusal` names the policy.
 */
VS_MUST_CHECK enum vs_error vs_result_judge(const struct vs_result *r, const struct vs_policy *p,
                                            int64_t at, struct vs_bytes event_log,
                                            struct vs_refusal *refusal);

/* ------------------------------------------------------------------------------- the keystore */

/*
 * Which keystore is accepted, and how its platform is judged. Zero-initialise, then set exactly one
 * of `appraisal` and `policy`.
 */
struct vs_keystore_demand {
    const struct vs_appraisal *appraisal; /* SGX: measurement or signer */
    /* any kind; `events` always fail: the keystore sends no event log */
    const struct vs_policy *policy;
    /*
     * The caller's roots and collateral, in addition to the collateral that the keystore sends;
     * NULL: the vendors' roots. No other thread may use it during the call. The call leaves it
     * unchanged.
     */
    struct vs_verifier *verifier;
    /*
     * Ask the keystore for missing collateral. This sends the client's token. It does so only after
     * the signatures of the evidence verified, the evidence binds the keystore's keys, and its code
     * is accepted. The state of the platform is not known at that time. The token is never sent if
     * the signatures cannot be checked, such as for SEV-SNP without the chip's certificate.
     */
    bool fetch_collateral;
    int64_t at; /* the time to judge by; 0: now */
};

/*
 * vs_keystore_verify() for evidence of every kind: SGX, TDX, SEV-SNP and Nitro. Fetches it for a
 * fresh nonce, verifies it, compares the 64 bytes that it binds (nonce, identity key, log, session
 * and TLS keys, the log's name), and judges it. Debug evidence is never accepted.
 *
 * Collateral comes from the verifier, with the evidence, and through `fetch_collateral`. All of it
 * must verify.
 *
 * VS_ERR_UNTRUSTED   not genuine, not bound, or without collateral: out->claims.code is e.g.
 *                    "report_data_mismatch" or "collateral_missing"
 * VS_ERR_POLICY      genuine, but not accepted: out->claims has the code. Both errors write
 *                    out->claims.
 * VS_ERR_ARGUMENT    neither or both of appraisal and policy; no token to fetch with
 * VS_ERR_UNSUPPORTED evidence of a kind that this library does not know; and as
 *                    vs_keystore_verify()
 */
VS_MUST_CHECK enum vs_error vs_keystore_judge(struct vs_client *c,
                                              const struct vs_keystore_demand *demand,
                                              struct vs_keystore *out);

#ifdef __cplusplus
}
#endif
/* Programs for 0.1.0 include this header only, and expect that it includes all others. */
#include <vouchsafe/vouchsafe.h>

#endif
