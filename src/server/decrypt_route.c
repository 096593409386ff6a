/* POST /decrypt: from JSON to one checked struct. After this nobody looks at raw input again. */
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "keys/seed.h"
#include "server/call.h"

/* The members of a request, as found; JSON_NULL when absent. */
struct members {
    struct json_value encrypted, attestation, task_id, seed, repo, branch, owner, profile, accessor;
    struct json_value seal, receipt;
};

MUST_CHECK static enum err bad_request(struct call *c, const char *code, const char *text)
{
    call_refuse(c, 400, code, text);
    return ERR_MALFORMED;
}

/* A string member without escapes as a span; the empty span when absent. */
MUST_CHECK static enum err plain_string(struct json_value value, struct span *out)
{
    *out = (struct span){0};
    return value.type == JSON_NULL ? ERR_NONE : json_string_plain(value, out);
}

MUST_CHECK static enum err read_members(struct call *c, struct members *m)
{
    const struct json_field fields[] = {
        {"encrypted_secrets", JSON_STRING, true,  &m->encrypted  },
        {"attestation",       JSON_OBJECT, false, &m->attestation},
        {"task_id",           JSON_STRING, false, &m->task_id    },
        {"seed",              JSON_STRING, false, &m->seed       },
        {"repo",              JSON_STRING, false, &m->repo       },
        {"branch",            JSON_STRING, false, &m->branch     },
        {"owner",             JSON_STRING, false, &m->owner      },
        {"profile",           JSON_STRING, false, &m->profile    },
        {"accessor",          JSON_OBJECT, false, &m->accessor   },
        {"seal",              JSON_TRUE,   false, &m->seal       },
        {"receipt",           JSON_TRUE,   false, &m->receipt    },
    };
    struct json_value document;
    const char *bad = "";
    char text[128];
    struct writer w = writer_over(text, sizeof text - 1);

    if (json_parse(c->request->body, &document, NULL) != ERR_NONE)
        return bad_request(c, "bad_json", "Failed to parse the request body as JSON");
    if (json_object_read(document, fields, COUNT_OF(fields), true, &bad) == ERR_NONE)
        return ERR_NONE;
    writer_put(&w, SPAN_LITERAL("Missing field, or of another type: "));
    writer_put(&w, span_string(*bad ? bad : "the body is not an object"));
    text[w.size] = '\0';
    return bad_request(c, "bad_field", text);
}

/* base64 that may hold JSON escapes ("\/") into a buffer of the call's. */
MUST_CHECK static enum err decode_base64(struct json_value value, struct buffer *out)
{
    size_t capacity = value.raw.size;
    size_t size = 0;
    struct span text;
    enum err e;

    if ((e = buffer_reserve(out, capacity)) != ERR_NONE)
        return e;
    if (json_string_plain(value, &text) == ERR_NONE)
        e = base64_read(text, out->data, capacity, &out->size);
    else if ((e = json_string(value, out->data, capacity, &size)) == ERR_NONE)
        e = base64_read(span_of(out->data, size), out->data, capacity, &out->size);
    return e;
}

MUST_CHECK static enum err read_envelope(struct call *c, struct json_value value)
{
    enum err e = decode_base64(value, &c->scratch);

    if (e == ERR_MEMORY) {
        call_refuse_err(c, e, err_code(e), err_text(e));
        return e;
    }
    if (e != ERR_NONE)
        return bad_request(c, "bad_base64", "Invalid base64: encrypted_secrets");
    c->decrypt.envelope = buffer_span(&c->scratch);
    return ERR_NONE;
}

MUST_CHECK static enum err read_task_id(struct call *c, struct json_value value)
{
    size_t size = 0;

    if (value.type == JSON_NULL)
        return ERR_NONE;
    if (json_string(value, c->task_id, TASK_ID_MAX, &size) != ERR_NONE)
        return bad_request(c, "bad_field", "task_id is longer than 256 bytes");
    c->decrypt.task_id = span_of(c->task_id, size);
    return ERR_NONE;
}

static const struct {
    const char *type;
    enum accessor_kind kind;
    const char *name; /* the member that holds the name */
} accessor_kinds[] = {
    {"Repo",     ACCESSOR_REPO,      "repo"       },
    {"WasmHash", ACCESSOR_WASM_HASH, "hash"       },
    {"Project",  ACCESSOR_PROJECT,   "project_id" },
    {"System",   ACCESSOR_SYSTEM,    "secret_type"},
};

MUST_CHECK static enum err read_accessor(struct json_value object, struct accessor *a)
{
    struct json_value type, name, branch;

    if (json_member(object, "type", &type) != ERR_NONE)
        return ERR_MALFORMED;
    for (size_t i = 0; i < COUNT_OF(accessor_kinds); i++) {
        if (!json_string_equal(type, accessor_kinds[i].type))
            continue;
        a->kind = accessor_kinds[i].kind;
        if (json_member(object, accessor_kinds[i].name, &name) != ERR_NONE ||
            json_string_plain(name, &a->name) != ERR_NONE)
            return ERR_MALFORMED;
        if (json_member(object, "branch", &branch) == ERR_NONE)
            return plain_string(branch, &a->branch);
        return ERR_NONE;
    }
    return ERR_MALFORMED;
}

