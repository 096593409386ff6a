/*
 * What an operation decided and computed, not yet revealed. The entry is committed to the log
 * first; only then is the result revealed (compute, commit, reveal).
 */
#ifndef SERVICE_OUTCOME_H
#define SERVICE_OUTCOME_H

#include "audit/entry.h"
#include "service/refusal.h"
#include "service/request_id.h"
#include "service/result.h"
#include "store/writer.h"

struct operation;

/* Zero-initialise; outcome_clear() at the end. */
struct outcome {
    const struct operation *operation; /* NULL: an event of the keystore's own */
    struct refusal refusal;            /* its error is ERR_NONE: allowed */
    struct operation_result result;    /* of an allowed operation; else RESULT_NONE */
    struct buffer entry;               /* the log line; empty: there was no memory for it */
    struct writer_request commit;
};

/* Writes the log line. `entry` lacks only what the outcome knows: allowed, code, and the detail of
 * a refusal unless the entry has one of its own. ERR_MEMORY */
MUST_CHECK enum err outcome_record(struct outcome *o, struct audit_entry *entry);

/* An event of the keystore itself, allowed: "init", "start", "refused-summary". `detail` is JSON or
 * empty. ERR_MEMORY, ERR_TOO_LARGE */
MUST_CHECK enum err outcome_event(struct outcome *o, bool simulated, struct span op,
                                  struct span detail, struct span request_id, struct timestamp now);

/* Frees and wipes what it holds. */
void outcome_clear(struct outcome *o);

#endif
