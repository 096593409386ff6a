#include "audit/note.h"

#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"

#define SIGNATURE_MARK "\xe2\x80\x94 " /* an em dash, U+2014, and a space */

bool note_name_is_valid(struct span name)
{
    if (name.size == 0 || name.size > NOTE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 0x7f || name.data[i] == '+')
            return false;
    return true;
}

void note_key_id(enum note_algorithm algorithm, struct span name,
                 const uint8_t public_key[ED25519_PUBLIC_SIZE], uint8_t out[NOTE_KEY_ID_SIZE])
{
    const uint8_t middle[] = {'\n', (uint8_t)algorithm};
    const struct span parts[] = {name, SPAN_OF(middle), span_of(public_key, ED25519_PUBLIC_SIZE)};
    uint8_t digest[SHA256_SIZE];

    sha256_parts(parts, COUNT_OF(parts), digest);
    memcpy(out, digest, NOTE_KEY_ID_SIZE);
}

bool note_take_line(struct span *rest, struct span *line)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;

    if (!end)
        return false;
    *line = span_of(rest->data, (size_t)(end - rest->data));
    *rest = span_of(end + 1, rest->size - line->size - 1);
    return true;
}

enum err note_base64_exact(struct span text, uint8_t *out, size_t size)
{
    size_t got;
    enum err e;

    if (text.size != base64_size(size))
        return ERR_MALFORMED;
    e = base64_read(text, out, size, &got);
    return e == ERR_NONE && got == size ? ERR_NONE : ERR_MALFORMED;
}

void note_put_base64(struct writer *w, struct span bytes)
{
    char text[128]; /* the longest line is a cosignature's */

    if (base64_size(bytes.size) > sizeof text) {
        w->failed = true;
        return;
    }
    base64_write(bytes, text);
    writer_put(w, span_of(text, base64_size(bytes.size)));
}

void note_put_number(struct writer *w, uint64_t number)
{
    char digits[DECIMAL_MAX_SIZE];

    writer_put(w, span_of(digits, decimal_write(number, digits)));
}

enum err note_size_parse(struct span text, uint64_t *out)
{
    uint64_t size = 0;

    if (decimal_read(text, &size) != ERR_NONE || size > INT64_MAX)
        return ERR_MALFORMED;
    *out = size;
    return ERR_NONE;
}

void note_put_signature(struct writer *w, struct span name, struct span id_and_signature)
{
    writer_put(w, SPAN_LITERAL(SIGNATURE_MARK));
    writer_put(w, name);
    writer_u8(w, ' ');
    note_put_base64(w, id_and_signature);
    writer_u8(w, '\n');
}

enum err note_signature_parse(struct span line, struct note_signature *out)
{
    struct span mark = SPAN_LITERAL(SIGNATURE_MARK);
    struct span rest = span_slice(line, mark.size, line.size);
    const uint8_t *space = rest.size > 0 ? memchr(rest.data, ' ', rest.size) : NULL;

    if (!span_starts_with(line, mark) || !space)
        return ERR_MALFORMED;
    out->name = span_of(rest.data, (size_t)(space - rest.data));
    if (out->name.size == 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < out->name.size; i++)
        if (out->name.data[i] <= ' ' || out->name.data[i] == 0x7f || out->name.data[i] == '+')
            return ERR_MALFORMED;
    rest = span_slice(rest, out->name.size + 1, rest.size);
    if (base64_read(rest, out->bytes, sizeof out->bytes, &out->size) != ERR_NONE ||
        out->size <= NOTE_KEY_ID_SIZE)
        return ERR_MALFORMED;
    return ERR_NONE;
}

bool note_signature_is_by(const struct note_signature *s, enum note_algorithm algorithm,
                          struct span name, const uint8_t public_key[ED25519_PUBLIC_SIZE])
{
    uint8_t id[NOTE_KEY_ID_SIZE];

    note_key_id(algorithm, name, public_key, id);
    return span_equal(s->name, name) && span_equal(span_of(s->bytes, sizeof id), SPAN_OF(id));
}

