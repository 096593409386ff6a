/* Merges TCB statuses. Their names are in attest/attest.h. Internal to attest/. */
#ifndef ATTEST_TCB_STATUS_H
#define ATTEST_TCB_STATUS_H

#include "attest/attest.h"

/*
 * Merges the status of a part (QE, TDX module) into the status of its platform, as Intel's quote
 * verification library does. `part` is UpToDate, OutOfDate or Revoked.
 */
enum tcb_status tcb_status_fold(enum tcb_status platform, enum tcb_status part);

/* OutOfDate, or OutOfDateConfigurationNeeded. */
bool tcb_status_is_out_of_date(enum tcb_status s);

#endif
