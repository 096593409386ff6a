/* Changes of the policy's reference values while the keystore runs; see service/policies.h. */
#ifndef SERVICE_POLICY_CHANGE_H
#define SERVICE_POLICY_CHANGE_H

#include "service/service.h"

/*
 * Judges a change and writes its log line, also of a refusal: ERR_DENIED, code "may_not_administer"
 * without that right. ERR_NONE: `*next` takes effect with service_policy_commit() after the entry
 * is durable, and else is to be released. One thread at a time.
 */
MUST_CHECK enum err service_policy_change(struct service *svc, const struct caller *caller,
                                          const struct policy_change *change, struct timestamp now,
                                          struct policy_snapshot **next, struct outcome *o);

/* Takes `next` over; the reply in `o` is complete afterwards. Cannot fail. */
void service_policy_commit(struct service *svc, struct policy_snapshot **next, struct outcome *o);

/* {"policy_version":..,"policies":[..]} appended to `out`. ERR_MEMORY */
MUST_CHECK enum err service_policies_write(const struct policy_snapshot *s, struct buffer *out);

#endif
