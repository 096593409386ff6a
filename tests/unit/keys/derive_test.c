#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/random.h"
#include "keys/derive.h"

#define AB8 "abababababababab"
#define HASH AB8 AB8 AB8 AB8

static struct root *root; /* 00 01 .. 1f, as in the examples of OutLayer */

static int start(void **state)
{
    uint8_t master[ROOT_SIZE];

    (void)state;
    for (uint8_t i = 0; i < sizeof master; i++)
        master[i] = i;
    return crypto_start() == ERR_NONE &&
                   root_import(SPAN_OF(master), timestamp_of_seconds(1), &root) == ERR_NONE
               ? 0
               : -1;
}

static int stop(void **state)
{
    (void)state;
    root_free(&root);
    return 0;
}

static void public_text(struct span prefix, struct span seed, char text[2 * X25519_SIZE + 1])
{
    uint8_t private_key[X25519_SIZE];
    uint8_t public_key[X25519_SIZE];

    derive_repository_key(root_current(root), prefix, seed, private_key);
    x25519_public(private_key, public_key);
    hex_write(SPAN_OF(public_key), text);
}

/* spec: OutLayer 5.2, every row that has an X25519 key; the third is the README's prefix form. */
static void repository_keys_are_those_of_outlayer(void **state)
{
    static const struct {
        const char *prefix, *seed, *public_key;
    } cases[] = {
        {"",                    "github.com/alice/project:alice.near",
         "fb3234db8f36e87a8ec08c1b77799b55788f8855931c76eec948f33b76f9ff19"},
        {"",                    "github.com/alice/project:alice.near:main",
         "b17ba586b579b33c688821b4e5b25585da967a92a1901c976b298ab896637b3e"},
        {DERIVE_PREFIX_DEFAULT, "github.com/alice/project:alice.near",
         "c74fd1289bf254bc29072a707c1a64841e4e4afc3aef8183fb9fcf28cb31166d"},
        {"",                    "wasm_hash:" HASH ":alice.near",
         "8665f728c8707fbc57a3cf96ea7c836802c64c1e61125c2d0ed5d36816096c75"},
        {"",                    "project:alice.near/my-app:alice.near",
         "fdaf178b54201d58257fa80cc156fb3cd4b4988e4f2325803be0f2a6d6167712"},
        {"",                    "system:payment_key:alice.near:1",
         "d0e7ca82a4828f193339ec6c19d9804d5523822e3e7645035c3393d141d89d33"},
        {"",                    "storage:proj_a1b2c3d4:alice.near",
         "c7f71236b06735f7f3e1986ff5a3f19c907ec9d4e7dc14cd07c0c3191ac7a745"},
        {"",                    "storage:wasm:" HASH ":@worker",
         "fe63a11ba339ce40cfb8c4d447ff9fa4f34b0d34cebc53c44da80b8692c0ac56"},
    };
    char text[2 * X25519_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        public_text(span_string(cases[i].prefix), span_string(cases[i].seed), text);
        assert_string_equal(text, cases[i].public_key);
    }
}

static void labels_and_roots_give_unrelated_keys(void **state)
{
    static const char *const labels[] = {
        LABEL_GLOBAL_KEY,
        LABEL_IDENTITY_KEY,
        LABEL_LOG_KEY,
        LABEL_SESSION_KEY,
    };
    uint8_t keys[COUNT_OF(labels)][48];
    uint8_t again[48];
    uint8_t other_key[48];
    struct root *other = NULL;

    (void)state;
    assert_int_equal(root_generate(timestamp_of_seconds(1), &other), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        derive_labelled(root_current(root), labels[i], keys[i], sizeof keys[i]);
        derive_labelled(root_current(root), labels[i], again, sizeof again);
        assert_memory_equal(keys[i], again, sizeof again);
        derive_labelled(root_current(other), labels[i], other_key, sizeof other_key);
        assert_memory_not_equal(keys[i], other_key, 32);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(keys[i], keys[j], 32);
    }
    root_free(&other);
}

/*
 * HKDF-SHA256(salt "vouchsafe-root-v1", ikm 00..1f, info label), computed with Python's hmac: a
 * change here would orphan every key, so it is pinned.
 */
static void labelled_derivation_is_pinned(void **state)
{
    uint8_t key[32];
    char text[65];

    (void)state;
    derive_labelled(root_current(root), LABEL_GLOBAL_KEY, key, sizeof key);
    hex_write(SPAN_OF(key), text);
    assert_string_equal(text, "f2f5c3e24e887344cd1379f7378ac1d587e13eacc9899a4bd8590c1a374f1d59");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repository_keys_are_those_of_outlayer),
        cmocka_unit_test(labels_and_roots_give_unrelated_keys),
        cmocka_unit_test(labelled_derivation_is_pinned),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
