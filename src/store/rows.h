/*
 * Rows in the form of the disk: sealed, named by HMACs, and added to a sum, which detects a
 * missing, added or restored row. Pure: keys and random bytes are arguments.
 *
 *   id column       HMAC-SHA-256(name key, "id" 00 || u8 table || id)
 *   lookup column   HMAC-SHA-256(name key, "lookup" 00 || u8 table || lookup value)
 *   sealed column   u8 format 1 | u32 epoch | 24 nonce | XChaCha20-Poly1305(seal key, nonce, AAD,
 *                   u8 id size | id | u8 lookup size | lookup | value)
 *   AAD             "vouchsafe row" 00 | u8 format | u32 epoch | u8 table | 32 id column |
 *                   u64 version
 *
 * Integers are little-endian. So a row opens only at its own place and version, and its columns
 * must match its sealed bytes.
 *
 * A sealed row says the epoch of the root that its keys come from, and opens with the keys of that
 * epoch only. The keys for names are of an epoch, too. So a rotation of the root puts every row
 * again, in the background: a transaction for each deletes the row under its old name and inserts
 * it under its new one, sealed with the new epoch, at a new version. Until the last row has moved,
 * a group looks for both names, the node's state adds rows of both epochs into one sum under the
 * set key of the older one, and a retired epoch is one that row_epoch() of no row says.
 */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "keys/root.h"
#include "store/store_ops.h"

#define ROWS_NONCE_SIZE 24
#define ROWS_HEADER_SIZE (1 + 4 + ROWS_NONCE_SIZE)
#define ROWS_PLAIN_MAX (2 + ROW_ID_MAX + ROW_LOOKUP_MAX + ROW_VALUE_MAX)

/* All keys of the store, from one epoch of the root. Keep it in guarded memory. */
struct rows_keys {
    uint32_t epoch;
    uint8_t seal[32], name[32], set[32], state[32];
};
void rows_keys_derive(const struct root_epoch *root, struct rows_keys *out);

void row_key_of(const struct rows_keys *keys, enum store_table table, struct span id,
                struct row_key *out);
void row_lookup_of(const struct rows_keys *keys, enum store_table table, struct span lookup,
                   uint8_t out[STORE_HASH_SIZE]);

/* A plain row. Spans borrow. */
struct row_view {
    struct span id, lookup, value;
};

/*
 * Seals `row` for `table` and `version`, and fills `out` with it: its columns, and `sealed`, which
 * borrows from `sealed_out` (ROWS_HEADER_SIZE + ROWS_PLAIN_MAX + AEAD_TAG_SIZE bytes; at least the
 * sum of the sizes, `sealed_capacity`). `plain` is guarded memory of ROWS_PLAIN_MAX bytes for the
 * work; it is wiped. A nonce must never be used twice. ERR_TOO_LARGE beyond a limit;
 * ERR_MALFORMED an empty id
 */
MUST_CHECK enum err row_seal(const struct rows_keys *keys, enum store_table table, uint64_t version,
                             const struct row_view *row, const uint8_t nonce[ROWS_NONCE_SIZE],
                             uint8_t *plain, uint8_t *sealed_out, size_t sealed_capacity,
                             struct stored_row *out);

/* Bytes that row_seal() writes for `row`. */
size_t row_sealed_size(const struct row_view *row);

/*
 * Opens a row as read. `plain` is guarded memory of ROWS_PLAIN_MAX bytes; `out` borrows from it. On
 * an error nothing of the row is left there.
 * ERR_TAMPERED not a row that we sealed for this place; ERR_UNSUPPORTED sealed under another epoch
 * or a newer format
 */
MUST_CHECK enum err row_open(const struct rows_keys *keys, const struct stored_row *row,
                             uint8_t *plain, struct row_view *out);

/* Bytes of `plain` that row_open() has filled, to wipe them. */
size_t row_plain_size(const struct stored_row *row);

/*
 * The epoch whose keys open the row, to find them in the root. ERR_TAMPERED no row of ours;
 * ERR_UNSUPPORTED a newer format
 */
MUST_CHECK enum err row_epoch(const struct stored_row *row, uint32_t *out);

/* The header of a sealed row. `rest` borrows. ERR_MALFORMED, ERR_UNSUPPORTED another format */
struct row_header {
    uint32_t epoch;
    struct span nonce, rest;
};
MUST_CHECK enum err row_header_parse(struct span sealed, struct row_header *out);
/* The plaintext of a row. ERR_MALFORMED */
MUST_CHECK enum err row_view_parse(struct span plain, struct row_view *out);

#endif
