#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "codec/json.h"
#include "crypto/rsa.h"
#include "keys/algorithm.h"
#include "keys/public_form.h"

/* The names of curves: RFC 7518 section 6.2.1.1, RFC 8812 section 3.1, RFC 8037 section 2. */
static const struct {
    const char *kty, *crv;
    enum key_type type;
} curves[] = {
    {"EC",  "P-256",     KEY_SECP256R1},
    {"EC",  "P-384",     KEY_SECP384R1},
    {"EC",  "secp256k1", KEY_SECP256K1},
    {"OKP", "Ed25519",   KEY_ED25519  },
    {"OKP", "X25519",    KEY_X25519   },
};

static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"};

/* Exactly `size` bytes in base64url. */
MUST_CHECK static enum err read_fixed(struct json_value object, const char *name, uint8_t *out,
                                      size_t size)
{
    struct json_value value;
    struct span text;
    size_t read = 0;

    if (json_member(object, name, &value) != ERR_NONE ||
        json_string_plain(value, &text) != ERR_NONE ||
        base64url_read(text, out, size, &read) != ERR_NONE || read != size)
        return ERR_MALFORMED;
    return ERR_NONE;
}

/* A number without leading zeros (RFC 7518 section 2, Base64urlUInt). */
MUST_CHECK static enum err read_number(struct json_value object, const char *name,
                                       uint8_t out[RSA_SIZE_MAX], struct span *number)
{
    struct json_value value;
    struct span text;
    size_t size = 0;

    if (json_member(object, name, &value) != ERR_NONE ||
        json_string_plain(value, &text) != ERR_NONE ||
        base64url_read(text, out, RSA_SIZE_MAX, &size) != ERR_NONE || size == 0 || out[0] == 0)
        return ERR_MALFORMED;
    *number = span_of(out, size);
    return ERR_NONE;
}

MUST_CHECK static enum err read_rsa(struct json_value object, struct key_material **out)
{
    uint8_t bytes[2][RSA_SIZE_MAX];
    uint8_t der[RSA_PUBLIC_DER_MAX];
    struct span modulus;
    struct span exponent;
    size_t size = 0;
    enum err e;

    if ((e = read_number(object, "n", bytes[0], &modulus)) != ERR_NONE ||
        (e = read_number(object, "e", bytes[1], &exponent)) != ERR_NONE)
        return e;
    if (exponent.size > sizeof(uint32_t))
        return ERR_UNSUPPORTED;
    if ((e = rsa_public_write(modulus, exponent, der, &size)) != ERR_NONE)
        return e;
    for (unsigned type = KEY_RSA_2048; type <= KEY_RSA_4096; type++)
        if (key_type_info((enum key_type)type)->bits == 8 * modulus.size)
            return key_import_public((enum key_type)type, span_of(der, size), out);
    return ERR_UNSUPPORTED;
}

MUST_CHECK static enum err read_curve(struct json_value object, enum key_type type,
                                      struct key_material **out)
{
    uint8_t bytes[EC_ENCODED_MAX] = {0x04};
    const struct key_type_info *info = key_type_info(type);
    size_t size = info->family == KEY_FAMILY_EC ? ec_size(key_curve(type)) : info->public_max;
    enum err e;

    if (info->family != KEY_FAMILY_EC) {
        e = read_fixed(object, "x", bytes, size);
    } else if ((e = read_fixed(object, "x", bytes + 1, size)) == ERR_NONE) {
        e = read_fixed(object, "y", bytes + 1 + size, size);
    }
    return e == ERR_NONE ? key_import_public(type, span_of(bytes, info->public_max), out) : e;
}

MUST_CHECK static enum err read_key(struct json_value object, struct key_material **out)
{
    struct json_value kty;
    struct json_value crv = {0};

    if (json_member(object, "kty", &kty) != ERR_NONE || kty.type != JSON_STRING)
        return ERR_MALFORMED;
    if (json_string_equal(kty, "RSA"))
        return read_rsa(object, out);
    if (!json_string_equal(kty, "EC") && !json_string_equal(kty, "OKP"))
        return ERR_UNSUPPORTED;
    if (json_member(object, "crv", &crv) != ERR_NONE || crv.type != JSON_STRING)
        return ERR_MALFORMED;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (json_string_equal(kty, curves[i].kty) && json_string_equal(crv, curves[i].crv))
            return read_curve(object, curves[i].type, out);
    return ERR_UNSUPPORTED;
}

