#include "keys/private_form.h"

#include <assert.h>

#include "base/writer.h"
#include "codec/der.h"
#include "crypto/rsa.h"
#include "keys/identifier.h"

enum {
    TAG_PARAMETERS = 0xa0, /* of ECPrivateKey: RFC 5915 section 3 */
    TAG_EC_PUBLIC = 0xa1,
    TAG_PUBLIC = 0x81, /* of OneAsymmetricKey: RFC 5958 section 2 */
    TAG_SEED = 0x80,   /* of ML keys: RFC 9881 section 6 */
};

/* What a key in DER holds, borrowed. */
struct parts {
    struct span private_key;
    struct span public_key; /* empty when it has none */
};

/* BIT STRING contents behind an implicit tag. */
static struct span take_tagged_bits(struct reader *r, uint8_t tag)
{
    struct span bytes = der_take(r, tag);

    if (bytes.size == 0 || bytes.data[0] != 0)
        r->failed = true;
    return r->failed ? (struct span){0} : span_slice(bytes, 1, bytes.size);
}

MUST_CHECK static enum err read_sec1(enum key_type type, struct span der, struct parts *out)
{
    struct reader outer = reader_over(der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));
    struct parts found = {0};
    bool other_curve = false;

    if (der_take_uint(&inner, DER_INTEGER, 1) != 1)
        inner.failed = true;
    found.private_key = der_take(&inner, DER_OCTET_STRING);
    if (der_peek(&inner) == TAG_PARAMETERS)
        other_curve = !span_equal(der_take(&inner, TAG_PARAMETERS), identifier_curve(type));
    if (der_peek(&inner) == TAG_EC_PUBLIC) {
        struct reader bits = reader_over(der_take(&inner, TAG_EC_PUBLIC));

        found.public_key = der_take_bits(&bits);
        if (reader_finish(&bits) != ERR_NONE || found.public_key.size == 0)
            inner.failed = true;
    }
    if (reader_finish(&outer) != ERR_NONE || reader_finish(&inner) != ERR_NONE)
        return ERR_MALFORMED;
    if (other_curve)
        return ERR_UNSUPPORTED;
    *out = found;
    return ERR_NONE;
}

/* The seed of an ML key; the other choices of RFC 9881 and RFC 9935 are an OCTET STRING or a
 * SEQUENCE. */
MUST_CHECK static enum err read_seed(struct span der, struct span *out)
{
    struct reader r = reader_over(der);
    uint8_t tag = der_peek(&r);
    struct span seed = der_take(&r, tag);

    if (reader_finish(&r) != ERR_NONE)
        return ERR_MALFORMED;
    if (tag == DER_OCTET_STRING || tag == DER_SEQUENCE)
        return ERR_UNSUPPORTED;
    if (tag != TAG_SEED)
        return ERR_MALFORMED;
    *out = seed;
    return ERR_NONE;
}

/* Curve25519: an OCTET STRING inside the OCTET STRING (RFC 8410 section 7). */
MUST_CHECK static enum err read_curve25519(struct span der, struct span *out)
{
    struct reader r = reader_over(der);
    struct span bytes = der_take(&r, DER_OCTET_STRING);
    enum err e = reader_finish(&r);

    if (e == ERR_NONE)
        *out = bytes;
    return e;
}

/* The number of bits of an RSAPrivateKey gives the type. */
MUST_CHECK static enum err rsa_type(struct span der, enum key_type *out)
{
    struct reader outer = reader_over(der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span modulus;

    (void)der_take_uint(&inner, DER_INTEGER, 0);
    modulus = der_take_unsigned(&inner);
    if (inner.failed)
        return ERR_MALFORMED;
    for (unsigned type = KEY_RSA_2048; type <= KEY_RSA_4096; type++)
        if (key_type_info((enum key_type)type)->bits == 8 * modulus.size) {
            *out = (enum key_type)type;
            return ERR_NONE;
        }
    return ERR_UNSUPPORTED;
}

/* The inside of privateKey. `type` becomes the exact one. */
MUST_CHECK static enum err read_inside(enum key_type *type, struct span inside, struct parts *out)
{
    switch (key_type_info(*type)->family) {
    case KEY_FAMILY_EC:
        return read_sec1(*type, inside, out);
    case KEY_FAMILY_RSA:
        out->private_key = inside;
        return rsa_type(inside, type);
    case KEY_FAMILY_ED25519:
    case KEY_FAMILY_X25519:
        return read_curve25519(inside, &out->private_key);
    case KEY_FAMILY_ML_DSA:
    case KEY_FAMILY_ML_KEM:
        return read_seed(inside, &out->private_key);
    case KEY_FAMILY_SYMMETRIC:
        break;
    }
    return ERR_UNSUPPORTED; /* no AlgorithmIdentifier names one */
}

/* Imports the private key, and compares its public key with the given one, in any of its forms. */
MUST_CHECK static enum err import(enum key_type type, const struct parts *parts,
                                  struct key_material **out)
{
    struct key_material *made = NULL;
    struct key_material *given = NULL;
    enum err e = key_import_private(type, parts->private_key, &made);

    if (e == ERR_NONE && parts->public_key.size > 0) {
        e = key_import_public(type, parts->public_key, &given);
        if (e == ERR_NONE && !span_equal(key_public(made), key_public(given)))
            e = ERR_CRYPTO;
    }
    if (e == ERR_NONE) {
        *out = made;
        made = NULL; /* the caller owns it now */
    }
    key_material_free(&given);
    key_material_free(&made);
    return e;
}

enum err private_form_pkcs8(struct span der, struct key_material **out)
{
    struct reader outer = reader_over(der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));
    uint64_t version = der_take_uint(&inner, DER_INTEGER, 1);
    struct span identifier = der_take_whole(&inner, DER_SEQUENCE);
    struct span inside = der_take(&inner, DER_OCTET_STRING);
    struct span second = {0};
    struct parts parts = {0};
    enum key_type type;
    enum err e;

    if (der.size > PRIVATE_FORM_MAX)
        return ERR_TOO_LARGE;
    if (version == 1) /* the version says whether there is a public key: RFC 5958 section 2 */
        second = take_tagged_bits(&inner, TAG_PUBLIC);
    if ((e = reader_finish(&outer)) != ERR_NONE || (e = reader_finish(&inner)) != ERR_NONE ||
        (e = identifier_find(identifier, &type)) != ERR_NONE ||
        (e = read_inside(&type, inside, &parts)) != ERR_NONE)
        return e;
    if (second.size > 0 && parts.public_key.size > 0 && !span_equal(second, parts.public_key))
        return ERR_CRYPTO;
    if (second.size > 0)
        parts.public_key = second;
    return import(type, &parts, out);
}

