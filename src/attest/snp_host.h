/*
 * Certificates that came along with a report: the host's table (codec/snp_certs.h), PEM in any
 * order, or one in DER. Nobody vouched for them: they are believed as far as they verify. Internal
 * to attest/.
 */
#ifndef ATTEST_SNP_HOST_H
#define ATTEST_SNP_HOST_H

#include "attest/snp_chain.h"

#define SNP_HOST_CERTIFICATES_MAX 8

/* Each by its own name, wherever it stood; NULL: absent. By type: VCEK's first, then VLEK's. */
struct snp_host {
    struct attest_vek *veks[2];
    struct x509_cert *intermediates[2];
    struct x509_cert *ark;
};

/*
 * No bytes: none. The caller clears `out`, also when it fails. No certificate is verified here.
 * ERR_DENIED fills `r`: too_large; vek_chain_invalid (no certificates, one that is not of AMD's
 * chain, two of one role)
 */
MUST_CHECK enum err snp_host_read(struct span certificates, struct snp_host *out,
                                  struct refusal *r);
void snp_host_clear(struct snp_host *host);

#endif
