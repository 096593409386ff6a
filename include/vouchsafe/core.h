/* libvouchsafe: sizes, errors, bytes and files. The conventions are in <vouchsafe/vouchsafe.h>. */
#ifndef VOUCHSAFE_CORE_H
#define VOUCHSAFE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define VS_MUST_CHECK __attribute__((warn_unused_result))
#else
#define VS_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define VS_KEY_SIZE 32   /* X25519 and Ed25519 public keys */
#define VS_NONCE_SIZE 32 /* of the keystore's challenges */
#define VS_HASH_SIZE 32  /* SHA-256 */
#define VS_REPORT_DATA_SIZE 64
#define VS_QUOTE_MAX 65536
#define VS_SEED_MAX 1024 /* without the terminator */
#define VS_ENVELOPE_MAX (10u * 1024 * 1024)
#define VS_REQUEST_ID_SIZE 37 /* 36 characters and the terminator */
#define VS_ORIGIN_SIZE 129
#define VS_VKEY_SIZE 192
#define VS_TASK_ID_MAX 256

/* The numbers and the codes are stable; new ones are added at the end. */
enum vs_error {
    VS_OK = 0,
    VS_ERR_ARGUMENT = 1,    /* the call is wrong: NULL, out of range, contradictory */
    VS_ERR_MALFORMED = 2,   /* a local input does not have the required form */
    VS_ERR_TOO_LARGE = 3,   /* a local input exceeds a limit, or a buffer is too small */
    VS_ERR_UNSUPPORTED = 4, /* this library or this keystore does not know the kind */
    VS_ERR_MEMORY = 5,      /* out of memory, or it could not be locked (see `ulimit -l`) */
    VS_ERR_IO = 6,          /* a local file cannot be read or written */
    VS_ERR_NOT_FOUND = 7,   /* no such file, member or entry */
    VS_ERR_EXISTS = 8,      /* the call would overwrite something */
    VS_ERR_UNREACHABLE = 9, /* no connection, TLS refused, or the connection broke */
    VS_ERR_TIMEOUT = 10,
    VS_ERR_REFUSED = 11,   /* the keystore refused; vs_last_reply() says why */
    VS_ERR_REPLY = 12,     /* the reply does not follow the protocol */
    VS_ERR_UNTRUSTED = 13, /* evidence or a signature does not verify */
    VS_ERR_POLICY = 14,    /* evidence is genuine, but the appraisal does not accept it */
    VS_ERR_DOWNGRADE = 15, /* a plain reply came, or one sealed to a public key only */
    VS_ERR_CRYPTO = 16,    /* decryption failed: another key, another name, or changed bytes */
    VS_ERR_TAMPERED = 17,  /* the log or receipt does not match its checkpoint */
    VS_ERR_RESERVED = 18,  /* a secret has a reserved name */
    VS_ERR_EXPIRED = 19,   /* the session expired */
    VS_ERR_INTERNAL = 20
};

/* "unreachable", ...: stable, for programs. Never NULL. */
const char *vs_error_code(enum vs_error e);
/* One sentence without a full stop, for people. Never NULL. */
const char *vs_error_text(enum vs_error e);

/* Why a call failed, as a sentence for people; "" when there is nothing to add. */
struct vs_why {
    char text[512];
};

/* Must succeed once before all other functions except those on errors. VS_ERR_CRYPTO */
VS_MUST_CHECK enum vs_error vs_start(void);
/* "0.1.0" */
const char *vs_version(void);

/* Borrowed bytes. `data` may be NULL when `size` is 0. */
struct vs_bytes {
    const void *data;
    size_t size;
};

/* Public bytes that the caller owns. A zero byte, not counted, follows them. */
struct vs_blob {
    uint8_t *data;
    size_t size;
};
void vs_blob_clear(struct vs_blob *b); /* frees, sets to zero */

/* Secret bytes in guarded memory. */
struct vs_secret;
const uint8_t *vs_secret_data(const struct vs_secret *s); /* until vs_secret_free() */
size_t vs_secret_size(const struct vs_secret *s);
void vs_secret_free(struct vs_secret **s);
/* Reads a file descriptor to its end. VS_ERR_IO; VS_ERR_TOO_LARGE beyond `max` (at most 16 MiB) */
VS_MUST_CHECK enum vs_error vs_secret_read(int fd, size_t max, struct vs_secret **out);

/* Reads a file of public bytes. VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_TOO_LARGE */
VS_MUST_CHECK enum vs_error vs_file_read(const char *path, size_t max, struct vs_blob *out);

/*
 * The same for a file that decides what is trusted, such as a profile or a policy. It must be a
 * regular file (or a link to one) of this user or of root. No other user may write to it.
 * VS_ERR_UNTRUSTED another user owns it or can write to it; `why` (may be NULL) says which.
 */
VS_MUST_CHECK enum vs_error vs_trusted_file_read(const char *path, size_t max, struct vs_blob *out,
                                                 struct vs_why *why);

/*
 * Checks that a file may hold a credential (token, worker key, session). It must be a regular file
 * (or a link to one) of this user or of root, and other users must not be able to read or write it.
 * Its group may read it if this process is in that group: 0440 and 0640, as in Kubernetes.
 * VS_ERR_NOT_FOUND, VS_ERR_IO; VS_ERR_MALFORMED it may not, and `why` (may be NULL) says why.
 */
VS_MUST_CHECK enum vs_error vs_credential_check(const char *path, struct vs_why *why);

/*
 * Writes a file completely or not at all: writes a temporary file next to it, then renames that.
 * `mode` is such as 0600. `replace` allows to replace an existing file.
 * VS_ERR_EXISTS, VS_ERR_IO
 */
VS_MUST_CHECK enum vs_error vs_file_write(const char *path, struct vs_bytes bytes, unsigned mode,
                                          bool replace);

/* SHA-256 of a file. VS_ERR_NOT_FOUND, VS_ERR_IO, VS_ERR_TOO_LARGE beyond 512 MiB */
VS_MUST_CHECK enum vs_error vs_file_sha256(const char *path, uint8_t out[VS_HASH_SIZE]);

/*
 * Copies one value out of a JSON document, by path: "detail.expected", "entries.0.entry.code". A
 * string is copied without quotes and escapes, everything else as JSON text. The copy is
 * terminated. VS_ERR_MALFORMED not JSON, VS_ERR_NOT_FOUND no such member, VS_ERR_TOO_LARGE
 */
VS_MUST_CHECK enum vs_error vs_json_get(struct vs_bytes json, const char *path, char *out,
                                        size_t out_size);

#ifdef __cplusplus
}
#endif

#endif
