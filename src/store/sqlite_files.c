/* Notices files of the log that were deleted, replaced or cut while the store has them open. */
#include <errno.h>
#include <sys/stat.h>

#include "base/log.h"
#include "store/engine.h"

#include <stdio.h>

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
MUST_CHECK static enum err file_look(const struct store *s, size_t which, struct engine_file *out)
{
    char path[SUFFIXED_PATH_SIZE];
    struct stat status;

    if (snprintf(path, sizeof path, "%s%s", s->path, watched[which].suffix) >= (int)sizeof path)
        return ERR_IO;
    if (lstat(path, &status) != 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    if (!S_ISREG(status.st_mode))
        return ERR_NOT_FOUND;
    *out = (struct engine_file){
        .device = status.st_dev, .inode = status.st_ino, .size = status.st_size};
    return ERR_NONE;
}

enum err engine_files_record(struct store *s)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < ENGINE_FILES && e == ERR_NONE; i++)
        e = file_look(s, i, &s->files[i]);
    return e;
}

/* One alarm when the loss is noticed, and none for each commit that fails because of it. */
MUST_CHECK static enum err lost(struct store *s, size_t which, const char *what)
{
    if (!s->files_lost)
        log_write(LOG_ERROR, "store", "LOG_FILES_LOST", LOG_STRING("path", s->path),
                  LOG_STRING("file", watched[which].name), LOG_STRING("found", what),
                  LOG_STRING("effect", "no secret is released from now on"),
                  LOG_STRING("next",
                             "stop the daemon, find out who changed the file, then restore "
                             "the log or start a new one with `vouchsafed init --new-log`"));
    s->files_lost = true;
    return ERR_TAMPERED;
}

/* `record`: the sizes may differ, and are remembered. */
MUST_CHECK static enum err files_compare(struct store *s, bool record)
{
    for (size_t i = 0; i < ENGINE_FILES; i++) {
        struct engine_file *known = &s->files[i];
        struct engine_file now = {0};
        enum err e = file_look(s, i, &now);

        if (e == ERR_NOT_FOUND)
            return lost(s, i, "it was deleted or moved");
        if (e != ERR_NONE)
            return e;
        if (now.device != known->device || now.inode != known->inode)
            return lost(s, i, "another file has taken its place");
        if (!record && now.size != known->size)
            return lost(s, i,
                        now.size < known->size ? "it was cut" : "another process wrote to it");
        known->size = now.size;
    }
    return ERR_NONE;
}

enum err engine_files_check(struct store *s)
{
    return s->files_lost ? ERR_TAMPERED : files_compare(s, false);
}

enum err engine_files_settle(struct store *s)
{
    enum err e = files_compare(s, true);

    if (e != ERR_NONE) /* what they are now is not known: the next append must not believe it */
        e = lost(s, ENGINE_FILE_DATABASE, err_text(e));
    return e;
}
