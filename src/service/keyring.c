#include "service/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/mac.h"

enum { PUBLIC_KEYS_PER_THREAD = 1024 };

/* Public keys of seeds, direct-mapped by a hash of (epoch, seed). Public data only. */
struct public_key_cache {
    struct {
        uint8_t name[SHA256_SIZE];
        uint8_t key[X25519_SIZE];
    } slots[PUBLIC_KEYS_PER_THREAD];
};

enum err public_key_cache_new(struct public_key_cache **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? ERR_NONE : ERR_MEMORY;
}

void public_key_cache_free(struct public_key_cache **c)
{
    free(*c);
    *c = NULL;
}

MUST_CHECK static enum err derive_secret(const struct root_epoch *epoch, const char *label,
                                         size_t size, struct secret **out)
{
    enum err e = secret_new(size, out);

    if (e == ERR_NONE)
        derive_labelled(epoch, label, secret_data(*out), size);
    return e;
}

enum err keyring_log_seed(const struct root *root, struct secret **out)
{
    /* of the first epoch: the log's key stays the same when the root rotates */
    return derive_secret(&root->epochs[0], LABEL_LOG_KEY, ED25519_SEED_SIZE, out);
}

enum err keyring_anchor_auth(const struct root *root, struct secret **out)
{
    return derive_secret(&root->epochs[0], LABEL_ANCHOR_AUTH, HMAC_SHA256_SIZE, out);
}

enum err keyring_witness_seed(const struct root *root, struct secret **out)
{
    return derive_secret(&root->epochs[0], LABEL_WITNESS_KEY, ED25519_SEED_SIZE, out);
}

/* Of the first epoch as well: names and sums of rows stay what they are. */
enum err keyring_store_keys(const struct root *root, struct secret **out)
{
    struct rows_keys keys;
    enum err e;

    rows_keys_derive(&root->epochs[0], &keys);
    e = secret_copy(span_of(&keys, sizeof keys), out);
    bytes_wipe(&keys, sizeof keys);
    return e;
}

const struct rows_keys *keyring_store_keys_of(struct secret *keys)
{
    return (const struct rows_keys *)(const void *)secret_data(keys);
}

void keyring_private_key(const struct keyring *k, const struct root_epoch *epoch, struct span seed,
                         uint8_t out[X25519_SIZE])
{
    if (seed.size == 0)
        derive_labelled(epoch, LABEL_GLOBAL_KEY, out, X25519_SIZE);
    else
        derive_repository_key(epoch, span_string(k->prefix), seed, out);
}

static void compute_public_key(const struct keyring *k, const struct root_epoch *epoch,
                               struct span seed, uint8_t out[X25519_SIZE])
{
    uint8_t private_key[X25519_SIZE];

    keyring_private_key(k, epoch, seed, private_key);
    x25519_public(private_key, out);
    bytes_wipe(private_key, sizeof private_key);
    stack_wipe();
}

void keyring_public_key(const struct keyring *k, struct public_key_cache *cache,
                        const struct root_epoch *epoch, struct span seed, uint8_t out[X25519_SIZE])
{
    uint8_t number[4] = {(uint8_t)epoch->epoch, (uint8_t)(epoch->epoch >> 8),
                         (uint8_t)(epoch->epoch >> 16), (uint8_t)(epoch->epoch >> 24)};
    struct span parts[] = {SPAN_OF(number), seed};
    uint8_t name[SHA256_SIZE];
    size_t slot;

    if (!cache) {
        compute_public_key(k, epoch, seed, out);
        return;
    }
    sha256_parts(parts, COUNT_OF(parts), name);
    slot = ((size_t)name[0] << 8 | name[1]) % PUBLIC_KEYS_PER_THREAD;
    if (!span_equal(SPAN_OF(cache->slots[slot].name), SPAN_OF(name))) {
        compute_public_key(k, epoch, seed, cache->slots[slot].key);
        memcpy(cache->slots[slot].name, name, sizeof name);
    }
    memcpy(out, cache->slots[slot].key, X25519_SIZE);
}

/* The service's own keys: identity, log, sessions and their replies. All come from the first
 * epoch, so they survive rotation. */
MUST_CHECK static enum err derive_own_keys(struct keyring *k)
{
    const struct root_epoch *first = &k->root->epochs[0];
    uint8_t bytes[P256_DERIVE_SIZE];
    enum err e;

    derive_labelled(first, LABEL_LOG_KEY, bytes, ED25519_SEED_SIZE);
    ed25519_public(bytes, k->log_key);
    derive_labelled(first, LABEL_SESSION_KEY, bytes, P256_DERIVE_SIZE);
    e = p256_derive(bytes, &k->session_key);
    bytes_wipe(bytes, sizeof bytes);
    if (e != ERR_NONE ||
        (e = derive_secret(first, LABEL_IDENTITY_KEY, ED25519_SEED_SIZE, &k->identity_seed)) !=
            ERR_NONE ||
        (e = derive_secret(first, LABEL_REPLY_KEYS, HMAC_SHA256_SIZE, &k->reply_keys)) != ERR_NONE)
        return e;
    ed25519_public(secret_data(k->identity_seed), k->identity_key);
    p256_private_point(k->session_key, k->session_point);
    keyring_public_key(k, NULL, root_current(k->root), (struct span){0}, k->global_key);
    stack_wipe();
    return p256_public_from_point(k->session_point, &k->session_public);
}

enum err keyring_init(struct keyring *k, struct root *root, const char *prefix)
{
    enum err e;

    *k = (struct keyring){.root = root, .prefix = prefix};
    if ((e = derive_own_keys(k)) != ERR_NONE)
        keyring_clear(k);
    return e;
}

void keyring_clear(struct keyring *k)
{
    p256_private_free(&k->session_key);
    p256_public_free(&k->session_public);
    secret_free(&k->identity_seed);
    secret_free(&k->reply_keys);
    root_free(&k->root);
}
