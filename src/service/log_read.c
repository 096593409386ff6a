#include "service/log_read.h"

#include <string.h>

#include "audit/entry.h"
#include "audit/receipt.h"
#include "codec/json.h"

MUST_CHECK static enum err append_entry(void *context, uint64_t index, struct span entry)
{
    (void)index;
    return buffer_append(context, entry);
}

enum err log_read_receipt(struct store *store, uint64_t index, struct buffer *out)
{
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;
    struct merkle_proof proof;
    struct buffer entry = {0};
    struct writer w;
    enum err e;

    store_checkpoint(store, &checkpoint, note);
    if ((e = store_entries(store, index, 1, append_entry, &entry)) != ERR_NONE ||
        (e = entry.size > 0 ? ERR_NONE : ERR_NOT_FOUND) != ERR_NONE ||
        (e = store_prove_inclusion(store, index, checkpoint.size, &proof)) != ERR_NONE ||
        (e = buffer_reserve(out, RECEIPT_MAX)) != ERR_NONE)
        goto out;
    w = writer_over(out->data + out->size, out->capacity - out->size);
    if ((e = receipt_write(index, buffer_span(&entry), &proof, span_string(note), &w)) ==
            ERR_NONE &&
        (e = writer_finish(&w, NULL)) == ERR_NONE)
        out->size += w.size;
out:
    buffer_clear(&entry);
    return e;
}

struct found {
    const struct principal *principal; /* NULL: any principal's entry */
    uint64_t index;
    bool any;
    struct json_writer *j; /* set when every entry is to be written */
};

/* The log is the authority on who made a request, so the principal is read from the entry. */
static bool is_of(struct span entry, const struct principal *principal)
{
    struct audit_entry_view view;

    return audit_entry_view(entry, &view) == ERR_NONE &&
           span_equal_string(view.principal, principal->name) &&
           span_equal_string(view.tenant,
                             principal_is_of_default(principal) ? "" : principal->tenant);
}

MUST_CHECK static enum err find_own(void *context, uint64_t index, struct span entry)
{
    struct found *found = context;

    if (found->any || (found->principal && !is_of(entry, found->principal)))
        return ERR_NONE;
    found->index = index;
    found->any = true;
    return ERR_NONE;
}

enum err log_read_receipt_of_request(struct store *store, struct span request_id,
                                     const struct principal *principal, struct buffer *out)
{
    struct found found = {.principal = principal};
    enum err e = store_find_request(store, request_id, find_own, &found);

    if (e != ERR_NONE)
        return e;
    return found.any ? log_read_receipt(store, found.index, out) : ERR_NOT_FOUND;
}

MUST_CHECK static enum err write_found(void *context, uint64_t index, struct span entry)
{
    struct found *found = context;

    json_open_object(found->j, NULL);
    json_put_int(found->j, "index", (int64_t)index);
    json_put_raw(found->j, "entry", entry);
    json_close_object(found->j);
    found->any = true;
    return ERR_NONE;
}

enum err log_read_explain(struct store *store, struct span request_id, struct buffer *out)
{
    uint8_t text[4 * AUDIT_ENTRY_MAX];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    struct found found = {.j = &j};
    struct span written;
    enum err e;

    json_open_object(&j, NULL);
    json_put_string(&j, "request_id", request_id);
    json_open_array(&j, "entries");
    if ((e = store_find_request(store, request_id, write_found, &found)) != ERR_NONE)
        return e;
    if (!found.any)
        return ERR_NOT_FOUND;
    json_close_array(&j);
    json_close_object(&j);
    if ((e = writer_finish(&w, &written)) != ERR_NONE)
        return e;
    return buffer_append(out, written);
}

MUST_CHECK static enum err append_line(void *context, uint64_t index, struct span entry)
{
    enum err e = append_entry(context, index, entry);

    return e != ERR_NONE ? e : buffer_append(context, SPAN_LITERAL("\n"));
}

enum err log_read_entries(struct store *store, uint64_t start, uint64_t count, struct buffer *out)
{
    if (count > LOG_READ_ENTRIES_MAX)
        count = LOG_READ_ENTRIES_MAX;
    return store_entries(store, start, count, append_line, out);
}

enum err log_read_inclusion(struct store *store, uint64_t index, uint64_t size,
                            struct merkle_proof *out)
{
    return store_prove_inclusion(store, index, size, out);
}

enum err log_read_consistency(struct store *store, uint64_t from, uint64_t to,
                              struct merkle_proof *out)
{
    return store_prove_consistency(store, from, to, out);
}
