/* The value of a row, and the line in it: whatever was sealed there is refused or understood. */
#include <stdlib.h>

#include "service/reference_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span value = span_of(data, size);
    struct reference_values values = {0};
    struct span line = {0};
    uint64_t index = 0;

    if (reference_row_parse(value, UINT64_MAX, &index, &line) != ERR_NONE)
        return 0;
    if (line.size > value.size || (line.size < value.size && line.size + 9 != value.size))
        abort();
    if (reference_values_replay(&values, index, line) == ERR_NONE && values.count > 1)
        abort();
    reference_values_clear(&values);
    return 0;
}
