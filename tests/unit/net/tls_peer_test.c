/*
 * What a TLS peer may send behind its handshake, or within it, without sending a request: records
 * of every kind, in numbers. The server ends such a connection, and another client on the same loop
 * is served meanwhile. The records are made here: OpenSSL's client does not send them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "base/writer.h"
#include "certificate.h"
#include "crypto/aead.h"
#include "crypto/mac.h"
#include "net/http_server.h"

enum { FLOOD = 5000, TEST_MAX_S = 120 };
enum { TYPE_CCS = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_DATA = 23 };

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static struct tls_server *tls;
static struct http_server *server;
static struct buffer server_pem;
static SSL_CTX *context;
static char secret_hex[2 * HMAC_SHA256_SIZE + 1]; /* of the last handshake's client */
static unsigned tickets;

static void handle(void *unused, struct http_exchange *x)
{
    const struct http_reply reply = {
        .status = 200, .content_type = "text/plain", .body = SPAN_LITERAL("served")};

    (void)unused;
    http_exchange_reply(x, &reply);
}

static unsigned admit(void *unused, const struct http_request *r, size_t body_size,
                      struct http_owner *owner, struct http_reply *reply)
{
    (void)unused;
    (void)r;
    (void)body_size;
    (void)owner;
    (void)reply;
    return 0;
}

/* The secret of what the client sends; SSLKEYLOGFILE's format. */
static void on_secret(const SSL *ssl, const char *line)
{
    static const char label[] = "CLIENT_TRAFFIC_SECRET_0 ";

    (void)ssl;
    if (strncmp(line, label, sizeof label - 1) == 0)
        (void)snprintf(secret_hex, sizeof secret_hex, "%s", strrchr(line, ' ') + 1);
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    (void)session;
    tickets++;
    return 0;
}

/* One loop, so that a connection that keeps it busy keeps it from all. */
static int open_server(void **state)
{
    const struct http_handler handler = {.admit = admit, .handle = handle};
    const struct http_server_options options = {
        .host = "127.0.0.1",
        .loops = 1,
        .body_max = 1 << 16,
        .connections_max = 16,
        .head_timeout_ms = 60000,
        .request_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .handshake_timeout_ms = 60000,
    };
    struct http_server_options with_tls = options;

    (void)state;
    certificate_server(&tls, &server_pem);
    with_tls.tls = tls;
    context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_set_ciphersuites(context, "TLS_CHACHA20_POLY1305_SHA256"), 1);
    SSL_CTX_set_keylog_callback(context, on_secret);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context, on_ticket);
    return http_server_start(&with_tls, &handler, &server) == ERR_NONE ? 0 : -1;
}

static int close_server(void **state)
{
    (void)state;
    http_server_stop(&server, 2000);
    tls_server_free(&tls);
    buffer_clear(&server_pem);
    SSL_CTX_free(context);
    return 0;
}

/*
 * The client.
 */

/* One direction of a connection, behind the handshake. */
struct peer {
    SSL *ssl;
    int fd;
    uint8_t key[AEAD_KEY_SIZE], iv[AEAD_NONCE_SIZE];
    uint64_t sequence;
};

static int dial(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(http_server_port(server)),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* HKDF-Expand-Label of RFC 8446 section 7.1, with an empty context. */
static void expand(const uint8_t secret[HMAC_SHA256_SIZE], const char *label, uint8_t *out,
                   size_t size)
{
    uint8_t bytes[64];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct span info;

    writer_u16be(&w, (uint16_t)size);
    writer_u8(&w, (uint8_t)(strlen("tls13 ") + strlen(label)));
    writer_put(&w, SPAN_LITERAL("tls13 "));
    writer_put(&w, span_string(label));
    writer_u8(&w, 0);
    assert_int_equal(writer_finish(&w, &info), ERR_NONE);
    assert_int_equal(hkdf_sha256_expand(secret, info, out, size), ERR_NONE);
}

static struct peer peer_open(void)
{
    struct peer p = {.ssl = SSL_new(context), .fd = dial()};
    uint8_t secret[HMAC_SHA256_SIZE];

    assert_int_equal(SSL_set_fd(p.ssl, p.fd), 1);
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_int_equal(hex_read(span_string(secret_hex), secret, sizeof secret), ERR_NONE);
    expand(secret, "key", p.key, sizeof p.key);
    expand(secret, "iv", p.iv, sizeof p.iv);
    return p;
}

static void peer_close(struct peer *p)
{
    SSL_set_quiet_shutdown(p->ssl, 1);
    SSL_free(p->ssl);
    close(p->fd);
}

/* False when the server has ended the connection. */
static bool send_all(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        const ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes = span_slice(bytes, (size_t)sent, bytes.size);
    }
    return true;
}

