/* The YAML file is refused with a message, or its settings pass their own check again. */
#include <assert.h>

#include "daemon/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct settings settings;
    struct problems problems = {0};
    enum err e =
        settings_load_text(span_of(data, size), "fuzz.yaml",
                           SPAN_LITERAL("TEE_MODE=none\nVOUCHSAFE_SERVER_ALLOW_PLAIN_HTTP=true\n"),
                           NULL, &settings, &problems);

    if (e != ERR_NONE) {
        assert(problems.count > 0 || e == ERR_MEMORY);
        problems_clear(&problems);
        return 0;
    }
    assert(settings.tee.provider != TEE_PROVIDER_UNSET && settings.server.port > 0);
    assert(settings.tee.provider != TEE_PROVIDER_SIMULATED || settings.tee.allow_simulated);
    for (size_t i = 0; i < settings.token_count; i++)
        assert(*settings.tokens[i].name && settings.tokens[i].roles != ROLE_NONE);
    for (size_t i = 0; i < settings.attestation.policies.count; i++) {
        struct policy_fault fault;

        assert(appraisal_rule_check(&settings.attestation.policies.policies[i].rule, &fault) ==
               ERR_NONE);
    }
    settings_clear(&settings);
    return 0;
}
