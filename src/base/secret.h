/*
 * Guarded memory for roots, private keys and plaintexts. Each secret has pages of its own with an
 * inaccessible page on each side, is locked into RAM (mlock), left out of core dumps
 * (MADV_DONTDUMP), zeroed in forked children (MADV_WIPEONFORK), and wiped when freed. There is no
 * function that prints one.
 *
 * Pages are scarce (RLIMIT_MEMLOCK): hold the root, derive the rest when needed, free it in the
 * same function. Freed one-page secrets are wiped and kept, still locked, by the thread that freed
 * them, at most SECRET_CACHE_COUNT, so that a request costs no system call.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/span.h"

/* Where the limit on locked memory is raised: for errors that come from it. */
#define SECRET_LIMIT_HINT                                                                          \
    "raise the limit on locked memory (RLIMIT_MEMLOCK): LimitMEMLOCK= in a systemd unit, "         \
    "--ulimit memlock=-1 for docker run, ulimits.memlock in Compose, ulimit -l in a shell"

#define SECRET_CACHE_COUNT 128
#define SECRET_MAX_SIZE ((size_t)16 * 1024 * 1024)

struct secret;

/*
 * A zeroed secret of `size` bytes, 0 to SECRET_MAX_SIZE. The caller owns `*out`.
 * ERR_TOO_LARGE, ERR_MEMORY (out of memory, or the pages could not be locked)
 */
MUST_CHECK enum err secret_new(size_t size, struct secret **out);

/* The same, with the contents of `bytes`, which the caller still has to wipe. */
MUST_CHECK enum err secret_copy(struct span bytes, struct secret **out);

uint8_t *secret_data(struct secret *s);
size_t secret_size(const struct secret *s);
struct span secret_span(const struct secret *s); /* borrowed, until secret_free() */

/* Shortens it; the cut part is wiped. `size` must not exceed the present size. */
void secret_shrink(struct secret *s, size_t size);

/* Wipes, frees and sets to NULL. Accepts NULL. */
void secret_free(struct secret **s);

/*
 * Leaves the calling thread's stack out of core dumps, as secrets are: a key in use passes through
 * it. Each thread that uses keys calls it first. Best effort: core dumps are off as it is.
 */
void secret_hide_stack(void);

/* Releases what this thread keeps; for the end of a thread. */
void secret_cache_clear(void);

#endif
