/*
 * What a database must do for the store: one table of functions, with two engines, store/sqlite/
 * and store/postgres/. Engines move bytes. They seal nothing, hash nothing and decide nothing;
 * store/executor.h does that once, for all engines.
 *
 * A group of transactions costs an engine two calls, so that an engine with a network in between
 * needs two round trips: group_begin() reads and locks all rows that the group names, and
 * group_commit() writes everything and commits. The executor decides in memory between the two.
 * A transaction whose condition fails has written nothing by then, so no savepoints are needed.
 *
 * Threads: the functions marked (writer) belong to one thread. All others may be called from any
 * thread at the same time; the engine has connections of its own for them. A lease is renewed from
 * any thread, so that a long group does not lose it.
 *
 * The word "unknown" below: the engine cannot tell whether the database has the commit. The
 * executor then calls group_begin() again until it succeeds, reads the log and sees.
 */
#ifndef STORE_STORE_OPS_H
#define STORE_STORE_OPS_H

#include "audit/merkle.h"
#include "store/transaction.h"

#define STORE_HASH_SIZE 32
#define STORE_SEALED_MAX (ROW_VALUE_MAX + 1024) /* bytes of a sealed row */
#define STORE_STATE_MAX 4096                    /* bytes of a sealed state */
#define STORE_ORIGIN_MAX 128
#define STORE_GROUP_MAX 1024 /* transactions in one group */

/*
 * Where a row is: its table, and the HMAC of its id. An engine gives table 0, which no row of ours
 * has, for a number beyond 255: cut to 8 bits, it could pass for another table.
 */
struct row_key {
    uint8_t table;
    uint8_t id[STORE_HASH_SIZE];
};

/* A row as the database has it. Spans borrow: valid during the callback only. */
struct stored_row {
    struct row_key key;
    uint64_t version;
    bool has_lookup;
    uint8_t lookup[STORE_HASH_SIZE]; /* HMAC of the lookup value; unique in the table */
    struct span sealed;
};

/* An error of the callback ends the function and is returned. A callback does not call the engine.
 */
typedef MUST_CHECK enum err each_stored_row(void *context, const struct stored_row *row);
typedef MUST_CHECK enum err each_stored_entry(void *context, uint64_t index, struct span entry);
typedef MUST_CHECK enum err each_stored_node(void *context, uint64_t index, struct span hash);

/* A row that is asked for: by id, or by the HMAC of its lookup value. */
struct row_wanted {
    uint8_t table;
    bool by_lookup;
    uint8_t hash[STORE_HASH_SIZE];
};

/*
 * One change of a row. `before` is the version that the executor read.
 *   INSERT  the row does not exist          UPDATE  the row is at `before`; its lookup stays
 *   DELETE  the row is at `before`
 */
enum row_change_kind { ROW_INSERT, ROW_UPDATE, ROW_DELETE };
struct row_change {
    enum row_change_kind kind;
    uint64_t before;
    struct stored_row row; /* DELETE: only the key counts; UPDATE: `lookup` is as it was */
};

/* The hash of a complete subtree of the log: 2^level leaves from leaf index << level. */
struct stored_node {
    unsigned level;
    uint64_t index;
    struct merkle_hash hash;
};

/* Everything that one group writes. The engine applies `changes` in order. */
struct group_writes {
    const struct row_change *changes;
    size_t change_count;
    uint64_t first_entry; /* index of entries[0]: the log's size before */
    const struct span *entries;
    size_t entry_count;
    const struct stored_node *nodes;
    size_t node_count;
    struct span state; /* the node's sealed state after this group; always written */
};

/* A node as the database has it. */
struct stored_node_state {
    uint32_t node; /* 1 to TRANSACTION_NODE_MAX */
    char origin[STORE_ORIGIN_MAX + 1];
    uint64_t token; /* of the lease that was granted last; 0 before the first */
    size_t size;
    uint8_t state[STORE_STATE_MAX]; /* `size` bytes, sealed */
};
typedef MUST_CHECK enum err each_node_state(void *context, const struct stored_node_state *node);

