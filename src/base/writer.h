/*
 * Writes into the caller's memory. This is the counterpart of base/reader.h. The first write that
 * does not fit marks the writer. Later writes do nothing. writer_finish() reports the failure.
 */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include "base/span.h"

struct writer {
    uint8_t *data;
    size_t capacity;
    size_t size;
    bool failed;
};

struct writer writer_over(void *data, size_t capacity);
void writer_put(struct writer *w, struct span bytes);
void writer_zero(struct writer *w, size_t size);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16le(struct writer *w, uint16_t value);
void writer_u32le(struct writer *w, uint32_t value);
void writer_u64le(struct writer *w, uint64_t value);
void writer_u16be(struct writer *w, uint16_t value);
void writer_u32be(struct writer *w, uint32_t value);
void writer_u64be(struct writer *w, uint64_t value);

/* ERR_TOO_LARGE a write did not fit. On success `out` is the written part; `out` may be NULL. */
MUST_CHECK enum err writer_finish(const struct writer *w, struct span *out);

#endif
