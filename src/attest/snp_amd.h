/* AMD's certificates and CRL of one product, verified and ready for use. Internal to attest/. */
#ifndef ATTEST_SNP_AMD_H
#define ATTEST_SNP_AMD_H

#include "attest/snp_chain.h"

struct attest_amd {
    enum attest_vendor product;
    /* intermediate and ARK; NULL where there is no chain of this type */
    struct x509_cert *vcek_chain[2], *vlek_chain[2];
    uint8_t ark_spki[SHA256_SIZE]; /* of both chains */
    struct x509_crl *crl;          /* NULL: none */
};

/*
 * Finds the first of the set with a chain for this product and type and a pinned ARK; false when
 * none. `set` may be NULL.
 */
bool snp_amd_find(const struct attest_collateral_set *set, const struct attest_trust *trust,
                  enum attest_vendor product, bool by_vlek, struct snp_issuer *out);

/* The issuer in one entry; false when it has no chain of this type. */
bool snp_amd_issuer(const struct attest_amd *amd, bool by_vlek, struct snp_issuer *out);

/*
 * The newest CRL of the set by this issuer's ARK; NULL when none was supplied. It lists
 * certificates that the ARK signed: ASK and ASVK. It cannot list VEKs, because they have another
 * issuer, and all have the serial number 0.
 */
const struct x509_crl *snp_amd_crl(const struct attest_collateral_set *set,
                                   const struct snp_issuer *issuer);

#endif
