#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "audit/merkle.h"
#include "base/text.h"
#include "crypto/random.h"

enum { TREE_MAX = 70 };

static struct merkle_hash leaves[TREE_MAX];
static struct merkle_hash roots[TREE_MAX + 1]; /* by size */

/* MTH of RFC 9162 2.1.1, directly from its definition. */
static struct merkle_hash reference(size_t start, size_t end)
{
    struct merkle_hash left, right, hash;
    size_t split = 1;

    if (end == start) {
        sha256((struct span){0}, hash.bytes);
        return hash;
    }
    if (end - start == 1)
        return leaves[start];
    while (split * 2 < end - start)
        split *= 2;
    left = reference(start, start + split);
    right = reference(start + split, end);
    merkle_node(&left, &right, &hash);
    return hash;
}

MUST_CHECK static enum err subtree(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out)
{
    const size_t *size = context;
    size_t start = (size_t)index << level;
    size_t end = start + ((size_t)1 << level);

    assert_true(end <= *size); /* only complete subtrees are requested */
    *out = reference(start, end);
    return ERR_NONE;
}

static void assert_hash(const struct merkle_hash *hash, const char *hex)
{
    char text[2 * SHA256_SIZE + 1];

    hex_write(SPAN_OF(hash->bytes), text);
    assert_string_equal(text, hex);
}

