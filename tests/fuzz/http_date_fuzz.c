/* net/http_date: an accepted date has a time, and its text has the length of one of the forms. */
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
