/* Looking up pinned roots. Internal to attest/. */
#ifndef ATTEST_TRUST_H
#define ATTEST_TRUST_H

#include "attest/attest.h"

/* The pin with this hash of a SubjectPublicKeyInfo; NULL when none. */
const struct attest_root *attest_trust_find(const struct attest_trust *trust,
                                            enum attest_vendor vendor,
                                            const uint8_t spki_sha256[SHA256_SIZE]);

#endif
