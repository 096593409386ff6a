/* What the files of the SQLite engine share. Nothing else includes this. */
#ifndef STORE_SQLITE_ENGINE_H
#define STORE_SQLITE_ENGINE_H

#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

#include "store/store_ops.h"

enum sqlite_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_ITEM_INSERT,
    STATEMENT_ITEM_UPDATE,
    STATEMENT_ITEM_DELETE,
    STATEMENT_ITEM_BY_ID,
    STATEMENT_ITEM_BY_LOOKUP,
    STATEMENT_NODE_READ,
    STATEMENT_NODE_UPDATE,
    STATEMENT_ENTRY_INSERT,
    STATEMENT_SUBTREE_INSERT,
    STATEMENTS
};

enum { ENGINE_QUERIES = 10 }; /* different statements that readers run */

/* A read-only connection; one thread uses it at a time. */
struct sqlite_reader {
    sqlite3 *db;
    bool failed; /* SQLite reported an error: a new connection takes its place */
    struct {
        const char *sql; /* the same text has the same address */
        sqlite3_stmt *statement;
    } prepared[ENGINE_QUERIES];
    struct sqlite_reader *next;
};

enum { ENGINE_READERS_MAX = 4 };

/* The files that must stay the ones that were opened. */
enum sqlite_file_kind { ENGINE_FILE_DATABASE, ENGINE_FILE_WAL, ENGINE_FILE_LOCK, ENGINE_FILES };

struct sqlite_file {
    dev_t device;
    ino_t inode;
    off_t size;
};

struct sqlite_engine {
    struct store_engine base; /* the first member */
    char *path;
    int lock_fd;
    bool inspect;         /* nothing may be changed */
    char *read_path;      /* for connections that only read: the path, or a URI of it */
    bool index_file_made; /* by inspecting: there was no shared index of the write-ahead log */

    /* the writer's only */
    struct gather *gather;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint32_t node;    /* of the running group */
    uint64_t granted; /* the newest lease's token; the lock file is the lease */
    bool in_group;
    bool journal_found;                     /* open() found a write-ahead log */
    bool flushed;                           /* it has nothing that the database does not have */
    bool failing;                           /* the last group failed, which was logged */
    struct sqlite_file files[ENGINE_FILES]; /* as the last commit left them */
    bool journal_has_no_name; /* it was deleted, and the open file is used until the end */
    bool files_lost;          /* for good: only a new start looks at everything again */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t reader_returned;
    struct sqlite_reader *idle_readers;
    size_t reader_count;
};

struct sqlite_engine *sqlite_engine_of(struct store_engine *e);

/* ERR_NONE for OK, ROW and DONE; ERR_MEMORY; ERR_TAMPERED when the file is not as we left it. */
MUST_CHECK enum err sqlite_error(int result);
MUST_CHECK enum err sqlite_exec(sqlite3 *db, const char *sql);
MUST_CHECK enum err sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out);

/* A row, ERR_NONE; no more rows, ERR_NOT_FOUND. */
MUST_CHECK enum err sqlite_row(sqlite3_stmt *statement);
/* Steps a statement that gives no rows, and makes it ready for the next time. */
MUST_CHECK enum err sqlite_run(sqlite3_stmt *statement);

/* Parameters, numbered from 1. Bytes are borrowed until the statement runs. */
MUST_CHECK enum err sqlite_bind_number(sqlite3_stmt *statement, int at, uint64_t number);
MUST_CHECK enum err sqlite_bind_bytes(sqlite3_stmt *statement, int at, struct span bytes);

/* Columns, numbered from 0. */
struct span sqlite_bytes(sqlite3_stmt *statement, int column);
uint64_t sqlite_number(sqlite3_stmt *statement, int column);
/* Of a row of sql_item_scan. ERR_TAMPERED, and a log line, unless it has STORE_HASH_SIZE bytes. */
MUST_CHECK enum err sqlite_hash(sqlite3_stmt *statement, int column, uint8_t out[STORE_HASH_SIZE]);
/* version, lookup and sealed, from column `first`. The executor judges what they are.
 * ERR_TAMPERED the lookup value has another size */
