#include "base/text.h"

#include <string.h>

void hex_write(struct span bytes, char *out)
{
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned high = bytes.data[i] >> 4;
        unsigned low = bytes.data[i] & 15u;

        /* 'a' - '0' - 10 is 39: added when the nibble exceeds 9, without a branch */
        out[2 * i] = (char)('0' + high + (((9u - high) >> 8) & 39u));
        out[2 * i + 1] = (char)('0' + low + (((9u - low) >> 8) & 39u));
    }
    out[2 * bytes.size] = '\0';
}

/* All ones when low <= c <= high, else zero; no branch. The arguments are below 256. */
static unsigned in_range(unsigned c, unsigned low, unsigned high)
{
    return (((c - low) | (high - c)) >> 8 & 1u) - 1u;
}

/* 0..15, with bit 8 set when the character is not a digit. */
static unsigned hex_digit(unsigned c)
{
    unsigned digit = in_range(c, '0', '9');
    unsigned letter = in_range(c | 0x20u, 'a', 'f');
    unsigned value = (digit & (c - '0')) | (letter & ((c | 0x20u) - 'a' + 10));

    return (value & 15u) | (~(digit | letter) & 0x100u);
}

enum err hex_read(struct span text, uint8_t *out, size_t size)
{
    unsigned bad = 0;

    if (text.size % 2 != 0 || text.size / 2 != size)
        return ERR_MALFORMED;
    /* checks first, because `out` is written on success only */
    for (size_t i = 0; i < text.size; i++)
        bad |= hex_digit(text.data[i]) & 0x100u;
    if (bad)
        return ERR_MALFORMED;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(hex_digit(text.data[2 * i]) << 4 | hex_digit(text.data[2 * i + 1]));
    return ERR_NONE;
}

size_t base64_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

size_t base64url_size(size_t size)
{
    return size / 3 * 4 + (size % 3 ? size % 3 + 1 : 0);
}

static char encode_digit(unsigned v, unsigned c62, unsigned c63)
{
    unsigned c = (in_range(v, 0, 25) & (v + 'A')) | (in_range(v, 26, 51) & (v - 26 + 'a')) |
                 (in_range(v, 52, 61) & (v - 52 + '0')) | (in_range(v, 62, 62) & c62) |
                 (in_range(v, 63, 63) & c63);

    return (char)(c & 0xffu);
}

enum { BLOCK = 32, BLOCK_BYTES = BLOCK / 4 * 3 };

/* encode_digit() of a whole block; see decode_digits() */
static void encode_block(const uint8_t bytes[BLOCK_BYTES], char out[BLOCK], uint8_t c62,
                         uint8_t c63)
{
    uint8_t values[BLOCK];

    for (size_t i = 0; i < BLOCK / 4; i++) {
        const uint8_t *b = bytes + 3 * i;

        values[4 * i] = b[0] >> 2;
        values[4 * i + 1] = (uint8_t)((b[0] << 4 | b[1] >> 4) & 63);
        values[4 * i + 2] = (uint8_t)((b[1] << 2 | b[2] >> 6) & 63);
        values[4 * i + 3] = b[2] & 63;
    }
    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t v = values[i];
        uint8_t lower = (uint8_t)(0 - (v > 25));
        uint8_t digit = (uint8_t)(0 - (v > 51));
        uint8_t is62 = (uint8_t)(0 - (v == 62));
        uint8_t is63 = (uint8_t)(0 - (v == 63));
        uint8_t offset = (uint8_t)('A' + (lower & ('a' - 26 - 'A')) + (digit & ('0' - 'a' - 26)));
        uint8_t special = is62 | is63;

        out[i] = (char)((uint8_t)((v + offset) & ~special) | (is62 & c62) | (is63 & c63));
    }
    bytes_wipe(values, sizeof values);
}

static void encode(struct span bytes, char *out, unsigned c62, unsigned c63, bool padded)
{
    size_t at = 0;
    size_t i = 0;

    for (; bytes.size - i >= BLOCK_BYTES; i += BLOCK_BYTES, at += BLOCK)
        encode_block(bytes.data + i, out + at, (uint8_t)c62, (uint8_t)c63);
    for (; i < bytes.size; i += 3) {
        size_t count = bytes.size - i < 3 ? bytes.size - i : 3;
        unsigned group = (unsigned)bytes.data[i] << 16;

        if (count > 1)
            group |= (unsigned)bytes.data[i + 1] << 8;
        if (count > 2)
            group |= bytes.data[i + 2];
        for (size_t j = 0; j < count + 1; j++)
            out[at++] = encode_digit(group >> (18 - 6 * j) & 63u, c62, c63);
        for (size_t j = count; padded && j < 3; j++)
            out[at++] = '=';
    }
}

void base64_write(struct span bytes, char *out)
{
    encode(bytes, out, '+', '/', true);
}

void base64url_write(struct span bytes, char *out)
{
    encode(bytes, out, '-', '_', false);
}

/* 0..63, with bit 8 set when the character is not in the alphabet. */
static unsigned decode_digit(unsigned c, unsigned c62, unsigned c63)
{
    unsigned upper = in_range(c, 'A', 'Z');
    unsigned lower = in_range(c, 'a', 'z');
    unsigned digit = in_range(c, '0', '9');
    unsigned is62 = in_range(c, c62, c62);
    unsigned is63 = in_range(c, c63, c63);
    unsigned value = (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) |
                     (is62 & 62u) | (is63 & 63u);

    return (value & 63u) | (~(upper | lower | digit | is62 | is63) & 0x100u);
}

