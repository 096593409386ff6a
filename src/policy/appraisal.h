/*
 * Appraisal: which verified evidence is accepted. The default is to deny; debug evidence and
 * Revoked platforms are never accepted. Pure. A rule is data: values for the fields of
 * policy/fields.h. A denial names the rule, the field, the expected value and the presented value.
 * policy/scope.h decides for which principals a rule is and which keys it opens.
 */
#ifndef POLICY_APPRAISAL_H
#define POLICY_APPRAISAL_H

#include "attest/binding.h"
#include "policy/fault.h"
#include "policy/fields.h"

#define POLICY_NAME_MAX 64
#define POLICY_LIST_MAX 32      /* values of one field, unless its row says otherwise */
#define POLICY_TEXT_MAX 255     /* one text of a FIELD_TEXTS or FIELD_EVENTS */
#define POLICY_VALUES_MAX 12288 /* bytes of all listed values of one rule */

/* The value of a rule for one field. */
struct policy_value {
    bool given : 1;  /* by the rule, or by the field's default */
    bool stated : 1; /* by the rule */
    bool any : 1;
    uint16_t count;    /* of listed values */
    uint16_t at, size; /* where they are in `values` */
    uint64_t number;   /* FIELD_NUMBER(_OR_ANY), FIELD_SWITCH, FIELD_VERSION; bits of FIELD_NAMES */
};

/* appraisal_rule_start() makes it; appraisal_rule_clear() ends it, also after a failure. */
struct appraisal_rule {
    char name[POLICY_NAME_MAX + 1];
    char tee[16]; /* "sgx", "tdx", "snp", "nitro", or "simulated" */
    enum attest_tee kind;
    struct policy_value fields[POLICY_FIELD_COUNT];
    struct buffer values; /* owned; bytes of fixed size, or texts with a u8 length */
};

/*
 * A rule is made in three steps: start, set any of its fields, finish. ERR_CONFIG with `*fault`,
 * ERR_MEMORY without.
 *
 * start   overwrites `rule`, which owns nothing before. The caller checks `name`. `tee` is one of
 *         the five above
 * set     `texts` are the values as in YAML; a field that is not a list has one. Refused: an
 *         unknown field, a field of another TEE, a value of another form or out of range, a value
 *         given twice
 * finish  adds the defaults. Refused: a rule that can never accept, or that is not safe. Examples:
 *         no identity, two identities, an accepted status without its conditions, migration without
 *         its agent, SNP without minimums of the TCB
 */
MUST_CHECK enum err appraisal_rule_start(struct appraisal_rule *rule, const char *name,
                                         const char *tee, struct policy_fault *fault);
MUST_CHECK enum err appraisal_rule_set(struct appraisal_rule *rule, const char *key,
                                       char *const *texts, size_t count,
                                       struct policy_fault *fault);
MUST_CHECK enum err appraisal_rule_finish(struct appraisal_rule *rule, struct policy_fault *fault);
/* Copies the rule and its values. ERR_MEMORY */
MUST_CHECK enum err appraisal_rule_copy(const struct appraisal_rule *from,
                                        struct appraisal_rule *to);
void appraisal_rule_clear(struct appraisal_rule *rule); /* frees the values; sets to {0} */

/* The last step of finish(), on a rule that has its defaults. */
MUST_CHECK enum err appraisal_rule_check(const struct appraisal_rule *rule,
                                         struct policy_fault *fault);

/* Whether a rule gives a list of values for the field; otherwise one value. */
bool policy_field_lists(const struct policy_field *field);

/* Value `i` of a field with a list. */
struct span policy_value_at(const struct appraisal_rule *rule, enum policy_field_id id, size_t i);

/* Whether the field lists this value. */
bool policy_value_lists(const struct appraisal_rule *rule, enum policy_field_id id,
                        struct span value);

struct appraisal_denial {
    char rule[POLICY_NAME_MAX + 1]; /* the nearest rule, or "default-deny" */
    /*
     * A field's code (policy/fields.h), or the code of the reason why the evidence does not verify,
     * or "no_policy", "tee_not_accepted", "debug", "event_log_missing", "event_log_mismatch".
     * Stable.
     */
    const char *code;
    char expected[320]; /* "rtmr1 1234..., 5678..." */
    char presented[320];
};

/* Verified evidence and its circumstances; borrowed. */
struct appraisal_question {
    const struct attest_result *evidence;
    const struct binding *binding; /* the values that it must bind */
    struct timestamp now;
    struct span event_log; /* JSON as received (attest/event_log.h); empty: none */
};

/*
 * Checks that the rule accepts the evidence. ERR_DENIED fills `denial` with the first demand that
 * is not met. `*passed` (may be NULL) counts the demands that are met: of two rules, the one with
 * more is nearer. Evidence that did not verify, and a question without a binding
 * ("report_data_mismatch"), are refused, too.
 */
MUST_CHECK enum err appraise(const struct appraisal_rule *rule,
                             const struct appraisal_question *question, size_t *passed,
                             struct appraisal_denial *denial);

/*
 * The same for a dry run, which reveals nothing: without `question->binding` the binding is not
 * checked.
 */
bool appraise_dry(const struct appraisal_rule *rule, const struct appraisal_question *question,
                  size_t *passed, struct appraisal_denial *denial);

#endif
