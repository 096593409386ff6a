/*
 * Admission: credentials, rates and sizes are checked when the head of a request is complete,
 * before its body is read. A request that admission refuses gets no log entry, only a count.
 * Internal to server/.
 */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include "server/call.h"

#define EMPTY_BODY_MAX 1024 /* bytes tolerated on routes that need no body; they are ignored */

#define ROLE_NOT_ALLOWED "This token's role does not allow this request"

/* Functions for struct http_handler. */
unsigned admission_check(void *context, const struct http_request *r, size_t body_size,
                         struct http_owner *owner, struct http_reply *reply);
void admission_net_refused(void *context, unsigned loop, const char *peer,
                           const struct http_refusal *why, struct http_reply *reply);

bool admission_handshake(void *context, const uint8_t peer_key[16]);

/* NULL when there is none; `*path_known` distinguishes a wrong method from a wrong path. */
const struct route *admission_route(const struct server *s, const struct http_request *r,
                                    bool *path_known);

/* ERR_UNAUTHENTICATED, with a sentence in `*why`. */
MUST_CHECK enum err admission_authenticate(const struct server *s, const struct http_request *r,
                                           struct principal *principal, const char **why);

/* Makes a refusal that is only counted. The memory of `reply` stays valid until the loop's next
 * refusal. */
void admission_refusal(struct server *s, unsigned loop, enum rejection kind,
                       const struct http_refusal *why, int64_t wait_ms, struct http_reply *reply);

MUST_CHECK enum err admission_rates_new(struct server *s);
void admission_rates_free(struct server *s);

#endif
