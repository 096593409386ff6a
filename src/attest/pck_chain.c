#include "attest/pck_chain.h"

#include <stdlib.h>

static const struct certificates_rule rule = {
    .step = "pck_chain",
    .count = 3,
    .first_is_ca = false,
    .first_name = "SGX PCK Certificate",
    .missing = ATTEST_PCK_CHAIN_MISSING,
    .invalid = ATTEST_PCK_CHAIN_INVALID,
    .too_long = ATTEST_PCK_CHAIN_TOO_LONG,
};

const struct x509_cert *pck_chain_leaf(const struct pck_chain *chain)
{
    return chain->certificates.certs[0];
}

const struct x509_cert *pck_chain_ca(const struct pck_chain *chain)
{
    return chain->certificates.certs[1];
}

MUST_CHECK static enum err extension_read(const struct x509_cert *leaf, struct pck *out,
                                          struct refusal *r)
{
    struct span contents;
    enum err e = x509_cert_extension(leaf, PCK_EXTENSION_OID, &contents);

    if (e == ERR_NOT_FOUND)
        return refuse(r, ATTEST_PCK_EXTENSION_MISSING, rule.step, "extension " PCK_EXTENSION_OID,
                      "none");
    if (e != ERR_NONE || pck_extension_parse(contents, out) != ERR_NONE)
        return refuse(r, ATTEST_PCK_CHAIN_INVALID, rule.step,
                      "a well-formed extension " PCK_EXTENSION_OID, NULL);
    return ERR_NONE;
}

MUST_CHECK static enum err chain_fill(struct pck_chain *c, struct refusal *r)
{
    enum err e;

    if (!certificates_is_pck_ca(pck_chain_ca(c)))
        return refuse(r, rule.invalid, rule.step,
                      "Intel SGX PCK Platform CA or Intel SGX PCK Processor CA",
                      "another common name");
    if ((e = extension_read(pck_chain_leaf(c), &c->pck, r)) != ERR_NONE)
        return e;
    x509_cert_spki_sha256(pck_chain_ca(c), c->ca_spki);
    if ((e = x509_cert_p256(pck_chain_leaf(c), &c->key)) != ERR_NONE)
        return refuse_unless_memory(r, e, rule.invalid, rule.step, "a P-256 key", NULL);
    return ERR_NONE;
}

/* Takes over `certificates` on success. */
MUST_CHECK static enum err chain_new(const struct attest_trust *trust, struct attest_cache *cache,
                                     struct certificates *certificates, struct pck_chain **out,
                                     struct refusal *r)
{
    struct pck_chain *c = calloc(1, sizeof *c);
    enum err e;

    if (!c)
        return ERR_MEMORY;
    if ((e = certificates_verify(trust, cache, certificates, &rule, r)) != ERR_NONE)
        goto out;
    c->certificates = *certificates;
    *certificates = (struct certificates){0}; /* the chain owns them now */
    if ((e = chain_fill(c, r)) != ERR_NONE)
        goto out;
    *out = c;
    c = NULL; /* the caller owns it now */
out:
    pck_chain_free(&c);
    return e;
}

void pck_chain_free(struct pck_chain **chain)
{
    if (*chain) {
        p256_public_free(&(*chain)->key);
        certificates_clear(&(*chain)->certificates);
    }
    free(*chain);
    *chain = NULL;
}

static void release(void *thing)
{
    struct pck_chain *chain = thing;

    pck_chain_free(&chain);
}

static const struct cache_kind kind = {release, CACHE_LEAVES};

/* An unknown text may contain a known chain: white space does not change the chain. */
MUST_CHECK static enum err chain_find(struct attest_cache *cache, const struct attest_trust *trust,
                                      struct certificates *certificates,
                                      const struct pck_chain **out,
                                      const uint8_t alias[SHA256_SIZE], struct refusal *r)
{
    struct cache_names names = {{0}, {0}};
    struct pck_chain *chain = NULL;
    enum err e;

    if (certificates->count == rule.count) {
        certificates_names(certificates, 0, &names);
        *out = cache_find(cache, &kind, names.name);
    }
    if (!*out) {
        if ((e = chain_new(trust, cache, certificates, &chain, r)) != ERR_NONE)
            return e;
        cache_put(cache, &kind, &names, chain);
        *out = chain;
    }
    cache_alias(cache, &kind, names.name, alias);
    return ERR_NONE;
}

enum err pck_chain_find(struct attest_cache *cache, const struct attest_trust *trust,
                        struct span pem, const struct pck_chain **out, struct pck_chain **owned,
                        struct refusal *r)
{
    struct certificates certificates = {0};
    uint8_t alias[SHA256_SIZE];
    enum err e;

    *out = NULL;
    if (cache) {
        sha256(pem, alias);
        if ((*out = cache_find_alias(cache, &kind, alias)) != NULL)
            return ERR_NONE;
    }
    if ((e = certificates_parse(pem, &rule, &certificates, r)) != ERR_NONE)
        return e;
    if (cache)
        e = chain_find(cache, trust, &certificates, out, alias, r);
    else if ((e = chain_new(trust, NULL, &certificates, owned, r)) == ERR_NONE)
        *out = *owned;
    certificates_clear(&certificates);
    return e;
}
