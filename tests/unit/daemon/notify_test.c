/* Uses a socket like the service manager's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/notify.h"

struct manager {
    int socket;
    char directory[64];
    char name[100];
};

static void manager_open(struct manager *m, bool abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size;

    (void)snprintf(m->directory, sizeof m->directory, "/tmp/vouchsafe-notify-XXXXXX");
    assert_non_null(mkdtemp(m->directory));
    (void)snprintf(m->name, sizeof m->name, "%s%s/s", abstract ? "@" : "", m->directory);
    memcpy(address.sun_path, m->name, strlen(m->name));
    if (abstract)
        address.sun_path[0] = '\0';
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(m->name));
    m->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(m->socket, (struct sockaddr *)&address, size), 0);
}

static void manager_close(struct manager *m)
{
    (void)close(m->socket);
    (void)unlink(m->name);
    assert_int_equal(rmdir(m->directory), 0);
}

/* The next message, or "" when there is none. */
static const char *message(const struct manager *m)
{
    static char text[512];
    ssize_t size = recv(m->socket, text, sizeof text - 1, 0);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void each_state_is_told(void **state)
{
    char pid[32];

    (void)state;
    (void)snprintf(pid, sizeof pid, "MAINPID=%ld\n", (long)getpid());
    for (int abstract = 0; abstract < 2; abstract++) {
        struct manager m;
        struct notify n;
        const char *text;

        manager_open(&m, abstract);
        notify_open(&n, m.name, NULL);
        notify_ready(&n, "Serving");
        text = message(&m);
        assert_non_null(strstr(text, "READY=1\n"));
        assert_non_null(strstr(text, "STATUS=Serving\n"));
        assert_non_null(strstr(text, pid));
        notify_reloading(&n);
        text = message(&m);
        assert_non_null(strstr(text, "RELOADING=1\n"));
        assert_non_null(strstr(text, "MONOTONIC_USEC="));
        notify_status(&n, "one line");
        assert_string_equal(message(&m), "STATUS=one line\n");
        notify_starting(&n, "waiting");
        assert_string_equal(message(&m), "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=waiting\n");
        notify_stopping(&n);
        assert_string_equal(message(&m), "STOPPING=1\n");
        notify_alive(&n, INT64_MAX); /* no watchdog was asked for */
        assert_string_equal(message(&m), "");
        notify_close(&n);
        notify_ready(&n, "closed");
        assert_string_equal(message(&m), "");
        manager_close(&m);
    }
}

static void the_watchdog_is_fed_in_half_its_time(void **state)
{
    struct manager m;
    struct notify n;
    unsigned fed = 0;

    (void)state;
    manager_open(&m, false);
    notify_open(&n, m.name, "10000000");
    for (int64_t s = 100; s < 130; s++) {
        notify_alive(&n, s * 1000 * 1000);
        fed += strcmp(message(&m), "WATCHDOG=1\n") == 0;
    }
    assert_int_equal(fed, 6);
    notify_close(&n);
    manager_close(&m);
}

static void without_a_service_manager_nothing_happens(void **state)
{
    static const char *const names[] = {NULL, "", "/", "@", "relative", "vsock:2:1"};
    static char long_name[200];
    struct notify n;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        notify_open(&n, names[i], "1000000");
        assert_int_equal(n.socket, -1);
        notify_ready(&n, "");
        notify_alive(&n, INT64_MAX);
        notify_close(&n);
    }
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[0] = '/';
    notify_open(&n, long_name, NULL);
    assert_int_equal(n.socket, -1);
    notify_open(&n, "/nowhere/at/all", "1000000"); /* it may appear later */
    notify_ready(&n, "lost");
    notify_close(&n);
}

static void a_watchdog_time_that_is_not_a_number_is_ignored(void **state)
{
    static const struct {
        const char *text;
        int64_t expected;
    } cases[] = {
        {NULL,                   0                  },
        {"",                     0                  },
        {"x",                    0                  },
        {"10x",                  0                  },
        {"-4",                   0                  },
        {" 4",                   0                  },
        {"04",                   0                  },
        {"9223372036854775806",  4611686018427387903},
        {"9223372036854775808",  0                  },
        {"99999999999999999999", 0                  },
        {"4",                    2                  },
        {"60000000",             30000000           }
    };
    struct notify n;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        notify_open(&n, "/nowhere/at/all", cases[i].text);
        assert_int_equal(n.watchdog_us, cases[i].expected);
        notify_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_is_told),
        cmocka_unit_test(the_watchdog_is_fed_in_half_its_time),
        cmocka_unit_test(without_a_service_manager_nothing_happens),
        cmocka_unit_test(a_watchdog_time_that_is_not_a_number_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
