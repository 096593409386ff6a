/* POST /v1/attest/challenge, POST /v1/attest, GET /v1/attestation. */
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "server/call.h"
#include "service/identity.h"
#include "service/session.h"

void route_challenge(struct call *c, struct service_thread *thread)
{
    struct caller caller = {&c->principal, span_of(c->request_id, REQUEST_ID_SIZE)};
    uint8_t nonce[NONCE_SIZE];
    char text[2 * NONCE_SIZE + 1];
    enum err e = service_challenge(c->server->svc, &caller, c->now, nonce);

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

MUST_CHECK static enum err read_hex(struct json_value value, uint8_t *out, size_t size)
{
    struct span text;
    enum err e = json_string_plain(value, &text);

    return e != ERR_NONE ? e : hex_read(text, out, size);
}

MUST_CHECK static enum err read_base64(struct json_value value, struct buffer *out)
{
    struct span text;
    enum err e;

    if ((e = json_string_plain(value, &text)) != ERR_NONE ||
        (e = buffer_reserve(out, text.size)) != ERR_NONE)
        return e;
    return base64_read(text, out->data, out->capacity, &out->size);
}

/* A quote over a nonce of ours; or, with ra_tls, what the client's certificate has, and neither. */
MUST_CHECK static enum err read_presented(struct call *c, struct json_value nonce,
                                          struct json_value quote, struct json_value ra_tls,
                                          struct attest_request *r)
{
    enum err e;

    r->ra_tls = ra_tls.type == JSON_TRUE;
    if (r->ra_tls) {
        r->client_certificate = c->request->client_certificate;
        return nonce.type == JSON_NULL && quote.type == JSON_NULL ? ERR_NONE : ERR_MALFORMED;
    }
    if ((e = read_hex(nonce, r->nonce, sizeof r->nonce)) != ERR_NONE ||
        (e = read_base64(quote, &c->quote)) != ERR_NONE)
        return e;
    r->evidence.quote = buffer_span(&c->quote);
    return ERR_NONE;
}

MUST_CHECK static enum err parse(struct call *c, struct attest_request *r)
{
    struct json_value document, nonce, tee_type, quote, certificates, event_log, key, ra_tls;
    const struct json_field fields[] = {
        {"nonce",        JSON_STRING, false, &nonce       },
        {"tee_type",     JSON_STRING, true,  &tee_type    },
        {"quote",        JSON_STRING, false, &quote       },
        {"ra_tls",       JSON_TRUE,   false, &ra_tls      },
        {"certificates", JSON_STRING, false, &certificates},
        {"event_log",    JSON_ARRAY,  false, &event_log   },
        {"public_key",   JSON_STRING, true,  &key         },
    };

    if (json_parse(c->request->body, &document, NULL) != ERR_NONE) {
        call_refuse(c, 400, "bad_json", "Failed to parse the request body as JSON");
        return ERR_MALFORMED;
    }
    if (json_object_read(document, fields, COUNT_OF(fields), false, NULL) != ERR_NONE ||
        read_presented(c, nonce, quote, ra_tls, r) != ERR_NONE ||
        read_hex(key, r->key, sizeof r->key) != ERR_NONE ||
        json_string_plain(tee_type, &r->evidence.tee_type) != ERR_NONE ||
        (certificates.type != JSON_NULL &&
         read_base64(certificates, &c->certificates) != ERR_NONE)) {
        call_refuse(c, 400, "bad_field",
                    "Needed: nonce (64 hex digits) and quote (base64), or ra_tls (true); tee_type, "
                    "public_key (64 hex digits); allowed: certificates (base64), event_log "
                    "(array); nothing else");
        return ERR_MALFORMED;
    }
    r->evidence.certificates = buffer_span(&c->certificates);
    if (event_log.type != JSON_NULL)
        r->evidence.event_log = event_log.raw;
    return ERR_NONE;
}

void route_attest(struct call *c, struct service_thread *thread)
{
    struct attest_request r = {0};

    if (parse(c, &r) == ERR_NONE)
        call_operate(c, thread, OPERATION_ATTEST, &r);
    call_finish(c);
}

void route_own_evidence(struct call *c, struct service_thread *thread)
{
    char text[2 * IDENTITY_NONCE_MAX + 1];
    uint8_t nonce[IDENTITY_NONCE_MAX];
    size_t size = 0;
    enum err e = http_query(c->request->query, "nonce", text, sizeof text, &size);

    (void)thread;
    if (e == ERR_NONE)
        e = hex_read(span_of(text, size), nonce, size / 2);
    if (e == ERR_NONE)
        e = service_own_evidence(c->server->svc, span_of(nonce, size / 2), c->now, &c->body);
    if (e == ERR_MALFORMED || e == ERR_NOT_FOUND || e == ERR_TOO_LARGE)
        call_refuse(c, 400, "bad_nonce", "nonce is 16 to 64 random bytes in hex");
    else if (e == ERR_UNSUPPORTED)
        call_refuse(c, 404, "no_evidence", "This machine has no evidence of its own to give");
    else
        call_answer(c, e);
    call_finish(c);
}
