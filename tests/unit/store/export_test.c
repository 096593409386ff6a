/* An export has everything, opens with its root only, and not at all when one byte of it changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/writer.h"
#include "crypto/aead.h"
#include "store/export.h"
#include "support/caught_log.h"
#include "support/numbered_rows.h"
#include "support/sqlite_directory.h"

enum { ROWS = 30, ENTRIES = 700, SIZE = ROWS + ENTRIES };

static const uint8_t salt[EXPORT_SALT_SIZE] = {1, 2, 3};
static struct suite suite;
static struct root *root, *other_root;
static char imported[320];
static struct merkle_frontier log_before;

static int roots_make(void **state)
{
    const struct timestamp now = {1700000000000};

    (void)state;
    return root_generate(now, &root) != ERR_NONE || root_generate(now, &other_root) != ERR_NONE;
}

static int roots_free(void **state)
{
    (void)state;
    root_free(&root);
    root_free(&other_root);
    return 0;
}

MUST_CHECK static enum err buffer_put(void *context, struct span bytes)
{
    return buffer_append(context, bytes);
}

struct source {
    struct span rest;
};

MUST_CHECK static enum err span_take(void *context, uint8_t *out, size_t capacity, size_t *size)
{
    struct source *s = context;

    *size = s->rest.size < capacity ? s->rest.size : capacity;
    if (*size > 0)
        memcpy(out, s->rest.data, *size);
    s->rest = span_of(s->rest.data + *size, s->rest.size - *size);
    return ERR_NONE;
}

/* ---- the stream ---- */

static void stream_write(size_t size, struct buffer *out)
{
    struct export_writer *w = NULL;
    uint8_t byte;

    assert_int_equal(export_writer_new(root_current(root), salt, buffer_put, out, &w), ERR_NONE);
    for (size_t i = 0; i < size; i++) {
        byte = (uint8_t)(i * 7);
        assert_int_equal(export_writer_put(w, span_of(&byte, 1)), ERR_NONE);
    }
    assert_int_equal(export_writer_end(w), ERR_NONE);
    export_writer_free(&w);
}

MUST_CHECK static enum err stream_read(struct span file, const struct root *with, size_t size)
{
    struct source source = {file};
    struct export_reader *r = NULL;
    uint8_t byte = 0;
    enum err e = export_reader_new(with, span_take, &source, &r);

    for (size_t i = 0; e == ERR_NONE && i < size; i++) {
        e = export_reader_take(r, &byte, 1);
        if (e == ERR_NONE && byte != (uint8_t)(i * 7))
            fail_msg("byte %zu differs", i);
    }
    if (e == ERR_NONE)
        e = export_reader_end(r);
    export_reader_free(&r);
    return e;
}

static void a_stream_has_what_was_written(void **state)
{
    static const size_t sizes[] = {
        0, 1, EXPORT_CHUNK - 1, EXPORT_CHUNK, EXPORT_CHUNK + 1, 2 * EXPORT_CHUNK, 150000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buffer file = {0};

        stream_write(sizes[i], &file);
        assert_int_equal(stream_read(buffer_span(&file), root, sizes[i]), ERR_NONE);
        assert_int_equal(stream_read(buffer_span(&file), root, sizes[i] + 1), ERR_NOT_FOUND);
        assert_int_equal(stream_read(buffer_span(&file), other_root, sizes[i]), ERR_CRYPTO);
        if (sizes[i] > 0)
            assert_int_equal(stream_read(buffer_span(&file), root, sizes[i] - 1), ERR_MALFORMED);
        buffer_clear(&file);
    }
}

static void a_changed_or_cut_stream_is_refused(void **state)
{
    const size_t size = EXPORT_CHUNK + 1000;
    struct buffer file = {0};

    (void)state;
    stream_write(size, &file);
    for (size_t i = 0; i < file.size; i += i < 200 || i > file.size - 200 ? 1 : 997) {
        assert_int_not_equal(stream_read(span_of(file.data, i), root, size), ERR_NONE);
        file.data[i] ^= 1;
        assert_int_not_equal(stream_read(buffer_span(&file), root, size), ERR_NONE);
        file.data[i] ^= 1;
    }
    /* cut exactly between two chunks, and with a chunk twice */
    assert_int_equal(
        stream_read(span_of(file.data, EXPORT_HEADER_SIZE + EXPORT_CHUNK + 16), root, EXPORT_CHUNK),
        ERR_CRYPTO);
    assert_int_equal(buffer_append(&file, SPAN_LITERAL("more")), ERR_NONE);
    assert_int_not_equal(stream_read(buffer_span(&file), root, size), ERR_NONE);
    buffer_clear(&file);
}

