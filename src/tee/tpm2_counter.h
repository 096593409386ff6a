/*
 * A counter in the non-volatile memory of a TPM 2.0 (TPM2_NT_COUNTER), in the owner's range. It
 * only counts up, survives the machine, and a counter that is deleted and made again begins above
 * every value that any counter of this TPM ever had (TPM 2.0 part 3, TPM2_NV_DefineSpace).
 *
 * Its authorization value is a secret of the keystore. Every read and increment runs in an HMAC
 * session. So an answer is refused if it was made up, changed or replayed by another program than
 * the TPM of tpm2_counter_create(). Creation sends the secret in a salted and encrypted session;
 * the program that answers as the TPM at that moment is trusted. Two attacks are not covered: to
 * roll back the TPM itself (a virtual TPM's state can be copied), and to delete the counter, which
 * the TPM's owner can do. The start finds a deletion, and refuses.
 *
 * Each function connects for itself, so it finds a restarted TPM again. `failure` has a sentence.
 */
#ifndef TEE_TPM2_COUNTER_H
#define TEE_TPM2_COUNTER_H

#include "tee/tee.h"

#define TPM2_COUNTER_AUTH_SIZE 32
/* The owner's range: TCG Registry of Reserved TPM 2.0 Handles and Localities, section 2.2.2. */
#define TPM2_COUNTER_INDEX_MIN 0x01800000u
#define TPM2_COUNTER_INDEX_MAX 0x01bfffffu
#define TPM2_COUNTER_INDEX_DEFAULT 0x01805653u

struct tpm2_counter {
    const char *tcti; /* as tee_settings.tpm2_tcti */
    uint32_t index;
    const uint8_t *auth; /* TPM2_COUNTER_AUTH_SIZE bytes in guarded memory */
};

/*
 * Makes the counter and counts once, which gives it its first value. Completes a creation that was
 * interrupted between the two.
 * ERR_CONFLICT     the index is in use
 * ERR_TAMPERED     an interrupted creation with another authorization value
 * ERR_UNAVAILABLE  no TPM answers, or its owner's password is set
 */
MUST_CHECK enum err tpm2_counter_create(const struct tpm2_counter *c, uint64_t *value,
                                        struct tee_failure *failure);

/*
 * ERR_NOT_FOUND    nothing at the index: deleted, or the TPM was cleared, or it is another TPM; or
 *                  the creation of the counter was interrupted
 * ERR_TAMPERED     something else at the index, or a counter with another authorization value
 * ERR_UNAVAILABLE  no TPM answers, or the answer was not made by the TPM
 */
MUST_CHECK enum err tpm2_counter_read(const struct tpm2_counter *c, uint64_t *value,
                                      struct tee_failure *failure);

/* The same without the value, for a caller without the authorization value. Errors as above. */
MUST_CHECK enum err tpm2_counter_look(const char *tcti, uint32_t index,
                                      struct tee_failure *failure);

/*
 * Makes the counter's value `to`: it is that already, or one less. Errors as above; ERR_CONFLICT
 * it has another value, which `*value` gives.
 */
MUST_CHECK enum err tpm2_counter_move(const struct tpm2_counter *c, uint64_t to, uint64_t *value,
                                      struct tee_failure *failure);

#endif
