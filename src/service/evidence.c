#include "service/evidence.h"

#include <stdio.h>
#include <string.h>

#include "service/inside.h"
#include "service/operation.h"

/*
 * Missing collateral is not the caller's fault, and may arrive soon. Collateral also counts as
 * missing if only another platform's is held, or if the host sent a VEK from before its last
 * firmware update.
 */
static void collateral_request(const struct operation_context *x, struct attest_result *result)
{
    bool is_missing = collateral_is_missing(result->reason);

    if (!is_missing && !collateral_is_another(result->reason))
        return;
    if (!collateral_store_request_fetch(x->svc->verifier.collateral, result,
                                        x->caller->principal->id, x->now))
        return;
    x->why->retry_after_s = COLLATERAL_RETRY_AFTER_S;
    if (!is_missing)
        result->reason = ATTEST_COLLATERAL_MISSING;
}

MUST_CHECK static enum err refuse_verification(struct operation_context *x,
                                               struct attest_result *result)
{
    collateral_request(x, result);
    refusal_detail(x->why, result->step, NULL, result->expected, result->presented);
    return refusal_set_hint(x->why, ERR_UNAUTHENTICATED, attest_reason_code(result->reason),
                            attest_reason_text(result->reason));
}

struct span evidence_type(const struct evidence *evidence)
{
    return span_equal_string(evidence->tee_type, "sev") ? span_string(attest_tee_name(ATTEST_SNP))
                                                        : evidence->tee_type;
}

/* The kind the caller names must be the kind it is: "sgx" never stands for a simulated quote. */
MUST_CHECK static enum err check_kind(struct operation_context *x, const struct evidence *evidence,
                                      const struct attest_result *result)
{
    char named[32];

    if (span_equal_string(evidence_type(evidence), result->tee))
        return ERR_NONE;
    if (span_to_string(evidence->tee_type, named, sizeof named) != ERR_NONE)
        named[0] = '\0';
    refusal_detail(x->why, "tee_type", NULL, result->tee, named);
    return refusal_set(x->why, ERR_UNAUTHENTICATED, "tee_type_mismatch");
}

MUST_CHECK static enum err verify(struct operation_context *x, const struct evidence *evidence,
                                  struct attest_result *result)
{
    const struct attest_evidence presented = {.bytes = evidence->quote,
                                              .certificates = evidence->certificates};
    const struct collateral_snapshot *collateral =
        collateral_store_view(x->svc->verifier.collateral, &x->thread->verifier.collateral);
    enum err e;

    if (evidence->certificates.size > ATTEST_CHAIN_MAX)
        return refusal_set_hint(x->why, ERR_UNAUTHENTICATED, attest_reason_code(ATTEST_TOO_LARGE),
                                "too many certificates");
    e = attest_verify(&x->svc->verifier.trust, &collateral->set, x->thread->verifier.chains,
                      &presented, x->now, result);
    if (e == ERR_DENIED)
        return refuse_verification(x, result);
    return e == ERR_NONE ? e : refusal_failed(x->why, e);
}

MUST_CHECK static enum err judge(struct operation_context *x,
                                 const struct appraisal_question *question)
{
    struct claims *claims = &x->claims;
    struct appraisal_denial denial;

    if (policy_judge(&claims->snapshot->policies, x->caller->principal, question, &claims->policy,
                     &denial) == ERR_NONE)
        return ERR_NONE;
    refusal_detail(x->why, "policy", denial.rule, denial.expected, denial.presented);
    return refusal_set(x->why, ERR_UNAUTHENTICATED, denial.code);
}

enum err evidence_accept(struct operation_context *x, const struct evidence *evidence,
                         const struct binding *binding, struct attest_result *result)
{
    const struct appraisal_question question = {
        .evidence = result,
        .binding = binding,
        .now = x->now,
        .event_log = evidence->event_log,
    };
    struct claims *claims = &x->claims;
    enum err e = verify(x, evidence, result);

    if (e != ERR_NONE)
        return e;
    claims->auth = "evidence";
    (void)snprintf(claims->tee, sizeof claims->tee, "%s", result->tee);
    attest_claims_digest(result, claims->digest);
    claims->has_digest = true;
    collateral_mark(
        collateral_store_view(x->svc->verifier.collateral, &x->thread->verifier.collateral), result,
        claims->collateral);
    if ((e = check_kind(x, evidence, result)) != ERR_NONE)
        return e;
    claims->snapshot = policy_store_view(x->svc->verifier.policies, &x->thread->verifier.policy);
    return judge(x, &question);
}

/* Gets the verified session, from the thread's cache or by its signature. */
static const struct session *session_known(struct service *svc, struct service_thread *thread,
                                           struct span token, struct session *scratch)
{
    const struct session *s = session_cache_find(thread->sessions, token);

    atomic_fetch_add_explicit(s ? &svc->counters.session_cache_hits
                                : &svc->counters.session_cache_misses,
                              1, memory_order_relaxed);
    if (s)
        return s;
    if (session_parse(token, svc->keys.session_public, svc->keys.session_point, scratch) !=
        ERR_NONE)
        return NULL;
    session_cache_put(thread->sessions, token, scratch);
    return scratch;
}

enum err session_claims(struct operation_context *x, struct span token)
{
    struct claims *claims = &x->claims;
    struct session scratch;
    const struct session *s = session_known(x->svc, x->thread, token, &scratch);
    const char *code = "session_invalid";
    enum err e;

    if (!s)
        return refusal_set(x->why, ERR_DENIED, code);
    claims->snapshot = policy_store_view(x->svc->verifier.policies, &x->thread->verifier.policy);
    e = session_check(s, x->svc->options.issuer, x->caller->principal->id,
                      claims->snapshot->policies.version, x->now, &code);
    if (e != ERR_NONE)
        return refusal_set(x->why, e, code);
    /* revoked, or judged by levels that changed: the evidence must be judged again */
    if (!collateral_mark_holds(
            collateral_store_view(x->svc->verifier.collateral, &x->thread->verifier.collateral),
            s->collateral, s->issued))
        return refusal_set(x->why, ERR_DENIED, "session_collateral_changed");
    claims->auth = "session";
    claims->policy = policy_find(&claims->snapshot->policies, s->policy);
    if (!claims->policy) /* impossible while the policy's version matches; refused anyway */
        return refusal_set(x->why, ERR_DENIED, "session_policy_changed");
    memcpy(claims->tee, s->tee, sizeof claims->tee);
    memcpy(claims->digest, s->claims, sizeof claims->digest);
    memcpy(claims->key, s->key, sizeof claims->key);
    memcpy(claims->session_id, s->id, sizeof claims->session_id);
    claims->has_digest = claims->has_key = claims->has_session = true;
    return ERR_NONE;
}
