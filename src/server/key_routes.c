/* GET /pubkey, POST /pubkey, GET /v1/pubkey. */
#include <string.h>

#include "base/text.h"
#include "codec/base58.h"
#include "codec/json.h"
#include "keys/seed.h"
#include "server/call.h"
#include "service/identity.h"

/* Whether every parameter of the query is one of `names`: a misspelt one would name another key. */
static bool query_has_only(struct span query, const char *const *names, size_t count)
{
    while (query.size > 0) {
        const uint8_t *end = memchr(query.data, '&', query.size);
        size_t size = end ? (size_t)(end - query.data) : query.size;
        const uint8_t *equals = memchr(query.data, '=', size);
        struct span name = span_of(query.data, equals ? (size_t)(equals - query.data) : size);
        size_t i = 0;

        while (i < count && !span_equal_string(name, names[i]))
            i++;
        if (i == count)
            return false;
        query = span_slice(query, size + 1, query.size);
    }
    return true;
}

/*
 * The seed the query names, in c->seed: `seed`, or `repo` with `owner` and perhaps `branch`.
 * ERR_NOT_FOUND when it names none.
 */
MUST_CHECK static enum err seed_of_query(struct call *c, struct span *out)
{
    struct span query = c->request->query;
    char repo[SEED_MAX_SIZE + 1], owner[SEED_MAX_SIZE + 1], branch[SEED_MAX_SIZE + 1];
    static const char *const names[] = {"seed", "repo", "owner", "branch", "nonce"};
    struct accessor a = {.kind = ACCESSOR_REPO};
    size_t size = 0;
    enum err e = http_query(query, "seed", c->seed, sizeof c->seed, &size);

    if (!query_has_only(query, names, COUNT_OF(names)))
        return ERR_MALFORMED;
    if (e != ERR_NOT_FOUND) {
        *out = span_of(c->seed, size);
        return e == ERR_NONE && seed_check(*out) == ERR_NONE ? ERR_NONE : ERR_MALFORMED;
    }
    if ((e = http_query(query, "repo", repo, sizeof repo, &size)) == ERR_NOT_FOUND &&
        http_query(query, "owner", owner, sizeof owner, &size) == ERR_NOT_FOUND &&
        http_query(query, "branch", branch, sizeof branch, &size) == ERR_NOT_FOUND)
        return ERR_NOT_FOUND;
    if (e != ERR_NONE)
        return ERR_MALFORMED;
    a.name = span_of(repo, size);
    if (http_query(query, "owner", owner, sizeof owner, &size) != ERR_NONE)
        return ERR_MALFORMED;
    a.owner = span_of(owner, size);
    e = http_query(query, "branch", branch, sizeof branch, &size);
    if (e == ERR_NONE)
        a.branch = span_of(branch, size);
    else if (e != ERR_NOT_FOUND)
        return ERR_MALFORMED;
    if (seed_build(&a, c->seed, sizeof c->seed) != ERR_NONE)
        return ERR_MALFORMED;
    *out = span_string(c->seed);
    return ERR_NONE;
}

static void refuse_seed(struct call *c)
{
    call_refuse(c, 400, "bad_key",
                "Failed to deserialize query string: the seed is 1 to 1024 bytes "
                "of text, or repo and owner have another form than required");
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
    /* the scripts of OutLayer's generations read either name (spec: OutLayer 3.2) */
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
    enum err e = seed_of_query(c, &seed);

    if (e == ERR_MALFORMED) {
        refuse_seed(c);
    } else if (e == ERR_NOT_FOUND) {
        call_answer(c, write_public_key(c, svc->global_key, false));
    } else {
        service_public_key(svc, thread, root_current(svc->root), seed, key);
        call_answer(c, write_public_key(c, key, true));
    }
    call_finish(c);
}

