/*
 * What an operation decided and computed, not yet revealed. The entry is committed to the log
 * first; only then does the server send the reply (compute, commit, reveal).
 */
#ifndef SERVICE_OUTCOME_H
#define SERVICE_OUTCOME_H

#include "audit/entry.h"
#include "base/secret.h"
#include "store/writer.h"

#define OUTCOME_MESSAGE_MAX 320
#define OUTCOME_DETAIL_MAX 1024
#define REQUEST_ID_SIZE 36 /* UUIDv7 as text, RFC 9562 section 5.7 */

struct outcome {
    enum err result;
    const char *code;                  /* stable; "ok" when allowed */
    char message[OUTCOME_MESSAGE_MAX]; /* one sentence for the caller; "" when allowed */
    char detail[OUTCOME_DETAIL_MAX];   /* JSON about the caller's own evidence, or "" */
    struct secret *reply;              /* JSON in guarded memory; NULL when refused */
    bool wants_receipt;
    unsigned retry_after_s; /* refused for now: ask again then; 0: no such hint */
    struct buffer entry;    /* the log line */
    struct writer_request commit;
};

/* Refuses: sets result, code and message. Returns `e`, which is not
 * ERR_NONE, so that a step can end with it. */
MUST_CHECK enum err outcome_refuse(struct outcome *o, enum err e, const char *code,
                                   const char *format, ...) PRINTF_LIKE(4, 5);

/* `detail` = {"step":..,"rule":..,"expected":..,"presented":..}; members that are NULL or "" are
 * left out. */
void outcome_detail(struct outcome *o, const char *step, const char *rule, const char *expected,
                    const char *presented);

/* Writes the log line. `entry` lacks only what the outcome knows: allowed, code and detail. */
MUST_CHECK enum err outcome_record(struct outcome *o, struct audit_entry *entry);

/* Frees and wipes what it holds. */
void outcome_clear(struct outcome *o);

#endif
