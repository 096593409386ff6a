/*
 * The form of an export: one file, encrypted and authenticated as a whole, written and read in
 * bounded memory. Its key comes from the root, so only a keystore with the same root opens it.
 *
 *   file    header | chunk | chunk | ...
 *   header  "VSEXPORT" | u8 format 1 | u8 key 1: the root's | u16 0 | u32 epoch | 32 salt
 *   key     HMAC-SHA256(HKDF(root of the epoch, "store export v1"), header)
 *   chunk   ChaCha20-Poly1305(key, nonce, no AAD, plain): EXPORT_CHUNK plain bytes, in the last one
 *           0 to EXPORT_CHUNK
 *   nonce   u64 number of the chunk, from 0 | u32 1 for the last chunk, else 0
 *
 * Integers are little-endian. The salt is random, so each file has a key of its own. Chunks cannot
 * be exchanged, left out or added, and a file that was cut has no last chunk.
 */
#ifndef STORE_EXPORT_STREAM_H
#define STORE_EXPORT_STREAM_H

#include "keys/root.h"

enum { EXPORT_HEADER_SIZE = 48, EXPORT_SALT_SIZE = 32, EXPORT_CHUNK = 65536 };

struct export_header {
    uint32_t epoch;
    uint8_t salt[EXPORT_SALT_SIZE];
};
void export_header_write(const struct export_header *h, uint8_t out[EXPORT_HEADER_SIZE]);
/* ERR_MALFORMED not an export; ERR_UNSUPPORTED of a newer format, or with another kind of key */
MUST_CHECK enum err export_header_parse(struct span bytes, struct export_header *out);

/* Writes all bytes. */
typedef MUST_CHECK enum err export_put(void *context, struct span bytes);
/* Reads `capacity` bytes, or fewer at the end of the file only. */
typedef MUST_CHECK enum err export_take(void *context, uint8_t *out, size_t capacity, size_t *size);

struct export_writer;

/* Writes the header. `salt` is random. ERR_MEMORY; errors of `put` */
MUST_CHECK enum err export_writer_new(const struct root_epoch *root,
                                      const uint8_t salt[EXPORT_SALT_SIZE], export_put *put,
                                      void *context, struct export_writer **out);
MUST_CHECK enum err export_writer_put(struct export_writer *w, struct span bytes);
/* Writes the last chunk. */
MUST_CHECK enum err export_writer_end(struct export_writer *w);
void export_writer_free(struct export_writer **w);

struct export_reader;

/*
 * Reads the header. ERR_MALFORMED, ERR_UNSUPPORTED as export_header_parse(); ERR_NOT_FOUND the root
 * has no such epoch; ERR_MEMORY; errors of `take`
 */
MUST_CHECK enum err export_reader_new(const struct root *root, export_take *take, void *context,
                                      struct export_reader **out);
/* Reads exactly `size` bytes. ERR_CRYPTO not written with this root, changed, or cut;
 * ERR_NOT_FOUND the end of the export comes first */
MUST_CHECK enum err export_reader_take(struct export_reader *r, uint8_t *out, size_t size);
/* ERR_NONE: everything was read, and nothing follows. ERR_MALFORMED */
MUST_CHECK enum err export_reader_end(struct export_reader *r);
void export_reader_free(struct export_reader **r);

#endif
