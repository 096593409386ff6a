/* A TPM 2.0 over tpm2-tss's ESAPI: one connection, its storage root key, sealing. Only for
 * tpm2.c. */
#ifndef TEE_TPM2_DEVICE_H
#define TEE_TPM2_DEVICE_H

#include "tee/tpm2_blob.h"

struct tpm2_device;

/*
 * Connects and finds the storage root key. The caller closes it.
 * ERR_UNAVAILABLE  no TPM answers, or it cannot be used: `failure` names the remedy
 */
MUST_CHECK enum err tpm2_device_open(const char *tcti, struct tpm2_device **out,
                                     struct tee_failure *failure);
/* Flushes the objects that it loaded into the TPM. Accepts NULL. */
void tpm2_device_close(struct tpm2_device **device);

/* The name (algorithm and hash of the public area) of the storage root key, borrowed. */
struct span tpm2_device_srk_name(const struct tpm2_device *device);

/* Present values of the PCRs in `mask`. ERR_UNAVAILABLE when the SHA-256 bank is not active. */
MUST_CHECK enum err tpm2_device_pcrs(struct tpm2_device *device, uint32_t mask,
                                     struct tpm2_pcrs *out, struct tee_failure *failure);

/* Seals `key` to blob->pcrs; fills public and private of `blob`. ERR_UNAVAILABLE */
MUST_CHECK enum err tpm2_device_seal(struct tpm2_device *device,
                                     const uint8_t key[TPM2_WRAPPING_KEY_SIZE],
                                     struct tpm2_blob *blob, struct tee_failure *failure);

/*
 * Gets the key sealed in `blob`, if the PCRs have the values of the blob; the caller wipes it.
 * Tries again when a PCR was extended meanwhile.
 *   ERR_DENIED       the TPM says that the PCRs are not those of the blob
 *   ERR_MALFORMED    this TPM did not make the object
 *   ERR_UNAVAILABLE  also when PCRs were extended during every attempt
 */
MUST_CHECK enum err tpm2_device_unseal(struct tpm2_device *device, const struct tpm2_blob *blob,
                                       uint8_t key[TPM2_WRAPPING_KEY_SIZE],
                                       struct tee_failure *failure);

#endif
