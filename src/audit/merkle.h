/*
 * The Merkle tree of RFC 9162 section 2.1 over SHA-256: leaf = H(0x00 || entry), node = H(0x01 ||
 * left || right). Pure: stored hashes come through a callback.
 */
#ifndef AUDIT_MERKLE_H
#define AUDIT_MERKLE_H

#include "crypto/hash.h"

#define MERKLE_PROOF_MAX 64 /* hashes in one proof */

struct merkle_hash {
    uint8_t bytes[SHA256_SIZE];
};

void merkle_leaf(struct span entry, struct merkle_hash *out);
void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
                 struct merkle_hash *out);

/* The right edge of a growing tree, which is enough to append. Zeroed = the empty tree. */
struct merkle_frontier {
    uint64_t size;
    struct merkle_hash full[64]; /* full[l] is meaningful when bit l of size is set */
};
void merkle_append(struct merkle_frontier *f, const struct merkle_hash *leaf);
void merkle_root(const struct merkle_frontier *f, struct merkle_hash *out); /* empty: H("") */

/*
 * Returns the hash of the complete subtree of 2^level leaves that begins at leaf index << level.
 * Called only for subtrees that are completely inside the tree.
 */
struct merkle_source {
    MUST_CHECK enum err (*subtree)(void *context, unsigned level, uint64_t index,
                                   struct merkle_hash *out);
    void *context;
};

struct merkle_proof {
    size_t count;
    struct merkle_hash hashes[MERKLE_PROOF_MAX];
};

/* ERR_NOT_FOUND out of range (index < size; 0 < from <= to); or the error of the source. */
MUST_CHECK enum err merkle_tree_root(const struct merkle_source *s, uint64_t size,
                                     struct merkle_hash *out);
MUST_CHECK enum err merkle_prove_inclusion(const struct merkle_source *s, uint64_t index,
                                           uint64_t size, struct merkle_proof *out);
MUST_CHECK enum err merkle_prove_consistency(const struct merkle_source *s, uint64_t from,
                                             uint64_t to, struct merkle_proof *out);

/* ERR_TAMPERED the proof does not prove it; ERR_MALFORMED the proof has a wrong form for this
 * tree. */
MUST_CHECK enum err merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index,
                                            uint64_t size, const struct merkle_proof *proof,
                                            const struct merkle_hash *root);
MUST_CHECK enum err merkle_verify_consistency(uint64_t from, const struct merkle_hash *from_root,
                                              uint64_t to, const struct merkle_hash *to_root,
                                              const struct merkle_proof *proof);

#endif