enum err private_form_sec1(enum key_type type, struct span der, struct key_material **out)
{
    struct parts parts = {0};
    enum err e;

    if (key_type_info(type)->family != KEY_FAMILY_EC)
        return ERR_UNSUPPORTED;
    if (der.size > PRIVATE_FORM_MAX)
        return ERR_TOO_LARGE;
    e = read_sec1(type, der, &parts);
    return e == ERR_NONE ? import(type, &parts, out) : e;
}

static size_t element_size(size_t size)
{
    return der_head_size(size) + size;
}

static size_t sec1_contents_size(const struct key_material *m)
{
    return 3 + element_size(secret_size(m->secret)) +
           element_size(element_size(1 + m->public_size));
}

/* ECPrivateKey inside PKCS#8: without parameters, as the AlgorithmIdentifier has them. */
static void put_sec1(struct writer *w, const struct key_material *m)
{
    der_put_head(w, DER_SEQUENCE, sec1_contents_size(m));
    der_put_unsigned(w, SPAN_LITERAL("\x01"));
    der_put_head(w, DER_OCTET_STRING, secret_size(m->secret));
    writer_put(w, secret_span(m->secret));
    der_put_head(w, TAG_EC_PUBLIC, element_size(1 + m->public_size));
    der_put_head(w, DER_BIT_STRING, 1 + m->public_size);
    writer_u8(w, 0);
    writer_put(w, key_public(m));
}

/* The tag around the private bytes, or 0 for none. */
static uint8_t inside_tag(enum key_family family)
{
    if (family == KEY_FAMILY_ED25519 || family == KEY_FAMILY_X25519)
        return DER_OCTET_STRING;
    return family == KEY_FAMILY_ML_DSA || family == KEY_FAMILY_ML_KEM ? TAG_SEED : 0;
}

static size_t inside_size(const struct key_material *m)
{
    enum key_family family = key_type_info(m->type)->family;

    if (family == KEY_FAMILY_EC)
        return element_size(sec1_contents_size(m));
    return inside_tag(family) ? element_size(secret_size(m->secret)) : secret_size(m->secret);
}

static void put_inside(struct writer *w, const struct key_material *m)
{
    enum key_family family = key_type_info(m->type)->family;

    if (family == KEY_FAMILY_EC) {
        put_sec1(w, m);
        return;
    }
    if (inside_tag(family))
        der_put_head(w, inside_tag(family), secret_size(m->secret));
    writer_put(w, secret_span(m->secret));
}

enum err private_form_write(const struct key_material *m, struct secret **out)
{
    struct span identifier = identifier_of(m->type);
    struct secret *made = NULL;
    struct writer w;
    size_t contents;
    enum err e;

    if (identifier.size == 0 || !m->secret)
        return ERR_UNSUPPORTED;
    contents = 3 + identifier.size + element_size(inside_size(m));
    if ((e = secret_new(element_size(contents), &made)) != ERR_NONE)
        return e;
    w = writer_over(secret_data(made), secret_size(made));
    der_put_head(&w, DER_SEQUENCE, contents);
    der_put_unsigned(&w, (struct span){0}); /* version */
    writer_put(&w, identifier);
    der_put_head(&w, DER_OCTET_STRING, inside_size(m));
    put_inside(&w, m);
    assert(!w.failed && w.size == secret_size(made));
    *out = made;
    return ERR_NONE;
}
