/*
 * What this machine is: its own evidence and its sealing. One const table of functions per kind.
 */
#ifndef TEE_TEE_H
#define TEE_TEE_H

#include "base/clock.h"
#include "base/secret.h"

#define TEE_REPORT_DATA_SIZE 64
#define TEE_QUOTE_MAX (64u * 1024)
#define TEE_SEALED_MAX (64u * 1024)
#define TEE_SECRET_MAX (60u * 1024) /* of what may be sealed */
#define TEE_FAILURE_SIZE 768

/* A sentence for the operator about a failure: which device, which PCR, what to do. */
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
 * An opened provider. Its functions write `failure` when they fail. One thread at a time, except
 * quote and collateral of the simulated provider, which touch nothing. A quote of real hardware
 * takes tens of milliseconds, sometimes seconds.
 */
struct tee {
    const struct tee_ops *ops;
    struct tee_failure failure;
    const char *evidence_by; /* for the start message: from where, and with what key; NULL: none */
    const char *sealed_by;
};

struct tee_ops {
    const char *name;     /* "simulated", "sgx", "tdx", "snp", "tpm2", "tdx+tpm2" */
    const char *evidence; /* its kind, as `tee_type` names it; NULL when there is none */
    bool simulated;
    bool seals;
    /* Evidence over 64 bytes; `out` is zeroed. ERR_UNSUPPORTED when this provider only seals;
     * ERR_UNAVAILABLE when the platform gives none */
    MUST_CHECK enum err (*quote)(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out);
    /* Collateral for that evidence as a JSON bundle (attest/attest.h); empty when there is none. */
    MUST_CHECK enum err (*collateral)(struct tee *tee, struct timestamp now, struct buffer *out);
    /* At most TEE_SECRET_MAX bytes, else ERR_TOO_LARGE. ERR_UNAVAILABLE as below; ERR_UNSUPPORTED
     * when this provider does not seal. */
    MUST_CHECK enum err (*seal)(struct tee *tee, struct span plain, struct buffer *out);
    /*
     * ERR_MALFORMED  not a blob of this provider, or damaged
     * ERR_DENIED     another machine, or another state of it (PCRs, measurement), or sealed in a
     *                weaker way than the settings ask for
     * ERR_UNAVAILABLE the device does not answer
     */
    MUST_CHECK enum err (*unseal)(struct tee *tee, struct span sealed, struct secret **plain);
    /*
     * Whether `sealed` would open now, without opening it: for blobs that depend on a state of the
     * machine that changes while it runs. NULL when there is none. Any one thread at a time; writes
     * `failure` and not the provider's own.
     * ERR_DENIED, ERR_MALFORMED, ERR_UNAVAILABLE as of unseal
     */
    MUST_CHECK enum err (*preflight)(struct tee *tee, struct span sealed,
                                     struct tee_failure *failure);
    /*
     * As seal, for a state of the machine that is expected: `state` is a comma list of PCR=HEX that
     * replace present values, or "" for the present state. NULL when there is none.
     * ERR_CONFIG  not such a list, or a PCR that the blob is not bound to
     */
    MUST_CHECK enum err (*seal_for)(struct tee *tee, struct span plain, const char *state,
                                    struct buffer *out, struct tee_failure *failure);
    void (*close)(struct tee *tee);
};

enum tee_kind { TEE_AUTO, TEE_SGX, TEE_SNP, TEE_TDX, TEE_TPM2, TEE_SIMULATED };
enum tee_sgx_seal { TEE_SGX_MRENCLAVE, TEE_SGX_MRSIGNER };
enum tee_snp_root { TEE_SNP_VCEK, TEE_SNP_VLEK, TEE_SNP_VMRK };

struct tee_system;

struct tee_settings {
    enum tee_kind kind;
    bool seal_with_tpm2; /* evidence from the provider, sealing by the TPM */
    enum tee_sgx_seal sgx_seal;
    enum tee_snp_root snp_root;
    const char *simulated_dir; /* simulated: where its platform lives */
    const char
        *tpm2_tcti; /* tpm2: tpm2-tss TCTI string, e.g. "device:/dev/tpmrm0", "swtpm:port=2321" */
    const char *tpm2_pcrs;           /* tpm2: comma list of SHA-256 PCRs, e.g. "0,7" */
    const struct tee_system *system; /* NULL: this machine's (tee/system.h); no setting */
};

/*
 * open.c: the provider that the settings name; TEE_AUTO the one of sgx, snp and tdx that this
 * machine is. Never simulated or tpm2 unless named. With seal_with_tpm2, evidence is the named
 * provider's and sealing the TPM's.
 *
 * ERR_UNSUPPORTED  auto: none fits, `failure` has a reason for each; or the provider does not seal
 *                  and the TPM was not named to do it
 * else as the provider's
 */
MUST_CHECK enum err tee_open(const struct tee_settings *settings, struct tee **out,
                             struct tee_failure *failure);

/*
 * sgx.c: an enclave under Gramine, through /dev/attestation. Seals with the key of the enclave
 * (MRENCLAVE) or of its signer.
 * ERR_NOT_FOUND no Gramine, or no SGX; ERR_UNSUPPORTED its remote attestation is not DCAP; ERR_IO
 */
MUST_CHECK enum err tee_sgx_open(const struct tee_settings *settings, struct tee **out,
                                 struct tee_failure *failure);
/*
 * snp.c: an SEV-SNP guest. Reports through configfs-tsm, else /dev/sev-guest; seals with a key that
 * the firmware derives for this guest, which needs /dev/sev-guest.
 * ERR_NOT_FOUND neither is there; ERR_DENIED this user may not use them; ERR_IO
 */
MUST_CHECK enum err tee_snp_open(const struct tee_settings *settings, struct tee **out,
                                 struct tee_failure *failure);
/*
 * tdx.c: a TDX guest. Quotes through configfs-tsm; there is no key to seal with.
 * ERR_NOT_FOUND, ERR_DENIED, ERR_IO
 */
MUST_CHECK enum err tee_tdx_open(const struct tee_settings *settings, struct tee **out,
                                 struct tee_failure *failure);
/*
 * simulated.c. ERR_NOT_FOUND when the directory holds no platform, ERR_CONFIG when none is named or
 * its keys are open to others, ERR_TAMPERED when its files do not belong together, ERR_IO
 */
MUST_CHECK enum err tee_simulated_open(const struct tee_settings *settings, struct tee **out,
                                       struct tee_failure *failure);
/*
 * tpm2.c: seals to the owner hierarchy's SRK under PolicyPCR, salted and encrypted sessions.
 * Connects for each call, so a TPM that was restarted is found again.
 * ERR_CONFIG for a PCR list that is none, ERR_UNAVAILABLE when no TPM answers
 */
MUST_CHECK enum err tee_tpm2_open(const struct tee_settings *settings, struct tee **out,
                                  struct tee_failure *failure);
void tee_close(struct tee **tee);

#endif
