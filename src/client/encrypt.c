#include "client/client.h"

#include <string.h>

#include "client/reply.h"
#include "codec/json.h"
#include "crypto/envelope.h"
#include "keys/seed.h"

#define SECRET_NAME_MAX 256

_Static_assert((int)VS_FORMAT_HPKE == ENVELOPE_HPKE && (int)VS_FORMAT_ECIES == ENVELOPE_ECIES,
               "formats");
_Static_assert(VS_ENVELOPE_OVERHEAD >= ENVELOPE_ECIES_OVERHEAD &&
                   VS_ENVELOPE_OVERHEAD >= ENVELOPE_HPKE_OVERHEAD,
               "overhead");

/* HPKE's info has one length byte for the seed. A longer seed is bound by its SHA-256. */
static struct span key_id_of_seed(const char *seed, uint8_t hash[SHA256_SIZE])
{
    const struct span text = span_string(seed);

    if (text.size <= UINT8_MAX)
        return text;
    sha256(text, hash);
    return span_of(hash, SHA256_SIZE);
}

enum vs_error vs_encrypt(const struct vs_public_key *to, enum vs_format format,
                         struct vs_bytes plain, uint8_t *out, size_t capacity, size_t *size)
{
    uint8_t hash[SHA256_SIZE];
    size_t overhead;

    if (to == NULL || out == NULL || size == NULL || (plain.data == NULL && plain.size > 0) ||
        memchr(to->seed, 0, sizeof to->seed) == NULL)
        return VS_ERR_ARGUMENT;
    if (format != VS_FORMAT_HPKE && format != VS_FORMAT_ECIES)
        return VS_ERR_UNSUPPORTED;
    overhead = format == VS_FORMAT_HPKE ? ENVELOPE_HPKE_OVERHEAD : ENVELOPE_ECIES_OVERHEAD;
    if (plain.size > VS_ENVELOPE_MAX - overhead || capacity < plain.size + overhead)
        return VS_ERR_TOO_LARGE;
    const struct envelope_context context = {
        .key_id = key_id_of_seed(to->seed, hash),
        .key_version = to->version,
    };
    enum err e = envelope_seal((uint8_t)format, to->key, &context, span_of_bytes(plain), NULL, out);
    if (e == ERR_NONE)
        *size = plain.size + overhead;
    return error_of(e);
}

MUST_CHECK static enum vs_error secret_member_check(struct json_value name, struct json_value value,
                                                    struct vs_why *why)
{
    char text[SECRET_NAME_MAX + 1];
    size_t size = 0;

    if (json_string(name, text, SECRET_NAME_MAX, &size) != ERR_NONE || size == 0 ||
        memchr(text, 0, size) != NULL)
        return why_fail(why, VS_ERR_MALFORMED, "a secret's name is empty or longer than %d bytes",
                        SECRET_NAME_MAX);
    text[size] = '\0';
    const bool reserved = secret_name_is_reserved(span_of(text, size)) ||
                          secret_name_is_protected(span_of(text, size));
    text_make_printable(text);
    if (reserved)
        return why_fail(why, VS_ERR_RESERVED,
                        "the name %s is reserved for what the system sets itself; rename it", text);
    if (value.type != JSON_STRING)
        return why_fail(why, VS_ERR_MALFORMED, "the value of %s is not a string; put it in quotes",
                        text);
    return VS_OK;
}

enum vs_error vs_secrets_check(struct vs_bytes json, struct vs_why *why)
{
    struct json_value document, name, value;
    struct json_iterator i = {0};
    size_t offset = 0;
    enum vs_error e = VS_OK;
    enum err parsed;

    if (json.data == NULL && json.size > 0)
        return VS_ERR_ARGUMENT;
    parsed = json_parse(span_of_bytes(json), &document, &offset);
    if (parsed == ERR_TOO_LARGE)
        return why_fail(why, VS_ERR_MALFORMED, "more than %d secrets in one object",
                        JSON_MEMBERS_MAX);
    if (parsed != ERR_NONE)
        return why_fail(why, VS_ERR_MALFORMED, "not valid JSON near byte %zu", offset);
    if (document.type != JSON_OBJECT)
        return why_fail(why, VS_ERR_MALFORMED, "not a JSON object of names and strings");
    while (e == VS_OK && json_next(document, &i, &name, &value))
        e = secret_member_check(name, value, why);
    return e;
}
