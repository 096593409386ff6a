/*
 * witness_request_parse(), witness_size_parse() and cosignature_verify(): an accepted request is
 * written again to the same bytes.
 */
#include <assert.h>
#include <stdlib.h>

#include "audit/cosignature.h"
#include "audit/witness.h"
#include "crypto/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct cosigner witness = {.name = "witness.example/w1"};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t seed[ED25519_SEED_SIZE] = {9};

    (void)argc, (void)argv;
    if (crypto_start() != ERR_NONE)
        abort();
    ed25519_public(seed, witness.public_key);
    return 0;
}

static void fuzz_request(struct span bytes)
{
    struct witness_request r;
    struct buffer again = {0};
    struct span note;
    uint64_t seconds;
    struct span line;

    if (witness_request_parse(bytes, &r) != ERR_NONE)
        return;
    assert(r.text.data >= bytes.data && r.proof.count <= WITNESS_PROOF_MAX);
    note = span_of(r.text.data, (size_t)(bytes.data + bytes.size - r.text.data));
    assert(witness_request_write(r.old_size, &r.proof, note, &again) == ERR_NONE);
    assert(span_equal(bytes, buffer_span(&again)));
    (void)witness_judge(&(struct checkpoint){.size = r.old_size}, &r);
    if (cosignature_verify(r.text, r.signatures, &witness, &seconds, &line) == ERR_NONE)
        assert(line.size > 0 && seconds <= INT64_MAX);
    buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t number;

    fuzz_request(span_of(data, size));
    (void)witness_size_parse(span_of(data, size), &number);
    return 0;
}
