/*
 * SEV-SNP reports and AMD's certificates under keys of our own, for every product, version and
 * kind of key. See support/authority.h. All functions abort the test when they fail.
 */
#ifndef TESTS_UNIT_ATTEST_FORGE_SNP_H
#define TESTS_UNIT_ATTEST_FORGE_SNP_H

#include "attest/attest.h"
#include "support/authority.h"

enum { FORGE_SNP_REPORT = 1184, FORGE_SNP_SIGNED = 0x2a0 };
enum { FORGE_ARK_SERIAL = 0x10, FORGE_MIDDLE_SERIAL = 0x11 };

/* Which signers and which times the certificates have. */
enum forge_snp_fault {
    FORGE_NONE,
    FORGE_VEK_BY_ARK,    /* the ARK's key signs the VEK, in the name of the intermediate */
    FORGE_VEK_NAMES_ARK, /* the ARK signs the VEK, in its own name */
    FORGE_MIDDLE_BY_ITSELF,
    FORGE_ARK_BY_MIDDLE,
    FORGE_VEK_EXPIRED,
    FORGE_MIDDLE_EXPIRED,
    FORGE_ARK_NOT_YET,
    FORGE_VEK_IS_CA,
    FORGE_MIDDLE_IS_NO_CA,
    FORGE_VEK_NAMED_OTHERWISE,
    FORGE_MIDDLE_NAMED_OTHERWISE,
    FORGE_MIDDLE_OF_OTHER_PRODUCT,
    FORGE_ARK_NAMED_OTHERWISE,
};

struct forge_snp {
    struct authority_key *ark_key, *middle_key, *vek_key, *other_key;
    struct timestamp now; /* everything is valid then, but for faults */
    /* of the certificates that forge_snp_certificates() made last */
    enum attest_vendor product;
    bool by_vlek;
    struct buffer ark, intermediate, vek; /* DER */
    struct attest_trust trust;            /* the ARK, for its product */
};

/* Makes the keys: a few seconds. */
void forge_snp_open(struct forge_snp *f);
void forge_snp_close(struct forge_snp *f);

/* `change`: NULL, or an extension of the VEK in place of its own; without contents it is left out.
 */
void forge_snp_certificates(struct forge_snp *f, enum attest_vendor product, bool by_vlek,
                            enum forge_snp_fault fault, const struct authority_extension *change);

/* A report that the VEK vouches for, not signed yet. */
void forge_snp_report(const struct forge_snp *f, uint32_t version, uint8_t out[FORGE_SNP_REPORT]);
void forge_snp_sign(const struct authority_key *key, uint8_t report[FORGE_SNP_REPORT]);

/* The three certificates as PEM, and as a host's table with GUIDs in either byte order. */
void forge_snp_pem(const struct forge_snp *f, struct buffer *out);
void forge_snp_table(const struct forge_snp *f, bool big_endian, struct buffer *out);

#endif
