#include "codec/base58.h"

#include <string.h>

/* https://datatracker.ietf.org/doc/html/draft-msporny-base58-03, section 2 */
static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

enum { BASE = 58, TEXT_MAX_SIZE = BASE58_TEXT_SIZE(BASE58_MAX_SIZE) - 1 };

/* A big number of `size` digits, the least significant first: number = number * factor + add. */
static void multiply_add(uint8_t *digits, size_t *size, unsigned base, unsigned factor,
                         unsigned add)
{
    unsigned carry = add;

    for (size_t i = 0; i < *size; i++) {
        carry += digits[i] * factor;
        digits[i] = (uint8_t)(carry % base);
        carry /= base;
    }
    for (; carry > 0; carry /= base)
        digits[(*size)++] = (uint8_t)(carry % base);
}

static size_t count_leading(struct span s, uint8_t value)
{
    size_t count = 0;

    while (count < s.size && s.data[count] == value)
        count++;
    return count;
}

enum err base58_write(struct span bytes, char *out, size_t out_size)
{
    uint8_t digits[TEXT_MAX_SIZE];
    size_t zeros = count_leading(bytes, 0);
    size_t size = 0;
    enum err e = ERR_NONE;

    if (bytes.size > BASE58_MAX_SIZE)
        return ERR_TOO_LARGE;
    for (size_t i = zeros; i < bytes.size; i++)
        multiply_add(digits, &size, BASE, 256, bytes.data[i]);
    if (zeros + size >= out_size) {
        e = ERR_TOO_LARGE;
    } else {
        memset(out, alphabet[0], zeros);
        for (size_t i = 0; i < size; i++)
            out[zeros + i] = alphabet[digits[size - 1 - i]];
        out[zeros + size] = '\0';
    }
    bytes_wipe(digits, sizeof digits);
    return e;
}

enum err base58_read(struct span text, uint8_t *out, size_t capacity, size_t *size)
{
    uint8_t bytes[TEXT_MAX_SIZE]; /* a digit adds less than a byte */
    size_t zeros = count_leading(text, (uint8_t)alphabet[0]);
    size_t count = 0;
    enum err e = ERR_NONE;

    if (text.size > TEXT_MAX_SIZE)
        return ERR_TOO_LARGE;
    for (size_t i = zeros; e == ERR_NONE && i < text.size; i++) {
        const char *digit = memchr(alphabet, text.data[i], BASE);

        if (digit)
            multiply_add(bytes, &count, 256, BASE, (unsigned)(digit - alphabet));
        else
            e = ERR_MALFORMED;
    }
    if (e == ERR_NONE && (zeros + count > capacity || zeros + count > BASE58_MAX_SIZE))
        e = ERR_TOO_LARGE;
    if (e == ERR_NONE) {
        for (size_t i = 0; i < zeros + count; i++)
            out[i] = i < zeros ? 0 : bytes[count - 1 - (i - zeros)];
        *size = zeros + count;
    }
    bytes_wipe(bytes, sizeof bytes);
    return e;
}
