/* codec/snp_certs: certificates are inside the table, after its entries, and do not overlap. */
#include <stdlib.h>

#include "codec/snp_certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snp_certificates c = {0};

    if (snp_certificates_parse(span_of(data, size), &c) != ERR_NONE)
        return 0;
    const struct span found[] = {c.vcek, c.vlek, c.ask, c.ark};

    require(c.size >= 24 && c.size <= size);
    for (size_t i = 0; i < COUNT_OF(found); i++) {
        if (found[i].size == 0)
            continue;
        require(found[i].data >= data + 48);
        require(found[i].data + found[i].size <= data + c.size);
        for (size_t j = 0; j < i; j++)
            require(found[j].size == 0 || found[i].data + found[i].size <= found[j].data ||
                    found[j].data + found[j].size <= found[i].data);
    }
    return 0;
}