struct engine_options {
    const char *address; /* SQLite: path of the file. PostgreSQL: connection string */
    bool create;         /* make what is missing; else ERR_NOT_FOUND */
    /*
     * Look at what is there, however damaged, and change nothing: no migration, and nothing is
     * compared. Only reading functions may be called. Where a row's id or lookup value has another
     * size, it is given as table 0.
     */
    bool inspect;
};

/* A fault that the engine itself finds. `what` is a stable code, `text` the engine's words. */
typedef MUST_CHECK enum err each_engine_fault(void *context, const char *what, const char *text);

struct store_ops;

/* The first member of each engine's own struct. */
struct store_engine {
    const struct store_ops *ops;
};

struct store_ops {
    const char *name;
    bool shared; /* several nodes use one database at the same time */

    /*
     * Connects and brings the schema up to date (store/migrations.h). All migrations together are
     * one transaction, so an interrupted one starts again. A migration never reads a sealed byte.
     * ERR_NOT_FOUND no database or no tables, and not `create`; ERR_CONFLICT another process has
     * the file; ERR_UNSUPPORTED the schema is newer than this program; ERR_TAMPERED the tables are
     * not ours; ERR_UNAVAILABLE the server does not answer; ERR_CONFIG the address is refused
     * (store/postgres/address.h); ERR_IO
     */
    MUST_CHECK enum err (*open)(const struct engine_options *options, struct store_engine **out);
    /* Checks an address without connecting; NULL where every text may be one. ERR_CONFIG, with a
     * line in the operational log */
    MUST_CHECK enum err (*address_check)(const char *address);
    /* Accepts NULL. Files that hold newer writes than the database stay, unless after flush(). */
    void (*close)(struct store_engine **engine);

    /* From any thread: the process ends, so from now on no wait for a server is longer than a
     * second. NULL where there is no server */
    void (*hurry)(struct store_engine *e);

    /*
     * An engine that keeps its newest writes in a file of their own, as SQLite's write-ahead log;
     * both NULL where there is none. journal_found(): open() found that file, and it was not empty.
     * flush() (writer) moves every commit into the database. ERR_TAMPERED, ERR_IO
     */
    bool (*journal_found)(const struct store_engine *e);
    MUST_CHECK enum err (*flush)(struct store_engine *e);
    /*
     * (writer; NULL as flush) Call it only before the end: true when the journal was deleted while
     * it was open, and nothing else was changed. All commits are still in the open file, so groups
     * and flush() work again. The next start could not find that file.
     */
    bool (*journal_rescue)(struct store_engine *e);

    /*
     * (writer) Finds the faults of what the engine keeps by itself, and calls `each` for all of
     * them:
     *   page    the database is damaged        index   an index and its table differ
     *   schema  the tables are not ours, or of another release
     *   mode    other users may use a file
     * NULL where the engine has none. ERR_MEMORY, ERR_IO
     */
    MUST_CHECK enum err (*examine)(struct store_engine *e, each_engine_fault *each, void *context);

    /*
     * (writer) Empties the database: for an import that was interrupted. NULL where a database is a
     * file, which the caller removes instead. ERR_CONFLICT a process holds a lease: nothing changed
     */
    MUST_CHECK enum err (*clear)(struct store_engine *e);

    /* (writer) Makes a node with its first state. ERR_CONFLICT the number or the origin is taken */
    MUST_CHECK enum err (*node_add)(struct store_engine *e, uint32_t node, const char *origin,
                                    struct span state);
    /*
     * (writer; NULL where there is none) The signed checkpoint of a database of release 0.1.0,
     * which had a log and no nodes. ERR_NOT_FOUND it is none
     */
    MUST_CHECK enum err (*old_checkpoint)(struct store_engine *e, struct buffer *out);
    /* All nodes in order of their numbers. */
    MUST_CHECK enum err (*nodes)(struct store_engine *e, each_node_state *each, void *context);

