/* The keystore's own evidence, and signed statements of public keys. */
#ifndef SERVICE_IDENTITY_H
#define SERVICE_IDENTITY_H

#include "service/service.h"

#define IDENTITY_NONCE_MIN 16
#define IDENTITY_NONCE_MAX 64
#define STATEMENT_DOMAIN "vouchsafe-pubkey-v1"

/* The bundle for our own evidence, made or fetched at most once an hour. Thread-safe. */
struct own_collateral;
MUST_CHECK enum err own_collateral_new(struct own_collateral **out);
void own_collateral_free(struct own_collateral **c);

/* The keystore's evidence over a client's nonce, and the values that it binds. Zero-initialise;
 * own_evidence_clear() at the end. Everything except buffers is borrowed from the service. */
struct own_evidence {
    const char *tee_type;
    struct tee_evidence evidence;
    struct buffer collateral;              /* a bundle in JSON; empty: none */
    const char *origin;                    /* of the log */
    const uint8_t *identity_key, *log_key; /* ED25519_PUBLIC_SIZE bytes */
    const uint8_t *session_key;            /* P256_POINT_SIZE bytes */
    const uint8_t *tls_spki_sha256;        /* NULL without TLS; else `tls_key` */
    uint8_t tls_key[SHA256_SIZE];
    bool simulated;
};

/*
 * Sets the SHA-256 of the TLS key that our evidence binds from now on; NULL without TLS. Any
 * thread. service_new() begins with `options->tls_spki_sha256`.
 */
void service_tls_key_set(struct service *svc, const uint8_t *spki_sha256);

/*
 * nonce  IDENTITY_NONCE_MIN to IDENTITY_NONCE_MAX bytes
 *
 * ERR_UNSUPPORTED this machine makes no evidence; ERR_MALFORMED the nonce's size;
 * ERR_UNAVAILABLE the hardware failed
 */
MUST_CHECK enum err service_own_evidence(struct service *svc, struct span nonce,
                                         struct timestamp now, struct own_evidence *out);
void own_evidence_clear(struct own_evidence *e);

/* A seed's public key in the current epoch, signed by the identity key with the client's nonce. */
struct public_key_statement {
    uint8_t key[X25519_SIZE];
    uint32_t key_version;
    uint8_t signature[ED25519_SIGNATURE_SIZE];
};

/* `nonce` is at most IDENTITY_NONCE_MAX bytes. ERR_TOO_LARGE */
MUST_CHECK enum err service_public_key_statement(const struct service *svc,
                                                 struct service_thread *thread, struct span seed,
                                                 struct span nonce,
                                                 struct public_key_statement *out);

#endif
