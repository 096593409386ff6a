#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/writer.h"
#include "codec/snp_certs.h"

/* AMD 56421, table 7, in memory order: fields of 4, 2 and 2 bytes little-endian, then 8 bytes
 * unchanged. */
#define VCEK "\x8d\x75\xda\x63\x64\xe6\x64\x45\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd"
#define VLEK "\xc2\x4b\x07\xa8\x5a\xa2\x3e\x48\xaa\xe6\x39\xc0\x45\xa0\xb8\xa1"
#define ASK "\x79\xb3\xb7\x4a\xac\xbb\xe4\x4f\xa0\x2f\x05\xae\xf3\x27\xc7\x82"
#define ARK "\xa4\x06\xb4\xc0\x03\xa8\x52\x49\x97\x43\x3f\xb6\x01\x4c\xd0\xae"
#define CRL "\x11\x38\xbc\x92\x58\xbc\x13\x47\x97\x3e\x8f\xe0\x84\x4a\x20\xf8" /* unknown */
#define END "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* The same in the byte order of RFC 4122, as they are printed. */
#define VCEK_BE "\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd"
#define VLEK_BE "\xa8\x07\x4b\xc2\xa2\x5a\x48\x3e\xaa\xe6\x39\xc0\x45\xa0\xb8\xa1"
#define ASK_BE "\x4a\xb7\xb3\x79\xbb\xac\x4f\xe4\xa0\x2f\x05\xae\xf3\x27\xc7\x82"
#define ARK_BE "\xc0\xb4\x06\xa4\xa8\x03\x49\x52\x97\x43\x3f\xb6\x01\x4c\xd0\xae"

struct row {
    const char *guid;
    uint32_t offset, length;
};

/* A table of `rows`, followed by bytes that count up, `size` in all. */
static struct span table_of(const struct row *rows, size_t count, size_t size)
{
    static uint8_t bytes[SNP_CERTIFICATES_MAX + 1];
    struct writer w = writer_over(bytes, sizeof bytes);

    for (size_t i = 0; i < count; i++) {
        writer_put(&w, span_of(rows[i].guid, 16));
        writer_u32le(&w, rows[i].offset);
        writer_u32le(&w, rows[i].length);
    }
    assert_true(w.size <= size);
    while (w.size < size)
        writer_u8(&w, (uint8_t)w.size);
    return span_of(bytes, size);
}

static void assert_refused(struct span table)
{
    struct snp_certificates out;
    struct snp_certificates before;
    /* on the heap with exactly this size, so that a read beyond it is detected */
    uint8_t *copy = malloc(table.size ? table.size : 1);

    assert_non_null(copy);
    memcpy(copy, table.data, table.size);
    memset(&out, 0x5a, sizeof out);
    before = out;
    assert_int_equal(snp_certificates_parse(span_of(copy, table.size), &out), ERR_MALFORMED);
    assert_memory_equal(&out, &before, sizeof out);
    free(copy);
}

static const struct row four[] = {
    {VCEK, 144, 10},
    {ASK,  154, 20}, /* neighbours may touch */
    {ARK,  180, 30}, /* and leave gaps */
    {CRL,  220, 5 },
    {VLEK, 210, 10}, /* in any order */
    {END,  0,   0 },
};

static void assert_span(struct span s, struct span table, size_t offset, size_t size)
{
    assert_ptr_equal(s.data, table.data + offset);
    assert_int_equal(s.size, size);
}

static void test_certificates_are_found_by_their_guid(void **state)
{
    struct span table = table_of(four, COUNT_OF(four), 230);
    struct snp_certificates c;

    (void)state;
    assert_int_equal(snp_certificates_parse(table, &c), ERR_NONE);
    assert_span(c.vcek, table, 144, 10);
    assert_span(c.ask, table, 154, 20);
    assert_span(c.ark, table, 180, 30);
    assert_span(c.vlek, table, 210, 10);
    assert_int_equal(c.size, 225); /* padding is recognised */
}

static void test_guids_are_read_in_both_byte_orders(void **state)
{
    static const struct row rows[] = {
        {VCEK_BE, 144, 10},
        {ASK_BE,  154, 20},
        {ARK_BE,  180, 30},
        {CRL,     220, 5 },
        {VLEK_BE, 210, 10},
        {END,     0,   0 },
    };
    static const struct row twice[] = {
        {VCEK_BE, 72, 10},
        {VCEK,    82, 10}, /* the same role in the other order */
        {END,     0,  0 },
    };
    struct span table = table_of(rows, COUNT_OF(rows), 230);
    struct snp_certificates c;

    (void)state;
    assert_int_equal(snp_certificates_parse(table, &c), ERR_NONE);
    assert_span(c.vcek, table, 144, 10);
    assert_span(c.ask, table, 154, 20);
    assert_span(c.ark, table, 180, 30);
    assert_span(c.vlek, table, 210, 10);
    assert_refused(table_of(twice, COUNT_OF(twice), 100));
}

