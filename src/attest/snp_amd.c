#include "attest/snp_amd.h"

#include <stdlib.h>
#include <string.h>

#include "attest/part.h"
#include "attest/trust.h"
#include "attest/verify.h"

static const char step[] = "amd_chain";

enum { INTERMEDIATE, ARK };

bool snp_amd_issuer(const struct attest_amd *amd, bool by_vlek, struct snp_issuer *out)
{
    struct x509_cert *const *chain = by_vlek ? amd->vlek_chain : amd->vcek_chain;

    *out = (struct snp_issuer){chain[INTERMEDIATE], chain[ARK], amd->product, by_vlek, true};
    return chain[ARK] != NULL;
}

/* Reads a chain as KDS sends it: the intermediate, then the ARK. */
MUST_CHECK static enum err chain_read(const struct attest_trust *trust, struct span pem,
                                      bool by_vlek, struct x509_cert *out[2],
                                      enum attest_vendor *product, struct refusal *r)
{
    struct snp_issuer issuer = {.by_vlek = by_vlek};
    size_t count = 0;
    enum err e;

    if (pem.size > ATTEST_CHAIN_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, step, "bytes at most", ATTEST_CHAIN_MAX,
                             pem.size);
    e = x509_chain_parse(pem, out, 2, &count);
    if (e != ERR_NONE || count != 2)
        return refuse_unless_memory(r, e, ATTEST_VEK_CHAIN_INVALID, step,
                                    "ASK or ASVK, and ARK, in PEM", NULL);
    issuer.intermediate = out[INTERMEDIATE];
    issuer.ark = out[ARK];
    if (snp_ark_product(issuer.ark, product) != ERR_NONE)
        return refuse(r, ATTEST_VEK_CHAIN_INVALID, step, "ARK-<product> second",
                      "another common name");
    issuer.product = *product;
    return snp_issuer_check(trust, &issuer, r);
}

MUST_CHECK static enum err chains_read(const struct attest_trust *trust,
                                       const struct attest_amd_input *input, struct attest_amd *amd,
                                       struct refusal *r)
{
    const bool vcek = input->vcek_chain.size > 0, vlek = input->vlek_chain.size > 0;
    enum attest_vendor product = ATTEST_INTEL; /* not a product of AMD */
    enum err e;

    if (!vcek && !vlek)
        return refuse(r, ATTEST_COLLATERAL_MISSING, step, "a chain for VCEKs or for VLEKs", "none");
    if (vcek && (e = chain_read(trust, input->vcek_chain, false, amd->vcek_chain, &amd->product,
                                r)) != ERR_NONE)
        return e;
    if (!vlek)
        return ERR_NONE;
    if ((e = chain_read(trust, input->vlek_chain, true, amd->vlek_chain, &product, r)) != ERR_NONE)
        return e;
    if (vcek && product != amd->product)
        return refuse(r, ATTEST_PRODUCT_MISMATCH, step, snp_product_name(amd->product),
                      snp_product_name(product));
    amd->product = product;
    return ERR_NONE;
}

/* Both chains and the CRL must have the same root. */
MUST_CHECK static enum err root_read(struct attest_amd *amd, struct refusal *r)
{
    uint8_t other[SHA256_SIZE];

    x509_cert_spki_sha256(amd->vcek_chain[ARK] ? amd->vcek_chain[ARK] : amd->vlek_chain[ARK],
                          amd->ark_spki);
    if (!amd->vlek_chain[ARK])
        return ERR_NONE;
    x509_cert_spki_sha256(amd->vlek_chain[ARK], other);
    if (!span_equal(SPAN_OF(other), SPAN_OF(amd->ark_spki)))
        return refuse_bytes(r, ATTEST_VEK_CHAIN_INVALID, step, "SHA-256 of root key",
                            SPAN_OF(amd->ark_spki), SPAN_OF(other));
    return ERR_NONE;
}

MUST_CHECK static enum err crl_read(struct span bytes, struct attest_amd *amd, struct refusal *r)
{
    const struct x509_cert *ark =
        amd->vcek_chain[ARK] ? amd->vcek_chain[ARK] : amd->vlek_chain[ARK];
    enum err e;

    if (bytes.size == 0)
        return ERR_NONE;
    if (bytes.size > 2 * ATTEST_CRL_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, "crl", "bytes at most", 2 * ATTEST_CRL_MAX,
                             bytes.size);
    if ((e = x509_crl_parse(bytes, &amd->crl)) != ERR_NONE)
        return refuse_unless_memory(r, e, ATTEST_CRL_INVALID, "crl", "a CRL in DER or PEM", NULL);
    if (!x509_crl_issuer_is(amd->crl, ark))
        return refuse(r, ATTEST_CRL_ISSUER_MISMATCH, "crl", "a CRL by the ARK", "another issuer");
    if ((e = x509_crl_signed_by(amd->crl, ark, X509_RSA4096_PSS_SHA384)) != ERR_NONE)
        return refuse_unless_memory(r, e, ATTEST_CRL_INVALID, "crl", "a CRL signed by the ARK",
                                    NULL);
    return ERR_NONE;
}

