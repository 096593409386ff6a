/* POST /v1/attest/explain. */
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "server/call.h"
#include "service/explain.h"

MUST_CHECK static enum err read_hex(struct json_value value, uint8_t *out, size_t size)
{
    struct span text;
    enum err e = json_string_plain(value, &text);

    return e != ERR_NONE ? e : hex_read(text, out, size);
}

/* An absent member leaves the buffer empty. */
MUST_CHECK static enum err read_base64(struct json_value value, struct buffer *out)
{
    struct span text;
    enum err e;

    if (value.type == JSON_NULL)
        return ERR_NONE;
    if ((e = json_string_plain(value, &text)) != ERR_NONE ||
        (e = buffer_reserve(out, text.size)) != ERR_NONE)
        return e;
    return base64_read(text, out->data, out->capacity, &out->size);
}

MUST_CHECK static enum err read_name(struct json_value value, char *out, size_t size)
{
    struct span text;
    enum err e;

    if (value.type == JSON_NULL)
        return ERR_NONE;
    e = json_string_plain(value, &text);
    return e != ERR_NONE ? e : span_to_string(text, out, size);
}

/* Both or neither. */
MUST_CHECK static enum err read_binding(struct json_value nonce, struct json_value key,
                                        struct explain_request *r)
{
    enum err e;

    if (nonce.type == JSON_NULL && key.type == JSON_NULL)
        return ERR_NONE;
    e = read_hex(nonce, r->nonce, sizeof r->nonce);
    if (e == ERR_NONE)
        e = read_hex(key, r->key, sizeof r->key);
    r->has_binding = e == ERR_NONE;
    return e;
}

MUST_CHECK static enum err parse(struct call *c, struct explain_request *r)
{
    struct json_value document, tee_type, quote, certificates, event_log, policy, nonce, key;
    const struct json_field fields[] = {
        {"tee_type",     JSON_STRING, true,  &tee_type    },
        {"quote",        JSON_STRING, true,  &quote       },
        {"certificates", JSON_STRING, false, &certificates},
        {"event_log",    JSON_ARRAY,  false, &event_log   },
        {"policy",       JSON_STRING, false, &policy      },
        {"nonce",        JSON_STRING, false, &nonce       },
        {"public_key",   JSON_STRING, false, &key         },
    };

    if (json_parse(c->request->body, &document, NULL) != ERR_NONE) {
        call_refuse(c, 400, "bad_json", "Failed to parse the request body as JSON");
        return ERR_MALFORMED;
    }
    if (json_object_read(document, fields, COUNT_OF(fields), false, NULL) != ERR_NONE ||
        json_string_plain(tee_type, &r->evidence.tee_type) != ERR_NONE ||
        read_base64(quote, &c->quote) != ERR_NONE ||
        read_base64(certificates, &c->certificates) != ERR_NONE ||
        c->certificates.size > ATTEST_CHAIN_MAX ||
        read_name(policy, r->policy, sizeof r->policy) != ERR_NONE ||
        read_binding(nonce, key, r) != ERR_NONE) {
        call_refuse(c, 400, "bad_field",
                    "Needed: tee_type, quote (base64); allowed: certificates (base64, at most 64 "
                    "KiB), event_log (array), policy (a name), nonce and public_key (64 hex digits "
                    "each, together); nothing else");
        return ERR_MALFORMED;
    }
    r->evidence.quote = buffer_span(&c->quote);
    r->evidence.certificates = buffer_span(&c->certificates);
    if (event_log.type != JSON_NULL)
        r->evidence.event_log = event_log.raw;
    return ERR_NONE;
}

void route_attest_explain(struct call *c, struct service_thread *thread)
{
    struct explain_request r = {0};

    if (parse(c, &r) == ERR_NONE)
        call_operate(c, thread, OPERATION_EXPLAIN, &r);
    call_finish(c);
}
