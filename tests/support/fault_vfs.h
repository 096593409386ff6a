/*
 * A VFS for SQLite between the library and the files: it counts what reads, writes, syncs and cuts
 * files, and can make any of these fail. A write of more than 4 KiB counts as several writes. Once
 * registered, every connection uses it.
 */
#ifndef TESTS_SUPPORT_FAULT_VFS_H
#define TESTS_SUPPORT_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
    FAULT_ONCE,  /* this operation fails, with nothing done */
    FAULT_HALF,  /* a write writes half, then fails; others as FAULT_ONCE */
    FAULT_STAYS, /* this one and all after it fail */
    FAULT_DONE,  /* the operation is done, and still reports failure */
    FAULT_EXIT,  /* the process ends here: half a write, if it is one */
};

struct fault_vfs {
    uint64_t count;   /* operations so far */
    uint64_t fail_at; /* the operation that fails, from 1; 0: none */
    enum fault_kind kind;
    bool fired;
    bool no_sync; /* syncs do nothing: for tests that are not about crashes */
};
extern struct fault_vfs fault_vfs;

/* The process's exit status at FAULT_EXIT. */
enum { FAULT_EXIT_STATUS = 77 };

bool fault_vfs_register(void);

#endif
