#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/gramine.h"

/*
 * Layout of one mapping: guard page | header and bytes, whole pages | guard page. The header is
 * inside the guarded pages, so no other memory has sizes or pointers of secrets.
 */
struct secret {
    size_t size;         /* bytes in use */
    size_t map_size;     /* of the whole mapping, guard pages included */
    struct secret *next; /* in the thread's cache */
    size_t reserved;
    uint8_t bytes[];
};

static _Thread_local struct secret *cache;
static _Thread_local size_t cache_count;

static size_t page_size(void)
{
    static size_t size; /* all threads write the same value */

    if (size == 0)
        size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
}

/*
 * After fork(), the child's copies of its parent's secrets are wiped (MADV_WIPEONFORK), with their
 * headers, and are not locked. The child cannot reuse or unmap them, so it forgets them.
 */
static bool is_wiped_by_fork(const struct secret *s)
{
    return s->map_size == 0;
}

static void release(struct secret *s)
{
    size_t map_size = s->map_size;
    uint8_t *map = (uint8_t *)s - page_size();

    bytes_wipe(s, map_size - 2 * page_size());
    (void)munmap(map, map_size);
}

static bool hide(void *middle, size_t inner)
{
    if (madvise(middle, inner, MADV_DONTDUMP) == 0 && madvise(middle, inner, MADV_WIPEONFORK) == 0)
        return true;
    return errno == ENOSYS && gramine_is_here();
}

MUST_CHECK static enum err map_new(size_t inner, struct secret **out)
{
    size_t page = page_size();
    size_t map_size = inner + 2 * page;
    uint8_t *map = mmap(NULL, map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *middle;

    if (map == MAP_FAILED)
        return ERR_MEMORY;
    middle = map + page;
    if (mprotect(middle, inner, PROT_READ | PROT_WRITE) != 0 || mlock(middle, inner) != 0 ||
        !hide(middle, inner)) {
        (void)munmap(map, map_size);
        return ERR_MEMORY;
    }
    *out = (struct secret *)(void *)middle;
    (*out)->map_size = map_size;
    return ERR_NONE;
}

enum err secret_new(size_t size, struct secret **out)
{
    size_t page = page_size();
    size_t inner;
    struct secret *s = NULL;
    enum err e;

    if (size > SECRET_MAX_SIZE)
        return ERR_TOO_LARGE;
    inner = (sizeof(struct secret) + size + page - 1) / page * page;
    if (cache && is_wiped_by_fork(cache)) {
        cache = NULL;
        cache_count = 0;
    }
    if (inner == page && cache) {
        s = cache;
        cache = s->next;
        cache_count--;
        s->next = NULL;
    } else if ((e = map_new(inner, &s)) != ERR_NONE) {
        return e;
    }
    s->size = size;
    *out = s;
    return ERR_NONE;
}

enum err secret_copy(struct span bytes, struct secret **out)
{
    enum err e = secret_new(bytes.size, out);

    if (e == ERR_NONE && bytes.size > 0)
        memcpy((*out)->bytes, bytes.data, bytes.size);
    return e;
}

uint8_t *secret_data(struct secret *s)
{
    return s->bytes;
}

size_t secret_size(const struct secret *s)
{
    return s->size;
}

struct span secret_span(const struct secret *s)
{
    return span_of(s->bytes, s->size);
}

void secret_shrink(struct secret *s, size_t size)
{
    assert(size <= s->size);
    bytes_wipe(s->bytes + size, s->size - size);
    s->size = size;
}

void secret_free(struct secret **s)
{
    struct secret *dead = *s;

    *s = NULL;
    if (!dead || is_wiped_by_fork(dead))
        return;
    bytes_wipe(dead->bytes, dead->size);
    if (dead->map_size == 3 * page_size() && cache_count < SECRET_CACHE_COUNT) {
        dead->size = 0;
        dead->next = cache;
        cache = dead;
        cache_count++;
        return;
    }
    release(dead);
}

void secret_hide_stack(void)
{
    pthread_attr_t attributes;
    void *stack;
    size_t size;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    /* of the main thread's stack only a part is mapped: ENOMEM, but that part is hidden */
    if (pthread_attr_getstack(&attributes, &stack, &size) == 0)
        (void)madvise(stack, size, MADV_DONTDUMP);
    (void)pthread_attr_destroy(&attributes);
}

void secret_cache_clear(void)
{
    while (cache && !is_wiped_by_fork(cache)) {
        struct secret *s = cache;

        cache = s->next;
        release(s);
    }
    cache = NULL;
    cache_count = 0;
}
