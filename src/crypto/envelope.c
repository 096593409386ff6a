#include "crypto/envelope.h"

#include <assert.h>
#include <string.h>

#include "base/writer.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "crypto/random.h"

#define INFO_PARTS_MAX 6
#define LABEL_PARTS_MAX (3 + INFO_PARTS_MAX)

struct parts {
    const struct span *at;
    size_t count;
};

/* Suite ids of RFC 9180: section 4.1 ("KEM" || kem) and 5.1 ("HPKE" || kem || kdf || aead). */
static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x20};
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x03};

#define KEM_SUITE SPAN_OF(kem_suite)
#define HPKE_SUITE SPAN_OF(hpke_suite)
#define NO_BYTES ((struct span){NULL, 0})

/* LabeledExtract, RFC 9180 section 4: Extract(salt, "HPKE-v1" || suite || label || ikm). */
static void labeled_extract(struct span suite, struct span salt, const char *label,
                            struct parts ikm, uint8_t prk[HMAC_SHA256_SIZE])
{
    struct span all[LABEL_PARTS_MAX] = {SPAN_LITERAL("HPKE-v1"), suite, span_string(label)};

    assert(ikm.count <= INFO_PARTS_MAX);
    for (size_t i = 0; i < ikm.count; i++)
        all[3 + i] = ikm.at[i];
    hmac_sha256(salt, all, 3 + ikm.count, prk);
}

/*
 * LabeledExpand, same section: Expand(prk, u16 length || "HPKE-v1" || suite || label || info,
 * length). No output is longer than one block of HKDF, so Expand is one HMAC, truncated.
 */
static void labeled_expand(struct span suite, const uint8_t prk[HMAC_SHA256_SIZE],
                           const char *label, struct span info, uint8_t *out, size_t size)
{
    const uint8_t length[2] = {0, (uint8_t)size};
    const uint8_t block_number = 1;
    const struct span all[] = {
        SPAN_OF(length),    SPAN_LITERAL("HPKE-v1"), suite, span_string(label), info,
        {&block_number, 1},
    };
    uint8_t block[HMAC_SHA256_SIZE];

    assert(size <= sizeof block);
    hmac_sha256(span_of(prk, HMAC_SHA256_SIZE), all, COUNT_OF(all), block);
    memcpy(out, block, size);
    bytes_wipe(block, sizeof block);
}

struct hpke_keys {
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t nonce[AEAD_NONCE_SIZE]; /* base_nonce: single shot, so the sequence number is 0 */
};

/* ExtractAndExpand of DHKEM (section 4.1), then KeySchedule in base mode (section 5.1). */
static void hpke_schedule(const uint8_t dh[X25519_SIZE], const uint8_t enc[X25519_SIZE],
                          const uint8_t recipient[X25519_SIZE], struct parts info,
                          struct hpke_keys *out)
{
    const struct span shared_dh = span_of(dh, X25519_SIZE);
    const struct parts nothing = {NULL, 0};
    uint8_t kem_context[2 * X25519_SIZE];
    uint8_t context[1 + 2 * HMAC_SHA256_SIZE] = {0}; /* mode_base = 0 */
    uint8_t prk[HMAC_SHA256_SIZE];
    uint8_t shared[HMAC_SHA256_SIZE];

    memcpy(kem_context, enc, X25519_SIZE);
    memcpy(kem_context + X25519_SIZE, recipient, X25519_SIZE);
    labeled_extract(KEM_SUITE, NO_BYTES, "eae_prk", (struct parts){&shared_dh, 1}, prk);
    labeled_expand(KEM_SUITE, prk, "shared_secret", SPAN_OF(kem_context), shared, sizeof shared);

    labeled_extract(HPKE_SUITE, NO_BYTES, "psk_id_hash", nothing, context + 1);
    labeled_extract(HPKE_SUITE, NO_BYTES, "info_hash", info, context + 1 + HMAC_SHA256_SIZE);
    labeled_extract(HPKE_SUITE, SPAN_OF(shared), "secret", nothing, prk);
    labeled_expand(HPKE_SUITE, prk, "key", SPAN_OF(context), out->key, sizeof out->key);
    labeled_expand(HPKE_SUITE, prk, "base_nonce", SPAN_OF(context), out->nonce, sizeof out->nonce);

