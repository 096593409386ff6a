/* Reads the log: receipts, proofs, entries, and the entries of a request. */
#ifndef SERVICE_LOG_READ_H
#define SERVICE_LOG_READ_H

#include "auth/principal.h"
#include "store/store.h"

/* Appends the receipt of an entry, with the latest checkpoint, to `out` as JSON. ERR_NOT_FOUND,
 * ERR_IO */
MUST_CHECK enum err log_read_receipt(struct store *store, uint64_t index, struct buffer *out);

/*
 * The same by request id. `principal` is the caller, or NULL for callers who may see all. The entry
 * of another principal, or of the same name in another tenant, looks like none: ERR_NOT_FOUND.
 */
MUST_CHECK enum err log_read_receipt_of_request(struct store *store, struct span request_id,
                                                const struct principal *principal,
                                                struct buffer *out);

/* Appends {"request_id":..,"entries":[{"index":..,"entry":{..}}]} to `out`. ERR_NOT_FOUND no
 * entries. */
MUST_CHECK enum err log_read_explain(struct store *store, struct span request_id,
                                     struct buffer *out);

/* Appends entries as NDJSON to `out`, at most LOG_READ_ENTRIES_MAX lines. */
#define LOG_READ_ENTRIES_MAX 1000
MUST_CHECK enum err log_read_entries(struct store *store, uint64_t start, uint64_t count,
                                     struct buffer *out);

/* Proofs. ERR_NOT_FOUND beyond the log's size. */
MUST_CHECK enum err log_read_inclusion(struct store *store, uint64_t index, uint64_t size,
                                       struct merkle_proof *out);
MUST_CHECK enum err log_read_consistency(struct store *store, uint64_t from, uint64_t to,
                                         struct merkle_proof *out);

#endif
