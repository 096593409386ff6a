/* receipt_verify(): writes only to the caller's memory, and accepts only the signed entry. */
#include <assert.h>
#include <stdlib.h>

#include "audit/entry.h"
#include "audit/receipt.h"
#include "crypto/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const uint8_t seed[ED25519_SEED_SIZE] = {9}; /* the corpus is signed by it */
static uint8_t public_key[ED25519_PUBLIC_SIZE];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    if (crypto_start() != ERR_NONE)
        abort();
    ed25519_public(seed, public_key);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t entry[AUDIT_ENTRY_MAX];
    size_t entry_size = 0;
    uint64_t index = 0;

    if (receipt_verify(span_of(data, size), "keystore.example/log", public_key, entry, sizeof entry,
                       &entry_size, &index) == ERR_NONE) {
        assert(entry_size <= sizeof entry);
        assert(index == 1); /* the log of the corpus has one receipt */
    }
    return 0;
}
