/* Opens any bytes, and asks for hints about them. An envelope that opens must have been sealed,
 * so the target seals, too. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/envelope.h"
#include "crypto/random.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t private_key[X25519_SIZE] = {7, 7, 7};
static uint8_t public_key[X25519_SIZE];

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    if (crypto_start() != ERR_NONE)
        abort();
    x25519_public(private_key, public_key);
    return 0;
}

static void open_any(struct span sealed, const struct envelope_context *context)
{
    struct secret *plain = NULL;
    enum err e = envelope_open(private_key, public_key, context, sealed, &plain);

    assert((e == ERR_NONE) == (plain != NULL));
    assert(e == ERR_NONE || e == ERR_UNSUPPORTED || e == ERR_MALFORMED || e == ERR_CRYPTO);
    secret_free(&plain);
    assert(strstr(envelope_hint(sealed), "vouchsafe encrypt"));
}

static void seal_and_open(uint8_t format, struct span text, const struct envelope_context *context)
{
    uint8_t *sealed = malloc(text.size + ENVELOPE_ECIES_OVERHEAD);
    size_t size =
        text.size + (format == ENVELOPE_ECIES ? ENVELOPE_ECIES_OVERHEAD : ENVELOPE_HPKE_OVERHEAD);
    struct secret *plain = NULL;

    if (!sealed || envelope_seal(format, public_key, context, text, NULL, sealed) != ERR_NONE ||
        envelope_open(private_key, NULL, context, span_of(sealed, size), &plain) != ERR_NONE ||
        !span_equal(secret_span(plain), text))
        abort();
    secret_free(&plain);
    free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span input = span_of(data, size);
    const struct envelope_context context = {
        .key_id = span_slice(input, 0, 255),
        .key_version = 1,
        .context = span_slice(input, 255, size),
    };

    open_any(input, &context);
    open_any(input, NULL);
    seal_and_open(size % 2 ? ENVELOPE_ECIES : ENVELOPE_HPKE, input, &context);
    return 0;
}
