/* Examples and malformed encodings: RFC 8949, appendices A and F. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "codec/cbor.h"

/* The bytes of `hex` in a block of exact size, so that a sanitizer detects reads beyond it. */
static struct span bytes_of(const char *hex)
{
    size_t size = strlen(hex) / 2;
    uint8_t *bytes = malloc(size ? size : 1);

    assert_non_null(bytes);
    assert_int_equal(hex_read(span_string(hex), bytes, size), ERR_NONE);
    return span_of(bytes, size);
}

static void drop(struct span bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

MUST_CHECK static enum err parse_hex(const char *hex, size_t *offset)
{
    struct span bytes = bytes_of(hex);
    struct cbor_value value;
    enum err e = cbor_parse(bytes, &value, offset);

    drop(bytes);
    return e;
}

/* Writes the parsed document with definite lengths. */
static void write_value(struct writer *w, struct cbor_value value)
{
    struct cbor_iterator i = {0};
    struct cbor_value key;
    struct cbor_value item;
    struct span contents;
    uint64_t number;

    switch (value.kind) {
    case CBOR_NULL:
        cbor_put_null(w);
        break;
    case CBOR_BYTES:
        assert_int_equal(cbor_bytes(value, &contents), ERR_NONE);
        cbor_put_bytes(w, contents);
        break;
    case CBOR_TEXT:
        assert_int_equal(cbor_text(value, &contents), ERR_NONE);
        cbor_put_text(w, contents);
        break;
    case CBOR_ARRAY:
        cbor_put_array(w, cbor_count(value));
        while (cbor_next(value, &i, NULL, &item))
            write_value(w, item);
        break;
    case CBOR_MAP:
        cbor_put_map(w, cbor_count(value));
        while (cbor_next(value, &i, &key, &item)) {
            write_value(w, key);
            write_value(w, item);
        }
        break;
    case CBOR_TAG:
        assert_int_equal(cbor_tagged(value, &number, &item), ERR_NONE);
        cbor_put_tag(w, number);
        write_value(w, item);
        break;
    case CBOR_UNSIGNED:
        assert_int_equal(cbor_uint64(value, &number), ERR_NONE);
        cbor_put_uint(w, number);
        break;
    case CBOR_FALSE:
    case CBOR_TRUE:
    case CBOR_NEGATIVE:
        writer_put(w, value.raw);
        break;
    }
}

static void test_accepts_the_examples_of_the_rfc(void **state)
{
    static const struct {
        const char *hex;
        enum cbor_kind kind;
        const char *definite; /* the same with definite lengths; NULL: it has no others */
    } cases[] = {
        {"00",                                                         CBOR_UNSIGNED, NULL                    },
        {"01",                                                         CBOR_UNSIGNED, NULL                    },
        {"0a",                                                         CBOR_UNSIGNED, NULL                    },
        {"17",                                                         CBOR_UNSIGNED, NULL                    },
        {"1818",                                                       CBOR_UNSIGNED, NULL                    },
        {"1819",                                                       CBOR_UNSIGNED, NULL                    },
        {"1864",                                                       CBOR_UNSIGNED, NULL                    },
        {"1903e8",                                                     CBOR_UNSIGNED, NULL                    },
        {"1a000f4240",                                                 CBOR_UNSIGNED, NULL                    },
        {"1b000000e8d4a51000",                                         CBOR_UNSIGNED, NULL                    },
        {"1bffffffffffffffff",                                         CBOR_UNSIGNED, NULL                    },
        {"c249010000000000000000",                                     CBOR_TAG,      NULL                    },
        {"3bffffffffffffffff",                                         CBOR_NEGATIVE, NULL                    },
        {"c349010000000000000000",                                     CBOR_TAG,      NULL                    },
        {"20",                                                         CBOR_NEGATIVE, NULL                    },
        {"29",                                                         CBOR_NEGATIVE, NULL                    },
        {"3863",                                                       CBOR_NEGATIVE, NULL                    },
        {"3903e7",                                                     CBOR_NEGATIVE, NULL                    },
        {"f4",                                                         CBOR_FALSE,    NULL                    },
        {"f5",                                                         CBOR_TRUE,     NULL                    },
        {"f6",                                                         CBOR_NULL,     NULL                    },
        {"c074323031332d30332d32315432303a30343a30305a",               CBOR_TAG,      NULL                    },
        {"c11a514b67b0",                                               CBOR_TAG,      NULL                    },
        {"d2f6",                                                       CBOR_TAG,      NULL                    },
        {"c600",                                                       CBOR_TAG,      NULL                    },
        {"d480",                                                       CBOR_TAG,      NULL                    },
        {"d500",                                                       CBOR_TAG,      NULL                    },
        {"d90100f5",                                                   CBOR_TAG,      NULL                    },
        {"d74401020304",                                               CBOR_TAG,      NULL                    },
        {"d818456449455446",                                           CBOR_TAG,      NULL                    },
        {"d82076687474703a2f2f7777772e6578616d706c652e636f6d",         CBOR_TAG,      NULL                    },
        {"40",                                                         CBOR_BYTES,    NULL                    },
        {"4401020304",                                                 CBOR_BYTES,    NULL                    },
        {"60",                                                         CBOR_TEXT,     NULL                    },
        {"6161",                                                       CBOR_TEXT,     NULL                    },
        {"6449455446",                                                 CBOR_TEXT,     NULL                    },
        {"62225c",                                                     CBOR_TEXT,     NULL                    },
        {"62c3bc",                                                     CBOR_TEXT,     NULL                    },
        {"63e6b0b4",                                                   CBOR_TEXT,     NULL                    },
        {"64f0908591",                                                 CBOR_TEXT,     NULL                    },
        {"80",                                                         CBOR_ARRAY,    NULL                    },
        {"83010203",                                                   CBOR_ARRAY,    NULL                    },
        {"8301820203820405",                                           CBOR_ARRAY,    NULL                    },
        {"98190102030405060708090a0b0c0d0e0f101112131415161718181819", CBOR_ARRAY,    NULL                    },
        {"a0",                                                         CBOR_MAP,      NULL                    },
        {"a201020304",                                                 CBOR_MAP,      NULL                    },
        {"a26161016162820203",                                         CBOR_MAP,      NULL                    },
        {"826161a161626163",                                           CBOR_ARRAY,    NULL                    },
        {"a56161614161626142616361436164614461656145",                 CBOR_MAP,      NULL                    },
        {"9fff",                                                       CBOR_ARRAY,    "80"                    },
        {"9f018202039f0405ffff",                                       CBOR_ARRAY,    "8301820203820405"      },
        {"9f01820203820405ff",                                         CBOR_ARRAY,    "8301820203820405"      },
        {"83018202039f0405ff",                                         CBOR_ARRAY,    "8301820203820405"      },
        {"83019f0203ff820405",                                         CBOR_ARRAY,    "8301820203820405"      },
        {"9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", CBOR_ARRAY,
         "98190102030405060708090a0b0c0d0e0f101112131415161718181819"                                         },
        {"bf61610161629f0203ffff",                                     CBOR_MAP,      "a26161016162820203"    },
        {"826161bf61626163ff",                                         CBOR_ARRAY,    "826161a161626163"      },
        {"bf6346756ef563416d7421ff",                                   CBOR_MAP,      "a26346756ef563416d7421"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span bytes = bytes_of(cases[i].hex);
        uint8_t space[64];
        char hex[2 * sizeof space + 1];
        struct writer w = writer_over(space, sizeof space);
        struct cbor_value value;
        struct span written;
        size_t offset;

        assert_int_equal(cbor_parse(bytes, &value, &offset), ERR_NONE);
        assert_int_equal(value.kind, cases[i].kind);
        assert_int_equal(offset, bytes.size);
        assert_true(span_equal(value.raw, bytes));
        write_value(&w, value);
        assert_int_equal(writer_finish(&w, &written), ERR_NONE);
        hex_write(written, hex);
        assert_string_equal(hex, cases[i].definite ? cases[i].definite : cases[i].hex);
        drop(bytes);
    }
}

static void test_refuses_the_examples_of_kinds_that_have_no_place(void **state)
{
    static const char *const cases[] = {
        "f90000",
        "f98000",
        "f93c00",
        "fb3ff199999999999a",
        "f93e00",
        "f97bff",
        "fa47c35000",
        "fa7f7fffff",
        "fb7e37e43c8800759c",
        "f90001",
        "f90400",
        "f9c400",
        "fbc010666666666666",
        "f97c00",
        "f97e00",
        "f9fc00",
        "fa7f800000",
        "fa7fc00000",
        "faff800000",
        "fb7ff0000000000000",
        "fb7ff8000000000000",
        "fbfff0000000000000",
        "f7", /* undefined */
        "f0",
        "f8ff",
        "e0",
        "f3",
        "f820",                 /* other simple values */
        "c1fb41d452d9ec200000", /* a tag on a float */
        "81f7",
        "a101f7",
        "a1f701",
        "5f42010243030405ff",
        "7f657374726561646d696e67ff",
        "5fff",
        "7fff", /* in chunks */
        "a1f500",
        "a1f600",
        "a14000",
        "a1810000",
        "a1a00000",
        "a1c10000", /* keys of other kinds */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(parse_hex(cases[i], NULL), ERR_MALFORMED);
}

static void test_refuses_malformed_input(void **state)
{
    static const char *const cases[] = {
        "",
        /* end of input in a head */
        "18",
        "19",
        "1a",
        "1b",
        "1901",
        "1a0102",
        "1b01020304050607",
        "38",
        "58",
        "78",
        "98",
        "9a01ff00",
        "b8",
        "d8",
        "f8",
        "f900",
        "fa0000",
        "fb000000",
        /* definite-length strings with short data */
        "41",
        "61",
        "5affffffff00",
        "5bffffffffffffffff010203",
        "7affffffff00",
        "7b7fffffffffffffff010203",
        /* definite-length arrays and maps not closed with enough items */
        "81",
        "818181818181818181",
        "8200",
        "a1",
        "a20102",
        "a100",
        "a2000000",
        /* tag without content */
        "c0",
        /* indefinite lengths without a break */
        "5f4100",
        "7f6100",
        "9f",
        "9f0102",
        "bf",
        "bf01020102",
        "819f",
        "9f8000",
        "9f9f9f9f9fffffffff",
        "9f819f819f9fffffff",
        /* reserved additional information */
        "1c",
        "1d",
        "1e",
        "3c",
        "3d",
        "3e",
        "5c",
        "5d",
        "5e",
        "7c",
        "7d",
        "7e",
        "9c",
        "9d",
        "9e",
        "bc",
        "bd",
        "be",
        "dc",
        "dd",
        "de",
        "fc",
        "fd",
        "fe",
        /* reserved two-byte simple values */
        "f800",
        "f801",
        "f818",
        "f81f",
        "f814",
        "f815",
        "f816",
        /* chunks of another type, or not definite */
        "5f00ff",
        "5f21ff",
        "5f6100ff",
        "5f80ff",
        "5fa0ff",
        "5fc000ff",
        "5fe0ff",
        "7f4100ff",
        "5f5f4100ffff",
        "7f7f6100ffff",
        /* break in a wrong place */
        "ff",
        "81ff",
        "8200ff",
        "a1ff",
        "a1ff00",
        "a100ff",
        "a20000ff",
        "9f81ff",
        "9f829f819f9fffffffff",
        "bf00ff",
        "bf000000ff",
        "c1ff",
        "9fc1ff",
        /* no indefinite length for these */
        "1f",
        "3f",
        "df",
        /* counts larger than the input */
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "bb8000000000000000",
        "9b7fffffffffffffff00",
        "bb7fffffffffffffff0000",
        "9affffffff00",
        "baffffffff0000",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(parse_hex(cases[i], NULL), ERR_MALFORMED);
}

static void test_refuses_a_second_spelling_and_says_where(void **state)
{
    static const struct {
        const char *hex;
        size_t offset;
    } cases[] = {
        {"1800",                 0},
        {"1817",                 0},
        {"190018",               0},
        {"1900ff",               0},
        {"1a0000ffff",           0},
        {"1b00000000ffffffff",   0},
        {"3817",                 0},
        {"3900ff",               0},
        {"3a0000ffff",           0},
        {"3b00000000ffffffff",   0},
        {"580100",               0},
        {"59000100",             0},
        {"5a0000000100",         0},
        {"5b000000000000000100", 0},
        {"780161",               0},
        {"980100",               0},
        {"b8010000",             0},
        {"d80100",               0},
        {"8201190018",           2},
        {"a1011801",             2},
        {"a1180100",             1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t offset = 99;

        assert_int_equal(parse_hex(cases[i].hex, &offset), ERR_MALFORMED);
        assert_int_equal(offset, cases[i].offset);
    }
}

static void test_refuses_duplicate_keys(void **state)
{
    static const struct {
        const char *hex;
        enum err expected;
    } cases[] = {
        {"a201000100",           ERR_MALFORMED},
        {"a320002000",           ERR_MALFORMED},
        {"a2616100616101",       ERR_MALFORMED},
        {"bf616100616101ff",     ERR_MALFORMED},
        {"a301000200616100",     ERR_NONE     },
        {"a3616100616200616101", ERR_MALFORMED},
        {"81a201000100",         ERR_MALFORMED},
 /* the same key one level deeper is not a duplicate */
        {"a201a101000200",       ERR_NONE     },
        {"a201a101000100",       ERR_MALFORMED},
        {"a200002000",           ERR_NONE     }, /* 0 and -1 */
        {"a20100613100",         ERR_NONE     },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(parse_hex(cases[i].hex, NULL), cases[i].expected);
}

static void test_refuses_text_that_is_not_utf8(void **state)
{
    static const char *const cases[] = {
        "61ff",       "6180",       "62c080",     "62c1bf", "61c3",     "63e08080", "63eda080",
        "64f0808080", "64f4908080", "64f8808080", "62c328", "a161ff00", "6261c3",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(parse_hex(cases[i], NULL), ERR_MALFORMED);
    assert_int_equal(parse_hex("41ff", NULL), ERR_NONE); /* bytes are bytes */
}

static void test_refuses_trailing_bytes_unless_the_caller_takes_them(void **state)
{
    struct span bytes = bytes_of("820102f6");
    struct span rest = bytes;
    struct cbor_value value;
    size_t offset = 0;

    (void)state;
    assert_int_equal(cbor_parse(bytes, &value, &offset), ERR_MALFORMED);
    assert_int_equal(offset, 3);
    assert_int_equal(cbor_take(&rest, &value), ERR_NONE);
    assert_int_equal(value.kind, CBOR_ARRAY);
    assert_int_equal(value.raw.size, 3);
    assert_int_equal(rest.size, 1);
    assert_int_equal(cbor_take(&rest, &value), ERR_NONE);
    assert_int_equal(value.kind, CBOR_NULL);
    assert_int_equal(cbor_take(&rest, &value), ERR_MALFORMED);
    drop(bytes);
}

static void test_refuses_every_prefix(void **state)
{
    static const char *const cases[] = {
        "a26161016162820203",
        "bf61610161629f0203ffff",
        "d2844401020304a0f65820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "1bffffffffffffffff",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t size = 0; size < strlen(cases[i]); size += 2) {
            char prefix[128];

            (void)snprintf(prefix, sizeof prefix, "%.*s", (int)size, cases[i]);
            assert_int_equal(parse_hex(prefix, NULL), ERR_MALFORMED);
        }
}

/* `count` times `head`, then `tail`. */
MUST_CHECK static enum err parse_repeated(uint8_t head, size_t count, const char *tail)
{
    struct span end = bytes_of(tail);
    uint8_t *bytes = malloc(count + end.size);
    struct cbor_value value;
    enum err e;

    assert_non_null(bytes);
    memset(bytes, head, count);
    memcpy(bytes + count, end.data, end.size);
    e = cbor_parse(span_of(bytes, count + end.size), &value, NULL);
    free(bytes);
    drop(end);
    return e;
}

static void test_holds_the_limits(void **state)
{
    static const struct {
        uint8_t head;
        size_t count;
        const char *tail;
        enum err expected;
    } depths[] = {
        {0x81, CBOR_DEPTH_MAX,     "00",                 ERR_NONE     },
        {0x81, CBOR_DEPTH_MAX + 1, "00",                 ERR_TOO_LARGE},
        {0x81, CBOR_DEPTH_MAX - 1, "80",                 ERR_NONE     },
        {0x81, CBOR_DEPTH_MAX,     "80",                 ERR_TOO_LARGE},
        {0xc1, CBOR_DEPTH_MAX,     "00",                 ERR_NONE     },
        {0xc1, CBOR_DEPTH_MAX + 1, "00",                 ERR_TOO_LARGE},
        {0x9f, CBOR_DEPTH_MAX,     "ffffffffffffffff",   ERR_NONE     },
        {0x9f, CBOR_DEPTH_MAX + 1, "ffffffffffffffffff", ERR_TOO_LARGE},
        {0x81, 1000000,            "00",                 ERR_TOO_LARGE},
        {0xc6, 1000000,            "00",                 ERR_TOO_LARGE},
        {0x9f, 1000000,            "00",                 ERR_TOO_LARGE},
        {0xbf, 1000000,            "00",                 ERR_MALFORMED}, /* a map cannot be a key */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(depths); i++)
        assert_int_equal(parse_repeated(depths[i].head, depths[i].count, depths[i].tail),
                         depths[i].expected);
}

static void test_limits_the_items_of_a_document(void **state)
{
    static uint8_t space[CBOR_ITEMS_MAX + 16];

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct writer w = writer_over(space, sizeof space);
        struct cbor_value value;
        struct span written;

        cbor_put_array(&w, CBOR_ITEMS_MAX - 1 + extra);
        for (size_t i = 0; i < CBOR_ITEMS_MAX - 1 + extra; i++)
            cbor_put_null(&w);
        assert_int_equal(writer_finish(&w, &written), ERR_NONE);
        assert_int_equal(cbor_parse(written, &value, NULL), extra ? ERR_TOO_LARGE : ERR_NONE);
        if (!extra)
            assert_int_equal(cbor_count(value), CBOR_ITEMS_MAX - 1);
    }
}

static void test_limits_the_members_of_a_map(void **state)
{
    uint8_t space[512];

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct writer w = writer_over(space, sizeof space);
        struct cbor_value value;
        struct span written;

        cbor_put_map(&w, CBOR_MEMBERS_MAX + extra);
        for (size_t i = 0; i < CBOR_MEMBERS_MAX + extra; i++) {
            cbor_put_int(&w, -1 - (int64_t)i);
            cbor_put_null(&w);
        }
        assert_int_equal(writer_finish(&w, &written), ERR_NONE);
        assert_int_equal(cbor_parse(written, &value, NULL), extra ? ERR_TOO_LARGE : ERR_NONE);
    }
}

/* {1: -7, "k": h'0102', -2: ["x", {"y": null}], "z": 399(true)} with indefinite lengths inside */
static const char document[] = "a40126616b420102219f6178bf6179f6ffff617ad9018ff5";

static void test_finds_members_by_name_and_label(void **state)
{
    struct span bytes = bytes_of(document);
    struct cbor_value map;
    struct cbor_value value;
    struct cbor_value inner;
    struct span contents;
    uint64_t number;
    int64_t label;

    (void)state;
    assert_int_equal(cbor_parse(bytes, &map, NULL), ERR_NONE);
    assert_int_equal(cbor_count(map), 4);
    assert_int_equal(cbor_label(map, 1, &value), ERR_NONE);
    assert_int_equal(cbor_int64(value, &label), ERR_NONE);
    assert_int_equal(label, -7);
    assert_int_equal(cbor_uint64(value, &number), ERR_MALFORMED);
    assert_int_equal(cbor_member(map, "k", &value), ERR_NONE);
    assert_int_equal(cbor_bytes(value, &contents), ERR_NONE);
    assert_true(span_equal(contents, SPAN_LITERAL("\x01\x02")));
    assert_int_equal(cbor_text(value, &contents), ERR_MALFORMED);
    assert_int_equal(cbor_label(map, -2, &value), ERR_NONE);
    assert_int_equal(value.raw.size, 9);
    assert_int_equal(cbor_count(value), 2);
    assert_int_equal(cbor_member(map, "z", &value), ERR_NONE);
    assert_int_equal(cbor_tagged(value, &number, &inner), ERR_NONE);
    assert_int_equal(number, 399);
    assert_int_equal(inner.kind, CBOR_TRUE);
    assert_int_equal(cbor_count(value), 0);
    assert_int_equal(cbor_tagged(inner, &number, &inner), ERR_MALFORMED);
    assert_int_equal(cbor_member(map, "", &value), ERR_NOT_FOUND);
    assert_int_equal(cbor_member(map, "kk", &value), ERR_NOT_FOUND);
    assert_int_equal(cbor_label(map, 2, &value), ERR_NOT_FOUND);
    assert_int_equal(cbor_label(inner, 2, &value), ERR_MALFORMED);
    assert_int_equal(cbor_member(inner, "k", &value), ERR_MALFORMED);
    drop(bytes);
}

static void test_walks_in_order(void **state)
{
    static const char *const keys[] = {"01", "616b", "21", "617a"};
    static const char *const values[] = {"26", "420102", "9f6178bf6179f6ffff", "d9018ff5"};
    struct span bytes = bytes_of(document);
    struct cbor_iterator i = {0};
    struct cbor_value map;
    struct cbor_value key;
    struct cbor_value value;
    size_t count = 0;

    (void)state;
    assert_int_equal(cbor_parse(bytes, &map, NULL), ERR_NONE);
    for (; cbor_next(map, &i, &key, &value); count++) {
        char hex[64];

        assert_in_range(count, 0, 3);
        hex_write(key.raw, hex);
        assert_string_equal(hex, keys[count]);
        hex_write(value.raw, hex);
        assert_string_equal(hex, values[count]);
    }
    assert_int_equal(count, 4);
    assert_false(cbor_next(map, &i, &key, &value));
    drop(bytes);
}

static void test_reads_a_map_by_a_table(void **state)
{
    static const struct {
        const char *hex;
        bool allow_unknown;
        const char *bad; /* NULL: accepted */
    } cases[] = {
        {"a201026461626364f6",       false, NULL    },
        {"a101026461",               false, "-"     },
        {"a10102",                   false, NULL    },
        {"a201026461626364420102",   false, NULL    },
        {"bf6461626364420102010fff", false, NULL    },
        {"a2010264616263646161",     false, "abcd"  }, /* of another kind */
        {"a10142",                   false, "-"     },
        {"a10120",                   false, "number"},
        {"a101f6",                   false, "number"}, /* null does not satisfy a required member */
        {"a0",                       false, "number"},
        {"a2010203f6",               false, ""      }, /* an unknown key */
        {"a2010203f6",               true,  NULL    },
        {"81a0",                     false, ""      },
        {"f6",                       true,  ""      },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span bytes = bytes_of(cases[i].hex);
        struct cbor_value map;
        struct cbor_value number;
        struct cbor_value optional;
        const struct cbor_field fields[] = {
            {"number", 1, CBOR_UNSIGNED, true,  &number  },
            {"abcd",   0, CBOR_BYTES,    false, &optional},
        };
        const char *bad = NULL;
        enum err e = cbor_parse(bytes, &map, NULL);

        if (cases[i].bad && cases[i].bad[0] == '-') {
            assert_int_equal(e, ERR_MALFORMED);
        } else {
            assert_int_equal(e, ERR_NONE);
            e = cbor_map_read(map, fields, COUNT_OF(fields), cases[i].allow_unknown, &bad);
            assert_int_equal(e, cases[i].bad ? ERR_MALFORMED : ERR_NONE);
            if (cases[i].bad)
                assert_string_equal(bad, cases[i].bad);
            else
                assert_int_equal(number.kind, CBOR_UNSIGNED);
        }
        drop(bytes);
    }
}

static void test_converts_integers_within_range_only(void **state)
{
    static const struct {
        const char *hex;
        enum err expected;
        int64_t value;
    } cases[] = {
        {"00",                 ERR_NONE,      0        },
        {"20",                 ERR_NONE,      -1       },
        {"1b7fffffffffffffff", ERR_NONE,      INT64_MAX},
        {"3b7fffffffffffffff", ERR_NONE,      INT64_MIN},
        {"1b8000000000000000", ERR_MALFORMED, 0        },
        {"3b8000000000000000", ERR_MALFORMED, 0        },
        {"40",                 ERR_MALFORMED, 0        },
        {"f6",                 ERR_MALFORMED, 0        },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span bytes = bytes_of(cases[i].hex);
        struct cbor_value value;
        int64_t number = 0;

        assert_int_equal(cbor_parse(bytes, &value, NULL), ERR_NONE);
        assert_int_equal(cbor_int64(value, &number), cases[i].expected);
        assert_true(number == cases[i].value);
        drop(bytes);
    }
}

static void test_writes_the_shortest_form(void **state)
{
    static const struct {
        int64_t value;
        const char *hex;
    } cases[] = {
        {0,          "00"                },
        {23,         "17"                },
        {24,         "1818"              },
        {255,        "18ff"              },
        {256,        "190100"            },
        {65535,      "19ffff"            },
        {65536,      "1a00010000"        },
        {4294967295, "1affffffff"        },
        {4294967296, "1b0000000100000000"},
        {INT64_MAX,  "1b7fffffffffffffff"},
        {-1,         "20"                },
        {-24,        "37"                },
        {-25,        "3818"              },
        {-35,        "3822"              },
        {-75000,     "3a000124f7"        },
        {INT64_MIN,  "3b7fffffffffffffff"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t space[16];
        char hex[2 * sizeof space + 1];
        struct writer w = writer_over(space, sizeof space);
        struct span written;

        cbor_put_int(&w, cases[i].value);
        assert_int_equal(writer_finish(&w, &written), ERR_NONE);
        hex_write(written, hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_the_examples_of_the_rfc),
        cmocka_unit_test(test_refuses_the_examples_of_kinds_that_have_no_place),
        cmocka_unit_test(test_refuses_malformed_input),
        cmocka_unit_test(test_refuses_a_second_spelling_and_says_where),
        cmocka_unit_test(test_refuses_duplicate_keys),
        cmocka_unit_test(test_refuses_text_that_is_not_utf8),
        cmocka_unit_test(test_refuses_trailing_bytes_unless_the_caller_takes_them),
        cmocka_unit_test(test_refuses_every_prefix),
        cmocka_unit_test(test_holds_the_limits),
        cmocka_unit_test(test_limits_the_items_of_a_document),
        cmocka_unit_test(test_limits_the_members_of_a_map),
        cmocka_unit_test(test_finds_members_by_name_and_label),
        cmocka_unit_test(test_walks_in_order),
        cmocka_unit_test(test_reads_a_map_by_a_table),
        cmocka_unit_test(test_converts_integers_within_range_only),
        cmocka_unit_test(test_writes_the_shortest_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