static void headers_of_other_forms_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum err expected;
    } cases[] = {
        {0,  'v', ERR_MALFORMED  },
        {8,  2,   ERR_UNSUPPORTED},
        {9,  2,   ERR_UNSUPPORTED},
        {10, 1,   ERR_UNSUPPORTED},
        {11, 1,   ERR_UNSUPPORTED},
    };
    const struct export_header header = {.epoch = 7};
    struct export_header out;
    uint8_t bytes[EXPORT_HEADER_SIZE + 1] = {0};

    (void)state;
    export_header_write(&header, bytes);
    assert_int_equal(export_header_parse(span_of(bytes, EXPORT_HEADER_SIZE), &out), ERR_NONE);
    assert_int_equal(out.epoch, 7);
    for (size_t i = 0; i < EXPORT_HEADER_SIZE; i++)
        assert_int_equal(export_header_parse(span_of(bytes, i), &out), ERR_MALFORMED);
    assert_int_equal(export_header_parse(SPAN_OF(bytes), &out), ERR_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t kept = bytes[cases[i].at];

        bytes[cases[i].at] = cases[i].value;
        assert_int_equal(export_header_parse(span_of(bytes, EXPORT_HEADER_SIZE), &out),
                         cases[i].expected);
        bytes[cases[i].at] = kept;
    }
}

/* ---- a whole database ---- */

static void database_make(void)
{
    const struct effect count = {.kind = EFFECT_COUNT,
                                 .table = TABLE_COUNTER,
                                 .id = SPAN_LITERAL("counter"),
                                 .uses = 3,
                                 .limit = 5};

    suite_open(&suite, &store_sqlite, database, true);
    suite_rows_put(&suite, ROWS - 1, "value");
    assert_int_equal(suite_run_one(&suite, &count, 1), ERR_NONE);
    suite_entries_append(&suite, ENTRIES);
    log_before = executor_state(suite.executor)->log;
    suite_close(&suite);
}

static struct examine_options from = {.keys = &suite.keys, .origin = SUITE_ORIGIN, .node = 1};

static void look(const char *path, struct examination *out)
{
    const struct engine_options engine = {.address = path, .inspect = true};

    assert_int_equal(store_sqlite.open(&engine, &from.engine), ERR_NONE);
    assert_int_equal(examine(&from, out), ERR_NONE);
}

static void export_make(struct buffer *out, struct export_counts *counts)
{
    const struct timestamp time = {1700000000000};
    struct export_writer *w = NULL;
    struct examination x;

    look(database, &x);
    assert_int_equal(x.fault_count, 0);
    assert_int_equal(export_writer_new(root_current(root), salt, buffer_put, out, &w), ERR_NONE);
    assert_int_equal(export_write(&from, &x, time, w, counts), ERR_NONE);
    export_writer_free(&w);
    store_sqlite.close(&from.engine);
}

MUST_CHECK static enum err begun(void *context, struct export_begin *begin)
{
    (void)context;
    return strcmp(begin->origin, SUITE_ORIGIN) == 0 ? ERR_NONE : ERR_DENIED;
}

static void imported_remove(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char path[340];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(path, sizeof path, "%s%s", imported, suffixes[i]);
        (void)unlink(path);
    }
}

MUST_CHECK static enum err import(struct span file, struct export_counts *counts, bool end)
{
    const struct engine_options engine = {.address = imported, .create = true};
    struct source source = {file};
    struct import_options options = {.keys = &suite.keys, .begun = begun};
    struct export_begin begin;
    struct builder *builder = NULL;
    enum err e = export_reader_new(root, span_take, &source, &options.reader);

    (void)snprintf(imported, sizeof imported, "%s/imported.db", directory);
    assert_int_equal(store_sqlite.open(&engine, &options.into), ERR_NONE);
    if (e == ERR_NONE)
        e = import_run(&options, &builder, &begin, counts);
    if (e == ERR_NONE && end)
        e = builder_end(builder, &(struct node_state){.commits = begin.commits + 1,
                                                      .log_archived = counts->blocks * 256});
    builder_free(&builder);
    store_sqlite.close(&options.into);
    export_reader_free(&options.reader);
    return e;
}

