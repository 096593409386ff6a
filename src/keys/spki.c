#include "base/writer.h"
#include "codec/der.h"
#include "keys/identifier.h"
#include "keys/public_form.h"

/* RSA keys of the three sizes have one AlgorithmIdentifier. */
MUST_CHECK static enum err import(enum key_type type, struct span bytes, struct key_material **out)
{
    enum err e = ERR_UNSUPPORTED;

    if (key_type_info(type)->family != KEY_FAMILY_RSA)
        return key_import_public(type, bytes, out);
    for (unsigned size = KEY_RSA_2048; size <= KEY_RSA_4096; size++) {
        if (bytes.size > key_type_info((enum key_type)size)->public_max)
            continue;
        e = key_import_public((enum key_type)size, bytes, out);
        if (e != ERR_UNSUPPORTED)
            return e;
    }
    return e;
}

enum err spki_read(struct span der, struct key_material **out)
{
    struct reader outer = reader_over(der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span identifier = der_take_whole(&inner, DER_SEQUENCE);
    struct span bytes = der_take_bits(&inner);
    enum key_type type;
    enum err e;

    if (der.size > SPKI_MAX)
        return ERR_TOO_LARGE;
    if ((e = reader_finish(&outer)) != ERR_NONE || (e = reader_finish(&inner)) != ERR_NONE ||
        (e = identifier_find(identifier, &type)) != ERR_NONE)
        return e;
    return import(type, bytes, out);
}

enum err spki_write(const struct key_material *m, uint8_t out[SPKI_MAX], size_t *size)
{
    struct span identifier = identifier_of(m->type);
    struct writer w = writer_over(out, SPKI_MAX);
    size_t bits = 1 + m->public_size;

    if (identifier.size == 0)
        return ERR_UNSUPPORTED;
    der_put_head(&w, DER_SEQUENCE, identifier.size + der_head_size(bits) + bits);
    writer_put(&w, identifier);
    der_put_head(&w, DER_BIT_STRING, bits);
    writer_u8(&w, 0);
    writer_put(&w, key_public(m));
    *size = w.size;
    return writer_finish(&w, NULL);
}
