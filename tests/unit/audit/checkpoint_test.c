#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "crypto/random.h"

#define ORIGIN "keystore.example/log"

static const uint8_t seed[ED25519_SEED_SIZE] = {7};
static uint8_t public_key[ED25519_PUBLIC_SIZE];
static const struct checkpoint sample = {123456, {{1, 2, 3}}};
static char note[CHECKPOINT_TEXT_MAX];

MUST_CHECK static enum err verify(struct span text)
{
    struct checkpoint out;

    return checkpoint_verify(text, ORIGIN, public_key, &out);
}

static bool is_refusal(enum err e)
{
    return e == ERR_MALFORMED || e == ERR_CRYPTO;
}

static void a_signed_checkpoint_has_the_form_of_tlog_checkpoint(void **state)
{
    static const char expected[] = ORIGIN "\n123456\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                                          "\n\xe2\x80\x94 " ORIGIN " ";

    (void)state;
    assert_memory_equal(note, expected, sizeof expected - 1);
    /* key id || signature: 68 bytes are 92 characters, and a newline ends the note */
    assert_int_equal(strlen(note), sizeof expected - 1 + 92 + 1);
    assert_int_equal(note[strlen(note) - 1], '\n');
}

static void what_was_signed_is_verified(void **state)
{
    static const uint64_t sizes[] = {0, 1, 9, 10, 255, 4294967296, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct checkpoint c = {sizes[i], {{0xff, (uint8_t)i}}};
        struct checkpoint out = {0};
        char text[CHECKPOINT_TEXT_MAX];

        assert_int_equal(checkpoint_sign(&c, ORIGIN, seed, text, sizeof text), ERR_NONE);
        assert_int_equal(checkpoint_verify(span_string(text), ORIGIN, public_key, &out), ERR_NONE);
        assert_int_equal(out.size, c.size);
        assert_memory_equal(&out.root, &c.root, sizeof c.root);
    }
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < strlen(note); size++)
        assert_true(is_refusal(verify(span_of(note, size))));
}

static void every_flipped_bit_is_refused(void **state)
{
    char copy[CHECKPOINT_TEXT_MAX];
    size_t size = strlen(note);

    (void)state;
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(copy, note, size);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        assert_true(is_refusal(verify(span_of(copy, size))));
    }
}

static void every_added_byte_is_refused(void **state)
{
    char copy[CHECKPOINT_TEXT_MAX];
    static const char added[] = "\n x0+=\r";
    size_t size = strlen(note);

    (void)state;
    for (size_t at = 0; at <= size; at++) {
        for (size_t i = 0; i < sizeof added; i++) {
            memcpy(copy, note, at);
            copy[at] = added[i];
            memcpy(copy + at + 1, note + at, size - at);
            assert_true(is_refusal(verify(span_of(copy, size + 1))));
        }
    }
}

static void another_key_or_origin_is_refused(void **state)
{
    static const uint8_t other_seed[ED25519_SEED_SIZE] = {8};
    uint8_t other_key[ED25519_PUBLIC_SIZE];
    struct checkpoint out = {.size = 42};

    (void)state;
    ed25519_public(other_seed, other_key);
    assert_int_equal(checkpoint_verify(span_string(note), ORIGIN, other_key, &out), ERR_CRYPTO);
    assert_int_equal(checkpoint_verify(span_string(note), "other.example", public_key, &out),
                     ERR_MALFORMED);
    assert_int_equal(checkpoint_verify(span_string(note), ORIGIN "2", public_key, &out),
                     ERR_MALFORMED);
    assert_int_equal(checkpoint_verify(span_string(note), "", public_key, &out), ERR_MALFORMED);
    assert_int_equal(out.size, 42); /* written on success only */
}

/* Puts `lines` after the blank line, before our signature, or after it. */
MUST_CHECK static enum err verify_with_lines(const char *before, const char *after)
{
    char copy[CHECKPOINT_TEXT_MAX + 4096];
    const char *ours = strstr(note, "\n\n") + 2;
    int size =
        snprintf(copy, sizeof copy, "%.*s%s%s%s", (int)(ours - note), note, before, ours, after);

    return verify(span_of(copy, (size_t)size));
}

#define FOREIGN "\xe2\x80\x94 witness.example AAAAAAECAwQ=\n"

