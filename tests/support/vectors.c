#include "support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

static _Noreturn void fail(const char *what, const char *path)
{
    (void)fprintf(stderr, "vectors: %s: %s\n", what, path);
    abort();
}

const char *vectors_path(const char *relative)
{
    static char path[1024];
    const char *root = getenv("VOUCHSAFE_VECTORS");

    if (root)
        (void)snprintf(path, sizeof path, "%s/%s", root, relative);
    else
        (void)snprintf(path, sizeof path, "%s/../shared/vectors/%s", SOURCE_ROOT, relative);
    return path;
}

bool vectors_have(const char *relative, const char *what)
{
    const char *path = vectors_path(relative);

    if (access(path, R_OK) == 0)
        return true;
    (void)fprintf(stderr, "SKIPPED: %s: no vectors at %s\n", what, path);
    return false;
}

void vectors_read(const char *relative, struct buffer *out)
{
    const char *path = vectors_path(relative);
    uint8_t chunk[65536];
    FILE *file = fopen(path, "rb");
    size_t got;

    if (!file)
        fail("cannot open", path);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        if (buffer_append(out, span_of(chunk, got)) != ERR_NONE)
            fail("out of memory", path);
    if (ferror(file))
        fail("cannot read", path);
    (void)fclose(file);
}

json_t *vectors_json(const char *relative)
{
    json_error_t error;
    json_t *json = json_load_file(vectors_path(relative), 0, &error);

    if (!json)
        fail(error.text, relative);
    return json;
}

void vectors_hex(const json_t *object, const char *member, struct buffer *out)
{
    const char *text = json_string_value(json_object_get(object, member));
    size_t size;

    if (!text)
        fail("no hex member", member);
    if (strncmp(text, "0x", 2) == 0)
        text += 2;
    size = strlen(text) / 2;
    if (buffer_reserve(out, size) != ERR_NONE ||
        hex_read(span_string(text), out->data + out->size, size) != ERR_NONE)
        fail("bad hex", member);
    out->size += size;
}