enum err note_split(struct span note, struct span *text, struct span *signatures)
{
    size_t end = 0; /* of the text, with its newline */

    for (size_t i = 0; i < note.size; i++) {
        if ((note.data[i] < ' ' && note.data[i] != '\n') || note.data[i] == 0x7f)
            return ERR_MALFORMED;
        if (i > 0 && note.data[i] == '\n' && note.data[i - 1] == '\n')
            end = i;
    }
    if (end == 0 || end + 1 >= note.size || note.data[note.size - 1] != '\n')
        return ERR_MALFORMED;
    *text = span_slice(note, 0, end);
    *signatures = span_slice(note, end + 1, note.size);
    return ERR_NONE;
}

enum err note_verify(struct span text, struct span signatures, struct span name,
                     const uint8_t public_key[ED25519_PUBLIC_SIZE])
{
    struct note_signature s;
    struct span rest = signatures;
    struct span line;
    bool good = false;

    while (rest.size > 0) {
        if (!note_take_line(&rest, &line) || note_signature_parse(line, &s) != ERR_NONE)
            return ERR_MALFORMED;
        if (!note_signature_is_by(&s, NOTE_ED25519, name, public_key))
            continue;
        if (s.size != NOTE_KEY_ID_SIZE + ED25519_SIGNATURE_SIZE ||
            ed25519_verify(public_key, text, s.bytes + NOTE_KEY_ID_SIZE) != ERR_NONE)
            return ERR_CRYPTO; /* signed-note: a bad signature by a known key spoils the note */
        good = true;
    }
    return good ? ERR_NONE : ERR_CRYPTO;
}

enum err note_vkey_write(enum note_algorithm algorithm, const char *name,
                         const uint8_t public_key[ED25519_PUBLIC_SIZE], char *out, size_t out_size)
{
    struct span text = span_string(name);
    struct writer w = writer_over(out, out_size);
    uint8_t id[NOTE_KEY_ID_SIZE];
    char id_text[2 * NOTE_KEY_ID_SIZE + 1];
    uint8_t key[1 + ED25519_PUBLIC_SIZE] = {(uint8_t)algorithm};

    if (!note_name_is_valid(text))
        return ERR_MALFORMED;
    note_key_id(algorithm, text, public_key, id);
    hex_write(SPAN_OF(id), id_text);
    memcpy(key + 1, public_key, ED25519_PUBLIC_SIZE);
    writer_put(&w, text);
    writer_u8(&w, '+');
    writer_put(&w, span_string(id_text));
    writer_u8(&w, '+');
    note_put_base64(&w, SPAN_OF(key));
    writer_u8(&w, '\0');
    return writer_finish(&w, NULL);
}

enum err note_vkey_parse(enum note_algorithm algorithm, struct span vkey, char *name,
                         size_t name_size, uint8_t public_key[ED25519_PUBLIC_SIZE])
{
    const uint8_t *plus = vkey.size > 0 ? memchr(vkey.data, '+', vkey.size) : NULL;
    struct span text = span_of(vkey.data, plus ? (size_t)(plus - vkey.data) : 0);
    struct span key_text = span_slice(vkey, text.size + 1 + 2 * NOTE_KEY_ID_SIZE + 1, vkey.size);
    uint8_t key[1 + ED25519_PUBLIC_SIZE];
    char found[NOTE_NAME_MAX + 1];
    char again[NOTE_VKEY_SIZE];
    enum err e;

    if (!note_name_is_valid(text) || note_base64_exact(key_text, key, sizeof key) != ERR_NONE ||
        span_to_string(text, found, sizeof found) != ERR_NONE)
        return ERR_MALFORMED;
    /* One spelling: the vkey must equal the one that we would write. This checks the algorithm and
     * the key id, too. */
    if (note_vkey_write(algorithm, found, key + 1, again, sizeof again) != ERR_NONE ||
        !span_equal_string(vkey, again))
        return ERR_MALFORMED;
    e = span_to_string(text, name, name_size);
    if (e == ERR_NONE)
        memcpy(public_key, key + 1, ED25519_PUBLIC_SIZE);
    return e;
}
