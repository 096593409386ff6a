/*
 * Runs a program of the user's and takes what it writes. Every program that the library or the
 * command starts, and whose output it uses, runs here.
 */
#ifndef CLIENT_PROGRAM_H
#define CLIENT_PROGRAM_H

#include "client/client.h"

#define PROGRAM_TIMEOUT_MS 30000

struct program {
    char *const *argv;   /* argv[0] is looked for in PATH; no shell; ends with NULL */
    unsigned timeout_ms; /* for the whole process group; 0: PROGRAM_TIMEOUT_MS */
};

/*
 * Runs it with empty standard input in a process group of its own, and returns when it has ended;
 * children that it leaves behind are killed, so they cannot hold its output open. `out` gets its
 * standard output, at most `capacity` bytes. Standard error is inherited.
 *
 * VS_ERR_IO         it cannot be started, or ended with another exit code than 0, or by a signal
 * VS_ERR_TIMEOUT    it did not end in time; the group was killed
 * VS_ERR_TOO_LARGE  it wrote more than `capacity`; the group was killed
 * `why` names the program and what it did.
 */
MUST_CHECK enum vs_error program_run(const struct program *p, uint8_t *out, size_t capacity,
                                     size_t *size, struct vs_why *why);

/* Why the last quote of a source failed; "" unless it is a vs_command_source. */
const char *quote_source_why(const struct vs_quote_source *source);

#endif
