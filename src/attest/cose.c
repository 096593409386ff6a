#include "attest/cose.h"

#include "base/reader.h"

enum { TAG_SIGN1 = 18 };
enum { HEADER_ALGORITHM = 1 }; /* RFC 9052 section 3.1 */
enum { KEY_TYPE = 1, KEY_ALGORITHM = 3, KEY_CURVE = -1, KEY_X = -2, KEY_Y = -3 };
enum { KEY_TYPE_EC2 = 2, CURVE_P256 = 1, CURVE_P384 = 2 };
enum { MESSAGE_EXTRA_MAX = 32 }; /* the parts of Sig_structure other than the payload */

/* `bytes` must be exactly one item. */
MUST_CHECK static enum err document_read(struct span bytes, const char *step,
                                         struct cbor_value *out, struct refusal *r)
{
    struct span rest = bytes;
    enum err e = cbor_take(&rest, out);

    if (e == ERR_TOO_LARGE)
        return refuse(r, ATTEST_TOO_LARGE, step, "CBOR within the limits of depth and count", NULL);
    if (e != ERR_NONE)
        return refuse_number(r, ATTEST_MALFORMED, step, "well-formed CBOR up to byte", bytes.size,
                             bytes.size - rest.size);
    if (rest.size > 0)
        return refuse_number(r, ATTEST_TRAILING_DATA, step, "bytes behind the document", 0,
                             rest.size);
    return ERR_NONE;
}

/* Reads the four parts without checking their contents. */
MUST_CHECK static enum err parts_read(struct cbor_value document, struct cose_sign1 *out)
{
    struct cbor_iterator i = {0};
    struct cbor_value array = document;
    struct cbor_value parts[4];
    uint64_t tag = TAG_SIGN1;

    out->tagged = document.kind == CBOR_TAG;
    if (out->tagged && cbor_tagged(document, &tag, &array) != ERR_NONE)
        return ERR_MALFORMED;
    if (tag != TAG_SIGN1 || array.kind != CBOR_ARRAY || cbor_count(array) != COUNT_OF(parts))
        return ERR_MALFORMED;
    for (size_t part = 0; part < COUNT_OF(parts); part++)
        if (!cbor_next(array, &i, NULL, &parts[part]))
            return ERR_MALFORMED;
    out->unprotected = parts[1];
    if (parts[1].kind != CBOR_MAP && parts[1].kind != CBOR_NULL)
        return ERR_MALFORMED;
    if (cbor_bytes(parts[0], &out->protected_header) != ERR_NONE ||
        cbor_bytes(parts[2], &out->payload) != ERR_NONE)
        return ERR_MALFORMED;
    return cbor_bytes(parts[3], &out->signature);
}

static bool algorithm_accepted(enum cose_algorithm only, int64_t number)
{
    return only == COSE_ANY ? number == COSE_ES256 || number == COSE_ES384 : number == only;
}

static const char *algorithm_name(enum cose_algorithm a)
{
    return a == COSE_ES256 ? "ES256" : a == COSE_ES384 ? "ES384" : "ES256 or ES384";
}

/* Accepts only the algorithm in a header, because this code implements no other member. */
MUST_CHECK static enum err header_read(enum cose_algorithm algorithm, struct cose_sign1 *s,
                                       const char *step, struct refusal *r)
{
    struct cbor_value header;
    struct cbor_value value;
    int64_t number;

    if (cbor_parse(s->protected_header, &header, NULL) != ERR_NONE || header.kind != CBOR_MAP)
        return refuse(r, ATTEST_MALFORMED, step, "a protected header that is a map", NULL);
    if (cbor_label(header, HEADER_ALGORITHM, &value) != ERR_NONE ||
        cbor_int64(value, &number) != ERR_NONE || !algorithm_accepted(algorithm, number))
        return refuse(r, ATTEST_UNSUPPORTED_ALGORITHM, step, algorithm_name(algorithm), NULL);
    if (cbor_count(header) != 1)
        return refuse(r, ATTEST_MALFORMED, step, "a protected header with only the algorithm",
                      NULL);
    s->algorithm = (enum cose_algorithm)number;
    return ERR_NONE;
}

