#include <assert.h>
#include <string.h>

#include "attest/attest.h"

/* Every field carries its length, so no two different inputs give the same hashed bytes. */
void report_data_bind(const char *domain, struct span nonce, struct span key, struct span context,
                      uint8_t out[REPORT_DATA_SIZE])
{
    const struct span fields[] = {nonce, key, context};
    uint8_t sizes[COUNT_OF(fields)][2];
    struct span parts[1 + 2 * COUNT_OF(fields)];

    parts[0] = span_of(domain, strlen(domain) + 1); /* its terminator is the 0x00 */
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        assert(fields[i].size <= UINT16_MAX);
        sizes[i][0] = (uint8_t)(fields[i].size >> 8);
        sizes[i][1] = (uint8_t)(fields[i].size & 0xff);
        parts[1 + 2 * i] = SPAN_OF(sizes[i]);
        parts[2 + 2 * i] = fields[i];
    }
    sha512_parts(parts, COUNT_OF(parts), out);
}
