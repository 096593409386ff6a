/*
 * The TEE of this machine: it makes evidence and seals. There is one const table of functions per
 * kind.
 */
#ifndef TEE_TEE_H
#define TEE_TEE_H

#include "base/clock.h"
#include "base/secret.h"

#define TEE_REPORT_DATA_SIZE 64
#define TEE_QUOTE_MAX (64u * 1024)
#define TEE_SEALED_MAX (64u * 1024)
#define TEE_SECRET_MAX (60u * 1024) /* of one secret to seal */
#define TEE_FAILURE_SIZE 768

/* A sentence for the operator about a failure: the device or PCR, and the remedy. */
struct tee_failure {
    char text[TEE_FAILURE_SIZE];
};
void tee_failure_set(struct tee_failure *failure, const char *format, ...) PRINTF_LIKE(2, 3);

struct tee_evidence {
    struct buffer quote;        /* or report; at most TEE_QUOTE_MAX bytes */
    struct buffer certificates; /* snp: the host's certificate table (codec/snp_certs.h), if any */
};
void tee_evidence_clear(struct tee_evidence *evidence);

/*
 * An open provider. Its functions write `failure` when they fail. Use it in one thread at a time,
 * except quote and collateral of the simulated provider, which change nothing. A quote from real
 * hardware takes tens of milliseconds, sometimes seconds.
 */
struct tee {
    const struct tee_ops *ops;
    struct tee_failure failure;
    /* for the start message: the source of evidence, and its key; NULL: none */
    const char *evidence_by;
    const char *sealed_by;
};

struct tee_ops {
    const char *name;     /* "simulated", "sgx", "tdx", "snp", "tpm2", "tdx+tpm2" */
    const char *evidence; /* its kind in the words of `tee_type`; NULL when it makes no evidence */
    bool simulated;
    bool seals;
    /* Makes evidence over 64 bytes; `out` is zeroed. ERR_UNSUPPORTED this provider only seals;
     * ERR_UNAVAILABLE the platform gives no evidence */
    MUST_CHECK enum err (*quote)(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out);
    /* Collateral for that evidence as a JSON bundle (attest/attest.h); empty when there is none. */
    MUST_CHECK enum err (*collateral)(struct tee *tee, struct timestamp now, struct buffer *out);
    /* Seals at most TEE_SECRET_MAX bytes, else ERR_TOO_LARGE. ERR_UNAVAILABLE as below;
     * ERR_UNSUPPORTED this provider does not seal. */
    MUST_CHECK enum err (*seal)(struct tee *tee, struct span plain, struct buffer *out);
    /*
     * ERR_MALFORMED  not a blob of this provider, or damaged
     * ERR_DENIED     another machine, or another state of this one (PCRs, measurement), or sealed
     *                in a weaker way than the settings require
     * ERR_UNAVAILABLE the device does not answer
     */
    MUST_CHECK enum err (*unseal)(struct tee *tee, struct span sealed, struct secret **plain);
    /*
     * Checks whether `sealed` would open now, without opening it. For blobs that depend on a state
     * that changes while the machine runs. NULL if the provider has none. Any thread may call it,
     * one at a time. It writes `failure`, not the provider's own.
     * ERR_DENIED, ERR_MALFORMED, ERR_UNAVAILABLE as for unseal
     */
    MUST_CHECK enum err (*preflight)(struct tee *tee, struct span sealed,
                                     struct tee_failure *failure);
    /*
     * As seal, for an expected state of the machine. `state` is a comma list of PCR=HEX that
     * replace present values, or "" for the present state. NULL if the provider has none.
     * ERR_CONFIG  not such a list, or the blob is not bound to one of the PCRs
     */
    MUST_CHECK enum err (*seal_for)(struct tee *tee, struct span plain, const char *state,
                                    struct buffer *out, struct tee_failure *failure);
    void (*close)(struct tee *tee);
};

