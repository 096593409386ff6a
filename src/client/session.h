/* A worker's session, and evidence as it goes into a request. */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/client.h"

struct vs_session {
    struct secret
        *token; /* the JWT and a terminator: its holder needs only the bearer token in addition */
    int64_t expires_at;
    char tee[16];
    char policy[65];
    char status[48];
    char *advisories; /* JSON array */
    uint8_t claims[SHA256_SIZE];
    uint8_t key[X25519_SIZE];
    struct secret *reply_key; /* REPLY_KEY_SIZE bytes: replies are sealed with it */
    bool verified;
    uint8_t identity_key[ED25519_PUBLIC_SIZE];
};

/* The JWT without its terminator. */
struct span session_token(const struct vs_session *s);

/* The explanation of a source that failed; returns `e`. */
MUST_CHECK enum vs_error quote_fail(struct vs_client *c, const struct vs_quote_source *source,
                                    enum vs_error e);

/*
 * Gets a quote over `report_data` from the source. The caller frees `*quote`, VS_QUOTE_MAX bytes.
 * VS_ERR_MALFORMED the source returned an impossible size
 */
MUST_CHECK enum vs_error quote_take(const struct vs_quote_source *source,
                                    const uint8_t report_data[VS_REPORT_DATA_SIZE], uint8_t **quote,
                                    size_t *size);

#endif
