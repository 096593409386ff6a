/* secp256k1, over libsecp256k1. */
#include <assert.h>
#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <string.h>

#include "crypto/ec_curves.h"
#include "crypto/random.h"

enum { SIZE = 32, ENCODED_SIZE = 65 };

/*
 * A context for scalars costs as much as a signature, so the process has one. It is written once,
 * before its first use, and then only read. Its random blinding hides scalars from side channels.
 */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static secp256k1_context *made;

static void make(void)
{
    uint8_t seed[SIZE];

    made = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    random_bytes(seed, sizeof seed);
    if (made && secp256k1_context_randomize(made, seed) != 1) {
        secp256k1_context_destroy(made);
        made = NULL;
    }
    bytes_wipe(seed, sizeof seed);
}

/* NULL when out of memory. */
static const secp256k1_context *context(void)
{
    (void)pthread_once(&once, make);
    return made;
}

/* False when it is not on the curve. */
static bool point_in(struct span encoded, secp256k1_pubkey *out)
{
    return secp256k1_ec_pubkey_parse(context(), out, encoded.data, encoded.size) == 1;
}

static bool point_of(const uint8_t *point, secp256k1_pubkey *out)
{
    uint8_t encoded[ENCODED_SIZE];

    ec_point_write(EC_SECP256K1, point, encoded);
    return point_in(SPAN_OF(encoded), out);
}

static void point_out(const secp256k1_pubkey *at, uint8_t *point)
{
    uint8_t encoded[ENCODED_SIZE];
    size_t size = sizeof encoded;
    int done =
        secp256k1_ec_pubkey_serialize(context(), encoded, &size, at, SECP256K1_EC_UNCOMPRESSED);

    assert(done == 1 && size == sizeof encoded);
    memcpy(point, encoded + 1, size - 1);
}

MUST_CHECK static enum err k1_public_of(enum ec_curve curve, const uint8_t *scalar, uint8_t *point)
{
    secp256k1_pubkey at;
    int done;

    (void)curve;
    if (!context())
        return ERR_MEMORY;
    done = secp256k1_ec_pubkey_create(context(), &at, scalar);
    stack_wipe();
    if (done != 1)
        return ERR_CRYPTO;
    point_out(&at, point);
    return ERR_NONE;
}

MUST_CHECK static enum err k1_point_read(enum ec_curve curve, struct span encoded, uint8_t *point)
{
    secp256k1_pubkey at;

    (void)curve;
    if (!context())
        return ERR_MEMORY;
    if (!point_in(encoded, &at))
        return ERR_CRYPTO;
    point_out(&at, point);
    return ERR_NONE;
}

MUST_CHECK static enum err k1_sign(enum ec_curve curve, const uint8_t *scalar,
                                   const uint8_t *digest, bool deterministic, uint8_t *signature)
{
    secp256k1_ecdsa_signature pair;
    uint8_t extra[SIZE]; /* RFC 6979 section 3.6 */
    int done;

    (void)curve;
    if (!context())
        return ERR_MEMORY;
    random_bytes(extra, sizeof extra);
    done = secp256k1_ecdsa_sign(context(), &pair, digest, scalar, secp256k1_nonce_function_rfc6979,
                                deterministic ? NULL : extra);
    stack_wipe();
    if (done != 1)
        return ERR_CRYPTO;
    (void)secp256k1_ecdsa_signature_serialize_compact(context(), signature, &pair);
    return ERR_NONE;
}

MUST_CHECK static enum err k1_verify(enum ec_curve curve, const uint8_t *point,
                                     const uint8_t *digest, const uint8_t *signature)
{
    secp256k1_ecdsa_signature pair;
    secp256k1_pubkey at;

    (void)curve;
    if (!context())
        return ERR_MEMORY;
    if (!point_of(point, &at) ||
        secp256k1_ecdsa_signature_parse_compact(context(), &pair, signature) != 1)
        return ERR_CRYPTO;
    (void)secp256k1_ecdsa_signature_normalize(context(), &pair, &pair); /* it refuses a high s */
    return secp256k1_ecdsa_verify(context(), &pair, digest, &at) == 1 ? ERR_NONE : ERR_CRYPTO;
}

/* The x coordinate as it is; libsecp256k1 would hash it. */
static int take_x(unsigned char *out, const unsigned char *x, const unsigned char *y, void *data)
{
    (void)y;
    (void)data;
    memcpy(out, x, SIZE);
    return 1;
}

MUST_CHECK static enum err k1_shared(enum ec_curve curve, const uint8_t *scalar,
                                     const uint8_t *peer, uint8_t *out)
{
    secp256k1_pubkey at;
    int done;

    (void)curve;
    if (!context())
        return ERR_MEMORY;
    if (!point_of(peer, &at))
        return ERR_CRYPTO;
    done = secp256k1_ecdh(context(), out, &at, scalar, take_x, NULL);
    stack_wipe();
    return done == 1 ? ERR_NONE : ERR_CRYPTO;
}

const struct ec_ops ec_secp256k1 = {
    .public_of = k1_public_of,
    .point_read = k1_point_read,
    .sign = k1_sign,
    .verify = k1_verify,
    .shared = k1_shared,
};
