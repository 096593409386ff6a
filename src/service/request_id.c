#include "service/request_id.h"

#include <string.h>

#include "base/text.h"
#include "base/uuid7.h"
#include "crypto/random.h"

void request_id_write(struct timestamp now, char out[REQUEST_ID_SIZE])
{
    static const uint8_t dash_before[] = {4, 6, 8, 10};
    uint8_t bytes[16];
    char hex[2 * sizeof bytes + 1];
    size_t at = 0;

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < 6; i++)
        bytes[i] = (uint8_t)((uint64_t)now.ms >> (40 - 8 * i));
    bytes[6] = (uint8_t)(0x70 | (bytes[6] & 0x0f)); /* version 7 */
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f)); /* variant 10 */
    hex_write(SPAN_OF(bytes), hex);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (memchr(dash_before, (int)i, sizeof dash_before) != NULL)
            out[at++] = '-';
        out[at++] = hex[2 * i];
        out[at++] = hex[2 * i + 1];
    }
}

bool request_id_check(struct span text)
{
    struct timestamp ignored;

    return uuid7_time(text, &ignored) == ERR_NONE;
}
