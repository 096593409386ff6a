#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/listener.h"

static void texts(void **state)
{
    static const struct {
        const char *text;
        bool valid, local;
    } cases[] = {
        {"127.0.0.1:9091",                 true,  true },
        {"127.0.0.1:0",                    true,  true },
        {"192.0.2.1:65535",                true,  false},
        {"[::1]:9091",                     true,  true },
        {"[2001:db8::1]:9091",             true,  false},
        {"/run/vouchsafe/a.sock",          true,  true },
        {"",                               false, false},
        {"9091",                           false, false},
        {":9091",                          false, false},
        {"127.0.0.1",                      false, false},
        {"127.0.0.1:",                     false, true },
        {"127.0.0.1:65536",                false, true },
        {"127.0.0.1:99999999999",          false, true },
        {"127.0.0.1:-1",                   false, true },
        {"127.0.0.1:09091",                false, true },
        {"127.0.0.1:00",                   false, true },
        {"127.0.0.1:18446744073709551617", false, true },
        {"127.0.0.1: 1",                   false, true },
        {"localhost:9091",                 false, false},
        {"::1:9091",                       false, false},
        {"[::1:9091",                      false, false},
        {"[]:9091",                        false, false},
        {"a.sock",                         false, false},
        {"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaa"
         "aaaaaaaaaaaaaaa",       false, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int fd = -1;

        if (listener_is_valid(cases[i].text) != cases[i].valid)
            fail_msg("%s", cases[i].text);
        if (!cases[i].valid)
            assert_int_equal(listener_open(cases[i].text, &fd), ERR_MALFORMED);
        else
            assert_int_equal(listener_is_local(cases[i].text), cases[i].local);
        assert_int_equal(fd, -1);
    }
}

static void a_unix_socket_replaces_only_a_dead_one(void **state)
{
    char directory[] = "/tmp/vouchsafe-listener-XXXXXX";
    char path[64];
    struct stat status;
    FILE *file;
    int fd = -1;
    int second = -1;

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/s", directory);
    assert_int_equal(listener_open(path, &fd), ERR_NONE);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07, 0); /* not for everybody */
    assert_int_equal(listener_open(path, &second), ERR_IO);
    close(fd); /* the file stays */
    assert_int_equal(listener_open(path, &second), ERR_NONE);
    close(second);
    assert_int_equal(unlink(path), 0);
    file = fopen(path, "w"); /* a file that is not a socket stays */
    assert_non_null(file);
    fclose(file);
    assert_int_equal(listener_open(path, &second), ERR_IO);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

/* In a process of its own, with the descriptors from 3 on as a service manager gives them. */
static int inherit(const char *pid, const char *count, const char *names, bool listening,
                   unsigned *sockets, bool *admin)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct inherited_sockets s;
        const char *why = NULL;
        char own[16];
        int tcp = -1;

        if (listener_open("127.0.0.1:0", &tcp) != ERR_NONE)
            _exit(100);
        if (!listening) {
            close(tcp);
            tcp = socket(AF_INET, SOCK_STREAM, 0);
        }
        for (int fd = 3; fd < 6; fd++)
            if (tcp != fd && dup2(tcp, fd) != fd)
                _exit(101);
        (void)snprintf(own, sizeof own, "%d", (int)getpid());
        setenv("LISTEN_PID", pid ? pid : own, 1);
        setenv("LISTEN_FDS", count, 1);
        if (names)
            setenv("LISTEN_FDNAMES", names, 1);
        if (listener_inherit(&s, &why) != ERR_NONE)
            _exit(why ? 99 : 102);
        _exit((int)(s.count + (s.admin >= 0 ? 10u : 0)));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    *sockets = (unsigned)WEXITSTATUS(status) % 10;
    *admin = WEXITSTATUS(status) / 10 == 1;
    return WEXITSTATUS(status);
}

static void sockets_of_a_service_manager(void **state)
{
    static const struct {
        const char *pid, *count, *names;
        bool listening;
        int expected; /* sockets, and 10 more with an admin socket; 99: refused */
    } cases[] = {
        {NULL, "1",  NULL,              true,  1 },
        {NULL, "2",  "public:admin",    true,  11},
        {NULL, "2",  "admin",           true,  11},
        {NULL, "3",  "a:admin:b",       true,  12},
        {NULL, "2",  "administrator:x", true,  2 },
        {NULL, "0",  "",                true,  0 },
        {"1",  "1",  NULL,              true,  0 }, /* of another process */
        {"x",  "1",  NULL,              true,  0 },
        {NULL, "2",  "admin:admin",     true,  99},
        {NULL, "1",  NULL,              false, 99},
        {NULL, "17", NULL,              true,  99},
        {NULL, "-1", NULL,              true,  99},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned sockets;
        bool admin;

        assert_int_equal(inherit(cases[i].pid, cases[i].count, cases[i].names, cases[i].listening,
                                 &sockets, &admin),
                         cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(a_unix_socket_replaces_only_a_dead_one),
        cmocka_unit_test(sockets_of_a_service_manager),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