static void signatures_of_witnesses_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(verify_with_lines(FOREIGN, ""), ERR_NONE);
    assert_int_equal(verify_with_lines("", FOREIGN), ERR_NONE);
    assert_int_equal(verify_with_lines(FOREIGN FOREIGN, FOREIGN), ERR_NONE);
    /* our name with another key id belongs to another key */
    assert_int_equal(verify_with_lines("\xe2\x80\x94 " ORIGIN " AAAAAAECAwQ=\n", ""), ERR_NONE);
}

static void malformed_signature_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "\n",
        "witness.example AAAAAAECAwQ=\n",                /* no dash */
        "- witness.example AAAAAAECAwQ=\n",              /* another dash */
        "\xe2\x80\x93 witness.example AAAAAAECAwQ=\n",   /* an en dash */
        "\xe2\x80\x94witness.example AAAAAAECAwQ=\n",    /* no space */
        "\xe2\x80\x94  AAAAAAECAwQ=\n",                  /* no name */
        "\xe2\x80\x94 witness.example\n",                /* no signature */
        "\xe2\x80\x94 witness.example \n",               /* an empty one */
        "\xe2\x80\x94 witness.example AAAAAA==\n",       /* only a key id */
        "\xe2\x80\x94 witness.example AAAAAAECAwQ\n",    /* no padding */
        "\xe2\x80\x94 witness.example AAAAAAECAwR=\n",   /* unused bits */
        "\xe2\x80\x94 witness.example AAAAAAECAwQ= \n",  /* trailing space */
        "\xe2\x80\x94 witness+example AAAAAAECAwQ=\n",   /* '+' in a name */
        "\xe2\x80\x94 witness\texample AAAAAAECAwQ=\n",  /* control byte in a name */
        "\xe2\x80\x94 witness.example AAAAAAECAwQ=\r\n", /* CR LF */
        "\xe2\x80\x94 witness.example AAAAAAECAwQ=",     /* unfinished */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_int_equal(verify_with_lines("", lines[i]), ERR_MALFORMED);
}

static void our_signature_is_wanted_once(void **state)
{
    const char *ours = strstr(note, "\n\n") + 2;
    char bad[256];
    char *last;

    (void)state;
    assert_int_equal(verify_with_lines("", ours), ERR_MALFORMED);
    (void)snprintf(bad, sizeof bad, "%s", ours);
    last = strrchr(bad, '=') - 8;
    *last = *last == 'A' ? 'B' : 'A';
    /* a bad signature next to the good one */
    assert_int_equal(verify_with_lines(bad, ""), ERR_CRYPTO);
}

static void a_text_of_another_form_is_refused(void **state)
{
    static const char root[] = "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    static const char *const formats[] = {
        ORIGIN "\n0123456\n%s\n\n%s", /* leading zero */
        ORIGIN "\n+123456\n%s\n\n%s", /* a sign */
        ORIGIN "\n-1\n%s\n\n%s",
        ORIGIN "\n\n%s\n\n%s", /* no size */
        ORIGIN "\n0x1\n%s\n\n%s",
        ORIGIN "\n99999999999999999999\n%s\n\n%s", /* beyond 64 bits */
        ORIGIN "\n123456\n%s\nextension\n\n%s",
        ORIGIN "\n123456\n%s\n%s", /* no blank line */
        ORIGIN "\r\n123456\n%s\n\n%s",
        "\n" ORIGIN "\n123456\n%s\n\n%s",
        ORIGIN "\n123456\nAA%s\n\n%s", /* too long a root */
    };
    const char *ours = strstr(note, "\n\n") + 2;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        char copy[CHECKPOINT_TEXT_MAX];
        char *place = copy;

        for (const char *f = formats[i], *argument = root; *f; f++) {
            if (strncmp(f, "%s", 2) == 0) {
                place = stpcpy(place, argument);
                argument = ours;
                f++;
            } else {
                *place++ = *f;
            }
        }
        assert_int_equal(verify(span_of(copy, (size_t)(place - copy))), ERR_MALFORMED);
    }
}

static void a_note_that_is_too_large_is_refused(void **state)
{
    char lines[CHECKPOINT_TEXT_MAX] = "";

    (void)state;
    for (size_t i = 0; i < 80; i++)
        (void)stpcpy(lines + strlen(lines), FOREIGN);
    assert_int_equal(verify_with_lines("", lines), ERR_NONE);
    for (size_t i = 0; i < 40; i++)
        (void)stpcpy(lines + strlen(lines), FOREIGN);
    assert_int_equal(verify_with_lines("", lines), ERR_MALFORMED);
}