/* Which key: a seed, an accessor, the repo form, or none for the global key; never two at once. */
MUST_CHECK static enum err read_key(struct call *c, const struct members *m)
{
    struct accessor a = {0};
    int ways =
        (m->seed.type != JSON_NULL) + (m->repo.type != JSON_NULL) + (m->accessor.type != JSON_NULL);
    size_t size = 0;
    enum err e = ERR_NONE;

    if (ways > 1)
        return bad_request(c, "bad_key", "Name the key by one of seed, repo or accessor");
    /* a branch beside an accessor, or an owner of nothing, would be ignored: another key than meant
     */
    if ((m->branch.type != JSON_NULL && m->repo.type == JSON_NULL) ||
        (m->owner.type != JSON_NULL && m->repo.type == JSON_NULL && m->accessor.type == JSON_NULL))
        return bad_request(c, "bad_key", "owner and branch go with repo, owner with accessor");
    if (ways == 0)
        return ERR_NONE;
    if (m->seed.type != JSON_NULL) {
        if (json_string(m->seed, c->seed, SEED_MAX_SIZE, &size) != ERR_NONE ||
            seed_check(span_of(c->seed, size)) != ERR_NONE)
            return bad_request(c, "bad_key", "seed is not 1 to 1024 bytes of text");
        c->decrypt.seed = span_of(c->seed, size);
        return ERR_NONE;
    }
    if (m->accessor.type != JSON_NULL)
        e = read_accessor(m->accessor, &a);
    else
        e = plain_string(m->repo, &a.name);
    if (m->repo.type != JSON_NULL && e == ERR_NONE)
        e = plain_string(m->branch, &a.branch);
    if (e != ERR_NONE || plain_string(m->owner, &a.owner) != ERR_NONE ||
        plain_string(m->profile, &a.profile) != ERR_NONE ||
        seed_build(&a, c->seed, sizeof c->seed) != ERR_NONE)
        return bad_request(c, "bad_key",
                           "The accessor or its owner has another form than required");
    c->decrypt.seed = span_string(c->seed);
    return ERR_NONE;
}

MUST_CHECK static enum err read_evidence(struct call *c, struct json_value object)
{
    struct json_value tee_type, quote, certificates, event_log, key, timestamp;
    const struct json_field fields[] = {
        {"tee_type",      JSON_STRING, true,  &tee_type    },
        {"quote",         JSON_STRING, true,  &quote       },
        {"certificates",  JSON_STRING, false, &certificates},
        {"event_log",     JSON_ARRAY,  false, &event_log   },
        {"worker_pubkey", JSON_STRING, false, &key         },
        {"timestamp",     JSON_NUMBER, true,  &timestamp   },
    };
    struct decrypt_request *r = &c->decrypt;
    struct span key_text;

    if (json_object_read(object, fields, COUNT_OF(fields), true, NULL) != ERR_NONE ||
        json_string_plain(tee_type, &r->evidence.tee_type) != ERR_NONE ||
        json_int64(timestamp, &r->timestamp) != ERR_NONE || r->timestamp < 0 ||
        r->timestamp > INT64_MAX / 2000)
        return bad_request(c, "bad_field", "attestation needs tee_type, quote and timestamp");
    if (decode_base64(quote, &c->quote) != ERR_NONE)
        return bad_request(c, "bad_base64", "Invalid base64: attestation.quote");
    if (certificates.type != JSON_NULL && decode_base64(certificates, &c->certificates) != ERR_NONE)
        return bad_request(c, "bad_base64", "Invalid base64: attestation.certificates");
    if (key.type != JSON_NULL) {
        if (plain_string(key, &key_text) != ERR_NONE ||
            hex_read(key_text, r->worker_key, X25519_SIZE) != ERR_NONE)
            return bad_request(c, "bad_field", "worker_pubkey is not 64 hex digits of X25519");
        r->has_worker_key = true;
    }
    r->has_evidence = true;
    r->evidence.quote = buffer_span(&c->quote);
    r->evidence.certificates = buffer_span(&c->certificates);
    if (event_log.type != JSON_NULL)
        r->evidence.event_log = event_log.raw;
    return ERR_NONE;
}

MUST_CHECK static enum err parse(struct call *c)
{
    struct members m;
    enum err e;

    if ((e = read_members(c, &m)) != ERR_NONE || (e = read_envelope(c, m.encrypted)) != ERR_NONE ||
        (e = read_task_id(c, m.task_id)) != ERR_NONE || (e = read_key(c, &m)) != ERR_NONE)
        return e;
    c->decrypt.body = c->request->body;
    c->decrypt.seal = m.seal.type == JSON_TRUE;
    c->wants_receipt = m.receipt.type == JSON_TRUE;
    if (http_header(c->request, "x-tee-session", &c->decrypt.session) &&
        c->decrypt.session.size > 0)
        return ERR_NONE; /* the session is the attestation; an object beside it is ignored */
    c->decrypt.session = (struct span){0};
    return m.attestation.type == JSON_NULL ? ERR_NONE : read_evidence(c, m.attestation);
}

static void decide(struct call *c, struct service_thread *thread)
{
    call_operate(c, thread, OPERATION_OPEN, &c->decrypt);
    call_finish(c);
}

static void decide_on_pool(struct pool_job *job, struct service_thread *thread)
{
    decide((struct call *)((char *)job - offsetof(struct call, job)), thread);
}

void route_decrypt(struct call *c, struct service_thread *thread)
{
    if (parse(c) != ERR_NONE) {
        call_finish(c);
        return;
    }
    if (!c->decrypt.has_evidence) {
        decide(c, thread);
        return;
    }
    call_to_pool(c, decide_on_pool); /* verifying a quote takes longer than a loop may */
}
