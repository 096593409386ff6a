#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/random.h"
#include "crypto/tls.h"
#include "support/allocations.h"

enum { PATH_SIZE = 64, WAIT_MS = 20000 };

/* A directory with a chain and a key; the keys and certificates are OpenSSL's, not ours. */
struct fixture {
    char directory[PATH_SIZE];
    char chain[PATH_SIZE + 16];
    char key[PATH_SIZE + 16];
    struct tls_files_why why;
    struct tls_server *server;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_int_equal(crypto_start(), ERR_NONE);
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/vouchsafe-tls-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    (void)snprintf(f->chain, sizeof f->chain, "%s/chain.pem", f->directory);
    (void)snprintf(f->key, sizeof f->key, "%s/key.pem", f->directory);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_server_free(&f->server);
    (void)unlink(f->chain);
    (void)unlink(f->key);
    (void)rmdir(f->directory);
    free(f);
    return 0;
}

static EVP_PKEY *key_new(const char *kind, const char *group, size_t bits)
{
    EVP_PKEY *key = strcmp(kind, "RSA") == 0  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits)
                    : strcmp(kind, "EC") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", group)
                                              : EVP_PKEY_Q_keygen(NULL, NULL, kind);

    assert_non_null(key);
    return key;
}

static X509 *certificate_new(EVP_PKEY *key)
{
    X509 *c = X509_new();
    X509_NAME *name = X509_NAME_new();
    bool no_digest = EVP_PKEY_is_a(key, "ED25519");

    assert_int_equal(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"h", -1, -1, 0), 1);
    assert_int_equal(X509_set_version(c, X509_VERSION_3), 1);
    assert_int_equal(X509_set_subject_name(c, name), 1);
    assert_int_equal(X509_set_issuer_name(c, name), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(c), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(c), 3600));
    assert_int_equal(X509_set_pubkey(c, key), 1);
    assert_true(X509_sign(c, key, no_digest ? NULL : EVP_sha256()) > 0);
    X509_NAME_free(name);
    return c;
}

static void write_key(const struct fixture *f, EVP_PKEY *key, const char *password)
{
    FILE *file = fopen(f->key, "w");

    assert_non_null(file);
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, password ? EVP_aes_256_cbc() : NULL,
                                               password, password ? (int)strlen(password) : 0, NULL,
                                               NULL),
                     1);
    assert_int_equal(fclose(file), 0);
}

