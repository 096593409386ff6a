#include "attest/snp_chain.h"

#include <stdlib.h>
#include <string.h>

#include "attest/cache.h"
#include "attest/certificates.h"
#include "attest/trust.h"

static const char step[] = "vek_chain";

/* Common names; they differ before any of them ends. */
static const struct {
    enum attest_vendor product;
    const char *ark, *ask, *asvk;
} names[] = {
    {ATTEST_AMD_MILAN, "ARK-Milan", "SEV-Milan", "SEV-VLEK-Milan"},
    {ATTEST_AMD_GENOA, "ARK-Genoa", "SEV-Genoa", "SEV-VLEK-Genoa"},
    {ATTEST_AMD_TURIN, "ARK-Turin", "SEV-Turin", "SEV-VLEK-Turin"},
};

enum err snp_ark_product(const struct x509_cert *c, enum attest_vendor *out)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (x509_cert_common_name_contains(c, names[i].ark)) {
            *out = names[i].product;
            return ERR_NONE;
        }
    }
    return ERR_NOT_FOUND;
}

enum err snp_intermediate_product(const struct x509_cert *c, bool by_vlek, enum attest_vendor *out)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (x509_cert_common_name_contains(c, by_vlek ? names[i].asvk : names[i].ask)) {
            *out = names[i].product;
            return ERR_NONE;
        }
    }
    return ERR_NOT_FOUND;
}

MUST_CHECK static enum err roles_check(const struct snp_issuer *issuer, struct refusal *r)
{
    enum attest_vendor product;

    if (!x509_cert_is_ca(issuer->ark) || !x509_cert_is_ca(issuer->intermediate))
        return refuse(r, ATTEST_VEK_CHAIN_INVALID, step, "CA certificates above the VEK",
                      "a certificate that is no CA");
    if (snp_intermediate_product(issuer->intermediate, issuer->by_vlek, &product) != ERR_NONE)
        return refuse(r, ATTEST_VEK_CHAIN_INVALID, step,
                      issuer->by_vlek ? "ASVK (SEV-VLEK-<product>)" : "ASK (SEV-<product>)",
                      "another common name");
    if (product != issuer->product)
        return refuse(r, ATTEST_PRODUCT_MISMATCH, step, snp_product_name(issuer->product),
                      snp_product_name(product));
    if (snp_ark_product(issuer->ark, &product) != ERR_NONE)
        return refuse(r, ATTEST_VEK_CHAIN_INVALID, step, "ARK-<product>", "another common name");
    if (product != issuer->product)
        return refuse(r, ATTEST_PRODUCT_MISMATCH, step, snp_product_name(issuer->product),
                      snp_product_name(product));
    return ERR_NONE;
}

/* Looks up by key and product: the ARK of one product is not valid for another's chips. */
MUST_CHECK static enum err pin_find(const struct attest_trust *trust,
                                    const struct snp_issuer *issuer, const struct attest_root **out,
                                    struct refusal *r)
{
    uint8_t spki[SHA256_SIZE];

    x509_cert_spki_sha256(issuer->ark, spki);
    *out = attest_trust_find(trust, issuer->product, spki);
    if (!*out)
        return refuse_bytes(r, ATTEST_ROOT_NOT_PINNED, step, "SHA-256 of root key",
                            (struct span){0}, SPAN_OF(spki));
    return ERR_NONE;
}

MUST_CHECK static enum err link_check(const struct x509_cert *c, const struct x509_cert *issuer,
                                      const char *expected, struct refusal *r)
{
    enum err e = x509_cert_issued_by(c, issuer, X509_RSA4096_PSS_SHA384);

    return e == ERR_NONE
               ? e
               : refuse_unless_memory(r, e, ATTEST_VEK_CHAIN_INVALID, step, expected, NULL);
}

