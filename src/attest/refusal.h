/* Records why the parts of the verifier refuse. Internal to attest/. */
#ifndef ATTEST_REFUSAL_H
#define ATTEST_REFUSAL_H

#include "attest/attest.h"

struct refusal {
    enum attest_reason reason;
    char step[32];
    char expected[160];
    char presented[160];
};

/* Records the reason, and returns ERR_DENIED. `expected` and `presented` may be NULL; long ones
 * are cut. */
MUST_CHECK enum err refuse(struct refusal *r, enum attest_reason reason, const char *step,
                           const char *expected, const char *presented);

/* The same with a name and bytes in hex: "fmspc 00606a000000". */
MUST_CHECK enum err refuse_bytes(struct refusal *r, enum attest_reason reason, const char *step,
                                 const char *name, struct span expected, struct span presented);

/* The same with numbers: "pcesvn 13". */
MUST_CHECK enum err refuse_number(struct refusal *r, enum attest_reason reason, const char *step,
                                  const char *name, uint64_t expected, uint64_t presented);

/* The same with times; `limit` is the bound that `now` violates: "until" or "from". */
MUST_CHECK enum err refuse_time(struct refusal *r, enum attest_reason reason, const char *step,
                                const char *limit, struct timestamp expected, struct timestamp now);

/* Returns ERR_MEMORY unchanged; any other error becomes the refusal. */
MUST_CHECK enum err refuse_unless_memory(struct refusal *r, enum err e, enum attest_reason reason,
                                         const char *step, const char *expected,
                                         const char *presented);

#endif
