#include "support/tally.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static size_t stored, made;

static void tally_print(void)
{
    (void)fprintf(stderr, "EVIDENCE: %zu stored, %zu of our own making\n", stored, made);
}

static void register_once(void)
{
    static bool registered;

    if (!registered && atexit(tally_print) != 0)
        abort();
    registered = true;
}

void tally_stored(size_t count)
{
    register_once();
    stored += count;
}

void tally_made(size_t count)
{
    register_once();
    made += count;
}