static void everything_comes_back(void **state)
{
    struct buffer file = {0};
    struct export_counts written, read;
    struct examination x;
    struct merkle_hash expected, found;
    const struct effect count = {.kind = EFFECT_COUNT,
                                 .table = TABLE_COUNTER,
                                 .id = SPAN_LITERAL("counter"),
                                 .uses = 3,
                                 .limit = 5};
    const struct transaction t = {.effects = &count,
                                  .count = 1,
                                  .entry = SPAN_LITERAL("entry"),
                                  .entry_limit = SPAN_LITERAL("limit")};
    const struct transaction *list = &t;
    struct transaction_result result;

    (void)state;
    database_make();
    export_make(&file, &written);
    assert_int_equal(written.rows, ROWS);
    assert_int_equal(written.entries, SIZE);
    assert_int_equal(import(buffer_span(&file), &read, true), ERR_NONE);
    assert_memory_equal(&read, &written, sizeof read);
    look(imported, &x);
    assert_int_equal(x.fault_count, 0);
    assert_int_equal(x.rows, ROWS);
    merkle_root(&log_before, &expected);
    merkle_root(&x.state.log, &found);
    assert_int_equal(x.state.log.size, SIZE);
    assert_memory_equal(&found, &expected, sizeof found);
    store_sqlite.close(&from.engine);
    /* the counter goes on where it was */
    suite_open(&suite, &store_sqlite, imported, false);
    assert_int_equal(executor_run(suite.executor, &list, 1, &result), ERR_NONE);
    assert_int_equal(result.status, TRANSACTION_LIMIT);
    assert_int_equal(result.used, 3);
    suite_close(&suite);
    imported_remove();
    buffer_clear(&file);
}

/* Entries that are in an archive are in no database: only the hashes of their blocks. */
static void an_archived_log_is_examined_and_comes_back(void **state)
{
    const struct engine_options engine = {.address = database, .create = true};
    const struct node_state like = {.commits = 5, .log_archived = 512};
    struct builder_options options = {.keys = &suite.keys, .node = 1, .origin = SUITE_ORIGIN};
    struct builder *b = NULL;
    struct merkle_frontier all = {0}, block = {0};
    struct merkle_hash leaf, hash, expected, found;
    struct buffer file = {0};
    struct export_counts counts;
    struct examination x;

    (void)state;
    suite_open(&suite, &store_sqlite, database, true); /* for its keys */
    suite_close(&suite);
    assert_int_equal(unlink(database), 0);
    merkle_leaf(SPAN_LITERAL("entry"), &leaf);
    for (size_t i = 0; i < 256; i++)
        merkle_append(&block, &leaf);
    for (size_t i = 0; i < 600; i++)
        merkle_append(&all, &leaf);
    merkle_root(&block, &hash);
    merkle_root(&all, &expected);
    assert_int_equal(store_sqlite.open(&engine, &options.engine), ERR_NONE);
    assert_int_equal(builder_new(&options, &b), ERR_NONE);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(builder_block(b, &hash), ERR_NONE);
    for (size_t i = 512; i < 600; i++)
        assert_int_equal(builder_entry(b, SPAN_LITERAL("entry")), ERR_NONE);
    assert_int_equal(builder_block(b, &hash), ERR_MALFORMED); /* not at a border */
    assert_int_equal(builder_end(b, &like), ERR_NONE);
    builder_free(&b);
    store_sqlite.close(&options.engine);
    look(database, &x);
    assert_int_equal(x.fault_count, 0);
    assert_int_equal(x.entries, 88);
    merkle_root(&x.state.log, &found);
    assert_memory_equal(&found, &expected, sizeof found);
    store_sqlite.close(&from.engine);
    export_make(&file, &counts);
    assert_int_equal(counts.blocks, 2);
    assert_int_equal(import(buffer_span(&file), &counts, true), ERR_NONE);
    look(imported, &x);
    assert_int_equal(x.fault_count, 0);
    assert_int_equal(x.state.log_archived, 512);
    merkle_root(&x.state.log, &found);
    assert_memory_equal(&found, &expected, sizeof found);
    store_sqlite.close(&from.engine);
    imported_remove();
    buffer_clear(&file);
}

/* An import that ended early left a database that says so, and holds no key to a daemon. */
static void an_unfinished_import_is_told(void **state)
{
    struct buffer file = {0};
    struct export_counts counts;
    struct examination x;

    (void)state;
    database_make();
    export_make(&file, &counts);
    assert_int_equal(import(buffer_span(&file), &counts, false), ERR_NONE);
    look(imported, &x);
    assert_int_equal(x.faults[FAULT_NODE_UNFINISHED], 1);
    store_sqlite.close(&from.engine);
    imported_remove();
    for (size_t size = 0; size < file.size; size += 4999) {
        assert_int_not_equal(import(span_of(file.data, size), &counts, true), ERR_NONE);
        imported_remove();
    }
    buffer_clear(&file);
}

/* ---- records ---- */

static void record_add(struct export_writer *w, uint8_t kind, struct span body)
{
    uint8_t header[5];
    struct writer head = writer_over(header, sizeof header);

    writer_u8(&head, kind);
    writer_u32le(&head, (uint32_t)body.size);
    assert_int_equal(export_writer_put(w, SPAN_OF(header)), ERR_NONE);
    assert_int_equal(export_writer_put(w, body), ERR_NONE);
}

