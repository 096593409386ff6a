/*
 * The root, and the service's own keys, which are derived from it. A keyring gives public values to
 * all callers, and secret ones only to the functions of service/. The root never leaves it.
 */
#ifndef SERVICE_KEYRING_H
#define SERVICE_KEYRING_H

#include "crypto/curve25519.h"
#include "crypto/p256.h"
#include "keys/derive.h"
#include "store/rows.h"

struct keyring {
    struct root *root;  /* owned */
    const char *prefix; /* of repository seeds; borrowed */
    /* from the first epoch, so that they survive rotation */
    struct p256_private *session_key;
    struct p256_public *session_public;
    uint8_t session_point[P256_POINT_SIZE];
    struct secret *identity_seed; /* Ed25519 */
    struct secret *reply_keys;    /* LABEL_REPLY_KEYS; see service/reply.h */
    uint8_t identity_key[ED25519_PUBLIC_SIZE];
    uint8_t log_key[ED25519_PUBLIC_SIZE];
    uint8_t global_key[X25519_SIZE]; /* public, of the current epoch */
};

/* Takes over `root`, also on failure. On failure it is cleared. ERR_MEMORY, ERR_CRYPTO */
MUST_CHECK enum err keyring_init(struct keyring *k, struct root *root, const char *prefix);
void keyring_clear(struct keyring *k);

/* The Ed25519 seed that signs checkpoints, for store_open(), before there is a keyring. */
MUST_CHECK enum err keyring_log_seed(const struct root *root, struct secret **out);
/* The authorization value of the TPM's counter (tee/tpm2_counter.h), and the Ed25519 seed that
 * cosigns checkpoints of other logs (service/witnessing.h). */
MUST_CHECK enum err keyring_anchor_auth(const struct root *root, struct secret **out);
MUST_CHECK enum err keyring_witness_seed(const struct root *root, struct secret **out);
/* The keys of the store: a struct rows_keys, for the same. */
MUST_CHECK enum err keyring_store_keys(const struct root *root, struct secret **out);
const struct rows_keys *keyring_store_keys_of(struct secret *keys);

/* A cache of public keys of seeds, for one thread. */
struct public_key_cache;
MUST_CHECK enum err public_key_cache_new(struct public_key_cache **out);
void public_key_cache_free(struct public_key_cache **c);

/* The public key of a seed ("" for the global key) in one epoch. A miss costs a scalar
 * multiplication. If `cache` is NULL, every call does. */
void keyring_public_key(const struct keyring *k, struct public_key_cache *cache,
                        const struct root_epoch *epoch, struct span seed, uint8_t out[X25519_SIZE]);

/* The private key for the same seed and epoch; the caller wipes it. */
void keyring_private_key(const struct keyring *k, const struct root_epoch *epoch, struct span seed,
                         uint8_t out[X25519_SIZE]);

#endif
