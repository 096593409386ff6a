/*
 * tee/sealed_blob, in the form of the simulated TEE: the input unchanged, and the input with the
 * right hash, because no fuzzer finds one. The parsed parts are inside the input, in its order, and
 * no key opens them.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "tee/sealed_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void parse(struct span bytes)
{
    static const struct sealed_form form = {"VSSIMU", SEALED_KEY_ID_SIZE};
    static const uint8_t key[AEAD_KEY_SIZE] = {0x5a};
    struct sealed_blob b = {0};
    struct secret *plain = NULL;

    if (sealed_blob_parse(&form, bytes, &b) != ERR_NONE)
        return;
    require(b.header.data == bytes.data && b.sealed.data == b.header.data + b.header.size &&
            b.header.size + b.sealed.size + SHA256_SIZE == bytes.size);
    require(sealed_blob_open(&b, key, &plain) == ERR_CRYPTO && !plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    uint8_t *copy;

    if (!started)
        require(crypto_start() == ERR_NONE);
    started = true;
    parse(span_of(data, size));
    if (size < SHA256_SIZE || !(copy = malloc(size)))
        return 0;
    memcpy(copy, data, size);
    sha256(span_of(copy, size - SHA256_SIZE), copy + size - SHA256_SIZE);
    parse(span_of(copy, size));
    free(copy);
    return 0;
}
