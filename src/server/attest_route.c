/* POST /v1/attest/challenge, POST /v1/attest, GET /v1/attestation. */
#include <string.h>

#include "base/text.h"
#include "server/fields.h"
#include "server/render.h"
#include "server/requests.h"
#include "service/identity.h"
#include "service/session.h"

void route_challenge(struct call *c, struct service_thread *thread)
{
    const struct caller caller = call_caller(c);
    uint8_t nonce[NONCE_SIZE];
    char text[2 * NONCE_SIZE + 1];
    enum err e = service_challenge(c->server->svc, &caller, nonce);

    (void)thread;
    if (e == ERR_OVERLOADED) {
        c->retry_after_s = NONCE_LIFETIME_MS / 1000;
        call_refuse(c, 429, "too_many_challenges", "This token has too many unused challenges");
    } else {
        hex_write(SPAN_OF(nonce), text);
        if (e == ERR_NONE)
            e = buffer_printf(&c->body, "{\"nonce\":\"%s\",\"expires_in\":%d}", text,
                              NONCE_LIFETIME_MS / 1000);
        call_answer(c, e);
    }
    call_finish(c);
}

static const char attest_needed[] =
    "Needed: nonce (64 hex digits) and quote (base64), or ra_tls (true); tee_type, public_key (64 "
    "hex digits); allowed: certificates (base64, at most 64 KiB), event_log (array); nothing else";

enum err attest_request_read(struct call *c, struct attest_request *r)
{
    struct evidence_members evidence;
    struct json_value nonce, key, ra_tls;
    const struct json_field fields[] = {
        EVIDENCE_FIELDS(evidence, false),
        {"nonce",      JSON_STRING, false, &nonce },
        {"ra_tls",     JSON_TRUE,   false, &ra_tls},
        {"public_key", JSON_STRING, true,  &key   },
    };
    enum err e = body_read(c, fields, COUNT_OF(fields), attest_needed);

    if (e != ERR_NONE)
        return e;
    r->ra_tls = ra_tls.type == JSON_TRUE;
    r->client_certificate = c->request->client_certificate;
    /* either a quote over a nonce of ours, or evidence in the client's certificate without a
     * quote and a nonce */
    if (r->ra_tls != (nonce.type == JSON_NULL) || r->ra_tls != (evidence.quote.type == JSON_NULL))
        return fields_refuse(c, ERR_MALFORMED, "bad_field", attest_needed);
    if ((!r->ra_tls && (e = field_hex(nonce, r->nonce, sizeof r->nonce)) != ERR_NONE) ||
        (e = field_hex(key, r->key, sizeof r->key)) != ERR_NONE ||
        (e = evidence_read_checked(c, &evidence, &r->evidence)) != ERR_NONE)
        return fields_refuse(c, e, "bad_field", attest_needed);
    return ERR_NONE;
}

void route_attest(struct call *c, struct service_thread *thread)
{
    struct attest_request r = {0};

    if (attest_request_read(c, &r) == ERR_NONE)
        call_operate(c, thread, OPERATION_ATTEST, &r);
    call_finish(c);
}

static void refuse_nonce(struct call *c)
{
    call_refuse(c, 400, "bad_nonce", "nonce is 16 to 64 random bytes in hex");
}

enum err own_evidence_query_read(struct call *c, uint8_t nonce[IDENTITY_NONCE_MAX], size_t *size)
{
    enum err e = query_hex(c, "nonce", nonce, IDENTITY_NONCE_MAX, size);

    if (e == ERR_NONE)
        return e;
    refuse_nonce(c);
    return ERR_MALFORMED;
}

void route_own_evidence(struct call *c, struct service_thread *thread)
{
    uint8_t nonce[IDENTITY_NONCE_MAX];
    struct own_evidence own = {0};
    size_t size = 0;
    enum err e = own_evidence_query_read(c, nonce, &size);

    (void)thread;
    if (e != ERR_NONE) {
        call_finish(c);
        return;
    }
    e = service_own_evidence(c->server->svc, span_of(nonce, size), c->now, &own);
    if (e == ERR_MALFORMED)
        refuse_nonce(c); /* too short */
    else if (e == ERR_UNSUPPORTED)
        call_refuse(c, 404, "no_evidence", "This machine has no evidence of its own to give");
    else
        call_answer(c,
                    e == ERR_NONE ? render_own_evidence(&own, span_of(nonce, size), &c->body) : e);
    own_evidence_clear(&own);
    call_finish(c);
}