MUST_CHECK enum err sqlite_item(sqlite3_stmt *statement, int first, struct stored_row *row);
/* node, origin, token, state from column 0. */
MUST_CHECK enum err sqlite_node(sqlite3_stmt *statement, struct stored_node_state *out);

/* With the settings that every connection to the file needs. `vfs`: NULL for SQLite's own */
MUST_CHECK enum err sqlite_connect(const char *path, int flags, const char *vfs, sqlite3 **out);

/*
 * Brings the tables up to date, or makes them. ERR_NOT_FOUND no tables and not `create`;
 * ERR_UNSUPPORTED newer than this program; ERR_TAMPERED tables that are not ours, to the letter
 */
MUST_CHECK enum err sqlite_migrate(sqlite3 *db, bool create);

/* Compares the tables with ours. ERR_TAMPERED; ERR_UNSUPPORTED another release's */
MUST_CHECK enum err sqlite_definitions_check(sqlite3 *db);

/* Opens the files as they are, for engine_options.inspect. Errors as store_ops.open */
MUST_CHECK enum err sqlite_inspect(struct sqlite_engine *q);
void sqlite_inspect_end(struct sqlite_engine *q);
MUST_CHECK enum err sqlite_examine(struct store_engine *e, each_engine_fault *each, void *context);

/* The file of this kind has its name, is a regular one and not empty. */
bool sqlite_file_is_there(const struct sqlite_engine *e, enum sqlite_file_kind which);
/* The size of the write-ahead log in bytes; 0 if there is no such file. */
uint64_t sqlite_journal_size(const struct sqlite_engine *e);
/* The write-ahead log is still the file that has its name. */
bool sqlite_journal_has_its_name(const struct sqlite_engine *e);
/* See journal_rescue() in store/store_ops.h. */
bool sqlite_journal_rescue(struct store_engine *e);
/* Remembers the files as they are now. ERR_NOT_FOUND, ERR_IO */
MUST_CHECK enum err sqlite_files_record(struct sqlite_engine *e);
/*
 * Before a group: all files have the inode and the size that the last commit left. ERR_TAMPERED,
 * and an alarm in the operational log, when one was deleted, replaced or cut, or another process
 * wrote to it; from then on always. ERR_IO
 */
MUST_CHECK enum err sqlite_files_check(struct sqlite_engine *e);
/*
 * After a commit, or one that failed: the same files still have their names; remembers their sizes.
 * ERR_TAMPERED when that cannot be said, and from then on always.
 */
MUST_CHECK enum err sqlite_files_settle(struct sqlite_engine *e);

void sqlite_readers_close(struct sqlite_engine *e);

/* The members of store_ops that are not in engine.c. */
MUST_CHECK enum err sqlite_group_begin(struct store_engine *e, uint32_t node, uint64_t token,
                                       const struct row_wanted *wanted, size_t wanted_count,
                                       struct stored_node_state *state, each_stored_row *each,
                                       void *context);
MUST_CHECK enum err sqlite_group_commit(struct store_engine *e, const struct group_writes *writes);
void sqlite_group_abort(struct store_engine *e);
MUST_CHECK enum err sqlite_size(struct store_engine *e, uint64_t *bytes);
MUST_CHECK enum err sqlite_row_read(struct store_engine *e, const struct row_wanted *wanted,
                                    each_stored_row *each, void *context);
MUST_CHECK enum err sqlite_nodes(struct store_engine *e, each_node_state *each, void *context);
MUST_CHECK enum err sqlite_scan(struct store_engine *e, uint8_t table, each_node_state *each_node,
                                each_stored_row *each_row, void *context);
MUST_CHECK enum err sqlite_entries(struct store_engine *e, uint32_t node, uint64_t first,
                                   uint64_t count, each_stored_entry *each, void *context);
MUST_CHECK enum err sqlite_subtrees(struct store_engine *e, uint32_t node, unsigned level,
                                    uint64_t first, uint64_t count, each_stored_node *each,
                                    void *context);

#endif
