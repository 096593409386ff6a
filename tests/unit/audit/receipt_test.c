#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/entry.h"
#include "audit/receipt.h"
#include "crypto/random.h"

#define ORIGIN "keystore.example/log"

/* A log of three entries and the receipt of the second. */
static const char *const entries[] = {"{\"v\":1}", "{\"op\":\"open\",\"key\":\"\xc3\xa9\\n\"}",
                                      "z"};
static const uint8_t seed[ED25519_SEED_SIZE] = {9};
static uint8_t public_key[ED25519_PUBLIC_SIZE];
static struct merkle_hash leaves[3];
static struct merkle_proof proof;
static char note[CHECKPOINT_TEXT_MAX];
static uint8_t sample[RECEIPT_MAX];
static size_t sample_size;

MUST_CHECK static enum err verify_as(struct span receipt, const char *origin, const uint8_t *key)
{
    uint8_t entry[AUDIT_ENTRY_MAX];
    size_t size = 0;
    uint64_t index = 0;
    enum err e = receipt_verify(receipt, origin, key, entry, sizeof entry, &size, &index);

    if (e == ERR_NONE) {
        assert_int_equal(index, 1);
        assert_true(span_equal_string(span_of(entry, size), entries[1]));
    }
    return e;
}

MUST_CHECK static enum err verify(struct span receipt)
{
    return verify_as(receipt, ORIGIN, public_key);
}

static bool is_refusal(enum err e)
{
    return e == ERR_MALFORMED || e == ERR_CRYPTO || e == ERR_TAMPERED;
}

static void a_receipt_shows_its_entry(void **state)
{
    (void)state;
    assert_int_equal(verify(span_of(sample, sample_size)), ERR_NONE);
    assert_true(span_starts_with(span_of(sample, sample_size),
                                 SPAN_LITERAL("{\"index\":1,\"entry\":\"{\\\"op\\\"")));
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sample_size; size++)
        assert_int_equal(verify(span_of(sample, size)), ERR_MALFORMED);
}

static void every_flipped_bit_is_refused(void **state)
{
    uint8_t copy[RECEIPT_MAX];

    (void)state;
    for (size_t bit = 0; bit < sample_size * 8; bit++) {
        memcpy(copy, sample, sample_size);
        copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ (1u << bit % 8));
        assert_true(is_refusal(verify(span_of(copy, sample_size))));
    }
}

static void another_key_or_origin_is_refused(void **state)
{
    static const uint8_t other_seed[ED25519_SEED_SIZE] = {10};
    uint8_t other_key[ED25519_PUBLIC_SIZE];

    (void)state;
    ed25519_public(other_seed, other_key);
    assert_int_equal(verify_as(span_of(sample, sample_size), ORIGIN, other_key), ERR_CRYPTO);
    assert_int_equal(verify_as(span_of(sample, sample_size), "other.example", public_key),
                     ERR_MALFORMED);
}

MUST_CHECK static enum err verify_made(uint64_t index, const char *entry,
                                       const struct merkle_proof *p)
{
    uint8_t bytes[RECEIPT_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);

    assert_int_equal(receipt_write(index, span_string(entry), p, span_string(note), &w), ERR_NONE);
    return verify(span_of(w.data, w.size));
}

static void a_receipt_for_something_else_is_refused(void **state)
{
    struct merkle_proof other = proof;

    (void)state;
    assert_int_equal(verify_made(1, entries[1], &proof), ERR_NONE);
    assert_int_equal(verify_made(1, entries[0], &proof), ERR_TAMPERED);
    assert_int_equal(verify_made(0, entries[1], &proof), ERR_TAMPERED);
    assert_int_equal(verify_made(2, entries[1], &proof), ERR_MALFORMED);
    assert_int_equal(verify_made(3, entries[1], &proof), ERR_MALFORMED);
    assert_int_equal(verify_made(INT64_MAX, entries[1], &proof), ERR_MALFORMED);
    other.count--;
    assert_int_equal(verify_made(1, entries[1], &other), ERR_MALFORMED);
    other.count = MERKLE_PROOF_MAX;
    assert_int_equal(verify_made(1, entries[1], &other), ERR_MALFORMED);
    other = proof;
    other.hashes[0] = proof.hashes[1];
    other.hashes[1] = proof.hashes[0];
    assert_int_equal(verify_made(1, entries[1], &other), ERR_TAMPERED);
}

