#include "store/node_state.h"

#include <assert.h>
#include <string.h>

#include "audit/tiles.h"
#include "base/reader.h"
#include "base/writer.h"
#include "crypto/aead.h"

enum {
    FORMAT = 1,
    AAD_TEXT_SIZE = sizeof "vouchsafe state",
    AAD_MAX = AAD_TEXT_SIZE + 1 + 4 + 4 + STORE_ORIGIN_MAX,
    LEVELS = 64,
};

_Static_assert(NODE_STATE_SEALED_MAX <= STORE_STATE_MAX, "a sealed state fits");

static bool has_level(uint64_t size, unsigned level)
{
    return (size >> level & 1) != 0;
}

void node_state_write(const struct node_state *state, uint8_t out[NODE_STATE_PLAIN_MAX],
                      size_t *size)
{
    struct writer w = writer_over(out, NODE_STATE_PLAIN_MAX);

    writer_u64le(&w, state->commits);
    writer_u8(&w, state->running);
    row_set_write(&state->rows, &w);
    writer_u64le(&w, state->log_verified);
    writer_u64le(&w, state->log_archived);
    writer_u64le(&w, state->anchor);
    writer_u64le(&w, state->log_scrubbed);
    writer_u64le(&w, state->log_pass_ms);
    writer_u64le(&w, state->log.size);
    for (unsigned level = 0; level < LEVELS; level++)
        if (has_level(state->log.size, level))
            writer_put(&w, SPAN_OF(state->log.full[level].bytes));
    assert(!w.failed);
    *size = w.size;
}

enum err node_state_parse(struct span plain, struct node_state *out)
{
    struct reader r = reader_over(plain);
    struct node_state s = {0};
    uint8_t running;
    enum err e;

    s.commits = reader_u64le(&r);
    running = reader_u8(&r);
    s.running = running != 0;
    row_set_read(&r, &s.rows);
    s.log_verified = reader_u64le(&r);
    s.log_archived = reader_u64le(&r);
    s.anchor = reader_u64le(&r);
    s.log_scrubbed = reader_u64le(&r);
    s.log_pass_ms = reader_u64le(&r);
    s.log.size = reader_u64le(&r);
    for (unsigned level = 0; level < LEVELS; level++)
        if (has_level(s.log.size, level))
            reader_copy(&r, s.log.full[level].bytes, sizeof s.log.full[level].bytes);
    e = reader_finish(&r);
    if (e == ERR_NONE &&
        (running > 1 || s.log_verified > s.log.size || s.log_scrubbed > s.log.size ||
         s.log_archived > s.log.size || s.log_archived % TILE_WIDTH != 0))
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        *out = s;
    bytes_wipe(&s, sizeof s);
    return e;
}

static struct span aad_write(uint32_t epoch, uint32_t node, const char *origin,
                             uint8_t out[AAD_MAX])
{
    struct writer w = writer_over(out, AAD_MAX);

    writer_put(&w, span_of("vouchsafe state", AAD_TEXT_SIZE));
    writer_u8(&w, FORMAT);
    writer_u32le(&w, epoch);
    writer_u32le(&w, node);
    writer_put(&w, span_string(origin));
    assert(!w.failed);
    return span_of(out, w.size);
}

void node_state_seal(const struct rows_keys *keys, uint32_t node, const char *origin,
                     const struct node_state *state, const uint8_t nonce[ROWS_NONCE_SIZE],
                     uint8_t *out, size_t *size)
{
    struct writer w = writer_over(out, STORE_STATE_MAX);
    uint8_t plain[NODE_STATE_PLAIN_MAX];
    uint8_t aad[AAD_MAX];
    size_t plain_size = 0;

    writer_u8(&w, FORMAT);
    writer_u32le(&w, keys->epoch);
    writer_put(&w, span_of(nonce, ROWS_NONCE_SIZE));
    node_state_write(state, plain, &plain_size);
    aead_seal(AEAD_XCHACHA20_POLY1305, keys->state, nonce,
              aad_write(keys->epoch, node, origin, aad), span_of(plain, plain_size), out + w.size);
    bytes_wipe(plain, sizeof plain);
    *size = w.size + plain_size + AEAD_TAG_SIZE;
}

enum err node_state_open(const struct rows_keys *keys, uint32_t node, const char *origin,
                         struct span sealed, struct node_state *out)
{
    struct reader r = reader_over(sealed);
    uint8_t format = reader_u8(&r);
    uint32_t epoch = reader_u32le(&r);
    struct span nonce = reader_take(&r, ROWS_NONCE_SIZE);
    uint8_t plain[NODE_STATE_PLAIN_MAX];
    uint8_t aad[AAD_MAX];
    enum err e;

    if (r.failed || r.rest.size < AEAD_TAG_SIZE || r.rest.size > sizeof plain + AEAD_TAG_SIZE)
        return ERR_TAMPERED;
    if (format != FORMAT || epoch != keys->epoch)
        return ERR_UNSUPPORTED;
    e = aead_open(AEAD_XCHACHA20_POLY1305, keys->state, nonce.data,
                  aad_write(epoch, node, origin, aad), r.rest, plain);
    if (e == ERR_NONE)
        e = node_state_parse(span_of(plain, r.rest.size - AEAD_TAG_SIZE), out);
    bytes_wipe(plain, sizeof plain);
    return e == ERR_NONE ? ERR_NONE : ERR_TAMPERED;
}
