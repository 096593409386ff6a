#include "keys/identifier.h"

#define EC_KEY "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" /* RFC 5480 section 2.1.1 */
#define P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define P384 "\x06\x05\x2b\x81\x04\x00\x22"
#define K256 "\x06\x05\x2b\x81\x04\x00\x0a"

static const struct {
    enum key_type type;
    const char *bytes;
    size_t size;
    size_t curve; /* where the curve begins, for EC keys */
} identifiers[] = {
#define ROW(type, bytes, curve)                                                                    \
    {                                                                                              \
        type, bytes, sizeof(bytes) - 1, curve                                                      \
    }
    ROW(KEY_SECP256R1, "\x30\x13" EC_KEY P256, 11), ROW(KEY_SECP384R1, "\x30\x10" EC_KEY P384, 11),
    ROW(KEY_SECP256K1, "\x30\x10" EC_KEY K256, 11),
    ROW(KEY_ED25519, "\x30\x05\x06\x03\x2b\x65\x70", 0), /* RFC 8410 section 3 */
    ROW(KEY_X25519, "\x30\x05\x06\x03\x2b\x65\x6e", 0),
    /* RFC 3279 section 2.3.1 */
    ROW(KEY_RSA_2048, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 0),
    ROW(KEY_ML_DSA_65, "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12", 0),  /* RFC 9881 */
    ROW(KEY_ML_KEM_768, "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x04\x02", 0), /* RFC 9935 */
#undef ROW
};

enum err identifier_find(struct span whole, enum key_type *out)
{
    for (size_t i = 0; i < COUNT_OF(identifiers); i++)
        if (span_equal(whole, span_of(identifiers[i].bytes, identifiers[i].size))) {
            *out = identifiers[i].type;
            return ERR_NONE;
        }
    return ERR_UNSUPPORTED;
}

struct span identifier_of(enum key_type type)
{
    if (key_type_info(type)->family == KEY_FAMILY_RSA)
        type = KEY_RSA_2048;
    for (size_t i = 0; i < COUNT_OF(identifiers); i++)
        if (identifiers[i].type == type)
            return span_of(identifiers[i].bytes, identifiers[i].size);
    return (struct span){0};
}

struct span identifier_curve(enum key_type type)
{
    for (size_t i = 0; i < COUNT_OF(identifiers); i++)
        if (identifiers[i].type == type && identifiers[i].curve > 0)
            return span_slice(identifier_of(type), identifiers[i].curve, identifiers[i].size);
    return (struct span){0};
}
