#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/uuid7.h"

/* RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC */
#define EXAMPLE "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

static void test_the_time_of_the_example(void **state)
{
    struct timestamp t = {0};

    (void)state;
    assert_int_equal(uuid7_time(SPAN_LITERAL(EXAMPLE), &t), ERR_NONE);
    assert_int_equal(t.ms, 1645557742000);
    assert_int_equal(uuid7_time(SPAN_LITERAL("ffffffff-ffff-7000-bfff-ffffffffffff"), &t),
                     ERR_NONE);
    assert_int_equal(t.ms, 0xffffffffffff);
}

static void test_other_forms_are_refused(void **state)
{
    static const char *const others[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398F",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-8cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-78c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",
        "017f22e2079b0-7cc3-98c4-dc0c0c07398f",
        "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2-79b0-7cc3-98c4-dc0c0c0739-f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
    };
    struct timestamp t = {7};
    char text[] = EXAMPLE;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(uuid7_time(span_string(others[i]), &t), ERR_MALFORMED);
    for (size_t i = 0; i < UUID7_SIZE; i++) {
        const char kept = text[i];

        text[i] = kept == '-' ? '0' : '-';
        assert_int_equal(uuid7_time(span_string(text), &t), ERR_MALFORMED);
        text[i] = '\0';
        assert_int_equal(uuid7_time(span_of(text, UUID7_SIZE), &t), ERR_MALFORMED);
        text[i] = kept;
        assert_int_equal(uuid7_time(span_of(text, i), &t), ERR_MALFORMED);
    }
    assert_int_equal(t.ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_time_of_the_example),
        cmocka_unit_test(test_other_forms_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
