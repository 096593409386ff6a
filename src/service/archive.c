#include "service/archive.h"

#include <assert.h>
#include <string.h>

#include "codec/json.h"
#include "service/inside.h"
#include "service/operations.h"

static const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;

enum err archive_end(struct store *store, uint64_t days, struct timestamp now, uint64_t *before)
{
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;
    struct timestamp oldest = {0};
    uint64_t end;
    enum err e = ERR_NONE;

    store_checkpoint(store, &checkpoint, note);
    end = checkpoint.size > 0 ? checkpoint.size - 1 : 0;
    if (days > 0) {
        oldest.ms = days < (uint64_t)(now.ms / day_ms) ? now.ms - (int64_t)days * day_ms : 0;
        e = store_find_time(store, oldest, &end);
        if (checkpoint.size > 0 && end > checkpoint.size - 1)
            end = checkpoint.size - 1;
    }
    if (e == ERR_NONE)
        *before = end - end % TILE_WIDTH;
    return e;
}

MUST_CHECK static enum err authorise(struct operation_context *x)
{
    return operation_authorize(x, ACTION_ARCHIVE, (struct span){0}, false);
}

MUST_CHECK static enum err compute(struct operation_context *x)
{
    const struct archive_request *r = x->request;
    const char *directory = store_archive_path(x->svc->store);

    if (!directory)
        return refusal_set(x->why, ERR_CONFLICT, "archive_not_configured");
    if (*r->directory && strcmp(r->directory, directory) != 0)
        return refusal_set(x->why, ERR_CONFLICT, "archive_elsewhere");
    return ERR_NONE;
}

static void describe(const struct operation_context *x, struct audit_entry *entry,
                     struct writer *scratch)
{
    const struct archive_request *r = x->request;
    struct json_writer j = json_writer_over(scratch);

    json_open_object(&j, NULL);
    json_put_int(&j, "before", (int64_t)r->before);
    json_close_object(&j);
    assert(!scratch->failed);
    entry->detail = span_of(scratch->data, scratch->size);
}

const struct operation operation_archive = {
    .name = "archive",
    .rule = "administration",
    .authorise = authorise,
    .compute = compute,
    .describe = describe,
};
