#include "collateral/files.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "collateral/directory.h"

/* One call of collateral_files_read(). */
struct walk {
    struct collateral_files *files;
    const struct collateral_reading *reading;
    const char *source; /* of the items */
    struct problems *problems;
};

void collateral_files_clear(struct collateral_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        collateral_item_release(&f->items[i]);
    free(f->items);
    *f = (struct collateral_files){0};
}

/* Takes over `item` on success. */
MUST_CHECK static enum err append(struct collateral_files *f, struct collateral_item *item)
{
    if (f->count == f->capacity) {
        const size_t capacity = 2 * f->capacity + 8;
        struct collateral_item **grown = reallocarray(f->items, capacity, sizeof(void *));

        if (!grown)
            return ERR_MEMORY;
        f->items = grown;
        f->capacity = capacity;
    }
    f->items[f->count++] = item;
    return ERR_NONE;
}

static void blame(const struct walk *w, const char *path, enum err e, const char *what)
{
    const struct problem_place place = {.file = path, .setting = w->reading->setting};

    if (e == ERR_MEMORY)
        w->problems->out_of_memory = true;
    else
        problems_add(w->problems, &place, "%s", what);
}

/* Whether this refusal has the same reason under any trust anchors. */
static bool is_about_form(enum attest_reason reason)
{
    return reason == ATTEST_MALFORMED || reason == ATTEST_TOO_LARGE ||
           reason == ATTEST_COLLATERAL_MISSING;
}

static void judge(const struct walk *w, const char *path, struct span document)
{
    const struct problem_place place = {.file = path, .setting = w->reading->setting};
    enum attest_reason reason = ATTEST_OK;
    struct collateral_item *item = NULL;
    enum err e;

    if (w->reading->in_use && collateral_store_has(w->reading->in_use, document))
        return;
    e = collateral_item_new(w->reading->trust, document, w->source, w->reading->now, &item,
                            &reason);
    if (e == ERR_NONE && (e = append(w->files, item)) != ERR_NONE)
        collateral_item_release(&item);
    if (e == ERR_DENIED && w->reading->form_only && !is_about_form(reason))
        return;
    if (e == ERR_DENIED)
        problems_add(w->problems, &place, "cannot be used (%s): %s Replace the file, or remove it",
                     attest_reason_code(reason), collateral_refusal_text(reason));
    else if (e != ERR_NONE)
        blame(w, path, e, err_text(e));
}

MUST_CHECK static enum err found(void *context, const char *path, struct timestamp modified,
                                 enum err e, struct span document)
{
    const struct walk *w = context;

    (void)modified;
    if (e == ERR_NONE)
        judge(w, path, document);
    else
        blame(w, path, e, err_text(e));
    return e == ERR_MEMORY ? e : ERR_NONE; /* the next one may have another fault */
}

static void bundle_read(const struct walk *w, const char *path)
{
    struct buffer bytes = {0};
    char why[FILE_WHY_SIZE] = "";
    enum err e = file_read_trusted(path, COLLATERAL_DOCUMENT_MAX, FILE_INPUT, &bytes, why);

    if (e == ERR_NONE)
        judge(w, path, buffer_span(&bytes));
    else
        blame(w, path, e, why);
    buffer_clear(&bytes);
}

void collateral_files_read(struct collateral_files *f, const struct collateral_reading *reading,
                           const char *path, struct problems *problems)
{
    struct walk w = {f, reading, "directory", problems};
    struct stat status;
    enum err e;

    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        w.source = "file";
        bundle_read(&w, path);
        return;
    }
    e = collateral_directory_read(path, found, &w);
    if (e != ERR_NONE)
        blame(&w, path, e, err_text(e));
}
