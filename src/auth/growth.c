#include "auth/growth.h"

#include <stdlib.h>

#include "auth/rate.h"

/* The tables know rates of a second: for them, an hour passes in a second. */
enum { HOUR_S = 3600, KIB = 1024 };

struct growth {
    struct rate_table *entries, *kib;
};

enum err growth_new(struct growth_limit limit, size_t capacity, struct growth **out)
{
    const uint32_t kib = limit.mib_per_hour * (uint32_t)KIB;
    struct growth *g = calloc(1, sizeof *g);
    enum err e;

    if (!g)
        return ERR_MEMORY;
    e = rate_table_new((struct rate_limit){limit.entries_per_hour, limit.entries_per_hour},
                       capacity, &g->entries);
    if (e == ERR_NONE)
        e = rate_table_new((struct rate_limit){kib, kib}, capacity, &g->kib);
    if (e == ERR_NONE)
        *out = g;
    else
        growth_free(&g);
    return e;
}

void growth_free(struct growth **growth)
{
    if (!*growth)
        return;
    rate_table_free(&(*growth)->entries);
    rate_table_free(&(*growth)->kib);
    free(*growth);
    *growth = NULL;
}

int64_t growth_wait(struct growth *g, struct span principal, int64_t now_us)
{
    const int64_t entries = rate_wait(g->entries, principal, now_us / HOUR_S);
    const int64_t kib = rate_wait(g->kib, principal, now_us / HOUR_S);

    return (entries > kib ? entries : kib) * HOUR_S;
}

/* KiB by KiB, so that an entry above what is left uses up what is left. */
void growth_count(struct growth *g, struct span principal, size_t size, int64_t now_us)
{
    int64_t wait = rate_take(g->entries, principal, now_us / HOUR_S);

    for (size_t counted = 0; wait == 0 && counted < size; counted += KIB)
        wait = rate_take(g->kib, principal, now_us / HOUR_S);
}
