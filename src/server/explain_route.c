/* POST /v1/attest/explain. */
#include "server/fields.h"
#include "server/requests.h"
#include "service/explain.h"

static const char needed[] =
    "Needed: tee_type, quote (base64); allowed: certificates (base64, at most 64 KiB), event_log "
    "(array), policy (a name), nonce and public_key (64 hex digits each, together); nothing else";

/* Both members, or neither. */
MUST_CHECK static enum err read_binding(struct json_value nonce, struct json_value key,
                                        struct explain_request *r)
{
    enum err e;

    if (nonce.type == JSON_NULL && key.type == JSON_NULL)
        return ERR_NONE;
    if ((e = field_hex(nonce, r->nonce, sizeof r->nonce)) == ERR_NONE)
        e = field_hex(key, r->key, sizeof r->key);
    r->has_binding = e == ERR_NONE;
    return e;
}

/* Which of Intel's sets judges; the standard one by default. */
MUST_CHECK static enum err read_update(struct json_value value, bool *early)
{
    *early = json_string_equal(value, "early");
    return *early || value.type == JSON_NULL || json_string_equal(value, "standard")
               ? ERR_NONE
               : ERR_MALFORMED;
}

enum err explain_request_read(struct call *c, struct explain_request *r)
{
    struct evidence_members evidence;
    struct json_value policy, nonce, key, update;
    const struct json_field fields[] = {
        EVIDENCE_FIELDS(evidence, true),         {"policy",     JSON_STRING, false, &policy},
        {"nonce",      JSON_STRING, false, &nonce },
                  {"public_key", JSON_STRING, false, &key   },
        {"update",     JSON_STRING, false, &update},
    };
    enum err e = body_read(c, fields, COUNT_OF(fields), needed);

    if (e != ERR_NONE)
        return e;
    if ((e = evidence_read_checked(c, &evidence, &r->evidence)) != ERR_NONE ||
        (e = field_string(policy, r->policy, sizeof r->policy)) != ERR_NONE ||
        (e = read_update(update, &r->early)) != ERR_NONE ||
        (e = read_binding(nonce, key, r)) != ERR_NONE)
        return fields_refuse(c, e, "bad_field", needed);
    return ERR_NONE;
}

void route_attest_explain(struct call *c, struct service_thread *thread)
{
    struct explain_request r = {0};

    if (explain_request_read(c, &r) == ERR_NONE)
        call_operate(c, thread, OPERATION_EXPLAIN, &r);
    call_finish(c);
}
