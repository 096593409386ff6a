/*
 * `vouchsafed state check | repair | export | import`: works on the state of a daemon that is
 * stopped. Results go to standard output, as text or as one JSON object.
 */
#ifndef DAEMON_STATE_COMMAND_H
#define DAEMON_STATE_COMMAND_H

#include "daemon/state.h"

struct state_command {
    const char *verb;     /* "check", "repair", "export", "import" */
    const char *file;     /* of export and import */
    const char *kept;     /* a checkpoint that was kept elsewhere, or NULL */
    const char *give_up;  /* words of store/repair.h, separated by commas, or NULL */
    bool yes;             /* repair: do it, not only say it */
    bool accept_rollback; /* import: the export may be older than the last state */
    bool json;
};

/* Exit statuses beside 0 (whole, or done) and 1 (refused, or failed). */
enum { STATE_FAULTY = 3 /* faults were found, and are still there */ };

bool state_command_known(const char *verb);
bool state_command_takes_file(const char *verb);

/*
 * Runs it. `*status` is the exit status when ERR_NONE is returned. On an error, `problem` has the
 * reason and the remedy.
 */
MUST_CHECK enum err state_command_run(const struct settings *s, const struct state_command *c,
                                      struct timestamp now, int *status,
                                      struct state_problem *problem);

#endif