void route_signed_pubkey(struct call *c, struct service_thread *thread)
{
    char text[2 * IDENTITY_NONCE_MAX + 1];
    uint8_t nonce[IDENTITY_NONCE_MAX];
    size_t size = 0;
    struct span seed = {0};
    enum err e = seed_of_query(c, &seed);

    if (e == ERR_MALFORMED) {
        refuse_seed(c);
        call_finish(c);
        return;
    }
    e = http_query(c->request->query, "nonce", text, sizeof text, &size);
    if (e == ERR_NONE)
        e = hex_read(span_of(text, size), nonce, size / 2);
    else if (e == ERR_NOT_FOUND)
        e = ERR_NONE;
    if (e != ERR_NONE)
        call_refuse(c, 400, "bad_nonce", "nonce is at most 64 bytes in hex");
    else
        call_answer(c, service_signed_public_key(c->server->svc, thread, seed,
                                                 span_of(nonce, size / 2), &c->body));
    call_finish(c);
}

/* The names in secrets_json, checked against what the contract reserves (spec: OutLayer 3.3). */
MUST_CHECK static enum err check_names(struct call *c, struct json_value secrets)
{
    struct json_iterator i = {0};
    struct json_value name, value;
    size_t size = 0;

    while (json_next(secrets, &i, &name, &value)) {
        c->quote.size = 0; /* no quote on this route: the buffer is free for names */
        if (buffer_reserve(&c->quote, name.raw.size) != ERR_NONE ||
            json_string(name, c->quote.data, c->quote.capacity, &size) != ERR_NONE) {
            call_refuse(c, 503, "overloaded", "Out of memory; try again");
            return ERR_MEMORY;
        }
        c->quote.size = size;
        if (secret_name_is_reserved(buffer_span(&c->quote))) {
            call_refuse(c, 400, "reserved_name",
                        "Cannot use reserved system keywords as secret keys");
            return ERR_MALFORMED;
        }
        if (secret_name_is_protected(buffer_span(&c->quote))) {
            call_refuse(c, 400, "protected_name",
                        "Manual secrets cannot use 'PROTECTED_' prefix (reserved for "
                        "auto-generated secrets)");
            return ERR_MALFORMED;
        }
    }
    return ERR_NONE;
}

MUST_CHECK static enum err check_secrets_json(struct call *c, struct json_value value)
{
    struct json_value secrets;
    size_t size = 0;
    enum err e = buffer_reserve(&c->scratch, value.raw.size);

    if (e == ERR_NONE)
        e = json_string(value, c->scratch.data, c->scratch.capacity, &size);
    if (e == ERR_NONE)
        c->scratch.size = size; /* wiped when the call ends: these are the user's secrets */
    if (e != ERR_NONE || json_parse(buffer_span(&c->scratch), &secrets, NULL) != ERR_NONE ||
        secrets.type != JSON_OBJECT) {
        call_refuse(c, 400, "bad_json", "Invalid JSON format: secrets_json is not an object");
        return ERR_MALFORMED;
    }
    return check_names(c, secrets);
}

void route_pubkey_post(struct call *c, struct service_thread *thread)
{
    const struct service *svc = c->server->svc;
    struct json_value document, seed, secrets;
    const struct json_field fields[] = {
        {"seed",         JSON_STRING, true, &seed   },
        {"secrets_json", JSON_STRING, true, &secrets},
    };
    uint8_t key[X25519_SIZE];
    size_t size = 0;

    if (json_parse(c->request->body, &document, NULL) != ERR_NONE) {
        call_refuse(c, 400, "bad_json", "Failed to parse the request body as JSON");
    } else if (json_object_read(document, fields, COUNT_OF(fields), true, NULL) != ERR_NONE ||
               json_string(seed, c->seed, SEED_MAX_SIZE, &size) != ERR_NONE ||
               seed_check(span_of(c->seed, size)) != ERR_NONE) {
        call_refuse(c, 422, "bad_field",
                    "Failed to deserialize the JSON body into the target type: needed are seed "
                    "and secrets_json");
    } else if (check_secrets_json(c, secrets) == ERR_NONE) {
        service_public_key(svc, thread, root_current(svc->root), span_of(c->seed, size), key);
        call_answer(c, write_public_key(c, key, true));
    }
    call_finish(c);
}
