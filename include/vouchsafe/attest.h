/*
 * libvouchsafe: verifying TEE evidence, offline. Any program can: no keystore, no network, no
 * daemon.
 *
 *   evidence     Intel SGX and TDX quotes (DCAP), AMD SEV-SNP reports, AWS Nitro documents, Arm CCA
 *                and PSA tokens, Azure's HCL reports
 *   example      examples/verify_evidence.c
 *   guide        docs/guides/verify-evidence.md
 *
 *     vs_start();
 *     vs_verifier_new(0, &verifier);                            vendors' roots, compiled in
 *     vs_verifier_add_directory(verifier, "collateral", NULL, NULL);  what vendors published
 *     e = vs_verifier_verify(verifier, &evidence, 0, &result);  VS_OK: valid
 *
 * Valid means genuine: the vendor's hardware signed it, nothing that was needed is expired or
 * revoked, and an Intel platform has a status. AMD and AWS name none: for SEV-SNP compare the TCBs
 * ("report.reported_tcb", ...) and "crl_checked" yourself, or let a policy do it. It does not mean
 * acceptable: any program on any machine of that vendor has valid evidence, debug ones included.
 * Compare the measurement, the status, vs_result_debug() and the report data with what you expect,
 * or use vs_result_judge().
 *
 * Conventions are those of vouchsafe.h. In particular
 * - Threads: a verifier is for one thread while roots and collateral are added. From then on any
 *   number of threads may verify with it at once. Results are immutable, and independent of the
 *   verifier and of the evidence: both may be gone. What an accessor hands out lives as long as the
 *   result. Strings are never NULL.
 * - Costs: adding collateral checks its signatures (an Intel set: about five of ECDSA P-256) and
 *   keeps a copy. Verifying allocates about twice the size of the evidence and 16 KiB, and takes
 *   some five signature checks on P-256 for a quote, three on RSA-4096 or P-384 for a report, one
 *   on P-384 for each certificate of a Nitro document: a millisecond or two. No locks, no files, no
 *   clock but for a time of 0.
 */
#ifndef VOUCHSAFE_ATTEST_H
#define VOUCHSAFE_ATTEST_H

#include <vouchsafe/keystore.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VS_EVIDENCE_MAX 65536u     /* bytes of one piece of evidence */
#define VS_CERTIFICATES_MAX 65536u /* bytes that came along with it */
#define VS_EVIDENCE_ID_SIZE 32

/* -------------------------------------------------------------------------------------- kinds */

