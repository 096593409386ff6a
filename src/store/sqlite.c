#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/entry.h"
#include "base/log.h"
#include "store/engine.h"

const char engine_checkpoint_sql[] =
    "INSERT INTO log_checkpoint (id, size, root, note) VALUES (1, $1, $2, $3) "
    "ON CONFLICT (id) DO UPDATE SET size = excluded.size, root = excluded.root, "
    "note = excluded.note";

static const char *const statement_sql[ENGINE_STATEMENTS] = {
    [ENGINE_BEGIN] = "BEGIN IMMEDIATE",
    [ENGINE_COMMIT] = "COMMIT",
    [ENGINE_ROLLBACK] = "ROLLBACK",
    [ENGINE_INSERT_ENTRY] = "INSERT INTO log_entry (idx, entry) VALUES ($1, $2)",
    [ENGINE_INSERT_NODE] = "INSERT INTO log_node (level, idx, hash) VALUES ($1, $2, $3)",
    [ENGINE_SAVE_CHECKPOINT] = engine_checkpoint_sql,
};

enum err engine_error(int result)
{
    switch (result & 0xff) { /* the primary code; the extended one is in the higher bytes */
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_NONE;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* a row where we left none */
        return ERR_TAMPERED;
    default:
        return ERR_IO;
    }
}

enum err engine_exec(sqlite3 *db, const char *sql)
{
    return engine_error(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

enum err engine_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
    return engine_error(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL));
}

enum err engine_row(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);

    return result == SQLITE_DONE ? ERR_NOT_FOUND : engine_error(result);
}

struct span engine_blob(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);

    return span_of(data, (size_t)sqlite3_column_bytes(statement, column));
}

bool engine_hash(sqlite3_stmt *statement, int column, struct merkle_hash *out)
{
    struct span blob = engine_blob(statement, column);

    if (blob.size != sizeof out->bytes)
        return false;
    memcpy(out->bytes, blob.data, blob.size);
    return true;
}

enum err engine_connect(const char *path, int flags, sqlite3 **out)
{
    int result =
        sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);

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
        return engine_error(result);
    return engine_exec(*out, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; "
                             "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0");
}

/*
 * Steps a statement that gives no rows and makes it ready for the next time. Blobs are bound
 * SQLITE_STATIC: the bindings are replaced before they are used again.
 */
MUST_CHECK static enum err run(sqlite3_stmt *statement)
{
    enum err e = engine_error(sqlite3_step(statement));

    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return e;
}

enum err engine_checkpoint_save(sqlite3_stmt *statement, const struct checkpoint *c,
                                const char *note)
{
    enum err e;

    e = engine_error(sqlite3_bind_int64(statement, 1, (int64_t)c->size));
    if (e == ERR_NONE)
        e = engine_error(
            sqlite3_bind_blob(statement, 2, c->root.bytes, sizeof c->root.bytes, SQLITE_STATIC));
    if (e == ERR_NONE)
        e = engine_error(sqlite3_bind_text(statement, 3, note, -1, SQLITE_STATIC));
    return e == ERR_NONE ? run(statement) : e;
}

/*
 * One process at a time. A lock file of its own, because SQLite's locks would shut out our own
 * readers; an OFD lock, because a POSIX one would be lost when any other descriptor is closed.
 */
MUST_CHECK static enum err lock_take(struct store *s)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[4096];

    if (snprintf(path, sizeof path, "%s.lock", s->path) >= (int)sizeof path)
        return ERR_IO;
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return ERR_IO;
    if (fcntl(s->lock_fd, F_OFD_SETLK, &lock) == 0)
        return ERR_NONE;
    return errno == EAGAIN || errno == EACCES ? ERR_CONFLICT : ERR_IO;
}

/* The file exists after this, for its owner alone: SQLite gives its -wal and -shm the same mode. */
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
 * The writer's connection. A commit moves the WAL into the database when it has 1000 pages, so that
 * it stays near 4 MiB (readers hold no transaction for longer than a chunk), and the file is cut
 * back to 16 MiB should a burst have made it longer.
 */
MUST_CHECK static enum err writer_connect(struct store *s)
{
    sqlite3_stmt *statement = NULL;
    enum err e;

    e = engine_connect(s->path, SQLITE_OPEN_READWRITE, &s->db);
    if (e == ERR_NONE)
        e = engine_prepare(s->db, "PRAGMA journal_mode = WAL", &statement);
    if (e == ERR_NONE)
        e = engine_row(statement);
    if (e == ERR_NONE && !span_equal_string(engine_blob(statement, 0), "wal"))
        e = ERR_IO;
    (void)sqlite3_finalize(statement);
    if (e == ERR_NONE)
        e = engine_exec(s->db, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; "
                               "PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -8192");
    return e;
}

