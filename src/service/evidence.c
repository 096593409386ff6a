#include "service/evidence.h"

#include <stdio.h>
#include <string.h>

MUST_CHECK static enum err refuse_evidence(struct outcome *o, const char *code, const char *text)
{
    return outcome_refuse(o, ERR_UNAUTHENTICATED, code, "Attestation verification failed: %s",
                          text);
}

/* Want of collateral is no fault of the caller's, and it may be there soon. Where another
 * platform's collateral is all there is, this one's is missing. */
static void collateral_request(const struct service *svc, struct attest_result *result,
                               struct timestamp now, struct outcome *o)
{
    bool is_missing = collateral_is_missing(result->reason);

    if (!is_missing && result->reason != ATTEST_TCB_INFO_MISMATCH &&
        result->reason != ATTEST_CRL_ISSUER_MISMATCH)
        return;
    if (!collateral_store_request_fetch(svc->collateral, result, now))
        return;
    o->retry_after_s = COLLATERAL_RETRY_AFTER_S;
    if (!is_missing)
        result->reason = ATTEST_COLLATERAL_MISSING;
}

MUST_CHECK static enum err refuse_verification(const struct service *svc, struct outcome *o,
                                               struct attest_result *result, struct timestamp now)
{
    collateral_request(svc, result, now, o);
    outcome_detail(o, result->step, NULL, result->expected, result->presented);
    return refuse_evidence(o, attest_reason_code(result->reason),
                           attest_reason_text(result->reason));
}

/* The kind the caller names must be the kind it is: "sgx" never stands for a simulated quote. */
MUST_CHECK static enum err check_kind(struct outcome *o, const struct evidence *evidence,
                                      const struct attest_result *result)
{
    struct span tee_type = evidence->tee_type;
    char named[32];

    if (span_equal_string(tee_type, "sev"))
        tee_type = SPAN_LITERAL("snp");
    if (span_equal_string(tee_type, result->tee))
        return ERR_NONE;
    if (span_to_string(evidence->tee_type, named, sizeof named) != ERR_NONE)
        named[0] = '\0';
    outcome_detail(o, "tee_type", NULL, result->tee, named);
    return refuse_evidence(o, "tee_type_mismatch", "tee_type is not the kind of this evidence");
}

MUST_CHECK static enum err verify(const struct service *svc, struct service_thread *thread,
                                  const struct evidence *evidence, struct timestamp now,
                                  struct attest_result *result, struct outcome *o)
{
    const struct attest_evidence presented = {.bytes = evidence->quote,
                                              .certificates = evidence->certificates};
    const struct collateral_snapshot *collateral =
        collateral_store_view(svc->collateral, &thread->collateral);
    enum err e;

    if (evidence->certificates.size > ATTEST_CHAIN_MAX)
        return refuse_evidence(o, attest_reason_code(ATTEST_TOO_LARGE), "too many certificates");
    e = attest_verify(&svc->trust, &collateral->set, thread->chains, &presented, now, result);
    if (e == ERR_DENIED)
        return refuse_verification(svc, o, result, now);
    return e == ERR_NONE ? e : outcome_refuse(o, e, err_code(e), "%s", err_text(e));
}

MUST_CHECK static enum err judge(const struct appraisal_question *question, struct claims *claims,
                                 struct outcome *o)
{
    struct appraisal_denial denial;

    if (appraise(&claims->policy->policy, question, &claims->rule, &denial) == ERR_NONE)
        return ERR_NONE;
    outcome_detail(o, "policy", denial.rule, denial.expected, denial.presented);
    return refuse_evidence(o, denial.code,
                           strcmp(denial.code, "report_data_mismatch") == 0
                               ? "the evidence does not bind this key and this nonce or time"
                               : "no policy accepts this evidence");
}

enum err evidence_accept(const struct service *svc, struct service_thread *thread,
                         const struct caller *caller, const struct evidence *evidence,
                         const struct binding *binding, struct timestamp now,
                         struct attest_result *result, struct claims *claims, struct outcome *o)
{
    const struct appraisal_question question = {
        .evidence = result,
        .binding = binding,
        .token_name = caller->principal->name,
        .now = now,
        .event_log = evidence->event_log,
    };
    enum err e = verify(svc, thread, evidence, now, result, o);

    if (e != ERR_NONE)
        return e;
    claims->auth = "evidence";
    (void)snprintf(claims->tee, sizeof claims->tee, "%s", result->tee);
    attest_claims_digest(result, claims->digest);
    claims->has_digest = true;
    if ((e = check_kind(o, evidence, result)) != ERR_NONE)
        return e;
    claims->policy = policy_store_view(svc->policies, &thread->policy);
    return judge(&question, claims, o);
}

MUST_CHECK static enum err refuse_session(struct outcome *o, enum err e, const char *code)
{
    /* OutLayer's worker attests anew when the text holds "session not found" or "session expired"
     */
    return outcome_refuse(o, e, code, "TEE session not found or expired: %s",
                          strcmp(code, "session_expired") == 0
                              ? "it has expired; attest again"
                              : "it is not a valid session of this token; attest again");
}

/* The verified session, from the thread's memory or by its signature. */
static const struct session *session_known(struct service *svc, struct service_thread *thread,
                                           struct span token, struct session *scratch)
{
    const struct session *s = session_cache_find(thread->sessions, token);

    atomic_fetch_add_explicit(s ? &svc->counters.session_cache_hits
                                : &svc->counters.session_cache_misses,
                              1, memory_order_relaxed);
    if (s)
        return s;
    if (session_parse(token, svc->session_public, svc->session_point, scratch) != ERR_NONE)
        return NULL;
    session_cache_put(thread->sessions, token, scratch);
    return scratch;
}

enum err session_claims(struct service *svc, struct service_thread *thread,
                        const struct caller *caller, struct span token, struct timestamp now,
                        struct claims *claims, struct outcome *o)
{
    struct session scratch;
    const struct session *s = session_known(svc, thread, token, &scratch);
    const char *code = "session_invalid";
    enum err e;

    if (!s)
        return refuse_session(o, ERR_DENIED, code);
    claims->policy = policy_store_view(svc->policies, &thread->policy);
    e = session_check(s, svc->options.origin, caller->principal->id, claims->policy->policy.version,
                      now, &code);
    if (e != ERR_NONE)
        return refuse_session(o, e, code);
    claims->auth = "session";
    claims->rule = appraisal_find(&claims->policy->policy, s->policy);
    if (!claims->rule) /* cannot be while the policy's version matches; refused all the same */
        return refuse_session(o, ERR_DENIED, "session_policy_changed");
    memcpy(claims->tee, s->tee, sizeof claims->tee);
    memcpy(claims->digest, s->claims, sizeof claims->digest);
    memcpy(claims->key, s->key, sizeof claims->key);
    memcpy(claims->session_id, s->id, sizeof claims->session_id);
    claims->has_digest = claims->has_key = claims->has_session = true;
    return ERR_NONE;
}
