/*
 * The algorithms, and which of them a key of each type can have. One table.
 *
 * A key has one algorithm, fixed when it is made. A request may name that algorithm; a request that
 * names another one, or asks for something that the algorithm does not do, is refused with a misfit
 * of its own, and never reinterpreted. algorithm_misfit() is the only place that decides this.
 */
#ifndef KEYS_ALGORITHM_H
#define KEYS_ALGORITHM_H

#include "crypto/digest.h"
#include "keys/key_type.h"

enum algorithm {
    ALGORITHM_ECDSA_P256_SHA256,
    ALGORITHM_ECDSA_P384_SHA384,
    ALGORITHM_ECDSA_SECP256K1_SHA256,
    ALGORITHM_EDDSA,
    ALGORITHM_ML_DSA_65,
    ALGORITHM_RSA_PSS_SHA256,
    ALGORITHM_RSA_PSS_SHA384,
    ALGORITHM_RSA_PSS_SHA512,
    ALGORITHM_RSA_PKCS1_SHA256,
    ALGORITHM_RSA_PKCS1_SHA384,
    ALGORITHM_RSA_PKCS1_SHA512,
    ALGORITHM_RSA_OAEP_SHA256,
    ALGORITHM_RSA_OAEP_SHA256_MGF1_SHA1, /* the default of Java's OAEPWithSHA-256AndMGF1Padding */
    ALGORITHM_RSA_OAEP_SHA384,
    ALGORITHM_RSA_OAEP_SHA512,
    ALGORITHM_RSA_OAEP_SHA1, /* what JOSE calls RSA-OAEP; OAEP needs no collision resistance */
    ALGORITHM_ECDH_HKDF_SHA256,
    ALGORITHM_ECDH, /* the shared x coordinate itself, for a derivation of the caller's own */
    ALGORITHM_ML_KEM_768,
    ALGORITHM_AES_GCM,
    ALGORITHM_CHACHA20_POLY1305,
    ALGORITHM_AES_KW,
    ALGORITHM_AES_KWP,
    ALGORITHM_HMAC_SHA256,
    ALGORITHM_HKDF_SHA256,
    ALGORITHM_PBKDF2_SHA256,
    ALGORITHM_PBKDF2_SHA512,
    ALGORITHM_COUNT
};

/* What is done with a key. Bits of a mask. */
enum key_operation {
    KEY_SIGN = 1u << 0,
    KEY_VERIFY = 1u << 1,
    KEY_ENCRYPT = 1u << 2,
    KEY_DECRYPT = 1u << 3,
    KEY_WRAP = 1u << 4,
    KEY_UNWRAP = 1u << 5,
    KEY_DERIVE = 1u << 6,
    KEY_MAC = 1u << 7,
    KEY_VERIFY_MAC = 1u << 8,
    KEY_ENCAPSULATE = 1u << 9,
    KEY_DECAPSULATE = 1u << 10,
};
enum { KEY_OPERATION_COUNT = 11 };

/* "sign", "verify-mac". `operation` is one bit. */
const char *key_operation_name(enum key_operation operation);
MUST_CHECK enum err key_operation_find(struct span name, enum key_operation *out);

/*
 * How many texts one key may seal with random nonces of 96 bits: NIST SP 800-38D section 8.3. The
 * caller enforces it: each encryption counts a use of the key version, with this number as the
 * limit, in the transaction that records the encryption.
 */
#define KEY_SEALS_MAX ((uint64_t)1 << 32)

struct algorithm_info {
    const char *name;       /* such as "rsa-pss-sha256" */
    unsigned types;         /* KEY_TYPE_BIT() of each key type that can have the algorithm */
    unsigned operations;    /* bits of enum key_operation */
    enum digest digest;     /* of the message, or of the label of OAEP */
    enum digest mgf;        /* of OAEP's mask */
    bool takes_digest;      /* signs a digest that the caller made, on request */
    bool has_der;           /* signatures have two encodings: r || s and DER */
    uint64_t uses_max;      /* 0: no limit of the algorithm */
    const char *aliases[3]; /* names of a family, too, such as "RSA-PSS"; NULL: none */
};

const struct algorithm_info *algorithm_info(enum algorithm a);

/* The algorithm of a key for which none was named. */
enum algorithm algorithm_default(enum key_type type);

/* Every operation that some algorithm of the type can do. */
unsigned algorithm_operations(enum key_type type);

/*
 * Finds an algorithm of a key type by name or alias. Case does not matter. The name of a family
 * means the first algorithm of that family in the table that the type can have.
 * ERR_NOT_FOUND no algorithm has this name; ERR_UNSUPPORTED not one of this type
 */
MUST_CHECK enum err algorithm_find(struct span name, enum key_type type, enum algorithm *out);

/* What a key was made for: the part of its record that the operations of this folder need. */
struct key_spec {
    enum key_type type;
    enum algorithm algorithm;
    /* The caller gives the nonces of an AEAD. Only for imported keys of systems that do so; a
     * nonce that is used twice reveals both texts. */
    bool caller_nonce;
};

struct algorithm_request {
    enum key_operation operation;
    const enum algorithm *algorithm; /* NULL: the request names none */
    bool digest_given;               /* the message is a digest of the algorithm's hash */
    size_t digest_size;              /* its size, if so */
    bool der;                        /* the signature in DER */
    bool deterministic;              /* nonces of RFC 6979 */
    bool nonce_given;                /* the caller brings the nonce of an AEAD */
    bool low_s_only;                 /* the twin (r, n - s) is refused */
};

enum misfit {
    MISFIT_NONE,
    MISFIT_TYPE,          /* the key's algorithm is not one of its type */
    MISFIT_ALGORITHM,     /* the request names another algorithm than the key's */
    MISFIT_OPERATION,     /* the key's algorithm does not do this operation */
    MISFIT_DIGEST,        /* the algorithm signs messages only */
    MISFIT_DIGEST_SIZE,   /* the digest is not one of the algorithm's hash */
    MISFIT_ENCODING,      /* signatures of this algorithm have one encoding */
    MISFIT_DETERMINISTIC, /* only ECDSA can be deterministic on request */
    MISFIT_NONCE,         /* the keystore makes the nonces of this key */
    MISFIT_NONCE_MISSING, /* the caller makes the nonces of this key */
    MISFIT_LOW_S,         /* only ECDSA has a low s */
    MISFIT_COUNT
};

MUST_CHECK enum misfit algorithm_misfit(const struct key_spec *key,
                                        const struct algorithm_request *request);

/* A stable code, such as "algorithm_mismatch", and a sentence for a person. Never NULL. */
const char *misfit_code(enum misfit m);
const char *misfit_text(enum misfit m);

#endif