MUST_CHECK static enum err checkpoint_make(const struct store *s, const struct merkle_frontier *f,
                                           struct checkpoint *out, char note[CHECKPOINT_TEXT_MAX])
{
    out->size = f->size;
    merkle_root(f, &out->root);
    return checkpoint_sign_with(out, s->origin, s->log_seed, s->public_key, note,
                                CHECKPOINT_TEXT_MAX);
}

/* The tables, our origin and the checkpoint of the empty log, all or nothing. */
MUST_CHECK static enum err database_create(struct store *s)
{
    const struct merkle_frontier empty = {0};
    struct checkpoint checkpoint;
    char note[CHECKPOINT_TEXT_MAX];
    sqlite3_stmt *save = NULL;
    enum err e;

    e = checkpoint_make(s, &empty, &checkpoint, note);
    if (e == ERR_NONE)
        e = engine_exec(s->db, "BEGIN IMMEDIATE");
    if (e == ERR_NONE)
        e = engine_schema_create(s->db, s->origin);
    if (e == ERR_NONE)
        e = engine_prepare(s->db, engine_checkpoint_sql, &save);
    if (e == ERR_NONE)
        e = engine_checkpoint_save(save, &checkpoint, note);
    (void)sqlite3_finalize(save);
    if (e == ERR_NONE)
        e = engine_exec(s->db, "COMMIT");
    return e;
}

MUST_CHECK static enum err database_open(struct store *s, bool create)
{
    bool empty = false;
    enum err e;

    e = engine_schema_is_empty(s->db, &empty);
    if (e != ERR_NONE)
        return e;
    if (create && !empty)
        return ERR_CONFLICT;
    if (!create && empty)
        return ERR_NOT_FOUND;
    if (create && (e = database_create(s)) != ERR_NONE)
        return e;
    return engine_schema_check(s->db, s->origin);
}

MUST_CHECK static enum err statements_prepare(struct store *s)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; e == ERR_NONE && i < ENGINE_STATEMENTS; i++)
        e = engine_prepare(s->db, statement_sql[i], &s->statements[i]);
    return e;
}

MUST_CHECK static enum err store_new(const struct store_options *options, struct store **out)
{
    struct store *s = calloc(1, sizeof *s);
    enum err e;

    if (!s)
        return ERR_MEMORY;
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_cond_init(&s->reader_returned, NULL);
    s->lock_fd = -1;
    s->log_seed = options->log_seed;
    ed25519_public(s->log_seed, s->public_key);
    e = span_to_string(span_string(options->origin), s->origin, sizeof s->origin);
    s->path = strdup(options->path);
    if (e == ERR_NONE && !s->path)
        e = ERR_MEMORY;
    *out = s;
    return e;
}

enum err store_open(const struct store_options *options, struct store **out)
{
    return store_open_each(options, NULL, NULL, out);
}

enum err store_open_each(const struct store_options *options, store_each_entry *each, void *context,
                         struct store **out)
{
    struct store *s = NULL;
    enum err e;

    if (!options->create && (e = file_find(options->path)) != ERR_NONE)
        return e;
    if ((e = store_new(options, &s)) != ERR_NONE || (e = lock_take(s)) != ERR_NONE ||
        (options->create && (e = file_create(s->path)) != ERR_NONE) ||
        (e = writer_connect(s)) != ERR_NONE ||
        (e = database_open(s, options->create)) != ERR_NONE ||
        (e = engine_verify(s, each, context)) != ERR_NONE ||
        (e = statements_prepare(s)) != ERR_NONE || (e = engine_files_record(s)) != ERR_NONE)
        goto out;
    *out = s;
    s = NULL; /* the caller owns it now */
out:
    store_close(&s);
    return e;
}

void store_close(struct store **store)
{
    struct store *s = *store;

    if (!s)
        return;
    engine_readers_close(s);
    for (size_t i = 0; i < ENGINE_STATEMENTS; i++)
        (void)sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    (void)pthread_cond_destroy(&s->reader_returned);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s->path);
    free(s);
    *store = NULL;
}

