#include "attest/trust.h"

#include <string.h>

#include "crypto/x509.h"

/*
 * Intel SGX Root CA, P-256. There are two certificates with this key (valid to 2033 and to 2049);
 * the pin is of the key and covers both.
 */
static const struct attest_root vendors[] = {
    {{0xa0, 0xaf, 0x03, 0x12, 0x89, 0xf5, 0xd5, 0xd4, 0x13, 0x2f, 0x91,
      0x86, 0x06, 0x8a, 0x7f, 0xc1, 0x36, 0x28, 0x63, 0x3b, 0xa2, 0x35,
      0x77, 0x74, 0x72, 0xe2, 0x9b, 0x6b, 0x6c, 0x67, 0xa4, 0x9e},
     false},
};

_Static_assert(COUNT_OF(vendors) <= ATTEST_ROOTS_MAX, "room for the vendors' roots");

void attest_trust_vendors(struct attest_trust *out)
{
    *out = (struct attest_trust){.count = COUNT_OF(vendors)};
    memcpy(out->roots, vendors, sizeof vendors);
}

const struct attest_root *attest_trust_find(const struct attest_trust *trust,
                                            const uint8_t spki_sha256[SHA256_SIZE])
{
    for (size_t i = 0; i < trust->count; i++)
        if (memcmp(trust->roots[i].spki_sha256, spki_sha256, SHA256_SIZE) == 0) /* public */
            return &trust->roots[i];
    return NULL;
}

static enum err certificate_parse(struct span certificate, struct x509_cert **out)
{
    size_t count = 0;
    enum err e;

    if (!span_starts_with(certificate, SPAN_LITERAL("-----BEGIN")))
        return x509_cert_parse(certificate, out);
    e = x509_chain_parse(certificate, out, 1, &count);
    return e == ERR_NONE && count == 1 ? ERR_NONE : e == ERR_MEMORY ? e : ERR_MALFORMED;
}

enum err attest_trust_add_simulated(struct attest_trust *trust, struct span certificate)
{
    struct attest_root root = {.simulated = true};
    struct x509_cert *c = NULL;
    enum err e;

    if (trust->count >= ATTEST_ROOTS_MAX)
        return ERR_TOO_LARGE;
    if ((e = certificate_parse(certificate, &c)) != ERR_NONE)
        return e == ERR_MEMORY ? e : ERR_MALFORMED;
    x509_cert_spki_sha256(c, root.spki_sha256);
    if (!x509_cert_is_ca(c))
        e = ERR_MALFORMED;
    else if (!attest_trust_find(trust, root.spki_sha256)) /* a vendor's root stays the vendor's */
        trust->roots[trust->count++] = root;
    x509_cert_free(&c);
    return e;
}
