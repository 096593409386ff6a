/*
 * Verified PCK chains (leaf, Platform or Processor CA, root), and a cache of them. Most quotes come
 * from few machines, and a chain costs more than the quote. Internal to attest/.
 */
#ifndef ATTEST_PCK_CHAIN_H
#define ATTEST_PCK_CHAIN_H

#include "attest/certificates.h"
#include "attest/pck.h"

struct pck_chain {
    struct certificates certificates;
    struct p256_public *key; /* of the leaf: it signs QE reports */
    uint8_t ca_spki[SHA256_SIZE];
    struct pck pck;
};

void pck_chain_free(struct pck_chain **chain);

const struct x509_cert *pck_chain_leaf(const struct pck_chain *chain);
const struct x509_cert *pck_chain_ca(const struct pck_chain *chain);

/*
 * Verifies a PEM chain, without time and revocation. `cache` (may be NULL) keeps chains and CAs.
 * ERR_DENIED fills `r`; ERR_MEMORY. With a cache, the result is borrowed until the next call.
 * Without one, the caller frees `*owned`.
 */
MUST_CHECK enum err pck_chain_find(struct attest_cache *cache, const struct attest_trust *trust,
                                   struct span pem, const struct pck_chain **out,
                                   struct pck_chain **owned, struct refusal *r);

#endif