/* The test inputs of Google's certificate-transparency, merkletree/merkle_tree_test.cc. */
static void hashes_are_those_of_certificate_transparency(void **state)
{
    static const char *const inputs[] = {"",
                                         "00",
                                         "10",
                                         "2021",
                                         "3031",
                                         "40414243",
                                         "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f"};
    static const char *const expected[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct merkle_frontier f = {0};
    struct merkle_hash hash;

    (void)state;
    for (size_t i = 0; i <= COUNT_OF(inputs); i++) {
        uint8_t bytes[16];
        size_t size = i < COUNT_OF(inputs) ? strlen(inputs[i]) / 2 : 0;

        merkle_root(&f, &hash);
        assert_hash(&hash, expected[i]);
        if (i == COUNT_OF(inputs))
            break;
        assert_int_equal(hex_read(span_string(inputs[i]), bytes, size), ERR_NONE);
        merkle_leaf(span_of(bytes, size), &hash);
        merkle_append(&f, &hash);
    }
}

static void frontier_and_tree_root_agree_with_the_definition(void **state)
{
    struct merkle_frontier f = {0};

    (void)state;
    for (size_t size = 0; size <= TREE_MAX; size++) {
        struct merkle_source s = {subtree, &size};
        struct merkle_hash expected = reference(0, size);
        struct merkle_hash root;

        merkle_root(&f, &root);
        assert_memory_equal(&root, &expected, sizeof root);
        assert_int_equal(merkle_tree_root(&s, size, &root), ERR_NONE);
        assert_memory_equal(&root, &expected, sizeof root);
        if (size < TREE_MAX)
            merkle_append(&f, &leaves[size]);
    }
}

static void inclusion_proofs_show_their_leaf_and_nothing_else(void **state)
{
    (void)state;
    for (size_t size = 1; size <= TREE_MAX; size++) {
        struct merkle_source s = {subtree, &size};
        struct merkle_hash root = roots[size];

        for (size_t index = 0; index < size; index++) {
            struct merkle_proof p;

            assert_int_equal(merkle_prove_inclusion(&s, index, size, &p), ERR_NONE);
            assert_int_equal(merkle_verify_inclusion(&leaves[index], index, size, &p, &root),
                             ERR_NONE);
            for (size_t other = 0; other < TREE_MAX; other++) {
                enum err e = merkle_verify_inclusion(&leaves[index], other, size, &p, &root);

                assert_true(other == index ? e == ERR_NONE
                                           : e == ERR_TAMPERED || e == ERR_MALFORMED);
                if (other != index)
                    assert_int_equal(
                        merkle_verify_inclusion(&leaves[other], index, size, &p, &root),
                        ERR_TAMPERED);
            }
        }
    }
}

/* A proof is for one shape of tree: another size is refused, unless the path has the same form. */
static void inclusion_proofs_do_not_fit_another_root(void **state)
{
    (void)state;
    for (size_t size = 1; size <= TREE_MAX; size++) {
        struct merkle_source s = {subtree, &size};

        for (size_t index = 0; index < size; index++) {
            struct merkle_proof p;

            assert_int_equal(merkle_prove_inclusion(&s, index, size, &p), ERR_NONE);
            for (size_t other = 0; other <= TREE_MAX; other++) {
                struct merkle_hash root = roots[other];

                if (other != size)
                    assert_int_not_equal(
                        merkle_verify_inclusion(&leaves[index], index, other, &p, &root), ERR_NONE);
            }
        }
    }
}

static void inclusion_proofs_with_any_bit_flipped_are_refused(void **state)
{
    static const size_t sizes[] = {2, 7, 8, 33, 64, 70};

    (void)state;
    for (size_t n = 0; n < COUNT_OF(sizes); n++) {
        size_t size = sizes[n];
        struct merkle_source s = {subtree, &size};
        struct merkle_hash root = roots[size];

        for (size_t index = 0; index < size; index++) {
            struct merkle_proof p;

            assert_int_equal(merkle_prove_inclusion(&s, index, size, &p), ERR_NONE);
            for (size_t bit = 0; bit < p.count * 256; bit++) {
                uint8_t *byte = &p.hashes[bit / 256].bytes[bit % 256 / 8];

                *byte ^= (uint8_t)(1u << bit % 8);
                assert_int_equal(merkle_verify_inclusion(&leaves[index], index, size, &p, &root),
                                 ERR_TAMPERED);
                *byte ^= (uint8_t)(1u << bit % 8);
            }
        }
    }
}

static void inclusion_proofs_of_another_length_are_malformed(void **state)
{
    (void)state;
    for (size_t size = 1; size <= TREE_MAX; size++) {
        struct merkle_source s = {subtree, &size};
        struct merkle_hash root = roots[size];

        for (size_t index = 0; index < size; index++) {
            struct merkle_proof p;
            size_t count;

            assert_int_equal(merkle_prove_inclusion(&s, index, size, &p), ERR_NONE);
            count = p.count;
            for (p.count = 0; p.count <= MERKLE_PROOF_MAX + 1; p.count++) {
                if (p.count > count && p.count <= MERKLE_PROOF_MAX)
                    p.hashes[p.count - 1] = leaves[0];
                if (p.count != count)
                    assert_int_equal(
                        merkle_verify_inclusion(&leaves[index], index, size, &p, &root),
                        ERR_MALFORMED);
            }
        }
    }
}

static void consistency_is_shown_for_every_pair_of_sizes(void **state)
{
    (void)state;
    for (size_t to = 1; to <= TREE_MAX; to++) {
        struct merkle_source s = {subtree, &to};
        struct merkle_hash to_root = roots[to];

        for (size_t from = 1; from <= to; from++) {
            struct merkle_hash from_root = roots[from];
            struct merkle_proof p;

            assert_int_equal(merkle_prove_consistency(&s, from, to, &p), ERR_NONE);
            assert_int_equal(merkle_verify_consistency(from, &from_root, to, &to_root, &p),
                             ERR_NONE);
            for (size_t other = 0; other <= TREE_MAX; other++) {
                struct merkle_hash other_root = roots[other];

                if (other != from)
                    assert_int_not_equal(
                        merkle_verify_consistency(other, &other_root, to, &to_root, &p), ERR_NONE);
                if (other != from)
                    assert_int_not_equal(
                        merkle_verify_consistency(from, &other_root, to, &to_root, &p), ERR_NONE);
                if (other != to)
                    assert_int_not_equal(
                        merkle_verify_consistency(from, &from_root, to, &other_root, &p), ERR_NONE);
            }
        }
    }
}

static void altered_consistency_proofs_are_refused(void **state)
{
    (void)state;
    for (size_t to = 1; to <= TREE_MAX; to++) {
        struct merkle_source s = {subtree, &to};
        struct merkle_hash to_root = roots[to];

        for (size_t from = 1; from <= to; from++) {
            struct merkle_hash from_root = roots[from];
            struct merkle_proof p;
            size_t count;

            assert_int_equal(merkle_prove_consistency(&s, from, to, &p), ERR_NONE);
            count = p.count;
            for (size_t bit = from % 5; bit < count * 256; bit += 5) {
                uint8_t *byte = &p.hashes[bit / 256].bytes[bit % 256 / 8];

                *byte ^= (uint8_t)(1u << bit % 8);
                assert_int_equal(merkle_verify_consistency(from, &from_root, to, &to_root, &p),
                                 ERR_TAMPERED);
                *byte ^= (uint8_t)(1u << bit % 8);
            }
            for (p.count = 0; p.count <= MERKLE_PROOF_MAX + 1; p.count++) {
                if (p.count > count && p.count <= MERKLE_PROOF_MAX)
                    p.hashes[p.count - 1] = leaves[0];
                if (p.count != count)
                    assert_int_equal(merkle_verify_consistency(from, &from_root, to, &to_root, &p),
                                     ERR_MALFORMED);
            }
        }
    }
}

static void what_is_out_of_range_is_refused(void **state)
{
    static const struct {
        uint64_t index, size;
    } inclusions[] = {
        {0,          0         },
        {1,          1         },
        {70,         70        },
        {71,         70        },
        {UINT64_MAX, 70        },
        {0,          UINT64_MAX}
    };
    static const struct {
        uint64_t from, to;
    } consistencies[] = {
        {0,          0         },
        {0,          5         },
        {6,          5         },
        {UINT64_MAX, 5         },
        {1,          UINT64_MAX}
    };
    size_t size = TREE_MAX;
    struct merkle_source s = {subtree, &size};
    struct merkle_proof p = {0};
    struct merkle_hash hash = leaves[0];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(inclusions); i++) {
        assert_int_equal(merkle_prove_inclusion(&s, inclusions[i].index, inclusions[i].size, &p),
                         ERR_NOT_FOUND);
        assert_int_equal(
            merkle_verify_inclusion(&hash, inclusions[i].index, inclusions[i].size, &p, &hash),
            ERR_MALFORMED);
    }
    for (size_t i = 0; i < COUNT_OF(consistencies); i++) {
        assert_int_equal(
            merkle_prove_consistency(&s, consistencies[i].from, consistencies[i].to, &p),
            ERR_NOT_FOUND);
        assert_int_equal(
            merkle_verify_consistency(consistencies[i].from, &hash, consistencies[i].to, &hash, &p),
            ERR_MALFORMED);
    }
    assert_int_equal(merkle_tree_root(&s, UINT64_MAX, &hash), ERR_NOT_FOUND);
}

