#include "service/refusal.h"

#include <assert.h>
#include <stdio.h>

enum err refusal_set_hint(struct refusal *why, enum err e, const char *code, const char *hint)
{
    assert(e != ERR_NONE);
    why->error = e;
    why->code = code;
    why->hint = hint;
    return e;
}

enum err refusal_set(struct refusal *why, enum err e, const char *code)
{
    return refusal_set_hint(why, e, code, NULL);
}

enum err refusal_failed(struct refusal *why, enum err e)
{
    return refusal_set(why, e, err_code(e));
}

void refusal_detail(struct refusal *why, const char *step, const char *rule, const char *expected,
                    const char *presented)
{
    (void)snprintf(why->step, sizeof why->step, "%s", step ? step : "");
    (void)snprintf(why->rule, sizeof why->rule, "%s", rule ? rule : "");
    (void)snprintf(why->expected, sizeof why->expected, "%s", expected ? expected : "");
    (void)snprintf(why->presented, sizeof why->presented, "%s", presented ? presented : "");
}

bool refusal_has_detail(const struct refusal *why)
{
    return *why->step || *why->rule || *why->expected || *why->presented;
}
