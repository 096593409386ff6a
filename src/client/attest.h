/* Verifiers and results: the parts that the files of <vouchsafe/attest.h> share. */
#ifndef CLIENT_ATTEST_H
#define CLIENT_ATTEST_H

#include <vouchsafe/attest.h>

#include "attest/attest.h"
#include "policy/appraisal.h"

#define RESULT_FIELDS_MAX 96
#define RESULT_TEXT_MAX 1024 /* bytes of generated values: names of statuses, versions, ... */

struct vs_verifier {
    struct attest_trust trust;
    size_t intel_count;
    struct attest_collateral *intel[VS_COLLATERAL_MAX];
    size_t amd_count;
    struct attest_amd *amd[VS_COLLATERAL_MAX];
    size_t vek_count;
    struct attest_vek *veks[VS_COLLATERAL_MAX];
    size_t arm_key_count;
    struct attest_arm_key *arm_keys[VS_COLLATERAL_MAX];
    bool early;                /* a directory's early sets are used */
    enum attest_reason reason; /* of the last refusal of something that was added */
};

/* Spans of `verified` borrow from `evidence`, and pointers of fields from all of this struct. So
 * a result never moves. */
struct vs_result {
    struct buffer evidence;
    struct attest_result verified;
    enum vs_verdict verdict;
    struct timestamp at; /* the time of the judgement */
    uint8_t claims_digest[VS_HASH_SIZE];
    size_t step_count;
    struct vs_step steps[ATTEST_STEPS_MAX + 1];
    size_t field_count;
    struct vs_field fields[RESULT_FIELDS_MAX];
    size_t text_used;
    char text[RESULT_TEXT_MAX];
};

/* Writes the fields of the evidence; none unless its signatures are valid. */
void result_fill_fields(struct vs_result *r);
/* The same for the steps. */
void result_fill_steps(struct vs_result *r);

/* In evidence.c: the result as the claims of vouchsafe.h. Those about the platform are written
 * when the result is valid, the others always. */
void claims_of_result(const struct vs_result *r, struct vs_claims *out);
void claims_refuse(struct vs_claims *claims, const char *code, const char *step);
/* VS_ERR_UNTRUSTED, also in the claims, unless the evidence binds these 64 bytes. */
MUST_CHECK enum vs_error claims_check_bound(const struct vs_result *r, const uint8_t *expected,
                                            struct vs_claims *claims);
/* Returns the error of an appraisal, and copies a refusal to the claims. */
MUST_CHECK enum vs_error claims_appraised(enum vs_error e, const struct vs_refusal *refusal,
                                          struct vs_claims *claims);

/* In attest_directory.c: the counts of a verifier's contents, and a return to them. */
struct verifier_mark {
    size_t intel, amd, vek, arm_key;
};
struct verifier_mark verifier_mark(const struct vs_verifier *v);
void verifier_forget_since(struct vs_verifier *v, const struct verifier_mark *m);

/* In policy.c: finds the first rule that accepts, else the nearest one, as the daemon does.
 * Zero-initialise, consider each rule in order, then tell. */
struct nearest_rule {
    const struct appraisal_rule *accepts; /* borrowed */
    bool any;
    size_t passed;
    struct appraisal_denial denial;
};
void nearest_consider(struct nearest_rule *n, const struct appraisal_rule *rule,
                      const struct appraisal_question *question);
/* VS_ERR_POLICY; `*out` is always written. */
MUST_CHECK enum vs_error nearest_tell(const struct nearest_rule *n, struct vs_refusal *out);

/* The sets in the form of attest/; borrowed. */
struct attest_collateral_set verifier_collateral(const struct vs_verifier *v);

/* "milan", "genoa", "turin"; "" for others. */
const char *product_name(enum attest_vendor vendor);

#endif
