/*
 * The certificate table that comes with an SEV-SNP report: from configfs-tsm's `auxblob` or from
 * SNP_GET_EXT_REPORT. The host writes the table, and no signature covers it: its certificates prove
 * nothing before their chain is verified.
 *
 * AMD 56421 (GHCB specification), section 4.1.8.1: the table has entries of 24 bytes
 *
 *   GUID [16]  offset (u32le)  length (u32le)
 *
 * and ends with an entry of zeros. Offsets count from the start of the table. The first three
 * fields of a GUID are little-endian; AWS's hosts write them big-endian, as RFC 4122 does. Both are
 * read.
 */
#ifndef CODEC_SNP_CERTS_H
#define CODEC_SNP_CERTS_H

#include "base/span.h"

#define SNP_CERTIFICATES_MAX ((size_t)32 * 1024) /* Linux: 16 KiB by ioctl, 32 by configfs */
#define SNP_CERTIFICATES_ENTRIES_MAX 16          /* without the last, zero entry */

/* Certificates in DER, borrowed from the table and not parsed; empty when absent. */
struct snp_certificates {
    struct span vcek; /* of the chip */
    struct span vlek; /* of the provider; its issuer ASVK comes as `ask` */
    struct span ask;
    struct span ark;
    size_t size; /* of the table up to its last certificate; padding follows */
};

/*
 * Skips unknown GUIDs, and gaps between the certificates.
 *
 * ERR_MALFORMED  no zero entry at the end; a length of zero; a certificate that lies outside the
 *                bytes or overlaps the entries or another certificate; a GUID twice; more than
 *                SNP_CERTIFICATES_ENTRIES_MAX
 * ERR_TOO_LARGE  beyond SNP_CERTIFICATES_MAX bytes
 */
MUST_CHECK enum err snp_certificates_parse(struct span table, struct snp_certificates *out);

#endif
