/* Bundles: nothing that a fuzzer makes is signed by Intel. */
#include <assert.h>

#include "attest/attest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attest_collateral *collateral = NULL;
    enum attest_reason reason = ATTEST_OK;
    struct attest_trust trust;

    attest_trust_vendors(&trust);
    assert(attest_collateral_from_bundle(&trust, span_of(data, size), &collateral, &reason) !=
           ERR_NONE);
    assert(!collateral && reason != ATTEST_OK);
    return 0;
}
