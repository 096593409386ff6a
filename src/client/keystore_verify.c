/*
 * Fetches the keystore's own evidence for a fresh nonce, verifies it with all available collateral,
 * and judges it. The order is the same for every kind: genuine, for these keys, accepted.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "base/text.h"
#include "base/writer.h"
#include "client/attest.h"
#include "client/client.h"
#include "client/reply.h"
#include "collateral/key.h"
#include "collateral/store.h"
#include "crypto/random.h"

/* The state of one verification. */
struct examination {
    struct vs_client *c;
    const struct vs_keystore_demand *demand;
    struct vs_verifier *verifier;
    const struct reply_attestation *reply;
    struct buffer quote, certificates;
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    struct vs_result *result;
    struct vs_claims *claims;
};

/*
 * log key || session key || TLS key || SHA-256(log origin): the values that the evidence binds in
 * addition to the identity. Without the origin, an attacker in between could rename the log, and
 * checkpoints of another log would be accepted.
 */
static void keystore_report_data(const struct reply_attestation *a, struct span nonce,
                                 uint8_t out[VS_REPORT_DATA_SIZE])
{
    uint8_t context[sizeof a->log_key + sizeof a->session_key + sizeof a->tls_spki_sha256 +
                    SHA256_SIZE];
    uint8_t origin[SHA256_SIZE];
    struct writer w = writer_over(context, sizeof context);

    sha256(span_string(a->log_origin), origin);
    writer_put(&w, SPAN_OF(a->log_key));
    writer_put(&w, SPAN_OF(a->session_key));
    writer_put(&w, SPAN_OF(a->tls_spki_sha256));
    writer_put(&w, SPAN_OF(origin));
    report_data_bind(REPORT_DOMAIN_KEYSTORE, nonce, SPAN_OF(a->identity_key), SPAN_OF(context),
                     out);
}

MUST_CHECK static enum vs_error decode(struct vs_client *c, struct span base64, size_t max,
                                       const char *what, struct buffer *out)
{
    size_t capacity = base64.size / 4 * 3;
    enum err e = ERR_TOO_LARGE;

    if (capacity <= max + 2)
        e = buffer_reserve(out, capacity + 1);
    if (e == ERR_NONE)
        e = base64_read(base64, out->data, max < capacity ? max : capacity, &out->size);
    return e == ERR_NONE ? VS_OK : client_reply_fault(c, e, what);
}

MUST_CHECK static enum vs_error untrusted(struct examination *x)
{
    return client_fail(x->c, VS_ERR_UNTRUSTED,
                       "the keystore's evidence does not verify: %s (step %s)", x->claims->code,
                       x->claims->step);
}

/* Data from the keystore is not trusted before it verifies. */
MUST_CHECK static enum vs_error add_document(struct examination *x, struct span document)
{
    const enum vs_error e =
        vs_verifier_add_bundle(x->verifier, (struct vs_bytes){document.data, document.size});

    if (e != VS_ERR_UNTRUSTED)
        return e;
    claims_refuse(x->claims, vs_verifier_reason(x->verifier), "collateral");
    return untrusted(x);
}

/* The result tells whether the evidence is genuine. An error has another cause. */
MUST_CHECK static enum vs_error examine(struct examination *x)
{
    const struct vs_tee_evidence evidence = {
        .kind = (enum vs_tee)x->reply->kind,
        .bytes = {x->quote.data,        x->quote.size       },
        .certificates = {x->certificates.data, x->certificates.size},
    };
    enum vs_error e;

    vs_result_free(&x->result);
    e = vs_verifier_verify(x->verifier, &evidence, x->demand->at, &x->result);
    if (x->result == NULL)
        return e;
    claims_of_result(x->result, x->claims);
    return VS_OK;
}

/* Fetches one item of collateral. An item that the keystore does not have is left out. */
MUST_CHECK static enum vs_error fetch_unit(struct examination *x, const struct collateral_key *key)
{
    char path[sizeof "/v1/collateral/item?name=" + COLLATERAL_NAME_SIZE] =
        "/v1/collateral/item?name=";
    struct secret *body = NULL;
    enum vs_error e;

    collateral_key_name(key, path + strlen(path)); /* letters, digits and - */
    e = client_send(x->c, &(struct client_call){.method = "GET", .path = path, .authorised = true},
                    &body);
    if (e == VS_ERR_REFUSED && x->c->last.status == 404)
        e = VS_OK;
    else if (e == VS_OK)
        e = add_document(x, secret_span(body));
    secret_free(&body);
    return e;
}

