/* libvouchsafe: the parts of attestation: a worker's key, a source of quotes, a session. */
#ifndef VOUCHSAFE_SESSION_H
#define VOUCHSAFE_SESSION_H

#include <vouchsafe/keystore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An X25519 key pair. Evidence binds its public half, and replies are sealed to it. */
struct vs_worker_key;
VS_MUST_CHECK enum vs_error vs_worker_key_generate(struct vs_worker_key **out);
/* VS_ERR_NOT_FOUND, VS_ERR_IO; VS_ERR_MALFORMED, also when other users may read the file */
VS_MUST_CHECK enum vs_error vs_worker_key_load(const char *path, struct vs_worker_key **out);
/* Writes a file of mode 0600. VS_ERR_EXISTS never overwrites a file; VS_ERR_IO */
VS_MUST_CHECK enum vs_error vs_worker_key_save(const struct vs_worker_key *key, const char *path);
void vs_worker_key_public(const struct vs_worker_key *key, uint8_t out[VS_KEY_SIZE]);
void vs_worker_key_free(struct vs_worker_key **key);

/*
 * The source of a worker's evidence. `quote` writes a quote over `report_data` to `out` and sets
 * `*size`. Its errors are returned to the caller.
 */
struct vs_quote_source {
    const char *tee_type; /* "sgx", "simulated" */
    VS_MUST_CHECK enum vs_error (*quote)(void *context,
                                         const uint8_t report_data[VS_REPORT_DATA_SIZE],
                                         uint8_t *out, size_t capacity, size_t *size);
    void *context;
};

/*
 * A source that runs a program without a shell as `PROGRAM REPORT-DATA-HEX`. The program writes the
 * quote to its standard output and ends with exit code 0. It and all children of its process group
 * are killed when it ends or after `timeout_ms`. `why` says what the program did when a quote
 * failed; vs_client_why() says it, too. The struct is borrowed as long as the source is used.
 */
struct vs_command_source { /* zero-initialise */
    const char *program;
    const char *tee_type; /* NULL: "sgx" */
    unsigned timeout_ms;  /* 0: 30 s */
    struct vs_why why;
};
struct vs_quote_source vs_command_quote_source(struct vs_command_source *source);

/* Fetches the keystore's nonce for one attestation, for callers that do the other steps
 * themselves. */
VS_MUST_CHECK enum vs_error vs_challenge(struct vs_client *c, uint8_t nonce[VS_NONCE_SIZE],
                                         unsigned *expires_in_s);

/* The session that a worker gets by attesting. Use it with the same token and the same worker
 * key. */
struct vs_session;

/*
 * Gets a challenge, makes a quote, and attests. With `keystore`, its identity key must have signed
 * the session for this challenge. So no party in between can have made the session or its replies.
 * With NULL, any server that answers is trusted. VS_ERR_REFUSED (evidence refused: see
 * vs_last_reply), VS_ERR_UNTRUSTED (wrong signature),
 * VS_ERR_CRYPTO (the session's reply key does not open with `key`), VS_ERR_REPLY,
 * VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT, and the errors of the source
 */
VS_MUST_CHECK enum vs_error vs_attest(struct vs_client *c, const struct vs_keystore *keystore,
                                      const struct vs_worker_key *key,
                                      const struct vs_quote_source *source,
                                      struct vs_session **out);

struct vs_session_info { /* strings are borrowed from the session */
    const char *token;   /* the JWT: a credential */
    int64_t expires_at;
    const char *tee, *policy, *status;
    const char *advisories; /* JSON array */
    uint8_t claims[VS_HASH_SIZE];
    uint8_t key[VS_KEY_SIZE];          /* the worker key to which the session is bound */
    bool verified;                     /* a verified keystore signed it ... */
    uint8_t identity_key[VS_KEY_SIZE]; /* ... with this key; else zero */
};
void vs_session_info(const struct vs_session *s, struct vs_session_info *out);

/*
 * Writes a file of mode 0600, or replaces it as a whole. The file holds the key of the session's
 * replies, too.
 * VS_ERR_IO
 */
VS_MUST_CHECK enum vs_error vs_session_save(const struct vs_session *s, const char *path);
/* VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_MALFORMED (also when other users may read it);
 * VS_ERR_EXPIRED */
VS_MUST_CHECK enum vs_error vs_session_load(const char *path, struct vs_session **out);
void vs_session_free(struct vs_session **s);

#ifdef __cplusplus
}
#endif

#endif
