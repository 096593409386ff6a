/* Why a policy is refused: the member at fault, and a sentence with the remedy. */
#ifndef POLICY_FAULT_H
#define POLICY_FAULT_H

#include "base/span.h"

struct policy_fault {
    const char *key; /* static */
    char text[240];
};

/* Fills `fault`. Always returns ERR_CONFIG, so a check can end with it. */
MUST_CHECK enum err policy_blame(struct policy_fault *fault, const char *key, const char *format,
                                 ...) PRINTF_LIKE(3, 4);

#endif
