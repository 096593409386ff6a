/*
 * Certificates that came with a report: the host's table (codec/snp_certs.h), PEM in any order, or
 * one in DER. They are not trusted before they verify. Internal to attest/.
 */
#ifndef ATTEST_SNP_HOST_H
#define ATTEST_SNP_HOST_H

#include "attest/snp_chain.h"

#define SNP_HOST_CERTIFICATES_MAX 8

/* Each certificate by its own name, from any place; NULL: absent. Index by type: VCEK, then
 * VLEK. */
struct snp_host {
    struct attest_vek *veks[2];
    struct x509_cert *intermediates[2];
    struct x509_cert *ark;
};

/*
 * Reads the certificates and verifies none. Empty input gives none. The caller clears `out`, also
 * on failure.
 * ERR_DENIED fills `r`: too_large; vek_chain_invalid (no certificates, one that is not of AMD's
 * chain, two of one role)
 */
MUST_CHECK enum err snp_host_read(struct span certificates, struct snp_host *out,
                                  struct refusal *r);
void snp_host_clear(struct snp_host *host);

#endif