static void what_is_no_receipt_is_refused(void **state)
{
    static const char *const receipts[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"index\":1,\"entry\":\"a\",\"proof\":[]}",
        "{\"index\":1,\"entry\":\"a\",\"checkpoint\":\"a\"}",
        "{\"index\":1,\"proof\":[],\"checkpoint\":\"a\"}",
        "{\"entry\":\"a\",\"proof\":[],\"checkpoint\":\"a\"}",
        "{\"index\":-1,\"entry\":\"a\",\"proof\":[],\"checkpoint\":\"a\"}",
        "{\"index\":1.0,\"entry\":\"a\",\"proof\":[],\"checkpoint\":\"a\"}",
        "{\"index\":\"1\",\"entry\":\"a\",\"proof\":[],\"checkpoint\":\"a\"}",
        "{\"index\":1,\"entry\":null,\"proof\":[],\"checkpoint\":\"a\"}",
        "{\"index\":1,\"entry\":\"a\",\"proof\":{},\"checkpoint\":\"a\"}",
        "{\"index\":1,\"entry\":\"a\",\"proof\":[1],\"checkpoint\":\"a\"}",
        "{\"index\":1,\"entry\":\"a\",\"proof\":[\"\"],\"checkpoint\":\"a\"}",
        "{\"index\":1,\"entry\":\"a\",\"proof\":[\"AAAA\"],\"checkpoint\":\"a\"}",
        "{\"index\":1,\"entry\":\"a\",\"proof\":[],\"checkpoint\":\"a\"}",
        "{\"index\":1,\"entry\":\"a\",\"proof\":[],\"checkpoint\":\"a\",\"more\":1}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(receipts); i++)
        assert_int_equal(verify(span_string(receipts[i])), ERR_MALFORMED);
}

static void a_proof_of_too_many_hashes_is_refused(void **state)
{
    char bytes[RECEIPT_MAX];
    char *place = stpcpy(bytes, "{\"index\":1,\"entry\":\"a\",\"checkpoint\":\"a\",\"proof\":[");

    (void)state;
    for (size_t i = 0; i <= MERKLE_PROOF_MAX; i++)
        place = stpcpy(place, i ? ",\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
                                : "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"");
    (void)stpcpy(place, "]}");
    assert_int_equal(verify(span_string(bytes)), ERR_MALFORMED);
}

static void an_entry_beyond_the_capacity_is_refused(void **state)
{
    uint8_t entry[AUDIT_ENTRY_MAX];
    size_t size = 77;
    uint64_t index = 77;

    (void)state;
    assert_int_equal(receipt_verify(span_of(sample, sample_size), ORIGIN, public_key, entry,
                                    strlen(entries[1]) - 1, &size, &index),
                     ERR_MALFORMED);
    assert_int_equal(size, 77); /* written on success only */
    assert_int_equal(index, 77);
}

static void what_cannot_be_written_is_an_error(void **state)
{
    static uint8_t large[RECEIPT_MAX];
    uint8_t bytes[RECEIPT_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct merkle_proof p = proof;

    (void)state;
    assert_int_equal(receipt_write(UINT64_MAX, SPAN_LITERAL("a"), &p, SPAN_LITERAL("a"), &w),
                     ERR_TOO_LARGE);
    assert_int_equal(
        receipt_write(1, span_of(large, AUDIT_ENTRY_MAX + 1), &p, SPAN_LITERAL("a"), &w),
        ERR_TOO_LARGE);
    assert_int_equal(
        receipt_write(1, SPAN_LITERAL("a"), &p, span_of(large, CHECKPOINT_TEXT_MAX + 1), &w),
        ERR_TOO_LARGE);
    p.count = MERKLE_PROOF_MAX + 1;
    assert_int_equal(receipt_write(1, SPAN_LITERAL("a"), &p, SPAN_LITERAL("a"), &w), ERR_TOO_LARGE);
    for (size_t capacity = 0; capacity < sample_size; capacity++) {
        w = writer_over(bytes, capacity);
        assert_int_equal(receipt_write(1, span_string(entries[1]), &proof, span_string(note), &w),
                         ERR_TOO_LARGE);
    }
}

MUST_CHECK static enum err subtree(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out)
{
    (void)context;
    if (level == 0)
        *out = leaves[index];
    else
        merkle_node(&leaves[0], &leaves[1], out);
    return ERR_NONE;
}

static int setup(void **state)
{
    struct merkle_source source = {subtree, NULL};
    struct checkpoint c = {.size = 3};
    struct writer w = writer_over(sample, sizeof sample);

    (void)state;
    ed25519_public(seed, public_key);
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        merkle_leaf(span_string(entries[i]), &leaves[i]);
    if (merkle_tree_root(&source, 3, &c.root) != ERR_NONE ||
        merkle_prove_inclusion(&source, 1, 3, &proof) != ERR_NONE ||
        checkpoint_sign(&c, ORIGIN, seed, note, sizeof note) != ERR_NONE ||
        receipt_write(1, span_string(entries[1]), &proof, span_string(note), &w) != ERR_NONE)
        return -1;
    sample_size = w.size;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_shows_its_entry),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(another_key_or_origin_is_refused),
        cmocka_unit_test(a_receipt_for_something_else_is_refused),
        cmocka_unit_test(what_is_no_receipt_is_refused),
        cmocka_unit_test(a_proof_of_too_many_hashes_is_refused),
        cmocka_unit_test(an_entry_beyond_the_capacity_is_refused),
        cmocka_unit_test(what_cannot_be_written_is_an_error),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, setup, NULL);
}
