#include <stdlib.h>
#include <string.h>

#include "attest/cache.h"
#include "attest/nitro.h"
#include "attest/trust.h"
#include "crypto/x509.h"

#define ROOT_NAME "aws.nitro-enclaves"

static const char step[] = "certificate_chain";

/* Root first, as in the document; the leaf is last. */
struct chain {
    size_t count;
    struct x509_cert *certs[NITRO_CABUNDLE_MAX + 1]; /* owned */
};

/* The part that many leaves share, verified up to the pinned root, without time. */
struct issuers {
    struct x509_cert *last; /* owned; it issues leaves */
    uint8_t family[SHA256_SIZE];
    uint8_t root_spki[SHA256_SIZE];
    struct timestamp valid_from, valid_until; /* of all of them */
};

static void chain_clear(struct chain *c)
{
    for (size_t i = 0; i < c->count; i++)
        x509_cert_free(&c->certs[i]);
    c->count = 0;
}

MUST_CHECK static enum err certificate_parse(struct span der, struct x509_cert **out,
                                             struct refusal *r)
{
    enum err e = x509_cert_parse(der, out);

    return e == ERR_NONE ? e
                         : refuse_unless_memory(r, e, ATTEST_CERTIFICATE_CHAIN_INVALID, step,
                                                "certificates in DER", NULL);
}

MUST_CHECK static enum err root_check(const struct attest_trust *trust,
                                      const struct x509_cert *root, uint8_t spki[SHA256_SIZE],
                                      struct refusal *r)
{
    x509_cert_spki_sha256(root, spki);
    if (!attest_trust_find(trust, ATTEST_AWS, spki))
        return refuse_bytes(r, ATTEST_ROOT_NOT_PINNED, step, "SHA-256 of root key",
                            (struct span){0}, span_of(spki, SHA256_SIZE));
    if (!x509_cert_common_name_is(root, ROOT_NAME))
        return refuse(r, ATTEST_CERTIFICATE_CHAIN_INVALID, step, ROOT_NAME, "another common name");
    return ERR_NONE;
}

/* Checks roles before signatures, because roles cost nothing. `below` is the number of CAs under
 * this one. */
MUST_CHECK static enum err issuer_check(const struct x509_cert *c, size_t below, struct refusal *r)
{
    if (!x509_cert_is_ca(c))
        return refuse(r, ATTEST_CERTIFICATE_CHAIN_INVALID, step, "CA certificates above the leaf",
                      "a certificate that is no CA");
    if (x509_cert_path_length(c) < below)
        return refuse_number(r, ATTEST_CERTIFICATE_CHAIN_INVALID, step,
                             "CA certificates below one at most", x509_cert_path_length(c), below);
    return ERR_NONE;
}

MUST_CHECK static enum err link_check(const struct x509_cert *c, const struct x509_cert *issuer,
                                      struct refusal *r)
{
    enum err e = x509_cert_issued_by(c, issuer, X509_ECDSA_P384_SHA384);

    return e == ERR_NONE
               ? e
               : refuse_unless_memory(r, e, ATTEST_CERTIFICATE_CHAIN_INVALID, step,
                                      "each certificate signed by the one before it", NULL);
}

static void validity_narrow(const struct x509_cert *c, struct timestamp *from,
                            struct timestamp *until)
{
    struct timestamp not_before = x509_cert_not_before(c);

    if (not_before.ms > from->ms)
        *from = not_before;
    *until = timestamp_earlier(*until, x509_cert_not_after(c));
}

MUST_CHECK static enum err time_check(struct timestamp from, struct timestamp until,
                                      struct timestamp now, struct refusal *r)
{
    if (now.ms < from.ms)
        return refuse_time(r, ATTEST_CERTIFICATE_TIME, step, "valid from", from, now);
    if (now.ms > until.ms)
        return refuse_time(r, ATTEST_CERTIFICATE_TIME, step, "valid until", until, now);
    return ERR_NONE;
}

MUST_CHECK static enum err bundle_parse(const struct nitro_document *d, struct chain *out,
                                        struct refusal *r)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; e == ERR_NONE && i < d->cabundle_count; i++) {
        e = certificate_parse(d->cabundle[i], &out->certs[i], r);
        if (e == ERR_NONE)
            out->count++;
    }
    return e;
}

/* A chain leads from one name to another: circles and repeated certificates are refused. */
static bool subject_is_above(const struct chain *c, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (x509_cert_same_subject(c->certs[i], c->certs[index]))
            return true;
    return false;
}

/*
 * Checks without signatures come first. So another root or an expired chain, as in every published
 * document, costs only the parsing.
 */
MUST_CHECK static enum err bundle_verify(const struct verify_input *in, const struct chain *c,
                                         struct issuers *out, struct refusal *r)
{
    enum err e = root_check(in->trust, c->certs[0], out->root_spki, r);