/* Kinds of evidence; the numbers are stable. */
enum vs_tee {
    VS_TEE_UNKNOWN = 0, /* as an argument: tell by its form */
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

/* Whose root a certificate is. A root vouches for no other vendor's evidence. */
enum vs_vendor {
    VS_VENDOR_INTEL = 1,
    VS_VENDOR_AMD_MILAN = 2,
    VS_VENDOR_AMD_GENOA = 3,
    VS_VENDOR_AMD_TURIN = 4,
    VS_VENDOR_AWS = 5,
    VS_VENDOR_SIMULATED = 6 /* of a simulated platform (vs_sim): results under it are marked */
};

/* ----------------------------------------------------------------------------------- verifier */

struct vs_verifier;

#define VS_VERIFIER_NO_VENDOR_ROOTS 0x1u /* trust only what vs_verifier_add_root() is given */

/* `flags`: 0, or bits of the above. Unknown bits are VS_ERR_ARGUMENT. */
VS_MUST_CHECK enum vs_error vs_verifier_new(unsigned flags, struct vs_verifier **out);
void vs_verifier_free(struct vs_verifier **v);

/*
 * Trusts one more root certificate, PEM or DER. One that is trusted already stays as it is. Not
 * needed for the vendors' own roots.
 * VS_ERR_MALFORMED no certificate of a CA; VS_ERR_TOO_LARGE too many roots
 */
VS_MUST_CHECK enum vs_error vs_verifier_add_root(struct vs_verifier *v, enum vs_vendor vendor,
                                                 struct vs_bytes certificate);

/*
 * Collateral: what vendors publish about their platforms. Its signatures must verify up to a
 * trusted root, so it may come from anybody; its times are judged by vs_verifier_verify(). Among
 * several sets for one platform the newest that is valid at that time counts
 * (tcbEvaluationDataNumber). Each function copies what it keeps, and adds all of it or nothing.
 *
 * VS_ERR_UNTRUSTED  refused; vs_verifier_reason() has the code ("tcb_info_signature_invalid")
 * VS_ERR_TOO_LARGE  beyond VS_COLLATERAL_MAX of a sort
 */
#define VS_COLLATERAL_MAX 512

/* One piece as a document in JSON: Intel's with dcap-qvl's member names, or the other forms that
 * `vouchsafe collateral` writes (docs/protocol.md). */
VS_MUST_CHECK enum vs_error vs_verifier_add_bundle(struct vs_verifier *v, struct vs_bytes json);

/* Intel's as its provisioning service (PCS v4) answers. */
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

/* AMD's, of one product. At least one chain: root last, PEM. */
struct vs_amd_collateral {
    struct vs_bytes vcek_chain; /* ASK, ARK */
    struct vs_bytes vlek_chain; /* ASVK, ARK */
    struct vs_bytes crl;        /* DER or PEM; empty: revocation is not checked */
};
VS_MUST_CHECK enum vs_error vs_verifier_add_amd(struct vs_verifier *v,
                                                const struct vs_amd_collateral *parts);

/* The certificate of a chip's key (VCEK) or a cloud's (VLEK), DER or PEM; for reports that come
 * without it. */
VS_MUST_CHECK enum vs_error vs_verifier_add_vek(struct vs_verifier *v, struct vs_bytes certificate);

/*
 * The public key of one Arm device (CPAK, IAK), PEM, for tokens of this instance. This is a trust
 * anchor: get it from whoever made the device. vs_evidence_arm_instance() tells whose is needed.
 */
VS_MUST_CHECK enum vs_error
vs_verifier_add_arm_key(struct vs_verifier *v, struct vs_bytes instance_id, struct vs_bytes pem);

/*
 * Everything that a directory holds, and the directories in it, four levels deep. What a file is,
 * its name says; names that begin with a dot, and all others, are passed over.
 *
 *   NAME.json            a document as above; not looked at beside tcb_info.json
 *   a directory with     tcb_info.json, qe_identity.json, tcb_signing_chain.pem,
 *                        pck_crl.der|.pem, pck_crl_issuer_chain.pem, root_ca_crl.der|.pem and
 *                        perhaps qe_identity_chain.pem: one platform's, as Intel's PCS serves them
 *   a directory with     ark.pem|.der, and ask, asvk or both likewise, perhaps crl.der|.pem: one
 *                        AMD product's
 *   ...vek.der|.pem      a VCEK or VLEK
 *   arm-INSTANCE.pem     the public key of an Arm device, INSTANCE in hex: a trust anchor, which
 *                        is believed because it is there
 *
 * `path` may also be one file. A piece that is refused refuses the whole: what a caller named is
 * meant to be used. `why` (may be NULL) names it; `*count` (may be NULL) is how many were added.
 * VS_ERR_NOT_FOUND no such path, or nothing of the above in it; VS_ERR_IO; VS_ERR_TOO_LARGE
 */
VS_MUST_CHECK enum vs_error vs_verifier_add_directory(struct vs_verifier *v, const char *path,
                                                      size_t *count, struct vs_why *why);

/* The stable code of the last refusal by a function above; "" when there was none. */
const char *vs_verifier_reason(const struct vs_verifier *v);

/* ----------------------------------------------------------------------------------- evidence */

/* Zero-initialise. Borrowed for the call. */
struct vs_tee_evidence {
    enum vs_tee kind; /* must be of this kind; VS_TEE_UNKNOWN: whatever it is */
    struct vs_bytes bytes;
    /* SNP: the host's certificate table, PEM, or one DER; believed as far as they verify */
    struct vs_bytes certificates;
};

/*
 * Evidence as people keep and paste it: raw; or as text, which is hex (also with 0x), base64 of
 * either alphabet with or without padding, or a list of numbers, with white space, quotes or a byte
 * order mark around it; or a JSON document in which exactly one string is evidence in hex or
 * base64. Certificates in PEM are handed on (vs_ra_tls_read()). VS_ERR_MALFORMED text that is none
 * of these, `why` (may be NULL) says what it is; VS_ERR_TOO_LARGE more than four times
 * VS_EVIDENCE_MAX of text
 */
VS_MUST_CHECK enum vs_error vs_evidence_read(struct vs_bytes text, struct vs_blob *out,
                                             struct vs_why *why);
/* The same without an explanation. */
VS_MUST_CHECK enum vs_error vs_evidence_decode(struct vs_bytes text, struct vs_blob *out);

/* When evidence says that it was made, in milliseconds since 1970; nothing is verified.
 * VS_ERR_NOT_FOUND a kind that does not say (all but Nitro); VS_ERR_MALFORMED */
VS_MUST_CHECK enum vs_error vs_evidence_time(struct vs_bytes evidence, int64_t *milliseconds);

/* Which device an Arm token says it is of, for vs_verifier_add_arm_key(); nothing is verified.
 * VS_ERR_MALFORMED no such token */
#define VS_ARM_INSTANCE_SIZE 33
VS_MUST_CHECK enum vs_error vs_evidence_arm_instance(struct vs_bytes evidence,
                                                     uint8_t out[VS_ARM_INSTANCE_SIZE]);

/*
 * RA-TLS: a certificate that carries evidence about its own key (docs/guides/ra-tls.md). Nothing
 * is verified here but TCG's claims. The evidence binds the certificate's key when a VALID result
 * of it has just this report data: compare it with vs_result_report_data(). And only who has shown
 * in a handshake that he holds the key is the program that the evidence names.
 */
enum vs_ra_tls_form { VS_RA_TLS_GRAMINE = 1, VS_RA_TLS_TCG = 2 };
const char *vs_ra_tls_form_name(enum vs_ra_tls_form form); /* "gramine", "tcg"; "" for others */
struct vs_ra_tls {
    enum vs_ra_tls_form form;
    struct vs_blob evidence;
    uint8_t key_sha256[VS_HASH_SIZE]; /* of the SubjectPublicKeyInfo */
    uint8_t report_data[VS_REPORT_DATA_SIZE];
};
/* Whether bytes begin as certificates do, PEM or DER, and no evidence does. */
bool vs_is_certificate(struct vs_bytes bytes);
/*
 * The evidence of a certificate, DER, or the first in PEM. `*out` is always written; the caller
 * clears it.
 *
 * VS_ERR_NOT_FOUND   it carries no evidence
 * VS_ERR_UNTRUSTED   TCG's claims are about another key
 * VS_ERR_MALFORMED   no certificate, or evidence in no good form; VS_ERR_UNSUPPORTED claims with
 *                    another hash than SHA-256; VS_ERR_TOO_LARGE
 */
VS_MUST_CHECK enum vs_error vs_ra_tls_read(struct vs_bytes certificate, struct vs_ra_tls *out);
void vs_ra_tls_clear(struct vs_ra_tls *r);

struct vs_result;

/*
 * Verifies evidence. `at` are the Unix seconds by which everything is judged; 0: now.
 *
 * VS_OK             valid
 * VS_ERR_UNTRUSTED  not valid: vs_result_reason() says why
 * For both, `*result` is the caller's. For any other error it is not written.
 */
VS_MUST_CHECK enum vs_error vs_verifier_verify(const struct vs_verifier *v,
                                               const struct vs_tee_evidence *evidence, int64_t at,
                                               struct vs_result **result);
void vs_result_free(struct vs_result **r);

/* ------------------------------------------------------------------------------------- result */

enum vs_verdict {
    VS_REJECT = 0,
    /* The evidence's own signatures verify up to a trusted root, but there is no collateral to
     * judge the platform by: whether it was revoked or has known flaws is not known. Not valid. */
    VS_SIGNATURE_ONLY = 1,
    VS_VALID = 2
};
enum vs_verdict vs_result_verdict(const struct vs_result *r);
const char *vs_verdict_name(enum vs_verdict v); /* "reject", "signature_only", "valid" */

/* Why not: a stable code, "ok" when valid (docs/operations.md, "Codes", has the list); a sentence
 * about it; and where it makes sense what was expected and found, else "". */
const char *vs_result_reason(const struct vs_result *r);
const char *vs_result_sentence(const struct vs_result *r);
const char *vs_result_step(const struct vs_result *r); /* that failed: "tcb_info"; "" when valid */
const char *vs_result_expected(const struct vs_result *r);
const char *vs_result_presented(const struct vs_result *r);

/* The steps that were passed, in order; then, unless it is valid, the one that failed. NULL beyond
 * the last. `text` is a phrase for people. */
struct vs_step {
    const char *name;
    const char *text;
    bool passed;
};
size_t vs_result_step_count(const struct vs_result *r);
const struct vs_step *vs_result_step_at(const struct vs_result *r, size_t index);

/* As told by the evidence's form alone, also when it is refused. */
enum vs_tee vs_result_tee(const struct vs_result *r);
/*
 * Every signature of the evidence verified up to a trusted root. Else all that follows is empty,
 * but for what an Azure blob says around its report. For SGX and TDX this is NOT yet the platform's
 * word: a host can have an enclave of its own certified by the same PCK key, and it is the
 * collateral that tells Intel's quoting enclave from it. Use what follows to diagnose a refusal.
 */
bool vs_result_signatures_valid(const struct vs_result *r);
/* And the signer is one that may sign (SGX and TDX: the quoting enclave is the one that Intel
 * names, which without collateral is never known): the fields are the platform's word, even if the
 * platform is refused for its TCB. */
bool vs_result_authentic(const struct vs_result *r);
bool vs_result_simulated(const struct vs_result *r); /* under a root of VS_VENDOR_SIMULATED */
/* The TEE's host or owner can look inside: no secret may go there. */
bool vs_result_debug(const struct vs_result *r);
/* What the program inside chose to bind, 64 bytes; zeros unless signatures_valid. Nitro: user_data
 * when it has 64 bytes. Arm: challenge or nonce, zero-padded. */
const uint8_t *vs_result_report_data(const struct vs_result *r);
/* One id per piece of evidence that nobody but the signer can change; zeros unless
 * signatures_valid. */
const uint8_t *vs_result_evidence_id(const struct vs_result *r);
/* Digest of all verified claims but their expiry, as the keystore's log has it; zeros unless
 * valid. */
const uint8_t *vs_result_claims_digest(const struct vs_result *r);

/* Intel's platform status, "UpToDate"; "" unless valid, and for vendors that name none. */
const char *vs_result_status(const struct vs_result *r);
/* What a status means and what to do about it, in a sentence or two; "" for an unknown one. */
const char *vs_tcb_status_text(const char *status);
size_t vs_result_advisory_count(const struct vs_result *r);
const char *vs_result_advisory_at(const struct vs_result *r, size_t index); /* "INTEL-SA-00615" */
/* When the first of the certificates and collateral that were used runs out; 0 unless valid, and
 * where nothing runs out. */
int64_t vs_result_expiry(const struct vs_result *r);
/* The date of the platform's TCB level; 0 unless valid, and where there is none. */
int64_t vs_result_tcb_date(const struct vs_result *r);

/*
 * Everything that the evidence says, and how it was judged. Names are paths as in
 * `vouchsafe attest verify --json`: "report.mrenclave", "report.isvsvn", "qe_status",
 * "pcrs.0", "realm.rem[2]".
 */
enum vs_field_kind {
    VS_FIELD_HEX = 1,    /* bytes that people read in hex */
    VS_FIELD_NUMBER = 2, /* `number` */
    VS_FIELD_FLAG = 3,   /* `number`, 0 or 1 */
    VS_FIELD_TEXT = 4,   /* printable ASCII, "?" for anything else, and a zero byte behind it */
    VS_FIELD_NULL = 5    /* the evidence has none */
};
struct vs_field {
    char name[48];
    enum vs_field_kind kind;
    struct vs_bytes bytes;
    uint64_t number;
};
size_t vs_result_field_count(const struct vs_result *r);
const struct vs_field *vs_result_field_at(const struct vs_result *r, size_t index); /* or NULL */
/* By name; NULL when there is none. */
const struct vs_field *vs_result_field(const struct vs_result *r, const char *name);

/*
 * Which collateral would judge this evidence: what to fetch. `known` is false for kinds that need
 * none. Unless signatures_valid it is the word of whoever brought it.
 */
struct vs_wanted {
    bool known;
    enum vs_vendor vendor;
    char ca[16];       /* Intel: "platform" or "processor" */
    char platform[32]; /* Intel: FMSPC in hex; AMD: "milan", ... */
    bool by_vlek;      /* AMD: a cloud's key, which only the cloud hands out */
    char chip_id[129]; /* AMD, VCEK: in hex; Turin: 16 digits */
    struct {           /* AMD, VCEK: the SVNs it must be for */
        uint8_t boot_loader, tee, snp, microcode, fmc;
    } tcb;
};
void vs_result_wanted(const struct vs_result *r, struct vs_wanted *out);

/* Why evidence that is valid is not accepted. */
struct vs_refusal {
    char rule[65]; /* the policy that accepts, or that came nearest; "" for vs_appraisal */
    char code[48];
    char expected[320];
    char presented[320];
};

/*
 * The default policy: what is refused whatever else a caller accepts, for evidence of every kind. A
 * debug build ("debug"), since its host can look inside, and a platform whose TCB status is Revoked
 * ("tcb_status_not_accepted"). Not being refused here is no acceptance: any program on any machine
 * of the vendor comes this far. All that judges or appraises refuses these two as well.
 *
 * VS_ERR_POLICY refused, `refusal` (may be NULL) says why; VS_ERR_UNTRUSTED the result is not valid
 */
VS_MUST_CHECK enum vs_error vs_result_judge_default(const struct vs_result *r,
                                                    struct vs_refusal *refusal);

/*
 * Appraises an SGX result: measurement or signer, status, advisories; never debug. Grace periods
 * are counted to the time that it was verified for.
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
 * looked at, since they are not about the evidence alone: which tokens a policy is for, and what
 * must be bound; compare vs_result_report_data() yourself.
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
 * Which keystore is accepted, and by what its platform is judged. Zero-initialise. Exactly one of
 * `appraisal` and `policy`: a keystore of any TEE is only accepted for what it is.
 */
struct vs_keystore_demand {
    const struct vs_appraisal *appraisal; /* SGX: measurement or signer */
    const struct vs_policy *policy;       /* any kind; `events` cannot be met: no log comes along */
    /* Roots and collateral of the caller's, besides what the keystore sends; NULL: the vendors'
     * roots. Nobody else may use it during the call, and afterwards it is as it was. */
    struct vs_verifier *verifier;
    /* Ask the keystore for collateral that is missing. This sends the client's token once the
     * evidence's signatures hold, it binds the keystore's keys, and its code is accepted; the state
     * of the platform is not known yet. The token is never sent for evidence whose signatures
     * cannot be checked, such as SEV-SNP's without the chip's certificate. */
    bool fetch_collateral;
    int64_t at; /* the time to judge by; 0: now */
};

/*
 * vs_keystore_verify() for evidence of every kind: SGX, TDX, SEV-SNP and Nitro. Fetches it for a
 * fresh nonce, verifies it, compares the 64 bytes that it binds (nonce, identity key, log, session
 * and TLS keys, the log's name), and judges it. Debug evidence is never accepted.
 *
 * Collateral is what the verifier holds, what comes along with the evidence, and what
 * `fetch_collateral` brings; wherever it is from, it must verify.
 *
 * VS_ERR_UNTRUSTED   not genuine, not bound, or not to be judged: out->claims.code is e.g.
 *                    "report_data_mismatch" or "collateral_missing"
 * VS_ERR_POLICY      genuine, and not accepted: out->claims has the code. Both write out->claims.
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
/* Programs of 0.1.0 include this header only, and get all others by it. */
#include <vouchsafe/vouchsafe.h>

#endif
