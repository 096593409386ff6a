#include "audit/merkle.h"

/* A larger index would not fit SQLite's integers, and a consistency proof would not fit its
 * array. */
static const uint64_t size_max = INT64_MAX;

void merkle_leaf(struct span entry, struct merkle_hash *out)
{
    const struct span parts[] = {SPAN_LITERAL("\x00"), entry};

    sha256_parts(parts, COUNT_OF(parts), out->bytes);
}

void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
                 struct merkle_hash *out)
{
    const struct span parts[] = {SPAN_LITERAL("\x01"), SPAN_OF(left->bytes), SPAN_OF(right->bytes)};

    sha256_parts(parts, COUNT_OF(parts), out->bytes);
}

static bool hash_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return span_equal(SPAN_OF(a->bytes), SPAN_OF(b->bytes));
}

void merkle_append(struct merkle_frontier *f, const struct merkle_hash *leaf)
{
    struct merkle_hash hash = *leaf;
    unsigned level = 0;

    for (; f->size >> level & 1; level++)
        merkle_node(&f->full[level], &hash, &hash);
    f->full[level] = hash;
    f->size++;
}

/* Joins complete subtrees, from the right edge to the left, by the rule of RFC 9162. */
struct joined {
    struct merkle_hash hash;
    bool any;
};

static void join_left(struct joined *j, const struct merkle_hash *left)
{
    if (j->any)
        merkle_node(left, &j->hash, &j->hash);
    else
        j->hash = *left;
    j->any = true;
}

void merkle_root(const struct merkle_frontier *f, struct merkle_hash *out)
{
    struct joined j = {0};

    for (uint64_t left = f->size; left != 0; left &= left - 1)
        join_left(&j, &f->full[__builtin_ctzll(left)]);
    if (!j.any)
        sha256((struct span){0}, j.hash.bytes);
    *out = j.hash;
}

/* The hash over leaves [start, end), where `start` is a multiple of a power of two >= its length.
 */
MUST_CHECK static enum err range_hash(const struct merkle_source *s, uint64_t start, uint64_t end,
                                      struct merkle_hash *out)
{
    struct joined j = {0};
    enum err e = ERR_NONE;

    while (e == ERR_NONE && end > start) {
        unsigned level = (unsigned)__builtin_ctzll(end - start);
        struct merkle_hash hash;

        end -= UINT64_C(1) << level;
        e = s->subtree(s->context, level, end >> level, &hash);
        if (e == ERR_NONE)
            join_left(&j, &hash);
    }
    if (e == ERR_NONE)
        *out = j.hash;
    return e;
}

enum err merkle_tree_root(const struct merkle_source *s, uint64_t size, struct merkle_hash *out)
{
    if (size > size_max)
        return ERR_NOT_FOUND;
    if (size > 0)
        return range_hash(s, 0, size, out);
    sha256((struct span){0}, out->bytes);
    return ERR_NONE;
}

/* The largest power of two smaller than `count`, which is at least 2: k of RFC 9162 2.1.1. */
static uint64_t split_of(uint64_t count)
{
    return UINT64_C(1) << (63 - __builtin_clzll(count - 1));
}

/* Proofs are found from the root down, and written from the leaf up. */
static void proof_reverse(struct merkle_proof *p)
{
    for (size_t i = 0; i < p->count / 2; i++) {
        struct merkle_hash swap = p->hashes[i];

        p->hashes[i] = p->hashes[p->count - 1 - i];
        p->hashes[p->count - 1 - i] = swap;
    }
}

/* RFC 9162 2.1.3.1. */
enum err merkle_prove_inclusion(const struct merkle_source *s, uint64_t index, uint64_t size,
                                struct merkle_proof *out)
{
    struct merkle_proof proof = {0};
    uint64_t start = 0;
    uint64_t end = size;
    enum err e = ERR_NONE;

    if (index >= size || size > size_max)
        return ERR_NOT_FOUND;
    while (e == ERR_NONE && end - start > 1) {
        uint64_t middle = start + split_of(end - start);
        struct merkle_hash *sibling = &proof.hashes[proof.count++];

        if (index < middle) {
            e = range_hash(s, middle, end, sibling);
            end = middle;
        } else {
            e = range_hash(s, start, middle, sibling);
            start = middle;
        }
    }
    proof_reverse(&proof);
    if (e == ERR_NONE)
        *out = proof;
    return e;
}

