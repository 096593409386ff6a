/* What the files of daemon/state_command.h share. Nothing else includes this. */
#ifndef DAEMON_STATE_INSIDE_H
#define DAEMON_STATE_INSIDE_H

#include <stdio.h>

#include "audit/checkpoint.h"
#include "daemon/state_command.h"
#include "store/repair.h"

enum { STATE_PATH_SIZE = 4096 };

/* What every command needs: the keys of the sealed root. */
struct state_context {
    const struct settings *settings;
    const struct state_command *command;
    struct timestamp now;
    struct state_problem *problem;
    FILE *out; /* reaches standard output when the command has succeeded */

    struct tee *tee;
    struct root *root;
    struct secret *seed, *keys;
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    const struct store_ops *engine;
    char database[STATE_PATH_SIZE]; /* of SQLite */
    struct buffer url;              /* of PostgreSQL: the connection string, terminated */
    uint32_t node;
    bool has_kept;
    struct checkpoint kept;
};

MUST_CHECK enum err state_explain(struct state_problem *problem, enum err e, const char *format,
                                  ...) PRINTF_LIKE(3, 4);

/* Opens a database to look at it: a file, or NULL for the one of the settings. ERR_CONFLICT names
 * the process that has it. */
MUST_CHECK enum err state_inspect(const struct state_context *c, const char *path,
                                  struct store_engine **out);
/* Whether a checkpoint or an export with this origin may be of this keystore's log: with
 * PostgreSQL, logs have the number of their node behind log.origin. */
bool state_origin_fits(const struct state_context *c, const char *origin);
/* The options of an examination of an inspected database. */
struct examine_options state_examine_options(const struct state_context *c,
                                             struct store_engine *engine);

/* Faults as lines of text, or as elements of a JSON array that was opened. */
struct state_report {
    FILE *file; /* NULL: nothing is written */
    bool json;
    size_t written;
};
MUST_CHECK enum err state_report_fault(void *context, const struct fault *fault);
void state_report_begin(const struct state_report *r);
/* `plan` may be NULL. `done` is the path of the copy that was kept, or NULL. */
struct state_report_end {
    const struct examination *examination;
    const struct repair_plan *plan;
    const char *repaired, *copy, *set_aside;
};
void state_report_end(const struct state_report *r, const struct state_report_end *end);

/* An entry of the log about the keystore itself. */
MUST_CHECK enum err state_entry_write(const struct state_context *c, struct span op,
                                      struct span detail, struct buffer *out);

/* Removes a database that was not finished, and the files that SQLite makes next to it. */
void state_database_remove(const char *path);
/* Puts a finished database in the place of the present one, if there is one, and keeps that under
 * `copy`. Every moment in between is one that a start refuses or accepts. ERR_IO */
MUST_CHECK enum err state_database_replace(const struct state_context *c, const char *made,
                                           const char *copy);

MUST_CHECK enum err state_repair(struct state_context *c, int *status);
MUST_CHECK enum err state_export(struct state_context *c, int *status);
MUST_CHECK enum err state_import(struct state_context *c, int *status);

#endif
