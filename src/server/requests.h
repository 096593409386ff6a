/*
 * From a call's body, path or query to the typed request of an operation: the only code that looks
 * at raw input. What a request borrows from is the body, or the call's memory. Each refuses the
 * call when it fails: ERR_MALFORMED, ERR_TOO_LARGE, ERR_MEMORY. Internal to server/.
 */
#ifndef SERVER_REQUESTS_H
#define SERVER_REQUESTS_H

#include "server/call.h"
#include "service/decrypt.h"
#include "service/explain.h"
#include "service/session.h"

/* POST /decrypt. `*out` is in the call's memory. Also sets c->wants_receipt. */
MUST_CHECK enum err decrypt_request_read(struct call *c, const struct decrypt_request **out);

/* POST /v1/attest */
MUST_CHECK enum err attest_request_read(struct call *c, struct attest_request *out);

/* POST /v1/attest/explain */
MUST_CHECK enum err explain_request_read(struct call *c, struct explain_request *out);

/* POST and DELETE /v1/policies/{policy}/reference-values; `out->removes` says which. A policy name
 * that cannot be one refuses with 404. */
MUST_CHECK enum err policy_change_read(struct call *c, struct policy_change *out);

/* GET /pubkey and /v1/pubkey: the seed that the query names, ERR_NOT_FOUND when it names none. Here
 * the route refuses. */
MUST_CHECK enum err seed_query_read(struct call *c, struct span *out);

#endif
