/*
 * The decision and the result of an operation, not yet revealed. First its entry is committed to
 * the log; only then the result is revealed (compute, commit, reveal).
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
    const struct operation *operation; /* NULL: an event of the keystore itself */
    struct refusal refusal;            /* its error is ERR_NONE: allowed */
    struct operation_result result;    /* of an allowed operation; else RESULT_NONE */
    struct buffer entry;               /* the log line; empty: there was no memory for it */
    bool wants_receipt; /* allowed, and the caller asked for the receipt of the entry, too */
    struct writer_request commit;
    /* of a shared database: the commit requires that no node changed the policies meanwhile */
    struct effect guard;
    struct transaction guarded;
};

/* The operation was judged by policies that another node has changed: nothing is stored. */
bool outcome_is_stale(const struct outcome *o);

/* Writes the log line. `entry` has all members except those that the outcome provides: allowed,
 * code, and the detail of a refusal if the entry has no detail of its own. ERR_MEMORY */
MUST_CHECK enum err outcome_record(struct outcome *o, struct audit_entry *entry);

/* An allowed event of the keystore itself: "init", "start", "refused-summary". `detail` is JSON
 * or empty. ERR_MEMORY, ERR_TOO_LARGE */
MUST_CHECK enum err outcome_event(struct outcome *o, bool simulated, struct span op,
                                  struct span detail, struct span request_id, struct timestamp now);

/* Frees and wipes its contents. */
void outcome_clear(struct outcome *o);

#endif
