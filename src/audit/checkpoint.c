#include "audit/checkpoint.h"

#include <string.h>

#include "audit/note.h"
#include "base/text.h"

/* Size of our signature; signatures by other keys may have any size up to that of the note. */
enum { OUR_SIGNATURE_SIZE = NOTE_KEY_ID_SIZE + ED25519_SIGNATURE_SIZE };

/* The signed text, whose last byte is the newline before the blank line. */
static void put_text(struct writer *w, const struct checkpoint *c, struct span origin)
{
    writer_put(w, origin);
    writer_u8(w, '\n');
    note_put_number(w, c->size);
    writer_u8(w, '\n');
    note_put_base64(w, SPAN_OF(c->root.bytes));
    writer_u8(w, '\n');
}

enum err checkpoint_sign(const struct checkpoint *c, const char *origin,
                         const uint8_t seed[ED25519_SEED_SIZE], char *out, size_t out_size)
{
    uint8_t public_key[ED25519_PUBLIC_SIZE];

    ed25519_public(seed, public_key);
    return checkpoint_sign_with(c, origin, seed, public_key, out, out_size);
}

enum err checkpoint_sign_with(const struct checkpoint *c, const char *origin,
                              const uint8_t seed[ED25519_SEED_SIZE],
                              const uint8_t public_key[ED25519_PUBLIC_SIZE], char *out,
                              size_t out_size)
{
    struct span name = span_string(origin);
    struct writer w = writer_over(out, out_size);
    uint8_t signature[OUR_SIGNATURE_SIZE];

    if (!note_name_is_valid(name))
        return ERR_MALFORMED;
    put_text(&w, c, name);
    if (w.failed)
        return ERR_TOO_LARGE;
    note_key_id(NOTE_ED25519, name, public_key, signature);
    ed25519_sign_with(seed, public_key, span_of(w.data, w.size), signature + NOTE_KEY_ID_SIZE);
    writer_u8(&w, '\n');
    note_put_signature(&w, name, SPAN_OF(signature));
    writer_u8(&w, '\0');
    return writer_finish(&w, NULL);
}

/* Reads the three lines of the text and the blank line. Refuses extension lines, because we
 * write none. */
MUST_CHECK static enum err text_parse(struct span *rest, struct span origin, struct checkpoint *out)
{
    struct span name;
    struct span size;
    struct span root;
    struct span blank;

    if (!note_take_line(rest, &name) || !note_take_line(rest, &size) ||
        !note_take_line(rest, &root) || !note_take_line(rest, &blank) || blank.size != 0 ||
        !span_equal(name, origin) || note_size_parse(size, &out->size) != ERR_NONE)
        return ERR_MALFORMED;
    return note_base64_exact(root, out->root.bytes, sizeof out->root.bytes);
}

enum err checkpoint_verify(struct span note, const char *origin,
                           const uint8_t public_key[ED25519_PUBLIC_SIZE], struct checkpoint *out)
{
    const struct span name = span_string(origin);
    struct note_signature line;
    struct checkpoint found;
    struct span rest = note;
    struct span text;
    struct span raw;
    bool signed_by_us = false;

    if (note.size > CHECKPOINT_TEXT_MAX || !note_name_is_valid(name) ||
        text_parse(&rest, name, &found) != ERR_NONE)
        return ERR_MALFORMED;
    text = span_of(note.data, note.size - rest.size - 1);
    if (rest.size == 0)
        return ERR_MALFORMED;
    while (rest.size > 0) {
        if (!note_take_line(&rest, &raw) || note_signature_parse(raw, &line) != ERR_NONE)
            return ERR_MALFORMED;
        if (!note_signature_is_by(&line, NOTE_ED25519, name, public_key))
            continue;
        if (signed_by_us || line.size != OUR_SIGNATURE_SIZE)
            return ERR_MALFORMED;
        if (ed25519_verify(public_key, text, line.bytes + NOTE_KEY_ID_SIZE) != ERR_NONE)
            return ERR_CRYPTO;
        signed_by_us = true;
    }
    if (!signed_by_us)
        return ERR_CRYPTO;
    *out = found;
    return ERR_NONE;
}

enum err checkpoint_vkey_write(const char *origin, const uint8_t public_key[ED25519_PUBLIC_SIZE],
                               char *out, size_t out_size)
{
    return note_vkey_write(NOTE_ED25519, origin, public_key, out, out_size);
}

enum err checkpoint_vkey_parse(struct span vkey, char *origin, size_t origin_size,
                               uint8_t public_key[ED25519_PUBLIC_SIZE])
{
    return note_vkey_parse(NOTE_ED25519, vkey, origin, origin_size, public_key);
}
