/* Documents of collateral, the headers and CRLs they are made of, and their names. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "collateral/item.h"
#include "crypto/random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_name(struct span name)
{
    char again[COLLATERAL_NAME_SIZE];
    struct collateral_key key;

    if (collateral_key_parse(name, &key) != ERR_NONE)
        return;
    collateral_key_name(&key, again);
    assert(span_equal_string(name, again));
}

static void fuzz_parts(struct span bytes)
{
    struct attest_collateral_input input = {.tcb_info = bytes,
                                            .qe_identity = bytes,
                                            .tcb_signing_chain = bytes,
                                            .pck_crl = bytes,
                                            .pck_crl_issuer_chain = bytes,
                                            .root_crl = bytes};
    struct buffer out = {0};

    if (collateral_url_decode(bytes, &out) == ERR_NONE)
        assert(out.size <= bytes.size);
    buffer_clear(&out);
    if (collateral_crl_der(bytes, &out) == ERR_NONE)
        assert(out.size > 0 && out.size <= bytes.size);
    buffer_clear(&out);
    (void)!collateral_document_intel(&input, &out);
    buffer_clear(&out);
    (void)!collateral_document_vek(bytes, NULL, &out);
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct attest_trust trust;
    struct collateral_item *item = NULL;
    enum attest_reason reason = ATTEST_OK;

    if (trust.count == 0) {
        if (crypto_start() != ERR_NONE)
            abort();
        attest_trust_vendors(&trust);
    }
    fuzz_name(span_of(data, size));
    fuzz_parts(span_of(data, size));
    if (collateral_item_new(&trust, span_of(data, size), "fuzz", (struct timestamp){0}, &item,
                            &reason) == ERR_NONE)
        assert(collateral_name_check(span_string(item->name)));
    collateral_item_release(&item);
    return 0;
}
