/* TCB info: what parses has its levels in order, and a perfect platform reaches the first. */
#include <assert.h>
#include <string.h>

#include "attest/tcb_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct refusal r = {0};
    struct tcb_info info;
    struct pck best = {.pce_svn = UINT16_MAX};

    if (tcb_info_parse(span_of(data, size), &info, &r) != ERR_NONE) {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
        return 0;
    }
    memset(best.components, UINT8_MAX, sizeof best.components);
    assert(info.level_count > 0 && info.level_count <= INTEL_LEVELS_MAX);
    assert(tcb_info_sgx_level(&info, &best) == info.levels);
    tcb_info_clear(&info);
    return 0;
}