MUST_CHECK static enum err node_insert(void *context, unsigned level, uint64_t index,
                                       const struct merkle_hash *hash)
{
    sqlite3_stmt *insert = context;
    enum err e;

    e = engine_error(sqlite3_bind_int64(insert, 1, (int64_t)level));
    if (e == ERR_NONE)
        e = engine_error(sqlite3_bind_int64(insert, 2, (int64_t)index));
    if (e == ERR_NONE)
        e = engine_error(
            sqlite3_bind_blob(insert, 3, hash->bytes, sizeof hash->bytes, SQLITE_STATIC));
    return e == ERR_NONE ? run(insert) : e;
}

MUST_CHECK static enum err entry_insert(struct store *s, struct merkle_frontier *f,
                                        struct span entry)
{
    sqlite3_stmt *insert = s->statements[ENGINE_INSERT_ENTRY];
    const void *data = entry.size > 0 ? (const void *)entry.data : "";
    struct merkle_hash leaf;
    enum err e;

    e = engine_error(sqlite3_bind_int64(insert, 1, (int64_t)f->size));
    if (e == ERR_NONE)
        e = engine_error(sqlite3_bind_blob(insert, 2, data, (int)entry.size, SQLITE_STATIC));
    if (e == ERR_NONE)
        e = run(insert);
    if (e != ERR_NONE)
        return e;
    merkle_leaf(entry, &leaf);
    return engine_grow(f, &leaf, node_insert, s->statements[ENGINE_INSERT_NODE]);
}

/* All rows of one append, from BEGIN to COMMIT; `f` grows with them. */
MUST_CHECK static enum err batch_write(struct store *s, const struct span *entries, size_t count,
                                       struct merkle_frontier *f, struct checkpoint *checkpoint,
                                       char note[CHECKPOINT_TEXT_MAX])
{
    enum err e;

    e = run(s->statements[ENGINE_BEGIN]);
    for (size_t i = 0; e == ERR_NONE && i < count; i++)
        e = entry_insert(s, f, entries[i]);
    if (e == ERR_NONE)
        e = checkpoint_make(s, f, checkpoint, note);
    if (e == ERR_NONE)
        e = engine_checkpoint_save(s->statements[ENGINE_SAVE_CHECKPOINT], checkpoint, note);
    if (e == ERR_NONE)
        e = run(s->statements[ENGINE_COMMIT]);
    return e;
}

/* Some errors end the transaction by themselves, others leave it open. */
static void batch_undo(struct store *s, enum err e)
{
    log_write(LOG_ERROR, "store", "append failed", LOG_STRING("error", err_code(e)),
              LOG_NUMBER("sqlite", sqlite3_extended_errcode(s->db)),
              LOG_STRING("text", sqlite3_errmsg(s->db)));
    if (!sqlite3_get_autocommit(s->db) && run(s->statements[ENGINE_ROLLBACK]) != ERR_NONE)
        log_write(LOG_ERROR, "store", "rollback failed",
                  LOG_NUMBER("sqlite", sqlite3_extended_errcode(s->db)));
}

enum err store_append(struct store *s, const struct span *entries, size_t count, uint64_t *first)
{
    struct merkle_frontier f = s->frontier;
    struct checkpoint checkpoint = {0};
    char note[CHECKPOINT_TEXT_MAX];
    enum err e;

    for (size_t i = 0; i < count; i++)
        if (entries[i].size > AUDIT_ENTRY_MAX)
            return ERR_TOO_LARGE;
    if ((e = engine_files_check(s)) != ERR_NONE)
        return e;
    e = batch_write(s, entries, count, &f, &checkpoint, note);
    if (e != ERR_NONE)
        batch_undo(s, e);
    /* a commit into files that lost their names is no record: nothing may be released for it */
    if (engine_files_settle(s) != ERR_NONE && e == ERR_NONE)
        e = ERR_TAMPERED;
    if (e != ERR_NONE)
        return e;
    *first = s->frontier.size;
    s->frontier = f;
    (void)pthread_mutex_lock(&s->mutex);
    s->checkpoint = checkpoint;
    memcpy(s->note, note, strlen(note) + 1);
    (void)pthread_mutex_unlock(&s->mutex);
    return ERR_NONE;
}

enum err store_check(struct store *s)
{
    return engine_files_check(s);
}

void store_checkpoint(struct store *s, struct checkpoint *out, char text[CHECKPOINT_TEXT_MAX])
{
    (void)pthread_mutex_lock(&s->mutex);
    *out = s->checkpoint;
    memcpy(text, s->note, sizeof s->note);
    (void)pthread_mutex_unlock(&s->mutex);
}
