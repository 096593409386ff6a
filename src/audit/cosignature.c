#include "audit/cosignature.h"

#include <string.h>

#include "base/reader.h"

enum {
    TIME_SIZE = 8,
    SIGNATURE_SIZE = NOTE_KEY_ID_SIZE + TIME_SIZE + ED25519_SIGNATURE_SIZE,
    HEAD_MAX = 64,
};

enum err cosigner_parse(struct span vkey, struct cosigner *out)
{
    return note_vkey_parse(NOTE_COSIGNATURE, vkey, out->name, sizeof out->name, out->public_key);
}

enum err cosigner_write(const struct cosigner *c, char *out, size_t out_size)
{
    return note_vkey_write(NOTE_COSIGNATURE, c->name, c->public_key, out, out_size);
}

/* The signed message. ERR_TOO_LARGE */
MUST_CHECK static enum err message_write(struct span text, uint64_t seconds,
                                         uint8_t out[COSIGNATURE_TEXT_MAX + HEAD_MAX],
                                         struct span *message)
{
    struct writer w = writer_over(out, COSIGNATURE_TEXT_MAX + HEAD_MAX);

    writer_put(&w, SPAN_LITERAL("cosignature/v1\ntime "));
    note_put_number(&w, seconds);
    writer_u8(&w, '\n');
    writer_put(&w, text);
    return writer_finish(&w, message);
}

enum err cosignature_sign(struct span text, const struct cosigner *c,
                          const uint8_t seed[ED25519_SEED_SIZE], uint64_t seconds,
                          char out[COSIGNATURE_LINE_MAX])
{
    const struct span name = span_string(c->name);
    struct writer w = writer_over(out, COSIGNATURE_LINE_MAX);
    uint8_t bytes[SIGNATURE_SIZE];
    struct writer s = writer_over(bytes + NOTE_KEY_ID_SIZE, TIME_SIZE);
    uint8_t memory[COSIGNATURE_TEXT_MAX + HEAD_MAX];
    struct span message;
    enum err e = message_write(text, seconds, memory, &message);

    if (e != ERR_NONE)
        return e;
    if (!note_name_is_valid(name) || seconds > INT64_MAX)
        return ERR_MALFORMED;
    note_key_id(NOTE_COSIGNATURE, name, c->public_key, bytes);
    writer_u64be(&s, seconds);
    ed25519_sign(seed, message, bytes + NOTE_KEY_ID_SIZE + TIME_SIZE);
    note_put_signature(&w, name, SPAN_OF(bytes));
    writer_u8(&w, '\0');
    return writer_finish(&w, NULL);
}

/* One line by this key. */
MUST_CHECK static enum err line_verify(struct span text, const struct note_signature *s,
                                       const struct cosigner *c, uint64_t *seconds)
{
    struct reader r = reader_over(span_of(s->bytes + NOTE_KEY_ID_SIZE, TIME_SIZE));
    uint8_t memory[COSIGNATURE_TEXT_MAX + HEAD_MAX];
    struct span message;

    if (s->size != SIGNATURE_SIZE)
        return ERR_CRYPTO;
    *seconds = reader_u64be(&r);
    if (*seconds > INT64_MAX || message_write(text, *seconds, memory, &message) != ERR_NONE)
        return ERR_CRYPTO;
    return ed25519_verify(c->public_key, message, s->bytes + NOTE_KEY_ID_SIZE + TIME_SIZE);
}

enum err cosignature_verify(struct span text, struct span lines, const struct cosigner *c,
                            uint64_t *seconds, struct span *line)
{
    struct note_signature s;
    struct span rest = lines;
    struct span raw;
    bool found = false;

    while (rest.size > 0) {
        uint64_t time = 0;

        if (!note_take_line(&rest, &raw) || note_signature_parse(raw, &s) != ERR_NONE)
            return ERR_MALFORMED;
        if (!note_signature_is_by(&s, NOTE_COSIGNATURE, span_string(c->name), c->public_key))
            continue;
        if (line_verify(text, &s, c, &time) != ERR_NONE)
            return ERR_CRYPTO;
        if (found && time <= *seconds)
            continue;
        found = true;
        *seconds = time;
        *line = span_of(raw.data, raw.size + 1);
    }
    return found ? ERR_NONE : ERR_NOT_FOUND;
}
