#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log.h"

enum { CAPTURE_SIZE = 16384 };

struct capture {
    int saved;
    FILE *file;
};

static struct capture capture_begin(void)
{
    struct capture c = {dup(STDERR_FILENO), tmpfile()};

    assert_true(c.saved >= 0 && c.file);
    assert_true(dup2(fileno(c.file), STDERR_FILENO) >= 0);
    return c;
}

static size_t capture_end(struct capture *c, char out[CAPTURE_SIZE])
{
    size_t size;

    assert_true(dup2(c->saved, STDERR_FILENO) >= 0);
    (void)close(c->saved);
    rewind(c->file);
    size = fread(out, 1, CAPTURE_SIZE - 1, c->file);
    out[size] = '\0';
    (void)fclose(c->file);
    return size;
}

static void test_text_lines(void **state)
{
    char out[CAPTURE_SIZE];
    struct capture c;

    (void)state;
    assert_int_equal(log_configure(false, NULL), ERR_NONE);
    c = capture_begin();
    log_write(LOG_WARN, "net", "refused", LOG_STRING("address", "10.0.0.1"), LOG_NUMBER("port", -1),
              LOG_STRING("why", "a b"), LOG_STRING("none", ""));
    log_write(LOG_DEBUG, "net", "hidden");
    (void)capture_end(&c, out);
    assert_string_equal(out + 24,
                        " warn net refused address=10.0.0.1 port=-1 why=\"a b\" none=\"\"\n");
    assert_int_equal(out[10], 'T');
}

/* For all values, a line stays one line and a value stays one value. */
static void test_values_cannot_forge_lines_or_fields(void **state)
{
    static const char *const values[] = {
        "x\n2026 error auth forged",
        "x y=z",
        "a=b",
        "\"quoted\"",
        "back\\slash",
        "\r",
        "\x1b[2J",
        "\x80\xff",
        "\x7f",
    };

    (void)state;
    for (int json = 0; json < 2; json++) {
        assert_int_equal(log_configure(json, "info"), ERR_NONE);
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            struct capture c = capture_begin();
            char out[CAPTURE_SIZE];
            size_t size;

            log_write(LOG_INFO, "m", "e", LOG_STRING("value", values[i]), LOG_NUMBER("after", 1));
            size = capture_end(&c, out);
            assert_ptr_equal(strchr(out, '\n'), out + size - 1);
            for (size_t k = 0; k + 1 < size; k++)
                assert_true(out[k] >= ' ' && out[k] <= '~');
            assert_non_null(strstr(out, json ? "\"value\":\"" : "value=\""));
            assert_non_null(strstr(out, json ? "\",\"after\":1}" : "\" after=1"));
        }
    }
}

static void test_json_lines_are_json(void **state)
{
    char out[CAPTURE_SIZE];
    struct capture c;
    json_t *line;

    (void)state;
    assert_int_equal(log_configure(true, NULL), ERR_NONE);
    c = capture_begin();
    log_write(LOG_ERROR, "store", "failed", LOG_STRING("path", "/a \"b\"\n"),
              LOG_SPAN("nul", span_of("a\0b", 3)), LOG_NUMBER("code", INT64_MIN));
    (void)capture_end(&c, out);
    line = json_loads(out, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(line, "module")), "store");
    assert_string_equal(json_string_value(json_object_get(line, "event")), "failed");
    assert_string_equal(json_string_value(json_object_get(line, "path")), "/a \"b\"\n");
    assert_int_equal(json_string_length(json_object_get(line, "nul")), 3);
    assert_true(json_integer_value(json_object_get(line, "code")) == INT64_MIN);
    json_decref(line);
}

static void test_long_lines_are_cut_but_whole(void **state)
{
    char value[5000];

    (void)state;
    memset(value, 'v', sizeof value);
    assert_int_equal(log_configure(true, NULL), ERR_NONE);
    for (size_t size = 3900; size <= sizeof value; size += size < 4100 ? 1 : 100) {
        struct capture c = capture_begin();
        char out[CAPTURE_SIZE];
        size_t written;
        json_t *line;

        log_write(LOG_INFO, "m", "e", LOG_SPAN("long", span_of(value, size)));
        written = capture_end(&c, out);
        assert_true(written <= 4096);
        assert_ptr_equal(strchr(out, '\n'), out + written - 1);
        line = json_loads(out, 0, NULL);
        assert_non_null(line);
        json_decref(line);
    }
}

