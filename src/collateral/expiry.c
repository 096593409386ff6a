#include "collateral/expiry.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

void collateral_expiry_clear(struct collateral_expiry *e)
{
    free(e->items);
    *e = (struct collateral_expiry){0};
}

static bool is_near_its_end(const struct collateral_item *item, struct timestamp now)
{
    return !item->early && item->expires.ms != INT64_MAX &&
           item->expires.ms - now.ms <= INT64_C(1000) * COLLATERAL_EXPIRY_SOON_S;
}

static const struct collateral_warning *warning_of(const struct collateral_expiry *e,
                                                   const char *name)
{
    for (size_t i = 0; i < e->count; i++)
        if (strcmp(e->items[i].name, name) == 0)
            return &e->items[i];
    return NULL;
}

/* A clock that was set back makes the last warning one of the future: then it is repeated. */
static bool is_due(const struct collateral_warning *last, bool expired, struct timestamp now)
{
    return !last || (expired && !last->expired) || now.ms < last->at.ms ||
           now.ms - last->at.ms >= DAY_MS;
}

enum err collateral_expiry_look(struct collateral_expiry *e, const struct collateral_snapshot *held,
                                struct timestamp now, collateral_expiry_tell *tell, void *context)
{
    struct collateral_expiry next = {0};

    for (size_t i = 0; i < held->count; i++)
        next.count += is_near_its_end(held->items[i], now);
    next.items = calloc(next.count + 1, sizeof *next.items);
    if (!next.items)
        return ERR_MEMORY;
    next.count = 0;
    for (size_t i = 0; i < held->count; i++) {
        const struct collateral_item *item = held->items[i];
        struct collateral_warning *w = &next.items[next.count];
        const struct collateral_warning *last;

        if (!is_near_its_end(item, now))
            continue;
        last = warning_of(e, item->name);
        if (last)
            *w = *last;
        if (is_due(last, now.ms > item->expires.ms, now)) {
            memcpy(w->name, item->name, sizeof w->name);
            w->expired = now.ms > item->expires.ms;
            w->at = now;
            tell(context, item, w->expired);
        }
        next.count++;
    }
    collateral_expiry_clear(e);
    *e = next;
    return ERR_NONE;
}
