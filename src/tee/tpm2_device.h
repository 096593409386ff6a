/* A TPM 2.0 over tpm2-tss's ESAPI: one connection, its storage root key, sealing, indexes of its
 * non-volatile memory. Only for tpm2*.c. */
#ifndef TEE_TPM2_DEVICE_H
#define TEE_TPM2_DEVICE_H

#include <tss2/tss2_esys.h>

#include "tee/tpm2_blob.h"

struct tpm2_device;

/*
 * Connects and finds the storage root key. The caller closes it.
 * ERR_UNAVAILABLE  no TPM answers, or it cannot be used: `failure` names the remedy
 */
MUST_CHECK enum err tpm2_device_open(const char *tcti, struct tpm2_device **out,
                                     struct tee_failure *failure);
/* The same without a storage root key: only for tpm2_device_nv_*() but define. */
MUST_CHECK enum err tpm2_device_open_plain(const char *tcti, struct tpm2_device **out,
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

/* ---- indexes of the non-volatile memory, with an authorization value */

struct tpm2_nv {
    ESYS_TR handle; /* ESYS_TR_NONE: none */
    TPM2B_NV_PUBLIC found;
};

/* Makes an index in the owner hierarchy, whose password must be empty. ERR_CONFLICT it is in use */
MUST_CHECK enum err tpm2_device_nv_define(struct tpm2_device *device, const TPM2B_NV_PUBLIC *public,
                                          const uint8_t *auth, size_t auth_size,
                                          struct tpm2_nv *out, struct tee_failure *failure);
/* Finds an index. What it is stands in `out->found`, unverified. ERR_NOT_FOUND */
MUST_CHECK enum err tpm2_device_nv_open(struct tpm2_device *device, uint32_t index,
                                        const uint8_t *auth, size_t auth_size, struct tpm2_nv *out,
                                        struct tee_failure *failure);
void tpm2_device_nv_close(struct tpm2_device *device, struct tpm2_nv *nv); /* both may be empty */
/*
 * In HMAC sessions of the authorization value: an answer that the TPM did not make is
 * ERR_UNAVAILABLE. ERR_TAMPERED the index has another authorization value
 */
MUST_CHECK enum err tpm2_device_nv_increment(struct tpm2_device *device, const struct tpm2_nv *nv,
                                             struct tee_failure *failure);
MUST_CHECK enum err tpm2_device_nv_read(struct tpm2_device *device, const struct tpm2_nv *nv,
                                        uint8_t *out, size_t size, struct tee_failure *failure);

#endif
