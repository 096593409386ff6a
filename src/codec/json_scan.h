/* Text functions that the JSON reader and writer and the CBOR reader (UTF-8) share. Internal to
 * codec/. */
#ifndef CODEC_JSON_SCAN_H
#define CODEC_JSON_SCAN_H

#include <endian.h>
#include <string.h>

#include "base/span.h"

/* True for ASCII characters that a string needs not escape: all but control, quote and
 * backslash. */
static inline bool json_is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/*
 * Sets the top bit of each byte of `word` that is not plain. A byte below 0x20 borrows when 0x20 is
 * subtracted. A quote or backslash becomes zero by XOR and borrows when 1 is subtracted. A borrow
 * may wrongly mark bytes above the lowest byte that is not plain, but never below it.
 */
static inline uint64_t json_not_plain(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;

    return ((word - ones * 0x20) | ((word ^ ones * '"') - ones) | ((word ^ ones * '\\') - ones) |
            word) &
           ones * 0x80;
}

/* The first byte from `at` that is not plain, or `end`. Reads eight bytes a step, because
 * strings are long. */
static inline const uint8_t *json_plain_end(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        uint64_t special;

        memcpy(&word, at, sizeof word);
        special = json_not_plain(le64toh(word)); /* the lowest byte is the first */
        if (special)
            return at + __builtin_ctzll(special) / 8;
    }
    while (at < end && json_is_plain(*at))
        at++;
    return at;
}

/*
 * Size of the UTF-8 character at `at`, 2 to 4 bytes, or 0 when the bytes are not one. Well-formed
 * sequences are those of the Unicode Standard, table 3-7: no overlong form, no surrogate, none
 * above U+10FFFF. `at` is before `end` and its byte is not ASCII.
 */
static inline size_t json_utf8_size(const uint8_t *at, const uint8_t *end)
{
    static const struct {
        uint8_t first_low, first_high, second_low, second_high, size;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        size_t size = forms[i].size;

        if (*at < forms[i].first_low || *at > forms[i].first_high)
            continue;
        if ((size_t)(end - at) < size || at[1] < forms[i].second_low ||
            at[1] > forms[i].second_high)
            return 0;
        for (size_t j = 2; j < size; j++)
            if ((at[j] & 0xc0u) != 0x80u)
                return 0;
        return size;
    }
    return 0;
}

#endif
