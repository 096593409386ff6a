#include "service/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/ra_tls.h"
#include "crypto/random.h"
#include "service/inside.h"
#include "service/operations.h"
#include "service/reply.h"

enum err service_challenge(struct service *svc, const struct caller *caller,
                           uint8_t nonce[NONCE_SIZE])
{
    return nonce_issue(svc->verifier.nonces, caller->principal->id, caller->now_us, nonce);
}

MUST_CHECK static enum err use_nonce(struct operation_context *x, const struct attest_request *r)
{
    enum err e =
        nonce_use(x->svc->verifier.nonces, x->caller->principal->id, r->nonce, x->caller->now_us);

    if (e == ERR_NONE)
        return e;
    return refusal_set(x->why, ERR_UNAUTHENTICATED,
                       e == ERR_EXPIRED ? "nonce_expired" : "nonce_unknown");
}

/* The evidence of the certificate, borrowed from it, and the report data that binds the key. */
MUST_CHECK static enum err certificate_read(struct operation_context *x, const struct x509_cert *c,
                                            struct ra_tls_evidence *out)
{
    if (!x509_cert_valid_at(c, x->now))
        return refusal_set(x->why, ERR_UNAUTHENTICATED, "certificate_time");
    if (ra_tls_read(c, out) != ERR_NONE)
        return refusal_set(x->why, ERR_UNAUTHENTICATED, "client_certificate_without_evidence");
    return ERR_NONE;
}

/* Like accept_quote(), for evidence in the client's certificate. The session has the
 * certificate's hash in place of a nonce. */
MUST_CHECK static enum err accept_certificate(struct operation_context *x,
                                              const struct attest_request *r,
                                              struct session_issued *issued)
{
    struct x509_cert *certificate = NULL;
    struct ra_tls_evidence found = {0};
    struct evidence evidence = r->evidence;
    struct binding binding = {
        .domain = REPORT_DOMAIN_SESSION, .for_session = true, .key = SPAN_OF(r->key)};
    enum err e;

    if (x509_cert_parse(r->client_certificate, &certificate) != ERR_NONE)
        return refusal_set(x->why, ERR_UNAUTHENTICATED, "client_certificate_missing");
    x509_cert_sha256(certificate, issued->session.nonce);
    if ((e = certificate_read(x, certificate, &found)) != ERR_NONE)
        goto out;
    binding.channel = SPAN_OF(found.report_data);
    evidence.quote = found.evidence;
    e = evidence_accept(x, &evidence, &binding, &issued->evidence);
out:
    x509_cert_free(&certificate);
    return e;
}

MUST_CHECK static enum err accept_quote(struct operation_context *x, const struct attest_request *r,
                                        struct session_issued *issued)
{
    const struct binding binding = {
        .domain = REPORT_DOMAIN_SESSION,
        .for_session = true,
        .nonce = SPAN_OF(r->nonce),
        .key = SPAN_OF(r->key),
    };
    enum err e = use_nonce(x, r);

    if (e != ERR_NONE)
        return e;
    memcpy(issued->session.nonce, r->nonce, sizeof issued->session.nonce);
    return evidence_accept(x, &r->evidence, &binding, &issued->evidence);
}

MUST_CHECK static enum err authorise(struct operation_context *x)
{
    const struct attest_request *r = x->request;
    struct session_issued *issued = calloc(1, sizeof *issued);
    enum err e;

    if (!issued)
        return refusal_failed(x->why, ERR_MEMORY);
    *x->result = (struct operation_result){.kind = RESULT_SESSION, .session = issued};
    e = r->ra_tls ? accept_certificate(x, r, issued) : accept_quote(x, r, issued);
    return e == ERR_NONE ? operation_authorize(x, ACTION_ATTEST, (struct span){0}, false) : e;
}

/* Fills all members except the nonce, which authorise() set. */
static void session_fill(const struct operation_context *x, struct session *s)
{
    const struct attest_request *r = x->request;
    const struct claims *claims = &x->claims;
    const struct principal *principal = x->caller->principal;

    s->issued = timestamp_of_seconds(timestamp_seconds(x->now));
    s->expires =
        timestamp_of_seconds(timestamp_seconds(x->now) + x->svc->options.session_lifetime_s);
    s->simulated = x->svc->simulated || strcmp(claims->tee, ATTEST_SIMULATED) == 0;
    (void)snprintf(s->issuer, sizeof s->issuer, "%s", x->svc->options.issuer);
    (void)snprintf(s->subject, sizeof s->subject, "%s", principal->name);
    (void)snprintf(s->tee, sizeof s->tee, "%s", claims->tee);
    (void)snprintf(s->policy, sizeof s->policy, "%s", claims->policy->rule.name);
    memcpy(s->token_hash, principal->id, sizeof s->token_hash);
    memcpy(s->key, r->key, sizeof s->key);
    memcpy(s->policy_version, claims->snapshot->policies.version, sizeof s->policy_version);
    memcpy(s->claims, claims->digest, sizeof s->claims);
    (void)snprintf(s->collateral, sizeof s->collateral, "%s", claims->collateral);
    random_bytes(s->id, sizeof s->id);
}

MUST_CHECK static enum err compute(struct operation_context *x)
{
    struct session_issued *issued = x->result->session;
    enum err e;

    session_fill(x, &issued->session);
    e = session_write(&issued->session, x->svc->keys.session_key, issued->token,
                      sizeof issued->token);
    if (e != ERR_NONE)
        return refusal_failed(x->why, e);
    e = session_grant_make(x->svc, &issued->session, span_string(issued->token), &issued->grant);
    if (e == ERR_CRYPTO)
        return refusal_set(x->why, ERR_MALFORMED, "bad_attested_key");
    return e == ERR_NONE ? e : refusal_failed(x->why, e);
}

static void describe(const struct operation_context *x, struct audit_entry *entry,
                     struct writer *scratch)
{
    (void)x;
    (void)scratch;
    /* the evidence is the subject of the request, not its authentication */
    entry->auth = SPAN_LITERAL("bearer");
}

const struct operation operation_attest = {
    .name = "attest",
    .rule = "default-deny",
    .authorise = authorise,
    .compute = compute,
    .describe = describe,
};
