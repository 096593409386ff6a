#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "certificate.h"
#include "net/http_client.h"
#include "net/http_server.h"

enum {
    PATIENCE_MS = 60000, /* for operations that must succeed, even on a busy machine */
    TEST_MAX_S = 240,    /* a test that hangs is ended by SIGALRM */
};

static _Atomic(struct http_exchange *) kept;

static void handle(void *context, struct http_exchange *x)
{
    const struct http_request *r = http_exchange_request(x);
    struct http_reply reply = {.status = 200,
                               .content_type = "text/plain",
                               .body = r->body,
                               .extra_headers = "X-Request-Id: id-1\r\nRetry-After: 7\r\n"};

    (void)context;
    if (span_equal_string(r->path, "/never")) {
        atomic_store(&kept, x);
        return;
    }
    if (span_equal_string(r->path, "/chain"))
        reply.extra_headers = "Issuer-Chain: a%20b\r\nissuer-chain:  c%0A \r\nX-Long: 12345\r\n";
    if (span_equal_string(r->path, "/redirect")) {
        reply.status = 302;
        reply.extra_headers = "Location: /never\r\n";
    }
    http_exchange_reply(x, &reply);
}

static void start(struct http_server **server, struct tls_server *tls, char url[64])
{
    const struct http_server_options options = {.host = "127.0.0.1",
                                                .loops = 1,
                                                .body_max = 1 << 20,
                                                .connections_max = 16,
                                                .head_timeout_ms = PATIENCE_MS,
                                                .request_timeout_ms = PATIENCE_MS,
                                                .idle_timeout_ms = PATIENCE_MS,
                                                .handshake_timeout_ms = PATIENCE_MS,
                                                .tls = tls};
    const struct http_handler handler = {.handle = handle};

    assert_int_equal(http_server_start(&options, &handler, server), ERR_NONE);
    (void)snprintf(url, 64, "%s://127.0.0.1:%u", tls ? "https" : "http",
                   (unsigned)http_server_port(*server));
}

MUST_CHECK static enum err send_to(const struct http_client_options *o, const char *path,
                                   size_t size, struct http_client_reply *reply)
{
    static uint8_t body[100000];
    struct http_client *c = NULL;
    char why[256];
    struct http_client_request r = {
        .method = "POST", .path = path, .body = {body, size}
    };
    enum err e;

    memset(body, 'x', sizeof body);
    assert_int_equal(http_client_new(o, &c), ERR_NONE);
    e = http_client_send(c, &r, reply, why);
    assert_int_equal(e == ERR_NONE, why[0] == '\0');
    http_client_free(&c);
    return e;
}

static void replies_limits_and_redirects(void **state)
{
    struct http_server *server = NULL;
    char url[64];
    struct http_client_options o = {.base_url = url, .timeout_ms = PATIENCE_MS, .body_max = 50000};
    struct http_client_reply reply;

    (void)state;
    start(&server, NULL, url);
    assert_int_equal(send_to(&o, "/", 50000, &reply), ERR_NONE);
    assert_int_equal(reply.status, 200);
    assert_int_equal(secret_size(reply.body), 50000);
    assert_int_equal(secret_data(reply.body)[49999], 'x');
    assert_string_equal(reply.request_id, "id-1");
    assert_int_equal(reply.retry_after_s, 7);
    secret_free(&reply.body);
    (void)snprintf(url + strlen(url), sizeof url - strlen(url), "//"); /* are not sent */
    assert_int_equal(send_to(&o, "/redirect", 1, &reply), ERR_NONE);
    assert_int_equal(reply.status, 302);
    secret_free(&reply.body);
    assert_int_equal(send_to(&o, "/", 50001, &reply), ERR_TOO_LARGE);
    assert_int_equal(send_to(&o, "no-slash", 1, &reply), ERR_MALFORMED);
    assert_int_equal(send_to(&o, "/a b", 1, &reply), ERR_MALFORMED);
    o.timeout_ms = 100;
    assert_int_equal(send_to(&o, "/never", 1, &reply), ERR_TIMEOUT);
    assert_non_null(atomic_load(&kept));
    http_server_stop(&server, 0);
    assert_int_equal(send_to(&o, "/", 1, &reply), ERR_IO);
}

static void headers_that_were_asked_for(void **state)
{
    struct http_server *server = NULL;
    struct http_client *c = NULL;
    char url[64];
    char why[256];
    struct http_client_options o = {.base_url = url, .timeout_ms = PATIENCE_MS};
    struct http_client_header wanted[] = {
        {"Issuer-Chain", {0}},
        {"X-Absent",     {0}}
    };
    struct http_client_request r = {
        .method = "GET", .path = "/chain", .wanted = wanted, .wanted_count = COUNT_OF(wanted)};
    struct http_client_reply reply;

    (void)state;
    start(&server, NULL, url);
    assert_int_equal(http_client_new(&o, &c), ERR_NONE);
    assert_int_equal(http_client_send(c, &r, &reply, why), ERR_NONE);
    assert_true(span_equal_string(buffer_span(&wanted[0].value), "c%0A"));
    assert_int_equal(wanted[1].value.size, 0);
    secret_free(&reply.body);
    buffer_clear(&wanted[0].value);
    http_client_free(&c);
    http_server_stop(&server, 0);
}