/* Whether "use" (RFC 7517 section 4.2) is one of these operations. */
static bool use_fits(struct json_value use, unsigned operations)
{
    if (json_string_equal(use, "sig"))
        return (operations & (KEY_SIGN | KEY_VERIFY)) != 0;
    if (json_string_equal(use, "enc"))
        return (operations & ~(unsigned)(KEY_SIGN | KEY_VERIFY)) != 0;
    return false;
}

MUST_CHECK static enum err check_purpose(struct json_value object, enum key_type type)
{
    unsigned operations = algorithm_operations(type);
    struct json_value value;
    struct span name;
    enum algorithm algorithm;

    if (json_member(object, "alg", &value) == ERR_NONE) {
        if (json_string_plain(value, &name) != ERR_NONE)
            return ERR_MALFORMED;
        if (algorithm_find(name, type, &algorithm) != ERR_NONE)
            return ERR_UNSUPPORTED;
        operations = algorithm_info(algorithm)->operations;
    }
    if (json_member(object, "use", &value) == ERR_NONE && !use_fits(value, operations))
        return value.type == JSON_STRING ? ERR_UNSUPPORTED : ERR_MALFORMED;
    return ERR_NONE;
}

enum err jwk_read(struct span json, struct key_material **out)
{
    struct json_value object;
    struct json_value unwanted;
    struct key_material *made = NULL;
    enum err e;

    if (json.size > JWK_MAX)
        return ERR_TOO_LARGE;
    if ((e = json_parse(json, &object, NULL)) != ERR_NONE)
        return e;
    for (size_t i = 0; i < COUNT_OF(private_members); i++)
        if (json_member(object, private_members[i], &unwanted) != ERR_NOT_FOUND)
            return ERR_MALFORMED;
    if ((e = read_key(object, &made)) == ERR_NONE)
        e = check_purpose(object, made->type);
    if (e == ERR_NONE) {
        *out = made;
        made = NULL; /* the caller owns it now */
    }
    key_material_free(&made);
    return e;
}

static void put_base64url(struct json_writer *j, const char *name, struct span bytes)
{
    char text[(RSA_SIZE_MAX + 2) / 3 * 4];

    base64url_write(bytes, text);
    json_put_string(j, name, span_of(text, base64url_size(bytes.size)));
}

static void put_curve(struct json_writer *j, const struct key_material *m)
{
    bool has_y = key_type_info(m->type)->family == KEY_FAMILY_EC;
    size_t size = has_y ? ec_size(key_curve(m->type)) : m->public_size;

    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (curves[i].type == m->type) {
            json_put_string(j, "crv", span_string(curves[i].crv));
            json_put_string(j, "kty", span_string(curves[i].kty));
        }
    put_base64url(j, "x", span_of(has_y ? key_point(m) : m->public_key, size));
    if (has_y)
        put_base64url(j, "y", span_of(key_point(m) + size, size));
}

MUST_CHECK static enum err put_rsa(struct json_writer *j, const struct key_material *m)
{
    struct span modulus;
    struct span exponent;
    enum err e = rsa_public_numbers(key_public(m), &modulus, &exponent);

    if (e != ERR_NONE)
        return e;
    put_base64url(j, "e", exponent);
    json_put_string(j, "kty", SPAN_LITERAL("RSA"));
    put_base64url(j, "n", modulus);
    return ERR_NONE;
}

enum err jwk_write(const struct key_material *m, struct buffer *out)
{
    enum { TEXT_MAX = 1024 }; /* a modulus of 4096 bits takes 683 characters */
    enum key_family family = key_type_info(m->type)->family;
    char text[TEXT_MAX];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    struct span written;
    enum err e = ERR_NONE;

    if (family == KEY_FAMILY_SYMMETRIC || family == KEY_FAMILY_ML_DSA ||
        family == KEY_FAMILY_ML_KEM)
        return ERR_UNSUPPORTED;
    json_open_object(&j, NULL);
    if (family == KEY_FAMILY_RSA)
        e = put_rsa(&j, m);
    else
        put_curve(&j, m);
    json_close_object(&j);
    if (e == ERR_NONE && (e = writer_finish(&w, &written)) == ERR_NONE)
        e = buffer_append(out, written);
    return e;
}
