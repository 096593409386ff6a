/* The YAML file: refused with a message, or settings that pass their own check again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "daemon/settings.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    if (crypto_start() != ERR_NONE)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct settings settings;
    static struct settings_problem problem;
    enum err e = settings_load_text(span_of(data, size), "fuzz.yaml",
                                    SPAN_LITERAL("TEE_MODE=none\n"), NULL, &settings, &problem);

    if (e != ERR_NONE) {
        assert(*problem.text && memchr(problem.text, 0, sizeof problem.text));
        return 0;
    }
    assert(settings.tee.provider != TEE_PROVIDER_UNSET && settings.server.port > 0);
    assert(settings.tee.provider != TEE_PROVIDER_SIMULATED || settings.tee.allow_simulated);
    assert(settings_check(&settings, &problem) == ERR_NONE);
    for (size_t i = 0; i < settings.token_count; i++)
        assert(*settings.tokens[i].name && settings.tokens[i].role != ROLE_NONE);
    for (size_t i = 0; i < settings.attestation.policy_count; i++) {
        struct policy_fault fault;

        assert(appraisal_rule_check(&settings.attestation.policies[i], &fault) == ERR_NONE);
    }
    settings_clear(&settings);
    return 0;
}
