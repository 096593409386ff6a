/* Evidence as people keep and paste it: raw, hex, base64. */
#include <vouchsafe/attest.h>

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/client.h"

#define TEXT_MAX (4u * VS_EVIDENCE_MAX)

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit_of_either(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("+/-_=", c) != NULL);
}

/* Raw evidence holds bytes that no text has: all kinds begin with a number or a tag. */
static bool is_text(struct span bytes)
{
    size_t digits = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        if (is_space(bytes.data[i]))
            continue;
        if (!is_digit_of_either(bytes.data[i]))
            return false;
        digits++;
    }
    return digits > 0;
}

static struct span without_spaces(struct span text, uint8_t *out)
{
    const struct span prefix = SPAN_LITERAL("0x");
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++)
        if (!is_space(text.data[i]))
            out[size++] = text.data[i];
    const struct span packed = span_of(out, size);
    return span_starts_with(packed, prefix) ? span_slice(packed, prefix.size, SIZE_MAX) : packed;
}

/* Hex first: real evidence in base64 has other letters. */
MUST_CHECK static enum err text_read(struct span text, uint8_t *out, size_t *size)
{
    const size_t capacity = text.size;

    if (text.size % 2 == 0 && hex_read(text, out, text.size / 2) == ERR_NONE) {
        *size = text.size / 2;
        return ERR_NONE;
    }
    if (base64_read(text, out, capacity, size) == ERR_NONE)
        return ERR_NONE;
    return base64url_read(text, out, capacity, size);
}

static enum vs_error decode(struct span text, struct vs_blob *out)
{
    uint8_t *packed = malloc(text.size);
    uint8_t *bytes = malloc(text.size);
    size_t size = 0;
    enum vs_error e = VS_ERR_MEMORY;

    if (packed != NULL && bytes != NULL)
        e = text_read(without_spaces(text, packed), bytes, &size) == ERR_NONE
                ? blob_copy(span_of(bytes, size), out)
                : blob_copy(text, out);
    free(packed);
    free(bytes);
    return e;
}

enum vs_error vs_evidence_decode(struct vs_bytes text, struct vs_blob *out)
{
    const struct span bytes = span_of_bytes(text);

    if (out == NULL || (text.data == NULL && text.size > 0))
        return VS_ERR_ARGUMENT;
    if (bytes.size > TEXT_MAX)
        return VS_ERR_TOO_LARGE;
    return is_text(bytes) ? decode(bytes, out) : blob_copy(bytes, out);
}
