#include "attest/certificates.h"

#include "attest/trust.h"

#define ROOT_NAME "Intel SGX Root CA"

bool certificates_is_pck_ca(const struct x509_cert *c)
{
    return x509_cert_common_name_contains(c, "Intel SGX PCK Platform CA") ||
           x509_cert_common_name_contains(c, "Intel SGX PCK Processor CA");
}

MUST_CHECK static enum err count_check(const struct certificates *c,
                                       const struct certificates_rule *rule, struct refusal *r)
{
    if (c->count == 0)
        return refuse(r, rule->missing, rule->step, "a certificate chain in PEM", "nothing");
    if (c->count != rule->count)
        return refuse_number(r, rule->invalid, rule->step, "certificates", rule->count, c->count);
    return ERR_NONE;
}

MUST_CHECK static enum err roles_check(const struct certificates *c,
                                       const struct certificates_rule *rule, struct refusal *r)
{
    if (rule->first_is_ca ? !x509_cert_is_ca(c->certs[0]) : x509_cert_claims_ca(c->certs[0]))
        return refuse(r, rule->invalid, rule->step,
                      rule->first_is_ca ? "a CA certificate first" : "a leaf that is no CA", NULL);
    if (rule->first_name && !x509_cert_common_name_contains(c->certs[0], rule->first_name))
        return refuse(r, rule->invalid, rule->step, rule->first_name, "another common name");
    for (size_t i = 1; i < c->count; i++)
        if (!x509_cert_is_ca(c->certs[i]))
            return refuse(r, rule->invalid, rule->step, "CA certificates above the first",
                          "a certificate that is no CA");
    if (!x509_cert_common_name_contains(c->certs[c->count - 1], ROOT_NAME))
        return refuse(r, rule->invalid, rule->step, ROOT_NAME, "another common name");
    return ERR_NONE;
}

/* Checks that each certificate above the first is signed by the next, and the last by itself. */
static void nothing_release(void *thing)
{
    (void)thing;
}
static const struct cache_kind authorities = {nothing_release, CACHE_AUTHORITIES};

void certificates_names(const struct certificates *c, size_t first, struct cache_names *out)
{
    uint8_t hashes[CERTIFICATES_MAX][SHA256_SIZE];
    uint8_t signed_by[2][SHA256_SIZE];

    for (size_t i = first; i < c->count; i++)
        x509_cert_sha256(c->certs[i], hashes[i - first]);
    sha256(span_of(hashes, (c->count - first) * SHA256_SIZE), out->name);
    x509_cert_tbs_sha256(c->certs[first], signed_by[0]);
    x509_cert_spki_sha256(c->certs[first + 1 < c->count ? first + 1 : first], signed_by[1]);
    sha256(SPAN_OF(signed_by), out->family);
}

/* Verifies the links from `first` up to `end`. */
MUST_CHECK static enum err links_check(const struct certificates *c, size_t first, size_t end,
                                       const struct certificates_rule *rule, struct refusal *r)
{
    static const char *const faults[CERTIFICATES_MAX] = {
        "the first is not signed by the second",
        "the second is not signed by the third",
    };
    enum err e = ERR_NONE;

    for (size_t i = first; e == ERR_NONE && i < end; i++) {
        e = x509_cert_issued_by(c->certs[i], c->certs[i + 1], X509_ECDSA_P256_SHA256);
        if (e != ERR_NONE)
            e = refuse_unless_memory(r, e, rule->invalid, rule->step,
                                     "each certificate signed by the next", faults[i]);
    }
    return e;
}

MUST_CHECK static enum err pin_check(const struct attest_trust *trust, struct certificates *c,
                                     const struct certificates_rule *rule, struct refusal *r)
{
    x509_cert_spki_sha256(c->certs[c->count - 1], c->root_spki);
    if (!attest_trust_find(trust, ATTEST_INTEL, c->root_spki))
        return refuse_bytes(r, ATTEST_ROOT_NOT_PINNED, rule->step, "SHA-256 of root key",
                            trust->count > 0 ? SPAN_OF(trust->roots[0].spki_sha256)
                                             : (struct span){0},
                            SPAN_OF(c->root_spki));
    return ERR_NONE;
}

MUST_CHECK static enum err root_check(const struct certificates *c,
                                      const struct certificates_rule *rule, struct refusal *r)
{
    const struct x509_cert *root = c->certs[c->count - 1];
    enum err e = attest_trust_is_published_root(root)
                     ? ERR_NONE
                     : x509_cert_issued_by(root, root, X509_ECDSA_P256_SHA256);

    return e == ERR_NONE ? e
                         : refuse_unless_memory(r, e, rule->invalid, rule->step,
                                                "a root signed by itself", NULL);
}