    bytes_wipe(prk, sizeof prk);
    bytes_wipe(shared, sizeof shared);
}

/* DeriveKeyPair, section 7.1.3. */
static void hpke_derive_key(const uint8_t ikm_e[X25519_SIZE], uint8_t private_key[X25519_SIZE])
{
    const struct span ikm = span_of(ikm_e, X25519_SIZE);
    uint8_t prk[HMAC_SHA256_SIZE];

    labeled_extract(KEM_SUITE, NO_BYTES, "dkp_prk", (struct parts){&ikm, 1}, prk);
    labeled_expand(KEM_SUITE, prk, "sk", NO_BYTES, private_key, X25519_SIZE);
    bytes_wipe(prk, sizeof prk);
}

MUST_CHECK static enum err hpke_seal_parts(const uint8_t recipient[X25519_SIZE], struct parts info,
                                           struct span aad, struct span plain, const uint8_t *ikm_e,
                                           uint8_t enc[X25519_SIZE], uint8_t *out)
{
    uint8_t ikm[X25519_SIZE];
    uint8_t ephemeral[X25519_SIZE];
    uint8_t dh[X25519_SIZE];
    struct hpke_keys keys;
    enum err e;

    if (ikm_e)
        memcpy(ikm, ikm_e, sizeof ikm);
    else
        random_bytes(ikm, sizeof ikm);
    hpke_derive_key(ikm, ephemeral);
    if ((e = x25519(ephemeral, recipient, dh)) == ERR_NONE) {
        x25519_public(ephemeral, enc);
        hpke_schedule(dh, enc, recipient, info, &keys);
        aead_seal(AEAD_CHACHA20_POLY1305, keys.key, keys.nonce, aad, plain, out);
        bytes_wipe(&keys, sizeof keys);
    }
    bytes_wipe(ikm, sizeof ikm);
    bytes_wipe(ephemeral, sizeof ephemeral);
    bytes_wipe(dh, sizeof dh);
    stack_wipe();
    return e;
}

/* Opens into guarded memory, and keeps nothing when the tag is wrong. */
MUST_CHECK static enum err open_into_secret(const uint8_t key[AEAD_KEY_SIZE],
                                            const uint8_t nonce[AEAD_NONCE_SIZE], struct span aad,
                                            struct span sealed, struct secret **plain)
{
    struct secret *made = NULL;
    enum err e;

    if ((e = secret_new(sealed.size - AEAD_TAG_SIZE, &made)) != ERR_NONE)
        return e;
    e = aead_open(AEAD_CHACHA20_POLY1305, key, nonce, aad, sealed, secret_data(made));
    if (e != ERR_NONE) {
        secret_free(&made);
        return e;
    }
    *plain = made;
    return ERR_NONE;
}

MUST_CHECK static enum err hpke_open_parts(const uint8_t private_key[X25519_SIZE],
                                           const uint8_t *public_key,
                                           const uint8_t enc[X25519_SIZE], struct parts info,
                                           struct span aad, struct span sealed,
                                           struct secret **plain)
{
    uint8_t recipient[X25519_SIZE];
    uint8_t dh[X25519_SIZE];
    struct hpke_keys keys;
    enum err e;

    if (sealed.size < AEAD_TAG_SIZE)
        return ERR_MALFORMED;
    if (public_key)
        memcpy(recipient, public_key, sizeof recipient);
    else
        x25519_public(private_key, recipient);
    if ((e = x25519(private_key, enc, dh)) == ERR_NONE) {
        hpke_schedule(dh, enc, recipient, info, &keys);
        e = open_into_secret(keys.key, keys.nonce, aad, sealed, plain);
        bytes_wipe(&keys, sizeof keys);
        bytes_wipe(dh, sizeof dh);
    }
    stack_wipe();
    return e;
}

