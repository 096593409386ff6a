/* Looking up pinned roots. Internal to attest/. */
#ifndef ATTEST_TRUST_H
#define ATTEST_TRUST_H

#include "attest/attest.h"

/* The pin with this hash of a SubjectPublicKeyInfo; NULL when there is none. */
const struct attest_root *attest_trust_find(const struct attest_trust *trust,
                                            enum attest_vendor vendor,
                                            const uint8_t spki_sha256[SHA256_SIZE]);

/*
 * Whether this is a published certificate of a vendor's root, byte for byte. Such a certificate is
 * known to be signed by its own key, so that signature is not checked again. Another certificate
 * with a pinned key needs the check.
 */
struct x509_cert;
bool attest_trust_is_published_root(const struct x509_cert *c);

#endif
