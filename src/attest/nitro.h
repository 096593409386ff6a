/*
 * AWS Nitro attestation documents: a COSE_Sign1 (ES384) around a map of claims that brings its own
 * certificate chain. Sources: AWS, "Verifying the root of trust" and aws-nitro-enclaves-nsm-api,
 * docs/attestation_process.md; where real documents differ (null fields, 1024 bytes of user data),
 * this parser follows the documents. Internal to attest/.
 */
#ifndef ATTEST_NITRO_H
#define ATTEST_NITRO_H

#include "attest/cose.h"
#include "attest/verify.h"

#define NITRO_DOCUMENT_MAX (32u * 1024)
#define NITRO_CERTIFICATE_MAX 1024 /* bytes of DER */
#define NITRO_CABUNDLE_MAX 6       /* certificates, including the root; AWS has 4 */
#define NITRO_MODULE_ID_MAX 127    /* "i-0de38b2b6853cc9e8-enc0193685e7fee7d85" in practice */

/* Everything borrows from the evidence. */
struct nitro_document {
    struct cose_sign1 envelope;
    struct span module_id;
    uint64_t timestamp_ms;               /* since 1970, above 0 */
    uint32_t pcr_present;                /* bit per PCR */
    struct span pcrs[ATTEST_NITRO_PCRS]; /* 32, 48 or 64 bytes; empty: absent */
    struct span certificate;
    size_t cabundle_count;                    /* 0 when it is null: then the signer is unknown */
    struct span cabundle[NITRO_CABUNDLE_MAX]; /* root first */
    struct span public_key, user_data, nonce; /* absent (null): data NULL */
};

/* Checks the form and verifies nothing. ERR_DENIED fills `r` */
MUST_CHECK enum err nitro_parse(struct span evidence, struct nitro_document *out,
                                struct refusal *r);

/* PCR0 to PCR2 are all zero or absent: the enclave runs with --debug-mode, and anyone on the
 * host can read its console. */
bool nitro_is_debug(const struct nitro_document *document);

/* Whether this is a document, or a damaged one: a CBOR array or tag, except a COSE_Sign1 around
 * a map whose first key is an integer (Arm's). */
bool nitro_is(struct span evidence);

/*
 * The work for one document is bounded: at most 6 CAs need 8 P-384 checks (the root by itself, five
 * links, the leaf, the document), and no subject may occur twice.
 *
 * A leaf and its issuers, verified from the pinned root to the leaf, without time. They are kept,
 * so a fresh leaf under known issuers costs one signature check, and a known leaf none.
 */
struct nitro_leaf {
    struct p384_public *key;
    uint8_t root_spki[SHA256_SIZE];
    uint8_t family[SHA256_SIZE];              /* see struct cache_names */
    struct timestamp valid_from, valid_until; /* of the whole chain */
};

/*
 * With a cache, the result is borrowed from it until its next use. Without one, the caller frees
 * `*owned`. Pin and time are checked every time. ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err nitro_chain_verify(const struct verify_input *in,
                                       const struct nitro_document *document,
                                       const struct nitro_leaf **out, struct nitro_leaf **owned,
                                       struct refusal *r);
void nitro_leaf_free(struct nitro_leaf **leaf);

#endif
