/* The rows of the table of operations, one for each file: internal to service/. */
#ifndef SERVICE_OPERATIONS_H
#define SERVICE_OPERATIONS_H

#include "service/operation.h"

extern const struct operation operation_open;          /* decrypt.c */
extern const struct operation operation_attest;        /* session.c */
extern const struct operation operation_explain;       /* explain.c */
extern const struct operation operation_change_policy; /* policy_change.c */

#endif