/* `count` times the same certificate. */
static void write_chain(const struct fixture *f, EVP_PKEY *key, unsigned count)
{
    FILE *file = fopen(f->chain, "w");
    X509 *c = certificate_new(key);

    assert_non_null(file);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(PEM_write_X509(file, c), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(c);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

MUST_CHECK static enum err load(struct fixture *f)
{
    return tls_server_from_files(f->chain, f->key, &f->why, &f->server);
}

/* `file` is the faulty one. */
static void assert_refused(struct fixture *f, const char *file, const char *reason)
{
    const char *why;

    assert_int_equal(load(f), ERR_CONFIG);
    assert_null(f->server);
    why = file == f->key ? f->why.key : f->why.chain;
    if (!strstr(why, reason))
        fail_msg("%s: \"%s\" does not say \"%s\"", file, why, reason);
}

static void assert_spki(const struct fixture *f, const EVP_PKEY *key)
{
    uint8_t expected[SHA256_SIZE];
    uint8_t found[SHA256_SIZE];
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);

    assert_true(size > 0);
    sha256(span_of(der, (size_t)size), expected);
    tls_server_spki_sha256(f->server, found);
    assert_memory_equal(found, expected, sizeof found);
    OPENSSL_free(der);
}

/* A certificate that replaces another while serving. */
static void a_certificate_is_replaced(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *first = key_new("EC", "P-256", 0);
    EVP_PKEY *second = key_new("EC", "P-384", 0);
    struct tls_server *live;
    int64_t now_s = (int64_t)time(NULL);
    int64_t left_s;

    write_key(f, first, NULL);
    write_chain(f, first, 1);
    assert_int_equal(load(f), ERR_NONE);
    assert_spki(f, first);
    left_s = timestamp_seconds(tls_server_not_after(f->server)) - now_s;
    assert_in_range(left_s, 3500, 3700); /* of certificate_new() */
    live = f->server;
    f->server = NULL;

    write_key(f, second, NULL);
    write_chain(f, second, 2);
    assert_int_equal(load(f), ERR_NONE);
    tls_server_replace(live, &f->server);
    assert_null(f->server);
    f->server = live;
    assert_spki(f, second);
    EVP_PKEY_free(first);
    EVP_PKEY_free(second);
}

static void keys_of_known_strength_are_taken(void **state)
{
    static const struct {
        const char *kind, *group;
        size_t bits;
        bool good;
    } cases[] = {
        {"EC",      "P-256",     0,    true },
        {"EC",      "P-384",     0,    true },
        {"RSA",     NULL,        2048, true },
        {"RSA",     NULL,        1024, false},
        {"RSA",     NULL,        2047, false},
        {"EC",      "P-521",     0,    false},
        {"EC",      "P-224",     0,    false},
        {"EC",      "secp256k1", 0,    false},
        {"ED25519", NULL,        0,    false},
        {"ED448",   NULL,        0,    false},
        {"X25519",  NULL,        0,    false},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EVP_PKEY *key = key_new(cases[i].kind, cases[i].group, cases[i].bits);

        write_key(f, key, NULL);
        if (cases[i].good) {
            write_chain(f, key, 1);
            assert_int_equal(load(f), ERR_NONE);
            assert_spki(f, key);
            tls_server_free(&f->server);
        } else {
            assert_refused(f, f->key, "is not a P-256, P-384 or RSA key");
        }
        EVP_PKEY_free(key);
    }
}

/* Both ends of a connection after the handshake; `*client` owns its socket. */
static void connect_pair(struct fixture *f, SSL_CTX *context, struct tls_stream **stream,
                         SSL **client, int fds[2])
{
    enum tls_want want = TLS_WANT_READ;
    int done = 0;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(tls_stream_new(f->server, fds[0], stream), ERR_NONE);
    *client = SSL_new(context);
    assert_int_equal(SSL_set_fd(*client, fds[1]), 1);
    SSL_set_connect_state(*client);
    for (int step = 0; step < 100 && (want != TLS_DONE || done != 1); step++) {
        done = SSL_do_handshake(*client);
        tls_stream_begin_turn(*stream);
        want = tls_stream_handshake(*stream);
    }
    assert_int_equal(want, TLS_DONE);
    assert_int_equal(done, 1);
}

/* A server's stream and a client whose bytes wait in `sent` until pair_send(). */
struct pair {
    SSL_CTX *context;
    struct tls_stream *stream;
    SSL *client;
    BIO *sent;
    int fds[2];
};

static void pair_open(struct fixture *f, struct pair *p)
{
    EVP_PKEY *key = key_new("EC", "P-256", 0);

    write_key(f, key, NULL);
    write_chain(f, key, 1);
    EVP_PKEY_free(key);
    assert_int_equal(load(f), ERR_NONE);
    p->context = SSL_CTX_new(TLS_client_method());
    connect_pair(f, p->context, &p->stream, &p->client, p->fds);
    p->sent = BIO_new(BIO_s_mem());
    SSL_set0_wbio(p->client, p->sent); /* the client owns it now */
}

static void pair_send(struct pair *p)
{
    char *bytes;
    long size = BIO_get_mem_data(p->sent, &bytes);

    assert_int_equal(write(p->fds[1], bytes, (size_t)size), size);
    assert_int_equal(BIO_reset(p->sent), 1);
}

static void pair_close(struct fixture *f, struct pair *p)
{
    SSL_free(p->client);
    tls_stream_close(&p->stream);
    (void)close(p->fds[0]);
    (void)close(p->fds[1]);
    tls_server_free(&f->server);
    SSL_CTX_free(p->context);
}

/* One byte of data a record: 65536 bytes from the socket hold less than 3000 of those. */
static void one_turn_takes_a_bounded_part_of_the_input(void **state)
{
    struct fixture *f = *state;
    enum { RECORDS = 7000 };
    unsigned received = 0;
    struct pair p;

    pair_open(f, &p);
    for (int i = 0; i < RECORDS; i++)
        assert_int_equal(SSL_write(p.client, "a", 1), 1);
    pair_send(&p);
    for (unsigned turn = 0; turn < 10 && received < RECORDS; turn++) {
        uint8_t byte[1];
        size_t got;
        unsigned before = received;

        tls_stream_begin_turn(p.stream);
        while (tls_stream_read(p.stream, byte, 1, &got) == TLS_DONE)
            received++;
        assert_true(received > before);
        assert_true(received - before <= (TLS_TURN_MAX_SIZE + 17000) / 23);
    }
    assert_int_equal(received, RECORDS);
    pair_close(f, &p);
}

/* The most memory that the stream allocates to read one byte, sent by the client, and to answer. */
static size_t exchange_peak(struct pair *p)
{
    uint8_t byte = 0;
    size_t size = 0;
    char answer;

    assert_int_equal(SSL_write(p->client, "a", 1), 1);
    pair_send(p);
    tls_stream_begin_turn(p->stream);
    allocations_begin();
    assert_int_equal(tls_stream_read(p->stream, &byte, 1, &size), TLS_DONE);
    assert_int_equal(byte, 'a');
    assert_int_equal(tls_stream_write(p->stream, SPAN_LITERAL("b"), &size), TLS_DONE);
    size = allocations_end().peak;
    assert_int_equal(SSL_read(p->client, &answer, 1), 1);
    assert_int_equal(answer, 'b');
    return size;
}

static void buffers_are_kept_as_long_as_wanted(void **state)
{
    enum { RECORD = 16384 };
    struct fixture *f = *state;
    struct pair p;

    pair_open(f, &p);
    assert_true(exchange_peak(&p) >= RECORD);
    assert_true(exchange_peak(&p) >= RECORD);
    tls_stream_keep_buffers(p.stream, true);
    assert_true(exchange_peak(&p) >= RECORD); /* it has none yet */
    assert_true(exchange_peak(&p) < RECORD);
    assert_true(exchange_peak(&p) < RECORD);
    tls_stream_keep_buffers(p.stream, false);
    assert_true(exchange_peak(&p) >= RECORD);
    assert_true(exchange_peak(&p) >= RECORD);
    pair_close(f, &p);
}

/* Half a record is in the buffer. */
static void buffers_in_use_are_given_back_later(void **state)
{
    struct fixture *f = *state;
    struct pair p;
    uint8_t two[2] = {0};
    size_t size = 0;

    pair_open(f, &p);
    tls_stream_keep_buffers(p.stream, true);
    assert_int_equal(SSL_write(p.client, "ab", 2), 2);
    pair_send(&p);
    tls_stream_begin_turn(p.stream);
    assert_int_equal(tls_stream_read(p.stream, two, 1, &size), TLS_DONE);
    tls_stream_keep_buffers(p.stream, false);
    assert_int_equal(tls_stream_read(p.stream, two + 1, 1, &size), TLS_DONE);
    assert_memory_equal(two, "ab", 2);
    assert_true(exchange_peak(&p) >= 16384);
    pair_close(f, &p);
}

static void count_key_updates(int written, int version, int content_type, const void *bytes,
                              size_t size, SSL *ssl, void *context)
{
    unsigned *count = context;

    (void)version;
    (void)ssl;
    if (!written && content_type == SSL3_RT_HANDSHAKE && size > 0 &&
        *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE)
        ++*count;
}

/* Each processed KeyUpdate is answered with one, so the client sees how many were processed. The
 * one that is too many gets no answer. All of them reach the server in one piece. */
static void key_updates_beyond_the_limit_are_not_processed(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[16];
    unsigned answered = 0;
    size_t got = 0;
    struct pair p;

    pair_open(f, &p);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(p.client), 1);
    }
    assert_int_equal(SSL_write(p.client, "data", 4), 4);
    pair_send(&p);
    tls_stream_begin_turn(p.stream);
    assert_int_equal(tls_stream_read(p.stream, bytes, sizeof bytes, &got), TLS_FAILED);
    assert_int_equal(tls_stream_read(p.stream, bytes, sizeof bytes, &got), TLS_FAILED);
    SSL_set_msg_callback(p.client, count_key_updates);
    SSL_set_msg_callback_arg(p.client, &answered);
    assert_true(SSL_read(p.client, bytes, sizeof bytes) <= 0);
    assert_int_equal(answered, TLS_KEY_UPDATES_MAX);
    pair_close(f, &p);
}

