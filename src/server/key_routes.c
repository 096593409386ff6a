/* GET /pubkey, POST /pubkey, GET /v1/pubkey. */
#include <string.h>

#include "base/text.h"
#include "codec/base58.h"
#include "keys/seed.h"
#include "server/fields.h"
#include "server/render.h"
#include "server/requests.h"
#include "service/identity.h"

/* The repo form of a query: `repo` with `owner` and perhaps `branch`. */
struct repo_query {
    char repo[SEED_MAX_SIZE + 1], owner[SEED_MAX_SIZE + 1], branch[SEED_MAX_SIZE + 1];
};

MUST_CHECK static enum err read_part(struct span query, const char *name, char *out,
                                     struct span *part)
{
    size_t size = 0;
    enum err e = http_query(query, name, out, SEED_MAX_SIZE + 1, &size);

    if (e == ERR_NONE)
        *part = span_of(out, size);
    return e == ERR_NONE || e == ERR_NOT_FOUND ? e : ERR_MALFORMED;
}

MUST_CHECK static enum err seed_of_repo(struct span query, struct repo_query *q,
                                        char seed[SEED_MAX_SIZE + 1])
{
    struct accessor a = {.kind = ACCESSOR_REPO};
    enum err repo = read_part(query, "repo", q->repo, &a.name);
    enum err owner = read_part(query, "owner", q->owner, &a.owner);
    enum err branch = read_part(query, "branch", q->branch, &a.branch);

    if (repo == ERR_NOT_FOUND && owner == ERR_NOT_FOUND && branch == ERR_NOT_FOUND)
        return ERR_NOT_FOUND;
    if (repo != ERR_NONE || owner != ERR_NONE || branch == ERR_MALFORMED ||
        seed_build(&a, seed, SEED_MAX_SIZE + 1) != ERR_NONE)
        return ERR_MALFORMED;
    return ERR_NONE;
}

/*
 * The seed in the query, in the call's memory: `seed`, or `repo` with `owner` and perhaps `branch`.
 * ERR_NOT_FOUND there is none; ERR_MALFORMED, ERR_MEMORY
 */
enum err seed_query_read(struct call *c, struct span *out)
{
    static const char *const names[] = {"seed", "repo", "owner", "branch", "nonce"};
    const struct span query = c->request->query;
    void *memory = NULL;
    char *seed;
    size_t size = 0;
    enum err e;

    if (query.size == 0)
        return ERR_NOT_FOUND;
    if (!query_has_only(query, names, COUNT_OF(names)))
        return ERR_MALFORMED;
    if ((e = call_allocate(c, SEED_MAX_SIZE + 1 + sizeof(struct repo_query), &memory)) != ERR_NONE)
        return e;
    seed = memory;
    e = http_query(query, "seed", seed, SEED_MAX_SIZE + 1, &size);
    if (e == ERR_NOT_FOUND) {
        if ((e = seed_of_repo(query, (void *)(seed + SEED_MAX_SIZE + 1), seed)) == ERR_NONE)
            *out = span_string(seed);
        return e;
    }
    *out = span_of(seed, size);
    return e == ERR_NONE && seed_check(*out) == ERR_NONE ? ERR_NONE : ERR_MALFORMED;
}

static void refuse_seed(struct call *c, enum err e)
{
    if (e == ERR_MEMORY)
        call_answer(c, e);
    else
        call_refuse(c, 400, "bad_key",
                    "Failed to deserialize query string: the seed is 1 to 1024 bytes of text, or "
                    "repo and owner have another form than required");
}

MUST_CHECK static enum err write_public_key(struct call *c, const uint8_t key[X25519_SIZE],
                                            bool with_pubkey)
{
    char hex[2 * X25519_SIZE + 1];
    char base58[BASE58_TEXT_SIZE(X25519_SIZE)];
    enum err e;

    hex_write(span_of(key, X25519_SIZE), hex);
    if ((e = base58_write(span_of(key, X25519_SIZE), base58, sizeof base58)) != ERR_NONE)
        return e;
    /* the scripts of OutLayer's two generations read one name each (spec: OutLayer 3.2) */
    if (with_pubkey && (e = buffer_printf(&c->body, "{\"pubkey\":\"%s\",", hex)) != ERR_NONE)
        return e;
    return buffer_printf(&c->body,
                         "%s\"public_key_hex\":\"%s\",\"public_key_base58\":\"X25519:%s\"}",
                         with_pubkey ? "" : "{", hex, base58);
}

void route_pubkey(struct call *c, struct service_thread *thread)
{
    const struct service *svc = c->server->svc;
    struct span seed = {0};
    uint8_t key[X25519_SIZE];
    enum err e = seed_query_read(c, &seed);

    if (e == ERR_NOT_FOUND) {
        service_public_key(svc, thread, seed, key);
        call_answer(c, write_public_key(c, key, false));
    } else if (e != ERR_NONE) {
        refuse_seed(c, e);
    } else {
        service_public_key(svc, thread, seed, key);
        call_answer(c, write_public_key(c, key, true));
    }
    call_finish(c);
}

