#include "audit/receipt.h"

#include "audit/entry.h"
#include "base/text.h"
#include "codec/json.h"

enum err receipt_write(uint64_t index, struct span entry, const struct merkle_proof *proof,
                       struct span note, struct writer *w)
{
    struct json_writer j = json_writer_over(w);
    size_t before = w->size;
    enum err e;

    if (index > INT64_MAX || entry.size > AUDIT_ENTRY_MAX || note.size > CHECKPOINT_TEXT_MAX ||
        proof->count > MERKLE_PROOF_MAX)
        return ERR_TOO_LARGE;
    json_open_object(&j, NULL);
    json_put_int(&j, "index", (int64_t)index);
    json_put_string(&j, "entry", entry);
    json_open_array(&j, "proof");
    for (size_t i = 0; i < proof->count; i++)
        json_put_base64(&j, NULL, SPAN_OF(proof->hashes[i].bytes));
    json_close_array(&j);
    json_put_string(&j, "checkpoint", note);
    json_close_object(&j);
    e = writer_finish(w, NULL);
    if (e == ERR_NONE && w->size - before > RECEIPT_MAX)
        e = ERR_TOO_LARGE;
    return e;
}

MUST_CHECK static enum err proof_read(struct json_value array, struct merkle_proof *out)
{
    struct json_iterator i = {0};
    struct json_value element;

    out->count = 0;
    while (json_next(array, &i, NULL, &element)) {
        struct span text;
        size_t size;

        if (out->count == MERKLE_PROOF_MAX || json_string_plain(element, &text) != ERR_NONE ||
            base64_read(text, out->hashes[out->count].bytes, SHA256_SIZE, &size) != ERR_NONE ||
            size != SHA256_SIZE)
            return ERR_MALFORMED;
        out->count++;
    }
    return ERR_NONE;
}

struct receipt {
    uint64_t index;
    struct merkle_proof proof;
    uint8_t note[CHECKPOINT_TEXT_MAX];
    size_t note_size;
};

/* Reads the form; copies the entry straight to the caller's buffer. */
MUST_CHECK static enum err receipt_parse(struct span bytes, struct receipt *out, uint8_t *entry,
                                         size_t entry_capacity, size_t *entry_size)
{
    struct json_value root;
    struct json_value index, line, proof, note;
    const struct json_field fields[] = {
        {"index",      JSON_NUMBER, true, &index},
        {"entry",      JSON_STRING, true, &line },
        {"proof",      JSON_ARRAY,  true, &proof},
        {"checkpoint", JSON_STRING, true, &note },
    };

    if (bytes.size > RECEIPT_MAX || json_parse(bytes, &root, NULL) != ERR_NONE ||
        json_object_read(root, fields, COUNT_OF(fields), false, NULL) != ERR_NONE ||
        json_uint64(index, &out->index) != ERR_NONE ||
        json_string(line, entry, entry_capacity, entry_size) != ERR_NONE ||
        json_string(note, out->note, sizeof out->note, &out->note_size) != ERR_NONE)
        return ERR_MALFORMED;
    return proof_read(proof, &out->proof);
}

enum err receipt_verify(struct span receipt, const char *origin,
                        const uint8_t public_key[ED25519_PUBLIC_SIZE], uint8_t *entry_out,
                        size_t entry_capacity, size_t *entry_size, uint64_t *index)
{
    struct receipt r;
    struct checkpoint checkpoint;
    struct merkle_hash leaf;
    size_t size;
    enum err e;

    e = receipt_parse(receipt, &r, entry_out, entry_capacity, &size);
    if (e == ERR_NONE)
        e = checkpoint_verify(span_of(r.note, r.note_size), origin, public_key, &checkpoint);
    if (e != ERR_NONE)
        return e;
    merkle_leaf(span_of(entry_out, size), &leaf);
    e = merkle_verify_inclusion(&leaf, r.index, checkpoint.size, &r.proof, &checkpoint.root);
    if (e != ERR_NONE)
        return e;
    *entry_size = size;
    *index = r.index;
    return ERR_NONE;
}
