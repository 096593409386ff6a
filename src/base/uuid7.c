#include "base/uuid7.h"

#include <string.h>

#include "base/text.h"

static bool is_hyphen_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

enum err uuid7_time(struct span text, struct timestamp *out)
{
    char digits[UUID7_SIZE];
    uint8_t bytes[16];
    size_t count = 0;
    int64_t ms = 0;

    if (text.size != UUID7_SIZE)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];

        if (is_hyphen_at(i) != (c == '-') || (c >= 'A' && c <= 'F'))
            return ERR_MALFORMED;
        if (c != '-')
            digits[count++] = (char)c;
    }
    if (hex_read(span_of(digits, count), bytes, sizeof bytes) != ERR_NONE || bytes[6] >> 4 != 7 ||
        bytes[8] >> 6 != 2)
        return ERR_MALFORMED;
    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | bytes[i];
    out->ms = ms;
    return ERR_NONE;
}
