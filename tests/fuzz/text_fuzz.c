/*
 * base/text and base/clock: hex, both kinds of base64, timestamps. Each value has one spelling
 * (except the case of hex digits and the fraction of timestamps), so a parsed value is written to
 * the same text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/uuid7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void *allocate(size_t size)
{
    void *block = malloc(size ? size : 1); /* of exact size, so that a sanitizer sees one more */

    require(block != NULL);
    return block;
}

static void check_hex(struct span input)
{
    char *text = allocate(2 * input.size + 1);
    uint8_t *back = allocate(input.size);

    hex_write(input, text);
    require(strlen(text) == 2 * input.size);
    require(hex_read(span_string(text), back, input.size) == ERR_NONE);
    require(span_equal(span_of(back, input.size), input));
    free(text);
    if (hex_read(input, back, input.size / 2) == ERR_NONE) {
        text = allocate(input.size + 1);
        hex_write(span_of(back, input.size / 2), text);
        for (size_t i = 0; i < input.size; i++)
            require((uint8_t)text[i] == (input.data[i] | (input.data[i] >= 'A' ? 0x20 : 0)));
        free(text);
    }
    free(back);
}

struct base64_form {
    size_t (*size_of)(size_t size);
    void (*write)(struct span bytes, char *out);
    MUST_CHECK enum err (*read)(struct span text, uint8_t *out, size_t capacity, size_t *size);
};

static void check_base64(struct span input, const struct base64_form *form)
{
    size_t text_size = form->size_of(input.size);
    char *text = allocate(text_size);
    uint8_t *back = allocate(input.size);
    size_t got;

    form->write(input, text);
    require(form->read(span_of(text, text_size), back, input.size, &got) == ERR_NONE);
    require(span_equal(span_of(back, got), input));
    if (input.size > 0)
        require(form->read(span_of(text, text_size), back, input.size - 1, &got) == ERR_TOO_LARGE);
    free(text);
    if (form->read(input, back, input.size, &got) == ERR_NONE) {
        require(form->size_of(got) == input.size);
        text = allocate(input.size);
        form->write(span_of(back, got), text);
        require(span_equal(span_of(text, input.size), input));
        free(text);
    }
    free(back);
}

static void check_timestamp(struct span input)
{
    char text[TIMESTAMP_TEXT_SIZE];
    struct timestamp t;
    struct timestamp back;

    if (timestamp_parse(input, &t) == ERR_NONE) {
        timestamp_write(t, text);
        require(timestamp_parse(span_string(text), &back) == ERR_NONE && back.ms == t.ms);
        require(span_starts_with(span_string(text), span_slice(input, 0, 19)));
    }
    if (input.size >= sizeof t.ms) {
        memcpy(&t.ms, input.data, sizeof t.ms);
        timestamp_write(t, text);
        require(timestamp_parse(span_string(text), &back) == ERR_NONE);
        require(back.ms == t.ms || t.ms < 0 || t.ms > 253402300799999);
        require(timestamp_seconds(back) * 1000 <= back.ms);
    }
}

static void check_uuid7(struct span input)
{
    struct timestamp t = {-1};

    require((uuid7_time(input, &t) == ERR_NONE) == (t.ms >= 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct base64_form forms[] = {
        {base64_size,    base64_write,    base64_read   },
        {base64url_size, base64url_write, base64url_read},
    };
    struct span input = span_of(data, size);

    check_hex(input);
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        check_base64(input, &forms[i]);
    check_timestamp(input);
    check_uuid7(input);
    return 0;
}