    out->valid_from = (struct timestamp){INT64_MIN};
    out->valid_until = (struct timestamp){INT64_MAX};
    for (size_t i = 0; e == ERR_NONE && i < c->count; i++) {
        e = issuer_check(c->certs[i], c->count - 1 - i, r);
        if (e == ERR_NONE && subject_is_above(c, i))
            e = refuse(r, ATTEST_CERTIFICATE_CHAIN_INVALID, step, "one certificate of each issuer",
                       NULL);
        validity_narrow(c->certs[i], &out->valid_from, &out->valid_until);
    }
    if (e == ERR_NONE)
        e = time_check(out->valid_from, out->valid_until, in->now, r);
    if (e == ERR_NONE && !attest_trust_is_published_root(c->certs[0]))
        e = link_check(c->certs[0], c->certs[0], r);
    for (size_t i = 1; e == ERR_NONE && i < c->count; i++)
        e = link_check(c->certs[i], c->certs[i - 1], r);
    return e;
}

/* The signed bytes and the signing key: see struct cache_names. */
static void family_of(const struct x509_cert *c, const struct x509_cert *issuer,
                      uint8_t out[SHA256_SIZE])
{
    uint8_t hashes[2][SHA256_SIZE];

    x509_cert_tbs_sha256(c, hashes[0]);
    x509_cert_spki_sha256(issuer, hashes[1]);
    sha256(SPAN_OF(hashes), out);
}

static void issuers_free(struct issuers **issuers)
{
    if (*issuers)
        x509_cert_free(&(*issuers)->last);
    free(*issuers);
    *issuers = NULL;
}

MUST_CHECK static enum err issuers_new(const struct verify_input *in,
                                       const struct nitro_document *d, struct issuers **out,
                                       struct refusal *r)
{
    struct issuers *issuers = calloc(1, sizeof *issuers);
    struct chain chain = {0};
    enum err e;

    if (!issuers)
        return ERR_MEMORY;
    if ((e = bundle_parse(d, &chain, r)) != ERR_NONE ||
        (e = bundle_verify(in, &chain, issuers, r)) != ERR_NONE)
        goto out;
    issuers->last = chain.certs[--chain.count];
    family_of(issuers->last, chain.certs[chain.count > 0 ? chain.count - 1 : 0], issuers->family);
    *out = issuers;
    issuers = NULL; /* the caller owns it now */
out:
    issuers_free(&issuers);
    chain_clear(&chain);
    return e;
}

static void issuers_release(void *thing)
{
    struct issuers *issuers = thing;

    issuers_free(&issuers);
}

static void leaf_release(void *thing)
{
    struct nitro_leaf *leaf = thing;

    nitro_leaf_free(&leaf);
}

static const struct cache_kind issuers_kind = {issuers_release, CACHE_ISSUERS};
static const struct cache_kind leaf_kind = {leaf_release, CACHE_LEAVES};

/* SHA-256 of SHA-256s, so that the boundaries between certificates count. */
static void certificates_name(const struct span *certificates, size_t count,
                              uint8_t out[SHA256_SIZE])
{
    uint8_t hashes[NITRO_CABUNDLE_MAX + 1][SHA256_SIZE];

    for (size_t i = 0; i < count; i++)
        sha256(certificates[i], hashes[i]);
    sha256(span_of(hashes, count * SHA256_SIZE), out);
}

/* Uses the cache; without one the caller frees `*owned`. */
MUST_CHECK static enum err issuers_find(const struct verify_input *in,
                                        const struct nitro_document *d, const struct issuers **out,
                                        struct issuers **owned, struct refusal *r)
{
    struct cache_names names;
    struct issuers *issuers = NULL;
    enum err e;

    certificates_name(d->cabundle, d->cabundle_count, names.name);
    if ((*out = cache_find(in->cache, &issuers_kind, names.name)) != NULL)
        return ERR_NONE;
    if ((e = issuers_new(in, d, &issuers, r)) != ERR_NONE)
        return e;
    *out = issuers;
    memcpy(names.family, issuers->family, SHA256_SIZE);
    if (in->cache)
        cache_put(in->cache, &issuers_kind, &names, issuers);
    else
        *owned = issuers;
    return ERR_NONE;
}

MUST_CHECK static enum err leaf_check(const struct x509_cert *leaf, const struct issuers *issuers,
                                      struct timestamp now, struct nitro_leaf *out,
                                      struct refusal *r)
{
    enum err e;