/* RFC 9162 2.1.4.1: SUBPROOF, whose recursion is on the tail. */
enum err merkle_prove_consistency(const struct merkle_source *s, uint64_t from, uint64_t to,
                                  struct merkle_proof *out)
{
    struct merkle_proof proof = {0};
    uint64_t start = 0;
    uint64_t end = to;
    enum err e = ERR_NONE;

    if (from == 0 || from > to || to > size_max)
        return ERR_NOT_FOUND;
    while (e == ERR_NONE && end != from) {
        uint64_t middle = start + split_of(end - start);
        struct merkle_hash *sibling = &proof.hashes[proof.count++];

        if (from <= middle) {
            e = range_hash(s, middle, end, sibling);
            end = middle;
        } else {
            e = range_hash(s, start, middle, sibling);
            start = middle;
        }
    }
    if (e == ERR_NONE && start > 0) /* otherwise the verifier has it: it is the old root */
        e = range_hash(s, start, end, &proof.hashes[proof.count++]);
    proof_reverse(&proof);
    if (e == ERR_NONE)
        *out = proof;
    return e;
}

/* The position while a proof is checked: a node's index, and the index of the last node of its
 * level. */
struct climb {
    uint64_t node;
    uint64_t last;
};

static bool sibling_is_left(const struct climb *c)
{
    return (c->node & 1) != 0 || c->node == c->last;
}

static void climb_up(struct climb *c)
{
    /* a last node without a right sibling stands for its ancestors until one has a left sibling */
    while (c->node == c->last && (c->node & 1) == 0 && c->node != 0) {
        c->node >>= 1;
        c->last >>= 1;
    }
    c->node >>= 1;
    c->last >>= 1;
}

/* RFC 9162 2.1.3.2. */
enum err merkle_verify_inclusion(const struct merkle_hash *leaf, uint64_t index, uint64_t size,
                                 const struct merkle_proof *proof, const struct merkle_hash *root)
{
    struct merkle_hash hash = *leaf;
    struct climb c = {index, size - 1};

    if (index >= size || size > size_max || proof->count > MERKLE_PROOF_MAX)
        return ERR_MALFORMED;
    for (size_t i = 0; i < proof->count; i++) {
        if (c.last == 0)
            return ERR_MALFORMED;
        if (sibling_is_left(&c))
            merkle_node(&proof->hashes[i], &hash, &hash);
        else
            merkle_node(&hash, &proof->hashes[i], &hash);
        climb_up(&c);
    }
    if (c.last != 0)
        return ERR_MALFORMED;
    return hash_equal(&hash, root) ? ERR_NONE : ERR_TAMPERED;
}

/* RFC 9162 2.1.4.2. */
enum err merkle_verify_consistency(uint64_t from, const struct merkle_hash *from_root, uint64_t to,
                                   const struct merkle_hash *to_root,
                                   const struct merkle_proof *proof)
{
    bool root_is_first = (from & (from - 1)) == 0; /* a complete tree is a node of the new one */
    struct climb c = {from - 1, to - 1};
    struct merkle_hash old;
    struct merkle_hash new;

    if (from == 0 || from > to || to > size_max || proof->count > MERKLE_PROOF_MAX)
        return ERR_MALFORMED;
    if (from == to)
        return proof->count > 0                 ? ERR_MALFORMED
               : hash_equal(from_root, to_root) ? ERR_NONE
                                                : ERR_TAMPERED;
    if (proof->count == 0)
        return ERR_MALFORMED;
    for (; c.node & 1; c.last >>= 1)
        c.node >>= 1;
    old = new = root_is_first ? *from_root : proof->hashes[0];
    for (size_t i = root_is_first ? 0 : 1; i < proof->count; i++) {
        if (c.last == 0)
            return ERR_MALFORMED;
        if (sibling_is_left(&c)) {
            merkle_node(&proof->hashes[i], &old, &old);
            merkle_node(&proof->hashes[i], &new, &new);
        } else {
            merkle_node(&new, &proof->hashes[i], &new);
        }
        climb_up(&c);
    }
    if (c.last != 0)
        return ERR_MALFORMED;
    return hash_equal(&old, from_root) && hash_equal(&new, to_root) ? ERR_NONE : ERR_TAMPERED;
}
