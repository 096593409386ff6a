/* Azure's blobs: if one parses, its spans are inside the input, and no blob verifies by itself. */
#include <assert.h>

#include "attest/azure_hcl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct span part, struct span whole)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              (size_t)(part.data - whole.data) <= whole.size - part.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct attest_evidence evidence = {
        .kind = ATTEST_AZURE_HCL, .bytes = {data, size}
    };
    struct attest_trust trust;
    struct attest_result result;
    struct azure_hcl hcl;
    struct refusal r = {0};

    if (azure_hcl_parse(evidence.bytes, &hcl, &r) == ERR_NONE) {
        assert(azure_hcl_is(evidence.bytes));
        assert_inside(hcl.claims.hardware_report, evidence.bytes);
        assert_inside(hcl.claims.runtime_data, evidence.bytes);
        assert_inside(hcl.report_data, hcl.claims.hardware_report);
        assert(hcl.report_data.size == sizeof result.report_data);
        assert(hcl.claims.runtime_data.data == data + AZURE_HCL_RUNTIME_OFFSET);
    } else {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
    }
    attest_trust_vendors(&trust);
    assert(attest_verify(&trust, NULL, NULL, &evidence, timestamp_of_seconds(1756530546),
                         &result) != ERR_NONE);
    assert(result.reason != ATTEST_OK && !result.authentic);
    return 0;
}
