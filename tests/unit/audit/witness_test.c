/* The requests and the decision of C2SP tlog-witness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/cosignature.h"
#include "audit/witness.h"
#include "crypto/random.h"

#define ORIGIN "keystore.example/log"
enum { ENTRIES = 40 };

static const uint8_t seed[ED25519_SEED_SIZE] = {7};
static uint8_t public_key[ED25519_PUBLIC_SIZE];
static struct merkle_hash leaves[ENTRIES];

MUST_CHECK static enum err subtree(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out)
{
    struct merkle_hash left, right;
    enum err e;

    if (level == 0) {
        *out = leaves[index];
        return ERR_NONE;
    }
    e = subtree(context, level - 1, 2 * index, &left);
    if (e == ERR_NONE)
        e = subtree(context, level - 1, 2 * index + 1, &right);
    if (e == ERR_NONE)
        merkle_node(&left, &right, out);
    return e;
}

static const struct merkle_source source = {subtree, NULL};

static struct checkpoint at(uint64_t size)
{
    struct checkpoint c = {.size = size};

    if (size == 0)
        merkle_root(&(struct merkle_frontier){0}, &c.root);
    else
        assert_int_equal(merkle_tree_root(&source, size, &c.root), ERR_NONE);
    return c;
}

static void request_make(uint64_t from, uint64_t to, struct buffer *out)
{
    struct merkle_proof proof = {0};
    struct checkpoint c = at(to);
    char note[CHECKPOINT_TEXT_MAX];

    if (from > 0 && from < to)
        assert_int_equal(merkle_prove_consistency(&source, from, to, &proof), ERR_NONE);
    assert_int_equal(checkpoint_sign(&c, ORIGIN, seed, note, sizeof note), ERR_NONE);
    assert_int_equal(witness_request_write(from, &proof, span_string(note), out), ERR_NONE);
}

static void what_is_written_is_read_and_judged(void **state)
{
    (void)state;
    for (uint64_t from = 0; from < ENTRIES; from++)
        for (uint64_t to = from; to <= ENTRIES; to++) {
            struct checkpoint last = at(from);
            struct witness_request r = {0};
            struct buffer body = {0};

            request_make(from, to, &body);
            assert_int_equal(witness_request_parse(buffer_span(&body), &r), ERR_NONE);
            assert_int_equal(r.old_size, from);
            assert_int_equal(r.checkpoint.size, to);
            assert_true(span_equal_string(r.origin, ORIGIN));
            assert_int_equal(note_verify(r.text, r.signatures, r.origin, public_key), ERR_NONE);
            assert_int_equal(witness_judge(&last, &r), from == to ? WITNESS_SAME : WITNESS_COSIGN);
            buffer_clear(&body);
        }
}

/* The judgement on a request from `old` to `to` by a witness that is at `last`. */
static enum witness_answer judged(uint64_t last_size, uint64_t from, uint64_t to,
                                  void (*change)(struct witness_request *))
{
    struct checkpoint last = at(last_size);
    struct witness_request r = {0};
    struct buffer body = {0};
    enum witness_answer answer;

    request_make(from, to, &body);
    assert_int_equal(witness_request_parse(buffer_span(&body), &r), ERR_NONE);
    if (change)
        change(&r);
    answer = witness_judge(&last, &r);
    buffer_clear(&body);
    return answer;
}

static void root_change(struct witness_request *r)
{
    r->checkpoint.root.bytes[3] ^= 1;
}

static void proof_change(struct witness_request *r)
{
    r->proof.hashes[r->proof.count - 1].bytes[31] ^= 0x80;
}

static void proof_longer(struct witness_request *r)
{
    r->proof.count++;
}

static void old_beyond(struct witness_request *r)
{
    r->old_size = r->checkpoint.size + 1;
}

static void nothing_inconsistent_is_cosigned(void **state)
{
    (void)state;
    assert_int_equal(judged(20, 10, 30, NULL), WITNESS_OTHER_OLD);
    assert_int_equal(judged(20, 0, 30, NULL), WITNESS_OTHER_OLD);
    assert_int_equal(judged(20, 10, 10, NULL), WITNESS_OTHER_OLD); /* an older checkpoint */
    assert_int_equal(judged(0, 10, 30, NULL), WITNESS_OTHER_OLD);
    assert_int_equal(judged(20, 20, 30, root_change), WITNESS_BAD_PROOF);
    assert_int_equal(judged(20, 20, 30, proof_change), WITNESS_BAD_PROOF);
    assert_int_equal(judged(20, 20, 30, proof_longer), WITNESS_BAD_PROOF);
    assert_int_equal(judged(20, 20, 20, root_change), WITNESS_OTHER_ROOT);
    assert_int_equal(judged(20, 20, 20, proof_longer), WITNESS_BAD_PROOF);
    assert_int_equal(judged(0, 0, 30, proof_longer), WITNESS_BAD_PROOF);
    assert_int_equal(judged(0, 0, 0, root_change), WITNESS_OTHER_ROOT);
    assert_int_equal(judged(20, 20, 30, old_beyond), WITNESS_BAD_OLD);
}

static void every_prefix_of_a_request_is_refused(void **state)
{
    struct buffer body = {0};
    struct witness_request r;

    (void)state;
    request_make(13, 30, &body);
    for (size_t size = 0; size < body.size; size++)
        assert_int_equal(witness_request_parse(span_of(body.data, size), &r), ERR_MALFORMED);
    buffer_clear(&body);
}

#define HASH "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#define NOTE "o\n5\n" HASH "\n\n\xe2\x80\x94 o AAAAAAECAwQ=\n"

