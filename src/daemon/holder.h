/*
 * Who takes the lease on a node's log in a shared database: the state directory. Its file
 * `node.holder` has 16 random bytes. A process that starts again with the same directory takes the
 * lease at once, also after a crash; any other process waits until the lease runs out. The file is
 * locked while the process runs, so two processes of one machine never share a directory.
 */
#ifndef DAEMON_HOLDER_H
#define DAEMON_HOLDER_H

#include "base/span.h"

#define HOLDER_FILE "node.holder"
enum { HOLDER_SIZE = 16 };

/*
 * Reads the file, or makes it. The lock ends when `*lock` is closed, or with the process.
 * ERR_CONFLICT another process has the lock; ERR_MALFORMED the file is damaged; ERR_IO
 */
MUST_CHECK enum err holder_open(const char *directory, uint8_t out[HOLDER_SIZE], int *lock);

#endif
