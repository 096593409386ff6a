#include "base/span.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span span_of(const void *data, size_t size)
{
    return (struct span){data, size};
}

struct span span_string(const char *text)
{
    return text ? span_of(text, strlen(text)) : (struct span){0};
}

bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool span_equal_string(struct span a, const char *text)
{
    return span_equal(a, span_string(text));
}

bool span_starts_with(struct span s, struct span prefix)
{
    return s.size >= prefix.size && span_equal(span_of(s.data, prefix.size), prefix);
}

bool span_is_zero(struct span s)
{
    uint8_t any = 0;

    for (size_t i = 0; i < s.size; i++)
        any |= s.data[i];
    return any == 0;
}

struct span span_slice(struct span s, size_t offset, size_t size)
{
    if (offset >= s.size)
        return (struct span){0};
    if (size > s.size - offset)
        size = s.size - offset;
    return span_of(s.data + offset, size);
}

enum err span_to_string(struct span s, char *out, size_t out_size)
{
    if (s.size >= out_size)
        return ERR_TOO_LARGE;
    if (s.size > 0 && memchr(s.data, 0, s.size) != NULL)
        return ERR_MALFORMED;
    if (s.size > 0)
        memcpy(out, s.data, s.size);
    out[s.size] = '\0';
    return ERR_NONE;
}

/* Eight bytes at a time; volatile prevents the compiler from leaving early. */
bool bytes_equal_ct(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a;
    const uint8_t *y = b;
    volatile uint64_t difference = 0;
    uint64_t words = 0;

    for (; size >= 8; size -= 8, x += 8, y += 8) {
        uint64_t left, right;

        memcpy(&left, x, 8);
        memcpy(&right, y, 8);
        words |= left ^ right;
    }
    for (size_t i = 0; i < size; i++)
        words |= (uint64_t)(x[i] ^ y[i]);
    difference = words;
    return difference == 0;
}

void bytes_wipe(void *data, size_t size)
{
    if (size > 0)
        explicit_bzero(data, size);
}

NO_INLINE void stack_wipe(void)
{
    uint8_t dead[4096];

    explicit_bzero(dead, sizeof dead);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void wipe_avx512(void)
{
    __asm__ volatile("vzeroall\n\t"
                     "vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
                     "vpxorq %%zmm18, %%zmm18, %%zmm18\n\tvpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
                     "vpxorq %%zmm20, %%zmm20, %%zmm20\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
                     "vpxorq %%zmm22, %%zmm22, %%zmm22\n\tvpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
                     "vpxorq %%zmm24, %%zmm24, %%zmm24\n\tvpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
                     "vpxorq %%zmm26, %%zmm26, %%zmm26\n\tvpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
                     "vpxorq %%zmm28, %%zmm28, %%zmm28\n\tvpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
                     "vpxorq %%zmm30, %%zmm30, %%zmm30\n\tvpxorq %%zmm31, %%zmm31, %%zmm31" ::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16",
                           "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
                           "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

__attribute__((target("avx"))) static void wipe_avx(void)
{
    __asm__ volatile("vzeroall" ::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static void wipe_sse(void)
{
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\t"
                     "pxor %%xmm3, %%xmm3\n\tpxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\t"
                     "pxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\tpxor %%xmm8, %%xmm8\n\t"
                     "pxor %%xmm9, %%xmm9\n\tpxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\t"
                     "pxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\t"
                     "pxor %%xmm14, %%xmm14\n\tpxor %%xmm15, %%xmm15" ::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

void registers_wipe(void)
{
    if (__builtin_cpu_supports("avx512f"))
        wipe_avx512();
    else if (__builtin_cpu_supports("avx"))
        wipe_avx();
    else
        wipe_sse();
}
#elif defined(__aarch64__)
void registers_wipe(void)
{
    __asm__ volatile("movi v0.16b, #0\n\tmovi v1.16b, #0\n\tmovi v2.16b, #0\n\tmovi v3.16b, #0\n\t"
                     "movi v4.16b, #0\n\tmovi v5.16b, #0\n\tmovi v6.16b, #0\n\tmovi v7.16b, #0\n\t"
                     "movi v16.16b, #0\n\tmovi v17.16b, #0\n\tmovi v18.16b, #0\n\t"
                     "movi v19.16b, #0\n\tmovi v20.16b, #0\n\tmovi v21.16b, #0\n\t"
                     "movi v22.16b, #0\n\tmovi v23.16b, #0\n\tmovi v24.16b, #0\n\t"
                     "movi v25.16b, #0\n\tmovi v26.16b, #0\n\tmovi v27.16b, #0\n\t"
                     "movi v28.16b, #0\n\tmovi v29.16b, #0\n\tmovi v30.16b, #0\n\t"
                     "movi v31.16b, #0" ::
                         : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18",
                           "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                           "v29", "v30", "v31");
}
#else
void registers_wipe(void)
{
}
#endif

enum err buffer_reserve(struct buffer *b, size_t extra)
{
    size_t needed;
    size_t capacity = b->capacity ? b->capacity : 64;
    uint8_t *grown;

    if (__builtin_add_overflow(b->size, extra, &needed))
        return ERR_MEMORY;
    if (needed <= b->capacity)
        return ERR_NONE;
    while (capacity < needed)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            return ERR_MEMORY;
    /* malloc and copy instead of realloc, so that the old block is always wiped */
    grown = malloc(capacity);
    if (!grown)
        return ERR_MEMORY;
    if (b->size > 0)
        memcpy(grown, b->data, b->size);
    bytes_wipe(b->data, b->capacity);
    free(b->data);
    b->data = grown;
    b->capacity = capacity;
    return ERR_NONE;
}

enum err buffer_append(struct buffer *b, struct span bytes)
{
    enum err e = buffer_reserve(b, bytes.size);

    if (e != ERR_NONE)
        return e;
    if (bytes.size > 0)
        memcpy(b->data + b->size, bytes.data, bytes.size);
    b->size += bytes.size;
    return ERR_NONE;
}

enum err buffer_append_string(struct buffer *b, const char *text)
{
    return buffer_append(b, span_string(text));
}

enum err buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list arguments;
    int size;
    enum err e;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0)
        return ERR_INTERNAL;
    e = buffer_reserve(b, (size_t)size + 1);
    if (e != ERR_NONE)
        return e;
    va_start(arguments, format);
    (void)vsnprintf((char *)b->data + b->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    b->size += (size_t)size;
    return ERR_NONE;
}

void buffer_drop(struct buffer *b, size_t size)
{
    if (size > b->size)
        size = b->size;
    if (size == 0)
        return;
    memmove(b->data, b->data + size, b->size - size);
    b->size -= size;
    bytes_wipe(b->data + b->size, size);
}

void buffer_clear(struct buffer *b)
{
    bytes_wipe(b->data, b->capacity); /* callers may have written beyond the size */
    free(b->data);
    *b = (struct buffer){0};
}

struct span buffer_span(const struct buffer *b)
{
    return span_of(b->data, b->size);
}
