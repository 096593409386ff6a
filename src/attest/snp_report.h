/*
 * SEV-SNP attestation reports, 1184 bytes, little-endian. Layout: AMD 56860 (SEV Secure Nested
 * Paging Firmware ABI), table "ATTESTATION_REPORT", versions 2 to 5: 3 adds the CPUID, 5 the
 * mitigation vectors. This code checks the form and verifies nothing. Internal to attest/.
 */
#ifndef ATTEST_SNP_REPORT_H
#define ATTEST_SNP_REPORT_H

#include "attest/refusal.h"
#include "crypto/p384.h"

#define SNP_REPORT_SIZE 1184
#define SNP_SIGNED_SIZE 0x2a0
#define SNP_TCB_SIZE 8
#define SNP_HW_ID_MAX 64

/* A report and its signature. */
struct snp_evidence {
    struct snp_report report;               /* without the four TCBs, which need the product */
    bool by_vlek;                           /* the type of key that it names */
    struct span signed_bytes;               /* borrowed from the evidence */
    uint8_t signature[P384_SIGNATURE_SIZE]; /* r || s, big-endian */
};

/*
 * Parses a report of 1184 bytes whose reserved bytes are zero for its version, signed by a VCEK or
 * a VLEK. ERR_DENIED fills `r`: malformed, trailing_data, unsupported_version,
 * unsupported_algorithm, vek_type_mismatch (no key, or a masked one)
 */
MUST_CHECK enum err snp_report_parse(struct span bytes, struct snp_evidence *out,
                                     struct refusal *r);

/* The product of a CPU, by its CPUID: Bergamo and Siena use Genoa's. ERR_NOT_FOUND other CPUs,
 * and reports without CPUID (version 2). */
MUST_CHECK enum err snp_report_product(const struct snp_report *report, enum attest_vendor *out);

/* "Milan", as in AMD's certificates; "" for vendors other than AMD's products. */
const char *snp_product_name(enum attest_vendor product);

/* Reads the components of a TCB_VERSION; Turin has another layout. */
struct snp_tcb snp_tcb_read(const uint8_t bytes[SNP_TCB_SIZE], enum attest_vendor product);
bool snp_tcb_reserved_is_zero(const uint8_t bytes[SNP_TCB_SIZE], enum attest_vendor product);
/* Whether every component of `a` is at most that of `b`. */
bool snp_tcb_at_most(const struct snp_tcb *a, const struct snp_tcb *b);

#endif