static size_t signature_size(enum cose_algorithm algorithm)
{
    return algorithm == COSE_ES256 ? P256_SIGNATURE_SIZE : P384_SIGNATURE_SIZE;
}

enum err cose_sign1_parse(struct span bytes, enum cose_algorithm algorithm, const char *step,
                          struct cose_sign1 *out, struct refusal *r)
{
    struct cose_sign1 s = {0};
    struct cbor_value document;
    enum err e;

    if ((e = document_read(bytes, step, &document, r)) != ERR_NONE)
        return e;
    if (parts_read(document, &s) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, step,
                      "COSE_Sign1: [bytes, map, bytes, bytes], with tag 18 or without", NULL);
    if ((e = header_read(algorithm, &s, step, r)) != ERR_NONE)
        return e;
    if (s.signature.size != signature_size(s.algorithm))
        return refuse_number(r, ATTEST_MALFORMED, step, "bytes of signature",
                             signature_size(s.algorithm), s.signature.size);
    *out = s;
    return ERR_NONE;
}

enum err cose_sign1_message(const struct cose_sign1 *s, struct buffer *out)
{
    uint8_t space[MESSAGE_EXTRA_MAX];
    struct writer w = writer_over(space, sizeof space);
    struct span head;
    enum err e;

    cbor_put_array(&w, 4);
    cbor_put_text(&w, SPAN_LITERAL("Signature1"));
    cbor_put_bytes(&w, s->protected_header);
    cbor_put_bytes(&w, (struct span){0}); /* no external data */
    cbor_put_bytes_head(&w, s->payload.size);
    if ((e = writer_finish(&w, &head)) != ERR_NONE || (e = buffer_append(out, head)) != ERR_NONE)
        return e;
    return buffer_append(out, s->payload);
}

/* Initial bytes of CBOR (RFC 8949 section 3). */
enum { SIGN1_ARRAY = 0x84, ANY_ARRAY = 0x9f, SIGN1_TAG = 0xd2, KIND_SHIFT = 5 };
enum { MAP_KIND = 5, SMALL_MAX = 23 };

static enum cbor_kind first_key_guess(struct span payload)
{
    static const enum cbor_kind kinds[] = {CBOR_UNSIGNED, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT};
    struct reader r = reader_over(payload);
    const uint8_t head = reader_u8(&r);
    uint8_t key;

    /* maps have at most 64 members, so the count is in the head or in the next byte, or
     * indefinite */
    if ((head & 0x1f) > SMALL_MAX && head != 0xbf)
        (void)reader_u8(&r);
    key = reader_u8(&r);
    if (r.failed || head >> KIND_SHIFT != MAP_KIND || head == 0xa0 ||
        key >> KIND_SHIFT >= (int)COUNT_OF(kinds))
        return CBOR_NULL;
    return kinds[key >> KIND_SHIFT];
}

enum cbor_kind cose_guess_first_key(struct span bytes)
{
    struct reader r = reader_over(bytes);
    struct cbor_value part = {0};
    struct span payload;
    uint8_t head = reader_u8(&r);

    if (head == SIGN1_TAG)
        head = reader_u8(&r);
    if (bytes.size > COSE_GUESS_MAX || r.failed || (head != SIGN1_ARRAY && head != ANY_ARRAY))
        return CBOR_NULL;
    /* headers, then the payload; of strings only the length is read */
    for (size_t i = 0; i < 3; i++)
        if (cbor_take(&r.rest, &part) != ERR_NONE)
            return CBOR_NULL;
    return cbor_bytes(part, &payload) == ERR_NONE ? first_key_guess(payload) : CBOR_NULL;
}

