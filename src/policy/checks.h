/* The comparison for each field of policy/fields.h. Internal to policy/. */
#ifndef POLICY_CHECKS_H
#define POLICY_CHECKS_H

#include "attest/event_log.h"
#include "policy/appraisal.h"

struct appraisal_check {
    const struct policy_field *field;
    const struct appraisal_rule *rule;
    const struct policy_value *value; /* of `field`; given */
    const struct appraisal_question *q;
    const struct event_log *log; /* NULL: none was presented, or it is malformed */
    struct appraisal_denial *denial;
};

/*
 * Whether the evidence meets the rule's demand. If not: fills the denial and returns false. The row
 * of the field gives the place of the evidence's number, and the function's name gives its size;
 * `le` is a number that the report has as little-endian bytes.
 */
bool bytes_listed(const struct appraisal_check *c);
bool pcr_listed(const struct appraisal_check *c);   /* the PCR is present and has 48 bytes */
bool agent_listed(const struct appraisal_check *c); /* only for guests with MIGRATE_MA */
bool u16_equal(const struct appraisal_check *c);
bool u16_at_least(const struct appraisal_check *c);
bool u32_at_least(const struct appraisal_check *c);
bool u32_listed(const struct appraisal_check *c); /* its bit is in the set of names */
bool le_bits_required(const struct appraisal_check *c);
bool le_bits_allowed(const struct appraisal_check *c);
bool u64_bits_required(const struct appraisal_check *c);
bool u64_bits_allowed(const struct appraisal_check *c);
bool abi_at_least(const struct appraisal_check *c);
bool tcb_at_least(const struct appraisal_check *c); /* reported, committed and launch */
bool csp_listed(const struct appraisal_check *c);   /* only for reports that a VLEK signed */
bool set_if_required(const struct appraisal_check *c);
bool clear_unless_allowed(const struct appraisal_check *c);
bool document_recent(const struct appraisal_check *c);
bool binding_accepted(const struct appraisal_check *c);
bool events_proved(const struct appraisal_check *c);
bool status_listed(const struct appraisal_check *c);
bool within_grace(const struct appraisal_check *c);
/* only for platforms that are not up to date */
bool advisories_listed(const struct appraisal_check *c);

/*
 * For the checks. deny: fills the denial with the field's code, "KEY EXPECTED" and what is
 * presented; always false. deny_number: the rule's number is expected. lists: whether the rule's
 * list has the value.
 */
bool check_deny(const struct appraisal_check *c, const char *expected, const char *presented);
bool check_deny_number(const struct appraisal_check *c, const char *presented);
bool check_lists(const struct appraisal_check *c, struct span presented);

/* No rule can accept these. */
bool never_debug(const struct attest_result *evidence);

/* Appends a name with ", ", and ends with "..." when it does not fit. */
void join(char *out, size_t capacity, const char *name);

#endif
