#include "unit/crypto/cases.h"

#include "keys/ciphertext.h"

static const uint8_t nonce[CIPHERTEXT_NONCE_SIZE] = {9, 8, 7};

static struct ciphertext parts_of(enum algorithm a)
{
    struct ciphertext c = {.algorithm = a, .key_id = SPAN_LITERAL("key-0123"), .version = 7};

    if (ciphertext_has_nonce(a))
        c.nonce = SPAN_OF(nonce);
    return c;
}

static void headers_read_back(void **state)
{
    static const enum algorithm algorithms[] = {
        ALGORITHM_AES_GCM,         ALGORITHM_CHACHA20_POLY1305,
        ALGORITHM_RSA_OAEP_SHA256, ALGORITHM_RSA_OAEP_SHA256_MGF1_SHA1,
        ALGORITHM_RSA_OAEP_SHA384, ALGORITHM_RSA_OAEP_SHA512,
        ALGORITHM_RSA_OAEP_SHA1,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        const struct ciphertext c = parts_of(algorithms[i]);
        uint8_t bytes[CIPHERTEXT_HEADER_MAX + 5];
        struct ciphertext back;
        size_t size = 0;

        memset(bytes, 0x55, sizeof bytes);
        assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_NONE);
        assert_int_equal(bytes[0], CIPHERTEXT_FORMAT);
        assert_int_equal(bytes[1], i + 1); /* the numbers never change */
        assert_int_equal(ciphertext_parse(span_of(bytes, size + 5), &back), ERR_NONE);
        assert_int_equal(back.algorithm, c.algorithm);
        assert_int_equal(back.version, 7);
        assert_true(span_equal(back.key_id, c.key_id));
        assert_true(span_equal(back.nonce, c.nonce));
        assert_true(span_equal(back.header, span_of(bytes, size)));
        assert_true(span_equal(back.sealed, SPAN_LITERAL("UUUUU")));
        assert_int_equal(ciphertext_parse(span_of(bytes, size), &back), ERR_NONE);
        assert_int_equal(back.sealed.size, 0);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(ciphertext_parse(span_of(bytes, cut), &back), ERR_MALFORMED);
    }
}

static void what_is_no_envelope_is_refused(void **state)
{
    static const struct {
        const char *hex;
        enum err e;
    } cases[] = {
        {"",                                         ERR_MALFORMED  },
        {"0301",                                     ERR_MALFORMED  },
        {"0101016b00000001000000000000000000000000", ERR_UNSUPPORTED}, /* ECIES */
        {"0201016b00000001000000000000000000000000", ERR_UNSUPPORTED}, /* HPKE */
        {"0300016b00000001000000000000000000000000", ERR_UNSUPPORTED},
        {"0308016b00000001000000000000000000000000", ERR_UNSUPPORTED},
        {"03ff016b00000001000000000000000000000000", ERR_UNSUPPORTED},
        {"0301000000000100000000000000000000000000", ERR_MALFORMED  }, /* no key id */
        {"0301016b00000000000000000000000000000000", ERR_MALFORMED  }, /* version 0 */
        {"0301016b00000001000000000000000000000000", ERR_NONE       },
        {"0303016b00000001",                         ERR_NONE       },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[64];
        size_t size = strlen(cases[i].hex) / 2;
        struct ciphertext c;

        hex_bytes(cases[i].hex, bytes, size);
        assert_int_equal(ciphertext_parse(span_of(bytes, size), &c), cases[i].e);
    }
}

static void key_ids_have_a_limit(void **state)
{
    uint8_t bytes[300] = {CIPHERTEXT_FORMAT, 3};
    struct ciphertext c;

    (void)state;
    memset(bytes + 3, 'k', 257);
    bytes[2] = CIPHERTEXT_KEY_ID_MAX;
    assert_int_equal(ciphertext_parse(SPAN_OF(bytes), &c), ERR_NONE);
    bytes[2] = CIPHERTEXT_KEY_ID_MAX + 1;
    assert_int_equal(ciphertext_parse(SPAN_OF(bytes), &c), ERR_MALFORMED);
    bytes[2] = 255;
    assert_int_equal(ciphertext_parse(SPAN_OF(bytes), &c), ERR_MALFORMED);
    assert_int_equal(ciphertext_parse(span_of(bytes, (size_t)CIPHERTEXT_MAX + 1), &c),
                     ERR_TOO_LARGE);
}

static void wrong_parts_are_not_written(void **state)
{
    uint8_t bytes[CIPHERTEXT_HEADER_MAX];
    static const uint8_t name[CIPHERTEXT_KEY_ID_MAX + 1] = {1};
    size_t size;
    struct ciphertext c = parts_of(ALGORITHM_EDDSA);

    (void)state;
    assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_UNSUPPORTED);
    c = parts_of(ALGORITHM_AES_GCM);
    c.key_id = SPAN_OF(name);
    assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_MALFORMED);
    c.key_id = (struct span){0};
    assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_MALFORMED);
    c = parts_of(ALGORITHM_AES_GCM);
    c.version = 0;
    assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_MALFORMED);
    c = parts_of(ALGORITHM_AES_GCM);
    c.nonce.size--;
    assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_MALFORMED);
    c = parts_of(ALGORITHM_RSA_OAEP_SHA256);
    c.nonce = SPAN_OF(nonce);
    assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_MALFORMED);
    c = parts_of(ALGORITHM_AES_GCM);
    c.key_id = span_of(name, CIPHERTEXT_KEY_ID_MAX);
    assert_int_equal(ciphertext_header_write(&c, bytes, &size), ERR_NONE);
    assert_int_equal(size, CIPHERTEXT_HEADER_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_read_back),
        cmocka_unit_test(what_is_no_envelope_is_refused),
        cmocka_unit_test(key_ids_have_a_limit),
        cmocka_unit_test(wrong_parts_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
