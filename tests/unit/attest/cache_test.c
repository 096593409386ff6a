/* The cache of verified things is bounded, and no caller can use the bounds against others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attest/pck_chain.h"
#include "unit/attest/forge.h"

static size_t released;

static void count_release(void *thing)
{
    (void)thing;
    released++;
}

static const struct cache_kind leaves = {count_release, CACHE_LEAVES};
static const struct cache_kind other_leaves = {count_release, CACHE_LEAVES};
static const struct cache_kind authorities = {count_release, CACHE_AUTHORITIES};
static char thing;

static struct cache_names names_of(uint8_t name, uint8_t family)
{
    return (struct cache_names){{name}, {family}};
}

static void put(struct attest_cache *cache, const struct cache_kind *kind, uint8_t name,
                uint8_t family)
{
    const struct cache_names names = names_of(name, family);

    cache_put(cache, kind, &names, &thing);
}

static bool has(struct attest_cache *cache, const struct cache_kind *kind, uint8_t name)
{
    const struct cache_names names = names_of(name, 0);

    return cache_has(cache, kind, names.name);
}

static void leaves_remove_only_leaves(void **state)
{
    struct attest_cache *cache = NULL;

    (void)state;
    released = 0;
    assert_int_equal(attest_cache_new(2, &cache), ERR_NONE);
    put(cache, &authorities, 1, 1);
    for (uint8_t i = 1; i <= 200; i++)
        put(cache, i % 2 ? &leaves : &other_leaves, i, i);
    assert_true(has(cache, &authorities, 1));
    assert_true(has(cache, &leaves, 199));
    assert_true(has(cache, &other_leaves, 200));
    assert_false(has(cache, &leaves, 200)); /* of another kind */
    assert_false(has(cache, &leaves, 197));
    assert_int_equal(released, 198);
    for (uint8_t i = 2; i <= 200; i++)
        put(cache, &authorities, i, i);
    assert_false(has(cache, &authorities, 1)); /* they have their own bound */
    assert_true(has(cache, &leaves, 199));
    attest_cache_free(&cache);
    assert_int_equal(released, 400);
}

static void a_family_has_one_member(void **state)
{
    struct attest_cache *cache = NULL;

    (void)state;
    assert_int_equal(attest_cache_new(3, &cache), ERR_NONE);
    put(cache, &leaves, 1, 1);
    put(cache, &leaves, 2, 2);
    for (uint8_t i = 3; i <= 200; i++)
        put(cache, &leaves, i, 3);
    assert_true(has(cache, &leaves, 1));
    assert_true(has(cache, &leaves, 2));
    assert_true(has(cache, &leaves, 200));
    assert_false(has(cache, &leaves, 199));
    assert_false(has(cache, &leaves, 3)); /* a family is not a name */
    attest_cache_free(&cache);
}

static void a_thing_has_one_alias(void **state)
{
    const struct cache_names one = names_of(1, 1), none = names_of(9, 9);
    const uint8_t first[SHA256_SIZE] = {7}, second[SHA256_SIZE] = {8}, zero[SHA256_SIZE] = {0};
    struct attest_cache *cache = NULL;

    (void)state;
    assert_int_equal(attest_cache_new(1, &cache), ERR_NONE);
    put(cache, &leaves, 1, 1);
    assert_null(cache_find_alias(cache, &leaves, zero));
    cache_alias(cache, &leaves, none.name, first);
    assert_null(cache_find_alias(cache, &leaves, first));
    cache_alias(cache, &leaves, one.name, first);
    assert_ptr_equal(cache_find_alias(cache, &leaves, first), &thing);
    assert_null(cache_find_alias(cache, &other_leaves, first));
    cache_alias(cache, &leaves, one.name, second);
    assert_null(cache_find_alias(cache, &leaves, first));
    assert_ptr_equal(cache_find_alias(cache, &leaves, second), &thing);
    put(cache, &leaves, 2, 2); /* replaces it, without its alias */
    assert_null(cache_find_alias(cache, &leaves, second));
    attest_cache_free(&cache);
}

/* White space around the certificates of a genuine quote costs its sender a parse, and other
 * callers nothing. */
static void one_chain_in_many_texts_is_one_chain(void **state)
{
    const struct pck_chain *first = NULL;
    struct attest_cache *cache = NULL;
    struct buffer text = {0};
    struct refusal r = {0};
    struct forge f;

    (void)state;
    forge_open(&f);
    assert_int_equal(attest_cache_new(4, &cache), ERR_NONE);
    assert_int_equal(buffer_append(&text, buffer_span(&f.pck_chain)), ERR_NONE);
    for (size_t i = 0; i < 20; i++) {
        const struct pck_chain *chain = NULL;
        struct pck_chain *owned = NULL;

        for (size_t round = 0; round < 2; round++) {
            assert_int_equal(
                pck_chain_find(cache, &f.trust, buffer_span(&text), &chain, &owned, &r), ERR_NONE);
            assert_null(owned);
            first = first ? first : chain;
            assert_ptr_equal(chain, first);
        }
        assert_int_equal(buffer_append(&text, SPAN_LITERAL("\n")), ERR_NONE);
    }
    buffer_clear(&text);
    attest_cache_free(&cache);
    forge_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_remove_only_leaves),
        cmocka_unit_test(a_family_has_one_member),
        cmocka_unit_test(a_thing_has_one_alias),
        cmocka_unit_test(one_chain_in_many_texts_is_one_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
