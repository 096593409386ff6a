/* codec/base58: the input as text and as bytes. The two directions undo each other. */
#include <stdlib.h>
#include <string.h>

#include "codec/base58.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    uint8_t bytes[BASE58_MAX_SIZE];
    char text[BASE58_TEXT_SIZE(BASE58_MAX_SIZE)];
    size_t count;

    if (base58_read(input, bytes, sizeof bytes, &count) == ERR_NONE) {
        /* one spelling per value */
        require(base58_write(span_of(bytes, count), text, sizeof text) == ERR_NONE);
        require(span_equal_string(input, text));
    }
    if (base58_write(input, text, sizeof text) == ERR_NONE) {
        require(base58_read(span_string(text), bytes, sizeof bytes, &count) == ERR_NONE);
        require(span_equal(input, span_of(bytes, count)));
    } else {
        require(size > BASE58_MAX_SIZE);
    }
    return 0;
}
