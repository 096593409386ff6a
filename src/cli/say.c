/*
 * Prints all output of the command. Foreign text (replies, files, names) could move the cursor,
 * hide lines or set the title of a terminal. say() prevents that.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define SPEC_MAX 16

/* The character at `p` and its size in bytes; 0 when it is not UTF-8 (RFC 3629). */
static size_t decode(const uint8_t *p, size_t size, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t count = p[0] < 0x80           ? 1
                         : (p[0] >> 5) == 0x06 ? 2
                         : (p[0] >> 4) == 0x0e ? 3
                         : (p[0] >> 3) == 0x1e ? 4
                                               : 0;
    uint32_t c = count == 1 ? p[0] : p[0] & (0x7fu >> count);

    if (count == 0 || count > size)
        return 0;
    for (size_t i = 1; i < count; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[count] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return count;
}

/* Control characters (C0, DEL, C1), and characters that reorder or hide the text around them. */
static bool is_unsafe(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0,       0x1f   },
        {0x7f,    0x9f   },
        {0xad,    0xad   },
        {0x61c,   0x61c  }, /* Arabic letter mark */
        {0x200b,  0x200f }, /* zero width, left-to-right and right-to-left mark */
        {0x2028,  0x202e }, /* line and paragraph separator, embeddings and overrides */
        {0x2060,  0x206f }, /* invisible operators, isolates */
        {0xfeff,  0xfeff },
        {0xfff9,  0xfffb },
        {0xe0000, 0xe007f}, /* tags */
    };

    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

void say_text(FILE *file, const void *text, size_t size)
{
    const uint8_t *p = text;

    while (size > 0) {
        uint32_t c = 0;
        const size_t count = decode(p, size, &c);

        if (count == 0)
            (void)fprintf(file, "\\x%02x", p[0]);
        else if (is_unsafe(c))
            (void)fprintf(file, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
        else
            (void)fwrite(p, 1, count, file);
        p += count == 0 ? 1 : count;
        size -= count == 0 ? 1 : count;
    }
}

/* Keeps white space between the members of JSON; strings cannot contain any of it. */
void say_json(FILE *file, const void *text, size_t size)
{
    const uint8_t *p = text;

    while (size > 0) {
        uint32_t c = 0;
        const size_t count = decode(p, size, &c);

        if (count == 0)
            (void)fprintf(file, "\\ufffd");
        else if (c > 0xffff && is_unsafe(c))
            (void)fprintf(file, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                          0xdc00 + (c & 0x3ff));
        else if (is_unsafe(c) && c != '\n' && c != '\r' && c != '\t')
            (void)fprintf(file, "\\u%04x", c);
        else
            (void)fwrite(p, 1, count, file);
        p += count == 0 ? 1 : count;
        size -= count == 0 ? 1 : count;
    }
}

bool text_is_safe(const void *text, size_t size, const char *also)
{
    const uint8_t *p = text;

    while (size > 0) {
        uint32_t c = 0;
        const size_t count = decode(p, size, &c);

        if (count == 0 || (is_unsafe(c) && (c == 0 || c > 0x7f || strchr(also, (int)c) == NULL)))
            return false;
        p += count;
        size -= count;
    }
    return true;
}

/* One conversion of the format: flags, width and precision as numbers or '*', length, letter. */
struct spec {
    bool left;
    int width, precision; /* -1: none */
    size_t longs;         /* of 'l'; 2 also for 'j' and 'z': all 64 bits here */
    char letter;
};

_Static_assert(sizeof(long) == sizeof(long long) && sizeof(size_t) == sizeof(long), "64 bits");

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): the analyser does not see that say_list() makes
 * the copy whose address these functions get. */
static const char *read_count(const char *p, va_list *arguments, int *out)
{
    if (*p == '*') {
        *out = va_arg(*arguments, int);
        return p + 1;
    }
    while (*p >= '0' && *p <= '9')
        *out = (*out < 0 ? 0 : *out) * 10 + (*p++ - '0');
    return p;
}

/* `p` is after the percent sign. */
static const char *read_spec(const char *p, va_list *arguments, struct spec *out)
{
    *out = (struct spec){.width = -1, .precision = -1};
    if (*p == '-') {
        out->left = true;
        p++;
    }
    p = read_count(p, arguments, &out->width);
    if (*p == '.')
        p = read_count(p + 1, arguments, &out->precision);
    while (*p == 'l' || *p == 'j' || *p == 'z') {
        out->longs++;
        p++;
    }
    out->letter = *p;
    return p + 1;
}

static void put_padded(FILE *file, const struct spec *s, const char *text)
{
    const size_t size = s->precision >= 0 ? strnlen(text, (size_t)s->precision) : strlen(text);
    const int missing = s->width > (int)size ? s->width - (int)size : 0;

    if (!s->left)
        (void)fprintf(file, "%*s", missing, "");
    say_text(file, text, size);
    if (s->left)
        (void)fprintf(file, "%*s", missing, "");
}

static void put_number(FILE *file, const struct spec *s, va_list *arguments)
{
    char text[32];

    if (s->letter == 'd')
        (void)snprintf(text, sizeof text, "%ld",
                       s->longs > 0 ? va_arg(*arguments, long) : (long)va_arg(*arguments, int));
    else
        (void)snprintf(text, sizeof text, s->letter == 'x' ? "%lx" : "%lu",
                       s->longs > 0 ? va_arg(*arguments, unsigned long)
                                    : (unsigned long)va_arg(*arguments, unsigned));
    put_padded(file, s, text);
}

void say_list(FILE *file, const char *format, va_list list)
{
    va_list arguments;
    const char *p = format;

    va_copy(arguments, list);
    while (*p != '\0') {
        const size_t plain = strcspn(p, "%");
        struct spec s;

        (void)fwrite(p, 1, plain, file); /* our own words */
        p += plain;
        if (*p == '\0')
            break;
        p = read_spec(p + 1, &arguments, &s);
        if (s.letter == 's')
            put_padded(file, &s, va_arg(arguments, const char *));
        else if (s.letter == '%')
            (void)fputc('%', file);
        else if (s.letter == 'd' || s.letter == 'u' || s.letter == 'x')
            put_number(file, &s, &arguments);
        else
            abort(); /* a bug: a format that this function does not support */
    }
    va_end(arguments);
}
/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

void say(FILE *file, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_list(file, format, arguments);
    va_end(arguments);
}
