/* Notices files of the store that were deleted, replaced or cut while the engine has them open. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "store/sqlite/engine.h"

enum { SUFFIXED_PATH_SIZE = 4096 };

static const struct {
    const char *suffix;
    const char *name;
} watched[ENGINE_FILES] = {
    [ENGINE_FILE_DATABASE] = {"",      "database"       },
    [ENGINE_FILE_WAL] = {"-wal",  "write-ahead log"},
    [ENGINE_FILE_LOCK] = {".lock", "lock file"      },
};

/* ERR_NOT_FOUND when nothing, or no regular file, has that name. */
MUST_CHECK static enum err file_look(const struct sqlite_engine *e, size_t which,
                                     struct sqlite_file *out)
{
    char path[SUFFIXED_PATH_SIZE];
    struct stat status;

    if (snprintf(path, sizeof path, "%s%s", e->path, watched[which].suffix) >= (int)sizeof path)
        return ERR_IO;
    if (lstat(path, &status) != 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    if (!S_ISREG(status.st_mode))
        return ERR_NOT_FOUND;
    *out = (struct sqlite_file){
        .device = status.st_dev, .inode = status.st_ino, .size = status.st_size};
    return ERR_NONE;
}

bool sqlite_file_is_there(const struct sqlite_engine *e, enum sqlite_file_kind which)
{
    struct sqlite_file now = {0};

    return file_look(e, which, &now) == ERR_NONE && now.size > 0;
}

uint64_t sqlite_journal_size(const struct sqlite_engine *e)
{
    struct sqlite_file now = {0};

    return file_look(e, ENGINE_FILE_WAL, &now) == ERR_NONE ? (uint64_t)now.size : 0;
}

bool sqlite_journal_has_its_name(const struct sqlite_engine *e)
{
    const struct sqlite_file *known = &e->files[ENGINE_FILE_WAL];
    struct sqlite_file now = {0};

    return file_look(e, ENGINE_FILE_WAL, &now) == ERR_NONE && now.device == known->device &&
           now.inode == known->inode;
}

/* The same file, and as this process left it. */
static bool is_unchanged(const struct sqlite_engine *e, size_t which)
{
    const struct sqlite_file *known = &e->files[which];
    struct sqlite_file now = {0};

    return file_look(e, which, &now) == ERR_NONE && now.device == known->device &&
           now.inode == known->inode && now.size == known->size;
}

bool sqlite_journal_rescue(struct store_engine *engine)
{
    struct sqlite_engine *e = sqlite_engine_of(engine);
    struct sqlite_file now = {0};

    if (file_look(e, ENGINE_FILE_WAL, &now) != ERR_NOT_FOUND ||
        !is_unchanged(e, ENGINE_FILE_DATABASE) || !is_unchanged(e, ENGINE_FILE_LOCK))
        return false;
    e->journal_has_no_name = true;
    e->files_lost = false;
    return true;
}

enum err sqlite_files_record(struct sqlite_engine *e)
{
    enum err result = ERR_NONE;

    for (size_t i = 0; i < ENGINE_FILES && result == ERR_NONE; i++)
        result = file_look(e, i, &e->files[i]);
    return result;
}

/* One alarm when the loss is noticed, and none for each group that fails because of it. */
MUST_CHECK static enum err lost(struct sqlite_engine *e, size_t which, const char *what)
{
    if (!e->files_lost)
        log_write(LOG_ERROR, "store", "LOG_FILES_LOST", LOG_STRING("path", e->path),
                  LOG_STRING("file", watched[which].name), LOG_STRING("found", what),
                  LOG_STRING("effect", "no secret is released from now on"),
                  LOG_STRING("next",
                             "stop the daemon, find out who changed the file, then restore "
                             "the log or start a new one with `vouchsafed init --new-log`"));
    e->files_lost = true;
    return ERR_TAMPERED;
}

/* `record`: the sizes may differ, and are remembered. */
MUST_CHECK static enum err files_compare(struct sqlite_engine *e, bool record)
{
    for (size_t i = 0; i < ENGINE_FILES; i++) {
        struct sqlite_file *known = &e->files[i];
        struct sqlite_file now = {0};
        enum err result;

        if (i == ENGINE_FILE_WAL && e->journal_has_no_name)
            continue;
        result = file_look(e, i, &now);
        if (result == ERR_NOT_FOUND)
            return lost(e, i, "it was deleted or moved");
        if (result != ERR_NONE)
            return result;
        if (now.device != known->device || now.inode != known->inode)
            return lost(e, i, "another file has taken its place");
        if (!record && now.size != known->size)
            return lost(e, i,
                        now.size < known->size ? "it was cut" : "another process wrote to it");
        known->size = now.size;
    }
    return ERR_NONE;
}

enum err sqlite_files_check(struct sqlite_engine *e)
{
    return e->files_lost ? ERR_TAMPERED : files_compare(e, false);
}

enum err sqlite_files_settle(struct sqlite_engine *e)
{
    enum err result = files_compare(e, true);

    if (result != ERR_NONE) /* what they are now is not known: the next group must not believe it */
        result = lost(e, ENGINE_FILE_DATABASE, err_text(result));
    return result;
}
