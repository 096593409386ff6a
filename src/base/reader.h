/*
 * A cursor over untrusted bytes. The first failed read marks the cursor. That read and all later
 * reads return zero or an empty span. So a parser reads all fields in a row, and checks
 * reader_finish() once before it uses any of them.
 */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/span.h"

struct reader {
    struct span rest;
    bool failed;
};

struct reader reader_over(struct span bytes);
struct span reader_take(struct reader *r, size_t size);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16le(struct reader *r);
uint32_t reader_u32le(struct reader *r);
uint64_t reader_u64le(struct reader *r);
uint16_t reader_u16be(struct reader *r);
uint32_t reader_u32be(struct reader *r);
uint64_t reader_u64be(struct reader *r);
void reader_copy(struct reader *r, uint8_t *out, size_t size); /* zeros when short */

/* ERR_MALFORMED a read failed, or bytes remain */
MUST_CHECK enum err reader_finish(const struct reader *r);

#endif
