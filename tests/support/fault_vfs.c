#include "support/fault_vfs.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_SIZE = 4096 };

struct fault_vfs fault_vfs;

/* One open file; the inner VFS has its own part behind this. */
struct file {
    sqlite3_file base;
    sqlite3_file *inner;
};

static sqlite3_vfs *below;
static sqlite3_vfs shim;

static sqlite3_file *inner(sqlite3_file *f)
{
    return ((struct file *)f)->inner;
}

/* Whether the operation that begins now fails. */
static bool fails(void)
{
    uint64_t now = ++fault_vfs.count;
    bool hit =
        fault_vfs.fail_at != 0 &&
        (now == fault_vfs.fail_at || (fault_vfs.kind == FAULT_STAYS && now > fault_vfs.fail_at));

    fault_vfs.fired |= hit;
    return hit;
}

static void exit_here(void)
{
    if (fault_vfs.kind == FAULT_EXIT)
        _exit(FAULT_EXIT_STATUS); /* as a kill: nothing is flushed or closed in order */
}

static int file_close(sqlite3_file *f)
{
    return inner(f)->pMethods->xClose(inner(f));
}

static int file_read(sqlite3_file *f, void *out, int size, sqlite3_int64 at)
{
    if (fails()) {
        exit_here();
        return SQLITE_IOERR_READ;
    }
    return inner(f)->pMethods->xRead(inner(f), out, size, at);
}

/* One page at most. */
static int piece_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 at)
{
    const sqlite3_io_methods *m = inner(f)->pMethods;

    if (!fails())
        return m->xWrite(inner(f), bytes, size, at);
    if (fault_vfs.kind == FAULT_HALF || fault_vfs.kind == FAULT_EXIT)
        (void)m->xWrite(inner(f), bytes, size / 2, at);
    if (fault_vfs.kind == FAULT_DONE)
        (void)m->xWrite(inner(f), bytes, size, at);
    exit_here();
    return SQLITE_IOERR_WRITE;
}

/* A large write can fail at each of its pages. */
static int file_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 at)
{
    int result = SQLITE_OK;

    for (int done = 0; result == SQLITE_OK && done < size; done += PIECE_SIZE)
        result = piece_write(f, (const char *)bytes + done,
                             size - done < PIECE_SIZE ? size - done : PIECE_SIZE, at + done);
    return result;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (fails()) {
        if (fault_vfs.kind == FAULT_DONE)
            (void)inner(f)->pMethods->xTruncate(inner(f), size);
        exit_here();
        return SQLITE_IOERR_TRUNCATE;
    }
    return inner(f)->pMethods->xTruncate(inner(f), size);
}

static int file_sync(sqlite3_file *f, int flags)
{
    if (fails()) {
        if (fault_vfs.kind == FAULT_DONE)
            (void)inner(f)->pMethods->xSync(inner(f), flags);
        exit_here();
        return SQLITE_IOERR_FSYNC;
    }
    return fault_vfs.no_sync ? SQLITE_OK : inner(f)->pMethods->xSync(inner(f), flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return inner(f)->pMethods->xFileSize(inner(f), out);
}

static int file_lock(sqlite3_file *f, int level)
{
    return inner(f)->pMethods->xLock(inner(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return inner(f)->pMethods->xUnlock(inner(f), level);
}

static int file_reserved(sqlite3_file *f, int *out)
{
    return inner(f)->pMethods->xCheckReservedLock(inner(f), out);
}

static int file_control(sqlite3_file *f, int operation, void *argument)
{
    return inner(f)->pMethods->xFileControl(inner(f), operation, argument);
}

static int file_sector(sqlite3_file *f)
{
    return inner(f)->pMethods->xSectorSize(inner(f));
}

static int file_device(sqlite3_file *f)
{
    return inner(f)->pMethods->xDeviceCharacteristics(inner(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return inner(f)->pMethods->xShmMap(inner(f), page, size, extend, out);
}

static int file_shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
    return inner(f)->pMethods->xShmLock(inner(f), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    inner(f)->pMethods->xShmBarrier(inner(f));
}

static int file_shm_unmap(sqlite3_file *f, int delete_it)
{
    return inner(f)->pMethods->xShmUnmap(inner(f), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* shared memory, no mapped pages */
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
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = (struct file *)f;
    int result;

    (void)vfs;
    file->base.pMethods = NULL;
    file->inner = (sqlite3_file *)(file + 1);
    result = below->xOpen(below, name, file->inner, flags, out);
    if (file->inner->pMethods)
        file->base.pMethods = &methods;
    return result;
}

bool fault_vfs_register(void)
{
    below = sqlite3_vfs_find(NULL);
    if (!below)
        return false;
    shim = *below; /* everything but opening files goes straight to the one below */
    shim.zName = "fault";
    shim.pNext = NULL;
    shim.szOsFile = (int)sizeof(struct file) + below->szOsFile;
    shim.xOpen = shim_open;
    return sqlite3_vfs_register(&shim, 1) == SQLITE_OK;
}
