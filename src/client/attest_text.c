/* Reads evidence as people keep and paste it: raw, hex, base64, quoted, or inside a JSON
 * document. */
#include <vouchsafe/attest.h>

#include <stdlib.h>
#include <string.h>

#include "attest/attest.h"
#include "base/text.h"
#include "client/client.h"
#include "codec/json.h"

#define TEXT_MAX (4u * VS_EVIDENCE_MAX)
#define SMALLEST_HEX 8        /* digits; evidence of all kinds is longer */
#define SMALLEST_EVIDENCE 128 /* bytes; a document is searched for larger strings only */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Raw evidence has bytes that no text has: all kinds begin with a number or a tag. */
static bool is_text(struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if ((bytes.data[i] < 0x20 && !is_space(bytes.data[i])) || bytes.data[i] >= 0x7f)
            return false;
    return true;
}

static struct span trim(struct span text)
{
    while (text.size > 0 && is_space(text.data[0]))
        text = span_slice(text, 1, SIZE_MAX);
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* Removes what editors and programs put around text: a byte order mark, white space, quotes. */
static struct span bare(struct span text)
{
    const struct span mark = SPAN_LITERAL("\xef\xbb\xbf");

    if (span_starts_with(text, mark))
        text = span_slice(text, mark.size, SIZE_MAX);
    text = trim(text);
    if (text.size > 0 && text.data[text.size - 1] == ',') /* a line of a JSON list */
        text = trim(span_slice(text, 0, text.size - 1));
    if (text.size >= 2 && text.data[0] == text.data[text.size - 1] &&
        (text.data[0] == '"' || text.data[0] == '\''))
        text = trim(span_slice(text, 1, text.size - 2));
    return text;
}

/* Removes white space and "0x"; converts base64 to its usual alphabet with padding. `out` has
 * room for text.size + 4. */
static struct span canonical(struct span text, uint8_t *out)
{
    size_t size = 0;

    if (span_starts_with(text, SPAN_LITERAL("0x")))
        text = span_slice(text, 2, SIZE_MAX);
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];

        if (!is_space(c))
            out[size++] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    return span_of(out, size);
}

/* Adds padding that base64 lacks. One missing character is an error, and is not repaired. */
static struct span padded(struct span text, uint8_t *memory)
{
    size_t size = text.size;

    if (size > 0 && text.data[size - 1] == '=')
        return text;
    while (size % 4 != 0 && size % 4 != 1)
        memory[size++] = '=';
    return span_of(memory, size);
}

/* Tries hex first, because real evidence in base64 has other letters. `out` has room for
 * text.size. */
MUST_CHECK static enum err digits_read(struct span text, uint8_t *out, size_t *size)
{
    uint8_t *memory = malloc(text.size + 4);
    enum err e = ERR_MALFORMED;

    if (memory == NULL)
        return ERR_MEMORY;
    const struct span digits = canonical(text, memory);
    if (digits.size >= SMALLEST_HEX && digits.size % 2 == 0)
        e = hex_read(digits, out, digits.size / 2);
    if (e == ERR_NONE)
        *size = digits.size / 2;
    else if (digits.size > 0)
        e = base64_read(padded(digits, memory), out, text.size, size);
    free(memory);
    return e;
}

/* "[3, 0, 2, ...]", as many programs print bytes. */
MUST_CHECK static enum err list_read(struct span text, uint8_t *out, size_t *size)
{
    unsigned number = 0;
    size_t digits = 0;
    size_t written = 0;

    if (text.size < 2 || text.data[0] != '[' || text.data[text.size - 1] != ']')
        return ERR_MALFORMED;
    for (size_t i = 1; i < text.size; i++) {
        const uint8_t c = text.data[i];

        if (c >= '0' && c <= '9' && digits < 3) {
            number = number * 10 + (unsigned)(c - '0');
            digits++;
        } else if (c == ',' || i == text.size - 1) {
            if (digits == 0 || number > UINT8_MAX)
                return ERR_MALFORMED;
            out[written++] = (uint8_t)number;
            number = 0;
            digits = 0;
        } else if (!is_space(c)) {
            return ERR_MALFORMED;
        }
    }
    *size = written;
    return ERR_NONE;
}

/* ---- a document that carries evidence ---- */

struct search {
    uint8_t *bytes; /* the first evidence found */
    size_t size, found;
    uint8_t *memory; /* for one string and its decoded form, each as large as the document */
    size_t capacity;
};

