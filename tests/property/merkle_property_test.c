#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "crypto/random.h"

enum { TREE_MAX = 5000, ROUNDS = 60 };

static struct merkle_hash leaves[TREE_MAX];
static struct merkle_hash roots[TREE_MAX + 1]; /* by size */

static uint64_t below(uint64_t limit)
{
    uint64_t random;

    random_bytes(&random, sizeof random);
    return random % limit;
}

MUST_CHECK static enum err subtree(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out)
{
    struct merkle_hash left, right;

    if (level == 0) {
        assert_true(index < *(const uint64_t *)context);
        *out = leaves[index];
        return ERR_NONE;
    }
    if (subtree(context, level - 1, 2 * index, &left) != ERR_NONE ||
        subtree(context, level - 1, 2 * index + 1, &right) != ERR_NONE)
        return ERR_INTERNAL;
    merkle_node(&left, &right, out);
    return ERR_NONE;
}

static int setup(void **state)
{
    struct merkle_frontier f = {0};

    (void)state;
    random_bytes(leaves, sizeof leaves);
    for (size_t i = 0; i < TREE_MAX; i++) {
        merkle_root(&f, &roots[i]);
        merkle_append(&f, &leaves[i]);
    }
    merkle_root(&f, &roots[TREE_MAX]);
    return 0;
}

static void a_frontier_has_the_root_of_its_tree(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t size = below(TREE_MAX + 1);
        struct merkle_source s = {subtree, &size};
        struct merkle_hash root;

        assert_int_equal(merkle_tree_root(&s, size, &root), ERR_NONE);
        assert_memory_equal(&root, &roots[size], sizeof root);
    }
}

static void what_is_proved_is_verified_and_nothing_else(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t size = 1 + below(TREE_MAX);
        uint64_t index = below(size);
        uint64_t from = 1 + below(size);
        uint64_t other = below(TREE_MAX);
        struct merkle_source s = {subtree, &size};
        struct merkle_proof p;

        assert_int_equal(merkle_prove_inclusion(&s, index, size, &p), ERR_NONE);
        assert_int_equal(merkle_verify_inclusion(&leaves[index], index, size, &p, &roots[size]),
                         ERR_NONE);
        if (other != index)
            assert_int_equal(merkle_verify_inclusion(&leaves[other], index, size, &p, &roots[size]),
                             ERR_TAMPERED);
        assert_int_equal(merkle_prove_consistency(&s, from, size, &p), ERR_NONE);
        assert_int_equal(merkle_verify_consistency(from, &roots[from], size, &roots[size], &p),
                         ERR_NONE);
        if (other != from)
            assert_int_not_equal(
                merkle_verify_consistency(from, &roots[other], size, &roots[size], &p), ERR_NONE);
    }
}

static void a_parsed_checkpoint_equals_the_written_one(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t seed[ED25519_SEED_SIZE];
        uint8_t public_key[ED25519_PUBLIC_SIZE];
        uint8_t key_again[ED25519_PUBLIC_SIZE];
        char origin[CHECKPOINT_ORIGIN_MAX + 1] = {0};
        char origin_again[CHECKPOINT_ORIGIN_MAX + 1];
        char text[CHECKPOINT_TEXT_MAX];
        struct checkpoint c = {0};
        struct checkpoint again = {0};
        uint64_t size = 1 + below(CHECKPOINT_ORIGIN_MAX);

        for (uint64_t i = 0; i < size; i++) {
            origin[i] = (char)(0x21 + below(0x7f - 0x21));
            if (origin[i] == '+')
                origin[i] = '-';
        }
        random_bytes(seed, sizeof seed);
        random_bytes(&c.root, sizeof c.root);
        c.size = below(INT64_MAX) >> below(63);
        ed25519_public(seed, public_key);
        assert_int_equal(checkpoint_sign(&c, origin, seed, text, sizeof text), ERR_NONE);
        assert_int_equal(checkpoint_verify(span_string(text), origin, public_key, &again),
                         ERR_NONE);
        assert_memory_equal(&again, &c, sizeof c);
        assert_int_equal(checkpoint_vkey_write(origin, public_key, text, sizeof text), ERR_NONE);
        assert_int_equal(
            checkpoint_vkey_parse(span_string(text), origin_again, sizeof origin_again, key_again),
            ERR_NONE);
        assert_string_equal(origin_again, origin);
        assert_memory_equal(key_again, public_key, sizeof key_again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frontier_has_the_root_of_its_tree),
        cmocka_unit_test(what_is_proved_is_verified_and_nothing_else),
        cmocka_unit_test(a_parsed_checkpoint_equals_the_written_one),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
