#include "base/problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void each_problem_is_a_whole_message(void **state)
{
    struct problems p = {0};
    const struct problem_place place = {
        .file = "a.yaml", .line = 3, .column = 7, .setting = "server.port"};

    (void)state;
    assert_int_equal(problems_err(&p), ERR_NONE);
    problems_add(&p, &place, "%d is too many", 5);
    problems_add(&p, &(struct problem_place){.file = "environment"}, "bad");
    assert_int_equal(problems_err(&p), ERR_CONFIG);
    assert_int_equal(p.count, 2);
    assert_string_equal(p.items[0].text, "a.yaml:3: server.port: 5 is too many");
    assert_string_equal(p.items[0].file, "a.yaml");
    assert_string_equal(p.items[0].setting, "server.port");
    assert_int_equal(p.items[0].line, 3);
    assert_int_equal(p.items[0].column, 7);
    assert_string_equal(p.items[1].text, "environment: bad");
    assert_string_equal(p.items[1].setting, "");
    problems_clear(&p);
    problems_clear(&p);
    assert_int_equal(problems_err(&p), ERR_NONE);
}

static void nothing_is_cut_off(void **state)
{
    struct problems p = {0};
    char text[9000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    problems_add(&p, &(struct problem_place){.file = "f"}, "%s", text);
    assert_int_equal(strlen(p.items[0].text), 3 + sizeof text - 1);
    problems_clear(&p);
}

static void control_characters_do_not_reach_a_terminal(void **state)
{
    struct problems p = {0};

    (void)state;
    problems_add(&p, &(struct problem_place){.file = "f\n", .setting = "s\t"},
                 "a\x1b[31mb \x7f \xc2\x9b"
                 "c \xc3\xa4");
    assert_string_equal(p.items[0].text, "f?: s?: a?[31mb ? ??c \xc3\xa4");
    assert_string_equal(p.items[0].file, "f?");
    assert_string_equal(p.items[0].setting, "s?");
    problems_clear(&p);
}

static void there_is_a_limit(void **state)
{
    struct problems p = {0};

    (void)state;
    for (int i = 0; i < PROBLEMS_MAX + 3; i++)
        problems_add(&p, &(struct problem_place){.file = "f"}, "%d", i);
    assert_int_equal(p.count, PROBLEMS_MAX);
    assert_int_equal(p.left_off, 3);
    assert_int_equal(problems_err(&p), ERR_CONFIG);
    problems_clear(&p);
    p.out_of_memory = true;
    assert_int_equal(problems_err(&p), ERR_MEMORY);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_problem_is_a_whole_message),
        cmocka_unit_test(nothing_is_cut_off),
        cmocka_unit_test(control_characters_do_not_reach_a_terminal),
        cmocka_unit_test(there_is_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
