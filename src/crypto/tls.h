/*
 * TLS 1.3 over non-blocking sockets, server side. This is the only module that uses OpenSSL's SSL;
 * net/ sees a stream that wants to read or write.
 */
#ifndef CRYPTO_TLS_H
#define CRYPTO_TLS_H

#include "base/clock.h"
#include "crypto/hash.h"
#include "crypto/p256.h"

#define TLS_WHY_SIZE 512

struct tls_server; /* certificate and settings; shared by all threads */
struct tls_stream; /* one connection */

/* From a P-256 key and its chain in PEM (leaf first). ERR_CONFIG, ERR_MEMORY */
MUST_CHECK enum err tls_server_new(const struct p256_private *key, struct span chain_pem,
                                   struct tls_server **out);
/* What is wrong with each file; "" for a file without a fault. The texts do not name the file. */
struct tls_files_why {
    char key[TLS_WHY_SIZE];
    char chain[TLS_WHY_SIZE];
};
/*
 * The same from files of at most 64 KiB. The key is P-256, P-384 or RSA of 2048 to 8192 bits, and
 * not encrypted: there is no prompt for a password. Both files are judged, also when one has a
 * fault. ERR_CONFIG (`why` has at least one text); ERR_MEMORY
 */
MUST_CHECK enum err tls_server_from_files(const char *chain_file, const char *key_file,
                                          struct tls_files_why *why, struct tls_server **out);
/* SHA-256 of the leaf's SubjectPublicKeyInfo, which our evidence binds. Any thread may call it. */
void tls_server_spki_sha256(struct tls_server *s, uint8_t out[SHA256_SIZE]);
/* The earliest end of validity of all certificates in the chain. Any thread may call it. */
struct timestamp tls_server_not_after(struct tls_server *s);
/*
 * From now on new streams of `s` use the certificate and key of `fresh`, which is freed. Open
 * streams keep the old ones. tls_server_ask_certificate() stays in effect. Any thread may call it.
 */
void tls_server_replace(struct tls_server *s, struct tls_server **fresh);
void tls_server_free(struct tls_server **s);

/*
 * Asks clients for a certificate, which is optional. TLS does not judge the certificate, because no
 * CA signs RA-TLS certificates. After the handshake it is certain that the client holds the key.
 * Call it before the first stream.
 */
#define TLS_CLIENT_CHAIN_MAX (16u * 1024) /* bytes; more fails the handshake */
void tls_server_ask_certificate(struct tls_server *s);

enum tls_want { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

/*
 * A stream takes at most about this much from its socket in one turn. Then reads report that they
 * want more, even if the socket has more. So one peer never holds a thread for long. Without this
 * limit OpenSSL processes all available records as long as they carry no data.
 */
#define TLS_TURN_MAX_SIZE (64u * 1024) /* bytes */
/* If a peer sends more KeyUpdate messages than this before it has sent that much data, reading
 * fails. Ordinary clients send one in many gigabytes (RFC 8446 section 5.5). */
#define TLS_KEY_UPDATES_MAX 8
#define TLS_KEY_UPDATES_DATA_SIZE (64u * 1024) /* bytes */

/* Takes no ownership of `fd`. ERR_MEMORY */
MUST_CHECK enum err tls_stream_new(struct tls_server *s, int fd, struct tls_stream **out);
/* Begins a turn. Call it before the first handshake step or read of each event. */
void tls_stream_begin_turn(struct tls_stream *t);
enum tls_want tls_stream_handshake(struct tls_stream *t);
/* TLS_DONE means `*got` > 0 bytes. */
enum tls_want tls_stream_read(struct tls_stream *t, void *out, size_t capacity, size_t *got);
enum tls_want tls_stream_write(struct tls_stream *t, struct span bytes, size_t *put);
/* Appends the client's certificate in DER to `out`. ERR_NOT_FOUND the client sent none;
 * ERR_MEMORY */
MUST_CHECK enum err tls_stream_peer_certificate(const struct tls_stream *t, struct buffer *out);
/*
 * Whether the stream keeps the buffers of its records, about 33 KiB, between records. A new stream
 * does not. Without them each record allocates buffers, and clears the whole of one.
 */
void tls_stream_keep_buffers(struct tls_stream *t, bool keep);
bool tls_stream_pending(const struct tls_stream *t); /* decrypted bytes are waiting */
void tls_stream_close(struct tls_stream **t);        /* sends close_notify if possible; frees */

#endif
