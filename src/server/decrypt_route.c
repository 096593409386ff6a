/* POST /decrypt: reads JSON into one checked struct. No later code reads raw input. */
#include <stdio.h>
#include <string.h>

#include "keys/seed.h"
#include "server/fields.h"
#include "server/requests.h"

/* The members of a request; JSON_NULL when absent. */
struct members {
    struct json_value encrypted, attestation, task_id, seed, repo, branch, owner, profile, accessor;
    struct json_value seal, receipt;
};

/* The request, and the memory from which it borrows. */
struct parsed {
    struct decrypt_request request;
    char seed[SEED_MAX_SIZE + 1];
    char task_id[TASK_ID_MAX + 1];
};

MUST_CHECK static enum err bad_request(struct call *c, const char *code, const char *text)
{
    return fields_refuse(c, ERR_MALFORMED, code, text);
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

MUST_CHECK static enum err read_envelope(struct call *c, struct json_value value,
                                         struct decrypt_request *r)
{
    enum err e = field_base64(c, value, &r->envelope);

    return e == ERR_NONE ? e
                         : fields_refuse(c, e, "bad_base64", "Invalid base64: encrypted_secrets");
}

MUST_CHECK static enum err read_task_id(struct call *c, struct json_value value, struct parsed *p)
{
    size_t size = 0;

    if (value.type == JSON_NULL)
        return ERR_NONE;
    if (json_string(value, p->task_id, TASK_ID_MAX, &size) != ERR_NONE)
        return bad_request(c, "bad_field", "task_id is longer than 256 bytes");
    p->request.task_id = span_of(p->task_id, size);
    return ERR_NONE;
}

static const struct {
    const char *type;
    enum accessor_kind kind;
    const char *name; /* the member that contains the name */
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
            return field_plain(branch, &a->branch);
        return ERR_NONE;
    }
    return ERR_MALFORMED;
}

/* Chooses the key: a seed, an accessor, the repo form, or none for the global key; never two at
 * once. */
MUST_CHECK static enum err read_key(struct call *c, const struct members *m, struct parsed *p)
{
    struct accessor a = {0};
    int ways =
        (m->seed.type != JSON_NULL) + (m->repo.type != JSON_NULL) + (m->accessor.type != JSON_NULL);
    size_t size = 0;
    enum err e = ERR_NONE;

    if (ways > 1)
        return bad_request(c, "bad_key", "Name the key by one of seed, repo or accessor");
    /* refused: to ignore a branch with an accessor, or an owner without a repo, would select
     * another key */
    if ((m->branch.type != JSON_NULL && m->repo.type == JSON_NULL) ||
        (m->owner.type != JSON_NULL && m->repo.type == JSON_NULL && m->accessor.type == JSON_NULL))
        return bad_request(c, "bad_key", "owner and branch go with repo, owner with accessor");
    if (ways == 0)
        return ERR_NONE;
    if (m->seed.type != JSON_NULL) {
        if (json_string(m->seed, p->seed, SEED_MAX_SIZE, &size) != ERR_NONE ||
            seed_check(span_of(p->seed, size)) != ERR_NONE)
            return bad_request(c, "bad_key", "seed is not 1 to 1024 bytes of text");
        p->request.seed = span_of(p->seed, size);
        return ERR_NONE;
    }
    if (m->accessor.type != JSON_NULL)
        e = read_accessor(m->accessor, &a);
    else
        e = field_plain(m->repo, &a.name);
    if (m->repo.type != JSON_NULL && e == ERR_NONE)
        e = field_plain(m->branch, &a.branch);
    if (e != ERR_NONE || field_plain(m->owner, &a.owner) != ERR_NONE ||
        field_plain(m->profile, &a.profile) != ERR_NONE ||
        seed_build(&a, p->seed, sizeof p->seed) != ERR_NONE)
        return bad_request(c, "bad_key",
                           "The accessor or its owner has another form than required");
    p->request.seed = span_string(p->seed);
    return ERR_NONE;
}

