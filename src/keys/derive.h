/*
 * Keys derived from a root epoch. There are two constructions. Their outputs cannot collide,
 * because the root is the HMAC key in one and the HKDF input in the other:
 *
 *   per-repository X25519: HMAC-SHA256(root, "ecies:" || prefix || seed), clamped by use
 *   (spec: OutLayer 5.2)
 *
 *   our own keys: HKDF-SHA256(salt "vouchsafe-root-v1", ikm root, info label), 32 or 48 bytes
 */
#ifndef KEYS_DERIVE_H
#define KEYS_DERIVE_H

#include "crypto/curve25519.h"
#include "keys/root.h"

#define DERIVE_PREFIX_DEFAULT "keystore-ckd:"
#define SEED_MAX_SIZE 1024 /* of a seed and of each of its parts, bytes */

/* Labels name purpose and version. A new meaning gets a new label. */
#define LABEL_GLOBAL_KEY "global x25519 v1"      /* GET /pubkey without a seed */
#define LABEL_IDENTITY_KEY "identity ed25519 v1" /* signs statements of this keystore */
#define LABEL_LOG_KEY "log ed25519 v1"           /* signs checkpoints */
#define LABEL_SESSION_KEY "session p256 v1"      /* signs session tokens (48 bytes, p256_derive) */
#define LABEL_REPLY_KEYS "session replies v1"    /* from it the reply key of each session */
#define LABEL_STORE_SEAL "store seal v1"         /* seals rows of the database */
#define LABEL_STORE_NAME "store name v1"         /* HMACs of row ids and lookup values */
#define LABEL_STORE_SET "store set v1"           /* keyed hash of the set of all rows */
#define LABEL_STORE_STATE "store state v1"       /* seals the state of each node */
#define LABEL_STORE_EXPORT "store export v1"     /* from it the key of each export */
#define LABEL_ANCHOR_AUTH "anchor counter v1"    /* authorizes the use of the TPM's counter */
#define LABEL_WITNESS_KEY "witness ed25519 v1"   /* cosigns checkpoints of other logs */

/* Writes 32 bytes of private key; the caller wipes them. `seed` is opaque here; keys/seed.h
 * builds it. */
void derive_repository_key(const struct root_epoch *root, struct span prefix, struct span seed,
                           uint8_t private_key[X25519_SIZE]);

/* `size` is at most 64. */
void derive_labelled(const struct root_epoch *root, const char *label, uint8_t *out, size_t size);

#endif
