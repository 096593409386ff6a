/*
 * DER (X.690) through a cursor: definite lengths in their shortest form, one-byte tags. This is
 * enough for certificate extensions; crypto/x509.h reads certificates.
 */
#ifndef CODEC_DER_H
#define CODEC_DER_H

#include "base/reader.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_IA5_STRING = 0x16,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

/* The contents of the next element. Another tag than `tag` marks the reader as failed. */
struct span der_take(struct reader *r, uint8_t tag);

/* The same element with its tag and length. */
struct span der_take_whole(struct reader *r, uint8_t tag);

/* The next element's tag, which is not consumed; 0 at the end or after a failure. */
uint8_t der_peek(const struct reader *r);

/* A non-negative INTEGER or ENUMERATED (`tag`) in its shortest form, at most `max`. */
uint64_t der_take_uint(struct reader *r, uint8_t tag, uint64_t max);

/*
 * A non-negative INTEGER of any size in its shortest form: its bytes, big-endian, without the
 * leading zero. The number 0 gives the empty span. An empty span also after a failure.
 */
struct span der_take_unsigned(struct reader *r);

/* The bytes of a BIT STRING with a whole number of bytes. */
struct span der_take_bits(struct reader *r);

/* TRUE is 0xff, FALSE is 0x00; all other values fail. */
bool der_take_bool(struct reader *r);

/* Writes tag and length for `size` bytes of contents, which the caller writes next. */
struct writer;
void der_put_head(struct writer *w, uint8_t tag, size_t size);
size_t der_head_size(size_t size); /* of tag and length together */

/* Writes an INTEGER in its shortest form. `number` is big-endian and may have leading zeros. */
void der_put_unsigned(struct writer *w, struct span number);
size_t der_unsigned_size(struct span number); /* of the whole INTEGER */

#endif
