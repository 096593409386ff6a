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

/* A sentence for the operator about a failure: which device, which PCR, what to do. */
struct tee_failure {
    char text[256];
};
void tee_failure_set(struct tee_failure *failure, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * An opened provider. Its functions write `failure` when they fail. One thread at a time, except
 * quote and collateral of the simulated provider, which touch nothing.
 */
struct tee {
    const struct tee_ops *ops;
    struct tee_failure failure;
};

struct tee_ops {
    const char *name; /* "simulated", "tpm2" */
    bool simulated;
    /* Evidence over 64 bytes. ERR_UNSUPPORTED when this provider only seals. */
    enum err (*quote)(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                      struct timestamp now, struct buffer *out);
    /* Collateral for that evidence as a JSON bundle (attest/attest.h); empty when there is none. */
    enum err (*collateral)(struct tee *tee, struct timestamp now, struct buffer *out);
    /* At most TEE_SECRET_MAX bytes, else ERR_TOO_LARGE. ERR_UNAVAILABLE as below. */
    enum err (*seal)(struct tee *tee, struct span plain, struct buffer *out);
    /*
     * ERR_MALFORMED  not a blob of this provider, or damaged
     * ERR_DENIED     another machine, or another state of it (PCRs, measurement)
     * ERR_UNAVAILABLE the device does not answer
     */
    enum err (*unseal)(struct tee *tee, struct span sealed, struct secret **plain);
    void (*close)(struct tee *tee);
};

struct tee_settings {
    const char *simulated_dir; /* simulated: where its platform lives */
    const char
        *tpm2_tcti; /* tpm2: tpm2-tss TCTI string, e.g. "device:/dev/tpmrm0", "swtpm:port=2321" */
    const char *tpm2_pcrs; /* tpm2: comma list of SHA-256 PCRs, e.g. "0,7" */
};

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
