#include "attest/tdx_tcb.h"

#include <stdio.h>

#include "attest/tcb_status.h"
#include "attest/td_report.h"

MUST_CHECK static enum err module_unknown(uint8_t version, struct refusal *r)
{
    enum err e =
        refuse_number(r, ATTEST_TDX_MODULE_MISMATCH, "tdx_module", "major version", 0, version);

    (void)snprintf(r->expected, sizeof r->expected, "a TDX module that the TCB info names");
    return e;
}

MUST_CHECK static enum err measurements_match(const struct tdx_module *module,
                                              const struct td_report *td, struct refusal *r)
{
    if (!span_equal(SPAN_OF(td->mr_signer_seam), SPAN_OF(module->mr_signer)))
        return refuse_bytes(r, ATTEST_TDX_MODULE_MISMATCH, "tdx_module", "MRSIGNERSEAM",
                            SPAN_OF(module->mr_signer), SPAN_OF(td->mr_signer_seam));
    for (size_t i = 0; i < sizeof td->seam_attributes; i++)
        if ((td->seam_attributes[i] & module->attributes_mask[i]) != module->attributes[i])
            return refuse_bytes(r, ATTEST_TDX_MODULE_MISMATCH, "tdx_module", "SEAMATTRIBUTES",
                                SPAN_OF(module->attributes), SPAN_OF(td->seam_attributes));
    /* all its bits are reserved, also those that the mask leaves out */
    if (!span_is_zero(SPAN_OF(td->seam_attributes)))
        return refuse_bytes(r, ATTEST_TDX_MODULE_MISMATCH, "tdx_module", "SEAMATTRIBUTES",
                            SPAN_OF(((const uint8_t[8]){0})), SPAN_OF(td->seam_attributes));
    return ERR_NONE;
}

enum err tdx_module_match(const struct tcb_info *info, const struct td_report *td,
                          const struct intel_level **level, struct refusal *r)
{
    const uint8_t version = td->tee_tcb_svn[TD_SVN_MODULE_VERSION];
    const uint8_t svn = td->tee_tcb_svn[TD_SVN_MODULE];
    const struct tdx_module_identity *identity;
    enum err e;

    *level = NULL;
    if (version == 0)
        return measurements_match(&info->module, td, r);
    identity = tcb_info_module(info, version);
    if (!identity)
        return module_unknown(version, r);
    if ((e = measurements_match(&identity->module, td, r)) != ERR_NONE)
        return e;
    *level = intel_level_find(identity->levels, identity->level_count, svn);
    if (!*level)
        return refuse_number(r, ATTEST_TCB_NOT_SUPPORTED, "tdx_module", "module SVN at least",
                             identity->levels[identity->level_count - 1].isv_svn, svn);
    return ERR_NONE;
}

static bool needs_configuration(enum tcb_status s)
{
    return s == TCB_CONFIGURATION_NEEDED || s == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
           s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

/* Whether the module loaded now, and the microcode, reach the newest level. */
MUST_CHECK static enum err loaded_is_newest(const struct tcb_info *info, const uint8_t svn[16],
                                            bool *out, struct refusal *r)
{
    const struct tcb_level *newest = &info->levels[0];
    const struct tdx_module_identity *identity;
    uint16_t module_svn = newest->tdx[TD_SVN_MODULE];

    if (svn[TD_SVN_MODULE_VERSION] > 0) {
        identity = tcb_info_module(info, svn[TD_SVN_MODULE_VERSION]);
        if (!identity)
            return module_unknown(svn[TD_SVN_MODULE_VERSION], r);
        module_svn = identity->levels[0].isv_svn;
    }
    *out =
        svn[TD_SVN_MODULE] >= module_svn && svn[TD_SVN_MICROCODE] >= newest->tdx[TD_SVN_MICROCODE];
    return ERR_NONE;
}

enum err tdx_relaunch(const struct tcb_info *info, const struct td_report *td,
                      const struct tdx_statuses *statuses, enum tcb_status *merged,
                      struct refusal *r)
{
    bool newest = false;
    enum err e;

    *merged = statuses->merged;
    if (!td->is_15 || statuses->qe != TCB_UP_TO_DATE || statuses->module != TCB_OUT_OF_DATE ||
        statuses->sgx_level > TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
        !tcb_status_is_out_of_date(statuses->merged))
        return ERR_NONE;
    if ((e = loaded_is_newest(info, td->tee_tcb_svn_2, &newest, r)) != ERR_NONE || !newest)
        return e;
    *merged = needs_configuration(statuses->sgx_level) || needs_configuration(statuses->merged)
                  ? TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
                  : TCB_TD_RELAUNCH_ADVISED;
    return ERR_NONE;
}
