#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "base/uuid7.h"
#include "store/engine.h"

enum { CHUNK_ENTRIES = 256 }; /* what is copied out before a callback sees it */

static void reader_close(struct engine_reader **reader)
{
    struct engine_reader *r = *reader;

    if (!r)
        return;
    (void)sqlite3_finalize(r->entries);
    (void)sqlite3_finalize(r->nodes);
    (void)sqlite3_close(r->db);
    free(r);
    *reader = NULL;
}

MUST_CHECK static enum err reader_new(const char *path, struct engine_reader **out)
{
    struct engine_reader *r = calloc(1, sizeof *r);
    enum err e;

    if (!r)
        return ERR_MEMORY;
    e = engine_connect(path, SQLITE_OPEN_READONLY, &r->db);
    if (e == ERR_NONE)
        e = engine_prepare(
            r->db, "SELECT idx, entry FROM log_entry WHERE idx >= $1 AND idx < $2 ORDER BY idx",
            &r->entries);
    if (e == ERR_NONE)
        e = engine_prepare(r->db,
                           "SELECT idx, hash FROM log_node WHERE idx >= $1 AND idx < $2 "
                           "AND level = $3 ORDER BY idx",
                           &r->nodes);
    if (e != ERR_NONE)
        reader_close(&r);
    else
        *out = r;
    return e;
}

static void reader_count_down(struct store *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->reader_count--;
    (void)pthread_cond_signal(&s->reader_returned);
    (void)pthread_mutex_unlock(&s->mutex);
}

/* An idle connection, else a new one, else the first that comes back. */
MUST_CHECK static enum err reader_take_one(struct store *s, struct engine_reader **out)
{
    struct engine_reader *r;
    enum err e;

    (void)pthread_mutex_lock(&s->mutex);
    while (!s->idle_readers && s->reader_count == ENGINE_READERS_MAX)
        (void)pthread_cond_wait(&s->reader_returned, &s->mutex);
    r = s->idle_readers;
    if (r)
        s->idle_readers = r->next;
    else
        s->reader_count++;
    (void)pthread_mutex_unlock(&s->mutex);
    if (r) {
        *out = r;
        return ERR_NONE;
    }
    e = reader_new(s->path, out);
    if (e != ERR_NONE)
        reader_count_down(s);
    return e;
}

/* A reset statement holds no transaction, so an idle reader does not keep the WAL from shrinking.
 */
static void reader_give_back(struct store *s, struct engine_reader *r)
{
    (void)sqlite3_reset(r->entries);
    (void)sqlite3_reset(r->nodes);
    (void)pthread_mutex_lock(&s->mutex);
    r->next = s->idle_readers;
    s->idle_readers = r;
    (void)pthread_cond_signal(&s->reader_returned);
    (void)pthread_mutex_unlock(&s->mutex);
}

void engine_readers_close(struct store *s)
{
    while (s->idle_readers) {
        struct engine_reader *r = s->idle_readers;

        s->idle_readers = r->next;
        reader_close(&r);
    }
}

static uint64_t committed_size(struct store *s)
{
    uint64_t size;

    (void)pthread_mutex_lock(&s->mutex);
    size = s->checkpoint.size;
    (void)pthread_mutex_unlock(&s->mutex);
    return size;
}

/* Starts a query for rows [first, end); both statements have these as their first parameters. */
MUST_CHECK static enum err range_start(sqlite3_stmt *statement, uint64_t first, uint64_t end)
{
    enum err e;

    (void)sqlite3_reset(statement);
    e = engine_error(sqlite3_bind_int64(statement, 1, (int64_t)first));
    if (e == ERR_NONE)
        e = engine_error(sqlite3_bind_int64(statement, 2, (int64_t)end));
    return e;
}

