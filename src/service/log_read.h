/* Reading the log: receipts, proofs, entries, and the trace behind a request. */
#ifndef SERVICE_LOG_READ_H
#define SERVICE_LOG_READ_H

#include "auth/principal.h"
#include "store/store.h"

/* The receipt of an entry under the latest checkpoint; JSON appended to `out`. ERR_NOT_FOUND,
 * ERR_IO */
MUST_CHECK enum err log_read_receipt(struct store *store, uint64_t index, struct buffer *out);

/*
 * The same by request id. `principal` is the caller, or NULL for callers who may see all. The entry
 * of another principal, or of the same name in another tenant, looks like none: ERR_NOT_FOUND.
 */
MUST_CHECK enum err log_read_receipt_of_request(struct store *store, struct span request_id,
                                                const struct principal *principal,
                                                struct buffer *out);

/* {"request_id":..,"entries":[{"index":..,"entry":{..}}]} appended to `out`. ERR_NOT_FOUND when
 * none. */
MUST_CHECK enum err log_read_explain(struct store *store, struct span request_id,
                                     struct buffer *out);

/* Entries as NDJSON, at most LOG_READ_ENTRIES_MAX lines, appended to `out`. */
#define LOG_READ_ENTRIES_MAX 1000
MUST_CHECK enum err log_read_entries(struct store *store, uint64_t start, uint64_t count,
                                     struct buffer *out);

/* Proofs; ERR_NOT_FOUND beyond the log's size. */
MUST_CHECK enum err log_read_inclusion(struct store *store, uint64_t index, uint64_t size,
                                       struct merkle_proof *out);
MUST_CHECK enum err log_read_consistency(struct store *store, uint64_t from, uint64_t to,
                                         struct merkle_proof *out);

#endif
