/* net/http_date: what is a date has a time, and is text of the lengths that the forms have. */
#include <stdlib.h>

#include "net/http_date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct timestamp t = {-1};

    if (http_date_parse(span_of(data, size), &t) != ERR_NONE) {
        if (t.ms != -1)
            abort();
    } else if (t.ms < 0 || t.ms % 1000 != 0 || size < 24 || size > 34) {
        abort();
    }
    return 0;
}
