#include "audit/checkpoint.h"

#include <string.h>

#include "base/text.h"
#include "base/writer.h"

/* C2SP signed-note: the signature type of Ed25519, and the mark that begins a signature line. */
enum { ALGORITHM_ED25519 = 0x01, KEY_ID_SIZE = 4 };
#define SIGNATURE_MARK "\xe2\x80\x94 " /* an em dash, U+2014, and a space */

/* Size of our signature; signatures by other keys may have any size up to that of the note. */
enum { OUR_SIGNATURE_SIZE = KEY_ID_SIZE + ED25519_SIGNATURE_SIZE };

static bool origin_is_valid(struct span origin)
{
    if (origin.size == 0 || origin.size > CHECKPOINT_ORIGIN_MAX)
        return false;
    for (size_t i = 0; i < origin.size; i++)
        if (origin.data[i] <= ' ' || origin.data[i] >= 0x7f || origin.data[i] == '+')
            return false;
    return true;
}

static void key_id(struct span origin, const uint8_t public_key[ED25519_PUBLIC_SIZE],
                   uint8_t out[KEY_ID_SIZE])
{
    static const uint8_t middle[] = {'\n', ALGORITHM_ED25519};
    const struct span parts[] = {origin, SPAN_OF(middle), span_of(public_key, ED25519_PUBLIC_SIZE)};
    uint8_t digest[SHA256_SIZE];

    sha256_parts(parts, COUNT_OF(parts), digest);
    memcpy(out, digest, KEY_ID_SIZE);
}

static void put_base64(struct writer *w, struct span bytes)
{
    char text[128]; /* the longest line is OUR_SIGNATURE_SIZE */

    base64_write(bytes, text);
    writer_put(w, span_of(text, base64_size(bytes.size)));
}

static void put_number(struct writer *w, uint64_t number)
{
    char digits[DECIMAL_MAX_SIZE];

    writer_put(w, span_of(digits, decimal_write(number, digits)));
}

/* The signed text, whose last byte is the newline before the blank line. */
static void put_text(struct writer *w, const struct checkpoint *c, struct span origin)
{
    writer_put(w, origin);
    writer_u8(w, '\n');
    put_number(w, c->size);
    writer_u8(w, '\n');
    put_base64(w, SPAN_OF(c->root.bytes));
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

    if (!origin_is_valid(name))
        return ERR_MALFORMED;
    put_text(&w, c, name);
    if (w.failed)
        return ERR_TOO_LARGE;
    key_id(name, public_key, signature);
    ed25519_sign_with(seed, public_key, span_of(w.data, w.size), signature + KEY_ID_SIZE);
    writer_u8(&w, '\n');
    writer_put(&w, SPAN_LITERAL(SIGNATURE_MARK));
    writer_put(&w, name);
    writer_u8(&w, ' ');
    put_base64(&w, SPAN_OF(signature));
    writer_put(&w, SPAN_LITERAL("\n\0"));
    return writer_finish(&w, NULL);
}

/* Removes the first line without its newline; false when no newline is left. */
static bool take_line(struct span *rest, struct span *line)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;

    if (!end)
        return false;
    *line = span_of(rest->data, (size_t)(end - rest->data));
    *rest = span_of(end + 1, rest->size - line->size - 1);
    return true;
}

/* At most 19 digits: a log of more entries than that does not exist. */
MUST_CHECK static enum err size_parse(struct span text, uint64_t *out)
{
    return text.size > 19 ? ERR_MALFORMED : decimal_read(text, out);
}

/* Exactly `size` bytes in base64. */
MUST_CHECK static enum err base64_exact(struct span text, uint8_t *out, size_t size)
{
    size_t got;
    enum err e;

    if (text.size != base64_size(size))
        return ERR_MALFORMED;
    e = base64_read(text, out, size, &got);
    return e == ERR_NONE && got == size ? ERR_NONE : ERR_MALFORMED;
}

/* Reads the three lines of the text and the blank line. Refuses extension lines, because we
 * write none. */
MUST_CHECK static enum err text_parse(struct span *rest, struct span origin, struct checkpoint *out)
{
    struct span name;
    struct span size;
    struct span root;
    struct span blank;

    if (!take_line(rest, &name) || !take_line(rest, &size) || !take_line(rest, &root) ||
        !take_line(rest, &blank) || blank.size != 0 || !span_equal(name, origin) ||
        size_parse(size, &out->size) != ERR_NONE)
        return ERR_MALFORMED;
    return base64_exact(root, out->root.bytes, sizeof out->root.bytes);
}