MUST_CHECK static enum vs_error check_accepted(struct examination *x)
{
    const struct vs_keystore_demand *d = x->demand;
    struct vs_refusal refusal = {.code = "tee_not_accepted", .expected = "sgx"};
    enum vs_error e;

    if (d->policy != NULL)
        e = vs_result_judge(x->result, d->policy, d->at, (struct vs_bytes){0}, &refusal);
    else
        e = vs_result_appraise(x->result, d->appraisal, &refusal);
    /* the appraisal has measurements of SGX, but the evidence has another kind */
    if (e == VS_ERR_UNSUPPORTED) {
        memcpy(refusal.presented, x->claims->tee, sizeof x->claims->tee);
        e = VS_ERR_POLICY;
    }
    e = claims_appraised(e, &refusal, x->claims);
    if (e != VS_ERR_POLICY)
        return e;
    return client_fail(x->c, e, "the keystore is not accepted: %s, expected %s, presented %s",
                       x->claims->code, x->claims->expected, x->claims->presented);
}

/*
 * Judges the code before there is collateral, as if the platform had the best status. If that is
 * refused, the program is not the accepted one, and gets no token. The platform is judged later,
 * with its collateral.
 */
MUST_CHECK static enum vs_error check_code(struct examination *x)
{
    struct vs_result *r = x->result;
    const enum vs_verdict verdict = r->verdict;
    const struct attest_result verified = r->verified;
    enum vs_error e;

    r->verdict = VS_VALID;
    r->verified.reason = ATTEST_OK;
    r->verified.status = TCB_UP_TO_DATE;
    r->verified.advisory_count = 0;
    r->verified.intel.tcb_evaluation_number = UINT32_MAX;
    r->verified.intel.qe_evaluation_number = UINT32_MAX;
    e = check_accepted(x);
    r->verdict = verdict;
    r->verified = verified;
    if (e == VS_ERR_POLICY && strcmp(x->claims->code, "tcb_status_not_accepted") == 0)
        e = VS_OK; /* the policy accepts other statuses; the real one is checked later */
    return e;
}

/*
 * The keystore may have the collateral for its own platform. The client asks for it only after the
 * signatures and the binding verified, and the code is accepted.
 */
MUST_CHECK static enum vs_error fetch_collateral(struct examination *x)
{
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    const size_t count = collateral_keys_missing(&x->result->verified, keys);
    enum vs_error e = VS_OK;

    for (size_t i = 0; i < count && e == VS_OK; i++)
        e = fetch_unit(x, &keys[i]);
    return e == VS_OK ? examine(x) : e;
}

/* Names the missing collateral, so that the user can get it. */
MUST_CHECK static enum vs_error collateral_missing(struct examination *x)
{
    struct collateral_key keys[COLLATERAL_MISSING_MAX];
    char names[COLLATERAL_MISSING_MAX][COLLATERAL_NAME_SIZE] = {{0}};
    const size_t count = collateral_keys_missing(&x->result->verified, keys);

    for (size_t i = 0; i < count; i++)
        collateral_key_name(&keys[i], names[i]);
    return client_fail(
        x->c, VS_ERR_UNTRUSTED,
        "there is no good collateral to judge the keystore's platform by: %s%s%s%s%s",
        x->claims->code, count > 0 ? "; needed: " : "", names[0], count > 1 ? ", " : "", names[1]);
}

MUST_CHECK static enum vs_error check_genuine(struct examination *x)
{
    const enum attest_reason *reason = &x->result->verified.reason;
    enum vs_error e = VS_OK;

    if ((vs_result_signatures_valid(x->result) || vs_result_verdict(x->result) == VS_VALID) &&
        (e = claims_check_bound(x->result, x->report_data, x->claims)) != VS_OK)
        return untrusted(x);
    if (collateral_is_missing(*reason) && x->demand->fetch_collateral &&
        vs_result_signatures_valid(x->result) && (e = check_code(x)) == VS_OK)
        e = fetch_collateral(x);
    if (e != VS_OK || vs_result_verdict(x->result) == VS_VALID)
        return e;
    reason = &x->result->verified.reason;
    return collateral_is_missing(*reason) ? collateral_missing(x) : untrusted(x);
}

MUST_CHECK static enum vs_error
check_evidence(struct vs_client *c, const struct vs_keystore_demand *demand, struct vs_verifier *v,
               const struct reply_attestation *a, struct span nonce, struct vs_claims *claims)
{
    struct examination x = {.c = c, .demand = demand, .verifier = v, .reply = a, .claims = claims};
    const struct verifier_mark before = verifier_mark(v);
    enum vs_error e;

    if (!span_equal(span_of(a->nonce, a->nonce_size), nonce))
        return client_fail(c, VS_ERR_UNTRUSTED, "the evidence is for another nonce than ours");
    keystore_report_data(a, nonce, x.report_data);
    if ((e = decode(c, a->quote, VS_EVIDENCE_MAX, "the keystore's quote", &x.quote)) == VS_OK &&
        (e = decode(c, a->certificates, VS_CERTIFICATES_MAX, "the keystore's certificates",
                    &x.certificates)) == VS_OK &&
        (a->collateral.size == 0 || (e = add_document(&x, a->collateral)) == VS_OK) &&
        (e = examine(&x)) == VS_OK && (e = check_genuine(&x)) == VS_OK)
        e = check_accepted(&x);
    verifier_forget_since(v, &before);
    vs_result_free(&x.result);
    buffer_clear(&x.certificates);
    buffer_clear(&x.quote);
    return e;
}