/* "B" begin, "R" row, "H" block, "E" entry, "." end; the counts of the end are right. */
static void orders_of_records_are_judged(void **state)
{
    static const struct {
        const char *order;
        enum err expected;
    } cases[] = {
        {"B.",    ERR_MALFORMED}, /* BEGIN says one entry */
        {"BE.",   ERR_NONE     },
        {"BRE.",  ERR_NONE     },
        {"E.",    ERR_MALFORMED},
        {"BBE.",  ERR_MALFORMED},
        {"BERE.", ERR_MALFORMED},
        {"BEH.",  ERR_MALFORMED},
        {"BE",    ERR_MALFORMED},
        {"BE.E",  ERR_MALFORMED},
        {"BEE.",  ERR_MALFORMED},
        {"BR",    ERR_MALFORMED},
        {"",      ERR_MALFORMED},
        {"BRRE.", ERR_TAMPERED }, /* the same row twice */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer file = {0};
        struct export_writer *w = NULL;
        struct export_counts counts = {0};
        struct merkle_hash leaf;
        uint8_t body[256];

        assert_int_equal(export_writer_new(root_current(root), salt, buffer_put, &file, &w),
                         ERR_NONE);
        for (const char *c = cases[i].order; *c; c++) {
            struct writer b = writer_over(body, sizeof body);

            if (*c == 'B') {
                merkle_leaf(SPAN_LITERAL("x"), &leaf);
                writer_u64le(&b, 5);
                writer_u32le(&b, 1);
                writer_u64le(&b, 9);
                writer_u64le(&b, 0);
                writer_u64le(&b, 1);
                writer_put(&b, SPAN_OF(leaf.bytes));
                writer_u8(&b, sizeof SUITE_ORIGIN - 1);
                writer_put(&b, SPAN_LITERAL(SUITE_ORIGIN));
                record_add(w, EXPORT_BEGIN, span_of(body, b.size));
            } else if (*c == 'R') {
                writer_u8(&b, TABLE_KEY);
                writer_u64le(&b, 1 << 12 | 1);
                writer_put(&b, SPAN_LITERAL("\002id\000value"));
                record_add(w, EXPORT_ROW, span_of(body, b.size));
                counts.rows++;
            } else if (*c == 'H') {
                writer_zero(&b, 32);
                record_add(w, EXPORT_BLOCK, span_of(body, b.size));
                counts.blocks++;
            } else if (*c == 'E') {
                record_add(w, EXPORT_ENTRY, SPAN_LITERAL("x"));
                counts.entries++;
            } else {
                writer_u64le(&b, counts.rows);
                writer_u64le(&b, counts.blocks);
                writer_u64le(&b, counts.entries);
                record_add(w, EXPORT_END, span_of(body, b.size));
            }
        }
        assert_int_equal(export_writer_end(w), ERR_NONE);
        export_writer_free(&w);
        log_catch();
        enum err e = import(buffer_span(&file), &counts, true);
        log_read();
        if (e != cases[i].expected)
            fail_msg("%s: %s, expected %s", cases[i].order, err_code(e),
                     err_code(cases[i].expected));
        imported_remove();
        buffer_clear(&file);
    }
}

static void records_of_another_form_are_refused(void **state)
{
    static const uint8_t zeros[300];
    struct export_record out;

    (void)state;
    for (size_t kind = 0; kind <= UINT8_MAX; kind++)
        for (size_t size = 0; size < sizeof zeros; size++) {
            enum err e = export_record_parse((uint8_t)kind, span_of(zeros, size), &out);
            bool good = (kind == EXPORT_BLOCK && size == 32) ||
                        (kind == EXPORT_END && size == 24) || (kind == EXPORT_ENTRY && size > 0);

            if (good != (e == ERR_NONE))
                fail_msg("kind %zu, size %zu: %s", kind, size, err_code(e));
        }
}

int main(void)
{
#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, database_directory_make, database_directory_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_has_what_was_written),
        cmocka_unit_test(a_changed_or_cut_stream_is_refused),
        cmocka_unit_test(headers_of_other_forms_are_refused),
        IN_DIRECTORY(everything_comes_back),
        IN_DIRECTORY(an_archived_log_is_examined_and_comes_back),
        IN_DIRECTORY(an_unfinished_import_is_told),
        IN_DIRECTORY(orders_of_records_are_judged),
        cmocka_unit_test(records_of_another_form_are_refused),
    };

    return cmocka_run_group_tests(tests, roots_make, roots_free);
}
