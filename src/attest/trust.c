#include "attest/trust.h"

#include <string.h>

#include "crypto/x509.h"

/*
 * Intel SGX Root CA, P-256 (there are two certificates with this key, valid to 2033 and to 2049:
 * the pin is of the key and covers both); ARK-Milan, ARK-Genoa and ARK-Turin, RSA-4096; AWS Nitro
 * Enclaves Root G1, P-384.
 */
static const struct attest_root vendors[] = {
    {ATTEST_INTEL,
     {0xa0, 0xaf, 0x03, 0x12, 0x89, 0xf5, 0xd5, 0xd4, 0x13, 0x2f, 0x91,
      0x86, 0x06, 0x8a, 0x7f, 0xc1, 0x36, 0x28, 0x63, 0x3b, 0xa2, 0x35,
      0x77, 0x74, 0x72, 0xe2, 0x9b, 0x6b, 0x6c, 0x67, 0xa4, 0x9e},
     false},
    {ATTEST_AMD_MILAN,
     {0x9f, 0x05, 0x6b, 0xee, 0x44, 0x37, 0x7e, 0x29, 0x30, 0x8c, 0xb5,
      0xff, 0xa8, 0x95, 0xbd, 0xfb, 0x62, 0xd1, 0x88, 0x81, 0xfa, 0x6b,
      0xed, 0x8d, 0x6f, 0x07, 0x5b, 0x02, 0x04, 0x08, 0x9c, 0xb9},
     false},
    {ATTEST_AMD_GENOA,
     {0x42, 0x9a, 0x69, 0xc9, 0x42, 0x2a, 0xa2, 0x58, 0xee, 0x4d, 0x8d,
      0xb5, 0xfc, 0xda, 0x9c, 0x64, 0x70, 0xef, 0x15, 0xf8, 0xcd, 0x5a,
      0x9c, 0xeb, 0xd6, 0xcb, 0xc7, 0xd9, 0x0b, 0x86, 0x38, 0x31},
     false},
    {ATTEST_AMD_TURIN,
     {0x4f, 0x12, 0x54, 0x10, 0x56, 0x3a, 0x2a, 0xb9, 0xa5, 0x03, 0x56,
      0xf9, 0x24, 0x3f, 0x6f, 0xe0, 0xb6, 0xf7, 0x3d, 0xe9, 0x86, 0x03,
      0xf5, 0x3f, 0x90, 0x33, 0x9c, 0x70, 0xe9, 0xd7, 0xad, 0x08},
     false},
    {ATTEST_AWS,
     {0xf2, 0xca, 0xf5, 0xec, 0xc6, 0x19, 0x0b, 0x4a, 0x83, 0x99, 0xb7,
      0x8b, 0xc5, 0x8a, 0x2b, 0xbc, 0xd0, 0x38, 0x23, 0x75, 0xdb, 0x8a,
      0x1b, 0xfd, 0x78, 0xa8, 0x27, 0x43, 0x87, 0x4f, 0xd2, 0x25},
     false},
};

_Static_assert(COUNT_OF(vendors) <= ATTEST_ROOTS_MAX, "room for the vendors' roots");

void attest_trust_vendors(struct attest_trust *out)
{
    *out = (struct attest_trust){.count = COUNT_OF(vendors)};
    memcpy(out->roots, vendors, sizeof vendors);
}

const struct attest_root *attest_trust_find(const struct attest_trust *trust,
                                            enum attest_vendor vendor,
                                            const uint8_t spki_sha256[SHA256_SIZE])
{
    for (size_t i = 0; i < trust->count; i++)
        if (trust->roots[i].vendor == vendor &&
            memcmp(trust->roots[i].spki_sha256, spki_sha256, SHA256_SIZE) == 0) /* public */
            return &trust->roots[i];
    return NULL;
}

MUST_CHECK static enum err certificate_parse(struct span certificate, struct x509_cert **out)
{
    size_t count = 0;
    enum err e;

    if (!span_starts_with(certificate, SPAN_LITERAL("-----BEGIN")))
        return x509_cert_parse(certificate, out);
    e = x509_chain_parse(certificate, out, 1, &count);
    return e == ERR_NONE && count == 1 ? ERR_NONE : e == ERR_MEMORY ? e : ERR_MALFORMED;
}

enum err attest_trust_add(struct attest_trust *trust, enum attest_vendor vendor,
                          struct span certificate, bool simulated)
{
    struct attest_root root = {.vendor = vendor, .simulated = simulated};
    struct x509_cert *c = NULL;
    enum err e;

    if (trust->count >= ATTEST_ROOTS_MAX)
        return ERR_TOO_LARGE;
    if ((e = certificate_parse(certificate, &c)) != ERR_NONE)
        return e == ERR_MEMORY ? e : ERR_MALFORMED;
    x509_cert_spki_sha256(c, root.spki_sha256);
    if (!x509_cert_is_ca(c))
        e = ERR_MALFORMED;
    else if (!attest_trust_find(trust, vendor, root.spki_sha256)) /* a vendor's root stays his */
        trust->roots[trust->count++] = root;
    x509_cert_free(&c);
    return e;
}

enum err attest_trust_add_simulated(struct attest_trust *trust, struct span certificate)
{
    return attest_trust_add(trust, ATTEST_INTEL, certificate, true);
}