static void look_at_string(struct search *s, struct json_value value)
{
    uint8_t *text = s->memory;
    uint8_t *bytes = s->memory + s->capacity;
    size_t text_size = 0;
    size_t size = 0;

    if (json_string(value, text, s->capacity, &text_size) != ERR_NONE ||
        digits_read(span_of(text, text_size), bytes, &size) != ERR_NONE ||
        size < SMALLEST_EVIDENCE || attest_evidence_kind(span_of(bytes, size)) == ATTEST_TEE_NONE)
        return;
    if (s->found > 0 && span_equal(span_of(s->bytes, s->size), span_of(bytes, size)))
        return; /* the same evidence again */
    if (s->found++ > 0)
        return;
    memcpy(s->bytes, bytes, size);
    s->size = size;
}

/* json_parse() has checked the depth. */
static void look_at(struct search *s, struct json_value value) /* NOLINT(misc-no-recursion) */
{
    struct json_iterator i = {0};
    struct json_value name, member;

    if (value.type == JSON_STRING)
        look_at_string(s, value);
    if (value.type != JSON_OBJECT && value.type != JSON_ARRAY)
        return;
    while (json_next(value, &i, &name, &member))
        look_at(s, member);
}

MUST_CHECK static enum vs_error document_read(struct span text, uint8_t *out, size_t *size,
                                              struct vs_why *why)
{
    struct json_value document;
    struct search s = {.bytes = out, .capacity = text.size};
    size_t offset = 0;
    const enum err e = json_parse(text, &document, &offset);

    if (e != ERR_NONE)
        return why_fail(why, VS_ERR_MALFORMED,
                        "it looks like JSON, and is not valid JSON near byte %zu", offset);
    s.memory = malloc(2 * text.size + 1);
    if (s.memory == NULL)
        return VS_ERR_MEMORY;
    look_at(&s, document);
    free(s.memory);
    *size = s.size;
    if (s.found == 1)
        return VS_OK;
    return why_fail(why, VS_ERR_MALFORMED,
                    s.found == 0
                        ? "it is a JSON document, and none of its strings is evidence in hex or "
                          "base64"
                        : "it is a JSON document that carries several pieces of evidence: give "
                          "one of them");
}

/* `out` has room for text.size. */
MUST_CHECK static enum vs_error text_read(struct span text, uint8_t *out, size_t *size,
                                          struct vs_why *why)
{
    enum err e;

    if (text.size == 0)
        return why_fail(why, VS_ERR_MALFORMED, "it is empty");
    if (list_read(text, out, size) == ERR_NONE)
        return VS_OK;
    if (text.data[0] == '{' || text.data[0] == '[')
        return document_read(text, out, size, why);
    e = digits_read(text, out, size);
    if (e == ERR_MEMORY)
        return VS_ERR_MEMORY;
    if (e == ERR_NONE)
        return VS_OK;
    return why_fail(why, VS_ERR_MALFORMED,
                    "it is text, and neither hex nor base64 nor JSON (it begins with '%.*s')",
                    (int)(text.size < 16 ? text.size : 16), (const char *)text.data);
}

enum vs_error vs_evidence_read(struct vs_bytes text, struct vs_blob *out, struct vs_why *why)
{
    const struct span bytes = span_of_bytes(text);
    uint8_t *read;
    size_t size = 0;
    enum vs_error e;

    if (out == NULL || (text.data == NULL && text.size > 0))
        return VS_ERR_ARGUMENT;
    if (bytes.size > TEXT_MAX)
        return why_fail(why, VS_ERR_TOO_LARGE, "it has more than %u bytes", TEXT_MAX);
    const struct span said = bare(bytes);
    if (!is_text(said) || vs_is_certificate((struct vs_bytes){said.data, said.size}))
        return blob_copy(is_text(said) ? said : bytes, out);
    read = malloc(said.size + 1);
    if (read == NULL)
        return VS_ERR_MEMORY;
    e = text_read(said, read, &size, why);
    if (e == VS_OK)
        e = blob_copy(span_of(read, size), out);
    free(read);
    return e;
}

enum vs_error vs_evidence_time(struct vs_bytes evidence, int64_t *milliseconds)
{
    struct timestamp made = {0};

    if (milliseconds == NULL || (evidence.data == NULL && evidence.size > 0))
        return VS_ERR_ARGUMENT;
    const enum err e = attest_evidence_time(span_of_bytes(evidence), &made);
    if (e == ERR_NONE)
        *milliseconds = made.ms;
    return e == ERR_DENIED ? VS_ERR_MALFORMED : error_of(e);
}

enum vs_error vs_evidence_decode(struct vs_bytes text, struct vs_blob *out)
{
    return vs_evidence_read(text, out, NULL);
}