static void answer_statement(struct call *c, struct service_thread *thread, struct span seed,
                             struct span nonce)
{
    struct public_key_statement statement;
    enum err e = service_public_key_statement(c->server->svc, thread, seed, nonce, &statement);

    call_answer(c,
                e == ERR_NONE ? render_public_key_statement(&statement, seed, nonce, &c->body) : e);
}

void route_signed_pubkey(struct call *c, struct service_thread *thread)
{
    uint8_t nonce[IDENTITY_NONCE_MAX];
    size_t size = 0;
    struct span seed = {0};
    enum err e = seed_query_read(c, &seed);

    if (e != ERR_NONE && e != ERR_NOT_FOUND)
        refuse_seed(c, e);
    else if (query_hex(c, "nonce", nonce, sizeof nonce, &size) == ERR_MALFORMED)
        call_refuse(c, 400, "bad_nonce", "nonce is at most 64 bytes in hex");
    else
        answer_statement(c, thread, seed, span_of(nonce, size));
    call_finish(c);
}

/* Checks the names in secrets_json against those that the contract reserves (spec: OutLayer
 * 3.3). */
MUST_CHECK static enum err check_name(struct call *c, struct json_value value)
{
    void *memory = NULL;
    size_t size = 0;
    enum err e = call_allocate(c, value.raw.size, &memory);
    struct span name;

    if (e == ERR_NONE)
        e = json_string(value, memory, value.raw.size, &size);
    if (e != ERR_NONE)
        return fields_refuse(c, e, "bad_json", "Invalid JSON format: secrets_json");
    name = span_of(memory, size);
    if (secret_name_is_reserved(name))
        return fields_refuse(c, ERR_MALFORMED, "reserved_name",
                             "Cannot use reserved system keywords as secret keys");
    if (secret_name_is_protected(name))
        return fields_refuse(c, ERR_MALFORMED, "protected_name",
                             "Manual secrets cannot use 'PROTECTED_' prefix (reserved for "
                             "auto-generated secrets)");
    return ERR_NONE;
}

/* It contains the user's secrets, so it is in the call's memory, which is wiped. */
MUST_CHECK static enum err check_secrets_json(struct call *c, struct json_value value)
{
    struct json_value secrets = {0}, name, member;
    struct json_iterator i = {0};
    void *memory = NULL;
    size_t size = 0;
    enum err e = call_allocate(c, value.raw.size, &memory);

    if (e == ERR_NONE)
        e = json_string(value, memory, value.raw.size, &size);
    if (e == ERR_NONE)
        e = json_parse(span_of(memory, size), &secrets, NULL);
    if (e != ERR_NONE || secrets.type != JSON_OBJECT)
        return fields_refuse(c, e != ERR_NONE ? e : ERR_MALFORMED, "bad_json",
                             "Invalid JSON format: secrets_json is not an object");
    while (json_next(secrets, &i, &name, &member))
        if ((e = check_name(c, name)) != ERR_NONE)
            return e;
    return ERR_NONE;
}

enum err pubkey_request_read(struct call *c, struct span *out)
{
    struct json_value document, seed, secrets;
    const struct json_field fields[] = {
        {"seed",         JSON_STRING, true, &seed   },
        {"secrets_json", JSON_STRING, true, &secrets},
    };
    void *text = NULL;
    size_t size = 0;
    enum err e = call_allocate(c, SEED_MAX_SIZE + 1, &text);

    if (e != ERR_NONE) {
        call_answer(c, e);
        return e;
    }
    if (json_parse(c->request->body, &document, NULL) != ERR_NONE) {
        call_refuse(c, 400, "bad_json", "Failed to parse the request body as JSON");
        return ERR_MALFORMED;
    }
    if (json_object_read(document, fields, COUNT_OF(fields), true, NULL) != ERR_NONE ||
        json_string(seed, text, SEED_MAX_SIZE, &size) != ERR_NONE ||
        seed_check(span_of(text, size)) != ERR_NONE) {
        call_refuse(c, 422, "bad_field",
                    "Failed to deserialize the JSON body into the target type: needed are seed "
                    "and secrets_json");
        return ERR_MALFORMED;
    }
    *out = span_of(text, size);
    return check_secrets_json(c, secrets);
}

void route_pubkey_post(struct call *c, struct service_thread *thread)
{
    struct span seed = {0};
    uint8_t key[X25519_SIZE];

    if (pubkey_request_read(c, &seed) == ERR_NONE) {
        service_public_key(c->server->svc, thread, seed, key);
        call_answer(c, write_public_key(c, key, true));
    }
    call_finish(c);
}