static void test_a_table_may_be_empty_or_partial(void **state)
{
    static const struct row only_ask[] = {
        {ASK, 48, 1},
        {END, 0,  0}
    };
    static const uint8_t page[4096];
    struct snp_certificates c;
    struct span table = table_of(four + 5, 1, 24);

    (void)state;
    assert_int_equal(snp_certificates_parse(table, &c), ERR_NONE);
    assert_int_equal(c.vcek.size + c.vlek.size + c.ask.size + c.ark.size, 0);
    assert_int_equal(c.size, 24);
    /* empty input is not a table; a page of zeros is one, as the ioctl gives it when the host
     * has none */
    assert_int_equal(snp_certificates_parse((struct span){0}, &c), ERR_MALFORMED);
    assert_int_equal(snp_certificates_parse(SPAN_OF(page), &c), ERR_NONE);
    assert_int_equal(c.size, 24);
    table = table_of(only_ask, COUNT_OF(only_ask), 49);
    assert_int_equal(snp_certificates_parse(table, &c), ERR_NONE);
    assert_span(c.ask, table, 48, 1);
    assert_int_equal(c.vcek.size + c.vlek.size + c.ark.size, 0);
}

static void test_places_that_are_refused(void **state)
{
    static const struct {
        const char *what;
        struct row rows[3];
        size_t count, size;
    } cases[] = {
        {"in the entries",         {{VCEK, 47, 10}, {END, 0, 0}},                 2, 100},
        {"at the start",           {{VCEK, 0, 10}, {END, 0, 0}},                  2, 100},
        {"beyond the bytes",       {{VCEK, 48, 53}, {END, 0, 0}},                 2, 100},
        {"after the bytes",        {{VCEK, 100, 1}, {END, 0, 0}},                 2, 100},
        {"far beyond",             {{VCEK, 48, UINT32_MAX}, {END, 0, 0}},         2, 100},
        {"around the world",       {{VCEK, UINT32_MAX, UINT32_MAX}, {END, 0, 0}}, 2, 100},
        {"sum that wraps 32 bits", {{VCEK, UINT32_MAX - 9, 60}, {END, 0, 0}},     2, 100},
        {"empty",                  {{VCEK, 48, 0}, {END, 0, 0}},                  2, 100},
        {"unknown, and beyond",    {{CRL, 48, 53}, {END, 0, 0}},                  2, 100},
        {"overlap by one",         {{VCEK, 72, 10}, {ASK, 81, 5}, {END, 0, 0}},   3, 100},
        {"overlap from before",    {{VCEK, 80, 10}, {ASK, 75, 6}, {END, 0, 0}},   3, 100},
        {"one within another",     {{VCEK, 72, 20}, {ASK, 75, 2}, {END, 0, 0}},   3, 100},
        {"the same place",         {{VCEK, 72, 20}, {ASK, 72, 20}, {END, 0, 0}},  3, 100},
        {"twice",                  {{VCEK, 72, 5}, {VCEK, 80, 5}, {END, 0, 0}},   3, 100},
        {"unknown twice",          {{CRL, 72, 5}, {CRL, 80, 5}, {END, 0, 0}},     3, 100},
        {"no end",                 {{VCEK, 48, 10}, {ASK, 58, 10}},               2, 68 },
        {"end with an offset",     {{VCEK, 72, 10}, {END, 1, 0}},                 2, 100},
        {"end with a length",      {{VCEK, 72, 10}, {END, 0, 1}},                 2, 100},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        print_message("# %s\n", cases[i].what);
        assert_refused(table_of(cases[i].rows, cases[i].count, cases[i].size));
    }
}

static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < 225; size++) {
        struct span table = table_of(four, COUNT_OF(four), 230);

        assert_refused(span_slice(table, 0, size));
    }
}

static void test_limits(void **state)
{
    struct row rows[SNP_CERTIFICATES_ENTRIES_MAX + 2];
    char guids[SNP_CERTIFICATES_ENTRIES_MAX + 1][16];
    struct snp_certificates c;

    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(guids); i++) {
        memset(guids[i], (int)(i + 1), sizeof guids[i]);
        rows[i] = (struct row){guids[i], 500 + i, 1};
    }
    rows[SNP_CERTIFICATES_ENTRIES_MAX + 1] = (struct row){END, 0, 0};
    assert_refused(table_of(rows, COUNT_OF(rows), 600));
    assert_int_equal(snp_certificates_parse(table_of(rows + 1, COUNT_OF(rows) - 1, 600), &c),
                     ERR_NONE);
    assert_int_equal(
        snp_certificates_parse(table_of(four, COUNT_OF(four), SNP_CERTIFICATES_MAX), &c), ERR_NONE);
    assert_int_equal(
        snp_certificates_parse(table_of(four, COUNT_OF(four), SNP_CERTIFICATES_MAX + 1), &c),
        ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates_are_found_by_their_guid),
        cmocka_unit_test(test_guids_are_read_in_both_byte_orders),
        cmocka_unit_test(test_a_table_may_be_empty_or_partial),
        cmocka_unit_test(test_places_that_are_refused),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
