/*
 * tee/tpm2_blob: the input unchanged, and the input with the right hash, because no fuzzer finds
 * one. The parsed parts are inside the input and sealed to its own PCRs, and no key opens them. PCR
 * lists: a list that parses has one spelling.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "tee/tpm2_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void parse(struct span bytes)
{
    static const uint8_t key[TPM2_WRAPPING_KEY_SIZE] = {0x5a};
    struct tpm2_blob b;
    struct secret *plain = NULL;

    if (tpm2_blob_parse(bytes, &b) != ERR_NONE)
        return;
    require(b.header.data == bytes.data && b.sealed.data == b.header.data + b.header.size &&
            b.header.size + b.sealed.size + SHA256_SIZE == bytes.size);
    require(b.pcrs.mask != 0 && b.public.publicArea.authPolicy.size == SHA256_SIZE);
    require(tpm2_blob_open(&b, key, &plain) == ERR_CRYPTO && !plain);
}

static void parse_repaired(struct span bytes)
{
    uint8_t *copy;

    if (bytes.size < SHA256_SIZE || !(copy = malloc(bytes.size)))
        return;
    memcpy(copy, bytes.data, bytes.size);
    sha256(span_of(copy, bytes.size - SHA256_SIZE), copy + bytes.size - SHA256_SIZE);
    parse(span_of(copy, bytes.size));
    free(copy);
}

static void parse_list(struct span bytes)
{
    char text[128];
    char again[128];
    uint32_t mask;
    size_t used = 0;

    if (span_to_string(bytes, text, sizeof(text)) != ERR_NONE ||
        tpm2_pcr_list_parse(text, &mask) != ERR_NONE)
        return;
    require(mask != 0 && mask >> TPM2_PCR_COUNT == 0);
    for (unsigned i = 0; i < TPM2_PCR_COUNT; i++)
        if (mask >> i & 1u)
            used +=
                (size_t)snprintf(again + used, sizeof(again) - used, "%s%u", used ? "," : "", i);
    require(strcmp(text, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;

    if (!started)
        require(crypto_start() == ERR_NONE);
    started = true;
    parse(span_of(data, size));
    parse_repaired(span_of(data, size));
    parse_list(span_of(data, size));
    return 0;
}