/* A leaf is never accepted as a node: RFC 9162's 0x00 and 0x01. */
static void a_node_is_not_a_leaf_of_the_same_bytes(void **state)
{
    struct merkle_hash node, leaf;
    uint8_t both[2 * SHA256_SIZE];

    (void)state;
    memcpy(both, leaves[0].bytes, SHA256_SIZE);
    memcpy(both + SHA256_SIZE, leaves[1].bytes, SHA256_SIZE);
    merkle_node(&leaves[0], &leaves[1], &node);
    merkle_leaf(SPAN_OF(both), &leaf);
    assert_memory_not_equal(&node, &leaf, sizeof node);
}

MUST_CHECK static enum err broken(void *context, unsigned level, uint64_t index,
                                  struct merkle_hash *out)
{
    int *left = context;

    (void)level, (void)index;
    memset(out, 0, sizeof *out);
    return (*left)-- == 0 ? ERR_IO : ERR_NONE;
}

static void what_the_source_says_is_passed_on(void **state)
{
    struct merkle_proof p;
    struct merkle_hash root;
    int left;
    struct merkle_source s = {broken, &left};

    (void)state;
    for (int n = 0; n < 3; n++) { /* 70 = 64 + 4 + 2 */
        left = n;
        assert_int_equal(merkle_tree_root(&s, 70, &root), ERR_IO);
        left = n;
        assert_int_equal(merkle_prove_inclusion(&s, 5, 70, &p), ERR_IO);
        left = n;
        assert_int_equal(merkle_prove_consistency(&s, 5, 70, &p), ERR_IO);
    }
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < TREE_MAX; i++) {
        uint8_t byte = (uint8_t)i;

        merkle_leaf(span_of(&byte, 1), &leaves[i]);
    }
    for (size_t size = 0; size <= TREE_MAX; size++)
        roots[size] = reference(0, size);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_certificate_transparency),
        cmocka_unit_test(frontier_and_tree_root_agree_with_the_definition),
        cmocka_unit_test(inclusion_proofs_show_their_leaf_and_nothing_else),
        cmocka_unit_test(inclusion_proofs_do_not_fit_another_root),
        cmocka_unit_test(inclusion_proofs_with_any_bit_flipped_are_refused),
        cmocka_unit_test(inclusion_proofs_of_another_length_are_malformed),
        cmocka_unit_test(consistency_is_shown_for_every_pair_of_sizes),
        cmocka_unit_test(altered_consistency_proofs_are_refused),
        cmocka_unit_test(what_is_out_of_range_is_refused),
        cmocka_unit_test(a_node_is_not_a_leaf_of_the_same_bytes),
        cmocka_unit_test(what_the_source_says_is_passed_on),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