/* The providers, with their names in settings and messages. */
#define TEE_PROVIDERS(X)                                                                           \
    X(SGX, "sgx") X(SNP, "snp") X(TDX, "tdx") X(TPM2, "tpm2") X(SIMULATED, "simulated")
#define TEE_KIND(id, name) TEE_##id,
/* clang-format off */
enum tee_kind { TEE_AUTO, TEE_PROVIDERS(TEE_KIND) };
/* clang-format on */
enum tee_sgx_seal { TEE_SGX_MRENCLAVE, TEE_SGX_MRSIGNER };
enum tee_snp_root { TEE_SNP_VCEK, TEE_SNP_VLEK, TEE_SNP_VMRK };

struct tee_system;

struct tee_settings {
    enum tee_kind kind;
    bool seal_with_tpm2; /* evidence from the provider, sealing by the TPM */
    enum tee_sgx_seal sgx_seal;
    enum tee_snp_root snp_root;
    const char *simulated_dir; /* simulated: the directory of its platform */
    const char
        *tpm2_tcti; /* tpm2: tpm2-tss TCTI string, e.g. "device:/dev/tpmrm0", "swtpm:port=2321" */
    const char *tpm2_pcrs;           /* tpm2: comma list of SHA-256 PCRs, e.g. "0,7" */
    const struct tee_system *system; /* NULL: this machine's (tee/system.h); not a setting */
};

/*
 * In open.c. Opens the provider that the settings name. For TEE_AUTO, opens the one of sgx, snp and
 * tdx that this machine has; never simulated or tpm2. With seal_with_tpm2, the named provider makes
 * evidence and the TPM seals.
 *
 * ERR_UNSUPPORTED  auto: the machine has none, and `failure` has a reason for each; or the provider
 *                  does not seal and the settings do not name the TPM
 * Other errors are the provider's.
 */
MUST_CHECK enum err tee_open(const struct tee_settings *settings, struct tee **out,
                             struct tee_failure *failure);

/*
 * In sgx.c: an enclave under Gramine, through /dev/attestation. Seals with the key of the enclave
 * (MRENCLAVE) or of its signer. ERR_NOT_FOUND no Gramine, or no SGX; ERR_UNSUPPORTED Gramine's
 * remote attestation is not DCAP; ERR_IO
 */
MUST_CHECK enum err tee_sgx_open(const struct tee_settings *settings, struct tee **out,
                                 struct tee_failure *failure);
/*
 * In snp.c: an SEV-SNP guest. Reports come through configfs-tsm, else /dev/sev-guest. Seals with a
 * key that the firmware derives for this guest, which needs /dev/sev-guest. ERR_NOT_FOUND neither
 * exists; ERR_DENIED this user may not use them; ERR_IO
 */
MUST_CHECK enum err tee_snp_open(const struct tee_settings *settings, struct tee **out,
                                 struct tee_failure *failure);
/*
 * In tdx.c: a TDX guest. Quotes come through configfs-tsm. TDX has no sealing key.
 * ERR_NOT_FOUND, ERR_DENIED, ERR_IO
 */
MUST_CHECK enum err tee_tdx_open(const struct tee_settings *settings, struct tee **out,
                                 struct tee_failure *failure);
/*
 * In simulated.c. ERR_NOT_FOUND the directory has no platform; ERR_CONFIG the settings name no
 * directory, or other users can read its keys; ERR_TAMPERED its files do not belong together;
 * ERR_IO
 */
MUST_CHECK enum err tee_simulated_open(const struct tee_settings *settings, struct tee **out,
                                       struct tee_failure *failure);
/*
 * In tpm2.c: seals to the owner hierarchy's SRK under PolicyPCR, with salted and encrypted
 * sessions. Connects for each call, so it finds a restarted TPM again. ERR_CONFIG not a list of
 * PCRs; ERR_UNAVAILABLE no TPM answers
 */
MUST_CHECK enum err tee_tpm2_open(const struct tee_settings *settings, struct tee **out,
                                  struct tee_failure *failure);
void tee_close(struct tee **tee);

#endif
