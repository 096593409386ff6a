/*
 * Every operation of the keystore, and the one function that runs them: authorise, compute, record.
 *
 * An operation takes a typed request and gives a typed result (service/result.h) or a typed refusal
 * (service/refusal.h). It knows nothing of HTTP, JSON or sentences, so a route, a batch, a function
 * runtime or another process calls the same function and gets bytes.
 */
#ifndef SERVICE_OPERATION_H
#define SERVICE_OPERATION_H

#include "policy/authorize.h"
#include "service/evidence.h"
#include "service/outcome.h"

/* One run of an operation: what its steps are given, and what they find out for the next step and
 * for the log. */
struct operation_context {
    struct service *svc;
    struct service_thread *thread;
    const struct caller *caller;
    const void *request; /* the operation's own type */
    struct timestamp now;
    struct claims claims;     /* of the caller's code, as far as they are known */
    struct decision decision; /* what authorize() allows; zeros: nothing */
    uint32_t key_version;     /* of the key that was used; 0: none */
    struct refusal *why;      /* where a step that refuses says why */
    struct operation_result *result;
};

/* A step of an operation. On refusal `x->why` is set; a result that it leaves is discarded. */
typedef MUST_CHECK enum err operation_step(struct operation_context *x);

struct operation {
    const char *name; /* in the log and in metrics */
    const char *rule; /* what the log names as the rule when no policy's rule decided */
    operation_step *authorise;
    operation_step *compute;
    /* Adds to the log line what only the operation knows; NULL: nothing. `scratch` is memory for a
     * detail. */
    void (*describe)(const struct operation_context *x, struct audit_entry *entry,
                     struct writer *scratch);
    /* The entry `o->commit.index` is durable: makes the change take effect, before anything is
     * revealed. Cannot fail. NULL: nothing to do. */
    void (*committed)(struct service *svc, struct outcome *o);
};

/* In the order of the table of them all. */
enum operation_id {
    OPERATION_OPEN,          /* const struct decrypt_request (service/decrypt.h) */
    OPERATION_ATTEST,        /* const struct attest_request (service/session.h) */
    OPERATION_EXPLAIN,       /* const struct explain_request (service/explain.h) */
    OPERATION_CHANGE_POLICY, /* const struct policy_change (service/policies.h) */
    OPERATION_RESEAL,        /* const struct reseal_request (service/sealing.h) */
    OPERATION_COUNT
};
const struct operation *operation_of(enum operation_id id);

/*
 * Decides and computes; reveals nothing. `o` is zeroed before. Afterwards it holds the log line,
 * and the result or the refusal: commit the entry, call operation_committed(), then reveal.
 *
 * thread    of the calling thread
 * request   see enum operation_id; borrowed until `o` is cleared
 *
 * ERR_NONE or the refusal's error. Without memory for the log line ERR_MEMORY, and `o->entry` is
 * empty: there is nothing to commit, and nothing may be revealed.
 */
MUST_CHECK enum err operation_run(struct service *svc, struct service_thread *thread,
                                  enum operation_id id, const struct caller *caller,
                                  const void *request, struct timestamp now, struct outcome *o);

/* To be called once, when the entry of an allowed operation is durable, before its result is used.
 */
void operation_committed(struct service *svc, struct outcome *o);

/* How many were decided since the start. */
uint64_t operation_count(const struct service *svc, enum operation_id id, bool allowed);

#endif