struct signature_line {
    struct span name;
    uint8_t bytes[CHECKPOINT_TEXT_MAX]; /* key id || signature */
    size_t size;
};

MUST_CHECK static enum err signature_line_parse(struct span line, struct signature_line *out)
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
        out->size <= KEY_ID_SIZE)
        return ERR_MALFORMED;
    return ERR_NONE;
}

struct signer {
    struct span origin;
    const uint8_t *public_key;
    uint8_t id[KEY_ID_SIZE];
};

static bool is_by(const struct signer *ours, const struct signature_line *line)
{
    return span_equal(line->name, ours->origin) &&
           span_equal(span_of(line->bytes, KEY_ID_SIZE), SPAN_OF(ours->id));
}

enum err checkpoint_verify(struct span note, const char *origin,
                           const uint8_t public_key[ED25519_PUBLIC_SIZE], struct checkpoint *out)
{
    struct signer ours = {.origin = span_string(origin), .public_key = public_key};
    struct signature_line line;
    struct checkpoint found;
    struct span rest = note;
    struct span text;
    struct span raw;
    bool signed_by_us = false;

    if (note.size > CHECKPOINT_TEXT_MAX || !origin_is_valid(ours.origin) ||
        text_parse(&rest, ours.origin, &found) != ERR_NONE)
        return ERR_MALFORMED;
    text = span_of(note.data, note.size - rest.size - 1);
    key_id(ours.origin, public_key, ours.id);
    if (rest.size == 0)
        return ERR_MALFORMED;
    while (rest.size > 0) {
        if (!take_line(&rest, &raw) || signature_line_parse(raw, &line) != ERR_NONE)
            return ERR_MALFORMED;
        if (!is_by(&ours, &line))
            continue;
        if (signed_by_us || line.size != OUR_SIGNATURE_SIZE)
            return ERR_MALFORMED;
        if (ed25519_verify(public_key, text, line.bytes + KEY_ID_SIZE) != ERR_NONE)
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
    struct span name = span_string(origin);
    struct writer w = writer_over(out, out_size);
    uint8_t id[KEY_ID_SIZE];
    char id_text[2 * KEY_ID_SIZE + 1];
    uint8_t key[1 + ED25519_PUBLIC_SIZE] = {ALGORITHM_ED25519};

    if (!origin_is_valid(name))
        return ERR_MALFORMED;
    key_id(name, public_key, id);
    hex_write(SPAN_OF(id), id_text);
    memcpy(key + 1, public_key, ED25519_PUBLIC_SIZE);
    writer_put(&w, name);
    writer_u8(&w, '+');
    writer_put(&w, span_string(id_text));
    writer_u8(&w, '+');
    put_base64(&w, SPAN_OF(key));
    writer_u8(&w, '\0');
    return writer_finish(&w, NULL);
}

enum err checkpoint_vkey_parse(struct span vkey, char *origin, size_t origin_size,
                               uint8_t public_key[ED25519_PUBLIC_SIZE])
{
    const uint8_t *plus = vkey.size > 0 ? memchr(vkey.data, '+', vkey.size) : NULL;
    struct span name = span_of(vkey.data, plus ? (size_t)(plus - vkey.data) : 0);
    struct span key_text = span_slice(vkey, name.size + 1 + 2 * KEY_ID_SIZE + 1, vkey.size);
    uint8_t key[1 + ED25519_PUBLIC_SIZE];
    char found[CHECKPOINT_ORIGIN_MAX + 1];
    char again[CHECKPOINT_VKEY_SIZE];
    enum err e;

    if (!origin_is_valid(name) || base64_exact(key_text, key, sizeof key) != ERR_NONE ||
        span_to_string(name, found, sizeof found) != ERR_NONE)
        return ERR_MALFORMED;
    /* One spelling: the note must equal the one that we would write. This checks the key id,
     * too. */
    if (checkpoint_vkey_write(found, key + 1, again, sizeof again) != ERR_NONE ||
        !span_equal_string(vkey, again))
        return ERR_MALFORMED;
    e = span_to_string(name, origin, origin_size);
    if (e == ERR_NONE)
        memcpy(public_key, key + 1, ED25519_PUBLIC_SIZE);
    return e;
}