/* errno of the read before says that the socket was empty. */
static void an_end_behind_an_empty_socket_is_seen(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[2];
    size_t got = 0;
    struct pair p;

    pair_open(f, &p);
    assert_int_equal(SSL_write(p.client, "abc", 3), 3);
    pair_send(&p);
    tls_stream_begin_turn(p.stream);
    assert_int_equal(tls_stream_read(p.stream, bytes, sizeof bytes, &got), TLS_DONE);
    assert_true(tls_stream_pending(p.stream));
    assert_int_equal(tls_stream_read(p.stream, bytes, sizeof bytes, &got), TLS_DONE);
    assert_false(tls_stream_pending(p.stream));
    assert_int_equal(tls_stream_read(p.stream, bytes, sizeof bytes, &got), TLS_WANT_READ);
    assert_int_equal(shutdown(p.fds[1], SHUT_WR), 0);
    errno = EAGAIN;
    assert_int_equal(tls_stream_read(p.stream, bytes, sizeof bytes, &got), TLS_CLOSED);
    pair_close(f, &p);
}

static void files_that_do_not_belong_together(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = key_new("EC", "P-256", 0);
    EVP_PKEY *other = key_new("EC", "P-256", 0);
    EVP_PKEY *larger = key_new("EC", "P-384", 0);

    write_key(f, key, NULL);
    write_chain(f, other, 1);
    assert_refused(f, f->chain, "not the one of the first certificate");
    write_chain(f, larger, 1);
    assert_refused(f, f->chain, "not the one of the first certificate");
    write_chain(f, key, 8);
    assert_int_equal(load(f), ERR_NONE);
    tls_server_free(&f->server);
    write_chain(f, key, 9);
    assert_refused(f, f->chain, "one too many");
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(larger);
}

