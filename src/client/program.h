/*
 * Runs a program that the user named, and reads its output. The library and the command run all
 * such programs here.
 */
#ifndef CLIENT_PROGRAM_H
#define CLIENT_PROGRAM_H

#include "client/client.h"

#define PROGRAM_TIMEOUT_MS 30000

struct program {
    char *const *argv;   /* argv[0] is looked up in PATH; no shell; ends with NULL */
    unsigned timeout_ms; /* for the whole process group; 0: PROGRAM_TIMEOUT_MS */
};

/*
 * Runs it with empty standard input in its own process group, and returns when it has ended.
 * Remaining children are killed, so they cannot keep its output open. `out` gets its standard
 * output, at most `capacity` bytes. Standard error is inherited.
 *
 * VS_ERR_IO         it cannot be started, or ended with another exit code than 0, or by a signal
 * VS_ERR_TIMEOUT    it did not end in time; the group was killed
 * VS_ERR_TOO_LARGE  it wrote more than `capacity`; the group was killed
 * `why` names the program and the failure.
 */
MUST_CHECK enum vs_error program_run(const struct program *p, uint8_t *out, size_t capacity,
                                     size_t *size, struct vs_why *why);

/* The reason why the last quote of a source failed; "" unless it is a vs_command_source. */
const char *quote_source_why(const struct vs_quote_source *source);

#endif
