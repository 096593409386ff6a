/*
 * The certificate table that comes with an SEV-SNP report: from configfs-tsm's `auxblob` or from
 * SNP_GET_EXT_REPORT. The host writes it and nothing signs it: what it holds proves something only
 * once the chain has been verified.
 *
 * AMD 56421 (GHCB specification), section 4.1.8.1: entries of 24 bytes, each
 *
 *   GUID [16]  offset (u32le)  length (u32le)
 *
 * ended by an entry of zeros; offsets count from the start of the table. The first three fields of
 * a GUID are little-endian; AWS's hosts write them big-endian, as RFC 4122 does. Both are read.
 */
#ifndef CODEC_SNP_CERTS_H
#define CODEC_SNP_CERTS_H

#include "base/span.h"

#define SNP_CERTIFICATES_MAX ((size_t)32 * 1024) /* Linux: 16 KiB by ioctl, 32 by configfs */
#define SNP_CERTIFICATES_ENTRIES_MAX 16          /* without the one that ends the table */

/* Certificates in DER, borrowed from the table and not looked into; empty when absent. */
struct snp_certificates {
    struct span vcek; /* of the chip */
    struct span vlek; /* of the provider; its issuer ASVK travels as `ask` */
    struct span ask;
    struct span ark;
    size_t size; /* of the table up to its last certificate; what follows is padding */
};

/*
 * GUIDs that are not known are passed over, gaps between the certificates as well.
 *
 * ERR_MALFORMED  no end; a length of zero; a certificate outside the bytes, within the entries or
 *                over another one; a GUID twice; more than SNP_CERTIFICATES_ENTRIES_MAX
 * ERR_TOO_LARGE  beyond SNP_CERTIFICATES_MAX bytes
 */
MUST_CHECK enum err snp_certificates_parse(struct span table, struct snp_certificates *out);

#endif
