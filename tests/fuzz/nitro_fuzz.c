/* Nitro documents: if one parses, its spans are inside the input, and no random bytes verify. */
#include <assert.h>

#include "attest/nitro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct span part, struct span whole)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              (size_t)(part.data - whole.data) <= whole.size - part.size));
}

static void check_document(const struct nitro_document *d, struct span evidence)
{
    uint32_t present = 0;

    assert(d->envelope.algorithm == COSE_ES384 &&
           d->envelope.signature.size == P384_SIGNATURE_SIZE);
    assert(d->module_id.size > 0 && d->module_id.size <= NITRO_MODULE_ID_MAX);
    assert(d->timestamp_ms > 0 && d->timestamp_ms <= INT64_MAX);
    assert(d->cabundle_count <= NITRO_CABUNDLE_MAX);
    assert(d->public_key.size <= ATTEST_NITRO_FIELD_MAX);
    assert(d->user_data.size <= ATTEST_NITRO_FIELD_MAX);
    assert(d->nonce.size <= ATTEST_NITRO_FIELD_MAX);
    for (size_t i = 0; i < ATTEST_NITRO_PCRS; i++) {
        assert_inside(d->pcrs[i], evidence);
        assert(d->pcrs[i].size <= SHA512_SIZE);
        present |= d->pcrs[i].size > 0 ? 1u << i : 0;
    }
    assert(present == d->pcr_present && present != 0);
    for (size_t i = 0; i < d->cabundle_count; i++) {
        assert_inside(d->cabundle[i], evidence);
        assert(d->cabundle[i].size > 0 && d->cabundle[i].size <= NITRO_CERTIFICATE_MAX);
    }
    assert_inside(d->certificate, evidence);
    assert_inside(d->envelope.payload, evidence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct attest_evidence evidence = {
        .kind = ATTEST_NITRO, .bytes = {data, size}
    };
    struct attest_trust trust;
    struct attest_result result;
    struct nitro_document d;
    struct refusal r = {0};

    if (nitro_parse(evidence.bytes, &d, &r) == ERR_NONE) {
        assert(nitro_is(evidence.bytes));
        check_document(&d, evidence.bytes);
        (void)nitro_is_debug(&d);
    } else {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
    }
    /* a time outside the three hours of every real document, so even a real one is refused */
    attest_trust_vendors(&trust);
    assert(attest_verify(&trust, NULL, NULL, &evidence, timestamp_of_seconds(1756530546),
                         &result) != ERR_NONE);
    assert(result.reason != ATTEST_OK && !result.authentic);
    return 0;
}