/* From here on only this TLS key is accepted. A given pin must equal the key in the evidence. */
MUST_CHECK static enum vs_error bind_tls(struct vs_client *c, const struct reply_attestation *a,
                                         bool *bound)
{
    *bound = false;
    if (!c->tls || !a->has_tls || span_is_zero(SPAN_OF(a->tls_spki_sha256)))
        return VS_OK;
    if (c->pinned && !span_equal(SPAN_OF(c->pin), SPAN_OF(a->tls_spki_sha256)))
        return client_fail(c, VS_ERR_UNTRUSTED,
                           "the TLS key in use is not the one that the evidence names: another "
                           "server is between this client and the keystore");
    enum vs_error e = c->pinned ? VS_OK : client_pin(c, a->tls_spki_sha256);
    *bound = e == VS_OK;
    return e;
}

MUST_CHECK static enum vs_error fetch_evidence(struct vs_client *c,
                                               const uint8_t nonce[VS_NONCE_SIZE],
                                               struct secret **body, struct reply_attestation *out)
{
    char path[sizeof "/v1/attestation?nonce=" + (size_t)2 * VS_NONCE_SIZE] =
        "/v1/attestation?nonce=";
    enum vs_error e;
    enum err parsed;

    hex_write(span_of(nonce, VS_NONCE_SIZE), path + strlen(path));
    e = client_send(c, &(struct client_call){.method = "GET", .path = path}, body);
    if (e != VS_OK)
        return e;
    parsed = reply_attestation_parse(secret_span(*body), out);
    if (parsed == ERR_UNSUPPORTED)
        return client_fail(c, VS_ERR_UNSUPPORTED,
                           "the keystore's evidence is of a kind that this client does not know: "
                           "%s",
                           out->tee_type);
    return parsed == ERR_NONE ? VS_OK : client_reply_fault(c, parsed, "the keystore's attestation");
}

MUST_CHECK static enum vs_error
keystore_fill(struct vs_client *c, const struct reply_attestation *a, struct vs_keystore *out)
{
    memcpy(out->identity_key, a->identity_key, sizeof out->identity_key);
    memcpy(out->log_key, a->log_key, sizeof out->log_key);
    memcpy(out->log_origin, a->log_origin, sizeof out->log_origin);
    memcpy(out->session_key, a->session_key, sizeof out->session_key);
    memcpy(out->tls_spki_sha256, a->tls_spki_sha256, sizeof out->tls_spki_sha256);
    enum err e =
        checkpoint_vkey_write(a->log_origin, a->log_key, out->log_vkey, sizeof out->log_vkey);
    return e == ERR_NONE ? VS_OK : client_reply_fault(c, e, "the log's origin");
}

MUST_CHECK static enum vs_error judge(struct vs_client *c, const struct vs_keystore_demand *demand,
                                      struct vs_verifier *v, struct vs_keystore *out)
{
    uint8_t nonce[VS_NONCE_SIZE];
    struct reply_attestation a = {0};
    struct vs_keystore keystore = {0};
    struct secret *body = NULL;
    enum vs_error e;

    random_bytes(nonce, sizeof nonce);
    if ((e = fetch_evidence(c, nonce, &body, &a)) != VS_OK ||
        (e = check_evidence(c, demand, v, &a, SPAN_OF(nonce), &keystore.claims)) != VS_OK ||
        (e = keystore_fill(c, &a, &keystore)) != VS_OK ||
        (e = bind_tls(c, &a, &keystore.tls_bound)) != VS_OK)
        out->claims = keystore.claims;
    else
        *out = keystore;
    secret_free(&body);
    return e;
}

enum vs_error vs_keystore_judge(struct vs_client *c, const struct vs_keystore_demand *demand,
                                struct vs_keystore *out)
{
    struct vs_verifier *own = NULL;
    enum vs_error e = VS_OK;

    if (c == NULL || demand == NULL || out == NULL ||
        (demand->appraisal == NULL) == (demand->policy == NULL))
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if (demand->verifier == NULL)
        e = vs_verifier_new(0, &own);
    if (e == VS_OK)
        e = judge(c, demand, own == NULL ? demand->verifier : own, out);
    vs_verifier_free(&own);
    return e;
}

enum vs_error vs_keystore_verify(struct vs_client *c, const struct vs_appraisal *appraisal,
                                 struct vs_bytes trust_root, struct vs_keystore *out)
{
    struct vs_verifier *v = NULL;
    enum vs_error e;

    if (c == NULL || appraisal == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if ((e = vs_verifier_new(0, &v)) != VS_OK)
        return e;
    const struct vs_keystore_demand demand = {.appraisal = appraisal, .verifier = v};
    if (trust_root.size > 0 && vs_verifier_add_root(v, VS_VENDOR_SIMULATED, trust_root) != VS_OK)
        e = client_fail(c, VS_ERR_MALFORMED, "the trust root is not a certificate");
    if (e == VS_OK)
        e = vs_keystore_judge(c, &demand, out);
    vs_verifier_free(&v);
    return e;
}
