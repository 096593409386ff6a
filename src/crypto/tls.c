#include "crypto/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "crypto/p256_openssl.h"

enum { CHAIN_MAX_COUNT = 8, FILE_MAX_SIZE = 64 * 1024, RSA_MIN_BITS = 2048, RSA_MAX_BITS = 8192 };

struct tls_server {
    BIO_METHOD *socket_method;

    pthread_mutex_t lock; /* guards the fields below; see tls_server_replace() */
    SSL_CTX *context;
    uint8_t spki_sha256[SHA256_SIZE];
    struct timestamp not_after;
    bool asks;
};

struct tls_stream {
    SSL *ssl;
    int fd;
    bool failed;          /* after a fatal error SSL_shutdown() must not be called */
    size_t turn_size;     /* bytes taken from the socket in this turn */
    unsigned key_updates; /* received since `data_size` was last 0 */
    size_t data_size;     /* application data received since then, bytes */
};

/* A socket BIO that never raises SIGPIPE; OpenSSL's own BIO uses write(2). */

static BIO *socket_bio_new(const BIO_METHOD *method, struct tls_stream *t)
{
    BIO *bio = BIO_new(method);

    if (!bio)
        return NULL;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}

static struct tls_stream *stream_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static bool is_retry(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int socket_write(BIO *bio, const char *data, int size)
{
    ssize_t put = send(stream_of(bio)->fd, data, (size_t)size, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (is_retry(put))
        BIO_set_retry_write(bio);
    return (int)put;
}

/*
 * SSL_read() continues as long as records without data come. So this BIO ends the turn: it reports
 * that the socket has no more bytes.
 */
static int socket_read(BIO *bio, char *out, int capacity)
{
    struct tls_stream *t = stream_of(bio);
    ssize_t got;

    BIO_clear_retry_flags(bio);
    if (t->key_updates > TLS_KEY_UPDATES_MAX)
        return -1;
    if (t->turn_size >= TLS_TURN_MAX_SIZE) {
        BIO_set_retry_read(bio);
        return -1;
    }
    got = recv(t->fd, out, (size_t)capacity, 0);
    if (got > 0)
        t->turn_size += (size_t)got;
    if (is_retry(got))
        BIO_set_retry_read(bio);
    else if (got == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)got;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *socket_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

    if (m && BIO_meth_set_write(m, socket_write) && BIO_meth_set_read(m, socket_read) &&
        BIO_meth_set_ctrl(m, socket_control))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/*
 * Counts the KeyUpdate messages of the peer. Each one makes us derive keys. One read from the
 * socket can bring hundreds, and no BIO stands between those. So beyond the limit the stream counts
 * as shut down: OpenSSL throws away the records that it has (ssl3_read_bytes() in rec_layer_s3.c).
 */
static void on_message(int written, int version, int content_type, const void *bytes, size_t size,
                       SSL *ssl, void *context)
{
    struct tls_stream *t = SSL_get_app_data(ssl);

    (void)version;
    (void)context;
    if (!written && t && content_type == SSL3_RT_HANDSHAKE && size > 0 &&
        *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE && ++t->key_updates > TLS_KEY_UPDATES_MAX)
        SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
}

/* The settings */

static bool context_configure(SSL_CTX *c)
{
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                               SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c, 1); /* one system call for each record instead of two */
    SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_msg_callback(c, on_message);
    return SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(c, 0) == 1 && SSL_CTX_set1_groups_list(c, "X25519:P-256") == 1;
}

static bool server_new(struct tls_server **out)
{
    struct tls_server *s = calloc(1, sizeof *s);

    if (!s)
        return false;
    (void)pthread_mutex_init(&s->lock, NULL);
    s->not_after.ms = INT64_MAX;
    s->context = SSL_CTX_new(TLS_server_method());
    s->socket_method = socket_method_new();
    if (!s->context || !s->socket_method || !context_configure(s->context)) {
        tls_server_free(&s);
        return false;
    }
    *out = s;
    return true;
}

void tls_server_free(struct tls_server **s)
{
    if (!*s)
        return;
    SSL_CTX_free((*s)->context);
    BIO_meth_free((*s)->socket_method);
    (void)pthread_mutex_destroy(&(*s)->lock);
    free(*s);
    *s = NULL;
}

static bool spki_digest(const X509 *leaf, uint8_t out[SHA256_SIZE])
{
    uint8_t *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);

    if (size <= 0)
        return false;
    sha256(span_of(der, (size_t)size), out);
    OPENSSL_free(der);
    return true;
}

static bool not_after_take(struct tls_server *s, const X509 *certificate)
{
    struct tm broken_down = {0};
    struct timestamp end;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &broken_down) != 1)
        return false;
    end = timestamp_of_seconds((int64_t)timegm(&broken_down));
    if (end.ms < s->not_after.ms)
        s->not_after = end;
    return true;
}

