/*
 * Collateral in the files and directories that an operator names. It reads and verifies everything,
 * and reports every fault, before any item comes into use (collateral_store_stage()).
 */
#ifndef COLLATERAL_FILES_H
#define COLLATERAL_FILES_H

#include "base/problems.h"
#include "collateral/store.h"

/* Zero-initialise; collateral_files_clear() it. Holds a reference to each item. */
struct collateral_files {
    struct collateral_item **items;
    size_t count, capacity;
};
void collateral_files_clear(struct collateral_files *f);

struct collateral_reading {
    const struct attest_trust *trust;
    struct collateral_store *in_use; /* its items are skipped; NULL: none */
    const char *setting;             /* the setting with the path, for problems */
    struct timestamp now;            /* the time of receipt */
    bool form_only; /* `trust` lacks anchors: only the faults of a file and its form are reported */
};

/*
 * Reads `path`: a directory (collateral/directory.h), or a file of any name, which is a bundle and
 * must follow the rule of base/file.h. Verified items are added to `f`, also when other files have
 * faults. Each fault is a problem that names its file.
 */
void collateral_files_read(struct collateral_files *f, const struct collateral_reading *reading,
                           const char *path, struct problems *problems);

#endif
