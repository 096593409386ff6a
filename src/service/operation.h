/*
 * Every operation of the keystore, and the one function that runs them: authorise, compute, record.
 *
 * An operation takes a typed request and returns a typed result (service/result.h) or a typed
 * refusal (service/refusal.h). It does not depend on HTTP, JSON or sentences. So a route, a batch,
 * a function runtime or another process can call the same function.
 */
#ifndef SERVICE_OPERATION_H
#define SERVICE_OPERATION_H

#include "policy/authorize.h"
#include "service/evidence.h"
#include "service/outcome.h"

/* One run of an operation: the inputs of its steps, and their findings for the next step and for
 * the log. */
struct operation_context {
    struct service *svc;
    struct service_thread *thread;
    const struct caller *caller;
    const void *request; /* the operation's own type */
    struct timestamp now;
    struct claims claims;     /* the known claims about the caller's code */
    struct decision decision; /* the result of authorize(); zeros allow nothing */
    uint32_t key_version;     /* of the used key; 0: none */
    struct refusal *why;      /* a refusing step writes its reason here */
    struct operation_result *result;
    bool wants_receipt; /* the caller asks for the receipt of the entry */
};

/* A step of an operation. On refusal it sets `x->why`, and its result is discarded. */
typedef MUST_CHECK enum err operation_step(struct operation_context *x);

struct operation {
    const char *name; /* in the log and in metrics */
    const char *rule; /* the rule in the log if no policy decided */
    operation_step *authorise;
    operation_step *compute;
    /* Adds the operation's own members to the log line; NULL: none. `scratch` is memory for a
     * detail. */
    void (*describe)(const struct operation_context *x, struct audit_entry *entry,
                     struct writer *scratch);
    /* Adds the changes of an allowed operation to the commit of its entry; NULL: none. What they
     * borrow lives in `o`. */
    void (*changes)(const struct operation_context *x, struct outcome *o);
    /* Called when the entry `o->commit.index` is durable, before anything is revealed: puts the
     * change into effect. Cannot fail. NULL: nothing to do. */
    void (*committed)(struct service *svc, struct outcome *o);
};

/* In the order of the table of all operations. */
enum operation_id {
    OPERATION_OPEN,          /* const struct decrypt_request (service/decrypt.h) */
    OPERATION_ATTEST,        /* const struct attest_request (service/session.h) */
    OPERATION_EXPLAIN,       /* const struct explain_request (service/explain.h) */
    OPERATION_CHANGE_POLICY, /* const struct policy_change (service/policies.h) */
    OPERATION_RESEAL,        /* const struct reseal_request (service/sealing.h) */
    OPERATION_ARCHIVE,       /* const struct archive_request (service/archive.h) */
    OPERATION_COUNT
};
const struct operation *operation_of(enum operation_id id);

/*
 * Decides and computes; reveals nothing. The caller zeroes `o`, which then receives the log line,
 * and the result or the refusal. Commit the entry, call operation_committed(), then reveal.
 *
 * thread    of the calling thread
 * request   see enum operation_id; borrowed until `o` is cleared
 *
 * ERR_NONE or the refusal's error. ERR_MEMORY with an empty `o->entry` means that there was no
 * memory for the log line: commit nothing, and reveal nothing.
 */
MUST_CHECK enum err operation_run(struct service *svc, struct service_thread *thread,
                                  enum operation_id id, const struct caller *caller,
                                  const void *request, struct timestamp now, struct outcome *o);

/* Call it once, when the entry of an allowed operation is durable, before its result is used. */
void operation_committed(struct service *svc, struct outcome *o);

/* The number of decisions since the start. */
uint64_t operation_count(const struct service *svc, enum operation_id id, bool allowed);

#endif
