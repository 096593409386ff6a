#include "service/session.h"

#include <stdio.h>
#include <string.h>

#include "attest/ra_tls.h"
#include "codec/json.h"
#include "crypto/random.h"
#include "service/reply.h"

enum { REPLY_MAX = 8192 };

enum err service_challenge(struct service *svc, const struct caller *caller, struct timestamp now,
                           uint8_t nonce[NONCE_SIZE])
{
    atomic_fetch_add_explicit(&svc->counters.challenges, 1, memory_order_relaxed);
    return nonce_issue(svc->nonces, caller->principal->id, now, nonce);
}

MUST_CHECK static enum err use_nonce(struct service *svc, const struct caller *caller,
                                     const struct attest_request *r, struct timestamp now,
                                     struct outcome *o)
{
    enum err e = nonce_use(svc->nonces, caller->principal->id, r->nonce, now);

    if (e == ERR_NONE)
        return e;
    return outcome_refuse(o, ERR_UNAUTHENTICATED,
                          e == ERR_EXPIRED ? "nonce_expired" : "nonce_unknown",
                          "Attestation verification failed: %s; ask for a new challenge",
                          e == ERR_EXPIRED ? "the nonce is older than 60 seconds"
                                           : "the nonce was not issued to this token, or was used");
}

static void session_fill(const struct service *svc, const struct caller *caller,
                         const struct attest_request *r, const struct claims *claims,
                         struct timestamp now, struct session *s)
{
    *s = (struct session){
        .issued = timestamp_of_seconds(timestamp_seconds(now)),
        .expires = timestamp_of_seconds(timestamp_seconds(now) + svc->options.session_lifetime_s),
        .simulated = svc->simulated || strcmp(claims->tee, "simulated") == 0,
    };
    (void)snprintf(s->issuer, sizeof s->issuer, "%s", svc->options.origin);
    (void)snprintf(s->subject, sizeof s->subject, "%s", caller->principal->name);
    (void)snprintf(s->tee, sizeof s->tee, "%s", claims->tee);
    (void)snprintf(s->policy, sizeof s->policy, "%s", claims->rule->name);
    memcpy(s->token_hash, caller->principal->id, sizeof s->token_hash);
    memcpy(s->nonce, r->nonce, sizeof s->nonce);
    memcpy(s->key, r->key, sizeof s->key);
    memcpy(s->policy_version, claims->policy->policy.version, sizeof s->policy_version);
    memcpy(s->claims, claims->digest, sizeof s->claims);
    random_bytes(s->id, sizeof s->id);
}

MUST_CHECK static enum err reply_write(const struct session *s, const char *token,
                                       const struct session_grant *grant,
                                       const struct attest_result *result, struct outcome *o)
{
    enum err e = secret_new(REPLY_MAX, &o->reply);
    struct writer w;
    struct json_writer j;

    if (e != ERR_NONE)
        return e;
    w = writer_over(secret_data(o->reply), REPLY_MAX);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_put_string(&j, "session", span_string(token));
    json_put_int(&j, "expires_at", timestamp_seconds(s->expires));
    json_put_string(&j, "tee", span_string(s->tee));
    json_put_string(&j, "policy", span_string(s->policy));
    json_put_string(&j, "status", span_string(tcb_status_name(result->status)));
    json_open_array(&j, "advisories");
    for (size_t i = 0; i < result->advisory_count; i++)
        json_put_string(&j, NULL, span_string(result->advisories[i]));
    json_close_array(&j);
    json_put_hex(&j, "claims", SPAN_OF(s->claims));
    json_open_object(&j, "reply_key");
    json_put_base64(&j, "enc", SPAN_OF(grant->enc));
    json_put_base64(&j, "ciphertext", SPAN_OF(grant->ciphertext));
    json_close_object(&j);
    json_put_base64(&j, "signature", SPAN_OF(grant->signature));
    json_close_object(&j);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        secret_shrink(o->reply, w.size);
    return e;
}

MUST_CHECK static enum err issue(const struct service *svc, const struct caller *caller,
                                 const struct attest_request *r, const struct claims *claims,
                                 const struct attest_result *result, struct timestamp now,
                                 struct outcome *o)
{
    char token[SESSION_TOKEN_MAX + 1];
    struct session_grant grant;
    struct session s;
    enum err e;

    session_fill(svc, caller, r, claims, now, &s);
    if ((e = session_write(&s, svc->session_key, token, sizeof token)) != ERR_NONE)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    if ((e = session_grant_make(svc, &s, span_string(token), &grant)) == ERR_CRYPTO)
        return outcome_refuse(o, ERR_MALFORMED, "bad_attested_key",
                              "The attested key is not a usable X25519 public key");
    if (e != ERR_NONE || (e = reply_write(&s, token, &grant, result, o)) != ERR_NONE)
        return outcome_refuse(o, e, err_code(e), "%s", err_text(e));
    return ERR_NONE;
}