static void test_rules_select_levels(void **state)
{
    static const struct {
        const char *rules;
        enum log_level level;
        const char *module;
        bool enabled;
    } cases[] = {
        {NULL,                         LOG_INFO,  "net",  true },
        {NULL,                         LOG_DEBUG, "net",  false},
        {"error",                      LOG_WARN,  "net",  false},
        {"error",                      LOG_ERROR, "net",  true },
        {"trace",                      LOG_DEBUG, "net",  true },
        {"warn,net=debug",             LOG_DEBUG, "net",  true },
        {"warn,net=debug",             LOG_INFO,  "nets", false},
        {"warn,net=debug",             LOG_INFO,  "auth", false},
        {"net=error,debug",            LOG_WARN,  "net",  false},
        {"keystore_worker::net=debug", LOG_DEBUG, "net",  true },
        {"",                           LOG_INFO,  "net",  true },
        {",,warn,",                    LOG_INFO,  "net",  false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(log_configure(false, cases[i].rules), ERR_NONE);
        assert_int_equal(log_enabled(cases[i].level, cases[i].module), cases[i].enabled);
    }
}

static void test_refuses_bad_rules(void **state)
{
    static const char *const bad[] = {"loud",     "INFO",   "net=",
                                      "net=loud", "=",      "net=debug=info",
                                      "info;",    "warn,x", "abcdefghijklmnopqrstuvwxyz=info"};
    char many[256] = "";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(log_configure(false, bad[i]), ERR_CONFIG);
    for (size_t i = 0; i < 17; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "m%zu=info,", i);
    assert_int_equal(log_configure(false, many), ERR_CONFIG);
}

static void test_journald_gets_priorities(void **state)
{
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};
    static const char *const starts[] = {"<3>2", "<4>2", "<6>2", "<7>2"};
    char out[CAPTURE_SIZE];
    char stream[64];

    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
            struct capture c = capture_begin();
            struct stat status;

            assert_int_equal(fstat(STDERR_FILENO, &status), 0);
            (void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
                           (unsigned long long)status.st_ino + (ours ? 0 : 1));
            assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
            assert_int_equal(log_configure(false, "debug"), ERR_NONE);
            log_write(levels[i], "net", "line");
            (void)capture_end(&c, out);
            if (ours)
                assert_memory_equal(out, starts[i], 4);
            else /* another file is standard error now, as after a redirection in a shell */
                assert_int_equal(out[0], '2');
        }
    }
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    assert_int_equal(log_configure(false, NULL), ERR_NONE);
}

static void test_lines_of_strangers_are_bounded(void **state)
{
    struct log_limit limit = {0};
    uint64_t left_out = 77;
    unsigned lines = 0;

    (void)state;
    for (int64_t us = 5000000; us < 6000000; us += 1000)
        lines += log_limit_take(&limit, us, &left_out);
    assert_int_equal(lines, LOG_LIMIT_PER_S);
    assert_int_equal(left_out, 0);
    assert_true(log_limit_take(&limit, 6000000, &left_out));
    assert_int_equal(left_out, 1000 - LOG_LIMIT_PER_S); /* written once */
    assert_true(log_limit_take(&limit, 6000001, &left_out));
    assert_int_equal(left_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_lines),
        cmocka_unit_test(test_journald_gets_priorities),
        cmocka_unit_test(test_lines_of_strangers_are_bounded),
        cmocka_unit_test(test_values_cannot_forge_lines_or_fields),
        cmocka_unit_test(test_json_lines_are_json),
        cmocka_unit_test(test_long_lines_are_cut_but_whole),
        cmocka_unit_test(test_rules_select_levels),
        cmocka_unit_test(test_refuses_bad_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
