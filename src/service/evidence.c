#include "service/evidence.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static enum err refuse_evidence(struct outcome *o, const char *code, const char *text)
{
    return outcome_refuse(o, ERR_UNAUTHENTICATED, code, "Attestation verification failed: %s",
                          text);
}

static enum err refuse_verification(struct outcome *o, const struct attest_result *result)
{
    outcome_detail(o, result->step, NULL, result->expected, result->presented);
    return refuse_evidence(o, attest_reason_code(result->reason),
                           attest_reason_text(result->reason));
}

/* Want of collateral is no fault of the caller's, and it may be there soon. Another platform's
 * collateral being all there is means that this one's is missing. */
static enum err refuse_for_now(const struct service *svc, struct outcome *o,
                               struct attest_result *result, struct timestamp now)
{
    bool coming = collateral_store_want(svc->collateral, result, now);

    if (coming && !collateral_is_wanting(result->reason))
        result->reason = ATTEST_COLLATERAL_MISSING;
    if (coming)
        o->retry_after_s = COLLATERAL_RETRY_AFTER_S;
    return refuse_verification(o, result);
}

static bool may_want_collateral(enum attest_reason reason)
{
    return collateral_is_wanting(reason) || reason == ATTEST_TCB_INFO_MISMATCH ||
           reason == ATTEST_CRL_ISSUER_MISMATCH;
}

/* The kind the caller names must be the kind it is: "sgx" never stands for a simulated quote. */
static enum err check_kind(struct outcome *o, const struct evidence *evidence,
                           const struct attest_result *result)
{
    char named[32];

    if (span_equal_string(evidence->tee_type, result->tee))
        return ERR_NONE;
    if (span_to_string(evidence->tee_type, named, sizeof named) != ERR_NONE)
        named[0] = '\0';
    outcome_detail(o, "tee_type", NULL, result->tee, named);
    return refuse_evidence(o, "tee_type_mismatch", "tee_type is not the kind of this evidence");
}

static enum err check_report_data(struct outcome *o, const uint8_t expected[REPORT_DATA_SIZE],
                                  const struct attest_result *result)
{
    char wanted[2 * REPORT_DATA_SIZE + 1];
    char found[2 * REPORT_DATA_SIZE + 1];

    if (bytes_equal_ct(expected, result->report_data, REPORT_DATA_SIZE))
        return ERR_NONE;
    hex_write(span_of(expected, REPORT_DATA_SIZE), wanted);
    hex_write(SPAN_OF(result->report_data), found);
    outcome_detail(o, "report_data", NULL, wanted, found);
    return refuse_evidence(o, "report_data_mismatch",
                           "the report data does not bind this key and this nonce or time");
}

enum err evidence_accept(const struct service *svc, struct service_thread *thread,
                         const struct caller *caller, const struct evidence *evidence,
                         const uint8_t expected[REPORT_DATA_SIZE], struct timestamp now,
                         struct attest_result *result, struct claims *claims, struct outcome *o)
{
    const struct collateral_snapshot *collateral =
        collateral_store_view(svc->collateral, &thread->collateral);
    struct appraisal_denial denial;
    enum err e = attest_verify(&svc->trust, &collateral->set, thread->chains,
                               &(struct attest_evidence){.bytes = evidence->quote}, now, result);

    if (e == ERR_DENIED && may_want_collateral(result->reason))
        return refuse_for_now(svc, o, result, now);
    if (e == ERR_DENIED)
        return refuse_verification(o, result);
    if (e != ERR_NONE)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    claims->auth = "evidence";
    (void)snprintf(claims->tee, sizeof claims->tee, "%s", result->tee);
    attest_claims_digest(result, claims->digest);
    claims->has_digest = true;
    if ((e = check_kind(o, evidence, result)) != ERR_NONE ||
        (e = check_report_data(o, expected, result)) != ERR_NONE)
        return e;
    e = appraise(svc->policy, result, caller->token->name, &claims->rule, &denial);
    if (e != ERR_NONE) {
        outcome_detail(o, "policy", denial.rule, denial.expected, denial.presented);
        return refuse_evidence(o, denial.code, "no policy accepts this evidence");
    }
    return ERR_NONE;
}

static enum err refuse_session(struct outcome *o, enum err e, const char *code)
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
    e = session_check(s, svc->options.origin, caller->token->hash, svc->policy->version, now,
                      &code);
    if (e != ERR_NONE)
        return refuse_session(o, e, code);
    claims->auth = "session";
    claims->rule = appraisal_find(svc->policy, s->policy);
    if (!claims->rule) /* cannot be while the policy's version matches; refused all the same */
        return refuse_session(o, ERR_DENIED, "session_policy_changed");
    memcpy(claims->tee, s->tee, sizeof claims->tee);
    memcpy(claims->digest, s->claims, sizeof claims->digest);
    memcpy(claims->key, s->key, sizeof claims->key);
    memcpy(claims->session_id, s->id, sizeof claims->session_id);
    claims->has_digest = claims->has_key = claims->has_session = true;
    return ERR_NONE;
}
