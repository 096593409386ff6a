/* TCB info: if it parses, its levels are in order, and a perfect platform reaches the first. */
#include <assert.h>
#include <string.h>

#include "attest/tdx_tcb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every named module version and its neighbours, at the ends of the SVNs. */
static void judge_modules(const struct tcb_info *info)
{
    static const uint8_t svns[] = {0, 3, 5, UINT8_MAX};
    struct td_report td = {.is_15 = true};
    const struct tdx_statuses statuses = {TCB_UP_TO_DATE, TCB_OUT_OF_DATE, TCB_OUT_OF_DATE,
                                          TCB_UP_TO_DATE};

    for (unsigned version = 0; version < 8; version++) {
        for (size_t i = 0; i < COUNT_OF(svns); i++) {
            const struct intel_level *level = NULL;
            struct refusal r = {0};
            enum tcb_status merged;

            td.tee_tcb_svn[0] = td.tee_tcb_svn_2[0] = td.tee_tcb_svn_2[2] = svns[i];
            td.tee_tcb_svn[1] = td.tee_tcb_svn_2[1] = (uint8_t)version;
            if (tdx_module_match(info, &td, &level, &r) == ERR_NONE)
                assert(version == 0 ? !level : level && level->isv_svn <= svns[i]);
            else
                assert(r.reason != ATTEST_OK);
            if (tdx_relaunch(info, &td, &statuses, &merged, &r) == ERR_NONE)
                assert(merged == TCB_OUT_OF_DATE || merged == TCB_TD_RELAUNCH_ADVISED);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct refusal r = {0};
    struct tcb_info info;
    struct pck best = {.pce_svn = UINT16_MAX};
    uint8_t tdx[PCK_COMPONENT_COUNT];

    if (tcb_info_parse(span_of(data, size), &info, &r) != ERR_NONE) {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
        return 0;
    }
    memset(best.components, UINT8_MAX, sizeof best.components);
    memset(tdx, UINT8_MAX, sizeof tdx);
    assert(info.level_count > 0 && info.level_count <= INTEL_LEVELS_MAX);
    assert(tcb_info_sgx_level(&info, &best) == info.levels);
    assert(tcb_info_tdx_level(&info, &best, tdx) == info.levels);
    if (info.tee == TCB_INFO_TDX)
        judge_modules(&info);
    tcb_info_clear(&info);
    return 0;
}
