/*
 * The state of a node covers everything it has written: the right edge of its log's tree and the
 * sum of its rows. Each commit replaces the sealed state. So the size of the log, its root and the
 * set of rows cannot be changed without the store's key. Pure.
 *
 *   plain   u64 commits | u8 running | row set (store/row_set.h) | u64 log verified |
 *           u64 log archived | u64 anchor | u64 log scrubbed | u64 log pass | u64 log size |
 *           hashes, 32 each
 *   hashes  for each set bit of the log size, from the lowest: the complete subtree of that level
 *   sealed  u8 format 1 | u32 epoch | 24 nonce | XChaCha20-Poly1305(state key, nonce, AAD, plain)
 *   AAD     "vouchsafe state" 00 | u8 format | u32 epoch | u32 node | origin
 *
 * Integers are little-endian.
 */
#ifndef STORE_NODE_STATE_H
#define STORE_NODE_STATE_H

#include "store/row_set.h"

struct node_state {
    uint64_t commits; /* groups committed by this node, ever; or NODE_STATE_UNFINISHED */
    bool running;     /* a process has the node open, or ended without saying so */
    struct row_set rows;
    uint64_t log_verified; /* entries before this one were read back and compared with the tree */
    uint64_t log_archived; /* entries before this one are in the archive; a multiple of 256 */
    uint64_t anchor;       /* of the anchor outside the disk; 0 without one */
    uint64_t log_scrubbed; /* entries before this one were compared in the scrub's present pass */
    uint64_t log_pass_ms; /* when the last whole pass ended, in ms since 1970; 0 before the first */
    struct merkle_frontier log;
};

/* The database is being filled (store/build.h) and is not opened. */
#define NODE_STATE_UNFINISHED UINT64_MAX

#define NODE_STATE_PLAIN_MAX (8 + 1 + ROW_SET_SIZE + 5 * 8 + 8 + 64 * 32)
#define NODE_STATE_SEALED_MAX (ROWS_HEADER_SIZE + NODE_STATE_PLAIN_MAX + 16)

/* `out` has STORE_STATE_MAX bytes; `size` are written. */
void node_state_seal(const struct rows_keys *keys, uint32_t node, const char *origin,
                     const struct node_state *state, const uint8_t nonce[ROWS_NONCE_SIZE],
                     uint8_t *out, size_t *size);

/*
 * ERR_TAMPERED not a state that we sealed for this node and origin; ERR_UNSUPPORTED sealed under
 * another epoch or a newer format
 */
MUST_CHECK enum err node_state_open(const struct rows_keys *keys, uint32_t node, const char *origin,
                                    struct span sealed, struct node_state *out);

/*
 * The plain form. Writes one spelling, reads that spelling. ERR_MALFORMED also when more entries
 * are verified, archived or scrubbed than the log has
 */
void node_state_write(const struct node_state *state, uint8_t out[NODE_STATE_PLAIN_MAX],
                      size_t *size);
MUST_CHECK enum err node_state_parse(struct span plain, struct node_state *out);

#endif