MUST_CHECK static enum err read_worker_key(struct json_value value, struct decrypt_request *r)
{
    if (value.type == JSON_NULL)
        return ERR_NONE;
    r->has_worker_key = true;
    return field_hex(value, r->worker_key, X25519_SIZE);
}

MUST_CHECK static enum err refuse_base64(struct call *c, enum err e, const char *member)
{
    char text[64];

    (void)snprintf(text, sizeof text, "Invalid base64: attestation.%s", member);
    return fields_refuse(c, e, "bad_base64", text);
}

MUST_CHECK static enum err read_evidence(struct call *c, struct json_value object,
                                         struct decrypt_request *r)
{
    struct evidence_members evidence;
    struct json_value key, timestamp;
    const struct json_field fields[] = {
        EVIDENCE_FIELDS(evidence, true),
        {"worker_pubkey", JSON_STRING, false, &key      },
        {"timestamp",     JSON_NUMBER, true,  &timestamp},
    };
    const char *bad = "";
    enum err e;

    if (json_object_read(object, fields, COUNT_OF(fields), true, NULL) != ERR_NONE ||
        json_int64(timestamp, &r->timestamp) != ERR_NONE || r->timestamp < 0 ||
        r->timestamp > INT64_MAX / 2000)
        return bad_request(c, "bad_field", "attestation needs tee_type, quote and timestamp");
    e = evidence_read(c, &evidence, &r->evidence, &bad);
    if (e == ERR_MALFORMED && strcmp(bad, "tee_type") == 0)
        return bad_request(c, "bad_field", "attestation needs tee_type, quote and timestamp");
    if (e != ERR_NONE)
        return refuse_base64(c, e, bad);
    if (read_worker_key(key, r) != ERR_NONE)
        return bad_request(c, "bad_field", "worker_pubkey is not 64 hex digits of X25519");
    r->has_evidence = true;
    return ERR_NONE;
}

MUST_CHECK static enum err parse(struct call *c, struct parsed *p)
{
    struct decrypt_request *r = &p->request;
    struct members m = {0};
    enum err e;

    if ((e = read_members(c, &m)) != ERR_NONE ||
        (e = read_envelope(c, m.encrypted, r)) != ERR_NONE ||
        (e = read_task_id(c, m.task_id, p)) != ERR_NONE || (e = read_key(c, &m, p)) != ERR_NONE)
        return e;
    r->body = c->request->body;
    r->seal = m.seal.type == JSON_TRUE;
    r->wants_receipt = m.receipt.type == JSON_TRUE;
    if (http_header(c->request, "x-tee-session", &r->session) && r->session.size > 0)
        return ERR_NONE; /* the session is the attestation; an object next to it is ignored */
    r->session = (struct span){0};
    return m.attestation.type == JSON_NULL ? ERR_NONE : read_evidence(c, m.attestation, r);
}

enum err decrypt_request_read(struct call *c, const struct decrypt_request **out)
{
    void *memory = NULL;
    struct parsed *p;
    enum err e = call_allocate(c, sizeof *p, &memory);

    if (e != ERR_NONE) {
        call_answer(c, e);
        return e;
    }
    p = memory;
    *out = &p->request;
    return parse(c, p);
}

static void decide(struct call *c, struct service_thread *thread)
{
    call_operate(c, thread, OPERATION_OPEN, c->parsed);
    call_finish(c);
}

static void decide_later(struct executor_job *job, struct service_thread *thread)
{
    decide((struct call *)((char *)job - offsetof(struct call, job)), thread);
}

void route_decrypt(struct call *c, struct service_thread *thread)
{
    const struct decrypt_request *r = NULL;

    if (decrypt_request_read(c, &r) != ERR_NONE) {
        call_finish(c);
        return;
    }
    c->parsed = r;
    if (r->has_evidence)
        call_submit(c, EXECUTOR_ATTEST, decide_later); /* it takes longer than a loop may */
    else
        decide(c, thread);
}
