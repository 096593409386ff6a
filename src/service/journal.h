/* Reading the log: receipts, the trace behind a request, and the summary of what admission refused.
 */
#ifndef SERVICE_JOURNAL_H
#define SERVICE_JOURNAL_H

#include "service/outcome.h"
#include "service/service.h"

/* The receipt of an entry under the latest checkpoint; JSON appended to `out`. ERR_NOT_FOUND,
 * ERR_IO */
MUST_CHECK enum err journal_receipt(struct service *svc, uint64_t index, struct buffer *out);

/*
 * The same by request id. `principal` is the caller's token name, or NULL for those who may see
 * all; another's entry looks like none: ERR_NOT_FOUND.
 */
MUST_CHECK enum err journal_receipt_of_request(struct service *svc, struct span request_id,
                                               const char *principal, struct buffer *out);

/* {"request_id":..,"entries":[{"index":..,"entry":{..}}]} appended to `out`. ERR_NOT_FOUND when
 * none. */
MUST_CHECK enum err journal_explain(struct service *svc, struct span request_id,
                                    struct buffer *out);

/* Entries as NDJSON, at most JOURNAL_ENTRIES_MAX lines, appended to `out`. */
#define JOURNAL_ENTRIES_MAX 1000
MUST_CHECK enum err journal_entries(struct service *svc, uint64_t start, uint64_t count,
                                    struct buffer *out);

/* {"proof":[...]} appended to `out`. */
MUST_CHECK enum err journal_inclusion(struct service *svc, uint64_t index, uint64_t size,
                                      struct buffer *out);
MUST_CHECK enum err journal_consistency(struct service *svc, uint64_t from, uint64_t to,
                                        struct buffer *out);

/* An entry about the keystore itself: "init", "start", "refused-summary". `detail` is JSON or
 * empty. */
MUST_CHECK enum err journal_event(const struct service *svc, struct span op, struct span detail,
                                  struct span request_id, struct timestamp now, struct outcome *o);

/* A fresh UUIDv7 (RFC 9562 section 5.7), not terminated. */
void request_id_write(struct timestamp now, char out[REQUEST_ID_SIZE]);

/* Whether it has the form of a UUIDv7. */
bool request_id_check(struct span text);

#endif
