/* The scalars of private keys are in locked memory that core images leave out. After an
 * operation they are nowhere else. */
#include "unit/crypto/cases.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypto/p256.h"
#include "crypto/p256_openssl.h"
#include "crypto/random.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0 /* a sanitizer forbids reading memory that nothing was told about */
#endif

/* The complement of the searched bytes, so that the search does not find itself. */
static uint8_t complement[P256_SCALAR_SIZE];

static bool is_at(const volatile uint8_t *at)
{
    for (size_t i = 0; i < sizeof complement; i++)
        if ((uint8_t)(at[i] ^ complement[i]) != 0xff)
            return false;
    return true;
}

static size_t count_in(uintptr_t from, uintptr_t to)
{
    size_t count = 0;

    for (uintptr_t at = from; at + sizeof complement <= to; at++)
        count += is_at((const volatile uint8_t *)at); /* NOLINT(performance-no-int-to-ptr) */
    return count;
}

/* In writable mappings: those that core images leave out ("dd" in VmFlags, proc(5)) or the others.
 */
static size_t count_in_memory(bool hidden)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    unsigned long from = 0;
    unsigned long to = 0;
    size_t count = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long low;
        unsigned long high;

        if (sscanf(line, "%lx-%lx ", &low, &high) == 2) {
            from = low;
            to = strstr(line, " rw") ? high : low;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && (strstr(line, " dd") != NULL) == hidden) {
            count += count_in(from, to);
        }
    }
    (void)fclose(maps);
    return count;
}

static void remember(const struct p256_private *key)
{
    uint8_t scalar[P256_SCALAR_SIZE];

    p256_private_scalar(key, scalar);
    for (size_t i = 0; i < sizeof scalar; i++)
        complement[i] = (uint8_t)~scalar[i];
    bytes_wipe(scalar, sizeof scalar);
}

static void scalars_are_in_hidden_memory_only(void **state)
{
    struct p256_private *key = NULL;
    uint8_t signature[P256_SIGNATURE_SIZE];

    (void)state;
    if (SANITIZED) {
        (void)fprintf(stderr, "SKIPPED: memory of private keys: built with a sanitizer\n");
        skip();
    }
    assert_int_equal(p256_generate(&key), ERR_NONE);
    remember(key);
    assert_int_equal(p256_sign(key, SPAN_LITERAL("message"), signature), ERR_NONE);
    assert_int_equal(count_in_memory(true), 1);
    assert_int_equal(count_in_memory(false), 0);
    p256_private_free(&key);
    assert_int_equal(count_in_memory(true), 0);
}

/* TLS and certificates: OpenSSL's copy is in the heap that it locks, in its own byte order. */
static void openssl_keeps_scalars_in_its_secure_heap(void **state)
{
    struct evp_pkey_st *made = NULL;
    struct p256_private *key = NULL;
    size_t before;

    (void)state;
    assert_int_equal(openssl_heap_start(), ERR_NONE);
    assert_int_equal(p256_generate(&key), ERR_NONE);
    before = CRYPTO_secure_used();
    assert_int_equal(p256_openssl_key(key, &made), ERR_NONE);
    assert_true(CRYPTO_secure_used() > before);
    EVP_PKEY_free(made);
    assert_int_equal(CRYPTO_secure_used(), before);
    p256_private_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_in_hidden_memory_only),
        cmocka_unit_test(openssl_keeps_scalars_in_its_secure_heap),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
