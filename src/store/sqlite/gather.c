#include "store/sqlite/gather.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATHER_MAX_SIZE = 128 * 1024, NAME_SIZE = 32 };

struct gather {
    sqlite3_vfs vfs; /* the first member */
    sqlite3_vfs *below;
    char name[NAME_SIZE];
};

/* An open write-ahead log. The file of the VFS below follows in the same memory. */
struct gathered_file {
    sqlite3_file base; /* the first member */
    uint8_t *bytes;    /* GATHER_MAX_SIZE */
    int size;
    sqlite3_int64 start; /* where the bytes belong in the file */
};

static struct gathered_file *gathered(sqlite3_file *f)
{
    return (struct gathered_file *)(void *)f;
}

static sqlite3_file *below(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)(gathered(f) + 1);
}

/* Bytes whose write failed are dropped: SQLite is told, and must not find them written later. */
static int hand_on(sqlite3_file *f)
{
    struct gathered_file *g = gathered(f);
    const int size = g->size;

    g->size = 0;
    return size == 0 ? SQLITE_OK : below(f)->pMethods->xWrite(below(f), g->bytes, size, g->start);
}

static int file_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 at)
{
    struct gathered_file *g = gathered(f);
    int result = SQLITE_OK;

    if (at != g->start + g->size || size > GATHER_MAX_SIZE - g->size)
        result = hand_on(f);
    if (result != SQLITE_OK)
        return result;
    if (size > GATHER_MAX_SIZE)
        return below(f)->pMethods->xWrite(below(f), bytes, size, at);
    if (g->size == 0)
        g->start = at;
    memcpy(g->bytes + g->size, bytes, (size_t)size);
    g->size += size;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *out, int size, sqlite3_int64 at)
{
    int result = hand_on(f);

    return result == SQLITE_OK ? below(f)->pMethods->xRead(below(f), out, size, at) : result;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int result = hand_on(f);

    return result == SQLITE_OK ? below(f)->pMethods->xTruncate(below(f), size) : result;
}

static int file_sync(sqlite3_file *f, int flags)
{
    int result = hand_on(f);

    return result == SQLITE_OK ? below(f)->pMethods->xSync(below(f), flags) : result;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    int result = hand_on(f);

    return result == SQLITE_OK ? below(f)->pMethods->xFileSize(below(f), out) : result;
}

static int file_close(sqlite3_file *f)
{
    int written = hand_on(f);
    int closed = below(f)->pMethods->xClose(below(f));

    free(gathered(f)->bytes);
    f->pMethods = NULL;
    return written == SQLITE_OK ? closed : written;
}

static int file_lock(sqlite3_file *f, int level)
{
    return below(f)->pMethods->xLock(below(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return below(f)->pMethods->xUnlock(below(f), level);
}

static int file_reserved(sqlite3_file *f, int *out)
{
    return below(f)->pMethods->xCheckReservedLock(below(f), out);
}

static int file_control(sqlite3_file *f, int operation, void *argument)
{
    return below(f)->pMethods->xFileControl(below(f), operation, argument);
}

static int file_sector(sqlite3_file *f)
{
    return below(f)->pMethods->xSectorSize(below(f));
}

static int file_device(sqlite3_file *f)
{
    return below(f)->pMethods->xDeviceCharacteristics(below(f));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* the shared memory belongs to the database, not to its log */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
};

static int log_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct gathered_file *g = gathered(f);
    int result;

    *g = (struct gathered_file){.bytes = malloc(GATHER_MAX_SIZE)};
    if (!g->bytes)
        return SQLITE_NOMEM;
    result = vfs->xOpen(vfs, name, below(f), flags, out);
    if (below(f)->pMethods) /* then SQLite closes it, even after an error */
        f->pMethods = &methods;
    else
        free(g->bytes);
    return result;
}

static int file_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    const struct gather *g = (const struct gather *)(void *)vfs;

    return flags & SQLITE_OPEN_WAL ? log_open(g->below, name, f, flags, out)
                                   : g->below->xOpen(g->below, name, f, flags, out);
}

enum err gather_new(struct gather **out)
{
    struct gather *g = calloc(1, sizeof *g);

    if (!g)
        return ERR_MEMORY;
    g->below = sqlite3_vfs_find(NULL);
    if (!g->below) {
        free(g);
        return ERR_INTERNAL;
    }
    (void)snprintf(g->name, sizeof g->name, "gather-%p", (void *)g);
    g->vfs = *g->below; /* everything but opening a file is as below */
    g->vfs.pNext = NULL;
    g->vfs.zName = g->name;
    g->vfs.szOsFile = (int)sizeof(struct gathered_file) + g->below->szOsFile;
    g->vfs.xOpen = file_open;
    if (sqlite3_vfs_register(&g->vfs, 0) != SQLITE_OK) {
        free(g);
        return ERR_MEMORY;
    }
    *out = g;
    return ERR_NONE;
}

const char *gather_name(const struct gather *g)
{
    return g->name;
}

void gather_free(struct gather **g)
{
    if (!*g)
        return;
    (void)sqlite3_vfs_unregister(&(*g)->vfs);
    free(*g);
    *g = NULL;
}
