/* Bundles of Intel collateral whose parts come from several others: what a CDN's edges serve. */
#ifndef TESTS_SUPPORT_BUNDLE_MIX_H
#define TESTS_SUPPORT_BUNDLE_MIX_H

#include "base/span.h"

/*
 * The bundle whose TCB info, QE identity, PCK CRL and root CRL are those of sources[0] to
 * sources[3], appended to `out`. Aborts the test when one of them is no bundle.
 */
void bundle_mix(const struct span sources[4], struct buffer *out);

#endif
