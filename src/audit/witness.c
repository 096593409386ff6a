#include "audit/witness.h"

#include <string.h>

#include "audit/cosignature.h"
#include "base/text.h"

enum err witness_request_write(uint64_t old_size, const struct merkle_proof *proof,
                               struct span note, struct buffer *out)
{
    const size_t line = base64_size(SHA256_SIZE) + 1;
    struct writer w;
    enum err e;

    if (proof->count > WITNESS_PROOF_MAX || note.size > WITNESS_REQUEST_MAX)
        return ERR_TOO_LARGE;
    e = buffer_reserve(out, 64 + proof->count * line + note.size);
    if (e != ERR_NONE)
        return e;
    w = writer_over(out->data + out->size, out->capacity - out->size);
    writer_put(&w, SPAN_LITERAL("old "));
    note_put_number(&w, old_size);
    writer_u8(&w, '\n');
    for (size_t i = 0; i < proof->count; i++) {
        note_put_base64(&w, SPAN_OF(proof->hashes[i].bytes));
        writer_u8(&w, '\n');
    }
    writer_u8(&w, '\n');
    writer_put(&w, note);
    e = writer_finish(&w, NULL);
    if (e == ERR_NONE)
        out->size += w.size;
    return e;
}

MUST_CHECK static enum err proof_parse(struct span *rest, struct merkle_proof *out)
{
    struct span line;

    for (out->count = 0;;) {
        if (!note_take_line(rest, &line))
            return ERR_MALFORMED;
        if (line.size == 0)
            return ERR_NONE;
        if (out->count == WITNESS_PROOF_MAX ||
            note_base64_exact(line, out->hashes[out->count].bytes, SHA256_SIZE) != ERR_NONE)
            return ERR_MALFORMED;
        out->count++;
    }
}

/* Origin, size, root, and extension lines, none of which is empty (tlog-checkpoint). */
MUST_CHECK static enum err checkpoint_text_parse(struct span text, struct witness_request *out)
{
    struct span rest = text;
    struct span size, root, line;

    if (!note_take_line(&rest, &out->origin) || !note_take_line(&rest, &size) ||
        !note_take_line(&rest, &root) || out->origin.size == 0 ||
        note_size_parse(size, &out->checkpoint.size) != ERR_NONE)
        return ERR_MALFORMED;
    while (rest.size > 0)
        if (!note_take_line(&rest, &line) || line.size == 0)
            return ERR_MALFORMED;
    return note_base64_exact(root, out->checkpoint.root.bytes, SHA256_SIZE);
}

enum err witness_request_parse(struct span body, struct witness_request *out)
{
    const struct span word = SPAN_LITERAL("old ");
    struct witness_request r = {0};
    struct span rest = body;
    struct span line;
    enum err e;

    if (body.size > WITNESS_REQUEST_MAX)
        return ERR_TOO_LARGE;
    if (!note_take_line(&rest, &line) || !span_starts_with(line, word) ||
        note_size_parse(span_slice(line, word.size, line.size), &r.old_size) != ERR_NONE)
        return ERR_MALFORMED;
    e = proof_parse(&rest, &r.proof);
    if (e == ERR_NONE)
        e = note_split(rest, &r.text, &r.signatures);
    if (e == ERR_NONE && r.text.size > COSIGNATURE_TEXT_MAX)
        e = ERR_TOO_LARGE;
    if (e == ERR_NONE)
        e = checkpoint_text_parse(r.text, &r);
    if (e == ERR_NONE)
        *out = r;
    return e;
}

enum err witness_size_parse(struct span body, uint64_t *out)
{
    struct span rest = body;
    struct span line;

    return note_take_line(&rest, &line) && rest.size == 0 ? note_size_parse(line, out)
                                                          : ERR_MALFORMED;
}

enum witness_answer witness_judge(const struct checkpoint *last, const struct witness_request *r)
{
    const struct checkpoint *c = &r->checkpoint;
    struct merkle_hash empty;

    if (r->old_size > c->size)
        return WITNESS_BAD_OLD;
    if (r->old_size != last->size)
        return WITNESS_OTHER_OLD;
    if (c->size == 0) { /* the empty log: nothing to keep */
        merkle_root(&(struct merkle_frontier){0}, &empty);
        if (!span_equal(SPAN_OF(c->root.bytes), SPAN_OF(empty.bytes)))
            return WITNESS_OTHER_ROOT;
        return r->proof.count == 0 ? WITNESS_SAME : WITNESS_BAD_PROOF;
    }
    if (last->size == 0)
        return r->proof.count == 0 ? WITNESS_COSIGN : WITNESS_BAD_PROOF;
    if (c->size == last->size) {
        if (!span_equal(SPAN_OF(c->root.bytes), SPAN_OF(last->root.bytes)))
            return WITNESS_OTHER_ROOT;
        return r->proof.count == 0 ? WITNESS_SAME : WITNESS_BAD_PROOF;
    }
    return merkle_verify_consistency(last->size, &last->root, c->size, &c->root, &r->proof) ==
                   ERR_NONE
               ? WITNESS_COSIGN
               : WITNESS_BAD_PROOF;
}