enum err hpke_seal(const uint8_t recipient[X25519_SIZE], struct span info, struct span aad,
                   struct span plain, const uint8_t *ikm_e, uint8_t enc[X25519_SIZE], uint8_t *out)
{
    return hpke_seal_parts(recipient, (struct parts){&info, 1}, aad, plain, ikm_e, enc, out);
}

enum err hpke_open(const uint8_t private_key[X25519_SIZE], const uint8_t *public_key,
                   const uint8_t enc[X25519_SIZE], struct span info, struct span aad,
                   struct span sealed, struct secret **plain)
{
    return hpke_open_parts(private_key, public_key, enc, (struct parts){&info, 1}, aad, sealed,
                           plain);
}

/* The `info` of our own format: its parts, and the memory of two fields that parts point to. */
struct envelope_info {
    uint8_t key_id_size;
    uint8_t key_version[4];
    struct span parts[INFO_PARTS_MAX];
};

MUST_CHECK static enum err envelope_info(const struct envelope_context *context,
                                         struct envelope_info *info)
{
    struct writer version = writer_over(info->key_version, sizeof info->key_version);

    if (!context)
        return ERR_UNSUPPORTED;
    if (context->key_id.size > UINT8_MAX)
        return ERR_TOO_LARGE;
    info->key_id_size = (uint8_t)context->key_id.size;
    writer_u32be(&version, context->key_version);
    info->parts[0] = SPAN_LITERAL("vouchsafe-envelope-v2");
    info->parts[1] = span_of("", 1);
    info->parts[2] = span_of(&info->key_id_size, 1);
    info->parts[3] = context->key_id;
    info->parts[4] = SPAN_OF(info->key_version);
    info->parts[5] = context->context;
    return ERR_NONE;
}

/* OutLayer's key: HKDF over the shared secret, with no other input. */
static void ecies_key(const uint8_t shared[X25519_SIZE], uint8_t key[AEAD_KEY_SIZE])
{
    enum err e = hkdf_sha256(NO_BYTES, span_of(shared, X25519_SIZE),
                             SPAN_LITERAL("outlayer-keystore-v1"), key, AEAD_KEY_SIZE);

    assert(e == ERR_NONE); /* the size is a constant within HKDF's limit */
}

MUST_CHECK static enum err ecies_seal(const uint8_t recipient[X25519_SIZE], struct span plain,
                                      const struct envelope_fixed *fixed, uint8_t *out)
{
    uint8_t ephemeral[X25519_SIZE];
    uint8_t shared[X25519_SIZE];
    uint8_t key[AEAD_KEY_SIZE];
    uint8_t *nonce = out + 1 + X25519_SIZE;
    enum err e;

    if (fixed && fixed->ephemeral)
        memcpy(ephemeral, fixed->ephemeral, sizeof ephemeral);
    else
        random_bytes(ephemeral, sizeof ephemeral);
    if ((e = x25519(ephemeral, recipient, shared)) == ERR_NONE) {
        ecies_key(shared, key);
        out[0] = ENVELOPE_ECIES;
        x25519_public(ephemeral, out + 1);
        if (fixed && fixed->nonce)
            memcpy(nonce, fixed->nonce, AEAD_NONCE_SIZE);
        else
            random_bytes(nonce, AEAD_NONCE_SIZE);
        aead_seal(AEAD_CHACHA20_POLY1305, key, nonce, NO_BYTES, plain, nonce + AEAD_NONCE_SIZE);
        bytes_wipe(key, sizeof key);
        bytes_wipe(shared, sizeof shared);
    }
    bytes_wipe(ephemeral, sizeof ephemeral);
    stack_wipe();
    return e;
}

MUST_CHECK static enum err ecies_open(const uint8_t private_key[X25519_SIZE], struct span sealed,
                                      struct secret **plain)
{
    const uint8_t *ephemeral = sealed.data + 1;
    const uint8_t *nonce = ephemeral + X25519_SIZE;
    struct span text = span_slice(sealed, 1 + X25519_SIZE + AEAD_NONCE_SIZE, sealed.size);
    uint8_t shared[X25519_SIZE];
    uint8_t key[AEAD_KEY_SIZE];
    enum err e;

