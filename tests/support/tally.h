/*
 * Counts the evidence that a test judges. At its end the test prints
 * "EVIDENCE: n stored, m of our own making" on standard error; tests/run.py adds these lines up.
 */
#ifndef TESTS_SUPPORT_TALLY_H
#define TESTS_SUPPORT_TALLY_H

#include <stddef.h>

void tally_stored(size_t count); /* read from the folder of vectors, or derived from it */
void tally_made(size_t count);   /* built under keys of the test */

#endif
