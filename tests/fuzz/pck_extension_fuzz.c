#include <assert.h>

#include "attest/pck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pck p;

    if (pck_extension_parse(span_of(data, size), &p) == ERR_NONE)
        assert(p.sgx_type <= 2);
    return 0;
}