/* TLSCiphertext of RFC 8446 section 5.2: `content`, its type, zeros as padding. */
static bool peer_send(struct peer *p, uint8_t type, struct span content, size_t padding)
{
    uint8_t plain[1024] = {0}, record[5 + sizeof plain + AEAD_TAG_SIZE], nonce[AEAD_NONCE_SIZE];
    const size_t size = content.size + 1 + padding;
    const size_t sealed = size + AEAD_TAG_SIZE;

    assert_true(size <= sizeof plain);
    if (content.size > 0)
        memcpy(plain, content.data, content.size);
    plain[content.size] = type;
    memcpy(record, (const uint8_t[]){TYPE_DATA, 3, 3}, 3);
    record[3] = (uint8_t)(sealed >> 8);
    record[4] = (uint8_t)sealed;
    memcpy(nonce, p->iv, sizeof nonce);
    for (size_t i = 0; i < 8; i++)
        nonce[sizeof nonce - 1 - i] ^= (uint8_t)(p->sequence >> 8 * i);
    p->sequence++;
    aead_seal(AEAD_CHACHA20_POLY1305, p->key, nonce, span_of(record, 5), span_of(plain, size),
              record + 5);
    return send_all(p->fd, span_of(record, 5 + sealed));
}

/* Until the server has ended the connection; it sends nothing but alerts. */
static void assert_ended(int fd)
{
    uint8_t bytes[256];
    size_t received = 0;
    ssize_t got;

    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        received += (size_t)got;
    assert_true(got == 0 || errno == ECONNRESET);
    assert_true(received < sizeof bytes);
}

static void assert_served(struct peer *p)
{
    char answer[512];
    int size;

    assert_int_equal(SSL_write(p->ssl, GET, sizeof GET - 1), sizeof GET - 1);
    size = SSL_read(p->ssl, answer, sizeof answer - 1);
    assert_in_range(size, 1, sizeof answer - 1);
    answer[size] = '\0';
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
}

static uint64_t handled(void)
{
    struct http_figures figures;

    http_server_figures(server, &figures);
    return figures.requests;
}

/*
 * Behind the handshake.
 */

/* The records that this file makes are read as OpenSSL's are. */
static void records_made_here_are_served(void **state)
{
    struct peer p = peer_open();
    char answer[512] = "";

    (void)state;
    assert_true(peer_send(&p, TYPE_DATA, SPAN_LITERAL(GET), 100));
    assert_in_range(SSL_read(p.ssl, answer, sizeof answer - 1), 1, sizeof answer);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    peer_close(&p);
}

static const struct flood {
    const char *name;
    uint8_t type;
    struct span content;
    size_t padding;
} floods[] = {
    {"empty data",             TYPE_DATA,      {(const uint8_t *)"", 0},                             0  },
    {"empty data, padded",     TYPE_DATA,      {(const uint8_t *)"", 0},                             900},
    {"warnings",               TYPE_ALERT,     {(const uint8_t *)"\x01\x5a", 2},                     0  }, /* user_canceled */
    {"other warnings",         TYPE_ALERT,     {(const uint8_t *)"\x01\x64", 2},                     0  }, /* no_renegotiation */
    {"half an alert",          TYPE_ALERT,     {(const uint8_t *)"\x01", 1},                         0  },
    {"HelloRequest",           TYPE_HANDSHAKE, {(const uint8_t *)"\x00\x00\x00\x00", 4},             0  },
    {"ClientHello",            TYPE_HANDSHAKE, {(const uint8_t *)"\x01\x00\x00\x02\x03\x03", 6},     0  },
    {"NewSessionTicket",       TYPE_HANDSHAKE, {(const uint8_t *)"\x04\x00\x00\x02\x00\x00", 6},     0  },
    {"CertificateRequest",     TYPE_HANDSHAKE, {(const uint8_t *)"\x0d\x00\x00\x03\x00\x00\x00", 7}, 0  },
    {"empty handshake",        TYPE_HANDSHAKE, {(const uint8_t *)"", 0},                             0  },
    {"KeyUpdate of no kind",   TYPE_HANDSHAKE, {(const uint8_t *)"\x18\x00\x00\x01\x02", 5},         0  },
    {"change cipher spec",     TYPE_CCS,       {(const uint8_t *)"\x01", 1},                         0  },
    {"an unknown type",        99,             {(const uint8_t *)"x", 1},                            0  },
    {"a line that never ends", TYPE_DATA,      {(const uint8_t *)"G", 1},                            0  }, /* byte by byte */
    {"empty lines",            TYPE_DATA,      {(const uint8_t *)"\r\n", 2},                         0  },
};