/* The next row, which must be `index`: store_open() saw to it that none is missing. */
MUST_CHECK static enum err range_next(sqlite3_stmt *statement, uint64_t index)
{
    enum err e = engine_row(statement);

    if (e == ERR_NOT_FOUND ||
        (e == ERR_NONE && (uint64_t)sqlite3_column_int64(statement, 0) != index))
        e = ERR_TAMPERED;
    return e;
}

/* Copies of at most CHUNK_ENTRIES entries, one after the other. */
struct chunk {
    struct buffer bytes;
    size_t ends[CHUNK_ENTRIES];
};

MUST_CHECK static enum err chunk_load(struct store *s, uint64_t first, size_t count,
                                      struct chunk *c)
{
    struct engine_reader *r = NULL;
    enum err e;

    c->bytes.size = 0;
    e = reader_take_one(s, &r);
    if (e != ERR_NONE)
        return e;
    e = range_start(r->entries, first, first + count);
    for (size_t i = 0; e == ERR_NONE && i < count; i++) {
        e = range_next(r->entries, first + i);
        if (e == ERR_NONE)
            e = buffer_append(&c->bytes, engine_blob(r->entries, 1));
        c->ends[i] = c->bytes.size;
    }
    reader_give_back(s, r);
    return e;
}

MUST_CHECK static enum err chunk_walk(const struct chunk *c, uint64_t first, size_t count,
                                      store_each_entry *each, void *context)
{
    enum err e = ERR_NONE;
    size_t start = 0;

    for (size_t i = 0; e == ERR_NONE && i < count; i++) {
        e = each(context, first + i, span_of(c->bytes.data + start, c->ends[i] - start));
        start = c->ends[i];
    }
    return e;
}

enum err store_entries(struct store *s, uint64_t first, uint64_t count, store_each_entry *each,
                       void *context)
{
    uint64_t size = committed_size(s);
    struct chunk chunk = {0};
    enum err e = ERR_NONE;

    if (first > size)
        first = size;
    if (count > size - first)
        count = size - first;
    while (e == ERR_NONE && count > 0) {
        size_t now = count < CHUNK_ENTRIES ? (size_t)count : CHUNK_ENTRIES;

        e = chunk_load(s, first, now, &chunk);
        if (e == ERR_NONE)
            e = chunk_walk(&chunk, first, now, each, context);
        first += now;
        count -= now;
    }
    buffer_clear(&chunk.bytes);
    return e;
}

/* Leaf `index` from its entry, or a stored node. */
MUST_CHECK static enum err stored_hash(const struct engine_reader *r, unsigned level,
                                       uint64_t index, struct merkle_hash *out)
{
    sqlite3_stmt *rows = level == 0 ? r->entries : r->nodes;
    enum err e = range_next(rows, index);

    if (e != ERR_NONE)
        return e;
    if (level == 0)
        merkle_leaf(engine_blob(rows, 1), out);
    else if (!engine_hash(rows, 1, out))
        e = ERR_TAMPERED;
    return e;
}

/* A merkle_source: the levels between two stored ones are recomputed. */
MUST_CHECK static enum err reader_subtree(void *context, unsigned level, uint64_t index,
                                          struct merkle_hash *out)
{
    const struct engine_reader *r = context;
    unsigned base = level - level % ENGINE_LEVEL_STEP;
    uint64_t count = UINT64_C(1) << (level - base);
    uint64_t first = index * count;
    struct merkle_frontier f = {0};
    struct merkle_hash hash;
    enum err e;

    e = range_start(base == 0 ? r->entries : r->nodes, first, first + count);
    if (e == ERR_NONE && base > 0)
        e = engine_error(sqlite3_bind_int64(r->nodes, 3, (int64_t)base));
    for (uint64_t i = 0; e == ERR_NONE && i < count; i++) {
        e = stored_hash(r, base, first + i, &hash);
        if (e == ERR_NONE)
            merkle_append(&f, &hash);
    }
    if (e == ERR_NONE)
        merkle_root(&f, out);
    return e;
}

