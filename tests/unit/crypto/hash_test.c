#include "unit/crypto/cases.h"

#include <openssl/mem.h>
#include <pthread.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/random.h"

/* While set, AWS-LC gets no memory. */
static bool no_memory;

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return no_memory ? NULL : malloc(size);
}

static void *failing_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return no_memory ? NULL : realloc(old, size);
}

static void plain_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    free(old);
}

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY_SHA384                                                                               \
    "38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"                                             \
    "4c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"
#define EMPTY_SHA512                                                                               \
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"                             \
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
#define ABC_SHA384                                                                                 \
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"                                             \
    "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
#define ABC_SHA512                                                                                 \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

/* FIPS 180-2 appendices B.1, C.1, D.1 ("abc"), and the empty message. */
static void hashes_are_those_of_fips_180(void **state)
{
    static const struct {
        const char *message, *sha256, *sha384, *sha512;
    } cases[] = {
        {"",    EMPTY_SHA256, EMPTY_SHA384, EMPTY_SHA512},
        {"abc", ABC_SHA256,   ABC_SHA384,   ABC_SHA512  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span message = span_string(cases[i].message);
        uint8_t digest[SHA512_SIZE];
        char text[2 * SHA512_SIZE + 1];

        sha256(message, digest);
        hex_write(span_of(digest, SHA256_SIZE), text);
        assert_string_equal(text, cases[i].sha256);
        sha384(message, digest);
        hex_write(span_of(digest, SHA384_SIZE), text);
        assert_string_equal(text, cases[i].sha384);
        sha512(message, digest);
        hex_write(span_of(digest, SHA512_SIZE), text);
        assert_string_equal(text, cases[i].sha512);
    }
}

/* FIPS 180-2 appendix B.3: a million times "a"; also, any division into parts is the same. */
static void parts_hash_as_their_concatenation(void **state)
{
    static uint8_t many[1000000];
    uint8_t whole[SHA512_SIZE];
    uint8_t split[SHA512_SIZE];
    char text[2 * SHA256_SIZE + 1];

    (void)state;
    memset(many, 'a', sizeof many);
    sha256(SPAN_OF(many), whole);
    hex_write(span_of(whole, SHA256_SIZE), text);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    for (size_t cut = 0; cut <= 200; cut++) {
        struct span parts[] = {
            {many,       cut      },
            {NULL,       0        },
            {many + cut, 200 - cut}
        };

        sha256(span_of(many, 200), whole);
        sha256_parts(parts, COUNT_OF(parts), split);
        assert_memory_equal(whole, split, SHA256_SIZE);
        sha512(span_of(many, 200), whole);
        sha512_parts(parts, COUNT_OF(parts), split);
        assert_memory_equal(whole, split, SHA512_SIZE);
    }
}

static void *hash_abc(void *out)
{
    const struct span parts[] = {
        SPAN_LITERAL("a"), {NULL, 0},
         SPAN_LITERAL("bc")
    };

    sha256_parts(parts, COUNT_OF(parts), out);
    return NULL;
}

/* Hashing never fails, so it cannot need memory. */
static void hashing_needs_no_memory(void **state)
{
    uint8_t digest[SHA256_SIZE] = {0};
    char text[2 * SHA256_SIZE + 1];
    pthread_t thread;

    (void)state;
    no_memory = true;
    assert_int_equal(pthread_create(&thread, NULL, hash_abc, digest), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    no_memory = false;
    hex_write(SPAN_OF(digest), text);
    assert_string_equal(text, ABC_SHA256);
}

static void threads_hash_independently(void **state)
{
    uint8_t digests[8][SHA256_SIZE] = {0};
    pthread_t threads[COUNT_OF(digests)];
    char text[2 * SHA256_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_abc, digests[i]), 0);
    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        hex_write(SPAN_OF(digests[i]), text);
        assert_string_equal(text, ABC_SHA256);
    }
}

/* Appendix A of the paper of Aumasson and Bernstein: key 00..0f, message 00..0e. */
static void siphash_is_that_of_its_authors(void **state)
{
    uint8_t bytes[SIPHASH_KEY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    assert_true(siphash24(bytes, span_of(bytes, 15)) == UINT64_C(0xa129ca6149be45e5));
    assert_false(siphash24(bytes, span_of(bytes, 14)) == UINT64_C(0xa129ca6149be45e5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_fips_180),
        cmocka_unit_test(parts_hash_as_their_concatenation),
        cmocka_unit_test(hashing_needs_no_memory),
        cmocka_unit_test(threads_hash_independently),
        cmocka_unit_test(siphash_is_that_of_its_authors),
    };

    if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, start, NULL);
}
