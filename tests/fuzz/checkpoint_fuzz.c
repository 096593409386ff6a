/* checkpoint_verify() and checkpoint_vkey_parse(): accepted input is written again to the same
 * bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "crypto/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define ORIGIN "keystore.example/log"

static const uint8_t seed[ED25519_SEED_SIZE] = {7}; /* the corpus is signed by it */
static uint8_t public_key[ED25519_PUBLIC_SIZE];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    if (crypto_start() != ERR_NONE)
        abort();
    ed25519_public(seed, public_key);
    return 0;
}

static void fuzz_note(struct span bytes)
{
    struct checkpoint c;
    char again[CHECKPOINT_TEXT_MAX];
    const uint8_t *blank;

    if (checkpoint_verify(bytes, ORIGIN, public_key, &c) != ERR_NONE)
        return;
    assert(checkpoint_sign(&c, ORIGIN, seed, again, sizeof again) == ERR_NONE);
    blank = memmem(again, strlen(again), "\n\n", 2);
    assert(blank && span_starts_with(bytes, span_of(again, (size_t)(blank - (uint8_t *)again))));
}

static void fuzz_vkey(struct span bytes)
{
    char origin[CHECKPOINT_ORIGIN_MAX + 1];
    char again[CHECKPOINT_VKEY_SIZE];
    uint8_t key[ED25519_PUBLIC_SIZE];

    if (checkpoint_vkey_parse(bytes, origin, sizeof origin, key) != ERR_NONE)
        return;
    assert(checkpoint_vkey_write(origin, key, again, sizeof again) == ERR_NONE);
    assert(span_equal_string(bytes, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_note(span_of(data, size));
    fuzz_vkey(span_of(data, size));
    return 0;
}
