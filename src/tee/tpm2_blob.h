/* What tpm2.c seals: the form of the blob alone, nothing that needs a TPM. */
#ifndef TEE_TPM2_BLOB_H
#define TEE_TPM2_BLOB_H

#include <tss2/tss2_tpm2_types.h>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "tee/tee.h"

#define TPM2_PCR_COUNT 24 /* of a PC client: Platform TPM Profile, section 4.6 */
#define TPM2_NAME_SIZE (2 + SHA256_SIZE)
#define TPM2_WRAPPING_KEY_SIZE AEAD_KEY_SIZE

/* PCRs of the SHA-256 bank: which, and their values; those not in the mask are zero. */
struct tpm2_pcrs {
    uint32_t mask;
    uint8_t values[TPM2_PCR_COUNT][SHA256_SIZE];
};

/*
 *   "VSTPM2"  version 1 (u8)  PCR mask (u32be)  a SHA-256 value per PCR in the mask, ascending
 *   size (u16be) and name of the storage root key   TPM2B_PUBLIC   TPM2B_PRIVATE
 *   nonce [24]  size (u32be)  ciphertext and tag [size]   SHA-256 of all that
 *
 * The TPM seals a random key (an object holds 128 bytes at most: MAX_SYM_DATA), that key the
 * plaintext, with everything before the ciphertext as additional data. The hash tells damage from
 * a blob of another TPM.
 */
struct tpm2_blob {
    struct tpm2_pcrs pcrs;
    struct span srk_name;
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private;
    struct span nonce; /* below: of a parsed blob only */
    struct span header;
    struct span sealed;
};

/* Borrows from `bytes`. ERR_MALFORMED when it is none, or damaged; ERR_TOO_LARGE */
MUST_CHECK enum err tpm2_blob_parse(struct span bytes, struct tpm2_blob *out);

/* Appends the blob of `plain`, at most TEE_SECRET_MAX bytes, under `key`. ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err tpm2_blob_seal(const struct tpm2_blob *blob,
                                   const uint8_t key[TPM2_WRAPPING_KEY_SIZE], struct span plain,
                                   struct buffer *out);

/* The plaintext; ERR_CRYPTO when it was not sealed with this key. The caller owns it. */
MUST_CHECK enum err tpm2_blob_open(const struct tpm2_blob *blob,
                                   const uint8_t key[TPM2_WRAPPING_KEY_SIZE],
                                   struct secret **plain);

/* The SHA-256 bank's PCRs of `mask`, as commands take them. */
TPML_PCR_SELECTION tpm2_pcr_selection(uint32_t mask);
/* Hash of the values, as TPM2_PolicyPCR takes it. */
void tpm2_pcr_digest(const struct tpm2_pcrs *pcrs, uint8_t out[SHA256_SIZE]);
/* The policy digest that TPM2_PolicyPCR alone leads to (TPM 2.0 part 3, TPM2_PolicyPCR). */
MUST_CHECK enum err tpm2_pcr_policy(const struct tpm2_pcrs *pcrs, uint8_t out[SHA256_SIZE]);

/* "0,7": numbers below TPM2_PCR_COUNT, ascending, at least one. ERR_CONFIG */
MUST_CHECK enum err tpm2_pcr_list_parse(const char *text, uint32_t *mask);

/*
 * "7=HEX,11=HEX": values that take the place of those in `pcrs`, which must have those PCRs; ""
 * changes nothing. Numbers ascend, each value has 64 hex digits. ERR_CONFIG, and then `pcrs` may be
 * changed in part
 */
MUST_CHECK enum err tpm2_pcr_values_parse(const char *text, struct tpm2_pcrs *pcrs);

#endif