static void origins_that_cannot_name_a_key_are_refused(void **state)
{
    static const char *const origins[] = {"", "a b", "a+b", "a\nb", "a\x7f", "a\xc2\xa0", "a\tb"};
    char longest[CHECKPOINT_ORIGIN_MAX + 2];
    char out[CHECKPOINT_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(origins); i++) {
        assert_int_equal(checkpoint_sign(&sample, origins[i], seed, out, sizeof out),
                         ERR_MALFORMED);
        assert_int_equal(checkpoint_vkey_write(origins[i], public_key, out, sizeof out),
                         ERR_MALFORMED);
    }
    memset(longest, 'a', sizeof longest);
    longest[CHECKPOINT_ORIGIN_MAX + 1] = '\0';
    assert_int_equal(checkpoint_sign(&sample, longest, seed, out, sizeof out), ERR_MALFORMED);
    longest[CHECKPOINT_ORIGIN_MAX] = '\0';
    assert_int_equal(checkpoint_sign(&sample, longest, seed, out, sizeof out), ERR_NONE);
    assert_int_equal(checkpoint_vkey_write(longest, public_key, out, CHECKPOINT_VKEY_SIZE),
                     ERR_NONE);
}

static void a_buffer_that_is_too_small_is_an_error(void **state)
{
    char out[CHECKPOINT_TEXT_MAX];

    (void)state;
    for (size_t size = 0; size <= strlen(note); size++)
        assert_int_equal(checkpoint_sign(&sample, ORIGIN, seed, out, size), ERR_TOO_LARGE);
    assert_int_equal(checkpoint_sign(&sample, ORIGIN, seed, out, strlen(note) + 1), ERR_NONE);
    assert_string_equal(out, note);
}

/* The example of golang.org/x/mod/sumdb/note. */
#define GO_VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

static void verifier_keys_are_those_of_go(void **state)
{
    char origin[CHECKPOINT_ORIGIN_MAX + 1];
    char again[CHECKPOINT_VKEY_SIZE];
    uint8_t key[ED25519_PUBLIC_SIZE];

    (void)state;
    assert_int_equal(checkpoint_vkey_parse(span_string(GO_VKEY), origin, sizeof origin, key),
                     ERR_NONE);
    assert_string_equal(origin, "PeterNeumann");
    assert_int_equal(checkpoint_vkey_write(origin, key, again, sizeof again), ERR_NONE);
    assert_string_equal(again, GO_VKEY);
    assert_int_equal(checkpoint_vkey_parse(span_string(GO_VKEY), origin, 12, key), ERR_TOO_LARGE);
}

static void altered_verifier_keys_are_refused(void **state)
{
    char origin[CHECKPOINT_ORIGIN_MAX + 1];
    uint8_t key[ED25519_PUBLIC_SIZE];
    char copy[] = GO_VKEY "x";
    size_t size = sizeof GO_VKEY - 1;

    (void)state;
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(checkpoint_vkey_parse(span_of(copy, cut), origin, sizeof origin, key),
                         ERR_MALFORMED);
    assert_int_equal(checkpoint_vkey_parse(span_of(copy, size + 1), origin, sizeof origin, key),
                     ERR_MALFORMED);
    for (size_t bit = 0; bit < size * 8; bit++) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(checkpoint_vkey_parse(span_of(copy, size), origin, sizeof origin, key),
                         ERR_MALFORMED);
        copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_checkpoint_has_the_form_of_tlog_checkpoint),
        cmocka_unit_test(what_was_signed_is_verified),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_added_byte_is_refused),
        cmocka_unit_test(another_key_or_origin_is_refused),
        cmocka_unit_test(signatures_of_witnesses_are_ignored),
        cmocka_unit_test(malformed_signature_lines_are_refused),
        cmocka_unit_test(our_signature_is_wanted_once),
        cmocka_unit_test(a_text_of_another_form_is_refused),
        cmocka_unit_test(a_note_that_is_too_large_is_refused),
        cmocka_unit_test(origins_that_cannot_name_a_key_are_refused),
        cmocka_unit_test(a_buffer_that_is_too_small_is_an_error),
        cmocka_unit_test(verifier_keys_are_those_of_go),
        cmocka_unit_test(altered_verifier_keys_are_refused),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    ed25519_public(seed, public_key);
    if (checkpoint_sign(&sample, ORIGIN, seed, note, sizeof note) != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
