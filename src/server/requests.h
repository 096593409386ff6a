/*
 * Converts a call's body, path or query to the typed request of an operation. No other code reads
 * raw input. A request borrows from the body or from the call's memory. On failure each function
 * refuses the call: ERR_MALFORMED, ERR_TOO_LARGE, ERR_MEMORY. Internal to server/.
 */
#ifndef SERVER_REQUESTS_H
#define SERVER_REQUESTS_H

#include "server/call.h"
#include "service/archive.h"
#include "service/decrypt.h"
#include "service/explain.h"
#include "service/identity.h"
#include "service/sealing.h"
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

/* POST /pubkey. `*seed` is in the call's memory. */
MUST_CHECK enum err pubkey_request_read(struct call *c, struct span *seed);

/* POST /v1/reseal. `pcrs` is "" when none are given. */
MUST_CHECK enum err reseal_request_read(struct call *c, char pcrs[RESEAL_PCRS_MAX]);

/* GET /v1/attestation: at most IDENTITY_NONCE_MAX bytes. */
MUST_CHECK enum err own_evidence_query_read(struct call *c, uint8_t nonce[IDENTITY_NONCE_MAX],
                                            size_t *size);

/* GET /v1/log/entries; without `count` it is LOG_READ_ENTRIES_MAX. */
MUST_CHECK enum err entries_query_read(struct call *c, uint64_t *start, uint64_t *count);

/* GET /v1/log/inclusion and /v1/log/consistency: `first` and `second` are the names of the two
 * numbers. */
MUST_CHECK enum err proof_query_read(struct call *c, const char *first, uint64_t *a,
                                     const char *second, uint64_t *b);

/* GET /v1/log/receipt and /v1/explain */
MUST_CHECK enum err request_id_query_read(struct call *c, char id[REQUEST_ID_SIZE + 1]);

/* POST /v1/log/archive; `*days` stays as it is when the request names none. */
MUST_CHECK enum err archive_request_read(struct call *c, char directory[ARCHIVE_DIRECTORY_MAX],
                                         uint64_t *days);

/* GET /v1/collateral/item */
MUST_CHECK enum err item_query_read(struct call *c, char name[COLLATERAL_NAME_SIZE]);

/* GET /pubkey and /v1/pubkey: the seed in the query. ERR_NOT_FOUND there is none; then the route
 * refuses. */
MUST_CHECK enum err seed_query_read(struct call *c, struct span *out);

#endif
