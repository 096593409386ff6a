/* The age of the parts of collateral. Internal to attest/; attest/attest.h defines the order. */
#ifndef ATTEST_PART_H
#define ATTEST_PART_H

#include "attest/attest.h"
#include "crypto/x509.h"

/* A signed JSON document of Intel's: compares its number, then its issue date, then its
 * signer's. */
void part_of_document(uint32_t number, struct timestamp issued, struct timestamp expires,
                      struct span text, const struct x509_cert *signer, struct attest_part *out);
/* Compares thisUpdate, then the CRL number, then its issuer's date; `issuer` may be NULL. */
void part_of_crl(const struct x509_crl *crl, const struct x509_cert *issuer,
                 struct attest_part *out);
/* A certificate and its issuer; `issuer` may be NULL. */
void part_of_certificate(const struct x509_cert *c, const struct x509_cert *issuer,
                         struct attest_part *out);

#endif
