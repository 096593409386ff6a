/*
 * Appraisal policies: which verified evidence is accepted, and for what. Default deny; debug never;
 * Revoked never. Pure. A rule is data: values for the fields of policy/fields.h. A denial names the
 * rule, the field, what was expected and what was presented.
 */
#ifndef POLICY_APPRAISAL_H
#define POLICY_APPRAISAL_H

#include "attest/binding.h"
#include "auth/principal.h"
#include "crypto/hash.h"
#include "policy/fault.h"
#include "policy/fields.h"
#include "policy/scope.h"

#define POLICY_NAME_MAX 64
#define POLICY_TEXT_MAX 255     /* one text of a FIELD_TEXTS or FIELD_EVENTS */
#define POLICY_VALUES_MAX 12288 /* bytes of all listed values of one rule */

/* What a rule says of one field. */
struct policy_value {
    bool given;  /* by the rule, or by the field's default */
    bool stated; /* by the rule */
    bool any;
    uint16_t count;    /* of listed values */
    uint16_t at, size; /* where they are in `values` */
    uint64_t number;   /* FIELD_NUMBER(_OR_ANY), FIELD_SWITCH, FIELD_VERSION; bits of FIELD_NAMES */
};

struct appraisal_rule {
    char name[POLICY_NAME_MAX + 1];
    char tee[16]; /* "sgx", "tdx", "snp", "nitro", or "simulated" */
    enum attest_tee kind;
    struct policy_value fields[POLICY_FIELD_COUNT];
    size_t values_size;
    uint8_t values[POLICY_VALUES_MAX]; /* bytes of fixed size, or texts with a u8 length */
    /*
     * What the caller may open: seeds equal to a pattern, or beginning with what stands before its
     * '*', which must be the last character and follow '/' or ':', or be all there is. None: all.
     */
    size_t seed_count;
    char seeds[POLICY_LIST_MAX][POLICY_SEED_PATTERN_MAX + 1];
    size_t token_count; /* names of tokens it is for. None: all. */
    char tokens[POLICY_LIST_MAX][PRINCIPAL_NAME_MAX + 1];
    bool allow_plain; /* replies also in the clear, for who asks so */
};

/*
 * A rule is made in three steps: start, set any of its fields, finish. Seeds, tokens and
 * allow_plain are the caller's to fill in between. ERR_CONFIG with `*fault`.
 *
 * start   `name` is checked by the caller; `tee` is one of the five above
 * set     `texts` are the values as in YAML, one for what is no list. Refused: an unknown field,
 * one of another TEE, a value of another form or out of range, one given twice finish  adds the
 * defaults. Refused: a rule that can never be right: no identity, two of them, an accepted status
 * without its conditions, migration without its agent, SNP without minimums of the TCB, a wrong
 * pattern
 */
MUST_CHECK enum err appraisal_rule_start(struct appraisal_rule *rule, const char *name,
                                         const char *tee, struct policy_fault *fault);
MUST_CHECK enum err appraisal_rule_set(struct appraisal_rule *rule, const char *key,
                                       char *const *texts, size_t count,
                                       struct policy_fault *fault);
MUST_CHECK enum err appraisal_rule_finish(struct appraisal_rule *rule, struct policy_fault *fault);
/* The last part of finish(), on a rule that has its defaults. */
MUST_CHECK enum err appraisal_rule_check(const struct appraisal_rule *rule,
                                         struct policy_fault *fault);

/* Value `i` of a field that lists. */
struct span policy_value_at(const struct appraisal_rule *rule, enum policy_field_id id, size_t i);

struct appraisal_policy {
    size_t count;
    const struct appraisal_rule *rules;
    uint8_t
        version[8]; /* first bytes of SHA-256 over the canonical rules; a change revokes sessions */
};
void appraisal_policy_version(struct appraisal_policy *policy); /* computes `version` */

struct appraisal_denial {
    char rule[POLICY_NAME_MAX + 1]; /* the rule that came nearest, or "default-deny" */
    /*
     * A field's code (policy/fields.h), or that of the reason why the evidence does not verify, or
     * "no_policy", "tee_not_accepted", "debug", "event_log_missing", "event_log_mismatch",
     * "token_not_accepted". Stable.
     */
    const char *code;
    char expected[320]; /* "rtmr1 1234..., 5678..." */
    char presented[320];
};

/* Verified evidence, and the circumstances it is presented in; borrowed. */
struct appraisal_question {
    const struct attest_result *evidence;
    const struct binding *binding; /* what it must bind */
    const char *token_name;        /* NULL: none */
    struct timestamp now;
    struct span event_log; /* JSON as received (attest/event_log.h); empty: none */
};

/*
 * ERR_DENIED fills `denial`; else `*rule` is the first that accepts. Evidence that did not verify
 * and a question without a binding ("report_data_mismatch") are refused, too.
 */
MUST_CHECK enum err appraise(const struct appraisal_policy *policy,
                             const struct appraisal_question *question,
                             const struct appraisal_rule **rule, struct appraisal_denial *denial);

/*
 * How far one rule comes, for who asks why: whether it accepts, else the first demand that is not
 * met. `*passed` (may be NULL) counts those that are. Without `question->binding` nothing is said
 * of what the evidence binds: a dry run, and never enough to release anything.
 */
bool appraise_rule(const struct appraisal_rule *rule, const struct appraisal_question *question,
                   size_t *passed, struct appraisal_denial *denial);

const struct appraisal_rule *appraisal_find(const struct appraisal_policy *policy,
                                            const char *name);

/* Whether `rule` covers this seed. The global key (GET /pubkey without a seed) has the seed "". */
bool appraisal_covers_seed(const struct appraisal_rule *rule, struct span seed);

#endif
