/*
 * Guarded memory for roots, private keys and plaintexts. Each secret has its own pages, with an
 * inaccessible page on each side. Its pages are locked into RAM (mlock), excluded from core dumps
 * (MADV_DONTDUMP) and zeroed in forked children (MADV_WIPEONFORK). secret_free() wipes them. No
 * function prints a secret.
 *
 * Locked pages are scarce (RLIMIT_MEMLOCK). Keep only the root. Derive other keys when they are
 * needed, and free them in the same function. Each thread keeps up to SECRET_CACHE_COUNT freed
 * one-page secrets, wiped and still locked, so that a request costs no system call.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/span.h"

/* Advice for error messages about the limit on locked memory. */
#define SECRET_LIMIT_HINT                                                                          \
    "raise the limit on locked memory (RLIMIT_MEMLOCK): LimitMEMLOCK= in a systemd unit, "         \
    "--ulimit memlock=-1 for docker run, ulimits.memlock in Compose, ulimit -l in a shell"

#define SECRET_CACHE_COUNT 128
#define SECRET_MAX_SIZE ((size_t)16 * 1024 * 1024)

struct secret;

/*
 * Makes a zeroed secret of `size` bytes, 0 to SECRET_MAX_SIZE. The caller owns `*out`.
 * ERR_TOO_LARGE; ERR_MEMORY memory is out, or the pages could not be locked
 */
MUST_CHECK enum err secret_new(size_t size, struct secret **out);

/* Makes a secret with the contents of `bytes`. The caller still has to wipe `bytes`. */
MUST_CHECK enum err secret_copy(struct span bytes, struct secret **out);

uint8_t *secret_data(struct secret *s);
size_t secret_size(const struct secret *s);
struct span secret_span(const struct secret *s); /* borrowed until secret_free() */

/* Shortens a secret and wipes the removed part. `size` must not exceed the present size. */
void secret_shrink(struct secret *s, size_t size);

/* Wipes and frees the secret and sets `*s` to NULL. Accepts NULL. */
void secret_free(struct secret **s);

/*
 * Excludes the stack of the calling thread from core dumps, because keys in use pass through the
 * stack. Each thread that uses keys calls this function first. Failure is ignored: core dumps are
 * already off.
 */
void secret_hide_stack(void);

/* Releases the freed secrets that this thread keeps. Call it at the end of a thread. */
void secret_cache_clear(void);

#endif