static void floods_end_the_connection_and_others_are_served(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(floods); i++) {
        struct peer flooding = peer_open();
        struct peer other = peer_open();
        const uint64_t before = handled();
        size_t sent = 0;

        while (sent < FLOOD * 4 &&
               peer_send(&flooding, floods[i].type, floods[i].content, floods[i].padding)) {
            if (sent++ % 500 == 0)
                assert_served(&other);
        }
        assert_ended(flooding.fd);
        assert_served(&other);
        if (handled() != before + (sent + 499) / 500 + 1) /* only those of `other` */
            fail_msg("%s became requests", floods[i].name);
        peer_close(&flooding);
        peer_close(&other);
    }
}

/* A record that does not authenticate ends the connection at once. */
static void a_forged_record_ends_the_connection(void **state)
{
    struct peer p = peer_open();

    (void)state;
    p.key[0] ^= 1;
    assert_true(peer_send(&p, TYPE_DATA, SPAN_LITERAL(GET), 0));
    assert_ended(p.fd);
    peer_close(&p);
}

/* TLS 1.3 has no renegotiation, and we resume no sessions: each handshake is a full one. */
static void nothing_is_renegotiated_or_resumed(void **state)
{
    struct peer p = peer_open();
    SSL_SESSION *session;
    SSL *again;

    (void)state;
    assert_string_equal(SSL_get_version(p.ssl), "TLSv1.3");
    assert_served(&p);
    assert_int_equal(SSL_renegotiate(p.ssl), 0);
    assert_int_equal(tickets, 0);
    session = SSL_get1_session(p.ssl);
    assert_int_equal(SSL_SESSION_is_resumable(session), 0);
    again = SSL_new(context);
    (void)SSL_set_session(again, session);
    assert_int_equal(SSL_set_fd(again, dial()), 1);
    assert_int_equal(SSL_connect(again), 1);
    assert_int_equal(SSL_session_reused(again), 0);
    close(SSL_get_fd(again));
    SSL_free(again);
    SSL_SESSION_free(session);
    peer_close(&p);
}

/*
 * Within the handshake.
 */

static void handshakes_that_do_not_go_on_are_ended(void **state)
{
    /* compatibility records, plain alerts, empty and overlong records: RFC 8446 section 5.1 */
    static const struct {
        struct span record;
        bool behind_hello;
    } cases[] = {
        {{(const uint8_t *)"\x14\x03\x03\x00\x01\x01", 6},     true },
        {{(const uint8_t *)"\x14\x03\x03\x00\x01\x01", 6},     false},
        {{(const uint8_t *)"\x15\x03\x03\x00\x02\x01\x5a", 7}, true },
        {{(const uint8_t *)"\x15\x03\x03\x00\x02\x01\x5a", 7}, false},
        {{(const uint8_t *)"\x16\x03\x03\x00\x00", 5},         false},
        {{(const uint8_t *)"\x17\x03\x03\x00\x00", 5},         true },
        {{(const uint8_t *)"\x16\x03\x01\xff\xff", 5},         false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer other = peer_open();
        SSL *ssl = SSL_new(context);
        int fd = dial();

        if (cases[i].behind_hello) {
            BIO *in = BIO_new(BIO_s_mem()); /* stays empty, so only the ClientHello is sent */

            SSL_set_connect_state(ssl);
            SSL_set0_rbio(ssl, in);
            SSL_set0_wbio(ssl, BIO_new_socket(fd, BIO_NOCLOSE));
            assert_int_equal(SSL_do_handshake(ssl), -1);
        }
        for (size_t sent = 0; sent < FLOOD && send_all(fd, cases[i].record); sent++)
            if (sent % 1000 == 0)
                assert_served(&other);
        while (recv(fd, (uint8_t[4096]){0}, 4096, 0) > 0) /* ServerHello, alerts; then its end */
            ;
        assert_served(&other);
        SSL_free(ssl);
        close(fd);
        peer_close(&other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_made_here_are_served),
        cmocka_unit_test(floods_end_the_connection_and_others_are_served),
        cmocka_unit_test(a_forged_record_ends_the_connection),
        cmocka_unit_test(nothing_is_renegotiated_or_resumed),
        cmocka_unit_test(handshakes_that_do_not_go_on_are_ended),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm(TEST_MAX_S);
    return cmocka_run_group_tests(tests, open_server, close_server);
}
