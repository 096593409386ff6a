/*
 * COSE_Sign1 (RFC 9052 section 4.2) as attestation documents use it: one signature, ES256 or ES384
 * (RFC 9053 section 2.1), no external data. And EC2 keys (RFC 9053 section 7.1). Internal to
 * attest/.
 */
#ifndef ATTEST_COSE_H
#define ATTEST_COSE_H

#include "attest/refusal.h"
#include "codec/cbor.h"
#include "crypto/p256.h"
#include "crypto/p384.h"

enum cose_algorithm { COSE_ANY = 0, COSE_ES256 = -7, COSE_ES384 = -35 };

/* Everything borrows from the input. */
struct cose_sign1 {
    bool tagged; /* with tag 18 */
    enum cose_algorithm algorithm;
    struct span protected_header;  /* contents of the byte string: exactly {1: algorithm} */
    struct cbor_value unprotected; /* a map or null, which no signature covers */
    struct span payload;
    struct span signature; /* r || s, of the algorithm's size */
};

/*
 * Checks the form of all of `bytes` and verifies nothing.
 *
 * algorithm  the only accepted one, or COSE_ANY
 *
 * ERR_DENIED fills `r` with malformed, too_large, trailing_data or unsupported_algorithm
 */
MUST_CHECK enum err cose_sign1_parse(struct span bytes, enum cose_algorithm algorithm,
                                     const char *step, struct cose_sign1 *out, struct refusal *r);

/* Appends the signed bytes: the Sig_structure, RFC 9052 section 4.4. It has the size of the
 * payload plus at most 32 bytes. ERR_MEMORY */
MUST_CHECK enum err cose_sign1_message(const struct cose_sign1 *s, struct buffer *out);

/*
 * Guesses the dialect of a COSE_Sign1: returns the kind of the first key in the map of its payload.
 * CBOR_NULL: no COSE_Sign1, no map, an empty map, or more than COSE_GUESS_MAX bytes. It reads heads
 * only, so no payload is parsed before its size and kind are known.
 */
#define COSE_GUESS_MAX (32u * 1024) /* the largest limit of all dialects */
enum cbor_kind cose_guess_first_key(struct span bytes);

/* A key of one of the two curves: one of the pointers is set. */
struct cose_key {
    struct p256_public *p256;
    struct p384_public *p384;
};

/*
 * A COSE_Key in CBOR: kty 2, curve 1 or 2, x and y at full size, and optionally alg, which must
 * match the curve. Other members are refused. ERR_MALFORMED, ERR_UNSUPPORTED (curve), ERR_CRYPTO
 * (the point is not on it), ERR_MEMORY
 */
MUST_CHECK enum err cose_key_parse(struct span bytes, struct cose_key *out);
/* 0x04 || x || y; the size tells the curve. ERR_MALFORMED, ERR_CRYPTO, ERR_MEMORY */
MUST_CHECK enum err cose_key_from_point(struct span point, struct cose_key *out);
/* SubjectPublicKeyInfo, PEM or DER. ERR_MALFORMED, ERR_CRYPTO, ERR_MEMORY */
MUST_CHECK enum err cose_key_from_spki(struct span spki, struct cose_key *out);
void cose_key_clear(struct cose_key *key);

/* ERR_UNSUPPORTED the key is on the other curve; ERR_CRYPTO the signature does not verify;
 * ERR_MEMORY */
MUST_CHECK enum err cose_sign1_verify(const struct cose_sign1 *s, struct span message,
                                      const struct cose_key *key);

#endif
