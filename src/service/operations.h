/* The rows of the table of operations, one for each file. Internal to service/. */
#ifndef SERVICE_OPERATIONS_H
#define SERVICE_OPERATIONS_H

#include "service/operation.h"

extern const struct operation operation_open;          /* decrypt.c */
extern const struct operation operation_attest;        /* session.c */
extern const struct operation operation_explain;       /* explain.c */
extern const struct operation operation_change_policy; /* policy_change.c */
extern const struct operation operation_reseal;        /* sealing.c */
extern const struct operation operation_archive;       /* archive.c */

/*
 * Calls authorize() for the caller with the claims known so far. Fills the context's decision, and
 * on refusal its `why`. `key` is the seed; empty if the operation has none.
 */
MUST_CHECK enum err operation_authorize(struct operation_context *x, enum action action,
                                        struct span key, bool wants_seal);

#endif
