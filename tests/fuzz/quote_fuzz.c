/* Quotes: whatever parses has spans inside the input, and no random bytes verify. */
#include <assert.h>

#include "attest/quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct span part, struct span whole)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              (size_t)(part.data - whole.data) <= whole.size - part.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span evidence = span_of(data, size);
    const struct attest_collateral_set none = {0};
    struct attest_trust trust;
    struct attest_result result;
    struct refusal r = {0};
    struct quote q;

    if (quote_parse(evidence, &q, &r) == ERR_NONE) {
        assert_inside(q.signed_bytes, evidence);
        assert_inside(q.certification.qe_report, evidence);
        assert_inside(q.certification.qe_auth_data, evidence);
        assert_inside(q.certification.data, evidence);
        assert(q.header.version == 3);
    } else {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
    }
    attest_trust_vendors(&trust);
    assert(attest_verify(&trust, &none, NULL, &(struct attest_evidence){.bytes = evidence},
                         timestamp_of_seconds(1756530546), &result) != ERR_NONE);
    assert(result.reason != ATTEST_OK);
    return 0;
}
