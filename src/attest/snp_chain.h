/*
 * AMD's chains have a fixed length: ARK-<product>, then SEV-<product> (ASK) for VCEKs or
 * SEV-VLEK-<product> (ASVK) for VLEKs, then the VEK; RSA-PSS links. There is no path search. Facts:
 * AMD 57230, "Certificate chain". Internal to attest/.
 */
#ifndef ATTEST_SNP_CHAIN_H
#define ATTEST_SNP_CHAIN_H

#include "attest/snp_vek.h"

/* The issuer of the VEKs of one type and product. Borrowed. */
struct snp_issuer {
    const struct x509_cert *intermediate; /* ASK or ASVK */
    const struct x509_cert *ark;
    enum attest_vendor product;
    bool by_vlek;
    bool verified; /* snp_issuer_check() passed when the chain was read */
};

/* The results that are not cached. */
struct snp_chain {
    const struct attest_root *root;
    struct timestamp valid_from, valid_until; /* of all three */
};

/* The product in the name of an ARK or of an intermediate. ERR_NOT_FOUND */
MUST_CHECK enum err snp_ark_product(const struct x509_cert *c, enum attest_vendor *out);
MUST_CHECK enum err snp_intermediate_product(const struct x509_cert *c, bool by_vlek,
                                             enum attest_vendor *out);

/*
 * Checks that the issuer has the right names, that its ARK is pinned for its product, and that the
 * ARK signed it. Takes at most two RSA operations, and none under a root that is not pinned.
 * ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err snp_issuer_check(const struct attest_trust *trust,
                                     const struct snp_issuer *issuer, struct refusal *r);

/*
 * Checks that the VEK's chain ends in a pinned root and is valid at `now`. `cache` (may be NULL)
 * keeps verified chains by the certificates' hashes; names, pin and time are checked every time.
 * Takes at most three RSA operations. ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err snp_chain_verify(struct attest_cache *cache, const struct attest_trust *trust,
                                     const struct attest_vek *vek, const struct snp_issuer *issuer,
                                     struct timestamp now, struct snp_chain *out,
                                     struct refusal *r);

#endif
