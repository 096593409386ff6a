/* What the files of store/examine.h share. Nothing else includes this. */
#ifndef STORE_EXAMINE_INSIDE_H
#define STORE_EXAMINE_INSIDE_H

#include "store/examine.h"

struct examining {
    const struct examine_options *options;
    struct examination *out;
};

/* Counts the fault and gives it to the caller. */
MUST_CHECK enum err examining_report(const struct examining *x, const struct fault *fault);

/* Every entry and every stored hash of a log, against the state of its node. */
MUST_CHECK enum err examine_log(struct examining *x, uint32_t node, const struct node_state *state);

#endif
