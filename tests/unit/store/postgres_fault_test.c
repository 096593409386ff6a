/*
 * A proxy between libpq and the server cuts the connection at every message of a small workload
 * once. Afterwards, what was acknowledged is there, what was refused is not, and nothing is half
 * done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/reader.h"
#include "crypto/random.h"
#include "store/verify.h"
#include "support/postgres.h"
#include "support/store_model.h"
#include "support/store_suite.h"

enum { GROUPS = 2, GROUP_SIZE = 3, PAIRS_MAX = 12, POSITIONS_MAX = 2000, SERVER_PORT = 5432 };

static struct postgres server;
static bool server_there;
static char address[POSTGRES_ADDRESS_SIZE];

/* ---- the proxy ---- */

/* One direction of one connection: where in a message it is. */
struct stream {
    bool first; /* the client's first message has no type */
    uint8_t header[5];
    size_t have;
    uint32_t left; /* bytes of the message after its header */
};

struct pair {
    int ends[2]; /* client, server */
    struct stream streams[2];
};

static struct {
    int listener;
    int wake[2];
    pthread_t thread;
    struct pair pairs[PAIRS_MAX];
    size_t count;
    _Atomic uint64_t messages; /* in both directions, since the start */
    _Atomic uint64_t cut_at;   /* 0: never */
    atomic_bool fired;
} proxy;

/* How many of the bytes may pass: all, or those before the message that is cut. */
static size_t stream_pass(struct stream *s, const uint8_t *bytes, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t needed = s->first ? 4 : 5;
        struct reader r;

        if (s->left > 0) {
            size_t part = size - at < s->left ? size - at : s->left;

            s->left -= (uint32_t)part;
            at += part;
            continue;
        }
        if (s->have == 0 && ++proxy.messages == proxy.cut_at) {
            proxy.fired = true;
            return at;
        }
        s->header[s->have++] = bytes[at++];
        if (s->have < needed)
            continue;
        r = reader_over(span_of(s->header + needed - 4, 4));
        s->left = reader_u32be(&r) - 4;
        s->have = 0;
        s->first = false;
    }
    return size;
}

static void pair_close(size_t i)
{
    (void)close(proxy.pairs[i].ends[0]);
    (void)close(proxy.pairs[i].ends[1]);
    proxy.pairs[i] = proxy.pairs[--proxy.count];
}

/* False when the connection ended or was cut. */
static bool pair_pump(struct pair *p, size_t from)
{
    uint8_t bytes[65536];
    ssize_t size = recv(p->ends[from], bytes, sizeof bytes, 0);
    size_t pass;

    if (size <= 0)
        return false;
    pass = stream_pass(&p->streams[from], bytes, (size_t)size);
    return (pass == 0 || send(p->ends[1 - from], bytes, pass, MSG_NOSIGNAL) == (ssize_t)pass) &&
           pass == (size_t)size;
}

static int connect_to(const char *directory)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(at.sun_path, sizeof at.sun_path, "%.90s/.s.PGSQL.%d", directory, SERVER_PORT);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void pair_accept(void)
{
    int client = accept(proxy.listener, NULL, NULL);
    int end = proxy.count < PAIRS_MAX ? connect_to(server.directory) : -1;

    if (client < 0 || end < 0) {
        (void)close(client);
        (void)close(end);
        return;
    }
    proxy.pairs[proxy.count++] = (struct pair){
        .ends = {client,          end             },
          .streams = {{.first = true}, {.first = false}}
    };
}

static void *proxy_run(void *argument)
{
    (void)argument;
    for (;;) {
        struct pollfd fds[2 + 2 * PAIRS_MAX] = {
            {.fd = proxy.listener, .events = POLLIN},
            {.fd = proxy.wake[0],  .events = POLLIN}
        };
        size_t count = proxy.count;

        for (size_t i = 0; i < 2 * count; i++)
            fds[2 + i] = (struct pollfd){.fd = proxy.pairs[i / 2].ends[i % 2], .events = POLLIN};
        if (poll(fds, 2 + 2 * count, -1) < 0)
            continue;
        if (fds[1].revents)
            break;
        /* from the last one, because closing moves the last into the gap */
        for (size_t i = count; i-- > 0;)
            if ((fds[2 + 2 * i].revents && !pair_pump(&proxy.pairs[i], 0)) ||
                (fds[3 + 2 * i].revents && !pair_pump(&proxy.pairs[i], 1)))
                pair_close(i);
        if (fds[0].revents)
            pair_accept();
    }
    while (proxy.count > 0)
        pair_close(0);
    return NULL;
}

static char proxy_directory[64];

static void proxy_start(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)snprintf(proxy_directory, sizeof proxy_directory, "/tmp/vouchsafe-proxy.XXXXXX");
    assert_non_null(mkdtemp(proxy_directory));
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/.s.PGSQL.%d", proxy_directory, SERVER_PORT);
    proxy.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(proxy.listener >= 0);
    assert_int_equal(bind(proxy.listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(proxy.listener, 16), 0);
    assert_int_equal(pipe(proxy.wake), 0);
    assert_int_equal(pthread_create(&proxy.thread, NULL, proxy_run, NULL), 0);
}

static void proxy_stop(void)
{
    char path[128];

    assert_true(write(proxy.wake[1], "", 1) == 1);
    assert_int_equal(pthread_join(proxy.thread, NULL), 0);
    (void)close(proxy.listener);
    (void)close(proxy.wake[0]);
    (void)close(proxy.wake[1]);
    (void)snprintf(path, sizeof path, "%s/.s.PGSQL.%d", proxy_directory, SERVER_PORT);
    (void)unlink(path);
    (void)rmdir(proxy_directory);
}