/*
 * decode_digit() of a whole block, on bytes and without branches, so that the compiler can use
 * vector instructions: 6 times faster. Returns 0 if all characters are in the alphabet.
 */
static unsigned decode_digits(const uint8_t digits[BLOCK], uint8_t values[BLOCK], uint8_t c62,
                              uint8_t c63)
{
    uint8_t bad = 0;

    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t c = digits[i];
        uint8_t upper = (uint8_t)(0 - ((uint8_t)(c - 'A') < 26));
        uint8_t lower = (uint8_t)(0 - ((uint8_t)(c - 'a') < 26));
        uint8_t digit = (uint8_t)(0 - ((uint8_t)(c - '0') < 10));
        uint8_t is62 = (uint8_t)(0 - (c == c62));
        uint8_t is63 = (uint8_t)(0 - (c == c63));

        values[i] = (uint8_t)((upper & (c - 'A')) | (lower & (c - 'a' + 26)) |
                              (digit & (c - '0' + 52)) | (is62 & 62) | (is63 & 63));
        bad |= (uint8_t) ~(upper | lower | digit | is62 | is63);
    }
    return bad;
}

static unsigned decode_block(const uint8_t digits[BLOCK], uint8_t out[BLOCK_BYTES], unsigned c62,
                             unsigned c63)
{
    uint8_t values[BLOCK];
    unsigned bad = decode_digits(digits, values, (uint8_t)c62, (uint8_t)c63);

    for (size_t i = 0; i < BLOCK / 4; i++) {
        const uint8_t *v = values + 4 * i;

        out[3 * i] = (uint8_t)(v[0] << 2 | v[1] >> 4);
        out[3 * i + 1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
        out[3 * i + 2] = (uint8_t)(v[2] << 6 | v[3]);
    }
    bytes_wipe(values, sizeof values);
    return bad;
}

MUST_CHECK static enum err decode(struct span digits, uint8_t *out, size_t capacity, size_t *size,
                                  unsigned c62, unsigned c63)
{
    size_t tail = digits.size % 4;
    size_t total = digits.size / 4 * 3 + (tail ? tail - 1 : 0);
    unsigned bad = 0;
    size_t at = 0;
    size_t i = 0;

    if (tail == 1)
        return ERR_MALFORMED;
    if (total > capacity)
        return ERR_TOO_LARGE;
    for (; digits.size - i >= BLOCK; i += BLOCK, at += BLOCK_BYTES)
        bad |= decode_block(digits.data + i, out + at, c62, c63);
    for (; i < digits.size; i += 4) {
        size_t count = digits.size - i < 4 ? digits.size - i : 4;
        unsigned group = 0;

        for (size_t j = 0; j < count; j++) {
            unsigned v = decode_digit(digits.data[i + j], c62, c63);

            bad |= v & 0x100u;
            group |= (v & 63u) << (18 - 6 * j);
        }
        for (size_t j = 0; j + 1 < count; j++)
            out[at++] = (uint8_t)(group >> (16 - 8 * j));
        bad |= count == 4 ? 0 : group & (count == 3 ? 0xffu : 0xffffu); /* unused bits */
    }
    if (bad) {
        bytes_wipe(out, total);
        return ERR_MALFORMED;
    }
    *size = total;
    return ERR_NONE;
}

enum err base64_read(struct span text, uint8_t *out, size_t capacity, size_t *size)
{
    size_t digits = text.size;

    if (text.size % 4 != 0)
        return ERR_MALFORMED;
    for (int i = 0; i < 2 && digits > 0 && text.data[digits - 1] == '='; i++)
        digits--;
    return decode(span_of(text.data, digits), out, capacity, size, '+', '/');
}

enum err base64url_read(struct span text, uint8_t *out, size_t capacity, size_t *size)
{
    return decode(text, out, capacity, size, '-', '_');
}

enum err decimal_read(struct span text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.size == 0 || (text.size > 1 && text.data[0] == '0'))
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_MALFORMED;
    for (size_t i = 0; i < text.size; i++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return ERR_TOO_LARGE;
    *out = value;
    return ERR_NONE;
}

size_t decimal_write(uint64_t number, char out[DECIMAL_MAX_SIZE])
{
    char digits[DECIMAL_MAX_SIZE];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

enum { NAME_MAX_COMPARED = 95 };

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (char)(c == '-' ? '_' : c);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * Optimal string alignment distance (Damerau-Levenshtein, each part edited at most once); three
 * rows of the usual table. Both are at most NAME_MAX_COMPARED long.
 */
static unsigned distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][NAME_MAX_COMPARED + 1] = {{0}};
    unsigned *before = rows[0];
    unsigned *last = rows[1];
    unsigned *row = rows[2];

    for (size_t j = 0; j <= b_size; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned *oldest = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            const bool same = folded(a[i - 1]) == folded(b[j - 1]);

            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + !same);
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_size];
}

const char *text_nearest(const char *text, const char *const *names, size_t count)
{
    const size_t size = strlen(text);
    const char *nearest = NULL;
    unsigned best = (unsigned)(size + 2) / 3 + 1; /* the first that is too far */

    for (size_t i = 0; i < count && size <= NAME_MAX_COMPARED; i++) {
        const size_t name_size = strlen(names[i]);
        unsigned d;

        if (name_size > NAME_MAX_COMPARED)
            continue;
        d = distance(text, size, names[i], name_size);
        if (d < best && d < name_size) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}
