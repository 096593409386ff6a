/* libvouchsafe: verifies which keystore answers, and gets its public keys. */
#ifndef VOUCHSAFE_KEYSTORE_H
#define VOUCHSAFE_KEYSTORE_H

#include <vouchsafe/client.h>
#include <vouchsafe/evidence.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A keystore whose evidence was verified. These keys verify its signatures. */
struct vs_keystore {
    uint8_t identity_key[VS_KEY_SIZE]; /* Ed25519; signs public keys */
    uint8_t log_key[VS_KEY_SIZE];      /* Ed25519; signs checkpoints */
    char log_origin[VS_ORIGIN_SIZE];
    char log_vkey[VS_VKEY_SIZE]; /* the two keys above as C2SP vkey, to check logs and receipts */
    uint8_t session_key[64];     /* P-256 x || y; signs sessions */
    uint8_t tls_spki_sha256[VS_HASH_SIZE]; /* zero when another program ends TLS for the keystore */
    bool tls_bound;                        /* this client now uses TLS with that key only */
    struct vs_claims claims;
};

/*
 * Fetches the keystore's evidence for a fresh nonce and verifies it. If the connection uses TLS and
 * the evidence names its key, the client accepts only that key from now on. `trust_root`: as in
 * vs_evidence.
 * VS_ERR_UNTRUSTED, VS_ERR_POLICY (both write `out->claims`); VS_ERR_REFUSED with code
 * "no_evidence" when the keystore's machine cannot attest; VS_ERR_REPLY, VS_ERR_UNREACHABLE,
 * VS_ERR_TIMEOUT
 */
VS_MUST_CHECK enum vs_error vs_keystore_verify(struct vs_client *c,
                                               const struct vs_appraisal *appraisal,
                                               struct vs_bytes trust_root, struct vs_keystore *out);

/* Names a key: a seed, or repo and owner and perhaps a branch. All empty: the global key. */
struct vs_key_name {
    const char *seed;
    const char *repo, *owner, *branch;
};
/*
 * The seed that the keystore will build, terminated; "" for the global key.
 * VS_ERR_MALFORMED, VS_ERR_TOO_LARGE
 */
VS_MUST_CHECK enum vs_error vs_seed_build(const struct vs_key_name *name, char *out,
                                          size_t out_size);

struct vs_public_key {
    char seed[VS_SEED_MAX + 1];
    uint8_t key[VS_KEY_SIZE]; /* X25519 */
    uint32_t version;
    bool verified; /* signed by an identity key that verified evidence binds */
};

/*
 * Fetches a public key. With `keystore`, its signature over our nonce, the seed, the version and
 * the key must verify. With NULL, any server that answers is trusted.
 * VS_ERR_UNTRUSTED, VS_ERR_REPLY, VS_ERR_REFUSED, VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT;
 * VS_ERR_MALFORMED the name is not valid
 */
VS_MUST_CHECK enum vs_error vs_pubkey(struct vs_client *c, const struct vs_keystore *keystore,
                                      const struct vs_key_name *name, struct vs_public_key *out);

#ifdef __cplusplus
}
#endif

#endif