enum err cose_key_from_point(struct span point, struct cose_key *out)
{
    struct reader r = reader_over(point);

    if (reader_u8(&r) != 0x04)
        return ERR_MALFORMED;
    if (r.rest.size == P256_POINT_SIZE)
        return p256_public_from_point(r.rest.data, &out->p256);
    if (r.rest.size == P384_POINT_SIZE)
        return p384_public_from_point(r.rest.data, &out->p384);
    return ERR_MALFORMED;
}

MUST_CHECK static enum err coordinates_read(struct cbor_value x_value, struct cbor_value y_value,
                                            size_t scalar_size, struct cose_key *out)
{
    uint8_t space[1 + P384_POINT_SIZE];
    struct writer w = writer_over(space, sizeof space);
    struct span x;
    struct span y;
    struct span point;

    if (cbor_bytes(x_value, &x) != ERR_NONE || cbor_bytes(y_value, &y) != ERR_NONE ||
        x.size != scalar_size || y.size != scalar_size)
        return ERR_MALFORMED;
    writer_u8(&w, 0x04);
    writer_put(&w, x);
    writer_put(&w, y);
    if (writer_finish(&w, &point) != ERR_NONE)
        return ERR_MALFORMED;
    return cose_key_from_point(point, out);
}

enum err cose_key_parse(struct span bytes, struct cose_key *out)
{
    struct cbor_value map;
    struct cbor_value type;
    struct cbor_value algorithm;
    struct cbor_value curve;
    struct cbor_value x;
    struct cbor_value y;
    const struct cbor_field fields[] = {
        {"kty", KEY_TYPE,      CBOR_UNSIGNED, true,  &type     },
        {"alg", KEY_ALGORITHM, CBOR_NEGATIVE, false, &algorithm},
        {"crv", KEY_CURVE,     CBOR_UNSIGNED, true,  &curve    },
        {"x",   KEY_X,         CBOR_BYTES,    true,  &x        },
        {"y",   KEY_Y,         CBOR_BYTES,    true,  &y        },
    };
    uint64_t type_number;
    uint64_t curve_number;
    int64_t wanted;
    int64_t found;

    if (cbor_parse(bytes, &map, NULL) != ERR_NONE ||
        cbor_map_read(map, fields, COUNT_OF(fields), false, NULL) != ERR_NONE ||
        cbor_uint64(type, &type_number) != ERR_NONE ||
        cbor_uint64(curve, &curve_number) != ERR_NONE || type_number != KEY_TYPE_EC2)
        return ERR_MALFORMED;
    if (curve_number != CURVE_P256 && curve_number != CURVE_P384)
        return ERR_UNSUPPORTED;
    wanted = curve_number == CURVE_P256 ? COSE_ES256 : COSE_ES384;
    if (algorithm.kind != CBOR_NULL &&
        (cbor_int64(algorithm, &found) != ERR_NONE || found != wanted))
        return ERR_UNSUPPORTED;
    return coordinates_read(x, y, curve_number == CURVE_P256 ? P256_SCALAR_SIZE : P384_SCALAR_SIZE,
                            out);
}

enum err cose_key_from_spki(struct span spki, struct cose_key *out)
{
    enum err e = p384_public_from_spki(spki, &out->p384);

    return e == ERR_MALFORMED ? p256_public_from_spki(spki, &out->p256) : e;
}

void cose_key_clear(struct cose_key *key)
{
    p256_public_free(&key->p256);
    p384_public_free(&key->p384);
}

enum err cose_sign1_verify(const struct cose_sign1 *s, struct span message,
                           const struct cose_key *key)
{
    if (s->algorithm == COSE_ES256 && key->p256)
        return p256_verify(key->p256, message, s->signature.data);
    if (s->algorithm == COSE_ES384 && key->p384)
        return p384_verify(key->p384, message, s->signature.data);
    return ERR_UNSUPPORTED;
}
