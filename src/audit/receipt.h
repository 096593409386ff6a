/*
 * A receipt: one entry, its inclusion proof, a checkpoint. JSON:
 *   {"index": n, "entry": "<the line>", "proof": ["<base64>", ...], "checkpoint": "<note>"}
 */
#ifndef AUDIT_RECEIPT_H
#define AUDIT_RECEIPT_H

#include "audit/checkpoint.h"
#include "base/writer.h"

#define RECEIPT_MAX 32768

MUST_CHECK enum err receipt_write(uint64_t index, struct span entry,
                                  const struct merkle_proof *proof, struct span note,
                                  struct writer *w);

/*
 * Checks a receipt as received. `entry_out` gets the entry's line (`entry_capacity` >=
 * AUDIT_ENTRY_MAX). ERR_MALFORMED; ERR_CRYPTO bad checkpoint; ERR_TAMPERED the proof is not for
 * this entry
 */
MUST_CHECK enum err receipt_verify(struct span receipt, const char *origin,
                                   const uint8_t public_key[ED25519_PUBLIC_SIZE],
                                   uint8_t *entry_out, size_t entry_capacity, size_t *entry_size,
                                   uint64_t *index);

#endif
