/* Which connection strings of PostgreSQL are taken, and that nothing goes out without TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/random.h"
#include "store/postgres/address.h"
#include "store/store_ops.h"
#include "support/caught_log.h"

enum { SOON_MS = 20000 };

static const struct {
    const char *text;
    enum err expected;
    bool is_local;
} cases[] = {
    {"host=/run/postgresql",                                        ERR_NONE,   true },
    {"host=/run/postgresql sslmode=disable",                        ERR_NONE,   true },
    {"host=@abstract",                                              ERR_NONE,   true },
    {"host=/a,/b port=1,2",                                         ERR_NONE,   true },
    {"postgresql://%2Frun%2Fpostgresql/db",                         ERR_NONE,   true },
    {"host=db.example",                                             ERR_NONE,   false},
    {"host=db.example sslmode=verify-full",                         ERR_NONE,   false},
    {"host=db.example connect_timeout=1",                           ERR_NONE,   false},
    {"postgresql://u:SECRET@db.example:5432/d?sslmode=verify-full", ERR_NONE,   false},
    {"host=::1",                                                    ERR_NONE,   false},
 /* weaker than verify-full, on a network */
    {"host=db.example sslmode=disable",                             ERR_CONFIG, false},
    {"host=db.example sslmode=allow",                               ERR_CONFIG, false},
    {"host=db.example sslmode=prefer",                              ERR_CONFIG, false},
    {"host=db.example sslmode=require password=SECRET",             ERR_CONFIG, false},
    {"host=db.example sslmode=verify-ca",                           ERR_CONFIG, false},
    {"host=db.example sslmode=VERIFY-FULL",                         ERR_CONFIG, false},
    {"host=db.example sslmode=SECRET",                              ERR_CONFIG, false},
    {"postgresql://u:SECRET@db.example/d?sslmode=require",          ERR_CONFIG, false},
 /* one element on a network is enough */
    {"host=/run/postgresql,db.example sslmode=disable",             ERR_CONFIG, false},
    {"host=/run/postgresql hostaddr=192.0.2.1 sslmode=disable",     ERR_CONFIG, false},
 /* no host, or none that could be one */
    {"",                                                            ERR_CONFIG, false},
    {"dbname=d",                                                    ERR_CONFIG, false},
    {"hostaddr=192.0.2.1",                                          ERR_CONFIG, false},
    {"host=a,",                                                     ERR_CONFIG, false},
    {"host=,a",                                                     ERR_CONFIG, false},
    {"postgresql://u:SE@SECRET@db.example/d",                       ERR_CONFIG, false},
 /* settings that are elsewhere */
    {"host=/run/postgresql service=other",                          ERR_CONFIG, false},
 /* form */
    {"host",                                                        ERR_CONFIG, false},
    {"host=/a password='SECRET",                                    ERR_CONFIG, false},
    {"host=/a SECRET",                                              ERR_CONFIG, false},
    {"host=/a nonsense=SECRET",                                     ERR_CONFIG, false},
    {"postgresql://u:SECRET%@db/",                                  ERR_CONFIG, false},
    {"host=/a connect_timeout=0",                                   ERR_CONFIG, false},
    {"host=/a connect_timeout=-1",                                  ERR_CONFIG, false},
    {"host=/a connect_timeout=61",                                  ERR_CONFIG, false},
    {"host=/a connect_timeout=SECRET",                              ERR_CONFIG, false},
};

static void a_string_that_asks_for_less_than_verified_tls_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pg_address a = {0};
        enum err e;

        log_catch();
        e = pg_address_parse(cases[i].text, &a);
        log_read();
        if (e != cases[i].expected || (e == ERR_NONE && a.is_local != cases[i].is_local))
            fail_msg("%s: %s, local %d", cases[i].text, err_code(e), a.is_local);
        if (strstr(logged, "SECRET"))
            fail_msg("%s: the log shows a part of it: %s", cases[i].text, logged);
        assert_true(e == ERR_NONE || strstr(logged, "refused"));
        pg_address_clear(&a);
    }
}

static const char *value_of(const struct pg_address *a, const char *keyword)
{
    const char *found = NULL;

    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->keywords[i], keyword) == 0) {
            assert_null(found); /* once, so that the order does not matter */
            found = a->values[i];
        }
    return found;
}

