#include "store/sqlite/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/migrations.h"
#include "store/sqlite/gather.h"

static const char *const statement_sql[STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_ITEM_INSERT] = sql_item_insert,
    [STATEMENT_ITEM_UPDATE] = sql_item_update,
    [STATEMENT_ITEM_DELETE] = sql_item_delete,
    [STATEMENT_ITEM_BY_ID] = sql_item_by_id,
    [STATEMENT_ITEM_BY_LOOKUP] = sql_item_by_lookup,
    [STATEMENT_NODE_READ] = "SELECT node, origin, token, state FROM node WHERE node = $1",
    [STATEMENT_NODE_UPDATE] = "UPDATE node SET state = $1 WHERE node = $2",
    [STATEMENT_ENTRY_INSERT] = "INSERT INTO log_entry (idx, entry) VALUES ($1, $2)",
    [STATEMENT_SUBTREE_INSERT] = "INSERT INTO log_node (level, idx, hash) VALUES ($1, $2, $3)",
};

struct sqlite_engine *sqlite_engine_of(struct store_engine *e)
{
    return (struct sqlite_engine *)e; /* its first member */
}

enum err sqlite_connect(const char *path, int flags, const char *vfs, sqlite3 **out)
{
    int result =
        sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, vfs);

    if (result == SQLITE_OK)
        result = sqlite3_busy_timeout(*out, 5000);
    /* What is in the file is data: nothing in it may run. */
    if (result == SQLITE_OK)
        result = sqlite3_db_config(*out, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_db_config(*out, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (result != SQLITE_OK)
        return sqlite_error(result);
    return sqlite_exec(*out, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; "
                             "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0");
}

/* For people who wonder which process has the database; the lock itself does not need it. */
static void holder_write(int fd)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%-11ld\n", (long)getpid());
    ssize_t written = pwrite(fd, text, (size_t)size, 0);

    (void)written;
}

/*
 * One process at a time. A lock file of its own, because SQLite's locks would shut out our own
 * readers; an OFD lock, because a POSIX one would be lost when any other descriptor is closed.
 */
MUST_CHECK static enum err lock_take(struct sqlite_engine *q)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[4096];

    if (snprintf(path, sizeof path, "%s.lock", q->path) >= (int)sizeof path)
        return ERR_IO;
    q->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (q->lock_fd < 0)
        return ERR_IO;
    if (fcntl(q->lock_fd, F_OFD_SETLK, &lock) == 0) {
        holder_write(q->lock_fd);
        return ERR_NONE;
    }
    return errno == EAGAIN || errno == EACCES ? ERR_CONFLICT : ERR_IO;
}

/* The file exists after this, for its owner only: SQLite gives its -wal and -shm the same mode. */
MUST_CHECK static enum err file_create(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return ERR_IO;
    return close(fd) == 0 ? ERR_NONE : ERR_IO;
}

MUST_CHECK static enum err file_find(const char *path)
{
    struct stat info;

    if (lstat(path, &info) == 0)
        return S_ISREG(info.st_mode) ? ERR_NONE : ERR_IO;
    return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

/*
 * The writer's connection. A commit moves the write-ahead log into the database when it has 1000
 * pages, so that it stays near 4 MiB, and the file is cut back to 16 MiB should a burst have made
 * it longer.
 */
MUST_CHECK static enum err writer_connect(struct sqlite_engine *q)
{
    sqlite3_stmt *statement = NULL;
    enum err e;

    e = gather_new(&q->gather);
    if (e == ERR_NONE)
        e = sqlite_connect(q->path, SQLITE_OPEN_READWRITE, gather_name(q->gather), &q->db);
    if (e == ERR_NONE) /* see engine_close() */
        e = sqlite_error(sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL));
    if (e == ERR_NONE)
        e = sqlite_prepare(q->db, "PRAGMA journal_mode = WAL", &statement);
    if (e == ERR_NONE)
        e = sqlite_row(statement);
    if (e == ERR_NONE && !span_equal_string(sqlite_bytes(statement, 0), "wal"))
        e = ERR_IO;
    (void)sqlite3_finalize(statement);
    if (e == ERR_NONE)
        e = sqlite_exec(q->db, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; "
                               "PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -8192");
    return e;
}

MUST_CHECK static enum err statements_prepare(struct sqlite_engine *q)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; e == ERR_NONE && i < STATEMENTS; i++)
        e = sqlite_prepare(q->db, statement_sql[i], &q->statements[i]);
    return e;
}

