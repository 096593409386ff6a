/*
 * `.env` files: one NAME=VALUE a line, with an optional `export` before it. A value is plain,
 * 'literal', or "with escapes" (\n \r \t \\ \" \$). `#` begins a comment at the start of a line or
 * after white space. Forms that other readers of such files understand differently are refused:
 * variables in values, white space in plain values, a name given twice, values of several lines.
 */
#ifndef DAEMON_DOTENV_H
#define DAEMON_DOTENV_H

#include "base/span.h"

#define DOTENV_ENTRIES_MAX 512
#define DOTENV_NAME_MAX 128

struct dotenv_entry {
    char *name; /* both are terminated, and are inside the text */
    char *value;
    unsigned line;
};

struct dotenv {
    size_t count;
    struct dotenv_entry entries[DOTENV_ENTRIES_MAX];
};

/*
 * Parses in place: `text` has `size` bytes and room for a terminator; it is changed and must
 * outlive the entries. On failure `*line` is the place and `*why` the reason (one static sentence).
 * ERR_MALFORMED, ERR_TOO_LARGE more than DOTENV_ENTRIES_MAX
 */
MUST_CHECK enum err dotenv_parse(char *text, size_t size, struct dotenv *out, unsigned *line,
                                 const char **why);

/* NULL when there is no entry of that name. */
const struct dotenv_entry *dotenv_find(const struct dotenv *d, const char *name);

#endif
