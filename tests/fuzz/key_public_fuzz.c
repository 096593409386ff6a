/*
 * keys/public_form: JWK for input that begins as JSON, else SubjectPublicKeyInfo. A key that is
 * accepted is written in both forms and read again, and is the same key.
 */
#include <stdlib.h>

#include "keys/public_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/*
 * The check of an RSA modulus draws random numbers. It finds a modulus that is not a product of two
 * large primes with some probability only, so one that passed before may be refused now.
 */
static void check_same(const struct key_material *key, enum err e, struct key_material **again)
{
    if (e == ERR_CRYPTO && key_type_info(key->type)->family == KEY_FAMILY_RSA)
        return;
    require(e == ERR_NONE && key->type == (*again)->type && (*again)->secret == NULL &&
            span_equal(key_public(key), key_public(*again)));
    key_material_free(again);
}

static void write_and_read(const struct key_material *key)
{
    struct key_material *again = NULL;
    struct buffer jwk = {0};
    uint8_t spki[SPKI_MAX];
    size_t size = 0;
    enum err e;

    require(spki_write(key, spki, &size) == ERR_NONE);
    e = spki_read(span_of(spki, size), &again);
    check_same(key, e, &again);
    e = jwk_write(key, &jwk);
    require(e == ERR_NONE || e == ERR_UNSUPPORTED);
    if (e == ERR_NONE) {
        e = jwk_read(buffer_span(&jwk), &again);
        check_same(key, e, &again);
    }
    buffer_clear(&jwk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_material *key = NULL;
    bool is_json = size > 0 && data[0] == '{';
    enum err e =
        is_json ? jwk_read(span_of(data, size), &key) : spki_read(span_of(data, size), &key);

    require((e == ERR_NONE) == (key != NULL));
    if (key)
        write_and_read(key);
    key_material_free(&key);
    return 0;
}
