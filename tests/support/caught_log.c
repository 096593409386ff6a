#include "support/caught_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char logged[CAUGHT_LOG_MAX];

static int stderr_before;
static FILE *log_file;

void log_catch(void)
{
    stderr_before = dup(STDERR_FILENO);
    log_file = tmpfile();
    assert_non_null(log_file);
    assert_true(dup2(fileno(log_file), STDERR_FILENO) >= 0);
}

void log_read(void)
{
    assert_true(dup2(stderr_before, STDERR_FILENO) >= 0);
    (void)close(stderr_before);
    rewind(log_file);
    logged[fread(logged, 1, sizeof logged - 1, log_file)] = '\0';
    (void)fclose(log_file);
}

void must_say(const char *text)
{
    if (!strstr(logged, text))
        fail_msg("\"%s\" is not said: %s", text, logged);
}
