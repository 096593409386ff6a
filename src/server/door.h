/*
 * The door: credentials, rates and sizes are checked when a request's head is complete, before its
 * body is read. What is turned away here gets no log entry, only a count. Internal to server/.
 */
#ifndef SERVER_DOOR_H
#define SERVER_DOOR_H

#include "server/call.h"

#define EMPTY_BODY_MAX                                                                             \
    1024 /* bytes tolerated on routes that need no body; they are not looked at */

/* For struct http_handler. */
unsigned door_admit(void *context, const struct http_request *r, size_t body_size,
                    struct http_reply *reply);
void door_refused(void *context, unsigned loop, const char *peer, const struct http_refusal *why,
                  struct http_reply *reply);

/* NULL when there is none; `*path_known` tells a wrong method from a wrong path. */
const struct route *door_route(const struct http_request *r, bool *path_known);

/* ERR_UNAUTHENTICATED with a sentence in `*why`. */
MUST_CHECK enum err door_authenticate(const struct server *s, const struct http_request *r,
                                      const struct token_entry **token, const char **why);

/* A refusal that is only counted. What `reply` borrows stays until the loop's next refusal. */
void door_refusal(struct server *s, unsigned loop, enum refusal kind,
                  const struct http_refusal *why, int64_t wait_ms, struct http_reply *reply);

MUST_CHECK enum err door_rates_new(struct server *s);
void door_rates_free(struct server *s);

#endif
