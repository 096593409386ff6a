/* The form of the blobs that tpm2.c seals. Nothing here needs a TPM. */
#ifndef TEE_TPM2_BLOB_H
#define TEE_TPM2_BLOB_H

#include <tss2/tss2_tpm2_types.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "tee/tee.h"

#define TPM2_PCR_COUNT 24 /* of a PC client: Platform TPM Profile, section 4.6 */
#define TPM2_NAME_SIZE (2 + SHA256_SIZE)
#define TPM2_WRAPPING_KEY_SIZE AEAD_KEY_SIZE

/* PCRs of the SHA-256 bank: a mask, and their values; values outside the mask are zero. */
struct tpm2_pcrs {
    uint32_t mask;
    uint8_t values[TPM2_PCR_COUNT][SHA256_SIZE];
};

/*
 *   "VSTPM2"  version 1 (u8)  PCR mask (u32be)  a SHA-256 value per PCR in the mask, ascending
 *   size (u16be) and name of the storage root key   TPM2B_PUBLIC   TPM2B_PRIVATE
 *   nonce [24]  size (u32be)  ciphertext and tag [size]   SHA-256 of all that
 *
 * The TPM seals a random key, because an object holds at most 128 bytes (MAX_SYM_DATA). That key
 * seals the plaintext; all bytes before the ciphertext are additional data. The hash distinguishes
 * damage from a blob of another TPM.
 */
struct tpm2_blob {
    struct tpm2_pcrs pcrs;
    struct span srk_name;
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private;
    struct span nonce; /* from here on: only of a parsed blob */
    struct span header;
    struct span sealed;
};

/* Borrows from `bytes`. ERR_MALFORMED not a blob, or damaged; ERR_TOO_LARGE */
MUST_CHECK enum err tpm2_blob_parse(struct span bytes, struct tpm2_blob *out);

/* Appends a blob of `plain`, at most TEE_SECRET_MAX bytes, sealed with `key`. ERR_TOO_LARGE,
 * ERR_MEMORY */
MUST_CHECK enum err tpm2_blob_seal(const struct tpm2_blob *blob,
                                   const uint8_t key[TPM2_WRAPPING_KEY_SIZE], struct span plain,
                                   struct buffer *out);

/* Opens the plaintext; the caller owns it. ERR_CRYPTO it was not sealed with this key. */
MUST_CHECK enum err tpm2_blob_open(const struct tpm2_blob *blob,
                                   const uint8_t key[TPM2_WRAPPING_KEY_SIZE],
                                   struct secret **plain);

/* The selection of `mask` in the SHA-256 bank, as commands take it. */
TPML_PCR_SELECTION tpm2_pcr_selection(uint32_t mask);
/* Hash of the values, as TPM2_PolicyPCR takes it. */
void tpm2_pcr_digest(const struct tpm2_pcrs *pcrs, uint8_t out[SHA256_SIZE]);
/* The policy digest after only TPM2_PolicyPCR (TPM 2.0 part 3, TPM2_PolicyPCR). */
MUST_CHECK enum err tpm2_pcr_policy(const struct tpm2_pcrs *pcrs, uint8_t out[SHA256_SIZE]);

/* "0,7": numbers below TPM2_PCR_COUNT, ascending, at least one. ERR_CONFIG */
MUST_CHECK enum err tpm2_pcr_list_parse(const char *text, uint32_t *mask);

/*
 * "7=HEX,11=HEX": values that replace those in `pcrs`, which must have these PCRs; "" changes
 * nothing. Numbers ascend, and each value has 64 hex digits. ERR_CONFIG; then `pcrs` may be partly
 * changed
 */
MUST_CHECK enum err tpm2_pcr_values_parse(const char *text, struct tpm2_pcrs *pcrs);

#endif
