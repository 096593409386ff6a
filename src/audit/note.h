/*
 * C2SP signed notes: a text, an empty line, and a line for each signature.
 *
 *   <text>\n\n— <key name> <base64(key id[4] || signature)>\n...
 *
 * key id = first 4 bytes of SHA-256(key name || 0x0a || algorithm || public key). A verifier's key
 * is a "vkey": name+hex(key id)+base64(algorithm || public key). Pure.
 */
#ifndef AUDIT_NOTE_H
#define AUDIT_NOTE_H

#include "base/writer.h"
#include "crypto/curve25519.h"

#define NOTE_NAME_MAX 128       /* bytes: printable ASCII without spaces and '+' */
#define NOTE_SIGNATURE_MAX 8192 /* bytes of key id and signature, of any algorithm */
#define NOTE_KEY_ID_SIZE 4
#define NOTE_VKEY_SIZE (NOTE_NAME_MAX + 64)

/* The algorithm byte of signed-note. */
enum note_algorithm { NOTE_ED25519 = 0x01, NOTE_COSIGNATURE = 0x04 };

bool note_name_is_valid(struct span name);
void note_key_id(enum note_algorithm algorithm, struct span name,
                 const uint8_t public_key[ED25519_PUBLIC_SIZE], uint8_t out[NOTE_KEY_ID_SIZE]);

/* Removes the first line without its newline; false when no newline is left. */
bool note_take_line(struct span *rest, struct span *line);

/* Exactly `size` bytes in base64. ERR_MALFORMED */
MUST_CHECK enum err note_base64_exact(struct span text, uint8_t *out, size_t size);
void note_put_base64(struct writer *w, struct span bytes); /* at most 96 bytes */
void note_put_number(struct writer *w, uint64_t number);
/* The size of a log, which is at most INT64_MAX. ERR_MALFORMED */
MUST_CHECK enum err note_size_parse(struct span text, uint64_t *out);
/* A signature line with its newline. */
void note_put_signature(struct writer *w, struct span name, struct span id_and_signature);

/* A signature line. */
struct note_signature {
    struct span name;
    uint8_t bytes[NOTE_SIGNATURE_MAX]; /* key id || signature */
    size_t size;                       /* more than NOTE_KEY_ID_SIZE */
};
MUST_CHECK enum err note_signature_parse(struct span line, struct note_signature *out);
bool note_signature_is_by(const struct note_signature *s, enum note_algorithm algorithm,
                          struct span name, const uint8_t public_key[ED25519_PUBLIC_SIZE]);

/*
 * Splits a note at its last empty line. `text` includes its last newline; `signatures` has at least
 * one line. ERR_MALFORMED no such line, no text, or a control character other than newline
 */
MUST_CHECK enum err note_split(struct span note, struct span *text, struct span *signatures);

/*
 * Checks that the key signed the text (NOTE_ED25519).
 * ERR_MALFORMED a line is not a signature line; ERR_CRYPTO no signature by this key, or a bad one
 */
MUST_CHECK enum err note_verify(struct span text, struct span signatures, struct span name,
                                const uint8_t public_key[ED25519_PUBLIC_SIZE]);

/* Terminated text. ERR_MALFORMED the name; ERR_TOO_LARGE */
MUST_CHECK enum err note_vkey_write(enum note_algorithm algorithm, const char *name,
                                    const uint8_t public_key[ED25519_PUBLIC_SIZE], char *out,
                                    size_t out_size);
/* One spelling. ERR_MALFORMED also for another algorithm; ERR_TOO_LARGE the name does not fit */
MUST_CHECK enum err note_vkey_parse(enum note_algorithm algorithm, struct span vkey, char *name,
                                    size_t name_size, uint8_t public_key[ED25519_PUBLIC_SIZE]);

#endif
