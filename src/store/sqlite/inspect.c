/* Looks at a database, however damaged, without changing a file of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/engine.h"

enum { SUFFIXED_SIZE = 4096 };

/* No process may have the database, nor take it meanwhile. Without a lock file, none has. */
MUST_CHECK static enum err lock_look(struct sqlite_engine *q)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[SUFFIXED_SIZE];

    if (snprintf(path, sizeof path, "%s.lock", q->path) >= (int)sizeof path)
        return ERR_IO;
    q->lock_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (q->lock_fd < 0)
        return errno == ENOENT ? ERR_NONE : ERR_IO;
    if (fcntl(q->lock_fd, F_OFD_SETLK, &lock) == 0)
        return ERR_NONE;
    return errno == EAGAIN || errno == EACCES ? ERR_CONFLICT : ERR_IO;
}

/*
 * "file:PATH". Without a write-ahead log, nothing but the database is read: SQLite is told that no
 * other process changes it, and then makes no file. The path's own ?, # and % are escaped.
 */
MUST_CHECK static enum err uri_write(struct sqlite_engine *q)
{
    static const char hex[] = "0123456789abcdef";
    struct buffer b = {0};
    enum err e = buffer_append_string(&b, "file:");

    for (const char *c = q->path; e == ERR_NONE && *c; c++) {
        const char escaped[] = {'%', hex[(uint8_t)*c >> 4], hex[*c & 15]};

        e = strchr("?#%", *c) ? buffer_append(&b, SPAN_OF(escaped))
                              : buffer_append(&b, span_of(c, 1));
    }
    if (e == ERR_NONE && !q->journal_found)
        e = buffer_append_string(&b, "?immutable=1");
    if (e == ERR_NONE)
        e = buffer_append(&b, span_of("", 1));
    if (e == ERR_NONE)
        e = (q->read_path = strdup((const char *)b.data)) ? ERR_NONE : ERR_MEMORY;
    buffer_clear(&b);
    return e;
}

/* A reader of a write-ahead log needs an index of it, which SQLite makes in a file. */
static bool index_file_path(const struct sqlite_engine *q, char out[SUFFIXED_SIZE])
{
    return snprintf(out, SUFFIXED_SIZE, "%s-shm", q->path) < SUFFIXED_SIZE;
}

enum err sqlite_inspect(struct sqlite_engine *q)
{
    char index[SUFFIXED_SIZE];
    enum err e;

    q->inspect = true;
    e = lock_look(q);
    if (e != ERR_NONE)
        return e;
    q->journal_found = sqlite_file_is_there(q, ENGINE_FILE_WAL);
    q->index_file_made = q->journal_found && index_file_path(q, index) &&
                         access(index, F_OK) != 0 && errno == ENOENT;
    e = uri_write(q);
    if (e == ERR_NONE)
        e = sqlite_connect(q->read_path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL, &q->db);
    if (e == ERR_NONE)
        e = sqlite_error(sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL));
    return e;
}

void sqlite_inspect_end(struct sqlite_engine *q)
{
    char index[SUFFIXED_SIZE];

    if (!q->inspect)
        return;
    (void)sqlite3_close(q->db);
    q->db = NULL;
    if (q->index_file_made && index_file_path(q, index))
        (void)unlink(index);
}

struct examining {
    struct sqlite_engine *q;
    each_engine_fault *each;
    void *context;
};

MUST_CHECK static enum err mode_examine(const struct examining *x, const char *suffix)
{
    char path[SUFFIXED_SIZE], text[SUFFIXED_SIZE + 64];
    struct stat status;

    if (snprintf(path, sizeof path, "%s%s", x->q->path, suffix) >= (int)sizeof path ||
        lstat(path, &status) != 0 || (S_ISREG(status.st_mode) && (status.st_mode & 07) == 0))
        return ERR_NONE;
    (void)snprintf(text, sizeof text, "%s has mode %04o; 0600 is expected", path,
                   (unsigned)status.st_mode & 07777);
    return x->each(x->context, "mode", text);
}

/* "row 3 missing from index item_lookup", "wrong # of entries in index item_lookup", ... */
static bool is_of_index(const char *text)
{
    return strstr(text, " index ") != NULL;
}

MUST_CHECK static enum err pages_examine(const struct examining *x)
{
    sqlite3_stmt *s = NULL;
    enum err e = sqlite_prepare(x->q->db, "PRAGMA integrity_check(1000)", &s);
    enum err given = ERR_NONE;

    while (e == ERR_NONE && given == ERR_NONE && (e = sqlite_row(s)) == ERR_NONE) {
        const char *text = (const char *)sqlite3_column_text(s, 0);

        if (text && strcmp(text, "ok") != 0)
            given = x->each(x->context, is_of_index(text) ? "index" : "page", text);
    }
    (void)sqlite3_finalize(s);
    if (given != ERR_NONE)
        return given;
    if (e == ERR_TAMPERED)
        return x->each(x->context, "page", sqlite3_errmsg(x->q->db));
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

enum err sqlite_examine(struct store_engine *engine, each_engine_fault *each, void *context)
{
    const struct examining x = {sqlite_engine_of(engine), each, context};
    enum err e = mode_examine(&x, "");

    if (e == ERR_NONE)
        e = mode_examine(&x, "-wal");
    if (e == ERR_NONE)
        e = pages_examine(&x);
    if (e != ERR_NONE)
        return e;
    e = sqlite_definitions_check(x.q->db);
    if (e == ERR_TAMPERED)
        return each(context, "schema", "the tables are not those that this program makes");
    if (e == ERR_UNSUPPORTED)
        return each(context, "schema", "the tables are of another release");
    return e;
}
