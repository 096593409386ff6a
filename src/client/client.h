/*
 * The parts that the files of the client library share: the connection, and the translation of
 * errors. The public interface is include/vouchsafe/vouchsafe.h.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <vouchsafe/vouchsafe.h>

#include "base/secret.h"
#include "crypto/curve25519.h"
#include "net/http_client.h"

#define CLIENT_REPLY_MAX SECRET_MAX_SIZE /* above any plaintext in base64 with its receipt */
#define CLIENT_TOKEN_MAX 512
#define CLIENT_SESSION_MAX 2048

struct client_last {
    unsigned status;
    unsigned retry_after_s;
    char request_id[64];
    char code[64];
    char message[512];
    char detail[2048];
};

struct vs_client {
    struct http_client *http;
    char *url;
    char *ca_file;
    char *token_file;
    vs_token_function token;
    void *token_context;
    unsigned timeout_ms;
    bool tls;
    bool pinned;
    uint8_t pin[SHA256_SIZE];
    struct client_last last;
    struct vs_why why;
};

struct vs_worker_key {
    struct secret *private_key; /* X25519_SIZE bytes */
    uint8_t public_key[X25519_SIZE];
};

MUST_CHECK enum vs_error error_of(enum err e);

/* Clears the last reply and its explanation. Every call on a client begins with it. */
void client_begin(struct vs_client *c);

/* Sets the explanation and returns `e`, so that a refusal takes one line. */
MUST_CHECK enum vs_error client_fail(struct vs_client *c, enum vs_error e, const char *format, ...)
    PRINTF_LIKE(3, 4);
MUST_CHECK enum vs_error why_fail(struct vs_why *why, enum vs_error e, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* VS_ERR_REPLY, with an explanation, for a reply that cannot be read; or VS_ERR_MEMORY. */
MUST_CHECK enum vs_error client_reply_fault(struct vs_client *c, enum err e, const char *what);

struct client_call {
    const char *method;
    const char *path;
    struct span body;    /* JSON, or empty */
    bool authorised;     /* send the bearer token */
    struct span session; /* X-TEE-Session, or empty */
};

/*
 * One request. The caller owns `*body`, the body of a reply of status 200.
 * VS_ERR_REFUSED for any other status, with `c->last` filled; VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT,
 * VS_ERR_REPLY too large a reply, and the errors of the token's source
 */
MUST_CHECK enum vs_error client_send(struct vs_client *c, const struct client_call *call,
                                     struct secret **body);

/* From the next request on, the server's TLS key must have this hash. */
MUST_CHECK enum vs_error client_pin(struct vs_client *c, const uint8_t spki_sha256[SHA256_SIZE]);

/* Appends `text`, percent-encoded except for RFC 3986's unreserved characters. */
MUST_CHECK enum err query_append(struct buffer *b, const char *name, struct span text);

/* Copies to a blob that the caller owns. */
MUST_CHECK enum vs_error blob_copy(struct span bytes, struct vs_blob *out);
/* Moves a buffer's memory to a blob; the buffer is empty afterwards. */
MUST_CHECK enum vs_error blob_from_buffer(struct buffer *b, struct vs_blob *out);

/*
 * Reads a credential (vs_credential_check()) into guarded memory; `why` names the fault.
 * VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_TOO_LARGE, VS_ERR_MALFORMED (owner or mode)
 */
MUST_CHECK enum vs_error credential_read(const char *path, size_t max, struct secret **out,
                                         struct vs_why *why);

/* Reads until the end or until `capacity` is full. VS_ERR_IO */
MUST_CHECK enum vs_error fd_read_fully(int fd, uint8_t *out, size_t capacity, size_t *size);
/* Reads to the end into guarded memory. VS_ERR_IO, VS_ERR_TOO_LARGE */
MUST_CHECK enum vs_error fd_read_secret(int fd, size_t max, struct secret **out);

static inline struct span span_of_bytes(struct vs_bytes b)
{
    return span_of(b.data, b.size);
}

/* A vs_secret is a struct secret under another name. */
static inline struct vs_secret *secret_to_public(struct secret *s)
{
    return (struct vs_secret *)s;
}

#endif
