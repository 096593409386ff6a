/* What the files of the PostgreSQL engine share. Nothing else includes this. */
#ifndef STORE_POSTGRES_ENGINE_H
#define STORE_POSTGRES_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/postgres/address.h"
#include "store/store_ops.h"

/* Every connection prepares all of these. */
enum pg_statement {
    PG_NODE_LOCK,
    PG_ROWS_READ,
    PG_STRIPES_LOCK,
    PG_IDS_CHECK,
    PG_LOOKUPS_CHECK,
    PG_ITEM_INSERT,
    PG_ITEM_UPDATE,
    PG_ITEM_DELETE,
    PG_ENTRY_INSERT,
    PG_SUBTREE_INSERT,
    PG_NODE_UPDATE,
    PG_NODE_INSERT,
    PG_NODE_LIST,
    PG_NODE_FIND,
    PG_LEASE_TAKE,
    PG_LEASE_RENEW,
    PG_LEASE_RELEASE,
    PG_ENTRIES_DROP,
    PG_SIZE,
    PG_ITEM_BY_ID,
    PG_ITEM_BY_LOOKUP,
    PG_ITEM_SCAN,
    PG_ENTRIES,
    PG_SUBTREES,
    PG_STATEMENTS
};

/* One thread uses it at a time. */
struct pg_connection {
    PGconn *link; /* NULL: not connected */
    int timeout_ms;
    const char *password;       /* of the address, so that no message shows it; NULL for none */
    bool quiet;                 /* the loss of the server was logged a moment ago */
    const atomic_bool *hurries; /* the process ends: waits are short. NULL: never */
};

/* The parameters of one statement. Bytes are borrowed until the statement is sent. */
enum { PG_PARAMS_MAX = 5 };
struct pg_params {
    int count;
    const char *values[PG_PARAMS_MAX];
    int sizes[PG_PARAMS_MAX];
    uint8_t numbers[PG_PARAMS_MAX][8];
};
void pg_add_number(struct pg_params *p, uint64_t number);
void pg_add_bytes(struct pg_params *p, struct span bytes);

/* An array parameter, in binary form. Zero-initialise it; pg_array_clear() frees it. */
struct pg_array {
    struct buffer bytes;
    uint32_t count;
    bool failed; /* no memory */
};
void pg_array_number(struct pg_array *a, uint64_t number);
void pg_array_bytes(struct pg_array *a, struct span bytes);
void pg_array_null(struct pg_array *a); /* a missing element of an array of bytes */
void pg_array_clear(struct pg_array *a);
/* As the next parameter, whose elements have type `oid`. ERR_MEMORY, also for a failed append */
MUST_CHECK enum err pg_add_array(struct pg_params *p, struct pg_array *a, Oid oid);

/* ---- connection.c. Each error but those of callers is logged once. ---- */

/*
 * Connects and sets up the session. ERR_UNAVAILABLE no server answered, or none that can write;
 * ERR_UNSUPPORTED the server is older than version 13; ERR_MEMORY
 */
MUST_CHECK enum err pg_connect(const struct pg_address *a, struct pg_connection *c);
/* Prepares all statements. In pipeline mode from then on if `pipeline`. */
MUST_CHECK enum err pg_prepare(struct pg_connection *c, bool pipeline);
void pg_disconnect(struct pg_connection *c);
/* False when it is known to be dead; looks, but does not wait. */
bool pg_is_alive(struct pg_connection *c);

/*
 * The functions below return, for an error of the server:
 *   ERR_UNAVAILABLE  the connection is lost, or the server did not answer in time; disconnected
 *   ERR_CONFLICT     serialization, deadlock, or a check of ours (division by zero)
 *   ERR_TAMPERED     a constraint, or a table that is not there
 *   ERR_TIMEOUT      a lock was not granted in time, or a statement took too long
 *   ERR_IO           anything else
 */

/* Statements in text, outside of pipeline mode. `out` gets the last result, or is NULL. */
MUST_CHECK enum err pg_exec(struct pg_connection *c, const char *sql, PGresult **out);

/* Pipeline mode: queues statements; pg_finish() sends them. */
MUST_CHECK enum err pg_queue(struct pg_connection *c, enum pg_statement s,
                             const struct pg_params *p);
/* With arrays for the parameters after those of `p`: one for each that the statement has. */
MUST_CHECK enum err pg_queue_arrays(struct pg_connection *c, enum pg_statement s,
                                    struct pg_params *p, struct pg_array *arrays);
