/* What the files of the SQLite engine share, and nobody else includes. */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

#include "store/store.h"

/*
 * Hashes are stored for complete subtrees of every 8th level only. A proof recomputes the levels
 * between from at most 128 leaves or nodes each.
 */
enum { ENGINE_LEVEL_STEP = 8 };

enum engine_statement {
    ENGINE_BEGIN,
    ENGINE_COMMIT,
    ENGINE_ROLLBACK,
    ENGINE_INSERT_ENTRY,
    ENGINE_INSERT_NODE,
    ENGINE_SAVE_CHECKPOINT,
    ENGINE_STATEMENTS
};

/* A read-only connection; one thread uses it at a time. */
struct engine_reader {
    sqlite3 *db;
    sqlite3_stmt *entries;
    sqlite3_stmt *nodes;
    struct engine_reader *next;
};

enum { ENGINE_READERS_MAX = 4 };

/* The files that must stay the ones that were opened. */
enum engine_file_kind { ENGINE_FILE_DATABASE, ENGINE_FILE_WAL, ENGINE_FILE_LOCK, ENGINE_FILES };

struct engine_file {
    dev_t device;
    ino_t inode;
    off_t size;
};

struct store {
    char *path;
    char origin[CHECKPOINT_ORIGIN_MAX + 1];
    const uint8_t *log_seed;
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    int lock_fd;

    /* the writer's alone */
    sqlite3 *db;
    sqlite3_stmt *statements[ENGINE_STATEMENTS];
    struct merkle_frontier frontier;
    struct engine_file files[ENGINE_FILES]; /* as the last commit left them */
    bool files_lost; /* for good: only a new start looks at the whole log again */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t reader_returned;
    struct checkpoint checkpoint;
    char note[CHECKPOINT_TEXT_MAX];
    struct engine_reader *idle_readers;
    size_t reader_count;
};

/* ERR_NONE for OK, ROW and DONE; ERR_MEMORY; ERR_TAMPERED when the file is no longer ours. */
MUST_CHECK enum err engine_error(int result);
MUST_CHECK enum err engine_exec(sqlite3 *db, const char *sql);
MUST_CHECK enum err engine_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out);

/* A row, ERR_NONE; no more rows, ERR_NOT_FOUND. */
MUST_CHECK enum err engine_row(sqlite3_stmt *statement);
struct span engine_blob(sqlite3_stmt *statement, int column);
bool engine_hash(sqlite3_stmt *statement, int column, struct merkle_hash *out);

/* Tables of the newest schema, `origin`, and an empty log's checkpoint; inside a transaction. */
MUST_CHECK enum err engine_schema_create(sqlite3 *db, const char *origin);

/* True when the file holds no tables: new, or its creation was cut short. */
MUST_CHECK enum err engine_schema_is_empty(sqlite3 *db, bool *out);

/*
 * Brings an older schema up to date and checks that the tables are ours, to the letter: nobody's
 * trigger or view is there. ERR_UNSUPPORTED newer than this program, ERR_TAMPERED, ERR_IO
 */
MUST_CHECK enum err engine_schema_check(sqlite3 *db, const char *origin);

/* Inside a transaction of the caller's. */
MUST_CHECK enum err engine_checkpoint_save(sqlite3_stmt *statement, const struct checkpoint *c,
                                           const char *note);
extern const char engine_checkpoint_sql[];

/*
 * Appends `leaf`, and tells the hash of each complete subtree of a stored level that it completes,
 * from the lowest. On an error of `each` the frontier is as before.
 */
typedef MUST_CHECK enum err engine_each_node(void *context, unsigned level, uint64_t index,
                                             const struct merkle_hash *hash);
MUST_CHECK enum err engine_grow(struct merkle_frontier *f, const struct merkle_hash *leaf,
                                engine_each_node *each, void *context);

/*
 * Checks all that is stored against the signed checkpoint, and fills the frontier, the checkpoint
 * and its note; tells `each` (may be NULL) the entries. ERR_TAMPERED, with one log line that names
 * the entries at fault.
 */
MUST_CHECK enum err engine_verify(struct store *store, store_each_entry *each, void *context);

/* Remembers the files as they are now. ERR_NOT_FOUND, ERR_IO */
MUST_CHECK enum err engine_files_record(struct store *store);
/*
 * Before a commit: all files have the inode and the size that the last commit left.
 * ERR_TAMPERED, and an alarm in the operational log, when one was deleted, replaced or cut, or
 * another process wrote to it; from then on always. ERR_IO
 */
MUST_CHECK enum err engine_files_check(struct store *store);
/*
 * After a commit, or one that failed: the same files still have their names; remembers their sizes.
 * ERR_TAMPERED when that cannot be said, and from then on always.
 */
MUST_CHECK enum err engine_files_settle(struct store *store);

void engine_readers_close(struct store *store);

/* Settings that every connection to the file needs. */
MUST_CHECK enum err engine_connect(const char *path, int flags, sqlite3 **out);

#endif
