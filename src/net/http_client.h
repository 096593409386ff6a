/*
 * HTTP client over libcurl: TLS verification on, deadlines, size limits, no redirects. Blocking;
 * for the command, the client library and background fetches. Use a client in one thread at a time.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include <stdatomic.h>

#include "base/secret.h"
#include "crypto/hash.h"

struct http_client;

struct http_client_options {
    const char *base_url;       /* "https://host:port" or "http://..." */
    const char *unix_socket;    /* NULL, or connect to this socket instead of the URL's host */
    const char *ca_file;        /* NULL: the system's */
    const uint8_t *spki_sha256; /* NULL, or pin the server's key: replaces CA verification */
    unsigned timeout_ms;        /* total per request; 0: 30 s */
    size_t body_max;            /* of a reply; 0: 16 MiB */
    /* NULL, or a flag that outlives the client: once it is set, a request in flight ends within
     * about a second, with ERR_UNAVAILABLE */
    const _Atomic bool *stop;
};
MUST_CHECK enum err http_client_new(const struct http_client_options *options,
                                    struct http_client **out);

/* A header of the reply that the caller wants. If it occurs several times, the last one counts. */
#define HTTP_CLIENT_HEADER_MAX (32u * 1024) /* bytes of a value; a longer one is ERR_TOO_LARGE */
struct http_client_header {
    const char *name;
    struct buffer value; /* filled; empty when the reply has no such header. The caller clears it */
};

struct http_client_request {
    const char *method; /* "GET", "POST", or "DELETE", which has no body */
    const char *path;   /* with query */
    struct span body;
    const char *content_type;          /* NULL: none */
    const char *const *headers;        /* NULL-terminated list of "Name: value"; may be NULL */
    struct http_client_header *wanted; /* `wanted_count` headers with empty values; may be NULL */
    size_t wanted_count;
};
struct http_client_reply {
    unsigned status;
    /* in guarded memory, because it may contain plaintext. The caller owns it */
    struct secret *body;
    char request_id[64]; /* X-Request-Id, or "" */
    unsigned retry_after_s;
};
/* ERR_IO with a sentence in `why`; ERR_TIMEOUT; ERR_TOO_LARGE; ERR_UNAVAILABLE the flag was set.
 * Any HTTP status is ERR_NONE. */
MUST_CHECK enum err http_client_send(struct http_client *c, const struct http_client_request *r,
                                     struct http_client_reply *reply, char why[256]);
void http_client_free(struct http_client **c);

#endif