static void the_environment_weakens_nothing(void **state)
{
    struct pg_address a = {0};

    (void)state;
    assert_int_equal(setenv("PGSSLMODE", "disable", 1), 0);
    assert_int_equal(setenv("PGGSSENCMODE", "require", 1), 0);
    assert_int_equal(pg_address_parse("host=db.example", &a), ERR_NONE);
    assert_string_equal(value_of(&a, "sslmode"), "verify-full");
    assert_string_equal(value_of(&a, "gssencmode"), "disable");
    assert_string_equal(value_of(&a, "target_session_attrs"), "read-write");
    assert_string_equal(value_of(&a, "host"), "db.example");
    pg_address_clear(&a);
    assert_int_equal(setenv("PGHOSTADDR", "192.0.2.1", 1), 0);
    assert_int_equal(pg_address_parse("host=/run/postgresql", &a), ERR_NONE);
    assert_false(a.is_local); /* libpq would go to the address */
    assert_string_equal(value_of(&a, "sslmode"), "verify-full");
    pg_address_clear(&a);
    assert_int_equal(unsetenv("PGHOSTADDR"), 0);
    assert_int_equal(setenv("PGSERVICE", "other", 1), 0);
    log_catch();
    assert_int_equal(pg_address_parse("host=db.example", &a), ERR_CONFIG);
    log_read();
    assert_int_equal(unsetenv("PGSERVICE"), 0);
    assert_int_equal(unsetenv("PGSSLMODE"), 0);
    assert_int_equal(unsetenv("PGGSSENCMODE"), 0);
}

/* A server that has no TLS: it answers the request for TLS with 'N', and keeps what comes then. */
struct plain_server {
    int socket;
    char first[8]; /* SSLRequest: u32 8 | u32 80877103 */
    ssize_t first_size, rest_size;
};

static void *plain_serve(void *argument)
{
    struct plain_server *s = argument;
    struct pollfd p = {.fd = s->socket, .events = POLLIN};
    char rest[512];
    int client;

    if (poll(&p, 1, SOON_MS) != 1 || (client = accept(s->socket, NULL, NULL)) < 0)
        return NULL;
    s->first_size = recv(client, s->first, sizeof s->first, MSG_WAITALL);
    if (send(client, "N", 1, MSG_NOSIGNAL) == 1)
        s->rest_size = recv(client, rest, sizeof rest, 0);
    (void)close(client);
    return NULL;
}

static void nothing_is_sent_to_a_server_without_tls(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct plain_server s = {.first_size = -1, .rest_size = -1};
    socklen_t size = sizeof at;
    struct store_engine *engine = NULL;
    char address[256];
    pthread_t thread;

    (void)state;
    s.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s.socket >= 0);
    assert_int_equal(bind(s.socket, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s.socket, 4), 0);
    assert_int_equal(getsockname(s.socket, (struct sockaddr *)&at, &size), 0);
    assert_int_equal(pthread_create(&thread, NULL, plain_serve, &s), 0);
    (void)snprintf(address, sizeof address,
                   "host=127.0.0.1 port=%d user=u password=SECRET dbname=d sslrootcert=%s",
                   ntohs(at.sin_port), "/etc/ssl/certs/ca-certificates.crt");
    log_catch();
    assert_int_equal(
        store_postgres.open(&(struct engine_options){.address = address, .create = true}, &engine),
        ERR_UNAVAILABLE);
    log_read();
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(s.socket);
    assert_null(engine);
    assert_int_equal(s.first_size, 8);
    assert_memory_equal(s.first, "\0\0\0\10\x04\xd2\x16\x2f", 8);
    assert_int_equal(s.rest_size, 0);
    assert_non_null(strstr(logged, "SSL"));
    assert_null(strstr(logged, "SECRET"));
}

/* Messages of libpq may quote what was taken for a host, a user or a database. */
static void no_message_shows_the_password(void **state)
{
    static const char *const addresses[] = {
        "host=/nowhere/SECRET user=u password=SECRET",
        "host=/nowhere user=SECRET password=SECRET",
    };
    struct store_engine *engine = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        const struct engine_options options = {.address = addresses[i], .create = true};

        log_catch();
        assert_int_equal(store_postgres.open(&options, &engine), ERR_UNAVAILABLE);
        log_read();
        assert_null(engine);
        assert_non_null(strstr(logged, "failed"));
        if (strstr(logged, "SECRET"))
            fail_msg("%s", logged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_that_asks_for_less_than_verified_tls_is_refused),
        cmocka_unit_test(the_environment_weakens_nothing),
        cmocka_unit_test(nothing_is_sent_to_a_server_without_tls),
        cmocka_unit_test(no_message_shows_the_password),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests_name("store/postgres_address", tests, NULL, NULL)
               : 1;
}
