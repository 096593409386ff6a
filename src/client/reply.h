/*
 * Parses the keystore's replies to checked structs (docs/protocol.md). Replies are as hostile as
 * requests, because another server may have sent them. Pure; spans borrow from the body. Unknown
 * members are ignored, so that newer keystores can add some. Each function returns ERR_MALFORMED or
 * ERR_TOO_LARGE for a reply that does not follow the protocol.
 */
#ifndef CLIENT_REPLY_H
#define CLIENT_REPLY_H

#include "attest/attest.h"
#include "audit/merkle.h"
#include "base/span.h"
#include "crypto/aead.h"
#include "crypto/curve25519.h"
#include "crypto/p256.h"

#define REPLY_SEED_MAX 1024
#define REPLY_NONCE_MAX 64
#define REPLY_REQUEST_ID_SIZE 36
#define REPLY_KEY_SIZE AEAD_KEY_SIZE /* of a session's sealed replies */

/* Replaces control characters (C0, DEL, and C1 in UTF-8) by '?', in texts for a terminal. */
void text_make_printable(char *text);

struct reply_error {
    char code[64];
    char message[512];
    char detail[2048]; /* JSON, or "" when absent or longer */
};
/* Takes the available members, because a refusal may come from another server than a keystore. */
void reply_error_parse(struct span body, struct reply_error *out);

struct reply_challenge {
    uint8_t nonce[32];
    uint32_t expires_in_s;
};
MUST_CHECK enum err reply_challenge_parse(struct span body, struct reply_challenge *out);

struct reply_session {
    struct span token; /* a JWT: only the characters of a JWT */
    int64_t expires_at;
    char tee[16];
    char policy[65];
    char status[48];
    struct span advisories; /* JSON array */
    uint8_t claims[32];
};
struct reply_attested {
    struct reply_session session;
    uint8_t enc[X25519_SIZE]; /* the reply key, sealed by HPKE to the attested key */
    uint8_t ciphertext[REPLY_KEY_SIZE + 16];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
};
MUST_CHECK enum err reply_attested_parse(struct span body, struct reply_attested *out);

#define SESSION_FILE_VERSION 2

/* A session as in its file: the keystore's reply, and the values made from it. */
struct session_file {
    struct reply_session session;
    uint8_t key[X25519_SIZE];          /* the worker key's public half */
    uint8_t reply_key[REPLY_KEY_SIZE]; /* the caller wipes it, also on failure */
    /* the keystore was verified when the session was made ... */
    bool verified;
    uint8_t identity_key[ED25519_PUBLIC_SIZE]; /* ... and this key signed it */
};
MUST_CHECK enum err session_file_parse(struct span file, struct session_file *out);

struct reply_attestation {
    enum attest_tee kind; /* of `tee_type`; "simulated" is SGX */
    char tee_type[16];
    struct span quote;        /* base64 */
    struct span certificates; /* base64; empty: none */
    uint8_t nonce[REPLY_NONCE_MAX];
    size_t nonce_size;
    uint8_t identity_key[ED25519_PUBLIC_SIZE];
    uint8_t log_key[ED25519_PUBLIC_SIZE];
    char log_origin[129];
    uint8_t session_key[P256_POINT_SIZE];
    bool has_tls;
    uint8_t tls_spki_sha256[32]; /* zero unless has_tls */
    struct span collateral;      /* a document: a JSON object; empty: none */
};
/* ERR_UNSUPPORTED a kind that binds no report data, or an unknown one; `tee_type` names it */
MUST_CHECK enum err reply_attestation_parse(struct span body, struct reply_attestation *out);

struct reply_pubkey {
    char seed[REPLY_SEED_MAX + 1];
    uint8_t key[X25519_SIZE];
    uint32_t version;
    uint8_t nonce[REPLY_NONCE_MAX];
    size_t nonce_size; /* 0: none */
    bool has_signature;
    uint8_t signature[ED25519_SIGNATURE_SIZE];
};
MUST_CHECK enum err reply_pubkey_parse(struct span body, struct reply_pubkey *out);

enum reply_form {
    REPLY_PLAIN,
    REPLY_SEALED_TO_KEY,    /* HPKE to the worker key: anyone can do that */
    REPLY_SEALED_BY_SESSION /* with the session's reply key: only the keystore can */
};
struct reply_decrypt {
    enum reply_form form;
    struct span plain; /* base64, when plain */
    uint8_t enc[X25519_SIZE];
    uint8_t nonce[AEAD_XNONCE_SIZE];
    struct span ciphertext; /* base64, when sealed */
    struct span receipt;    /* JSON object, or empty */
};
/* ERR_MALFORMED also when there is more than one form, or none. */
MUST_CHECK enum err reply_decrypt_parse(struct span body, struct reply_decrypt *out);

struct reply_log_key {
    char vkey[192];
};
MUST_CHECK enum err reply_log_key_parse(struct span body, struct reply_log_key *out);

MUST_CHECK enum err reply_proof_parse(struct span body, struct merkle_proof *out);

#endif