MUST_CHECK enum err pg_queue_text(struct pg_connection *c, const char *sql);
/*
 * Sends everything, reads all results, and keeps those of the first `kept` statements in `results`;
 * the caller clears them in any case.
 */
MUST_CHECK enum err pg_finish(struct pg_connection *c, PGresult **results, size_t kept);

/* Outside of pipeline mode: one statement, row by row. After an error of `each`, disconnects. */
typedef MUST_CHECK enum err pg_each(void *context, const PGresult *r, int row);
MUST_CHECK enum err pg_query(struct pg_connection *c, enum pg_statement s,
                             const struct pg_params *p, pg_each *each, void *context);

/* Columns, numbered from 0. ERR_TAMPERED unless the column has the form. */
MUST_CHECK enum err pg_number(const PGresult *r, int row, int column, uint64_t *out);
struct span pg_bytes(const PGresult *r, int row, int column);
/* kind, id, version, lookup, sealed from column `first` */
MUST_CHECK enum err pg_item(const PGresult *r, int row, int first, struct stored_row *out);
/* node, origin, token, state from column 0 */
MUST_CHECK enum err pg_node(const PGresult *r, int row, struct stored_node_state *out);

/*
 * Brings the tables up to date, or makes them; before pg_prepare(). ERR_NOT_FOUND no tables and not
 * `create`; ERR_UNSUPPORTED newer than this program; ERR_TAMPERED tables that are not ours
 */
MUST_CHECK enum err pg_migrate(struct pg_connection *c, bool create);

/* A row that a group asked for, and what was reported. */
struct pg_reported {
    uint8_t table;
    uint8_t hash[STORE_HASH_SIZE]; /* of the id or the lookup value */
    bool found;
    uint64_t version;
    uint8_t id[STORE_HASH_SIZE];
};

struct pg_reader {
    struct pg_connection connection;
    struct pg_reader *next;
};

enum { PG_READERS_MAX = 4 };

struct pg_engine {
    struct store_engine base; /* the first member */
    struct pg_address address;

    /* the writer's only */
    struct pg_connection writer;
    bool in_group;
    uint32_t node; /* of the running group, as the next five */
    uint64_t token;
    struct pg_reported *ids, *lookups; /* one allocation, at `ids` */
    size_t id_count, lookup_count;

    atomic_bool hurries;

    pthread_mutex_t mutex; /* guards what follows */
    struct {
        int64_t since_us; /* monotonic, as the next two; 0: the server answered last time */
        int64_t next_try_us;
        int64_t said_us;
    } lost;
    pthread_cond_t reader_returned;
    struct pg_reader *idle_readers;
    size_t reader_count;
};

struct pg_engine *pg_engine_of(struct store_engine *e);

/*
 * Connects, as pg_connect(). When the server was found lost a moment ago, the answer is the same
 * without another try: so a thread with many requests does not wait for each. Logs the loss, and
 * that the server is back.
 */
MUST_CHECK enum err pg_reach(struct pg_engine *q, struct pg_connection *c);
/* Makes sure that the writer is connected, as far as can be seen. `fresh`: it was not before. */
MUST_CHECK enum err pg_writer_ready(struct pg_engine *q, bool *fresh);
void pg_readers_close(struct pg_engine *q);
/* One statement on a reader's connection. */
MUST_CHECK enum err pg_read(struct pg_engine *q, enum pg_statement s, const struct pg_params *p,
                            pg_each *each, void *context);

/* The members of store_ops that are not in engine.c. */
MUST_CHECK enum err pg_group_begin(struct store_engine *e, uint32_t node, uint64_t token,
                                   const struct row_wanted *wanted, size_t wanted_count,
                                   struct stored_node_state *state, each_stored_row *each,
                                   void *context);
MUST_CHECK enum err pg_group_commit(struct store_engine *e, const struct group_writes *writes);
void pg_group_abort(struct store_engine *e);
MUST_CHECK enum err pg_row_read(struct store_engine *e, const struct row_wanted *wanted,
                                each_stored_row *each, void *context);
MUST_CHECK enum err pg_nodes(struct store_engine *e, each_node_state *each, void *context);
MUST_CHECK enum err pg_scan(struct store_engine *e, uint8_t table, each_node_state *each_node,
                            each_stored_row *each_row, void *context);
MUST_CHECK enum err pg_entries(struct store_engine *e, uint32_t node, uint64_t first,
                               uint64_t count, each_stored_entry *each, void *context);
MUST_CHECK enum err pg_subtrees(struct store_engine *e, uint32_t node, unsigned level,
                                uint64_t first, uint64_t count, each_stored_node *each,
                                void *context);

#endif