/*
 * Closing removes the write-ahead log only after flush(). So a missing log means that the last
 * process stopped by itself. The next start cannot find a log that was deleted while it was open,
 * so closing moves the commits of such a log into the database.
 */
static void engine_close(struct store_engine **engine)
{
    struct sqlite_engine *q = *engine ? sqlite_engine_of(*engine) : NULL;

    if (!q)
        return;
    sqlite_readers_close(q);
    for (size_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(q->statements[i]);
    sqlite_inspect_end(q);
    if (q->flushed ||
        ((q->files_lost || q->journal_has_no_name) && !sqlite_journal_has_its_name(q)))
        (void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    (void)sqlite3_close(q->db);
    gather_free(&q->gather);
    if (q->lock_fd >= 0)
        (void)close(q->lock_fd);
    (void)pthread_cond_destroy(&q->reader_returned);
    (void)pthread_mutex_destroy(&q->mutex);
    free(q->path);
    free(q->read_path);
    free(q);
    *engine = NULL;
}

MUST_CHECK static enum err engine_new(const char *path, struct store_engine **out)
{
    struct sqlite_engine *q = calloc(1, sizeof *q);

    if (!q)
        return ERR_MEMORY;
    (void)pthread_mutex_init(&q->mutex, NULL);
    (void)pthread_cond_init(&q->reader_returned, NULL);
    q->base.ops = &store_sqlite;
    q->lock_fd = -1;
    q->path = strdup(path);
    *out = &q->base;
    return q->path ? ERR_NONE : ERR_MEMORY;
}

MUST_CHECK static enum err files_open(struct sqlite_engine *q, bool create)
{
    enum err e = lock_take(q);

    if (e == ERR_NONE && create)
        e = file_create(q->path);
    if (e == ERR_NONE) {
        q->journal_found = sqlite_file_is_there(q, ENGINE_FILE_WAL);
        e = writer_connect(q);
    }
    if (e == ERR_NONE)
        e = sqlite_migrate(q->db, create);
    if (e == ERR_NONE)
        e = statements_prepare(q);
    return e == ERR_NONE ? sqlite_files_record(q) : e;
}

MUST_CHECK static enum err engine_open(const struct engine_options *options,
                                       struct store_engine **out)
{
    struct store_engine *engine = NULL;
    struct sqlite_engine *q;
    enum err e;

    if (!options->create && (e = file_find(options->address)) != ERR_NONE)
        return e;
    e = engine_new(options->address, &engine);
    q = engine ? sqlite_engine_of(engine) : NULL;
    if (e == ERR_NONE)
        e = options->inspect ? sqlite_inspect(q) : files_open(q, options->create);
    if (e == ERR_NONE) {
        *out = engine;
        engine = NULL; /* the caller owns it now */
    }
    engine_close(&engine);
    return e;
}

static bool journal_found(const struct store_engine *engine)
{
    return ((const struct sqlite_engine *)engine)->journal_found; /* its first member */
}

MUST_CHECK static enum err flush(struct store_engine *engine)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    int pages = 0;
    int moved = 0;
    enum err e = sqlite_files_check(q);

    if (e != ERR_NONE)
        return e;
    e = sqlite_error(
        sqlite3_wal_checkpoint_v2(q->db, NULL, SQLITE_CHECKPOINT_FULL, &pages, &moved));
    if (e == ERR_NONE && pages != moved)
        e = ERR_IO;
    if (sqlite_files_settle(q) != ERR_NONE)
        return ERR_TAMPERED;
    q->flushed = e == ERR_NONE;
    return e;
}

MUST_CHECK static enum err node_insert(sqlite3_stmt *s, uint32_t node, const char *origin,
                                       struct span state)
{
    enum err e = sqlite_bind_number(s, 1, node);

    if (e == ERR_NONE)
        e = sqlite_error(sqlite3_bind_text(s, 2, origin, -1, SQLITE_STATIC));
    if (e == ERR_NONE)
        e = sqlite_bind_bytes(s, 3, state);
    return e == ERR_NONE ? sqlite_run(s) : e;
}

MUST_CHECK static enum err node_add(struct store_engine *engine, uint32_t node, const char *origin,
                                    struct span state)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    sqlite3_stmt *s = NULL;
    enum err e = sqlite_files_check(q);

    if (e == ERR_NONE)
        e = sqlite_prepare(q->db, sql_node_insert, &s);
    if (e == ERR_NONE)
        e = sqlite_exec(q->db, "BEGIN IMMEDIATE");
    if (e == ERR_NONE) {
        e = node_insert(s, node, origin, state);
        if (e == ERR_TAMPERED && (sqlite3_errcode(q->db) & 0xff) == SQLITE_CONSTRAINT)
            e = ERR_CONFLICT;
    }
    if (e == ERR_NONE) /* the state takes the place of the checkpoint */
        e = sqlite_exec(q->db, "DELETE FROM log_checkpoint");
    if (e == ERR_NONE)
        e = sqlite_exec(q->db, "COMMIT");
    if (e != ERR_NONE && !sqlite3_get_autocommit(q->db))
        (void)sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
    (void)sqlite3_finalize(s);
    return sqlite_files_settle(q) == ERR_NONE ? e : ERR_TAMPERED;
}

