/*
 * A list of everything that is wrong with what a person wrote: a settings file, a policy. A reader
 * adds each fault and goes on, so that one run names them all. Check problems_err() at the end.
 */
#ifndef BASE_PROBLEMS_H
#define BASE_PROBLEMS_H

#include <stdarg.h>

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PROBLEMS_MAX 200 /* more are counted only */

/* Where a fault is. Borrowed strings. */
struct problem_place {
    const char *file;      /* path, or "environment" */
    unsigned line, column; /* 1-based; 0 when not known */
    const char *setting;   /* "tokens[2].sha256"; "" or NULL when none is at fault */
};

struct problem {
    char *file;
    char *setting; /* never NULL */
    unsigned line, column;
    char *text; /* the whole message: "FILE:LINE: SETTING: what is wrong; what is allowed" */
};

/* Zero-initialise with {0}; problems_clear() it. */
struct problems {
    struct problem *items; /* in the order in which they were found */
    size_t count;
    size_t left_off; /* found beyond PROBLEMS_MAX */
    bool out_of_memory;
};

/*
 * Adds one. `format` says what was found, what is allowed and what to do, without a full stop at
 * the end. Control characters become '?', so the text is safe to print on a terminal.
 */
void problems_add(struct problems *p, const struct problem_place *place, const char *format, ...)
    PRINTF_LIKE(3, 4);
void problems_add_list(struct problems *p, const struct problem_place *place, const char *format,
                       va_list arguments) PRINTF_LIKE(3, 0);

/* ERR_NONE: none were added. ERR_CONFIG: some were. ERR_MEMORY: one could not be kept. */
MUST_CHECK enum err problems_err(const struct problems *p);

/* Frees everything and sets to {0}. */
void problems_clear(struct problems *p);

#endif
