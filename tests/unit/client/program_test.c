#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/program.h"

#define CAPACITY 64
#define SHORT_MS 100 /* for programs that never end by themselves */

static char folder[] = "/tmp/vouchsafe-program-XXXXXX";
static char script[64];

/* The shell commands represent any program. They end by themselves unless the case says
 * otherwise. */
static const struct {
    const char *does;
    enum vs_error e;
    const char *says; /* the error, or the output */
} cases[] = {
    {"printf quote",                            VS_OK,            "quote"                     },
    {"cat",                                     VS_OK,            ""                          }, /* its input is empty */
    {"printf a; printf b >/dev/null; printf c", VS_OK,            "ac"                        },
    {"head -c 64 /dev/zero",                    VS_OK,            NULL                        },
    {"head -c 65 /dev/zero",                    VS_ERR_TOO_LARGE, "wrote more than 64 bytes"  },
    {"cat /dev/zero",                           VS_ERR_TOO_LARGE, "wrote more than 64 bytes"  },
    {"exit 3",                                  VS_ERR_IO,        "ended with exit code 3"    },
    {"printf quote; exit 1",                    VS_ERR_IO,        "ended with exit code 1"    },
    {"kill -9 $$",                              VS_ERR_IO,        "ended by signal 9 (Killed)"},
    {"exec sleep 1000",                         VS_ERR_TIMEOUT,   "did not end within 100 ms" },
    {"sleep 1000",                              VS_ERR_TIMEOUT,   "did not end within 100 ms" },
    {"exec >&-; exec sleep 1000",               VS_ERR_TIMEOUT,   "did not end within 100 ms" }, /* output closed */
    {"trap '' TERM INT; while :; do :; done",   VS_ERR_TIMEOUT,   "did not end within 100 ms" },
    {"sleep 1000 & printf quote",               VS_OK,            "quote"                     }, /* a child keeps it open */
    {"(sleep 1000; printf late) & exit 0",      VS_OK,            ""                          },
};

static int64_t elapsed_ms(const struct timespec *since)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void write_script(const char *does, mode_t mode)
{
    FILE *file = fopen(script, "we");

    assert_non_null(file);
    assert_true(fprintf(file, "#!/bin/sh\n%s\n", does) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(script, mode), 0);
}

static void what_a_program_did_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *argv[] = {"/bin/sh", "-c", (char *)(uintptr_t)cases[i].does, NULL};
        const struct program p = {.argv = argv,
                                  .timeout_ms = cases[i].e == VS_ERR_TIMEOUT ? SHORT_MS : 0};
        uint8_t out[CAPACITY + 1] = {0};
        struct vs_why why = {0};
        struct timespec start;
        size_t size = 77;

        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &start), 0);
        const enum vs_error e = program_run(&p, out, CAPACITY, &size, &why);
        if (e != cases[i].e)
            fail_msg("%s: %s (%s)", cases[i].does, vs_error_code(e), why.text);
        assert_true(elapsed_ms(&start) < 20000); /* nothing waits for a hanging program */
        assert_int_equal(out[CAPACITY], 0);
        if (e != VS_OK) {
            assert_non_null(strstr(why.text, cases[i].says));
            assert_non_null(strstr(why.text, "/bin/sh"));
            assert_int_equal(size, 77);
        } else if (cases[i].says != NULL) {
            assert_int_equal(size, strlen(cases[i].says));
            assert_memory_equal(out, cases[i].says, size);
        } else {
            assert_int_equal(size, CAPACITY);
        }
    }
}

/* Children of a program that ends, or is killed, do not continue: their pipe ends with them. */
static void its_children_end_with_it(void **state)
{
    static const char *const does[] = {"sleep 1000 >\"$0\" & printf x",
                                       "sleep 1000 >\"$0\" & exec sleep 1000"};
    char pipe[64];

    (void)state;
    (void)snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    const int fd = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    for (size_t i = 0; i < COUNT_OF(does); i++) {
        char *argv[] = {"/bin/sh", "-c", (char *)(uintptr_t)does[i], pipe, NULL};
        const struct program p = {.argv = argv, .timeout_ms = i == 0 ? 0 : SHORT_MS};
        uint8_t out[CAPACITY];
        struct vs_why why = {0};
        size_t size = 0;
        char byte;

        assert_int_equal(program_run(&p, out, CAPACITY, &size, &why),
                         i == 0 ? VS_OK : VS_ERR_TIMEOUT);
        assert_int_equal(read(fd, &byte, 1), 0); /* waits for the last process that keeps it open */
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(pipe), 0);
}

static void one_that_cannot_start(void **state)
{
    static const char *const programs[] = {"/no/such/program", "no-such-program-anywhere", script};

    (void)state;
    write_script("printf quote", 0600); /* not executable */
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        char *argv[] = {(char *)(uintptr_t)programs[i], NULL};
        const struct program p = {.argv = argv};
        uint8_t out[CAPACITY];
        struct vs_why why = {0};
        size_t size = 0;

        assert_int_equal(program_run(&p, out, sizeof out, &size, &why), VS_ERR_IO);
        assert_non_null(strstr(why.text, "cannot start the program"));
        assert_non_null(strstr(why.text, programs[i]));
    }
}

static void a_quote_source(void **state)
{
    static const uint8_t report_data[VS_REPORT_DATA_SIZE] = {0xab, 0xcd};
    struct vs_command_source command = {.program = script};
    const struct vs_quote_source source = vs_command_quote_source(&command);
    uint8_t out[256] = {0};
    size_t size = 0;

    (void)state;
    assert_string_equal(source.tee_type, "sgx");
    write_script("printf %s \"$1\"", 0700);
    assert_int_equal(source.quote(source.context, report_data, out, sizeof out, &size), VS_OK);
    assert_int_equal(size, 2 * VS_REPORT_DATA_SIZE);
    assert_memory_equal(out, "abcd0000", 8);
    assert_string_equal(quote_source_why(&source), "");
    write_script(":", 0700);
    assert_int_equal(source.quote(source.context, report_data, out, sizeof out, &size), VS_ERR_IO);
    assert_non_null(strstr(quote_source_why(&source), "wrote no quote"));
    const struct vs_quote_source other = {.tee_type = "sgx"};
    assert_string_equal(quote_source_why(&other), "");
}

static int set_up(void **state)
{
    (void)state;
    if (vs_start() != VS_OK || mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(script, sizeof script, "%s/program", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(script);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_program_did_is_said),
        cmocka_unit_test(its_children_end_with_it),
        cmocka_unit_test(one_that_cannot_start),
        cmocka_unit_test(a_quote_source),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
