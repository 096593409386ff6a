#include "keys/root.h"

#include <assert.h>
#include <stdlib.h>

#include "base/reader.h"
#include "base/writer.h"
#include "crypto/random.h"

#define MAGIC SPAN_LITERAL("VSROOT")
#define HEAD_SIZE (6 + 1 + 4)
#define EPOCH_SIZE (4 + 1 + 8 + ROOT_SIZE)
#define CREATED_MAX 253402300799u /* 9999-12-31T23:59:59Z */

enum { VERSION_WITHOUT_STATE = 1, VERSION = 2 };

MUST_CHECK static enum err one_epoch(enum root_origin origin, struct timestamp now,
                                     struct secret *secret, struct root **out)
{
    struct root *made = calloc(1, sizeof *made);

    if (!made)
        return ERR_MEMORY;
    made->has_store_state = true;
    made->count = 1;
    made->epochs[0] = (struct root_epoch){
        .epoch = 1,
        .origin = origin,
        .created = timestamp_of_seconds(timestamp_seconds(now)),
        .secret = secret,
    };
    *out = made;
    return ERR_NONE;
}

enum err root_generate(struct timestamp now, struct root **out)
{
    struct secret *secret = NULL;
    enum err e;

    if ((e = secret_new(ROOT_SIZE, &secret)) != ERR_NONE)
        return e;
    random_bytes(secret_data(secret), ROOT_SIZE);
    if ((e = one_epoch(ROOT_GENERATED, now, secret, out)) != ERR_NONE)
        secret_free(&secret);
    return e;
}

enum err root_import(struct span bytes, struct timestamp now, struct root **out)
{
    struct secret *secret = NULL;
    enum err e;

    if (bytes.size != ROOT_SIZE)
        return ERR_MALFORMED;
    if ((e = secret_copy(bytes, &secret)) != ERR_NONE)
        return e;
    if ((e = one_epoch(ROOT_FROM_MASTER_SECRET, now, secret, out)) != ERR_NONE)
        secret_free(&secret);
    return e;
}

enum err root_write(const struct root *root, struct secret **out)
{
    struct secret *made = NULL;
    struct writer w;
    enum err e;

    assert(root->count > 0 && root->count <= ROOT_EPOCHS_MAX);
    if ((e = secret_new(HEAD_SIZE + root->count * EPOCH_SIZE, &made)) != ERR_NONE)
        return e;
    w = writer_over(secret_data(made), secret_size(made));
    writer_put(&w, MAGIC);
    writer_u8(&w, root->has_store_state ? VERSION : VERSION_WITHOUT_STATE);
    writer_u32le(&w, (uint32_t)root->count);
    for (size_t i = 0; i < root->count; i++) {
        const struct root_epoch *epoch = &root->epochs[i];

        writer_u32le(&w, epoch->epoch);
        writer_u8(&w, (uint8_t)epoch->origin);
        writer_u64le(&w, (uint64_t)timestamp_seconds(epoch->created));
        writer_put(&w, secret_span(epoch->secret));
    }
    if ((e = writer_finish(&w, NULL)) != ERR_NONE) {
        secret_free(&made);
        return e;
    }
    *out = made;
    return ERR_NONE;
}

/* Reads one epoch, which must come after `previous`; on success the caller owns `out->secret`. */
MUST_CHECK static enum err epoch_parse(struct reader *r, uint32_t previous, struct root_epoch *out)
{
    uint32_t epoch = reader_u32le(r);
    uint8_t origin = reader_u8(r);
    uint64_t created = reader_u64le(r);
    struct span secret = reader_take(r, ROOT_SIZE);

    if (r->failed || epoch <= previous || created > CREATED_MAX ||
        (origin != ROOT_GENERATED && origin != ROOT_FROM_MASTER_SECRET))
        return ERR_MALFORMED;
    out->epoch = epoch;
    out->origin = (enum root_origin)origin;
    out->created = timestamp_of_seconds((int64_t)created);
    return secret_copy(secret, &out->secret);
}

enum err root_parse(struct span bytes, struct root **out)
{
    struct reader r = reader_over(bytes);
    struct span magic = reader_take(&r, MAGIC.size);
    uint8_t version = reader_u8(&r);
    uint32_t count = reader_u32le(&r);
    uint32_t previous = 0;
    struct root *made = NULL;
    enum err e = ERR_NONE;

    if (r.failed || !span_equal(magic, MAGIC) ||
        (version != VERSION && version != VERSION_WITHOUT_STATE) || count == 0 ||
        count > ROOT_EPOCHS_MAX || r.rest.size != count * EPOCH_SIZE)
        return ERR_MALFORMED;
    if (!(made = calloc(1, sizeof *made)))
        return ERR_MEMORY;
    made->has_store_state = version == VERSION;
    while (e == ERR_NONE && made->count < count) {
        e = epoch_parse(&r, previous, &made->epochs[made->count]);
        previous = made->epochs[made->count].epoch;
        made->count += e == ERR_NONE;
    }
    if (e == ERR_NONE)
        e = reader_finish(&r);
    if (e != ERR_NONE) {
        root_free(&made);
        return e;
    }
    *out = made;
    return ERR_NONE;
}

const struct root_epoch *root_current(const struct root *root)
{
    assert(root->count > 0);
    return &root->epochs[root->count - 1];
}

const struct root_epoch *root_find(const struct root *root, uint32_t epoch)
{
    for (size_t i = 0; i < root->count; i++)
        if (root->epochs[i].epoch == epoch)
            return &root->epochs[i];
    return NULL;
}

const char *root_origin_name(enum root_origin origin)
{
    switch (origin) {
    case ROOT_GENERATED:
        return "generated";
    case ROOT_FROM_MASTER_SECRET:
        return "master-secret";
    }
    return "unknown";
}

void root_free(struct root **root)
{
    struct root *dead = *root;

    *root = NULL;
    if (!dead)
        return;
    for (size_t i = 0; i < dead->count; i++)
        secret_free(&dead->epochs[i].secret);
    free(dead);
}
