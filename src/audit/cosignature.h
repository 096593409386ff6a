/*
 * Cosignatures: C2SP tlog-cosignature, version 1, Ed25519. A witness states that, as of a time,
 * this checkpoint is the largest it has seen of the log, and that it is consistent with all before.
 *
 *   signed  cosignature/v1\ntime <seconds>\n<text of the checkpoint>
 *   line    — <witness> <base64(key id[4] || u64be seconds || signature[64])>\n
 *
 * key id = first 4 bytes of SHA-256(name || 0x0a || 0x04 || public key). Pure.
 */
#ifndef AUDIT_COSIGNATURE_H
#define AUDIT_COSIGNATURE_H

#include "audit/note.h"

#define COSIGNATURE_LINE_MAX (NOTE_NAME_MAX + 128) /* with newline and terminator */
#define COSIGNATURE_TEXT_MAX (16 * 1024)           /* of a checkpoint, which has a few lines */

/* A witness as others know it. */
struct cosigner {
    char name[NOTE_NAME_MAX + 1];
    uint8_t public_key[ED25519_PUBLIC_SIZE];
};

MUST_CHECK enum err cosigner_parse(struct span vkey, struct cosigner *out); /* ERR_MALFORMED */
MUST_CHECK enum err cosigner_write(const struct cosigner *c, char *out, size_t out_size);

/*
 * Writes the terminated line. `text` is the text of a checkpoint with its last newline; `seconds`
 * is at least 0. ERR_MALFORMED the name; ERR_TOO_LARGE more than COSIGNATURE_TEXT_MAX
 */
MUST_CHECK enum err cosignature_sign(struct span text, const struct cosigner *c,
                                     const uint8_t seed[ED25519_SEED_SIZE], uint64_t seconds,
                                     char out[COSIGNATURE_LINE_MAX]);

/*
 * Looks for the cosignature of `c` in signature lines and verifies it. Lines by other keys are
 * ignored. Of several good ones the newest counts. `line` borrows it, with its newline.
 *
 * ERR_NOT_FOUND none by this key; ERR_MALFORMED a line is not a signature line;
 * ERR_CRYPTO one by this key does not verify
 */
MUST_CHECK enum err cosignature_verify(struct span text, struct span lines,
                                       const struct cosigner *c, uint64_t *seconds,
                                       struct span *line);

#endif