static void other_forms_are_refused(void **state)
{
    static const struct {
        const char *body;
        enum err e;
    } cases[] = {
        {"old 4\n" HASH "\n\n" NOTE,                                            ERR_NONE     },
        {"old 4\n\no\n5\n" HASH "\nextension\n\n\xe2\x80\x94 o AAAAAAECAwQ=\n", ERR_NONE     },
        {"old 04\n\n" NOTE,                                                     ERR_MALFORMED},
        {"old  4\n\n" NOTE,                                                     ERR_MALFORMED},
        {"old -4\n\n" NOTE,                                                     ERR_MALFORMED},
        {"old 4 \n\n" NOTE,                                                     ERR_MALFORMED},
        {"Old 4\n\n" NOTE,                                                      ERR_MALFORMED},
        {"old \n\n" NOTE,                                                       ERR_MALFORMED},
        {"old 4\r\n\n" NOTE,                                                    ERR_MALFORMED},
        {"old 99999999999999999999\n\n" NOTE,                                   ERR_MALFORMED},
        {"old 9223372036854775808\n\n" NOTE,                                    ERR_MALFORMED},
        {"old 4\n" NOTE,                                                        ERR_MALFORMED},
        {"old 4\nAAAA\n\n" NOTE,                                                ERR_MALFORMED},
        {"old 4\n" HASH "A\n\n" NOTE,                                           ERR_MALFORMED},
        {"old 4\n\n\n" NOTE,                                                    ERR_MALFORMED},
        {"old 4\n\no\n5\n" HASH "\n",                                           ERR_MALFORMED},
        {"old 4\n\no\n05\n" HASH "\n\n\xe2\x80\x94 o AAAAAAECAwQ=\n",           ERR_MALFORMED},
        {"old 4\n\no\n5\nAAAA\n\n\xe2\x80\x94 o AAAAAAECAwQ=\n",                ERR_MALFORMED},
        {"old 4\n\no\n5\n" HASH "\n\nx\n\n\xe2\x80\x94 o AAAAAAECAwQ=\n",       ERR_MALFORMED},
    };
    struct witness_request r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (witness_request_parse(span_string(cases[i].body), &r) != cases[i].e)
            fail_msg("case %zu", i);
}

static void a_proof_has_at_most_63_lines(void **state)
{
    struct witness_request r;
    struct buffer body = {0};

    (void)state;
    for (unsigned lines = 62; lines <= 64; lines++) {
        assert_int_equal(buffer_append_string(&body, "old 4\n"), ERR_NONE);
        for (unsigned i = 0; i < lines; i++)
            assert_int_equal(buffer_append_string(&body, HASH "\n"), ERR_NONE);
        assert_int_equal(buffer_append_string(&body, "\n" NOTE), ERR_NONE);
        assert_int_equal(witness_request_parse(buffer_span(&body), &r),
                         lines <= 63 ? ERR_NONE : ERR_MALFORMED);
        buffer_clear(&body);
    }
}

/* What is accepted is recorded before it is cosigned, so it must be possible to cosign it. */
static void a_text_that_cannot_be_cosigned_is_refused(void **state)
{
    static const char head[] = "o\n5\n" HASH "\n";
    static const char tail[] = "\n\n\xe2\x80\x94 o AAAAAAECAwQ=\n";
    const size_t fits = COSIGNATURE_TEXT_MAX - strlen(head) - 1;
    struct cosigner c = {.name = "w"};
    char line[COSIGNATURE_LINE_MAX];
    struct witness_request r;
    struct buffer body = {0};

    (void)state;
    for (size_t size = fits; size <= fits + 1; size++) {
        assert_int_equal(buffer_append_string(&body, "old 4\n\n"), ERR_NONE);
        assert_int_equal(buffer_append_string(&body, head), ERR_NONE);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(buffer_append_string(&body, "x"), ERR_NONE);
        assert_int_equal(buffer_append_string(&body, tail), ERR_NONE);
        assert_int_equal(witness_request_parse(buffer_span(&body), &r),
                         size == fits ? ERR_NONE : ERR_TOO_LARGE);
        if (size == fits)
            assert_int_equal(cosignature_sign(r.text, &c, seed, 1, line), ERR_NONE);
        buffer_clear(&body);
    }
}

static void sizes_have_one_spelling(void **state)
{
    static const char *const refused[] = {
        "", "5", "05\n", "5\n\n", "5 \n", "-5\n", "\n", "x\n", "9223372036854775808\n"};
    uint64_t size = 0;

    (void)state;
    assert_int_equal(witness_size_parse(SPAN_LITERAL("0\n"), &size), ERR_NONE);
    assert_int_equal(witness_size_parse(SPAN_LITERAL("20852163\n"), &size), ERR_NONE);
    assert_int_equal(size, 20852163);
    assert_int_equal(witness_size_parse(SPAN_LITERAL("9223372036854775807\n"), &size), ERR_NONE);
    assert_int_equal(size, INT64_MAX);
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_int_equal(witness_size_parse(span_string(refused[i]), &size), ERR_MALFORMED);
}

static int prepare(void **state)
{
    (void)state;
    if (crypto_start() != ERR_NONE)
        return -1;
    ed25519_public(seed, public_key);
    for (size_t i = 0; i < ENTRIES; i++)
        merkle_leaf(span_of(&i, sizeof i), &leaves[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_judged),
        cmocka_unit_test(nothing_inconsistent_is_cosigned),
        cmocka_unit_test(every_prefix_of_a_request_is_refused),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(a_proof_has_at_most_63_lines),
        cmocka_unit_test(a_text_that_cannot_be_cosigned_is_refused),
        cmocka_unit_test(sizes_have_one_spelling),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
