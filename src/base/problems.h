/*
 * A list of all faults in a text that a person wrote, such as a settings file or a policy. A reader
 * adds each fault and continues, so one run reports all faults. Check problems_err() at the end.
 */
#ifndef BASE_PROBLEMS_H
#define BASE_PROBLEMS_H

#include <stdarg.h>

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PROBLEMS_MAX 200 /* further problems are only counted */

/* The place of a fault. The strings are borrowed. */
struct problem_place {
    const char *file;      /* path, or "environment" */
    unsigned line, column; /* 1-based; 0 means unknown */
    const char *setting;   /* "tokens[2].sha256"; "" or NULL when no setting is at fault */
};

struct problem {
    char *file;
    char *setting; /* never NULL */
    unsigned line, column;
    char *text; /* the whole message: "FILE:LINE: SETTING: what is wrong; what is allowed" */
};

/* Zero-initialise with {0}. Call problems_clear() at the end. */
struct problems {
    struct problem *items; /* in the order of their discovery */
    size_t count;
    size_t left_off; /* found beyond PROBLEMS_MAX */
    bool out_of_memory;
};

/*
 * Adds a problem. `format` says what was found, what is allowed and what to do, without a full stop
 * at the end. Control characters become '?', so the text is safe to print on a terminal.
 */
void problems_add(struct problems *p, const struct problem_place *place, const char *format, ...)
    PRINTF_LIKE(3, 4);
void problems_add_list(struct problems *p, const struct problem_place *place, const char *format,
                       va_list arguments) PRINTF_LIKE(3, 0);

/* ERR_NONE the list is empty; ERR_CONFIG it has problems; ERR_MEMORY a problem could not be stored
 */
MUST_CHECK enum err problems_err(const struct problems *p);

/* Frees all memory and sets `p` to {0}. */
void problems_clear(struct problems *p);

#endif