MUST_CHECK static enum err issuer_links_check(const struct snp_issuer *issuer, struct refusal *r)
{
    enum err e = attest_trust_is_published_root(issuer->ark)
                     ? ERR_NONE
                     : link_check(issuer->ark, issuer->ark, "an ARK signed by itself", r);

    return e != ERR_NONE ? e
                         : link_check(issuer->intermediate, issuer->ark,
                                      "an intermediate certificate signed by the ARK", r);
}

enum err snp_issuer_check(const struct attest_trust *trust, const struct snp_issuer *issuer,
                          struct refusal *r)
{
    const struct attest_root *root;
    enum err e;

    if ((e = roles_check(issuer, r)) != ERR_NONE ||
        (e = pin_find(trust, issuer, &root, r)) != ERR_NONE)
        return e;
    return issuer_links_check(issuer, r);
}

/* The cache records that the links verified, so a name without a thing is enough. */
static const struct cache_kind kind = {free, CACHE_LEAVES};

static void chain_name(const struct attest_vek *vek, const struct snp_issuer *issuer,
                       uint8_t out[SHA256_SIZE])
{
    uint8_t hashes[3][SHA256_SIZE];

    x509_cert_sha256(vek->certificate, hashes[0]);
    x509_cert_sha256(issuer->intermediate, hashes[1]);
    x509_cert_sha256(issuer->ark, hashes[2]);
    sha256(SPAN_OF(hashes), out);
}

MUST_CHECK static enum err links_check(const struct attest_vek *vek,
                                       const struct snp_issuer *issuer, struct refusal *r)
{
    enum err e = issuer->verified ? ERR_NONE : issuer_links_check(issuer, r);

    return e != ERR_NONE ? e
                         : link_check(vek->certificate, issuer->intermediate,
                                      "a VEK signed by its intermediate certificate", r);
}

MUST_CHECK static enum err links_find(struct attest_cache *cache, const struct attest_vek *vek,
                                      const struct snp_issuer *issuer, struct refusal *r)
{
    struct cache_names its;
    void *verified;
    enum err e;

    if (!cache)
        return links_check(vek, issuer, r);
    chain_name(vek, issuer, its.name);
    memcpy(its.family, its.name, SHA256_SIZE); /* an RSA signature has only one encoding */
    if (cache_find(cache, &kind, its.name))
        return ERR_NONE;
    if ((e = links_check(vek, issuer, r)) != ERR_NONE)
        return e;
    verified = malloc(1);
    if (!verified)
        return ERR_MEMORY;
    cache_put(cache, &kind, &its, verified);
    return ERR_NONE;
}

static void validity_read(const struct attest_vek *vek, const struct snp_issuer *issuer,
                          struct snp_chain *out)
{
    const struct x509_cert *const certs[] = {vek->certificate, issuer->intermediate, issuer->ark};

    out->valid_from = (struct timestamp){INT64_MIN};
    out->valid_until = (struct timestamp){INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(certs); i++) {
        struct timestamp from = x509_cert_not_before(certs[i]);
        struct timestamp until = x509_cert_not_after(certs[i]);

        if (from.ms > out->valid_from.ms)
            out->valid_from = from;
        if (until.ms < out->valid_until.ms)
            out->valid_until = until;
    }
}

enum err snp_chain_verify(struct attest_cache *cache, const struct attest_trust *trust,
                          const struct attest_vek *vek, const struct snp_issuer *issuer,
                          struct timestamp now, struct snp_chain *out, struct refusal *r)
{
    struct snp_chain chain = {0};
    enum err e;

    if (issuer->product != vek->claims.product)
        return refuse(r, ATTEST_PRODUCT_MISMATCH, step, snp_product_name(issuer->product),
                      snp_product_name(vek->claims.product));
    if ((e = roles_check(issuer, r)) != ERR_NONE ||
        (e = pin_find(trust, issuer, &chain.root, r)) != ERR_NONE ||
        (e = links_find(cache, vek, issuer, r)) != ERR_NONE)
        return e;
    validity_read(vek, issuer, &chain);
    e = certificates_check_time(chain.valid_from, chain.valid_until, step, now, r);
    if (e == ERR_NONE)
        *out = chain;
    return e;
}
