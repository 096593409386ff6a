/* VEK certificates whole, and their extensions: each a length in one byte, then its contents. */
#include <assert.h>
#include <string.h>

#include "attest/snp_vek.h"
#include "base/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_claims(const struct snp_vek_claims *claims)
{
    assert(snp_product_name(claims->product)[0] != '\0');
    assert(strlen(claims->csp_id) <= ATTEST_CSP_ID_MAX);
    assert(claims->by_vlek == (claims->csp_id[0] != '\0'));
    assert(claims->hw_id.size == (claims->by_vlek                       ? 0u
                                  : claims->product == ATTEST_AMD_TURIN ? 8u
                                                                        : SNP_HW_ID_MAX));
}

static void check_extensions(struct span bytes)
{
    struct reader r = reader_over(bytes);
    const bool by_vlek = (reader_u8(&r) & 1) != 0;
    struct snp_vek_claims claims;
    struct snp_extensions x = {0};
    struct span *const parts[] = {
        &x.struct_version, &x.product_name, &x.spl[1], &x.spl[2], &x.spl[3], &x.spl[4], &x.spl[5],
        &x.spl[6],         &x.spl[7],       &x.spl[8], &x.spl[9], &x.hw_id,  &x.csp_id};

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        *parts[i] = reader_take(&r, reader_u8(&r));
    if (snp_vek_claims_parse(&x, by_vlek, &claims) == ERR_NONE) {
        assert(claims.by_vlek == by_vlek);
        check_claims(&claims);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum attest_reason reason = ATTEST_INTERNAL;
    struct attest_vek *vek = NULL;
    enum err e = attest_vek_new(span_of(data, size), &vek, &reason);

    assert((e == ERR_NONE) == (vek != NULL) && (e == ERR_NONE) == (reason == ATTEST_OK));
    if (vek)
        check_claims(&vek->claims);
    attest_vek_free(&vek);
    check_extensions(span_of(data, size));
    return 0;
}