static void files_that_cannot_be_used(void **state)
{
    static const char *const texts[] = {"", "no PEM", "-----BEGIN PRIVATE KEY-----\n",
                                        ("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                                         "-----END PRIVATE KEY-----\n")};
    struct fixture *f = *state;
    EVP_PKEY *key = key_new("EC", "P-256", 0);
    static char large[64 * 1024 + 1];

    assert_refused(f, f->key, "no such file");
    assert_non_null(strstr(f->why.chain, "no such file")); /* one fault does not hide the other */
    write_text(f->chain, "whatever");
    assert_refused(f, f->chain, "no certificate in PEM");
    write_text(f->key, "whatever");
    assert_refused(f, f->key, "is not an unencrypted private key");
    assert_non_null(strstr(f->why.chain, "no certificate in PEM"));
    write_chain(f, key, 1);
    assert_refused(f, f->key, "is not an unencrypted private key");
    assert_string_equal(f->why.chain, ""); /* nothing is wrong with it, so nothing is said */
    assert_int_equal(unlink(f->chain), 0);
    assert_int_equal(chmod(f->key, 0604), 0);
    assert_refused(f, f->key, "every user may read it (mode 0604); run chmod 600");
    assert_int_equal(chmod(f->key, 0600), 0);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        write_text(f->key, texts[i]);
        assert_refused(f, f->key, "is not an unencrypted private key");
    }
    write_key(f, key, NULL);
    assert_refused(f, f->chain, "no such file");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        write_text(f->chain, texts[i]);
        assert_refused(f, f->chain, "no certificate in PEM");
    }
    write_chain(f, key, 1);
    assert_int_equal(truncate(f->chain, 200), 0);
    assert_refused(f, f->chain, "cert");
    memset(large, '\n', sizeof large - 1);
    write_text(f->chain, large);
    assert_refused(f, f->chain, "larger than 64 KiB");
    assert_int_equal(unlink(f->chain), 0);
    assert_int_equal(mkfifo(f->chain, 0600), 0); /* there is no writer, so the read must not wait */
    assert_refused(f, f->chain, "not a regular file");
    assert_int_equal(unlink(f->chain), 0);
    assert_int_equal(mkdir(f->chain, 0700), 0);
    assert_refused(f, f->chain, "not a regular file");
    assert_int_equal(rmdir(f->chain), 0);
    EVP_PKEY_free(key);
}

/* On its own terminal, because OpenSSL asks for passwords on the controlling terminal. */
static _Noreturn void load_on_terminal(struct fixture *f, const char *terminal)
{
    int fd;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(WAIT_MS / 1000);
    if (setsid() < 0 || (fd = open(terminal, O_RDWR)) < 0 || ioctl(fd, TIOCSCTTY, 0) != 0)
        _exit(2);
    _exit(load(f) == ERR_CONFIG && strstr(f->why.key, "unencrypted") ? 0 : 1);
}

static void encrypted_keys_are_refused_without_asking(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = key_new("EC", "P-256", 0);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct pollfd asked = {terminal, POLLIN, 0};
    char name[64];
    int status;
    pid_t child;

    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0 ||
        ptsname_r(terminal, name, sizeof name) != 0) {
        print_message("SKIPPED: no terminals here\n");
        EVP_PKEY_free(key);
        skip();
    }
    write_key(f, key, "password");
    write_chain(f, key, 1);
    EVP_PKEY_free(key); /* before the fork: the child ends without cleaning up */
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        load_on_terminal(f, name);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(poll(&asked, 1, 0) == 1 && (asked.revents & POLLIN), 0);
    close(terminal);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_turn_takes_a_bounded_part_of_the_input),
        TEST(buffers_are_kept_as_long_as_wanted),
        TEST(buffers_in_use_are_given_back_later),
        TEST(key_updates_beyond_the_limit_are_not_processed),
        TEST(an_end_behind_an_empty_socket_is_seen),
        TEST(a_certificate_is_replaced),
        TEST(keys_of_known_strength_are_taken),
        TEST(files_that_do_not_belong_together),
        TEST(files_that_cannot_be_used),
        TEST(encrypted_keys_are_refused_without_asking),
    };

    (void)umask(0077); /* key files must not be readable by all */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
