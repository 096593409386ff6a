/*
 * What an export contains (store/export_stream.h is its form): everything of one node, in an order
 * that is written and read in bounded memory. It does not depend on the engine, so it is also how a
 * keystore changes its engine.
 *
 *   record   u8 kind | u32 size | body
 *   BEGIN 1  u64 time (ms since 1970) | u32 node | u64 commits | u64 anchor | u64 log size |
 *            32 root | u8 origin size | origin
 *   ROW 2    u8 table | u64 version | u8 id size | id | u8 lookup size | lookup | value
 *   BLOCK 3  32 bytes: the hash over 256 entries that are in the archive
 *   ENTRY 4  the entry
 *   END 5    u64 rows | u64 blocks | u64 entries
 *
 * BEGIN comes first; then all ROW, all BLOCK, all ENTRY, and END. Integers are little-endian. Rows
 * are plain inside the encrypted stream, and are sealed again by the importing keystore.
 */
#ifndef STORE_EXPORT_H
#define STORE_EXPORT_H

#include "store/build.h"
#include "store/examine.h"
#include "store/export_stream.h"

enum export_kind { EXPORT_BEGIN = 1, EXPORT_ROW, EXPORT_BLOCK, EXPORT_ENTRY, EXPORT_END };

#define EXPORT_RECORD_MAX (1 + 8 + ROWS_PLAIN_MAX) /* bytes of a body */

struct export_begin {
    struct timestamp time;
    uint32_t node;
    uint64_t commits, anchor, size;
    struct merkle_hash root;
    char origin[STORE_ORIGIN_MAX + 1];
};

struct export_counts {
    uint64_t rows, blocks, entries;
};

/* A record's body, by its kind. Spans borrow. */
struct export_record {
    enum export_kind kind;
    struct export_begin begin;
    struct {
        enum store_table table;
        uint64_t version;
        struct row_view view;
    } row;
    struct merkle_hash block;
    struct span entry;
    struct export_counts end;
};

/* ERR_MALFORMED another form, or a value that no export has; ERR_UNSUPPORTED an unknown kind */
MUST_CHECK enum err export_record_parse(uint8_t kind, struct span body, struct export_record *out);

/*
 * Writes everything of an examined database without faults.
 * ERR_TAMPERED it changed since; ERR_MEMORY, ERR_IO; errors of the writer
 */
MUST_CHECK enum err export_write(const struct examine_options *from,
                                 const struct examination *examination, struct timestamp time,
                                 struct export_writer *w, struct export_counts *out);

/* Called with the first record, before anything is built. It may change node and origin. An error
 * ends the import. */
typedef MUST_CHECK enum err export_begun(void *context, struct export_begin *begin);

/*
 * Reads an export into a builder, which is not ended then. `begun` decides about the origin.
 * ERR_CRYPTO not authentic, or cut; ERR_MALFORMED records in a wrong order, or a log that is not
 * the one that BEGIN names; errors of `begun` and of the builder
 */
struct import_options {
    struct export_reader *reader;
    const struct rows_keys *keys;
    struct store_engine *into;
    export_begun *begun;
    void *context;
};
MUST_CHECK enum err import_run(const struct import_options *options, struct builder **out,
                               struct export_begin *begin, struct export_counts *counts);

#endif
