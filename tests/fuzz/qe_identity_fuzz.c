/* Enclave identities: one that parses matches no debug enclave. */
#include <assert.h>

#include "attest/qe_identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sgx_report report = {.attributes = {0x13}, .isv_svn = UINT16_MAX};
    const struct intel_level *level = NULL;
    struct refusal r = {0};
    struct qe_identity identity;

    if (qe_identity_parse(span_of(data, size), &identity, &r) != ERR_NONE) {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
        return 0;
    }
    assert(identity.level_count > 0);
    assert(qe_identity_match(&identity, &report, &level, &r) == ERR_DENIED && !level);
    report.attributes[0] = 0x11;
    if (qe_identity_match(&identity, &report, &level, &r) == ERR_NONE)
        assert(level == identity.levels);
    qe_identity_clear(&identity);
    return 0;
}
