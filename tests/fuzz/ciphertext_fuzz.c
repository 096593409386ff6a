/*
 * keys/ciphertext: an envelope that is accepted has one header, and gives it back when it is
 * written. No envelope opens under a key that did not make it.
 */
#include <stdlib.h>

#include "keys/key_cipher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void try_to_open(const struct ciphertext *c)
{
    static const uint8_t bytes[32] = {1};
    const struct key_spec key = {KEY_CHACHA20_POLY1305, ALGORITHM_CHACHA20_POLY1305, false};
    struct key_material *m = NULL;
    struct secret *plain = NULL;

    require(key_import_private(KEY_CHACHA20_POLY1305, SPAN_OF(bytes), &m) == ERR_NONE);
    require(key_decrypt(&key, m, c, SPAN_LITERAL("context"), &plain) != ERR_NONE);
    require(plain == NULL);
    key_material_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t header[CIPHERTEXT_HEADER_MAX];
    struct ciphertext c;
    size_t written = 0;

    if (ciphertext_parse(span_of(data, size), &c) != ERR_NONE)
        return 0;
    require(c.header.size + c.sealed.size == size);
    require(ciphertext_header_write(&c, header, &written) == ERR_NONE);
    require(span_equal(span_of(header, written), c.header));
    try_to_open(&c);
    return 0;
}
