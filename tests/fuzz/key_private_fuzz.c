/*
 * keys/private_form: PKCS#8, and SEC1 for each curve. A key that is accepted is written and read
 * again, and is the same key. The first byte of the input chooses the form.
 */
#include <stdlib.h>

#include "keys/private_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

MUST_CHECK static enum err read_key(uint8_t form, struct span der, struct key_material **out)
{
    static const enum key_type curves[] = {KEY_SECP256R1, KEY_SECP384R1, KEY_SECP256K1};

    return form % 4 == 0 ? private_form_pkcs8(der, out)
                         : private_form_sec1(curves[form % 4 - 1], der, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_material *key = NULL;
    struct key_material *again = NULL;
    struct secret *written = NULL;

    if (size == 0)
        return 0;
    if (read_key(data[0], span_of(data + 1, size - 1), &key) == ERR_NONE) {
        require(private_form_write(key, &written) == ERR_NONE);
        require(private_form_pkcs8(secret_span(written), &again) == ERR_NONE);
        require(key->type == again->type && span_equal(key_public(key), key_public(again)) &&
                span_equal(secret_span(key->secret), secret_span(again->secret)));
    } else {
        require(key == NULL);
    }
    secret_free(&written);
    key_material_free(&again);
    key_material_free(&key);
    return 0;
}
