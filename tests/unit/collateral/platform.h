/*
 * A simulated platform in a directory of its own under /tmp, and a trust that holds its root: what
 * tests of collateral need to make documents that verify.
 */
#ifndef TESTS_UNIT_COLLATERAL_PLATFORM_H
#define TESTS_UNIT_COLLATERAL_PLATFORM_H

#include "attest/attest.h"
#include "tee/simulated.h"

#define PLATFORM_NOW_S 1790000000

struct platform {
    char parent[48]; /* an empty directory, apart from the platform's own */
    char dir[64];
    struct simulated_platform *simulated;
    struct attest_trust trust;
};

/* Not 0 when it fails, as setup functions of cmocka have it. */
int platform_open(struct platform *p);
int platform_close(struct platform *p);

/* PLATFORM_NOW_S and so many seconds. */
struct timestamp platform_at(int64_t seconds);
/* What the platform's vendor signs when its clock says `issued`, appended. Aborts the test. */
void platform_bundle(const struct platform *p, struct timestamp issued, uint32_t evaluation,
                     struct buffer *out);

#endif
