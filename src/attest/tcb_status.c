#include "attest/tcb_status.h"

static const char *const names[] = {
    [TCB_UP_TO_DATE] = "UpToDate",
    [TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
    [TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
    [TCB_OUT_OF_DATE] = "OutOfDate",
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
    [TCB_REVOKED] = "Revoked",
    [TCB_TD_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
    [TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
};

_Static_assert(COUNT_OF(names) == TCB_STATUS_COUNT, "a name for every status");

/* The new status of a platform when a part of it is out of date. */
static const enum tcb_status with_part_out_of_date[] = {
    [TCB_UP_TO_DATE] = TCB_OUT_OF_DATE,
    [TCB_SW_HARDENING_NEEDED] = TCB_OUT_OF_DATE,
    [TCB_CONFIGURATION_NEEDED] = TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    [TCB_OUT_OF_DATE] = TCB_OUT_OF_DATE,
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    [TCB_REVOKED] = TCB_REVOKED,
    [TCB_TD_RELAUNCH_ADVISED] = TCB_OUT_OF_DATE,
    [TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
};

_Static_assert(COUNT_OF(with_part_out_of_date) == TCB_STATUS_COUNT, "a merge for every status");

const char *tcb_status_name(enum tcb_status s)
{
    return (unsigned)s < TCB_STATUS_COUNT ? names[s] : "NotJudged";
}

enum err tcb_status_parse(struct span name, enum tcb_status *out)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (span_equal_string(name, names[i])) {
            *out = (enum tcb_status)i;
            return ERR_NONE;
        }
    }
    return ERR_MALFORMED;
}

enum tcb_status tcb_status_fold(enum tcb_status platform, enum tcb_status part)
{
    if (part == TCB_UP_TO_DATE)
        return platform;
    if (part == TCB_OUT_OF_DATE && (unsigned)platform < TCB_STATUS_COUNT)
        return with_part_out_of_date[platform];
    return TCB_REVOKED; /* Revoked, and statuses that identities never have */
}

bool tcb_status_is_out_of_date(enum tcb_status s)
{
    return s == TCB_OUT_OF_DATE || s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}
