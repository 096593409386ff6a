/* Exports from a hostile disk: header, records, and a whole file. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

MUST_CHECK static enum err span_take(void *context, uint8_t *out, size_t capacity, size_t *size)
{
    struct span *rest = context;

    *size = rest->size < capacity ? rest->size : capacity;
    if (*size > 0)
        memcpy(out, rest->data, *size);
    *rest = span_of(rest->data + *size, rest->size - *size);
    return ERR_NONE;
}

static struct root *fixed_root(void)
{
    static struct root *root;
    static const uint8_t bytes[ROOT_SIZE] = {1};
    enum err e = ERR_NONE;

    if (!root)
        e = root_import(SPAN_OF(bytes), (struct timestamp){0}, &root);
    assert(e == ERR_NONE);
    return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct export_header header;
    struct export_record record;
    struct export_reader *r = NULL;
    uint8_t again[EXPORT_HEADER_SIZE];
    uint8_t byte;

    if (export_header_parse(rest, &header) == ERR_NONE) {
        export_header_write(&header, again);
        if (!span_equal(SPAN_OF(again), rest))
            abort();
    }
    if (size > 0 &&
        export_record_parse(data[0], span_of(data + 1, size - 1), &record) == ERR_NONE &&
        record.kind != data[0])
        abort();
    /* without the root's key no input makes a file that opens */
    if (export_reader_new(fixed_root(), span_take, &rest, &r) == ERR_NONE &&
        export_reader_take(r, &byte, 1) == ERR_NONE)
        abort();
    export_reader_free(&r);
    return 0;
}