/* The first certificate is ours; the others lead to the root. */
static bool use_certificate(struct tls_server *s, X509 *certificate, unsigned index)
{
    if (!not_after_take(s, certificate))
        return false;
    if (index > 0)
        return SSL_CTX_add1_chain_cert(s->context, certificate) == 1;
    return SSL_CTX_use_certificate(s->context, certificate) == 1 &&
           spki_digest(certificate, s->spki_sha256);
}

static const char *use_chain(struct tls_server *s, struct span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    unsigned count = 0;
    bool good = bio != NULL;
    X509 *certificate;

    while (good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        good = count < CHAIN_MAX_COUNT && use_certificate(s, certificate, count);
        X509_free(certificate);
        count++;
    }
    /* only "no more PEM here" is the end; any other error is a malformed certificate */
    if (good && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        good = false;
    BIO_free(bio);
    if (count == 0)
        return "the chain file has no certificate in PEM";
    return good ? NULL : "a certificate of the chain is malformed, too weak, or one too many";
}

/* NULL, or a phrase that names the fault. Without a key it judges the chain only. */
static const char *use_credentials(struct tls_server *s, EVP_PKEY *key, struct span chain_pem)
{
    const char *wrong;

    if (chain_pem.size > FILE_MAX_SIZE)
        return "the chain is larger than 64 KiB";
    wrong = use_chain(s, chain_pem);
    if (wrong || !key)
        return wrong;
    if (SSL_CTX_use_PrivateKey(s->context, key) != 1 || SSL_CTX_check_private_key(s->context) != 1)
        return "the private key is not the one of the first certificate";
    return NULL;
}

MUST_CHECK static enum err server_from(EVP_PKEY *key, struct span chain_pem, const char **wrong,
                                       struct tls_server **out)
{
    struct tls_server *s = NULL;

    *wrong = "out of memory";
    if (!server_new(&s))
        return ERR_MEMORY;
    ERR_clear_error();
    *wrong = use_credentials(s, key, chain_pem);
    ERR_clear_error();
    if (*wrong) {
        tls_server_free(&s);
        return ERR_CONFIG;
    }
    *out = s;
    return ERR_NONE;
}

enum err tls_server_new(const struct p256_private *key, struct span chain_pem,
                        struct tls_server **out)
{
    const char *wrong;
    EVP_PKEY *made = NULL;
    enum err e = p256_openssl_key(key, &made);

    if (e == ERR_NONE)
        e = server_from(made, chain_pem, &wrong, out);
    EVP_PKEY_free(made);
    return e == ERR_CRYPTO ? ERR_CONFIG : e;
}

/* Reads without stdio, whose buffers are not wiped. */
MUST_CHECK static enum err pem_read(const char *path, enum file_trust trust, struct secret **out,
                                    char why[FILE_WHY_SIZE])
{
    struct secret *s = NULL;
    int fd = -1;
    size_t size = 0;
    ssize_t got = -1;
    enum err e = file_open_trusted(path, trust, &fd, why);

    if (e != ERR_NONE)
        return e;
    if ((e = secret_new(FILE_MAX_SIZE, &s)) == ERR_NONE)
        while ((got = read(fd, secret_data(s) + size, FILE_MAX_SIZE - size)) > 0)
            size += (size_t)got;
    (void)close(fd);
    if (e == ERR_NONE && (got != 0 || size == FILE_MAX_SIZE)) {
        e = got == 0 ? ERR_TOO_LARGE : ERR_IO;
        secret_free(&s);
    }
    if (e != ERR_NONE) {
        (void)snprintf(why, FILE_WHY_SIZE, "%s",
                       e == ERR_TOO_LARGE ? "it is larger than 64 KiB" : err_text(e));
        return e;
    }
    secret_shrink(s, size);
    *out = s;
    return ERR_NONE;
}

/* Prevents a prompt for the password of an encrypted key. */
static int no_password(char *out, int capacity, int writing, void *context)
{
    (void)out;
    (void)capacity;
    (void)writing;
    (void)context;
    return -1;
}

static EVP_PKEY *key_parse(struct span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return key;
}

/* Allows keys that all TLS 1.3 clients support, and RSA that is neither weak nor so large that
 * it blocks the loop. */
static bool key_is_usable(const EVP_PKEY *key)
{
    char group[32];
    size_t size;
    int bits = EVP_PKEY_get_bits(key);

    if (EVP_PKEY_is_a(key, "RSA"))
        return bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
           (strcmp(group, SN_X9_62_prime256v1) == 0 || strcmp(group, SN_secp384r1) == 0);
}

MUST_CHECK static enum err key_load(const char *path, char why[TLS_WHY_SIZE], EVP_PKEY **out)
{
    char file_why[FILE_WHY_SIZE] = "";
    struct secret *pem = NULL;
    EVP_PKEY *key = NULL;
    const char *wrong = NULL;
    enum err e = pem_read(path, FILE_SECRET, &pem, file_why);

    if (e != ERR_NONE)
        wrong = file_why;
    else if ((key = key_parse(secret_span(pem))) == NULL)
        wrong = "is not an unencrypted private key in PEM";
    else if (!key_is_usable(key))
        wrong = "is not a P-256, P-384 or RSA key (2048 to 8192 bits)";
    secret_free(&pem);
    if (wrong) {
        (void)snprintf(why, TLS_WHY_SIZE, "%.500s", wrong);
        EVP_PKEY_free(key);
        return e == ERR_MEMORY ? e : ERR_CONFIG;
    }
    *out = key;
    return ERR_NONE;
}

/* `key` may be NULL: then a good chain gives a server that must not be used. */
MUST_CHECK static enum err chain_load(const char *path, EVP_PKEY *key, char why[TLS_WHY_SIZE],
                                      struct tls_server **out)
{
    char file_why[FILE_WHY_SIZE] = "";
    const char *wrong = file_why;
    struct secret *pem = NULL;
    enum err e = pem_read(path, FILE_INPUT, &pem, file_why);

    if (e == ERR_NONE)
        e = server_from(key, secret_span(pem), &wrong, out);
    secret_free(&pem);
    if (e == ERR_NONE)
        return e;
    (void)snprintf(why, TLS_WHY_SIZE, "%.500s", wrong);
    return e == ERR_MEMORY ? e : ERR_CONFIG;
}

enum err tls_server_from_files(const char *chain_file, const char *key_file,
                               struct tls_files_why *why, struct tls_server **out)
{
    struct tls_server *server = NULL;
    EVP_PKEY *key = NULL;
    enum err of_key = openssl_heap_start();
    enum err of_chain;

    *why = (struct tls_files_why){"", ""};
    if (of_key != ERR_NONE)
        (void)snprintf(why->key, sizeof why->key, "%s",
                       "there is no locked memory for the key; " SECRET_LIMIT_HINT);
    else
        of_key = key_load(key_file, why->key, &key);
    of_chain = chain_load(chain_file, key, why->chain, &server);
    EVP_PKEY_free(key);
    if (of_key == ERR_NONE && of_chain == ERR_NONE) {
        *out = server;
        return ERR_NONE;
    }
    tls_server_free(&server);
    return of_key == ERR_MEMORY || of_chain == ERR_MEMORY ? ERR_MEMORY : ERR_CONFIG;
}

void tls_server_spki_sha256(struct tls_server *s, uint8_t out[SHA256_SIZE])
{
    (void)pthread_mutex_lock(&s->lock);
    memcpy(out, s->spki_sha256, SHA256_SIZE);
    (void)pthread_mutex_unlock(&s->lock);
}

struct timestamp tls_server_not_after(struct tls_server *s)
{
    struct timestamp end;

    (void)pthread_mutex_lock(&s->lock);
    end = s->not_after;
    (void)pthread_mutex_unlock(&s->lock);
    return end;
}

void tls_server_replace(struct tls_server *s, struct tls_server **fresh)
{
    SSL_CTX *old;

    if (s->asks)
        tls_server_ask_certificate(*fresh);
    (void)pthread_mutex_lock(&s->lock);
    old = s->context;
    s->context = (*fresh)->context;
    memcpy(s->spki_sha256, (*fresh)->spki_sha256, SHA256_SIZE);
    s->not_after = (*fresh)->not_after;
    (void)pthread_mutex_unlock(&s->lock);
    (*fresh)->context = old; /* streams that use it have their own references */
    tls_server_free(fresh);
}

/* The reader of the certificate judges it: see the header. */
static int accept_any_certificate(X509_STORE_CTX *store, void *context)
{
    (void)store;
    (void)context;
    return 1;
}

void tls_server_ask_certificate(struct tls_server *s)
{
    s->asks = true;
    SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(s->context, accept_any_certificate, NULL);
    SSL_CTX_set_max_cert_list(s->context, TLS_CLIENT_CHAIN_MAX);
}

/* Streams */

static SSL *ssl_new(struct tls_server *s)
{
    SSL *ssl;

    (void)pthread_mutex_lock(&s->lock);
    ssl = SSL_new(s->context);
    (void)pthread_mutex_unlock(&s->lock);
    return ssl;
}

enum err tls_stream_new(struct tls_server *s, int fd, struct tls_stream **out)
{
    struct tls_stream *t = calloc(1, sizeof *t);
    SSL *ssl = ssl_new(s);
    BIO *bio = socket_bio_new(s->socket_method, t);

    if (!t || !ssl || !bio || SSL_set_app_data(ssl, t) != 1) {
        free(t);
        SSL_free(ssl);
        BIO_free(bio);
        ERR_clear_error();
        return ERR_MEMORY;
    }
    SSL_set_bio(ssl, bio, bio); /* the stream owns the only reference now */
    SSL_set_accept_state(ssl);
    t->ssl = ssl;
    t->fd = fd;
    *out = t;
    return ERR_NONE;
}

void tls_stream_begin_turn(struct tls_stream *t)
{
    t->turn_size = 0;
}

/* What the failed call waits for. Leaves the error queue empty for the next call on this thread. */
static enum tls_want want_of(struct tls_stream *t, int result)
{
    int error = SSL_get_error(t->ssl, result);

    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ)
        return TLS_WANT_READ;
    if (error == SSL_ERROR_WANT_WRITE)
        return TLS_WANT_WRITE;
    if (error == SSL_ERROR_ZERO_RETURN)
        return TLS_CLOSED;
    t->failed = true;
    return TLS_FAILED;
}

