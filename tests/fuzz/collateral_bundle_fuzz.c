/*
 * Bundles: an accepted one is complete, a refused one leaves nothing and has a reason. The seeds
 * are genuine vectors, so acceptance is not a finding.
 */
#include <assert.h>

#include "attest/attest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attest_collateral *collateral = NULL;
    enum attest_reason reason = ATTEST_OK;
    struct attest_trust trust;
    enum err e;

    attest_trust_vendors(&trust);
    e = attest_collateral_from_bundle(&trust, span_of(data, size), &collateral, &reason);
    assert((e == ERR_NONE) == (collateral != NULL) && (e == ERR_NONE) == (reason == ATTEST_OK));
    attest_collateral_free(&collateral);
    return 0;
}