MUST_CHECK static enum err unknown_signatures_check(const struct attest_trust *trust,
                                                    struct certificates *c,
                                                    const struct certificates_rule *rule,
                                                    struct refusal *r)
{
    enum err e;

    if ((e = links_check(c, 0, c->count - 1, rule, r)) != ERR_NONE ||
        (e = pin_check(trust, c, rule, r)) != ERR_NONE)
        return e;
    return root_check(c, rule, r);
}

/* Verifies every signature that is not cached, up to a pinned root. */
MUST_CHECK static enum err signatures_check(const struct attest_trust *trust,
                                            struct attest_cache *cache, struct certificates *c,
                                            const struct certificates_rule *rule, struct refusal *r)
{
    struct cache_names names;
    enum err e;

    if (!cache)
        return unknown_signatures_check(trust, c, rule, r);
    certificates_names(c, 1, &names);
    if (cache_has(cache, &authorities, names.name)) {
        e = links_check(c, 0, 1, rule, r);
        return e == ERR_NONE ? pin_check(trust, c, rule, r) : e;
    }
    e = unknown_signatures_check(trust, c, rule, r);
    if (e == ERR_NONE)
        cache_put(cache, &authorities, &names, NULL);
    return e;
}

static void validity_read(struct certificates *c)
{
    c->valid_from = (struct timestamp){INT64_MIN};
    c->valid_until = (struct timestamp){INT64_MAX};
    for (size_t i = 0; i < c->count; i++) {
        struct timestamp from = x509_cert_not_before(c->certs[i]);
        struct timestamp until = x509_cert_not_after(c->certs[i]);

        if (from.ms > c->valid_from.ms)
            c->valid_from = from;
        if (until.ms < c->valid_until.ms)
            c->valid_until = until;
    }
}

enum err certificates_verify(const struct attest_trust *trust, struct attest_cache *cache,
                             struct certificates *c, const struct certificates_rule *rule,
                             struct refusal *r)
{
    enum err e;

    if ((e = count_check(c, rule, r)) != ERR_NONE || (e = roles_check(c, rule, r)) != ERR_NONE ||
        (e = signatures_check(trust, cache, c, rule, r)) != ERR_NONE)
        return e;
    validity_read(c);
    return ERR_NONE;
}

enum err certificates_parse(struct span pem, const struct certificates_rule *rule,
                            struct certificates *out, struct refusal *r)
{
    struct certificates c = {0};
    enum err e;

    if (pem.size > ATTEST_CHAIN_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, rule->step, "bytes at most", ATTEST_CHAIN_MAX,
                             pem.size);
    e = x509_chain_parse(pem, c.certs, CERTIFICATES_MAX, &c.count);
    if (e == ERR_TOO_LARGE)
        return refuse(r, rule->too_long, rule->step, "at most 8 certificates of at most 8192 bytes",
                      NULL);
    if (e != ERR_NONE)
        return refuse_unless_memory(r, e, rule->invalid, rule->step, "certificates in PEM", NULL);
    *out = c;
    return ERR_NONE;
}

enum err certificates_read_cached(const struct attest_trust *trust, struct attest_cache *cache,
                                  struct span pem, const struct certificates_rule *rule,
                                  struct certificates *out, struct refusal *r)
{
    struct certificates c = {0};
    enum err e = certificates_parse(pem, rule, &c, r);

    if (e == ERR_NONE && (e = certificates_verify(trust, cache, &c, rule, r)) == ERR_NONE)
        *out = c;
    else
        certificates_clear(&c);
    return e;
}

enum err certificates_read(const struct attest_trust *trust, struct span pem,
                           const struct certificates_rule *rule, struct certificates *out,
                           struct refusal *r)
{
    return certificates_read_cached(trust, NULL, pem, rule, out, r);
}

void certificates_clear(struct certificates *c)
{
    for (size_t i = 0; i < c->count; i++)
        x509_cert_free(&c->certs[i]);
    *c = (struct certificates){0};
}

enum err certificates_check_time(struct timestamp valid_from, struct timestamp valid_until,
                                 const char *step, struct timestamp now, struct refusal *r)
{
    if (now.ms < valid_from.ms)
        return refuse_time(r, ATTEST_CERTIFICATE_TIME, step, "valid from", valid_from, now);
    if (now.ms > valid_until.ms)
        return refuse_time(r, ATTEST_CERTIFICATE_TIME, step, "valid until", valid_until, now);
    return ERR_NONE;
}