MUST_CHECK static enum err old_checkpoint(struct store_engine *engine, struct buffer *out)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    sqlite3_stmt *s = NULL;
    enum err e = sqlite_prepare(q->db, "SELECT note FROM log_checkpoint WHERE id = 1", &s);

    if (e == ERR_NONE)
        e = sqlite_row(s);
    if (e == ERR_NONE)
        e = buffer_append(out, sqlite_bytes(s, 0));
    (void)sqlite3_finalize(s);
    return e;
}

/* The lock file is the lease: only executors of this process can be told apart. */
MUST_CHECK static enum err lease_take(struct store_engine *engine, uint32_t node,
                                      const uint8_t holder[16], int64_t duration_ms,
                                      uint64_t *token)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    sqlite3_stmt *s = q->statements[STATEMENT_NODE_READ];
    enum err e = sqlite_bind_number(s, 1, node);

    (void)holder;
    (void)duration_ms;
    if (e == ERR_NONE)
        e = sqlite_row(s);
    (void)sqlite3_reset(s);
    if (e == ERR_NONE)
        *token = ++q->granted;
    return e;
}

MUST_CHECK static enum err lease_renew(struct store_engine *engine, uint32_t node, uint64_t token,
                                       int64_t duration_ms)
{
    (void)engine; /* nothing takes the lock file from a running process */
    (void)node;
    (void)token;
    (void)duration_ms;
    return ERR_NONE;
}

MUST_CHECK static enum err lease_release(struct store_engine *engine, uint32_t node, uint64_t token)
{
    (void)engine; /* closing releases the lock file */
    (void)node;
    (void)token;
    return ERR_NONE;
}

MUST_CHECK static enum err files_check(struct store_engine *engine)
{
    return sqlite_files_check(sqlite_engine_of(engine));
}

MUST_CHECK static enum err entries_drop(struct store_engine *engine, uint32_t node, uint64_t token,
                                        uint64_t end)
{
    struct sqlite_engine *q = sqlite_engine_of(engine);
    sqlite3_stmt *s = NULL;
    enum err e = sqlite_files_check(q);

    (void)node;
    (void)token;
    if (e == ERR_NONE)
        e = sqlite_prepare(q->db, "DELETE FROM log_entry WHERE idx < $1", &s);
    if (e == ERR_NONE)
        e = sqlite_bind_number(s, 1, end);
    if (e == ERR_NONE)
        e = sqlite_run(s);
    (void)sqlite3_finalize(s);
    return sqlite_files_settle(q) == ERR_NONE ? e : ERR_TAMPERED;
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = engine_open,
    .close = engine_close,
    .journal_found = journal_found,
    .flush = flush,
    .journal_rescue = sqlite_journal_rescue,
    .examine = sqlite_examine,
    .node_add = node_add,
    .old_checkpoint = old_checkpoint,
    .nodes = sqlite_nodes,
    .lease_take = lease_take,
    .lease_renew = lease_renew,
    .lease_release = lease_release,
    .group_begin = sqlite_group_begin,
    .group_commit = sqlite_group_commit,
    .group_abort = sqlite_group_abort,
    .files_check = files_check,
    .size = sqlite_size,
    .row_read = sqlite_row_read,
    .scan = sqlite_scan,
    .entries = sqlite_entries,
    .subtrees = sqlite_subtrees,
    .entries_drop = entries_drop,
};