enum err store_prove_inclusion(struct store *s, uint64_t index, uint64_t size,
                               struct merkle_proof *out)
{
    struct merkle_source source = {.subtree = reader_subtree};
    struct engine_reader *r = NULL;
    enum err e;

    if (index >= size || size > committed_size(s))
        return ERR_NOT_FOUND;
    e = reader_take_one(s, &r);
    if (e != ERR_NONE)
        return e;
    source.context = r;
    e = merkle_prove_inclusion(&source, index, size, out);
    reader_give_back(s, r);
    return e;
}

enum err store_prove_consistency(struct store *s, uint64_t from, uint64_t to,
                                 struct merkle_proof *out)
{
    struct merkle_source source = {.subtree = reader_subtree};
    struct engine_reader *r = NULL;
    enum err e;

    if (from == 0 || from > to || to > committed_size(s))
        return ERR_NOT_FOUND;
    e = reader_take_one(s, &r);
    if (e != ERR_NONE)
        return e;
    source.context = r;
    e = merkle_prove_consistency(&source, from, to, out);
    reader_give_back(s, r);
    return e;
}

/* The first entry with a time in [index, end). ERR_NOT_FOUND */
MUST_CHECK static enum err time_from(const struct engine_reader *r, uint64_t *index, uint64_t end,
                                     struct timestamp *out)
{
    struct audit_entry_view view;
    enum err e;

    e = range_start(r->entries, *index, end);
    for (; e == ERR_NONE && *index < end; ++*index) {
        e = range_next(r->entries, *index);
        if (e == ERR_NONE && audit_entry_view(engine_blob(r->entries, 1), &view) == ERR_NONE) {
            *out = view.time;
            return ERR_NONE;
        }
    }
    return e == ERR_NONE ? ERR_NOT_FOUND : e;
}

/* The first entry, of `size`, that is not earlier than `time`; exact when times are in order. */
MUST_CHECK static enum err time_search(const struct engine_reader *r, uint64_t size,
                                       int64_t time_ms, uint64_t *out)
{
    uint64_t low = 0;
    uint64_t high = size;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t found = middle;
        struct timestamp time;
        enum err e = time_from(r, &found, high, &time);

        if (e != ERR_NONE && e != ERR_NOT_FOUND)
            return e;
        if (e == ERR_NONE && time.ms < time_ms)
            low = found + 1;
        else
            high = middle;
    }
    *out = low;
    return ERR_NONE;
}

/* The entries whose time is within `margin_ms` of `time`, and what stands between them. */
MUST_CHECK static enum err window_find(struct store *s, struct timestamp time, int64_t margin_ms,
                                       uint64_t *first, uint64_t *end)
{
    uint64_t size = committed_size(s);
    struct engine_reader *r = NULL;
    enum err e;

    e = reader_take_one(s, &r);
    if (e != ERR_NONE)
        return e;
    e = time_search(r, size, time.ms - margin_ms, first);
    if (e == ERR_NONE)
        e = time_search(r, size, time.ms + margin_ms + 1, end);
    reader_give_back(s, r);
    return e;
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

enum err store_find_request(struct store *s, struct span request_id, store_each_entry *each,
                            void *context)
{
    /* An entry bears its id's time, and stands in the log where its commit came: nearly always
     * within a second, and after a request's deadline never. The wide window is for the rest. */
    static const int64_t margins_ms[] = {2000, 60000};
    struct filter filter = {request_id, each, context, false};
    struct timestamp time;
    enum err e = uuid7_time(request_id, &time);

    for (size_t i = 0; i < COUNT_OF(margins_ms) && e == ERR_NONE && !filter.found; i++) {
        uint64_t first = 0;
        uint64_t end = 0;

        e = window_find(s, time, margins_ms[i], &first, &end);
        if (e == ERR_NONE && first < end)
            e = store_entries(s, first, end - first, filter_entry, &filter);
    }
    return e;
}
