/* What the index of vectors expects of a result, compared member by member. */
#ifndef TESTS_UNIT_ATTEST_EXPECTED_H
#define TESTS_UNIT_ATTEST_EXPECTED_H

#include "unit/attest/evidence.h"

/*
 * The number of differences, each of which is printed. Claims (report, debug, ...) are compared
 * whenever its signatures are valid, judgements (statuses, advisories) when it verified. A member
 * that a result cannot be compared with is a difference, too, unless expected.c names it.
 */
size_t expected_differences(const struct evidence_case *c, const struct attest_result *r);

/* Whether this is the verdict, or one of the reasons, that the case allows. */
bool expected_verdict(const struct evidence_case *c, const struct attest_result *r);

#endif