    /*
     * (writer) Takes the lease on a node's log for `duration_ms` by the database's clock. `holder`
     * is 16 random bytes of this process: the holder of a running lease may take it again. Each
     * grant has a larger token, and ends every older one at once. ERR_CONFLICT another holder's
     * lease still runs; ERR_NOT_FOUND no such node
     */
    MUST_CHECK enum err (*lease_take)(struct store_engine *e, uint32_t node,
                                      const uint8_t holder[16], int64_t duration_ms,
                                      uint64_t *token);
    /* ERR_DENIED the lease was granted to another holder since, or was released */
    MUST_CHECK enum err (*lease_renew)(struct store_engine *e, uint32_t node, uint64_t token,
                                       int64_t duration_ms);
    MUST_CHECK enum err (*lease_release)(struct store_engine *e, uint32_t node, uint64_t token);

    /*
     * (writer) Begins a group: locks the node's state, waiting for any transaction that still
     * holds it (an old session whose COMMIT was on its way); checks the token; gives the state;
     * then calls `each` for every wanted row that exists. A row wanted twice, by id and by lookup,
     * may be given once or twice. What this reports, missing rows included, holds until the commit,
     * or group_commit() returns ERR_CONFLICT.
     *
     * ERR_DENIED       the token is not the node's newest: nothing may be appended any more
     * ERR_CONFLICT     another node was in the way: try again
     * ERR_UNAVAILABLE  no connection; a later call may succeed     ERR_TAMPERED, ERR_IO
     * On an error no group has begun. The engine connects again by itself.
     */
    MUST_CHECK enum err (*group_begin)(struct store_engine *e, uint32_t node, uint64_t token,
                                       const struct row_wanted *wanted, size_t wanted_count,
                                       struct stored_node_state *state, each_stored_row *each,
                                       void *context);
    /*
     * (writer) Writes and commits; the group has ended in any case. ERR_NONE: durable.
     * ERR_CONFLICT another node changed what group_begin() reported: run the group again.
     * ERR_TAMPERED a row or entry is where none was left; ERR_IO, ERR_MEMORY. With these nothing
     * was written. ERR_TAMPERED also when the files were changed: the group may be in files that
     * no longer are the database, and every later call fails. ERR_UNAVAILABLE: unknown
     */
    MUST_CHECK enum err (*group_commit)(struct store_engine *e, const struct group_writes *writes);
    /* (writer) Ends the group without writing. No effect without a group. */
    void (*group_abort)(struct store_engine *e);

    /*
     * (writer) ERR_TAMPERED the files were deleted, replaced or cut under the running process.
     * An engine without files of its own returns ERR_NONE.
     */
    MUST_CHECK enum err (*files_check)(struct store_engine *e);

    /*
     * The bytes of disk that the store uses. What the engine can use again does not count, as far
     * as it knows. ERR_UNAVAILABLE, ERR_IO
     */
    MUST_CHECK enum err (*size)(struct store_engine *e, uint64_t *bytes);
    /* The committed row. ERR_NOT_FOUND */
    MUST_CHECK enum err (*row_read)(struct store_engine *e, const struct row_wanted *wanted,
                                    each_stored_row *each, void *context);
    /*
     * One consistent view: all node states, then all rows, in no order, as of one moment.
     * Rows of all tables when `table` is 0; no node states when `each_node` is NULL.
     */
    MUST_CHECK enum err (*scan)(struct store_engine *e, uint8_t table, each_node_state *each_node,
                                each_stored_row *each_row, void *context);
    /* Up to `count` committed entries from `first` in order; fewer when there are fewer. */
    MUST_CHECK enum err (*entries)(struct store_engine *e, uint32_t node, uint64_t first,
                                   uint64_t count, each_stored_entry *each, void *context);
    /* Up to `count` stored subtree hashes of one level from `first` in order. */
    MUST_CHECK enum err (*subtrees)(struct store_engine *e, uint32_t node, unsigned level,
                                    uint64_t first, uint64_t count, each_stored_node *each,
                                    void *context);
    /*
     * (writer) Removes entries before `end` from the database; the archive has them (a multiple of
     * 256). Subtree hashes stay.
     */
    MUST_CHECK enum err (*entries_drop)(struct store_engine *e, uint32_t node, uint64_t token,
                                        uint64_t end);
};

extern const struct store_ops store_sqlite;
extern const struct store_ops store_postgres;

#endif
