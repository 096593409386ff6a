#include "service/operation.h"

#include <assert.h>
#include <string.h>

#include "service/inside.h"
#include "service/operations.h"
#include "service/reference_rows.h"

enum { DETAIL_MAX = 1024 };

static const struct operation *const operations[OPERATION_COUNT] = {
    [OPERATION_OPEN] = &operation_open,       [OPERATION_ATTEST] = &operation_attest,
    [OPERATION_EXPLAIN] = &operation_explain, [OPERATION_CHANGE_POLICY] = &operation_change_policy,
    [OPERATION_RESEAL] = &operation_reseal,   [OPERATION_ARCHIVE] = &operation_archive,
};

const struct operation *operation_of(enum operation_id id)
{
    return operations[id];
}

enum err operation_authorize(struct operation_context *x, enum action action, struct span key,
                             bool wants_seal)
{
    const struct policy *policy = x->claims.policy;
    struct caller_claims claims = {.has_key = x->claims.has_key};
    const struct authorize_question question = {
        .principal = x->caller->principal,
        .action = action,
        .claims = policy ? &claims : NULL,
        .key = key,
        .wants_seal = wants_seal,
        .now = x->now,
    };
    enum err e;

    if (policy) {
        claims.policy = policy->rule.name;
        claims.scope = &policy->scope;
    }
    e = authorize(&question, &x->decision);
    return e == ERR_NONE ? e : refusal_set(x->why, e, x->decision.code);
}

MUST_CHECK static enum err record(const struct operation *op, const struct operation_context *x,
                                  struct outcome *o)
{
    const struct principal *principal = x->caller->principal;
    const struct claims *claims = &x->claims;
    uint8_t detail[DETAIL_MAX];
    struct writer scratch = writer_over(detail, sizeof detail);
    struct audit_entry entry = {
        .time = x->now,
        .request_id = x->caller->request_id,
        .op = span_string(op->name),
        .rule = span_string(claims->policy ? claims->policy->rule.name : op->rule),
        .key_version = x->key_version,
        .tenant = span_string(principal_is_of_default(principal) ? "" : principal->tenant),
        .principal = span_string(principal->name),
        .auth = span_string(claims->auth ? claims->auth : "bearer"),
        .tee = span_string(claims->tee),
        .has_claims = claims->has_digest,
        .simulated = x->svc->simulated,
    };

    memcpy(entry.claims, claims->digest, sizeof entry.claims);
    if (op->describe)
        op->describe(x, &entry, &scratch);
    return outcome_record(o, &entry);
}

/* A decision by policies holds only while no other node changes them. */
static void guard(const struct operation_context *x, struct outcome *o)
{
    if (!x->claims.snapshot || !store_is_shared(x->svc->store))
        return;
    o->guard = reference_rows_require(x->claims.snapshot->added.stored);
    o->guarded = (struct transaction){
        .time = x->now, .effects = &o->guard, .count = 1, .entry = o->commit.entry};
    o->commit.transaction = &o->guarded;
}

enum err operation_run(struct service *svc, struct service_thread *thread, enum operation_id id,
                       const struct caller *caller, const void *request, struct timestamp now,
                       struct outcome *o)
{
    const struct operation *op = operations[id];
    struct operation_context x = {
        .svc = svc,
        .thread = thread,
        .caller = caller,
        .request = request,
        .now = now,
        .why = &o->refusal,
        .result = &o->result,
    };
    enum err e;

    o->operation = op;
    if ((e = op->authorise(&x)) == ERR_NONE)
        e = op->compute(&x);
    assert(e == o->refusal.error); /* a refusal has a reason, and an allowed operation has none */
    if (e != ERR_NONE)
        operation_result_clear(&o->result);
    o->wants_receipt = e == ERR_NONE && x.wants_receipt;
    atomic_fetch_add_explicit(&svc->counters.decided[id][e == ERR_NONE], 1, memory_order_relaxed);
    if (record(op, &x, o) != ERR_NONE) { /* an operation that cannot be recorded is not answered */
        operation_result_clear(&o->result);
        return refusal_failed(&o->refusal, ERR_MEMORY);
    }
    if (e == ERR_NONE && op->changes)
        op->changes(&x, o);
    else
        guard(&x, o);
    return e;
}

void operation_committed(struct service *svc, struct outcome *o)
{
    assert(o->commit.result == ERR_NONE && !outcome_is_stale(o));
    if (o->operation && o->operation->committed && o->refusal.error == ERR_NONE)
        o->operation->committed(svc, o);
}

uint64_t operation_count(const struct service *svc, enum operation_id id, bool allowed)
{
    return atomic_load_explicit(&svc->counters.decided[id][allowed], memory_order_relaxed);
}
