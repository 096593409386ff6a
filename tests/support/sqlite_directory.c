#include "support/sqlite_directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/span.h"

char directory[256];
char database[300];

int database_directory_make(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    (void)snprintf(directory, sizeof directory, "%s/store_test.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(database, sizeof database, "%s/store.db", directory);
    return 0;
}

int database_directory_remove(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char path[320];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, suffixes[i]);
        (void)unlink(path);
    }
    return rmdir(directory);
}
