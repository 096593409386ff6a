/* Intel collateral, verified and ready for use. Internal to attest/. */
#ifndef ATTEST_COLLATERAL_H
#define ATTEST_COLLATERAL_H

#include "attest/certificates.h"
#include "attest/pck_chain.h"
#include "attest/qe_identity.h"
#include "attest/tcb_info.h"

#define ATTEST_BUNDLE_MAX (4u * 1024 * 1024)

struct attest_collateral {
    struct buffer tcb_info_text, qe_identity_text; /* the parsed forms borrow from them */
    struct tcb_info tcb_info;
    struct qe_identity qe_identity;
    struct x509_crl *root_crl, *pck_crl;
    uint8_t root_spki[SHA256_SIZE];           /* all chains end in this key */
    uint8_t pck_ca_spki[SHA256_SIZE];         /* the key that signed pck_crl */
    struct x509_cert *pck_ca;                 /* its name */
    struct x509_cert *tcb_signer, *qe_signer; /* the latter NULL: one for both */
    enum attest_reason revoked; /* ATTEST_OK, or the issuer that its own root CRL revokes */
    struct timestamp certificates_from, certificates_until; /* of all chains */
    struct timestamp valid_from, valid_until;               /* of all parts */
};

/*
 * Finds the collateral of the set for this platform, by TEE, FMSPC and PCK CA. Of several, it takes
 * the one with the highest evaluation number that is valid at `now`. The caller checks the result.
 * ERR_DENIED with collateral_missing. The member of a set of one is always chosen, so that the
 * refusal names the difference.
 */
MUST_CHECK enum err collateral_choose(const struct attest_collateral_set *set,
                                      enum tcb_info_tee tee, const struct pck_chain *chain,
                                      struct timestamp now, const struct attest_collateral **out,
                                      struct refusal *r);

/* Checks that each part is valid at `now`, and for this platform. ERR_DENIED fills `r` */
MUST_CHECK enum err collateral_check_signing(const struct attest_collateral *c,
                                             struct timestamp now, struct refusal *r);
/* Checks, too, that the CRLs list no certificate of the chain. */
MUST_CHECK enum err collateral_check_crls(const struct attest_collateral *c,
                                          const struct pck_chain *chain, struct timestamp now,
                                          struct refusal *r);
MUST_CHECK enum err collateral_check_tcb_info(const struct attest_collateral *c,
                                              enum tcb_info_tee tee, const struct pck *pck,
                                              struct timestamp now, struct refusal *r);
MUST_CHECK enum err collateral_check_qe_identity(const struct attest_collateral *c,
                                                 enum qe_identity_kind kind, struct timestamp now,
                                                 struct refusal *r);

#endif