/* The `n`-th message from now on does not arrive. */
static void cut_at(uint64_t n)
{
    proxy.fired = false;
    proxy.cut_at = proxy.messages + n;
}

static void cut_never(void)
{
    proxy.cut_at = 0;
}

/* The address of a new schema, through the proxy. */
static void address_make(void)
{
    char direct[POSTGRES_ADDRESS_SIZE];

    postgres_address(&server, "", direct);
    (void)snprintf(address, sizeof address, "host=%s%s", proxy_directory, strchr(direct, ' '));
}

/* ---- the tests ---- */

static int stderr_kept = -1;

static void quiet(bool on)
{
    if (on) {
        stderr_kept = dup(STDERR_FILENO); /* losses are reported here by the hundred */
        assert_non_null(freopen("/dev/null", "w", stderr));
    } else {
        (void)dup2(stderr_kept, STDERR_FILENO);
        (void)close(stderr_kept);
    }
}

static void needs_server(void)
{
    if (!server_there)
        skip();
}

static struct suite suite;
static struct model model;
static struct generator generator = {.state = 11, .time_ms = 1000};
static size_t refused; /* groups */

static void group_run(uint64_t at)
{
    static struct generated made[GROUP_SIZE];
    const struct transaction *list[GROUP_SIZE];
    struct transaction_result expected[GROUP_SIZE], results[GROUP_SIZE];
    struct model after = model;
    bool stored = false;
    enum err e;

    for (size_t i = 0; i < GROUP_SIZE; i++) {
        generate(&generator, &after, &made[i]);
        list[i] = &made[i].transaction;
        model_run(&after, list[i], &expected[i]);
    }
    e = executor_run(suite.executor, list, GROUP_SIZE, results);
    for (int i = 0; i < 10 && e == ERR_UNAVAILABLE && executor_is_unsettled(suite.executor); i++)
        e = executor_settle(suite.executor, &stored) == ERR_NONE && stored ? ERR_NONE : e;
    if (executor_is_unsettled(suite.executor) || (e != ERR_NONE && e != ERR_UNAVAILABLE))
        fail_msg("cut at message %llu: %s", (unsigned long long)at, err_code(e));
    refused += e != ERR_NONE;
    if (e != ERR_NONE)
        return;
    for (size_t i = 0; i < GROUP_SIZE; i++)
        assert_true(results[i].status == expected[i].status &&
                    results[i].version == expected[i].version &&
                    results[i].index == expected[i].index);
    model = after;
}

static void workload_run(uint64_t at)
{
    enum err e;

    for (size_t i = 0; i < GROUPS; i++)
        group_run(at);
    e = store_verify_rows(suite.engine, &suite.keys, NULL, NULL);
    assert_true(e == ERR_NONE || e == ERR_UNAVAILABLE);
    e = store_postgres.lease_renew(suite.engine, 1, suite.token, 60000);
    assert_true(e == ERR_NONE || e == ERR_UNAVAILABLE);
}

static void a_connection_that_is_cut_at_any_message_loses_nothing(void **state)
{
    uint64_t at = 1;

    (void)state;
    needs_server();
    proxy_start();
    address_make();
    model = (struct model){.node = 1};
    suite_open(&suite, &store_postgres, address, true);
    quiet(true);
    for (bool fired = true; fired; at++) {
        assert_true(at < POSITIONS_MAX);
        cut_at(at);
        workload_run(at);
        fired = proxy.fired;
        cut_never();
        if (!suite_is_as(&suite, &model))
            fail_msg("cut at message %llu: the contents are not those of the model",
                     (unsigned long long)at);
    }
    quiet(false);
    print_message("# %llu positions, %zu groups refused, %llu entries\n",
                  (unsigned long long)at - 2, refused, (unsigned long long)model.log_size);
    assert_true(at > 40); /* else the workload no longer reaches the server */
    suite_close(&suite);
    proxy_stop();
}

static void opening_that_is_cut_at_any_message_starts_again(void **state)
{
    uint64_t at = 1;

    (void)state;
    needs_server();
    proxy_start();
    quiet(true);
    for (bool fired = true; fired; at++) {
        struct engine_options options = {.address = address, .create = true};
        struct store_engine *engine = NULL;
        enum err e;

        assert_true(at < POSITIONS_MAX);
        address_make();
        cut_at(at);
        e = store_postgres.open(&options, &engine);
        fired = proxy.fired;
        cut_never();
        /* what the server sends at the end may be lost without harm */
        if (fired ? e != ERR_UNAVAILABLE && e != ERR_NONE : e != ERR_NONE)
            fail_msg("cut at message %llu: %s", (unsigned long long)at, err_code(e));
        store_postgres.close(&engine);
        assert_int_equal(store_postgres.open(&options, &engine), ERR_NONE);
        store_postgres.close(&engine);
    }
    quiet(false);
    print_message("# %llu positions\n", (unsigned long long)at - 2);
    proxy_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_is_cut_at_any_message_loses_nothing),
        cmocka_unit_test(opening_that_is_cut_at_any_message_starts_again),
    };
    int failed;

    server_there = postgres_start(&server);
    failed = crypto_start() == ERR_NONE
                 ? cmocka_run_group_tests_name("store/postgres_fault", tests, NULL, NULL)
                 : 1;
    postgres_stop(&server);
    return failed;
}
