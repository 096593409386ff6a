/*
 * Converts a call's body, path or query to the typed request of an operation. No other code reads
 * raw input. A request borrows from the body or from the call's memory. On failure each function
 * refuses the call: ERR_MALFORMED, ERR_TOO_LARGE, ERR_MEMORY. Internal to server/.
 */
#ifndef SERVER_REQUESTS_H
#define SERVER_REQUESTS_H

#include "server/call.h"
#include "service/decrypt.h"
#include "service/explain.h"
#include "service/session.h"

/* POST /decrypt. `*out` is in the call's memory. */
MUST_CHECK enum err decrypt_request_read(struct call *c, const struct decrypt_request **out);

/* POST /v1/attest */
MUST_CHECK enum err attest_request_read(struct call *c, struct attest_request *out);

/* POST /v1/attest/explain */
MUST_CHECK enum err explain_request_read(struct call *c, struct explain_request *out);

/* POST and DELETE /v1/policies/{policy}/reference-values; `out->removes` tells which. A name
 * that no policy can have is refused with 404. */
MUST_CHECK enum err policy_change_read(struct call *c, struct policy_change *out);

/* GET /pubkey and /v1/pubkey: the seed in the query. ERR_NOT_FOUND there is none; then the route
 * refuses. */
MUST_CHECK enum err seed_query_read(struct call *c, struct span *out);

#endif
