/* Signed notes and cosignatures. The vector was made with the Python package `cryptography` from
 * the text of C2SP tlog-cosignature and the seed {9}. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/cosignature.h"
#include "crypto/random.h"

#define MARK "\xe2\x80\x94 "
#define NAME "witness.example/w1"
#define VKEY "witness.example/w1+8c040ee4+BLtcZySCsNzKkaIaTtY7Fa/eiqE3jacs0Bs0lYnW591q"
#define TEXT                                                                                       \
    "example.com/behind-the-sofa\n20852163\n"                                                      \
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
#define LINE                                                                                       \
    MARK NAME " jAQO5AAAAABkGFDLGRCWMF/GRk6f1Ujs5ZwTxXYQkEm6P/LwDz/1"                              \
              "UIOprjMcJQajiqsVFPm0PuuJrrHVMrFONX97MMCYf7XJC5wODg==\n"
#define FOREIGN MARK "other.example AAAAAAECAwQ=\n"
enum { TIME = 1679315147 };

static const uint8_t seed[ED25519_SEED_SIZE] = {9};
static struct cosigner witness;

MUST_CHECK static enum err verify(const char *lines, uint64_t *seconds, struct span *line)
{
    return cosignature_verify(SPAN_LITERAL(TEXT), span_string(lines), &witness, seconds, line);
}

static void the_published_form_is_signed_and_verified(void **state)
{
    char line[COSIGNATURE_LINE_MAX];
    char vkey[NOTE_VKEY_SIZE];
    struct span found;
    uint64_t seconds = 0;

    (void)state;
    assert_int_equal(cosigner_write(&witness, vkey, sizeof vkey), ERR_NONE);
    assert_string_equal(vkey, VKEY);
    assert_int_equal(cosignature_sign(SPAN_LITERAL(TEXT), &witness, seed, TIME, line), ERR_NONE);
    assert_string_equal(line, LINE);
    assert_int_equal(verify(FOREIGN LINE FOREIGN, &seconds, &found), ERR_NONE);
    assert_int_equal(seconds, TIME);
    assert_true(span_equal_string(found, LINE));
}

static void the_newest_of_several_counts(void **state)
{
    char newer[COSIGNATURE_LINE_MAX];
    char lines[4 * COSIGNATURE_LINE_MAX];
    struct span found;
    uint64_t seconds = 0;

    (void)state;
    assert_int_equal(cosignature_sign(SPAN_LITERAL(TEXT), &witness, seed, TIME + 1, newer),
                     ERR_NONE);
    (void)snprintf(lines, sizeof lines, "%s%s", newer, LINE);
    assert_int_equal(verify(lines, &seconds, &found), ERR_NONE);
    assert_int_equal(seconds, TIME + 1);
    (void)snprintf(lines, sizeof lines, "%s%s", LINE, newer);
    assert_int_equal(verify(lines, &seconds, &found), ERR_NONE);
    assert_int_equal(seconds, TIME + 1);
}

static void what_is_not_a_cosignature_by_the_key_is_refused(void **state)
{
    struct span found;
    uint64_t seconds = 0;

    (void)state;
    assert_int_equal(verify("", &seconds, &found), ERR_NOT_FOUND);
    assert_int_equal(verify(FOREIGN, &seconds, &found), ERR_NOT_FOUND);
    assert_int_equal(verify(LINE "x", &seconds, &found), ERR_MALFORMED);
    assert_int_equal(verify("\n" LINE, &seconds, &found), ERR_MALFORMED);
    assert_int_equal(
        cosignature_verify(SPAN_LITERAL("x" TEXT), SPAN_LITERAL(LINE), &witness, &seconds, &found),
        ERR_CRYPTO);
}

static void every_flipped_bit_of_the_signature_is_refused(void **state)
{
    char lines[] = LINE;
    struct span found;
    uint64_t seconds = 0;

    (void)state;
    for (size_t bit = 0; bit < 8 * (sizeof lines - 1); bit++) {
        lines[bit / 8] = (char)(lines[bit / 8] ^ (1 << bit % 8));
        assert_int_not_equal(verify(lines, &seconds, &found), ERR_NONE);
        lines[bit / 8] = (char)(lines[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(verify(lines, &seconds, &found), ERR_NONE);
}

static void altered_keys_are_refused(void **state)
{
    char vkey[] = VKEY;
    struct cosigner out;

    (void)state;
    for (size_t size = 0; size < sizeof vkey - 1; size++)
        assert_int_not_equal(cosigner_parse(span_of(vkey, size), &out), ERR_NONE);
    for (size_t bit = 0; bit < 8 * (sizeof vkey - 1); bit++) {
        vkey[bit / 8] = (char)(vkey[bit / 8] ^ (1 << bit % 8));
        assert_int_not_equal(cosigner_parse(span_of(vkey, sizeof vkey - 1), &out), ERR_NONE);
        vkey[bit / 8] = (char)(vkey[bit / 8] ^ (1 << bit % 8));
    }
}

static void a_note_is_split_at_its_last_empty_line(void **state)
{
    static const struct {
        const char *note, *text, *signatures;
    } cases[] = {
        {"a\n\nb\n",      "a\n",      "b\n"   },
        {"a\n\nb\n\nc\n", "a\n\nb\n", "c\n"   },
        {"a\n\nb\nc\n",   "a\n",      "b\nc\n"},
    };
    static const char *const refused[] = {
        "", "a", "a\n", "a\n\n", "\n\nb\n\n", "a\nb\n", "a\n\nb", "a\r\n\nb\n", "a\n\nb\tc\n"};
    struct span text, signatures;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(note_split(span_string(cases[i].note), &text, &signatures), ERR_NONE);
        assert_true(span_equal_string(text, cases[i].text));
        assert_true(span_equal_string(signatures, cases[i].signatures));
    }
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_int_equal(note_split(span_string(refused[i]), &text, &signatures), ERR_MALFORMED);
}

static int prepare(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE && cosigner_parse(SPAN_LITERAL(VKEY), &witness) == ERR_NONE
               ? 0
               : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_form_is_signed_and_verified),
        cmocka_unit_test(the_newest_of_several_counts),
        cmocka_unit_test(what_is_not_a_cosignature_by_the_key_is_refused),
        cmocka_unit_test(every_flipped_bit_of_the_signature_is_refused),
        cmocka_unit_test(altered_keys_are_refused),
        cmocka_unit_test(a_note_is_split_at_its_last_empty_line),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