enum tls_want tls_stream_handshake(struct tls_stream *t)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(t->ssl);
    return result == 1 ? TLS_DONE : want_of(t, result);
}

enum tls_want tls_stream_read(struct tls_stream *t, void *out, size_t capacity, size_t *got)
{
    int result;

    ERR_clear_error();
    result = SSL_read_ex(t->ssl, out, capacity, got);
    if (t->key_updates > TLS_KEY_UPDATES_MAX) {
        t->failed = true; /* even if data follows them */
        return TLS_FAILED;
    }
    if (result != 1)
        return want_of(t, result);
    t->data_size += *got;
    if (t->data_size >= TLS_KEY_UPDATES_DATA_SIZE) {
        t->data_size = 0;
        t->key_updates = 0;
    }
    return TLS_DONE;
}

enum tls_want tls_stream_write(struct tls_stream *t, struct span bytes, size_t *put)
{
    int result;

    ERR_clear_error();
    result = SSL_write_ex(t->ssl, bytes.data, bytes.size, put);
    return result == 1 ? TLS_DONE : want_of(t, result);
}

enum err tls_stream_peer_certificate(const struct tls_stream *t, struct buffer *out)
{
    const X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    uint8_t *der = NULL;
    enum err e = ERR_MEMORY;
    int size;

    if (!certificate)
        return ERR_NOT_FOUND;
    size = i2d_X509(certificate, &der);
    if (size > 0)
        e = buffer_append(out, span_of(der, (size_t)size));
    OPENSSL_free(der);
    ERR_clear_error();
    return e;
}

/* OpenSSL wipes plaintext in a buffer when it is read, so a kept buffer has ciphertext only. */
void tls_stream_keep_buffers(struct tls_stream *t, bool keep)
{
    if (keep) {
        (void)SSL_clear_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS);
        return;
    }
    (void)SSL_set_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_free_buffers(t->ssl); /* fails while one is in use: then its last record frees it */
}

bool tls_stream_pending(const struct tls_stream *t)
{
    return SSL_has_pending(t->ssl) == 1;
}

void tls_stream_close(struct tls_stream **t)
{
    if (!*t)
        return;
    ERR_clear_error();
    if (!(*t)->failed && SSL_is_init_finished((*t)->ssl))
        (void)SSL_shutdown((*t)->ssl); /* best effort: one alert; no answer is awaited */
    ERR_clear_error();
    SSL_free((*t)->ssl);
    free(*t);
    *t = NULL;
}
