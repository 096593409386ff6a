#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "codec/base58.h"

enum { TEXT_SIZE = BASE58_TEXT_SIZE(BASE58_MAX_SIZE) };

/* Bitcoin Core, src/test/data/base58_encode_decode.json */
static const struct {
    const char *hex;
    const char *text;
} vectors[] = {
    {"",                                                                                       ""                                  },
    {"61",                                                                                     "2g"                                },
    {"626262",                                                                                 "a3gV"                              },
    {"636363",                                                                                 "aPEr"                              },
    {"73696d706c792061206c6f6e6720737472696e67",                                               "2cFupjhnEsSn59qHXstmK2ffpLv2"      },
    {"00eb15231dfceb60925886b67d065299925915aeb172c06647",                                     "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L"},
    {"516b6fcd0f",                                                                             "ABnLTmg"                           },
    {"bf4f89001e670274dd",                                                                     "3SEo3LWLoPntC"                     },
    {"572e4794",                                                                               "3EFU7m"                            },
    {"ecac89cad93923c02321",                                                                   "EJDM8drfXA6uyA"                    },
    {"10c8511e",                                                                               "Rt5zm"                             },
    {"00000000000000000000",                                                                   "1111111111"                        },
    {"000111d38e5fc9071ffcd20b4a763cc9ae4f252bb4e48fd66a835e252ada93ff480d6dd43dc62a641155a5",
     "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"                                                                  },
};

static void test_published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t bytes[BASE58_MAX_SIZE];
        uint8_t back[BASE58_MAX_SIZE];
        size_t size = strlen(vectors[i].hex) / 2;
        size_t back_size = 999;
        char text[TEXT_SIZE];

        assert_int_equal(hex_read(span_string(vectors[i].hex), bytes, size), ERR_NONE);
        assert_int_equal(base58_write(span_of(bytes, size), text, sizeof text), ERR_NONE);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(base58_read(span_string(text), back, sizeof back, &back_size), ERR_NONE);
        assert_int_equal(back_size, size);
        assert_memory_equal(back, bytes, size);
    }
}

static void test_refuses_every_other_character(void **state)
{
    static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool is_digit = memchr(alphabet, (int)c, sizeof alphabet - 1) != NULL;

        for (size_t at = 0; at < 5; at++) {
            uint8_t text[5] = {'1', '2', 'g', '2', 'g'};
            uint8_t out[8] = {0xaa};
            size_t size = 999;

            text[at] = (uint8_t)c;
            assert_int_equal(base58_read(SPAN_OF(text), out, sizeof out, &size),
                             is_digit ? ERR_NONE : ERR_MALFORMED);
            if (!is_digit) {
                assert_int_equal(size, 999);
                assert_int_equal(out[0], 0xaa);
            }
        }
    }
}

static void test_refuses_too_little_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        size_t text_size = strlen(vectors[i].text);
        size_t size = strlen(vectors[i].hex) / 2;
        uint8_t bytes[BASE58_MAX_SIZE];
        size_t got;

        assert_int_equal(hex_read(span_string(vectors[i].hex), bytes, size), ERR_NONE);
        for (size_t room = 0; room <= text_size; room++) {
            char *out = malloc(room ? room : 1);

            assert_int_equal(base58_write(span_of(bytes, size), out, room), ERR_TOO_LARGE);
            free(out);
        }
        for (size_t room = 0; room < size; room++)
            assert_int_equal(base58_read(span_string(vectors[i].text), bytes, room, &got),
                             ERR_TOO_LARGE);
    }
}

static void test_limits(void **state)
{
    uint8_t bytes[BASE58_MAX_SIZE + 1];
    uint8_t back[BASE58_MAX_SIZE + 64];
    char text[2 * TEXT_SIZE];
    size_t size;

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(base58_write(SPAN_OF(bytes), text, sizeof text), ERR_TOO_LARGE);
    assert_int_equal(base58_write(span_of(bytes, BASE58_MAX_SIZE), text, TEXT_SIZE), ERR_NONE);
    assert_int_equal(base58_read(span_string(text), back, sizeof back, &size), ERR_NONE);
    assert_int_equal(size, BASE58_MAX_SIZE);
    assert_memory_equal(back, bytes, size);

    /* one more than the largest number, and the longest texts of small numbers */
    text[strlen(text)] = '1';
    assert_int_equal(base58_read(span_of(text, 176), back, sizeof back, &size), ERR_TOO_LARGE);
    memset(text, '1', sizeof text);
    assert_int_equal(base58_read(span_of(text, BASE58_MAX_SIZE), back, sizeof back, &size),
                     ERR_NONE);
    assert_int_equal(size, BASE58_MAX_SIZE);
    assert_true(span_is_zero(span_of(back, size)));
    for (size_t length = BASE58_MAX_SIZE + 1; length <= sizeof text; length++)
        assert_int_equal(base58_read(span_of(text, length), back, sizeof back, &size),
                         ERR_TOO_LARGE);
    memset(text, 'z', sizeof text);
    for (size_t length = 176; length <= sizeof text; length++)
        assert_int_equal(base58_read(span_of(text, length), back, sizeof back, &size),
                         ERR_TOO_LARGE);
}

static void test_every_size_reads_back(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (size_t round = 0; round < 20; round++) {
        for (size_t size = 0; size <= BASE58_MAX_SIZE; size++) {
            uint8_t bytes[BASE58_MAX_SIZE];
            uint8_t back[BASE58_MAX_SIZE];
            char text[TEXT_SIZE];
            size_t back_size;

            for (size_t i = 0; i < size; i++) {
                random = random * 1664525u + 1013904223u;
                bytes[i] = i < round % 4 ? 0 : (uint8_t)(random >> 24);
            }
            assert_int_equal(base58_write(span_of(bytes, size), text, BASE58_TEXT_SIZE(size)),
                             ERR_NONE);
            assert_int_equal(base58_read(span_string(text), back, size, &back_size), ERR_NONE);
            assert_int_equal(back_size, size);
            assert_memory_equal(back, bytes, size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_refuses_every_other_character),
        cmocka_unit_test(test_refuses_too_little_room),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_size_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
