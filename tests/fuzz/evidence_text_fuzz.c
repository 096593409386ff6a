/* vs_evidence_decode() over any bytes; and bytes written in hex or base64 are decoded again. */
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/attest.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Between digits, where people and mailers put white space. */
static char *spaced(const char *text, size_t size, size_t *spaced_size)
{
    char *out = malloc(2 * size + 1);

    require(out != NULL);
    *spaced_size = 0;
    for (size_t i = 0; i < size; i++) {
        out[(*spaced_size)++] = text[i];
        if (i % 61 == 60)
            out[(*spaced_size)++] = '\n';
    }
    return out;
}

static void comes_back(const char *text, size_t text_size, struct span bytes)
{
    struct vs_blob got = {0};
    size_t size;
    char *with_spaces = spaced(text, text_size, &size);

    require(vs_evidence_decode((struct vs_bytes){with_spaces, size}, &got) == VS_OK);
    require(span_equal(span_of(got.data, got.size), bytes));
    vs_blob_clear(&got);
    free(with_spaces);
}

static bool all_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (strchr("0123456789abcdefABCDEF", text[i]) == NULL)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vs_blob got = {0};
    const struct span bytes = span_of(data, size);

    if (vs_evidence_decode((struct vs_bytes){data, size}, &got) == VS_OK)
        require(got.size <= size);
    vs_blob_clear(&got);
    /* Evidence is larger than a few bytes. The reader may treat a short text as base64 or a
     * number. */
    if (size < 16 || size > 4096)
        return 0;
    char *text = malloc(2 * size + 8);
    require(text != NULL);
    hex_write(bytes, text);
    comes_back(text, 2 * size, bytes);
    base64_write(bytes, text);
    if (!all_hex(text, base64_size(size)) && strncmp(text, "0x", 2) != 0)
        comes_back(text, base64_size(size), bytes);
    base64url_write(bytes, text);
    if (!all_hex(text, base64url_size(size)) && strncmp(text, "0x", 2) != 0)
        comes_back(text, base64url_size(size), bytes);
    free(text);
    return 0;
}
