/* Changes of the policy's reference values while the keystore runs; see service/policies.h. */
#ifndef SERVICE_POLICY_CHANGE_H
#define SERVICE_POLICY_CHANGE_H

#include "service/service.h"

/* {"policy_version":..,"policies":[..]} appended to `out`. ERR_MEMORY */
MUST_CHECK enum err service_policies_write(const struct policy_snapshot *s, struct buffer *out);

#endif