    /* X25519 ignores the top bit of a point, and nothing else binds E: accept one spelling only */
    if (ephemeral[X25519_SIZE - 1] & 0x80)
        return ERR_CRYPTO;
    if ((e = x25519(private_key, ephemeral, shared)) == ERR_NONE) {
        ecies_key(shared, key);
        e = open_into_secret(key, nonce, NO_BYTES, text, plain);
        bytes_wipe(key, sizeof key);
        bytes_wipe(shared, sizeof shared);
    }
    stack_wipe();
    return e;
}

enum err envelope_seal(uint8_t format, const uint8_t recipient[X25519_SIZE],
                       const struct envelope_context *context, struct span plain,
                       const struct envelope_fixed *fixed, uint8_t *out)
{
    struct envelope_info info;
    enum err e;

    if (format != ENVELOPE_ECIES && format != ENVELOPE_HPKE)
        return ERR_UNSUPPORTED;
    if (plain.size > ENVELOPE_MAX_SIZE - ENVELOPE_ECIES_OVERHEAD)
        return ERR_TOO_LARGE;
    if (format == ENVELOPE_ECIES)
        return ecies_seal(recipient, plain, fixed, out);
    if ((e = envelope_info(context, &info)) != ERR_NONE)
        return e;
    out[0] = ENVELOPE_HPKE;
    return hpke_seal_parts(recipient, (struct parts){info.parts, INFO_PARTS_MAX}, NO_BYTES, plain,
                           fixed ? fixed->ephemeral : NULL, out + 1, out + 1 + X25519_SIZE);
}

enum err envelope_open(const uint8_t private_key[X25519_SIZE], const uint8_t *public_key,
                       const struct envelope_context *context, struct span sealed,
                       struct secret **plain)
{
    struct envelope_info info;
    uint8_t format;
    enum err e;

    if (sealed.size == 0)
        return ERR_MALFORMED;
    if (sealed.size > ENVELOPE_MAX_SIZE)
        return ERR_TOO_LARGE;
    format = sealed.data[0];
    if (format != ENVELOPE_ECIES && format != ENVELOPE_HPKE)
        return ERR_UNSUPPORTED;
    if (sealed.size < (format == ENVELOPE_ECIES ? ENVELOPE_ECIES_OVERHEAD : ENVELOPE_HPKE_OVERHEAD))
        return ERR_MALFORMED;
    if (format == ENVELOPE_ECIES)
        return ecies_open(private_key, sealed, plain);
    if ((e = envelope_info(context, &info)) != ERR_NONE)
        return e;
    return hpke_open_parts(private_key, public_key, sealed.data + 1,
                           (struct parts){info.parts, INFO_PARTS_MAX}, NO_BYTES,
                           span_slice(sealed, 1 + X25519_SIZE, sealed.size), plain);
}

/* The size of the shortest keyless ChaCha20-Poly1305 text: nonce and tag without contents. */
#define KEYLESS_MIN (AEAD_NONCE_SIZE + AEAD_TAG_SIZE)

#define ENCRYPT_AGAIN                                                                              \
    "; encrypt the secret again with `vouchsafe encrypt`, to the key from /pubkey, and replace it"

const char *envelope_hint(struct span sealed)
{
    if (sealed.size > 0 && (sealed.data[0] == ENVELOPE_ECIES || sealed.data[0] == ENVELOPE_HPKE))
        return "a format marker is present, but the rest does not follow that format" ENCRYPT_AGAIN;
    if (sealed.size < KEYLESS_MIN)
        return "without a format marker and this short it can only be the XOR of OutLayer's first "
               "version, which anyone who knows the public key can read" ENCRYPT_AGAIN;
    return "without a format marker it looks like OutLayer's ChaCha20-Poly1305 or XOR keyed by the "
           "public key, which anyone who knows that key can read" ENCRYPT_AGAIN;
}
