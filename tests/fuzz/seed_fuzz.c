/*
 * Two accessors from one input: kind byte, then name, branch, owner and profile, each after a
 * length byte, twice. If both have a seed and it is the same, they must be the same accessor.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "keys/seed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct accessor read_accessor(struct reader *r)
{
    struct accessor a = {.kind = reader_u8(r) % 4};

    a.name = reader_take(r, reader_u8(r));
    a.branch = reader_take(r, reader_u8(r));
    a.owner = reader_take(r, reader_u8(r));
    a.profile = reader_take(r, reader_u8(r));
    return a;
}

static bool same_repo(struct span a, struct span b)
{
    char one[SEED_MAX_SIZE + 1];
    char two[SEED_MAX_SIZE + 1];

    return repo_normalise(a, one, sizeof one) == ERR_NONE &&
           repo_normalise(b, two, sizeof two) == ERR_NONE && strcmp(one, two) == 0;
}

static bool same(const struct accessor *a, const struct accessor *b)
{
    if (a->kind != b->kind || !span_equal(a->owner, b->owner))
        return false;
    switch (a->kind) {
    case ACCESSOR_REPO:
        return same_repo(a->name, b->name) && span_equal(a->branch, b->branch);
    case ACCESSOR_SYSTEM:
        return span_equal(a->name, b->name) && span_equal(a->profile, b->profile);
    case ACCESSOR_WASM_HASH:
    case ACCESSOR_PROJECT:
        return span_equal(a->name, b->name);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over(span_of(data, size));
    struct accessor first = read_accessor(&r);
    struct accessor second = read_accessor(&r);
    char one[SEED_MAX_SIZE + 1];
    char two[SEED_MAX_SIZE + 1];
    enum err e = seed_build(&first, one, sizeof one);

    (void)secret_name_is_reserved(span_of(data, size));
    (void)secret_name_is_protected(span_of(data, size));
    if (e == ERR_NONE && seed_check(span_string(one)) != ERR_NONE)
        abort(); /* what we build is also an acceptable opaque seed */
    if (e == ERR_NONE && seed_build(&second, two, sizeof two) == ERR_NONE &&
        strcmp(one, two) == 0 && !same(&first, &second))
        abort();
    return 0;
}
