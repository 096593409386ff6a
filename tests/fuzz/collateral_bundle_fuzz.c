/*
 * Bundles: what is accepted is whole, what is refused leaves nothing and says why. The vectors,
 * which are genuine, are seeds, so acceptance alone is no finding.
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
