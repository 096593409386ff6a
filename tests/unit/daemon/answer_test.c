/* The JSON answers of --check-config and init: one object, one line, every reason in it. */
#include "daemon/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(MUST_CHECK enum err (*write)(const struct answer *a, FILE *file),
                   const struct answer *a, const char *text)
{
    char out[4096] = "";
    FILE *file = fmemopen(out, sizeof out, "w");

    assert_non_null(file);
    assert_int_equal(write(a, file), ERR_NONE);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, text);
}

static void what_is_good(void **state)
{
    struct problems none = {0};
    struct answer a = {.ok = true, .problems = &none, .failure = "", .state = "/s", .log_key = "k"};

    (void)state;
    expect(answer_check_write, &a,
           "{\"ok\":true,\"problems\":[],\"more_problems\":0,\"initialised\":false,"
           "\"expired_certificate\":null}\n");
    a.initialised = true;
    a.expired = "c.pem";
    expect(answer_check_write, &a,
           "{\"ok\":true,\"problems\":[],\"more_problems\":0,\"initialised\":true,"
           "\"expired_certificate\":\"c.pem\"}\n");
    expect(answer_init_write, &a, "{\"ok\":true,\"state\":\"/s\",\"log_key\":\"k\"}\n");
}

static void every_problem_has_its_place(void **state)
{
    struct problems found = {0};
    struct answer a = {.problems = &found, .failure = "", .state = "/s"};

    (void)state;
    problems_add(&found, &(struct problem_place){"v.yaml", 3, 1, "server.port"}, "\"80a\" is bad");
    problems_add(&found, &(struct problem_place){.file = "environment"}, "is \xff bad");
    found.left_off = 7;
    expect(
        answer_check_write, &a,
        "{\"ok\":false,\"problems\":[{\"file\":\"v.yaml\",\"line\":3,\"setting\":\"server.port\","
        "\"text\":\"v.yaml:3: server.port: \\\"80a\\\" is bad\"},{\"file\":\"environment\","
        "\"line\":null,\"setting\":null,\"text\":\"environment: is \xef\xbf\xbd bad\"}],"
        "\"more_problems\":7}\n");
    problems_clear(&found);
}

static void a_failure_without_a_place_is_a_problem(void **state)
{
    static const char problems[] = "\"problems\":[{\"file\":null,\"line\":null,\"setting\":null,"
                                   "\"text\":\"no TPM\"}],\"more_problems\":0}\n";
    struct problems none = {0};
    struct answer a = {.problems = &none, .failure = "no TPM", .state = "/s"};
    char text[512];

    (void)state;
    (void)snprintf(text, sizeof text, "{\"ok\":false,%s", problems);
    expect(answer_check_write, &a, text);
    (void)snprintf(text, sizeof text, "{\"ok\":false,\"error\":\"no TPM\",%s", problems);
    expect(answer_init_write, &a, text);
}

/* Each byte of the texts becomes six. */
static void the_longest_texts_fit(void **state)
{
    char controls[3000];
    struct problems found = {0};
    struct answer a = {.problems = &found, .failure = "", .state = "/s"};
    FILE *file = fopen("/dev/null", "w");

    (void)state;
    memset(controls, '\x01', sizeof controls - 1);
    controls[sizeof controls - 1] = '\0';
    assert_non_null(file);
    a.failure = controls;
    assert_int_equal(answer_init_write(&a, file), ERR_NONE);
    for (unsigned i = 0; i < PROBLEMS_MAX + 2; i++)
        problems_add(&found, &(struct problem_place){"\"\"\"\"", UINT32_MAX, 1, "\"\"\"\""},
                     "\"\"");
    assert_int_equal(found.left_off, 2);
    assert_int_equal(answer_init_write(&a, file), ERR_NONE);
    a.ok = true;
    a.state = a.log_key = a.expired = controls;
    assert_int_equal(answer_init_write(&a, file), ERR_NONE);
    assert_int_equal(answer_check_write(&a, file), ERR_NONE);
    assert_int_equal(fclose(file), 0);
    problems_clear(&found);
}

static void a_full_disk_is_an_error(void **state)
{
    struct problems none = {0};
    const struct answer a = {.ok = true, .problems = &none, .failure = ""};
    FILE *file = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(file);
    assert_int_equal(answer_check_write(&a, file), ERR_IO);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_good),
        cmocka_unit_test(every_problem_has_its_place),
        cmocka_unit_test(a_failure_without_a_place_is_a_problem),
        cmocka_unit_test(the_longest_texts_fit),
        cmocka_unit_test(a_full_disk_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
