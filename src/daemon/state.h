/* The contents of the daemon's state directory: the sealed root and the log, or the log's place
 * in a shared database. */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "daemon/anchors.h"
#include "daemon/settings.h"
#include "keys/root.h"
#include "service/policies.h"
#include "store/store.h"
#include "tee/tee.h"

#define STATE_ROOT_FILE "root.sealed"
#define STATE_LOG_FILE "log.db"

/* A message for the operator: the fault and the remedy. */
struct state_problem {
    char text[1024];
};

/* Opens the configured TEE provider; `*out` is NULL for "none". */
MUST_CHECK enum err state_tee_open(const struct settings *s, struct tee **out,
                                   struct state_problem *problem);

/*
 * `vouchsafe init`: makes the directory, the simulated platform if that is the provider, a root (or
 * imports the master secret), seals it, and starts the log with an "init" entry.
 * `vkey` gets the log's key, which the operator keeps elsewhere (setting log.vkey). ERR_CONFLICT
 * there is a root already; it is never overwritten.
 */
MUST_CHECK enum err state_init(struct settings *s, struct timestamp now,
                               char vkey[CHECKPOINT_VKEY_SIZE], struct state_problem *problem);

/*
 * `vouchsafe init --new-log`: for a sealed root whose log was lost. Starts an empty log with a
 * "new-log" entry. Files that SQLite left of the old log are renamed, not removed. Checkpoints and
 * receipts of the old log do not match the new one, and reference values added at run time are
 * lost. ERR_CONFLICT there is a log; ERR_NOT_FOUND there is no root
 */
MUST_CHECK enum err state_new_log(const struct settings *s, struct timestamp now,
                                  char vkey[CHECKPOINT_VKEY_SIZE], struct state_problem *problem);

/*
 * `vouchsafe init --new-anchor`: takes the database as it is, makes the TPM's counter if it is
 * missing, and adopts its value. An entry "new-anchor" says so. For a keystore that gets its first
 * counter, and after a loss of the counter or of the newest database that the operator accepts.
 * ERR_CONFIG anchor.tpm2 is not set
 */
MUST_CHECK enum err state_new_anchor(const struct settings *s, struct timestamp now,
                                     char vkey[CHECKPOINT_VKEY_SIZE],
                                     struct state_problem *problem);

/* Opens the sealed root. */
MUST_CHECK enum err state_root_open(const struct settings *s, struct tee *tee, struct root **out,
                                    struct state_problem *problem);

/*
 * Records in the sealed root that its store has a state, and seals it again: once, after the first
 * opening of a store by a root of release 0.1.0. From then on no log without a state is accepted.
 */
MUST_CHECK enum err state_root_mark(const struct settings *s, struct tee *tee, struct root *root,
                                    struct state_problem *problem);

/*
 * Reads store.url_file and checks the connection string, without connecting. ERR_CONFIG, with the
 * reason in `problem`
 */
MUST_CHECK enum err state_url_check(const struct settings *s, struct state_problem *problem);
/* Reads the connection string, terminated. ERR_CONFIG */
MUST_CHECK enum err state_url_read(const struct settings *s, struct buffer *out,
                                   struct state_problem *problem);

/* What may be in the place of the log: one with a sealed state; nothing; one of release 0.1.0. */
enum state_log { STATE_LOG_OPEN, STATE_LOG_CREATE, STATE_LOG_TAKE_OVER };

struct state_opening {
    const struct secret *seed; /* Ed25519, of the log; this and the next must outlive the store */
    struct secret *keys;       /* struct rows_keys */
    enum state_log log;
    struct daemon_anchors *anchors; /* NULL: none; must outlive the store */
    uint64_t adopt;                 /* see struct store_options */
};

/*
 * Opens the database of store.engine. Of a PostgreSQL server: ERR_UNAVAILABLE it does not answer,
 * ERR_CONFLICT another process has the lease; both may pass. What an anchor finds is in `problem`.
 */
MUST_CHECK enum err state_store_open(const struct settings *s, const struct state_opening *opening,
                                     struct store **out, struct state_problem *problem);

/*
 * Makes and checks the directory of the log's archive (log.archive_to). A directory that is missing
 * and should have entries is a warning: the keystore goes on without them. ERR_CONFIG
 */
MUST_CHECK enum err state_archive_prepare(const struct settings *s, struct store *store,
                                          struct state_problem *problem);

/*
 * Reads the reference values that operators added. Where the database has no rows of them yet, the
 * values are those of the log; if there are any, they become rows now. `*known` is false when there
 * are neither: then reference_rows_import() of no values, with the next entry, saves the next start
 * from looking at the log.
 */
MUST_CHECK enum err state_reference_values(const struct settings *s, struct store *store,
                                           struct timestamp now, struct reference_values *out,
                                           bool *known, struct state_problem *problem);

/*
 * Checks the root for `--check-config` without unsealing it: the TEE opens, and would unseal
 * root.sealed in the present state of the machine. `*initialised` is false when there is none.
 * ERR_DENIED, ERR_MALFORMED, ERR_UNAVAILABLE, ...: `problem` has the reason why the start would
 * fail
 */
MUST_CHECK enum err state_preflight(const struct settings *s, bool *initialised,
                                    struct state_problem *problem);

/* The time of the newest entry. ERR_NOT_FOUND the log is empty, ERR_MALFORMED, ERR_IO */
MUST_CHECK enum err state_newest_entry(struct store *store, struct timestamp *out);

#endif