MUST_CHECK static enum err record(const struct service *svc, const struct caller *caller,
                                  const struct claims *claims, struct timestamp now,
                                  struct outcome *o)
{
    struct audit_entry entry = {
        .time = now,
        .request_id = caller->request_id,
        .op = SPAN_LITERAL("attest"),
        .rule = claims->rule ? span_string(claims->rule->name) : SPAN_LITERAL("default-deny"),
        .principal = span_string(caller->principal->name),
        .auth = SPAN_LITERAL("bearer"),
        .tee = span_string(claims->tee),
        .has_claims = claims->has_digest,
        .simulated = svc->simulated,
    };

    memcpy(entry.claims, claims->digest, sizeof entry.claims);
    return outcome_record(o, &entry);
}

MUST_CHECK static enum err refuse_certificate(struct outcome *o, const char *code, const char *text)
{
    return outcome_refuse(o, ERR_UNAUTHENTICATED, code, "Attestation verification failed: %s",
                          text);
}

/* The evidence of the certificate, borrowed from it, and what it must carry to bind the key. */
MUST_CHECK static enum err certificate_read(const struct x509_cert *c, struct timestamp now,
                                            struct ra_tls_evidence *out, struct outcome *o)
{
    if (!x509_cert_valid_at(c, now))
        return refuse_certificate(o, "certificate_time",
                                  "the client's certificate is not valid now");
    if (ra_tls_read(c, out) != ERR_NONE)
        return refuse_certificate(o, "client_certificate_without_evidence",
                                  "the client's certificate has no evidence about its own key");
    return ERR_NONE;
}

/* As accept_quote(), for evidence in the client's certificate, from which `result` borrows. */
MUST_CHECK static enum err accept_certificate(struct service *svc, struct service_thread *thread,
                                              const struct caller *caller, struct attest_request *r,
                                              struct timestamp now, struct x509_cert **certificate,
                                              struct attest_result *result, struct claims *claims,
                                              struct outcome *o)
{
    struct ra_tls_evidence found = {0};
    struct binding binding = {.domain = REPORT_DOMAIN_SESSION, .for_session = true};
    enum err e = x509_cert_parse(r->client_certificate, certificate);

    if (e != ERR_NONE)
        return refuse_certificate(o, "client_certificate_missing",
                                  "ra_tls needs a client certificate in this TLS connection");
    x509_cert_sha256(*certificate, r->nonce); /* what the session names in its place */
    if ((e = certificate_read(*certificate, now, &found, o)) != ERR_NONE)
        return e;
    binding.key = SPAN_OF(r->key);
    binding.channel = SPAN_OF(found.report_data);
    r->evidence.quote = found.evidence;
    return evidence_accept(svc, thread, caller, &r->evidence, &binding, now, result, claims, o);
}

MUST_CHECK static enum err accept_quote(struct service *svc, struct service_thread *thread,
                                        const struct caller *caller, const struct attest_request *r,
                                        struct timestamp now, struct attest_result *result,
                                        struct claims *claims, struct outcome *o)
{
    const struct binding binding = {
        .domain = REPORT_DOMAIN_SESSION,
        .for_session = true,
        .nonce = SPAN_OF(r->nonce),
        .key = SPAN_OF(r->key),
    };
    enum err e = use_nonce(svc, caller, r, now, o);

    if (e != ERR_NONE)
        return e;
    return evidence_accept(svc, thread, caller, &r->evidence, &binding, now, result, claims, o);
}

enum err service_attest(struct service *svc, struct service_thread *thread,
                        const struct caller *caller, struct attest_request *r, struct timestamp now,
                        struct outcome *o)
{
    struct attest_result result = {0};
    struct claims claims = {0};
    struct x509_cert *certificate = NULL;
    enum err e = r->ra_tls ? accept_certificate(svc, thread, caller, r, now, &certificate, &result,
                                                &claims, o)
                           : accept_quote(svc, thread, caller, r, now, &result, &claims, o);

    if (e == ERR_NONE)
        e = issue(svc, caller, r, &claims, &result, now, o);
    x509_cert_free(&certificate);
    r->evidence.quote = (struct span){0}; /* may have borrowed from it */
    o->result = e;
    if (e != ERR_NONE)
        secret_free(&o->reply);
    atomic_fetch_add_explicit(e == ERR_NONE ? &svc->counters.attest_allowed
                                            : &svc->counters.attest_denied,
                              1, memory_order_relaxed);
    if (record(svc, caller, &claims, now, o) != ERR_NONE) {
        secret_free(&o->reply);
        return outcome_refuse(o, ERR_MEMORY, err_code(ERR_MEMORY), "%s", err_text(ERR_MEMORY));
    }
    return e;
}
