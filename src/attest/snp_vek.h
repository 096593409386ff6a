/*
 * VEK certificates: VCEK (one chip at one TCB) and VLEK (one cloud at one TCB). Facts: AMD 57230
 * (VCEK Certificate and KDS Interface Specification), table of extensions below
 * 1.3.6.1.4.1.3704.1. Internal to attest/.
 */
#ifndef ATTEST_SNP_VEK_H
#define ATTEST_SNP_VEK_H

#include "attest/snp_report.h"
#include "crypto/x509.h"

struct snp_vek_claims {
    enum attest_vendor product;
    bool by_vlek;
    uint8_t tcb[SNP_TCB_SIZE]; /* its SPLs, in the order of a TCB_VERSION of the product */
    struct span hw_id;         /* VCEK: 64 bytes, 8 on Turin; borrowed from the certificate */
    char csp_id[ATTEST_CSP_ID_MAX + 1]; /* VLEK */
};

struct attest_vek {
    struct x509_cert *certificate; /* not verified yet */
    struct p384_public *key;
    struct snp_vek_claims claims;
};

/* Takes over the certificate, also on failure. As attest_vek_new(), but ERR_DENIED fills `r`. */
MUST_CHECK enum err snp_vek_new(struct x509_cert *certificate, struct attest_vek **out,
                                struct refusal *r);

/* Whether a certificate is a VEK by its name: "SEV-VCEK" or "SEV-VLEK", and not a CA. */
bool snp_vek_is(const struct x509_cert *certificate, bool by_vlek);

/*
 * Checks that it is the key of this report: TCB, chip (unless the report masks it) and type.
 * ERR_DENIED fills `r`: vek_tcb_mismatch, vek_hwid_mismatch, vek_type_mismatch
 */
MUST_CHECK enum err snp_vek_match(const struct attest_vek *vek, const struct snp_evidence *evidence,
                                  struct refusal *r);

/* The contents of its extensions; empty: absent. The last arc of .3.1 to .3.9 is the index of
 * `spl`. */
struct snp_extensions {
    struct span struct_version, product_name, spl[10], hw_id, csp_id;
};
/* ERR_MALFORMED  missing, of another type or size, or for another product or type of key */
MUST_CHECK enum err snp_vek_claims_parse(const struct snp_extensions *extensions, bool by_vlek,
                                         struct snp_vek_claims *out);

#endif
