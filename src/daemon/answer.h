/*
 * The answers of `vouchsafed --check-config --json` and `vouchsafed init --json`: one JSON object
 * and a newline. The exit status says the same as "ok".
 */
#ifndef DAEMON_ANSWER_H
#define DAEMON_ANSWER_H

#include <stdio.h>

#include "base/problems.h"

/* The outcome of a check or of init. The strings are borrowed. */
struct answer {
    bool ok;
    const struct problems *problems;
    const char *failure; /* a reason that has no place in a file; "" for none */
    const char *state;   /* the state directory */
    const char *log_key; /* of init, when ok */
    bool initialised;    /* of a check, when ok: there is a root in the state directory */
    const char *expired; /* of a check: the certificate that has expired, or NULL */
};

/*
 * {"ok":true,"problems":[],"more_problems":0,"initialised":true,"expired_certificate":null}, or
 * {"ok":false,"problems":[{"file":"v.yaml","line":3,"setting":"server.port","text":"..."}],
 * "more_problems":0}. "file", "line" and "setting" are null where there is none; "text" is the
 * whole message with its place. ERR_MEMORY; ERR_IO it could not be written
 */
MUST_CHECK enum err answer_check_write(const struct answer *a, FILE *file);

/*
 * {"ok":true,"state":"/var/lib/vouchsafe","log_key":"..."} or
 * {"ok":false,"error":"...","problems":[...],"more_problems":0}. "error" is the first reason.
 * ERR_MEMORY, ERR_IO
 */
MUST_CHECK enum err answer_init_write(const struct answer *a, FILE *file);

#endif