static void a_client_that_is_told_to_stop_stops(void **state)
{
    struct http_server *server = NULL;
    char url[64];
    _Atomic bool stop = true;
    struct http_client_options o = {.base_url = url, .timeout_ms = PATIENCE_MS, .stop = &stop};
    struct http_client_reply reply;

    (void)state;
    start(&server, NULL, url);
    assert_int_equal(send_to(&o, "/never", 1, &reply), ERR_UNAVAILABLE);
    atomic_store(&stop, false);
    assert_int_equal(send_to(&o, "/", 1, &reply), ERR_NONE);
    secret_free(&reply.body);
    http_server_stop(&server, 0);
}

static void only_the_pinned_key_is_trusted(void **state)
{
    struct http_server *server = NULL;
    struct tls_server *tls = NULL;
    struct buffer pem = {0};
    uint8_t pin[SHA256_SIZE];
    char url[64];
    struct http_client_options o = {.base_url = url, .timeout_ms = PATIENCE_MS};
    struct http_client_reply reply;

    (void)state;
    certificate_server(&tls, &pem);
    start(&server, tls, url);
    tls_server_spki_sha256(tls, pin);
    assert_int_equal(send_to(&o, "/", 1, &reply), ERR_IO); /* no CA knows it */
    o.spki_sha256 = pin;
    assert_int_equal(send_to(&o, "/", 3, &reply), ERR_NONE);
    assert_int_equal(secret_size(reply.body), 3);
    secret_free(&reply.body);
    pin[0] ^= 1;
    assert_int_equal(send_to(&o, "/", 1, &reply), ERR_IO);
    http_server_stop(&server, 0);
    tls_server_free(&tls);
    buffer_clear(&pem);
}

/* A file with `pem` in it; the caller unlinks it. */
static void file_with(const struct buffer *pem, char path[40])
{
    int fd;

    (void)snprintf(path, 40, "/tmp/vouchsafe-ca-test-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem->data, pem->size), pem->size);
    close(fd);
}

static void only_the_named_authority_is_trusted(void **state)
{
    static const struct {
        const char *host; /* in the certificate; the server is 127.0.0.1 */
        int64_t until_s;
        bool by_other;
        enum err expected;
    } cases[] = {
        {"127.0.0.1",   4000000000, false, ERR_NONE},
        {"127.0.0.1",   4000000000, true,  ERR_IO  }, /* of another authority */
        {"127.0.0.2",   4000000000, false, ERR_IO  }, /* for another server */
        {"example.org", 4000000000, false, ERR_IO  },
        {"127.0.0.1",   1700000001, false, ERR_IO  }, /* expired */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_server *server = NULL;
        struct tls_server *tls = NULL;
        struct buffer ca = {0};
        struct buffer other_ca = {0};
        char path[40];
        char url[64];
        struct http_client_options o = {
            .base_url = url, .ca_file = path, .timeout_ms = PATIENCE_MS};
        struct http_client_reply reply;

        certificate_server_of(cases[i].host, timestamp_of_seconds(cases[i].until_s), &tls, &ca);
        certificate_authority(&other_ca);
        file_with(cases[i].by_other ? &other_ca : &ca, path);
        start(&server, tls, url);
        assert_int_equal(send_to(&o, "/", 3, &reply), cases[i].expected);
        if (cases[i].expected == ERR_NONE) {
            assert_int_equal(secret_size(reply.body), 3);
            secret_free(&reply.body);
        }
        o.ca_file = NULL; /* the system's know none of these */
        assert_int_equal(send_to(&o, "/", 3, &reply), ERR_IO);
        o.ca_file = "/nonexistent/ca.pem";
        assert_int_equal(send_to(&o, "/", 3, &reply), ERR_IO);
        assert_int_equal(unlink(path), 0);
        http_server_stop(&server, 0);
        tls_server_free(&tls);
        buffer_clear(&ca);
        buffer_clear(&other_ca);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_limits_and_redirects),
        cmocka_unit_test(headers_that_were_asked_for),
        cmocka_unit_test(a_client_that_is_told_to_stop_stops),
        cmocka_unit_test(only_the_pinned_key_is_trusted),
        cmocka_unit_test(only_the_named_authority_is_trusted),
    };

    (void)alarm(TEST_MAX_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
