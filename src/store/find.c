/* Finds entries by the request id that they carry, by the time in the id. */
#include <string.h>

#include "audit/entry.h"
#include "base/uuid7.h"
#include "store/inside.h"

/* The time of the first entry from an index that has one. */
struct time_look {
    bool found;
    uint64_t index;
    struct timestamp time;
};

MUST_CHECK static enum err time_look(void *context, uint64_t index, struct span entry)
{
    struct time_look *look = context;
    struct audit_entry_view view;

    if (!look->found && audit_entry_view(entry, &view) == ERR_NONE)
        *look = (struct time_look){true, index, view.time};
    return ERR_NONE;
}

/* A search. Reading entries without checking them against the tree is much faster. The entries that
 * are found are checked at the end. */
struct search {
    struct log_reader log;
    bool verified;
};

/* ERR_NOT_FOUND: no entry in [index, end) has a time. Nearly always the first one has. */
MUST_CHECK static enum err time_from(const struct search *s, uint64_t index, uint64_t end,
                                     struct time_look *out)
{
    const struct log_reader *r = &s->log;
    enum err e = ERR_NONE;

    out->found = false;
    for (uint64_t count = 1; e == ERR_NONE && !out->found && index < end; count *= 2) {
        count = count < end - index ? count : end - index;
        e = s->verified ? log_entries(r, index, count, time_look, out)
                        : log_entries_unchecked(r, index, count, time_look, out);
        index += count;
    }
    return e == ERR_NONE && !out->found ? ERR_NOT_FOUND : e;
}

/* The first entry that is not earlier than `time`; exact when times are in order. */
MUST_CHECK static enum err time_search(const struct search *s, int64_t time_ms, uint64_t *out)
{
    uint64_t low = 0;
    uint64_t high = s->log.size;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct time_look found;
        enum err e = time_from(s, middle, high, &found);

        if (e != ERR_NONE && e != ERR_NOT_FOUND)
            return e;
        if (e == ERR_NONE && found.time.ms < time_ms)
            low = found.index + 1;
        else
            high = middle;
    }
    *out = low;
    return ERR_NONE;
}

struct filter {
    struct span request_id;
    store_each_entry *each;
    void *context;
    bool found;
};

MUST_CHECK static enum err filter_entry(void *context, uint64_t index, struct span entry)
{
    struct filter *f = context;
    struct audit_entry_view view;

    /* most entries are passed over without being parsed */
    if (entry.size == 0 ||
        !memmem(entry.data, entry.size, f->request_id.data, f->request_id.size) ||
        audit_entry_view(entry, &view) != ERR_NONE || !span_equal(view.request_id, f->request_id))
        return ERR_NONE;
    f->found = true;
    return f->each(f->context, index, entry);
}

/* The entries whose time is within `margin_ms` of `time`, and what stands between them. */
MUST_CHECK static enum err window_search(const struct search *s, struct timestamp time,
                                         int64_t margin_ms, struct filter *filter)
{
    uint64_t first = 0;
    uint64_t end = 0;
    enum err e = time_search(s, time.ms - margin_ms, &first);

    if (e == ERR_NONE)
        e = time_search(s, time.ms + margin_ms + 1, &end);
    if (e == ERR_NONE && first < end)
        e = log_entries(&s->log, first, end - first, filter_entry, filter);
    return e;
}

enum err store_find_time(struct store *s, struct timestamp time, uint64_t *index)
{
    const struct search search = {store_log_reader(s), false};

    return time_search(&search, time.ms, index);
}

enum err store_find_request(struct store *s, struct span request_id, store_each_entry *each,
                            void *context)
{
    /* The id holds the time of the request. The entry follows when the commit comes: nearly always
     * within a second, and never after the request's deadline. The wide window finds the rest. */
    static const int64_t margins_ms[] = {2000, 60000};
    struct search search = {store_log_reader(s), false};
    struct filter filter = {request_id, each, context, false};
    struct timestamp time;
    enum err e = uuid7_time(request_id, &time);

    for (size_t i = 0; i < COUNT_OF(margins_ms) && e == ERR_NONE && !filter.found; i++)
        e = window_search(&search, time, margins_ms[i], &filter);
    /* a changed time can mislead a search that is not verified */
    search.verified = true;
    if (e == ERR_NONE && !filter.found)
        e = window_search(&search, time, margins_ms[COUNT_OF(margins_ms) - 1], &filter);
    return e;
}
