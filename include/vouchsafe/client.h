/* libvouchsafe: a connection to a keystore, and its last reply. */
#ifndef VOUCHSAFE_CLIENT_H
#define VOUCHSAFE_CLIENT_H

#include <vouchsafe/core.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vs_client;

/*
 * Writes the bearer token, without a terminator, to `out` (guarded memory, wiped after the request)
 * and sets `*size`. It is called once for each request that needs a token.
 */
typedef VS_MUST_CHECK enum vs_error (*vs_token_function)(void *context, char *out, size_t capacity,
                                                         size_t *size);

/* Zero-initialise, then set what is needed. */
struct vs_client_options {
    /* "http://127.0.0.1:8081", "https://host:port", without a path; or "unix:/path", plain HTTP
     * over a Unix socket, such as that of admin.listen. With http anyone on the path can read the
     * token: use it for the loopback, and for networks that are protected in another way. */
    const char *url;
    const char *ca_file;        /* PEM; NULL: the system's CAs */
    const uint8_t *spki_sha256; /* pin of the server's TLS key; replaces CA verification; or NULL */
    const char *token_file;     /* one line, read at each use, so it may change; or NULL */
    vs_token_function token;    /* used if there is no `token_file`; or NULL */
    void *token_context;
    unsigned timeout_ms; /* per request; 0: 30 s */
};

/* Does not connect yet. VS_ERR_ARGUMENT also if the URL is not valid. */
VS_MUST_CHECK enum vs_error vs_client_open(const struct vs_client_options *options,
                                           struct vs_client **out);
void vs_client_free(struct vs_client **c);

/* The reason why the last call on this client failed. Borrowed until the next call. Never NULL. */
const char *vs_client_why(const struct vs_client *c);

/* The last reply of the keystore. Its strings are never NULL ("" when absent), and are borrowed
 * until the next call on the client. All its contents come from the network. */
struct vs_reply {
    unsigned status; /* HTTP; 0 when there was no reply */
    unsigned retry_after_s;
    const char *request_id; /* tell it to the operator, for `vouchsafe explain` */
    const char *code;       /* stable code of a refusal, e.g. "measurement_mismatch" */
    const char *message;    /* of a refusal, for people */
    const char *detail;     /* of a refusal: JSON about the caller's own evidence */
};
void vs_last_reply(const struct vs_client *c, struct vs_reply *out);

#ifdef __cplusplus
}
#endif

#endif
