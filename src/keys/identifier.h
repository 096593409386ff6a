/*
 * AlgorithmIdentifiers of keys in SubjectPublicKeyInfo and PKCS#8: the exact DER of each, with the
 * named curve. Other encodings of the same (explicit curves, absent NULL) are refused.
 */
#ifndef KEYS_IDENTIFIER_H
#define KEYS_IDENTIFIER_H

#include "keys/key_type.h"

/*
 * Which family, and for EC keys which curve, an AlgorithmIdentifier names. `whole` is the element
 * with its tag. RSA keys give KEY_RSA_2048: the modulus has the size. ERR_UNSUPPORTED
 */
MUST_CHECK enum err identifier_find(struct span whole, enum key_type *out);

/* Empty for symmetric types, which have none. */
struct span identifier_of(enum key_type type);

/* The OBJECT IDENTIFIER of a curve with its tag (RFC 5480 section 2.1.1.1). `type` is an EC type.
 */
struct span identifier_curve(enum key_type type);

#endif
