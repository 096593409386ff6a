/* A file of policies is refused with a message, or its policies pass their own check again. */
#include <assert.h>

#include "policy/policy_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_set set = {0};
    struct policy_set copy = {0};
    struct problems problems = {0};
    struct policy_fault fault;

    policy_text_read(span_of(data, size), "fuzz.yaml", &set, &problems);
    if (problems_err(&problems) == ERR_NONE) {
        assert(set.count > 0);
        for (size_t i = 0; i < set.count; i++) {
            const struct policy *p = &set.policies[i];

            assert(appraisal_rule_check(&p->rule, &fault) == ERR_NONE);
            assert(policy_find(&set, p->rule.name) == p); /* names differ */
        }
        policy_set_version(&set);
        if (policy_set_copy(&set, &copy) == ERR_NONE) {
            policy_set_version(&copy);
            assert(span_equal(SPAN_OF(copy.version), SPAN_OF(set.version)));
        }
    }
    problems_clear(&problems);
    policy_set_clear(&copy);
    policy_set_clear(&set);
    return 0;
}
