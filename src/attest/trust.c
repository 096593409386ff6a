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

/* SHA-256 of the certificates whose keys are pinned above, in DER, 32 bytes each. */
static const char published_roots[] =
    /* Intel SGX Root CA, valid to 2033 */
    "\xfc\x64\xf8\x07\x6d\x79\xa4\xfe\xe9\xd1\xd4\x73\xd7\x4c\x89\xeb"
    "\x8d\x8f\xd5\x5c\x5a\xba\xfe\xab\xeb\xa7\x36\x6d\x20\x42\x94\x04"
    /* Intel SGX Root CA, valid to 2049 */
    "\x44\xa0\x19\x6b\x2b\x99\xf8\x89\xb8\xe1\x49\xe9\x5b\x80\x7a\x35"
    "\x0e\x74\x24\x96\x43\x99\xe8\x85\xa7\xcb\xb8\xcc\xfa\xb6\x74\xd3"
    /* ARK-Milan */
    "\x69\xd0\x63\xb4\x53\x44\xd2\x6a\x2e\x94\xe1\xf4\x21\x0d\xe4\x9e"
    "\xf5\x55\x30\x82\x87\xd4\xc1\x74\x44\x5c\x95\x63\x9a\x54\x0b\xcd"
    /* ARK-Genoa */
    "\x4c\x65\x98\xd1\x9c\x18\x71\x9c\x5d\xfd\x4a\x7d\x33\x5f\x67\x4e"
    "\x5b\xfe\x1d\x8f\x80\x0c\xea\x2c\xf2\x70\xc1\x0d\x10\x3d\xb2\xf1"
    /* ARK-Turin */
    "\x1f\x08\x41\x61\xa4\x4b\xb6\xd9\x37\x78\xa9\x04\x87\x7d\x48\x19"
    "\xca\xfa\x5d\x05\xef\x41\x93\xb2\xde\xd9\xdd\x9c\x73\xdd\x3f\x6a"
    /* aws.nitro-enclaves */
    "\x64\x1a\x03\x21\xa3\xe2\x44\xef\xe4\x56\x46\x31\x95\xd6\x06\x31"
    "\x7e\xd7\xcd\xcc\x3c\x17\x56\xe0\x98\x93\xf3\xc6\x8f\x79\xbb\x5b";

_Static_assert(sizeof published_roots == 6 * SHA256_SIZE + 1, "six hashes");

bool attest_trust_is_published_root(const struct x509_cert *c)
{
    uint8_t hash[SHA256_SIZE];

    x509_cert_sha256(c, hash);
    for (size_t at = 0; at + SHA256_SIZE < sizeof published_roots; at += SHA256_SIZE)
        if (span_equal(SPAN_OF(hash), span_of(published_roots + at, SHA256_SIZE)))
            return true;
    return false;
}

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
    else if (!attest_trust_find(trust, vendor, root.spki_sha256)) /* a root keeps its vendor */
        trust->roots[trust->count++] = root;
    x509_cert_free(&c);
    return e;
}

enum err attest_trust_add_simulated(struct attest_trust *trust, struct span certificate)
{
    return attest_trust_add(trust, ATTEST_INTEL, certificate, true);
}
