/*
 * The fields of SGX, TDX and SNP evidence, once: how each is called, its form, and where struct
 * attest_result has it. Policies, replies and the client call a field by this name. Names are those
 * of the vendors' structures in lower case: Intel SDM vol. 3D, TDX module base specification, AMD
 * 56860 table 23.
 */
#ifndef ATTEST_EVIDENCE_FIELDS_H
#define ATTEST_EVIDENCE_FIELDS_H

#include "attest/attest.h"

enum evidence_form {
    EVIDENCE_BYTES,
    EVIDENCE_NUMBER, /* of 1, 2, 4 or 8 bytes, as the processor has it */
    EVIDENCE_FLAG    /* a bool */
};

/* Which reports of the kind have a field. */
enum evidence_since {
    EVIDENCE_ALWAYS,
    EVIDENCE_TD_15, /* TD reports of TDX 1.5 */
    EVIDENCE_SNP_3, /* SNP reports that tell the processor: version 3 and later */
    EVIDENCE_SNP_5  /* version 5 and later */
};

struct evidence_field {
    const char *name;
    size_t offset, size; /* in struct attest_result */
    enum attest_tee kind;
    enum evidence_form form;
    enum evidence_since since;
    bool is_measurement; /* says what code it is, or how it is configured */
};

/* In the order of the reports, kind by kind. */
extern const struct evidence_field evidence_fields[];
extern const size_t evidence_field_count;

/* Whether this evidence, which verified, has the field. An HCL report has those of SNP. */
bool evidence_has(const struct attest_result *evidence, const struct evidence_field *field);

/* The field's bytes; borrows from `evidence`. */
struct span evidence_bytes(const struct attest_result *evidence,
                           const struct evidence_field *field);

#endif