enum err attest_amd_new(const struct attest_trust *trust, const struct attest_amd_input *input,
                        struct attest_amd **out, enum attest_reason *reason)
{
    struct refusal r = {.reason = ATTEST_INTERNAL};
    struct attest_amd *amd = calloc(1, sizeof *amd);
    enum err e = ERR_MEMORY;

    *reason = ATTEST_INTERNAL;
    if (!amd)
        return ERR_MEMORY;
    if ((e = chains_read(trust, input, amd, &r)) == ERR_NONE &&
        (e = root_read(amd, &r)) == ERR_NONE && (e = crl_read(input->crl, amd, &r)) == ERR_NONE) {
        *out = amd;
        amd = NULL; /* the caller owns it now */
    }
    *reason = e == ERR_NONE ? ATTEST_OK : r.reason;
    attest_amd_free(&amd);
    return e;
}

enum attest_vendor attest_amd_product(const struct attest_amd *amd)
{
    return amd->product;
}

struct timestamp attest_amd_expiry(const struct attest_amd *amd)
{
    const struct x509_cert *const certs[] = {amd->vcek_chain[INTERMEDIATE], amd->vcek_chain[ARK],
                                             amd->vlek_chain[INTERMEDIATE], amd->vlek_chain[ARK]};
    struct timestamp expiry = {INT64_MAX};

    for (size_t i = 0; i < COUNT_OF(certs); i++)
        if (certs[i])
            expiry = timestamp_earlier(expiry, x509_cert_not_after(certs[i]));
    return amd->crl ? timestamp_earlier(expiry, x509_crl_next_update(amd->crl)) : expiry;
}

void attest_amd_parts(const struct attest_amd *amd, struct attest_part out[ATTEST_AMD_PARTS])
{
    memset(out, 0, ATTEST_AMD_PARTS * sizeof *out);
    if (amd->vcek_chain[ARK])
        part_of_certificate(amd->vcek_chain[INTERMEDIATE], amd->vcek_chain[ARK],
                            &out[ATTEST_PART_VCEK_CHAIN]);
    if (amd->vlek_chain[ARK])
        part_of_certificate(amd->vlek_chain[INTERMEDIATE], amd->vlek_chain[ARK],
                            &out[ATTEST_PART_VLEK_CHAIN]);
    if (amd->crl) /* both chains end in the same key */
        part_of_crl(amd->crl, NULL, &out[ATTEST_PART_AMD_CRL]);
}

void attest_amd_free(struct attest_amd **amd)
{
    if (*amd) {
        for (size_t i = 0; i < 2; i++) {
            x509_cert_free(&(*amd)->vcek_chain[i]);
            x509_cert_free(&(*amd)->vlek_chain[i]);
        }
        x509_crl_free(&(*amd)->crl);
    }
    free(*amd);
    *amd = NULL;
}

bool snp_amd_find(const struct attest_collateral_set *set, const struct attest_trust *trust,
                  enum attest_vendor product, bool by_vlek, struct snp_issuer *out)
{
    for (size_t i = 0; set && i < set->amd_count; i++) {
        const struct attest_amd *amd = set->amd[i];

        if (amd->product == product && attest_trust_find(trust, product, amd->ark_spki) &&
            snp_amd_issuer(amd, by_vlek, out))
            return true;
    }
    return false;
}

const struct x509_crl *snp_amd_crl(const struct attest_collateral_set *set,
                                   const struct snp_issuer *issuer)
{
    const struct x509_crl *newest = NULL;
    uint8_t spki[SHA256_SIZE];

    x509_cert_spki_sha256(issuer->ark, spki);
    for (size_t i = 0; set && i < set->amd_count; i++) {
        const struct attest_amd *amd = set->amd[i];

        if (!amd->crl || !span_equal(SPAN_OF(amd->ark_spki), SPAN_OF(spki)))
            continue;
        if (!newest || x509_crl_this_update(amd->crl).ms > x509_crl_this_update(newest).ms)
            newest = amd->crl;
    }
    return newest;
}