    if (x509_cert_claims_ca(leaf))
        return refuse(r, ATTEST_LEAF_IS_CA, step, "a leaf that is no CA", "a CA certificate");
    if (!x509_cert_has_digital_signature(leaf))
        return refuse(r, ATTEST_CERTIFICATE_CHAIN_INVALID, step,
                      "a leaf whose key usage is digitalSignature", NULL);
    validity_narrow(leaf, &out->valid_from, &out->valid_until);
    if ((e = time_check(out->valid_from, out->valid_until, now, r)) != ERR_NONE ||
        (e = link_check(leaf, issuers->last, r)) != ERR_NONE)
        return e;
    e = x509_cert_p384(leaf, &out->key);
    return e == ERR_NONE ? e
                         : refuse_unless_memory(r, e, ATTEST_CERTIFICATE_CHAIN_INVALID, step,
                                                "a leaf with a P-384 key", NULL);
}

MUST_CHECK static enum err leaf_new(const struct nitro_document *d, const struct issuers *issuers,
                                    struct timestamp now, struct nitro_leaf **out,
                                    struct refusal *r)
{
    struct nitro_leaf *made = calloc(1, sizeof *made);
    struct x509_cert *leaf = NULL;
    enum err e;

    if (!made)
        return ERR_MEMORY;
    made->valid_from = issuers->valid_from;
    made->valid_until = issuers->valid_until;
    for (size_t i = 0; i < SHA256_SIZE; i++)
        made->root_spki[i] = issuers->root_spki[i];
    if ((e = certificate_parse(d->certificate, &leaf, r)) != ERR_NONE ||
        (e = leaf_check(leaf, issuers, now, made, r)) != ERR_NONE)
        goto out;
    family_of(leaf, issuers->last, made->family);
    *out = made;
    made = NULL; /* the caller owns it now */
out:
    nitro_leaf_free(&made);
    x509_cert_free(&leaf);
    return e;
}

void nitro_leaf_free(struct nitro_leaf **leaf)
{
    if (*leaf)
        p384_public_free(&(*leaf)->key);
    free(*leaf);
    *leaf = NULL;
}

/* A document without a bundle does not prove who signed it. */
MUST_CHECK static enum err bundle_missing(const struct nitro_document *d, struct refusal *r)
{
    struct x509_cert *leaf = NULL;
    enum err e = certificate_parse(d->certificate, &leaf, r);

    if (e != ERR_NONE)
        return e;
    e = x509_cert_issued_by(leaf, leaf, X509_ECDSA_P384_SHA384) == ERR_NONE
            ? refuse(r, ATTEST_ROOT_NOT_PINNED, step, "a chain up to a pinned root",
                     "a certificate signed by itself")
            : refuse(r, ATTEST_MALFORMED, step, "a cabundle", "null");
    x509_cert_free(&leaf);
    return e;
}

MUST_CHECK static enum err leaf_find(const struct verify_input *in, const struct nitro_document *d,
                                     const struct nitro_leaf **out, struct nitro_leaf **owned,
                                     struct refusal *r)
{
    struct span certificates[NITRO_CABUNDLE_MAX + 1];
    struct cache_names names;
    const struct issuers *issuers = NULL;
    struct issuers *owned_issuers = NULL;
    struct nitro_leaf *leaf = NULL;
    enum err e;

    for (size_t i = 0; i < d->cabundle_count; i++)
        certificates[i] = d->cabundle[i];
    certificates[d->cabundle_count] = d->certificate;
    certificates_name(certificates, d->cabundle_count + 1, names.name);
    if ((*out = cache_find(in->cache, &leaf_kind, names.name)) != NULL)
        return ERR_NONE;
    if ((e = issuers_find(in, d, &issuers, &owned_issuers, r)) == ERR_NONE)
        e = leaf_new(d, issuers, in->now, &leaf, r);
    issuers_free(&owned_issuers);
    if (e != ERR_NONE)
        return e;
    *out = leaf;
    memcpy(names.family, leaf->family, SHA256_SIZE);
    if (in->cache)
        cache_put(in->cache, &leaf_kind, &names, leaf);
    else
        *owned = leaf;
    return ERR_NONE;
}

enum err nitro_chain_verify(const struct verify_input *in, const struct nitro_document *document,
                            const struct nitro_leaf **out, struct nitro_leaf **owned,
                            struct refusal *r)
{
    enum err e;

    if (document->cabundle_count == 0)
        return bundle_missing(document, r);
    if ((e = leaf_find(in, document, out, owned, r)) != ERR_NONE)
        return e;
    if (!attest_trust_find(in->trust, ATTEST_AWS, (*out)->root_spki))
        return refuse_bytes(r, ATTEST_ROOT_NOT_PINNED, step, "SHA-256 of root key",
                            (struct span){0}, SPAN_OF((*out)->root_spki));
    return time_check((*out)->valid_from, (*out)->valid_until, in->now, r);
}
