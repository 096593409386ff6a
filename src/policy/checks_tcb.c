/* Intel's TCB statuses: which are accepted, for how long and with which weaknesses. */
#include "policy/checks.h"

#include <stdio.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static void advisories_write(const struct attest_result *evidence, char *out, size_t size)
{
    for (size_t i = 0; i < evidence->advisory_count; i++)
        join(out, size, evidence->advisories[i]);
}

bool status_listed(const struct appraisal_check *c)
{
    const enum tcb_status status = c->q->evidence->status;
    char list[240] = "";
    char found[sizeof c->denial->presented];
    char advisories[240] = "";

    if ((unsigned)status < TCB_STATUS_COUNT && status != TCB_REVOKED &&
        (c->value->number >> status & 1))
        return true;
    bit_names_write(c->field->names, c->value->number, list, sizeof list);
    advisories_write(c->q->evidence, advisories, sizeof advisories);
    (void)snprintf(found, sizeof found, "%s%s%s", tcb_status_name(status), *advisories ? ": " : "",
                   advisories);
    return check_deny(c, list, found);
}

bool within_grace(const struct appraisal_check *c)
{
    const struct attest_result *evidence = c->q->evidence;
    const struct attest_intel *intel = &evidence->intel;
    char since[TIMESTAMP_TEXT_SIZE];
    char found[96];

    if (evidence->status != TCB_OUT_OF_DATE &&
        evidence->status != TCB_OUT_OF_DATE_CONFIGURATION_NEEDED)
        return true;
    if (!intel->has_newer_level)
        return check_deny_number(c, "out of date in another part than the platform's TCB level");
    if (c->q->now.ms - intel->newer_level_date.ms <= (int64_t)c->value->number * DAY_MS)
        return true;
    timestamp_write(intel->newer_level_date, since);
    (void)snprintf(found, sizeof found, "%s since %s", tcb_status_name(evidence->status), since);
    return check_deny_number(c, found);
}

/* A platform that is not up to date is accepted for known weaknesses only, never for new ones. */
bool advisories_listed(const struct appraisal_check *c)
{
    const struct attest_result *evidence = c->q->evidence;
    char list[240] = "";
    char found[240] = "";

    if (evidence->status == TCB_UP_TO_DATE)
        return true;
    for (size_t i = 0; i < evidence->advisory_count; i++)
        if (!check_lists(c, span_string(evidence->advisories[i])))
            join(found, sizeof found, evidence->advisories[i]);
    if (!*found)
        return true;
    for (size_t i = 0; i < c->value->count; i++) {
        struct span value = policy_value_at(c->rule, FIELD_ID_ADVISORIES, i);
        char name[32];

        (void)snprintf(name, sizeof name, "%.*s", (int)value.size, (const char *)value.data);
        join(list, sizeof list, name);
    }
    return check_deny(c, *list ? list : "none", found);
}
